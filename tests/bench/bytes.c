/*
 * How fast the loops are that touch every byte, in GB/s, beside memcpy over the same bytes. Each figure is
 * the best of many short runs, over texts of 64 KiB, which stay in the cache, at once and in messages of 64.
 *
 *	bytes
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/utf8.h"
#include "proto/utf8_blocks.h"
#include "proto/ws.h"

enum { TEXT_LEN = 64 * 1024, ROUNDS = 400, LAPS = 8 };

static unsigned char text[TEXT_LEN], copy[TEXT_LEN];
static unsigned char mask[4] = { 1, 2, 3, 4 };

/* Fills TEXT with WORDS again and again, whole ones, and spaces at the end. */
static void
fill(const char *words)
{
	size_t len = strlen(words), at = 0;
	for (; at + len <= TEXT_LEN; at += len)
		memcpy(text + at, words, len);
	memset(text + at, ' ', TEXT_LEN - at);
}

/* --- what is measured: one go over LEN bytes at AT ------------------------------------------------ */

static void
copies(size_t at, size_t len)
{
	memcpy(copy + at, text + at, len);
	__asm__ volatile("" : : "r"(copy) : "memory");
}

static void
unmasks(size_t at, size_t len)
{
	ws_unmask(copy + at, len, mask);
}

static void
checks(size_t at, size_t len)
{
	uint8_t state = UTF8_START;
	if (!utf8_check(&state, text + at, len))
		abort();
}

static void
checks_narrow(size_t at, size_t len)
{
	volatile size_t sure = utf8_blocks_narrow()->sure(text + at, len);
	(void)sure;
}

static double
seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
measure(const char *what, const char *of, void (*go)(size_t at, size_t len), size_t portion)
{
	double best = 1e9;
	for (int round = 0; round < ROUNDS; round++) {
		double start = seconds();
		for (int lap = 0; lap < LAPS; lap++)
			for (size_t at = 0; at < TEXT_LEN; at += portion)
				go(at, portion);
		double took = seconds() - start;
		best = took < best ? took : best;
	}
	printf("| %s | %s | %zu | %.1f |\n", what, of, portion, (double)LAPS * TEXT_LEN / best / 1e9);
}

int
main(void)
{
	static const struct {
		const char *name, *words;
	} texts[] = {
		{ "ASCII", "The quick brown fox jumps over the lazy dog. " },
		{ "German", "Zw\xc3\xb6lf Boxk\xc3\xa4mpfer jagen Viktor quer \xc3\xbc"
			    "ber den gro\xc3\x9f"
			    "en Sylter Deich. " },
		{ "Russian", "\xd0\xa1\xd1\x8a\xd0\xb5\xd1\x88\xd1\x8c \xd0\xb6\xd0\xb5 \xd0\xb5\xd1\x89\xd1\x91 " },
		{ "Japanese", "\xe3\x81\x84\xe3\x82\x8d\xe3\x81\xaf\xe3\x81\xab\xe3\x81\xbb\xe3\x81\xb8\xe3\x81\xa8" },
		{ "emoji", "ok \xf0\x9f\x98\x80\xf0\x9f\x9a\x80 " },
	};
	printf("blocks of %zu bytes\n\n| loop | of | bytes at once | GB/s |\n|---|---|---|---|\n", utf8_blocks_best()->width);
	fill(texts[0].words);
	measure("memcpy", "", copies, TEXT_LEN);
	measure("unmask", "", unmasks, TEXT_LEN);
	measure("memcpy", "", copies, 64);
	measure("unmask", "", unmasks, 64);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fill(texts[i].words);
		measure("UTF-8", texts[i].name, checks, TEXT_LEN);
		measure("UTF-8, narrow", texts[i].name, checks_narrow, TEXT_LEN);
	}
	fill(texts[0].words);
	measure("UTF-8", texts[0].name, checks, 64);
}
