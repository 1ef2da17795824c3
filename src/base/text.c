/*
 * text: parsing by hand, character by character, because the C library's parsers skip white space,
 * take signs, stop where they like and depend on the locale.
 */
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct unit {
	const char *name;
	uint64_t worth;
};

/* Largest first, for the formatters. The empty name is what a bare number counts. */
static const struct unit size_units[] = {
	{ "g", UINT64_C(1) << 30 },
	{ "m", UINT64_C(1) << 20 },
	{ "k", UINT64_C(1) << 10 },
	{ "", 1 },
};

static const struct unit duration_units[] = {
	{ "d", UINT64_C(24) * 60 * 60 * 1000 },
	{ "h", UINT64_C(60) * 60 * 1000 },
	{ "m", UINT64_C(60) * 1000 },
	{ "s", 1000 },
	{ "ms", 1 },
	{ "", 1000 },
};

enum {
	SIZE_UNITS = sizeof(size_units) / sizeof(size_units[0]),
	DURATION_UNITS = sizeof(duration_units) / sizeof(duration_units[0]),
	NEAREST_WORD_MAX = 64,
};

static unsigned char
lower(char c)
{
	unsigned char byte = (unsigned char)c;
	return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The first LEN bytes, taken off A. */
static struct slice
take(struct slice *a, size_t len)
{
	struct slice taken = { a->data, len };
	/* Nothing may be added to NULL, not even 0. */
	if (len > 0)
		a->data += len;
	a->len -= len;
	return taken;
}

bool
slice_same(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool
slice_equals(struct slice a, const char *text)
{
	return slice_same(a, slice_of(text));
}

bool
slice_equals_nocase(struct slice a, const char *text)
{
	if (a.len != strlen(text))
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (a.data[i] != text[i] && lower(a.data[i]) != lower(text[i]))
			return false;
	return true;
}

bool
slice_starts(struct slice a, const char *prefix)
{
	size_t len = strlen(prefix);
	return a.len >= len && slice_equals((struct slice){ a.data, len }, prefix);
}

struct slice
slice_trim(struct slice a)
{
	while (a.len > 0 && is_blank(a.data[0]))
		take(&a, 1);
	while (a.len > 0 && is_blank(a.data[a.len - 1]))
		a.len--;
	return a;
}

char *
slice_dup(struct slice a)
{
	char *copy = malloc(a.len + 1);
	if (copy == NULL)
		return NULL;
	if (a.len > 0)
		memcpy(copy, a.data, a.len);
	copy[a.len] = '\0';
	return copy;
}

static size_t
length_until_comma(struct slice a)
{
	const char *comma = a.len == 0 ? NULL : memchr(a.data, ',', a.len);
	return comma == NULL ? a.len : (size_t)(comma - a.data);
}

bool
text_next_listed(struct slice *list, struct slice *item)
{
	while (list->len > 0) {
		struct slice found = slice_trim(take(list, length_until_comma(*list)));
		if (list->len > 0)
			take(list, 1);
		if (found.len > 0) {
			*item = found;
			return true;
		}
	}
	return false;
}

bool
text_next_word(struct slice *text, struct slice *word)
{
	*text = slice_trim(*text);
	if (text->len == 0)
		return false;
	size_t len = 0;
	while (len < text->len && !is_blank(text->data[len]))
		len++;
	*word = take(text, len);
	return true;
}

static struct slice
take_digits(struct slice *text)
{
	size_t len = 0;
	while (len < text->len && is_digit(text->data[len]))
		len++;
	return take(text, len);
}

int
text_number(struct slice text, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (text.len == 0)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.data[i]))
			return -1;
		uint64_t digit = (uint64_t)(text.data[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return -1;
		value = value * 10 + digit;
	}
	if (value < min || value > max)
		return -1;
	*out = value;
	return 0;
}

static int
times(struct slice digits, uint64_t worth, uint64_t *out)
{
	uint64_t value;
	if (text_number(digits, 0, UINT64_MAX / worth, &value) == -1)
		return -1;
	*out = value * worth;
	return 0;
}

int
text_size(struct slice text, uint64_t *out)
{
	struct slice digits = take_digits(&text);
	if (text.len > 0 && lower(text.data[text.len - 1]) == 'b')
		text.len--;
	for (size_t i = 0; i < SIZE_UNITS; i++)
		if (slice_equals_nocase(text, size_units[i].name))
			return times(digits, size_units[i].worth, out);
	return -1;
}

int
text_duration(struct slice text, uint64_t *out_ms)
{
	struct slice digits = take_digits(&text);
	for (size_t i = 0; i < DURATION_UNITS; i++)
		if (slice_equals(text, duration_units[i].name))
			return times(digits, duration_units[i].worth, out_ms);
	return -1;
}

int
text_bool(struct slice text, bool *out)
{
	static const char *const words[][2] = { { "no", "yes" }, { "off", "on" }, { "false", "true" }, { "f", "t" }, { "0", "1" } };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (int truth = 0; truth <= 1; truth++)
			if (slice_equals_nocase(text, words[i][truth])) {
				*out = truth == 1;
				return 0;
			}
	return -1;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * Letters to insert, remove, replace or swap with their neighbour (optimal string alignment). Both
 * words have at most NEAREST_WORD_MAX letters. Row i tells the way from A's first i letters to the
 * first j of B; three rows are enough, as a swap looks back two.
 */
static unsigned
edit_distance(struct slice a, struct slice b)
{
	unsigned rows[3][NEAREST_WORD_MAX + 1];
	for (unsigned j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned char x = lower(a.data[i - 1]), y = lower(b.data[j - 1]);
			row[j] = least(above[j - 1] + (x != y), least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == lower(b.data[j - 2]) && y == lower(a.data[i - 2]))
				row[j] = least(row[j], second[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

const char *
text_nearest(struct slice word, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	size_t nearest_distance = SIZE_MAX;
	if (word.len > NEAREST_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct slice candidate = slice_of(candidates[i]);
		if (candidate.len > NEAREST_WORD_MAX)
			continue;
		size_t distance = edit_distance(word, candidate);
		size_t longer = word.len > candidate.len ? word.len : candidate.len;
		if (distance < nearest_distance && distance * 3 <= longer) {
			nearest = candidates[i];
			nearest_distance = distance;
		}
	}
	return nearest;
}

char *
text_put_number(char *out, uint64_t number)
{
	char digits[TEXT_NUMBER_MAX], *first = digits + sizeof(digits);
	do
		*--first = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	size_t len = (size_t)(digits + sizeof(digits) - first);
	memcpy(out, first, len);
	return out + len;
}

static const char *
format_in(const struct unit *units, uint64_t value, char out[static 24])
{
	if (value == 0)
		return memcpy(out, "0", sizeof("0"));
	while (value % units->worth != 0)
		units++;
	snprintf(out, 24, "%" PRIu64 "%s", value / units->worth, units->name);
	return out;
}

const char *
text_format_duration(uint64_t ms, char out[static 24])
{
	return format_in(duration_units, ms, out);
}

const char *
text_format_size(uint64_t bytes, char out[static 24])
{
	return format_in(size_units, bytes, out);
}
