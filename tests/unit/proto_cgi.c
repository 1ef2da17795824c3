/* What programs answer: good heads, and the many ways in which a program can say something else. */
#include "proto/cgi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

enum { ROUNDS = 40, TYPE_LEN = 26 /* "Content-Type: text/plain\r\n" */ };

#define TYPE "Content-Type: text/plain\r\n"

static struct cgi_head head;
static const char *fault;
static size_t eaten;

static size_t
next_part(size_t left, int round)
{
	size_t part = round == 0 ? left : round == 1 ? 1 : 1 + (size_t)rand() % 9;
	return part < left ? part : left;
}

/* As the bytes come, each time in another place of memory. The head's fields point into *KEPT, which the caller frees. */
static enum cgi_result
parse_in_parts(const char *text, size_t len, int round, char **kept)
{
	enum cgi_result result = CGI_MORE;
	size_t scanned = 0;
	*kept = NULL;
	for (size_t have = 0; have < len && result == CGI_MORE;) {
		have += next_part(len - have, round);
		free(*kept);
		*kept = malloc(have);
		assert_non_null(*kept);
		memcpy(*kept, text, have);
		result = cgi_parse((struct slice){ *kept, have }, &scanned, &head, &eaten, &fault);
	}
	return result;
}

static void
print_head(struct buf *out)
{
	buf_printf(out, "%d", head.status);
	if (head.has_length)
		buf_printf(out, " (%llu)", (unsigned long long)head.length);
	for (size_t i = 0; i < head.field_count; i++)
		buf_printf(out, "|%.*s=%.*s", SLICE_ARG(head.fields[i].name), SLICE_ARG(head.fields[i].value));
	buf_append(out, "", 1);
}

/* FIELDS: "status (length)|name=value|..."; BODY: what is left behind the head. */
static void
assert_good(const char *text, const char *fields, const char *body)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct buf got = { 0 };
		char *kept;
		enum cgi_result result = parse_in_parts(text, strlen(text), round, &kept);
		if (result != CGI_HEAD)
			fail_msg("%s: %s", text, fault == NULL ? "more" : fault);
		print_head(&got);
		assert_string_equal((const char *)buf_span(&got).data, fields);
		assert_string_equal(text + eaten, body);
		buf_clear(&got);
		free(kept);
	}
}

static void
assert_bad(const char *text, size_t len, const char *why)
{
	for (int round = 0; round < ROUNDS; round++) {
		char *kept;
		enum cgi_result result = parse_in_parts(text, len, round, &kept);
		if (result != CGI_BROKEN)
			fail_msg("%s: taken for good", text);
		assert_string_equal(fault, why);
		free(kept);
	}
}

static void
a_document_has_a_type(void **state)
{
	(void)state;
	assert_good("Content-Type: text/html\n\n<p>", "200|Content-Type=text/html", "<p>");
	assert_good("content-type:text/html\r\n\r\n\r\nx", "200|content-type=text/html", "\r\nx");
	assert_good("X-A: 1\nContent-Type: a/b; charset=\"x:y\"\n\n", "200|X-A=1|Content-Type=a/b; charset=\"x:y\"", "");
	assert_good("Content-Type: a/b\nContent-Length: 3\n\nabc", "200 (3)|Content-Type=a/b", "abc");
	assert_good("Content-Type: a/b\nX:\nX: \t \n\n", "200|Content-Type=a/b|X=|X=", "");
	assert_good(TYPE "Set-Cookie: a=1\nSet-Cookie: b=2\n\n", "200|Content-Type=text/plain|Set-Cookie=a=1|Set-Cookie=b=2", "");
}

static void
a_status_is_three_digits_and_perhaps_a_phrase(void **state)
{
	(void)state;
	assert_good("Status: 404 Not Found\n\n", "404", "");
	assert_good("Status: 204\n\n", "204", "");
	assert_good("Status: 418 \n\n", "418", "");
	assert_good("Content-Type: a/b\nStatus: 599 x\n\n", "599|Content-Type=a/b", "");
}

static void
a_location_redirects(void **state)
{
	(void)state;
	assert_good("Location: https://example.org/\n\n", "302|Location=https://example.org/", "");
	assert_good("Location: /here?q\n\n", "302|Location=/here?q", "");
	assert_good("Status: 303 See Other\nLocation: /x\n\n", "303|Location=/x", "");
	assert_good("Status: 201\nLocation: /new\nContent-Type: a/b\n\n", "201|Location=/new|Content-Type=a/b", "");
}

static void
what_the_server_says_itself_is_dropped(void **state)
{
	(void)state;
	assert_good(TYPE "Connection: close\nKEEP-ALIVE: 1\nProxy-Connection: x\nTE: x\nTrailer: x\nUpgrade: h2c\nDate: now\n"
			 "Server: mine\nX: y\n\n",
		"200|Content-Type=text/plain|X=y", "");
}

static void
what_is_no_answer_is_found_out(void **state)
{
	static const struct {
		const char *text, *why;
	} table[] = {
		{ "\n", "its head has neither Content-Type, Location nor Status" },
		{ "X-A: 1\n\n", "its head has neither Content-Type, Location nor Status" },
		{ "Hello, world!\n", "a line of its head has no colon" },
		{ "HTTP/1.1 200 OK\r\n", "a line of its head has no colon" },
		{ TYPE "no colon\n", "a line of its head has no colon" },
		{ ": x\n", "a line of its head does not begin with the name of a field" },
		{ "Content-Type : a/b\n", "a line of its head does not begin with the name of a field" },
		{ TYPE " folded: x\n", "a line of its head does not begin with the name of a field" },
		{ "<p>a: b\n", "a line of its head does not begin with the name of a field" },
		{ TYPE "A: b\rc\n", "a field of its head has a control byte" },
		{ TYPE "A: b\r\r\n", "a field of its head has a control byte" },
		{ TYPE "A: \x7f\n", "a field of its head has a control byte" },
		{ TYPE TYPE "\n", "it has two Content-Type fields" },
		{ "Location: /a\nlocation: /b\n\n", "it has two Location fields" },
		{ "Status: 200\nStatus: 200\n\n", "it has two Status fields" },
		{ TYPE "Content-Length: 1\nContent-Length: 1\n\n", "it has two Content-Length fields" },
		{ TYPE "Content-Length: -1\n\n", "its Content-Length is no number" },
		{ TYPE "Content-Length: 1, 1\n\n", "its Content-Length is no number" },
		{ TYPE "Content-Length:\n\n", "its Content-Length is no number" },
		{ TYPE "Content-Length: 9223372036854775808\n\n", "its Content-Length is no number" },
		{ TYPE "Transfer-Encoding: chunked\n\n", "it has a Transfer-Encoding, which is the server's to say" },
		{ "Status: 100 Continue\n\n", "its Status is no code from 200 to 599" },
		{ "Status: 101\n\n", "its Status is no code from 200 to 599" },
		{ "Status: 600\n\n", "its Status is no code from 200 to 599" },
		{ "Status: 20\n\n", "its Status is no code from 200 to 599" },
		{ "Status: 2000\n\n", "its Status is no code from 200 to 599" },
		{ "Status: 200OK\n\n", "its Status is no code from 200 to 599" },
		{ "Status: OK\n\n", "its Status is no code from 200 to 599" },
		{ "Status:\n\n", "its Status is no code from 200 to 599" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_bad(table[i].text, strlen(table[i].text), table[i].why);
}

static void
a_nul_is_found_wherever_it_stands(void **state)
{
	static const char name[] = "A\0: b\n", value[] = "A: b\0c\n";
	(void)state;
	assert_bad(name, sizeof(name) - 1, "a line of its head does not begin with the name of a field");
	assert_bad(value, sizeof(value) - 1, "a field of its head has a control byte");
}

static void
a_head_that_has_not_all_come_is_waited_for(void **state)
{
	static const char text[] = "Status: 200\r\nContent-Type: a/b\r\n\r\n";
	char *kept;
	(void)state;
	for (size_t len = 0; len < strlen(text); len++)
		for (int round = 0; round < 3; round++) {
			assert_int_equal(parse_in_parts(text, len, round, &kept), CGI_MORE);
			free(kept);
		}
}

/* A head of just LEN bytes, with BODY behind it. */
static char *
head_of(size_t len, const char *body)
{
	size_t filler = len - TYPE_LEN - strlen("A: \r\n\r\n");
	struct buf text = { 0 };
	buf_printf(&text, TYPE "A: ");
	for (size_t i = 0; i < filler; i++)
		buf_append(&text, "x", 1);
	buf_printf(&text, "\r\n\r\n%s", body);
	char *copy = slice_dup((struct slice){ (char *)buf_span(&text).data, buf_len(&text) });
	buf_clear(&text);
	assert_non_null(copy);
	return copy;
}

static void
a_head_has_at_most_16_kib(void **state)
{
	char *fits = head_of(CGI_HEAD_MAX, "body"), *not = head_of(CGI_HEAD_MAX + 1, "body"), *kept;
	(void)state;
	for (int round = 0; round < 4; round++) {
		assert_int_equal(parse_in_parts(fits, strlen(fits), round, &kept), CGI_HEAD);
		assert_string_equal(fits + eaten, "body");
		free(kept);
		assert_int_equal(parse_in_parts(not, strlen(not ), round, &kept), CGI_BROKEN);
		assert_string_equal(fault, "its head is longer than 16k");
		free(kept);
	}
	free(fits);
	free(not );
}

static void
a_head_has_at_most_100_fields(void **state)
{
	struct buf text = { 0 };
	(void)state;
	for (int i = 0; i < CGI_FIELDS_MAX; i++)
		buf_printf(&text, "X-%d: y\n", i);
	buf_printf(&text, "Status: 200\n\n");
	assert_int_equal(buf_append(&text, "", 1), 0);
	size_t scanned = 0;
	struct slice all = { (char *)buf_span(&text).data, buf_len(&text) - 1 };
	assert_int_equal(cgi_parse(all, &scanned, &head, &eaten, &fault), CGI_HEAD);
	assert_int_equal(head.field_count, CGI_FIELDS_MAX);
	buf_clear(&text);
	for (int i = 0; i <= CGI_FIELDS_MAX; i++)
		buf_printf(&text, "X-%d: y\n", i);
	buf_printf(&text, "\n");
	assert_bad((char *)buf_span(&text).data, buf_len(&text), "it has too many fields");
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_has_a_type),
		cmocka_unit_test(a_status_is_three_digits_and_perhaps_a_phrase),
		cmocka_unit_test(a_location_redirects),
		cmocka_unit_test(what_the_server_says_itself_is_dropped),
		cmocka_unit_test(what_is_no_answer_is_found_out),
		cmocka_unit_test(a_nul_is_found_wherever_it_stands),
		cmocka_unit_test(a_head_that_has_not_all_come_is_waited_for),
		cmocka_unit_test(a_head_has_at_most_16_kib),
		cmocka_unit_test(a_head_has_at_most_100_fields),
	};
	return cmocka_run_group_tests_name("proto_cgi", tests, NULL, NULL);
}
