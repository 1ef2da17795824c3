/*
 * gather: many small things leave as one, big things leave from where they lie.
 */
#include "base/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct gather g;

/* What a write of all vectors would send. */
static size_t
flatten(unsigned char *out)
{
	size_t len = 0, total = gather_close(&g);
	for (int i = 0; i < g.count; i++) {
		assert_true(g.vec[i].iov_len > 0);
		memcpy(out + len, g.vec[i].iov_base, g.vec[i].iov_len);
		len += g.vec[i].iov_len;
	}
	assert_int_equal(len, total);
	return len;
}

static int
start_empty(void **state)
{
	(void)state;
	gather_reset(&g);
	return 0;
}

static void
nothing_added_is_nothing_to_send(void **state)
{
	(void)state;
	assert_true(gather_is_empty(&g));
	gather_add(&g, NULL, 0);
	gather_put(&g, 0);
	assert_true(gather_is_empty(&g));
	assert_int_equal(gather_close(&g), 0);
	assert_int_equal(g.count, 0);
	assert_true(gather_has_room(&g));
}

static void
a_thousand_small_frames_are_one_vector(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(gather_has_room(&g));
		memcpy(gather_put(&g, 2), "\x81\x3c", 2);
		gather_add(&g, "sixty bytes are what a line of a log has, more or less, or so", 60);
	}
	assert_int_equal(gather_close(&g), 62 * 1000);
	assert_int_equal(g.count, 1);
	assert_memory_equal(g.arena + 62 * 999, "\x81\x3csixty", 7);
}

static void
a_small_payload_may_be_forgotten_by_its_owner(void **state)
{
	(void)state;
	char payload[GATHER_COPY_MAX];
	memset(payload, 'a', sizeof(payload));
	gather_add(&g, payload, sizeof(payload));
	memset(payload, 'b', sizeof(payload));
	gather_close(&g);
	assert_int_equal(((char *)g.vec[0].iov_base)[0], 'a');
	assert_int_equal(((char *)g.vec[0].iov_base)[GATHER_COPY_MAX - 1], 'a');
}

static void
a_big_payload_is_sent_from_where_it_lies(void **state)
{
	(void)state;
	static unsigned char payload[GATHER_COPY_MAX + 1];
	memcpy(gather_put(&g, 4), "head", 4);
	gather_add(&g, payload, sizeof(payload));
	memcpy(gather_put(&g, 4), "next", 4);
	assert_int_equal(gather_close(&g), 8 + sizeof(payload));
	assert_int_equal(g.count, 3);
	assert_ptr_equal(g.vec[1].iov_base, payload);
	assert_int_equal(g.vec[1].iov_len, sizeof(payload));
	assert_memory_equal(g.vec[2].iov_base, "next", 4);
	assert_int_equal(g.used, 8);
}

static void
neighbours_in_one_buffer_are_one_vector(void **state)
{
	(void)state;
	static unsigned char payload[3 * 2000];
	gather_add(&g, payload, 2000);
	gather_add(&g, payload + 2000, 2000);
	assert_int_equal(g.count, 1);
	gather_add(&g, payload, 2000);
	assert_int_equal(g.count, 2);
	assert_int_equal(gather_close(&g), 6000);
}

static void
what_is_added_behind_a_close_joins_the_last_vector(void **state)
{
	(void)state;
	gather_add(&g, "abc", 3);
	assert_int_equal(gather_close(&g), 3);
	gather_add(&g, "def", 3);
	assert_int_equal(gather_close(&g), 6);
	assert_int_equal(gather_close(&g), 6);
	assert_int_equal(g.count, 1);
	assert_memory_equal(g.vec[0].iov_base, "abcdef", 6);
}

static void
room_is_denied_before_it_runs_out(void **state)
{
	(void)state;
	static unsigned char small[GATHER_COPY_MAX], big[GATHER_COPY_MAX + 1];
	int frames = 0;
	for (; gather_has_room(&g); frames++) {
		gather_add(&g, small, sizeof(small));
		gather_add(&g, small, sizeof(small));
	}
	assert_int_equal(frames, GATHER_ARENA / GATHER_ROOM);
	gather_reset(&g);
	for (; gather_has_room(&g);) {
		gather_put(&g, 14);
		gather_add(&g, big, sizeof(big));
	}
	gather_close(&g);
	assert_in_range(g.count, GATHER_VECTORS - 4, GATHER_VECTORS);
}

static void
what_is_made_in_the_free_space_is_taken_without_a_copy(void **state)
{
	(void)state;
	gather_add(&g, "ab", 2);
	struct span space = gather_space(&g);
	assert_int_equal(space.len, GATHER_ARENA - 2);
	memset(space.data, 'c', 5000);
	assert_ptr_equal(gather_put(&g, 5000), space.data);
	gather_add(&g, "d", 1);
	assert_int_equal(gather_close(&g), 5003);
	assert_int_equal(g.count, 1);
	assert_memory_equal(g.arena + 5000, "ccd", 3);
	assert_int_equal(gather_space(&g).len, GATHER_ARENA - 5003);
}

static void
whatever_is_added_the_stream_is_kept(void **state)
{
	(void)state;
	static unsigned char source[1 << 16], flat[1 << 20], expected[1 << 20];
	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (unsigned char)rand();
	for (int round = 0; round < 300; round++) {
		size_t len = 0;
		gather_reset(&g);
		while (gather_has_room(&g) && rand() % 60 != 0) {
			size_t run = (size_t)rand() % (rand() % 4 == 0 ? 5000 : 200);
			const unsigned char *from = source + (size_t)rand() % (sizeof(source) - run);
			memcpy(expected + len, from, run);
			len += run;
			gather_add(&g, from, run);
			if (rand() % 3 == 0)
				assert_int_equal(gather_close(&g), len);
		}
		assert_int_equal(flatten(flat), len);
		assert_memory_equal(flat, expected, len);
	}
}

#define gather_test(name) cmocka_unit_test_setup(name, start_empty)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		gather_test(nothing_added_is_nothing_to_send),
		gather_test(a_thousand_small_frames_are_one_vector),
		gather_test(a_small_payload_may_be_forgotten_by_its_owner),
		gather_test(a_big_payload_is_sent_from_where_it_lies),
		gather_test(neighbours_in_one_buffer_are_one_vector),
		gather_test(what_is_added_behind_a_close_joins_the_last_vector),
		gather_test(room_is_denied_before_it_runs_out),
		gather_test(what_is_made_in_the_free_space_is_taken_without_a_copy),
		gather_test(whatever_is_added_the_stream_is_kept),
	};
	return cmocka_run_group_tests_name("base_gather", tests, NULL, NULL);
}
