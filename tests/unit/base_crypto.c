/*
 * crypto: published answers, and texts that only look like base64.
 */
#include "base/crypto.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_sha1(const char *text, const char *hex)
{
	unsigned char digest[CRYPTO_SHA1_LEN];
	char shown[2 * CRYPTO_SHA1_LEN + 1];
	assert_int_equal(crypto_sha1(text, strlen(text), digest), 0);
	for (int i = 0; i < CRYPTO_SHA1_LEN; i++)
		snprintf(shown + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(shown, hex);
}

static void
sha1_gives_the_answers_of_fips_180(void **state)
{
	(void)state;
	assert_sha1("", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	assert_sha1("abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
	assert_sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

static void
assert_sha256(const char *text, const char *hex)
{
	unsigned char digest[CRYPTO_SHA256_LEN];
	char shown[2 * CRYPTO_SHA256_LEN + 1];
	assert_int_equal(crypto_sha256(text, strlen(text), digest), 0);
	for (int i = 0; i < CRYPTO_SHA256_LEN; i++)
		snprintf(shown + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(shown, hex);
}

static void
sha256_gives_the_answers_of_fips_180(void **state)
{
	(void)state;
	assert_sha256("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_sha256("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void
the_handshake_of_rfc_6455_is_answered(void **state)
{
	(void)state;
	static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[CRYPTO_SHA1_LEN];
	char accept[CRYPTO_BASE64_LEN(CRYPTO_SHA1_LEN) + 1];
	assert_int_equal(crypto_sha1(key, strlen(key), digest), 0);
	crypto_base64_encode(digest, sizeof(digest), accept);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void *
hash_many(void *failed)
{
	unsigned char digest[CRYPTO_SHA1_LEN];
	for (int i = 0; i < 2000; i++)
		if (crypto_sha1("abc", 3, digest) != 0 || digest[0] != 0xa9 || digest[19] != 0x9d)
			*(int *)failed = 1;
	return NULL;
}

static void
workers_hash_at_the_same_time(void **state)
{
	(void)state;
	pthread_t threads[4];
	int failed[4] = { 0 };
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_many, &failed[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(failed[i], 0);
	}
}

static void
base64_gives_the_answers_of_rfc_4648(void **state)
{
	(void)state;
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "+/+/" } };
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		size_t len = strlen(pairs[i][0]);
		char text[16];
		unsigned char bytes[16];
		crypto_base64_encode(pairs[i][0], len, text);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(strlen(text), CRYPTO_BASE64_LEN(len));
		assert_int_equal(crypto_base64_decode(text, strlen(text), bytes), len);
		assert_memory_equal(bytes, pairs[i][0], len);
	}
}

static void
every_length_survives_the_way_there_and_back(void **state)
{
	(void)state;
	for (size_t len = 0; len < 300; len++) {
		/* Exactly as much memory as the contract asks for, so that a sanitizer sees one byte more. */
		unsigned char *bytes = malloc(len + 1), *back = malloc(CRYPTO_BASE64_LEN(len) / 4 * 3 + 1);
		char *text = malloc(CRYPTO_BASE64_LEN(len) + 1);
		crypto_random(bytes, len);
		crypto_base64_encode(bytes, len, text);
		assert_int_equal(crypto_base64_decode(text, CRYPTO_BASE64_LEN(len), back), len);
		assert_memory_equal(back, bytes, len);
		free(bytes);
		free(back);
		free(text);
	}
}

static void
what_is_not_canonical_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = { "Z", "Zg", "Zg=", "Zm9", "Zg===", "====", "=", "Z===", "Zg=A",
		"Zg==Zg==", "Zm8=Zm8=", "Zm9v\n", "Zm9\n", " Zm9v", "Zm9v ", "Zm 9", "Zm-_",
		"Zh==", "Zm9=", "Zm9v=", "Zm9v====", "Z\xc3\xa9v", "=m9v" };
	unsigned char bytes[16];
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (crypto_base64_decode(wrong[i], strlen(wrong[i]), bytes) != -1)
			fail_msg("'%s' was taken for base64", wrong[i]);
	assert_int_equal(crypto_base64_decode("Zm\0v", 4, bytes), -1);
}

/* Each text of four letters that decodes must be the one that its bytes encode to. */
static void
no_two_texts_mean_the_same(void **state)
{
	(void)state;
	static const char letters[] = "ABCghwxyz0189+/=-";
	size_t count = sizeof(letters) - 1, accepted = 0;
	for (size_t i = 0; i < count * count * count * count; i++) {
		char text[5] = { letters[i % count], letters[i / count % count], letters[i / count / count % count],
			letters[i / count / count / count], '\0' };
		unsigned char bytes[3];
		char again[5];
		long len = crypto_base64_decode(text, 4, bytes);
		if (len == -1)
			continue;
		accepted++;
		crypto_base64_encode(bytes, (size_t)len, again);
		assert_string_equal(again, text);
	}
	assert_true(accepted > 15 * 15 * 15 * 15);
}

static void
random_bytes_fill_everything_and_never_repeat(void **state)
{
	(void)state;
	static unsigned char a[100000], b[100000];
	crypto_random(a, sizeof(a));
	crypto_random(b, sizeof(b));
	assert_memory_not_equal(a, b, 16);
	assert_memory_not_equal(a + sizeof(a) - 16, b + sizeof(b) - 16, 16);
	/* Each value about 390 times; a tenth of that would be a broken generator. */
	unsigned count[256] = { 0 };
	for (size_t i = 0; i < sizeof(a); i++)
		count[a[i]]++;
	for (int i = 0; i < 256; i++)
		assert_in_range(count[i], 200, 600);
	unsigned char guarded[3] = { 1, 2, 3 };
	crypto_random(guarded, 0);
	assert_int_equal(guarded[0], 1);
}

static void
secrets_are_compared_whole(void **state)
{
	(void)state;
	assert_true(crypto_equal("secret", "secret", 6));
	assert_false(crypto_equal("secret", "secreT", 6));
	assert_false(crypto_equal("Secret", "secret", 6));
	assert_true(crypto_equal("secretA", "secretB", 6));
	assert_true(crypto_equal("a", "b", 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha1_gives_the_answers_of_fips_180),
		cmocka_unit_test(sha256_gives_the_answers_of_fips_180),
		cmocka_unit_test(the_handshake_of_rfc_6455_is_answered),
		cmocka_unit_test(workers_hash_at_the_same_time),
		cmocka_unit_test(base64_gives_the_answers_of_rfc_4648),
		cmocka_unit_test(every_length_survives_the_way_there_and_back),
		cmocka_unit_test(what_is_not_canonical_is_refused),
		cmocka_unit_test(no_two_texts_mean_the_same),
		cmocka_unit_test(random_bytes_fill_everything_and_never_repeat),
		cmocka_unit_test(secrets_are_compared_whole),
	};
	return cmocka_run_group_tests_name("base_crypto", tests, NULL, NULL);
}
