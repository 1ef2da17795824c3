/*
 * ws: a frame is judged by its header alone, then its payload flows through.
 *
 *        +---------- header incomplete (ws->header) <-----+
 *        v                                                |
 *     between frames --- header whole, judged ---> in frame: pieces as they come
 *        ^                                                |
 *        +---------------- frame_left == 0 ---------------+
 *
 * A compressed message takes another way in two places only: read_packed() where read_data() is, and
 * write_packed() where a frame is written.
 *
 * The common frame lies whole in the input: then nothing is copied, neither header nor payload.
 * Two messages may be under way at once, a data message in fragments and one control frame between
 * them; so what belongs to the message (message_kind, message_len, utf8, first) is kept apart from
 * what belongs to the frame (opcode, fin, mask, frame_left).
 */
#include "proto/ws.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/utf8.h"

enum {
	FIN = 0x80,
	RSV = 0x70,
	RSV1 = 0x40, /* the message is compressed (RFC 7692 6) */
	OPCODE = 0x0F,
	CONTROL = 0x08, /* set in the opcodes of control frames */
	MASKED = 0x80,
	LENGTH = 0x7F,
	LENGTH_16 = 126, /* the next 2 bytes are the length */
	LENGTH_64 = 127, /* the next 8 */

	OPCODES_KNOWN =
		1 << 0x0 | 1 << MESSAGE_TEXT | 1 << MESSAGE_BINARY | 1 << MESSAGE_CLOSE | 1 << MESSAGE_PING | 1 << MESSAGE_PONG,
};

static const uint64_t HIGH_BITS = 0x8080808080808080; /* clear in ASCII */

void
ws_init(struct ws *ws, uint64_t max_message, struct deflate *deflate)
{
	*ws = (struct ws){ .max_message = max_message == 0 ? UINT64_MAX : max_message, .deflate = deflate };
}

static void
drop_control(struct ws *ws)
{
	free(ws->control);
	ws->control = NULL;
}

void
ws_clear(struct ws *ws)
{
	drop_control(ws);
	deflate_free(ws->deflate);
	ws->deflate = NULL;
}

static enum ws_result
break_with(struct ws *ws, uint16_t code, const char *reason)
{
	ws->closed = true;
	ws->fault_code = code;
	ws->fault = reason;
	return WS_BROKEN;
}

static uint16_t
get_16(const unsigned char *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

static uint64_t
get_64(const unsigned char *data)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | data[i];
	return value;
}

static size_t
header_size(unsigned char second)
{
	size_t size = second & MASKED ? 6 : 2;

	if ((second & LENGTH) == LENGTH_16)
		return size + 2;
	if ((second & LENGTH) == LENGTH_64)
		return size + 8;
	return size;
}

/* Moves bytes from IN to ws->header until the header is whole there. */
static const unsigned char *
collect_header(struct ws *ws, struct span *in)
{
	while (in->len > 0) {
		ws->header[ws->header_len++] = in->data[0];
		span_skip(in, 1);
		if (ws->header_len >= 2 && ws->header_len == header_size(ws->header[1])) {
			ws->header_len = 0;
			return ws->header;
		}
	}
	return NULL;
}

/* The next whole frame header: where it lies in IN, or collected; NULL if it is not all there. */
static const unsigned char *
take_header(struct ws *ws, struct span *in)
{
	const unsigned char *header = in->data;
	size_t size;

	if (ws->header_len > 0 || in->len < 2)
		return collect_header(ws, in);
	size = header_size(header[1]);
	if (in->len < size)
		return collect_header(ws, in);
	span_skip(in, size);
	return header;
}

/* RSV1 marks the first frame of a compressed message, if that is negotiated, and nothing else (RFC 7692 6). */
static bool
reserved_bits_are_right(const struct ws *ws, unsigned first)
{
	unsigned opcode = first & OPCODE;
	bool may_be_packed = ws->deflate != NULL && opcode != 0 && !(opcode & CONTROL);

	return (first & RSV) == 0 || ((first & RSV) == RSV1 && may_be_packed);
}

/* What is wrong with the first two bytes of a frame (5.2, 5.4, 5.5), or NULL. All of it is 1002. */
static const char *
header_fault(const struct ws *ws, const unsigned char *header)
{
	unsigned opcode = header[0] & OPCODE;

	if (!reserved_bits_are_right(ws, header[0]))
		return "reserved bit is set";
	if (!(OPCODES_KNOWN >> opcode & 1))
		return "unknown opcode";
	if (!(header[1] & MASKED))
		return "frame is not masked";
	if (opcode & CONTROL) {
		if (!(header[0] & FIN))
			return "control frame is fragmented";
		return (header[1] & LENGTH) > WS_CONTROL_MAX ? "control frame is longer than 125 bytes" : NULL;
	}
	if (opcode == 0)
		return ws->message_kind == 0 ? "continuation of no message" : NULL;
	return ws->message_kind != 0 ? "new message inside a fragmented one" : NULL;
}

/* Reads the payload length of a whole header (5.2) into *LEN. Returns what is wrong with it, or NULL. */
static const char *
read_length(const unsigned char *header, uint64_t *len)
{
	*len = header[1] & LENGTH;
	if (*len < LENGTH_16)
		return NULL;
	if (*len == LENGTH_16) {
		*len = get_16(header + 2);
		return *len < LENGTH_16 ? "length is not in its shortest form" : NULL;
	}
	*len = get_64(header + 2);
	if (*len >> 63)
		return "length has its highest bit set";
	return *len <= UINT16_MAX ? "length is not in its shortest form" : NULL;
}

static void
begin_frame(struct ws *ws, const unsigned char *header, uint64_t len)
{
	ws->opcode = header[0] & OPCODE;
	ws->fin = (header[0] & FIN) != 0;
	ws->frame_left = len;
	ws->in_frame = true;
	memcpy(ws->mask, header + header_size(header[1]) - sizeof(ws->mask), sizeof(ws->mask));
}

static void
begin_message(struct ws *ws, bool packed)
{
	ws->message_kind = ws->opcode;
	ws->packed = packed;
	ws->message_len = 0;
	ws->first = true; /* and ws->utf8 is at its start: no text message ended anywhere else */
}

/* LEN bytes more belong to the message. */
static enum ws_result
count(struct ws *ws, uint64_t len)
{
	if (len > ws->max_message - ws->message_len)
		return break_with(ws, WS_CLOSE_TOO_BIG, "message is too big");
	ws->message_len += len;
	return WS_PIECE;
}

/* WS_PIECE: the payload of a judged frame is next. */
static enum ws_result
read_header(struct ws *ws, struct span *in)
{
	const unsigned char *header = take_header(ws, in);
	const char *fault;
	uint64_t len;

	/* Two bytes are enough to refuse: a peer that speaks something else may never send the rest. */
	if (header == NULL && ws->header_len < 2)
		return WS_MORE;
	fault = header_fault(ws, header == NULL ? ws->header : header);
	if (fault != NULL)
		return break_with(ws, WS_CLOSE_PROTOCOL, fault);
	if (header == NULL)
		return WS_MORE;
	fault = read_length(header, &len);
	if (fault != NULL)
		return break_with(ws, WS_CLOSE_PROTOCOL, fault);
	begin_frame(ws, header, len);
	if (ws->opcode & CONTROL)
		return WS_PIECE;
	if (ws->opcode != 0)
		begin_message(ws, (header[0] & RSV1) != 0);
	return ws->packed ? WS_PIECE : count(ws, len);
}

static bool
text_goes_on(struct ws *ws, struct span bytes, bool ascii, bool last)
{
	if (ascii && ws->utf8 == UTF8_START)
		return true;
	return utf8_check(&ws->utf8, bytes.data, bytes.len) && (!last || ws->utf8 == UTF8_START);
}

/* WS_MORE if there is nothing to hand on, as behind an empty fragment. ASCII: it is known that BYTES are. */
static enum ws_result
hand_on(struct ws *ws, struct span bytes, bool ascii, bool last, struct piece *out)
{
	if (ws->message_kind == MESSAGE_TEXT && !text_goes_on(ws, bytes, ascii, last))
		return break_with(ws, WS_CLOSE_INVALID, "text is not UTF-8");
	if (bytes.len == 0 && !last)
		return WS_MORE;
	*out = (struct piece){ (enum message_kind)ws->message_kind, ws->first, last, bytes };
	ws->first = false;
	if (last)
		ws->message_kind = 0;
	return WS_PIECE;
}

static enum ws_result
read_data(struct ws *ws, struct span *in, struct piece *out)
{
	size_t len = in->len < ws->frame_left ? in->len : (size_t)ws->frame_left;
	struct span bytes = { in->data, len };
	bool last = ws->fin && len == ws->frame_left, ascii;

	if (len == 0 && ws->frame_left > 0)
		return WS_MORE;
	ascii = ws_unmask(bytes.data, len, ws->mask);
	span_skip(in, len);
	ws->frame_left -= len;
	ws->in_frame = ws->frame_left > 0;
	return hand_on(ws, bytes, ascii, last, out);
}

/* What could not be inflated lately for want of room comes again, and is not to be unmasked again. */
static void
unmask_once(struct ws *ws, struct span packed)
{
	size_t *clear = &ws->deflate->clear;

	if (packed.len <= *clear)
		return;
	span_skip(&packed, *clear);
	ws_unmask(packed.data, packed.len, ws->mask);
	*clear += packed.len;
}

/* The payload of the frame, as far as it has come, into ROOM. */
static enum deflate_result
inflate_frame(struct ws *ws, struct span *in, struct span *room)
{
	size_t len = in->len < ws->frame_left ? in->len : (size_t)ws->frame_left;
	struct span packed = { in->data, len };
	enum deflate_result result;

	unmask_once(ws, packed);
	result = deflate_unpack(ws->deflate, &packed, ws->fin && len == ws->frame_left, room);
	len -= packed.len;
	ws->deflate->clear -= len;
	ws->frame_left -= len;
	ws->in_frame = ws->frame_left > 0 || result == DEFLATE_FULL;
	span_skip(in, len);
	return result;
}

static enum ws_result
read_packed(struct ws *ws, struct span *in, struct span *room, struct piece *out)
{
	struct span bytes = *room;
	enum deflate_result result = inflate_frame(ws, in, room);

	bytes.len -= room->len;
	if (result == DEFLATE_CORRUPT)
		return break_with(ws, WS_CLOSE_INVALID, "compressed data is corrupt");
	if (result == DEFLATE_NO_MEMORY)
		return break_with(ws, WS_CLOSE_INTERNAL, "out of memory");
	if (result == DEFLATE_FULL && bytes.len == 0)
		return WS_FULL;
	if (count(ws, bytes.len) == WS_BROKEN)
		return WS_BROKEN;
	return hand_on(ws, bytes, false, ws->fin && !ws->in_frame, out);
}

/* 5.5.1, 7.4 */
static enum ws_result
judge_close(struct ws *ws, struct span payload)
{
	uint8_t state = UTF8_START;

	ws->closed = true;
	if (payload.len == 0)
		return WS_PIECE;
	if (payload.len == 1)
		return break_with(ws, WS_CLOSE_PROTOCOL, "Close payload of one byte");
	if (!ws_close_code_is_valid(get_16(payload.data)))
		return break_with(ws, WS_CLOSE_PROTOCOL, "forbidden close code");
	if (!utf8_check(&state, payload.data + 2, payload.len - 2) || state != UTF8_START)
		return break_with(ws, WS_CLOSE_INVALID, "close reason is not UTF-8");
	return WS_PIECE;
}

static enum ws_result
end_control(struct ws *ws, struct span payload, struct piece *out)
{
	ws->in_frame = false;
	ws->frame_left = 0;
	ws_unmask(payload.data, payload.len, ws->mask);
	*out = (struct piece){ (enum message_kind)ws->opcode, true, true, payload };
	return ws->opcode == MESSAGE_CLOSE ? judge_close(ws, payload) : WS_PIECE;
}

/* A control frame is handed on whole: its payload is collected if a read has cut it. */
static enum ws_result
collect_control(struct ws *ws, struct span *in, struct piece *out)
{
	size_t len = in->len < ws->frame_left ? in->len : (size_t)ws->frame_left;

	if (len == 0)
		return WS_MORE;
	if (ws->control == NULL) {
		ws->control = malloc(WS_CONTROL_MAX);
		ws->control_len = 0;
	}
	if (ws->control == NULL)
		return break_with(ws, WS_CLOSE_INTERNAL, "out of memory");
	memcpy(ws->control + ws->control_len, in->data, len);
	span_skip(in, len);
	ws->control_len += (uint8_t)len;
	ws->frame_left -= len;
	if (ws->frame_left > 0)
		return WS_MORE;
	return end_control(ws, (struct span){ ws->control, ws->control_len }, out);
}

static enum ws_result
read_control(struct ws *ws, struct span *in, struct piece *out)
{
	struct span payload = { in->data, (size_t)ws->frame_left };

	if (ws->control != NULL || in->len < payload.len)
		return collect_control(ws, in, out);
	span_skip(in, payload.len);
	return end_control(ws, payload, out);
}

static enum ws_result
ignore(const struct ws *ws, struct span *in)
{
	span_skip(in, in->len);
	return ws->fault != NULL ? WS_BROKEN : WS_MORE;
}

static enum ws_result
read_frame(struct ws *ws, struct span *in, struct span *room, struct piece *out)
{
	if (!ws->in_frame) {
		enum ws_result result = read_header(ws, in);

		if (result != WS_PIECE)
			return result;
	}
	if (ws->opcode & CONTROL)
		return read_control(ws, in, out);
	return ws->packed ? read_packed(ws, in, room, out) : read_data(ws, in, out);
}

enum ws_result
ws_read(struct ws *ws, struct span *in, struct span *room, struct piece *out)
{
	enum ws_result result;

	if (ws->control != NULL && !ws->in_frame) /* handed on by the last call */
		drop_control(ws);
	if (ws->closed)
		return ignore(ws, in);
	do
		result = read_frame(ws, in, room, out);
	while (result == WS_MORE && in->len > 0);
	return result == WS_BROKEN ? ignore(ws, in) : result;
}

/* A word of 8, as the compiler may load it from anywhere. */
static inline uint64_t
xor_8(unsigned char *data, uint64_t key)
{
	uint64_t word;

	memcpy(&word, data, sizeof(word));
	word ^= key;
	memcpy(data, &word, sizeof(word));
	return word;
}

bool
ws_unmask(unsigned char *data, size_t len, unsigned char mask[static 4])
{
	unsigned char twice[8];
	const unsigned char *turned = twice + len % 4;
	uint64_t key, a = 0, b = 0, c = 0, d = 0; /* every bit that is set anywhere */

	memcpy(twice, mask, 4);
	memcpy(twice + 4, mask, 4);
	memcpy(&key, twice, sizeof(key));
	/* 32 at once, so that the compiler takes the widest registers it has */
	for (; len >= 32; data += 32, len -= 32) {
		a |= xor_8(data, key);
		b |= xor_8(data + 8, key);
		c |= xor_8(data + 16, key);
		d |= xor_8(data + 24, key);
	}
	for (; len >= 8; data += 8, len -= 8)
		a |= xor_8(data, key);
	for (size_t i = 0; i < len; i++)
		b |= data[i] ^= twice[i];
	memcpy(mask, turned, 4);
	return ((a | b | c | d) & HIGH_BITS) == 0;
}

static size_t
out_header_size(size_t len)
{
	return len < LENGTH_16 ? 2 : len <= UINT16_MAX ? 4 : WS_HEADER_MAX;
}

static void
put_header(unsigned char *header, unsigned first, size_t len)
{
	header[0] = (unsigned char)first;
	if (len < LENGTH_16) {
		header[1] = (unsigned char)len;
	} else if (len <= UINT16_MAX) {
		header[1] = LENGTH_16;
		header[2] = (unsigned char)(len >> 8);
		header[3] = (unsigned char)len;
	} else {
		header[1] = LENGTH_64;
		for (int i = 0; i < 8; i++)
			header[2 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
	}
}

static unsigned
first_byte(const struct piece *piece)
{
	return (piece->first ? (unsigned)piece->kind : 0) | (piece->last ? FIN : 0u);
}

/* Whether a message is compressed is decided by its first piece, which is all of it or the head of a long one. */
static bool
is_to_be_packed(struct ws *ws, const struct piece *piece)
{
	if (ws->deflate == NULL || piece->kind & CONTROL)
		return false;
	if (piece->first)
		ws->deflate->packing = deflate_begin(ws->deflate, piece->last ? piece->bytes.len : SIZE_MAX);
	return ws->deflate->packing;
}

/* The payload is made behind the longest header, and moves up to its own once its length is known. */
static void
pack_frame(struct ws *ws, const struct piece *piece, struct gather *out)
{
	unsigned char *frame = gather_space(out).data;
	size_t len = deflate_pack(ws->deflate, piece->bytes, piece->last, frame + WS_HEADER_MAX);
	size_t header_len = out_header_size(len);

	memmove(frame + header_len, frame + WS_HEADER_MAX, len);
	put_header(frame, first_byte(piece) | (piece->first ? RSV1 : 0u), len);
	gather_put(out, header_len + len);
}

/* A long piece leaves in slices, for which there is always room in an empty OUT. */
static bool
write_packed(struct ws *ws, struct piece *piece, struct gather *out)
{
	struct piece slice;

	do {
		slice = *piece;
		if (slice.bytes.len > DEFLATE_SLICE) {
			slice.bytes.len = DEFLATE_SLICE;
			slice.last = false;
		}
		if (!gather_has_room(out) || gather_space(out).len < WS_HEADER_MAX + deflate_bound(slice.bytes.len))
			return false;
		pack_frame(ws, &slice, out);
		ws->out_open = !slice.last;
		piece->first = false;
		span_skip(&piece->bytes, slice.bytes.len);
	} while (piece->bytes.len > 0);
	return true;
}

static bool
write_plain(struct ws *ws, const struct piece *piece, struct gather *out)
{
	size_t len = piece->bytes.len;

	if (!gather_has_room(out))
		return false;
	if (!(piece->kind & CONTROL))
		ws->out_open = !piece->last;
	put_header(gather_put(out, out_header_size(len)), first_byte(piece), len);
	gather_add(out, piece->bytes.data, len);
	return true;
}

bool
ws_write(struct ws *ws, struct piece *piece, struct gather *out)
{
	if (piece->kind & CONTROL)
		assert(piece->first && piece->last && piece->bytes.len <= WS_CONTROL_MAX);
	else
		assert(piece->first == !ws->out_open);
	if (piece->bytes.len == 0 && !piece->first && !piece->last)
		return true;
	return is_to_be_packed(ws, piece) ? write_packed(ws, piece, out) : write_plain(ws, piece, out);
}

size_t
ws_control(enum message_kind kind, const void *payload, size_t len, unsigned char *out)
{
	assert(len <= WS_CONTROL_MAX);
	put_header(out, FIN | (unsigned)kind, len);
	if (len > 0)
		memcpy(out + 2, payload, len);
	return 2 + len;
}

/* Copies as much of REASON as fits, as valid UTF-8 that is never longer than what it stands for. */
static size_t
put_reason(const char *reason, size_t len, unsigned char *out)
{
	const unsigned char *from = (const unsigned char *)reason;
	size_t put = 0;

	while (len > 0 && put < WS_REASON_MAX) {
		size_t room = WS_REASON_MAX - put;
		size_t bad = 0;
		size_t good = utf8_prefix(from, len < room ? len : room, &bad);

		memcpy(out + put, from, good);
		put += good;
		from += good;
		len -= good;
		if (len == 0 || (good == room) || (bad == 0 && len > room - good))
			break; /* all of it, or a code point that does not fit */
		bad = bad > 0 ? bad : len;
		out[put++] = '?';
		from += bad;
		len -= bad;
	}
	return put;
}

size_t
ws_close_frame(uint16_t code, const char *reason, size_t reason_len, unsigned char *out)
{
	unsigned char payload[WS_CONTROL_MAX];

	if (code == WS_CLOSE_NO_CODE)
		return ws_control(MESSAGE_CLOSE, NULL, 0, out);
	if (!ws_close_code_is_valid(code))
		code = WS_CLOSE_INTERNAL;
	payload[0] = (unsigned char)(code >> 8);
	payload[1] = (unsigned char)code;
	return ws_control(MESSAGE_CLOSE, payload, 2 + put_reason(reason, reason_len, payload + 2), out);
}

bool
ws_close_code_is_valid(uint16_t code)
{
	if (code >= 3000)
		return code <= 4999; /* 7.4.2: libraries and applications */
	switch (code) {
	case WS_CLOSE_NORMAL:
	case WS_CLOSE_GOING_AWAY:
	case WS_CLOSE_PROTOCOL:
	case WS_CLOSE_UNSUPPORTED:
	case WS_CLOSE_INVALID:
	case WS_CLOSE_POLICY:
	case WS_CLOSE_TOO_BIG:
	case 1010: /* mandatory extension */
	case WS_CLOSE_INTERNAL:
	case 1012: /* service restart; 1012 to 1014 are the registry's */
	case WS_CLOSE_TRY_LATER:
	case 1014: /* bad gateway */
		return true;
	default:
		return false; /* 1004, 1005, 1006, 1015, and all that nobody has defined */
	}
}
