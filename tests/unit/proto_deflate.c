/*
 * deflate: what we compress, anybody can inflate who was promised the same window; and what anybody
 * compresses we inflate, however it is cut and however little room there is. The judge is zlib itself,
 * with the message before it and the tail put back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/deflate.h"

enum { SIZE = 150000 };

static struct deflate_options options = { .on = true, .takeover = true, .level = 6, .window = 15 };
static struct deflate_terms terms;
static unsigned char text[SIZE], noise[SIZE];

/* Sentences that repeat themselves now and then, and bytes that never do. */
static void
fill(void)
{
	static const char *const words[] = { "the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog" };
	srand(7692);
	for (size_t at = 0; at < SIZE;) {
		const char *word = words[rand() % 8];
		size_t len = strlen(word) < SIZE - at ? strlen(word) : SIZE - at;
		memcpy(text + at, word, len);
		at += len;
		if (at < SIZE)
			text[at++] = (unsigned char)(' ' + rand() % 10);
	}
	for (size_t i = 0; i < SIZE; i++)
		noise[i] = (unsigned char)rand();
}

static int
begin(void **state)
{
	(void)state;
	fill();
	options = (struct deflate_options){ .on = true, .takeover = true, .level = 6, .window = 15 };
	terms = (struct deflate_terms){ .agreed = true, .server_takeover = true, .client_takeover = true };
	return 0;
}

/* DATA as one message, in pieces of at most CUT bytes. */
static struct buf
pack(struct deflate *d, const unsigned char *data, size_t len, size_t cut)
{
	struct buf out = { 0 };
	assert_true(deflate_begin(d, len));
	for (bool last = false; !last;) {
		size_t part = len < cut ? len : cut;
		unsigned char *at = buf_reserve(&out, deflate_bound(part));
		assert_non_null(at);
		last = part == len;
		buf_commit(&out, deflate_pack(d, (struct span){ (unsigned char *)(uintptr_t)data, part }, last, at));
		data += part;
		len -= part;
	}
	return out;
}

/* As a client does with so big a window, and a kilobyte of it at a time so that it has nothing else to look back into. */
static void
must_inflate_to(z_stream *z, const struct buf *packed, const unsigned char *data, size_t len)
{
	struct buf whole = { 0 };
	unsigned char out[100];
	size_t at = 0;
	assert_int_equal(buf_append(&whole, buf_span(packed).data, buf_len(packed)), 0);
	assert_int_equal(buf_append(&whole, "\x00\x00\xff\xff", 4), 0);
	z->next_in = buf_span(&whole).data;
	z->avail_in = (uInt)buf_len(&whole);
	do {
		z->next_out = out;
		z->avail_out = sizeof(out);
		int result = inflate(z, Z_SYNC_FLUSH);
		assert_true(result == Z_OK || result == Z_BUF_ERROR);
		assert_true(at + sizeof(out) - z->avail_out <= len);
		assert_memory_equal(out, data + at, sizeof(out) - z->avail_out);
		at += sizeof(out) - z->avail_out;
	} while (z->avail_out == 0);
	assert_int_equal(at, len);
	assert_int_equal(z->avail_in, 0);
	buf_clear(&whole);
}

static void
what_is_sent_keeps_within_the_window_that_was_promised(void **state)
{
	(void)state;
	for (unsigned bits = 8; bits <= 15; bits++)
		for (unsigned level = 1; level <= 9; level += 4) {
			z_stream z = { 0 };
			options.level = level;
			terms.server_bits = (uint8_t)bits;
			struct deflate *d = deflate_new(&options, &terms);
			assert_int_equal(inflateInit2(&z, -(int)bits), Z_OK);
			for (int round = 0; round < 3; round++) { /* each may refer to the one before */
				const unsigned char *data = round == 1 ? noise : text;
				struct buf packed = pack(d, data, SIZE, round == 0 ? DEFLATE_SLICE : 3000);
				must_inflate_to(&z, &packed, data, SIZE);
				if (data == text)
					assert_in_range(buf_len(&packed), 1, bits == 8 ? SIZE : SIZE / 2);
				buf_clear(&packed);
			}
			inflateEnd(&z);
			deflate_free(d);
		}
}

static void
a_route_may_take_a_smaller_window_than_the_client_has(void **state)
{
	z_stream z = { 0 };
	(void)state;
	options.window = 9;
	terms.server_bits = 0; /* the client has not asked */
	struct deflate *d = deflate_new(&options, &terms);
	assert_int_equal(inflateInit2(&z, -9), Z_OK);
	struct buf packed = pack(d, text, SIZE, DEFLATE_SLICE);
	must_inflate_to(&z, &packed, text, SIZE);
	buf_clear(&packed);
	inflateEnd(&z);
	deflate_free(d);
}

/* Inflates PACKED in parts of CUT bytes, into rooms of SIZE bytes. Returns the last result. */
static enum deflate_result
unpack(struct deflate *d, const struct buf *packed, size_t cut, size_t size, struct buf *out)
{
	struct span rest = buf_span(packed);
	enum deflate_result result;
	unsigned char *bytes = malloc(size);
	assert_non_null(bytes);
	do {
		size_t len = rest.len < cut ? rest.len : cut;
		struct span in = { rest.data, len };
		do {
			struct span room = { bytes, size };
			result = deflate_unpack(d, &in, len == rest.len, &room);
			assert_int_equal(buf_append(out, bytes, size - room.len), 0);
		} while (result == DEFLATE_FULL);
		span_skip(&rest, len);
	} while (result == DEFLATE_MORE && rest.len > 0);
	free(bytes);
	return result;
}

static void
what_comes_is_the_same_however_it_is_cut(void **state)
{
	static const size_t cuts[] = { 1, 7, 1000, SIZE_MAX }, rooms[] = { 1, 3, 258, 4096, SIZE + 1 };
	(void)state;
	struct deflate *ours = deflate_new(&options, &terms);
	for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++)
		for (size_t r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
			struct deflate *theirs = deflate_new(&options, &terms);
			for (size_t len = 1; len < SIZE; len *= 13) {
				struct buf out = { 0 }, packed = pack(theirs, text, len, DEFLATE_SLICE);
				assert_int_equal(unpack(ours, &packed, cuts[c], rooms[r], &out), DEFLATE_MORE);
				assert_int_equal(buf_len(&out), len);
				assert_memory_equal(buf_span(&out).data, text, len);
				buf_clear(&out);
				buf_clear(&packed);
			}
			/* Another compressor follows, as after a client that keeps no context: that is its right. */
			deflate_free(theirs);
		}
	deflate_free(ours);
}

static void
all_sizes_up_to_a_room_and_beyond_come_whole(void **state)
{
	enum { ROOM = 300 };
	(void)state;
	struct deflate *d = deflate_new(&options, &terms);
	for (size_t len = 0; len < 2 * ROOM + 5; len++) {
		struct buf out = { 0 }, packed = pack(d, text, len, DEFLATE_SLICE);
		assert_int_equal(unpack(d, &packed, SIZE_MAX, ROOM, &out), DEFLATE_MORE);
		assert_int_equal(buf_len(&out), len);
		buf_clear(&out);
		buf_clear(&packed);
	}
	deflate_free(d);
}

static void
memory_is_there_only_while_a_message_is_on_its_way_without_takeover(void **state)
{
	(void)state;
	terms.server_takeover = terms.client_takeover = false;
	struct deflate *d = deflate_new(&options, &terms);
	struct buf out = { 0 };
	assert_null(d->packer);
	assert_true(deflate_begin(d, SIZE_MAX));
	assert_non_null(d->packer);
	struct buf packed = pack(d, text, 100, 10);
	assert_null(d->packer);
	assert_null(d->unpacker);
	struct span half = { buf_span(&packed).data, 20 };
	unsigned char bytes[200];
	struct span room = { bytes, sizeof(bytes) };
	assert_int_equal(deflate_unpack(d, &half, false, &room), DEFLATE_MORE);
	assert_non_null(d->unpacker);
	half = buf_span(&packed);
	span_skip(&half, 20);
	assert_int_equal(deflate_unpack(d, &half, true, &room), DEFLATE_MORE);
	assert_null(d->unpacker);
	assert_memory_equal(bytes, text, 100);
	buf_clear(&out);
	buf_clear(&packed);
	deflate_free(d);
}

static void
with_takeover_a_message_that_came_before_costs_little(void **state)
{
	(void)state;
	struct deflate *d = deflate_new(&options, &terms);
	struct buf first = pack(d, noise, 1000, SIZE_MAX / 2), second = pack(d, noise, 1000, SIZE_MAX / 2);
	assert_in_range(buf_len(&first), 1000, deflate_bound(1000));
	assert_in_range(buf_len(&second), 1, 100);
	buf_clear(&first);
	buf_clear(&second);
	deflate_free(d);
}

static void
what_is_shorter_than_the_threshold_is_sent_as_it_is(void **state)
{
	(void)state;
	options.threshold = 100;
	struct deflate *d = deflate_new(&options, &terms);
	assert_false(deflate_begin(d, 99));
	assert_null(d->packer);
	assert_true(deflate_begin(d, 100));
	assert_true(deflate_begin(d, SIZE_MAX));
	deflate_free(d);
}

/* Many a client has a zlib that makes 512 of 256, and does not know (deflateInit2 in zlib.h). */
static void
a_client_that_promises_256_is_understood(void **state)
{
	(void)state;
	options.window = 9;
	struct deflate *theirs = deflate_new(&options, &terms);
	terms.client_bits = 8;
	struct deflate *ours = deflate_new(&options, &terms);
	struct buf out = { 0 }, packed = pack(theirs, text, 5000, DEFLATE_SLICE);
	assert_int_equal(unpack(ours, &packed, SIZE_MAX, 10, &out), DEFLATE_MORE);
	assert_int_equal(buf_len(&out), 5000);
	buf_clear(&out);
	buf_clear(&packed);
	deflate_free(theirs);
	deflate_free(ours);
}

/* 32,000 streams of nothing, of two bytes each: what comes of them is nothing, and the next message is read as ever. */
static void
streams_may_end_and_begin_as_they_like(void **state)
{
	static unsigned char ends[64000];
	struct buf packed = { 0 }, out = { 0 };
	(void)state;
	for (size_t i = 0; i < sizeof(ends); i += 2)
		memcpy(ends + i, "\x03\x00", 2);
	assert_int_equal(buf_append(&packed, ends, sizeof(ends)), 0);
	assert_int_equal(buf_append(&packed, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8), 0);
	struct deflate *d = deflate_new(&options, &terms);
	assert_int_equal(unpack(d, &packed, SIZE_MAX, 100, &out), DEFLATE_MORE);
	assert_int_equal(buf_len(&out), 5);
	assert_memory_equal(buf_span(&out).data, "Hello", 5);
	buf_clear(&packed);
	buf_clear(&out);
	deflate_free(d);
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_sent_keeps_within_the_window_that_was_promised),
		CASE(a_route_may_take_a_smaller_window_than_the_client_has),
		CASE(what_comes_is_the_same_however_it_is_cut),
		CASE(all_sizes_up_to_a_room_and_beyond_come_whole),
		CASE(memory_is_there_only_while_a_message_is_on_its_way_without_takeover),
		CASE(with_takeover_a_message_that_came_before_costs_little),
		CASE(what_is_shorter_than_the_threshold_is_sent_as_it_is),
		CASE(a_client_that_promises_256_is_understood),
		CASE(streams_may_end_and_begin_as_they_like),
	};
	return cmocka_run_group_tests_name("proto_deflate", tests, NULL, NULL);
}
