/*
 * The one idea is session's: after every event the conversation is settled, that is, who may be read
 * and whether all is over follows from what is true now.
 *
 *	open ── READY ── content in, output kept until its head is whole ── head and body out ── ENDED ── done
 *	                  └──────── stopped: malformed, too slow, or the client has gone ────────┘
 *
 * The end is always the backend's: when it has come, the program is dead and its status known.
 */
#include "gate/cgi.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "gate/limit.h"
#include "proto/cgi.h"
#include "proto/chunked.h"

enum {
	LOOK_MS = 1000, /* how often to ask whether a client that is not read is still there */
	NEVER_MS = 24 * 3600 * 1000,
	SHOWN_MAX = 60,    /* first bytes of an answer that is none, in the log */
	STATUS_GONE = 499, /* in the access log: no answer had begun when the client went */
};

/* How the client learns where the body ends. */
enum transfer { TRANSFER_NONE, TRANSFER_LENGTH, TRANSFER_CHUNKED, TRANSFER_CLOSE };

struct cgi {
	struct stream *stream;
	const struct route *route;
	struct backend *backend;
	struct loop_timer timer;
	uint64_t due_ms; /* when the timer fires */
	cgi_fn *done;
	void *owner;
	char *program;      /* its file, for the log */
	struct buf content; /* collected, until the program is ready */
	struct buf head;    /* of the program's answer, while it is not whole */
	size_t scanned;     /* of the head, see cgi_parse() */
	uint64_t in_left;   /* of the content, still to come */
	uint64_t in_bytes;
	uint64_t out_left; /* of a body with a length */
	uint64_t out_bytes;
	uint64_t surplus;    /* bytes beyond its length */
	uint64_t resumed_ms; /* when reading the client was last turned on */
	uint64_t moved_ms;   /* when the program last wrote or read, or could again */
	uint64_t left_ms;    /* since when the client is known to be gone, but unread, the program taking nothing; or 0 */
	const char *note;
	int status; /* sent; or, if the head was not, to be answered */
	enum transfer transfer;
	uint8_t minor;
	bool is_head_request : 1;
	bool keep_alive : 1;
	bool expects : 1; /* 100-continue */
	bool ready : 1;
	bool ended : 1; /* the backend */
	bool over : 1;
	bool head_sent : 1;
	bool stopping : 1; /* the program's output interests nobody any more */
	bool client_gone : 1;
	bool stuffed : 1; /* as much of what follows the content has come as may be kept */
	bool pausing_client : 1;
	bool pausing_backend : 1;
};

static void cgi_settle(struct cgi *g);

/* --- endings ------------------------------------------------------------------------------------ */

/* The program's output is dropped and its ladder begins. The first reason is the one that is told. */
static void
stop(struct cgi *g, int status, const char *note)
{
	if (g->stopping)
		return;
	g->stopping = true;
	g->note = note;
	if (!g->head_sent)
		g->status = status;
	if (g->ready && !g->ended)
		g->backend->ops->discard(g->backend);
}

static void
client_is_gone(struct cgi *g, const char *note)
{
	stop(g, STATUS_GONE, note);
	g->client_gone = true;
	stream_close(g->stream);
}

/* NULL if the body is all there. */
static const char *
what_it_lacks(const struct cgi *g)
{
	if (g->transfer == TRANSFER_LENGTH && g->out_left > 0)
		return "the program sent less than its Content-Length";
	if ((g->transfer == TRANSFER_CHUNKED || g->transfer == TRANSFER_CLOSE) && WIFSIGNALED(g->backend->status))
		return "the program died before its answer was whole";
	return NULL;
}

/* A body that is not all there has no last chunk, and the connection's end shows it. */
static void
end_body(struct cgi *g)
{
	g->note = what_it_lacks(g);
	if (g->note != NULL)
		g->keep_alive = false;
	else if (g->transfer == TRANSFER_CHUNKED)
		stream_write(g->stream, CHUNKED_LAST, strlen(CHUNKED_LAST));
	if (g->surplus > 0)
		log_warn("route %s: %s: pid %d sent %llu bytes beyond its Content-Length; they were dropped", g->route->path,
			g->program, (int)g->backend->pid, (unsigned long long)g->surplus);
}

static void
complain(const struct cgi *g, const char *why)
{
	struct span head = buf_span(&g->head);
	size_t shown = head.len < SHOWN_MAX ? head.len : SHOWN_MAX;
	log_warn("route %s: %s: the answer of pid %d is no CGI answer, for %s%s%.*s%s", g->route->path, g->program,
		(int)g->backend->pid, why, shown > 0 ? "; it begins with \"" : "", (int)shown,
		shown > 0 ? (const char *)head.data : "", shown > 0 ? "\"" : "");
}

static void
backend_has_ended(struct cgi *g)
{
	g->ended = true;
	if (g->stopping)
		return;
	if (g->head_sent) {
		end_body(g);
		return;
	}
	complain(g, "it ended before its head did");
	stop(g, 502, "the program ended without an answer");
}

static void
finish(struct cgi *g)
{
	bool is_refusal = !g->head_sent && !g->client_gone;
	struct cgi_end end = {
		.outcome = g->client_gone ? CGI_GONE
			   : is_refusal   ? CGI_REFUSED
					  : CGI_ANSWERED,
		.status = g->status,
		.note = g->note,
		.keep_alive = g->keep_alive && g->in_left == 0 && !g->stopping,
	};
	g->over = true;
	loop_timer_stop(&g->timer);
	stream_want_read(g->stream, false);
	g->done(g->owner, &end);
}

/* --- content: to the program -------------------------------------------------------------------- */

static const char invitation[] = "HTTP/1.1 100 Continue\r\n\r\n";

static bool
waits_for_invitation(const struct http_request *req)
{
	return req->minor > 0 && http_field_has_token(req, "Expect", "100-continue");
}

void
cgi_invite(struct stream *stream, const struct http_request *req)
{
	if (waits_for_invitation(req))
		stream_write(stream, invitation, strlen(invitation));
}

static void
give(struct cgi *g, struct span bytes)
{
	struct piece piece = { MESSAGE_BINARY, true, true, bytes };
	g->in_bytes += bytes.len;
	g->moved_ms = loop_now_ms(g->stream->loop);
	if (g->ended || bytes.len == 0)
		return;
	g->backend->ops->send(g->backend, &piece);
	g->backend->ops->flush(g->backend);
}

static void
end_content(struct cgi *g)
{
	if (!g->ended)
		g->backend->ops->end_input(g->backend);
}

/* What follows the content is the next request: it is kept for the owner. */
static void
read_client(struct cgi *g)
{
	struct span in = stream_input(g->stream);
	size_t len = g->in_left < in.len ? (size_t)g->in_left : in.len;
	if (len > 0) {
		give(g, (struct span){ in.data, len });
		stream_eat(g->stream, len);
		g->in_left -= len;
		if (g->in_left == 0)
			end_content(g);
	}
	g->stuffed = g->in_left == 0 && stream_input_is_full(g->stream);
}

static void
cgi_stream(void *owner, enum stream_event event)
{
	struct cgi *g = owner;
	switch (event) {
	case STREAM_DATA:
		read_client(g);
		break;
	case STREAM_ROOM:
		break;
	case STREAM_EOF:
	case STREAM_FAILED:
		client_is_gone(g, g->in_left > 0 ? "the client left before all of its content had come"
						 : "the client left before the answer was complete");
		break;
	}
	cgi_settle(g);
}

/* --- the answer's head -------------------------------------------------------------------------- */

/* What the operator says of every answer takes the place of what the program says. */
static bool
is_passed_on(const struct cgi *g, const struct http_field *field)
{
	if (slice_equals_nocase(field->name, "Set-Cookie"))
		return true; /* each is another */
	return !http_lines_name(g->route->header, field->name) && !http_lines_name(g->route->header_http, field->name);
}

static bool
has_body(const struct cgi *g)
{
	return !g->is_head_request && g->status != 204 && g->status != 205 && g->status != 304;
}

static enum transfer
choose_transfer(const struct cgi *g, const struct cgi_head *head)
{
	if (!has_body(g))
		return TRANSFER_NONE;
	if (head->has_length)
		return TRANSFER_LENGTH;
	return g->minor > 0 ? TRANSFER_CHUNKED : TRANSFER_CLOSE;
}

/* RFC 9110 8.6: none with 204; and 205 says that there is none. */
static void
put_length(struct buf *out, const struct cgi *g, const struct cgi_head *head)
{
	if (g->transfer == TRANSFER_CHUNKED)
		buf_printf(out, "Transfer-Encoding: chunked\r\n");
	else if (g->status == 205)
		buf_printf(out, "Content-Length: 0\r\n");
	else if (head->has_length && g->status != 204)
		buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)head->length);
}

static int
put_head(struct buf *out, const struct cgi *g, const struct cgi_head *head)
{
	struct buf fields = { 0 };
	int result = -1;
	for (size_t i = 0; i < head->field_count; i++)
		if (is_passed_on(g, &head->fields[i]))
			buf_printf(&fields, "%.*s: %.*s\r\n", SLICE_ARG(head->fields[i].name), SLICE_ARG(head->fields[i].value));
	put_length(&fields, g, head);
	if (buf_printf(&fields, "Connection: %s\r\n%s%s", g->keep_alive ? "keep-alive" : "close", g->route->header,
		    g->route->header_http) == 0 &&
		buf_append(&fields, "", 1) == 0)
		result = http_write_head(out, g->status, time(NULL), (const char *)buf_span(&fields).data);
	buf_clear(&fields);
	return result;
}

static void
send_head(struct cgi *g, const struct cgi_head *head)
{
	struct buf out = { 0 };
	g->status = head->status;
	g->transfer = choose_transfer(g, head);
	g->out_left = head->length;
	if (g->transfer == TRANSFER_CLOSE)
		g->keep_alive = false;
	if (put_head(&out, g, head) == -1) {
		stop(g, 503, "out of memory");
	} else {
		g->head_sent = true;
		stream_write(g->stream, buf_span(&out).data, buf_len(&out));
	}
	buf_clear(&out);
}

/* --- the answer's body -------------------------------------------------------------------------- */

static void
send_chunk(struct cgi *g, struct span bytes)
{
	struct gather *out = loop_gather(g->stream->loop);
	unsigned char head[CHUNKED_HEAD_MAX];
	gather_add(out, head, chunked_write_head(bytes.len, head));
	gather_add(out, bytes.data, bytes.len);
	gather_add(out, "\r\n", 2);
	stream_send(g->stream, out);
}

static void
send_body(struct cgi *g, struct span bytes)
{
	if (g->transfer == TRANSFER_NONE || bytes.len == 0)
		return;
	if (g->transfer == TRANSFER_LENGTH && bytes.len > g->out_left) {
		g->surplus += bytes.len - g->out_left;
		bytes.len = (size_t)g->out_left;
	}
	g->out_left -= g->transfer == TRANSFER_LENGTH ? bytes.len : 0;
	g->out_bytes += bytes.len;
	if (g->transfer == TRANSFER_CHUNKED)
		send_chunk(g, bytes);
	else
		stream_write(g->stream, bytes.data, bytes.len);
}

/* Output waits until the head in it is whole; what follows the head is body. */
static void
take_head(struct cgi *g, struct span bytes)
{
	struct cgi_head head;
	const char *fault = "memory is out";
	size_t eaten;
	enum cgi_result result = CGI_BROKEN;
	if (buf_append(&g->head, bytes.data, bytes.len) == 0)
		result = cgi_parse((struct slice){ (const char *)buf_span(&g->head).data, buf_len(&g->head) }, &g->scanned, &head,
			&eaten, &fault);
	if (result == CGI_MORE)
		return;
	if (result == CGI_BROKEN) {
		complain(g, fault);
		stop(g, 502, "the program's answer is malformed");
	} else {
		send_head(g, &head);
		buf_drop(&g->head, eaten);
		if (!g->stopping)
			send_body(g, buf_span(&g->head));
	}
	buf_clear(&g->head);
}

static void
read_backend(struct cgi *g)
{
	struct piece piece;
	g->moved_ms = loop_now_ms(g->stream->loop);
	while (g->backend->ops->read(g->backend, &piece)) {
		if (g->stopping)
			continue;
		if (g->head_sent)
			send_body(g, piece.bytes);
		else
			take_head(g, piece.bytes);
	}
}

/* --- the program -------------------------------------------------------------------------------- */

static void
begin(struct cgi *g)
{
	g->ready = true;
	g->moved_ms = loop_now_ms(g->stream->loop);
	if (g->stopping) {
		g->backend->ops->discard(g->backend);
		return;
	}
	give(g, buf_span(&g->content));
	buf_clear(&g->content);
	if (g->in_left == 0)
		end_content(g);
	else if (g->expects)
		stream_write(g->stream, invitation, strlen(invitation));
}

static void
cgi_backend(void *owner, enum backend_event event)
{
	struct cgi *g = owner;
	switch (event) {
	case BACKEND_READY:
		begin(g);
		break;
	case BACKEND_REFUSED:
		log_warn("route %s: %s", g->route->path, backend_reason(g->backend));
		g->ended = true;
		stop(g, g->backend->refusal, "the program cannot be started");
		break;
	case BACKEND_DATA:
		read_backend(g);
		break;
	case BACKEND_SAID_ALL:
		break; /* of services alone */
	case BACKEND_ROOM:
		g->moved_ms = loop_now_ms(g->stream->loop);
		g->left_ms = 0;
		break;
	case BACKEND_ENDED:
		backend_has_ended(g);
		break;
	}
	cgi_settle(g);
}

/* --- what follows from the present state -------------------------------------------------------- */

static bool
awaits_content(const struct cgi *g)
{
	return g->ready && g->in_left > 0 && !g->pausing_client && !g->client_gone;
}

/* Is it the program's turn, and not the client's? */
static bool
awaits_program(const struct cgi *g)
{
	return g->ready && !g->ended && !g->stopping && !g->pausing_backend && !awaits_content(g) && g->route->cgi_timeout_ms != 0;
}

static void
settle_interest(struct cgi *g)
{
	size_t mark = g->route->buffer;
	size_t to_backend = g->ended ? 0 : g->backend->ops->queued(g->backend);
	bool was_pausing = g->pausing_client, was_pausing_backend = g->pausing_backend;
	g->pausing_client = stream_is_over_mark(to_backend, mark, g->pausing_client);
	g->pausing_backend = !g->stopping && stream_is_over_mark(stream_queued(g->stream), mark, g->pausing_backend);
	if (was_pausing && !g->pausing_client)
		g->resumed_ms = loop_now_ms(g->stream->loop);
	if (was_pausing_backend && !g->pausing_backend)
		g->moved_ms = loop_now_ms(g->stream->loop);
	/* Also without content to come: so it is noticed when the client goes. */
	stream_want_read(g->stream, g->ready && !g->client_gone && !g->pausing_client && !g->stuffed);
	if (!g->ended)
		g->backend->ops->want_read(g->backend, !g->pausing_backend);
}

static bool
is_unwatched(const struct cgi *g)
{
	return !g->client_gone && (g->pausing_client || g->stuffed);
}

static void
set_timer(struct cgi *g, uint64_t span_ms, bool even_later)
{
	uint64_t due = loop_now_ms(g->stream->loop) + span_ms;
	if (!even_later && due >= g->due_ms)
		return;
	g->due_ms = due;
	loop_timer_set(&g->timer, span_ms);
}

/* New states bring nearer deadlines; farther ones are found when the timer fires. */
static void
settle_timer(struct cgi *g)
{
	uint64_t timeout = g->route->send_timeout_ms;
	if (is_unwatched(g))
		set_timer(g, LOOK_MS, false);
	if (timeout != 0 && (stream_queued(g->stream) > 0 || awaits_content(g)))
		set_timer(g, timeout, false);
	if (awaits_program(g))
		set_timer(g, g->route->cgi_timeout_ms, false);
}

static void
cgi_settle(struct cgi *g)
{
	if (g->over)
		return;
	bool has_said_all = !g->head_sent || stream_queued(g->stream) == 0;
	if (g->ended && (g->client_gone || has_said_all)) {
		finish(g);
		return;
	}
	settle_interest(g);
	settle_timer(g);
}

/* --- time --------------------------------------------------------------------------------------- */

/* Is it later than SINCE + SPAN? If not, *NEXT is no later than that. */
static bool
has_passed(uint64_t since_ms, uint64_t span_ms, uint64_t now_ms, uint64_t *next)
{
	uint64_t due = since_ms + span_ms;
	if (due <= now_ms)
		return true;
	if (due < *next)
		*next = due;
	return false;
}

/* A client that is not read may go unnoticed. What it has left is still given, as long as it moves. */
static void
look_for_client(struct cgi *g, uint64_t now, uint64_t *next)
{
	if (!stream_peer_is_gone(g->stream))
		g->left_ms = 0;
	else if (g->left_ms == 0)
		g->left_ms = now;
	else if (has_passed(g->left_ms, LOOK_MS, now, next))
		client_is_gone(g, "the client left while the program did not read");
	has_passed(now, LOOK_MS, now, next);
}

static void
look_at_content(struct cgi *g, uint64_t now, uint64_t *next)
{
	static const char note[] = "the content did not come in time (send_timeout)";
	uint64_t since = g->stream->received_ms > g->resumed_ms ? g->stream->received_ms : g->resumed_ms;
	if (!has_passed(since, g->route->send_timeout_ms, now, next))
		return;
	if (g->head_sent)
		client_is_gone(g, note);
	else
		stop(g, 408, note);
}

static void
look_at_program(struct cgi *g, uint64_t now, uint64_t *next)
{
	char span[24];
	if (!has_passed(g->moved_ms, g->route->cgi_timeout_ms, now, next))
		return;
	log_warn("route %s: %s: pid %d has been silent for %s and is stopped (cgi_timeout)", g->route->path, g->program,
		(int)g->backend->pid, text_format_duration(g->route->cgi_timeout_ms, span));
	stop(g, 504, g->head_sent ? "the program fell silent (cgi_timeout)" : "the program did not answer in time (cgi_timeout)");
}

static void
on_timer(void *owner)
{
	struct cgi *g = owner;
	uint64_t now = loop_now_ms(g->stream->loop), next = now + NEVER_MS, timeout = g->route->send_timeout_ms;
	if (is_unwatched(g))
		look_for_client(g, now, &next);
	if (timeout != 0 && !g->stopping && awaits_content(g))
		look_at_content(g, now, &next);
	if (awaits_program(g))
		look_at_program(g, now, &next);
	if (timeout != 0 && stream_queued(g->stream) > 0 && has_passed(stream_moved_ms(g->stream), timeout, now, &next))
		client_is_gone(g, "the client took nothing for send_timeout");
	set_timer(g, next - now, true);
	cgi_settle(g);
}

/* --- beginning and end -------------------------------------------------------------------------- */

static struct cgi *
cgi_new(struct stream *stream, const struct route *route, const struct cgi_request *want)
{
	const struct http_request *http = want->request->http;
	struct cgi *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->stream = stream;
	g->route = route;
	g->program = slice_dup(slice_of(want->request->program));
	g->minor = (uint8_t)http->minor;
	g->is_head_request = slice_equals(http->method, "HEAD");
	g->keep_alive = want->keep_alive;
	g->in_left = want->content == NULL ? http->content_length : 0;
	g->expects = g->in_left > 0 && waits_for_invitation(http);
	g->due_ms = UINT64_MAX;
	g->resumed_ms = loop_now_ms(stream->loop);
	loop_timer_init(&g->timer, stream->loop, on_timer, g);
	return g;
}

struct cgi *
cgi_open(struct stream *stream, const struct route *route, const struct cgi_request *want, cgi_fn *done, void *owner)
{
	struct cgi *g = cgi_new(stream, route, want);
	if (g == NULL || g->program == NULL)
		goto fail_free;
	g->backend = route->cgi.ops->open(stream->loop, &route->cgi, want->request, cgi_backend, g);
	if (g->backend == NULL)
		goto fail_free;
	if (want->content != NULL) {
		g->content = *want->content;
		*want->content = (struct buf){ 0 };
	}
	g->done = done;
	g->owner = owner;
	stream_want_read(stream, false); /* turned on at READY, which offers what was kept */
	stream_own(stream, cgi_stream, g);
	return g;

fail_free:
	if (g != NULL)
		free(g->program);
	free(g);
	return NULL;
}

void
cgi_describe(const struct cgi *g, struct record *out)
{
	out->in_bytes = g->in_bytes;
	out->out_bytes = g->out_bytes;
	out->untaken = g->backend->ops->untaken(g->backend);
	out->pid = g->backend->pid;
	out->exit_status = g->backend->status;
}

void
cgi_free(struct cgi *g)
{
	if (g == NULL)
		return;
	g->over = true;
	loop_timer_stop(&g->timer);
	g->backend->ops->free(g->backend);
	limit_leave_program(g->route);
	buf_clear(&g->content);
	buf_clear(&g->head);
	free(g->program);
	loop_free_later(g->stream->loop, g, sizeof(*g));
}
