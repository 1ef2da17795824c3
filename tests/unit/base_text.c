/*
 * text: what an operator writes is understood, and what is nearly right is refused, not guessed.
 */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
slices_compare_by_their_bytes(void **state)
{
	(void)state;
	struct slice upgrade = { "Upgrade, more", 7 };
	assert_true(slice_equals(upgrade, "Upgrade"));
	assert_false(slice_equals(upgrade, "upgrade"));
	assert_false(slice_equals(upgrade, "Upgrad"));
	assert_false(slice_equals(upgrade, "Upgrade,"));
	assert_true(slice_equals_nocase(upgrade, "uPGRADE"));
	assert_false(slice_equals_nocase(upgrade, "upgrade,"));
	/* '[' and '{' differ by the case bit, and are not letters. */
	assert_false(slice_equals_nocase(slice_of("["), "{"));
	assert_false(slice_equals_nocase(slice_of("\xc3\x84"), "\xc3\xa4"));
	assert_true(slice_same(upgrade, slice_of("Upgrade")));
	assert_false(slice_same((struct slice){ "a\0b", 3 }, (struct slice){ "a\0c", 3 }));
	assert_true(slice_starts(upgrade, "Up"));
	assert_true(slice_starts(upgrade, ""));
	assert_true(slice_starts(upgrade, "Upgrade"));
	assert_false(slice_starts(upgrade, "Upgrade,"));
}

static void
nothing_is_an_empty_slice(void **state)
{
	(void)state;
	struct slice nothing = slice_of(NULL);
	assert_int_equal(nothing.len, 0);
	assert_true(slice_equals(nothing, ""));
	assert_true(slice_equals_nocase(nothing, ""));
	assert_true(slice_same(nothing, slice_of("")));
	assert_int_equal(slice_trim(nothing).len, 0);
	struct slice found;
	assert_false(text_next_word(&nothing, &found));
	assert_false(text_next_listed(&nothing, &found));
	char *copy = slice_dup(nothing);
	assert_string_equal(copy, "");
	free(copy);
}

static void
trimming_takes_spaces_and_tabs_only(void **state)
{
	(void)state;
	assert_true(slice_equals(slice_trim(slice_of(" \t a b\t ")), "a b"));
	assert_true(slice_equals(slice_trim(slice_of("\n a \r")), "\n a \r"));
	assert_int_equal(slice_trim(slice_of(" \t ")).len, 0);
}

static void
a_copy_is_a_string_of_its_own(void **state)
{
	(void)state;
	struct slice slice = { "abcdef", 3 };
	char *copy = slice_dup(slice);
	assert_string_equal(copy, "abc");
	free(copy);
}

static void
assert_listed(const char *list, const char *const *expected, size_t count)
{
	struct slice rest = slice_of(list), item;
	for (size_t i = 0; i < count; i++) {
		assert_true(text_next_listed(&rest, &item));
		assert_true(slice_equals(item, expected[i]));
	}
	assert_false(text_next_listed(&rest, &item));
	assert_false(text_next_listed(&rest, &item));
}

static void
a_list_gives_its_elements_and_skips_the_empty_ones(void **state)
{
	(void)state;
	static const char *const chats[] = { "chat", "super chat" };
	assert_listed("chat,super chat", chats, 2);
	assert_listed(" ,, chat\t, ,super chat , ", chats, 2);
	assert_listed("chat", chats, 1);
	assert_listed("", NULL, 0);
	assert_listed(" , ,\t,", NULL, 0);
}

static void
words_are_taken_one_by_one(void **state)
{
	(void)state;
	struct slice rest = slice_of("  eof 100ms,\tINT  "), word;
	assert_true(text_next_word(&rest, &word) && slice_equals(word, "eof"));
	assert_true(text_next_word(&rest, &word) && slice_equals(word, "100ms,"));
	assert_true(text_next_word(&rest, &word) && slice_equals(word, "INT"));
	assert_false(text_next_word(&rest, &word));
}

static void
a_number_is_digits_within_its_limits(void **state)
{
	(void)state;
	uint64_t value = 42;
	static const char *const wrong[] = { "", " 1", "1 ", "+1", "-1", "0x10", "1e3", "1.0", "18446744073709551616",
		"99999999999999999999999", "a", "1\xd9\xa1" };
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(text_number(slice_of(wrong[i]), 0, UINT64_MAX, &value), -1);
	assert_int_equal(text_number(slice_of("0"), 1, 65535, &value), -1);
	assert_int_equal(text_number(slice_of("65536"), 1, 65535, &value), -1);
	assert_int_equal(value, 42);
	assert_int_equal(text_number(slice_of("65535"), 1, 65535, &value), 0);
	assert_int_equal(value, 65535);
	assert_int_equal(text_number(slice_of("0000000000000000000000001"), 1, 65535, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(text_number(slice_of("18446744073709551615"), 0, UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(text_number((struct slice){ "123", 2 }, 0, 100, &value), 0);
	assert_int_equal(value, 12);
}

static void
sizes_are_read_as_people_write_them(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} right[] = { { "0", 0 }, { "65536", 65536 }, { "64k", 65536 }, { "64K", 65536 }, { "64kb", 65536 }, { "64KB", 65536 },
		{ "16m", 16 << 20 }, { "1g", 1 << 30 }, { "3Gb", UINT64_C(3) << 30 }, { "12b", 12 },
		{ "17179869183g", UINT64_C(17179869183) << 30 } };
	static const char *const wrong[] = { "", "k", "b", "kb", "64 k", "64kk", "64kbb", "64bk", "-1", "1.5m", "64x",
		"17179869184g", "18446744073709551616", " 1k", "1k " };
	uint64_t value;
	for (size_t i = 0; i < COUNT(right); i++) {
		assert_int_equal(text_size(slice_of(right[i].text), &value), 0);
		assert_true(value == right[i].bytes);
	}
	value = 42;
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (text_size(slice_of(wrong[i]), &value) != -1)
			fail_msg("'%s' is no size", wrong[i]);
	assert_int_equal(value, 42);
}

static void
durations_are_read_as_people_write_them(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t ms;
	} right[] = { { "0", 0 }, { "30", 30000 }, { "500ms", 500 }, { "30s", 30000 }, { "5m", 300000 }, { "1h", 3600000 },
		{ "2d", 172800000 }, { "0s", 0 }, { "18446744073709551615ms", UINT64_MAX } };
	static const char *const wrong[] = { "", "s", "ms", "5M", "5min", "1h30m", "1.5s", "-1s", "5 s", "18446744073709551615s",
		"213503982335d", "1sm" };
	uint64_t value;
	for (size_t i = 0; i < COUNT(right); i++) {
		assert_int_equal(text_duration(slice_of(right[i].text), &value), 0);
		assert_true(value == right[i].ms);
	}
	value = 42;
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (text_duration(slice_of(wrong[i]), &value) != -1)
			fail_msg("'%s' is no duration", wrong[i]);
	assert_int_equal(value, 42);
}

static void
yes_and_no_have_many_names(void **state)
{
	(void)state;
	static const char *const yes[] = { "yes", "on", "true", "1", "YES", "True", "t", "T" };
	static const char *const no[] = { "no", "off", "false", "0", "No", "OFF", "f", "F" };
	static const char *const neither[] = { "", "y", "2", "yes ", "enabled", "tru" };
	bool value;
	for (size_t i = 0; i < COUNT(yes); i++) {
		value = false;
		assert_int_equal(text_bool(slice_of(yes[i]), &value), 0);
		assert_true(value);
	}
	for (size_t i = 0; i < COUNT(no); i++) {
		value = true;
		assert_int_equal(text_bool(slice_of(no[i]), &value), 0);
		assert_false(value);
	}
	for (size_t i = 0; i < COUNT(neither); i++)
		assert_int_equal(text_bool(slice_of(neither[i]), &value), -1);
}

static void
a_slip_of_the_finger_is_recognised(void **state)
{
	(void)state;
	static const char *const options[] = { "port", "address", "origin", "idle_timeout", "tcp", "ssl", "sslcert" };
	static const struct {
		const char *word, *meant;
	} slips[] = { { "port", "port" }, { "prot", "port" }, { "porrt", "port" }, { "por", "port" }, { "Port", "port" },
		{ "adress", "address" }, { "orgiin", "origin" }, { "idel_timeuot", "idle_timeout" },
		{ "idle-timeout", "idle_timeout" }, { "tpc", "tcp" }, { "sslcret", "sslcert" }, { "xyz", NULL }, { "", NULL },
		{ "completely_else", NULL }, { "po", NULL } };
	for (size_t i = 0; i < COUNT(slips); i++) {
		const char *found = text_nearest(slice_of(slips[i].word), options, COUNT(options));
		if (slips[i].meant == NULL)
			assert_null(found);
		else if (found == NULL || strcmp(found, slips[i].meant) != 0)
			fail_msg("'%s' was taken for '%s'", slips[i].word, found == NULL ? "nothing" : found);
	}
	assert_null(text_nearest(slice_of("port"), NULL, 0));
}

static void
a_very_long_word_is_like_nothing(void **state)
{
	(void)state;
	char word[1000], same[65];
	memset(word, 'x', sizeof(word));
	memset(same, 'x', 64);
	same[64] = '\0';
	const char *const options[] = { "port", same };
	assert_null(text_nearest((struct slice){ word, sizeof(word) }, options, 2));
	assert_ptr_equal(text_nearest((struct slice){ word, 64 }, options, 2), same);
	assert_ptr_equal(text_nearest((struct slice){ word, 60 }, options, 2), same);
}

static void
durations_and_sizes_are_written_as_they_are_read(void **state)
{
	(void)state;
	char out[24];
	assert_string_equal(text_format_duration(0, out), "0");
	assert_string_equal(text_format_duration(30000, out), "30s");
	assert_string_equal(text_format_duration(90000, out), "90s");
	assert_string_equal(text_format_duration(1500, out), "1500ms");
	assert_string_equal(text_format_duration(300000, out), "5m");
	assert_string_equal(text_format_duration(86400000, out), "1d");
	assert_string_equal(text_format_duration(UINT64_MAX, out), "18446744073709551615ms");
	assert_string_equal(text_format_size(0, out), "0");
	assert_string_equal(text_format_size(1000, out), "1000");
	assert_string_equal(text_format_size(65536, out), "64k");
	assert_string_equal(text_format_size(16 << 20, out), "16m");
	assert_string_equal(text_format_size(UINT64_C(5) << 40, out), "5120g");
	uint64_t back;
	for (uint64_t value = 1; value < UINT64_MAX / 7; value = value * 7 / 2 + 1) {
		assert_int_equal(text_duration(slice_of(text_format_duration(value, out)), &back), 0);
		assert_true(back == value);
		assert_int_equal(text_size(slice_of(text_format_size(value * 512, out)), &back), 0);
		assert_true(back == value * 512);
	}
}

static void
a_number_is_written_in_as_many_digits_as_it_has(void **state)
{
	static const struct {
		uint64_t number;
		const char *text;
	} table[] = { { 0, "0" }, { 9, "9" }, { 10, "10" }, { 65535, "65535" }, { UINT64_MAX, "18446744073709551615" } };
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char out[TEXT_NUMBER_MAX + 1];
		memset(out, '#', sizeof(out));
		char *end = text_put_number(out, table[i].number);
		assert_true(slice_equals((struct slice){ out, (size_t)(end - out) }, table[i].text));
		assert_int_equal(out[end - out], '#');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_compare_by_their_bytes),
		cmocka_unit_test(nothing_is_an_empty_slice),
		cmocka_unit_test(trimming_takes_spaces_and_tabs_only),
		cmocka_unit_test(a_copy_is_a_string_of_its_own),
		cmocka_unit_test(a_list_gives_its_elements_and_skips_the_empty_ones),
		cmocka_unit_test(words_are_taken_one_by_one),
		cmocka_unit_test(a_number_is_digits_within_its_limits),
		cmocka_unit_test(sizes_are_read_as_people_write_them),
		cmocka_unit_test(durations_are_read_as_people_write_them),
		cmocka_unit_test(yes_and_no_have_many_names),
		cmocka_unit_test(a_slip_of_the_finger_is_recognised),
		cmocka_unit_test(a_very_long_word_is_like_nothing),
		cmocka_unit_test(durations_and_sizes_are_written_as_they_are_read),
		cmocka_unit_test(a_number_is_written_in_as_many_digits_as_it_has),
	};
	return cmocka_run_group_tests_name("base_text", tests, NULL, NULL);
}
