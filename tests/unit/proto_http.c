/*
 * Request heads, as peers send them and as the network cuts them. Every head of the tables is fed
 * whole, byte by byte and in random cuts, from memory that ends where the bytes end, and must come
 * out the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http.h"

enum { MORE = -1, OK = 0, RANDOM_CUTS = 20 };

struct outcome {
	enum http_result result;
	size_t fed; /* bytes given when the answer came */
	size_t eaten;
	struct http_fault fault;
	struct http_request req;
	char *bytes; /* what REQ points into */
};

static uint32_t random_state = 2463534242u;

static uint32_t
random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

/* Feeds steps of 1 to MAX_STEP bytes until there is an answer. Each step's bytes lie elsewhere. */
static void
feed(struct outcome *o, struct slice text, size_t max_step)
{
	size_t scanned = 0;
	memset(o, 0, sizeof(*o));
	do {
		size_t left = text.len - o->fed;
		size_t step = max_step == 1 ? 1 : 1 + random_next() % max_step;
		o->fed += step < left ? step : left;
		free(o->bytes);
		o->bytes = malloc(o->fed + (o->fed == 0));
		memcpy(o->bytes, text.data, o->fed);
		memset(&o->req, 0xa5, sizeof(o->req));
		o->result = http_parse((struct slice){ o->bytes, o->fed }, &scanned, &o->req, &o->eaten, &o->fault);
	} while (o->result == HTTP_MORE && o->fed < text.len);
	if (o->result == HTTP_HEAD)
		assert_int_equal(scanned, 0);
}

static void
feed_whole(struct outcome *o, struct slice text)
{
	size_t scanned = 0;
	memset(o, 0, sizeof(*o));
	o->fed = text.len;
	o->bytes = malloc(o->fed + (o->fed == 0));
	memcpy(o->bytes, text.data, o->fed);
	memset(&o->req, 0x5a, sizeof(o->req));
	o->result = http_parse((struct slice){ o->bytes, o->fed }, &scanned, &o->req, &o->eaten, &o->fault);
}

static void
assert_slice(struct slice got, struct slice wanted)
{
	assert_int_equal(got.data == NULL, wanted.data == NULL);
	assert_int_equal(got.len, wanted.len);
	if (got.len > 0)
		assert_memory_equal(got.data, wanted.data, got.len);
}

static void
assert_same_request(const struct http_request *a, const struct http_request *b)
{
	assert_slice(a->method, b->method);
	assert_slice(a->target, b->target);
	assert_slice(a->path, b->path);
	assert_slice(a->query, b->query);
	assert_slice(a->host, b->host);
	assert_int_equal(a->minor, b->minor);
	assert_int_equal(a->keep_alive, b->keep_alive);
	assert_int_equal(a->chunked, b->chunked);
	assert_int_equal(a->has_body, b->has_body);
	assert_true(a->content_length == b->content_length);
	assert_int_equal(a->field_count, b->field_count);
	for (size_t i = 0; i < a->field_count; i++) {
		assert_slice(a->fields[i].name, b->fields[i].name);
		assert_slice(a->fields[i].value, b->fields[i].value);
	}
}

static void
assert_same(const struct outcome *a, const struct outcome *b)
{
	assert_int_equal(a->result, b->result);
	if (a->result == HTTP_BROKEN) {
		assert_int_equal(a->fault.status, b->fault.status);
		assert_string_equal(a->fault.what, b->fault.what);
	}
	if (a->result == HTTP_HEAD) {
		assert_int_equal(a->eaten, b->eaten);
		assert_same_request(&a->req, &b->req);
	}
}

/* The answer to TEXT, the same for every cut of it: MORE, OK or a status. */
static int
answer_to(struct slice text)
{
	struct outcome whole, cut;
	feed_whole(&whole, text);
	for (size_t i = 0; i <= RANDOM_CUTS; i++) {
		feed(&cut, text, i == 0 ? 1 : 1 + text.len / (1 + i / 2));
		assert_same(&whole, &cut);
		free(cut.bytes);
	}
	free(whole.bytes);
	return whole.result == HTTP_MORE ? MORE : whole.result == HTTP_HEAD ? OK : whole.fault.status;
}

struct story {
	const char *story;
	int answer;
	const char *text;
};

static void
tell(const struct story *stories, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int answer = answer_to(slice_of(stories[i].text));
		if (answer != stories[i].answer)
			fail_msg("%s: %d instead of %d", stories[i].story, answer, stories[i].answer);
	}
}

#define TELL(stories) tell(stories, sizeof(stories) / sizeof(*(stories)))
#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: example.com\r\n"
#define END "\r\n"

static void
test_request_lines(void **state)
{
	static const struct story stories[] = {
		{ "a plain request", OK, GET HOST END },
		{ "nothing yet", MORE, "" },
		{ "half a method", MORE, "GE" },
		{ "half a target", MORE, "GET /ab" },
		{ "half a version", MORE, "GET / HTTP/1." },
		{ "the CR of the request line", MORE, "GET / HTTP/1.1\r" },
		{ "no empty line yet", MORE, GET HOST },
		{ "half of the empty line", MORE, GET HOST "\r" },
		{ "one empty line in front", OK, "\r\n" GET HOST END },
		{ "half an empty line in front", MORE, "\r" },
		{ "two empty lines in front", 400, "\r\n\r\n" GET HOST END },
		{ "a bare CR in front", 400, "\rGET / HTTP/1.1\r\n" HOST END },
		{ "a bare LF in front", 400, "\n" GET HOST END },
		{ "a space in front", 400, " " GET HOST END },
		{ "a TLS client on a plain port", 400, "\x16\x03\x01\x02" },
		{ "request line ends with LF", 400, "GET / HTTP/1.1\nHost: a\n\n" },
		{ "request line ends with CR", 400, "GET / HTTP/1.1\rHost: a\r\r" },
		{ "two spaces behind the method", 400, "GET  / HTTP/1.1\r\n" HOST END },
		{ "two spaces behind the target", 400, "GET /  HTTP/1.1\r\n" HOST END },
		{ "a tab for a space", 400, "GET\t/ HTTP/1.1\r\n" HOST END },
		{ "a space behind the version", 400, "GET / HTTP/1.1 \r\n" HOST END },
		{ "no target", 400, "GET HTTP/1.1\r\n" HOST END },
		{ "HTTP/0.9", 400, "GET /\r\n" },
		{ "no version, but a space", 400, "GET / \r\n" },
		{ "lower-case http", 400, "GET / http/1.1\r\n" HOST END },
		{ "version with a long minor", 400, "GET / HTTP/1.10\r\n" HOST END },
		{ "version without minor", 400, "GET / HTTP/1\r\n" HOST END },
		{ "version of letters", 400, "GET / HTTP/x.y\r\n" HOST END },
		{ "another protocol", 400, "GET / RTSP/1.0\r\n" HOST END },
		{ "HTTP/1.2", OK, "GET / HTTP/1.2\r\n" HOST END },
		{ "HTTP/1.9, without the Host that 1.1 needs", 400, "GET / HTTP/1.9\r\n" END },
		{ "HTTP/0.9 that says so", 505, "GET / HTTP/0.9\r\n" HOST END },
		{ "HTTP/2 preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
		{ "HTTP/1.0", OK, "GET / HTTP/1.0\r\n" HOST END },
		{ "an unknown method", OK, "BREW / HTTP/1.1\r\n" HOST END },
		{ "a method of odd characters", OK, "!#$%&'*+-.^_`|~09aZ / HTTP/1.1\r\n" HOST END },
		{ "a method that is no token", 400, "G(T / HTTP/1.1\r\n" HOST END },
		{ "a method with a high byte", 400, "G\xc3T / HTTP/1.1\r\n" HOST END },
		{ "a method of 32", OK, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST END },
		{ "a method of 33", 501, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG" },
	};
	(void)state;
	TELL(stories);
}

#define TARGET(method, target) method " " target " HTTP/1.1\r\n" HOST END

static void
test_request_targets(void **state)
{
	static const struct story stories[] = {
		{ "a path and a query", OK, TARGET("GET", "/a/b;c=1?d=e&f=/?") },
		{ "two slashes", OK, TARGET("GET", "//a") },
		{ "all that a path may hold", OK, TARGET("GET", "/-._~!$&'()*+,;=:@%20az09") },
		{ "a query as a browser sends it", OK, TARGET("GET", "/?id[]={1}|^`\\") },
		{ "a fragment", 400, TARGET("GET", "/a#b") },
		{ "a fragment in the query", 400, TARGET("GET", "/?a#b") },
		{ "a quote", 400, TARGET("GET", "/a\"b") },
		{ "an angle bracket", 400, TARGET("GET", "/<b>") },
		{ "a bracket in the path", 400, TARGET("GET", "/[b]") },
		{ "a backslash in the path", 400, TARGET("GET", "/a\\b") },
		{ "a DEL", 400, TARGET("GET", "/a\x7f") },
		{ "a control byte", 400, TARGET("GET", "/a\x01") },
		{ "raw UTF-8", 400, TARGET("GET", "/\xc3\xa4") },
		{ "an escape cut short", 400, TARGET("GET", "/a%2") },
		{ "a percent sign alone", 400, TARGET("GET", "/a%") },
		{ "an escape that is not hexadecimal", 400, TARGET("GET", "/a%g0b") },
		{ "a bad escape in the query", 400, TARGET("GET", "/?a=%zz") },
		{ "an escape across path and query", 400, TARGET("GET", "/a%2?0") },
		{ "a word", 400, TARGET("GET", "a/b") },
		{ "a query without a path", 400, TARGET("GET", "?a") },
		{ "an absolute URL", OK, TARGET("GET", "http://h:80/a?b") },
		{ "an absolute URL without a path", OK, TARGET("GET", "http://h") },
		{ "an absolute URL, query only", OK, TARGET("GET", "https://h?q") },
		{ "a ws URL", OK, TARGET("GET", "ws://h/chat") },
		{ "a wss URL in capitals", OK, TARGET("GET", "WSS://h/chat") },
		{ "a URL of an unknown scheme", 400, TARGET("GET", "ftp://h/a") },
		{ "a URL without a host", 400, TARGET("GET", "http:///a") },
		{ "a URL with a port only", 400, TARGET("GET", "http://:80/a") },
		{ "a URL with a user", 400, TARGET("GET", "http://me@h/a") },
		{ "a URL with one slash", 400, TARGET("GET", "http:/h/a") },
		{ "a star for OPTIONS", OK, TARGET("OPTIONS", "*") },
		{ "a star for GET", 400, TARGET("GET", "*") },
		{ "two stars for OPTIONS", 400, TARGET("OPTIONS", "**") },
		{ "CONNECT to an authority", OK, TARGET("CONNECT", "h:443") },
		{ "CONNECT to an IPv6 address", OK, TARGET("CONNECT", "[::1]:443") },
		{ "CONNECT without a port", 400, TARGET("CONNECT", "h") },
		{ "CONNECT with an empty port", 400, TARGET("CONNECT", "h:") },
		{ "CONNECT to a path", 400, TARGET("CONNECT", "/a") },
		{ "CONNECT to a URL", 400, TARGET("CONNECT", "http://h/") },
		{ "GET of an authority", 400, TARGET("GET", "h:443") },
	};
	(void)state;
	TELL(stories);
}

static void
test_header_lines(void **state)
{
	static const struct story stories[] = {
		{ "no white space at all", OK, GET "Host:h\r\nA:b\r\n" END },
		{ "white space around a value", OK, GET HOST "A: \t b c\t \r\n" END },
		{ "an empty value", OK, GET HOST "A:\r\nB: \r\n" END },
		{ "a tab inside a value", OK, GET HOST "A: b\tc\r\n" END },
		{ "a high byte in a value", OK, GET HOST "A: \xe4\xff\x80\r\n" END },
		{ "odd characters in a name", OK, GET HOST "!#$%&'*+-.^_`|~09aZ: b\r\n" END },
		{ "a line ends with LF", 400, GET "Host: a\nA: b\r\n" END },
		{ "the head ends with LF", 400, GET HOST "\n" },
		{ "a CR inside a value", 400, GET HOST "A: b\rc\r\n" END },
		{ "a CR at the end of a value", 400, GET HOST "A: b\r\r\n" END },
		{ "a CR in front of the empty line", 400, GET HOST "\r\r\n" },
		{ "a folded line", 400, GET HOST "A: b\r\n c\r\n" END },
		{ "a line folded by a tab", 400, GET HOST "A: b\r\n\tc: d\r\n" END },
		{ "a folded first line", 400, GET " Host: a\r\n" END },
		{ "white space alone in a line", 400, GET HOST " \r\n" END },
		{ "a space before the colon", 400, GET HOST "A : b\r\n" END },
		{ "a tab before the colon", 400, GET HOST "A\t: b\r\n" END },
		{ "a name of two words", 400, GET HOST "A b: c\r\n" END },
		{ "no name", 400, GET HOST ": b\r\n" END },
		{ "no colon", 400, GET HOST "A\r\n" END },
		{ "a name that is no token", 400, GET HOST "A@b: c\r\n" END },
		{ "a high byte in a name", 400, GET HOST "A\xe4: c\r\n" END },
		{ "a control byte in a short value", 400, GET HOST "A: b\x01\r\n" END },
		{ "a control byte in a long value", 400,
			GET HOST "A: bbbbbbbbbbbbbbbbbbbbb\x1f"
				 "bbbbbbbbbbbb\r\n" END },
		{ "a DEL in a long value", 400,
			GET HOST "A: bbbbbbbbbb\x7f"
				 "bbbbbbbbbbbb\r\n" END },
		{ "a control byte behind a tab", 400,
			GET HOST "A: bbbbbbbbbb\tbb\x02"
				 "bbbbbbbbbbbb\r\n" END },
		{ "a bad line waits for nothing behind it", 400, GET "A : b\r\n" },
	};
	(void)state;
	TELL(stories);
}

static void
test_a_nul_in_a_value_is_refused(void **state)
{
	static const char text[] = GET HOST "A: b\0c\r\n" END;
	(void)state;
	assert_int_equal(answer_to((struct slice){ text, sizeof(text) - 1 }), 400);
}

#define HOST_IS(host) GET "Host: " host "\r\n" END

static void
test_hosts(void **state)
{
	static const struct story stories[] = {
		{ "a name", OK, HOST_IS("example.com") },
		{ "a name and a port", OK, HOST_IS("example.com:8080") },
		{ "an empty port", OK, HOST_IS("example.com:") },
		{ "the last port", OK, HOST_IS("example.com:65535") },
		{ "an IPv4 address", OK, HOST_IS("127.0.0.1:80") },
		{ "an IPv6 address", OK, HOST_IS("[::1]") },
		{ "an IPv6 address and a port", OK, HOST_IS("[2001:db8::ffff:1.2.3.4]:80") },
		{ "an address of the future", OK, HOST_IS("[v1f.a:b~]") },
		{ "an escaped name", OK, HOST_IS("a%20b") },
		{ "a name with an underscore", OK, HOST_IS("a_b") },
		{ "host in capitals", OK, GET "HOST: A\r\n" END },
		{ "none in HTTP/1.1", 400, GET END },
		{ "none in HTTP/1.0", OK, "GET / HTTP/1.0\r\n" END },
		{ "two", 400, GET HOST HOST END },
		{ "two in HTTP/1.0", 400, "GET / HTTP/1.0\r\n" HOST HOST END },
		{ "a bad one in HTTP/1.0", 400, "GET / HTTP/1.0\r\nHost: a b\r\n" END },
		{ "two, differently spelt, apart", 400, GET HOST "A: b\r\nhOST: c\r\n" END },
		{ "empty", 400, HOST_IS("") },
		{ "a port alone", 400, HOST_IS(":80") },
		{ "a list", 400, HOST_IS("a, b") },
		{ "a list without a space", OK, HOST_IS("a,b") }, /* sub-delims may stand in a reg-name */
		{ "a path", 400, HOST_IS("a/b") },
		{ "a URL", 400, HOST_IS("http://a") },
		{ "a user", 400, HOST_IS("me@a") },
		{ "a port too large", 400, HOST_IS("a:65536") },
		{ "a port of letters", 400, HOST_IS("a:http") },
		{ "a port with a sign", 400, HOST_IS("a:+80") },
		{ "two ports", 400, HOST_IS("a:80:80") },
		{ "a bad escape", 400, HOST_IS("a%2") },
		{ "IPv6 without brackets", 400, HOST_IS("::1") },
		{ "IPv6 not closed", 400, HOST_IS("[::1") },
		{ "IPv6 with a zone", 400, HOST_IS("[fe80::1%25eth0]") },
		{ "IPv6 that is none", 400, HOST_IS("[::g]") },
		{ "nothing in brackets", 400, HOST_IS("[]") },
		{ "IPv6 far too long", 400, HOST_IS("[1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]") },
		{ "text behind the brackets", 400, HOST_IS("[::1]80") },
		{ "a future without an address", 400, HOST_IS("[v1.]") },
		{ "a future without a version", 400, HOST_IS("[v.a]") },
		{ "a future without a dot", 400, HOST_IS("[v1]") },
		{ "a URL as target needs Host all the same", 400, "GET http://h/ HTTP/1.1\r\n" END },
		{ "a URL as target does not mend Host", 400, "GET http://h/ HTTP/1.1\r\nHost: a b\r\n" END },
	};
	(void)state;
	TELL(stories);
}

#define BODY(fields) "POST / HTTP/1.1\r\n" HOST fields END

static void
test_bodies_are_announced_in_one_way_only(void **state)
{
	static const struct story stories[] = {
		{ "a length", OK, BODY("Content-Length: 10\r\n") },
		{ "the largest length", OK, BODY("Content-Length: 18446744073709551615\r\n") },
		{ "a length with zeros in front", OK, BODY("Content-Length: 0000000000000000000000007\r\n") },
		{ "a length too large", 400, BODY("Content-Length: 18446744073709551616\r\n") },
		{ "an endless length", 400, BODY("Content-Length: 99999999999999999999999999999999\r\n") },
		{ "no length", 400, BODY("Content-Length:\r\n") },
		{ "a negative length", 400, BODY("Content-Length: -1\r\n") },
		{ "a length with a sign", 400, BODY("Content-Length: +1\r\n") },
		{ "a hexadecimal length", 400, BODY("Content-Length: 0x10\r\n") },
		{ "a length with a space in it", 400, BODY("Content-Length: 1 0\r\n") },
		{ "the same length twice", 400, BODY("Content-Length: 5\r\nContent-Length: 5\r\n") },
		{ "two lengths", 400, BODY("Content-Length: 5\r\ncontent-length: 6\r\n") },
		{ "a list of lengths", 400, BODY("Content-Length: 5, 5\r\n") },
		{ "chunked", OK, BODY("Transfer-Encoding: chunked\r\n") },
		{ "chunked in capitals", OK, BODY("Transfer-Encoding: CHUNKED\r\n") },
		{ "chunked among empty elements", OK, BODY("Transfer-Encoding: , chunked ,\r\n") },
		{ "chunked and a length", 400, BODY("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") },
		{ "a length and chunked", 400, BODY("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") },
		{ "chunked in HTTP/1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END },
		{ "chunked twice in a list", 400, BODY("Transfer-Encoding: chunked, chunked\r\n") },
		{ "chunked twice in two fields", 400, BODY("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") },
		{ "chunked not last", 400, BODY("Transfer-Encoding: chunked, gzip\r\n") },
		{ "no chunked at all", 400, BODY("Transfer-Encoding: gzip\r\n") },
		{ "identity", 400, BODY("Transfer-Encoding: identity\r\n") },
		{ "gzip before chunked", 501, BODY("Transfer-Encoding: gzip, chunked\r\n") },
		{ "gzip before chunked in two fields", 501, BODY("Transfer-Encoding: gzip;q=1\r\nTransfer-Encoding: chunked\r\n") },
		{ "chunked with a parameter", 400, BODY("Transfer-Encoding: chunked;a=b\r\n") },
		{ "chunked in quotes", 400, BODY("Transfer-Encoding: \"chunked\"\r\n") },
		{ "chunked behind a vertical tab", 400,
			BODY("Transfer-Encoding: \x0b"
			     "chunked\r\n") },
		{ "nothing", 400, BODY("Transfer-Encoding:\r\n") },
		{ "xchunked", 400, BODY("Transfer-Encoding: xchunked\r\n") },
	};
	(void)state;
	TELL(stories);
}

static struct outcome
parsed(const char *text)
{
	struct outcome o;
	feed(&o, slice_of(text), 1);
	assert_int_equal(o.result, HTTP_HEAD);
	return o;
}

static void
test_a_parsed_head_says_what_was_sent(void **state)
{
	const char *text = "\r\nPOST /a%20b/c?d=e?f HTTP/1.1\r\nHost: h:80\r\nX-Two:  \t two words \t\r\n"
			   "Connection: a,  Close\r\nContent-Length: 7\r\nx-two: again\r\nEmpty:\r\n\r\nGET /next";
	struct outcome o = parsed(text);
	struct http_request *req = &o.req;
	(void)state;

	assert_int_equal(o.eaten, strlen(text) - strlen("GET /next"));
	assert_slice(req->method, slice_of("POST"));
	assert_slice(req->target, slice_of("/a%20b/c?d=e?f"));
	assert_slice(req->path, slice_of("/a%20b/c"));
	assert_slice(req->query, slice_of("d=e?f"));
	assert_slice(req->host, slice_of("h:80"));
	assert_int_equal(req->minor, 1);
	assert_int_equal(req->field_count, 6);
	assert_slice(req->fields[1].name, slice_of("X-Two"));
	assert_slice(req->fields[1].value, slice_of("two words"));
	assert_slice(http_field(req, "x-tWO"), slice_of("two words"));
	assert_slice(http_field(req, "empty"), slice_of(""));
	assert_null(http_field(req, "two").data);
	assert_int_equal(http_field_count(req, "X-two"), 2);
	assert_int_equal(http_field_count(req, "X-"), 0);
	assert_true(http_field_has_token(req, "connection", "CLOSE"));
	assert_false(http_field_has_token(req, "connection", "los"));
	assert_true(req->has_body && !req->chunked && !req->keep_alive);
	assert_true(req->content_length == 7);
	free(o.bytes);
}

static void
test_the_target_says_where_to(void **state)
{
	static const struct {
		const char *line, *path, *query, *host;
	} cases[] = {
		{ "GET /a HTTP/1.1", "/a", NULL, "example.com" },
		{ "GET /? HTTP/1.1", "/", "", "example.com" },
		{ "GET http://other:1/a?b HTTP/1.1", "/a", "b", "other:1" },
		{ "GET ws://[::1] HTTP/1.1", "/", NULL, "[::1]" },
		{ "GET wss://other?q HTTP/1.1", "/", "q", "other" },
		{ "OPTIONS * HTTP/1.1", "*", NULL, "example.com" },
		{ "CONNECT other:443 HTTP/1.1", NULL, NULL, "other:443" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[256];
		snprintf(text, sizeof(text), "%s\r\n" HOST END, cases[i].line);
		struct outcome o = parsed(text);
		assert_slice(o.req.path, slice_of(cases[i].path));
		assert_slice(o.req.query, slice_of(cases[i].query));
		assert_slice(o.req.host, slice_of(cases[i].host));
		free(o.bytes);
	}
}

static void
test_connections_persist_as_agreed(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} cases[] = {
		{ GET HOST END, true },
		{ GET HOST "Connection: close\r\n" END, false },
		{ GET HOST "Connection: keep-alive\r\nConnection: x, close\r\n" END, false },
		{ "GET / HTTP/1.0\r\n" END, false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END, true },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n" END, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct outcome o = parsed(cases[i].text);
		assert_int_equal(o.req.keep_alive, cases[i].keep_alive);
		free(o.bytes);
	}
}

static void
test_a_body_is_seen(void **state)
{
	struct outcome o = parsed(BODY("Content-Length: 0\r\n"));
	(void)state;
	assert_false(o.req.has_body);
	free(o.bytes);
	o = parsed(BODY("Transfer-Encoding: Chunked\r\n"));
	assert_true(o.req.has_body && o.req.chunked);
	free(o.bytes);
	o = parsed(GET HOST END);
	assert_false(o.req.has_body || o.req.chunked);
	assert_true(o.req.content_length == 0);
	free(o.bytes);
}

/* FRONT, COUNT times BYTE, BACK; the caller frees it. */
static struct slice
padded(const char *front, char byte, size_t count, const char *back)
{
	size_t front_len = strlen(front), back_len = strlen(back);
	char *text = malloc(front_len + count + back_len);
	memcpy(text, front, front_len);
	memset(text + front_len, byte, count);
	memcpy(text + front_len + count, back, back_len);
	return (struct slice){ text, front_len + count + back_len };
}

/* TEXT is refused with STATUS when, and not before, its first BYTES bytes are there. */
static void
assert_refused_at(struct slice text, int status, size_t bytes)
{
	struct outcome o;
	feed(&o, text, 1);
	assert_int_equal(o.result, HTTP_BROKEN);
	assert_int_equal(o.fault.status, status);
	assert_int_equal(o.fed, bytes);
	free(o.bytes);
	assert_int_equal(answer_to(text), status);
}

static void
test_a_target_has_a_limit(void **state)
{
	struct slice fits = padded("GET /", 'a', HTTP_TARGET_MAX - 1, " HTTP/1.1\r\n" HOST END);
	struct slice passes = padded("GET /", 'a', HTTP_TARGET_MAX, " HTTP/1.1\r\n" HOST END);
	(void)state;
	assert_int_equal(answer_to(fits), OK);
	assert_refused_at(passes, 414, strlen("GET ") + HTTP_TARGET_MAX + 1);
	free((char *)fits.data);
	free((char *)passes.data);
}

static void
test_a_head_has_a_limit(void **state)
{
	size_t around = strlen(GET HOST "A: " END END);
	struct slice fits = padded(GET HOST "A: ", 'a', HTTP_HEAD_MAX - around, END END);
	struct slice passes = padded(GET HOST "A: ", 'a', HTTP_HEAD_MAX - around + 1, END END);
	struct slice name = padded(GET HOST, 'a', HTTP_HEAD_MAX, "");
	(void)state;
	assert_int_equal(fits.len, HTTP_HEAD_MAX);
	assert_int_equal(answer_to(fits), OK);
	/* One byte short of its end it is already known that the end would come too late. */
	assert_refused_at(passes, 431, HTTP_HEAD_MAX);
	assert_refused_at(name, 431, HTTP_HEAD_MAX);
	free((char *)fits.data);
	free((char *)passes.data);
	free((char *)name.data);
}

static struct slice
head_of_fields(size_t fields, const char *back)
{
	char *text = malloc(4096);
	int len = sprintf(text, GET HOST);
	for (size_t i = 1; i < fields; i++)
		len += sprintf(text + len, "A%zu:\r\n", i);
	len += sprintf(text + len, "%s", back);
	return (struct slice){ text, (size_t)len };
}

static void
test_fields_have_a_limit(void **state)
{
	struct slice fits = head_of_fields(HTTP_FIELDS_MAX, END);
	struct slice passes = head_of_fields(HTTP_FIELDS_MAX, "B");
	struct slice strays = head_of_fields(HTTP_FIELDS_MAX, "\rB");
	(void)state;
	assert_int_equal(answer_to(fits), OK);
	assert_refused_at(passes, 431, passes.len);
	assert_refused_at(strays, 431, strays.len);
	free((char *)fits.data);
	free((char *)passes.data);
	free((char *)strays.data);
}

static void
test_nonsense_is_refused_without_waiting_for_the_end(void **state)
{
	(void)state;
	assert_refused_at(slice_of("\x16\x03\x01"), 400, 1);
	assert_refused_at(slice_of("GET /\n\n"), 400, 6);
	assert_refused_at(slice_of("GET / HTTP/1.1\n\n"), 400, 15);
	assert_refused_at(slice_of("GET / HTTP/3.0\r\nHost"), 505, 16);
	assert_refused_at(slice_of(GET "Host: h\n\n"), 400, strlen(GET "Host: h\n"));
	assert_refused_at(slice_of(GET "Host: h\r\nA b: c\r\nMore: "), 400, strlen(GET "Host: h\r\nA b: c\r\n"));
}

static void
test_heads_behind_one_another(void **state)
{
	const char *text = GET HOST END "HEAD /two HTTP/1.0\r\n" END "GET /three";
	struct slice rest = slice_of(text);
	struct http_request req;
	struct http_fault fault;
	size_t scanned = 0, eaten = 0;
	(void)state;

	assert_int_equal(http_parse(rest, &scanned, &req, &eaten, &fault), HTTP_HEAD);
	rest = (struct slice){ rest.data + eaten, rest.len - eaten };
	assert_int_equal(http_parse(rest, &scanned, &req, &eaten, &fault), HTTP_HEAD);
	assert_slice(req.path, slice_of("/two"));
	rest = (struct slice){ rest.data + eaten, rest.len - eaten };
	assert_int_equal(http_parse(rest, &scanned, &req, &eaten, &fault), HTTP_MORE);
	assert_slice(rest, slice_of("GET /three"));
}

static void
test_a_path_leads_where_its_dots_lead(void **state)
{
	static const struct {
		const char *path, *decoded;
	} cases[] = {
		{ "/", "/" },
		{ "/a/./b/../c%20d", "/a/c d" },
		{ "/a/b/", "/a/b/" },
		{ "/a/.", "/a/" },
		{ "/a/..", "/" },
		{ "/a/b/..", "/a/" },
		{ "/./.", "/" },
		{ "/a/../../b", NULL },
		{ "/..", NULL },
		{ "/./../a", NULL },
		{ "/%2e%2E/a", NULL },
		{ "/a/%2e./b", "/b" },
		{ "/a/%2e/b", "/a/b" },
		{ "/a/...", "/a/..." },
		{ "/a/.b/..c", "/a/.b/..c" },
		{ "//a", "//a" },
		{ "//..", "/" },
		{ "/a//../b", "/a/b" },
		{ "/%252e%252e/a", "/%2e%2e/a" },
		{ "/%c3%A4", "/\xc3\xa4" },
		{ "/a%2Fb", NULL },
		{ "/a%2fb", NULL },
		{ "/a%00", NULL },
		{ "/a%", NULL },
		{ "/a%2", NULL },
		{ "/a%g1", NULL },
		{ "/a%1g", NULL },
		{ "a", NULL },
		{ "", NULL },
		{ "*", NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct slice path = slice_of(cases[i].path);
		char *out = malloc(path.len + 1);
		long len = http_decode_path(path, out);
		if ((len == -1) != (cases[i].decoded == NULL))
			fail_msg("%s: %ld", cases[i].path, len);
		if (len != -1)
			assert_slice((struct slice){ out, (size_t)len }, slice_of(cases[i].decoded));
		free(out);
	}
}

static void
test_tokens(void **state)
{
	(void)state;
	assert_true(http_is_token(slice_of("permessage-deflate")));
	assert_false(http_is_token(slice_of("")));
	assert_false(http_is_token(slice_of("a b")));
	assert_false(http_is_token(slice_of("a/b")));
	assert_false(http_is_token(slice_of("\xc3\xa4")));
	assert_false(http_is_token((struct slice){ "a\0b", 3 }));
	for (int byte = 0; byte < 256; byte++) {
		bool alnum = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
		bool sign = byte != 0 && byte < 0x80 && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
		char text = (char)byte;
		assert_int_equal(http_is_token((struct slice){ &text, 1 }), alnum || sign);
	}
}

static void
test_a_response_head(void **state)
{
	struct buf out = { 0 };
	const char *wanted = "HTTP/1.1 403 Forbidden\r\nServer: wsgate\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nA: b\r\n\r\n"
			     "HTTP/1.1 299 \r\nServer: wsgate\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
			     "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX: y\r\nserver: mine\r\n\r\n"
			     "HTTP/1.1 200 OK\r\nServer: wsgate\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer-Timing: a\r\n\r\n";
	(void)state;
	assert_int_equal(http_write_head(&out, 403, 784111777, "A: b\r\n"), 0);
	assert_int_equal(http_write_head(&out, 299, 0, NULL), 0);
	assert_int_equal(http_write_head(&out, 200, 0, "X: y\r\nserver: mine\r\n"), 0);
	assert_int_equal(http_write_head(&out, 200, 0, "Server-Timing: a\r\n"), 0);
	assert_slice((struct slice){ (char *)buf_span(&out).data, buf_len(&out) }, slice_of(wanted));
	buf_clear(&out);
	assert_string_equal(http_phrase(426), "Upgrade Required");
	assert_string_equal(http_phrase(799), "");
}

static void
test_dates_are_written(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ -1, "Wed, 31 Dec 1969 23:59:59 GMT" },
		{ 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
		{ 951868799, "Tue, 29 Feb 2000 23:59:59 GMT" },
		{ 951868800, "Wed, 01 Mar 2000 00:00:00 GMT" },
		{ 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT" },
		{ 4107542399, "Sun, 28 Feb 2100 23:59:59 GMT" },
		{ INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT" },
		{ INT64_MIN, "Mon, 01 Jan 0001 00:00:00 GMT" },
	};
	char out[30];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(http_format_date(cases[i].seconds, out), cases[i].text);
}

static void
test_dates_are_read_in_three_forms(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* -1: it is none */
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
		{ "Sun Nov  6 08:49:37 1994", 784111777 },
		{ "Wed Nov 16 08:49:37 1994", 784975777 },
		{ "Saturday, 01-Jan-00 00:00:00 GMT", 946684800 },
		{ "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 },
		{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
		{ "Mon, 29 Feb 1999 00:00:00 GMT", -1 },
		{ "Sun, 00 Nov 1994 08:49:37 GMT", -1 },
		{ "Sun, 32 Dec 1994 08:49:37 GMT", -1 },
		{ "Sun, 06 Nov 0000 08:49:37 GMT", -1 },
		{ "Sun, 06 Nov 1994 24:49:37 GMT", -1 },
		{ "Sun, 06 Nov 1994 08:60:37 GMT", -1 },
		{ "Sun, 06 Nov 1994 08:49:61 GMT", -1 },
		{ "Sun, 06 Nov 1994 08:49:37 CET", -1 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT ", -1 },
		{ "Sun, 6 Nov 1994 08:49:37 GMT", -1 },
		{ "sun, 06 nov 1994 08:49:37 gmt", -1 },
		{ "Son, 06 Nov 1994 08:49:37 GMT", -1 },
		{ "Sun, 06-Nov-94 08:49:37 GMT", -1 },
		{ "784111777", -1 },
		{ "", -1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t seconds = -1;
		int result = http_parse_date(slice_of(cases[i].text), &seconds);
		if (result != (cases[i].seconds == -1 ? -1 : 0) || seconds != cases[i].seconds)
			fail_msg("%s: %lld", cases[i].text, (long long)seconds);
	}
}

static void
test_a_written_date_is_read_back(void **state)
{
	char out[30];
	(void)state;
	/* Steps of about 50 days, never the same hour, over the years 1 to 9999. */
	for (int64_t when = -62135596800; when < 253402300799; when += 4321987) {
		int64_t seconds;
		assert_int_equal(http_parse_date(slice_of(http_format_date(when, out)), &seconds), 0);
		assert_true(seconds == when);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_lines),
		cmocka_unit_test(test_request_targets),
		cmocka_unit_test(test_header_lines),
		cmocka_unit_test(test_a_nul_in_a_value_is_refused),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_bodies_are_announced_in_one_way_only),
		cmocka_unit_test(test_a_parsed_head_says_what_was_sent),
		cmocka_unit_test(test_the_target_says_where_to),
		cmocka_unit_test(test_connections_persist_as_agreed),
		cmocka_unit_test(test_a_body_is_seen),
		cmocka_unit_test(test_a_target_has_a_limit),
		cmocka_unit_test(test_a_head_has_a_limit),
		cmocka_unit_test(test_fields_have_a_limit),
		cmocka_unit_test(test_nonsense_is_refused_without_waiting_for_the_end),
		cmocka_unit_test(test_heads_behind_one_another),
		cmocka_unit_test(test_a_path_leads_where_its_dots_lead),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_a_response_head),
		cmocka_unit_test(test_dates_are_written),
		cmocka_unit_test(test_dates_are_read_in_three_forms),
		cmocka_unit_test(test_a_written_date_is_read_back),
	};
	return cmocka_run_group_tests_name("proto_http", tests, NULL, NULL);
}
