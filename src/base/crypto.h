/*
 * crypto: the few primitives that wsgate itself needs, the only door to libcrypto.
 * All functions are thread-safe.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

enum { CRYPTO_SHA1_LEN = 20, CRYPTO_SHA256_LEN = 32 };

/* Returns 0, or -1 if the library has no SHA-1 (a provider that forbids it) or no memory. */
int crypto_sha1(const void *data, size_t len, unsigned char out[static CRYPTO_SHA1_LEN]);

/* Returns 0, or -1 if the library has no memory. */
int crypto_sha256(const void *data, size_t len, unsigned char out[static CRYPTO_SHA256_LEN]);

/* Length of the base64 text (RFC 4648, padded) of LEN bytes, without a NUL. */
#define CRYPTO_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes CRYPTO_BASE64_LEN(len) characters and a NUL. */
void crypto_base64_encode(const void *data, size_t len, char *out);

/*
 * Strict decoding: canonical padding, no white space, unused bits zero. Returns the number of
 * bytes (at most text_len / 4 * 3), or -1.
 */
long crypto_base64_decode(const char *text, size_t text_len, unsigned char *out);

/* Fills OUT from the kernel's generator; aborts the process if there is none. */
void crypto_random(void *out, size_t len);

/* Equal? The time taken depends on LEN only. */
bool crypto_equal(const void *a, const void *b, size_t len);

#endif
