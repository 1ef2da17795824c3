/*
 * framing_lines: LF ends a message, or, as lines0, NUL.
 *
 * The input is searched once: f->known bytes at its head hold no LF that matters any more, either
 * because none was found in them yet, or, with f->ends, because the end lies right behind them.
 * The end itself ("\n", "\r\n", or nothing at the end of all input) stays in the input until the
 * last piece in front of it has been handed on. So a CR at the very end of the input decides
 * itself: it waits there until the byte behind it has come. Before a NUL, a CR is a byte like any.
 */
#include <string.h>

#include "proto/framing.h"
#include "proto/utf8.h"

static bool
is_lines0(const struct framing *f)
{
	return f->ops == &framing_lines0;
}

static void
find_end(struct framing *f, struct span in, enum framing_input state)
{
	const unsigned char *end = NULL;

	if (in.len > f->known)
		end = memchr(in.data + f->known, is_lines0(f) ? '\0' : '\n', in.len - f->known);
	f->known = (uint32_t)(end != NULL ? (size_t)(end - in.data) : in.len);
	f->ends = end != NULL;
	if (end != NULL && f->known > 0 && end[-1] == '\r' && !is_lines0(f))
		f->known--;
	if (end == NULL && state == FRAMING_EOF)
		f->ends = in.len > 0 || f->open;
}

/* Hands on MAX of the LEN bytes that are known of the line; with LAST, its end lies behind them. */
static enum framing_result
emit(struct framing *f, struct span *in, size_t len, bool last, size_t max, struct piece *out)
{
	size_t rest = len > max ? len - max : 0;
	enum framing_result result = framing_emit(f, in, len - rest, last && rest == 0, MESSAGE_TEXT, out);

	f->known += (uint32_t)rest;
	return result;
}

/* Hands on what there is of a line that cannot wait for its end. */
static enum framing_result
read_part(struct framing *f, struct span *in, size_t max, struct piece *out)
{
	size_t len = in->len;

	if (len > 0 && in->data[len - 1] == '\r' && !is_lines0(f))
		len--;
	return emit(f, in, len, false, max, out);
}

/* Lines are short, and looking at all that follow costs little more than looking at one. */
static void
look_ahead(struct framing *f, struct span in)
{
	size_t bad;

	if (f->sure < f->known && f->opt->type != MESSAGE_TYPE_BINARY)
		f->sure = (uint32_t)utf8_prefix(in.data, in.len, &bad);
}

enum framing_result
framing_read_line(struct framing *f, struct span *in, enum framing_input state, size_t max, struct piece *out)
{
	enum framing_result result;

	if (!f->ends)
		find_end(f, *in, state);
	if (!f->ends)
		return state == FRAMING_FULL || f->open ? read_part(f, in, max, out) : FRAMING_MORE;
	look_ahead(f, *in);
	result = emit(f, in, f->known, true, max, out);
	if (result == FRAMING_PIECE && out->last && in->len > 0)
		framing_eat(f, in, in->data[0] == '\r' ? 2 : 1);
	return result;
}

static enum framing_result
lines_read(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	return framing_read_line(f, in, state, SIZE_MAX, out);
}

/* An LF inside the message passes: where messages must survive, another framing is the answer. */
int
framing_write_line(struct framing *f, const struct piece *piece, struct gather *out)
{
	gather_add(out, piece->bytes.data, piece->bytes.len);
	if (piece->last)
		gather_add(out, is_lines0(f) ? "\0" : "\n", 1);
	return 0;
}

const struct framing_ops framing_lines = { "lines", lines_read, framing_write_line, false, true };
const struct framing_ops framing_lines0 = { "lines0", lines_read, framing_write_line, false, false };
