/*
 * framing_run: a backend writes, in whatever portions, and a client says what it likes.
 *
 * The backend's bytes pass through a buffer as a connection has it: of some capacity, filled in
 * random portions, FRAMING_FULL when it cannot grow. What comes out is told in one line:
 *
 *     T(a line) a text message    B(<ff>) a binary one    C(...) a Close    P(...) a pong    !  broken
 *
 * Every piece that leaves as text must be valid UTF-8 by itself.
 */
#ifndef TESTS_FRAMING_RUN_H
#define TESTS_FRAMING_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../slow_utf8.h"
#include "proto/framing.h"

enum { FAULT_MAX = 63 }; /* what a backend's reason holds */

struct setting {
	const struct framing_ops *ops;
	enum message_type type;
	enum utf8_policy utf8;
	uint64_t max_length;
};

struct run {
	struct framing f;
	size_t capacity; /* of the input */
	size_t portion;  /* that the backend writes at once; 0: random */
	struct buf story;
	struct buf message; /* under way */
	size_t calls, pieces;
	struct framing_options opt;
};

static inline void
run_begin(struct run *r, const struct setting *s)
{
	*r = (struct run){ .capacity = 4096, .opt = { .type = s->type, .utf8 = s->utf8, .max_length = s->max_length } };
	framing_init(&r->f, s->ops, &r->opt);
}

static inline void
run_clear(struct run *r)
{
	buf_clear(&r->story);
	buf_clear(&r->message);
	framing_clear(&r->f);
}

static inline void
tell_message(struct buf *story, char letter, const unsigned char *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	buf_printf(story, "%c(", letter);
	for (size_t i = 0; i < len; i++) {
		const char hex[4] = { '<', digits[data[i] >> 4], digits[data[i] & 15], '>' };

		if (data[i] >= ' ' && data[i] < 127)
			buf_append(story, data + i, 1);
		else
			buf_append(story, hex, sizeof(hex));
	}
	buf_append(story, ")", 1);
}

static inline char
letter_of(enum message_kind kind)
{
	switch (kind) {
	case MESSAGE_TEXT:
		return 'T';
	case MESSAGE_BINARY:
		return 'B';
	case MESSAGE_CLOSE:
		return 'C';
	default:
		return 'P';
	}
}

static inline void
take_piece(struct run *r, const struct piece *piece)
{
	bool is_open = r->f.open; /* behind the piece */
	bool is_data = piece->kind == MESSAGE_TEXT || piece->kind == MESSAGE_BINARY;
	struct span message;

	assert_int_equal(is_open, !piece->last);
	assert_true(piece->bytes.len > 0 || piece->last);
	assert_true(is_data || (piece->first && piece->last));
	assert_true(!piece->first || buf_len(&r->message) == 0);
	if (piece->kind == MESSAGE_TEXT)
		assert_true(slow_is_utf8(piece->bytes.data, piece->bytes.len));
	assert_int_equal(buf_append(&r->message, piece->bytes.data, piece->bytes.len), 0);
	r->pieces++;
	if (!piece->last)
		return;
	message = buf_span(&r->message);
	tell_message(&r->story, letter_of(piece->kind), message.data, message.len);
	buf_clear(&r->message);
}

static inline enum framing_input
state_of(const struct run *r, struct span in, bool eof)
{
	if (eof)
		return FRAMING_EOF;
	return in.len == r->capacity ? FRAMING_FULL : FRAMING_PART;
}

/* As pipes do it: whatever the portion holds is taken out of it, and what is left waits. */
static inline enum framing_result
read_all(struct run *r, struct span *in, bool eof)
{
	enum framing_result result;
	enum framing_input state;
	struct piece piece;
	size_t had;

	for (;;) {
		bool was_open = r->f.open;

		state = state_of(r, *in, eof);
		had = in->len;
		r->calls++;
		result = r->f.ops->read(&r->f, in, state, &piece);
		if (result != FRAMING_PIECE)
			break;
		assert_int_equal(piece.first, !was_open);
		take_piece(r, &piece);
	}
	if (result == FRAMING_MORE) {
		assert_true(state != FRAMING_FULL || in->len < had);
		assert_true(!r->f.open || in->len < FRAMING_FULL_MIN);
		assert_true(!eof || (in->len == 0 && !r->f.open && r->f.step == 0));
		assert_true(r->f.step != 0 || r->f.made.block == NULL);
		return result;
	}
	assert_in_range(strlen(r->f.fault), 1, FAULT_MAX);
	buf_append(&r->story, "!", 1);
	return result;
}

static inline size_t
next_portion(const struct run *r, size_t room)
{
	size_t len = r->portion > 0 ? r->portion : 1 + (size_t)rand() % (rand() % 3 == 0 ? 60 : 5);

	return len < room ? len : room;
}

/* Lets all of DATA through. The input lies alone in memory and moves between reads, as it may. */
static inline void
run_bytes(struct run *r, const void *data, size_t len)
{
	const unsigned char *from = data;
	unsigned char *input = malloc(r->capacity);
	size_t held = 0;
	enum framing_result result = FRAMING_MORE;

	while (result == FRAMING_MORE && len > 0) {
		size_t add = next_portion(r, len < r->capacity - held ? len : r->capacity - held);
		unsigned char *moved = malloc(r->capacity);
		struct span in;

		memcpy(moved, input, held);
		free(input);
		input = moved;
		memcpy(input + held, from, add);
		from += add;
		len -= add;
		held += add;
		in = (struct span){ input, held };
		result = read_all(r, &in, false);
		held = in.len;
		memmove(input, in.data, held);
	}
	if (result == FRAMING_MORE)
		read_all(r, &(struct span){ input, held }, true);
	free(input);
}

static inline const char *
story_text(struct run *r)
{
	assert_int_equal(buf_append(&r->story, "", 1), 0);
	return (const char *)buf_span(&r->story).data;
}

static inline void
expect_with(const struct setting *s, size_t capacity, size_t portion, const char *data, size_t len, const char *story)
{
	struct run r;

	run_begin(&r, s);
	r.capacity = capacity;
	r.portion = portion;
	run_bytes(&r, data, len);
	assert_string_equal(story_text(&r), story);
	run_clear(&r);
}

/* The same story whole, byte by byte and at random, in a roomy input and in tiny ones. */
static inline void
expect_story(const struct setting *s, const char *data, size_t len, const char *story)
{
	expect_with(s, 4096, 4096, data, len, story);
	expect_with(s, 4096, 1, data, len, story);
	for (size_t capacity = FRAMING_FULL_MIN; capacity < FRAMING_FULL_MIN + 20; capacity++) {
		expect_with(s, capacity, 1, data, len, story);
		expect_with(s, capacity, capacity, data, len, story);
		expect_with(s, capacity, 0, data, len, story);
	}
}

/* ---- the other way: what a client says, in whatever pieces ---- */

struct client {
	struct framing f;
	struct gather gather;
	struct buf wire; /* what the backend gets */
	struct framing_options opt;
};

static inline void
client_begin(struct client *c, const struct setting *s)
{
	*c = (struct client){ .opt = { .type = s->type, .utf8 = s->utf8, .max_length = s->max_length } };
	framing_init(&c->f, s->ops, &c->opt);
}

/* As pipes do it. */
static inline void
client_flush(struct client *c)
{
	gather_close(&c->gather);
	for (int i = 0; i < c->gather.count; i++)
		assert_int_equal(buf_append(&c->wire, c->gather.vec[i].iov_base, c->gather.vec[i].iov_len), 0);
	gather_reset(&c->gather);
	framing_sent(&c->f);
	assert_false(c->f.lent);
}

static inline int
client_piece(struct client *c, enum message_kind kind, bool first, bool last, const void *data, size_t len)
{
	struct piece piece = { kind, first, last, { (unsigned char *)(uintptr_t)data, len } };

	if (!gather_has_room(&c->gather) || c->f.lent)
		client_flush(c);
	return c->f.ops->write(&c->f, &piece, &c->gather);
}

/* A piece of a read that is over before the next comes. */
static inline int
client_fleeting_piece(struct client *c, enum message_kind kind, bool first, bool last, const void *data, size_t len)
{
	unsigned char *copy = malloc(len + 1);
	int code;

	memcpy(copy, data, len);
	code = client_piece(c, kind, first, last, copy, len);
	client_flush(c);
	free(copy);
	return code;
}

/* One message, cut at random. Returns the first code that is not 0. DATA stays until the next flush. */
static inline int
client_says(struct client *c, enum message_kind kind, const void *data, size_t len)
{
	const unsigned char *from = data;
	bool first = true;

	while (rand() % 3 != 0) {
		size_t part = len == 0 ? 0 : (size_t)rand() % (len + 1);
		int code = (rand() % 2 ? client_piece : client_fleeting_piece)(c, kind, first, false, from, part);

		if (code != 0)
			return code;
		first = false;
		from += part;
		len -= part;
	}
	return (rand() % 2 ? client_piece : client_fleeting_piece)(c, kind, first, true, from, len);
}

static inline void
client_says_text(struct client *c, const char *text)
{
	assert_int_equal(client_says(c, MESSAGE_TEXT, text, strlen(text)), 0);
}

static inline void
expect_wire(struct client *c, const void *want, size_t len)
{
	client_flush(c);
	assert_int_equal(buf_len(&c->wire), len);
	if (len > 0)
		assert_memory_equal(buf_span(&c->wire).data, want, len);
	buf_clear(&c->wire);
}

/* An idle framing owns nothing. */
static inline void
client_end(struct client *c)
{
	client_flush(c);
	assert_null(c->f.held.block);
	assert_null(c->f.made.block);
	buf_clear(&c->wire);
	framing_clear(&c->f);
}

#endif
