/*
 * The one idea: after every event the session is settled. session_settle() looks at what is true
 * now (who has ended, what is queued) and derives from it who may be read, what is still to be
 * said, and whether all is over. No event handler decides any of this for itself.
 *
 *	           client's Close, or client gone            backend ended
 *	  RELAY ───────────────────────────────► FINISHING ────────────────► our Close is sent
 *	    │            backend_finish()                                        │
 *	    ├──── backend ended, or has said all: it is given what the client ───┤
 *	    │     sends before its Close                                         │
 *	    └──── protocol error: our Close at once, output dropped, finish ─────┤
 *	                                                                         ▼
 *	                         the client's Close has come, or its time is up: TCP closes
 */
#include "gate/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gate/record.h"
#include "proto/ws.h"

enum {
	CLOSE_TIMEOUT_MS = 5000, /* for the client's Close after ours (RFC 6455 7.1.1) */
	NEVER_MS = 24 * 3600 * 1000,
};

/* A ping's payload that waits for room, while a client that pings does not read. */
struct session_pong {
	size_t len;
	unsigned char payload[WS_CONTROL_MAX];
};

enum side { NOBODY, CLIENT, BACKEND, SERVER };

struct session {
	struct guest guest;
	const struct route *route;
	struct stream *stream;
	struct backend *backend;
	struct loop_timer timer;
	uint64_t due_ms;    /* when the timer fires */
	uint64_t active_ms; /* when anything of a message last came or went, either way */
	uint64_t asked_ms;  /* when our last ping was sent; or our Close, or what waited before it */
	uint64_t left_ms;   /* since when it is known to be gone while it may not be read, the backend taking nothing; or 0 */
	uint64_t in_messages, in_bytes, out_messages, out_bytes;
	struct session_pong *pong;
	char *reason; /* of the Close: what the log says; NULL: the backend's */
	struct ws ws;
	uint16_t close_code; /* of the Close that decides: the client's, or ours */
	uint8_t closed_by;   /* enum side */
	bool pinged : 1;     /* our ping has no answer yet; any byte is one */
	bool finishing : 1;  /* the backend was told that no more comes */
	bool said_all : 1;   /* the backend: our Close is due, though it may still listen */
	bool backend_ended : 1;
	bool dropping : 1; /* the backend's output interests nobody any more */
	bool close_sent : 1;
	bool close_received : 1;
	bool client_gone : 1; /* its side of TCP has ended, or writing to it failed */
	bool over : 1;
	bool pausing_client : 1;
	bool pausing_backend : 1;
	bool unpacking : 1; /* what has come is more than one turn may inflate: it goes on in the next */
	char target[];      /* what was asked for */
};

static void session_settle(struct session *s);

static void
set_timer(struct session *s, uint64_t span_ms, bool even_later)
{
	uint64_t due = loop_now_ms(s->stream->loop) + span_ms;
	if (!even_later && due >= s->due_ms)
		return;
	s->due_ms = due;
	loop_timer_set(&s->timer, span_ms);
}

/* --- endings ------------------------------------------------------------------------------------ */

/* The first cause is the one that is told. */
static void
blame(struct session *s, enum side who, uint16_t code, const char *reason, size_t reason_len)
{
	if (s->closed_by != NOBODY)
		return;
	s->closed_by = who;
	s->close_code = code;
	s->reason = slice_dup((struct slice){ reason, reason_len });
}

static void
blame_close(struct session *s, enum side who, const struct piece *close)
{
	const unsigned char *data = close->bytes.data;
	if (close->bytes.len >= 2)
		blame(s, who, (uint16_t)(data[0] << 8 | data[1]), (const char *)data + 2, close->bytes.len - 2);
	else
		blame(s, who, WS_CLOSE_NO_CODE, "", 0);
}

static void
finish_backend(struct session *s)
{
	if (s->finishing)
		return;
	s->finishing = true;
	if (s->backend_ended)
		return;
	s->backend->ops->flush(s->backend); /* what came in the same read */
	s->backend->ops->finish(s->backend);
}

/* The last frame. Behind everything that is queued. */
static void
send_close(struct session *s)
{
	unsigned char frame[2 + WS_CONTROL_MAX];
	const char *reason = s->reason == NULL ? "" : s->reason;
	size_t len = ws_close_frame(s->close_code, reason, strlen(reason), frame);
	if (s->close_received)
		stream_write_last(s->stream, frame, len);
	else
		stream_write(s->stream, frame, len);
	s->close_sent = true;
	s->asked_ms = loop_now_ms(s->stream->loop);
}

/* Ends in good order: the backend gets its EOF, what it still says is sent, then Close with CODE. */
static void
session_end(struct session *s, uint16_t code, const char *reason)
{
	blame(s, SERVER, code, reason, strlen(reason));
	finish_backend(s);
}

/* Fails the connection (RFC 6455 7.1.7): Close now, no more output. */
static void
session_fail(struct session *s, enum side who, uint16_t code, const char *reason)
{
	blame(s, who, code, reason, strlen(reason));
	s->dropping = true;
	if (!s->close_sent && !s->client_gone)
		send_close(s);
	stream_finish(s->stream); /* whatever it says now, there is no more to say to it (7.1.1) */
	finish_backend(s);
}

static void
client_is_gone(struct session *s, const char *reason)
{
	if (!s->close_received)
		blame(s, CLIENT, WS_CLOSE_ABNORMAL, reason, strlen(reason));
	s->client_gone = s->dropping = true;
	finish_backend(s);
}

static void
write_record(const struct session *s)
{
	static const char *const names[] = { NULL, "client", "backend", "server" };
	record_write(&s->guest, &(struct record){
					.route = s->route->path,
					.method = slice_of("GET"),
					.target = slice_of(s->target),
					.status = 101,
					.close_code = s->close_code,
					.close_reason = s->reason,
					.closed_by = names[s->closed_by],
					.in_messages = s->in_messages,
					.in_bytes = s->in_bytes,
					.out_messages = s->out_messages,
					.out_bytes = s->out_bytes,
					.untaken = s->backend->ops->untaken(s->backend),
					.pid = s->backend->pid,
					.exit_status = s->backend->status,
				});
}

static void
session_free(struct session *s)
{
	struct loop *loop = s->stream->loop;
	s->over = true;
	loop_timer_stop(&s->timer);
	stream_close(s->stream);
	s->backend->ops->free(s->backend); /* its memory stays for this turn: how a program has ended is known only now */
	write_record(s);
	limit_leave_route(s->route, !s->backend_ended);
	ws_clear(&s->ws);
	free(s->pong);
	free(s->reason);
	guest_leave(&s->guest, true);
	loop_free_later(loop, s->stream, sizeof(*s->stream));
	loop_free_later(loop, s, sizeof(*s));
}

/* --- client to backend -------------------------------------------------------------------------- */

static void
answer_ping(struct session *s, const unsigned char *payload, size_t len)
{
	unsigned char frame[2 + WS_CONTROL_MAX];
	stream_overtake(s->stream, frame, ws_control(MESSAGE_PONG, payload, len, frame));
}

/* Answered at once while the client reads; else only the latest ping is remembered (RFC 6455 5.5.3). */
static void
take_ping(struct session *s, const struct piece *ping)
{
	if (s->close_sent)
		return;
	if (stream_queued(s->stream) < s->route->buffer) {
		answer_ping(s, ping->bytes.data, ping->bytes.len);
		return;
	}
	if (s->pong == NULL)
		s->pong = malloc(sizeof(*s->pong));
	if (s->pong == NULL)
		return;
	s->pong->len = ping->bytes.len;
	memcpy(s->pong->payload, ping->bytes.data, ping->bytes.len);
}

static void
send_waiting_pong(struct session *s)
{
	if (s->pong == NULL || s->close_sent || stream_queued(s->stream) >= s->route->buffer)
		return;
	answer_ping(s, s->pong->payload, s->pong->len);
	free(s->pong);
	s->pong = NULL;
}

static void
take_close(struct session *s, const struct piece *close)
{
	s->close_received = true;
	blame_close(s, CLIENT, close);
	finish_backend(s);
}

/* RFC 6455 7.4.1: 1003 for a type of data that cannot be accepted. */
static bool
is_accepted(const struct route *route, enum message_kind kind)
{
	switch (route->accept) {
	case ACCEPT_TEXT:
		return kind == MESSAGE_TEXT;
	case ACCEPT_BINARY:
		return kind == MESSAGE_BINARY;
	case ACCEPT_ANY:
		break;
	}
	return true;
}

static void
take_message(struct session *s, const struct piece *piece)
{
	if (s->finishing)
		return;
	if (!is_accepted(s->route, piece->kind)) {
		session_fail(s, CLIENT, WS_CLOSE_UNSUPPORTED,
			piece->kind == MESSAGE_TEXT ? "only binary messages are accepted here"
						    : "only text messages are accepted here");
		return;
	}
	s->in_messages += piece->last;
	s->in_bytes += piece->bytes.len;
	s->active_ms = loop_now_ms(s->stream->loop);
	int code = s->backend->ops->send(s->backend, piece);
	if (code != 0)
		session_fail(s, CLIENT, (uint16_t)code, backend_reason(s->backend));
}

static void
take_piece(struct session *s, const struct piece *piece)
{
	switch (piece->kind) {
	case MESSAGE_PING:
		take_ping(s, piece);
		break;
	case MESSAGE_PONG:
		break; /* its bytes were sign of life enough */
	case MESSAGE_CLOSE:
		take_close(s, piece);
		break;
	case MESSAGE_TEXT:
	case MESSAGE_BINARY:
		take_message(s, piece);
		break;
	}
}

/* All frames of one read, or as much as they may become in a turn; what they carry leaves in one write. */
static void
read_client(struct session *s)
{
	struct span in = stream_input(s->stream), room = { loop_spare(s->stream->loop), LOOP_SCRATCH };
	size_t len = in.len;
	struct piece piece;
	enum ws_result result;
	s->pinged = false;
	while ((result = ws_read(&s->ws, &in, &room, &piece)) == WS_PIECE)
		take_piece(s, &piece);
	stream_eat(s->stream, len - in.len);
	s->unpacking = result == WS_FULL;
	if (!s->backend_ended)
		s->backend->ops->flush(s->backend);
	if (result == WS_BROKEN) {
		session_fail(s, CLIENT, s->ws.fault_code, s->ws.fault);
		stream_eat(s->stream, stream_input(s->stream).len);
	}
}

static void
session_client(void *owner, enum stream_event event)
{
	struct session *s = owner;
	switch (event) {
	case STREAM_DATA:
		read_client(s);
		break;
	case STREAM_ROOM:
		s->active_ms = loop_now_ms(s->stream->loop);
		if (s->close_sent)
			s->asked_ms = s->active_ms;
		break;
	case STREAM_EOF:
		client_is_gone(s,
			stream_errno(s->stream) == 0 ? "closed without a Close frame" : strerrordesc_np(stream_errno(s->stream)));
		break;
	case STREAM_FAILED:
		s->dropping = true; /* what it sent before may still wait to be read: its EOF decides */
		s->client_gone = s->close_received || s->client_gone;
		break;
	}
	session_settle(s);
}

/* --- backend to client -------------------------------------------------------------------------- */

/* The backend says goodbye itself: behind all that it has said, and nothing that follows is heard. */
static void
pass_close(struct session *s, const struct piece *close)
{
	stream_send(s->stream, loop_gather(s->stream->loop));
	blame_close(s, BACKEND, close);
	s->dropping = true;
	if (!s->close_sent && !s->client_gone)
		send_close(s);
	finish_backend(s);
}

/* All messages of one read; they leave in one write. */
static void
read_backend(struct session *s)
{
	struct gather *g = loop_gather(s->stream->loop);
	struct piece piece;
	while (s->backend->ops->read(s->backend, &piece)) {
		if (s->dropping)
			continue;
		if (piece.kind == MESSAGE_CLOSE) {
			pass_close(s, &piece);
			continue;
		}
		if (piece.kind != MESSAGE_PONG) { /* a frame, but no message */
			s->out_messages += piece.last;
			s->out_bytes += piece.bytes.len;
		}
		while (!ws_write(&s->ws, &piece, g))
			stream_send(s->stream, g);
	}
	stream_send(s->stream, g);
	s->active_ms = loop_now_ms(s->stream->loop);
}

static void
session_backend(void *owner, enum backend_event event)
{
	struct session *s = owner;
	switch (event) {
	case BACKEND_DATA:
		read_backend(s);
		break;
	case BACKEND_ROOM:
		s->active_ms = loop_now_ms(s->stream->loop);
		s->left_ms = 0;
		break;
	case BACKEND_ENDED:
		s->backend_ended = s->finishing = true;
		if (s->route->is_program) /* whatever becomes of its client, another may start */
			limit_leave_program(s->route);
		/* fall through */
	case BACKEND_SAID_ALL:
		s->said_all = true;
		blame(s, BACKEND, s->backend->end_code, backend_reason(s->backend), strlen(backend_reason(s->backend)));
		break;
	case BACKEND_READY:
	case BACKEND_REFUSED:
		break; /* came before the session */
	}
	session_settle(s);
}

/* --- what follows from the present state -------------------------------------------------------- */

/* While it is unpacked, the rest of what it has said waits in the stream. */
static bool
client_may_be_read(const struct session *s)
{
	return !s->client_gone && !s->pausing_client && !s->unpacking;
}

static void
settle_interest(struct session *s)
{
	size_t mark = s->route->buffer;
	size_t to_backend = s->backend_ended ? 0 : s->backend->ops->queued(s->backend);
	s->pausing_client = !s->finishing && stream_is_over_mark(to_backend, mark, s->pausing_client);
	s->pausing_backend = !s->dropping && stream_is_over_mark(stream_queued(s->stream), mark, s->pausing_backend);
	stream_want_read(s->stream, client_may_be_read(s));
	if (!s->backend_ended)
		s->backend->ops->want_read(s->backend, !s->pausing_backend);
}

static bool
is_over(const struct session *s)
{
	return s->backend_ended && s->client_gone;
}

static bool
is_to_unpack(const struct session *s)
{
	return s->unpacking && !s->pausing_client;
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* New states bring nearer deadlines; farther ones are found when the timer fires. */
static void
settle_timer(struct session *s)
{
	uint64_t span = is_to_unpack(s) ? 0 : NEVER_MS;
	if (s->close_sent)
		span = sooner(span, CLOSE_TIMEOUT_MS);
	if (s->pausing_client)
		span = sooner(span, s->route->backend.drain_timeout_ms);
	if (stream_queued(s->stream) > 0 && s->route->send_timeout_ms != 0)
		span = sooner(span, s->route->send_timeout_ms);
	set_timer(s, span, false);
}

static void
session_settle(struct session *s)
{
	if (s->over)
		return;
	send_waiting_pong(s);
	if (s->said_all && !s->close_sent && !s->client_gone && !s->dropping)
		send_close(s);
	if (s->close_sent && s->close_received)
		stream_finish(s->stream); /* its end is waited for: bytes that come to a closed socket would reset it (7.1.1) */
	if (is_over(s)) {
		session_free(s);
		return;
	}
	settle_interest(s);
	settle_timer(s);
}

/* --- time --------------------------------------------------------------------------------------- */

/* Is it later than SINCE + SPAN? If not, *NEXT is no later than that. SPAN 0: never. */
static bool
has_passed(uint64_t since_ms, uint64_t span_ms, uint64_t now_ms, uint64_t *next)
{
	if (span_ms == 0)
		return false;
	uint64_t due = since_ms + span_ms;
	if (due <= now_ms)
		return true;
	if (due < *next)
		*next = due;
	return false;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
send_ping(struct session *s, uint64_t now)
{
	unsigned char frame[2];
	stream_overtake(s->stream, frame, ws_control(MESSAGE_PING, NULL, 0, frame));
	s->pinged = true;
	s->asked_ms = now;
}

/* While the client may not be read, nothing it says can be heard: it is not asked. */
static void
tick_ping(struct session *s, uint64_t now, uint64_t *next)
{
	if (!client_may_be_read(s) || s->route->ping_interval_ms == 0)
		return;
	uint64_t life = later(s->stream->received_ms, stream_moved_ms(s->stream));
	s->pinged = s->pinged && life <= s->asked_ms;
	if (s->pinged && has_passed(s->asked_ms, s->route->ping_timeout_ms, now, next)) {
		session_fail(s, SERVER, WS_CLOSE_GOING_AWAY, "no answer to a ping");
		return;
	}
	if (!s->pinged && !has_passed(life, s->route->ping_interval_ms, now, next))
		return;
	if (!s->pinged)
		send_ping(s, now);
	/* Whether it is answered or not, it is looked at again. */
	has_passed(now, s->route->ping_interval_ms, now, next);
	has_passed(s->asked_ms, s->route->ping_timeout_ms, now, next);
}

/*
 * A client that is gone while it may not be read would go unnoticed. If the backend takes nothing for
 * drain_timeout, it will not take what the client has left.
 */
static void
tick_paused(struct session *s, uint64_t now, uint64_t *next)
{
	uint64_t limit_ms = s->route->backend.drain_timeout_ms;
	if (!s->pausing_client || !stream_peer_is_gone(s->stream))
		s->left_ms = 0;
	else if (s->left_ms == 0)
		s->left_ms = now;
	else if (has_passed(s->left_ms, limit_ms, now, next))
		client_is_gone(s, "gone, and the backend takes no more");
	if (s->pausing_client)
		has_passed(now, limit_ms, now, next);
}

static void
tick_open(struct session *s, uint64_t now, uint64_t *next)
{
	tick_ping(s, now, next);
	tick_paused(s, now, next);
	if (has_passed(s->active_ms, s->route->idle_timeout_ms, now, next))
		session_end(s, WS_CLOSE_GOING_AWAY, "idle for too long");
	if (has_passed(s->guest.begun_ms, s->route->max_session_ms, now, next))
		session_end(s, WS_CLOSE_GOING_AWAY, "the session's time is up");
}

/* Looks at every clock of the session and sets the one timer to the nearest. */
static void
session_tick(struct session *s)
{
	uint64_t now = loop_now_ms(s->stream->loop), next = now + NEVER_MS;
	if (!s->finishing && !s->close_sent)
		tick_open(s, now, &next);
	if (!s->client_gone && stream_queued(s->stream) > 0 &&
		has_passed(stream_moved_ms(s->stream), s->route->send_timeout_ms, now, &next))
		client_is_gone(s, "took nothing for send_timeout");
	if (!s->client_gone && s->close_sent && stream_queued(s->stream) == 0 &&
		has_passed(s->asked_ms, CLOSE_TIMEOUT_MS, now, &next))
		client_is_gone(s, "did not answer the Close");
	set_timer(s, next - now, true);
}

static void
on_timer(void *owner)
{
	struct session *s = owner;
	if (is_to_unpack(s))
		read_client(s);
	session_tick(s);
	session_settle(s);
}

/* --- coming and going --------------------------------------------------------------------------- */

static void
session_dismiss(struct guest *g)
{
	struct session *s = (struct session *)g;
	session_end(s, WS_CLOSE_GOING_AWAY, "the server is shutting down");
	session_settle(s);
}

static void
session_evict(struct guest *g)
{
	struct session *s = (struct session *)g;
	blame(s, SERVER, WS_CLOSE_GOING_AWAY, "the server has stopped", strlen("the server has stopped"));
	if (!s->close_sent && !s->client_gone)
		send_close(s);
	session_free(s);
}

static const struct guest_ops session_ops = { .dismiss = session_dismiss, .evict = session_evict };

int
session_start(struct guest *client, struct stream *stream, struct backend *backend, const struct route *route,
	const struct deflate_terms *terms, struct slice target)
{
	struct session *s = calloc(1, sizeof(*s) + target.len + 1);
	struct deflate *deflate = terms->agreed ? deflate_new(&route->upgrade.deflate, terms) : NULL;
	if (s == NULL || (terms->agreed && deflate == NULL)) {
		deflate_free(deflate);
		free(s);
		return -1;
	}
	memcpy(s->target, target.data, target.len);
	s->guest.ops = &session_ops;
	guest_move(client, &s->guest);
	s->route = route;
	s->stream = stream;
	s->backend = backend;
	s->active_ms = loop_now_ms(stream->loop);
	ws_init(&s->ws, route->max_message, deflate);
	loop_timer_init(&s->timer, stream->loop, on_timer, s);
	stream_own(stream, session_client, s);
	backend->fn = session_backend;
	backend->owner = s;
	session_tick(s);
	if (worker_is_draining(s->guest.worker))
		session_end(s, WS_CLOSE_GOING_AWAY, "the server is shutting down");
	session_settle(s);
	return 0;
}
