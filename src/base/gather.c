/*
 * gather: a run of bytes that begins where the last one ended is the same vector. So a thousand
 * small frames, copied side by side into the arena, are one vector; and so are slices that lie
 * side by side in the buffer they are borrowed from.
 */
#include "base/gather.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

void
gather_begin_vector(struct gather *g, const unsigned char *data, size_t len)
{
	if (len == 0)
		return;
	assert(g->count < GATHER_VECTORS);
	/* An iovec has no const; sendmsg(2) only reads. */
	g->vec[g->count++] = (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	g->end = data + len;
	g->total += len;
}

/* How many vectors LEN bytes fill to the end; what is left of LEN lies in the next one. */
static int
vectors_within(const struct gather *g, size_t *len)
{
	int whole = 0;
	while (whole < g->count && *len >= g->vec[whole].iov_len)
		*len -= g->vec[whole++].iov_len;
	return whole;
}

void
gather_drop(struct gather *g, size_t len)
{
	assert(len <= g->total);
	if (len == g->total) {
		gather_reset(g);
		return;
	}
	g->total -= len;
	int gone = vectors_within(g, &len);
	g->count -= gone;
	memmove(g->vec, g->vec + gone, (size_t)g->count * sizeof(g->vec[0]));
	g->vec[0].iov_base = (unsigned char *)g->vec[0].iov_base + len;
	g->vec[0].iov_len -= len;
}

void
gather_reset(struct gather *g)
{
	g->count = 0;
	g->end = NULL;
	g->total = 0;
	g->used = 0;
}
