/*
 * ws: WebSocket frames (RFC 6455 section 5), the server's side.
 *
 * Bytes in, pieces out; pieces in, frames out. It holds no payload: a piece is handed on as its
 * bytes arrive, unmasked where they lie. Only a control frame that was cut by a read is collected.
 *
 * Every outgoing piece becomes whole frames, so between two calls of ws_write() the output is always
 * at a frame boundary, where a control frame may be put (RFC 6455 5.4).
 *
 * With permessage-deflate (RFC 7692), what is read is inflated and what is written deflated on the way.
 *
 * Pure: no descriptor, clock, loop or log. An embedded object: ws_init, ws_clear.
 */
#ifndef PROTO_WS_H
#define PROTO_WS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/gather.h"
#include "proto/deflate.h"
#include "proto/message.h"

/* Close codes of RFC 6455 7.4.1 and its registry. */
enum {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NO_CODE = 1005,  /* never sent: a Close frame without a code */
	WS_CLOSE_ABNORMAL = 1006, /* never sent: no Close frame came */
	WS_CLOSE_INVALID = 1007,  /* what does not fit the message's type: text that is not UTF-8, corrupt DEFLATE */
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL = 1011,
	WS_CLOSE_TRY_LATER = 1013,
};

enum {
	WS_CONTROL_MAX = 125, /* payload of a control frame, 5.5 */
	WS_REASON_MAX = 123,  /* of it, behind the close code */
	WS_HEADER_MAX = 10,   /* of a frame that we send: no mask */
};

struct ws {
	uint64_t max_message;     /* bytes; UINT64_MAX: no ceiling */
	uint64_t message_len;     /* of the message under way: by declared frame lengths, or inflated so far */
	uint64_t frame_left;      /* payload of the current frame that has not come yet */
	unsigned char *control;   /* payload of a control frame that was cut, else NULL */
	struct deflate *deflate;  /* NULL: not negotiated */
	const char *fault;        /* after WS_BROKEN: the reason to send, a static string ... */
	uint16_t fault_code;      /* ... and the close code */
	unsigned char mask[4];    /* rotated, so that mask[0] belongs to the next byte */
	unsigned char header[14]; /* the incoming frame header while it is incomplete */
	uint8_t header_len;
	uint8_t control_len;
	uint8_t utf8;         /* state of the text message under way */
	uint8_t opcode;       /* of the current frame; 0 for a continuation */
	uint8_t message_kind; /* of the data message under way, or 0 */
	bool in_frame;        /* header complete, payload not */
	bool fin;             /* of the current frame */
	bool first;           /* the next data piece begins its message */
	bool packed;          /* the data message under way is compressed */
	bool out_open;        /* a message of ours is under way: its last frame has not been written */
	bool closed;          /* a Close frame came, or the input broke: whatever follows is ignored */
};

/* MAX_MESSAGE in bytes; 0: no ceiling. DEFLATE is its own from now on; NULL: no compression. Cannot fail. */
void ws_init(struct ws *ws, uint64_t max_message, struct deflate *deflate);
/* Gives back what it owns; WS may be initialised again. */
void ws_clear(struct ws *ws);

enum ws_result {
	WS_MORE,   /* all of IN was eaten; nothing to hand on yet */
	WS_PIECE,  /* *OUT is filled in; call again */
	WS_FULL,   /* there is no ROOM left: call again with new one, also if IN is empty. What is left in IN comes first then */
	WS_BROKEN, /* the peer broke the protocol: see fault_code and fault. Read no more */
};

/*
 * Eats from the head of IN and hands on the next piece of a data message, or a whole control frame
 * (MESSAGE_PING, _PONG, _CLOSE; first and last are true). OUT points into IN's bytes (changed in
 * place), into WS for a control frame that had been cut, or into ROOM; it is valid until the next call,
 * in ROOM as long as that is.
 *
 * What is inflated is written to the head of ROOM, which moves on, so that pieces lie side by side in it.
 * How much may come of how little is not known before (RFC 7692 8): ROOM is the measure of the work that
 * is done before WS_FULL. It is not looked at without compression, and may be NULL.
 *
 * Checked before anything of a frame is handed on: RSV bits, opcode, mask, minimal length
 * encoding, control frame length and fin, order of fragments (1002), and the message's size by its
 * declared length (1009), or, if it is compressed, before more than that is handed on. Compressed data
 * that is corrupt, or ends too early, is 1007. Text is checked as it comes, and at its end (1007). A Close payload is
 * checked: length 1, forbidden code (1002), reason not UTF-8 (1007). Out of memory is 1011.
 *
 * After a Close frame everything is eaten and ignored (WS_MORE); after WS_BROKEN too, and it stays
 * WS_BROKEN.
 */
enum ws_result ws_read(struct ws *ws, struct span *in, struct span *room, struct piece *out);

/*
 * Adds PIECE to OUT as one frame (header copied, payload as gather_add does), or, of a compressed message,
 * as frames that lie in OUT. False: OUT is full. Send it and call again with PIECE, which is now what is
 * left of it. An empty piece that neither begins nor ends a message adds nothing. Control kinds may
 * come between the pieces of a message; they are whole, and at most WS_CONTROL_MAX long.
 */
bool ws_write(struct ws *ws, struct piece *piece, struct gather *out);

/*
 * Writes a control frame to OUT (2 + WS_CONTROL_MAX bytes of room) and returns its length. LEN is
 * at most WS_CONTROL_MAX.
 */
size_t ws_control(enum message_kind kind, const void *payload, size_t len, unsigned char *out);

/*
 * The same for Close. CODE WS_CLOSE_NO_CODE gives an empty one. A reason that is longer than
 * WS_REASON_MAX is cut at a code point; what is not UTF-8 in it is replaced by '?'. A code that may
 * not be sent is replaced by WS_CLOSE_INTERNAL.
 */
size_t ws_close_frame(uint16_t code, const char *reason, size_t reason_len, unsigned char *out);

/* May this code stand in a Close frame (RFC 6455 7.4)? */
bool ws_close_code_is_valid(uint16_t code);

/* Unmasks LEN bytes in place; MASK is rotated to fit the byte that follows (5.3). True if all of them are ASCII now. */
bool ws_unmask(unsigned char *data, size_t len, unsigned char mask[static 4]);

#endif
