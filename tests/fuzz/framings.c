/*
 * All framings but raw (which has no messages) and what may go wrong with them.
 *
 * As a backend: any bytes, through two inputs of different size and in different portions, are the
 * same messages and the same end. As a client: any messages, in any pieces, come back as they
 * went, or are refused for a reason.
 *
 * Input: a byte for the framing, one for type and policy, one for the ceiling, two for the capacities,
 * two that seed the portions, then bytes: for the backend as they are, for the client cut into
 * messages at each 0xfe and into pieces at each 0xfd.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../slow_json.h"
#include "proto/framing.h"
#include "proto/json.h"
#include "proto/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct framing_ops *const framings[] = { &framing_lines, &framing_lines0, &framing_message, &framing_netstring,
	&framing_jsonl, &framing_lsp, &framing_tagged, &framing_tagged_stderr };

enum { END_OF_MESSAGE = 0xfe, END_OF_PIECE = 0xfd };

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
append(struct buf *to, const void *data, size_t len)
{
	must(buf_append(to, data, len) == 0);
}

static bool
same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* A message in a story: its kind, its length, its bytes. */
static void
tell(struct buf *story, enum message_kind kind, struct span message)
{
	unsigned char letter = (unsigned char)kind;

	append(story, &letter, 1);
	append(story, &message.len, sizeof(message.len));
	append(story, message.data, message.len);
}

struct run {
	struct framing f;
	size_t capacity;
	unsigned seed;
	struct buf story;
	struct buf message;
};

static void
take_piece(struct run *r, const struct piece *piece, bool was_open)
{
	bool is_control = piece->kind == MESSAGE_CLOSE || piece->kind == MESSAGE_PONG;

	must(is_control || piece->kind == MESSAGE_TEXT || piece->kind == MESSAGE_BINARY);
	must(!is_control || (piece->last && piece->bytes.len <= WS_CONTROL_MAX));
	must(piece->first == !was_open);
	must(r->f.open == !piece->last);
	must(piece->last || piece->bytes.len > 0);
	if (piece->kind == MESSAGE_TEXT)
		must(slow_is_utf8(piece->bytes.data, piece->bytes.len));
	append(&r->message, piece->bytes.data, piece->bytes.len);
	if (!piece->last)
		return;
	tell(&r->story, piece->kind, buf_span(&r->message));
	if (r->f.ops == &framing_tagged || r->f.ops == &framing_tagged_stderr)
		must(json_fault(buf_span(&r->message).data, buf_len(&r->message)) == NULL);
	buf_clear(&r->message);
}

static enum framing_result
read_all(struct run *r, struct span *in, bool eof)
{
	for (;;) {
		enum framing_input state = eof ? FRAMING_EOF : in->len == r->capacity ? FRAMING_FULL : FRAMING_PART;
		bool was_open = r->f.open;
		size_t had = in->len;
		struct piece piece;
		enum framing_result result = r->f.ops->read(&r->f, in, state, &piece);

		must(in->len <= had);
		must(result != FRAMING_MORE || state != FRAMING_FULL || in->len < had);
		must(result != FRAMING_MORE || !r->f.open || in->len < FRAMING_FULL_MIN);
		must(result != FRAMING_BROKEN || r->f.fault != NULL);
		if (result != FRAMING_PIECE)
			return result;
		take_piece(r, &piece, was_open);
	}
}

static size_t
next_portion(struct run *r)
{
	r->seed = r->seed * 1103515245u + 12345u;
	return 1 + (r->seed >> 16) % 29;
}

static void
run_bytes(struct run *r, struct span bytes)
{
	unsigned char *input = malloc(r->capacity);
	enum framing_result result = FRAMING_MORE;
	size_t held = 0;

	must(input != NULL);
	for (bool eof = false; result == FRAMING_MORE && !eof;) {
		size_t add = next_portion(r);
		struct span in;

		eof = bytes.len == 0;
		add = add < bytes.len ? add : bytes.len;
		add = add < r->capacity - held ? add : r->capacity - held;
		if (add > 0) {
			memcpy(input + held, bytes.data, add);
			span_skip(&bytes, add);
		}
		in = (struct span){ input, held + add };
		result = read_all(r, &in, eof);
		must(!eof || result == FRAMING_BROKEN || (in.len == 0 && !r->f.open && r->f.step == 0 && r->f.made.block == NULL));
		memmove(input, in.data, in.len);
		held = in.len;
	}
	if (result == FRAMING_BROKEN)
		append(&r->story, "!", 1);
	free(input);
}

static void
run_begin(struct run *r, const struct framing_ops *ops, const struct framing_options *opt, unsigned capacity, unsigned seed)
{
	*r = (struct run){ .capacity = capacity < 200 ? (size_t)FRAMING_FULL_MIN + capacity : 1 << 16, .seed = seed };
	framing_init(&r->f, ops, opt);
}

static void
run_end(struct run *r)
{
	framing_clear(&r->f);
	buf_clear(&r->story);
	buf_clear(&r->message);
}

static void
judge_backend(const uint8_t *head, struct span bytes)
{
	static const enum message_type types[] = { MESSAGE_TYPE_BY_FRAMING, MESSAGE_TYPE_TEXT, MESSAGE_TYPE_BINARY };
	/* what the first piece decides depends on how it was cut: only policies that judge each byte alike */
	struct framing_options opt = {
		.type = types[head[1] % 3],
		.utf8 = head[1] & 4 ? UTF8_CLOSE : UTF8_REPLACE,
		.max_length = head[2],
	};
	const struct framing_ops *ops = framings[head[0] / 2 % (sizeof(framings) / sizeof(framings[0]))];
	struct run one, other;

	run_begin(&one, ops, &opt, head[3], head[5]);
	run_begin(&other, ops, &opt, head[4], head[6]);
	run_bytes(&one, bytes);
	run_bytes(&other, bytes);
	must(same(buf_span(&one.story), buf_span(&other.story)));
	run_end(&one);
	run_end(&other);
}

/* ---- as a client ---- */

struct client {
	struct framing f;
	struct buf wire, story, message;
	enum message_kind kind;
	bool refused;
	bool faithful; /* what was said will come back as it went */
};

/* The next piece lies alone in memory, and only until it has been sent. */
static void
say(struct client *c, enum message_kind kind, bool first, bool last, struct span bytes)
{
	static struct gather g;
	unsigned char *alone = malloc(bytes.len + 1);
	struct piece piece = { kind, first, last, { alone, bytes.len } };

	must(alone != NULL);
	if (bytes.len > 0)
		memcpy(alone, bytes.data, bytes.len);
	gather_reset(&g);
	c->refused = c->f.ops->write(&c->f, &piece, &g) != 0;
	must(!c->refused || (gather_is_empty(&g) && c->f.fault != NULL && c->f.held.block == NULL));
	gather_close(&g);
	for (int i = 0; i < g.count; i++)
		append(&c->wire, g.vec[i].iov_base, g.vec[i].iov_len);
	framing_sent(&c->f);
	must(!last || c->f.held.block == NULL);
	free(alone);
}

static bool
has(struct span text, char byte)
{
	return text.len > 0 && memchr(text.data, byte, text.len) != NULL;
}

/* Lines do not keep what is an end in them; text that is not UTF-8 does not come back. */
static bool
survives(const struct client *c, struct span message)
{
	if (c->f.ops == &framing_lines && (has(message, '\n') || has(message, '\r')))
		return false;
	if (c->f.ops == &framing_lines0 && has(message, '\0'))
		return false;
	return c->kind == MESSAGE_BINARY || slow_is_utf8(message.data, message.len);
}

static void
end_message(struct client *c)
{
	struct span m = buf_span(&c->message);

	if (c->f.ops == &framing_jsonl)
		must(c->refused == (has(m, '\n') || has(m, '\r') || !slow_is_json(m.data, m.len, JSON_DEPTH_MAX)));
	else
		must(!c->refused);
	if (!c->refused)
		tell(&c->story, c->kind, m);
	c->faithful = c->faithful && survives(c, m);
	buf_clear(&c->message);
	if (c->f.ops == &framing_message)
		c->kind = c->kind == MESSAGE_TEXT ? MESSAGE_BINARY : MESSAGE_TEXT;
}

static struct span
take_until_mark(struct span *bytes)
{
	struct span piece = { bytes->data, 0 };

	while (piece.len < bytes->len && bytes->data[piece.len] != END_OF_MESSAGE && bytes->data[piece.len] != END_OF_PIECE)
		piece.len++;
	span_skip(bytes, piece.len);
	return piece;
}

/* All that is said, until something is refused. */
static void
say_all(struct client *c, struct span bytes)
{
	bool first = true;

	while (bytes.len > 0 && !c->refused) {
		struct span piece = take_until_mark(&bytes);
		bool last = bytes.len == 0 || bytes.data[0] == END_OF_MESSAGE;

		append(&c->message, piece.data, piece.len);
		say(c, c->kind, first, last, piece);
		must(last || !c->refused);
		first = last;
		if (last)
			end_message(c);
		if (bytes.len > 0)
			span_skip(&bytes, 1);
	}
}

static void
judge_client(const uint8_t *head, struct span bytes)
{
	struct framing_options opt = { .type = MESSAGE_TYPE_BY_FRAMING };
	/* all but tagged, whose two ways are not the same */
	const struct framing_ops *ops = framings[head[0] / 2 % 6];
	struct client c = { .kind = MESSAGE_TEXT, .faithful = true };
	struct run r;

	framing_init(&c.f, ops, &opt);
	say_all(&c, bytes);
	if (c.faithful && buf_len(&c.message) == 0 && c.f.held.block == NULL) {
		run_begin(&r, ops, &opt, head[3], head[5]);
		run_bytes(&r, buf_span(&c.wire));
		must(same(buf_span(&r.story), buf_span(&c.story)));
		run_end(&r);
	}
	framing_clear(&c.f);
	buf_clear(&c.wire);
	buf_clear(&c.story);
	buf_clear(&c.message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { HEAD = 7 };
	struct buf bytes = { 0 };

	if (size < HEAD)
		return 0;
	append(&bytes, data + HEAD, size - HEAD);
	(data[0] % 2 ? judge_client : judge_backend)(data, buf_span(&bytes));
	buf_clear(&bytes);
	return 0;
}
