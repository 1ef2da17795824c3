/*
 * Any bytes as a request head. However they are cut the answer is the same, and it is one that we
 * may give; an accepted head written out again is read the same; nothing that it says breaks the
 * rules that the rest of the gateway builds upon.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EXACT_MAX = 600 }; /* longer input is not copied for each byte: that is quadratic */

struct outcome {
	enum http_result result;
	size_t eaten;
	struct http_fault fault;
	struct http_request req;
};

static void
must(int truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static enum http_result
parse(struct outcome *o, struct slice text, size_t *scanned)
{
	o->result = http_parse(text, scanned, &o->req, &o->eaten, &o->fault);
	return o->result;
}

/* The bytes of the last step stay: OUTCOME points into them. The caller frees what is returned. */
static char *
feed(struct outcome *o, struct slice text, uint32_t seed)
{
	size_t scanned = 0, fed = 0;
	char *bytes = NULL;
	do {
		seed = seed * 1664525 + 1013904223;
		size_t step = seed < 1u << 31 ? 1 : 1 + (seed >> 8) % (text.len / 4 + 1);
		fed += step < text.len - fed ? step : text.len - fed;
		if (bytes == NULL || text.len <= EXACT_MAX) {
			free(bytes);
			bytes = malloc(text.len <= EXACT_MAX ? fed + 1 : text.len + 1);
			must(bytes != NULL, "memory");
			memcpy(bytes, text.data, text.len <= EXACT_MAX ? fed : text.len);
		}
	} while (parse(o, (struct slice){ bytes, fed }, &scanned) == HTTP_MORE && fed < text.len);
	return bytes;
}

static void
must_be_same_request(const struct http_request *a, const struct http_request *b)
{
	must(slice_same(a->method, b->method) && slice_same(a->target, b->target), "same request line");
	must(slice_same(a->path, b->path) && slice_same(a->query, b->query), "same path and query");
	must((a->query.data == NULL) == (b->query.data == NULL), "same question mark");
	must(slice_same(a->host, b->host) && a->minor == b->minor, "same host and version");
	must(a->keep_alive == b->keep_alive && a->chunked == b->chunked && a->has_body == b->has_body, "same framing");
	must(a->content_length == b->content_length && a->field_count == b->field_count, "same sizes");
	for (size_t i = 0; i < a->field_count; i++)
		must(slice_same(a->fields[i].name, b->fields[i].name) && slice_same(a->fields[i].value, b->fields[i].value),
			"same fields");
}

static void
must_be_same(const struct outcome *a, const struct outcome *b)
{
	must(a->result == b->result, "same result");
	if (a->result == HTTP_BROKEN)
		must(a->fault.status == b->fault.status && a->fault.what == b->fault.what, "same fault");
	if (a->result != HTTP_HEAD)
		return;
	must(a->eaten == b->eaten, "same end");
	must_be_same_request(&a->req, &b->req);
}

static void
must_be_sound(const struct outcome *o, size_t size)
{
	const struct http_request *req = &o->req;
	int status = o->fault.status;
	if (o->result == HTTP_MORE)
		must(size < HTTP_HEAD_MAX, "a limit on waiting");
	if (o->result == HTTP_BROKEN)
		must((status == 400 || status == 414 || status == 431 || status == 501 || status == 505) && o->fault.what != NULL,
			"a known status");
	if (o->result != HTTP_HEAD)
		return;
	must(o->eaten <= size && o->eaten <= HTTP_HEAD_MAX, "an end within the bytes");
	must(http_is_token(req->method) && req->target.len > 0 && req->target.len <= HTTP_TARGET_MAX, "a request line");
	must(req->minor == 0 || (http_field_count(req, "host") == 1 && req->host.len > 0), "a host");
	must(http_field_count(req, "content-length") <= 1, "one length");
	must(!(req->chunked && req->content_length > 0), "one framing");
	for (size_t i = 0; i < req->field_count; i++) {
		must(http_is_token(req->fields[i].name), "names are tokens");
		must(slice_trim(req->fields[i].value).len == req->fields[i].value.len, "values are trimmed");
		for (size_t j = 0; j < req->fields[i].value.len; j++)
			must(strchr("\r\n", req->fields[i].value.data[j]) == NULL, "values are one line, without NUL");
	}
}

static void
must_be_read_back(const struct outcome *o)
{
	struct buf text = { 0 };
	struct outcome again;
	size_t scanned = 0;
	const struct http_request *req = &o->req;

	must(buf_printf(&text, "%.*s %.*s HTTP/1.%d\r\n", SLICE_ARG(req->method), SLICE_ARG(req->target), req->minor) == 0,
		"memory");
	for (size_t i = 0; i < req->field_count; i++)
		must(buf_printf(&text, "%.*s:%.*s\r\n", SLICE_ARG(req->fields[i].name), SLICE_ARG(req->fields[i].value)) == 0,
			"memory");
	must(buf_append(&text, "\r\n", 2) == 0, "memory");
	parse(&again, (struct slice){ (const char *)buf_span(&text).data, buf_len(&text) }, &scanned);
	must(again.result == HTTP_HEAD && again.eaten == buf_len(&text), "read back");
	must_be_same_request(req, &again.req);
	buf_clear(&text);
}

/* A decoded path has no dot segment left, and does not climb. */
static void
must_decode_well(struct slice path)
{
	char *out = malloc(path.len + 1);
	must(out != NULL, "memory");
	out[path.len] = 'x';
	long len = http_decode_path(path, out);
	must(out[path.len] == 'x' && len <= (long)path.len && len != 0, "a decoded path fits");
	if (len != -1) {
		struct slice rest = { out, (size_t)len };
		must(out[0] == '/', "a decoded path is absolute");
		for (size_t i = 0; i < rest.len; i++) {
			size_t end = i + 1;
			while (out[i] == '/' && end < rest.len && out[end] != '/')
				end++;
			struct slice segment = { out + i, end - i };
			must(!slice_equals(segment, "/.") && !slice_equals(segment, "/.."), "no dot segment");
			must(out[i] != 0, "no NUL");
		}
	}
	free(out);
}

static void
must_agree_on_dates(struct slice text)
{
	char out[30];
	int64_t seconds, same;
	if (http_parse_date(text, &seconds) == -1)
		return;
	must(http_parse_date(slice_of(http_format_date(seconds, out)), &same) == 0, "a date is read back");
	/* 9999-12-31 23:59:60 has no successor. */
	must(same == seconds || seconds == 253402300800, "as the same date");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct outcome whole, cut;
	size_t scanned = 0;

	parse(&whole, text, &scanned);
	must_be_sound(&whole, size);
	for (uint32_t seed = 0; seed < 3; seed++) {
		char *bytes = feed(&cut, text, seed * 7919 + (uint32_t)size);
		must_be_same(&whole, &cut);
		free(bytes);
	}
	if (whole.result == HTTP_HEAD) {
		must_be_read_back(&whole);
		must_decode_well(whole.req.path);
		must_agree_on_dates(http_field(&whole.req, "if-modified-since"));
	}
	must_decode_well(text);
	must_agree_on_dates(text);
	return 0;
}
