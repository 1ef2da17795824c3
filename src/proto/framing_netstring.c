/*
 * framing_netstring: the length in decimal, a colon, the payload, a comma.
 *
 * The comma is what shows that the length was right (a program that counts characters instead of
 * bytes is the usual reason why it was not), so a message ends only when it is there.
 */
#include <stdio.h>

#include "proto/framing.h"

enum step {
	BETWEEN,
	ZERO,   /* the length is 0: no digit may follow */
	DIGITS, /* one at least */
	PAYLOAD,
};

static bool
read_length_byte(struct framing *f, unsigned char byte)
{
	if (byte >= '0' && byte <= '9' && f->step != ZERO) {
		f->step = f->step == BETWEEN && byte == '0' ? ZERO : DIGITS;
		return framing_add_digit(f, byte);
	}
	if (byte != ':' || f->step == BETWEEN) {
		f->fault = "the backend's output is no netstring (LEN:payload,)";
		return false;
	}
	f->step = PAYLOAD;
	return true;
}

static enum framing_result
read_length(struct framing *f, struct span *in, enum framing_input state)
{
	while (in->len > 0 && f->step != PAYLOAD) {
		if (!read_length_byte(f, in->data[0]))
			return FRAMING_BROKEN;
		span_skip(in, 1);
	}
	return state == FRAMING_EOF && f->step != BETWEEN ? framing_break_off(f) : FRAMING_MORE;
}

static enum framing_result
read_payload(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	enum framing_result result;

	if (in->len > f->left && in->data[f->left] != ',')
		return framing_break(f, "no comma behind the backend's netstring");
	result = framing_emit_counted(f, in, state, 1, MESSAGE_TEXT, out);
	if (result == FRAMING_PIECE && out->last) {
		span_skip(in, 1);
		f->step = BETWEEN;
	}
	return result;
}

static enum framing_result
netstring_read(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	enum framing_result result;

	if (f->step != PAYLOAD) {
		result = read_length(f, in, state);
		if (f->step != PAYLOAD)
			return result;
		state = framing_with_room(state);
	}
	return read_payload(f, in, state, out);
}

static int
netstring_write(struct framing *f, const struct piece *piece, struct gather *out)
{
	char length[24];
	struct span whole;
	int code = framing_collect(f, piece, &whole);

	if (code != 0 || !piece->last)
		return code;
	gather_add(out, length, (size_t)snprintf(length, sizeof(length), "%zu:", whole.len));
	framing_lend(f, whole, out);
	gather_add(out, ",", 1);
	return 0;
}

const struct framing_ops framing_netstring = { "netstring", netstring_read, netstring_write, true, false };
