/*
 * framing: where messages begin and end in a backend's bytes.
 *
 * Both ways pure: bytes of the backend into pieces, pieces of the client into bytes. Each framing
 * is one const struct of functions (framing_lines.c, framing_raw.c, ...); framing_find() is their
 * catalogue.
 *
 * Whatever it hands on as MESSAGE_TEXT is valid UTF-8, by the route's policy. A message that fits
 * into the input is one piece; a longer one passes in pieces, in constant memory.
 *
 * Memory: an idle framing owns none. read() gives back what it made when it answers FRAMING_MORE.
 * write() collects a client's message only if the framing must know all of it first and it came in
 * pieces; how much that can be is the caller's ceiling for a message. It is given back by
 * framing_sent().
 */
#ifndef PROTO_FRAMING_H
#define PROTO_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/gather.h"
#include "base/text.h"
#include "proto/message.h"

/* What becomes of a backend's bytes that are not UTF-8 in a text message. */
enum utf8_policy {
	UTF8_REPLACE, /* each maximal subpart becomes U+FFFD */
	UTF8_BINARY,  /* the message goes out as binary (decided by its first piece; later bytes: replaced) */
	UTF8_CLOSE,   /* FRAMING_BROKEN */
};

/* Type of the messages sent to the client. */
enum message_type {
	MESSAGE_TYPE_BY_FRAMING,
	MESSAGE_TYPE_TEXT,
	MESSAGE_TYPE_BINARY,
	MESSAGE_TYPE_AUTO, /* text if the message (its first piece) is UTF-8, else binary */
};

struct framing_options {
	enum utf8_policy utf8;
	enum message_type type;
	uint64_t max_length; /* bytes that a backend may announce for one message; 0: no ceiling */
};

struct framing_ops;

struct framing {
	const struct framing_ops *ops;
	const struct framing_options *opt;
	uint32_t known;      /* bytes at the head of the input already searched or known to belong to the message */
	uint32_t sure;       /* bytes at the head of the input that are known to be whole code points */
	uint64_t left;       /* of a message whose length was told: payload that has not been handed on */
	const char *fault;   /* after FRAMING_BROKEN, or when write() has refused: a static sentence */
	struct buf held;     /* of the client's message: its pieces so far; if lent, all of it */
	struct buf made;     /* a piece for the client that does not lie in the input */
	uint16_t header_len; /* of a header: bytes eaten so far */
	uint8_t step;        /* where the input stands, in each framing's own words; 0: between messages */
	uint8_t kind;        /* enum message_kind of the open message */
	bool open;           /* the first piece of a message has been handed on, its last has not */
	bool ends;           /* KNOWN bytes from here the message ends */
	bool lent;           /* the gather borrows what is held */
};

enum framing_result {
	FRAMING_MORE, /* nothing (more) to hand on until more bytes come. What is left in IN stays there: offer it again in front of them */
	FRAMING_PIECE,  /* *OUT is filled in; call again */
	FRAMING_BROKEN, /* the backend's bytes make no sense: see fault */
};

enum framing_input {
	FRAMING_PART, /* more may come behind IN */
	FRAMING_FULL, /* more may come, but IN, as it lies now, cannot grow: a message that does not fit is handed on in pieces */
	FRAMING_EOF,  /* nothing comes any more: hand on what is left */
};

/* An input that cannot grow holds at least so many bytes; see FRAMING_FULL. */
enum { FRAMING_FULL_MIN = 8 };

struct framing_ops {
	const char *name;
	/*
	 * Eats from the head of IN and fills in OUT, which points into IN's bytes, to static ones (not
	 * to be changed), or to the framing's own: those are valid until the next call, and so few
	 * (GATHER_COPY_MAX at most) that a gather copies them. MESSAGE_CLOSE and MESSAGE_PONG are
	 * whole, and stand between messages.
	 *
	 * With FRAMING_FULL on FRAMING_FULL_MIN bytes or more it never answers FRAMING_MORE without
	 * having eaten some. STATE is what it is at this call: what the last one ate may have made
	 * room, and a message that could now come whole need not be cut. One that has been cut goes on
	 * as it comes, without waiting for a full IN: only a code point or an end-of-message that is
	 * not all there is left.
	 */
	enum framing_result (*read)(struct framing *f, struct span *in, enum framing_input state, struct piece *out);
	/*
	 * Adds PIECE of a client's message (text or binary) to OUT. The caller has asked
	 * gather_has_room(), and sends what f->lent tells that OUT has borrowed before it calls again.
	 * Returns 0, or the close code with which the message is refused: f->fault says why, nothing
	 * of this message was added, and no further call follows.
	 */
	int (*write)(struct framing *f, const struct piece *piece, struct gather *out);
	bool collects; /* must see all of a client's message before it passes any of it: needs a ceiling */
	bool by_lines; /* each message of a backend ends where a line does, with LF */
};

extern const struct framing_ops framing_lines;     /* LF or CRLF ends a text message; an unterminated last one counts */
extern const struct framing_ops framing_lines0;    /* the same with NUL */
extern const struct framing_ops framing_raw;       /* what one read gave is one binary message */
extern const struct framing_ops framing_message;   /* type, length, payload: boundaries and types survive both ways */
extern const struct framing_ops framing_netstring; /* LEN:payload, */
extern const struct framing_ops framing_jsonl;     /* lines; what a client says must be one JSON value on one line */
extern const struct framing_ops framing_lsp;       /* Content-Length: LEN, empty line, payload */

/*
 * Lines in JSON that tells where they come from: {"stream":"stdout","data":"..."}. A program's
 * stderr has a struct framing of its own, with the second table, which is not in the catalogue.
 *
 * The messages of the two must not mix: while one has a message open (f->open after its last
 * FRAMING_PIECE), it is interrupted before a piece of the other is handed on. It opens one only if
 * all of the line is there, or the input is full: so only very long lines can be interrupted.
 */
extern const struct framing_ops framing_tagged;
extern const struct framing_ops framing_tagged_stderr;

/*
 * Ends the open message with what tells that its line goes on: {"stream":...,"data":"...","more":true}.
 * *OUT is its last piece. What follows of the line is a message of its own.
 */
void framing_tagged_interrupt(struct framing *f, struct piece *out);

/*
 * Appends the message that tells how the program ended: {"stream":"exit","code":3} or
 * {"stream":"exit","signal":"SEGV"}. STATUS is as waitpid(2) gives it. Returns 0, or -1 if memory
 * is out. To be sent as one text message when neither stream has one open.
 */
int framing_tagged_exit(int status, struct buf *out);

/* The framing of this name, or NULL. */
const struct framing_ops *framing_find(struct slice name);

/* All names, NULL-terminated, for messages to people. */
const char *const *framing_names(void);

/* Cannot fail. OPT stays the caller's and must stay where it is. */
void framing_init(struct framing *f, const struct framing_ops *ops, const struct framing_options *opt);
/* Gives back what it owns. What it has lent must have been sent. */
void framing_clear(struct framing *f);

/* The gather that write() filled has been sent: what it borrowed from the framing is given back. */
void framing_sent(struct framing *f);

/* ---- for the framings themselves; what is called for each message stands here, so that it can be inlined ---- */

/* Drops the first LEN bytes of IN, of which some may be f->sure. */
static inline void
framing_eat(struct framing *f, struct span *in, size_t len)
{
	span_skip(in, len);
	f->sure = f->sure > len ? f->sure - (uint32_t)len : 0;
}

/* BYTES are the next piece; LEFT bytes behind them, which the input has, belong to the message too. Always FRAMING_PIECE. */
static inline enum framing_result
framing_hand_on(struct framing *f, enum message_kind kind, struct span bytes, size_t left, bool last, struct piece *out)
{
	last = last && left == 0;
	*out = (struct piece){ kind, !f->open, last, bytes };
	f->kind = (uint8_t)kind;
	f->known = (uint32_t)left;
	f->open = !last;
	f->ends = f->ends && !last;
	return FRAMING_PIECE;
}

static inline enum message_kind
framing_kind(const struct framing *f, enum message_kind natural)
{
	if (f->open)
		return (enum message_kind)f->kind;
	if (f->opt->type == MESSAGE_TYPE_BY_FRAMING)
		return natural;
	return f->opt->type == MESSAGE_TYPE_BINARY ? MESSAGE_BINARY : MESSAGE_TEXT;
}

/* What framing_emit() does with bytes that are to be text and are not known to be. */
enum framing_result framing_emit_unsure(struct framing *f, struct span *in, size_t len, bool last, struct piece *out);

/*
 * Turns the next LEN bytes of IN's head into a piece by the type and UTF-8 policy, and eats what it
 * hands on. LAST tells that the message ends with these bytes;
 * NATURAL is its kind if the route does not name one. May hand on fewer bytes than LEN; then
 * f->known is what is left of them and the caller calls it again. FRAMING_MORE if all that is left
 * is a code point whose end has not come, or nothing.
 *
 * When the last piece is handed on, f->known, f->open and f->ends are reset for the next message.
 */
static inline enum framing_result
framing_emit(struct framing *f, struct span *in, size_t len, bool last, enum message_kind natural, struct piece *out)
{
	enum message_kind kind = framing_kind(f, natural);
	struct span bytes = { in->data, len };

	if (kind == MESSAGE_TEXT && len > f->sure)
		return framing_emit_unsure(f, in, len, last, out);
	if (len == 0 && !last) {
		f->known = 0;
		return FRAMING_MORE;
	}
	framing_eat(f, in, len);
	return framing_hand_on(f, kind, bytes, 0, last, out);
}

/*
 * The same for a message whose length was told: f->left bytes of payload, which it counts down, and
 * TAIL bytes (0 or 1) that end it. The last piece is handed on once these are in IN, and leaves
 * them there.
 */
enum framing_result framing_emit_counted(
	struct framing *f, struct span *in, enum framing_input state, size_t tail, enum message_kind natural, struct piece *out);

/* Makes f->left one decimal digit longer. Returns false, with a fault, if it is more than may be announced. */
bool framing_add_digit(struct framing *f, unsigned char digit);

/* Is LEN what may be announced? If not, it leaves a fault. */
bool framing_may_announce(struct framing *f, uint64_t len);

/* The state once a header has been eaten: an input that was full can grow again. */
static inline enum framing_input
framing_with_room(enum framing_input state)
{
	return state == FRAMING_FULL ? FRAMING_PART : state;
}

/* Always FRAMING_BROKEN. */
enum framing_result framing_break(struct framing *f, const char *fault);
/* The same, because all input has ended where a message has not. */
enum framing_result framing_break_off(struct framing *f);

/* Reads as framing_lines does, in pieces that are made of MAX bytes of the input at most (8 or more). */
enum framing_result framing_read_line(struct framing *f, struct span *in, enum framing_input state, size_t max, struct piece *out);
int framing_write_line(struct framing *f, const struct piece *piece, struct gather *out);

/*
 * For a write() that needs all of a message: collects PIECE and, if it is the last one, lets WHOLE
 * be the message. A message of one piece is not copied. Returns 0, or a close code if memory is out.
 */
int framing_collect(struct framing *f, const struct piece *piece, struct span *whole);
/* Adds what framing_collect() gave to OUT. */
void framing_lend(struct framing *f, struct span whole, struct gather *out);
/* Drops what was collected and leaves FAULT. Returns CODE. */
int framing_refuse(struct framing *f, int code, const char *fault);

#endif
