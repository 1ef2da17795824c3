/*
 * framing: those that speak JSON: jsonl, where a client must, and tagged, which makes it of what a
 * program prints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framing_run.h"
#include "proto/json.h"
#include "proto/ws.h"

enum {
	MEBI = 1 << 20,
	ROUNDS = 200,
};

static const struct setting as_jsonl = { &framing_jsonl, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };
static const struct setting as_tagged = { &framing_tagged, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };
static const struct setting as_stderr = { &framing_tagged_stderr, MESSAGE_TYPE_BINARY, UTF8_CLOSE, 0 };

#define EXPECT(s, data, story) expect_story(&(s), data, sizeof(data) - 1, story)
#define EXPECT_WIRE(c, want) expect_wire(c, want, sizeof(want) - 1)

/* ---- jsonl ---- */

static void
what_the_program_prints_is_lines(void **state)
{
	(void)state;
	EXPECT(as_jsonl, "{\"a\":1}\r\n[2]\nnot json\n\n3", "T({\"a\":1})T([2])T(not json)T()T(3)");
}

static void
a_json_value_on_one_line_passes(void **state)
{
	struct client c;

	(void)state;
	client_begin(&c, &as_jsonl);
	for (int round = 0; round < ROUNDS; round++) {
		client_says_text(&c, "{\"jsonrpc\": \"2.0\", \"id\": 1}");
		client_says_text(&c, " [\"a\\nb\"]\t");
		assert_int_equal(client_says(&c, MESSAGE_BINARY, "null", 4), 0);
		EXPECT_WIRE(&c, "{\"jsonrpc\": \"2.0\", \"id\": 1}\n [\"a\\nb\"]\t\nnull\n");
	}
	client_end(&c);
}

/* Nothing of it reaches the program, but all that was said before. */
static void
expect_refused(const char *text, const char *why)
{
	for (int round = 0; round < 20; round++) {
		struct client c;

		client_begin(&c, &as_jsonl);
		client_says_text(&c, "1");
		assert_int_equal(client_says(&c, MESSAGE_TEXT, text, strlen(text)), WS_CLOSE_INVALID);
		assert_string_equal(c.f.fault, why);
		assert_in_range(strlen(c.f.fault), 1, FAULT_MAX);
		EXPECT_WIRE(&c, "1\n");
		client_end(&c);
	}
}

static void
what_is_not_json_is_refused(void **state)
{
	(void)state;
	expect_refused("hello", "the message is not one JSON value");
	expect_refused("{} {}", "the message is not one JSON value");
	expect_refused("{\"a\":1", "the message is not one JSON value");
	expect_refused("", "the message is empty, not JSON");
	expect_refused("\"\xff\"", "the message is not UTF-8");
}

static void
a_line_break_is_refused(void **state)
{
	(void)state;
	expect_refused("{\n}", "the message has a line break in it");
	expect_refused("[1,\r\n2]", "the message has a line break in it");
	expect_refused("1\n", "the message has a line break in it");
	expect_refused("1\r", "the message has a line break in it");
	expect_refused("1\n2", "the message has a line break in it");
}

static void
a_long_value_passes_in_pieces(void **state)
{
	unsigned char *text = malloc(MEBI);
	struct client c;

	(void)state;
	memset(text, 'x', MEBI);
	text[0] = text[MEBI - 1] = '"';
	client_begin(&c, &as_jsonl);
	for (size_t at = 0; at < MEBI; at += MEBI / 16)
		assert_int_equal(client_fleeting_piece(&c, MESSAGE_TEXT, at == 0, at == MEBI - MEBI / 16, text + at, MEBI / 16), 0);
	assert_int_equal(buf_len(&c.wire), MEBI + 1);
	assert_memory_equal(buf_span(&c.wire).data, text, MEBI);
	client_end(&c);
	free(text);
}

/* ---- tagged ---- */

#define OUT(data) "T({\"stream\":\"stdout\",\"data\":\"" data "\"})"

static void
each_line_tells_where_it_comes_from(void **state)
{
	(void)state;
	EXPECT(as_tagged, "one\ntwo\r\n\nthree", OUT("one") OUT("two") OUT("") OUT("three"));
	EXPECT(as_tagged, "a line that is longer than any tiny input\n", OUT("a line that is longer than any tiny input"));
	EXPECT(as_tagged, "", "");
	EXPECT(as_stderr, "oops\n", "T({\"stream\":\"stderr\",\"data\":\"oops\"})");
}

static void
what_json_wants_escaped_is_escaped(void **state)
{
	(void)state;
	EXPECT(as_tagged, "say \"hi\\ho\"\n", OUT("say \\\"hi\\\\ho\\\""));
	EXPECT(as_tagged, "\b\t\f\r.\x1b[0m\0\x7f/<&>\n", OUT("\\b\\t\\f\\r.\\u001b[0m\\u0000<7f>/<&>"));
	EXPECT(as_tagged, "\r\r\r\r\r\r\r\r\r\r\n", OUT("\\r\\r\\r\\r\\r\\r\\r\\r\\r"));
	EXPECT(as_tagged, "\xc3\xbc\xf0\x9f\x98\x80\n", OUT("<c3><bc><f0><9f><98><80>"));
}

/* The type and the policy of the route do not matter. */
static void
bytes_that_are_not_utf8_are_replaced(void **state)
{
	(void)state;
	EXPECT(as_tagged, "a\xff\xe2\x82\n\x80", OUT("a<ef><bf><bd><ef><bf><bd>") OUT("<ef><bf><bd>"));
	EXPECT(as_stderr, "a\xff\n", "T({\"stream\":\"stderr\",\"data\":\"a<ef><bf><bd>\"})");
}

/* What a reader of JSON finds in the strings of the messages: the lines. */
static void
append_unescaped(struct buf *to, const unsigned char *text, size_t len)
{
	static const char from[] = "btnfr\"\\", into[] = "\b\t\n\f\r\"\\";

	for (size_t i = 0, plain; i < len; i++) {
		const char *letter;
		char digits[5] = "";
		unsigned long code;

		for (plain = i; i < len && text[i] != '\\';)
			i++;
		buf_append(to, text + plain, i - plain);
		if (i == len)
			return;
		letter = strchr(from, text[++i]);
		if (letter != NULL) {
			buf_append(to, into + (letter - from), 1);
			continue;
		}
		memcpy(digits, text + i + 1, 4);
		code = strtoul(digits, NULL, 16);
		assert_in_range(code, 0, 0x1f);
		buf_append(to, &(unsigned char){ (unsigned char)code }, 1);
		i += 4;
	}
}

/* A message as a client gets it: JSON, with a line inside. */
static void
take_message(struct span m, struct buf *lines)
{
	static const char head[] = "{\"stream\":\"stdout\",\"data\":\"", tail[] = "\"}";

	assert_null(json_fault(m.data, m.len));
	assert_memory_equal(m.data, head, strlen(head));
	assert_memory_equal(m.data + m.len - strlen(tail), tail, strlen(tail));
	append_unescaped(lines, m.data + strlen(head), m.len - strlen(head) - strlen(tail));
	buf_append(lines, "\n", 1);
}

/* What a program prints, through an input that takes as much as it can; then its lines, each with LF. */
static void
read_tagged(const unsigned char *data, size_t len, size_t capacity, struct buf *lines)
{
	struct framing_options opt = { .type = MESSAGE_TYPE_BY_FRAMING };
	struct buf message = { 0 };
	struct framing f;
	struct piece piece;

	framing_init(&f, &framing_tagged, &opt);
	while (len > 0) {
		/* it is not changed, and nobody looks behind its end */
		struct span in = { (unsigned char *)(uintptr_t)data, len < capacity ? len : capacity };
		size_t had = in.len;

		while (f.ops->read(&f, &in,
			       len < capacity       ? FRAMING_EOF
			       : in.len == capacity ? FRAMING_FULL
						    : FRAMING_PART,
			       &piece) == FRAMING_PIECE) {
			assert_in_range(piece.bytes.len, 1, GATHER_COPY_MAX);
			buf_append(&message, piece.bytes.data, piece.bytes.len);
			if (piece.last) {
				take_message(buf_span(&message), lines);
				buf_clear(&message);
			}
		}
		assert_true(in.len < had);
		data += had - in.len;
		len -= had - in.len;
	}
	assert_int_equal(buf_len(&message), 0);
	assert_null(f.made.block);
	framing_clear(&f);
}

static void
any_line_can_be_read_back(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		unsigned char *line = malloc(8192);
		size_t len = (size_t)rand() % (round % 4 ? 300 : 8192);
		struct buf want = { 0 }, got = { 0 };

		for (size_t i = 0; i < len; i++) {
			line[i] = (unsigned char)(rand() % 3 ? ' ' + rand() % 95 : rand());
			line[i] = line[i] == '\n' ? 0 : line[i];
		}
		line[len] = '\n';
		if (len > 0 && line[len - 1] == '\r')
			line[len - 1] = 0;
		slow_repair(line, len, &want);
		buf_append(&want, "\n", 1);
		read_tagged(line, len + 1, 64 + (size_t)rand() % 9000, &got);
		assert_int_equal(buf_len(&got), buf_len(&want));
		assert_memory_equal(buf_span(&got).data, buf_span(&want).data, buf_len(&want));
		buf_clear(&want);
		buf_clear(&got);
		free(line);
	}
}

static void
a_long_line_passes_in_constant_memory(void **state)
{
	static const unsigned char fillers[] = { 'x', 0, '"', 0xff };

	(void)state;
	for (size_t i = 0; i < sizeof(fillers); i++) {
		unsigned char *line = malloc(MEBI);
		struct buf got = { 0 };

		memset(line, fillers[i], MEBI);
		line[MEBI - 1] = '\n';
		read_tagged(line, MEBI, 65536, &got); /* which looks at the length of each piece */
		assert_int_equal(buf_len(&got), fillers[i] == 0xff ? 3 * (MEBI - 1) + 1 : MEBI);
		buf_clear(&got);
		free(line);
	}
}

/* So that the other stream need not wait for a prompt that is never ended. */
static void
a_line_without_end_opens_no_message(void **state)
{
	unsigned char input[16384];
	struct framing_options opt = { .type = MESSAGE_TYPE_BY_FRAMING };
	struct span in = { input, sizeof(input) - 1 };
	struct framing f;
	struct piece piece;

	(void)state;
	memset(input, 'x', sizeof(input));
	framing_init(&f, &framing_tagged, &opt);
	assert_int_equal(f.ops->read(&f, &in, FRAMING_PART, &piece), FRAMING_MORE);
	assert_false(f.open);

	/* once it has come, all of it is handed on at once */
	in.len++;
	input[sizeof(input) - 1] = '\n';
	do
		assert_int_equal(f.ops->read(&f, &in, FRAMING_PART, &piece), FRAMING_PIECE);
	while (!piece.last);
	assert_int_equal(in.len, 0);

	/* but what cannot grow must go */
	in = (struct span){ input, sizeof(input) - 1 };
	assert_int_equal(f.ops->read(&f, &in, FRAMING_FULL, &piece), FRAMING_PIECE);
	assert_true(f.open);
	framing_clear(&f);
}

static void
short_lines_cost_one_piece_each(void **state)
{
	unsigned char *lines = malloc(65536);
	struct run r;

	(void)state;
	for (size_t i = 0; i < 65536; i++)
		lines[i] = i % 4 == 3 ? '\n' : 'x';
	run_begin(&r, &as_tagged);
	r.capacity = r.portion = 65536;
	run_bytes(&r, lines, 65536);
	assert_int_equal(r.pieces, 65536 / 4);
	assert_in_range(r.calls, r.pieces, r.pieces + 2);
	run_clear(&r);
	free(lines);
}

/* What is handed on until IN is used up, each piece in brackets if it begins or ends its message. */
static void
tell_pieces(struct framing *f, const char *text, enum framing_input state, struct buf *story)
{
	unsigned char bytes[64];
	struct span in = { bytes, strlen(text) };
	struct piece piece;

	memcpy(bytes, text, in.len);
	while (f->ops->read(f, &in, state, &piece) == FRAMING_PIECE)
		buf_printf(story, "%s%.*s%s", piece.first ? "[" : "", (int)piece.bytes.len, (const char *)piece.bytes.data,
			piece.last ? "]" : "");
	assert_int_equal(in.len, 0);
}

static void
an_interrupted_line_goes_on_in_a_message_of_its_own(void **state)
{
	struct framing_options opt = { .type = MESSAGE_TYPE_BY_FRAMING };
	struct framing f;
	struct buf story = { 0 };
	struct piece piece;

	(void)state;
	framing_init(&f, &framing_tagged, &opt);
	tell_pieces(&f, "a long \"line", FRAMING_FULL, &story);
	assert_true(f.open);
	framing_tagged_interrupt(&f, &piece);
	assert_true(!piece.first && piece.last && !f.open);
	buf_printf(&story, "%.*s]", (int)piece.bytes.len, (const char *)piece.bytes.data);
	tell_pieces(&f, " goes on\nnext\n", FRAMING_PART, &story);
	buf_append(&story, "", 1);
	assert_string_equal((const char *)buf_span(&story).data,
		"[{\"stream\":\"stdout\",\"data\":\"a long \\\"line\",\"more\":true}]"
		"[{\"stream\":\"stdout\",\"data\":\" goes on\"}][{\"stream\":\"stdout\",\"data\":\"next\"}]");
	buf_clear(&story);
	framing_clear(&f);
}

static void
a_client_of_tagged_says_lines(void **state)
{
	struct client c;

	(void)state;
	client_begin(&c, &as_tagged);
	client_says_text(&c, "hello");
	EXPECT_WIRE(&c, "hello\n");
	client_end(&c);
}

static void
expect_exit(int status, const char *want)
{
	struct buf out = { 0 };

	assert_int_equal(framing_tagged_exit(status, &out), 0);
	assert_int_equal(buf_len(&out), strlen(want));
	assert_memory_equal(buf_span(&out).data, want, strlen(want));
	assert_null(json_fault(buf_span(&out).data, buf_len(&out)));
	buf_clear(&out);
}

static void
the_end_is_told(void **state)
{
	(void)state;
	expect_exit(0, "{\"stream\":\"exit\",\"code\":0}");
	expect_exit(3 << 8, "{\"stream\":\"exit\",\"code\":3}");
	expect_exit(255 << 8, "{\"stream\":\"exit\",\"code\":255}");
	expect_exit(SIGSEGV, "{\"stream\":\"exit\",\"signal\":\"SEGV\"}");
	expect_exit(SIGABRT | 0x80, "{\"stream\":\"exit\",\"signal\":\"ABRT\"}"); /* with a core */
	expect_exit(SIGKILL, "{\"stream\":\"exit\",\"signal\":\"KILL\"}");
	expect_exit(40, "{\"stream\":\"exit\",\"signal\":\"40\"}");
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
		cmocka_unit_test(what_the_program_prints_is_lines),
		cmocka_unit_test(a_json_value_on_one_line_passes),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(a_line_break_is_refused),
		cmocka_unit_test(a_long_value_passes_in_pieces),
		cmocka_unit_test(each_line_tells_where_it_comes_from),
		cmocka_unit_test(what_json_wants_escaped_is_escaped),
		cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
		cmocka_unit_test(any_line_can_be_read_back),
		cmocka_unit_test(a_long_line_passes_in_constant_memory),
		cmocka_unit_test(a_line_without_end_opens_no_message),
		cmocka_unit_test(short_lines_cost_one_piece_each),
		cmocka_unit_test(an_interrupted_line_goes_on_in_a_message_of_its_own),
		cmocka_unit_test(a_client_of_tagged_says_lines),
		cmocka_unit_test(the_end_is_told),
	};

	return cmocka_run_group_tests_name("framings that speak JSON", tests, begin, NULL);
}
