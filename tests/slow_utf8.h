/*
 * slow_utf8: UTF-8 by the value of its code points, for tests that judge the quick way.
 *
 * It knows nothing of states and tables: what bytes could still become is computed as the range of
 * code points between all bits clear and all bits set in what has not come.
 */
#ifndef TESTS_SLOW_UTF8_H
#define TESTS_SLOW_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Could these LEN > 0 bytes be how one code point begins? *WHOLE: they are all of it. */
static inline bool
slow_begins_code_point(const unsigned char *p, size_t len, bool *whole)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t need = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t low = need == 1 ? p[0] : p[0] & (0xffu >> (need + 1));
	uint32_t high = low;

	*whole = len == need;
	if ((p[0] >= 0x80 && p[0] < 0xc0) || p[0] >= 0xf8 || len > need)
		return false;
	for (size_t i = 1; i < need; i++) {
		if (i < len && (p[i] & 0xc0) != 0x80)
			return false;
		low = low << 6 | (i < len ? p[i] & 0x3fu : 0);
		high = high << 6 | (i < len ? p[i] & 0x3fu : 0x3f);
	}
	low = low < least[need] ? least[need] : low;
	high = high > 0x10ffff ? 0x10ffff : high;
	return low <= high && !(low >= 0xd800 && high <= 0xdfff);
}

/* How many bytes at DATA are one whole code point (*WHOLE) or one maximal subpart of none. */
static inline size_t
slow_step(const unsigned char *data, size_t len, bool *whole)
{
	size_t step = 1;
	bool longer;

	if (!slow_begins_code_point(data, 1, whole))
		return 1;
	while (!*whole && step < len && slow_begins_code_point(data, step + 1, &longer)) {
		step++;
		*whole = longer;
	}
	return step;
}

/* Is it UTF-8? With *CUT (may be NULL: then it must be whole) it may end inside a code point. */
static inline bool
slow_begins_utf8(const unsigned char *data, size_t len, bool *cut)
{
	bool whole = true;

	for (size_t at = 0, step; at < len; at += step) {
		step = slow_step(data + at, len - at, &whole);
		if (!whole && (at + step < len || !slow_begins_code_point(data + at, step, &(bool){ false })))
			return false;
	}
	if (cut != NULL)
		*cut = !whole;
	return cut != NULL || whole;
}

static inline bool
slow_is_utf8(const unsigned char *data, size_t len)
{
	return slow_begins_utf8(data, len, NULL);
}

/* Appends DATA with one U+FFFD for each maximal subpart of what is not UTF-8. */
static inline void
slow_repair(const unsigned char *data, size_t len, struct buf *fixed)
{
	for (size_t at = 0, step; at < len; at += step) {
		bool whole;

		step = slow_step(data + at, len - at, &whole);
		if (whole)
			buf_append(fixed, data + at, step);
		else
			buf_append(fixed, "\xef\xbf\xbd", 3);
	}
}

#endif
