/*
 * loop: a thread's event loop, its timers, and what it lends to everything that runs on it.
 *
 * A loop belongs to the thread that runs it. Only loop_post() and loop_stop() may be called from
 * another. Everything else here is called on the loop's own thread (or before it runs).
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/gather.h"

/* One read's worth of bytes: so many that a turn of the loop counts for little beside them, so few that they stay in the L2 cache. */
enum { LOOP_SCRATCH = 256 * 1024 };

struct loop;

/* NULL if memory or descriptors are out (errno tells). */
struct loop *loop_new(void);
/* The loop must not be running. Runs what is deferred or posted, then frees. */
void loop_free(struct loop *loop);

/* Returns after loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* from any thread */

struct ev_loop *loop_ev(struct loop *loop); /* for io/ alone */

/* Monotonic milliseconds, read once per turn of the loop; good to some milliseconds. */
uint64_t loop_now_ms(const struct loop *loop);

/* LOOP_SCRATCH bytes for the stream that is reading now (stream.c alone). */
unsigned char *loop_scratch(struct loop *loop);

/* LOOP_SCRATCH bytes for whoever works on an event, until he returns to the loop: what becomes of the bytes he was given. */
unsigned char *loop_spare(struct loop *loop);

/* The loop's gather: empty unless an event is being worked on; whoever fills it sends it before returning to the loop. */
struct gather *loop_gather(struct loop *loop);

/*
 * Tasks run at the end of the present turn, in order, before the loop sleeps; a task that is
 * deferred meanwhile runs in the next round of the same turn. The task is embedded in its owner and
 * must stay there until it has run or was cancelled. Deferring a pending task again changes nothing.
 */
typedef void loop_task_fn(void *owner);
struct loop_task {
	loop_task_fn *fn; /* NULL unless pending */
	void *owner;
	struct loop_task *next, **link;
};
void loop_defer(struct loop *loop, struct loop_task *task, loop_task_fn *fn, void *owner);
void loop_defer_cancel(struct loop *loop, struct loop_task *task);

/* free(memory) at the end of the turn, when no stack frame can hold it any more. A debug build poisons SIZE bytes at once after the turn. */
void loop_free_later(struct loop *loop, void *memory, size_t size);

/* Runs FN(ARG) on LOOP's thread, soon; from any thread. Returns 0, or -1 if memory is out (nothing will run). */
int loop_post(struct loop *loop, loop_task_fn *fn, void *arg);

/* A one-shot timer, embedded in its owner. */
typedef void loop_timer_fn(void *owner);
struct loop_timer {
	ev_timer ev;
	loop_timer_fn *fn;
	struct loop *loop;
};
void loop_timer_init(struct loop_timer *t, struct loop *loop, loop_timer_fn *fn, void *owner);
void loop_timer_set(struct loop_timer *t, uint64_t after_ms); /* starts, or moves */
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);

/* Signals are delivered to the one loop that asks for them (main's). */
typedef void loop_signal_fn(void *owner, int signo);
struct loop_signal {
	ev_signal ev;
	loop_signal_fn *fn;
};
void loop_signal_start(struct loop *loop, struct loop_signal *s, int signo, loop_signal_fn *fn, void *owner);
void loop_signal_stop(struct loop *loop, struct loop_signal *s);

#endif
