/*
 * framing_lsp: header lines, of which Content-Length counts, an empty line, the payload; as the
 * Language Server Protocol has it (and the Debug Adapter Protocol).
 *
 * The header is read byte by byte: it may be longer than the input, and nobody needs to keep it.
 */
#include <stdio.h>

#include "proto/framing.h"

enum { HEADER_MAX = 4096 };

static const char length_name[] = "content-length";

/* What comes next. Up to NAME_SEEN: so many bytes of a line, which are those of Content-Length. */
enum step {
	LINE = 0,
	NAME_SEEN = sizeof(length_name) - 1,
	OTHER_NAME, /* of a header that we do not know */
	OTHER_VALUE,
	LENGTH,       /* its first digit, or space in front of it */
	LENGTH_DIGIT, /* another digit, or its end */
	LENGTH_SPACE, /* behind it */
	LINE_LF,
	EMPTY_LINE_LF,
	PAYLOAD,
};

#define NOT_TOLD UINT64_MAX /* f->left, before the length has been read */

static uint8_t
wrong(struct framing *f, const char *fault)
{
	f->fault = fault;
	return f->step;
}

static uint8_t
begin_length(struct framing *f)
{
	if (f->left != NOT_TOLD)
		return wrong(f, "two Content-Length in the backend's header");
	f->left = 0;
	return LENGTH;
}

static uint8_t
after_name_byte(struct framing *f, unsigned char byte)
{
	unsigned char lower = byte >= 'A' && byte <= 'Z' ? byte + 32 : byte;

	if (f->step < NAME_SEEN && lower == (unsigned char)length_name[f->step])
		return f->step + 1;
	if (byte == '\r' && f->step == LINE)
		return EMPTY_LINE_LF;
	if (byte == ':' && f->step == NAME_SEEN)
		return begin_length(f);
	if (byte == ':' && f->step != LINE)
		return OTHER_VALUE;
	if (byte <= ' ' || byte >= 0x7f || byte == ':')
		return wrong(f, "a header line of the backend is not \"Name: value\"");
	return OTHER_NAME;
}

static uint8_t
after_length_byte(struct framing *f, unsigned char byte)
{
	if (byte >= '0' && byte <= '9' && f->step != LENGTH_SPACE) {
		framing_add_digit(f, byte);
		return LENGTH_DIGIT;
	}
	if (byte == ' ' || byte == '\t')
		return f->step == LENGTH ? LENGTH : LENGTH_SPACE;
	if (byte == '\r' && f->step != LENGTH)
		return LINE_LF;
	return wrong(f, "the backend's Content-Length is no number");
}

static uint8_t
after_other_byte(struct framing *f, unsigned char byte)
{
	if (byte == '\n')
		return wrong(f, "a header line of the backend ends without CR");
	return byte == '\r' ? LINE_LF : OTHER_VALUE;
}

static uint8_t
after_line(struct framing *f, unsigned char byte)
{
	if (byte != '\n')
		return wrong(f, "a CR inside a header line of the backend");
	if (f->step == LINE_LF)
		return LINE;
	return f->left == NOT_TOLD ? wrong(f, "no Content-Length in the backend's header") : PAYLOAD;
}

static uint8_t
after_byte(struct framing *f, unsigned char byte)
{
	if (f->step <= OTHER_NAME)
		return after_name_byte(f, byte);
	if (f->step == OTHER_VALUE)
		return after_other_byte(f, byte);
	if (f->step == LINE_LF || f->step == EMPTY_LINE_LF)
		return after_line(f, byte);
	return after_length_byte(f, byte);
}

static enum framing_result
read_header(struct framing *f, struct span *in, enum framing_input state)
{
	if (f->header_len == 0)
		f->left = NOT_TOLD;
	while (in->len > 0 && f->step != PAYLOAD) {
		if (f->header_len++ == HEADER_MAX)
			return framing_break(f, "the backend's header is over 4096 bytes");
		f->step = after_byte(f, in->data[0]);
		if (f->fault != NULL)
			return FRAMING_BROKEN;
		span_skip(in, 1);
	}
	return state == FRAMING_EOF && f->header_len > 0 && f->step != PAYLOAD ? framing_break_off(f) : FRAMING_MORE;
}

static enum framing_result
read_payload(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	enum framing_result result = framing_emit_counted(f, in, state, 0, MESSAGE_TEXT, out);

	if (result == FRAMING_PIECE && out->last) {
		f->step = LINE;
		f->header_len = 0;
	}
	return result;
}

static enum framing_result
lsp_read(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	enum framing_result result;

	if (f->step != PAYLOAD) {
		result = read_header(f, in, state);
		if (f->step != PAYLOAD || result == FRAMING_BROKEN)
			return result;
		state = framing_with_room(state);
	}
	return read_payload(f, in, state, out);
}

static int
lsp_write(struct framing *f, const struct piece *piece, struct gather *out)
{
	char header[48];
	struct span whole;
	int code = framing_collect(f, piece, &whole);

	if (code != 0 || !piece->last)
		return code;
	gather_add(out, header, (size_t)snprintf(header, sizeof(header), "Content-Length: %zu\r\n\r\n", whole.len));
	framing_lend(f, whole, out);
	return 0;
}

const struct framing_ops framing_lsp = { "lsp", lsp_read, lsp_write, true, false };
