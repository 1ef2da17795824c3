/*
 * utf8: compared with a reference that knows no rule but one: what is valid is what some code point
 * is encoded to. It encodes them all and remembers what it saw.
 */
#include "proto/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Bit sets over the first one, two, three bytes: is this a code point? does one begin like this? */
static unsigned char whole[4][1 << 24 >> 3], begun[4][1 << 24 >> 3];

static uint32_t
joined(const unsigned char *bytes, size_t len)
{
	uint32_t all = 0;
	for (size_t i = 0; i < len; i++)
		all = all << 8 | bytes[i];
	return all;
}

static void
mark(unsigned char *set, uint32_t member)
{
	set[member >> 3] |= (unsigned char)(1 << (member & 7));
}

static bool
marked(const unsigned char *set, uint32_t member)
{
	return (set[member >> 3] >> (member & 7) & 1) != 0;
}

/* RFC 3629 3. */
static size_t
encode(uint32_t point, unsigned char out[static 4])
{
	size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const unsigned char first[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };
	for (size_t i = len - 1; i > 0; i--, point >>= 6)
		out[i] = (unsigned char)(0x80 | (point & 0x3f));
	out[0] = (unsigned char)(first[len] | point);
	return len;
}

static int
encode_everything(void **state)
{
	(void)state;
	for (uint32_t point = 0; point <= 0x10ffff; point++) {
		unsigned char bytes[4];
		if (point >= 0xd800 && point <= 0xdfff)
			continue;
		size_t len = encode(point, bytes);
		for (size_t n = 1; n < len; n++)
			mark(begun[n], joined(bytes, n));
		/* The last of four bytes is any of 80 to BF once three have been seen. */
		if (len < 4)
			mark(whole[len], joined(bytes, len));
	}
	return 0;
}

static bool
is_whole(const unsigned char *bytes, size_t len)
{
	if (len == 4)
		return marked(begun[3], joined(bytes, 3)) && bytes[3] >= 0x80 && bytes[3] <= 0xbf;
	return marked(whole[len], joined(bytes, len));
}

/* What the reference says about a text. */
struct verdict {
	size_t good;  /* bytes of whole code points */
	size_t wrong; /* index of the first byte that cannot be; the length if there is none */
	size_t bad;   /* as utf8_prefix */
};

static struct verdict
judge(const unsigned char *text, size_t len)
{
	struct verdict v = { 0, len, 0 };
	while (v.good < len) {
		const unsigned char *p = text + v.good;
		size_t left = len - v.good, n = 1;
		while (n <= 4 && n <= left && !is_whole(p, n))
			n++;
		if (n <= 4 && n <= left) {
			v.good += n;
			continue;
		}
		size_t begins = 0;
		while (begins < 3 && begins < left && marked(begun[begins + 1], joined(p, begins + 1)))
			begins++;
		if (begins == left)
			return v;
		v.wrong = v.good + begins;
		v.bad = begins == 0 ? 1 : begins;
		return v;
	}
	return v;
}

static void
show(const char *what, const unsigned char *text, size_t len)
{
	print_error("%s:", what);
	for (size_t i = 0; i < len; i++)
		print_error(" %02x", text[i]);
	print_error("\n");
	fail();
}

/* Whole, and cut once at CUT. */
static void
compare_cut_at(const unsigned char *text, size_t len, const struct verdict *v, size_t cut)
{
	uint8_t state = UTF8_START;
	if (utf8_check(&state, text, cut) != (v->wrong >= cut))
		show("first piece", text, len);
	if (v->wrong < cut)
		return;
	if (utf8_check(&state, text + cut, len - cut) != (v->wrong == len))
		show("second piece", text, len);
	if (v->wrong == len && (state == UTF8_START) != (v->good == len))
		show("end", text, len);
}

static void
compare_byte_by_byte(const unsigned char *text, size_t len, const struct verdict *v)
{
	uint8_t state = UTF8_START;
	for (size_t i = 0; i < len; i++) {
		bool right = utf8_check(&state, text + i, 1);
		if (right != (i < v->wrong))
			show("byte by byte", text, len);
		if (!right)
			return;
	}
	if ((state == UTF8_START) != (v->good == len))
		show("end, byte by byte", text, len);
}

static void
compare(const unsigned char *text, size_t len)
{
	struct verdict v = judge(text, len);
	size_t bad = 99, good = utf8_prefix(text, len, &bad);
	if (good != v.good || bad != v.bad)
		show("prefix", text, len);
	/* A wrong verdict shows itself at the cuts around the place where it is found. */
	size_t low = v.good > 8 ? v.good - 8 : 0;
	for (size_t cut = low; cut <= len && cut < low + 16; cut++)
		compare_cut_at(text, len, &v, cut);
	compare_cut_at(text, len, &v, 0);
	compare_byte_by_byte(text, len, &v);
}

static void
every_sequence_of_one_or_two_bytes_is_judged_right(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1 << 16; i++) {
		const unsigned char text[2] = { (unsigned char)(i >> 8), (unsigned char)i };
		compare(text + 1, 1);
		compare(text, 2);
	}
}

/* The loops of compare() are too slow for sixteen million texts: here each is seen whole and cut once. */
static void
every_sequence_of_three_bytes_is_judged_right(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1 << 24; i++) {
		const unsigned char text[3] = { (unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i };
		struct verdict v = judge(text, 3);
		size_t bad;
		if (utf8_prefix(text, 3, &bad) != v.good || bad != v.bad)
			show("prefix", text, 3);
		compare_cut_at(text, 3, &v, i % 3);
	}
}

/* Four bytes: every beginning of three that can be continued, and every last byte. */
static void
every_fourth_byte_is_judged_right(void **state)
{
	(void)state;
	for (unsigned i = 0xf08080; i <= 0xf4bfbf; i++) {
		if ((i & 0xc0c0) != 0x8080)
			continue;
		unsigned char text[4] = { (unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i };
		static const unsigned char last[] = { 0x00, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
		for (size_t n = 0; n < sizeof(last); n++) {
			text[3] = last[n];
			compare(text, 4);
		}
	}
}

/* Every place in and around the words that ASCII is read by. */
static void
one_odd_byte_in_a_long_line_is_found_wherever_it_stands(void **state)
{
	(void)state;
	static const char *const odd[] = { "\x80", "\xff", "\xc3\xa9", "\xc3", "\xe2\x82\xac", "\xe2\x82", "\xed\xa0\x80",
		"\xf0\x9f\x98\x80", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xc0\x80" };
	for (size_t len = 0; len <= 72; len++)
		for (size_t at = 0; at <= len; at++)
			for (size_t n = 0; n < sizeof(odd) / sizeof(odd[0]); n++) {
				size_t end = at + strlen(odd[n]), size = len > end ? len : end;
				/* Not a byte more, so that a sanitizer sees who reads beside it. */
				unsigned char *text = malloc(size);
				memset(text, 'a', size);
				memcpy(text + at, odd[n], strlen(odd[n]));
				compare(text, size);
				free(text);
			}
}

/* Mostly valid, or no test would come far: code points from every plane, sometimes a byte that is not. */
static size_t
random_text(unsigned char *text, size_t room)
{
	size_t len = 0;
	int noise = rand() % 60;
	while (len + 40 < room && rand() % 50 != 0) {
		int kind = rand() % 60;
		if (kind < noise / 10)
			text[len++] = (unsigned char)rand();
		else if (kind < 20)
			for (int run = rand() % 36; run > 0; run--)
				text[len++] = (unsigned char)(rand() % 0x80);
		else
			len += encode((uint32_t)(rand() % (kind < 40 ? 0x800 : kind < 50 ? 0xd800 : 0x110000)), text + len);
	}
	return len;
}

static void
any_text_is_judged_the_same_however_it_is_cut(void **state)
{
	(void)state;
	unsigned char text[1024];
	size_t valid = 0, cut = 0, wrong = 0;
	srand(3629);
	for (int round = 0; round < 20000; round++) {
		size_t len = random_text(text, sizeof(text));
		/* Cut short, as messages are by frames. */
		if (len > 0 && rand() % 4 == 0)
			len -= (size_t)rand() % (len < 4 ? len : 4);
		struct verdict v = judge(text, len);
		valid += v.good == len;
		cut += v.good < len && v.wrong == len;
		wrong += v.wrong < len;
		compare(text, len);
		uint8_t running = UTF8_START;
		for (size_t at = 0, piece; at < len; at += piece) {
			piece = (size_t)rand() % 40;
			if (piece > len - at)
				piece = len - at;
			bool right = utf8_check(&running, text + at, piece);
			if (right != (at + piece <= v.wrong))
				show("pieces", text, len);
			if (!right)
				break;
		}
		if (v.wrong == len && (running == UTF8_START) != (v.good == len))
			show("end of pieces", text, len);
	}
	/* The texts were of all kinds. */
	assert_true(valid > 1000 && cut > 100 && wrong > 1000);
}

static void
nothing_is_valid_and_changes_nothing(void **state)
{
	(void)state;
	uint8_t running = UTF8_START;
	size_t bad = 99;
	assert_true(utf8_check(&running, NULL, 0));
	assert_int_equal(running, UTF8_START);
	assert_int_equal(utf8_prefix(NULL, 0, &bad), 0);
	assert_int_equal(bad, 0);
	assert_true(utf8_check(&running, (const unsigned char *)"\xe2", 1));
	assert_int_not_equal(running, UTF8_START);
	assert_true(utf8_check(&running, NULL, 0));
	assert_true(utf8_check(&running, (const unsigned char *)"\x82\xac", 2));
	assert_int_equal(running, UTF8_START);
}

/* Unicode 15, 3.9, table 3-8 and its neighbours: what one U+FFFD stands for. */
static void
broken_text_is_replaced_as_unicode_recommends(void **state)
{
	(void)state;
	static const unsigned char text[] = "a\xf1\x80\x80\xe1\x80\xc2"
					    "b\x80"
					    "c\x80\xbf"
					    "d\xc0\xaf\xe0\x80\xbf\xed\xa0\xf4\x91";
	static const char expected[] = "a?3?2?1b?1c?1?1d?1?1?1?1?1?1?1?1?1";
	char shown[128];
	size_t len = sizeof(text) - 1, at = 0, used = 0;
	while (at < len) {
		size_t bad, good = utf8_prefix(text + at, len - at, &bad);
		used += (size_t)snprintf(shown + used, sizeof(shown) - used, "%.*s", (int)good, (const char *)text + at);
		at += good;
		if (at == len)
			break;
		assert_in_range(bad, 1, 3);
		used += (size_t)snprintf(shown + used, sizeof(shown) - used, "?%zu", bad);
		at += bad;
	}
	assert_string_equal(shown, expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_valid_and_changes_nothing),
		cmocka_unit_test(every_sequence_of_one_or_two_bytes_is_judged_right),
		cmocka_unit_test(every_sequence_of_three_bytes_is_judged_right),
		cmocka_unit_test(every_fourth_byte_is_judged_right),
		cmocka_unit_test(one_odd_byte_in_a_long_line_is_found_wherever_it_stands),
		cmocka_unit_test(any_text_is_judged_the_same_however_it_is_cut),
		cmocka_unit_test(broken_text_is_replaced_as_unicode_recommends),
	};
	return cmocka_run_group_tests_name("proto_utf8", tests, encode_everything, NULL);
}
