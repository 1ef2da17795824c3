/*
 * What any client may send as compressed messages is inflated in several cuts and rooms that must agree
 * with each other, and with zlib when it has all of it and all the room it wants. And what we compress
 * of it, in any cuts, must be inflated to the same by ourselves and by zlib with the window that was agreed upon.
 *
 * Input: one byte each for the window and level, for the takeover and for the cuts; then messages, each with two
 * bytes of length before it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4000, OUTPUT_MAX = 40000 };

static struct deflate_options options = { .on = true };
static struct deflate_terms terms;

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
append(struct buf *to, const void *data, size_t len)
{
	must(buf_append(to, data, len) == 0);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The next message of WIRE. */
static struct span
next_message(struct span *wire)
{
	size_t len = wire->len < 2 ? 0 : least((size_t)wire->data[0] << 8 | wire->data[1], wire->len - 2);
	span_skip(wire, least(2, wire->len));
	struct span message = { wire->data, len };
	span_skip(wire, len);
	return message;
}

/* --- inflating ---------------------------------------------------------------------------------- */

/* False, and all that was there, if it is corrupt; also at OUTPUT_MAX: so far the outputs are compared. */
static bool
unpack(struct deflate *d, struct span message, size_t cut, size_t size, struct buf *out)
{
	unsigned char *bytes = malloc(size);
	must(bytes != NULL);
	enum deflate_result result = DEFLATE_MORE;
	do {
		size_t len = least(message.len, cut);
		struct span in = { message.data, len };
		do {
			struct span room = { bytes, size };
			result = deflate_unpack(d, &in, len == message.len, &room);
			append(out, bytes, size - room.len);
			must(result != DEFLATE_FULL || room.len == 0);
		} while (result == DEFLATE_FULL && buf_len(out) < OUTPUT_MAX);
		must(result != DEFLATE_MORE || in.len == 0);
		span_skip(&message, len);
	} while (result == DEFLATE_MORE && message.len > 0 && buf_len(out) < OUTPUT_MAX);
	free(bytes);
	return result == DEFLATE_MORE && buf_len(out) < OUTPUT_MAX;
}

static bool
unpack_all(struct span wire, size_t cut, size_t size, struct buf *out)
{
	struct deflate *d = deflate_new(&options, &terms);
	must(d != NULL);
	bool is_right = true;
	while (is_right && wire.len > 0)
		is_right = unpack(d, next_message(&wire), cut, size, out);
	if (!terms.client_takeover)
		must(!is_right || d->unpacker == NULL);
	deflate_free(d);
	return is_right;
}

/* The documented way to keep the window over the end of a stream. */
static void
begin_stream(z_stream *z)
{
	static unsigned char window[32768];
	unsigned len = 0;
	must(inflateGetDictionary(z, window, &len) == Z_OK && inflateReset(z) == Z_OK);
	must(inflateSetDictionary(z, window, len) == Z_OK);
}

static bool
judge_message(z_stream *z, struct span message, struct buf *out)
{
	static unsigned char room[OUTPUT_MAX];
	struct buf whole = { 0 };
	int result;
	append(&whole, message.data, message.len);
	append(&whole, "\x00\x00\xff\xff", 4);
	z->next_in = buf_span(&whole).data;
	z->avail_in = (uInt)buf_len(&whole);
	z->next_out = room;
	z->avail_out = sizeof(room);
	while ((result = inflate(z, Z_SYNC_FLUSH)) == Z_STREAM_END)
		begin_stream(z);
	append(out, room, sizeof(room) - z->avail_out);
	buf_clear(&whole);
	return (result == Z_OK || result == Z_BUF_ERROR) && z->data_type == 128 && buf_len(out) < OUTPUT_MAX;
}

static bool
judge_all(struct span wire, int bits, bool takeover, struct buf *out)
{
	z_stream z = { 0 };
	bool is_right = true;
	must(inflateInit2(&z, -bits) == Z_OK);
	while (is_right && wire.len > 0) {
		is_right = judge_message(&z, next_message(&wire), out);
		must(takeover || inflateReset(&z) == Z_OK);
	}
	inflateEnd(&z);
	return is_right;
}

static bool
begins_with(const struct buf *whole, const struct buf *head)
{
	size_t len = least(buf_len(head), OUTPUT_MAX);
	return len <= buf_len(whole) && (len == 0 || memcmp(buf_span(whole).data, buf_span(head).data, len) == 0);
}

static void
must_be_same(const struct buf *a, const struct buf *b)
{
	must(begins_with(a, b) && begins_with(b, a));
}

/*
 * Who looks back farther than he has promised is caught if that lies in the window no more, and not if it
 * still lies in the room: then the cuts need not agree on where he is caught, but on all before it.
 */
static void
check_unpack(struct span wire, unsigned cut)
{
	static const size_t rooms[] = { 7, 300, OUTPUT_MAX };
	struct buf most = { 0 }, least_of_all = { 0 };
	bool is_right = judge_all(wire, 15, terms.client_takeover, &most);
	bool keeps_promise = unpack_all(wire, SIZE_MAX, 1, &least_of_all) == is_right && begins_with(&least_of_all, &most);
	must(begins_with(&most, &least_of_all));
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct buf got = { 0 };
		must(unpack_all(wire, i % 2 == 0 ? SIZE_MAX : 1 + cut, rooms[i], &got) == is_right || !keeps_promise);
		must(begins_with(&most, &got) && begins_with(&got, &least_of_all));
		buf_clear(&got);
	}
	buf_clear(&most);
	buf_clear(&least_of_all);
}

/* --- compressing -------------------------------------------------------------------------------- */

static void
pack(struct deflate *d, struct span message, size_t cut, struct buf *out)
{
	must(deflate_begin(d, message.len));
	for (bool last = false; !last;) {
		struct span part = { message.data, least(message.len, cut) };
		unsigned char *at = malloc(deflate_bound(part.len));
		must(at != NULL);
		last = part.len == message.len;
		append(out, at, deflate_pack(d, part, last, at));
		free(at);
		span_skip(&message, part.len);
	}
}

static void
check_pack(struct span wire, unsigned cut)
{
	struct buf packed = { 0 }, want = { 0 }, got = { 0 };
	struct deflate *d = deflate_new(&options, &terms);
	must(d != NULL);
	while (wire.len > 0) {
		struct span message = next_message(&wire);
		struct buf one = { 0 };
		append(&want, message.data, message.len);
		pack(d, message, 1 + cut, &one);
		append(&packed, (unsigned char[]){ (unsigned char)(buf_len(&one) >> 8), (unsigned char)buf_len(&one) }, 2);
		append(&packed, buf_span(&one).data, buf_len(&one));
		buf_clear(&one);
	}
	must(judge_all(buf_span(&packed), terms.server_bits, terms.server_takeover, &got));
	must_be_same(&got, &want);
	must(terms.server_takeover || d->packer == NULL);
	deflate_free(d);
	buf_clear(&packed);
	buf_clear(&want);
	buf_clear(&got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf wire = { 0 };
	if (size < 3 || size > INPUT_MAX)
		return 0;
	options.level = 1 + data[0] / 8 % 9;
	options.window = 15;
	terms = (struct deflate_terms){
		.agreed = true,
		.server_takeover = data[1] & 1,
		.client_takeover = data[1] & 2,
		.server_bits = 8 + data[0] % 8,
		.client_bits = 8 + data[1] / 4 % 8,
	};
	append(&wire, data + 3, size - 3);
	check_unpack(buf_span(&wire), data[2]);
	check_pack(buf_span(&wire), data[2]);
	buf_clear(&wire);
	return 0;
}
