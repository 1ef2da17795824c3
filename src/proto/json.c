/*
 * json: a walk over tokens that knows, at each, what may stand there. Of what surrounds a value
 * only one bit matters, whether it is an object or an array: so the stack is a row of bits.
 */
#include "proto/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "proto/utf8.h"

struct json {
	const unsigned char *at;
	const unsigned char *end;
	size_t depth;
	uint64_t objects[JSON_DEPTH_MAX / 64]; /* bit set: at this depth there is an object */
};

/* What may come next. */
enum step {
	VALUE,
	VALUE_OR_END, /* of an array that has just begun */
	KEY,
	KEY_OR_END, /* of an object that has just begun */
	COLON,
	COMMA_OR_END, /* behind a value; on the outside, nothing */
	WRONG,
	TOO_DEEP,
};

static bool
skip_white_space(struct json *j)
{
	while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\n' || *j->at == '\r'))
		j->at++;
	return j->at < j->end;
}

static bool
skip_byte(struct json *j, const char *among)
{
	if (j->at == j->end || *j->at == '\0' || strchr(among, *j->at) == NULL)
		return false;
	j->at++;
	return true;
}

static bool
skip_digits(struct json *j)
{
	const unsigned char *begin = j->at;

	while (j->at < j->end && *j->at >= '0' && *j->at <= '9')
		j->at++;
	return j->at > begin;
}

static bool
skip_number(struct json *j)
{
	skip_byte(j, "-");
	if (!skip_byte(j, "0") && !skip_digits(j))
		return false;
	if (skip_byte(j, ".") && !skip_digits(j))
		return false;
	if (!skip_byte(j, "eE"))
		return true;
	skip_byte(j, "+-");
	return skip_digits(j);
}

static bool
skip_escape(struct json *j)
{
	if (skip_byte(j, "\"\\/bfnrt"))
		return true;
	if (!skip_byte(j, "u"))
		return false;
	for (int i = 0; i < 4; i++)
		if (!skip_byte(j, "0123456789abcdefABCDEF"))
			return false;
	return true;
}

static bool
skip_string(struct json *j)
{
	if (!skip_byte(j, "\""))
		return false;
	while (j->at < j->end && *j->at >= 0x20) {
		unsigned char byte = *j->at++;

		if (byte == '"')
			return true;
		if (byte == '\\' && !skip_escape(j))
			return false;
	}
	return false;
}

static bool
skip_word(struct json *j, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(j->end - j->at) < len || memcmp(j->at, word, len) != 0)
		return false;
	j->at += len;
	return true;
}

static bool
is_in_object(const struct json *j)
{
	return j->objects[(j->depth - 1) / 64] >> ((j->depth - 1) % 64) & 1;
}

static enum step
enter(struct json *j, bool object)
{
	uint64_t *row = &j->objects[j->depth / 64 % (JSON_DEPTH_MAX / 64)];
	uint64_t bit = (uint64_t)1 << (j->depth % 64);

	if (j->depth == JSON_DEPTH_MAX)
		return TOO_DEEP;
	*row = object ? *row | bit : *row & ~bit;
	j->depth++;
	return object ? KEY_OR_END : VALUE_OR_END;
}

static enum step
leave(struct json *j)
{
	j->depth--;
	return COMMA_OR_END;
}

static enum step
after_value(struct json *j)
{
	if (skip_byte(j, "{"))
		return enter(j, true);
	if (skip_byte(j, "["))
		return enter(j, false);
	if (*j->at == '"')
		return skip_string(j) ? COMMA_OR_END : WRONG;
	if (skip_word(j, "true") || skip_word(j, "false") || skip_word(j, "null"))
		return COMMA_OR_END;
	return skip_number(j) ? COMMA_OR_END : WRONG;
}

static enum step
after_comma_or_end(struct json *j)
{
	if (j->depth == 0)
		return WRONG;
	if (skip_byte(j, ","))
		return is_in_object(j) ? KEY : VALUE;
	return skip_byte(j, is_in_object(j) ? "}" : "]") ? leave(j) : WRONG;
}

static enum step
after(struct json *j, enum step step)
{
	if (step == COMMA_OR_END)
		return after_comma_or_end(j);
	if (step == COLON)
		return skip_byte(j, ":") ? VALUE : WRONG;
	if (step == KEY_OR_END && skip_byte(j, "}"))
		return leave(j);
	if (step == KEY_OR_END || step == KEY)
		return skip_string(j) ? COLON : WRONG;
	if (step == VALUE_OR_END && skip_byte(j, "]"))
		return leave(j);
	return after_value(j);
}

const char *
json_fault(const unsigned char *data, size_t len)
{
	struct json j = { .at = data };
	enum step step = VALUE;
	size_t bad;

	if (len == 0)
		return "the message is empty, not JSON";
	if (utf8_prefix(data, len, &bad) < len)
		return "the message is not UTF-8";
	j.end = data + len;
	while (step < WRONG && skip_white_space(&j))
		step = after(&j, step);
	if (step == TOO_DEEP)
		return "the message nests too deeply";
	return step == COMMA_OR_END && j.depth == 0 ? NULL : "the message is not one JSON value";
}
