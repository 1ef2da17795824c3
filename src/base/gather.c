/*
 * gather: a run of bytes that begins where the last one ended is the same vector. So a thousand
 * small frames, copied side by side into the arena, are one vector; and so are slices that lie
 * side by side in the buffer they are borrowed from.
 */
#include "base/gather.h"

#include <stdint.h>

static bool
is_behind_the_last(const struct gather *g, const unsigned char *data)
{
	const struct iovec *last = g->vec + g->count - 1;
	return g->count > 0 && (unsigned char *)last->iov_base + last->iov_len == data;
}

static void
add_run(struct gather *g, const unsigned char *data, size_t len)
{
	g->total += len;
	if (is_behind_the_last(g, data)) {
		g->vec[g->count - 1].iov_len += len;
		return;
	}
	assert(g->count < GATHER_VECTORS);
	/* An iovec has no const; sendmsg(2) only reads. */
	g->vec[g->count++] = (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = len };
}

size_t
gather_close(struct gather *g)
{
	if (g->used > g->closed)
		add_run(g, g->arena + g->closed, g->used - g->closed);
	g->closed = g->used;
	return g->total;
}

void
gather_borrow(struct gather *g, const unsigned char *data, size_t len)
{
	gather_close(g);
	add_run(g, data, len);
}

void
gather_reset(struct gather *g)
{
	g->count = 0;
	g->total = g->closed = g->used = 0;
}
