/* The developer console: what a browser gets, and what nobody can smuggle into it. */
#include "gate/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"

static struct config config;
static char *response; /* of the last ask() */

/* Asks for the page and keeps the answer, with a NUL, in response. */
static size_t
ask(const char *method, const struct route *route, bool keep_alive)
{
	struct http_request req = {
		.method = slice_of(method), .path = slice_of("/"), .host = slice_of("here.example:8080"), .minor = 1
	};
	struct buf out = { 0 };
	long sent = console_write(&out, &config, route, &req, keep_alive);
	size_t len = buf_len(&out);
	assert_int_equal(buf_append(&out, "", 1), 0);
	free(response);
	response = malloc(len + 1);
	memcpy(response, buf_span(&out).data, len + 1);
	assert_string_equal(response + len - sent - 4, strstr(response, "\r\n\r\n"));
	buf_clear(&out);
	assert_int_equal(strlen(response), len);
	return len;
}

static const char *
body(void)
{
	return strstr(response, "\r\n\r\n") + 4;
}

/* What stands between BEGIN and the next END, which must be there. */
static struct slice
between(const char *text, const char *begin, const char *end)
{
	const char *from = strstr(text, begin);
	assert_non_null(from);
	from += strlen(begin);
	const char *to = strstr(from, end);
	assert_non_null(to);
	return (struct slice){ from, (size_t)(to - from) };
}

static void
use_routes(struct route *routes, size_t count)
{
	config.routes = routes;
	config.route_count = count;
}

static struct slice
listed(void)
{
	return between(response, "id=\"wsgate-routes\">", "</script>");
}

static void
assert_listed(const char *json)
{
	ask("GET", NULL, true);
	struct slice got = listed();
	if (!slice_equals(got, json))
		fail_msg("the list is %.*s, not %s", SLICE_ARG(got), json);
}

static const char *const no_args[] = { "/bin/cat", NULL };

static struct route
program(const char *path, const char *const *argv)
{
	return (struct route){ .path = path,
		.has_backend = true,
		.is_program = true,
		.backend = { .argv = argv, .framing = &framing_lines },
		.header = "",
		.header_http = "" };
}

static void
assert_policy_names(const char *kind, const char *begin, const char *end)
{
	unsigned char digest[CRYPTO_SHA256_LEN];
	char source[128], base64[CRYPTO_BASE64_LEN(CRYPTO_SHA256_LEN) + 1];
	struct slice text = between(body(), begin, end);
	assert_true(text.len > 1000);
	assert_int_equal(crypto_sha256(text.data, text.len, digest), 0);
	crypto_base64_encode(digest, sizeof(digest), base64);
	snprintf(source, sizeof(source), "%s 'sha256-%s';", kind, base64);
	struct slice policy = between(response, "Content-Security-Policy: ", "\r\n");
	const char *at = strstr(policy.data, source);
	assert_true(at != NULL && at < policy.data + policy.len);
}

static void
the_policy_names_exactly_the_style_and_script_that_are_sent(void **state)
{
	(void)state;
	struct route routes[] = { program("/", no_args) };
	use_routes(routes, 1);
	ask("GET", NULL, true);
	assert_policy_names("style-src", "<style>", "</style>");
	assert_policy_names("script-src", "<script>", "</script>");
	struct slice policy = between(response, "Content-Security-Policy: ", "\r\n");
	assert_true(slice_starts(policy, "default-src 'none'; "));
	char *copy = slice_dup(policy);
	assert_null(strstr(copy, "unsafe"));
	assert_non_null(
		strstr(copy, "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"));
	free(copy);
}

static void
the_page_asks_for_nothing_else(void **state)
{
	(void)state;
	use_routes(NULL, 0);
	ask("GET", NULL, true);
	static const char *const never[] = { "href=\"http", "https://", " src=", "@import", "url(", "<link rel=\"stylesheet",
		" style=", " onclick=", "@ROUTES@", "eval(", "innerHTML" };
	char *page = strdup(body());
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strstr(page, never[i]) != NULL)
			fail_msg("the page has %s in it", never[i]);
	/* One style, one script, one list of routes. */
	assert_null(strstr(strstr(page, "<style>") + 1, "<style"));
	assert_null(strstr(strstr(page, "<script>") + 1, "<script"));
	free(page);
}

static void
the_length_is_that_of_the_page(void **state)
{
	(void)state;
	struct route routes[] = { program("/a", no_args) };
	use_routes(routes, 1);
	ask("GET", NULL, true);
	uint64_t length = 0;
	assert_int_equal(text_number(between(response, "Content-Length: ", "\r\n"), 1, UINT64_MAX, &length), 0);
	assert_int_equal(length, strlen(body()));
	assert_int_equal(strncmp(response, "HTTP/1.1 200 OK\r\n", 17), 0);
	assert_non_null(strstr(response, "\r\nConnection: keep-alive\r\n"));
	assert_non_null(strstr(response, "\r\nX-Content-Type-Options: nosniff\r\n"));
	assert_int_equal(strcmp(body() + length - 8, "</html>\n"), 0);
}

static void
head_gives_the_head_alone(void **state)
{
	(void)state;
	struct route routes[] = { program("/a", no_args) };
	use_routes(routes, 1);
	ask("GET", NULL, false);
	struct slice length = between(response, "Content-Length: ", "\r\n");
	char *of_get = slice_dup(length);
	ask("HEAD", NULL, false);
	assert_int_equal(strlen(body()), 0);
	assert_true(slice_equals(between(response, "Content-Length: ", "\r\n"), of_get));
	assert_non_null(strstr(response, "\r\nConnection: close\r\n"));
	free(of_get);
}

static void
the_routes_own_header_lines_are_sent(void **state)
{
	(void)state;
	struct route route = program("/", no_args);
	route.header = "X-One: 1\r\n";
	route.header_http = "X-Two: 2\r\n";
	use_routes(&route, 1);
	ask("GET", &route, true);
	assert_non_null(strstr(response, "\r\nX-One: 1\r\nX-Two: 2\r\n"));
	assert_true(strstr(response, "X-Two") < body());
}

static void
each_kind_of_route_tells_what_is_behind_it(void **state)
{
	(void)state;
	static const char *const counter[] = { "./counter.sh", "10", NULL };
	static const char *const shell[] = { "/bin/sh", "-c", "echo last; exit 3", NULL };
	static const char *const words[] = { "/usr/bin/printf", "", "a b", "it's", "*", NULL };
	static const char *const mqtt[] = { "mqtt", "mqttv3.1", NULL };
	struct route routes[] = {
		program("/counter", counter),
		program("/last", shell),
		program("/words", words),
		{ .path = "/mqtt",
			.has_backend = true,
			.backend = { .host = "127.0.0.1", .port = 1883, .framing = &framing_raw },
			.upgrade = { .subprotocols = SUBPROTOCOL_LIST, .subprotocol_list = mqtt } },
		{ .path = "/six",
			.has_backend = true,
			.backend = { .host = "::1", .port = 5900, .framing = &framing_raw },
			.upgrade = { .subprotocols = SUBPROTOCOL_NONE },
			.static_dir = "/srv/six" },
		{ .path = "/local", .has_backend = true, .backend = { .unix_path = "/run/a.sock", .framing = &framing_raw } },
		{ .path = "/bin",
			.has_backend = true,
			.is_program = true,
			.program_dir = "/srv/bin",
			.cgi_dir = "/srv/cgi",
			.backend = { .framing = &framing_lines } },
		{ .path = "/form", .cgi_dir = "/srv/cgi" },
		{ .path = "/", .static_dir = "/srv/www" },
	};
	use_routes(routes, sizeof(routes) / sizeof(routes[0]));
	assert_listed("[{\"path\":\"/counter\",\"kind\":\"exec\",\"target\":\"./counter.sh 10\",\"framing\":\"lines\"},\n"
		      "{\"path\":\"/last\",\"kind\":\"shell\",\"target\":\"echo last; exit 3\",\"framing\":\"lines\"},\n"
		      "{\"path\":\"/words\",\"kind\":\"exec\",\"target\":\"/usr/bin/printf \\u0027\\u0027 \\u0027a b\\u0027 "
		      "\\u0027it\\u0027\\u005c\\u0027\\u0027s\\u0027 \\u0027*\\u0027\",\"framing\":\"lines\"},\n"
		      "{\"path\":\"/"
		      "mqtt\",\"kind\":\"tcp\",\"target\":\"127.0.0.1:1883\",\"framing\":\"raw\",\"subprotocols\":[\"mqtt\","
		      "\"mqttv3.1\"]},\n"
		      "{\"path\":\"/"
		      "six\",\"kind\":\"tcp\",\"target\":\"[::1]:5900\",\"framing\":\"raw\",\"subprotocols\":[],\"files\":\"/srv/"
		      "six\"},\n"
		      "{\"path\":\"/local\",\"kind\":\"unix\",\"target\":\"/run/a.sock\",\"framing\":\"raw\"},\n"
		      "{\"path\":\"/bin\",\"kind\":\"dir\",\"target\":\"/srv/bin\",\"framing\":\"lines\",\"cgi\":\"/srv/cgi\"},\n"
		      "{\"path\":\"/form\",\"kind\":\"cgi\",\"target\":\"/srv/cgi\"},\n"
		      "{\"path\":\"/\",\"kind\":\"static\",\"target\":\"/srv/www\"}]");
	use_routes(NULL, 0);
	assert_listed("[]");
}

/* Whatever it holds, a name stays a string of the list. */
static void
no_name_breaks_out_of_the_list(void **state)
{
	(void)state;
	struct route routes[] = { program("/</script><script>alert(1)</script><!--", no_args) };
	use_routes(routes, 1);
	assert_listed("[{\"path\":\"/\\u003c/script\\u003e\\u003cscript\\u003ealert(1)\\u003c/script\\u003e\\u003c!--\","
		      "\"kind\":\"exec\",\"target\":\"/bin/cat\",\"framing\":\"lines\"}]");
	routes[0].path = "/\"\\\n\x01\x7f&'";
	assert_listed("[{\"path\":\"/\\u0022\\u005c\\u000a\\u0001\\u007f\\u0026\\u0027\","
		      "\"kind\":\"exec\",\"target\":\"/bin/cat\",\"framing\":\"lines\"}]");
	routes[0].path = "/Gr\xc3\xb6\xc3\x9f"
			 "e/\xf0\x9d\x84\x9e";
	assert_listed("[{\"path\":\"/Gr\xc3\xb6\xc3\x9f"
		      "e/\xf0\x9d\x84\x9e\",\"kind\":\"exec\",\"target\":\"/bin/cat\",\"framing\":\"lines\"}]");
	/* Not UTF-8: in the middle, before the end, and a code point that is cut off by it. */
	routes[0].path = "/\xff"
			 "a\xc0\xafz\xe2\x82";
	assert_listed("[{\"path\":\"/\xef\xbf\xbd"
		      "a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\","
		      "\"kind\":\"exec\",\"target\":\"/bin/cat\",\"framing\":\"lines\"}]");
}

/* Every byte that can be in a name gives a list whose only special characters are its own. */
static void
every_byte_is_harmless(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char path[] = { '/', (char)c, '\0' };
		struct route routes[] = { program(path, no_args) };
		use_routes(routes, 1);
		ask("GET", NULL, true);
		struct slice list = listed();
		size_t quotes = 0;
		for (size_t i = 0; i < list.len; i++) {
			unsigned char at = (unsigned char)list.data[i];
			quotes += at == '"';
			assert_true(at >= 0x20 && at != '<' && at != '>' && at != '&');
		}
		assert_int_equal(quotes, 16);
	}
}

static int
clean_up(void **state)
{
	(void)state;
	free(response);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_policy_names_exactly_the_style_and_script_that_are_sent),
		cmocka_unit_test(the_page_asks_for_nothing_else),
		cmocka_unit_test(the_length_is_that_of_the_page),
		cmocka_unit_test(head_gives_the_head_alone),
		cmocka_unit_test(the_routes_own_header_lines_are_sent),
		cmocka_unit_test(each_kind_of_route_tells_what_is_behind_it),
		cmocka_unit_test(no_name_breaks_out_of_the_list),
		cmocka_unit_test(every_byte_is_harmless),
	};
	return cmocka_run_group_tests_name("gate_console", tests, NULL, clean_up);
}
