/*
 * Opening handshakes, right and wrong. Each is a whole request head, read by the parser that reads
 * them in the gateway.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/upgrade.h"

enum { NO = -1, YES = 0 };

#define GET "GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define ALL UPGRADE CONNECTION KEY VERSION
#define END "\r\n"
#define OFFER(list) "Sec-WebSocket-Protocol: " list "\r\n"
#define EXTENSIONS(list) "Sec-WebSocket-Extensions: " list "\r\n"

static const struct upgrade_options any = { .subprotocols = SUBPROTOCOL_ANY };

static struct http_request req;
static struct upgrade up;
static struct http_fault fault;

static void
parse(const char *head)
{
	size_t scanned = 0, eaten;
	if (http_parse(slice_of(head), &scanned, &req, &eaten, &fault) != HTTP_HEAD)
		fail_msg("not a head: %s", head);
}

/* NO, YES or the status of the refusal. */
static int
judge(const char *head, const struct upgrade_options *opt)
{
	parse(head);
	fault = (struct http_fault){ 0 };
	switch (upgrade_judge(&req, opt, &up, &fault)) {
	case UPGRADE_NO:
		return NO;
	case UPGRADE_YES:
		return YES;
	default:
		assert_non_null(fault.what);
		return fault.status;
	}
}

static void
assert_text(struct slice got, const char *wanted)
{
	assert_int_equal(got.data == NULL, wanted == NULL);
	assert_true(slice_same(got, slice_of(wanted)));
}

static void
test_the_sample_of_the_rfc(void **state)
{
	struct buf out = { 0 };
	(void)state;
	assert_int_equal(judge(GET ALL "Origin: http://example.com\r\n" OFFER("chat, superchat") END, &any), YES);
	assert_string_equal(up.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_text(up.subprotocol, "chat");
	assert_int_equal(upgrade_write_response(&out, &up, NULL, NULL), 0);
	assert_text((struct slice){ (char *)buf_span(&out).data, buf_len(&out) },
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
	buf_clear(&out);
}

static void
test_a_response_stands_behind_what_waits(void **state)
{
	struct buf out = { 0 };
	(void)state;
	assert_int_equal(judge(GET ALL END, &any), YES);
	assert_int_equal(buf_append(&out, "before", 6), 0);
	assert_int_equal(upgrade_write_response(&out, &up, "X-A: b\r\n", "X-C: d\r\n"), 0);
	assert_text((struct slice){ (char *)buf_span(&out).data, buf_len(&out) },
		"beforeHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-A: b\r\nX-C: d\r\n\r\n");
	buf_clear(&out);
}

struct story {
	const char *story;
	int answer;
	const char *head;
};

static void
tell(const struct story *stories, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int answer = judge(stories[i].head, &any);
		if (answer != stories[i].answer)
			fail_msg("%s: %d instead of %d", stories[i].story, answer, stories[i].answer);
	}
}

#define TELL(stories) tell(stories, sizeof(stories) / sizeof(*(stories)))
#define KEY_IS(key) GET UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: " key "\r\n" END
#define VERSION_IS(version) GET UPGRADE CONNECTION KEY "Sec-WebSocket-Version: " version "\r\n" END

static void
test_who_asks_for_websocket(void **state)
{
	static const struct story stories[] = {
		{ "a page", NO, GET END },
		{ "a page over a kept connection", NO, GET "Connection: keep-alive\r\n" END },
		{ "an upgrade to something else", NO, GET "Upgrade: h2c\r\n" CONNECTION END },
		{ "a word that only begins so", NO, GET "Upgrade: websockets\r\n" CONNECTION END },
		{ "all of it", YES, GET ALL END },
		{ "in other capitals", YES, GET "UPGRADE: WebSocket\r\nCONNECTION: UPGRADE\r\n" KEY VERSION END },
		{ "as Firefox does", YES, GET UPGRADE "Connection: keep-alive, Upgrade\r\n" KEY VERSION END },
		{ "with a choice of upgrades", YES, GET "Upgrade: h2c, websocket\r\n" CONNECTION KEY VERSION END },
		{ "in two Connection fields", YES, GET UPGRADE "Connection: close\r\n" CONNECTION KEY VERSION END },
		{ "by a post", 405, "POST / HTTP/1.1\r\nHost: h\r\n" ALL END },
		{ "by a lower-case get", 405, "get / HTTP/1.1\r\nHost: h\r\n" ALL END },
		{ "in HTTP/1.0", 426, "GET / HTTP/1.0\r\nHost: h\r\n" ALL END },
		{ "with a body", 400, GET ALL "Content-Length: 1\r\n" END },
		{ "with a chunked body", 400, GET ALL "Transfer-Encoding: chunked\r\n" END },
		{ "with a body of nothing", YES, GET ALL "Content-Length: 0\r\n" END },
		{ "without Upgrade", 400, GET CONNECTION KEY VERSION END },
		{ "with a key alone", 400, GET KEY END },
		{ "with a version alone", 400, GET VERSION END },
		{ "with an upgrade to something else", 400, GET "Upgrade: websocket/13\r\n" CONNECTION KEY VERSION END },
		{ "without Connection", 400, GET UPGRADE KEY VERSION END },
		{ "with another Connection", 400, GET UPGRADE "Connection: keep-alive\r\n" KEY VERSION END },
		{ "without a key", 400, GET UPGRADE CONNECTION VERSION END },
		{ "without a version", 400, GET UPGRADE CONNECTION KEY END },
		{ "with two keys", 400, GET ALL KEY END },
		{ "with two versions", 400, GET ALL VERSION END },
		{ "with two different versions", 400, GET ALL "Sec-WebSocket-Version: 8\r\n" END },
	};
	(void)state;
	TELL(stories);
}

static void
test_versions(void **state)
{
	static const struct story stories[] = {
		{ "13", YES, VERSION_IS("13") },
		{ "8", 426, VERSION_IS("8") },
		{ "14", 426, VERSION_IS("14") },
		{ "0", 426, VERSION_IS("0") },
		{ "013", 426, VERSION_IS("013") },
		{ "a number without end", 426, VERSION_IS("13131313131313131313131313131313") },
		{ "a list", 400, VERSION_IS("13, 8") },
		{ "a word", 400, VERSION_IS("thirteen") },
		{ "nothing", 400, VERSION_IS("") },
		{ "a sign", 400, VERSION_IS("+13") },
		{ "the version comes before the key", 426, GET UPGRADE CONNECTION "Sec-WebSocket-Version: 7\r\n" END },
	};
	(void)state;
	TELL(stories);
}

static void
test_keys(void **state)
{
	static const struct story stories[] = {
		{ "16 bytes", YES, KEY_IS("AAAAAAAAAAAAAAAAAAAAAA==") },
		{ "all letters", YES, KEY_IS("+/zyxwvutsrqponmlkjihg==") },
		{ "nothing", 400, KEY_IS("") },
		{ "15 bytes", 400, KEY_IS("AAAAAAAAAAAAAAAAAAAA") },
		{ "17 bytes", 400, KEY_IS("AAAAAAAAAAAAAAAAAAAAAAA=") },
		{ "18 bytes", 400, KEY_IS("AAAAAAAAAAAAAAAAAAAAAAAA") },
		{ "no padding", 400, KEY_IS("AAAAAAAAAAAAAAAAAAAAAA") },
		{ "half a padding", 400, KEY_IS("AAAAAAAAAAAAAAAAAAAAAA=") },
		{ "bits behind the end", 400, KEY_IS("AAAAAAAAAAAAAAAAAAAAAB==") },
		{ "the other alphabet", 400, KEY_IS("AAAAAAAAAAAAAAAAAAAA-_==") },
		{ "a space inside", 400, KEY_IS("AAAAAAAAAA AAAAAAAAAAA==") },
		{ "34 bytes", 400, KEY_IS("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==") },
		{ "text behind it", 400, KEY_IS("AAAAAAAAAAAAAAAAAAAAAA==x") },
	};
	(void)state;
	TELL(stories);
}

static void
test_wrong_offers(void **state)
{
	static const struct story stories[] = {
		{ "one", YES, GET ALL OFFER("chat") END },
		{ "empty elements", YES, GET ALL OFFER(", chat,,") END },
		{ "none at all", 400, GET ALL OFFER("") END },
		{ "commas only", 400, GET ALL OFFER(" , ,") END },
		{ "two words", 400, GET ALL OFFER("super chat") END },
		{ "a slash", 400, GET ALL OFFER("chat/1") END },
		{ "quotes", 400, GET ALL OFFER("\"chat\"") END },
		{ "a high byte", 400, GET ALL OFFER("ch\xc3\xa4t") END },
		{ "twice the same", 400, GET ALL OFFER("chat, superchat, chat") END },
		{ "twice the same in two fields", 400, GET ALL OFFER("chat") OFFER("chat") END },
		{ "the same in capitals is another", YES, GET ALL OFFER("chat, CHAT") END },
		{ "a wrong one behind a right one", 400, GET ALL OFFER("chat") OFFER("a=b") END },
	};
	(void)state;
	TELL(stories);
}

static void
test_a_flood_of_offers(void **state)
{
	char head[4096];
	size_t len;
	(void)state;
	for (int count = 64; count <= 65; count++) {
		len = (size_t)sprintf(head, GET ALL "Sec-WebSocket-Protocol: p0");
		for (int i = 1; i < count; i++)
			len += (size_t)sprintf(head + len, ",p%d", i);
		sprintf(head + len, "\r\n\r\n");
		assert_int_equal(judge(head, &any), count == 64 ? YES : 400);
	}
}

static void
test_the_choice_of_a_subprotocol(void **state)
{
	static const char *const ours[] = { "v2", "v1", NULL };
	static const char *const nothing[] = { NULL };
	static const struct {
		struct upgrade_options opt;
		const char *head;
		int answer;
		const char *chosen;
	} cases[] = {
		{ { SUBPROTOCOL_ANY, NULL, false, { 0 } }, GET ALL OFFER("b, a") END, YES, "b" },
		{ { SUBPROTOCOL_ANY, NULL, false, { 0 } }, GET ALL OFFER("b") OFFER("a") END, YES, "b" },
		{ { SUBPROTOCOL_ANY, NULL, false, { 0 } }, GET ALL END, YES, NULL },
		{ { SUBPROTOCOL_ANY, NULL, true, { 0 } }, GET ALL END, 400, NULL },
		{ { SUBPROTOCOL_LIST, ours, false, { 0 } }, GET ALL OFFER("v1, v2") END, YES, "v2" },
		{ { SUBPROTOCOL_LIST, ours, false, { 0 } }, GET ALL OFFER("x") OFFER("v1") END, YES, "v1" },
		{ { SUBPROTOCOL_LIST, ours, false, { 0 } }, GET ALL OFFER("V1") END, YES, NULL },
		{ { SUBPROTOCOL_LIST, ours, false, { 0 } }, GET ALL END, YES, NULL },
		{ { SUBPROTOCOL_LIST, ours, true, { 0 } }, GET ALL OFFER("v1") END, YES, "v1" },
		{ { SUBPROTOCOL_LIST, ours, true, { 0 } }, GET ALL OFFER("v3") END, 400, NULL },
		{ { SUBPROTOCOL_LIST, nothing, false, { 0 } }, GET ALL OFFER("v1") END, YES, NULL },
		{ { SUBPROTOCOL_NONE, ours, false, { 0 } }, GET ALL OFFER("v1") END, YES, NULL },
		{ { SUBPROTOCOL_NONE, NULL, false, { 0 } }, GET ALL OFFER("v1, v1") END, 400, NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int answer = judge(cases[i].head, &cases[i].opt);
		if (answer != cases[i].answer)
			fail_msg("case %zu: %d instead of %d", i, answer, cases[i].answer);
		if (answer == YES)
			assert_text(up.subprotocol, cases[i].chosen);
	}
}

static void
test_extensions_must_be_well_formed(void **state)
{
	static const struct story stories[] = {
		{ "a name", YES, GET ALL EXTENSIONS("foo") END },
		{ "as Chrome does", YES, GET ALL EXTENSIONS("permessage-deflate; client_max_window_bits") END },
		{ "a value", YES, GET ALL EXTENSIONS("permessage-deflate; server_max_window_bits=10") END },
		{ "a quoted value", YES, GET ALL EXTENSIONS("permessage-deflate; server_max_window_bits=\"10\"") END },
		{ "a quoted value, escaped", YES, GET ALL EXTENSIONS("a; b=\"c\\d\"; e, f") END },
		{ "several, spaced", YES, GET ALL EXTENSIONS("a ; b = c ,\td,,e;f=g") END },
		{ "two fields", YES, GET ALL EXTENSIONS("a") EXTENSIONS("b") END },
		{ "nothing", YES, GET ALL EXTENSIONS("") END },
		{ "two words", 400, GET ALL EXTENSIONS("a b") END },
		{ "no name", 400, GET ALL EXTENSIONS("; a") END },
		{ "no parameter", 400, GET ALL EXTENSIONS("a;") END },
		{ "no parameter but another extension", 400, GET ALL EXTENSIONS("a;, b") END },
		{ "no parameter name", 400, GET ALL EXTENSIONS("a; =b") END },
		{ "no value", 400, GET ALL EXTENSIONS("a; b=") END },
		{ "two values", 400, GET ALL EXTENSIONS("a; b=c=d") END },
		{ "a value with a slash", 400, GET ALL EXTENSIONS("a; b=c/d") END },
		{ "a quoted value that is no token", 400, GET ALL EXTENSIONS("a; b=\"c d\"") END },
		{ "a comma in quotes", 400, GET ALL EXTENSIONS("a; b=\"c,\\\";d\"; e, f") END },
		{ "a quoted value that ends with a space", 400,
			GET ALL EXTENSIONS("permessage-deflate; server_max_window_bits=\"15 \"") END },
		{ "nothing in quotes", 400, GET ALL EXTENSIONS("a; b=\"\"") END },
		{ "an open quote", 400, GET ALL EXTENSIONS("a; b=\"c") END },
		{ "an open quote behind a backslash", 400, GET ALL EXTENSIONS("a; b=\"c\\") END },
		{ "text behind a quote", 400, GET ALL EXTENSIONS("a; b=\"c\"d") END },
		{ "a quoted name", 400, GET ALL EXTENSIONS("\"a\"") END },
		{ "a wrong one behind a right one", 400, GET ALL EXTENSIONS("a") EXTENSIONS("b;") END },
	};
	(void)state;
	TELL(stories);
}

/* --- permessage-deflate, RFC 7692 7.1 --- */

#define PD "permessage-deflate"

struct negotiation {
	const char *offer, *answer; /* NULL: declined */
};

static void
negotiate(const struct upgrade_options *opt, const struct negotiation *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char head[1024], answer[DEFLATE_ANSWER_MAX];
		snprintf(head, sizeof(head), GET ALL EXTENSIONS("%s") END, cases[i].offer);
		assert_int_equal(judge(head, opt), YES);
		assert_int_equal(up.deflate.agreed, cases[i].answer != NULL);
		if (cases[i].answer != NULL)
			assert_string_equal(deflate_answer(&up.deflate, answer), cases[i].answer);
	}
}

#define NEGOTIATE(opt, cases) negotiate(opt, cases, sizeof(cases) / sizeof(cases[0]))

static void
test_offers_of_compression(void **state)
{
	static const struct upgrade_options opt = { .deflate = { .on = true, .takeover = true, .window = 13 } };
	static const struct negotiation cases[] = {
		/* what an offer leaves open stays open: no window is named that it does not name */
		{ PD, PD },
		{ PD "; server_no_context_takeover", PD "; server_no_context_takeover" },
		{ PD "; client_no_context_takeover", PD "; client_no_context_takeover" },
		{ PD "; client_max_window_bits", PD "; client_max_window_bits=13" },
		{ PD "; client_max_window_bits=15", PD "; client_max_window_bits=13" },
		{ PD "; client_max_window_bits=10", PD "; client_max_window_bits=10" },
		{ PD "; client_max_window_bits=8", PD "; client_max_window_bits=8" },
		{ PD "; server_max_window_bits=15", PD "; server_max_window_bits=13" },
		{ PD "; server_max_window_bits=9", PD "; server_max_window_bits=9" },
		{ PD "; server_max_window_bits=8", PD "; server_max_window_bits=8" },
		{ PD "; server_max_window_bits=\"10\"", PD "; server_max_window_bits=10" },
		{ PD "; server_max_window_bits=\"1\\0\"", PD "; server_max_window_bits=10" },
		{ PD ";server_max_window_bits = 10 ; client_max_window_bits;client_no_context_takeover ;server_no_context_takeover",
			PD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; "
			   "client_max_window_bits=13" },
		/* what is wrong declines the offer, and nothing else */
		{ PD "; mode=fast", NULL },
		{ PD "; SERVER_NO_CONTEXT_TAKEOVER", NULL },
		{ PD "; server_no_context_takeover; server_no_context_takeover", NULL },
		{ PD "; client_max_window_bits; client_max_window_bits=10", NULL },
		{ PD "; mode; mode", NULL },
		{ PD "; server_no_context_takeover=1", NULL },
		{ PD "; server_max_window_bits", NULL },
		{ PD "; server_max_window_bits=7", NULL },
		{ PD "; server_max_window_bits=16", NULL },
		{ PD "; server_max_window_bits=010", NULL },
		{ PD "; server_max_window_bits=+9", NULL },
		{ PD "; server_max_window_bits=\"1500\"", NULL },
		{ PD "; client_max_window_bits=0", NULL },
		{ PD "; client_max_window_bits=1000000000000000000000", NULL },
		{ "x-" PD, NULL },
		{ "Permessage-Deflate", NULL },
		/* the client's order is its preference */
		{ PD "; server_max_window_bits=10, " PD, PD "; server_max_window_bits=10" },
		{ PD "; mode=fast; server_max_window_bits=10, " PD "; client_max_window_bits", PD "; client_max_window_bits=13" },
		{ "foo; bar=\"" PD "\", " PD "; server_max_window_bits=7, " PD, PD },
	};
	(void)state;
	NEGOTIATE(&opt, cases);
	assert_int_equal(judge(GET ALL EXTENSIONS("foo") EXTENSIONS(PD "; x") EXTENSIONS(PD) END, &opt), YES);
	assert_true(up.deflate.agreed);
	assert_int_equal(judge(GET ALL EXTENSIONS(PD) EXTENSIONS("a b") END, &opt), 400);
}

static void
test_compression_that_keeps_no_memory(void **state)
{
	static const struct upgrade_options opt = { .deflate = { .on = true, .takeover = false, .window = 15 } };
	static const struct negotiation cases[] = {
		{ PD, PD "; server_no_context_takeover; client_no_context_takeover" },
		{ PD "; client_max_window_bits",
			PD "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=15" },
	};
	(void)state;
	NEGOTIATE(&opt, cases);
}

static void
test_compression_that_is_off(void **state)
{
	static const struct negotiation cases[] = { { PD, NULL }, { PD "; client_max_window_bits", NULL } };
	(void)state;
	NEGOTIATE(&any, cases);
}

static void
test_the_answer_names_both(void **state)
{
	static const struct upgrade_options opt = { .deflate = { .on = true, .takeover = true, .window = 12 } };
	struct buf out = { 0 };
	(void)state;
	assert_int_equal(judge(GET ALL OFFER("chat") EXTENSIONS(PD "; client_max_window_bits") END, &opt), YES);
	assert_int_equal(upgrade_write_response(&out, &up, NULL, NULL), 0);
	assert_text((struct slice){ (char *)buf_span(&out).data, buf_len(&out) },
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n"
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r\n\r\n");
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_sample_of_the_rfc),
		cmocka_unit_test(test_a_response_stands_behind_what_waits),
		cmocka_unit_test(test_who_asks_for_websocket),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_wrong_offers),
		cmocka_unit_test(test_a_flood_of_offers),
		cmocka_unit_test(test_the_choice_of_a_subprotocol),
		cmocka_unit_test(test_extensions_must_be_well_formed),
		cmocka_unit_test(test_offers_of_compression),
		cmocka_unit_test(test_compression_that_keeps_no_memory),
		cmocka_unit_test(test_compression_that_is_off),
		cmocka_unit_test(test_the_answer_names_both),
	};
	return cmocka_run_group_tests_name("proto_upgrade", tests, NULL, NULL);
}
