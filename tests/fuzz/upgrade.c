/*
 * Any header fields as an opening handshake: the input stands behind a good request line and Host,
 * so that the fuzzer need not find those. A refusal has a status that we may give; a yes has one
 * key, a choice that was offered, compression that can be had on both sides, and a response that is a
 * response.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const ours[] = { "v2", "chat", "v1", NULL };

static const struct upgrade_options policies[] = {
	{ SUBPROTOCOL_ANY, NULL, false, { .on = true, .takeover = true, .window = 12 } },
	{ SUBPROTOCOL_ANY, NULL, true, { .on = true, .takeover = false, .window = 15 } },
	{ SUBPROTOCOL_LIST, ours, false, { .on = true, .takeover = true, .window = 9 } },
	{ SUBPROTOCOL_LIST, ours, true, { .on = false } },
	{ SUBPROTOCOL_NONE, NULL, false, { .on = false } },
};

static void
must(int truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void
must_be_offered(const struct http_request *req, struct slice chosen)
{
	char name[HTTP_HEAD_MAX];
	must(http_is_token(chosen) && chosen.len < sizeof(name), "the choice is a token");
	memcpy(name, chosen.data, chosen.len);
	name[chosen.len] = 0;
	must(http_field_has_token(req, "sec-websocket-protocol", name), "the choice was offered");
}

static void
must_be_listed(struct slice chosen)
{
	int listed = 0;
	for (const char *const *name = ours; *name != NULL; name++)
		listed += slice_equals(chosen, *name);
	must(listed == 1, "the choice is one of ours");
}

static void
must_answer_well(const struct upgrade *up)
{
	static const char extra[] = "X-Extra: 1\r\n";
	struct buf out = { 0 };
	size_t lines = 0;

	must(upgrade_write_response(&out, up, extra, NULL) == 0, "memory");
	struct slice text = { (const char *)buf_span(&out).data, buf_len(&out) };
	must(slice_starts(text, "HTTP/1.1 101 Switching Protocols\r\n"), "a status line");
	must(text.len > 4 && memcmp(text.data + text.len - 4, "\r\n\r\n", 4) == 0, "an empty line at the end");
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	must(lines == 6u + (up->subprotocol.data != NULL) + up->deflate.agreed, "no line is smuggled in");
	buf_clear(&out);
}

static void
must_be_fair(const struct deflate_options *opt, const struct deflate_terms *terms)
{
	must(opt->on || !terms->agreed, "no compression if it is off");
	if (!terms->agreed)
		return;
	must(opt->takeover || !(terms->server_takeover || terms->client_takeover), "no takeover if that is off");
	must(terms->server_bits == 0 || (terms->server_bits >= 8 && terms->server_bits <= opt->window), "a window of ours");
	must(terms->client_bits == 0 || (terms->client_bits >= 8 && terms->client_bits <= opt->window), "a window of the client's");
}

static void
must_deserve_yes(const struct http_request *req, const struct upgrade_options *opt, const struct upgrade *up)
{
	must(slice_equals(req->method, "GET") && req->minor == 1 && !req->has_body, "the right request");
	must(http_field_count(req, "sec-websocket-key") == 1 && http_field(req, "sec-websocket-key").len == 24, "one key");
	must(http_field_count(req, "sec-websocket-version") == 1, "one version");
	must(strlen(up->accept) == UPGRADE_ACCEPT_LEN, "an accept value");
	must(up->subprotocol.data != NULL || !opt->subprotocols_required, "a subprotocol if required");
	must(up->subprotocol.data == NULL || opt->subprotocols != SUBPROTOCOL_NONE, "none if none is wanted");
	if (up->subprotocol.data != NULL)
		must_be_offered(req, up->subprotocol);
	if (up->subprotocol.data != NULL && opt->subprotocols == SUBPROTOCOL_LIST)
		must_be_listed(up->subprotocol);
	must_be_fair(&opt->deflate, &up->deflate);
	must_answer_well(up);
}

static void
judge(const struct http_request *req, const struct upgrade_options *opt)
{
	struct upgrade up;
	struct http_fault fault = { 0 };
	int status;

	switch (upgrade_judge(req, opt, &up, &fault)) {
	case UPGRADE_NO:
		must(http_field_count(req, "sec-websocket-key") == 0, "a key asks for WebSocket");
		return;
	case UPGRADE_YES:
		must_deserve_yes(req, opt, &up);
		return;
	case UPGRADE_BROKEN:
		status = fault.status;
		must((status == 400 || status == 405 || status == 426 || status == 505) && fault.what != NULL, "a known status");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = { 0 };
	struct http_request req;
	struct http_fault fault;
	size_t scanned = 0, eaten;

	must(buf_printf(&text, "GET /chat HTTP/1.1\r\nHost: example.com\r\n") == 0, "memory");
	must(buf_append(&text, data, size) == 0 && buf_append(&text, "\r\n\r\n", 4) == 0, "memory");
	struct slice head = { (const char *)buf_span(&text).data, buf_len(&text) };
	if (http_parse(head, &scanned, &req, &eaten, &fault) == HTTP_HEAD)
		for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++)
			judge(&req, &policies[i]);
	buf_clear(&text);
	return 0;
}
