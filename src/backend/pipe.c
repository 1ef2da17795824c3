/*
 * The one idea: two directions, each with an end of its own, and one place (kind->settle) that is
 * asked after every event whether both ends make an end. ENDED is always deferred, so that it may be
 * found out anywhere, also below a function that the owner has called.
 */
#include "backend/pipe.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
	POLL_FIRST_MS = 5,
	POLL_MAX_MS = 50,
};

/* --- events ------------------------------------------------------------------------------------- */

static void
tell(struct pipe *p, enum backend_event event)
{
	p->backend.fn(p->backend.owner, event);
}

static void
settle(struct pipe *p)
{
	if (p->opened && !p->ended && !p->closed)
		p->backend.ops->kind->settle(p);
}

/* The owner pulls what it wants; pipe_read() notices the end. */
static void
offer(struct pipe *p)
{
	if (p->over || p->ended)
		return;
	p->offering = true;
	tell(p, BACKEND_DATA);
	p->offering = false;
}

static void
drop_output(struct pipe *p)
{
	p->over = true;
	stream_close_input(&p->stream);
}

void
pipe_set_reason(struct pipe *p, const char *text)
{
	free(p->backend.reason);
	p->backend.reason = strdup(text);
}

/* Nothing that comes now can be trusted to be what it says; the client is told so at the end. */
static void
break_output(struct pipe *p, const char *why)
{
	p->broken = true;
	p->backend.end_code = 1011;
	pipe_set_reason(p, why);
	drop_output(p);
	p->backend.ops->finish(&p->backend);
}

/* Whoever waits for room must hear of it: from now on there is no end of it. */
static void
turn_deaf(struct pipe *p)
{
	p->deaf = true;
	/* That it wants no more is its right; that we have lost what it wanted is not ours. */
	if (stream_errno(&p->stream) == ENOMEM)
		break_output(p, "out of memory");
	tell(p, BACKEND_ROOM);
}

void
pipe_on_stream(void *owner, enum stream_event event)
{
	struct pipe *p = owner;
	switch (event) {
	case STREAM_DATA:
	case STREAM_EOF:
		offer(p);
		break;
	case STREAM_ROOM:
		tell(p, BACKEND_ROOM);
		break;
	case STREAM_FAILED:
		turn_deaf(p);
		break;
	}
	settle(p);
}

static bool
output_has_ended(const struct pipe *p)
{
	return p->cut || p->stream.eof;
}

static void
on_later(void *owner)
{
	struct pipe *p = owner;
	if (p->ended) {
		tell(p, BACKEND_ENDED);
		return;
	}
	if (!p->opened) {
		pipe_opened(p);
		return;
	}
	/* What the stream keeps it offers itself. */
	if (p->wants_read && output_has_ended(p) && buf_len(&p->stream.kept) == 0)
		offer(p);
	settle(p);
}

static void
do_later(struct pipe *p)
{
	loop_defer(p->backend.loop, &p->later, on_later, p);
}

void
pipe_opened(struct pipe *p)
{
	p->opened = p->backend.refusal == 0;
	tell(p, p->opened ? BACKEND_READY : BACKEND_REFUSED);
}

void
pipe_opened_later(struct pipe *p)
{
	do_later(p);
}

void
pipe_refuse(struct pipe *p, uint16_t status, const char *act, const char *name, const char *why)
{
	struct backend *b = &p->backend;
	size_t fixed = strlen(act) + strlen(" : ") + strlen(why);
	size_t room = fixed < BACKEND_REASON_MAX - 1 ? BACKEND_REASON_MAX - 1 - fixed : 0;
	size_t len = strlen(name);
	const char *dots = len > room ? ".." : "";
	size_t shown = len <= room ? len : room > 2 ? room - 2 : 0;
	char reason[BACKEND_REASON_MAX];
	snprintf(reason, sizeof(reason), "%s %s%s: %s", act, dots, name + len - shown, why);
	b->refusal = status;
	pipe_set_reason(p, reason);
}

/* --- output: to the client ---------------------------------------------------------------------- */

bool
pipe_read(struct backend *b, struct piece *out)
{
	struct pipe *p = pipe_of(b);
	if (!p->offering || p->over)
		return false;
	enum framing_input state = output_has_ended(p)                ? FRAMING_EOF
				   : stream_input_is_full(&p->stream) ? FRAMING_FULL
								      : FRAMING_PART;
	struct span in = stream_input(&p->stream);
	size_t had = in.len;
	enum framing_result result = p->framing.ops->read(&p->framing, &in, state, out);
	stream_eat(&p->stream, had - in.len);
	if (result == FRAMING_PIECE)
		return true;
	if (result == FRAMING_BROKEN)
		break_output(p, p->framing.fault);
	else if (stream_errno(&p->stream) == ENOMEM)
		break_output(p, "out of memory");
	else if (state == FRAMING_EOF)
		drop_output(p); /* there is nothing left of it */
	return false;
}

void
pipe_want_read(struct backend *b, bool yes)
{
	struct pipe *p = pipe_of(b);
	if (!p->opened || p->ended || p->wants_read == yes)
		return;
	p->wants_read = yes;
	if (p->ending != NULL)
		p->ending->resumed_ms = loop_now_ms(b->loop);
	stream_want_read(&p->stream, yes);
	/* The last piece may be an empty one, for which no bytes wait in the stream. */
	if (yes && output_has_ended(p) && !p->over)
		do_later(p);
}

void
pipe_discard(struct backend *b)
{
	struct pipe *p = pipe_of(b);
	if (!p->opened || p->ended)
		return;
	drop_output(p);
	b->ops->finish(b);
	settle(p);
}

void
pipe_cut(struct pipe *p)
{
	p->cut = true;
	if (!p->wants_read) {
		drop_output(p);
		settle(p);
		return;
	}
	/* Off and on: the stream offers what it keeps, and on_later() what the framing still owes. */
	stream_want_read(&p->stream, false);
	stream_want_read(&p->stream, true);
	do_later(p);
}

static uint64_t
later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t
pipe_silent_since(const struct pipe *p, uint64_t earliest_ms)
{
	if (!p->wants_read)
		return loop_now_ms(p->backend.loop);
	uint64_t resumed_ms = p->ending == NULL ? 0 : p->ending->resumed_ms;
	return later_of(earliest_ms, later_of(resumed_ms, p->stream.received_ms));
}

static loop_timer_fn on_timer;

static struct pipe_ending *
ending_of(struct pipe *p)
{
	if (p->ending == NULL && (p->ending = calloc(1, sizeof(*p->ending))) != NULL)
		loop_timer_init(&p->ending->timer, p->backend.loop, on_timer, p);
	return p->ending;
}

bool
pipe_set_timer(struct pipe *p, uint64_t after_ms)
{
	if (ending_of(p) == NULL)
		return false;
	loop_timer_set(&p->ending->timer, after_ms);
	return true;
}

void
pipe_stop_timer(struct pipe *p)
{
	if (p->ending != NULL)
		loop_timer_stop(&p->ending->timer);
}

/*
 * A loop that was held up finds its timers before the bytes that came meanwhile, and libev runs
 * timers first: the bytes are sure to have been seen at the second turn after this one.
 */
bool
pipe_has_waited(struct pipe *p, uint64_t since_ms, uint64_t limit_ms)
{
	uint64_t waited_ms = loop_now_ms(p->backend.loop) - since_ms;
	if (ending_of(p) == NULL)
		return true;
	if (waited_ms < limit_ms) {
		p->ending->last_calls = 0;
		return !pipe_set_timer(p, limit_ms - waited_ms);
	}
	if (p->ending->last_calls < 2) {
		p->ending->last_calls++;
		return !pipe_set_timer(p, 1);
	}
	return true;
}

/* --- input: of the client ----------------------------------------------------------------------- */

int
pipe_send(struct backend *b, const struct piece *piece)
{
	struct pipe *p = pipe_of(b);
	struct gather *g = loop_gather(b->loop);
	if (p->deaf || p->finishing || p->ended) {
		p->offered += piece->bytes.len;
		return 0;
	}
	if (!gather_has_room(g) || p->framing.lent)
		pipe_flush(b);
	int code = p->framing.ops->write(&p->framing, piece, g);
	if (code != 0)
		pipe_set_reason(p, p->framing.fault);
	return code;
}

void
pipe_flush(struct backend *b)
{
	struct pipe *p = pipe_of(b);
	struct gather *g = loop_gather(b->loop);
	p->offered += gather_close(g);
	stream_send(&p->stream, g);
	framing_sent(&p->framing);
}

size_t
pipe_queued(const struct backend *b)
{
	return stream_queued(&((const struct pipe *)b)->stream);
}

void
pipe_end_input(struct backend *b)
{
	struct pipe *p = pipe_of(b);
	if (p->opened && !p->ended)
		stream_finish(&p->stream);
}

static size_t
bytes_not_taken(const struct pipe *p)
{
	return stream_queued(&p->stream) + stream_undelivered(&p->stream);
}

/* Once the writer is closed or broken nobody can ask: then it stays at what it was. Where all was taken, no more is sent. */
static void
count_undelivered(struct pipe *p)
{
	if (!p->emptied && p->stream.out != -1 && stream_errno(&p->stream) == 0 && ending_of(p) != NULL)
		p->ending->undelivered = stream_undelivered(&p->stream);
}

static void
end_draining(struct pipe *p)
{
	p->drained = true;
	if (p->ending != NULL)
		p->ending->drained_ms = loop_now_ms(p->backend.loop);
	count_undelivered(p);
	p->backend.ops->kind->drained(p);
}

static void
give_up(struct pipe *p)
{
	const struct backend_options *opt = p->backend.opt;
	char limit[24];
	log_warn("route %s: the backend took nothing for %s; %zu bytes of the client wait for it, and its end begins", opt->route,
		text_format_duration(opt->drain_timeout_ms, limit), p->ending->left);
	end_draining(p);
}

/* The kernel goes on counting what nobody will ever read: after a reset, or when the pipe's other end is closed. */
static bool
nobody_listens(const struct pipe *p)
{
	struct pollfd writer = { .fd = p->stream.out };
	return p->deaf || stream_errno(&p->stream) != 0 || (poll(&writer, 1, 0) == 1 && (writer.revents & POLLERR) != 0);
}

/* The kernel does not say when a pipe has been read empty; one has to ask. */
static void
drain(struct pipe *p)
{
	struct pipe_ending *e = ending_of(p);
	uint64_t now_ms = loop_now_ms(p->backend.loop);
	size_t left = bytes_not_taken(p);
	p->emptied = left == 0;
	if (left == 0 || nobody_listens(p) || e == NULL) {
		end_draining(p);
		return;
	}
	if (e->left == 0 || left < e->left) {
		e->left = left;
		e->moved_ms = now_ms;
	}
	if (now_ms - e->moved_ms >= p->backend.opt->drain_timeout_ms) {
		give_up(p);
		return;
	}
	e->poll_ms = e->poll_ms == 0 ? POLL_FIRST_MS : e->poll_ms * 2 > POLL_MAX_MS ? POLL_MAX_MS : e->poll_ms * 2;
	loop_timer_set(&e->timer, e->poll_ms);
}

static void
on_timer(void *owner)
{
	struct pipe *p = owner;
	if (p->finishing && !p->drained)
		drain(p);
	else
		p->backend.ops->kind->tick(p);
	settle(p);
}

void
pipe_finish(struct pipe *p)
{
	if (!p->opened || p->finishing || p->ended)
		return;
	p->finishing = true;
	if (ending_of(p) != NULL)
		p->ending->finish_ms = loop_now_ms(p->backend.loop);
	drain(p);
}

uint64_t
pipe_untaken(const struct backend *b)
{
	const struct pipe *p = (const struct pipe *)b;
	size_t undelivered = p->ending == NULL ? 0 : p->ending->undelivered;
	return (p->ended ? p->offered - p->stream.sent : 0) + undelivered;
}

/* --- beginning and end -------------------------------------------------------------------------- */

void
pipe_init(struct pipe *p, const struct backend_ops *ops, struct loop *loop, const struct backend_options *opt, backend_fn *fn,
	void *owner)
{
	p->backend = (struct backend){ .ops = ops, .opt = opt, .loop = loop, .fn = fn, .owner = owner };
	framing_init(&p->framing, opt->framing, &opt->framing_options);
}

void
pipe_end(struct pipe *p, uint16_t code, const char *reason)
{
	if (!p->broken) {
		p->backend.end_code = code;
		pipe_set_reason(p, reason);
	}
	p->ended = true;
	count_undelivered(p);
	pipe_stop_timer(p);
	stream_close(&p->stream);
	do_later(p);
}

void
pipe_free(struct pipe *p, size_t size)
{
	p->closed = true;
	pipe_stop_timer(p);
	loop_defer_cancel(p->backend.loop, &p->later);
	stream_close(&p->stream);
	framing_clear(&p->framing);
	free(p->backend.reason);
	if (p->ending != NULL)
		loop_free_later(p->backend.loop, p->ending, sizeof(*p->ending)); /* pipe_untaken() */
	loop_free_later(p->backend.loop, p, size);
}
