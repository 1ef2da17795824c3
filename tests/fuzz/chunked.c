/*
 * Any bytes as a chunked body. The first byte says how the rest is cut: whole and in parts give the
 * same data, the same end and the same fault. What was found good, written by us, is read as the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
	struct chunked chunked;
	struct buf data;
	size_t eaten;
	enum chunked_result result;
};

static void
must(int truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

/* On a copy of just its length. */
static void
take(struct reading *r, const uint8_t *text, size_t len)
{
	unsigned char *copy = malloc(len == 0 ? 1 : len);
	must(copy != NULL, "memory");
	if (len > 0)
		memcpy(copy, text, len);
	struct span in = { copy, len }, piece;
	while ((r->result = chunked_read(&r->chunked, &in, &piece)) == CHUNKED_DATA) {
		must(piece.len > 0 && piece.data >= copy && piece.data + piece.len <= copy + len, "data lies in the input");
		must(buf_append(&r->data, piece.data, piece.len) == 0, "memory");
	}
	must(r->result != CHUNKED_MORE || in.len == 0, "more is asked for only when all is eaten");
	must((r->result == CHUNKED_BROKEN) == (r->chunked.fault != NULL), "a fault has a sentence, and only a fault");
	r->eaten += len - in.len;
	free(copy);
}

static void
take_cut(struct reading *r, const uint8_t *text, size_t len, unsigned cut)
{
	r->result = CHUNKED_MORE;
	while (len > 0 && r->result == CHUNKED_MORE) {
		size_t part = cut % 7 + 1;
		cut = cut * 5 + 3;
		part = part < len ? part : len;
		take(r, text, part);
		text += part;
		len -= part;
	}
}

static void
must_survive_writing(struct buf *body)
{
	struct reading again = { .eaten = 0 };
	unsigned char head[CHUNKED_HEAD_MAX];
	size_t len = buf_len(body);
	if (len > 0) {
		take(&again, head, chunked_write_head(len, head));
		take(&again, buf_span(body).data, len);
		take(&again, (const uint8_t *)"\r\n", 2);
	}
	take(&again, (const uint8_t *)CHUNKED_LAST, strlen(CHUNKED_LAST));
	must(again.result == CHUNKED_END && buf_len(&again.data) == len, "our own body is whole");
	must(len == 0 || memcmp(buf_span(&again.data).data, buf_span(body).data, len) == 0, "our own body is the same");
	buf_clear(&again.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct reading whole = { .eaten = 0 }, cut = { .eaten = 0 };
	take(&whole, data + 1, size - 1);
	take_cut(&cut, data + 1, size - 1, data[0]);
	must(whole.result == cut.result && whole.eaten == cut.eaten, "the end does not depend on the cut");
	must(whole.chunked.fault == cut.chunked.fault, "the fault does not depend on the cut");
	size_t len = buf_len(&whole.data);
	must(len == buf_len(&cut.data), "the data does not depend on the cut");
	must(len == 0 || memcmp(buf_span(&whole.data).data, buf_span(&cut.data).data, len) == 0, "the same bytes");
	if (whole.result == CHUNKED_END)
		must_survive_writing(&whole.data);
	buf_clear(&whole.data);
	buf_clear(&cut.data);
	return 0;
}
