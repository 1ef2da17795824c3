/*
 * deflate: permessage-deflate (RFC 7692): what is agreed upon in the handshake, and the compression.
 * zlib's only door.
 *
 * A struct deflate is one connection's, for both directions. It begins small; what zlib needs comes
 * with the first compressed message of a direction, and goes at the end of each message unless that
 * direction has context takeover: then the next message may refer to this one, and the memory stays.
 * For a window of 2^n bytes that is 8 * 2^n for what is sent, 2^n and 7 KiB for what is received.
 *
 * Pure: no descriptor, clock, loop or log.
 */
#ifndef PROTO_DEFLATE_H
#define PROTO_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

/* --- the handshake (deflate_offer.c) ------------------------------------------------------------ */

/* What a route says of it. */
struct deflate_options {
	bool on;
	bool takeover;
	unsigned level;     /* 1 (fast) to 9 (small) */
	unsigned window;    /* 9 to 15: matches lie 2^window bytes back at most */
	uint64_t threshold; /* bytes; shorter messages are sent as they are */
};

/* One offer of a client, as its parameters come. A zeroed one has none. */
struct deflate_offer {
	bool bad;
	unsigned named;                   /* 1 << enum deflate_parameter */
	uint8_t server_bits, client_bits; /* 8 to 15; 0: no value */
};

/* What both sides are bound to (7.1). A zeroed one: no compression. */
struct deflate_terms {
	bool agreed;
	bool server_takeover, client_takeover;
	uint8_t server_bits, client_bits; /* 8 to 15; 0: not named, 15 */
};

enum { DEFLATE_ANSWER_MAX = 160 };

/*
 * Adds a parameter; VALUE.data is NULL if it has none. An unknown one, one that comes twice and a bad
 * value spoil the offer (7.1).
 */
void deflate_offer_add(struct deflate_offer *offer, struct slice name, struct slice value);

/* Can this offer be accepted under OPT? Then TERMS are filled in. */
bool deflate_accept(const struct deflate_offer *offer, const struct deflate_options *opt, struct deflate_terms *terms);

/* Writes the value of Sec-WebSocket-Extensions for TERMS that are agreed; returns OUT. */
const char *deflate_answer(const struct deflate_terms *terms, char out[static DEFLATE_ANSWER_MAX]);

/* --- the messages (deflate.c) ------------------------------------------------------------------- */

struct z_stream_s;

struct deflate {
	const struct deflate_options *opt;
	struct deflate_terms terms;
	uint8_t tail;                /* of the message that is being inflated: how much of its end zlib has seen */
	bool whole;                  /* what has come so far ends where a block ends */
	bool packing;                /* for ws: the message that is being sent is compressed */
	size_t clear;                /* for ws: bytes at the head of its input that are unmasked already */
	struct z_stream_s *packer;   /* NULL: nothing to remember, and no message under way */
	struct z_stream_s *unpacker; /* the same */
};

/* OPT stays the caller's and must outlive it. NULL if memory is out. */
struct deflate *deflate_new(const struct deflate_options *opt, const struct deflate_terms *terms);
void deflate_free(struct deflate *d); /* NULL is fine */

/*
 * Begins a message of ours that has LEN bytes, SIZE_MAX if nobody knows yet. False: it is to be sent
 * as it is, because it is too short or memory is out.
 */
bool deflate_begin(struct deflate *d, size_t len);

/* At most so many bytes of it at a time, and so much room for what they become. */
enum { DEFLATE_SLICE = 64 * 1024 };
static inline size_t
deflate_bound(size_t len)
{
	return len + len / 4 + 64;
}

/*
 * Compresses the next bytes of the message into OUT, which has deflate_bound(IN.len) bytes, and returns
 * how many they are now. All of IN can be inflated from what has been written so far. LAST ends the
 * message (7.2.1).
 */
size_t deflate_pack(struct deflate *d, struct span in, bool last, unsigned char *out);

enum deflate_result {
	DEFLATE_MORE,      /* all of IN is eaten, and all that it became is written; if it ends the message, that is whole */
	DEFLATE_FULL,      /* no ROOM is left: there may be more to come, of IN or of what is eaten already */
	DEFLATE_CORRUPT,   /* it is no DEFLATE, or ends within a block */
	DEFLATE_NO_MEMORY, /* no further call after these two but deflate_free() */
};

/*
 * Inflates from the head of IN into the head of ROOM, and moves both on. ENDS tells that the message
 * ends with IN (7.2.2). Who refers to what lies farther back than the window he has agreed to is found
 * out once that is no longer in ROOM.
 */
enum deflate_result deflate_unpack(struct deflate *d, struct span *in, bool ends, struct span *room);

#endif
