/*
 * framing_raw: what one read gave is one message.
 *
 * A read may end in the middle of a code point. As text, those bytes wait for the next read; as
 * binary, or where the bytes themselves decide (auto), nothing ever waits: the client may be
 * owed exactly this byte before it says anything again.
 */
#include "proto/framing.h"
#include "proto/utf8.h"

/* How many bytes at the end of IN are a code point whose end has not come. */
static size_t
cut_tail(struct span in)
{
	size_t max = in.len < 3 ? in.len : 3;

	for (size_t tail = 1; tail <= max; tail++) {
		unsigned char byte = in.data[in.len - tail];
		size_t bad = 1;

		if (byte < 0x80)
			return 0;
		if (byte >= 0xC0)
			return utf8_prefix(in.data + in.len - tail, tail, &bad) < tail && bad == 0 ? tail : 0;
	}
	return 0;
}

static size_t
message_len(const struct framing *f, struct span in)
{
	size_t tail;
	size_t bad;

	if (f->opt->type != MESSAGE_TYPE_TEXT)
		return in.len;
	tail = cut_tail(in);
	/* A message that goes out as binary all the same takes its tail with it. */
	if (tail > 0 && f->opt->utf8 == UTF8_BINARY && utf8_prefix(in.data, in.len - tail, &bad) < in.len - tail)
		return in.len;
	return in.len - tail;
}

static enum framing_result
raw_read(struct framing *f, struct span *in, enum framing_input state, struct piece *out)
{
	if (!f->ends) {
		f->known = (uint32_t)(state == FRAMING_EOF ? in->len : message_len(f, *in));
		f->ends = f->known > 0;
	}
	if (!f->ends)
		return FRAMING_MORE;
	return framing_emit(f, in, f->known, true, MESSAGE_BINARY, out);
}

static int
raw_write(struct framing *f, const struct piece *piece, struct gather *out)
{
	(void)f;
	gather_add(out, piece->bytes.data, piece->bytes.len);
	return 0;
}

const struct framing_ops framing_raw = { "raw", raw_read, raw_write, false, false };
