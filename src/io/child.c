/*
 * A pidfd becomes readable when its process has ended. Waiting by descriptor and not by number means
 * that a recycled pid is never mistaken for ours, and that no SIGCHLD handler is needed.
 */
#include "io/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#ifndef P_PIDFD
#define P_PIDFD 3 /* linux/wait.h; glibc before 2.36 does not name it */
#endif

enum { STATUS_LOST = 255 << 8 };

static int
status_of(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED:
		return (info->si_status & 0xff) << 8;
	case CLD_DUMPED:
		return info->si_status | WCOREFLAG;
	default:
		return info->si_status;
	}
}

/* Returns false if it still runs, which WNOHANG alone allows. */
static bool
reap(int pidfd, int flags, int *status)
{
	siginfo_t info;
	int r;

	memset(&info, 0, sizeof(info));
	do
		r = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | flags);
	while (r == -1 && errno == EINTR);
	if (r == 0 && info.si_pid == 0)
		return false;
	if (r == -1)
		log_warn("the exit status of a program is lost (%s): is SIGCHLD ignored? It counts as exit 255", strerror(errno));
	*status = r == -1 ? STATUS_LOST : status_of(&info);
	return true;
}

static void
on_readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct child *c = (struct child *)(void *)((char *)w - offsetof(struct child, ev));
	child_fn *fn = c->fn;
	void *owner = w->data;
	int status;

	(void)ev, (void)revents;
	if (!reap(c->pidfd, WNOHANG, &status))
		return;
	child_forget(c);
	fn(owner, status);
}

void
child_watch(struct child *c, struct loop *loop, int pidfd, child_fn *fn, void *owner)
{
	assert(pidfd >= 0);
	c->loop = loop;
	c->fn = fn;
	c->pidfd = pidfd;
	ev_io_init(&c->ev, on_readable, pidfd, EV_READ);
	c->ev.data = owner;
	ev_io_start(loop_ev(loop), &c->ev);
}

void
child_forget(struct child *c)
{
	if (c->loop == NULL || c->pidfd == -1)
		return;
	ev_io_stop(loop_ev(c->loop), &c->ev);
	close(c->pidfd);
	c->pidfd = -1;
}

int
child_reap(struct child *c)
{
	int status = STATUS_LOST;

	assert(c->loop != NULL && c->pidfd != -1);
	reap(c->pidfd, 0, &status);
	child_forget(c);
	return status;
}
