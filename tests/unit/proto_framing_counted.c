/*
 * framing: those that tell a message's length before it: message, netstring and lsp.
 *
 * Any sequence of messages survives any cut, both ways; what is malformed, or ends too early, is
 * never taken for a message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing_run.h"

enum {
	MEBI = 1 << 20,
	ROUNDS = 200,
};

static const struct setting as_message = { &framing_message, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };
static const struct setting as_netstring = { &framing_netstring, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };
static const struct setting as_lsp = { &framing_lsp, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };

/* DATA is a literal and may hold NULs. */
#define EXPECT(s, data, story) expect_story(&(s), data, sizeof(data) - 1, story)
#define EXPECT_WIRE(c, want) expect_wire(c, want, sizeof(want) - 1)

#define FFFD "<ef><bf><bd>"

/* ---- message: from the backend ---- */

static void
types_and_boundaries_reach_the_client(void **state)
{
	(void)state;
	EXPECT(as_message, "t\0\0\0\5hello", "T(hello)");
	EXPECT(as_message, "t\0\0\0\1\nb\0\0\0\2\xff\0t\0\0\0\0b\0\0\0\0", "T(<0a>)B(<ff><00>)T()B()");
	EXPECT(as_message,
		"b\0\0\0\x1a"
		"abcdefghijklmnopqrstuvwxyzt\0\0\0\1x",
		"B(abcdefghijklmnopqrstuvwxyz)T(x)");
	EXPECT(as_message, "", "");
}

static void
the_backend_chooses_its_close(void **state)
{
	(void)state;
	EXPECT(as_message,
		"t\0\0\0\2ok"
		"c\0\0\0\x0b\x0f\xa0"
		"see you \xc3",
		"T(ok)!");
	EXPECT(as_message,
		"t\0\0\0\2ok"
		"c\0\0\0\x0c\x0f\xa0"
		"see you \xc3\xbc",
		"T(ok)C(<0f><a0>see you <c3><bc>)");
	EXPECT(as_message, "c\0\0\0\2\x03\xe8", "C(<03><e8>)");
	EXPECT(as_message, "c\0\0\0\0t\0\0\0\1x", "C()T(x)");
}

static void
the_backend_may_send_a_pong(void **state)
{
	(void)state;
	EXPECT(as_message, "p\0\0\0\0p\0\0\0\3\xff\0\nt\0\0\0\1x", "P()P(<ff><00><0a>)T(x)");
}

/* Its four bytes of length hold no more. The payload is never looked at. */
static void
a_client_message_of_4_gib_is_too_big(void **state)
{
	static struct gather out;
	unsigned char some[1];
	struct piece piece = { .kind = MESSAGE_BINARY, .bytes = { some, (size_t)UINT32_MAX + 1 }, .first = true, .last = true };
	struct run r;

	(void)state;
	run_begin(&r, &as_message);
	assert_int_equal(framing_message.write(&r.f, &piece, &out), 1009);
	assert_string_equal(r.f.fault, "longer than the backend can be told");
	assert_true(gather_is_empty(&out));
	run_clear(&r);
}

static void
a_control_message_may_be_longer_than_the_input(void **state)
{
	unsigned char wire[5 + 125] = { 'p', 0, 0, 0, 125 };
	struct run r;

	(void)state;
	memset(wire + 5, 'x', 125);
	for (size_t capacity = FRAMING_FULL_MIN; capacity < 200; capacity++) {
		run_begin(&r, &as_message);
		r.capacity = capacity;
		r.portion = capacity;
		run_bytes(&r, wire, sizeof(wire));
		assert_int_equal(buf_len(&r.story), strlen("P()") + 125);
		run_clear(&r);
	}
}

static void
text_that_is_none_is_dealt_with_as_the_route_says(void **state)
{
	const struct setting binary = { &framing_message, MESSAGE_TYPE_BY_FRAMING, UTF8_BINARY, 0 };
	const struct setting close = { &framing_message, MESSAGE_TYPE_BY_FRAMING, UTF8_CLOSE, 0 };
	static const char data[] = "t\0\0\0\3a\xff"
				   "bt\0\0\0\2\xe2\x82t\0\0\0\1c";

	(void)state;
	EXPECT(as_message,
		"t\0\0\0\3a\xff"
		"bt\0\0\0\2\xe2\x82t\0\0\0\1c",
		"T(a" FFFD "b)T(" FFFD ")T(c)");
	expect_with(&binary, 64, 1, data, sizeof(data) - 1, "B(a<ff>b)B(<e2><82>)T(c)");
	expect_with(&binary, 64, 64, data, sizeof(data) - 1, "B(a<ff>b)B(<e2><82>)T(c)");
	expect_story(&close, data, sizeof(data) - 1, "!");
	EXPECT(close, "b\0\0\0\1\xfft\0\0\0\2\xe2\x82t\0\0\0\1\xac", "B(<ff>)!");
}

static void
the_route_may_overrule_the_type(void **state)
{
	const struct setting binary = { &framing_message, MESSAGE_TYPE_BINARY, UTF8_CLOSE, 0 };

	(void)state;
	EXPECT(binary,
		"t\0\0\0\1\xff"
		"b\0\0\0\1x",
		"B(<ff>)B(x)");
}

static void
an_unknown_type_breaks_at_its_first_byte(void **state)
{
	(void)state;
	EXPECT(as_message, "hello\n", "!");
	EXPECT(as_message, "T\0\0\0\1x", "!");
	EXPECT(as_message, "\0", "!");
	EXPECT(as_message, "t\0\0\0\1x\n", "T(x)!");
	EXPECT(as_message, "i\0\0\0\0", "!"); /* a ping is not the backend's to send */
}

static void
a_bad_control_message_breaks(void **state)
{
	(void)state;
	EXPECT(as_message, "p\0\0\0\x7e", "!");
	EXPECT(as_message, "c\0\0\1\0", "!");
	EXPECT(as_message, "p\xff\xff\xff\xff", "!");
	EXPECT(as_message, "c\0\0\0\1\x03", "!");
	EXPECT(as_message, "c\0\0\0\2\x03\xed", "!"); /* 1005 */
	EXPECT(as_message, "c\0\0\0\2\x03\xee", "!"); /* 1006 */
	EXPECT(as_message, "c\0\0\0\2\0\0", "!");
	EXPECT(as_message, "c\0\0\0\2\x13\x88", "!"); /* 5000 */
	EXPECT(as_message, "c\0\0\0\3\x03\xe8\xff", "!");
}

/* Where the output ends must not decide what a close says. */
static void
a_control_message_that_is_not_all_there_breaks(void **state)
{
	(void)state;
	EXPECT(as_message, "p\0\0\0\3", "!");
	EXPECT(as_message, "t\0\0\0\1xp\0\0\0\3ab", "T(x)!");
	EXPECT(as_message, "c\0\0\0\4\x03\xe8o", "!");
}

/* ---- netstring: from the backend ---- */

static void
netstrings_are_messages(void **state)
{
	(void)state;
	EXPECT(as_netstring, "5:hello,0:,2:\n,,", "T(hello)T()T(<0a>,)");
	EXPECT(as_netstring, "26:abcdefghijklmnopqrstuvwxyz,3:\xe2\x82\xac,10:0123456789,",
		"T(abcdefghijklmnopqrstuvwxyz)T(<e2><82><ac>)T(0123456789)");
	EXPECT(as_netstring, "8:01234567,7:0123456,9:012345678,", "T(01234567)T(0123456)T(012345678)");
	EXPECT(as_netstring, "2:a\xff,2:\xe2\x82,", "T(a" FFFD ")T(" FFFD ")");
	EXPECT(as_netstring, "", "");
}

static void
a_malformed_netstring_breaks(void **state)
{
	(void)state;
	EXPECT(as_netstring, "hello\n", "!");
	EXPECT(as_netstring, ":,", "!");
	EXPECT(as_netstring, "05:hello,", "!");
	EXPECT(as_netstring, "00:,", "!");
	EXPECT(as_netstring, "+5:hello,", "!");
	EXPECT(as_netstring, "-1:", "!");
	EXPECT(as_netstring, " 5:hello,", "!");
	EXPECT(as_netstring, "5 :hello,", "!");
	EXPECT(as_netstring, "5;hello,", "!");
	EXPECT(as_netstring, "0x5:hello,", "!");
	EXPECT(as_netstring, "1:x,\n1:y,", "T(x)!");
	EXPECT(as_netstring, "18446744073709551616:x,", "!");
	EXPECT(as_netstring, "99999999999999999999999999999999:x,", "!");
}

static void
a_length_that_is_wrong_breaks(void **state)
{
	(void)state;
	EXPECT(as_netstring, "4:hello,", "!");
	EXPECT(as_netstring, "1:\xc3\xbc,", "!"); /* characters were counted */
	EXPECT(as_netstring, "6:hello,", "!");
	EXPECT(as_netstring, "0:x", "!");
	EXPECT(as_netstring, "20:01234567890123456789\n", "!");
}

/* ---- lsp: from the backend ---- */

static void
content_length_tells_where_a_message_ends(void **state)
{
	(void)state;
	EXPECT(as_lsp, "Content-Length: 5\r\n\r\nhelloContent-Length: 0\r\n\r\nContent-Length: 2\r\n\r\n\r\n",
		"T(hello)T()T(<0d><0a>)");
	EXPECT(as_lsp, "Content-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz", "T(abcdefghijklmnopqrstuvwxyz)");
	EXPECT(as_lsp, "", "");
}

static void
other_headers_and_other_case_are_fine(void **state)
{
	(void)state;
	EXPECT(as_lsp, "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-LENGTH:1 \r\n\r\nx", "T(x)");
	EXPECT(as_lsp, "Content-Length: \t 1\r\nContent-Lengthy: 7\r\nContent: 8\r\nX:\r\n\r\nx", "T(x)");
	EXPECT(as_lsp, "Content-Length: 007\r\n\r\n1234567", "T(1234567)");
}

static void
a_malformed_header_breaks(void **state)
{
	(void)state;
	EXPECT(as_lsp, "hello\n", "!");
	EXPECT(as_lsp, "{\"jsonrpc\":\"2.0\"}", "!");
	EXPECT(as_lsp, "Content-Length: 5\n\nhello", "!");
	EXPECT(as_lsp, "Content-Type: x\nContent-Length: 5\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Type: x\rContent-Length: 5\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length: 5\r\rhello", "!");
	EXPECT(as_lsp, "Content-Length: 5\r\n\rhello", "!");
	EXPECT(as_lsp, "Content-Length: 5\r\n\nhello", "!");
	EXPECT(as_lsp, "Content-Length 5\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length : 5\r\n\r\nhello", "!");
	EXPECT(as_lsp, " Content-Length: 5\r\n\r\nhello", "!");
	EXPECT(as_lsp, ": 5\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length: -5\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length: 0x5\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length: 5 5\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length: \r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length:\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length: 99999999999999999999999\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length: 1\r\n\r\nx\r\nContent-Length: 1\r\n\r\nx", "T(x)!");
	EXPECT(as_lsp, "Caf\xc3\xa9: 5\r\n\r\n", "!");
}

static void
the_length_must_be_there_once(void **state)
{
	(void)state;
	EXPECT(as_lsp, "\r\nhello", "!");
	EXPECT(as_lsp, "Content-Type: x\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "!");
	EXPECT(as_lsp, "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "!");
}

/* A header of LEN bytes, and one byte of payload. */
static void
expect_header_of(size_t len, const char *story)
{
	static const char tail[] = "\r\nContent-Length: 1\r\n\r\nx";
	char wire[4200] = "X: ";

	memset(wire + 3, 'y', len);
	memcpy(wire + len + 1 - strlen(tail), tail, strlen(tail));
	expect_with(&as_lsp, 64, 64, wire, len + 1, story);
	expect_with(&as_lsp, 8192, 8192, wire, len + 1, story);
}

static void
a_header_without_end_breaks(void **state)
{
	(void)state;
	expect_header_of(4096, "T(x)");
	expect_header_of(4097, "!");
}

/* ---- all of them ---- */

static const struct setting *const all[] = { &as_message, &as_netstring, &as_lsp };

enum { COUNT = sizeof(all) / sizeof(all[0]) };

static size_t
random_payload(unsigned char *payload, size_t max)
{
	static const char *const parts[] = { "a", "line\n", "12:", ",", "\r\n", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"t" };
	size_t len = 0;

	for (size_t n = (size_t)rand() % max; n > 0; n--) {
		const char *part = parts[(size_t)rand() % (sizeof(parts) / sizeof(parts[0]))];

		memcpy(payload + len, part, strlen(part));
		len += strlen(part);
	}
	return len;
}

/* What a client says, told and as the backend gets it; where each message ends in both. */
struct dialogue {
	struct client client;
	struct buf story;
	size_t count;
	size_t wire_end[12], story_end[12];
};

static void
dialogue_begin(struct dialogue *d, const struct setting *s, size_t max)
{
	bool typed = s->ops == &framing_message;

	memset(d, 0, sizeof(*d));
	client_begin(&d->client, s);
	for (d->count = 0; d->count < 1 + (size_t)rand() % 12; d->count++) {
		unsigned char payload[4096];
		size_t len = random_payload(payload, max);
		bool binary = typed && rand() % 2;

		assert_int_equal(client_says(&d->client, binary ? MESSAGE_BINARY : MESSAGE_TEXT, payload, len), 0);
		client_flush(&d->client);
		tell_message(&d->story, binary ? 'B' : 'T', payload, len);
		d->wire_end[d->count] = buf_len(&d->client.wire);
		d->story_end[d->count] = buf_len(&d->story);
	}
	buf_append(&d->story, "", 1);
}

static void
dialogue_end(struct dialogue *d)
{
	buf_clear(&d->story);
	client_end(&d->client);
}

static void
any_messages_come_back_from_any_cut(void **state)
{
	struct dialogue d;

	(void)state;
	for (int round = 0; round < ROUNDS * COUNT; round++) {
		const struct setting *s = all[round % COUNT];

		dialogue_begin(&d, s, rand() % 10 ? 20 : 900);
		for (int cut = 0; cut < 4; cut++)
			expect_with(s, FRAMING_FULL_MIN + (size_t)rand() % 90, (size_t)rand() % 3,
				(const char *)buf_span(&d.client.wire).data, buf_len(&d.client.wire),
				(const char *)buf_span(&d.story).data);
		dialogue_end(&d);
	}
}

/* Wherever the backend's output ends: all messages before, and broken unless it ends between two. */
static void
a_message_that_is_not_all_there_is_none(void **state)
{
	struct dialogue d;

	(void)state;
	for (int round = 0; round < 10 * COUNT; round++) {
		const struct setting *s = all[round % COUNT];
		const char *wire;
		size_t whole = 0, len;

		dialogue_begin(&d, s, 12);
		wire = (const char *)buf_span(&d.client.wire).data;
		for (len = 0; len < buf_len(&d.client.wire); len++) {
			size_t begin, told;
			char *want;

			whole += len == d.wire_end[whole];
			begin = whole == 0 ? 0 : d.wire_end[whole - 1];
			told = whole == 0 ? 0 : d.story_end[whole - 1];
			want = strndup((const char *)buf_span(&d.story).data, told + 1);
			strcpy(want + told, len > begin ? "!" : "");
			expect_with(s, FRAMING_FULL_MIN + (size_t)rand() % 30, (size_t)rand() % 3, wire, len, want);
			free(want);
		}
		dialogue_end(&d);
	}
}

static size_t
big_wire(const struct setting *s, struct client *c, size_t len)
{
	unsigned char *payload = malloc(len);

	memset(payload, 'x', len);
	client_begin(c, s);
	assert_int_equal(client_piece(c, MESSAGE_TEXT, true, true, payload, len), 0);
	assert_null(c->f.held.block); /* of one piece: not copied */
	client_flush(c);
	free(payload);
	return buf_len(&c->wire);
}

static void
a_long_message_passes_in_constant_memory(void **state)
{
	struct client c;
	struct run r;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		size_t len = big_wire(all[i], &c, MEBI);

		run_begin(&r, all[i]);
		r.capacity = r.portion = 4096;
		run_bytes(&r, buf_span(&c.wire).data, len);
		assert_int_equal(buf_len(&r.story), MEBI + strlen("T()"));
		assert_in_range(r.pieces, MEBI / 4096, MEBI / 4096 + 2);
		assert_null(r.f.made.block);
		run_clear(&r);
		client_end(&c);
	}
}

static void
a_message_that_fits_is_one_piece(void **state)
{
	struct client c;
	struct run r;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		size_t len = big_wire(all[i], &c, 3000);

		for (int portion = 1; portion < 4000; portion += 700) {
			run_begin(&r, all[i]);
			r.portion = (size_t)portion;
			run_bytes(&r, buf_span(&c.wire).data, len);
			assert_int_equal(r.pieces, 1);
			run_clear(&r);
		}
		client_end(&c);
	}
}

/* The header that a full input begins with makes room for the message behind it. */
static void
the_header_makes_room(void **state)
{
	struct client c;
	struct run r;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		size_t len = big_wire(all[i], &c, 100);

		run_begin(&r, all[i]);
		r.capacity = r.portion = 102;
		run_bytes(&r, buf_span(&c.wire).data, len);
		assert_int_equal(r.pieces, 1);
		run_clear(&r);
		client_end(&c);
	}
}

static void
too_long_a_message_breaks_before_it_comes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		struct setting s = *all[i];
		struct client c;
		struct run r;

		for (size_t len = 999; len <= 1001; len++) {
			big_wire(&s, &c, len);
			s.max_length = 1000;
			run_begin(&r, &s);
			r.capacity = r.portion = 64;
			run_bytes(&r, buf_span(&c.wire).data, len <= 1000 ? buf_len(&c.wire) : 30);
			assert_int_equal(buf_span(&r.story).data[0], len <= 1000 ? 'T' : '!');
			assert_int_equal(r.pieces > 0, len <= 1000);
			run_clear(&r);
			client_end(&c);
		}
	}
}

/* ---- to the backend ---- */

static void
a_client_message_has_its_header(void **state)
{
	struct client c;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		client_begin(&c, &as_message);
		client_says_text(&c, "hello");
		assert_int_equal(client_says(&c, MESSAGE_BINARY, "\0\xff", 2), 0);
		client_says_text(&c, "");
		EXPECT_WIRE(&c, "t\0\0\0\5hellob\0\0\0\2\0\xfft\0\0\0\0");
		client_end(&c);

		client_begin(&c, &as_netstring);
		client_says_text(&c, "hello");
		assert_int_equal(client_says(&c, MESSAGE_BINARY, "\0\xff", 2), 0);
		client_says_text(&c, "");
		EXPECT_WIRE(&c, "5:hello,2:\0\xff,0:,");
		client_end(&c);

		client_begin(&c, &as_lsp);
		client_says_text(&c, "hello");
		client_says_text(&c, "");
		EXPECT_WIRE(&c, "Content-Length: 5\r\n\r\nhelloContent-Length: 0\r\n\r\n");
		client_end(&c);
	}
}

/* A gather borrows what is long. It must lie where it is until that has been sent, and no longer. */
static void
what_was_collected_lives_until_it_is_sent(void **state)
{
	unsigned char part[2000];
	struct client c;

	(void)state;
	memset(part, 'x', sizeof(part));
	for (size_t i = 0; i < COUNT; i++) {
		client_begin(&c, all[i]);
		assert_int_equal(client_piece(&c, MESSAGE_TEXT, true, false, part, sizeof(part)), 0);
		client_flush(&c);
		assert_int_equal(buf_len(&c.wire), 0);
		assert_int_equal(buf_len(&c.f.held), sizeof(part));
		assert_int_equal(client_piece(&c, MESSAGE_TEXT, false, true, part, sizeof(part)), 0);
		assert_true(c.f.lent);
		assert_non_null(c.f.held.block);
		client_flush(&c);
		assert_null(c.f.held.block);
		assert_in_range(buf_len(&c.wire), 2 * sizeof(part), 2 * sizeof(part) + 40);
		client_end(&c);
	}
}

static void
a_message_that_never_ends_is_given_back(void **state)
{
	struct client c;

	(void)state;
	client_begin(&c, &as_message);
	assert_int_equal(client_piece(&c, MESSAGE_TEXT, true, false, "half", 4), 0);
	framing_clear(&c.f);
	client_end(&c);
}

static int
begin(void **state)
{
	(void)state;
	srand(8259);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_and_boundaries_reach_the_client),
		cmocka_unit_test(the_backend_chooses_its_close),
		cmocka_unit_test(the_backend_may_send_a_pong),
		cmocka_unit_test(a_client_message_of_4_gib_is_too_big),
		cmocka_unit_test(a_control_message_may_be_longer_than_the_input),
		cmocka_unit_test(text_that_is_none_is_dealt_with_as_the_route_says),
		cmocka_unit_test(the_route_may_overrule_the_type),
		cmocka_unit_test(an_unknown_type_breaks_at_its_first_byte),
		cmocka_unit_test(a_bad_control_message_breaks),
		cmocka_unit_test(a_control_message_that_is_not_all_there_breaks),
		cmocka_unit_test(netstrings_are_messages),
		cmocka_unit_test(a_malformed_netstring_breaks),
		cmocka_unit_test(a_length_that_is_wrong_breaks),
		cmocka_unit_test(content_length_tells_where_a_message_ends),
		cmocka_unit_test(other_headers_and_other_case_are_fine),
		cmocka_unit_test(a_malformed_header_breaks),
		cmocka_unit_test(the_length_must_be_there_once),
		cmocka_unit_test(a_header_without_end_breaks),
		cmocka_unit_test(any_messages_come_back_from_any_cut),
		cmocka_unit_test(a_message_that_is_not_all_there_is_none),
		cmocka_unit_test(a_long_message_passes_in_constant_memory),
		cmocka_unit_test(a_message_that_fits_is_one_piece),
		cmocka_unit_test(the_header_makes_room),
		cmocka_unit_test(too_long_a_message_breaks_before_it_comes),
		cmocka_unit_test(a_client_message_has_its_header),
		cmocka_unit_test(what_was_collected_lives_until_it_is_sent),
		cmocka_unit_test(a_message_that_never_ends_is_given_back),
	};

	return cmocka_run_group_tests_name("framings that tell a length", tests, begin, NULL);
}
