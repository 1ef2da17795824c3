/*
 * utf8: is it UTF-8 (RFC 3629), wherever the bytes were cut?
 *
 * No overlong form, no surrogate, nothing above U+10FFFF. Pure.
 */
#ifndef PROTO_UTF8_H
#define PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Between code points; a zeroed state is this one. */
enum { UTF8_START = 0 };

/*
 * Incremental check: feeds LEN bytes to *STATE. Returns false as soon as a byte cannot be part of
 * valid UTF-8 (fail-fast, RFC 6455 8.1); *STATE is then of no more use. The text is complete if
 * *STATE is UTF8_START at its end.
 */
bool utf8_check(uint8_t *state, const unsigned char *data, size_t len);

/*
 * Length of the longest prefix of DATA that is whole, valid code points. If it is shorter than
 * LEN, *BAD tells what follows: the length (1 to 3) of the maximal subpart to be replaced by one
 * U+FFFD (Unicode 15, 3.9, "best practice"), or 0 if what follows is only a code point whose end
 * has not come yet.
 */
size_t utf8_prefix(const unsigned char *data, size_t len, size_t *bad);

#endif
