/* What a program is told: the CGI variables, the client's headers, and nothing that nobody meant to tell it. */
#include "backend/environment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct visit {
	struct http_request http;
	struct backend_request req;
	struct backend_options opt;
	char **env;
};

static struct slice
s(const char *text)
{
	return slice_of(text);
}

static void
visit_init(struct visit *v)
{
	*v = (struct visit){ 0 };
	v->http = (struct http_request){
		.method = s("GET"),
		.target = s("/chat/a%20b?x=1&y=%20"),
		.path = s("/chat/a%20b"),
		.query = s("x=1&y=%20"),
		.host = s("example.org:8080"),
		.minor = 1,
	};
	v->req = (struct backend_request){
		.http = &v->http,
		.script_name = s("/chat"),
		.path_info = s("/a b"),
		.remote_addr = "192.0.2.7",
		.remote_port = 40000,
		.remote_host = "client.example",
		.server_port = "80",
		.remote_user = "",
		.auth_type = "",
		.unique_id = "42",
	};
	v->opt = (struct backend_options){ .route = "/chat" };
}

static void
add_field(struct visit *v, const char *name, const char *value)
{
	v->http.fields[v->http.field_count++] = (struct http_field){ s(name), s(value) };
}

static const char *
value_of(struct visit *v, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;
	if (v->env == NULL)
		v->env = environment_new(&v->opt, &v->req);
	assert_non_null(v->env);
	for (char **e = v->env; *e != NULL; e++) {
		if (strncmp(*e, name, len) != 0 || (*e)[len] != '=')
			continue;
		assert_null(found); /* no name twice: getenv and shells disagree on which one counts */
		found = *e + len + 1;
	}
	return found;
}

static void
visit_clear(struct visit *v)
{
	free(v->env);
}

#define assert_variable(v, name, value)                                                                                            \
	do {                                                                                                                       \
		const char *is = value_of(v, name);                                                                                \
		if (is == NULL)                                                                                                    \
			fail_msg("%s is not set", name);                                                                           \
		assert_string_equal(is, value);                                                                                    \
	} while (0)
#define assert_no_variable(v, name) assert_null(value_of(v, name))

static void
a_script_written_for_websocketd_finds_its_variables(void **state)
{
	static const struct {
		const char *name, *value;
	} table[] = {
		{ "SERVER_NAME", "example.org" },
		{ "SERVER_PORT", "8080" },
		{ "SERVER_PROTOCOL", "HTTP/1.1" },
		{ "GATEWAY_INTERFACE", "CGI/1.1" },
		{ "REQUEST_METHOD", "GET" },
		{ "REQUEST_URI", "/chat/a%20b?x=1&y=%20" },
		{ "SCRIPT_NAME", "/chat" },
		{ "PATH_INFO", "/a b" },
		{ "QUERY_STRING", "x=1&y=%20" },
		{ "REMOTE_ADDR", "192.0.2.7" },
		{ "REMOTE_HOST", "client.example" },
		{ "REMOTE_PORT", "40000" },
		{ "REMOTE_USER", "" },
		{ "REMOTE_IDENT", "" },
		{ "AUTH_TYPE", "" },
		{ "CONTENT_LENGTH", "" },
		{ "CONTENT_TYPE", "" },
		{ "UNIQUE_ID", "42" },
		{ "WSGATE_ROUTE", "/chat" },
		{ "WSGATE_SUBPROTOCOL", "" },
	};
	struct visit v;
	visit_init(&v);
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_variable(&v, table[i].name, table[i].value);
	assert_memory_equal(value_of(&v, "SERVER_SOFTWARE"), "wsgate", 6);
	assert_no_variable(&v, "HTTPS");
	assert_no_variable(&v, "PATH_TRANSLATED");
	visit_clear(&v);
}

static void
tls_subprotocol_and_user_are_told(void **state)
{
	struct visit v;
	visit_init(&v);
	(void)state;
	v.req.https = true;
	v.req.tls_version = "TLSv1.3";
	v.req.tls_cipher = "TLS_AES_128_GCM_SHA256";
	v.req.tls_subject = "";
	v.req.subprotocol = s("mqtt");
	v.req.remote_user = "alice";
	v.req.auth_type = "Basic";
	v.http.minor = 0;
	assert_variable(&v, "HTTPS", "on");
	assert_variable(&v, "SSL_PROTOCOL", "TLSv1.3");
	assert_variable(&v, "SSL_CIPHER", "TLS_AES_128_GCM_SHA256");
	assert_variable(&v, "SSL_CLIENT_VERIFY", "NONE");
	assert_no_variable(&v, "SSL_CLIENT_S_DN");
	assert_variable(&v, "WSGATE_SUBPROTOCOL", "mqtt");
	assert_variable(&v, "REMOTE_USER", "alice");
	assert_variable(&v, "AUTH_TYPE", "Basic");
	assert_variable(&v, "SERVER_PROTOCOL", "HTTP/1.0");
	visit_clear(&v);
}

static void
a_program_of_a_folder_is_told_which_file_its_path_info_would_be(void **state)
{
	struct visit v;
	visit_init(&v);
	(void)state;
	v.req.program = "/srv/bin/chat";
	v.req.folder = "/srv/bin";
	assert_variable(&v, "PATH_TRANSLATED", "/srv/bin/a b");
	assert_no_variable(&v, "SCRIPT_FILENAME");
	visit_clear(&v);

	visit_init(&v);
	v.req.program = "/srv/bin/chat";
	v.req.folder = "/srv/bin";
	v.req.path_info = s("");
	assert_variable(&v, "PATH_TRANSLATED", "");
	visit_clear(&v);
}

static void
visit_of_cgi(struct visit *v)
{
	visit_init(v);
	v->req.is_cgi = true;
	v->req.program = "/srv/cgi/form.py";
	v->req.folder = "/srv/cgi";
	v->http.method = s("POST");
}

static void
a_cgi_script_is_told_of_the_content_it_gets(void **state)
{
	struct visit v;
	visit_of_cgi(&v);
	(void)state;
	v.req.has_content = true;
	v.req.content_length = UINT64_C(18446744073709551615);
	add_field(&v, "Content-Type", "text/plain; charset=utf-8");
	add_field(&v, "Content-Length", "1");
	add_field(&v, "Transfer-Encoding", "chunked");
	add_field(&v, "Expect", "100-continue");
	add_field(&v, "Content-Language", "en");
	assert_variable(&v, "REQUEST_METHOD", "POST");
	assert_variable(&v, "CONTENT_LENGTH", "18446744073709551615");
	assert_variable(&v, "CONTENT_TYPE", "text/plain; charset=utf-8");
	assert_variable(&v, "HTTP_CONTENT_LANGUAGE", "en");
	assert_variable(&v, "SCRIPT_FILENAME", "/srv/cgi/form.py");
	assert_no_variable(&v, "HTTP_CONTENT_LENGTH");
	assert_no_variable(&v, "HTTP_CONTENT_TYPE");
	assert_no_variable(&v, "HTTP_TRANSFER_ENCODING");
	assert_no_variable(&v, "HTTP_EXPECT");
	visit_clear(&v);
}

static void
without_content_a_cgi_script_is_told_of_none(void **state)
{
	struct visit v;
	visit_of_cgi(&v);
	(void)state;
	assert_no_variable(&v, "CONTENT_LENGTH");
	assert_no_variable(&v, "CONTENT_TYPE");
	visit_clear(&v);

	visit_of_cgi(&v);
	v.req.has_content = true; /* Content-Length: 0 */
	assert_variable(&v, "CONTENT_LENGTH", "0");
	assert_variable(&v, "CONTENT_TYPE", "");
	visit_clear(&v);
}

static void
a_clients_certificate_is_told_and_a_unix_sockets_port_is_the_schemes(void **state)
{
	struct visit v;
	visit_init(&v);
	(void)state;
	v.http.host = s("example.org");
	v.req.server_port = "0";
	assert_variable(&v, "SERVER_PORT", "80");
	visit_clear(&v);
	visit_init(&v);
	v.http.host = s("example.org");
	v.req.server_port = "0";
	v.req.https = true;
	v.req.tls_version = v.req.tls_cipher = "";
	v.req.tls_subject = "CN=a\nb";
	assert_variable(&v, "SSL_CLIENT_VERIFY", "SUCCESS");
	assert_variable(&v, "SSL_CLIENT_S_DN", "CN=a b");
	assert_variable(&v, "SERVER_PORT", "443");
	visit_clear(&v);
}

static void
host_is_split_into_name_and_port(void **state)
{
	static const struct {
		const char *host, *name, *port;
	} table[] = {
		{ "example.org", "example.org", "80" },
		{ "example.org:81", "example.org", "81" },
		{ "[2001:db8::1]", "[2001:db8::1]", "80" },
		{ "[2001:db8::1]:81", "[2001:db8::1]", "81" },
		{ "example.org:", "example.org", "80" },
		{ "example.org:99999", "example.org", "80" },
		{ "", "localhost", "80" },
		{ "<script>", "localhost", "80" },
		{ "a b:1", "localhost", "1" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct visit v;
		visit_init(&v);
		v.http.host = s(table[i].host);
		assert_variable(&v, "SERVER_NAME", table[i].name);
		assert_variable(&v, "SERVER_PORT", table[i].port);
		visit_clear(&v);
	}
}

static void
headers_become_variables_and_repeats_one_list(void **state)
{
	struct visit v;
	visit_init(&v);
	(void)state;
	add_field(&v, "Host", "example.org:8080");
	add_field(&v, "X-Forwarded-For", "1.2.3.4");
	add_field(&v, "User-Agent", "test/1");
	add_field(&v, "x-forwarded-for", "5.6.7.8");
	add_field(&v, "X-Empty", "");
	assert_variable(&v, "HTTP_HOST", "example.org:8080");
	assert_variable(&v, "HTTP_X_FORWARDED_FOR", "1.2.3.4, 5.6.7.8");
	assert_variable(&v, "HTTP_USER_AGENT", "test/1");
	assert_variable(&v, "HTTP_X_EMPTY", "");
	visit_clear(&v);
}

static void
headers_that_would_do_harm_are_dropped(void **state)
{
	struct visit v;
	visit_init(&v);
	(void)state;
	add_field(&v, "Proxy", "http://evil.example/");
	add_field(&v, "PROXY", "http://evil.example/");
	add_field(&v, "Authorization", "Basic c2VjcmV0");
	add_field(&v, "Proxy-Authorization", "Basic c2VjcmV0");
	add_field(&v, "X_Real_IP", "6.6.6.6");
	add_field(&v, "X.Y", "dot");
	add_field(&v, "X-Real-IP", "192.0.2.7");
	assert_no_variable(&v, "HTTP_PROXY");
	assert_no_variable(&v, "HTTP_AUTHORIZATION");
	assert_no_variable(&v, "HTTP_PROXY_AUTHORIZATION");
	assert_no_variable(&v, "HTTP_X.Y");
	assert_variable(&v, "HTTP_X_REAL_IP", "192.0.2.7");
	visit_clear(&v);
}

static void
control_bytes_become_spaces(void **state)
{
	struct visit v;
	visit_init(&v);
	(void)state;
	add_field(&v, "X-Note", "a\tb\x1b[31m\x7f");
	v.req.path_info = s("/line\nbreak");
	assert_variable(&v, "HTTP_X_NOTE", "a b [31m ");
	assert_variable(&v, "PATH_INFO", "/line break");
	visit_clear(&v);
}

static void
bytes_above_ascii_pass(void **state)
{
	struct visit v;
	visit_init(&v);
	(void)state;
	v.req.path_info = s("/gr\xc3\xbc\xc3\x9f");
	assert_variable(&v, "PATH_INFO", "/gr\xc3\xbc\xc3\x9f");
	visit_clear(&v);
}

static void
only_what_passenv_names_comes_from_the_server(void **state)
{
	static const char *const passenv[] = { "WSGATE_TEST_PASSED", "WSGATE_TEST_UNSET", NULL };
	struct visit v;
	visit_init(&v);
	(void)state;
	setenv("WSGATE_TEST_PASSED", "as it\nis", 1);
	setenv("WSGATE_TEST_SECRET", "x", 1);
	unsetenv("WSGATE_TEST_UNSET");
	v.opt.passenv = passenv;
	assert_variable(&v, "WSGATE_TEST_PASSED", "as it\nis");
	assert_no_variable(&v, "WSGATE_TEST_SECRET");
	assert_no_variable(&v, "WSGATE_TEST_UNSET");
	assert_no_variable(&v, "PATH");
	visit_clear(&v);
}

static void
the_operators_word_is_the_last(void **state)
{
	static const char *const passenv[] = { "HTTP_TOKEN", "WSGATE_TEST_BOTH", NULL };
	static const char *const env[] = { "WSGATE_TEST_BOTH=env", "REMOTE_USER=fixed", "TWICE=1", "TWICE=2", "EMPTY=", NULL };
	struct visit v;
	visit_init(&v);
	(void)state;
	setenv("HTTP_TOKEN", "the server's", 1);
	setenv("WSGATE_TEST_BOTH", "passed", 1);
	v.opt.passenv = passenv;
	v.opt.env = env;
	v.req.remote_user = "alice";
	add_field(&v, "Token", "the client's");
	assert_variable(&v, "HTTP_TOKEN", "the server's");
	assert_variable(&v, "WSGATE_TEST_BOTH", "env");
	assert_variable(&v, "REMOTE_USER", "fixed");
	assert_variable(&v, "TWICE", "2");
	assert_variable(&v, "EMPTY", "");
	visit_clear(&v);
}

static void
a_name_that_begins_like_another_is_not_the_other(void **state)
{
	static const char *const env[] = { "HTTP_A=1", "HTTP_AB=2", NULL };
	struct visit v;
	visit_init(&v);
	(void)state;
	add_field(&v, "ABC", "3");
	v.opt.env = env;
	assert_variable(&v, "HTTP_A", "1");
	assert_variable(&v, "HTTP_AB", "2");
	assert_variable(&v, "HTTP_ABC", "3");
	visit_clear(&v);
}

static void
as_many_headers_as_a_request_may_have(void **state)
{
	static char names[HTTP_FIELDS_MAX][8];
	struct visit v;
	visit_init(&v);
	(void)state;
	for (size_t i = 0; i < HTTP_FIELDS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "X%zu", i);
		add_field(&v, names[i], names[i]);
	}
	assert_variable(&v, "HTTP_X0", "X0");
	assert_variable(&v, "HTTP_X99", "X99");
	visit_clear(&v);
}

static void
only_line_buffering_says_anything_to_the_dynamic_linker_or_to_python(void **state)
{
	static const enum buffering others[] = { BUFFERING_BY_FRAMING, BUFFERING_PTY, BUFFERING_NONE };
	struct visit v;
	visit_init(&v);
	(void)state;
	v.opt.buffering = BUFFERING_LINE;
	v.opt.line_library = "/lib/line.so";
	assert_variable(&v, "LD_PRELOAD", "/lib/line.so");
	assert_variable(&v, "PYTHONUNBUFFERED", "1");
	visit_clear(&v);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		visit_init(&v);
		v.opt.buffering = others[i];
		v.opt.line_library = "/lib/line.so";
		assert_no_variable(&v, "LD_PRELOAD");
		assert_no_variable(&v, "PYTHONUNBUFFERED");
		visit_clear(&v);
	}
}

static void
without_the_library_python_alone_is_told(void **state)
{
	struct visit v;
	visit_init(&v);
	(void)state;
	v.opt.buffering = BUFFERING_LINE;
	assert_no_variable(&v, "LD_PRELOAD");
	assert_variable(&v, "PYTHONUNBUFFERED", "1");
	visit_clear(&v);
}

static void
the_operators_own_libraries_come_first(void **state)
{
	static const char *const passenv[] = { "LD_PRELOAD", NULL };
	static const char *const set[] = { "LD_PRELOAD=/a.so", "PYTHONUNBUFFERED=", "LD_PRELOAD=/b.so /c.so", NULL };
	static const char *const emptied[] = { "LD_PRELOAD=", NULL };
	static const struct {
		const char *const *passenv, *const *env;
		const char *preload;
	} table[] = {
		{ NULL, set, "/b.so /c.so:/lib/line.so" },
		{ passenv, NULL, "/server.so:/lib/line.so" },
		{ passenv, set, "/b.so /c.so:/lib/line.so" },
		{ passenv, emptied, "/lib/line.so" },
	};
	const char *before = getenv("LD_PRELOAD"); /* valgrind's, perhaps */
	char *saved = before == NULL ? NULL : strdup(before);
	(void)state;
	setenv("LD_PRELOAD", "/server.so", 1);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct visit v;
		visit_init(&v);
		v.opt.buffering = BUFFERING_LINE;
		v.opt.line_library = "/lib/line.so";
		v.opt.passenv = table[i].passenv;
		v.opt.env = table[i].env;
		assert_variable(&v, "LD_PRELOAD", table[i].preload);
		assert_variable(&v, "PYTHONUNBUFFERED", table[i].env == set ? "" : "1");
		visit_clear(&v);
	}
	if (saved != NULL)
		setenv("LD_PRELOAD", saved, 1);
	else
		unsetenv("LD_PRELOAD");
	free(saved);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_script_written_for_websocketd_finds_its_variables),
		cmocka_unit_test(tls_subprotocol_and_user_are_told),
		cmocka_unit_test(a_program_of_a_folder_is_told_which_file_its_path_info_would_be),
		cmocka_unit_test(a_cgi_script_is_told_of_the_content_it_gets),
		cmocka_unit_test(without_content_a_cgi_script_is_told_of_none),
		cmocka_unit_test(a_clients_certificate_is_told_and_a_unix_sockets_port_is_the_schemes),
		cmocka_unit_test(host_is_split_into_name_and_port),
		cmocka_unit_test(headers_become_variables_and_repeats_one_list),
		cmocka_unit_test(headers_that_would_do_harm_are_dropped),
		cmocka_unit_test(control_bytes_become_spaces),
		cmocka_unit_test(bytes_above_ascii_pass),
		cmocka_unit_test(only_what_passenv_names_comes_from_the_server),
		cmocka_unit_test(the_operators_word_is_the_last),
		cmocka_unit_test(a_name_that_begins_like_another_is_not_the_other),
		cmocka_unit_test(as_many_headers_as_a_request_may_have),
		cmocka_unit_test(only_line_buffering_says_anything_to_the_dynamic_linker_or_to_python),
		cmocka_unit_test(without_the_library_python_alone_is_told),
		cmocka_unit_test(the_operators_own_libraries_come_first),
	};
	return cmocka_run_group_tests_name("backend/environment", tests, NULL, NULL);
}
