/*
 * framing_message: a header of five bytes, the type and the length (big-endian), then the payload.
 *
 *     t text    b binary    c close (2-byte code and reason, or nothing)    p pong
 *
 * What a backend says with it is said to the client: with c it names the close code itself. To the
 * backend only t and b go; pings and closes are answered before they would reach it.
 */
#include "proto/framing.h"
#include "proto/utf8.h"
#include "proto/ws.h"

enum { HEADER_LEN = 5 };

/* f->step is the type of the message at hand, or this. */
enum { BETWEEN = 0 };

static bool
is_control(unsigned char type)
{
	return type == 'c' || type == 'p';
}

static bool
is_type(unsigned char type)
{
	return type == 't' || type == 'b' || is_control(type);
}

static enum framing_result
read_header(struct framing *f, struct span *in, enum framing_input state)
{
	const unsigned char *p = in->data;

	if (in->len > 0 && !is_type(p[0]))
		return framing_break(f, "the backend's message has no known type (t b p c)");
	if (in->len < HEADER_LEN)
		return state == FRAMING_EOF && in->len > 0 ? framing_break_off(f) : FRAMING_MORE;
	f->left = (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
	if (is_control(p[0]) && f->left > WS_CONTROL_MAX)
		return framing_break(f, "the backend's close or pong is over 125 bytes");
	if (!is_control(p[0]) && !framing_may_announce(f, f->left))
		return FRAMING_BROKEN;
	f->step = p[0];
	span_skip(in, HEADER_LEN);
	return FRAMING_MORE;
}

/* RFC 6455 5.5.1 */
static bool
close_is_valid(struct span payload)
{
	size_t bad;

	if (payload.len == 0)
		return true;
	return payload.len >= 2 && ws_close_code_is_valid((uint16_t)(payload.data[0] << 8 | payload.data[1])) &&
	       utf8_prefix(payload.data + 2, payload.len - 2, &bad) == payload.len - 2;
}

static enum framing_result
end_control(struct framing *f, struct piece *out)
{
	*out = (struct piece){ f->step == 'c' ? MESSAGE_CLOSE : MESSAGE_PONG, true, true, buf_span(&f->made) };
	f->step = BETWEEN;
	if (out->kind == MESSAGE_CLOSE && !close_is_valid(out->bytes))
		return framing_break(f, "the backend's close has no valid code and reason");
	return FRAMING_PIECE;
}

/* They are whole or they are not, and the input may be smaller than one: collected as they come. */
static enum framing_result
read_control(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	size_t len = in->len < f->left ? in->len : (size_t)f->left;

	if (len < f->left && state == FRAMING_EOF)
		return framing_break_off(f);
	if (buf_append(&f->made, in->data, len) == -1)
		return framing_break(f, "out of memory");
	span_skip(in, len);
	f->left -= len;
	return f->left > 0 ? FRAMING_MORE : end_control(f, out);
}

static enum framing_result
read_payload(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	enum message_kind kind = f->step == 't' ? MESSAGE_TEXT : MESSAGE_BINARY;
	enum framing_result result = framing_emit_counted(f, in, state, 0, kind, out);

	if (result == FRAMING_PIECE && out->last)
		f->step = BETWEEN;
	return result;
}

static enum framing_result
message_read(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	enum framing_result result;

	if (f->step == BETWEEN) {
		buf_clear(&f->made);
		result = read_header(f, in, state);
		if (f->step == BETWEEN)
			return result;
		state = framing_with_room(state);
	}
	return is_control(f->step) ? read_control(f, in, state, out) : read_payload(f, in, state, out);
}

static int
message_write(struct framing *f, const struct piece *piece, struct gather *out)
{
	struct span whole;
	unsigned char *header;
	int code = framing_collect(f, piece, &whole);

	if (code != 0 || !piece->last)
		return code;
	if (whole.len > UINT32_MAX)
		return framing_refuse(f, WS_CLOSE_TOO_BIG, "longer than the backend can be told");
	header = gather_put(out, HEADER_LEN);
	header[0] = piece->kind == MESSAGE_TEXT ? 't' : 'b';
	for (int i = 0; i < 4; i++)
		header[1 + i] = (unsigned char)(whole.len >> (24 - 8 * i));
	framing_lend(f, whole, out);
	return 0;
}

const struct framing_ops framing_message = { "message", message_read, message_write, true, false };
