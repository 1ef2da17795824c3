/*
 * utf8: whole code points are judged by their value, many at a time; only a code point that was
 * cut, or that is wrong, is walked byte by byte through the rules. Most of what passes here is
 * ASCII in lines of some sixty bytes, so that comes first: 32 bytes at a time. Where that ends,
 * a long text goes on in blocks (utf8_blocks.h).
 */
#include "proto/utf8.h"

#include <string.h>

#include "proto/utf8_blocks.h"

enum { BLOCKS_MIN = 64 }; /* bytes; for less, code point by code point is as quick */

/* What may come next. Each state is named for what has been seen, or for how many bytes it waits. */
enum {
	START = UTF8_START,
	ONE_MORE,
	TWO_MORE,
	THREE_MORE,
	AFTER_E0,
	AFTER_ED,
	AFTER_F0,
	AFTER_F4,
	WRONG,
};

struct rule {
	uint8_t low, high; /* the byte that may come */
	uint8_t next;
};

/* RFC 3629 4, without the first bytes: the second one alone can make a form overlong, a surrogate or too big. */
static const struct rule rules[] = {
	[ONE_MORE] = { 0x80, 0xbf, START },
	[TWO_MORE] = { 0x80, 0xbf, ONE_MORE },
	[THREE_MORE] = { 0x80, 0xbf, TWO_MORE },
	[AFTER_E0] = { 0xa0, 0xbf, ONE_MORE },
	[AFTER_ED] = { 0x80, 0x9f, ONE_MORE },
	[AFTER_F0] = { 0x90, 0xbf, TWO_MORE },
	[AFTER_F4] = { 0x80, 0x8f, TWO_MORE },
};

static uint8_t
after_first(unsigned char byte)
{
	if (byte < 0x80)
		return START;
	if (byte < 0xc2 || byte > 0xf4)
		return WRONG;
	if (byte < 0xe0)
		return ONE_MORE;
	if (byte < 0xf0)
		return byte == 0xe0 ? AFTER_E0 : byte == 0xed ? AFTER_ED : TWO_MORE;
	return byte == 0xf0 ? AFTER_F0 : byte == 0xf4 ? AFTER_F4 : THREE_MORE;
}

static uint8_t
after(uint8_t state, unsigned char byte)
{
	const struct rule *rule = &rules[state];
	return byte >= rule->low && byte <= rule->high ? rule->next : WRONG;
}

static uint64_t
word_at(const unsigned char *p)
{
	uint64_t word;
	memcpy(&word, p, sizeof(word));
	return word;
}

static const unsigned char *
skip_ascii(const unsigned char *p, const unsigned char *end)
{
	const uint64_t high_bits = 0x8080808080808080;
	const unsigned char *begin = p;
	while (end - p >= 32 && ((word_at(p) | word_at(p + 8) | word_at(p + 16) | word_at(p + 24)) & high_bits) == 0)
		p += 32;
	while (end - p >= 8 && (word_at(p) & high_bits) == 0)
		p += 8;
	/* The last few bytes with some before them, which are known to be ASCII. */
	if (end - p < 8 && end - begin >= 8 && (word_at(end - 8) & high_bits) == 0)
		return end;
	while (p < end && *p < 0x80)
		p++;
	return p;
}

/* Length of the code point of two bytes or more at P, or 0 if it is wrong or does not end before END. */
static size_t
long_form(const unsigned char *p, const unsigned char *end)
{
	size_t left = (size_t)(end - p);
	if (left >= 2 && p[0] >= 0xc2 && p[0] <= 0xdf)
		return (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if (left < 3)
		return 0;
	uint32_t bytes = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
	uint32_t point = (bytes & 0x0f0000) >> 4 | (bytes & 0x3f00) >> 2 | (bytes & 0x3f);
	if ((bytes & 0xf0c0c0) == 0xe08080)
		return point >= 0x800 && (point < 0xd800 || point > 0xdfff) ? 3 : 0;
	if (left < 4 || (bytes & 0xf8c0c0) != 0xf08080 || (p[3] & 0xc0) != 0x80)
		return 0;
	point = (bytes & 0x070000) << 2 | (bytes & 0x3f00) << 4 | (bytes & 0x3f) << 6 | (p[3] & 0x3f);
	return point >= 0x10000 && point <= 0x10ffff ? 4 : 0;
}

/* The end of what is whole and valid. */
static const unsigned char *
skip_whole(const unsigned char *p, const unsigned char *end)
{
	for (;;) {
		p = skip_ascii(p, end);
		if (end - p >= BLOCKS_MIN)
			p += utf8_blocks_best()->sure(p, (size_t)(end - p));
		if (p == end)
			return p;
		/* Letters of one script come together: no look for sixteen ASCII bytes after each. */
		while (p < end && *p >= 0x80) {
			size_t len = long_form(p, end);
			if (len == 0)
				return p;
			p += len;
		}
	}
}

/* Walks until the code point begun has ended, or is wrong, or END is reached. */
static const unsigned char *
finish_begun(uint8_t *state, const unsigned char *p, const unsigned char *end)
{
	while (p < end && *state != START && *state != WRONG)
		*state = after(*state, *p++);
	return p;
}

bool
utf8_check(uint8_t *state, const unsigned char *data, size_t len)
{
	if (len == 0)
		return true;
	const unsigned char *end = data + len, *p = finish_begun(state, data, end);
	if (*state == START)
		p = skip_whole(p, end);
	/* What is left was cut or is wrong: if it is wrong, no step leads back to START. */
	if (*state == START && p < end) {
		*state = after_first(*p++);
		finish_begun(state, p, end);
	}
	return *state != WRONG;
}

size_t
utf8_prefix(const unsigned char *data, size_t len, size_t *bad)
{
	*bad = 0;
	if (len == 0)
		return 0;
	const unsigned char *end = data + len, *stop = skip_whole(data, end);
	if (stop == end)
		return len;
	uint8_t state = after_first(*stop);
	const unsigned char *p = finish_begun(&state, stop + 1, end);
	/* The byte that broke a code point begun is not part of it: it may begin the next. */
	if (state == WRONG)
		*bad = p - stop > 1 ? (size_t)(p - stop) - 1 : 1;
	return (size_t)(stop - data);
}
