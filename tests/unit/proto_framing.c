/*
 * framing: a backend writes, in whatever portions; the client gets the same messages. Here: lines,
 * lines0 and raw, which know no length; and what becomes of bytes that are not UTF-8.
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
	ROUNDS = 300,
};

static const struct setting as_lines = { &framing_lines, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };

static void
expect_lines(const char *data, const char *story)
{
	expect_story(&as_lines, data, strlen(data), story);
}

/* ---- lines: where they end ---- */

static void
each_line_is_a_message(void **state)
{
	(void)state;
	expect_lines("one\ntwo\nthree\n", "T(one)T(two)T(three)");
}

static void
an_unterminated_last_line_is_a_message(void **state)
{
	(void)state;
	expect_lines("one\ntwo", "T(one)T(two)");
	expect_lines("a line that is longer than any tiny input", "T(a line that is longer than any tiny input)");
	expect_lines("", "");
	expect_lines("one\n", "T(one)");
}

static void
empty_lines_are_empty_messages(void **state)
{
	(void)state;
	expect_lines("\n\r\n\nx\n\n", "T()T()T()T(x)T()");
	expect_lines("\n", "T()");
}

static void
a_cr_right_before_the_lf_is_taken_off(void **state)
{
	(void)state;
	expect_lines("one\r\ntwo\n\r\n", "T(one)T(two)T()");
	expect_lines("one\r\r\n", "T(one<0d>)");
	expect_lines("a\rb\n\rc\r\n", "T(a<0d>b)T(<0d>c)");
	expect_lines("\r\r\r\r\r\r\r\r\r\r\r\r\r\n", "T(<0d><0d><0d><0d><0d><0d><0d><0d><0d><0d><0d><0d>)");
}

static void
a_cr_at_the_end_of_all_belongs_to_the_line(void **state)
{
	(void)state;
	expect_lines("one\r", "T(one<0d>)");
	expect_lines("\r", "T(<0d>)");
	expect_lines("0123456789\r", "T(0123456789<0d>)");
}

static void
a_line_as_long_as_the_input_ends_once(void **state)
{
	(void)state;
	/* with a capacity of 8 the input is full exactly where the line ends */
	expect_lines("01234567", "T(01234567)");
	expect_lines("01234567\n", "T(01234567)");
	expect_lines("01234567\r\n", "T(01234567)");
	expect_lines("0123456\r\n", "T(0123456)");
	expect_lines("01234567\r\n\r\n01234567", "T(01234567)T()T(01234567)");
}

static void
a_nul_is_a_byte_like_any(void **state)
{
	(void)state;
	expect_story(&as_lines, "a\0b\n\0\n", 6, "T(a<00>b)T(<00>)");
}

static void
a_code_point_is_never_cut(void **state)
{
	(void)state;
	expect_lines("0123456\xf0\x9f\x98\x80 56\xe2\x82\xac\r\n", "T(0123456<f0><9f><98><80> 56<e2><82><ac>)");
	expect_lines("\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\n",
		"T(<f0><9f><98><80><f0><9f><98><80><f0><9f><98><80><f0><9f><98><80>)");
}

static void
a_long_line_passes_in_constant_memory(void **state)
{
	char *line = malloc(MEBI);
	struct run r;

	(void)state;
	memset(line, 'x', MEBI);
	line[MEBI - 1] = '\n';
	run_begin(&r, &as_lines);
	r.capacity = 4096;
	r.portion = 4096;
	run_bytes(&r, line, MEBI);
	assert_int_equal(buf_len(&r.story), MEBI - 1 + strlen("T()"));
	assert_in_range(r.pieces, MEBI / 4096, MEBI / 4096 + 2);
	run_clear(&r);
	free(line);
}

static void
a_line_that_fits_is_one_piece(void **state)
{
	static const char text[] = "0123456789\n0123456789\n0123456789\n0123456789\n0123456789\n";
	struct run r;

	(void)state;
	run_begin(&r, &as_lines);
	r.portion = 3;
	run_bytes(&r, "no fragment without need\nreally\n", 32);
	assert_int_equal(r.pieces, 2);
	run_clear(&r);

	/* nor is the line that a full input happens to end in cut: the lines before it make room */
	run_begin(&r, &as_lines);
	r.capacity = 15;
	r.portion = 15;
	run_bytes(&r, text, strlen(text));
	assert_int_equal(r.pieces, 5);
	run_clear(&r);
}

/* ---- lines: bytes that are not UTF-8 ---- */

#define FFFD "<ef><bf><bd>"

static void
replace_puts_one_mark_per_maximal_subpart(void **state)
{
	(void)state;
	expect_lines("a\xff"
		     "b\n",
		"T(a" FFFD "b)");
	expect_lines("\xff\xfe\n\x80", "T(" FFFD FFFD ")T(" FFFD ")");
	/* Unicode 15, table 3-8 and 3-11 */
	expect_lines("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41\n", "T(" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A)");
	expect_lines("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41\n", "T(" FFFD FFFD FFFD FFFD "A)");
	expect_lines("\xed\xa0\x80\n", "T(" FFFD FFFD FFFD ")");
}

static void
a_code_point_cut_by_the_end_of_its_line_is_replaced(void **state)
{
	(void)state;
	expect_lines("ab\xe2\x82\ncd\xf0\x9f\x98\r\n\xe2", "T(ab" FFFD ")T(cd" FFFD ")T(" FFFD ")");
}

static void
a_long_line_of_noise_is_replaced_too(void **state)
{
	(void)state;
	expect_lines("0123456789\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		     "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffz\n",
		"T(0123456789" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD
			FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "z)");
}

static void
policy_binary_sends_the_line_as_binary(void **state)
{
	const struct setting s = { &framing_lines, MESSAGE_TYPE_TEXT, UTF8_BINARY, 0 };
	static const char data[] = "good\nb\xff"
				   "d\n\xe2\x82\ngood\n";

	(void)state;
	expect_with(&s, 64, 64, data, sizeof(data) - 1, "T(good)B(b<ff>d)B(<e2><82>)T(good)");
	expect_with(&s, 64, 1, data, sizeof(data) - 1, "T(good)B(b<ff>d)B(<e2><82>)T(good)");
}

static void
the_first_piece_decides_what_a_long_line_is(void **state)
{
	const struct setting s = { &framing_lines, MESSAGE_TYPE_BY_FRAMING, UTF8_BINARY, 0 };
	static const char early[] = "0\xff"
				    "234567\xfe"
				    "9\nx\n",
			  late[] = "01234567\xfe"
				   "9\n\xff\n";

	(void)state;
	expect_with(&s, 8, 8, early, sizeof(early) - 1, "B(0<ff>234567<fe>9)T(x)");
	expect_with(&s, 8, 8, late, sizeof(late) - 1, "T(01234567" FFFD "9)B(<ff>)");
}

static void
policy_close_breaks_and_says_why(void **state)
{
	const struct setting s = { &framing_lines, MESSAGE_TYPE_BY_FRAMING, UTF8_CLOSE, 0 };

	(void)state;
	expect_story(&s,
		"good\nb\xff"
		"d\ngood\n",
		14, "T(good)!");
	expect_story(&s, "good\n\xe2\x82\n", 8, "T(good)!");
	expect_story(&s, "good\n\xe2\x82", 7, "T(good)!");
	expect_story(&s, "\xe2\x82\xac\n", 4, "T(<e2><82><ac>)");
}

static void
type_binary_looks_at_nothing(void **state)
{
	const struct setting s = { &framing_lines, MESSAGE_TYPE_BINARY, UTF8_CLOSE, 0 };

	(void)state;
	expect_story(&s,
		"good\nb\xff"
		"d\r\n\n",
		13 - 2, "B(good)B(b<ff>d)B()");
}

static void
type_auto_lets_each_line_decide(void **state)
{
	const struct setting s = { &framing_lines, MESSAGE_TYPE_AUTO, UTF8_CLOSE, 0 };
	static const char data[] = "text\n\xff\ntext \xe2\x82\xac\n\n";

	(void)state;
	expect_story(&s, data, sizeof(data) - 1, "T(text)B(<ff>)T(text <e2><82><ac>)T()");
}

/* ---- lines: cost ---- */

static void
a_searched_byte_is_not_searched_again(void **state)
{
	unsigned char input[64];
	struct span in = { input, 10 };
	struct piece piece;
	struct run r;

	(void)state;
	run_begin(&r, &as_lines);
	memset(input, 'x', sizeof(input));
	for (in.len = 1; in.len < sizeof(input); in.len++) {
		assert_int_equal(framing_lines.read(&r.f, &in, FRAMING_PART, &piece), FRAMING_MORE);
		assert_int_equal(r.f.known, in.len);
		input[in.len - 1] = '\n'; /* who looks again would find it */
	}
}

static void
noise_without_end_costs_one_call_per_run(void **state)
{
	unsigned char *noise = malloc(MEBI);
	struct run r;

	(void)state;
	memset(noise, 0xff, MEBI);
	run_begin(&r, &as_lines);
	r.capacity = 65536;
	r.portion = 4096;
	run_bytes(&r, noise, MEBI);
	assert_int_equal(buf_len(&r.message), 0);
	assert_in_range(r.pieces, 1, MEBI / 16);
	assert_in_range(r.calls, 1, MEBI / 16 + 2 * MEBI / 4096);
	assert_int_equal(buf_len(&r.story), (size_t)MEBI * strlen(FFFD) + strlen("T()"));
	run_clear(&r);
	free(noise);
}

/* All of it lies in the input at once, so every rescan of what is left would show. */
static void
mixed_noise_in_one_line_costs_linear_calls(void **state)
{
	unsigned char *noise = malloc(MEBI);
	struct run r;

	(void)state;
	for (size_t i = 0; i < MEBI; i++)
		noise[i] = i % 2 ? 0xff : 'a';
	noise[MEBI - 1] = '\n';
	run_begin(&r, &as_lines);
	r.capacity = 2 * MEBI;
	r.portion = MEBI;
	run_bytes(&r, noise, MEBI);
	assert_in_range(r.calls, 1, MEBI + 4);
	run_clear(&r);
	free(noise);
}

/* ---- lines: any sequence, any cut ---- */

static size_t
random_line(unsigned char *line)
{
	static const char *const parts[] = { "a", "line ", "\r", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff", "\xe2\x82",
		"\x80" };
	size_t len = 0;

	for (int n = rand() % (rand() % 5 ? 6 : 60); n > 0; n--) {
		const char *part = parts[(size_t)rand() % (rand() % 2 ? 2 : sizeof(parts) / sizeof(parts[0]))];

		memcpy(line + len, part, strlen(part));
		len += strlen(part);
	}
	return len;
}

static void
any_lines_survive_any_cut(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct buf sent = { 0 }, want = { 0 };

		for (int n = rand() % 12; n > 0; n--) {
			unsigned char line[60 * 5];
			size_t len = random_line(line);
			struct buf fixed = { 0 };
			bool crlf = rand() % 2;

			if (!crlf && len > 0 && line[len - 1] == '\r')
				line[len - 1] = '.';
			slow_repair(line, len, &fixed);
			tell_message(&want, 'T', buf_span(&fixed).data, buf_len(&fixed));
			buf_append(&sent, line, len);
			if (n > 1 || len == 0 || rand() % 2)
				buf_append(&sent, crlf ? "\r\n" : "\n", crlf ? 2 : 1);
			buf_clear(&fixed);
		}
		buf_append(&want, "", 1);
		for (int cut = 0; cut < 6; cut++)
			expect_with(&as_lines, FRAMING_FULL_MIN + (size_t)rand() % 90, (size_t)rand() % 3,
				(const char *)buf_span(&sent).data, buf_len(&sent), (const char *)buf_span(&want).data);
		buf_clear(&sent);
		buf_clear(&want);
	}
}

/* ---- raw ---- */

static void
raw_hands_on_what_one_read_gave(void **state)
{
	const struct setting s = { &framing_raw, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };

	(void)state;
	expect_with(&s, 64, 64, "a\n\xff\r\n", 5, "B(a<0a><ff><0d><0a>)");
	expect_with(&s, 64, 2, "abcde", 5, "B(ab)B(cd)B(e)");
	expect_with(&s, 8, 8, "0123456789", 10, "B(01234567)B(89)");
	expect_with(&s, 8, 8, "", 0, "");
}

static void
raw_text_waits_for_whole_code_points(void **state)
{
	const struct setting s = { &framing_raw, MESSAGE_TYPE_TEXT, UTF8_REPLACE, 0 };

	(void)state;
	expect_with(&s, 64, 64, "a\xe2\x82\xac", 4, "T(a<e2><82><ac>)");
	expect_with(&s, 64, 2,
		"a\xe2\x82\xac"
		"b",
		5, "T(a)T(<e2><82><ac>)T(b)");
	expect_with(&s, 64, 1, "\xf0\x9f\x98\x80", 4, "T(<f0><9f><98><80>)");
	expect_with(&s, 64, 3, "ab\xf0\x9f\x98", 5, "T(ab)T(" FFFD ")");
}

static void
raw_text_is_replaced_where_it_is_none(void **state)
{
	const struct setting s = { &framing_raw, MESSAGE_TYPE_TEXT, UTF8_REPLACE, 0 };

	(void)state;
	expect_with(&s, 64, 64,
		"a\xff"
		"b\xff",
		4, "T(a" FFFD "b" FFFD ")");
	expect_with(&s, 64, 1, "\x80\x80", 2, "T(" FFFD ")T(" FFFD ")");
	expect_with(&s, 64, 64, "a\x80\x80\x80\x80", 5, "T(a" FFFD FFFD FFFD FFFD ")");
	expect_with(&s, 64, 64, "a\xed\xa0", 3, "T(a" FFFD FFFD ")");
}

static void
raw_text_may_break(void **state)
{
	const struct setting s = { &framing_raw, MESSAGE_TYPE_TEXT, UTF8_CLOSE, 0 };

	(void)state;
	expect_with(&s, 64, 2, "ok\xff", 3, "T(ok)!");
	expect_with(&s, 64, 4, "ok\xe2\x82", 4, "T(ok)!");
}

static void
raw_binary_holds_no_byte_back(void **state)
{
	const struct setting binary = { &framing_raw, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };
	const struct setting fallback = { &framing_raw, MESSAGE_TYPE_TEXT, UTF8_BINARY, 0 };
	const struct setting automatic = { &framing_raw, MESSAGE_TYPE_AUTO, UTF8_REPLACE, 0 };

	(void)state;
	expect_with(&binary, 64, 2,
		"a\xe2"
		"bc",
		4, "B(a<e2>)B(bc)");
	expect_with(&fallback, 64, 3,
		"a\xff\xe2"
		"bcd",
		6, "B(a<ff><e2>)T(bcd)");
	expect_with(&automatic, 64, 2,
		"a\xe2"
		"bc",
		4, "B(a<e2>)T(bc)");
}

static void
raw_loses_no_byte_in_any_cut(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct buf sent = { 0 }, want = { 0 };
		const enum message_type types[] = { MESSAGE_TYPE_TEXT, MESSAGE_TYPE_BINARY, MESSAGE_TYPE_AUTO };
		enum message_type type = types[rand() % 3];
		unsigned char line[60 * 5];
		size_t len = random_line(line);
		struct run r;

		buf_append(&sent, line, len);
		if (type == MESSAGE_TYPE_TEXT)
			slow_repair(line, len, &want);
		else
			buf_append(&want, line, len);
		run_begin(&r, &(struct setting){ &framing_raw, type, UTF8_REPLACE, 0 });
		r.capacity = FRAMING_FULL_MIN + (size_t)rand() % 60;
		run_bytes(&r, line, len);

		/* the story without its brackets is what was sent */
		struct buf told = { 0 }, flat = { 0 };

		tell_message(&told, 'x', buf_span(&want).data, buf_len(&want));
		for (size_t i = 0; i < buf_len(&r.story); i++)
			if (strchr("TB()", buf_span(&r.story).data[i]) == NULL)
				buf_append(&flat, buf_span(&r.story).data + i, 1);
		assert_int_equal(buf_len(&flat) + 3, buf_len(&told));
		if (buf_len(&flat) > 0)
			assert_memory_equal(buf_span(&flat).data, buf_span(&told).data + 2, buf_len(&flat));
		buf_clear(&told);
		buf_clear(&flat);
		buf_clear(&sent);
		buf_clear(&want);
		run_clear(&r);
	}
}

/* ---- lines0 ---- */

static const struct setting as_lines0 = { &framing_lines0, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };

#define EXPECT_LINES0(data, story) expect_story(&as_lines0, data, sizeof(data) - 1, story)

static void
a_nul_ends_a_line0(void **state)
{
	(void)state;
	EXPECT_LINES0("one\0two\nthree\0\0", "T(one)T(two<0a>three)T()");
	EXPECT_LINES0("one\0two", "T(one)T(two)");
	EXPECT_LINES0("a path that is longer than any tiny input\0x\0", "T(a path that is longer than any tiny input)T(x)");
	EXPECT_LINES0("", "");
}

static void
a_cr_is_a_byte_of_line0_like_any(void **state)
{
	(void)state;
	EXPECT_LINES0("one\r\0\r\0two\r\n\0\r", "T(one<0d>)T(<0d>)T(two<0d><0a>)T(<0d>)");
	EXPECT_LINES0("01234567\r\0", "T(01234567<0d>)");
	EXPECT_LINES0("\r\r\r\r\r\r\r\r\r\r\0", "T(<0d><0d><0d><0d><0d><0d><0d><0d><0d><0d>)");
}

static void
any_lines0_survive_any_cut(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct buf sent = { 0 }, want = { 0 };

		for (int n = rand() % 12; n > 0; n--) {
			unsigned char line[60 * 5];
			size_t len = random_line(line);
			struct buf fixed = { 0 };

			slow_repair(line, len, &fixed);
			tell_message(&want, 'T', buf_span(&fixed).data, buf_len(&fixed));
			buf_append(&sent, line, len);
			buf_append(&sent, "", 1);
			buf_clear(&fixed);
		}
		buf_append(&want, "", 1);
		for (int cut = 0; cut < 6; cut++)
			expect_with(&as_lines0, FRAMING_FULL_MIN + (size_t)rand() % 90, (size_t)rand() % 3,
				(const char *)buf_span(&sent).data, buf_len(&sent), (const char *)buf_span(&want).data);
		buf_clear(&sent);
		buf_clear(&want);
	}
}

/* ---- from the client to the backend ---- */

#define EXPECT_WIRE(c, want) expect_wire(c, want, sizeof(want) - 1)

static void
a_message_to_the_program_is_a_line(void **state)
{
	struct client c;

	(void)state;
	client_begin(&c, &as_lines);
	for (int round = 0; round < ROUNDS; round++) {
		client_says_text(&c, "hello");
		client_says_text(&c, "");
		client_says_text(&c, "in some pieces");
		client_says_text(&c, "a\nb");
		EXPECT_WIRE(&c, "hello\n\nin some pieces\na\nb\n");
	}
	client_end(&c);
}

static void
a_message_in_lines0_ends_with_nul(void **state)
{
	struct client c;

	(void)state;
	client_begin(&c, &as_lines0);
	for (int round = 0; round < ROUNDS; round++) {
		client_says_text(&c, "hello\n");
		client_says_text(&c, "");
		EXPECT_WIRE(&c, "hello\n\0\0");
	}
	client_end(&c);
}

static void
a_message_to_a_raw_backend_is_its_bytes(void **state)
{
	const struct setting s = { &framing_raw, MESSAGE_TYPE_BY_FRAMING, UTF8_REPLACE, 0 };
	struct client c;

	(void)state;
	client_begin(&c, &s);
	for (int round = 0; round < ROUNDS; round++) {
		client_says_text(&c, "GET /\r\n");
		client_says_text(&c, "");
		EXPECT_WIRE(&c, "GET /\r\n");
	}
	client_end(&c);
}

static void
lines_come_back_as_they_went(void **state)
{
	static const char *const messages[] = { "one", "", "zwei \xc3\xbc", "three\t", "4" };
	struct client c;
	struct run r;

	(void)state;
	client_begin(&c, &as_lines);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		client_says_text(&c, messages[i]);
	client_flush(&c);
	run_begin(&r, &as_lines);
	run_bytes(&r, buf_span(&c.wire).data, buf_len(&c.wire));
	assert_string_equal(story_text(&r), "T(one)T()T(zwei <c3><bc>)T(three<09>)T(4)");
	run_clear(&r);
	client_end(&c);
}

/* ---- the catalogue ---- */

static void
every_name_finds_its_framing(void **state)
{
	(void)state;
	for (const char *const *name = framing_names(); *name != NULL; name++) {
		assert_non_null(framing_find(slice_of(*name)));
		assert_string_equal(framing_find(slice_of(*name))->name, *name);
	}
	assert_ptr_equal(framing_find(slice_of("lines")), &framing_lines);
	assert_ptr_equal(framing_find(slice_of("lines0")), &framing_lines0);
	assert_ptr_equal(framing_find(slice_of("raw")), &framing_raw);
	assert_ptr_equal(framing_find(slice_of("message")), &framing_message);
	assert_ptr_equal(framing_find(slice_of("netstring")), &framing_netstring);
	assert_ptr_equal(framing_find(slice_of("jsonl")), &framing_jsonl);
	assert_ptr_equal(framing_find(slice_of("lsp")), &framing_lsp);
	assert_ptr_equal(framing_find(slice_of("tagged")), &framing_tagged);
	assert_null(framing_find(slice_of("line")));
	assert_null(framing_find(slice_of("")));
}

static int
begin(void **state)
{
	(void)state;
	srand(6455);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_is_a_message),
		cmocka_unit_test(an_unterminated_last_line_is_a_message),
		cmocka_unit_test(empty_lines_are_empty_messages),
		cmocka_unit_test(a_cr_right_before_the_lf_is_taken_off),
		cmocka_unit_test(a_cr_at_the_end_of_all_belongs_to_the_line),
		cmocka_unit_test(a_line_as_long_as_the_input_ends_once),
		cmocka_unit_test(a_nul_is_a_byte_like_any),
		cmocka_unit_test(a_code_point_is_never_cut),
		cmocka_unit_test(a_long_line_passes_in_constant_memory),
		cmocka_unit_test(a_line_that_fits_is_one_piece),
		cmocka_unit_test(replace_puts_one_mark_per_maximal_subpart),
		cmocka_unit_test(a_code_point_cut_by_the_end_of_its_line_is_replaced),
		cmocka_unit_test(a_long_line_of_noise_is_replaced_too),
		cmocka_unit_test(policy_binary_sends_the_line_as_binary),
		cmocka_unit_test(the_first_piece_decides_what_a_long_line_is),
		cmocka_unit_test(policy_close_breaks_and_says_why),
		cmocka_unit_test(type_binary_looks_at_nothing),
		cmocka_unit_test(type_auto_lets_each_line_decide),
		cmocka_unit_test(a_searched_byte_is_not_searched_again),
		cmocka_unit_test(noise_without_end_costs_one_call_per_run),
		cmocka_unit_test(mixed_noise_in_one_line_costs_linear_calls),
		cmocka_unit_test(any_lines_survive_any_cut),
		cmocka_unit_test(raw_hands_on_what_one_read_gave),
		cmocka_unit_test(raw_text_waits_for_whole_code_points),
		cmocka_unit_test(raw_text_is_replaced_where_it_is_none),
		cmocka_unit_test(raw_text_may_break),
		cmocka_unit_test(raw_binary_holds_no_byte_back),
		cmocka_unit_test(raw_loses_no_byte_in_any_cut),
		cmocka_unit_test(a_nul_ends_a_line0),
		cmocka_unit_test(a_cr_is_a_byte_of_line0_like_any),
		cmocka_unit_test(any_lines0_survive_any_cut),
		cmocka_unit_test(a_message_to_the_program_is_a_line),
		cmocka_unit_test(a_message_in_lines0_ends_with_nul),
		cmocka_unit_test(a_message_to_a_raw_backend_is_its_bytes),
		cmocka_unit_test(lines_come_back_as_they_went),
		cmocka_unit_test(every_name_finds_its_framing),
	};

	return cmocka_run_group_tests_name("proto_framing", tests, begin, NULL);
}
