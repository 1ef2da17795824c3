/*
 * A listener that cannot accept must not spin: the connection that it cannot take keeps the
 * descriptor readable. So it stops listening to the loop and lets a timer ask again.
 *
 *	OPEN ── accept fails for want of something ──> PAUSED ──> the timer asks again, 50 ms .. 1 s
 *	  ^                                              ^ |
 *	  └── nothing failed for a second ── RECOVERING ─┘ └─ it works: RECOVERING
 *
 * A spell lasts from OPEN to OPEN and is told of twice, at its two ends: a server at its limit, where
 * every descriptor that is given back is taken at once, would fill the log otherwise.
 */
#include "io/listen.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum {
	BATCH = 64, /* connections per readiness, so that signals and timers have their turn in a rush */
	BACKOFF_MIN_MS = 50,
	BACKOFF_MAX_MS = 1000,
	CALM_MS = 1000,
	/* A peer whose machine is gone is noticed within two minutes, though nobody has anything to say to it. */
	KEEPALIVE_IDLE_S = 60,
	KEEPALIVE_INTERVAL_S = 15,
	KEEPALIVE_COUNT = 4,
};

enum listener_state { LISTENER_OPEN, LISTENER_PAUSED, LISTENER_RECOVERING };

struct listener {
	struct loop *loop;
	listener_fn *fn;
	void *owner;
	int fd; /* -1 once closed */
	ev_io ev;
	enum listener_state state;
	struct loop_timer timer;
	uint64_t backoff_ms;
	struct address address;
	dev_t dev; /* of the socket file, which might be another's when we leave; ino 0 if there is none */
	ino_t ino;
};

/* --- the socket ------------------------------------------------------------------------------ */

static int
set_number(int fd, int level, int option, int number)
{
	return setsockopt(fd, level, option, &number, sizeof(number));
}

static int
set_on(int fd, int level, int option)
{
	return set_number(fd, level, option, 1);
}

static bool
is_inet(const struct address *a)
{
	return a->storage.ss_family == AF_INET || a->storage.ss_family == AF_INET6;
}

static int
set_inet_options(int fd, const struct address *a)
{
	if (set_on(fd, SOL_SOCKET, SO_REUSEADDR) == -1)
		return -1;
	if (a->storage.ss_family == AF_INET6 && set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) == -1)
		return -1;
	/* Linux hands these down to accepted sockets: some system calls less for each. */
	if (set_on(fd, IPPROTO_TCP, TCP_NODELAY) == -1 || set_on(fd, SOL_SOCKET, SO_KEEPALIVE) == -1)
		return -1;
	if (set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S) == -1 ||
		set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S) == -1)
		return -1;
	return set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
}

static int
bind_to(int fd, const struct address *a)
{
	return bind(fd, (const struct sockaddr *)&a->storage, a->len);
}

/* --- the file of a unix socket --------------------------------------------------------------- */

/* NULL for TCP and for an abstract name, which have none. */
static const char *
socket_file(const struct address *a)
{
	const char *path = (const char *)&a->storage + offsetof(struct sockaddr_un, sun_path);

	return a->storage.ss_family == AF_UNIX && path[0] != '\0' ? path : NULL;
}

/* A socket file that nobody answers on. Anything else in its place is not ours to remove. */
static bool
is_stale(const char *path, const struct address *a)
{
	struct stat st;

	if (lstat(path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	bool refused = connect(fd, (const struct sockaddr *)&a->storage, a->len) == -1 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int
bind_file(int fd, const char *path, const struct address *a)
{
	if (bind_to(fd, a) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -1;
	if (!is_stale(path, a)) {
		errno = EADDRINUSE;
		return -1;
	}
	if (unlink(path) == -1 && errno != ENOENT)
		return -1;
	return bind_to(fd, a);
}

/*
 * The file comes to life with the descriptor's mode less the umask, so it is never more open than it
 * should be; what the umask took is given back here. Nobody can connect before listen(2).
 */
static int
claim_file(struct listener *l, const char *path, const struct listener_options *opt)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return -1;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	if (opt->has_owner && lchown(path, opt->uid, opt->gid) == -1)
		return -1;
	if (opt->unix_mode == 0 || (st.st_mode & 0777) == opt->unix_mode)
		return 0;
	return chmod(path, (mode_t)opt->unix_mode);
}

/* To be called while the socket is open: it holds its inode, whose number is no other's till then. */
static void
remove_file(struct listener *l)
{
	struct stat st;
	const char *path = l->ino == 0 ? NULL : socket_file(&l->address);

	if (path != NULL && lstat(path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(path);
}

/* --- accepting ------------------------------------------------------------------------------- */

/* What accept(2) lists as belonging to the one connection that was lost, not to us. */
static bool
concerns_one_connection(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static void
log_pause(const struct listener *l, int error)
{
	char name[ADDRESS_TEXT_MAX];

	address_format(&l->address, name);
	switch (error) {
	case EMFILE:
		log_warn("%s: out of descriptors: accepting pauses; raise LimitNOFILE or lower max_connections", name);
		break;
	case ENFILE:
		log_warn("%s: the system is out of descriptors: accepting pauses; raise fs.file-max", name);
		break;
	case ENOMEM:
	case ENOBUFS:
		log_warn("%s: out of memory for sockets: accepting pauses; lower max_connections", name);
		break;
	default:
		log_warn("%s: accepting pauses: %s", name, strerror(error));
		break;
	}
}

static void
listener_pause(struct listener *l, int error)
{
	if (l->state == LISTENER_OPEN)
		log_pause(l, error);
	ev_io_stop(loop_ev(l->loop), &l->ev);
	l->state = LISTENER_PAUSED;
	loop_timer_set(&l->timer, l->backoff_ms);
	l->backoff_ms = l->backoff_ms * 2 < BACKOFF_MAX_MS ? l->backoff_ms * 2 : BACKOFF_MAX_MS;
}

/* Takes a batch. Returns 0, also if the owner closed us meanwhile, or the errno of why it cannot. */
static int
accept_batch(struct listener *l)
{
	for (int i = 0; i < BATCH && l->fd != -1; i++) {
		struct address peer;
		peer.len = sizeof(peer.storage);
		int fd = accept4(l->fd, (struct sockaddr *)&peer.storage, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			l->backoff_ms = BACKOFF_MIN_MS;
			l->fn(l->owner, fd, &peer);
		} else if (errno == EAGAIN) {
			return 0;
		} else if (!concerns_one_connection(errno)) {
			return errno;
		}
	}
	return 0;
}

static void
on_readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct listener *l = w->data;

	(void)ev, (void)revents;
	int error = accept_batch(l);
	if (error != 0)
		listener_pause(l, error);
}

static void
listener_try_again(struct listener *l)
{
	int error = accept_batch(l);
	if (l->fd == -1)
		return;
	if (error != 0) {
		listener_pause(l, error);
		return;
	}
	l->state = LISTENER_RECOVERING;
	ev_io_start(loop_ev(l->loop), &l->ev);
	loop_timer_set(&l->timer, CALM_MS);
}

static void
listener_end_spell(struct listener *l)
{
	char name[ADDRESS_TEXT_MAX];

	l->state = LISTENER_OPEN;
	l->backoff_ms = BACKOFF_MIN_MS;
	log_info("%s: accepting again", address_format(&l->address, name));
}

static void
on_timer(void *owner)
{
	struct listener *l = owner;

	if (l->state == LISTENER_PAUSED)
		listener_try_again(l);
	else
		listener_end_spell(l);
}

/* --- life ------------------------------------------------------------------------------------ */

static int
open_inet(struct listener *l)
{
	if (set_inet_options(l->fd, &l->address) == -1 || bind_to(l->fd, &l->address) == -1)
		return -1;
	l->address.len = sizeof(l->address.storage);
	return getsockname(l->fd, (struct sockaddr *)&l->address.storage, &l->address.len);
}

static int
open_unix(struct listener *l, const struct listener_options *opt)
{
	const char *path = socket_file(&l->address);

	if (path == NULL)
		return bind_to(l->fd, &l->address);
	if (fchmod(l->fd, opt->unix_mode == 0 ? 0666 : (mode_t)opt->unix_mode) == -1)
		return -1;
	if (bind_file(l->fd, path, &l->address) == -1)
		return -1;
	return claim_file(l, path, opt);
}

static void
listener_watch(struct listener *l, struct loop *loop)
{
	l->loop = loop;
	l->backoff_ms = BACKOFF_MIN_MS;
	loop_timer_init(&l->timer, loop, on_timer, l);
	ev_io_init(&l->ev, on_readable, l->fd, EV_READ);
	l->ev.data = l;
	ev_io_start(loop_ev(loop), &l->ev);
}

struct listener *
listener_open(struct loop *loop, const struct listener_options *opt, listener_fn *fn, void *owner)
{
	int error;

	struct listener *l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->fn = fn;
	l->owner = owner;
	l->address = opt->address;
	l->fd = socket(opt->address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd == -1)
		goto fail_free;
	if ((is_inet(&l->address) ? open_inet(l) : open_unix(l, opt)) == -1)
		goto fail_close;
	/* The kernel cuts a backlog down to net.core.somaxconn. */
	if (listen(l->fd, opt->backlog > 0 ? opt->backlog : INT_MAX) == -1)
		goto fail_close;
	listener_watch(l, loop);
	return l;

fail_close:
	error = errno;
	remove_file(l);
	close(l->fd);
	errno = error;
fail_free:
	free(l);
	return NULL;
}

const struct address *
listener_address(const struct listener *l)
{
	return &l->address;
}

void
listener_close(struct listener *l)
{
	if (l == NULL || l->fd == -1)
		return;
	ev_io_stop(loop_ev(l->loop), &l->ev);
	loop_timer_stop(&l->timer);
	remove_file(l);
	close(l->fd);
	l->fd = -1;
	loop_free_later(l->loop, l, sizeof(*l));
}
