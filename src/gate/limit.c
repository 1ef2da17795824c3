/*
 * The one idea: take first, look after. Each counter is raised and the raised value compared, so
 * that no two threads can both take the last place.
 */
#include "gate/limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };

struct visitor {
	struct visitor *next;
	unsigned char ip[16];
	unsigned count;
};

struct limit {
	atomic_uint connections;
	pthread_mutex_t lock; /* guards the table: once per connection, never per message */
	struct visitor *buckets[BUCKETS];
};

struct limit *
limit_new(void)
{
	struct limit *l = calloc(1, sizeof(*l));
	if (l != NULL)
		pthread_mutex_init(&l->lock, NULL);
	return l;
}

void
limit_free(struct limit *l)
{
	if (l == NULL)
		return;
	for (int i = 0; i < BUCKETS; i++)
		while (l->buckets[i] != NULL) {
			struct visitor *v = l->buckets[i];
			l->buckets[i] = v->next;
			free(v);
		}
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* Where the visitor is linked in, or would be. */
static struct visitor **
find_visitor(struct limit *l, const struct address_short *peer)
{
	unsigned hash = 2166136261u;
	for (int i = 0; i < 16; i++)
		hash = (hash ^ peer->ip[i]) * 16777619u;
	struct visitor **v = &l->buckets[hash % BUCKETS];
	while (*v != NULL && memcmp((*v)->ip, peer->ip, sizeof(peer->ip)) != 0)
		v = &(*v)->next;
	return v;
}

/* Counts one more of this address; false if MAX are in already, or memory is out. */
static bool
visitor_enter(struct limit *l, const struct address_short *peer, unsigned max)
{
	pthread_mutex_lock(&l->lock);
	struct visitor **at = find_visitor(l, peer);
	struct visitor *v = *at;
	if (v == NULL && (v = calloc(1, sizeof(*v))) != NULL) {
		memcpy(v->ip, peer->ip, sizeof(v->ip));
		*at = v;
	}
	bool enters = v != NULL && (max == 0 || v->count < max);
	if (enters)
		v->count++;
	pthread_mutex_unlock(&l->lock);
	return enters;
}

static void
visitor_leave(struct limit *l, const struct address_short *peer)
{
	pthread_mutex_lock(&l->lock);
	struct visitor **at = find_visitor(l, peer);
	struct visitor *v = *at;
	if (v != NULL && --v->count == 0) {
		*at = v->next;
		free(v);
	}
	pthread_mutex_unlock(&l->lock);
}

/* Takes a place unless MAX are taken; 0 is no ceiling. */
static bool
take(atomic_uint *count, unsigned max)
{
	if (atomic_fetch_add(count, 1) < max || max == 0)
		return true;
	atomic_fetch_sub(count, 1);
	return false;
}

enum limit_result
limit_enter(struct limit *l, const struct config *config, const struct address_short *peer)
{
	if (!take(&l->connections, config->max_connections))
		return LIMIT_CONNECTIONS;
	if (visitor_enter(l, peer, config->max_per_ip))
		return LIMIT_OK;
	atomic_fetch_sub(&l->connections, 1);
	return LIMIT_PER_IP;
}

void
limit_leave(struct limit *l, const struct address_short *peer)
{
	visitor_leave(l, peer);
	atomic_fetch_sub(&l->connections, 1);
}

unsigned
limit_connections(const struct limit *l)
{
	return atomic_load(&l->connections);
}

/* A leaky bucket that holds one second's worth: SLOT is when the next start would be on time. */
static bool
take_spawn_slot(struct route_use *use, unsigned rate, uint64_t now_ms)
{
	if (rate == 0)
		return true;
	uint64_t now_us = now_ms * 1000, step_us = 1000000 / rate;
	uint64_t slot = atomic_load(&use->spawn_slot_us);
	for (;;) {
		uint64_t due = slot + 1000000 < now_us + step_us ? now_us + step_us - 1000000 : slot;
		if (due > now_us)
			return false;
		if (atomic_compare_exchange_weak(&use->spawn_slot_us, &slot, due + step_us))
			return true;
	}
}

enum limit_result
limit_enter_program(const struct route *route, uint64_t now_ms)
{
	struct route_use *use = route->use;
	if (!take(&use->children, route->max_children))
		return LIMIT_CHILDREN;
	if (take_spawn_slot(use, route->spawn_rate, now_ms))
		return LIMIT_OK;
	limit_leave_program(route);
	return LIMIT_SPAWN_RATE;
}

void
limit_leave_program(const struct route *route)
{
	atomic_fetch_sub(&route->use->children, 1);
}

enum limit_result
limit_enter_route(const struct route *route, uint64_t now_ms)
{
	if (!take(&route->use->connections, route->max_connections))
		return LIMIT_CONNECTIONS;
	enum limit_result result = route->is_program ? limit_enter_program(route, now_ms) : LIMIT_OK;
	if (result != LIMIT_OK)
		atomic_fetch_sub(&route->use->connections, 1);
	return result;
}

void
limit_leave_route(const struct route *route, bool with_program)
{
	if (route->is_program && with_program)
		limit_leave_program(route);
	atomic_fetch_sub(&route->use->connections, 1);
}

int
limit_status(enum limit_result result)
{
	return result == LIMIT_SPAWN_RATE ? 429 : 503;
}

const char *
limit_text(enum limit_result result)
{
	switch (result) {
	case LIMIT_OK:
		return "";
	case LIMIT_CONNECTIONS:
		return "too many connections (max_connections)";
	case LIMIT_PER_IP:
		return "too many connections from this address (max_per_ip)";
	case LIMIT_CHILDREN:
		return "too many programs are running (max_children)";
	case LIMIT_SPAWN_RATE:
		return "programs are started too fast (spawn_rate)";
	}
	return "";
}
