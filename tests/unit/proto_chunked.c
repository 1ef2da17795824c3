/* Bodies in chunks: each story is told whole, byte by byte, and cut at random, and must be the same story. */
#include "proto/chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 50 };

struct story {
	struct chunked chunked;
	struct buf data;
	struct buf rest; /* what was not eaten */
	enum chunked_result result;
};

/* IN is a heap copy of just its length, so that a sanitizer sees who reads behind it. */
static void
feed(struct story *s, const char *text, size_t len)
{
	unsigned char *copy = malloc(len == 0 ? 1 : len);
	struct span in = { copy, len }, data;
	assert_non_null(copy);
	memcpy(copy, text, len);
	while ((s->result = chunked_read(&s->chunked, &in, &data)) == CHUNKED_DATA) {
		assert_true(data.len > 0);
		assert_true(data.data >= copy && data.data + data.len <= copy + len);
		assert_int_equal(buf_append(&s->data, data.data, data.len), 0);
	}
	if (s->result == CHUNKED_MORE)
		assert_int_equal(in.len, 0);
	assert_int_equal(buf_append(&s->rest, in.data, in.len), 0);
	free(copy);
}

static size_t
next_part(size_t left, int round)
{
	size_t part = round == 0 ? left : round == 1 ? 1 : 1 + (size_t)rand() % 7;
	return part < left ? part : left;
}

static void
assert_bytes(struct buf *got, const char *wanted, size_t len)
{
	assert_int_equal(buf_len(got), len);
	if (len > 0)
		assert_memory_equal(buf_span(got).data, wanted, len);
}

static void
story_clear(struct story *s)
{
	buf_clear(&s->data);
	buf_clear(&s->rest);
}

/* FAULT NULL: the body is DATA, and REST is not of it. */
static void
assert_story(const char *text, size_t len, enum chunked_result wanted, const char *data, const char *rest, const char *fault)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct story s = { .result = CHUNKED_MORE };
		for (size_t at = 0, part; at < len; at += part) {
			part = next_part(len - at, round);
			feed(&s, text + at, part);
		}
		if (s.result != wanted)
			fail_msg("%s: %d, %s", text, (int)s.result, s.chunked.fault == NULL ? "" : s.chunked.fault);
		assert_bytes(&s.data, data, strlen(data));
		if (rest != NULL)
			assert_bytes(&s.rest, rest, strlen(rest));
		if (fault != NULL)
			assert_string_equal(s.chunked.fault, fault);
		story_clear(&s);
	}
}

static void
a_good_body_gives_its_data_and_leaves_what_follows(void **state)
{
	static const struct {
		const char *text, *data, *rest;
	} table[] = {
		{ "0\r\n\r\n", "", "" },
		{ "5\r\nhello\r\n0\r\n\r\n", "hello", "" },
		{ "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "hello world", "GET / HTTP/1.1\r\n" },
		{ "a\r\n0123456789\r\nA\r\nabcdefghij\r\n000\r\n\r\n", "0123456789abcdefghij", "" },
		{ "2;x\r\n\r\n\r\n0;y=\"z;z\" ; w\r\n\r\n", "\r\n", "" },
		{ "1 \t;a=b\r\nx\r\n0\r\n\r\n0\r\n\r\n", "x", "0\r\n\r\n" },
		{ "1\r\nx\r\n0\r\nX-Sum: 12\r\nEmpty:\r\n\r\n", "x", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_story(table[i].text, strlen(table[i].text), CHUNKED_END, table[i].data, table[i].rest, NULL);
}

static void
a_body_that_has_not_all_come_is_waited_for(void **state)
{
	static const char text[] = "3;e=f\r\nabc\r\n0\r\nA: b\r\n\r\n";
	(void)state;
	for (size_t len = 0; len < strlen(text); len++)
		assert_story(text, len, CHUNKED_MORE, len <= 7 ? "" : len == 8 ? "a" : len == 9 ? "ab" : "abc", "", NULL);
}

static void
what_others_might_read_otherwise_is_refused(void **state)
{
	static const struct {
		const char *text, *data, *fault;
	} table[] = {
		{ "\r\n", "", "a chunk has no size" },
		{ ";x\r\n", "", "a chunk has no size" },
		{ "-1\r\n", "", "a chunk has no size" },
		{ " 1\r\nx", "", "a chunk has no size" },
		{ "0x1\r\nx", "", "the size of a chunk is no hexadecimal number" },
		{ "1g\r\nx", "", "the size of a chunk is no hexadecimal number" },
		{ "1\nx\n", "", "the size of a chunk is no hexadecimal number" },
		{ "1 \r\nx", "", "white space behind the size of a chunk" },
		{ "1\rx", "", "the line with the size of a chunk does not end with CRLF" },
		{ "1;a\nx", "", "a control byte in an extension or the trailer of a chunked body" },
		{ "1;a\rb", "", "the line with the size of a chunk does not end with CRLF" },
		{ "1000000000000000\r\n", "", "the size of a chunk has too many digits" },
		{ "0000000000000000\r\n", "", "the size of a chunk has too many digits" },
		{ "1\r\nxy", "x", "a chunk is longer than its size" },
		{ "1\r\nx\n0\r\n", "x", "a chunk is longer than its size" },
		{ "1\r\nx\r0\r\n", "x", "a chunk is longer than its size" },
		{ "0\r\n\n", "", "a line of the trailer of a chunked body is no field" },
		{ "0\r\n: x\r\n\r\n", "", "a line of the trailer of a chunked body is no field" },
		{ "0\r\nA b: x\r\n\r\n", "", "a line of the trailer of a chunked body is no field" },
		{ "0\r\nA: x\r\n b\r\n\r\n", "", "a line of the trailer of a chunked body is no field" },
		{ "0\r\nA: x\r\r\n", "", "a line of the trailer of a chunked body does not end with CRLF" },
		{ "0\r\nA: x\n\r\n", "", "a control byte in an extension or the trailer of a chunked body" },
		{ "0\r\n\rx", "", "a chunked body does not end with CRLF" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_story(table[i].text, strlen(table[i].text), CHUNKED_BROKEN, table[i].data, NULL, table[i].fault);
}

static void
a_nul_is_no_text(void **state)
{
	static const char size[] = "1\0\r\nx", name[] = "0\r\nA\0: x\r\n";
	(void)state;
	assert_story(size, sizeof(size) - 1, CHUNKED_BROKEN, "", NULL, "the size of a chunk is no hexadecimal number");
	assert_story(name, sizeof(name) - 1, CHUNKED_BROKEN, "", NULL, "a line of the trailer of a chunked body is no field");
}

static void
feed_many(struct story *s, const char *text, size_t times)
{
	for (size_t i = 0; i < times && s->result == CHUNKED_MORE; i++)
		feed(s, text, strlen(text));
}

static void
extensions_and_trailers_are_not_endless(void **state)
{
	struct story s = { .result = CHUNKED_MORE };
	(void)state;
	feed_many(&s, "1;abcdefg\r\nx\r\n", CHUNKED_OVERHEAD_MAX / 8);
	assert_int_equal(s.result, CHUNKED_MORE);
	feed_many(&s, "1;abcdefg\r\nx\r\n", 1);
	assert_int_equal(s.result, CHUNKED_BROKEN);
	story_clear(&s);

	s = (struct story){ .result = CHUNKED_MORE };
	feed(&s, "0\r\n", 3);
	feed_many(&s, "Name: value\r\n", CHUNKED_OVERHEAD_MAX);
	assert_int_equal(s.result, CHUNKED_BROKEN);
	assert_string_equal(s.chunked.fault, "the extensions or the trailer of a chunked body are too long");
	story_clear(&s);
}

static void
what_we_write_is_what_we_read(void **state)
{
	static const size_t sizes[] = { 1, 9, 10, 15, 16, 255, 65535, 65536, 1000000 };
	struct buf text = { 0 }, wanted = { 0 };
	struct story s = { .result = CHUNKED_MORE };
	unsigned char head[CHUNKED_HEAD_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		buf_append(&text, head, chunked_write_head(sizes[i], head));
		for (int twice = 0; twice < 2; twice++) {
			struct buf *to = twice ? &wanted : &text;
			unsigned char *room = buf_reserve(to, sizes[i]);
			assert_non_null(room);
			memset(room, 'a' + (int)i, sizes[i]);
			buf_commit(to, sizes[i]);
		}
		buf_append(&text, "\r\n", 2);
	}
	buf_append(&text, CHUNKED_LAST, strlen(CHUNKED_LAST));
	feed(&s, (const char *)buf_span(&text).data, buf_len(&text));
	assert_int_equal(s.result, CHUNKED_END);
	assert_bytes(&s.data, (const char *)buf_span(&wanted).data, buf_len(&wanted));
	assert_true(chunked_write_head(SIZE_MAX, head) <= CHUNKED_HEAD_MAX);
	story_clear(&s);
	buf_clear(&text);
	buf_clear(&wanted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_body_gives_its_data_and_leaves_what_follows),
		cmocka_unit_test(a_body_that_has_not_all_come_is_waited_for),
		cmocka_unit_test(what_others_might_read_otherwise_is_refused),
		cmocka_unit_test(a_nul_is_no_text),
		cmocka_unit_test(extensions_and_trailers_are_not_endless),
		cmocka_unit_test(what_we_write_is_what_we_read),
	};
	return cmocka_run_group_tests_name("proto_chunked", tests, NULL, NULL);
}
