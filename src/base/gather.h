/*
 * gather: what leaves in one write.
 *
 * While one readiness event is worked on, everything it produces for the other side is gathered
 * here and then leaves in a single sendmsg(2): frame headers and small payloads are copied into
 * the arena, side by side; big payloads are borrowed from where they lie. gather_close() makes
 * vectors of it.
 *
 * What is called for each line and frame stands here, so that it can be inlined.
 *
 * There is one gather per loop (see loop_gather). It is empty between events. Borrowed bytes must
 * stay where they are until gather_reset(), which stream_send() does after writing.
 */
#ifndef BASE_GATHER_H
#define BASE_GATHER_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>

#include "base/buf.h"

enum {
	GATHER_ARENA = 512 * 1024, /* what one read of 256 KiB becomes, even as one-byte lines */
	GATHER_VECTORS = 64,
	GATHER_COPY_MAX = 1024, /* shorter runs are copied: cheaper than one more iovec */
	GATHER_ROOM = 2 * GATHER_COPY_MAX,
};

struct gather {
	struct iovec vec[GATHER_VECTORS];
	int count;
	size_t total;  /* bytes in these vectors */
	size_t closed; /* bytes of the arena that are in a vector; behind them, up to USED, those that are not yet */
	size_t used;
	unsigned char arena[GATHER_ARENA];
};

static inline bool
gather_is_empty(const struct gather *g)
{
	return g->used == 0 && g->count == 0;
}

/* True if the next two gather_add() calls cannot fail, whatever their length. Ask before a frame. */
static inline bool
gather_has_room(const struct gather *g)
{
	return g->count + 4 <= GATHER_VECTORS && g->used + GATHER_ROOM <= GATHER_ARENA;
}

/* All that was added is in the vectors now. Returns how many bytes. More may be added behind them. */
size_t gather_close(struct gather *g);

/* Adds LEN bytes, at least 1, where they lie: until gather_reset() they must stay there. The caller has asked gather_has_room(). */
void gather_borrow(struct gather *g, const unsigned char *data, size_t len);

/* Room for LEN bytes that the caller fills in at once: GATHER_COPY_MAX at the most (a frame header), or what gather_space() has. */
static inline unsigned char *
gather_put(struct gather *g, size_t len)
{
	assert(len <= GATHER_ARENA - g->used);
	unsigned char *room = g->arena + g->used;
	g->used += len;
	return room;
}

/*
 * Adds LEN bytes: copied if LEN <= GATHER_COPY_MAX, else borrowed until gather_reset(). The caller
 * has asked gather_has_room(). LEN 0 adds nothing.
 */
static inline void
gather_add(struct gather *g, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (len <= GATHER_COPY_MAX)
		memcpy(gather_put(g, len), data, len);
	else
		gather_borrow(g, data, len);
}

/* Where the next gather_put() will be, for those who know how many bytes they have only once they are there. */
static inline struct span
gather_space(struct gather *g)
{
	return (struct span){ g->arena + g->used, GATHER_ARENA - g->used };
}

void gather_reset(struct gather *g);

#endif
