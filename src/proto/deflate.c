/*
 * A message is a DEFLATE stream that ends with an empty stored block, of which the last four bytes stay
 * at home (RFC 7692 7.2.1): the sender cuts them off, the receiver puts them back.
 *
 * What is sent is flushed after every piece, so that there is never anything of it left in zlib, and a
 * piece becomes a frame. What comes may become a thousand times as long: there the room that the caller
 * gives is the measure, and zlib keeps its place in the middle of anything.
 */
#include "proto/deflate.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

enum {
	TAIL = 4,
	WINDOW_MIN = 9, /* zlib sends with no smaller one */
	WINDOW_MAX = 15,
	BETWEEN_BLOCKS = 128, /* z_stream.data_type after inflate(): there, and no bit of a byte left over */
};

struct deflate *
deflate_new(const struct deflate_options *opt, const struct deflate_terms *terms)
{
	struct deflate *d = malloc(sizeof(*d));
	if (d != NULL)
		*d = (struct deflate){ .opt = opt, .terms = *terms };
	return d;
}

static z_stream *
new_stream(void)
{
	z_stream *z = malloc(sizeof(*z));
	if (z != NULL)
		*z = (z_stream){ .zalloc = Z_NULL };
	return z;
}

static void
forget_packer(struct deflate *d)
{
	if (d->packer == NULL)
		return;
	deflateEnd(d->packer);
	free(d->packer);
	d->packer = NULL;
}

static void
forget_unpacker(struct deflate *d)
{
	if (d->unpacker == NULL)
		return;
	inflateEnd(d->unpacker);
	free(d->unpacker);
	d->unpacker = NULL;
}

void
deflate_free(struct deflate *d)
{
	if (d == NULL)
		return;
	forget_packer(d);
	forget_unpacker(d);
	free(d);
}

/* --- out ---------------------------------------------------------------------------------------- */

/*
 * Who asks for a window of 256 bytes gets runs of a byte alone (Z_RLE): zlib's smallest window is 512,
 * but a run refers to the byte before it, which lies in any window. The hash tables grow with it.
 */
static struct z_stream_s *
new_packer(const struct deflate *d)
{
	int agreed = d->terms.server_bits == 0 ? (int)d->opt->window : d->terms.server_bits;
	int bits = agreed < WINDOW_MIN ? WINDOW_MIN : agreed;
	z_stream *z = new_stream();
	if (z != NULL && deflateInit2(z, (int)d->opt->level, Z_DEFLATED, -bits, bits - 7,
				 agreed < WINDOW_MIN ? Z_RLE : Z_DEFAULT_STRATEGY) == Z_OK)
		return z;
	free(z);
	return NULL;
}

bool
deflate_begin(struct deflate *d, size_t len)
{
	if (len < d->opt->threshold)
		return false;
	if (d->packer == NULL)
		d->packer = new_packer(d);
	return d->packer != NULL;
}

size_t
deflate_pack(struct deflate *d, struct span in, bool last, unsigned char *out)
{
	z_stream *z = d->packer;
	size_t len = 0;
	assert(in.len <= DEFLATE_SLICE);
	if (in.len > 0) {
		z->next_in = in.data;
		z->avail_in = (uInt)in.len;
		z->next_out = out;
		z->avail_out = (uInt)deflate_bound(in.len);
		deflate(z, Z_SYNC_FLUSH);
		assert(z->avail_in == 0 && z->avail_out > 0);
		len = deflate_bound(in.len) - z->avail_out;
	}
	if (!last)
		return len;
	if (!d->terms.server_takeover)
		forget_packer(d);
	if (len > 0)
		return len - TAIL;
	out[0] = 0; /* the head of an empty stored block, of which the tail is the rest (7.2.3.6) */
	return 1;
}

/* --- in ----------------------------------------------------------------------------------------- */

static struct z_stream_s *
new_unpacker(const struct deflate *d)
{
	int agreed = d->terms.client_bits == 0 ? WINDOW_MAX : d->terms.client_bits;
	z_stream *z = new_stream();
	if (z != NULL && inflateInit2(z, -agreed) == Z_OK)
		return z;
	free(z);
	return NULL;
}

static uInt
as_uint(size_t len)
{
	return len < UINT_MAX ? (uInt)len : UINT_MAX;
}

/*
 * One call of inflate(). Returns as that does, after it has seen to the end of a stream. If there was
 * nothing to do (Z_BUF_ERROR), data_type is of no use: zlib stands where it stood.
 */
static int
inflate_some(struct deflate *d, struct span *in, struct span *room)
{
	z_stream *z = d->unpacker;
	uInt given = as_uint(in->len), free_bytes = as_uint(room->len);
	z->next_in = in->data;
	z->avail_in = given;
	z->next_out = room->data;
	z->avail_out = free_bytes;
	int result = inflate(z, Z_SYNC_FLUSH);
	span_skip(in, given - z->avail_in);
	span_skip(room, free_bytes - z->avail_out);
	if (result != Z_BUF_ERROR)
		d->whole = result == Z_OK && z->data_type == BETWEEN_BLOCKS;
	/*
	 * A sender may end its stream (BFINAL) and begin another behind it, also within a message
	 * (7.2.3.5); the window outlives that. inflateReset() would forget it, and to save it there and
	 * back costs 64 KiB of copying for as little as two bytes of the peer's.
	 */
	return result == Z_STREAM_END ? inflateResetKeep(z) : result;
}

static enum deflate_result
inflate_all(struct deflate *d, struct span *in, struct span *room)
{
	do {
		if (room->len == 0)
			return DEFLATE_FULL;
		int result = inflate_some(d, in, room);
		if (result == Z_MEM_ERROR)
			return DEFLATE_NO_MEMORY;
		if (result != Z_OK && result != Z_BUF_ERROR)
			return DEFLATE_CORRUPT;
	} while (in->len > 0);
	return room->len == 0 ? DEFLATE_FULL : DEFLATE_MORE;
}

static enum deflate_result
inflate_tail(struct deflate *d, struct span *room)
{
	unsigned char bytes[TAIL] = { 0x00, 0x00, 0xff, 0xff };
	struct span tail = { bytes + d->tail, TAIL - (size_t)d->tail };
	enum deflate_result result = inflate_all(d, &tail, room);
	d->tail = (uint8_t)(TAIL - tail.len);
	return result;
}

static enum deflate_result
end_message(struct deflate *d)
{
	d->tail = 0;
	if (!d->terms.client_takeover)
		forget_unpacker(d);
	return d->whole ? DEFLATE_MORE : DEFLATE_CORRUPT;
}

enum deflate_result
deflate_unpack(struct deflate *d, struct span *in, bool ends, struct span *room)
{
	if (d->unpacker == NULL)
		d->unpacker = new_unpacker(d);
	if (d->unpacker == NULL)
		return DEFLATE_NO_MEMORY;
	enum deflate_result result = inflate_all(d, in, room);
	if (result == DEFLATE_MORE && ends)
		result = inflate_tail(d, room);
	return result == DEFLATE_MORE && ends ? end_message(d) : result;
}
