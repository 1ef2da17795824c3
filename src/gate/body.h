/*
 * body: a chunked request body, collected before its program is started, for a CGI program must be told
 * how long it is (RFC 3875 4.1.2). Its request's head is kept with it, and is read again when all is there.
 */
#ifndef GATE_BODY_H
#define GATE_BODY_H

#include <stdbool.h>

#include "base/text.h"
#include "proto/chunked.h"

enum { BODY_MAX = 64 * 1024 };

/* Zeroed at first. */
struct body {
	char *head; /* NULL: none is being collected */
	size_t head_len;
	struct buf bytes;
	struct chunked chunked;
	bool whole;
};

enum body_result {
	BODY_MORE,
	BODY_WHOLE,
	BODY_BROKEN,   /* 400: see chunked.fault */
	BODY_TOO_LONG, /* more than BODY_MAX: 411 */
	BODY_NO_MEMORY,
};

/* Begins with a copy of the request's HEAD. -1 if memory is out. */
int body_begin(struct body *b, struct slice head);

/* Eats of IN what belongs to the body. */
enum body_result body_read(struct body *b, struct span *in);

void body_clear(struct body *b);

#endif
