/*
 * The stream keeps what is not yet a line, so there is no buffer here. It outlives the program's
 * backend, because the last words are often the most telling ones, and the client need not wait for
 * them to be written down.
 */
#include "backend/stderr_log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "io/stream.h"

enum {
	LINE_MAX_LEN = 4096,
	LINES_PER_TURN = 64,
	LAST_CALLS = 2,
};

static const char cut_mark[] = " [cut]";

/* What a program that says little does not need before its end. */
struct stderr_wait {
	struct loop_timer timer;         /* a breather while flooded; once released, also the limit */
	struct stderr_log *next, **link; /* of the released ones */
	uint64_t close_at_ms;            /* 0: not released */
	uint8_t last_calls;
};

struct stderr_log {
	struct stream stream;
	struct stderr_wait *wait; /* or NULL */
	pid_t pid;
	bool cutting; /* the rest of a line that was too long is being dropped */
	char route[];
};

static _Thread_local struct stderr_log *released;

static void
write_line(const struct stderr_log *log, struct slice text)
{
	if (text.len > 0 && text.data[text.len - 1] == '\r')
		text.len--;
	const struct log_field fields[] = {
		{ .name = "route", .text = slice_of(log->route) },
		{ .name = "pid", .number = (uint64_t)log->pid },
		{ .name = "text", .text = { text.len > 0 ? text.data : "", text.len } },
	};
	log_fields(LOG_LEVEL_ERROR, "stderr", fields, sizeof(fields) / sizeof(*fields));
}

static void
write_cut_line(const struct stderr_log *log, const unsigned char *data)
{
	char text[LINE_MAX_LEN + sizeof(cut_mark)];
	memcpy(text, data, LINE_MAX_LEN);
	memcpy(text + LINE_MAX_LEN, cut_mark, sizeof(cut_mark));
	write_line(log, (struct slice){ text, LINE_MAX_LEN + sizeof(cut_mark) - 1 });
}

/* LEN bytes of a line, or of what there is of it. */
static void
take_line(struct stderr_log *log, const unsigned char *data, size_t len)
{
	if (log->cutting)
		return;
	if (len > LINE_MAX_LEN)
		write_cut_line(log, data);
	else
		write_line(log, (struct slice){ (const char *)data, len });
}

/* Returns how many bytes were done with; 0 if there is nothing to do until more come. */
static size_t
take_next(struct stderr_log *log, struct span in)
{
	const unsigned char *lf = in.len > 0 ? memchr(in.data, '\n', in.len) : NULL;
	if (lf != NULL) {
		size_t len = (size_t)(lf - in.data);
		take_line(log, in.data, len);
		log->cutting = false;
		return len + 1;
	}
	if (!log->cutting && in.len <= LINE_MAX_LEN)
		return 0;
	take_line(log, in.data, in.len);
	log->cutting = true;
	return in.len;
}

/* Returns false if there was more than a turn's worth. */
static bool
take_lines(struct stderr_log *log)
{
	for (int i = 0; i < LINES_PER_TURN; i++) {
		size_t done = take_next(log, stream_input(&log->stream));
		if (done == 0)
			return true;
		stream_eat(&log->stream, done);
	}
	return false;
}

static void
discard(struct stderr_log *log)
{
	struct stderr_wait *w = log->wait;
	stream_close(&log->stream);
	if (w != NULL) {
		loop_timer_stop(&w->timer);
		if (w->link != NULL)
			*w->link = w->next;
		if (w->next != NULL)
			w->next->wait->link = w->link;
		free(w);
	}
	loop_free_later(log->stream.loop, log, sizeof(*log) + strlen(log->route) + 1);
}

/* No more comes; the last line may lack its end. */
static void
take_rest(struct stderr_log *log, struct span rest)
{
	size_t done;
	if (rest.data == NULL)
		return;
	while ((done = take_next(log, rest)) > 0)
		span_skip(&rest, done);
	if (rest.len > 0)
		take_line(log, rest.data, rest.len);
}

static void
end_input(struct stderr_log *log)
{
	take_rest(log, stream_input(&log->stream));
	stream_close_input(&log->stream);
	if (log->wait != NULL && log->wait->close_at_ms != 0)
		discard(log);
}

static loop_timer_fn on_timer;

/* NULL if memory is out. */
static struct stderr_wait *
wait_of(struct stderr_log *log)
{
	if (log->wait == NULL && (log->wait = calloc(1, sizeof(*log->wait))) != NULL)
		loop_timer_init(&log->wait->timer, log->stream.loop, on_timer, log);
	return log->wait;
}

static void
on_stream(void *owner, enum stream_event event)
{
	struct stderr_log *log = owner;
	if (event == STREAM_EOF) {
		end_input(log);
	} else if (!log_wants(LOG_LEVEL_ERROR)) {
		stream_eat(&log->stream, stream_input(&log->stream).len);
	} else if (!take_lines(log) && wait_of(log) != NULL) {
		/* The others have their turn, then what is kept is offered again. */
		stream_want_read(&log->stream, false);
		loop_timer_set(&log->wait->timer, 0);
	}
}

/* A loop that was held up finds its timers before the bytes that came meanwhile: hence the last calls. */
static void
linger(struct stderr_log *log)
{
	struct stderr_wait *w = log->wait;
	uint64_t now_ms = loop_now_ms(log->stream.loop);
	if (w->close_at_ms > now_ms) {
		loop_timer_set(&w->timer, w->close_at_ms - now_ms);
	} else if (w->last_calls < LAST_CALLS) {
		w->last_calls++;
		loop_timer_set(&w->timer, 1);
	} else {
		take_rest(log, buf_span(&log->stream.kept));
		discard(log);
	}
}

static void
on_timer(void *owner)
{
	struct stderr_log *log = owner;
	stream_want_read(&log->stream, true);
	if (log->wait->close_at_ms != 0)
		linger(log);
}

struct stderr_log *
stderr_log_open(struct loop *loop, int fd, const char *route, pid_t pid)
{
	size_t route_size = strlen(route) + 1;
	struct stderr_log *log = calloc(1, sizeof(*log) + route_size);
	if (log == NULL) {
		close(fd);
		return NULL;
	}
	memcpy(log->route, route, route_size);
	log->pid = pid;
	stream_init_pipes(&log->stream, loop, fd, -1, on_stream, log);
	stream_want_read(&log->stream, true);
	return log;
}

/* What it says from now on is still written down, if there is memory to wait for it. */
void
stderr_log_release(struct stderr_log *log, uint64_t linger_ms)
{
	if (log == NULL)
		return;
	if (log->stream.eof || wait_of(log) == NULL) {
		discard(log);
		return;
	}
	struct stderr_wait *w = log->wait;
	w->close_at_ms = loop_now_ms(log->stream.loop) + linger_ms;
	w->next = released;
	w->link = &released;
	if (released != NULL)
		released->wait->link = &w->next;
	released = log;
	if (!loop_timer_is_set(&w->timer))
		loop_timer_set(&w->timer, linger_ms);
}

void
stderr_log_end_thread(void)
{
	while (released != NULL) {
		take_rest(released, buf_span(&released->stream.kept));
		discard(released);
	}
}
