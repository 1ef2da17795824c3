/*
 * chunked: the chunked transfer coding (RFC 9112 7.1). Decodes it strictly, so that nobody on the way
 * can have seen another end of the body than we do; and writes the heads of chunks. Pure.
 */
#ifndef PROTO_CHUNKED_H
#define PROTO_CHUNKED_H

#include <stdint.h>

#include "base/buf.h"

enum {
	CHUNKED_OVERHEAD_MAX = 8 * 1024, /* of all extensions and the trailer together, which are checked and dropped */
	CHUNKED_HEAD_MAX = 18,           /* 16 digits and CRLF */
};

/* Zeroed at first. */
struct chunked {
	uint64_t left;     /* data of the present chunk that has not come */
	size_t overhead;   /* bytes of extensions and trailer so far */
	const char *fault; /* after CHUNKED_BROKEN: a static sentence */
	uint8_t state;
	uint8_t digits; /* of the present size */
};

enum chunked_result {
	CHUNKED_MORE,   /* all of IN is eaten, and the body goes on */
	CHUNKED_DATA,   /* *DATA is the next of the body; it lies in what was IN. Call again */
	CHUNKED_END,    /* the body is complete; what is left in IN is not of it. Stays so */
	CHUNKED_BROKEN, /* answer 400: see fault. Stays so */
};

/* Eats from the head of IN. What is found does not depend on how the bytes were cut. */
enum chunked_result chunked_read(struct chunked *c, struct span *in, struct span *data);

/* Writes the head of a chunk of LEN > 0 bytes to OUT and returns its length. Behind the data goes "\r\n". */
size_t chunked_write_head(size_t len, unsigned char out[static CHUNKED_HEAD_MAX]);

/* What ends a body. */
#define CHUNKED_LAST "0\r\n\r\n"

#endif
