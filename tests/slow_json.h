/*
 * slow_json: RFC 8259 as its grammar is written, by recursion, for tests that judge the quick way.
 *
 * Each function returns what follows of TEXT once it has taken its rule off, or NULL.
 */
#ifndef TESTS_SLOW_JSON_H
#define TESTS_SLOW_JSON_H

#include <stdbool.h>
#include <string.h>

#include "slow_utf8.h"

static inline const char *slow_json_value(const char *text, const char *end, int depth);

static inline const char *
slow_json_ws(const char *text, const char *end)
{
	while (text != NULL && text < end && (*text == 0x20 || *text == 0x09 || *text == 0x0A || *text == 0x0D))
		text++;
	return text;
}

static inline const char *
slow_json_text(const char *text, const char *end, const char *word)
{
	for (; text != NULL && *word != '\0'; word++)
		text = text < end && *text == *word ? text + 1 : NULL;
	return text;
}

/* One structural character, with white space around it. */
static inline const char *
slow_json_sign(const char *text, const char *end, const char *sign)
{
	return slow_json_ws(slow_json_text(slow_json_ws(text, end), end, sign), end);
}

static inline bool
slow_json_is(const char *text, const char *end, char low, char high)
{
	return text != NULL && text < end && *text >= low && *text <= high;
}

static inline const char *
slow_json_digits(const char *text, const char *end)
{
	if (!slow_json_is(text, end, '0', '9'))
		return NULL;
	while (slow_json_is(text, end, '0', '9'))
		text++;
	return text;
}

static inline const char *
slow_json_number(const char *text, const char *end)
{
	if (slow_json_is(text, end, '-', '-'))
		text++;
	text = slow_json_is(text, end, '0', '0') ? text + 1 : slow_json_digits(text, end);
	if (slow_json_is(text, end, '.', '.'))
		text = slow_json_digits(text + 1, end);
	if (!slow_json_is(text, end, 'e', 'e') && !slow_json_is(text, end, 'E', 'E'))
		return text;
	text++;
	if (slow_json_is(text, end, '+', '+') || slow_json_is(text, end, '-', '-'))
		text++;
	return slow_json_digits(text, end);
}

static inline const char *
slow_json_escape(const char *text, const char *end)
{
	if (text == end)
		return NULL;
	if (memchr("\"\\/bfnrt", *text, 8) != NULL)
		return text + 1;
	if (*text++ != 'u')
		return NULL;
	for (int i = 0; i < 4; i++, text++)
		if (!slow_json_is(text, end, '0', '9') && !slow_json_is(text, end, 'a', 'f') && !slow_json_is(text, end, 'A', 'F'))
			return NULL;
	return text;
}

static inline const char *
slow_json_string(const char *text, const char *end)
{
	text = slow_json_text(text, end, "\"");
	while (text != NULL && text < end && *text != '"') {
		if (*text == '\\')
			text = slow_json_escape(text + 1, end);
		else
			text = (unsigned char)*text >= 0x20 ? text + 1 : NULL;
	}
	return slow_json_text(text, end, "\"");
}

static inline const char *
slow_json_member(const char *text, const char *end, int depth)
{
	text = slow_json_sign(slow_json_string(text, end), end, ":");
	return text == NULL ? NULL : slow_json_value(text, end, depth);
}

static inline const char *
slow_json_list(const char *text, const char *end, int depth, bool object)
{
	const char *rest = slow_json_sign(text, end, object ? "}" : "]");

	if (rest != NULL)
		return rest;
	do {
		text = slow_json_ws(text, end);
		text = object ? slow_json_member(text, end, depth) : slow_json_value(text, end, depth);
		rest = slow_json_sign(text, end, object ? "}" : "]");
		if (rest != NULL)
			return rest;
		text = slow_json_sign(text, end, ",");
	} while (text != NULL);
	return NULL;
}

static inline const char *
slow_json_value(const char *text, const char *end, int depth)
{
	if (text == NULL || text == end)
		return NULL;
	if (*text == '{' || *text == '[')
		return depth == 0 ? NULL : slow_json_list(text + 1, end, depth - 1, *text == '{');
	if (*text == '"')
		return slow_json_string(text, end);
	if (*text == 't')
		return slow_json_text(text, end, "true");
	if (*text == 'f')
		return slow_json_text(text, end, "false");
	if (*text == 'n')
		return slow_json_text(text, end, "null");
	return slow_json_number(text, end);
}

/* Is it one JSON value of at most DEPTH arrays and objects inside each other? */
static inline bool
slow_is_json(const unsigned char *data, size_t len, int depth)
{
	const char *text = (const char *)data, *end;

	if (len == 0)
		return false;
	end = text + len;
	return slow_is_utf8(data, len) && slow_json_ws(slow_json_value(slow_json_ws(text, end), end, depth), end) == end;
}

#endif
