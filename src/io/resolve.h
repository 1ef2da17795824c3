/*
 * resolve: from a name to addresses and from an address to its name, without ever blocking.
 *
 * Through c-ares: hosts file and DNS, not nsswitch. The resolver belongs to the loop, is made at its
 * first use, and made anew when resolv.conf changes. A lookup has no deadline of its own: c-ares gives
 * up after some seconds, and the owner may cancel sooner.
 */
#ifndef IO_RESOLVE_H
#define IO_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "io/loop.h"

enum {
	RESOLVE_MAX = 16,       /* addresses of a name; what DNS says beyond is not told */
	RESOLVE_NAME_MAX = 256, /* with NUL; RFC 1035 3.1 allows less */
};

/* What was found. Valid during the call; WHY for good. */
struct resolved {
	char name[RESOLVE_NAME_MAX]; /* of an address: letters, digits, '-', '_' and '.' */
	struct address addresses[RESOLVE_MAX];
	size_t count; /* 0: nothing was found ... */
	bool no_memory;
	const char *why; /* ... for this reason */
};

/* Called once, from the loop, never from within a function here. */
typedef void resolve_fn(void *owner, const struct resolved *found);

struct lookup;

/* The addresses of HOST, with PORT. NULL if memory is out. */
struct lookup *resolve_name(struct loop *loop, const char *host, uint16_t port, resolve_fn *fn, void *owner);

/*
 * The name of PEER's host. Whoever owns an address may give it any name, so only one that leads back
 * to the address counts: then it is the one that was found. NULL if memory is out.
 */
struct lookup *resolve_address(struct loop *loop, const struct address *peer, resolve_fn *fn, void *owner);

/* FN will not be called. Not to be called after FN was. NULL does nothing. */
void resolve_cancel(struct lookup *l);

/* Frees LOOP's resolver; no lookup may be under way. */
void resolve_close(struct loop *loop);

#endif
