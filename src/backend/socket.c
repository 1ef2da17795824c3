/*
 * A service ends when the client has and it has nothing more to say. Its own FIN says that it has said
 * all: it may listen on, and is given what the client sends until that says goodbye. If it has closed
 * altogether, the first bytes for it are answered by a reset, and that is the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/pipe.h"
#include "io/dial.h"

enum {
	ANSWER_MS = 100, /* how long a service may be silent after the client's end, unless `stop` says otherwise */
	TARGET_MAX = 300,
};

static const char CLOSED[] = "backend closed";

struct service {
	struct pipe pipe;
	struct dial *dial; /* NULL once it has answered */
};

static struct service *
service_of(struct pipe *p)
{
	return (struct service *)p; /* its first member */
}

/* --- the end ------------------------------------------------------------------------------------ */

static void
end(struct pipe *p)
{
	char reason[BACKEND_REASON_MAX];
	int error = stream_errno(&p->stream);
	/* EPIPE: it had closed before all was written to it, and what it said before that has been read. */
	if (error == 0 || error == EPIPE) {
		pipe_end(p, 1000, CLOSED);
	} else if (error == ECONNRESET) {
		pipe_end(p, 1011, "backend connection reset");
	} else {
		snprintf(reason, sizeof(reason), "backend: %s", strerror(error));
		pipe_end(p, 1011, reason);
	}
}

static void
end_if_over(struct pipe *p)
{
	if (p->over && p->drained && !p->ended)
		end(p);
}

static void
service_finish(struct backend *b)
{
	struct pipe *p = pipe_of(b);
	pipe_finish(p);
	if (p->finishing && !p->ended)
		stream_finish(&p->stream);
	end_if_over(p);
}

static void
say_all(struct pipe *p)
{
	struct backend *b = &p->backend;
	if (p->said_all)
		return;
	p->said_all = true;
	b->end_code = 1000;
	pipe_set_reason(p, CLOSED);
	b->fn(b->owner, BACKEND_SAID_ALL);
}

static void
service_settle(struct pipe *p)
{
	if (!p->over || p->finishing)
		end_if_over(p);
	else if (stream_errno(&p->stream) == 0)
		say_all(p);
	else
		service_finish(&p->backend);
}

static uint64_t
answer_ms(const struct backend_options *opt)
{
	return opt->stop_count > 0 ? opt->stop[0].wait_ms : ANSWER_MS;
}

/* Silent for a moment, or talking for too long: either way the client has gone and it is over. */
static void
wait_for_answer(struct pipe *p)
{
	const struct backend_options *opt = p->backend.opt;
	uint64_t drained_ms = pipe_drained_ms(p);
	bool too_long = loop_now_ms(p->backend.loop) - drained_ms >= opt->drain_timeout_ms;
	uint64_t since_ms = too_long ? drained_ms : pipe_silent_since(p, drained_ms);
	if (!p->over && pipe_has_waited(p, since_ms, too_long ? opt->drain_timeout_ms : answer_ms(opt)))
		pipe_cut(p);
}

static const struct pipe_kind service_kind = { .drained = wait_for_answer, .settle = service_settle, .tick = wait_for_answer };

/* --- the beginning ------------------------------------------------------------------------------ */

static uint16_t
status_of(enum dial_result result)
{
	switch (result) {
	case DIAL_TIMED_OUT:
		return 504;
	case DIAL_NO_RESOURCES:
		return 503;
	default:
		return 502;
	}
}

static const char *
name_target(const struct backend_options *opt, char out[static TARGET_MAX])
{
	if (opt->unix_path != NULL)
		return opt->unix_path;
	snprintf(out, TARGET_MAX, strchr(opt->host, ':') != NULL ? "[%s]:%u" : "%s:%u", opt->host, (unsigned)opt->port);
	return out;
}

static void
on_dial(void *owner, enum dial_result result, int fd, const char *detail)
{
	struct service *q = owner;
	struct pipe *p = &q->pipe;
	char target[TARGET_MAX];
	q->dial = NULL;
	if (result == DIAL_CONNECTED)
		stream_init_socket(&p->stream, p->backend.loop, fd, pipe_on_stream, p);
	else
		pipe_refuse(p, status_of(result), "cannot connect to", name_target(p->backend.opt, target), detail);
	pipe_opened(p);
}

static struct dial *
dial_target(struct service *q)
{
	const struct backend_options *opt = q->pipe.backend.opt;
	struct dial_options target = {
		.unix_path = opt->unix_path,
		.host = opt->host,
		.port = opt->port,
		.timeout_ms = opt->connect_timeout_ms,
	};
	return dial_start(q->pipe.backend.loop, &target, on_dial, q);
}

static struct backend *
service_open(struct loop *loop, const struct backend_options *opt, const struct backend_request *req, backend_fn *fn, void *owner)
{
	(void)req;
	struct service *q = calloc(1, sizeof(*q));
	if (q == NULL)
		return NULL;
	pipe_init(&q->pipe, &backend_socket, loop, opt, fn, owner);
	q->dial = dial_target(q);
	if (q->dial == NULL) {
		free(q);
		return NULL;
	}
	return &q->pipe.backend;
}

static void
service_free(struct backend *b)
{
	struct service *q = service_of(pipe_of(b));
	if (q->dial != NULL)
		dial_cancel(q->dial);
	pipe_free(&q->pipe, sizeof(*q));
}

const struct backend_ops backend_socket = {
	.name = "socket",
	.kind = &service_kind,
	.open = service_open,
	.read = pipe_read,
	.send = pipe_send,
	.flush = pipe_flush,
	.queued = pipe_queued,
	.want_read = pipe_want_read,
	.end_input = pipe_end_input,
	.finish = service_finish,
	.discard = pipe_discard,
	.untaken = pipe_untaken,
	.free = service_free,
};
