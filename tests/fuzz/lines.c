/*
 * What any program may print, as lines: through an input of any capacity, in any portions, under any
 * policy, each line comes out as the one message that a slow splitter says it is.
 *
 * Input: a byte for type and policy, one for the capacity, two that seed the portions, then the
 * program's output.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../slow_utf8.h"
#include "proto/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

struct run {
	struct framing f;
	struct framing_options opt;
	size_t capacity;
	unsigned seed;
	struct span expected; /* what of the output has not come out as messages yet */
	struct buf message;   /* under way */
	enum message_kind kind;
	size_t pieces;
};

/* The line at the head of the program's output, without its end; *WITH_END is its length with it. */
static struct span
slow_line(struct span output, size_t *with_end)
{
	struct span line = { output.data, 0 };

	while (line.len < output.len && output.data[line.len] != '\n')
		line.len++;
	*with_end = line.len < output.len ? line.len + 1 : line.len;
	if (line.len < output.len && line.len > 0 && output.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool
may_fall_back(const struct run *r)
{
	return r->opt.type == MESSAGE_TYPE_AUTO || r->opt.utf8 == UTF8_BINARY;
}

static void
judge_text(const struct run *r, struct span line, bool fits)
{
	struct buf fixed = { 0 };
	bool valid = slow_is_utf8(line.data, line.len);

	must(r->opt.type != MESSAGE_TYPE_BINARY);
	must(valid || r->opt.utf8 != UTF8_CLOSE);
	must(valid || !fits || !may_fall_back(r));
	slow_repair(line.data, line.len, &fixed);
	must(same(buf_span(&r->message), buf_span(&fixed)));
	buf_clear(&fixed);
}

static void
judge_binary(const struct run *r, struct span line)
{
	must(same(buf_span(&r->message), line));
	if (r->opt.type != MESSAGE_TYPE_BINARY)
		must(may_fall_back(r) && !slow_is_utf8(line.data, line.len));
}

static void
judge_message(struct run *r)
{
	size_t with_end;
	struct span line = slow_line(r->expected, &with_end);

	must(r->expected.len > 0);
	if (r->kind == MESSAGE_TEXT)
		judge_text(r, line, line.len + 2 <= r->capacity);
	else
		judge_binary(r, line);
	span_skip(&r->expected, with_end);
	buf_clear(&r->message);
}

static void
take_piece(struct run *r, const struct piece *piece, bool was_open)
{
	must(piece->first == !was_open);
	must(piece->kind == MESSAGE_TEXT || piece->kind == MESSAGE_BINARY);
	must(piece->first || piece->kind == r->kind);
	must(piece->last || piece->bytes.len > 0);
	if (piece->kind == MESSAGE_TEXT)
		must(slow_is_utf8(piece->bytes.data, piece->bytes.len));
	r->pieces++;
	r->kind = piece->kind;
	append(&r->message, piece->bytes.data, piece->bytes.len);
	if (piece->last)
		judge_message(r);
}

static enum framing_input
state_of(const struct run *r, struct span in, bool eof)
{
	if (eof)
		return FRAMING_EOF;
	return in.len == r->capacity ? FRAMING_FULL : FRAMING_PART;
}

static enum framing_result
read_all(struct run *r, struct span *in, bool eof)
{
	for (;;) {
		enum framing_input state = state_of(r, *in, eof);
		bool was_open = r->f.open;
		struct piece piece;
		enum framing_result result = framing_lines.read(&r->f, in, state, &piece);

		must(result != FRAMING_MORE || state != FRAMING_FULL);
		must(result != FRAMING_MORE || !r->f.open || in->len < FRAMING_FULL_MIN);
		if (result != FRAMING_PIECE)
			return result;
		take_piece(r, &piece, was_open);
	}
}

static size_t
next_portion(struct run *r)
{
	r->seed = r->seed * 1103515245u + 12345u;
	return 1 + (r->seed >> 16) % 23;
}

static enum framing_result
run_output(struct run *r, struct span output)
{
	unsigned char *input = malloc(r->capacity);
	enum framing_result result = FRAMING_MORE;
	struct span in;
	size_t held = 0;

	must(input != NULL);
	while (result == FRAMING_MORE && output.len > 0) {
		size_t add = next_portion(r);

		add = add < output.len ? add : output.len;
		add = add < r->capacity - held ? add : r->capacity - held;
		memcpy(input + held, output.data, add);
		span_skip(&output, add);
		held += add;
		in = (struct span){ input, held };
		result = read_all(r, &in, false);
		memmove(input, in.data, in.len);
		held = in.len;
	}
	if (result == FRAMING_MORE) {
		in = (struct span){ input, held };
		result = read_all(r, &in, true);
		must(result == FRAMING_BROKEN || in.len == 0);
	}
	free(input);
	return result;
}

static void
judge_end(struct run *r, enum framing_result result)
{
	size_t with_end;
	struct span line = slow_line(r->expected, &with_end);

	if (result == FRAMING_BROKEN) {
		must(r->opt.utf8 == UTF8_CLOSE && r->f.fault != NULL);
		must(!slow_is_utf8(line.data, line.len));
	} else {
		must(r->expected.len == 0 && !r->f.open && !r->f.ends && r->f.known == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = { .pieces = 0 };
	struct buf output = { 0 };

	if (size < 4)
		return 0;
	r.opt = (struct framing_options){ .type = (enum message_type)(data[0] % 4), .utf8 = (enum utf8_policy)(data[0] / 4 % 3) };
	r.capacity = data[1] < 200 ? (size_t)FRAMING_FULL_MIN + data[1] % 100 : 1 << 16;
	r.seed = data[2] * 256u + data[3];
	append(&output, data + 4, size - 4);
	r.expected = buf_span(&output);
	framing_init(&r.f, &framing_lines, &r.opt);
	judge_end(&r, run_output(&r, buf_span(&output)));
	must(r.pieces <= 2 * size);
	buf_clear(&output);
	buf_clear(&r.message);
	return 0;
}
