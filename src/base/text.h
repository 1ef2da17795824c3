/*
 * text: words, numbers, sizes and durations as people write them.
 *
 * A slice is a view of text: no NUL, nothing owned. All functions are pure and thread-safe; none
 * depends on the locale. Those that parse return 0, or -1 and leave *OUT alone.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *data;
	size_t len;
};

static inline struct slice
slice_of(const char *text)
{
	return (struct slice){ text, text == NULL ? 0 : strlen(text) };
}

/* For printf("%.*s"). */
#define SLICE_ARG(s) (int)(s).len, (s).data

bool slice_equals(struct slice a, const char *text);
bool slice_equals_nocase(struct slice a, const char *text); /* ASCII case only */
bool slice_same(struct slice a, struct slice b);
bool slice_starts(struct slice a, const char *prefix);
struct slice slice_trim(struct slice a); /* spaces and tabs, both ends */
char *slice_dup(struct slice a);         /* malloc'd, NUL-terminated; NULL if memory is out */

/*
 * Takes the next element off a comma-separated list: trimmed, empty ones skipped (RFC 9110 5.6.1).
 * Returns false at the end.
 */
bool text_next_listed(struct slice *list, struct slice *item);

/* Takes the next word off text separated by spaces or tabs. Returns false at the end. */
bool text_next_word(struct slice *text, struct slice *word);

/* Decimal digits only, no sign, min <= value <= max. */
int text_number(struct slice text, uint64_t min, uint64_t max, uint64_t *out);

/* "65536", "64k", "16m", "1g" (powers of 1024, case-blind, an optional b behind: "64kb"). Bytes. */
int text_size(struct slice text, uint64_t *out);

/* "500ms", "30s", "5m", "1h", "2d"; a bare number is seconds. Milliseconds. */
int text_duration(struct slice text, uint64_t *out_ms);

/* yes/no, on/off, true/false, t/f, 1/0, case-blind. */
int text_bool(struct slice text, bool *out);

/*
 * The candidate nearest to WORD, for "did you mean"; NULL if none is near (edit distance above a
 * third of the length). CANDIDATES has COUNT entries.
 */
const char *text_nearest(struct slice word, const char *const *candidates, size_t count);

/* Writes NUMBER at OUT, up to TEXT_NUMBER_MAX digits and no NUL. Returns the end of them. */
enum { TEXT_NUMBER_MAX = 20 };
char *text_put_number(char *out, uint64_t number);

/* Writes the duration the way text_duration reads it ("30s", "1500ms", "0"). Returns OUT. */
const char *text_format_duration(uint64_t ms, char out[static 24]);
/* The same for sizes ("64k", "1000"). */
const char *text_format_size(uint64_t bytes, char out[static 24]);

#endif
