/*
 * arena: memory that is taken in many pieces and given back at once. Memory running out ends the
 * process with a message: only the configuration, which no client can make grow, lives in one.
 * Not thread-safe while it grows.
 */
#ifndef GATE_ARENA_H
#define GATE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/text.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);

/* LEN zeroed bytes, aligned for anything. */
void *arena_alloc(struct arena *a, size_t len);

/* A copy with a NUL behind it. */
char *arena_dup(struct arena *a, struct slice text);
char *arena_vprintf(struct arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0), nonnull(2)));
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends ITEM to a NULL-terminated list, which may move; a NULL list is an empty one. */
void arena_list_add(struct arena *a, const char *const **list, const char *item);

/* Room for one more behind COUNT items of SIZE bytes: ITEMS, or a bigger copy of them. */
void *arena_grow(struct arena *a, void *items, size_t count, size_t size);

#endif
