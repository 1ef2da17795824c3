/*
 * However a text is cut, utf8_check says what a slow reader of one byte at a time says, fails in the
 * very piece that holds the wrong byte, and utf8_prefix agrees with both.
 *
 * The first byte of the input says how long the pieces are.
 */
#include "proto/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* Bytes of the code point at P, or 0: decoded by RFC 3629 3 and measured against what it should have been. */
static size_t
point_length(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
	if (len == 0 || len > left)
		return 0;
	uint32_t point = len == 1 ? p[0] : p[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		point = point << 6 | (p[i] & 0x3f);
	}
	return point >= least[len] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? len : 0;
}

/* Can what is here be completed? Only by trying: the first and the last of all completions suffice, and A0/90 for E0/F0. */
static bool
can_be_completed(const uint8_t *p, size_t len)
{
	static const uint8_t seconds[] = { 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf };
	for (size_t n = 0; n < sizeof(seconds); n++) {
		uint8_t whole[4] = { p[0], seconds[n], 0x80, 0x80 };
		for (size_t i = 1; i < len && i < 4; i++)
			whole[i] = p[i];
		size_t length = point_length(whole, 4);
		if (length > len)
			return true;
	}
	return false;
}

/* Index of the first byte that cannot be (or SIZE); *GOOD is the end of the whole code points. */
static size_t
first_wrong(const uint8_t *text, size_t size, size_t *good)
{
	size_t at = 0, len;
	while (at < size && (len = point_length(text + at, size - at)) > 0)
		at += len;
	*good = at;
	size_t begun = 0;
	while (at + begun < size && can_be_completed(text + at, begun + 1))
		begun++;
	return at + begun;
}

static void
check_pieces(const uint8_t *text, size_t size, size_t piece, size_t wrong, size_t good)
{
	uint8_t state = UTF8_START;
	for (size_t at = 0; at < size; at += piece) {
		size_t len = piece < size - at ? piece : size - at;
		bool right = utf8_check(&state, text + at, len);
		must(right == (at + len <= wrong));
		if (!right)
			return;
	}
	must((state == UTF8_START) == (good == size));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	size_t piece = (size_t)data[0] % 40 + 1, good, bad;
	const uint8_t *text = data + 1;
	size--;
	size_t wrong = first_wrong(text, size, &good);
	check_pieces(text, size, piece, wrong, good);
	check_pieces(text, size, 1, wrong, good);
	check_pieces(text, size, size + 1, wrong, good);
	must(utf8_prefix(text, size, &bad) == good);
	if (wrong == size)
		must(bad == 0);
	else
		must(bad == (wrong == good ? 1 : wrong - good));
	return 0;
}
