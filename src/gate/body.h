/*
 * body: a chunked request body, collected before its program is started, for a CGI program must be told
 * how long it is (RFC 3875 4.1.2).
 */
#ifndef GATE_BODY_H
#define GATE_BODY_H

#include <stdbool.h>

#include "base/buf.h"
#include "proto/chunked.h"

enum { BODY_MAX = 64 * 1024 };

/* Zeroed at first. */
struct body {
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

/* Eats of IN what belongs to the body. */
enum body_result body_read(struct body *b, struct span *in);

void body_clear(struct body *b);

#endif
