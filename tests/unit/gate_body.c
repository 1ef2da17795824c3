/* A body in chunks is collected up to a ceiling, and what follows it is left alone. */
#include "gate/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static enum body_result
feed(struct body *b, const char *text, size_t *left)
{
	char *copy = slice_dup(slice_of(text));
	struct span in = { (unsigned char *)copy, strlen(text) };
	enum body_result result = body_read(b, &in);
	*left = in.len;
	free(copy);
	return result;
}

static void
all_of_it_is_kept(void **state)
{
	struct body b = { .whole = false };
	size_t left;
	(void)state;
	assert_int_equal(feed(&b, "5\r\nhel", &left), BODY_MORE);
	assert_int_equal(left, 0);
	assert_false(b.whole);
	assert_int_equal(feed(&b, "lo\r\n3\r\n !!\r\n0\r\n\r\nGET /", &left), BODY_WHOLE);
	assert_int_equal(left, 5);
	assert_true(b.whole);
	assert_int_equal(buf_len(&b.bytes), 8);
	assert_memory_equal(buf_span(&b.bytes).data, "hello !!", 8);
	body_clear(&b);
	assert_int_equal(buf_len(&b.bytes), 0);
	assert_false(b.whole);
}

static void
a_malformed_one_is_told_apart(void **state)
{
	struct body b = { .whole = false };
	size_t left;
	(void)state;
	assert_int_equal(feed(&b, "5\nhello", &left), BODY_BROKEN);
	assert_non_null(b.chunked.fault);
	body_clear(&b);
}

static void
it_may_have_64_kib_and_no_byte_more(void **state)
{
	struct body b = { .whole = false };
	size_t left;
	char chunk[0x1000 + 16];
	(void)state;
	memset(chunk, 'x', sizeof(chunk));
	memcpy(chunk, "1000\r\n", 6);
	memcpy(chunk + 6 + 0x1000, "\r\n", 3);
	for (int i = 0; i < BODY_MAX / 0x1000; i++)
		assert_int_equal(feed(&b, chunk, &left), BODY_MORE);
	struct body full = b;
	assert_int_equal(feed(&full, "0\r\n\r\n", &left), BODY_WHOLE);
	assert_int_equal(buf_len(&full.bytes), BODY_MAX);
	assert_int_equal(feed(&b, "1\r\nx\r\n", &left), BODY_TOO_LONG);
	body_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_is_kept),
		cmocka_unit_test(a_malformed_one_is_told_apart),
		cmocka_unit_test(it_may_have_64_kib_and_no_byte_more),
	};
	return cmocka_run_group_tests_name("gate_body", tests, NULL, NULL);
}
