/*
 * json: what RFC 8259 calls JSON passes, and nothing else does.
 *
 * Each text lies alone in memory, so that a look behind its end would be noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../slow_json.h"
#include "proto/json.h"

enum { ROUNDS = 20000 };

static const char *
fault_of(const void *text, size_t len)
{
	unsigned char *alone = malloc(len > 0 ? len : 1);
	const char *fault;

	memcpy(alone, text, len);
	fault = json_fault(alone, len);
	free(alone);
	return fault;
}

static void
expect_json(const char *text)
{
	if (fault_of(text, strlen(text)) != NULL)
		fail_msg("refused: %s", text);
	assert_true(slow_is_json((const unsigned char *)text, strlen(text), JSON_DEPTH_MAX));
}

static void
expect_no_json(const char *text)
{
	if (fault_of(text, strlen(text)) == NULL)
		fail_msg("passed: %s", text);
	assert_false(slow_is_json((const unsigned char *)text, strlen(text), JSON_DEPTH_MAX));
}

static void
any_value_may_stand_alone(void **state)
{
	(void)state;
	expect_json("{}");
	expect_json("[]");
	expect_json("\"\"");
	expect_json("0");
	expect_json("true");
	expect_json("false");
	expect_json("null");
	expect_json(" \t\r\n null \t\r\n ");
}

static void
exactly_one_value_is_wanted(void **state)
{
	(void)state;
	expect_no_json("");
	expect_no_json(" ");
	expect_no_json("{}{}");
	expect_no_json("1 2");
	expect_no_json("{},");
	expect_no_json("[]]");
	expect_no_json("null null");
	expect_no_json("nullnull");
	expect_no_json("\"a\"\"b\"");
	expect_no_json("{}\x1e");
}

static void
numbers_are_written_as_json_writes_them(void **state)
{
	static const char *const good[] = { "0", "-0", "10", "-1", "0.5", "-0.05", "1e5", "1E+5", "1.5e-10",
		"123456789012345678901234567890", "1e999" };
	static const char *const bad[] = { "01", "-01", "00", "+1", "-", ".5", "1.", "1.e5", "1e", "1e+", "1e5.5", "0x10", "1_000",
		"Infinity", "-Infinity", "NaN", "1,5", "--1", "1-", "1f", "\xd9\xa1" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		expect_json(good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_no_json(bad[i]);
}

static void
words_are_three(void **state)
{
	static const char *const bad[] = { "True", "TRUE", "tru", "truee", "nul", "NULL", "fals", "falsey", "undefined", "t",
		"yes" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_no_json(bad[i]);
}

static void
strings_escape_what_they_must(void **state)
{
	(void)state;
	expect_json("\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u00fc \\uFFFF\"");
	expect_json("\"\x7f \xc3\xbc \xe2\x80\xa8 \xf0\x9f\x98\x80\"");
	expect_json("\"\\ud83d\\ude00\"");
	expect_json("\"\\ude00\""); /* RFC 8259 8.2: by the grammar it passes */
	expect_no_json("\"");
	expect_no_json("\"a");
	expect_no_json("\"\\\"");
	expect_no_json("\"\\x41\"");
	expect_no_json("\"\\'\"");
	expect_no_json("\"\\u12\"");
	expect_no_json("\"\\u12g4\"");
	expect_no_json("\"\\U0041\"");
	expect_no_json("\"\\u004");
	expect_no_json("'a'");
	expect_no_json("a");
}

static void
a_control_byte_in_a_string_is_refused(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 0x20; byte++) {
		const unsigned char text[] = { '"', (unsigned char)byte, '"' };

		assert_non_null(fault_of(text, sizeof(text)));
	}
	assert_non_null(fault_of("\"\\\0\"", 4));
	assert_non_null(fault_of("\0", 1));
	assert_non_null(fault_of("1\0", 2));
	assert_non_null(fault_of("[1\0]", 4));
	assert_non_null(fault_of("{\"a\":1\0}", 8));
}

static void
arrays_and_objects_are_well_formed(void **state)
{
	static const char *const good[] = { "[1]", "[1,2]", "[[],[[]],{}]", "{\"a\":1}",
		"{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"e\"}", "{ \"a\" : 1 , \"a\" : 2 }", "[ ]", "{ }", "{\"\":0}",
		"[\n1\n,\n2\n]" };
	static const char *const bad[] = { "[", "]", "[1", "[1,", "[,]", "[,1]", "[1,]", "[1 2]", "[1,,2]", "[1}", "{", "}", "{]",
		"[}", "{1:2}", "{a:1}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
		"{\"a\":1,,\"b\":2}", "{\"a\"::1}", "{\"a\",1}", "{\"a\":1", "{\"a\":", "{\"a\"", "{\"a", "[\"a\":1]", "{\"a\":1]",
		"{[]:1}", "{null:1}", "[{\"a\":[}]", "[]1", "[1]]", ":", ",", "[:]", "{\"a\":1,2}", "{{}}", "[1;2]" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		expect_json(good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_no_json(bad[i]);
}

static void
extensions_are_refused(void **state)
{
	(void)state;
	expect_no_json("\xef\xbb\xbf{}");
	expect_no_json("// no\n{}");
	expect_no_json("/* no */{}");
	expect_no_json("# no\n1");
	expect_no_json("\v1");
	expect_no_json("\f1");
	expect_no_json("\xc2\xa0\x31");
}

static void
bytes_that_are_not_utf8_are_refused(void **state)
{
	(void)state;
	expect_no_json("\"\xff\"");
	expect_no_json("\"\xe2\x82\"");
	expect_no_json("\"\xed\xa0\x80\"");
	expect_no_json("\"\xc0\xaf\"");
	expect_no_json("1\xff");
	assert_string_equal(fault_of("\"\xff\"", 3), "the message is not UTF-8");
}

static void
nothing_shorter_passes_for_the_whole(void **state)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":-1.5e+3,\"params\":[true,false,null,\"\\u00fc\\n\",{}]}";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_non_null(fault_of(text, len));
	assert_null(fault_of(text, sizeof(text) - 1));
}

static size_t
nest(char *text, size_t depth, bool objects)
{
	size_t len = 0;

	for (size_t i = 0; i < depth; i++) {
		memcpy(text + len, objects ? "{\"a\":" : "[", objects ? 5 : 1);
		len += objects ? 5 : 1;
	}
	text[len++] = '1';
	memset(text + len, objects ? '}' : ']', depth);
	return len + depth;
}

static void
depth_has_an_end(void **state)
{
	char text[6 * (JSON_DEPTH_MAX + 1) + 1];

	(void)state;
	for (int objects = 0; objects < 2; objects++) {
		for (size_t depth = 60; depth <= JSON_DEPTH_MAX; depth += 4)
			assert_null(fault_of(text, nest(text, depth, objects)));
		assert_null(fault_of(text, nest(text, JSON_DEPTH_MAX, objects)));
		assert_string_equal(fault_of(text, nest(text, JSON_DEPTH_MAX + 1, objects)), "the message nests too deeply");
	}
	memset(text, '[', sizeof(text));
	assert_non_null(fault_of(text, sizeof(text)));
}

/* What closes must be what opened, at any depth. */
static void
a_wrong_bracket_far_inside_is_found(void **state)
{
	char text[6 * JSON_DEPTH_MAX + 1];

	(void)state;
	for (size_t depth = 1; depth <= JSON_DEPTH_MAX; depth += 37) {
		size_t len = nest(text, depth, false);
		size_t at = len - 1 - (size_t)rand() % depth;

		text[at] = '}';
		assert_non_null(fault_of(text, len));
		len = nest(text, depth, true);
		text[at = len - 1 - (size_t)rand() % depth] = ']';
		assert_non_null(fault_of(text, len));
	}
}

/* Texts that are nearly JSON: both ways to judge them agree. */
static void
random_texts_are_judged_alike(void **state)
{
	static const char *const parts[] = { "{", "}", "[", "]", ",", ":", "\"a\"", "1", "-", "0", ".5", "e1", "true", "null", " ",
		"\"", "\\", "\\n", "\\u12ab", "\xc3\xbc", "\n", "{\"a\":", "[1", ",2]" };
	int good = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		char text[64] = "";
		bool judged, slow;

		for (int n = rand() % 9; n > 0; n--)
			strcat(text, parts[(size_t)rand() % (sizeof(parts) / sizeof(parts[0]))]);
		judged = fault_of(text, strlen(text)) == NULL;
		slow = slow_is_json((const unsigned char *)text, strlen(text), JSON_DEPTH_MAX);
		if (judged != slow)
			fail_msg("%s: %d, slowly %d", text, judged, slow);
		good += judged;
	}
	assert_in_range(good, ROUNDS / 100, ROUNDS / 2);
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
		cmocka_unit_test(any_value_may_stand_alone),
		cmocka_unit_test(exactly_one_value_is_wanted),
		cmocka_unit_test(numbers_are_written_as_json_writes_them),
		cmocka_unit_test(words_are_three),
		cmocka_unit_test(strings_escape_what_they_must),
		cmocka_unit_test(a_control_byte_in_a_string_is_refused),
		cmocka_unit_test(arrays_and_objects_are_well_formed),
		cmocka_unit_test(extensions_are_refused),
		cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
		cmocka_unit_test(nothing_shorter_passes_for_the_whole),
		cmocka_unit_test(depth_has_an_end),
		cmocka_unit_test(a_wrong_bracket_far_inside_is_found),
		cmocka_unit_test(random_texts_are_judged_alike),
	};

	return cmocka_run_group_tests_name("json", tests, begin, NULL);
}
