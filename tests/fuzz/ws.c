/*
 * What any client may send, read three ways that must agree: whole, in random cuts, and by a slow
 * parser that follows RFC 6455 with the whole input before it. What was read is then written as our
 * own frames, in the same pieces, and the slow parser must find the same messages in them.
 *
 * Input: one byte for the size limit, two that seed the cuts, then the wire.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../slow_utf8.h"
#include "proto/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAG_BROKEN = '!' };

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
	struct buf *story;
};

static bool
slow_break(struct slow *s, unsigned code)
{
	tell(s->story, TAG_BROKEN, code, "", 0);
	return false;
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

	append(&s->message, payload, len);
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
	if (p[0] / 16 % 8 != 0 || (opcode > 2 && opcode < 8) || opcode > 10 || (p[1] >= 128) != s->masked)
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
		if (s->max > 0 && (len > s->max || s->declared + len > s->max))
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
slow_read(struct span wire, uint64_t max, bool masked, struct buf *story)
{
	struct slow s = { .wire = wire, .max = max, .masked = masked, .story = story };

	while (slow_frame(&s))
		continue;
	buf_clear(&s.message);
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
	must(gather_has_room(&out));
	ws_write(&r->ws, piece, &out);
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

/* Each part lies alone in memory, so that a byte too far is found. Returns false when broken. */
static bool
feed(struct reader *r, const unsigned char *part, size_t len)
{
	unsigned char *copy = malloc(len + 1);
	struct span in = { copy + 1, len };
	enum ws_result result;
	struct piece piece;

	must(copy != NULL);
	memcpy(copy + 1, part, len);
	while ((result = ws_read(&r->ws, &in, &piece)) == WS_PIECE)
		take_piece(r, &piece);
	must(in.len == 0);
	free(copy);
	if (result == WS_BROKEN)
		tell(&r->story, TAG_BROKEN, r->ws.fault_code, "", 0);
	return result == WS_MORE;
}

static void
read_in_cuts(struct reader *r, struct span wire, uint64_t max, size_t cut, unsigned seed)
{
	ws_init(&r->ws, max);
	while (wire.len > 0) {
		size_t len = cut;

		if (cut == 0) {
			seed = seed * 1103515245u + 12345u;
			len = 1 + (seed >> 16) % 13;
		}
		len = len < wire.len ? len : wire.len;
		if (!feed(r, wire.data, len))
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
		story->tail -= entry;
}

static void
check_cut(struct span wire, uint64_t max, size_t cut, unsigned seed, const struct buf *want)
{
	struct buf echoed = { 0 };
	struct reader r = { .is_open = false };

	read_in_cuts(&r, wire, max, cut, seed);
	must_be_same(&r.story, want);
	slow_read(buf_span(&r.echo), 0, false, &echoed);
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
	max = data[0];
	seed = data[1] * 256u + data[2];
	append(&wire, data + 3, size - 3);
	slow_read(buf_span(&wire), max, true, &want);
	check_cut(buf_span(&wire), max, SIZE_MAX, 0, &want);
	check_cut(buf_span(&wire), max, 1, 0, &want);
	check_cut(buf_span(&wire), max, 0, seed, &want);
	buf_clear(&wire);
	buf_clear(&want);
	return 0;
}
