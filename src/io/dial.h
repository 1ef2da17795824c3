/*
 * dial: an outgoing connection, to HOST:PORT or a unix socket, without ever blocking.
 *
 * Names are looked up (io/resolve.h), each address is tried in turn until one answers, all within one
 * deadline.
 */
#ifndef IO_DIAL_H
#define IO_DIAL_H

#include <stdint.h>

#include "base/address.h"
#include "io/loop.h"

enum dial_result {
	DIAL_CONNECTED,
	DIAL_UNKNOWN_HOST, /* no such name, or no resolver answers */
	DIAL_REFUSED,      /* refused, unreachable, no such socket file, no permission */
	DIAL_TIMED_OUT,
	DIAL_NO_RESOURCES, /* descriptors, ports or memory are out here */
};

/* FD is the connected non-blocking socket, now the owner's, or -1. DETAIL is a short static or errno text for the log. */
typedef void dial_fn(void *owner, enum dial_result result, int fd, const char *detail);

struct dial_options {
	const char *unix_path; /* or NULL: then host and port */
	const char *host;      /* a name or a numeric address without brackets */
	uint16_t port;
	uint64_t timeout_ms; /* for the whole of it; 0: no limit of ours */
};

struct dial;

/*
 * Starts; OPT's strings must outlive the dial. FN is called once, from the loop, never from here.
 * TCP sockets get TCP_NODELAY. NULL if memory is out.
 */
struct dial *dial_start(struct loop *loop, const struct dial_options *opt, dial_fn *fn, void *owner);

/* FN will not be called; D is freed. Not to be called after FN was. */
void dial_cancel(struct dial *d);

#endif
