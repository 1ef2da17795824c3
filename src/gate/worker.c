/*
 * The one idea: whatever another thread wants of a worker is posted to its loop, so that guests,
 * streams and backends know no locks. A worker that shares main's loop is on main's thread, and what
 * main wants of it is done at once.
 */
#include "gate/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/process.h"
#include "base/log.h"
#include "gate/client.h"
#include "io/resolve.h"

struct worker {
	pthread_t thread;  /* unless it shares ... */
	struct loop *loop; /* ... main's */
	struct limit *limit;
	struct loop *main;
	loop_task_fn *drained;
	void *owner;
	struct guest *guests;
	atomic_uint load;
	bool draining;
	bool told; /* that it is drained */
};

static bool
is_on_main(const struct worker *w)
{
	return w->loop == w->main;
}

/* From main. */
static int
tell(struct worker *w, loop_task_fn *fn, void *arg)
{
	if (!is_on_main(w))
		return loop_post(w->loop, fn, arg);
	fn(arg);
	return 0;
}

/* On its thread, with no guest left. */
static void
leave(struct worker *w)
{
	process_sweep();
	resolve_close(w->loop);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	loop_run(w->loop);
	leave(w);
	return NULL;
}

/* Signals are for the main thread; SIGPIPE is ignored by all. */
static int
start_thread(struct worker *w)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	int error = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error == 0 ? 0 : -1;
}

struct worker *
worker_start(struct limit *limit, struct loop *main, bool shares, loop_task_fn *drained, void *owner)
{
	struct worker *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	*w = (struct worker){ .limit = limit, .main = main, .drained = drained, .owner = owner };
	w->loop = shares ? main : loop_new();
	if (is_on_main(w))
		return w;
	if (w->loop == NULL)
		goto fail_free;
	if (start_thread(w) == -1)
		goto fail_loop;
	return w;

fail_loop:
	loop_free(w->loop);
fail_free:
	free(w);
	return NULL;
}

static void
tell_if_drained(struct worker *w)
{
	if (!w->draining || w->told || atomic_load(&w->load) > 0)
		return;
	w->told = true;
	loop_post(w->main, w->drained, w->owner);
}

/* --- told by main ------------------------------------------------------------------------------- */

struct welcome {
	struct worker *worker;
	struct arrival arrival;
};

static void
on_welcome(void *arg)
{
	struct welcome *welcome = arg;
	struct worker *w = welcome->worker;
	if (w->draining)
		arrival_discard(w, &welcome->arrival);
	else
		client_start(w, &welcome->arrival);
	free(welcome);
}

int
worker_welcome(struct worker *w, const struct arrival *arrival)
{
	struct welcome *welcome = malloc(sizeof(*welcome));
	if (welcome == NULL)
		return -1;
	*welcome = (struct welcome){ w, *arrival };
	atomic_fetch_add(&w->load, 1);
	if (tell(w, on_welcome, welcome) == 0)
		return 0;
	atomic_fetch_sub(&w->load, 1);
	free(welcome);
	return -1;
}

static void
on_drain(void *arg)
{
	struct worker *w = arg;
	w->draining = true;
	struct guest *next;
	for (struct guest *g = w->guests; g != NULL; g = next) {
		next = g->next;
		g->ops->dismiss(g);
	}
	tell_if_drained(w);
}

void
worker_drain(struct worker *w)
{
	tell(w, on_drain, w);
}

static void
on_stop(void *arg)
{
	struct worker *w = arg;
	w->draining = true;
	while (w->guests != NULL)
		w->guests->ops->evict(w->guests);
	loop_stop(w->loop);
}

void
worker_stop(struct worker *w)
{
	if (w == NULL)
		return;
	tell(w, on_stop, w);
	if (is_on_main(w)) {
		leave(w);
	} else {
		pthread_join(w->thread, NULL);
		loop_free(w->loop);
	}
	free(w);
}

unsigned
worker_load(const struct worker *w)
{
	return atomic_load(&w->load);
}

/* --- for guests --------------------------------------------------------------------------------- */

struct loop *
worker_loop(struct worker *w)
{
	return w->loop;
}

bool
worker_is_draining(const struct worker *w)
{
	return w->draining;
}

static void
link_guest(struct guest *g)
{
	struct worker *w = g->worker;
	g->next = w->guests;
	g->link = &w->guests;
	if (g->next != NULL)
		g->next->link = &g->next;
	w->guests = g;
}

static void
unlink_guest(struct guest *g)
{
	*g->link = g->next;
	if (g->next != NULL)
		g->next->link = g->link;
}

void
guest_enter(struct guest *g, struct worker *w, const struct arrival *arrival)
{
	g->worker = w;
	g->config = arrival->config;
	g->begun_ms = loop_now_ms(w->loop);
	g->peer = arrival->peer;
	link_guest(g);
}

void
guest_move(struct guest *from, struct guest *to)
{
	const struct guest_ops *ops = to->ops;
	unlink_guest(from);
	*to = *from;
	to->ops = ops;
	link_guest(to);
	*from = (struct guest){ .worker = to->worker };
}

static void
give_back(struct worker *w, struct config *config, const struct address_short *peer, bool has_place)
{
	if (has_place)
		limit_leave(w->limit, peer);
	config_release(config);
	atomic_fetch_sub(&w->load, 1);
	tell_if_drained(w);
}

void
guest_leave(struct guest *g, bool has_place)
{
	if (g->config == NULL)
		return;
	unlink_guest(g);
	give_back(g->worker, g->config, &g->peer, has_place);
}

void
arrival_discard(struct worker *w, const struct arrival *arrival)
{
	close(arrival->fd);
	give_back(w, arrival->config, &arrival->peer, arrival->refusal == LIMIT_OK);
}

const char *
guest_name(const struct guest *g, char out[static ADDRESS_TEXT_MAX])
{
	struct address peer = address_restore(&g->peer);
	return address_format(&peer, out);
}
