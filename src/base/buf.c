/*
 * buf: one allocation with a gap in front. Dropping moves the head, appending the tail. When the tail
 * meets the end, what waits moves to a new allocation with room for half as much again, which may be
 * a smaller one: so each byte costs a constant, and memory follows what waits, up and down.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 256 };

static bool
has_room(const struct buf *b, size_t len)
{
	return b->block != NULL && b->block->cap - b->block->tail >= len;
}

/* Half as much again, not twice: a queue at its high-water mark is what a connection costs. */
static int
renew(struct buf *b, size_t len)
{
	struct span waiting = buf_span(b);
	if (len > SIZE_MAX / 2 - waiting.len)
		return -1;
	size_t cap = waiting.len + len + (waiting.len + len) / 2;
	if (cap < SMALLEST)
		cap = SMALLEST;
	struct buf_block *block = malloc(sizeof(*block) + cap);
	if (block == NULL)
		return -1;
	*block = (struct buf_block){ .tail = waiting.len, .cap = cap };
	if (waiting.len > 0)
		memcpy(block->data, waiting.data, waiting.len);
	free(b->block);
	b->block = block;
	return 0;
}

unsigned char *
buf_reserve(struct buf *b, size_t len)
{
	if (!has_room(b, len) && renew(b, len) == -1)
		return NULL;
	return b->block->data + b->block->tail;
}

void
buf_commit(struct buf *b, size_t len)
{
	assert(has_room(b, len));
	b->block->tail += len;
	/* A reservation that came to nothing (a read that found nothing) must cost nothing. */
	if (buf_len(b) == 0)
		buf_clear(b);
}

int
buf_append(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return 0;
	unsigned char *room = buf_reserve(b, len);
	if (room == NULL)
		return -1;
	memcpy(room, data, len);
	buf_commit(b, len);
	return 0;
}

__attribute__((format(printf, 3, 0))) static int
append_formatted(struct buf *b, int len, const char *format, va_list args)
{
	if (len < 0)
		return -1;
	/* vsnprintf wants a place for its NUL; it is not committed. */
	unsigned char *room = buf_reserve(b, (size_t)len + 1);
	if (room == NULL)
		return -1;
	vsnprintf((char *)room, (size_t)len + 1, format, args);
	buf_commit(b, (size_t)len);
	return 0;
}

int
buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int result = append_formatted(b, vsnprintf(NULL, 0, format, args), format, again);
	va_end(again);
	va_end(args);
	return result;
}

void
buf_drop(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	if (b->block != NULL)
		b->block->head += len;
	if (buf_len(b) == 0)
		buf_clear(b);
}

void
buf_clear(struct buf *b)
{
	free(b->block);
	b->block = NULL;
}
