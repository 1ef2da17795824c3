/*
 * message: what travels.
 *
 * A message passes in pieces as its bytes arrive, so that 1 GiB takes constant memory. A piece is
 * a view: it owns nothing and is valid only until the function that was given it returns, or, on
 * the way out, until the gather that borrowed it is sent.
 */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Opcodes of RFC 6455 section 11.8, so that no table stands between. */
enum message_kind {
	MESSAGE_TEXT = 0x1,
	MESSAGE_BINARY = 0x2,
	MESSAGE_CLOSE = 0x8, /* data: empty, or 2 bytes code and the reason, as on the wire */
	MESSAGE_PING = 0x9,
	MESSAGE_PONG = 0xA,
};

struct piece {
	enum message_kind kind;
	bool first; /* begins its message */
	bool last;  /* ends it; a piece may be both, and may be empty */
	struct span bytes;
};

#endif
