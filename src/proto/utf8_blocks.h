/*
 * utf8_blocks: is it UTF-8, a block of bytes at a time. For utf8.c alone, which does what is left over, and
 * finds out what is wrong. Pure, thread-safe.
 */
#ifndef PROTO_UTF8_BLOCKS_H
#define PROTO_UTF8_BLOCKS_H

#include <stddef.h>

struct utf8_blocks {
	size_t width; /* of a block: bytes */

	/*
	 * How many of LEN bytes are sure to be whole, valid code points (RFC 3629); DATA begins between two.
	 * Fewer than all if something is wrong in the next block and three bytes, or they are not all there.
	 */
	size_t (*sure)(const unsigned char *data, size_t len);
};

/* The widest that this machine can. */
const struct utf8_blocks *utf8_blocks_best(void);

/* What any machine can; for tests, and to compare with. */
const struct utf8_blocks *utf8_blocks_narrow(void);

#endif
