/*
 * buf: what goes in comes out, in order, and nothing is kept for what is gone.
 */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_holds(const struct buf *b, const char *expected)
{
	assert_int_equal(buf_len(b), strlen(expected));
	struct span span = buf_span(b);
	assert_int_equal(span.len, strlen(expected));
	if (span.len > 0)
		assert_memory_equal(span.data, expected, span.len);
}

static void
a_new_buf_is_empty_and_owns_nothing(void **state)
{
	(void)state;
	struct buf b = { 0 };
	assert_int_equal(buf_len(&b), 0);
	assert_null(buf_span(&b).data);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_null(b.block);
	buf_drop(&b, 0);
	buf_clear(&b);
	assert_null(b.block);
}

static void
bytes_come_out_in_the_order_they_went_in(void **state)
{
	(void)state;
	struct buf b = { 0 };
	assert_int_equal(buf_append(&b, "hello ", 6), 0);
	assert_int_equal(buf_append(&b, "world", 5), 0);
	assert_holds(&b, "hello world");
	buf_drop(&b, 6);
	assert_holds(&b, "world");
	assert_int_equal(buf_append(&b, "!", 1), 0);
	assert_holds(&b, "world!");
	buf_clear(&b);
}

static void
the_last_byte_dropped_gives_the_memory_back(void **state)
{
	(void)state;
	struct buf b = { 0 };
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	buf_drop(&b, 2);
	assert_non_null(b.block);
	buf_drop(&b, 1);
	assert_null(b.block);
}

static void
a_read_that_found_nothing_costs_nothing(void **state)
{
	(void)state;
	struct buf b = { 0 };
	assert_non_null(buf_reserve(&b, 4096));
	buf_commit(&b, 0);
	assert_null(b.block);
}

static void
only_what_is_committed_counts(void **state)
{
	(void)state;
	struct buf b = { 0 };
	unsigned char *room = buf_reserve(&b, 100);
	memcpy(room, "abcdef", 6);
	assert_int_equal(buf_len(&b), 0);
	buf_commit(&b, 3);
	assert_holds(&b, "abc");
	assert_int_equal(buf_append(&b, "xyz", 3), 0);
	assert_holds(&b, "abcxyz");
	buf_clear(&b);
}

static void
printing_appends_text_of_any_length_without_a_nul(void **state)
{
	(void)state;
	struct buf b = { 0 };
	assert_int_equal(buf_printf(&b, "%s %d\n", "a", 1), 0);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(buf_printf(&b, "%0*d", 3000, 7), 0);
	assert_int_equal(buf_len(&b), 4 + 3000);
	assert_memory_equal(buf_span(&b).data, "a 1\n000", 7);
	assert_int_equal(buf_span(&b).data[3003], '7');
	buf_clear(&b);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_null(b.block);
}

static void
more_than_memory_can_hold_is_refused_and_nothing_is_lost(void **state)
{
	(void)state;
	struct buf b = { 0 };
	assert_int_equal(buf_append(&b, "kept", 4), 0);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_null(buf_reserve(&b, SIZE_MAX - 4));
	assert_null(buf_reserve(&b, SIZE_MAX / 2));
	assert_holds(&b, "kept");
	buf_clear(&b);
}

/* A connection may hold its high-water mark and little more. */
static void
memory_stays_in_proportion_to_what_waits(void **state)
{
	(void)state;
	struct buf b = { 0 };
	unsigned char block[1000] = { 0 };
	for (int i = 0; i < 256; i++) {
		assert_int_equal(buf_append(&b, block, sizeof(block)), 0);
		assert_true(b.block->cap <= buf_len(&b) * 3 / 2);
	}
	/* A full queue through which a gigabyte would flow never grows. */
	for (int i = 0; i < 10000; i++) {
		buf_drop(&b, sizeof(block));
		assert_int_equal(buf_append(&b, block, sizeof(block)), 0);
		assert_true(b.block->cap <= buf_len(&b) * 3 / 2 + sizeof(block) * 3 / 2);
	}
	/* After a jam, a queue that never quite empties gives back what it took. */
	buf_drop(&b, 250 * sizeof(block));
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(buf_append(&b, block, sizeof(block)), 0);
		buf_drop(&b, sizeof(block));
	}
	assert_true(b.block->cap <= 20 * sizeof(block));
	buf_clear(&b);
}

static void
appending_bytes_one_by_one_moves_few(void **state)
{
	(void)state;
	struct buf b = { 0 };
	size_t allocations = 0, cap = 0;
	for (int i = 0; i < 1 << 20; i++) {
		assert_int_equal(buf_append(&b, "x", 1), 0);
		allocations += b.block->cap != cap;
		cap = b.block->cap;
	}
	assert_true(allocations < 30);
	buf_clear(&b);
}

/* Against a plain counter: byte number N of the stream is (N * 31) & 255. */
static void
any_mix_of_filling_and_draining_keeps_the_stream(void **state)
{
	(void)state;
	struct buf b = { 0 };
	unsigned char block[2000];
	size_t in = 0, out = 0;
	srand(1);
	for (int turn = 0; turn < 20000; turn++) {
		size_t fill = (size_t)rand() % (turn % 100 == 0 ? sizeof(block) : 50);
		for (size_t i = 0; i < fill; i++)
			block[i] = (unsigned char)((in + i) * 31);
		if (rand() % 2 == 0) {
			assert_int_equal(buf_append(&b, block, fill), 0);
		} else {
			memcpy(buf_reserve(&b, fill + 1), block, fill);
			buf_commit(&b, fill);
		}
		in += fill;
		assert_int_equal(buf_len(&b), in - out);
		size_t drain = (size_t)rand() % (buf_len(&b) + 1);
		struct span span = buf_span(&b);
		for (size_t i = 0; i < drain; i++)
			if (span.data[i] != (unsigned char)((out + i) * 31))
				fail_msg("byte %zu is wrong", out + i);
		buf_drop(&b, drain);
		out += drain;
		if (buf_len(&b) == 0)
			assert_null(b.block);
	}
	buf_clear(&b);
}

static void
a_span_skips_forward(void **state)
{
	(void)state;
	unsigned char text[] = "abc";
	struct span span = { text, 3 };
	span_skip(&span, 2);
	assert_int_equal(span.len, 1);
	assert_int_equal(*span.data, 'c');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_buf_is_empty_and_owns_nothing),
		cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
		cmocka_unit_test(the_last_byte_dropped_gives_the_memory_back),
		cmocka_unit_test(a_read_that_found_nothing_costs_nothing),
		cmocka_unit_test(only_what_is_committed_counts),
		cmocka_unit_test(printing_appends_text_of_any_length_without_a_nul),
		cmocka_unit_test(more_than_memory_can_hold_is_refused_and_nothing_is_lost),
		cmocka_unit_test(memory_stays_in_proportion_to_what_waits),
		cmocka_unit_test(appending_bytes_one_by_one_moves_few),
		cmocka_unit_test(any_mix_of_filling_and_draining_keeps_the_stream),
		cmocka_unit_test(a_span_skips_forward),
	};
	return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}
