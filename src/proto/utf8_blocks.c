/*
 * utf8_blocks: the loop is written once (utf8_blocks.inc) and compiled for more than one machine; which one
 * this is, is asked of it when the loop is wanted.
 */
#include "proto/utf8_blocks.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BEFORE = 3 };

#define HIGH_BITS 0x8080808080808080

/* How many of the BEFORE bytes in front of P have begun a code point that does not end there. */
static inline size_t
begun_before(const unsigned char *p)
{
	return p[-1] >= 0xC0 ? 1 : p[-2] >= 0xE0 ? 2 : p[-3] >= 0xF0 ? 3 : 0;
}

/* What every machine of a kind has: SSE2, NEON; else the compiler takes the block apart. */
#define WIDTH 16
#define TARGET
#define NAME(name) name##_16
#include "proto/utf8_blocks.inc"
#undef WIDTH
#undef TARGET
#undef NAME

#ifdef __x86_64__
#define WIDTH 32
#define TARGET __attribute__((target("avx2")))
#define NAME(name) name##_32
#include "proto/utf8_blocks.inc"

const struct utf8_blocks *
utf8_blocks_best(void)
{
	return __builtin_cpu_supports("avx2") ? &blocks_32 : &blocks_16;
}
#else
const struct utf8_blocks *
utf8_blocks_best(void)
{
	return &blocks_16;
}
#endif

const struct utf8_blocks *
utf8_blocks_narrow(void)
{
	return &blocks_16;
}
