/*
 * proto: when memory is out, the peer is told so by a close code; nothing is lost track of.
 *
 * All that proto ever asks memory for, itself or through zlib and libcrypto, goes through malloc(), which is ours here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "proto/framing.h"
#include "proto/upgrade.h"
#include "proto/ws.h"

static bool memory_is_out;
static int mallocs_left; /* that succeed all the same */

/* The loader calls it before a sanitizer is awake. */
__attribute__((no_sanitize_thread)) void *
malloc(size_t len)
{
	static void *(*next)(size_t);

	if (memory_is_out && mallocs_left-- <= 0)
		return NULL;
	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "malloc"); /* as dlsym(3) has it */
	return next(len);
}

static int
memory_is_back(void **state)
{
	(void)state;
	memory_is_out = false;
	mallocs_left = 0;
	return 0;
}

static struct gather gather;

static void
begin(struct framing *f, const struct framing_ops *ops)
{
	static const struct framing_options opt = { .type = MESSAGE_TYPE_BY_FRAMING, .utf8 = UTF8_REPLACE };
	framing_init(f, ops, &opt);
	gather_reset(&gather);
	memory_is_out = true;
}

static void
a_client_whose_ping_was_cut_is_closed_with_1011(void **state)
{
	unsigned char half_a_ping[] = { 0x89, 0x80 | 2, 0, 0, 0, 0, 'x' };
	struct span in = { half_a_ping, sizeof(half_a_ping) };
	struct piece piece;
	struct ws ws;

	(void)state;
	ws_init(&ws, 0, NULL);
	memory_is_out = true;
	assert_int_equal(ws_read(&ws, &in, NULL, &piece), WS_BROKEN);
	assert_int_equal(ws.fault_code, WS_CLOSE_INTERNAL);
	assert_string_equal(ws.fault, "out of memory");
	ws_clear(&ws);
}

static const struct deflate_options options = { .on = true, .takeover = true, .level = 6, .window = 15 };
static const struct deflate_terms terms = { .agreed = true, .server_takeover = true, .client_takeover = true };

static void
a_client_whose_message_cannot_be_inflated_is_closed_with_1011(void **state)
{
	enum ws_result result = WS_BROKEN;
	int count = 0;

	(void)state;
	for (; result == WS_BROKEN; count++) {
		unsigned char hello[] = { 0xc1, 0x80 | 7, 0, 0, 0, 0, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00 }, bytes[10];
		struct span in = { hello, sizeof(hello) }, room = { bytes, sizeof(bytes) };
		struct piece piece;
		struct ws ws;

		ws_init(&ws, 0, deflate_new(&options, &terms));
		memory_is_out = true;
		mallocs_left = count;
		result = ws_read(&ws, &in, &room, &piece);
		memory_is_out = false;
		assert_true(result == WS_PIECE || ws.fault_code == WS_CLOSE_INTERNAL);
		ws_clear(&ws);
	}
	assert_in_range(count, 4, 10); /* a stream, its state and its window can all be missing */
}

static void
a_message_that_cannot_be_compressed_is_sent_as_it_is(void **state)
{
	unsigned char hello[] = "Hello";
	bool is_packed = false;
	int count = 0;

	(void)state;
	for (; !is_packed; count++) {
		struct piece piece = { .kind = MESSAGE_TEXT, .bytes = { hello, 5 }, .first = true, .last = true };
		struct ws ws;

		ws_init(&ws, 0, deflate_new(&options, &terms));
		gather_reset(&gather);
		memory_is_out = true;
		mallocs_left = count;
		assert_true(ws_write(&ws, &piece, &gather));
		memory_is_out = false;
		is_packed = gather.arena[0] == 0xc1;
		assert_memory_equal(gather.arena, is_packed ? "\xc1\x07\xf2\x48\xcd" : "\x81\x05Hel", 5);
		ws_clear(&ws);
	}
	assert_in_range(count, 4, 10);
}

static void
a_handshake_that_cannot_be_answered_is_refused_with_500(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
	const struct upgrade_options any = { .subprotocols = SUBPROTOCOL_ANY };
	struct http_fault fault = { 0 };
	struct http_request req;
	struct upgrade up;
	size_t scanned = 0, eaten;

	(void)state;
	assert_int_equal(http_parse(slice_of(head), &scanned, &req, &eaten, &fault), HTTP_HEAD);
	assert_int_equal(upgrade_judge(&req, &any, &up, &fault), UPGRADE_YES);
	memory_is_out = true;
	assert_int_equal(upgrade_judge(&req, &any, &up, &fault), UPGRADE_BROKEN);
	memory_is_out = false;
	assert_int_equal(fault.status, 500);
	assert_non_null(strstr(fault.what, "memory is out"));
}

static void
a_backend_whose_control_message_was_cut_is_broken_off(void **state)
{
	unsigned char half_a_pong[] = { 'p', 0, 0, 0, 2, 'x' };
	struct span in = { half_a_pong, sizeof(half_a_pong) };
	struct framing f;
	struct piece piece;

	(void)state;
	begin(&f, &framing_message);
	assert_int_equal(framing_message.read(&f, &in, FRAMING_PART, &piece), FRAMING_BROKEN);
	assert_string_equal(f.fault, "out of memory");
	framing_clear(&f);
}

static void
a_line_that_cannot_be_tagged_is_broken_off(void **state)
{
	unsigned char line[] = { 'x', '\n' };
	struct span in = { line, sizeof(line) };
	struct framing f;
	struct piece piece;

	(void)state;
	begin(&f, &framing_tagged);
	assert_int_equal(framing_tagged.read(&f, &in, FRAMING_PART, &piece), FRAMING_BROKEN);
	assert_string_equal(f.fault, "out of memory");
	framing_clear(&f);
}

/* A message that comes in pieces has to be collected by a framing that tells its length first. */
static void
a_message_that_cannot_be_collected_is_refused_with_1011(void **state)
{
	static const struct framing_ops *const collecting[] = { &framing_message, &framing_netstring, &framing_lsp,
		&framing_jsonl };
	struct framing f;

	(void)state;
	for (size_t i = 0; i < sizeof(collecting) / sizeof(collecting[0]); i++) {
		unsigned char text[] = "[1,";
		struct piece piece = { .kind = MESSAGE_TEXT, .bytes = { text, 3 }, .first = true, .last = false };

		begin(&f, collecting[i]);
		assert_int_equal(collecting[i]->write(&f, &piece, &gather), WS_CLOSE_INTERNAL);
		assert_string_equal(f.fault, "out of memory");
		assert_true(gather_is_empty(&gather));
		framing_clear(&f);
		memory_is_out = false;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_client_whose_ping_was_cut_is_closed_with_1011, memory_is_back),
		cmocka_unit_test_teardown(a_client_whose_message_cannot_be_inflated_is_closed_with_1011, memory_is_back),
		cmocka_unit_test_teardown(a_message_that_cannot_be_compressed_is_sent_as_it_is, memory_is_back),
		cmocka_unit_test_teardown(a_handshake_that_cannot_be_answered_is_refused_with_500, memory_is_back),
		cmocka_unit_test_teardown(a_backend_whose_control_message_was_cut_is_broken_off, memory_is_back),
		cmocka_unit_test_teardown(a_line_that_cannot_be_tagged_is_broken_off, memory_is_back),
		cmocka_unit_test_teardown(a_message_that_cannot_be_collected_is_refused_with_1011, memory_is_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
