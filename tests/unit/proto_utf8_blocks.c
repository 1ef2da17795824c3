/*
 * utf8_blocks: each variant that this machine can run, compared with the slow reference: wherever a text
 * begins in memory, however long it is, and wherever it goes wrong.
 */
#include "proto/utf8_blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../slow_utf8.h"

enum { BLOCK_MAX = 32, ROOM = 4 * BLOCK_MAX };

static const struct utf8_blocks *variants[2];

static int
find_variants(void **state)
{
	(void)state;
	variants[0] = utf8_blocks_narrow();
	variants[1] = utf8_blocks_best();
	return 0;
}

/* Whole code points at the head of DATA. */
static size_t
slow_good(const unsigned char *data, size_t len)
{
	bool whole = true;
	size_t good = 0;
	while (good < len) {
		size_t step = slow_step(data + good, len - good, &whole);
		if (!whole)
			break;
		good += step;
	}
	return good;
}

/* What is sure is whole, and nothing is missed but what a block cannot tell. */
static void
compare(const struct utf8_blocks *v, const unsigned char *data, size_t len)
{
	size_t good = slow_good(data, len), sure = v->sure(data, len);
	assert_true(sure <= good);
	assert_int_equal(slow_good(data, sure), sure);
	assert_true(good - sure < v->width + 3);
}

/* In memory of its own, so that a sanitizer sees a step beyond either end. */
static void
compare_at_all_places(const unsigned char *data, size_t len)
{
	for (size_t offset = 0; offset < BLOCK_MAX; offset++) {
		unsigned char *memory = malloc(offset + len + 1);
		memcpy(memory + offset, data, len);
		for (size_t i = 0; i < 2; i++)
			compare(variants[i], memory + offset, len);
		free(memory);
	}
}

static const char *const texts[] = {
	"plain old ASCII text, which is what most of all text is made of, again and again and so on until it is long enough, I "
	"think",
	"\xd0\xa1\xd1\x8a\xd0\xb5\xd1\x88\xd1\x8c \xd0\xb6\xd0\xb5 \xd0\xb5\xd1\x89\xd1\x91 \xd1\x8d\xd1\x82\xd0\xb8\xd1\x85 "
	"\xd0\xbc\xd1\x8f\xd0\xb3\xd0\xba\xd0\xb8\xd1\x85 \xd1\x84\xd1\x80\xd0\xb0\xd0\xbd\xd1\x86\xd1\x83\xd0\xb7\xd1\x81"
	"\xd0\xba\xd0\xb8\xd1\x85 \xd0\xb1\xd1\x83\xd0\xbb\xd0\xbe\xd0\xba, \xd0\xb4\xd0\xb0",
	"\xe3\x81\x84\xe3\x82\x8d\xe3\x81\xaf\xe3\x81\xab\xe3\x81\xbb\xe3\x81\xb8\xe3\x81\xa8\xe3\x81\xa1\xe3\x82\x8a"
	"\xe3\x81\xac\xe3\x82\x8b\xe3\x82\x92\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xe0\xa0\x80\xe3\x81\x8b\xe3\x82\x88"
	"\xe3\x81\x9f\xe3\x82\x8c\xe3\x81\x9d\xe3\x81\xa4\xe3\x81\xad",
	"ok \xf0\x9f\x98\x80\xf0\x9f\x9a\x80 \xf4\x8f\xbf\xbf\xf0\x90\x80\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80x\xf0\x9f\x98\x80"
	"\xf0\x9f\x98\x80yz\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xc2\x80\xf0\x9f\x98\x80\xdf\xbf\xf0\x9f\x98\x80",
};

static void
texts_of_any_length_at_any_place_are_told(void **state)
{
	(void)state;
	for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
		for (size_t len = 0; len <= strlen(texts[t]); len++)
			compare_at_all_places((const unsigned char *)texts[t], len);
}

static void
a_byte_that_is_wrong_anywhere_is_never_passed(void **state)
{
	(void)state;
	static const unsigned char strange[] = { 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xf5, 0xf8, 0xff, 'a' };
	for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
		for (size_t at = 0; at < strlen(texts[t]); at++)
			for (size_t s = 0; s < sizeof(strange); s++) {
				unsigned char text[ROOM + BLOCK_MAX];
				size_t len = strlen(texts[t]);
				memcpy(text, texts[t], len);
				text[at] = strange[s];
				compare(variants[0], text, len);
				compare(variants[1], text, len);
			}
}

/* Each pair of first bytes, with what may or may not follow, in the middle of a block and over its end. */
static void
all_that_can_begin_is_judged_as_the_rfc_does(void **state)
{
	(void)state;
	static const unsigned char next[] = { 'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xe0, 0xff };
	unsigned char text[ROOM];
	memset(text, 'a', sizeof(text));
	for (unsigned pair = 0; pair < 0x10000; pair++)
		for (unsigned i = 0; i < sizeof(next) * sizeof(next); i++) {
			const unsigned char four[] = { (unsigned char)(pair >> 8), (unsigned char)pair, next[i / sizeof(next)],
				next[i % sizeof(next)] };
			size_t at = 2 * BLOCK_MAX - 1 - pair % 7, rest = ROOM - at;
			memcpy(text + at, four, 4);
			size_t good = at + slow_good(text + at, 8);
			for (size_t v = 0; v < 2; v++) {
				size_t sure = variants[v]->sure(text, sizeof(text));
				if (good == at + 8 ? sure < sizeof(text) - 3 : sure > good || good - sure >= variants[v]->width + 3)
					fail_msg("%02x %02x %02x %02x, blocks of %zu: %zu sure, %zu good", four[0], four[1],
						four[2], four[3], variants[v]->width, sure, good);
			}
			memset(text + at, 'a', rest < 4 ? rest : 4);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_of_any_length_at_any_place_are_told),
		cmocka_unit_test(a_byte_that_is_wrong_anywhere_is_never_passed),
		cmocka_unit_test(all_that_can_begin_is_judged_as_the_rfc_does),
	};
	return cmocka_run_group_tests(tests, find_variants, NULL);
}
