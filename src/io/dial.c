/*
 * A dial is a walk over a few addresses with one timer. Everything happens on the loop's own turns:
 * dial_start() only defers the first step, and what c-ares reports is deferred too, so that nobody is
 * ever called back from a call of theirs or from within c-ares.
 *
 *	dial_start ── dial_begin ──┬── numeric, unix ─────────────┬── dial_go_on: one address after the
 *	                           └── dial_look_up ── on_found ──┘   other, till one answers ── dial_finish
 *
 * The timer stands for the deadline, for the share of it that the present address may use, or for the
 * next try at a unix socket with a full backlog, whichever comes first.
 */
#include "io/dial.h"

#include <ares.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define RESOLV_CONF "/etc/resolv.conf"

enum {
	ADDRESSES_MAX = 16,       /* of a name; what DNS says beyond is not tried */
	SHARE_MIN_MS = 1000,      /* an address gets that much of the deadline, if there is so much left */
	SHARE_ENDLESS_MS = 10000, /* and that without a deadline, unless it is the last one */
	BACKOFF_MIN_MS = 5,
	BACKOFF_MAX_MS = 100,
	QUERY_MS = 1000, /* the first query; c-ares doubles it with each of its tries */
	QUERY_TRIES = 3,
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
	struct lookup *lookup; /* while c-ares works for us */
	int lookup_status;
	struct address addresses[ADDRESSES_MAX];
	size_t count, next;
	int fd; /* of the address that is being tried, or -1 */
	ev_io ev;
	int error; /* the most telling of the addresses' */
};

/* c-ares cannot take back one query, so a cancelled dial leaves its lookup behind, without a dial. */
struct lookup {
	struct dial *dial;
	struct resolver *resolver;
};

/* --- the resolver: c-ares on a loop ---------------------------------------------------------- */

struct resolver {
	struct resolver *next;
	struct loop *loop;
	ares_channel channel;
	struct loop_timer timer;
	struct resolver_socket *sockets;
	size_t pending;
	struct stat conf; /* as it was when we read it */
};

struct resolver_socket {
	struct resolver_socket *next;
	struct resolver *resolver;
	ev_io ev;
};

/* Of the thread's loop, or loops, as a loop is one thread. The newest is the first. */
static _Thread_local struct resolver *resolvers;

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void
library_init(void)
{
	ares_library_init(ARES_LIB_INIT_ALL);
}

/* To be called whenever c-ares has been: it may want to be woken at another time now. */
static void
resolver_settle(struct resolver *r)
{
	struct timeval tv;

	if (ares_timeout(r->channel, NULL, &tv) == NULL)
		loop_timer_stop(&r->timer);
	else
		loop_timer_set(&r->timer, (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1);
}

static void
on_resolver_timer(void *owner)
{
	struct resolver *r = owner;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	resolver_settle(r);
}

/* The socket may be gone when ares_process_fd() returns. */
static void
on_resolver_socket(struct ev_loop *ev, ev_io *w, int revents)
{
	struct resolver *r = ((struct resolver_socket *)w->data)->resolver;
	ares_socket_t fd = w->fd;

	(void)ev;
	ares_process_fd(r->channel, revents & EV_READ ? fd : ARES_SOCKET_BAD, revents & EV_WRITE ? fd : ARES_SOCKET_BAD);
	resolver_settle(r);
}

static struct resolver_socket *
resolver_socket_new(struct resolver *r, ares_socket_t fd)
{
	struct resolver_socket *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL; /* the query will run into its timeout */
	s->resolver = r;
	ev_io_init(&s->ev, on_resolver_socket, fd, 0);
	s->ev.data = s;
	return s;
}

static void
resolver_socket_drop(struct resolver_socket **link)
{
	struct resolver_socket *s = *link;

	ev_io_stop(loop_ev(s->resolver->loop), &s->ev);
	*link = s->next;
	free(s);
}

static void
resolver_socket_watch(struct resolver_socket *s, int events)
{
	struct ev_loop *ev = loop_ev(s->resolver->loop);

	ev_io_stop(ev, &s->ev);
	ev_io_set(&s->ev, s->ev.fd, events);
	ev_io_start(ev, &s->ev);
}

static void
on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = data;
	struct resolver_socket **link = &r->sockets;

	while (*link != NULL && (*link)->ev.fd != fd)
		link = &(*link)->next;
	if (!readable && !writable) {
		if (*link != NULL)
			resolver_socket_drop(link);
		return;
	}
	if (*link == NULL)
		*link = resolver_socket_new(r, fd);
	if (*link != NULL)
		resolver_socket_watch(*link, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
}

static int
resolver_open_channel(struct resolver *r)
{
	struct ares_options opt = {
		.timeout = QUERY_MS,
		.tries = QUERY_TRIES,
		.lookups = (char[]){ "fb" },
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r,
	};

	pthread_once(&library_once, library_init);
	return ares_init_options(
		&r->channel, &opt, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
}

/* Returns a status of c-ares. */
static int
resolver_open(struct loop *loop, struct resolver **out)
{
	struct resolver *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return ARES_ENOMEM;
	r->loop = loop;
	loop_timer_init(&r->timer, loop, on_resolver_timer, r);
	if (stat(RESOLV_CONF, &r->conf) == -1)
		memset(&r->conf, 0, sizeof(r->conf));
	int status = resolver_open_channel(r);
	if (status != ARES_SUCCESS)
		free(r);
	else
		*out = r;
	return status;
}

/* Lookups that were left behind end in here. */
static void
resolver_close(struct resolver *r)
{
	ares_destroy(r->channel);
	assert(r->sockets == NULL);
	loop_timer_stop(&r->timer);
	free(r);
}

/* c-ares reads resolv.conf once; the machine may have moved to another network since. */
static bool
resolver_is_outdated(const struct resolver *r)
{
	struct stat now;

	if (stat(RESOLV_CONF, &now) == -1)
		return false;
	return now.st_ino != r->conf.st_ino || now.st_dev != r->conf.st_dev || now.st_mtim.tv_sec != r->conf.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != r->conf.st_mtim.tv_nsec;
}

static struct resolver *
resolver_newest(const struct loop *loop)
{
	struct resolver *r = resolvers;

	while (r != NULL && r->loop != loop)
		r = r->next;
	return r;
}

static void
resolver_drop(struct resolver **link)
{
	struct resolver *r = *link;

	*link = r->next;
	resolver_close(r);
}

/* Closes those that NEWEST has replaced and that wait for no answer any more. */
static void
resolver_sweep(const struct resolver *newest)
{
	for (struct resolver **link = &resolvers; *link != NULL;) {
		const struct resolver *r = *link;
		if (r->loop == newest->loop && r != newest && r->pending == 0)
			resolver_drop(link);
		else
			link = &(*link)->next;
	}
}

/* The loop's resolver, made or made anew if need be. Returns a status of c-ares. */
static int
resolver_of(struct loop *loop, struct resolver **out)
{
	struct resolver *present = resolver_newest(loop), *next;

	*out = present;
	if (present == NULL || resolver_is_outdated(present)) {
		int status = resolver_open(loop, &next);
		if (status != ARES_SUCCESS)
			return present == NULL ? status : ARES_SUCCESS; /* the old one is better than none */
		next->next = resolvers;
		resolvers = *out = next;
	}
	resolver_sweep(*out);
	return ARES_SUCCESS;
}

void
dial_close_resolver(struct loop *loop)
{
	for (struct resolver **link = &resolvers; *link != NULL;)
		if ((*link)->loop == loop)
			resolver_drop(link);
		else
			link = &(*link)->next;
}

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
	if (d->lookup != NULL)
		d->lookup->dial = NULL;
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
dial_take_address(struct dial *d, const struct ares_addrinfo_node *node)
{
	struct address *a = &d->addresses[d->count];

	if (d->count == ADDRESSES_MAX || node->ai_addrlen > sizeof(a->storage))
		return;
	memcpy(&a->storage, node->ai_addr, node->ai_addrlen);
	a->len = node->ai_addrlen;
	d->count++;
}

static void
dial_use_found(void *owner)
{
	struct dial *d = owner;

	if (d->count > 0)
		dial_go_on(d);
	else
		dial_finish(d, d->lookup_status == ARES_ENOMEM ? DIAL_NO_RESOURCES : DIAL_UNKNOWN_HOST, -1,
			ares_strerror(d->lookup_status));
}

static void
dial_set_found(struct dial *d, int status, const struct ares_addrinfo *info)
{
	for (const struct ares_addrinfo_node *n = info == NULL ? NULL : info->nodes; n != NULL; n = n->ai_next)
		dial_take_address(d, n);
	d->lookup_status = status == ARES_SUCCESS ? ARES_ENODATA : status;
	loop_defer(d->loop, &d->step, dial_use_found, d);
}

static void
on_found(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *lookup = arg;

	(void)timeouts;
	lookup->resolver->pending--;
	if (lookup->dial != NULL) {
		lookup->dial->lookup = NULL;
		dial_set_found(lookup->dial, status, info);
	}
	free(lookup);
	if (info != NULL)
		ares_freeaddrinfo(info);
}

static void
dial_look_up(struct dial *d)
{
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NUMERICSERV,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct resolver *r;
	char port[sizeof("65535")];

	int status = d->opt.host[0] == '\0' ? ARES_EBADNAME : resolver_of(d->loop, &r);
	if (status != ARES_SUCCESS) {
		dial_set_found(d, status, NULL);
		return;
	}
	d->lookup = malloc(sizeof(*d->lookup));
	if (d->lookup == NULL) {
		dial_set_found(d, ARES_ENOMEM, NULL);
		return;
	}
	*d->lookup = (struct lookup){ d, r };
	r->pending++;
	snprintf(port, sizeof(port), "%u", (unsigned)d->opt.port);
	ares_getaddrinfo(r->channel, d->opt.host, port, &hints, on_found, d->lookup);
	resolver_settle(r);
}

/* --- the start ------------------------------------------------------------------------------- */

static void
dial_begin(void *owner)
{
	struct dial *d = owner;

	if (d->opt.unix_path != NULL) {
		if (address_from_path(slice_of(d->opt.unix_path), &d->addresses[0]) == -1) {
			dial_finish(d, DIAL_REFUSED, -1, "the path is too long for a unix socket");
			return;
		}
	} else if (address_from_numeric(slice_of(d->opt.host), d->opt.port, &d->addresses[0]) == -1) {
		dial_look_up(d);
		return;
	}
	d->count = 1;
	dial_go_on(d);
}

struct dial *
dial_start(struct loop *loop, const struct dial_options *opt, dial_fn *fn, void *owner)
{
	struct dial *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->opt = *opt;
	d->fn = fn;
	d->owner = owner;
	d->fd = -1;
	d->backoff_ms = BACKOFF_MIN_MS;
	d->deadline_ms = opt->timeout_ms == 0 ? UINT64_MAX : loop_now_ms(loop) + opt->timeout_ms;
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
