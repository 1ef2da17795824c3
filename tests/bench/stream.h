/*
 * stream: what a flood carries, known to those who print it and to the one who compares.
 *
 * 64-byte lines; line N begins with N modulo STREAM_LINES in hex. The block repeats for ever.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdio.h>
#include <string.h>

enum {
	STREAM_LINE = 64,
	STREAM_LINES = 1024,
	STREAM_BLOCK = STREAM_LINE * STREAM_LINES,
};

static inline void
stream_fill(char block[static STREAM_BLOCK])
{
	for (int n = 0; n < STREAM_LINES; n++) {
		char *line = block + n * STREAM_LINE, head[9];
		snprintf(head, sizeof(head), "%08x", (unsigned)n);
		memcpy(line, head, 8);
		for (int i = 8; i < STREAM_LINE - 1; i++)
			line[i] = (char)('A' + (n * 7 + i) % 26);
		line[STREAM_LINE - 1] = '\n';
	}
}

#endif
