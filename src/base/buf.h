/*
 * buf: bytes that wait.
 *
 * A growable byte queue: append at the tail, drop from the head. An empty buf owns no memory, so
 * that an idle connection costs none. It has no ceiling of its own; whoever fills it watches
 * buf_len() (see session_settle).
 *
 * A span is a view of bytes that may be changed where they lie (unmasking); it owns nothing.
 * A zeroed buf is a valid empty one. Not thread-safe: a buf belongs to one loop.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

struct span {
	unsigned char *data;
	size_t len;
};

/* Moves the head of the view LEN bytes forward. LEN must not exceed span->len. */
static inline void
span_skip(struct span *span, size_t len)
{
	if (len > 0) /* NULL + 0 is undefined */
		span->data += len;
	span->len -= len;
}

struct buf_block {
	size_t head; /* first byte that waits */
	size_t tail; /* one past the last */
	size_t cap;
	unsigned char data[];
};

/* One pointer: an idle connection has several. */
struct buf {
	struct buf_block *block; /* NULL when empty */
};

static inline size_t
buf_len(const struct buf *b)
{
	return b->block == NULL ? 0 : b->block->tail - b->block->head;
}

/* The waiting bytes. Valid until the next call that changes B. */
static inline struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->block == NULL ? NULL : b->block->data + b->block->head, buf_len(b) };
}

/* Appends a copy of LEN bytes. Returns 0, or -1 with B unchanged if memory is out. */
int buf_append(struct buf *b, const void *data, size_t len);

/*
 * Makes room for LEN bytes at the tail and returns where they go, or NULL if memory is out. They
 * count only after buf_commit().
 */
unsigned char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

/* Appends formatted text, without a NUL. Returns 0 or -1. */
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops LEN bytes (at most buf_len) from the head; gives the memory back when nothing is left. */
void buf_drop(struct buf *b, size_t len);

/* Drops everything and gives the memory back. */
void buf_clear(struct buf *b);

#endif
