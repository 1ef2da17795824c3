/*
 * crypto: a thin door. What the kernel or thirty plain lines can do is not asked of the library.
 */
#include "base/crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

/* Looking an algorithm up costs more than the digest of a handshake key, so it is done once. */
static EVP_MD *sha1;
static pthread_once_t sha1_once = PTHREAD_ONCE_INIT;

static void
sha1_fetch(void)
{
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

int
crypto_sha1(const void *data, size_t len, unsigned char out[static CRYPTO_SHA1_LEN])
{
	pthread_once(&sha1_once, sha1_fetch);
	if (sha1 == NULL)
		return -1;
	return EVP_Digest(data, len, out, NULL, sha1, NULL) == 1 ? 0 : -1;
}

int
crypto_sha256(const void *data, size_t len, unsigned char out[static CRYPTO_SHA256_LEN])
{
	return EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) == 1 ? 0 : -1;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Four letters for 1 to 3 bytes. */
static void
encode_group(const unsigned char *in, size_t len, char out[static 4])
{
	unsigned bits = (unsigned)in[0] << 16;
	if (len > 1)
		bits |= (unsigned)in[1] << 8;
	if (len > 2)
		bits |= in[2];
	out[0] = alphabet[bits >> 18];
	out[1] = alphabet[bits >> 12 & 63];
	out[2] = len > 1 ? alphabet[bits >> 6 & 63] : '=';
	out[3] = len > 2 ? alphabet[bits & 63] : '=';
}

void
crypto_base64_encode(const void *data, size_t len, char *out)
{
	const unsigned char *in = data;
	for (; len > 3; len -= 3, in += 3, out += 4)
		encode_group(in, 3, out);
	if (len > 0) {
		encode_group(in, len, out);
		out += 4;
	}
	*out = '\0';
}

/* 0 to 63, or -1. */
static int
letter_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* The 1 to 3 bytes of a group with as many letters less one, or -1. */
static int
decode_group(const char *text, size_t letters, unsigned char *out)
{
	unsigned bits = 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i < letters ? letter_value(text[i]) : 0;
		if (value == -1)
			return -1;
		bits = bits << 6 | (unsigned)value;
	}
	size_t len = letters - 1;
	/* RFC 4648 3.5: the bits that no byte uses must be zero, else two texts mean the same. */
	if ((bits & ((1U << (24 - 8 * len)) - 1)) != 0)
		return -1;
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)(bits >> (16 - 8 * i));
	return (int)len;
}

/* Letters before the padding: 2, 3 or 4. What else '=' may stand for is caught as a bad letter. */
static size_t
letters_in_last(const char *text)
{
	if (text[3] != '=')
		return 4;
	return text[2] != '=' ? 3 : 2;
}

long
crypto_base64_decode(const char *text, size_t text_len, unsigned char *out)
{
	long total = 0;
	if (text_len % 4 != 0 || text_len > LONG_MAX)
		return -1;
	for (; text_len > 0; text_len -= 4, text += 4) {
		int len = decode_group(text, text_len == 4 ? letters_in_last(text) : 4, out + total);
		if (len == -1)
			return -1;
		total += len;
	}
	return total;
}

void
crypto_random(void *out, size_t len)
{
	unsigned char *next = out;
	while (len > 0) {
		ssize_t got = getrandom(next, len, 0);
		if (got == -1 && errno == EINTR)
			continue;
		/* Without secrets there is no service, and nothing that the caller could do instead. */
		if (got == -1) {
			perror("wsgate: getrandom");
			abort();
		}
		next += got;
		len -= (size_t)got;
	}
}

bool
crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
