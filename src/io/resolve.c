/*
 * A lookup asks c-ares once or, from an address to a name and back, twice. What c-ares reports is
 * deferred, so that nobody is ever called back from a call of theirs or from within c-ares.
 *
 *	resolve_name ─────────────────────────► ask_for_addresses ── on_addresses ── lookup_tell
 *	resolve_address ── ask_for_name ── on_name ──┘
 */
#include "io/resolve.h"

#include <ares.h>
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#define RESOLV_CONF "/etc/resolv.conf"

enum {
	QUERY_MS = 1000, /* the first query; c-ares doubles it with each of its tries */
	QUERY_TRIES = 3,
};

struct lookup {
	struct loop *loop;
	struct resolver *resolver;
	resolve_fn *fn; /* NULL: nobody waits for it any more. c-ares cannot take back one query, and frees it in the end */
	void *owner;
	struct loop_task step;
	struct address peer; /* whose name is wanted; len 0: a name's addresses are */
	int status;          /* of c-ares */
	bool asking;         /* c-ares works for us */
	struct resolved found;
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
resolve_close(struct loop *loop)
{
	for (struct resolver **link = &resolvers; *link != NULL;)
		if ((*link)->loop == loop)
			resolver_drop(link);
		else
			link = &(*link)->next;
}

/* --- asking ---------------------------------------------------------------------------------- */

static void
lookup_tell(void *owner)
{
	struct lookup *l = owner;

	l->found.no_memory = l->status == ARES_ENOMEM;
	l->found.why = ares_strerror(l->status);
	l->fn(l->owner, &l->found);
	free(l);
}

static void
lookup_end(struct lookup *l, int status)
{
	l->status = status;
	loop_defer(l->loop, &l->step, lookup_tell, l);
}

/* False if there is no resolver; then that is the end. */
static bool
lookup_begin_to_ask(struct lookup *l)
{
	int status = resolver_of(l->loop, &l->resolver);

	if (status != ARES_SUCCESS) {
		lookup_end(l, status);
		return false;
	}
	l->resolver->pending++;
	l->asking = true;
	return true;
}

/* False if nobody waits any more; then L is gone. */
static bool
lookup_has_asked(struct lookup *l)
{
	l->resolver->pending--;
	l->asking = false;
	if (l->fn != NULL)
		return true;
	free(l);
	return false;
}

/* --- from a name to addresses ---------------------------------------------------------------- */

static bool
is_same_host(const struct address *a, const struct address *b)
{
	char mine[ADDRESS_TEXT_MAX], theirs[ADDRESS_TEXT_MAX];

	return strcmp(address_format_host(a, mine), address_format_host(b, theirs)) == 0;
}

static void
lookup_take(struct lookup *l, const struct ares_addrinfo_node *node)
{
	struct address *a = &l->found.addresses[l->found.count];

	if (l->found.count == RESOLVE_MAX || node->ai_addrlen > sizeof(a->storage))
		return;
	memcpy(&a->storage, node->ai_addr, node->ai_addrlen);
	a->len = node->ai_addrlen;
	if (l->peer.len == 0 || is_same_host(a, &l->peer))
		l->found.count++;
}

static void
on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *l = arg;

	(void)timeouts;
	if (lookup_has_asked(l)) {
		for (const struct ares_addrinfo_node *n = info == NULL ? NULL : info->nodes; n != NULL; n = n->ai_next)
			lookup_take(l, n);
		lookup_end(l, status == ARES_SUCCESS ? ARES_ENODATA : status);
	}
	if (info != NULL)
		ares_freeaddrinfo(info);
}

static void
ask_for_addresses(struct lookup *l, const char *host, uint16_t port)
{
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NUMERICSERV,
		.ai_family = l->peer.len == 0 ? AF_UNSPEC : l->peer.storage.ss_family,
		.ai_socktype = SOCK_STREAM,
	};
	char service[sizeof("65535")];

	if (host[0] == '\0') {
		lookup_end(l, ARES_EBADNAME);
		return;
	}
	if (!lookup_begin_to_ask(l))
		return;
	snprintf(service, sizeof(service), "%u", (unsigned)port);
	/* c-ares takes no "0". */
	ares_getaddrinfo(l->resolver->channel, host, port == 0 ? NULL : service, &hints, on_addresses, l);
	resolver_settle(l->resolver);
}

/* --- from an address to a name, and back ------------------------------------------------------ */

static void
lookup_confirm(void *owner)
{
	struct lookup *l = owner;

	ask_for_addresses(l, l->found.name, 0);
}

/* It comes from a stranger and goes into programs' environments. */
static bool
is_host_name(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t len = strlen(name);

	return len > 0 && len < RESOLVE_NAME_MAX && strspn(name, good) == len;
}

static void
on_name(void *arg, int status, int timeouts, char *node, char *service)
{
	struct lookup *l = arg;

	(void)timeouts, (void)service;
	if (!lookup_has_asked(l))
		return;
	if (status != ARES_SUCCESS || node == NULL || !is_host_name(node)) {
		lookup_end(l, status == ARES_SUCCESS ? ARES_EBADNAME : status);
		return;
	}
	snprintf(l->found.name, sizeof(l->found.name), "%s", node);
	loop_defer(l->loop, &l->step, lookup_confirm, l);
}

static void
ask_for_name(struct lookup *l)
{
	if (!lookup_begin_to_ask(l))
		return;
	ares_getnameinfo(l->resolver->channel, (const struct sockaddr *)&l->peer.storage, l->peer.len,
		ARES_NI_LOOKUPHOST | ARES_NI_NAMEREQD, on_name, l);
	resolver_settle(l->resolver);
}

/* --- the start ------------------------------------------------------------------------------- */

static struct lookup *
lookup_new(struct loop *loop, resolve_fn *fn, void *owner)
{
	struct lookup *l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->loop = loop;
	l->fn = fn;
	l->owner = owner;
	return l;
}

struct lookup *
resolve_name(struct loop *loop, const char *host, uint16_t port, resolve_fn *fn, void *owner)
{
	struct lookup *l = lookup_new(loop, fn, owner);
	if (l != NULL)
		ask_for_addresses(l, host, port);
	return l;
}

struct lookup *
resolve_address(struct loop *loop, const struct address *peer, resolve_fn *fn, void *owner)
{
	struct lookup *l = lookup_new(loop, fn, owner);
	if (l == NULL)
		return NULL;
	l->peer = *peer;
	ask_for_name(l);
	return l;
}

void
resolve_cancel(struct lookup *l)
{
	if (l == NULL)
		return;
	loop_defer_cancel(l->loop, &l->step);
	l->fn = NULL;
	if (!l->asking)
		free(l);
}
