/*
 * ws: every rule of RFC 6455 section 5 and 7.4, as a client would break or keep it.
 *
 * What a client sends is written with frame() and its kin, and fed whole, byte by byte and in random
 * cuts; what comes out is told in one line, which must be the same each time:
 *
 *     T(Hello) a text message        P(x) ping      C(03e8 bye) Close frame
 *     B(...)   a binary one          O(x) pong      !1002 broken, with this close code
 *
 * Messages that never ended are not told. A payload above 40 bytes is told as its length and hash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ws.h"

enum {
	FIN = 0x80,
	RSV1 = 0x40,
	RSV2 = 0x20,
	RSV3 = 0x10,
	MORE = 0, /* no FIN */
	CONT = 0x0,
	TEXT = 0x1,
	BINARY = 0x2,
	CLOSE = 0x8,
	PING = 0x9,
	PONG = 0xA,
	MASKED = 0x80,

	RANDOM_CUTS = 40,
	STORY_MAX = 4096,
};

static const unsigned char some_mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

/* What the client sends. */
static struct buf wire;
static uint64_t max_message;

/* With compression, if it is agreed upon. */
static struct deflate_terms terms;
static const struct deflate_options options = { .on = true, .takeover = true, .level = 6, .window = 15, .threshold = 5 };

static struct deflate *
new_deflate(void)
{
	return terms.agreed ? deflate_new(&options, &terms) : NULL;
}

static void
bytes(const void *data, size_t len)
{
	assert_int_equal(buf_append(&wire, data, len), 0);
}

#define BYTES(...) bytes((const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ }))

static void
masked(const unsigned char *payload, size_t len)
{
	bytes(some_mask, 4);
	for (size_t i = 0; i < len; i++)
		BYTES((unsigned char)(payload[i] ^ some_mask[i % 4]));
}

static void
frame_of(unsigned first, const void *payload, size_t len)
{
	if (len < 126)
		BYTES((unsigned char)first, (unsigned char)(MASKED | len));
	else if (len < 65536)
		BYTES((unsigned char)first, MASKED | 126, (unsigned char)(len >> 8), (unsigned char)len);
	else
		BYTES((unsigned char)first, MASKED | 127, 0, 0, 0, 0, 0, (unsigned char)(len >> 16), (unsigned char)(len >> 8),
			(unsigned char)len);
	masked(payload, len);
}

static void
frame(unsigned first, const char *payload)
{
	frame_of(first, payload, strlen(payload));
}

static void
close_frame(unsigned code, const char *reason)
{
	unsigned char payload[WS_CONTROL_MAX] = { (unsigned char)(code >> 8), (unsigned char)code };

	memcpy(payload + 2, reason, strlen(reason));
	frame_of(FIN | CLOSE, payload, 2 + strlen(reason));
}

/* What came out. */
struct story {
	char text[STORY_MAX];
	size_t len;
	struct buf message; /* the data message under way */
	bool is_open;
};

static void
tell(struct story *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	s->len += (size_t)vsnprintf(s->text + s->len, sizeof(s->text) - s->len, format, args);
	va_end(args);
	assert_true(s->len < sizeof(s->text));
}

static unsigned
hash_of(const unsigned char *data, size_t len)
{
	unsigned hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ data[i]) * 16777619u;
	return hash;
}

static void
tell_payload(struct story *s, char letter, struct span payload)
{
	tell(s, "%s%c(", s->len == 0 ? "" : " ", letter);
	if (letter == 'C' && payload.len >= 2) {
		tell(s, "%02x%02x%s", payload.data[0], payload.data[1], payload.len > 2 ? " " : "");
		span_skip(&payload, 2);
	}
	if (payload.len > 40)
		tell(s, "%zu bytes %08x", payload.len, hash_of(payload.data, payload.len));
	for (size_t i = 0; payload.len <= 40 && i < payload.len; i++)
		tell(s, payload.data[i] >= ' ' && payload.data[i] < 127 ? "%c" : "<%02x>", payload.data[i]);
	tell(s, ")");
}

static void
take_piece(struct story *s, const struct piece *piece)
{
	if (piece->kind >= MESSAGE_CLOSE) {
		assert_true(piece->first && piece->last);
		tell_payload(s, piece->kind == MESSAGE_CLOSE ? 'C' : piece->kind == MESSAGE_PING ? 'P' : 'O', piece->bytes);
		return;
	}
	assert_int_equal(piece->first, !s->is_open);
	assert_true(piece->first || piece->last || piece->bytes.len > 0);
	s->is_open = !piece->last;
	assert_int_equal(buf_append(&s->message, piece->bytes.data, piece->bytes.len), 0);
	if (piece->last) {
		tell_payload(s, piece->kind == MESSAGE_TEXT ? 'T' : 'B', buf_span(&s->message));
		buf_clear(&s->message);
	}
}

/* All of IN, in rooms of SIZE bytes, each of which lies alone in memory and is gone before the next comes. */
static enum ws_result
read_in_rooms(struct ws *ws, struct story *s, struct span in, size_t size)
{
	struct piece piece;
	enum ws_result result;

	do {
		unsigned char *bytes_of_room = malloc(size);
		struct span room = { bytes_of_room, size };

		assert_non_null(bytes_of_room);
		while ((result = ws_read(ws, &in, &room, &piece)) == WS_PIECE)
			take_piece(s, &piece);
		assert_true(result != WS_FULL || room.len == 0);
		free(bytes_of_room);
	} while (result == WS_FULL);
	assert_int_equal(in.len, 0);
	return result;
}

/* Reads one part, that lies alone in memory so that nothing can hold on to it. Returns false when broken. */
static bool
feed(struct ws *ws, struct story *s, const unsigned char *data, size_t len, size_t room)
{
	unsigned char *part = malloc(len == 0 ? 1 : len);
	enum ws_result result;

	assert_non_null(part);
	memcpy(part, data, len);
	result = read_in_rooms(ws, s, (struct span){ part, len }, room);
	free(part);
	if (result == WS_BROKEN) {
		assert_non_null(ws->fault);
		assert_in_range(strlen(ws->fault), 1, WS_REASON_MAX);
		tell(s, "%s!%d", s->len == 0 ? "" : " ", ws->fault_code);
	}
	return result == WS_MORE;
}

/* All of the wire in parts of at most CUT bytes, or of random size if CUT is 0, into rooms of ROOM bytes. */
static const char *
story_of(size_t cut, size_t room)
{
	static struct story s;
	struct span rest = buf_span(&wire);
	struct ws ws;

	buf_clear(&s.message);
	s = (struct story){ .len = 0 };
	ws_init(&ws, max_message, new_deflate());
	while (rest.len > 0) {
		size_t len = cut > 0 ? cut : (size_t)(rand() % (rand() % 4 == 0 ? 400 : 9));

		len = len < rest.len ? len : rest.len;
		if (!feed(&ws, &s, rest.data, len, room))
			break;
		span_skip(&rest, len);
	}
	ws_clear(&ws);
	buf_clear(&s.message);
	return s.text;
}

static void
expect(const char *story)
{
	assert_string_equal(story_of(SIZE_MAX, 65536), story);
	if (buf_len(&wire) < 100000)
		assert_string_equal(story_of(1, 1), story);
	if (terms.agreed)
		assert_string_equal(story_of(SIZE_MAX, 1), story);
	for (int i = 0; i < RANDOM_CUTS; i++)
		assert_string_equal(story_of(0, 1 + (size_t)(rand() % 100)), story);
	buf_clear(&wire);
}

static int
begin(void **state)
{
	(void)state;
	srand(20);
	max_message = 0;
	terms = (struct deflate_terms){ .agreed = false };
	return 0;
}

static int
end(void **state)
{
	(void)state;
	buf_clear(&wire);
	return 0;
}

/* ---- 5.2, 5.6: base framing ---- */

static void
the_examples_of_5_7_are_read(void **state)
{
	(void)state;
	BYTES(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58);
	BYTES(0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58);
	expect("T(Hello) P(Hello)");
}

static void
empty_messages_are_messages(void **state)
{
	(void)state;
	frame(FIN | TEXT, "");
	frame(FIN | BINARY, "");
	frame(FIN | TEXT, "x");
	expect("T() B() T(x)");
}

static void
each_reserved_bit_breaks_5_2(void **state)
{
	(void)state;
	for (unsigned bit = RSV3; bit <= RSV1; bit <<= 1) {
		frame(FIN | TEXT, "a");
		frame(FIN | bit | TEXT, "b");
		frame(FIN | TEXT, "c");
		expect("T(a) !1002");
		frame(FIN | bit | PING, "b");
		expect("!1002");
	}
}

static void
reserved_opcodes_break_5_2(void **state)
{
	(void)state;
	for (unsigned opcode = 0; opcode <= 0xF; opcode++) {
		bool known = opcode <= BINARY || (opcode >= CLOSE && opcode <= PONG);

		if (known)
			continue;
		frame(FIN | opcode, "");
		expect("!1002");
		frame(MORE | opcode, "ab");
		expect("!1002");
	}
}

static void
an_unmasked_frame_breaks_5_1(void **state)
{
	(void)state;
	BYTES(FIN | TEXT, 5, 'H', 'e', 'l', 'l', 'o');
	expect("!1002");
	BYTES(FIN | PING, 0);
	expect("!1002");
}

static void
two_bytes_are_enough_to_refuse(void **state)
{
	(void)state;
	frame(FIN | TEXT, "a");
	BYTES('G', 'E'); /* T /, and nothing more */
	expect("T(a) !1002");
}

static void
every_length_is_read_5_2(void **state)
{
	static const size_t lengths[] = { 41, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537, 200000 };
	unsigned char *payload = malloc(200000);

	(void)state;
	for (size_t i = 0; i < 200000; i++)
		payload[i] = (unsigned char)(i * 7 + i / 251);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char story[64];

		snprintf(story, sizeof(story), "B(%zu bytes %08x) T(x)", lengths[i], hash_of(payload, lengths[i]));
		frame_of(FIN | BINARY, payload, lengths[i]);
		frame(FIN | TEXT, "x");
		expect(story);
	}
	free(payload);
}

static void
a_length_not_in_its_shortest_form_breaks_5_2(void **state)
{
	(void)state;
	BYTES(FIN | BINARY, MASKED | 126, 0, 125, 1, 2, 3, 4);
	expect("!1002");
	BYTES(FIN | BINARY, MASKED | 126, 0, 0, 1, 2, 3, 4);
	expect("!1002");
	BYTES(FIN | BINARY, MASKED | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4);
	expect("!1002");
	BYTES(FIN | BINARY, MASKED | 127, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4);
	expect("!1002");
	BYTES(FIN | BINARY, MASKED | 127, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, 5 ^ 1);
	expect(""); /* 65536 needs its 8 bytes */
}

static void
a_length_with_the_highest_bit_breaks_5_2(void **state)
{
	(void)state;
	BYTES(FIN | BINARY, MASKED | 127, 0x80, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4);
	expect("!1002");
	BYTES(FIN | BINARY, MASKED | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4);
	expect("!1002");
	max_message = 1000;
	BYTES(FIN | BINARY, MASKED | 127, 0x80, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4);
	expect("!1002"); /* malformed before it is too big */
}

/* ---- 5.3: masking ---- */

static void
any_mask_is_taken_off_5_3(void **state)
{
	(void)state;
	BYTES(FIN | TEXT, MASKED | 3, 0, 0, 0, 0, 'a', 'b', 'c');
	BYTES(FIN | TEXT, MASKED | 3, 0xff, 0xff, 0xff, 0xff, 0x9e, 0x9d, 0x9c);
	expect("T(abc) T(abc)");
}

static void
unmasking_is_the_same_as_byte_by_byte(void **state)
{
	static unsigned char got[300], want[300];

	(void)state;
	for (size_t offset = 0; offset < 9; offset++) {
		for (size_t len = 0; len <= 200; len++) {
			unsigned char mask[4] = { 0x12, 0x80, 0xff, 0x01 };

			for (size_t i = 0; i < sizeof(got); i++)
				want[i] = got[i] = (unsigned char)rand();
			for (size_t i = 0; i < len; i++)
				want[offset + i] ^= mask[i % 4];
			ws_unmask(got + offset, len / 3, mask);
			ws_unmask(got + offset + len / 3, len - len / 3, mask);
			assert_memory_equal(got, want, sizeof(got));
		}
	}
}

static void
unmasking_tells_whether_all_is_ascii(void **state)
{
	unsigned char data[100];

	(void)state;
	for (size_t len = 0; len <= sizeof(data); len++) {
		for (size_t odd = 0; odd <= len; odd++) { /* at LEN: none */
			unsigned char mask[4] = { 0x12, 0x80, 0xff, 0x01 };

			for (size_t i = 0; i < len; i++)
				data[i] = (i == odd ? 0xc3 : 'a') ^ mask[i % 4];
			assert_int_equal(ws_unmask(data, len, mask), odd == len);
		}
	}
}

static void
a_frame_that_lies_whole_is_not_copied(void **state)
{
	unsigned char data[] = { FIN | TEXT, MASKED | 2, 0, 0, 0, 0, 'h', 'i', FIN | PING, MASKED | 1, 0, 0, 0, 0, 'p' };
	struct span in = { data, sizeof(data) };
	struct piece piece;
	struct ws ws;

	(void)state;
	ws_init(&ws, 0, NULL);
	memset(ws.header, 0xee, sizeof(ws.header));
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_PIECE);
	assert_ptr_equal(piece.bytes.data, data + 6);
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_PIECE);
	assert_ptr_equal(piece.bytes.data, data + 14);
	assert_null(ws.control);
	assert_int_equal(ws.header[0], 0xee);
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_MORE);
	ws_clear(&ws);
}

static void
a_cut_control_frame_leaves_no_memory_behind(void **state)
{
	unsigned char data[] = { FIN | PING, MASKED | 3, 0, 0, 0, 0, 'a', 'b', 'c' };
	struct span in = { data, sizeof(data) - 1 };
	struct piece piece;
	struct ws ws;

	(void)state;
	ws_init(&ws, 0, NULL);
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_MORE);
	assert_non_null(ws.control);
	in = (struct span){ data + sizeof(data) - 1, 1 };
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_PIECE);
	assert_memory_equal(piece.bytes.data, "abc", 3);
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_MORE);
	assert_null(ws.control);
	ws_clear(&ws);
}

/* ---- 5.4: fragmentation ---- */

static void
fragments_are_one_message_5_4(void **state)
{
	(void)state;
	frame(MORE | TEXT, "Hel");
	frame(MORE | CONT, "lo ");
	frame(FIN | CONT, "you");
	frame(MORE | BINARY, "a");
	frame(FIN | CONT, "b");
	expect("T(Hello you) B(ab)");
}

static void
empty_fragments_count_for_nothing_5_4(void **state)
{
	(void)state;
	frame(MORE | TEXT, "");
	frame(MORE | CONT, "");
	frame(FIN | CONT, "");
	frame(MORE | TEXT, "");
	frame(MORE | CONT, "x");
	frame(MORE | CONT, "");
	frame(FIN | CONT, "");
	expect("T() T(x)");
}

static void
control_frames_come_between_fragments_5_4(void **state)
{
	(void)state;
	frame(MORE | TEXT, "one ");
	frame(FIN | PING, "p");
	frame(MORE | CONT, "");
	frame(FIN | PONG, "");
	frame(FIN | CONT, "two");
	frame(FIN | PING, "");
	expect("P(p) O() T(one two) P()");
}

static void
a_continuation_of_nothing_breaks_5_4(void **state)
{
	(void)state;
	frame(FIN | CONT, "x");
	expect("!1002");
	frame(MORE | CONT, "x");
	expect("!1002");
	frame(MORE | TEXT, "a");
	frame(FIN | CONT, "b");
	frame(FIN | CONT, "c");
	expect("T(ab) !1002");
	frame(FIN | TEXT, "a");
	frame(FIN | CONT, "b");
	expect("T(a) !1002");
}

static void
a_new_message_among_fragments_breaks_5_4(void **state)
{
	(void)state;
	frame(MORE | TEXT, "a");
	frame(FIN | TEXT, "b");
	expect("!1002");
	frame(MORE | BINARY, "");
	frame(MORE | TEXT, "b");
	expect("!1002");
}

static void
a_message_is_handed_on_as_it_comes(void **state)
{
	unsigned char data[] = { MORE | TEXT, MASKED | 100, 0, 0, 0, 0, 'a', 'b' };
	struct span in = { data, sizeof(data) };
	struct piece piece;
	struct ws ws;

	(void)state;
	ws_init(&ws, 0, NULL);
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_PIECE);
	assert_true(piece.first && !piece.last && piece.bytes.len == 2);
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_MORE);
	ws_clear(&ws);
}

/* ---- 5.5: control frames ---- */

static void
a_control_frame_of_125_bytes_is_whole_5_5(void **state)
{
	char payload[WS_CONTROL_MAX + 1] = { 0 };
	char story[64];

	(void)state;
	memset(payload, 'p', WS_CONTROL_MAX);
	frame(FIN | PING, payload);
	frame(FIN | PONG, payload);
	snprintf(story, sizeof(story), "P(125 bytes %08x) O(125 bytes %08x)", hash_of((unsigned char *)payload, 125),
		hash_of((unsigned char *)payload, 125));
	expect(story);
}

static void
a_longer_control_frame_breaks_5_5(void **state)
{
	char payload[127] = { 0 };

	(void)state;
	memset(payload, 'p', 126);
	for (unsigned opcode = CLOSE; opcode <= PONG; opcode++) {
		frame(FIN | opcode, payload);
		expect("!1002");
		BYTES((unsigned char)(FIN | opcode), MASKED | 127);
		expect("!1002");
	}
}

static void
a_fragmented_control_frame_breaks_5_5(void **state)
{
	(void)state;
	for (unsigned opcode = CLOSE; opcode <= PONG; opcode++) {
		frame(MORE | TEXT, "a");
		frame(MORE | opcode, "");
		expect("!1002");
	}
}

static void
frames_after_close_are_ignored_5_5_1(void **state)
{
	(void)state;
	frame(MORE | TEXT, "a");
	close_frame(1000, "bye");
	frame(FIN | CONT, "b");
	frame(FIN | PING, "still here");
	BYTES(0xff, 0xff, 0xff); /* nor is it judged */
	expect("C(03e8 bye)");
}

static void
after_a_break_nothing_is_read(void **state)
{
	unsigned char bad[] = { 0xff, 0xff }, good[] = { FIN | TEXT, MASKED, 0, 0, 0, 0 };
	struct span in = { bad, sizeof(bad) };
	struct piece piece;
	struct ws ws;

	(void)state;
	ws_init(&ws, 0, NULL);
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_BROKEN);
	in = (struct span){ good, sizeof(good) };
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_BROKEN);
	assert_int_equal(in.len, 0);
	assert_true(ws.closed);
	ws_clear(&ws);
}

/* ---- 5.5.1, 7.4: Close payloads ---- */

static void
an_empty_close_has_no_code_5_5_1(void **state)
{
	(void)state;
	frame(FIN | CLOSE, "");
	expect("C()");
}

static void
a_close_of_one_byte_breaks_5_5_1(void **state)
{
	(void)state;
	frame(FIN | CLOSE, "\x03");
	expect("!1002");
}

static void
close_codes_are_judged_7_4(void **state)
{
	(void)state;
	for (unsigned code = 0; code <= 65535; code += code < 5100 ? 1 : 997) {
		bool valid = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
		unsigned char data[] = { FIN | CLOSE, MASKED | 2, 0, 0, 0, 0, (unsigned char)(code >> 8), (unsigned char)code };
		struct span in = { data, sizeof(data) };
		struct piece piece;
		struct ws ws;

		assert_int_equal(ws_close_code_is_valid((uint16_t)code), valid);
		ws_init(&ws, 0, NULL);
		assert_int_equal(ws_read(&ws, &in, NULL, &piece), valid ? WS_PIECE : WS_BROKEN);
		assert_int_equal(ws.fault_code, valid ? 0 : WS_CLOSE_PROTOCOL);
		ws_clear(&ws);
	}
}

static void
a_close_reason_must_be_utf8_5_5_1(void **state)
{
	(void)state;
	close_frame(1000, "gr\xc3\xbc\xc3\x9f");
	expect("C(03e8 gr<c3><bc><c3><9f>)");
	close_frame(1000, "\xff");
	expect("!1007");
	close_frame(1000, "cut \xe2\x82");
	expect("!1007");
	close_frame(1005, "\xff");
	expect("!1002");
}

/* ---- 8.1: UTF-8 ---- */

static void
text_is_checked_across_frames_8_1(void **state)
{
	(void)state;
	frame(MORE | TEXT, "\xe2");
	frame(MORE | CONT, "\x82");
	frame(FIN | PING, "\xff"); /* between the bytes of a code point, and no text */
	frame(FIN | CONT, "\xac");
	expect("P(<ff>) T(<e2><82><ac>)");
}

static void
text_that_is_not_utf8_breaks_8_1(void **state)
{
	static const char *const wrong[] = { "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x28\xa1",
		"abc\xf8xyz" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		frame(FIN | TEXT, "ok");
		frame(FIN | TEXT, wrong[i]);
		frame(FIN | TEXT, "never");
		expect("T(ok) !1007");
	}
}

static void
text_must_not_end_in_a_code_point_8_1(void **state)
{
	(void)state;
	frame(FIN | TEXT, "a\xe2\x82");
	expect("!1007");
	frame(MORE | TEXT, "a\xe2\x82");
	frame(FIN | CONT, "");
	expect("!1007");
	frame(MORE | TEXT, "a\xe2\x82");
	frame(FIN | CONT, "\xac");
	frame(FIN | TEXT, "\xe2\x82\xac"); /* the state begins anew */
	expect("T(a<e2><82><ac>) T(<e2><82><ac>)");
}

static void
wrong_text_breaks_before_its_frame_ends_8_1(void **state)
{
	(void)state;
	/* 100 bytes are declared; the second that comes is wrong already */
	BYTES(MORE | TEXT, MASKED | 100, 0, 0, 0, 0, 0xf4, 0x90);
	expect("!1007");
}

static void
binary_may_be_anything(void **state)
{
	(void)state;
	frame(MORE | BINARY, "\xff\xfe");
	frame(FIN | CONT, "\x80");
	expect("B(<ff><fe><80>)");
}

/* ---- max_message ---- */

static void
a_message_of_just_the_limit_passes(void **state)
{
	(void)state;
	max_message = 10;
	frame(FIN | TEXT, "0123456789");
	frame(MORE | TEXT, "01234");
	frame(FIN | PING, "not counted");
	frame(MORE | CONT, "56789");
	frame(FIN | CONT, "");
	frame(FIN | TEXT, "0123456789");
	expect("T(0123456789) P(not counted) T(0123456789) T(0123456789)");
}

static void
a_message_above_the_limit_is_refused_by_its_header(void **state)
{
	(void)state;
	max_message = 10;
	BYTES(FIN | TEXT, MASKED | 11, 1, 2, 3, 4); /* no payload needed */
	expect("!1009");
	max_message = UINT64_C(16) << 20;
	BYTES(FIN | BINARY, MASKED | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4);
	expect("!1009");
}

static void
fragments_are_counted_together(void **state)
{
	(void)state;
	max_message = 10;
	frame(MORE | TEXT, "01234");
	frame(MORE | CONT, "56789");
	BYTES(FIN | CONT, MASKED | 1, 1, 2, 3, 4);
	expect("!1009");
}

static void
without_a_limit_any_length_is_begun(void **state)
{
	(void)state;
	BYTES(FIN | BINARY, MASKED | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5);
	expect("");
}

/* ---- RFC 7692: compressed messages ---- */

#define PACKED(first, ...) frame_of(first, (const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ }))

#define HELLO 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00

static void
agree(void)
{
	terms = (struct deflate_terms){ .agreed = true, .server_takeover = true, .client_takeover = true };
}

static void
the_examples_of_7_2_3_are_read(void **state)
{
	(void)state;
	agree();
	PACKED(FIN | RSV1 | TEXT, HELLO);
	PACKED(FIN | RSV1 | TEXT, 0xf2, 0x00, 0x11, 0x00, 0x00); /* refers to the first */
	PACKED(MORE | RSV1 | TEXT, 0xf2, 0x48, 0xcd);
	PACKED(FIN | CONT, 0xc9, 0xc9, 0x07, 0x00);
	PACKED(FIN | RSV1 | TEXT, 0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00);
	PACKED(FIN | RSV1 | TEXT, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00); /* its stream ends, and another begins */
	PACKED(FIN | RSV1 | TEXT, 0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00);
	PACKED(FIN | RSV1 | BINARY, 0x00);
	expect("T(Hello) T(Hello) T(Hello) T(Hello) T(Hello) T(Hello) B()");
}

static void
the_window_outlives_the_end_of_a_stream_7_2_3_5(void **state)
{
	(void)state;
	agree();
	PACKED(FIN | RSV1 | TEXT, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00);
	PACKED(FIN | RSV1 | TEXT, 0xf2, 0x00, 0x11, 0x00, 0x00);
	expect("T(Hello) T(Hello)");
}

static void
without_takeover_nothing_is_remembered_7_1_1_2(void **state)
{
	(void)state;
	agree();
	terms.client_takeover = false;
	PACKED(FIN | RSV1 | TEXT, HELLO);
	PACKED(FIN | RSV1 | TEXT, HELLO);
	PACKED(FIN | RSV1 | TEXT, 0xf2, 0x00, 0x11, 0x00, 0x00);
	expect("T(Hello) T(Hello) !1007");
}

static void
plain_messages_and_control_frames_may_stand_between_6(void **state)
{
	(void)state;
	agree();
	PACKED(FIN | RSV1 | TEXT, HELLO);
	frame(FIN | TEXT, "plain");
	PACKED(MORE | RSV1 | TEXT, 0xf2, 0x00);
	frame(FIN | PING, "p");
	frame(MORE | CONT, "");
	PACKED(FIN | CONT, 0x11, 0x00, 0x00);
	close_frame(1000, "bye");
	expect("T(Hello) T(plain) P(p) T(Hello) C(03e8 bye)");
}

static void
rsv1_stands_on_the_first_frame_alone_6(void **state)
{
	(void)state;
	agree();
	PACKED(MORE | RSV1 | TEXT, 0xf2, 0x48, 0xcd);
	PACKED(FIN | RSV1 | CONT, 0xc9, 0xc9, 0x07, 0x00);
	expect("!1002");
	frame(MORE | TEXT, "a");
	frame(FIN | RSV1 | CONT, "b");
	expect("!1002");
	frame(FIN | RSV1 | PING, "p");
	expect("!1002");
	frame(FIN | RSV1 | CLOSE, "");
	expect("!1002");
	PACKED(FIN | RSV1 | RSV2 | TEXT, HELLO);
	expect("!1002");
	PACKED(FIN | RSV3 | TEXT, HELLO);
	expect("!1002");
}

static void
rsv1_breaks_if_nothing_was_agreed_upon_6(void **state)
{
	(void)state;
	PACKED(FIN | RSV1 | TEXT, HELLO);
	expect("!1002");
}

static void
corrupt_data_breaks(void **state)
{
	(void)state;
	agree();
	PACKED(FIN | RSV1 | BINARY, 0xff, 0xff); /* a reserved kind of block */
	expect("!1007");
	PACKED(FIN | RSV1 | BINARY, 0xf2, 0x00, 0x11, 0x00, 0x00); /* refers to what is not there */
	expect("!1007");
	PACKED(FIN | RSV1 | BINARY, 0x00, 0x05, 0x00, 0xfa, 0xfe, 0x48); /* a length that is not its complement */
	expect("!1007");
}

/* Else the next message would be read as the rest of this one. */
static void
a_message_ends_where_a_block_ends_7_2_1(void **state)
{
	(void)state;
	agree();
	PACKED(FIN | RSV1 | BINARY, 0xf2, 0x48, 0xcd, 0xc9);
	expect("!1007");
	PACKED(FIN | RSV1 | BINARY, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00); /* without an empty block behind it */
	expect("!1007");
	frame(FIN | RSV1 | BINARY, "");
	expect("!1007");
	PACKED(FIN | RSV1 | BINARY, HELLO, 0x00, 0x00, 0xff,
		0xff); /* with the tail that is to be cut off, but no block before ours */
	expect("!1007");
}

/* A block of four bytes that are not there: the letter of 7.2.2 puts them there, one at a time where there is no more room. */
static void
the_tail_is_read_as_if_it_had_come_7_2_2(void **state)
{
	(void)state;
	agree();
	PACKED(FIN | RSV1 | BINARY, 0x00, 0x04, 0x00, 0xfb, 0xff);
	PACKED(FIN | RSV1 | TEXT, HELLO);
	expect("B(<00><00><ff><ff>) T(Hello)");
}

static void
text_is_checked_as_it_is_inflated(void **state)
{
	(void)state;
	agree();
	PACKED(FIN | RSV1 | TEXT, 0x00, 0x02, 0x00, 0xfd, 0xff, 0xc3, 0xa4, 0x00);
	PACKED(FIN | RSV1 | TEXT, 0x00, 0x02, 0x00, 0xfd, 0xff, 0xc3, 0x28, 0x00);
	expect("T(<c3><a4>) !1007");
	PACKED(FIN | RSV1 | TEXT, 0x00, 0x01, 0x00, 0xfe, 0xff, 0xc3, 0x00); /* cut */
	expect("!1007");
	PACKED(MORE | RSV1 | TEXT, 0x00, 0x02, 0x00, 0xfd, 0xff, 0xff, 0xff); /* at once, not at the end */
	expect("!1007");
}

static void
a_compressed_message_is_as_big_as_what_it_becomes(void **state)
{
	(void)state;
	agree();
	max_message = 5;
	PACKED(FIN | RSV1 | TEXT, HELLO);
	PACKED(FIN | RSV1 | TEXT, 0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f,
		0x00); /* more bytes, but no more of them */
	frame(FIN | TEXT, "12345");
	expect("T(Hello) T(Hello) T(12345)");
	max_message = 4;
	PACKED(FIN | RSV1 | TEXT, HELLO);
	expect("!1009");
	max_message = 9;
	PACKED(MORE | RSV1 | TEXT, HELLO, 0x00, 0x00, 0xff, 0xff);
	PACKED(FIN | CONT, HELLO);
	expect("!1009");
}

/* How much is done at a time is what ROOM allows, whatever a few bytes may become. */
static void
a_room_bounds_what_comes_of_a_few_bytes(void **state)
{
	enum { ZEROS = 1 << 20, ROOM = 1000 };
	static unsigned char zeros[DEFLATE_SLICE], packed[2 * DEFLATE_SLICE];
	struct span in;
	struct piece piece;
	struct deflate *d;
	struct ws ws;
	size_t total = 0, len = 0;
	unsigned char room[ROOM];

	(void)state;
	agree();
	d = new_deflate();
	assert_true(deflate_begin(d, SIZE_MAX));
	for (size_t i = 0; i < ZEROS / sizeof(zeros); i++)
		len += deflate_pack(d, (struct span){ zeros, sizeof(zeros) }, i == ZEROS / sizeof(zeros) - 1, packed + len);
	deflate_free(d);
	frame_of(FIN | RSV1 | BINARY, packed, len);
	in = buf_span(&wire);
	ws_init(&ws, 0, new_deflate());
	for (bool ended = false; !ended;) {
		struct span rest = { room, ROOM };

		while (ws_read(&ws, &in, &rest, &piece) == WS_PIECE) {
			assert_in_range(piece.bytes.len, piece.last ? 0 : 1, ROOM);
			total += piece.bytes.len;
			ended = piece.last;
		}
		assert_true(ended || rest.len == 0);
	}
	assert_int_equal(total, ZEROS);
	ws_clear(&ws);
}

/* ---- what we send ---- */

static struct gather out;

static void
write_piece(struct ws *ws, enum message_kind kind, bool first, bool last, const char *payload)
{
	struct piece piece = { kind, first, last, { (unsigned char *)(uintptr_t)payload, strlen(payload) } };

	assert_true(ws_write(ws, &piece, &out));
}

static void
expect_out(const void *data, size_t len)
{
	size_t at = 0;

	assert_int_equal(gather_close(&out), len);
	for (int i = 0; i < out.count; i++) {
		assert_memory_equal(out.vec[i].iov_base, (const char *)data + at, out.vec[i].iov_len);
		at += out.vec[i].iov_len;
	}
	assert_int_equal(at, len);
	gather_reset(&out);
}

static void
pieces_leave_as_frames_5_4(void **state)
{
	struct ws ws;

	(void)state;
	ws_init(&ws, 0, NULL);
	gather_reset(&out);
	write_piece(&ws, MESSAGE_TEXT, true, true, "Hello");
	assert_false(ws.out_open);
	expect_out("\x81\x05Hello", 7);
	write_piece(&ws, MESSAGE_BINARY, true, false, "ab");
	assert_true(ws.out_open);
	write_piece(&ws, MESSAGE_PONG, true, true, "p");
	write_piece(&ws, MESSAGE_BINARY, false, false, "");
	write_piece(&ws, MESSAGE_BINARY, false, false, "c");
	write_piece(&ws, MESSAGE_BINARY, false, true, "");
	assert_false(ws.out_open);
	expect_out("\x02\x02"
		   "ab\x8a\x01p\x00\x01"
		   "c\x80\x00",
		12);
	write_piece(&ws, MESSAGE_TEXT, true, true, "");
	expect_out("\x81\x00", 2);
	ws_clear(&ws);
}

static void
small_messages_leave_side_by_side(void **state)
{
	struct ws ws;

	(void)state;
	ws_init(&ws, 0, NULL);
	gather_reset(&out);
	for (int i = 0; i < 100; i++)
		write_piece(&ws, MESSAGE_TEXT, true, true, "tick");
	assert_int_equal(gather_close(&out), 600);
	assert_int_equal(out.count, 1);
	gather_reset(&out);
	ws_clear(&ws);
}

static void
lengths_leave_in_their_shortest_form_5_2(void **state)
{
	static const struct {
		size_t len;
		size_t header_len;
		unsigned char header[WS_HEADER_MAX];
	} cases[] = {
		{ 125, 2, { 0x82, 125 } },
		{ 126, 4, { 0x82, 126, 0, 126 } },
		{ 1024, 4, { 0x82, 126, 4, 0 } },
		{ 1025, 4, { 0x82, 126, 4, 1 } },
		{ 65535, 4, { 0x82, 126, 0xff, 0xff } },
		{ 65536, 10, { 0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0 } },
	};
	static unsigned char whole[WS_HEADER_MAX + 65536], payload[65536];

	(void)state;
	gather_reset(&out);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (unsigned char)(i / 3);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct piece piece = { MESSAGE_BINARY, true, true, { payload, cases[i].len } };
		struct ws ws;

		ws_init(&ws, 0, NULL);
		assert_true(ws_write(&ws, &piece, &out));
		memcpy(whole, cases[i].header, cases[i].header_len);
		memcpy(whole + cases[i].header_len, payload, cases[i].len);
		expect_out(whole, cases[i].header_len + cases[i].len);
		ws_clear(&ws);
	}
}

static void
compressed_messages_leave_as_the_rfc_writes_them_7_2_3(void **state)
{
	struct ws ws;

	(void)state;
	agree();
	ws_init(&ws, 0, new_deflate());
	gather_reset(&out);
	write_piece(&ws, MESSAGE_TEXT, true, true, "Hello");
	expect_out("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", 9);
	write_piece(&ws, MESSAGE_TEXT, true, true, "Hello");
	expect_out("\xc1\x05\xf2\x00\x11\x00\x00", 7);
	write_piece(&ws, MESSAGE_TEXT, true, true, "Hell"); /* below the threshold */
	expect_out("\x81\x04Hell", 6);
	write_piece(&ws, MESSAGE_PONG, true, true, "pong!");
	expect_out("\x8a\x05pong!", 7);
	ws_clear(&ws);
}

static void
what_is_not_to_be_remembered_is_forgotten_7_1_1_1(void **state)
{
	struct ws ws;

	(void)state;
	agree();
	terms.server_takeover = false;
	ws_init(&ws, 0, new_deflate());
	gather_reset(&out);
	for (int i = 0; i < 2; i++) {
		write_piece(&ws, MESSAGE_TEXT, true, true, "Hello");
		expect_out("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", 9);
		assert_null(ws.deflate->packer);
	}
	ws_clear(&ws);
}

/* Nobody knows how long it will be; so it is compressed, and may be as short as nothing. */
static void
a_message_in_pieces_is_one_compressed_message(void **state)
{
	struct ws ws;

	(void)state;
	agree();
	ws_init(&ws, 0, new_deflate());
	gather_reset(&out);
	write_piece(&ws, MESSAGE_BINARY, true, false, "He");
	assert_true(ws.out_open);
	write_piece(&ws, MESSAGE_PONG, true, true, "");
	write_piece(&ws, MESSAGE_BINARY, false, false, "");
	write_piece(&ws, MESSAGE_BINARY, false, true, "");
	assert_false(ws.out_open);
	expect_out("\x42\x08\xf2\x48\x05\x00\x00\x00\xff\xff"
		   "\x8a\x00\x80\x01\x00",
		15);
	write_piece(&ws, MESSAGE_TEXT, true, false, "");
	write_piece(&ws, MESSAGE_TEXT, false, true, "");
	expect_out("\x41\x00\x80\x01\x00", 5);
	ws_clear(&ws);
}

/* All that OUT holds, as the server's frames, becomes a client's: then ws_read() can tell what they say. */
static void
send_back(void)
{
	static unsigned char flat[GATHER_ARENA];
	struct span rest = { flat, 0 };

	gather_close(&out);
	for (int i = 0; i < out.count; i++) {
		memcpy(flat + rest.len, out.vec[i].iov_base, out.vec[i].iov_len);
		rest.len += out.vec[i].iov_len;
	}
	gather_reset(&out);
	while (rest.len > 0) {
		size_t len = rest.data[1], header = 2;

		if (len == 126) {
			len = (size_t)rest.data[2] << 8 | rest.data[3];
			header = 4;
		} else if (len == 127) {
			len = (size_t)rest.data[7] << 16 | (size_t)rest.data[8] << 8 | rest.data[9];
			header = 10;
		}
		frame_of(rest.data[0], rest.data + header, len);
		span_skip(&rest, header + len);
	}
}

static void
a_full_gather_is_sent_and_the_rest_follows(void **state)
{
	enum { LEN = 5 * GATHER_ARENA / 2 };
	unsigned char *noise = malloc(LEN);
	struct piece piece = { MESSAGE_BINARY, true, true, { noise, LEN } };
	int fulls = 0;
	char story[64];
	struct ws ws;

	(void)state;
	agree();
	assert_non_null(noise);
	for (size_t i = 0; i < LEN; i++)
		noise[i] = (unsigned char)rand();
	ws_init(&ws, 0, new_deflate());
	gather_reset(&out);
	for (; !ws_write(&ws, &piece, &out); fulls++)
		send_back();
	send_back();
	assert_in_range(fulls, 2, 3);
	assert_false(ws.out_open);
	ws_clear(&ws);
	snprintf(story, sizeof(story), "B(%d bytes %08x)", LEN, hash_of(noise, LEN));
	expect(story);
	free(noise);
}

static void
a_ping_is_two_bytes_and_its_payload_5_5_2(void **state)
{
	unsigned char frame_out[2 + WS_CONTROL_MAX];
	unsigned char payload[WS_CONTROL_MAX];

	(void)state;
	memset(payload, 'x', sizeof(payload));
	assert_int_equal(ws_control(MESSAGE_PING, "ab", 2, frame_out), 4);
	assert_memory_equal(frame_out,
		"\x89\x02"
		"ab",
		4);
	assert_int_equal(ws_control(MESSAGE_PONG, NULL, 0, frame_out), 2);
	assert_memory_equal(frame_out, "\x8a\x00", 2);
	assert_int_equal(ws_control(MESSAGE_PONG, payload, sizeof(payload), frame_out), sizeof(frame_out));
	assert_memory_equal(frame_out + 2, payload, sizeof(payload));
}

static void
expect_close(uint16_t code, const char *reason, const char *story)
{
	unsigned char sent[2 + WS_CONTROL_MAX];
	size_t len = ws_close_frame(code, reason, strlen(reason), sent);

	assert_in_range(len, 2, sizeof(sent));
	assert_int_equal(sent[1], len - 2);
	frame_of(sent[0], sent + 2, len - 2); /* as a client would send it, so that our own reader is the judge */
	expect(story);
}

static void
a_close_tells_code_and_reason_5_5_1(void **state)
{
	(void)state;
	expect_close(WS_CLOSE_NORMAL, "", "C(03e8)");
	expect_close(WS_CLOSE_INTERNAL, "exit 3", "C(03f3 exit 3)");
	expect_close(WS_CLOSE_NO_CODE, "unsaid", "C()");
	expect_close(WS_CLOSE_ABNORMAL, "x", "C(03f3 x)");
	expect_close(0, "x", "C(03f3 x)");
	expect_close(4999, "x", "C(1387 x)");
}

static void
a_close_reason_is_made_utf8_5_5_1(void **state)
{
	(void)state;
	expect_close(1000,
		"a\xff\xff"
		"b\xe2\x82"
		"c",
		"C(03e8 a??b?c)");
	expect_close(1000, "end \xe2\x82", "C(03e8 end ?)");
	expect_close(1000, "\x80", "C(03e8 ?)");
}

static void
a_long_close_reason_is_cut_at_a_code_point_5_5_1(void **state)
{
	(void)state;
	for (size_t plain = WS_REASON_MAX - 5; plain <= WS_REASON_MAX + 2; plain++) {
		/* the code point of three bytes fits whole, with some of the tail behind it, or not at all */
		size_t kept = plain + 3 <= WS_REASON_MAX || plain > WS_REASON_MAX ? WS_REASON_MAX : plain;
		char reason[WS_REASON_MAX + 20] = { 0 };
		char story[64];

		memset(reason, 'r', plain);
		memcpy(reason + plain,
			"\xe2\x82\xac"
			"tail......",
			13);
		snprintf(story, sizeof(story), "C(03e8 %zu bytes %08x)", kept, hash_of((unsigned char *)reason, kept));
		expect_close(1000, reason, story);
	}
}

static void
a_close_reason_of_noise_never_overflows(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		unsigned char sent[2 + WS_CONTROL_MAX];
		char reason[300];
		size_t reason_len = (size_t)(rand() % 300), len;

		for (size_t at = 0; at < reason_len; at++)
			reason[at] = (char)(rand() % 3 ? 0xc0 + rand() % 64 : 0x80 + rand() % 64);
		len = ws_close_frame(1000, reason, reason_len, sent);
		assert_in_range(len, 4, sizeof(sent));
		frame_of(sent[0], sent + 2, len - 2);
		assert_memory_equal(story_of(SIZE_MAX, 65536), "C(03e8", 6);
		buf_clear(&wire);
	}
}

/* ---- all together ---- */

static void
random_frame(bool *open)
{
	static char payload[1000];
	unsigned opcode = (unsigned)(rand() % 10);
	size_t len = (size_t)(rand() % (rand() % 4 ? 20 : (int)sizeof(payload)));

	memset(payload, 'a' + rand() % 26, len);
	if (opcode >= 8) {
		frame_of(FIN | (PING + opcode % 2), payload, len % 126);
		return;
	}
	opcode = *open ? CONT : opcode % 2 ? TEXT : BINARY;
	*open = rand() % 2;
	frame_of((*open ? MORE : FIN) | opcode, payload, len);
}

static void
any_cut_gives_the_same_messages(void **state)
{
	(void)state;
	for (int round = 0; round < 30; round++) {
		char story[STORY_MAX];
		bool open = false;

		for (int i = 0; i < 40; i++)
			random_frame(&open);
		close_frame(1000, "");
		snprintf(story, sizeof(story), "%s", story_of(SIZE_MAX, 65536));
		assert_non_null(strstr(story, "C(03e8)"));
		expect(story);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_examples_of_5_7_are_read),
		CASE(empty_messages_are_messages),
		CASE(each_reserved_bit_breaks_5_2),
		CASE(reserved_opcodes_break_5_2),
		CASE(an_unmasked_frame_breaks_5_1),
		CASE(two_bytes_are_enough_to_refuse),
		CASE(every_length_is_read_5_2),
		CASE(a_length_not_in_its_shortest_form_breaks_5_2),
		CASE(a_length_with_the_highest_bit_breaks_5_2),
		CASE(any_mask_is_taken_off_5_3),
		CASE(unmasking_is_the_same_as_byte_by_byte),
		CASE(unmasking_tells_whether_all_is_ascii),
		CASE(a_frame_that_lies_whole_is_not_copied),
		CASE(a_cut_control_frame_leaves_no_memory_behind),
		CASE(fragments_are_one_message_5_4),
		CASE(empty_fragments_count_for_nothing_5_4),
		CASE(control_frames_come_between_fragments_5_4),
		CASE(a_continuation_of_nothing_breaks_5_4),
		CASE(a_new_message_among_fragments_breaks_5_4),
		CASE(a_message_is_handed_on_as_it_comes),
		CASE(a_control_frame_of_125_bytes_is_whole_5_5),
		CASE(a_longer_control_frame_breaks_5_5),
		CASE(a_fragmented_control_frame_breaks_5_5),
		CASE(frames_after_close_are_ignored_5_5_1),
		CASE(after_a_break_nothing_is_read),
		CASE(an_empty_close_has_no_code_5_5_1),
		CASE(a_close_of_one_byte_breaks_5_5_1),
		CASE(close_codes_are_judged_7_4),
		CASE(a_close_reason_must_be_utf8_5_5_1),
		CASE(text_is_checked_across_frames_8_1),
		CASE(text_that_is_not_utf8_breaks_8_1),
		CASE(text_must_not_end_in_a_code_point_8_1),
		CASE(wrong_text_breaks_before_its_frame_ends_8_1),
		CASE(binary_may_be_anything),
		CASE(a_message_of_just_the_limit_passes),
		CASE(a_message_above_the_limit_is_refused_by_its_header),
		CASE(fragments_are_counted_together),
		CASE(without_a_limit_any_length_is_begun),
		CASE(the_examples_of_7_2_3_are_read),
		CASE(the_window_outlives_the_end_of_a_stream_7_2_3_5),
		CASE(without_takeover_nothing_is_remembered_7_1_1_2),
		CASE(plain_messages_and_control_frames_may_stand_between_6),
		CASE(rsv1_stands_on_the_first_frame_alone_6),
		CASE(rsv1_breaks_if_nothing_was_agreed_upon_6),
		CASE(corrupt_data_breaks),
		CASE(a_message_ends_where_a_block_ends_7_2_1),
		CASE(the_tail_is_read_as_if_it_had_come_7_2_2),
		CASE(text_is_checked_as_it_is_inflated),
		CASE(a_compressed_message_is_as_big_as_what_it_becomes),
		CASE(a_room_bounds_what_comes_of_a_few_bytes),
		CASE(pieces_leave_as_frames_5_4),
		CASE(small_messages_leave_side_by_side),
		CASE(lengths_leave_in_their_shortest_form_5_2),
		CASE(compressed_messages_leave_as_the_rfc_writes_them_7_2_3),
		CASE(what_is_not_to_be_remembered_is_forgotten_7_1_1_1),
		CASE(a_message_in_pieces_is_one_compressed_message),
		CASE(a_full_gather_is_sent_and_the_rest_follows),
		CASE(a_ping_is_two_bytes_and_its_payload_5_5_2),
		CASE(a_close_tells_code_and_reason_5_5_1),
		CASE(a_close_reason_is_made_utf8_5_5_1),
		CASE(a_long_close_reason_is_cut_at_a_code_point_5_5_1),
		CASE(a_close_reason_of_noise_never_overflows),
		CASE(any_cut_gives_the_same_messages),
	};

	return cmocka_run_group_tests_name("proto_ws", tests, NULL, NULL);
}
