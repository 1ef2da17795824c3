/*
 * The one idea: a turn of the loop has an end. What must not happen on the present stack (an event
 * for someone who is calling us, the freeing of an object that is still on it) is deferred to that
 * end, when all events of the turn have been worked on, right before libev sleeps.
 */
#include "io/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct corpse {
	struct corpse *next;
	void *memory;
	size_t size;
};

struct posted {
	struct posted *next;
	loop_task_fn *fn;
	void *arg;
};

struct loop {
	struct ev_loop *ev;
	ev_async wake;
	uint64_t now_ms;
	struct loop_task *tasks, **tasks_end;
	struct corpse *corpses;
	pthread_mutex_t lock; /* guards posts and stopping */
	struct posted *posts, **posts_end;
	bool stopping;
	struct gather gather;
	unsigned char scratch[LOOP_SCRATCH];
	unsigned char spare[LOOP_SCRATCH];
};

static uint64_t
monotonic_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
bury(struct loop *loop)
{
	while (loop->corpses != NULL) {
		struct corpse *c = loop->corpses;
		loop->corpses = c->next;
#ifdef WSGATE_POISON
		memset(c->memory, 0xDB, c->size);
#endif
		free(c->memory);
		free(c);
	}
}

static void
run_tasks(struct loop *loop)
{
	while (loop->tasks != NULL) {
		struct loop_task *task = loop->tasks;
		loop_task_fn *fn = task->fn;
		assert(fn != NULL); /* it is pending */
		loop_defer_cancel(loop, task);
		fn(task->owner);
	}
	bury(loop);
}

static void
run_posts(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct posted *p = loop->posts;
	loop->posts = NULL;
	loop->posts_end = &loop->posts;
	pthread_mutex_unlock(&loop->lock);
	while (p != NULL) {
		struct posted *next = p->next;
		p->fn(p->arg);
		free(p);
		p = next;
	}
}

/* One turn: libev has slept, and holds what it was woken for. */
static void
turn(struct ev_loop *ev)
{
	struct loop *loop = ev_userdata(ev);
	loop->now_ms = monotonic_ms();
	ev_invoke_pending(ev);
	run_tasks(loop);
}

static void
on_wake(struct ev_loop *ev, ev_async *w, int revents)
{
	(void)revents;
	struct loop *loop = w->data;
	run_posts(loop);
	pthread_mutex_lock(&loop->lock);
	bool stopping = loop->stopping;
	pthread_mutex_unlock(&loop->lock);
	if (stopping)
		ev_break(ev, EVBREAK_ALL);
}

/* libev aborts where it finds no descriptor to be woken by, so one is tried for first. */
static bool
can_be_woken(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	if (fd != -1)
		close(fd);
	return fd != -1;
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		return NULL;
	loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (loop->ev == NULL || !can_be_woken()) {
		if (loop->ev != NULL)
			ev_loop_destroy(loop->ev);
		free(loop);
		errno = EMFILE;
		return NULL;
	}
	loop->tasks_end = &loop->tasks;
	loop->posts_end = &loop->posts;
	loop->now_ms = monotonic_ms();
	gather_reset(&loop->gather);
	pthread_mutex_init(&loop->lock, NULL);
	ev_set_userdata(loop->ev, loop);
	ev_set_invoke_pending_cb(loop->ev, turn);
	ev_async_init(&loop->wake, on_wake);
	loop->wake.data = loop;
	ev_async_start(loop->ev, &loop->wake);
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	do {
		run_posts(loop);
		run_tasks(loop);
	} while (loop->posts != NULL || loop->tasks != NULL);
	ev_async_stop(loop->ev, &loop->wake);
	ev_loop_destroy(loop->ev);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void
loop_run(struct loop *loop)
{
	ev_now_update(loop->ev); /* timers that were set long before would fire early */
	ev_run(loop->ev, 0);
}

void
loop_stop(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->stopping = true;
	pthread_mutex_unlock(&loop->lock);
	ev_async_send(loop->ev, &loop->wake);
}

struct ev_loop *
loop_ev(struct loop *loop)
{
	return loop->ev;
}

uint64_t
loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

unsigned char *
loop_scratch(struct loop *loop)
{
	return loop->scratch;
}

unsigned char *
loop_spare(struct loop *loop)
{
	return loop->spare;
}

struct gather *
loop_gather(struct loop *loop)
{
	return &loop->gather;
}

void
loop_defer(struct loop *loop, struct loop_task *task, loop_task_fn *fn, void *owner)
{
	if (task->fn != NULL)
		return;
	task->fn = fn;
	task->owner = owner;
	task->next = NULL;
	task->link = loop->tasks_end;
	*loop->tasks_end = task;
	loop->tasks_end = &task->next;
}

void
loop_defer_cancel(struct loop *loop, struct loop_task *task)
{
	if (task->fn == NULL)
		return;
	*task->link = task->next;
	if (task->next != NULL)
		task->next->link = task->link;
	else
		loop->tasks_end = task->link;
	task->fn = NULL;
}

void
loop_free_later(struct loop *loop, void *memory, size_t size)
{
	struct corpse *c = malloc(sizeof(*c));
	if (c == NULL)
		return; /* a leak is the lesser evil: someone may still stand on it */
	*c = (struct corpse){ loop->corpses, memory, size };
	loop->corpses = c;
}

int
loop_post(struct loop *loop, loop_task_fn *fn, void *arg)
{
	struct posted *p = malloc(sizeof(*p));
	if (p == NULL)
		return -1;
	*p = (struct posted){ NULL, fn, arg };
	pthread_mutex_lock(&loop->lock);
	*loop->posts_end = p;
	loop->posts_end = &p->next;
	pthread_mutex_unlock(&loop->lock);
	ev_async_send(loop->ev, &loop->wake);
	return 0;
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)ev, (void)revents;
	struct loop_timer *t = (struct loop_timer *)w;
	t->fn(w->data);
}

void
loop_timer_init(struct loop_timer *t, struct loop *loop, loop_timer_fn *fn, void *owner)
{
	ev_timer_init(&t->ev, on_timer, 0, 0);
	t->ev.data = owner;
	t->fn = fn;
	t->loop = loop;
}

void
loop_timer_set(struct loop_timer *t, uint64_t after_ms)
{
	ev_timer_stop(t->loop->ev, &t->ev);
	ev_timer_set(&t->ev, (double)after_ms / 1000.0, 0.);
	ev_timer_start(t->loop->ev, &t->ev);
}

void
loop_timer_stop(struct loop_timer *t)
{
	if (t->loop != NULL)
		ev_timer_stop(t->loop->ev, &t->ev);
}

bool
loop_timer_is_set(const struct loop_timer *t)
{
	return ev_is_active(&t->ev);
}

static void
on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
	(void)ev, (void)revents;
	struct loop_signal *s = (struct loop_signal *)w;
	s->fn(w->data, w->signum);
}

void
loop_signal_start(struct loop *loop, struct loop_signal *s, int signo, loop_signal_fn *fn, void *owner)
{
	ev_signal_init(&s->ev, on_signal, signo);
	s->ev.data = owner;
	s->fn = fn;
	ev_signal_start(loop->ev, &s->ev);
}

void
loop_signal_stop(struct loop *loop, struct loop_signal *s)
{
	ev_signal_stop(loop->ev, &s->ev);
}
