/*
 * framing_tagged: each line becomes a JSON object that tells where it comes from.
 *
 * Lines are cut as framing_lines cuts them, and each piece is then written anew with what JSON
 * wants escaped. A piece is small enough to be copied by the gather, so that one buffer, made anew
 * for each, is all that it takes.
 */
#include <string.h>
#include <sys/wait.h>

#include "proto/framing.h"

#define TAGGED_BEGIN "{\"stream\":\"stderr\",\"data\":\"" /* the longest */
#define TAGGED_END "\"}"

enum { ESCAPED_MAX = GATHER_COPY_MAX - sizeof(TAGGED_BEGIN TAGGED_END) };

static bool
is_stderr(const struct framing *f)
{
	return f->ops == &framing_tagged_stderr;
}

/* How many bytes a byte of the input may become. */
static size_t
cost_of(unsigned char byte)
{
	if (byte < 0x20)
		return strlen("\\u0000");
	if (byte == '"' || byte == '\\')
		return strlen("\\\"");
	return byte < 0x80 ? 1 : strlen("\xEF\xBF\xBD");
}

/* How many bytes at the head of IN, not beyond its first line, fit into a piece whatever they are. */
static size_t
fitting(struct span in)
{
	size_t cost = 0, len = 0;

	while (len < in.len && in.data[len] != '\n' && cost + cost_of(in.data[len]) <= ESCAPED_MAX)
		cost += cost_of(in.data[len++]);
	return len > FRAMING_FULL_MIN ? len : FRAMING_FULL_MIN;
}

static unsigned char *
put(unsigned char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

/* RFC 8259 7 */
static unsigned char *
put_escaped(unsigned char *to, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	static const char letters[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'
	};

	*to++ = '\\';
	if (byte < sizeof(letters) && letters[byte] != 0) {
		*to++ = (unsigned char)letters[byte];
		return to;
	}
	to = put(to, "u00");
	*to++ = (unsigned char)digits[byte >> 4];
	*to++ = (unsigned char)digits[byte & 15];
	return to;
}

static unsigned char *
put_string(unsigned char *to, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < 0x20 || text.data[i] == '"' || text.data[i] == '\\')
			to = put_escaped(to, text.data[i]);
		else
			*to++ = text.data[i];
	return to;
}

static enum framing_result
tag(struct framing *f, struct piece *piece)
{
	unsigned char *begin = buf_reserve(&f->made, GATHER_COPY_MAX);
	unsigned char *to = begin;

	if (begin == NULL)
		return framing_break(f, "out of memory");
	if (piece->first)
		to = put(to, is_stderr(f) ? TAGGED_BEGIN : "{\"stream\":\"stdout\",\"data\":\"");
	to = put_string(to, piece->bytes);
	if (piece->last)
		to = put(to, TAGGED_END);
	buf_commit(&f->made, (size_t)(to - begin));
	piece->bytes = buf_span(&f->made);
	return FRAMING_PIECE;
}

static enum framing_result
tagged_read(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	/* JSON is text, whatever the route says. */
	static const struct framing_options text = { .type = MESSAGE_TYPE_TEXT, .utf8 = UTF8_REPLACE };
	enum framing_result result;

	buf_clear(&f->made);
	f->opt = &text;
	result = framing_read_line(f, in, state, fitting(*in), out);
	return result == FRAMING_PIECE ? tag(f, out) : result;
}

void
framing_tagged_interrupt(struct framing *f, struct piece *out)
{
	static unsigned char end[] = "\",\"more\":true}";

	f->open = false;
	*out = (struct piece){ MESSAGE_TEXT, false, true, { end, sizeof(end) - 1 } };
}

int
framing_tagged_exit(int status, struct buf *out)
{
	const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

	if (!WIFSIGNALED(status))
		return buf_printf(out, "{\"stream\":\"exit\",\"code\":%d}", WEXITSTATUS(status));
	if (name == NULL) /* of the real-time signals */
		return buf_printf(out, "{\"stream\":\"exit\",\"signal\":\"%d\"}", WTERMSIG(status));
	return buf_printf(out, "{\"stream\":\"exit\",\"signal\":\"%s\"}", name);
}

const struct framing_ops framing_tagged = { "tagged", tagged_read, framing_write_line, false, true };
const struct framing_ops framing_tagged_stderr = { "tagged stderr", tagged_read, framing_write_line, false, true };
