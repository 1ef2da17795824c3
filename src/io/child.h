/*
 * child: "tell me when this process ends", on any thread's loop (libev's own child watchers work on
 * the default loop only, hence pidfd_open(2) descriptors).
 */
#ifndef IO_CHILD_H
#define IO_CHILD_H

#include "io/loop.h"

/* STATUS as waitpid(2) gives it. The child has been reaped: its pid is no longer ours. */
typedef void child_fn(void *owner, int status);

struct child {
	struct loop *loop;
	child_fn *fn;
	ev_io ev;
	int pidfd; /* -1 when not watching */
};

/* Watches PIDFD, which it takes (closes at the end). FN is called once, from the loop. */
void child_watch(struct child *c, struct loop *loop, int pidfd, child_fn *fn, void *owner);

/* Watches no more and closes the descriptor; the process is not reaped. May be called twice. */
void child_forget(struct child *c);

/* Waits for the process now (it must be dead or dying: SIGKILL was sent) and reaps it; FN is not called. Returns its status. */
int child_reap(struct child *c);

#endif
