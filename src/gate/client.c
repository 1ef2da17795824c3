/*
 * The one idea: a client is in one of six states, and only the first two eat what they read. While
 * OPENING or NAMING it reads on, to notice a client that goes; the frames that come early are kept.
 *
 *	HEAD ──► OPENING ──► (session)         the backend is being opened
 *	  ▲└───► ANSWERING ──► PARTING         a page is being sent, or a program answers, which then has
 *	  │          │                         the stream; a refusal goes to PARTING at once
 *	  ├──────────┘ keep-alive
 *	  └► COLLECTING, NAMING                a chunked body comes, the client's name is looked up; then
 *	                                       the same request is answered as if it had just come
 *
 * PARTING is the lingering close (RFC 9112 9.6): our side is ended and what still comes is read
 * and thrown away for a moment, for closing with unread bytes would reset the connection and take
 * the answer with it.
 */
#include "gate/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/log.h"
#include "gate/access.h"
#include "gate/body.h"
#include "gate/cgi.h"
#include "gate/console.h"
#include "gate/folder.h"
#include "gate/pages.h"
#include "gate/record.h"
#include "gate/session.h"
#include "io/resolve.h"
#include "io/stream.h"
#include "io/tls.h"
#include "proto/http.h"
#include "proto/upgrade.h"

enum { LINGER_MS = 2000, KEEP_ALIVE_MS = 30000, NOTE_MAX = 512, SUBJECT_MAX = 1024 };

/* A name may take this part of handshake_timeout: whoever waits for the answer has some of it left. */
enum { NAMING_SHARE = 5 };

enum client_state { CLIENT_HEAD, CLIENT_COLLECTING, CLIENT_NAMING, CLIENT_OPENING, CLIENT_ANSWERING, CLIENT_PARTING };

struct client {
	struct guest guest;
	struct stream *stream; /* NULL once a session has it */
	struct loop_timer timer;
	size_t scanned; /* of the head, see http_parse */
	const char *server_port;
	struct slice head;   /* of the request that is being answered, during answer_request() ... */
	struct buf kept;     /* ... and a copy, if it has to be answered again */
	char *target;        /* of the request under way */
	struct slice method; /* points to static text */
	const struct route *route;
	struct backend *backend;
	struct buf response;          /* the 101, ready to go, ... */
	struct deflate_terms deflate; /* ... and what it promises */
	struct page *page;
	size_t console_len; /* of the console's page, if that is the answer */
	struct cgi *cgi;
	struct body body;      /* collected, of the request under way */
	struct lookup *lookup; /* while NAMING */
	char *name;            /* of the client's host; NULL: none that we know of */
	enum client_state state;
	enum limit_result refusal;
	int status;
	uint16_t redirect_to; /* see struct arrival */
	bool tls : 1;         /* the listener speaks it */
	bool keep_alive : 1;
	bool used : 1;  /* has had an answer already */
	bool named : 1; /* the name was looked up, found or not */
	bool over : 1;
};

static void client_stream(void *owner, enum stream_event event);

/* --- ends --------------------------------------------------------------------------------------- */

static void
client_free(struct client *c)
{
	struct loop *loop = worker_loop(c->guest.worker);
	c->over = true;
	loop_timer_stop(&c->timer);
	page_free(c->page);
	cgi_free(c->cgi);
	body_clear(&c->body);
	resolve_cancel(c->lookup);
	if (c->backend != NULL) {
		c->backend->ops->free(c->backend);
		limit_leave_route(c->route, true);
	}
	if (c->stream != NULL) {
		stream_close(c->stream);
		loop_free_later(loop, c->stream, sizeof(*c->stream));
	}
	buf_clear(&c->response);
	buf_clear(&c->kept);
	free(c->target);
	free(c->name);
	guest_leave(&c->guest, c->refusal == LIMIT_OK);
	loop_free_later(loop, c, sizeof(*c));
}

static void
part(struct client *c)
{
	resolve_cancel(c->lookup);
	c->lookup = NULL;
	c->state = CLIENT_PARTING;
	stream_finish(c->stream);
	stream_want_read(c->stream, true);
	loop_timer_set(&c->timer, LINGER_MS);
}

/* Of the body: its head went before it. */
static uint64_t
body_sent(const struct client *c)
{
	if (c->page != NULL)
		return page_sent(c->page);
	size_t waiting = c->console_len == 0 ? 0 : stream_queued(c->stream);
	return waiting < c->console_len ? c->console_len - waiting : 0;
}

static void
write_record(const struct client *c, const char *note)
{
	struct record record = {
		.route = c->route == NULL ? NULL : c->route->path,
		.method = c->method,
		.target = slice_of(c->target),
		.status = c->status,
		.note = note,
		.out_bytes = body_sent(c),
	};
	if (c->cgi != NULL)
		cgi_describe(c->cgi, &record);
	record_write(&c->guest, &record);
}

/* --- refusals ----------------------------------------------------------------------------------- */

/* The header lines that the RFCs demand with a status. */
static const char *
demanded_fields(int status, const struct route *route)
{
	switch (status) {
	case 405:
		return route == NULL || route->static_dir != NULL ? "Allow: GET, HEAD\r\n" : "Allow: GET\r\n";
	case 426: /* RFC 9110 15.5.22, RFC 6455 4.4 */
		return "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
	case 429:
	case 503:
		return "Retry-After: 1\r\n";
	default:
		return "";
	}
}

/* Answers STATUS, with FIELDS in its head, with one line that says what and how to mend it; and parts. */
static void
refuse_with(struct client *c, int status, const char *fields, const char *what)
{
	struct buf out = { 0 }, extra = { 0 };
	bool has_body = !slice_equals(c->method, "HEAD");
	size_t len = strlen(what) + 1;
	buf_printf(&extra,
		"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: %zu\r\n"
		"Connection: %s\r\n%s%s%s",
		len, status == 426 ? "close, upgrade" : "close", fields, c->route == NULL ? "" : c->route->header,
		c->route == NULL ? "" : c->route->header_http);
	buf_append(&extra, "", 1);
	if (http_write_head(&out, status, time(NULL), (const char *)buf_span(&extra).data) == 0 && has_body)
		buf_printf(&out, "%s\n", what);
	stream_write(c->stream, buf_span(&out).data, buf_len(&out));
	buf_clear(&out);
	buf_clear(&extra);
	c->status = status;
	write_record(c, what);
	part(c);
}

static void
refuse(struct client *c, int status, const char *what)
{
	refuse_with(c, status, demanded_fields(status, c->route), what);
}

/* RFC 9110 9.1: a program may know any method, but nothing of ours knows these. */
static void
refuse_method(struct client *c)
{
	if (slice_equals(c->method, "?") || slice_equals(c->method, "CONNECT"))
		refuse(c, 501, "this method is not known here");
	else
		refuse(c, 405, "only GET and HEAD");
}

static void
refuse_origin(struct client *c, const struct http_request *req)
{
	char note[NOTE_MAX];
	struct slice origin = http_field(req, "Origin");
	if (origin.len > 200)
		origin.len = 200;
	snprintf(note, sizeof(note), "Origin %.*s is not allowed here; the option to allow it: origin = %.*s (--origin=%.*s)",
		SLICE_ARG(origin), SLICE_ARG(origin), SLICE_ARG(origin));
	refuse(c, 403, note);
}

/* --- TLS ---------------------------------------------------------------------------------------- */

/* Our own port is in Host, if it must be; that of another listener is not. */
static struct slice
host_without_port(struct slice host)
{
	size_t end = host.len;
	while (end > 0 && host.data[end - 1] != ':' && host.data[end - 1] != ']')
		end--;
	return end == 0 || host.data[end - 1] == ']' ? host : (struct slice){ host.data, end - 1 };
}

static void
redirect(struct client *c, const struct http_request *req)
{
	static const char what[] = "TLS is spoken here: come again with https:// or wss://";
	bool to_other = c->redirect_to != 0;
	if (req->host.len == 0 || req->path.len == 0 || req->path.data[0] != '/' ||
		!(to_other || c->guest.config->tls_rules.redirect)) {
		refuse(c, 400, what);
		return;
	}
	struct buf fields = { 0 };
	struct slice host = to_other ? host_without_port(req->host) : req->host;
	char port[8] = "";
	if (to_other && c->redirect_to != 443)
		snprintf(port, sizeof(port), ":%u", c->redirect_to);
	if (buf_printf(&fields, "Location: https://%.*s%s%.*s%s%.*s\r\n", SLICE_ARG(host), port, SLICE_ARG(req->path),
		    req->query.data == NULL ? "" : "?", SLICE_ARG(req->query)) == 0 &&
		buf_append(&fields, "", 1) == 0)
		refuse_with(c, 308, (const char *)buf_span(&fields).data, what);
	else
		refuse(c, 503, "out of memory");
	buf_clear(&fields);
}

static bool
is_redirected(const struct client *c)
{
	return c->redirect_to != 0 || stream_is_plain_by_mistake(c->stream);
}

static bool
is_shaking_hands(const struct client *c)
{
	const struct tls *tls = stream_tls(c->stream);
	return c->tls && !stream_is_plain_by_mistake(c->stream) && (tls == NULL || !tls_is_open(tls));
}

/* Not for the ordinary log: whoever scans the net would fill it. */
static void
note_handshake(const struct client *c, const char *otherwise)
{
	const struct tls *tls = stream_tls(c->stream);
	char peer[ADDRESS_TEXT_MAX];
	if (!is_shaking_hands(c))
		return;
	log_debug("%s: no TLS: %s", guest_name(&c->guest, peer),
		tls != NULL && tls_failure(tls)[0] != '\0' ? tls_failure(tls) : otherwise);
}

/* --- what must be known before a program starts --------------------------------------------------- */

static void answer_again(struct client *c);

static int
keep_head(struct client *c)
{
	return buf_len(&c->kept) > 0 ? 0 : buf_append(&c->kept, c->head.data, c->head.len);
}

static void
go_on_as(struct client *c, const char *name)
{
	c->lookup = NULL;
	c->named = true;
	c->name = name == NULL ? NULL : strdup(name);
	loop_timer_stop(&c->timer);
	answer_again(c);
}

static void
on_name(void *owner, const struct resolved *found)
{
	go_on_as(owner, found->count > 0 ? found->name : NULL);
}

static void
give_up_name(struct client *c)
{
	char peer[ADDRESS_TEXT_MAX];
	log_debug("%s: no name was found in time (reverse_lookup)", guest_name(&c->guest, peer));
	resolve_cancel(c->lookup);
	go_on_as(c, NULL);
}

/* For REMOTE_HOST. If it has to be looked up, the request is answered again when that is done. */
static bool
is_name_known(struct client *c)
{
	if (!c->route->reverse_lookup || c->named)
		return true;
	struct address peer = address_restore(&c->guest.peer);
	if (peer.storage.ss_family == AF_UNIX || keep_head(c) == -1)
		return true;
	c->lookup = resolve_address(worker_loop(c->guest.worker), &peer, on_name, c);
	if (c->lookup == NULL)
		return true;
	c->state = CLIENT_NAMING;
	loop_timer_set(&c->timer, c->guest.config->handshake_timeout_ms / NAMING_SHARE);
	return false;
}

/* --- the way to a session ----------------------------------------------------------------------- */

static void
become_session(struct client *c)
{
	char peer[ADDRESS_TEXT_MAX];
	stream_write(c->stream, buf_span(&c->response).data, buf_len(&c->response));
	stream_want_read(c->stream, false); /* the session turns it on, and is offered what was kept */
	if (session_start(&c->guest, c->stream, c->backend, c->route, &c->deflate, slice_of(c->target)) == -1) {
		log_error("out of memory: a connection from %s is closed", guest_name(&c->guest, peer));
		client_free(c);
		return;
	}
	c->stream = NULL;
	c->backend = NULL;
	client_free(c);
}

static void
backend_is_refused(struct client *c)
{
	int status = c->backend->refusal;
	log_warn("route %s: %s", c->route->path, backend_reason(c->backend));
	c->backend->ops->free(c->backend);
	c->backend = NULL;
	limit_leave_route(c->route, true);
	refuse(c, status,
		status == 504   ? "the backend did not answer in time"
		: status == 502 ? "the backend is not there"
				: "the backend cannot be started");
}

static void
client_backend(void *owner, enum backend_event event)
{
	struct client *c = owner;
	if (event == BACKEND_READY)
		become_session(c);
	else if (event == BACKEND_REFUSED)
		backend_is_refused(c);
}

enum { UNIQUE_BYTES = 16 };

/* What a backend is told, and the text that this points to. */
struct visit {
	struct backend_request request;
	struct folder_program found; /* of a folder */
	char id[UNIQUE_BYTES * 2 + 1], host[ADDRESS_TEXT_MAX];
	char subject[SUBJECT_MAX], name[SUBJECT_MAX]; /* of the client's certificate */
};

/* Only programs are told. */
static void
number_visit(struct visit *v)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char random[UNIQUE_BYTES];
	crypto_random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++) {
		v->id[2 * i] = hex[random[i] >> 4];
		v->id[2 * i + 1] = hex[random[i] & 15];
	}
	v->id[sizeof(v->id) - 1] = '\0';
	v->request.unique_id = v->id;
}

static void
describe_visit(struct client *c, const struct http_request *req, struct slice rest, struct visit *v)
{
	v->subject[0] = v->name[0] = '\0';
	const struct tls *tls = stream_tls(c->stream);
	struct address peer = address_restore(&c->guest.peer);
	address_format_host(&peer, v->host);
	if (tls != NULL) {
		tls_client_subject(tls, v->subject, sizeof(v->subject));
		tls_client_name(tls, v->name, sizeof(v->name));
	}
	v->request = (struct backend_request){
		.http = req,
		.script_name = slice_of(c->route->path),
		.path_info = rest,
		.remote_addr = v->host,
		.remote_port = c->guest.peer.port,
		.remote_host = c->name != NULL ? c->name : v->host,
		.server_port = c->server_port,
		.remote_user = v->name,
		.auth_type = v->name[0] == '\0' ? "" : "ClientCert",
		.unique_id = "",
		.https = tls != NULL,
		.tls_version = tls == NULL ? "" : tls_version(tls),
		.tls_cipher = tls == NULL ? "" : tls_cipher(tls),
		.tls_subject = v->subject,
	};
}

/* REST stands behind the route in one decoded path: so does the script's name. */
static void
enter_folder(struct visit *v, const char *folder, const char *route, struct slice rest)
{
	size_t route_len = strcmp(route, "/") == 0 ? 0 : strlen(route), name_len = v->found.name_len;
	v->request.script_name = (struct slice){ rest.data - route_len, route_len + name_len };
	v->request.path_info = (struct slice){ rest.data + name_len, rest.len - name_len };
	v->request.program = v->found.path;
	v->request.folder = folder;
}

static struct backend *
open_backend(struct client *c, const struct http_request *req, const struct upgrade *up, struct slice rest, struct visit *v)
{
	describe_visit(c, req, rest, v);
	v->request.subprotocol = up->subprotocol;
	if (c->route->is_program)
		number_visit(v);
	if (c->route->program_dir != NULL)
		enter_folder(v, c->route->program_dir, c->route->path, rest);
	const struct backend_options *opt = &c->route->backend;
	return opt->ops->open(worker_loop(c->guest.worker), opt, &v->request, client_backend, c);
}

static void
open_session(struct client *c, const struct http_request *req, const struct upgrade *up, struct slice rest)
{
	if (!c->route->has_backend) {
		refuse(c, 404, "there is no WebSocket here, only files");
		return;
	}
	if (!access_origin_is_allowed(c->route, req, stream_tls(c->stream) != NULL)) {
		refuse_origin(c, req);
		return;
	}
	struct visit visit;
	const char *folder = c->route->program_dir;
	int found = folder == NULL ? 200 : folder_find(folder, c->route->path, rest, &visit.found);
	if (found != 200) {
		refuse(c, found, found == 404 ? "there is no such program" : "the folder of the programs cannot be read");
		return;
	}
	if (c->route->is_program && !is_name_known(c))
		return;
	enum limit_result limit = limit_enter_route(c->route, loop_now_ms(worker_loop(c->guest.worker)));
	if (limit != LIMIT_OK) {
		refuse(c, limit_status(limit), limit_text(limit));
		return;
	}
	c->deflate = up->deflate;
	if (upgrade_write_response(&c->response, up, c->route->header, c->route->header_ws) == 0)
		c->backend = open_backend(c, req, up, rest, &visit);
	if (c->backend == NULL) {
		limit_leave_route(c->route, true);
		refuse(c, 503, "out of memory");
		return;
	}
	c->state = CLIENT_OPENING;
	loop_timer_stop(&c->timer);
}

/* --- pages -------------------------------------------------------------------------------------- */

static void
await_request(struct client *c)
{
	c->state = CLIENT_HEAD;
	c->used = true;
	c->scanned = 0;
	buf_clear(&c->kept);
	c->method = slice_of("");
	free(c->target);
	c->target = NULL;
	c->route = NULL;
	c->guest.begun_ms = loop_now_ms(worker_loop(c->guest.worker));
	loop_timer_set(&c->timer, KEEP_ALIVE_MS);
	stream_want_read(c->stream, true);
}

static void
answer_is_complete(struct client *c)
{
	write_record(c, NULL);
	page_free(c->page);
	c->page = NULL;
	c->console_len = 0;
	if (c->keep_alive)
		await_request(c);
	else
		part(c);
}

/* The console has no page of its own: all of it is in the stream at once. */
static enum page_result
send_page(struct client *c)
{
	if (c->page != NULL)
		return page_continue(c->page);
	return stream_queued(c->stream) > 0 ? PAGE_MORE : PAGE_DONE;
}

static void
fail_page(struct client *c, const char *note)
{
	write_record(c, note);
	client_free(c);
}

static void
continue_page(struct client *c)
{
	uint64_t timeout_ms = c->route == NULL ? KEEP_ALIVE_MS : c->route->send_timeout_ms;
	switch (send_page(c)) {
	case PAGE_MORE:
		loop_timer_stop(&c->timer);
		if (timeout_ms != 0)
			loop_timer_set(&c->timer, timeout_ms);
		break;
	case PAGE_DONE:
		answer_is_complete(c);
		break;
	case PAGE_FAILED:
		fail_page(c, "the file or the connection failed on the way");
		break;
	}
}

/* The next request is not read before this one's answer is with the kernel: so a client can make us keep one at the most. */
static void
begin_page(struct client *c)
{
	c->state = CLIENT_ANSWERING;
	stream_want_read(c->stream, false);
	continue_page(c);
}

static void
open_console(struct client *c, const struct http_request *req)
{
	struct buf out = { 0 };
	c->keep_alive = req->keep_alive && !req->has_body && !worker_is_draining(c->guest.worker);
	long len = console_write(&out, c->guest.config, c->route, req, c->keep_alive);
	if (len == -1) {
		refuse(c, 503, "out of memory");
	} else {
		c->console_len = (size_t)len;
		c->status = 200;
		stream_write(c->stream, buf_span(&out).data, buf_len(&out));
		begin_page(c);
	}
	buf_clear(&out);
}

static void
refuse_plain_request(struct client *c)
{
	char what[NOTE_MAX];
	snprintf(what, sizeof(what),
		"this path speaks WebSocket: open it with %s:// from a script, or give the route a page (static = DIR)",
		stream_tls(c->stream) != NULL ? "wss" : "ws");
	refuse(c, 426, what);
}

static void
open_page(struct client *c, const struct http_request *req, struct slice rest)
{
	bool devconsole = c->guest.config->devconsole;
	if (c->route->static_dir == NULL && devconsole) {
		open_console(c, req);
		return;
	}
	if (c->route->static_dir == NULL) {
		refuse_plain_request(c);
		return;
	}
	c->keep_alive = req->keep_alive && !req->has_body && !worker_is_draining(c->guest.worker);
	c->page = page_open(c->stream, c->route, req, rest, c->keep_alive, &c->status);
	if (c->page == NULL && c->status == 404 && devconsole && (c->route->has_backend || rest.len <= 1)) {
		open_console(c, req);
		return;
	}
	if (c->page == NULL) {
		refuse(c, c->status, c->status == 404 ? "there is no such file" : http_phrase(c->status));
		return;
	}
	begin_page(c);
}

/* --- programs that answer (CGI) ------------------------------------------------------------------- */

static void
program_is_done(void *owner, const struct cgi_end *end)
{
	struct client *c = owner;
	stream_own(c->stream, client_stream, c);
	c->status = end->status;
	if (end->outcome == CGI_REFUSED)
		refuse(c, end->status, end->note);
	else
		write_record(c, end->note);
	cgi_free(c->cgi);
	c->cgi = NULL;
	body_clear(&c->body);
	if (end->outcome == CGI_GONE)
		client_free(c);
	else if (end->outcome == CGI_ANSWERED && end->keep_alive && c->keep_alive)
		await_request(c);
	else if (end->outcome == CGI_ANSWERED)
		part(c);
}

/* A program must be told how long its content is, so what comes in chunks is collected first. */
static void
collect_body(struct client *c, const struct http_request *req)
{
	if (keep_head(c) == -1) {
		refuse(c, 503, "out of memory");
		return;
	}
	c->state = CLIENT_COLLECTING;
	cgi_invite(c->stream, req);
	loop_timer_stop(&c->timer);
	if (c->route->send_timeout_ms != 0)
		loop_timer_set(&c->timer, c->route->send_timeout_ms);
	stream_want_read(c->stream, false); /* off and on: what came behind the head is offered again */
	stream_want_read(c->stream, true);
}

static void
start_program(struct client *c, const struct http_request *req, struct slice rest, struct visit *v)
{
	describe_visit(c, req, rest, v);
	number_visit(v);
	enter_folder(v, c->route->cgi_dir, c->route->path, rest);
	v->request.directory = v->found.directory;
	v->request.is_cgi = true;
	v->request.has_content = req->chunked || http_field_count(req, "Content-Length") > 0;
	v->request.content_length = req->chunked ? buf_len(&c->body.bytes) : req->content_length;
	c->keep_alive = req->keep_alive && !worker_is_draining(c->guest.worker);
	struct cgi_request want = {
		.request = &v->request, .content = req->chunked ? &c->body.bytes : NULL, .keep_alive = c->keep_alive
	};
	c->cgi = cgi_open(c->stream, c->route, &want, program_is_done, c);
}

static void
open_program(struct client *c, const struct http_request *req, struct slice rest, struct visit *v)
{
	if (req->chunked && !c->body.whole) {
		collect_body(c, req);
		return;
	}
	if (!is_name_known(c))
		return;
	enum limit_result limit = limit_enter_program(c->route, loop_now_ms(worker_loop(c->guest.worker)));
	if (limit != LIMIT_OK) {
		refuse(c, limit_status(limit), limit_text(limit));
		return;
	}
	start_program(c, req, rest, v);
	if (c->cgi == NULL) {
		limit_leave_program(c->route);
		refuse(c, 503, "out of memory");
		return;
	}
	c->state = CLIENT_ANSWERING;
	loop_timer_stop(&c->timer);
}

/* An ordinary request: a program's, or a page's if there is no such program. */
static void
open_answer(struct client *c, const struct http_request *req, struct slice rest)
{
	const struct route *route = c->route;
	struct visit visit;
	int found = route->cgi_dir == NULL ? 404 : folder_find(route->cgi_dir, route->path, rest, &visit.found);
	bool has_pages = route->has_backend || route->static_dir != NULL;
	if (found == 200)
		open_program(c, req, rest, &visit);
	else if (found != 404)
		refuse(c, found, "the folder of the programs cannot be read");
	else if (!has_pages)
		refuse(c, 404, "there is no such program");
	else if (slice_equals(c->method, "GET") || slice_equals(c->method, "HEAD"))
		open_page(c, req, rest);
	else
		refuse_method(c);
}

/* --- the request -------------------------------------------------------------------------------- */

static struct slice
known_method(struct slice method)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH" };
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_equals(method, known[i]))
			return slice_of(known[i]);
	return slice_of("?");
}

static void
route_request(struct client *c, const struct http_request *req, struct slice path)
{
	struct slice rest;
	struct upgrade up = { 0 };
	struct http_fault fault;
	c->route = config_route(c->guest.config, path, &rest);
	bool is_get = slice_equals(c->method, "GET") || slice_equals(c->method, "HEAD");
	if (c->route == NULL && c->guest.config->devconsole && is_get && slice_equals(path, "/")) {
		open_console(c, req); /* the landing page */
		return;
	}
	if (c->route == NULL) {
		refuse(c, 404, "no route has this path");
		return;
	}
	switch (upgrade_judge(req, &c->route->upgrade, &up, &fault)) {
	case UPGRADE_BROKEN:
		refuse(c, fault.status, fault.what);
		break;
	case UPGRADE_YES:
		open_session(c, req, &up, rest);
		break;
	case UPGRADE_NO:
		open_answer(c, req, rest);
		break;
	}
}

static void
answer_request(struct client *c, const struct http_request *req)
{
	free(c->target);
	c->target = slice_dup(req->target);
	c->method = known_method(req->method);
	char path[HTTP_TARGET_MAX];
	if (c->refusal != LIMIT_OK) {
		refuse(c, limit_status(c->refusal), limit_text(c->refusal));
		return;
	}
	if (is_redirected(c)) {
		redirect(c, req);
		return;
	}
	if (req->path.len == 0 || req->path.data[0] != '/') { /* CONNECT, or OPTIONS * */
		refuse_method(c);
		return;
	}
	long len = http_decode_path(req->path, path);
	if (len == -1)
		refuse(c, 400, "the path has a bad escape, or climbs above its root");
	else
		route_request(c, req, (struct slice){ path, (size_t)len });
}

static void
read_head(struct client *c)
{
	struct span in = stream_input(c->stream);
	struct http_request req;
	struct http_fault fault;
	size_t eaten;
	switch (http_parse((struct slice){ (const char *)in.data, in.len }, &c->scanned, &req, &eaten, &fault)) {
	case HTTP_MORE:
		if (c->used && in.len > 0)
			loop_timer_set(&c->timer, c->guest.config->handshake_timeout_ms);
		c->used = false;
		return;
	case HTTP_BROKEN:
		refuse(c, fault.status, fault.what);
		return;
	case HTTP_HEAD:
		c->head = (struct slice){ (const char *)in.data, eaten };
		answer_request(c, &req);
		if (!c->over)
			stream_eat(c->stream, eaten);
		return;
	}
}

/* The same request, of which more is known now: its head was good before. */
static void
answer_again(struct client *c)
{
	struct http_request req;
	struct http_fault fault;
	size_t scanned = 0, eaten;
	c->head = (struct slice){ (const char *)buf_span(&c->kept).data, buf_len(&c->kept) };
	http_parse(c->head, &scanned, &req, &eaten, &fault);
	answer_request(c, &req);
}

static void
read_body(struct client *c)
{
	struct span in = stream_input(c->stream);
	size_t had = in.len;
	enum body_result result = body_read(&c->body, &in);
	stream_eat(c->stream, had - in.len);
	switch (result) {
	case BODY_MORE:
		if (c->route->send_timeout_ms != 0)
			loop_timer_set(&c->timer, c->route->send_timeout_ms);
		break;
	case BODY_WHOLE:
		answer_again(c);
		break;
	case BODY_BROKEN:
		refuse(c, 400, c->body.chunked.fault);
		break;
	case BODY_TOO_LONG:
		refuse(c, 411, "a body in chunks may have 64k here: more needs a Content-Length");
		break;
	case BODY_NO_MEMORY:
		refuse(c, 503, "out of memory");
		break;
	}
}

static void
client_stream(void *owner, enum stream_event event)
{
	struct client *c = owner;
	switch (event) {
	case STREAM_DATA:
		if (c->state == CLIENT_HEAD)
			read_head(c);
		else if (c->state == CLIENT_COLLECTING)
			read_body(c);
		else if (c->state == CLIENT_PARTING)
			stream_eat(c->stream, stream_input(c->stream).len);
		else if (stream_input_is_full(c->stream))
			stream_want_read(c->stream, false);
		break;
	case STREAM_ROOM:
		if (c->state == CLIENT_ANSWERING)
			continue_page(c);
		break;
	case STREAM_EOF:
		note_handshake(c, "the client has gone");
		if (is_shaking_hands(c) && stream_errno(c->stream) == EPROTO)
			part(c); /* the alert that says why is to arrive */
		else
			client_free(c);
		break;
	case STREAM_FAILED:
		if (c->state == CLIENT_ANSWERING)
			fail_page(c, "the connection failed on the way");
		else
			client_free(c);
		break;
	}
}

/* --- time, coming and going --------------------------------------------------------------------- */

static void
on_timer(void *owner)
{
	struct client *c = owner;
	if (c->state == CLIENT_HEAD && buf_len(&c->stream->kept) > 0 && !c->used)
		refuse(c, 408, "the request head did not come in time (handshake_timeout)");
	else if (c->state == CLIENT_COLLECTING)
		refuse(c, 408, "the content did not come in time (send_timeout)");
	else if (c->state == CLIENT_NAMING)
		give_up_name(c);
	else if (c->state == CLIENT_ANSWERING)
		fail_page(c, "the client took nothing for send_timeout");
	else {
		if (c->state == CLIENT_HEAD)
			note_handshake(c, "not within handshake_timeout");
		client_free(c);
	}
}

static void
client_dismiss(struct guest *g)
{
	struct client *c = (struct client *)g;
	if (c->state == CLIENT_HEAD)
		client_free(c);
	else if (c->state == CLIENT_NAMING)
		refuse(c, 503, "the server is shutting down");
	c->keep_alive = false; /* OPENING becomes a session that is told at once; an answer is completed */
}

static void
client_evict(struct guest *g)
{
	client_free((struct client *)g);
}

static const struct guest_ops client_ops = { .dismiss = client_dismiss, .evict = client_evict };

void
client_start(struct worker *w, const struct arrival *arrival)
{
	struct client *c = malloc(sizeof(*c));
	struct stream *stream = malloc(sizeof(*stream));
	char peer[ADDRESS_TEXT_MAX];
	if (c == NULL || stream == NULL) {
		log_error("out of memory: a connection is closed");
		free(c);
		free(stream);
		arrival_discard(w, arrival);
		return;
	}
	*c = (struct client){
		.guest.ops = &client_ops,
		.stream = stream,
		.refusal = arrival->refusal,
		.server_port = arrival->server_port,
		.method = slice_of(""),
		.tls = arrival->tls,
		.redirect_to = arrival->redirect_to,
	};
	guest_enter(&c->guest, w, arrival);
	stream_init_socket(stream, worker_loop(w), arrival->fd, client_stream, c);
	loop_timer_init(&c->timer, worker_loop(w), on_timer, c);
	if (c->tls && stream_expect_tls(stream, arrival->config->tls) == -1) {
		log_error("out of memory: a connection from %s is closed", guest_name(&c->guest, peer));
		client_free(c);
		return;
	}
	loop_timer_set(&c->timer, arrival->config->handshake_timeout_ms);
	stream_want_read(stream, true);
}
