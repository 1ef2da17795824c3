/*
 * A dial is a walk over a few addresses with one timer. Everything happens on the loop's own turns:
 * dial_start() only defers the first step, so that nobody is ever called back from a call of theirs.
 *
 *	dial_start ── dial_begin ──┬── numeric, unix ─────────────┬── dial_go_on: one address after the
 *	                           └── dial_look_up ── on_found ──┘   other, till one answers ── dial_finish
 *
 * The timer stands for the deadline, for the share of it that the present address may use, or for the
 * next try at a unix socket with a full backlog, whichever comes first.
 */
#include "io/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/resolve.h"

enum {
	SHARE_MIN_MS = 1000,      /* an address gets that much of the deadline, if there is so much left */
	SHARE_ENDLESS_MS = 10000, /* and that without a deadline, unless it is the last one */
	BACKOFF_MIN_MS = 5,
	BACKOFF_MAX_MS = 100,
};

enum dial_wait { WAIT_DEADLINE, WAIT_ADDRESS, WAIT_RETRY };

struct dial {
	struct loop *loop;
	struct dial_options opt;
	dial_fn *fn;
	void *owner;
	uint64_t deadline_ms; /* on the loop's clock; UINT64_MAX: none */
	struct loop_task step;
	struct loop_timer timer;
	enum dial_wait waits_for;
	uint64_t backoff_ms;
	struct lookup *lookup; /* while the name is being looked up */
	struct address literal;
	struct address *addresses; /* the literal, or those of the name */
	size_t count, next;
	int fd; /* of the address that is being tried, or -1 */
	ev_io ev;
	int error; /* the most telling of the addresses' */
};

/* --- the end of a dial ----------------------------------------------------------------------- */

static void
dial_hang_up(struct dial *d)
{
	if (d->fd == -1)
		return;
	ev_io_stop(loop_ev(d->loop), &d->ev);
	close(d->fd);
	d->fd = -1;
}

static void
dial_free(struct dial *d)
{
	dial_hang_up(d);
	loop_timer_stop(&d->timer);
	loop_defer_cancel(d->loop, &d->step);
	resolve_cancel(d->lookup);
	if (d->addresses != &d->literal)
		free(d->addresses);
	loop_free_later(d->loop, d, sizeof(*d));
}

static void
dial_finish(struct dial *d, enum dial_result result, int fd, const char *detail)
{
	dial_fn *fn = d->fn;
	void *owner = d->owner;

	dial_free(d);
	fn(owner, result, fd, detail);
}

static void
dial_succeed(struct dial *d)
{
	int fd = d->fd;

	ev_io_stop(loop_ev(d->loop), &d->ev);
	d->fd = -1;
	dial_finish(d, DIAL_CONNECTED, fd, "connected");
}

static enum dial_result
result_of(int error)
{
	switch (error) {
	case ETIMEDOUT:
		return DIAL_TIMED_OUT;
	case EADDRNOTAVAIL:
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return DIAL_NO_RESOURCES;
	default:
		return DIAL_REFUSED;
	}
}

/* An answer tells more than silence, and silence more than that there is no way from here. */
static int
weight_of(int error)
{
	switch (error) {
	case 0:
		return 0;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case ENETUNREACH:
		return 1;
	case EHOSTUNREACH:
	case ETIMEDOUT:
		return 2;
	default:
		return 3;
	}
}

static void
dial_fail(struct dial *d)
{
	/* glibc's strerror() is a table lookup for an errno that exists: it may be called on any thread. */
	dial_finish(d, result_of(d->error), -1, strerror(d->error));
}

/* --- the timer ------------------------------------------------------------------------------- */

static uint64_t
dial_remaining_ms(const struct dial *d)
{
	uint64_t now_ms = loop_now_ms(d->loop);

	if (d->deadline_ms == UINT64_MAX)
		return UINT64_MAX;
	return d->deadline_ms > now_ms ? d->deadline_ms - now_ms : 0;
}

static void
dial_wait(struct dial *d, enum dial_wait what, uint64_t ms)
{
	uint64_t remaining_ms = dial_remaining_ms(d);

	d->waits_for = ms < remaining_ms ? what : WAIT_DEADLINE;
	if (remaining_ms < ms)
		ms = remaining_ms;
	if (ms == UINT64_MAX)
		loop_timer_stop(&d->timer);
	else
		loop_timer_set(&d->timer, ms);
}

/* How long the present address may take, so that a dead one leaves something to the next. */
static uint64_t
dial_share_ms(const struct dial *d)
{
	size_t left = d->count - d->next;

	if (left == 1)
		return UINT64_MAX;
	if (d->deadline_ms == UINT64_MAX)
		return SHARE_ENDLESS_MS;
	uint64_t share_ms = dial_remaining_ms(d) / left;
	return share_ms > SHARE_MIN_MS ? share_ms : SHARE_MIN_MS;
}

/* --- one address after the other ------------------------------------------------------------- */

static void
dial_note(struct dial *d, int error)
{
	dial_hang_up(d);
	if (weight_of(error) >= weight_of(d->error))
		d->error = error;
	d->next++;
}

/*
 * connect(2) is also the way to ask how it went: 0 once, or EISCONN, when it is done, EALREADY while it
 * is not, else what went wrong. Unlike SO_ERROR it cannot mistake a spurious event for success.
 */
static int
connect_error(int fd, const struct address *a)
{
	if (connect(fd, (const struct sockaddr *)&a->storage, a->len) == 0 || errno == EISCONN)
		return 0;
	return errno;
}

/* TCP's simultaneous open: a port of ours that nobody listens on can, by chance, connect to itself. */
static bool
is_connected_to_itself(int fd, const struct address *a)
{
	struct address self;

	if (a->storage.ss_family == AF_UNIX)
		return false;
	memset(&self, 0, sizeof(self));
	self.len = sizeof(self.storage);
	if (getsockname(fd, (struct sockaddr *)&self.storage, &self.len) == -1 || address_port(&self) != address_port(a))
		return false;
	char mine[ADDRESS_TEXT_MAX], theirs[ADDRESS_TEXT_MAX];
	return strcmp(address_format_host(&self, mine), address_format_host(a, theirs)) == 0;
}

/* A unix socket does not queue us when its backlog is full: we have to come again. */
static void
dial_come_again(struct dial *d)
{
	dial_hang_up(d);
	dial_wait(d, WAIT_RETRY, d->backoff_ms);
	d->backoff_ms = d->backoff_ms * 2 < BACKOFF_MAX_MS ? d->backoff_ms * 2 : BACKOFF_MAX_MS;
}

enum attempt { ATTEMPT_FAILED, ATTEMPT_WAITS, ATTEMPT_DONE };

/* ATTEMPT_DONE: D is gone. */
static enum attempt
dial_judge(struct dial *d, int error)
{
	const struct address *a = &d->addresses[d->next];

	if (error == EINPROGRESS || error == EALREADY || error == EINTR)
		return ATTEMPT_WAITS;
	if (error == EAGAIN && a->storage.ss_family == AF_UNIX) {
		dial_come_again(d);
		return ATTEMPT_WAITS;
	}
	if (error == 0 && is_connected_to_itself(d->fd, a))
		error = ECONNREFUSED;
	if (error != 0) {
		dial_note(d, error);
		return ATTEMPT_FAILED;
	}
	dial_succeed(d);
	return ATTEMPT_DONE;
}

static int
socket_for(const struct address *a)
{
	int on = 1;

	int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd != -1 && a->storage.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void on_writable(struct ev_loop *ev, ev_io *w, int revents);

static enum attempt
dial_attempt(struct dial *d)
{
	const struct address *a = &d->addresses[d->next];

	d->fd = socket_for(a);
	if (d->fd == -1) {
		dial_note(d, errno);
		return ATTEMPT_FAILED;
	}
	ev_io_init(&d->ev, on_writable, d->fd, EV_WRITE);
	d->ev.data = d;
	int error = connect_error(d->fd, a);
	/* Through the loopback the answer is there already: no need to go to sleep for it. */
	if (error == EINPROGRESS && address_is_loopback(a))
		error = connect_error(d->fd, a);
	enum attempt attempt = dial_judge(d, error);
	if (attempt == ATTEMPT_WAITS && d->fd != -1) {
		ev_io_start(loop_ev(d->loop), &d->ev);
		dial_wait(d, WAIT_ADDRESS, dial_share_ms(d));
	}
	return attempt;
}

static void
dial_go_on(struct dial *d)
{
	while (d->next < d->count)
		if (dial_attempt(d) != ATTEMPT_FAILED)
			return;
	dial_fail(d);
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct dial *d = w->data;

	(void)ev, (void)revents;
	if (dial_judge(d, connect_error(d->fd, &d->addresses[d->next])) == ATTEMPT_FAILED)
		dial_go_on(d);
}

static const char *
dial_describe_wait(const struct dial *d)
{
	if (d->lookup != NULL)
		return "the name lookup took too long";
	return d->fd == -1 ? "its backlog stays full" : "no answer in time";
}

static void
on_timer(void *owner)
{
	struct dial *d = owner;

	switch (d->waits_for) {
	case WAIT_DEADLINE:
		dial_finish(d, DIAL_TIMED_OUT, -1, dial_describe_wait(d));
		break;
	case WAIT_ADDRESS:
		dial_note(d, ETIMEDOUT);
		dial_go_on(d);
		break;
	case WAIT_RETRY:
		dial_go_on(d);
		break;
	}
}

/* --- from a name to addresses ---------------------------------------------------------------- */

static void
on_found(void *owner, const struct resolved *found)
{
	struct dial *d = owner;

	d->lookup = NULL;
	if (found->count == 0) {
		dial_finish(d, found->no_memory ? DIAL_NO_RESOURCES : DIAL_UNKNOWN_HOST, -1, found->why);
		return;
	}
	d->addresses = calloc(found->count, sizeof(*d->addresses));
	if (d->addresses == NULL) {
		dial_finish(d, DIAL_NO_RESOURCES, -1, strerror(ENOMEM));
		return;
	}
	memcpy(d->addresses, found->addresses, found->count * sizeof(*d->addresses));
	d->count = found->count;
	dial_go_on(d);
}

static void
dial_look_up(struct dial *d)
{
	d->lookup = resolve_name(d->loop, d->opt.host, d->opt.port, on_found, d);
	if (d->lookup == NULL)
		dial_finish(d, DIAL_NO_RESOURCES, -1, strerror(ENOMEM));
}

/* --- the start ------------------------------------------------------------------------------- */

static void
dial_begin(void *owner)
{
	struct dial *d = owner;

	if (d->opt.unix_path != NULL) {
		if (address_from_path(slice_of(d->opt.unix_path), &d->literal) == -1) {
			dial_finish(d, DIAL_REFUSED, -1, "the path is too long for a unix socket");
			return;
		}
	} else if (address_from_numeric(slice_of(d->opt.host), d->opt.port, &d->literal) == -1) {
		dial_look_up(d);
		return;
	}
	d->addresses = &d->literal;
	d->count = 1;
	dial_go_on(d);
}

struct dial *
dial_start(struct loop *loop, const struct dial_options *opt, dial_fn *fn, void *owner)
{
	struct dial *d = malloc(sizeof(*d));
	if (d == NULL)
		return NULL;
	*d = (struct dial){
		.loop = loop,
		.opt = *opt,
		.fn = fn,
		.owner = owner,
		.fd = -1,
		.backoff_ms = BACKOFF_MIN_MS,
		.deadline_ms = opt->timeout_ms == 0 ? UINT64_MAX : loop_now_ms(loop) + opt->timeout_ms,
	};
	loop_timer_init(&d->timer, loop, on_timer, d);
	dial_wait(d, WAIT_DEADLINE, UINT64_MAX);
	loop_defer(loop, &d->step, dial_begin, d);
	return d;
}

void
dial_cancel(struct dial *d)
{
	if (d != NULL)
		dial_free(d);
}
