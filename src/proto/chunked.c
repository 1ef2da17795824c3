/*
 * One byte is one step of a small machine; only data is taken in runs. The trailer is a list of
 * fields (RFC 9112 7.1.2) that nobody here wants, so it is looked at but not kept.
 *
 *	SIZE ─ EXTENSION ─ SIZE_LF ─┬─ DATA ─ DATA_CR ─ DATA_LF ─ SIZE ...
 *	                            └─ (size 0) TRAILER ─ NAME ─ VALUE ─ VALUE_LF ─ TRAILER ... LAST_LF ─ END
 */
#include "proto/chunked.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum state {
	SIZE,
	SPACE, /* before the semicolon of an extension */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER,
	NAME,
	VALUE,
	VALUE_LF,
	LAST_LF,
	END,
	BROKEN,
};

enum { DIGITS_MAX = 15 }; /* less than 2^60: no sum of it with anything overflows */

static void
break_off(struct chunked *c, const char *fault)
{
	c->state = BROKEN;
	c->fault = fault;
}

static void
expect(struct chunked *c, unsigned char byte, unsigned char wanted, enum state next, const char *fault)
{
	if (byte == wanted)
		c->state = (uint8_t)next;
	else
		break_off(c, fault);
}

static int
hex_value(unsigned char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void
take_size(struct chunked *c, unsigned char byte)
{
	int value = hex_value(byte);
	if (value >= 0 && c->digits == DIGITS_MAX)
		break_off(c, "the size of a chunk has too many digits");
	else if (value >= 0) {
		c->left = c->left << 4 | (unsigned)value;
		c->digits++;
	} else if (c->digits == 0)
		break_off(c, "a chunk has no size");
	else if (byte == '\r')
		c->state = SIZE_LF;
	else if (byte == ';')
		c->state = EXTENSION;
	else if (byte == ' ' || byte == '\t')
		c->state = SPACE;
	else
		break_off(c, "the size of a chunk is no hexadecimal number");
}

static void
take_space(struct chunked *c, unsigned char byte)
{
	if (byte == ';')
		c->state = EXTENSION;
	else if (byte != ' ' && byte != '\t')
		break_off(c, "white space behind the size of a chunk");
}

static bool
is_text(unsigned char byte)
{
	return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

/* Up to the CR: an extension, or the value of a field. */
static void
take_text(struct chunked *c, unsigned char byte, enum state next)
{
	if (byte == '\r')
		c->state = (uint8_t)next;
	else if (!is_text(byte))
		break_off(c, "a control byte in an extension or the trailer of a chunked body");
}

/* RFC 9110 5.6.2 */
static bool
is_token_byte(unsigned char byte)
{
	if ((byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'))
		return true;
	return byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
}

static void
take_name(struct chunked *c, unsigned char byte)
{
	if (byte == ':' && c->state == NAME)
		c->state = VALUE;
	else if (is_token_byte(byte))
		c->state = NAME;
	else
		break_off(c, "a line of the trailer of a chunked body is no field");
}

static void
begin_data(struct chunked *c, unsigned char byte)
{
	expect(c, byte, '\n', c->left > 0 ? DATA : TRAILER, "the line with the size of a chunk does not end with CRLF");
	c->digits = 0;
}

static void
count_overhead(struct chunked *c)
{
	bool is_overhead = c->state == SPACE || c->state == EXTENSION || c->state == NAME || c->state == VALUE;
	if (is_overhead && ++c->overhead > CHUNKED_OVERHEAD_MAX)
		break_off(c, "the extensions or the trailer of a chunked body are too long");
}

/* One honest switch. */
static void
step(struct chunked *c, unsigned char byte)
{
	switch ((enum state)c->state) {
	case SIZE:
		take_size(c, byte);
		break;
	case SPACE:
		take_space(c, byte);
		break;
	case EXTENSION:
		take_text(c, byte, SIZE_LF);
		break;
	case SIZE_LF:
		begin_data(c, byte);
		break;
	case DATA_CR:
		expect(c, byte, '\r', DATA_LF, "a chunk is longer than its size");
		break;
	case DATA_LF:
		expect(c, byte, '\n', SIZE, "a chunk is longer than its size");
		break;
	case TRAILER:
		if (byte == '\r')
			c->state = LAST_LF;
		else
			take_name(c, byte);
		break;
	case NAME:
		take_name(c, byte);
		break;
	case VALUE:
		take_text(c, byte, VALUE_LF);
		break;
	case VALUE_LF:
		expect(c, byte, '\n', TRAILER, "a line of the trailer of a chunked body does not end with CRLF");
		break;
	case LAST_LF:
		expect(c, byte, '\n', END, "a chunked body does not end with CRLF");
		break;
	case DATA:
	case END:
	case BROKEN:
		break;
	}
	count_overhead(c);
}

static void
take_data(struct chunked *c, struct span *in, struct span *data)
{
	size_t len = c->left < in->len ? (size_t)c->left : in->len;
	*data = (struct span){ in->data, len };
	span_skip(in, len);
	c->left -= len;
	if (c->left == 0)
		c->state = DATA_CR;
}

enum chunked_result
chunked_read(struct chunked *c, struct span *in, struct span *data)
{
	while (in->len > 0 && c->state != END && c->state != BROKEN) {
		if (c->state == DATA) {
			take_data(c, in, data);
			return CHUNKED_DATA;
		}
		step(c, *in->data);
		span_skip(in, 1);
	}
	return c->state == END ? CHUNKED_END : c->state == BROKEN ? CHUNKED_BROKEN : CHUNKED_MORE;
}

size_t
chunked_write_head(size_t len, unsigned char out[static CHUNKED_HEAD_MAX])
{
	char text[CHUNKED_HEAD_MAX + 1];
	size_t head_len = (size_t)snprintf(text, sizeof(text), "%zx\r\n", len);
	memcpy(out, text, head_len);
	return head_len;
}
