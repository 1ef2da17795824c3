/*
 * What any client may send, read three ways that must agree: whole, in random cuts, and by a slow
 * parser that follows RFC 6455 with the whole input before it. What was read is then written as our
 * own frames, in the same pieces, and the slow parser must find the same messages in them.
 *
 * Input: one byte for the size limit, two that seed the cuts, then the wire. With an odd seed
 * permessage-deflate is agreed upon, and there is always a limit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../slow_utf8.h"
#include "proto/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAG_BROKEN = '!', PACKED_MAX = 1000 };

static const struct deflate_options options = { .on = true, .takeover = true, .level = 1, .window = 9, .threshold = 8 };
static const struct deflate_terms terms = { .agreed = true, .server_takeover = true, .client_takeover = true };

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

/* A story is a sequence of this: a tag, a number (length, or close code), and LEN bytes. */
static void
tell(struct buf *story, unsigned char tag, uint64_t number, const void *data, size_t len)
{
	append(story, &tag, 1);
	append(story, &number, sizeof(number));
	append(story, data, len);
}

static void
must_be_same(const struct buf *a, const struct buf *b)
{
	must(buf_len(a) == buf_len(b));
	must(buf_len(a) == 0 || memcmp(buf_span(a).data, buf_span(b).data, buf_len(a)) == 0);
}

/* ---- the slow parser ---- */

struct slow {
	struct span wire;
	uint64_t max;      /* 0: none */
	bool masked;       /* the frames must be */
	unsigned kind;     /* of the data message under way */
	uint64_t declared; /* length of it */
	struct buf message;
	bool deflates;     /* it is agreed upon */
	bool is_packed;    /* the message under way is compressed ... */
	struct buf packed; /* ... and came so */
	z_stream *z;       /* as it was before the message; NULL: new */
	struct buf *story;
};

/* Compressed, a message may be too big and wrong at once, and which is seen first is a matter of the room. */
static void
tell_break(struct buf *story, bool deflates, unsigned code)
{
	tell(story, TAG_BROKEN, deflates && code == 1009 ? 1007 : code, "", 0);
}

static bool
slow_break(struct slow *s, unsigned code)
{
	tell_break(s->story, s->deflates, code);
	return false;
}

static z_stream *
slow_copy(z_stream *z)
{
	z_stream *copy = calloc(1, sizeof(*copy));

	must(copy != NULL);
	must((z == NULL ? inflateInit2(copy, -15) : inflateCopy(copy, z)) == Z_OK);
	return copy;
}

static void
slow_forget(z_stream *z)
{
	if (z != NULL)
		inflateEnd(z);
	free(z);
}

/* The window in, the window out. */
static void
slow_begin_stream(z_stream *z)
{
	static unsigned char window[32768];
	unsigned len = 0;

	must(inflateGetDictionary(z, window, &len) == Z_OK && inflateReset(z) == Z_OK);
	must(inflateSetDictionary(z, window, len) == Z_OK);
}

/* All that came of the message, from its beginning, becomes s->message. */
static bool
slow_inflate(struct slow *s, z_stream *z)
{
	static unsigned char out[PACKED_MAX + 1];
	int result;

	z->next_in = buf_span(&s->packed).data;
	z->avail_in = (unsigned)buf_len(&s->packed);
	z->next_out = out;
	z->avail_out = sizeof(out);
	while ((result = inflate(z, Z_SYNC_FLUSH)) == Z_STREAM_END)
		slow_begin_stream(z);
	buf_clear(&s->message);
	append(&s->message, out, sizeof(out) - z->avail_out);
	return result == Z_OK || result == Z_BUF_ERROR;
}

static bool
slow_unpack(struct slow *s, const unsigned char *payload, size_t len, bool ends)
{
	z_stream *z;
	bool is_right;

	append(&s->packed, payload, len);
	if (!ends && !s->masked)
		return true; /* a frame of ours, of which there may be thousands */
	z = slow_copy(s->z);
	append(&s->packed, "\x00\x00\xff\xff", ends ? 4 : 0);
	is_right = slow_inflate(s, z) && (!ends || z->data_type == 128) && (s->max == 0 || buf_len(&s->message) <= s->max);
	slow_forget(ends ? s->z : z);
	if (!ends)
		return is_right;
	s->z = z;
	buf_clear(&s->packed);
	return is_right;
}

static bool
slow_code_is_fine(unsigned code)
{
	if (code < 1000 || code > 4999 || (code >= 1015 && code < 3000))
		return false;
	return code != 1004 && code != 1005 && code != 1006;
}

static bool
slow_control(struct slow *s, unsigned opcode, const unsigned char *payload, size_t len)
{
	if (opcode == MESSAGE_CLOSE && len > 0) {
		if (len == 1 || !slow_code_is_fine(payload[0] * 256u + payload[1]))
			return slow_break(s, 1002);
		if (!slow_is_utf8(payload + 2, len - 2))
			return slow_break(s, 1007);
	}
	tell(s->story, (unsigned char)opcode, len, payload, len);
	return opcode != MESSAGE_CLOSE;
}

static bool
slow_data(struct slow *s, const unsigned char *payload, size_t len, bool whole, bool fin)
{
	bool cut;

	if (!s->is_packed)
		append(&s->message, payload, len);
	else if (!slow_unpack(s, payload, len, whole && fin))
		return slow_break(s, 1007);
	if (s->kind == MESSAGE_TEXT && !slow_begins_utf8(buf_span(&s->message).data, buf_len(&s->message), &cut))
		return slow_break(s, 1007);
	if (!whole || !fin)
		return whole;
	if (s->kind == MESSAGE_TEXT && cut)
		return slow_break(s, 1007);
	tell(s->story, (unsigned char)s->kind, buf_len(&s->message), buf_span(&s->message).data, buf_len(&s->message));
	buf_clear(&s->message);
	s->kind = 0;
	return true;
}

/* Takes the frame at the head of the wire. Returns false if there is nothing more to be read. */
static bool
slow_frame(struct slow *s)
{
	const unsigned char *p = s->wire.data;
	unsigned char payload[8192];
	unsigned opcode, header;
	uint64_t len;
	size_t here;

	if (s->wire.len < 2)
		return false;
	opcode = p[0] % 16;
	if ((p[0] / 16 % 8 != 0 && !(s->deflates && p[0] / 16 % 8 == 4 && (opcode == 1 || opcode == 2))) ||
		(opcode > 2 && opcode < 8) || opcode > 10 || (p[1] >= 128) != s->masked)
		return slow_break(s, 1002);
	if (opcode >= 8 && (p[0] < 128 || p[1] % 128 > 125))
		return slow_break(s, 1002);
	if (opcode < 8 && (opcode == 0) != (s->kind != 0))
		return slow_break(s, 1002);
	len = p[1] % 128;
	header = 2 + (len == 126 ? 2 : len == 127 ? 8 : 0);
	if (s->wire.len < header + (s->masked ? 4u : 0))
		return false;
	if (header > 2) {
		len = 0;
		for (unsigned i = 2; i < header; i++)
			len = len * 256 + p[i];
		if (len < (header == 4 ? 126u : 65536u) || len > INT64_MAX)
			return slow_break(s, 1002);
	}
	if (opcode < 8) {
		s->declared = opcode == 0 ? s->declared : 0;
		s->is_packed = opcode == 0 ? s->is_packed : p[0] / 64 % 2;
		if (!s->is_packed && s->max > 0 && (len > s->max || s->declared + len > s->max))
			return slow_break(s, 1009);
		s->declared += len;
		s->kind = opcode == 0 ? s->kind : opcode;
	}
	span_skip(&s->wire, header + (s->masked ? 4 : 0));
	here = len < s->wire.len ? (size_t)len : s->wire.len;
	must(here <= sizeof(payload));
	for (size_t i = 0; i < here; i++)
		payload[i] = s->wire.data[i] ^ (s->masked ? p[header + i % 4] : 0);
	span_skip(&s->wire, here);
	if (opcode < 8)
		return slow_data(s, payload, here, here == len, p[0] >= 128);
	return here == len && slow_control(s, opcode, payload, here);
}

static void
slow_read(struct span wire, uint64_t max, bool masked, bool deflates, struct buf *story)
{
	struct slow s = { .wire = wire, .max = max, .masked = masked, .deflates = deflates, .story = story };

	while (slow_frame(&s))
		continue;
	buf_clear(&s.message);
	buf_clear(&s.packed);
	slow_forget(s.z);
}

/* ---- the real one ---- */

struct reader {
	struct ws ws;
	struct buf story;
	struct buf message;
	struct buf echo; /* all pieces, as our own frames */
	bool is_open;
};

static struct gather out;

static void
echo_piece(struct reader *r, const struct piece *piece)
{
	struct piece copy = *piece;

	must(ws_write(&r->ws, &copy, &out));
	gather_close(&out);
	for (int i = 0; i < out.count; i++)
		append(&r->echo, out.vec[i].iov_base, out.vec[i].iov_len);
	gather_reset(&out);
}

static void
take_piece(struct reader *r, const struct piece *piece)
{
	struct span message;

	echo_piece(r, piece);
	if (piece->kind >= MESSAGE_CLOSE) {
		must(piece->first && piece->last && piece->bytes.len <= WS_CONTROL_MAX);
		tell(&r->story, (unsigned char)piece->kind, piece->bytes.len, piece->bytes.data, piece->bytes.len);
		return;
	}
	must(piece->first == !r->is_open);
	r->is_open = !piece->last;
	append(&r->message, piece->bytes.data, piece->bytes.len);
	if (!piece->last)
		return;
	message = buf_span(&r->message);
	tell(&r->story, (unsigned char)piece->kind, message.len, message.data, message.len);
	buf_clear(&r->message);
}

/* All of IN, in rooms of SIZE bytes that lie alone in memory. */
static enum ws_result
read_in_rooms(struct reader *r, struct span in, size_t size)
{
	unsigned char *bytes = malloc(size);
	enum ws_result result;
	struct piece piece;

	must(bytes != NULL);
	do {
		struct span room = { bytes, size };

		while ((result = ws_read(&r->ws, &in, &room, &piece)) == WS_PIECE)
			take_piece(r, &piece);
		must(result != WS_FULL || room.len == 0);
	} while (result == WS_FULL);
	free(bytes);
	must(in.len == 0);
	return result;
}

/* Each part lies alone in memory, so that a byte too far is found. Returns false when broken. */
static bool
feed(struct reader *r, const unsigned char *part, size_t len, size_t room)
{
	unsigned char *copy = malloc(len + 1);
	enum ws_result result;

	must(copy != NULL);
	memcpy(copy + 1, part, len);
	result = read_in_rooms(r, (struct span){ copy + 1, len }, room);
	free(copy);
	if (result == WS_BROKEN)
		tell_break(&r->story, r->ws.deflate != NULL, r->ws.fault_code);
	return result == WS_MORE;
}

static void
read_in_cuts(struct reader *r, struct span wire, uint64_t max, size_t cut, unsigned seed)
{
	ws_init(&r->ws, max, seed % 2 == 1 ? deflate_new(&options, &terms) : NULL);
	seed /= 2;
	while (wire.len > 0) {
		size_t len = cut;

		if (cut == 0) {
			seed = seed * 1103515245u + 12345u;
			len = 1 + (seed >> 16) % 13;
		}
		len = len < wire.len ? len : wire.len;
		if (!feed(r, wire.data, len, len < 13 ? len : 8192))
			break;
		span_skip(&wire, len);
	}
	ws_clear(&r->ws);
}

static void
reader_clear(struct reader *r)
{
	buf_clear(&r->story);
	buf_clear(&r->message);
	buf_clear(&r->echo);
}

/* A story without its last entry if that is a break: that is not sent to anybody. */
static void
drop_break(struct buf *story)
{
	static const size_t entry = 1 + sizeof(uint64_t);

	if (buf_len(story) >= entry && buf_span(story).data[buf_len(story) - entry] == TAG_BROKEN)
		story->block->tail -= entry;
}

static void
check_cut(struct span wire, uint64_t max, size_t cut, unsigned seed, const struct buf *want)
{
	struct buf echoed = { 0 };
	struct reader r = { .is_open = false };

	read_in_cuts(&r, wire, max, cut, seed);
	must_be_same(&r.story, want);
	slow_read(buf_span(&r.echo), 0, false, seed % 2 == 1, &echoed);
	if (r.ws.fault != NULL)
		drop_break(&r.story);
	must_be_same(&r.story, &echoed);
	buf_clear(&echoed);
	reader_clear(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf wire = { 0 }, want = { 0 };
	uint64_t max;
	unsigned seed;

	if (size < 3 || size > 8000)
		return 0;
	seed = data[1] * 256u + data[2];
	max = seed % 2 == 1 && data[0] == 0 ? PACKED_MAX : data[0];
	append(&wire, data + 3, size - 3);
	slow_read(buf_span(&wire), max, true, seed % 2 == 1, &want);
	check_cut(buf_span(&wire), max, SIZE_MAX, seed, &want);
	check_cut(buf_span(&wire), max, 1, seed, &want);
	check_cut(buf_span(&wire), max, 0, seed, &want);
	buf_clear(&wire);
	buf_clear(&want);
	return 0;
}
