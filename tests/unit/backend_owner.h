/*
 * What the tests of the backends share: an owner that opens one, writes down what it is told, and
 * waits, for a bounded time, until something has become true.
 */
#ifndef BACKEND_OWNER_H
#define BACKEND_OWNER_H

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/backend.h"

enum { PATIENCE_MS = 30000 };

struct owner {
	struct loop *loop;
	struct backend *backend;
	struct backend_options opt;
	struct http_request http;
	struct backend_request request;
	struct loop_timer patience, pause;
	struct buf text; /* all pieces, a '\n' behind each message */
	size_t messages;
	size_t rooms;
	uint64_t pause_ms; /* after each DATA, if not 0 */
	bool hold;         /* do not read at READY */
	bool free_at_data; /* frees the backend in the midst of it */
	bool talks_on;     /* does not finish when the backend has said all */
	bool ready, refused, said_all, ended, impatient;
};

static uint64_t
clock_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
owner_free_backend(struct owner *o)
{
	if (o->backend != NULL)
		o->backend->ops->free(o->backend);
	o->backend = NULL;
}

static void
owner_take(struct owner *o)
{
	struct piece piece;
	while (o->backend->ops->read(o->backend, &piece)) {
		buf_append(&o->text, piece.bytes.data, piece.bytes.len);
		if (!piece.last)
			continue;
		buf_append(&o->text, "\n", 1);
		o->messages++;
	}
}

static void
owner_resume(void *owner)
{
	struct owner *o = owner;
	if (o->backend != NULL)
		o->backend->ops->want_read(o->backend, true);
}

static void
owner_event(void *owner, enum backend_event event)
{
	struct owner *o = owner;
	assert_false(o->refused || o->ended); /* nothing comes after the last event */
	assert_true(o->ready || event == BACKEND_READY || event == BACKEND_REFUSED);
	assert_non_null(o->backend); /* no event from inside open() */
	loop_stop(o->loop);
	switch (event) {
	case BACKEND_READY:
		assert_false(o->ready);
		o->ready = true;
		o->backend->ops->want_read(o->backend, !o->hold);
		break;
	case BACKEND_REFUSED:
		o->refused = true;
		break;
	case BACKEND_DATA:
		owner_take(o);
		if (o->pause_ms != 0) {
			o->backend->ops->want_read(o->backend, false);
			loop_timer_set(&o->pause, o->pause_ms);
		}
		if (o->free_at_data && o->messages > 0)
			owner_free_backend(o);
		break;
	case BACKEND_ROOM:
		o->rooms++;
		break;
	case BACKEND_SAID_ALL:
		assert_false(o->said_all);
		o->said_all = true;
		if (!o->talks_on)
			o->backend->ops->finish(o->backend);
		break;
	case BACKEND_ENDED:
		o->ended = true;
		break;
	}
}

static void
owner_lose_patience(void *owner)
{
	struct owner *o = owner;
	o->impatient = true;
	loop_stop(o->loop);
}

/* Options that do nothing surprising; a test changes what it is about before owner_open(). */
static void
owner_init(struct owner *o, const struct backend_ops *ops)
{
	*o = (struct owner){ .loop = loop_new() };
	assert_non_null(o->loop);
	o->http.method = slice_of("GET");
	o->http.target = o->http.path = slice_of("/test");
	o->http.host = slice_of("localhost");
	o->http.minor = 1;
	o->request = (struct backend_request){
		.http = &o->http,
		.script_name = slice_of("/test"),
		.path_info = slice_of(""),
		.remote_addr = "127.0.0.1",
		.remote_host = "127.0.0.1",
		.server_port = "80",
		.remote_user = "",
		.auth_type = "",
		.unique_id = "1",
	};
	o->opt = (struct backend_options){
		.ops = ops,
		.route = "/test",
		.framing = &framing_lines,
		.drain_timeout_ms = 5000,
		.connect_timeout_ms = 5000,
		.exit_close = 1011,
		.stop = { { 0, 100 }, { SIGINT, 250 }, { SIGTERM, 500 }, { SIGKILL, 0 } },
		.stop_count = 4,
	};
	loop_timer_init(&o->patience, o->loop, owner_lose_patience, o);
	loop_timer_init(&o->pause, o->loop, owner_resume, o);
}

static void
owner_open(struct owner *o)
{
	loop_timer_set(&o->patience, PATIENCE_MS);
	o->backend = o->opt.ops->open(o->loop, &o->opt, &o->request, owner_event, o);
	assert_non_null(o->backend);
}

/* Runs the loop until CONDITION holds; it can only change by an event. */
#define OWNER_WAIT(o, condition)                                                                                                   \
	do {                                                                                                                       \
		while (!(condition) && !(o)->impatient)                                                                            \
			loop_run((o)->loop);                                                                                       \
		assert_true(condition);                                                                                            \
	} while (0)

static void
wake(void *owner)
{
	loop_stop(((struct owner *)owner)->loop);
}

/* Lets the loop run for a while, in which something must not happen. */
static inline void
owner_idle(struct owner *o, uint64_t ms)
{
	uint64_t end_ms = clock_ms() + ms;
	struct loop_timer timer;
	loop_timer_init(&timer, o->loop, wake, o);
	while (clock_ms() < end_ms) {
		loop_timer_set(&timer, end_ms - clock_ms());
		loop_run(o->loop);
	}
	loop_timer_stop(&timer);
}

static void
owner_send(struct owner *o, const char *data, size_t len)
{
	struct piece piece = { MESSAGE_TEXT, true, true, { (unsigned char *)(uintptr_t)data, len } };
	o->backend->ops->send(o->backend, &piece);
	o->backend->ops->flush(o->backend);
}

static const char *
owner_text(struct owner *o)
{
	/* The NUL is not committed: it is not part of what was said. */
	unsigned char *end = buf_reserve(&o->text, 1);
	*end = '\0';
	return (const char *)buf_span(&o->text).data;
}

#define assert_ended(o, code, why)                                                                                                 \
	do {                                                                                                                       \
		OWNER_WAIT(o, (o)->ended);                                                                                         \
		assert_string_equal(backend_reason((o)->backend), why);                                                            \
		assert_int_equal((o)->backend->end_code, code);                                                                    \
	} while (0)

static void
owner_clear(struct owner *o)
{
	owner_free_backend(o);
	loop_timer_stop(&o->patience);
	loop_timer_stop(&o->pause);
	buf_clear(&o->text);
}

static inline size_t
count_descriptors(void)
{
	size_t count = 0;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

#endif
