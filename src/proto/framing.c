/*
 * framing: what all framings share: their catalogue, and the one place that decides what a
 * backend's bytes are to the client. A browser fails the whole connection over one bad byte in a
 * text message (RFC 6455 8.1), so nothing leaves as text that is not.
 */
#include "proto/framing.h"

#include <assert.h>

#include "proto/utf8.h"
#include "proto/ws.h"

#define FRAMINGS(X)                                                                                                                \
	X(lines)                                                                                                                   \
	X(lines0)                                                                                                                  \
	X(raw)                                                                                                                     \
	X(message)                                                                                                                 \
	X(netstring)                                                                                                               \
	X(jsonl)                                                                                                                   \
	X(lsp)                                                                                                                     \
	X(tagged)

#define OPS_OF(name) &framing_##name,
static const struct framing_ops *const framings[] = { FRAMINGS(OPS_OF) };

#define NAME_OF(name) #name,
static const char *const names[] = { FRAMINGS(NAME_OF) NULL };

const struct framing_ops *
framing_find(struct slice name)
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (slice_equals(name, names[i]))
			return framings[i];
	return NULL;
}

const char *const *
framing_names(void)
{
	return names;
}

void
framing_init(struct framing *f, const struct framing_ops *ops, const struct framing_options *opt)
{
	*f = (struct framing){ .ops = ops, .opt = opt };
}

void
framing_clear(struct framing *f)
{
	buf_clear(&f->held);
	buf_clear(&f->made);
	f->lent = false;
}

void
framing_sent(struct framing *f)
{
	if (f->lent)
		buf_clear(&f->held);
	f->lent = false;
}

enum framing_result
framing_break(struct framing *f, const char *fault)
{
	f->fault = fault;
	return FRAMING_BROKEN;
}

enum framing_result
framing_break_off(struct framing *f)
{
	return framing_break(f, "the backend's output ended inside a message");
}

/* U+FFFD, often: bytes that are not text at all come in runs, and each piece costs a frame. */
#define FFFD_4 "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
static const unsigned char replacements[] = FFFD_4 FFFD_4 FFFD_4 FFFD_4 FFFD_4 FFFD_4 FFFD_4 FFFD_4;

enum {
	REPLACEMENT_LEN = 3,
	REPLACEMENTS_MAX = (sizeof(replacements) - 1) / REPLACEMENT_LEN,
	CODE_POINT_MAX = 4, /* bytes */
};

/* How the bytes at hand divide: GOOD whole code points, then BAD bytes that make one U+FFFD. */
struct division {
	size_t good;
	size_t bad;
};

static struct division
divide_text(const unsigned char *data, size_t len, bool last)
{
	struct division d = { 0, 0 };

	if (len > 0)
		d.good = utf8_prefix(data, len, &d.bad);
	if (d.good == len)
		d.bad = 0;
	else if (d.bad == 0 && last)
		d.bad = len - d.good; /* its end will never come */
	return d;
}

/* May a message that has not begun, and is not text, be binary instead? */
static bool
may_be_binary(const struct framing *f)
{
	return !f->open && (f->opt->type == MESSAGE_TYPE_AUTO || f->opt->utf8 == UTF8_BINARY);
}

/* Eats a run of bytes that are not UTF-8, the first BAD of LEN and what is of their sort behind them. */
static enum framing_result
replace(struct framing *f, struct span *in, size_t len, size_t bad, bool last, struct piece *out)
{
	struct division d = { 0, bad };
	size_t count = 0;

	do {
		count++;
		framing_eat(f, in, d.bad);
		len -= d.bad;
		/* No further than one code point: looking at a long text twice would not be linear. */
		d = divide_text(in->data, len < CODE_POINT_MAX ? len : CODE_POINT_MAX, last);
	} while (count < REPLACEMENTS_MAX && d.good == 0 && d.bad > 0);
	/* A piece on its way out is read only, whatever its type says. */
	return framing_hand_on(
		f, MESSAGE_TEXT, (struct span){ (unsigned char *)replacements, count * REPLACEMENT_LEN }, len, last, out);
}

enum framing_result
framing_emit_unsure(struct framing *f, struct span *in, size_t len, bool last, struct piece *out)
{
	struct division d = divide_text(in->data, len, last);
	enum message_kind kind = MESSAGE_TEXT;
	struct span bytes = *in;

	if (d.bad > 0 && may_be_binary(f)) {
		kind = MESSAGE_BINARY;
		d = (struct division){ len, 0 };
	}
	if (d.bad > 0 && f->opt->utf8 == UTF8_CLOSE)
		return framing_break(f, "the backend's output is not UTF-8");
	if (d.good == 0 && d.bad > 0)
		return replace(f, in, len, d.bad, last, out);
	if (d.good == 0) {
		f->known = (uint32_t)len;
		return FRAMING_MORE;
	}
	bytes.len = d.good;
	framing_eat(f, in, d.good);
	return framing_hand_on(f, kind, bytes, len - d.good, last, out);
}

/* ---- messages whose length is told ---- */

bool
framing_may_announce(struct framing *f, uint64_t len)
{
	/* Without a ceiling, so much that no sum overflows. */
	if (len <= (f->opt->max_length != 0 ? f->opt->max_length : INT64_MAX))
		return true;
	f->fault = "the backend announced too long a message";
	return false;
}

bool
framing_add_digit(struct framing *f, unsigned char digit)
{
	f->left = f->left * 10 + (uint64_t)(digit - '0');
	return framing_may_announce(f, f->left);
}

/* Of a message that is not all there: what can be handed on without an empty piece as its last. */
static size_t
part_len(const struct framing *f, struct span in, size_t tail)
{
	uint64_t most = f->left > tail ? f->left - tail : 0;

	return in.len < most ? in.len : (size_t)most;
}

enum framing_result
framing_emit_counted(
	struct framing *f, struct span *in, enum framing_input state, size_t tail, enum message_kind natural, struct piece *out)
{
	bool all = in->len >= f->left + tail;
	size_t had = in->len;
	enum framing_result result;

	if (!all && state == FRAMING_EOF)
		return framing_break_off(f);
	if (!all && state == FRAMING_PART && !f->open)
		return FRAMING_MORE;
	result = framing_emit(f, in, all ? (size_t)f->left : part_len(f, *in, tail), all, natural, out);
	f->left -= had - in->len;
	return result;
}

/* ---- messages that must be whole ---- */

int
framing_refuse(struct framing *f, int code, const char *fault)
{
	buf_clear(&f->held);
	f->fault = fault;
	return code;
}

int
framing_collect(struct framing *f, const struct piece *piece, struct span *whole)
{
	assert(!f->lent);
	*whole = piece->bytes;
	if (piece->first && piece->last)
		return 0;
	if (buf_append(&f->held, piece->bytes.data, piece->bytes.len) == -1)
		return framing_refuse(f, WS_CLOSE_INTERNAL, "out of memory");
	*whole = buf_span(&f->held);
	return 0;
}

void
framing_lend(struct framing *f, struct span whole, struct gather *out)
{
	gather_add(out, whole.data, whole.len);
	if (whole.len > GATHER_COPY_MAX)
		f->lent = buf_len(&f->held) > 0;
	else
		buf_clear(&f->held);
}
