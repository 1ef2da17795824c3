/* A list of blocks; each piece is cut off the newest, and a piece too big for it gets its own. */
#include "gate/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { BLOCK_SIZE = 8192, ALIGNMENT = _Alignof(max_align_t) };

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct block *newest;
};

static void *
take_or_end(size_t size)
{
	void *memory = calloc(1, size);
	if (memory != NULL)
		return memory;
	fputs("wsgate: out of memory while reading the configuration\n", stderr);
	exit(EX_OSERR);
}

struct arena *
arena_new(void)
{
	return take_or_end(sizeof(struct arena));
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	while (a->newest != NULL) {
		struct block *next = a->newest->next;
		free(a->newest);
		a->newest = next;
	}
	free(a);
}

static struct block *
block_for(struct arena *a, size_t len)
{
	struct block *b = a->newest;
	if (b != NULL && b->size - b->used >= len)
		return b;
	size_t size = len > BLOCK_SIZE ? len : BLOCK_SIZE;
	b = take_or_end(sizeof(*b) + size);
	b->size = size;
	b->next = a->newest;
	a->newest = b;
	return b;
}

void *
arena_alloc(struct arena *a, size_t len)
{
	len = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	struct block *b = block_for(a, len);
	void *piece = b->bytes + b->used;
	b->used += len;
	return piece;
}

char *
arena_dup(struct arena *a, struct slice text)
{
	char *copy = arena_alloc(a, text.len + 1);
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	return copy;
}

char *
arena_vprintf(struct arena *a, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	char *text = arena_alloc(a, (size_t)(len < 0 ? 0 : len) + 1);
	vsnprintf(text, (size_t)(len < 0 ? 0 : len) + 1, format, again);
	va_end(again);
	return text;
}

char *
arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = arena_vprintf(a, format, args);
	va_end(args);
	return text;
}

/* The room is a power of two, so that COUNT itself tells when it is full. */
void *
arena_grow(struct arena *a, void *items, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return items;
	void *bigger = arena_alloc(a, (count == 0 ? 1 : 2 * count) * size);
	if (count > 0)
		memcpy(bigger, items, count * size);
	return bigger;
}

void
arena_list_add(struct arena *a, const char *const **list, const char *item)
{
	size_t count = 0;
	while (*list != NULL && (*list)[count] != NULL)
		count++;
	/* The terminator is an item, too. */
	const char **grown = (const char **)*list;
	if (grown == NULL)
		grown = arena_grow(a, NULL, 0, sizeof(*grown));
	grown = arena_grow(a, grown, count + 1, sizeof(*grown));
	grown[count] = item;
	grown[count + 1] = NULL;
	*list = grown;
}
