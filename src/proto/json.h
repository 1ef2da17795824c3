/*
 * json: is it JSON (RFC 8259)? Nothing of it is kept or understood.
 *
 * Strict: exactly one value, of any type, with white space around it at the most; valid UTF-8, no
 * byte order mark, no comment, no trailing comma, no NaN. An escaped half of a surrogate pair is
 * well-formed by the grammar (section 8.2) and passes. Pure: no allocation, no recursion.
 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <stddef.h>

enum { JSON_DEPTH_MAX = 512 }; /* arrays and objects inside each other */

/* NULL if DATA is one JSON value, else what is wrong with it: a static sentence about "the message". */
const char *json_fault(const unsigned char *data, size_t len);

#endif
