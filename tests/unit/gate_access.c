/* Origins: who may open a WebSocket from a browser (RFC 6454, RFC 6455 10.2). */
#include "gate/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const list[] = { "app.example", "https://secure.example", "*.wild.example", "http://port.example:8080", NULL };

static bool
is_allowed(enum origin_policy policy, const char *origin_lines, const char *host, bool tls)
{
	char head[512];
	struct http_request req;
	struct http_fault fault;
	size_t scanned = 0, eaten;
	snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, origin_lines);
	assert_int_equal(http_parse(slice_of(head), &scanned, &req, &eaten, &fault), HTTP_HEAD);
	struct route route = { .origin = policy, .origin_list = list };
	return access_origin_is_allowed(&route, &req, tls);
}

struct row {
	enum origin_policy policy;
	const char *lines, *host;
	bool tls, allowed;
};

static void
each_origin_gets_the_answer_it_deserves(void **state)
{
	(void)state;
	static const struct row rows[] = {
		/* programs send no Origin */
		{ ORIGIN_SAME, "", "here.example", false, true },
		{ ORIGIN_LIST, "", "here.example", false, true },
		/* the same origin: host and port, the port by its scheme if it is not written */
		{ ORIGIN_SAME, "Origin: http://here.example\r\n", "here.example", false, true },
		{ ORIGIN_SAME, "Origin: http://HERE.example\r\n", "here.EXAMPLE:80", false, true },
		{ ORIGIN_SAME, "Origin: http://here.example:8080\r\n", "here.example:8080", false, true },
		{ ORIGIN_SAME, "Origin: http://[::1]:8080\r\n", "[::1]:8080", false, true },
		{ ORIGIN_SAME, "Origin: http://[::1]\r\n", "[::1]", false, true },
		{ ORIGIN_SAME, "Origin: http://here.example:8080\r\n", "here.example:8081", false, false },
		{ ORIGIN_SAME, "Origin: http://here.example\r\n", "here.example:8080", false, false },
		{ ORIGIN_SAME, "Origin: http://evil.example\r\n", "here.example", false, false },
		{ ORIGIN_SAME, "Origin: http://here.example.evil.example\r\n", "here.example", false, false },
		/* a proxy may have taken TLS off; with TLS of our own http is another origin */
		{ ORIGIN_SAME, "Origin: https://here.example\r\n", "here.example", false, true },
		{ ORIGIN_SAME, "Origin: https://here.example\r\n", "here.example", true, true },
		{ ORIGIN_SAME, "Origin: http://here.example\r\n", "here.example", true, false },
		/* what is no origin */
		{ ORIGIN_SAME, "Origin: null\r\n", "null", false, false },
		{ ORIGIN_SAME, "Origin: \r\n", "here.example", false, false },
		{ ORIGIN_SAME, "Origin: here.example\r\n", "here.example", false, false },
		{ ORIGIN_SAME, "Origin: ftp://here.example\r\n", "here.example", false, false },
		{ ORIGIN_SAME, "Origin: http://here.example/\r\n", "here.example", false, false },
		{ ORIGIN_SAME, "Origin: http://user@here.example\r\n", "here.example", false, false },
		{ ORIGIN_SAME, "Origin: http://here.example:0\r\n", "here.example", false, false },
		{ ORIGIN_SAME, "Origin: http://here.example\r\nOrigin: http://here.example\r\n", "here.example", false, false },
		{ ORIGIN_SAME, "Origin: http://here.example http://evil.example\r\n", "here.example", false, false },
		/* any is any */
		{ ORIGIN_ANY, "Origin: null\r\n", "here.example", false, true },
		/* the list */
		{ ORIGIN_LIST, "Origin: http://app.example\r\n", "here.example", false, true },
		{ ORIGIN_LIST, "Origin: https://app.example:8443\r\n", "here.example", false, true },
		{ ORIGIN_LIST, "Origin: http://not-app.example\r\n", "here.example", false, false },
		{ ORIGIN_LIST, "Origin: https://secure.example\r\n", "here.example", false, true },
		{ ORIGIN_LIST, "Origin: http://secure.example\r\n", "here.example", false, false },
		{ ORIGIN_LIST, "Origin: https://a.b.wild.example\r\n", "here.example", false, true },
		{ ORIGIN_LIST, "Origin: https://wild.example\r\n", "here.example", false, false },
		{ ORIGIN_LIST, "Origin: https://evilwild.example\r\n", "here.example", false, false },
		{ ORIGIN_LIST, "Origin: http://port.example:8080\r\n", "here.example", false, true },
		{ ORIGIN_LIST, "Origin: http://port.example\r\n", "here.example", false, false },
		{ ORIGIN_LIST, "Origin: http://here.example\r\n", "here.example", false, false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (is_allowed(rows[i].policy, rows[i].lines, rows[i].host, rows[i].tls) != rows[i].allowed)
			fail_msg("row %zu: policy %d, %s at %s should be %s", i, rows[i].policy, rows[i].lines, rows[i].host,
				rows[i].allowed ? "allowed" : "refused");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_origin_gets_the_answer_it_deserves) };
	return cmocka_run_group_tests_name("gate/access", tests, NULL, NULL);
}
