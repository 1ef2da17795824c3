/*
 * listen: listening sockets, and what comes in through them.
 *
 * Accepts in bounded batches (accept4, non-blocking, close-on-exec, TCP keepalive on). When descriptors or memory are
 * out it pauses, says so once, and tries again by a timer until it can.
 */
#ifndef IO_LISTEN_H
#define IO_LISTEN_H

#include <stdbool.h>

#include "base/address.h"
#include "io/loop.h"

/* FD is the receiver's. */
typedef void listener_fn(void *owner, int fd, const struct address *peer);

struct listener_options {
	struct address address;
	int backlog; /* 0: as the system allows */
	/* Of a unix socket's file, before anybody can connect. */
	unsigned unix_mode; /* 0: 0666 less the umask */
	bool has_owner;
	uid_t uid; /* (uid_t)-1, (gid_t)-1: as it is */
	gid_t gid;
};

struct listener;

/*
 * Binds and listens. A stale unix socket file is replaced, one that answers is not (EADDRINUSE).
 * IPv6 sockets are IPv6 only. NULL with errno.
 */
struct listener *listener_open(struct loop *loop, const struct listener_options *opt, listener_fn *fn, void *owner);

/* The address it listens on, with the port that the kernel chose if 0 was asked for. */
const struct address *listener_address(const struct listener *l);

/* Stops accepting and closes; removes a unix socket's file. */
void listener_close(struct listener *l);

#endif
