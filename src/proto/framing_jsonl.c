/*
 * framing_jsonl: one JSON value on each line, as MCP speaks over stdio.
 *
 * Towards the client it is lines: what the program prints is its own affair. From the client only
 * one value on one line passes, so that no client can say two things where it may say one.
 */
#include <string.h>

#include "proto/framing.h"
#include "proto/json.h"
#include "proto/ws.h"

static enum framing_result
jsonl_read(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	return framing_read_line(f, in, state, SIZE_MAX, out);
}

/* JSON allows a line break between two tokens. A lone CR is one too, to many who read lines. */
static bool
has_line_break(struct span text)
{
	return text.len > 0 && (memchr(text.data, '\n', text.len) != NULL || memchr(text.data, '\r', text.len) != NULL);
}

static int
jsonl_write(struct framing *f, const struct piece *piece, struct gather *out)
{
	struct span whole;
	const char *fault;
	int code = framing_collect(f, piece, &whole);

	if (code != 0 || !piece->last)
		return code;
	fault = has_line_break(whole) ? "the message has a line break in it" : json_fault(whole.data, whole.len);
	if (fault != NULL)
		return framing_refuse(f, WS_CLOSE_INVALID, fault);
	framing_lend(f, whole, out);
	gather_add(out, "\n", 1);
	return 0;
}

const struct framing_ops framing_jsonl = { "jsonl", jsonl_read, jsonl_write, true, true };
