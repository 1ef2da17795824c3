/*
 * The variables are first written one behind the other, each with its NUL, in the order of rising
 * right; then the list of pointers is laid in front of them, where what is set again takes the first one's place.
 */
#include "backend/environment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef WSGATE_VERSION
#define SOFTWARE "wsgate/" WSGATE_VERSION
#else
#define SOFTWARE "wsgate"
#endif

enum { TEXT_USUAL = 2048 };

struct draft {
	struct buf text; /* NAME=VALUE\0 NAME=VALUE\0 ... */
	size_t count;
	size_t request_count; /* of them, the request's, whose names differ; what follows may set any again */
	bool failed;
};

static void
draft_add(struct draft *d, struct slice text)
{
	d->failed |= buf_append(&d->text, text.data, text.len) == -1;
}

/* NULL if memory is out. */
static unsigned char *
draft_reserve(struct draft *d, size_t len)
{
	unsigned char *room = buf_reserve(&d->text, len);
	d->failed |= room == NULL;
	return room;
}

static void
put_clean(unsigned char *out, struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		out[i] = c < ' ' || c == 0x7f ? ' ' : c;
	}
}

static void
draft_add_clean(struct draft *d, struct slice value)
{
	unsigned char *out = draft_reserve(d, value.len + 1);
	if (out == NULL)
		return;
	put_clean(out, value);
	buf_commit(&d->text, value.len);
}

static void
draft_end(struct draft *d)
{
	d->failed |= buf_append(&d->text, "", 1) == -1;
	d->count++;
}

static void
draft_set(struct draft *d, const char *name, struct slice value)
{
	size_t name_len = strlen(name), len = name_len + 1 + value.len + 1;
	unsigned char *out = draft_reserve(d, len);
	if (out == NULL)
		return;
	memcpy(out, name, name_len);
	out[name_len] = '=';
	put_clean(out + name_len + 1, value);
	out[len - 1] = '\0';
	buf_commit(&d->text, len);
	d->count++;
}

static void
draft_set_text(struct draft *d, const char *name, const char *value)
{
	draft_set(d, name, slice_of(value));
}

static void
draft_set_number(struct draft *d, const char *name, uint64_t number)
{
	char digits[TEXT_NUMBER_MAX];
	draft_set(d, name, (struct slice){ digits, (size_t)(text_put_number(digits, number) - digits) });
}

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Splits at the colon that is not inside an IPv6 address's brackets, which the name keeps (RFC 3875 4.1.14). */
static void
split_host(struct slice host, struct slice *name, struct slice *port)
{
	*name = host;
	*port = (struct slice){ NULL, 0 };
	for (size_t i = host.len; i > 0 && host.data[i - 1] != ']'; i--) {
		if (host.data[i - 1] != ':')
			continue;
		*name = (struct slice){ host.data, i - 1 };
		*port = (struct slice){ host.data + i, host.len - i };
		return;
	}
}

/* Scripts paste it into URLs and pages, so it is a name or an address, or it is not passed on. */
static bool
is_host_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_letter_or_digit(name.data[i]) && memchr(".-_:[]%", name.data[i], 7) == NULL)
			return false;
	return name.len > 0;
}

/* Names as mod_ssl has them. Who comes in with a certificate has one that was verified. */
static void
add_tls(struct draft *d, const struct backend_request *req)
{
	draft_set_text(d, "HTTPS", "on");
	draft_set_text(d, "SSL_PROTOCOL", req->tls_version);
	draft_set_text(d, "SSL_CIPHER", req->tls_cipher);
	draft_set_text(d, "SSL_CLIENT_VERIFY", req->tls_subject[0] != '\0' ? "SUCCESS" : "NONE");
	if (req->tls_subject[0] != '\0')
		draft_set_text(d, "SSL_CLIENT_S_DN", req->tls_subject);
}

/* Where Host names no port: the listener's, or that of the scheme if it has none. */
static struct slice
own_port(const struct backend_request *req)
{
	if (strcmp(req->server_port, "0") != 0)
		return slice_of(req->server_port);
	return slice_of(req->https ? "443" : "80");
}

static void
add_server(struct draft *d, const struct backend_request *req)
{
	struct slice name, port;
	uint64_t number;
	split_host(req->http->host, &name, &port);
	draft_set_text(d, "SERVER_SOFTWARE", SOFTWARE);
	draft_set(d, "SERVER_NAME", is_host_name(name) ? name : slice_of("localhost"));
	draft_set(d, "SERVER_PORT", text_number(port, 1, 65535, &number) == 0 ? port : own_port(req));
	draft_set_text(d, "SERVER_PROTOCOL", req->http->minor == 0 ? "HTTP/1.0" : "HTTP/1.1");
	draft_set_text(d, "GATEWAY_INTERFACE", "CGI/1.1");
	if (req->https)
		add_tls(d, req);
}

static void
add_request(struct draft *d, const struct backend_request *req)
{
	draft_set(d, "REQUEST_METHOD", req->http->method);
	draft_set(d, "REQUEST_URI", req->http->target);
	draft_set(d, "SCRIPT_NAME", req->script_name);
	draft_set(d, "PATH_INFO", req->path_info);
	draft_set(d, "QUERY_STRING", req->http->query);
	draft_set_text(d, "UNIQUE_ID", req->unique_id);
}

/* RFC 3875 4.1.2: set if there is content, and only then. */
static void
add_content(struct draft *d, const struct backend_request *req)
{
	if (!req->has_content)
		return;
	draft_set_number(d, "CONTENT_LENGTH", req->content_length);
	draft_set(d, "CONTENT_TYPE", http_field(req->http, "Content-Type"));
}

/* What PATH_INFO would be under the folder (RFC 3875 4.1.6). */
static void
add_translated_path(struct draft *d, const struct backend_request *req)
{
	if (req->folder == NULL)
		return;
	draft_add(d, slice_of("PATH_TRANSLATED="));
	if (req->path_info.len > 0) {
		draft_add_clean(d, slice_of(req->folder));
		draft_add_clean(d, req->path_info);
	}
	draft_end(d);
}

/* What differs between a WebSocket, whose program is told as websocketd tells it, and an ordinary request. */
static void
add_kind(struct draft *d, const struct backend_request *req)
{
	add_translated_path(d, req);
	if (req->is_cgi) {
		add_content(d, req);
		draft_set_text(d, "SCRIPT_FILENAME", req->program); /* of no RFC, but all servers set it and PHP wants it */
		return;
	}
	/* An upgrade has no content; set and empty, so that a program need not ask whether they are there. */
	draft_set_text(d, "CONTENT_LENGTH", "");
	draft_set_text(d, "CONTENT_TYPE", "");
}

static void
add_client(struct draft *d, const struct backend_request *req)
{
	draft_set_text(d, "REMOTE_ADDR", req->remote_addr);
	draft_set_text(d, "REMOTE_HOST", req->remote_host);
	draft_set_number(d, "REMOTE_PORT", req->remote_port);
	draft_set_text(d, "REMOTE_USER", req->remote_user);
	draft_set_text(d, "REMOTE_IDENT", "");
	draft_set_text(d, "AUTH_TYPE", req->auth_type);
}

/*
 * Two headers must not become one variable ("X_Y" and "X-Y"), HTTP_PROXY would steer a program's own
 * requests (CVE-2016-5385), and what proves who the client is stays with us (RFC 3875 4.1.18). What the
 * content is has variables of its own, and how it came is over.
 */
static bool
is_passed_on(struct slice name)
{
	static const char *const kept[] = { "Proxy", "Authorization", "Proxy-Authorization", "Content-Length", "Content-Type",
		"Transfer-Encoding", "Expect" };
	for (size_t i = 0; i < name.len; i++)
		if (!is_letter_or_digit(name.data[i]) && name.data[i] != '-')
			return false;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (slice_equals_nocase(name, kept[i]))
			return false;
	return true;
}

static bool
same_name(struct slice a, struct slice b)
{
	return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

static bool
occurred_before(const struct http_request *http, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (same_name(http->fields[i].name, http->fields[at].name))
			return true;
	return false;
}

static void
draft_add_header_name(struct draft *d, struct slice name)
{
	draft_add(d, slice_of("HTTP_"));
	unsigned char *out = draft_reserve(d, name.len + 1);
	if (out == NULL)
		return;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		out[i] = (unsigned char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c == '-' ? '_' : c);
	}
	buf_commit(&d->text, name.len);
	draft_add(d, slice_of("="));
}

/* All fields of one name are one list (RFC 9110 5.3). */
static void
add_header(struct draft *d, const struct http_request *http, size_t first)
{
	const struct http_field *fields = http->fields;
	draft_add_header_name(d, fields[first].name);
	draft_add_clean(d, fields[first].value);
	for (size_t i = first + 1; i < http->field_count; i++) {
		if (!same_name(fields[i].name, fields[first].name))
			continue;
		draft_add(d, slice_of(", "));
		draft_add_clean(d, fields[i].value);
	}
	draft_end(d);
}

static void
add_headers(struct draft *d, const struct http_request *http)
{
	for (size_t i = 0; i < http->field_count; i++)
		if (is_passed_on(http->fields[i].name) && !occurred_before(http, i))
			add_header(d, http, i);
}

static void
add_operators(struct draft *d, const struct backend_options *opt)
{
	for (const char *const *name = opt->passenv; name != NULL && *name != NULL; name++) {
		const char *value = getenv(*name);
		if (value == NULL)
			continue;
		draft_add(d, slice_of(*name));
		draft_add(d, slice_of("="));
		draft_add(d, slice_of(value));
		draft_end(d);
	}
	for (const char *const *set = opt->env; set != NULL && *set != NULL; set++) {
		draft_add(d, slice_of(*set));
		draft_end(d);
	}
}

/* What the operator gives NAME; NULL if nothing. */
static const char *
operators_value(const struct backend_options *opt, const char *name)
{
	const char *value = NULL;
	size_t len = strlen(name);
	for (const char *const *pass = opt->passenv; pass != NULL && *pass != NULL; pass++)
		if (strcmp(*pass, name) == 0)
			value = getenv(name);
	for (const char *const *set = opt->env; set != NULL && *set != NULL; set++)
		if (strncmp(*set, name, len) == 0 && (*set)[len] == '=')
			value = *set + len + 1;
	return value;
}

/* Behind the libraries that the operator wants: ours takes no function's place, and so gives way. */
static void
add_line_library(struct draft *d, const struct backend_options *opt)
{
	const char *before = operators_value(opt, "LD_PRELOAD");
	draft_add(d, slice_of("LD_PRELOAD="));
	if (before != NULL && *before != '\0') {
		draft_add(d, slice_of(before));
		draft_add(d, slice_of(":"));
	}
	draft_add(d, slice_of(opt->line_library));
	draft_end(d);
}

/* In the place of the one that had its name, or behind the COUNT that there are. Returns how many there are then. */
static size_t
set_again(char **list, size_t count, char *variable)
{
	size_t name_len = strcspn(variable, "=") + 1;
	for (size_t i = 0; i < count; i++)
		if (list[i][0] == variable[0] && strncmp(list[i], variable, name_len) == 0) {
			list[i] = variable;
			return count;
		}
	list[count] = variable;
	return count + 1;
}

static char **
draft_finish(const struct draft *d)
{
	size_t list_size = (d->count + 1) * sizeof(char *);
	struct span drafted = buf_span(&d->text);
	char **list = malloc(list_size + drafted.len);
	if (list == NULL)
		return NULL;
	char *variable = (char *)list + list_size;
	assert(drafted.data != NULL); /* SERVER_SOFTWARE at the least */
	memcpy(variable, drafted.data, drafted.len);

	size_t count = 0;
	for (; count < d->request_count; variable += strlen(variable) + 1)
		list[count++] = variable;
	for (size_t i = count; i < d->count; i++, variable += strlen(variable) + 1)
		count = set_again(list, count, variable);
	list[count] = NULL;
	return list;
}

char **
environment_new(const struct backend_options *opt, const struct backend_request *req)
{
	struct draft d = { 0 };
	draft_reserve(&d, TEXT_USUAL);
	add_server(&d, req);
	add_request(&d, req);
	add_kind(&d, req);
	add_client(&d, req);
	add_headers(&d, req->http);
	draft_set_text(&d, "WSGATE_ROUTE", opt->route);
	draft_set(&d, "WSGATE_SUBPROTOCOL", req->subprotocol);
	if (opt->buffering == BUFFERING_LINE)
		draft_set_text(&d, "PYTHONUNBUFFERED", "1");
	d.request_count = d.count;
	add_operators(&d, opt);
	if (opt->buffering == BUFFERING_LINE && opt->line_library != NULL)
		add_line_library(&d, opt);
	char **list = d.failed ? NULL : draft_finish(&d);
	buf_clear(&d.text);
	return list;
}
