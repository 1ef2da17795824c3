/* Limits: the last place is taken once, and every place that was taken is given back. */
#include "gate/limit.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct address_short
address_of(const char *host)
{
	struct address a;
	assert_int_equal(address_from_numeric(slice_of(host), 1234, &a), 0);
	return address_shorten(&a);
}

static void
the_server_is_full_at_max_connections(void **state)
{
	(void)state;
	struct limit *l = limit_new();
	struct config config = { .max_connections = 2 };
	struct address_short peer = address_of("127.0.0.1");
	assert_int_equal(limit_enter(l, &config, &peer), LIMIT_OK);
	assert_int_equal(limit_enter(l, &config, &peer), LIMIT_OK);
	assert_int_equal(limit_enter(l, &config, &peer), LIMIT_CONNECTIONS);
	limit_leave(l, &peer);
	assert_int_equal(limit_enter(l, &config, &peer), LIMIT_OK);
	assert_int_equal(limit_connections(l), 2);
	limit_free(l);
}

static void
one_address_cannot_take_every_place(void **state)
{
	(void)state;
	struct limit *l = limit_new();
	struct config config = { .max_connections = 100, .max_per_ip = 1 };
	struct address_short a = address_of("192.0.2.1"), mapped = address_of("::ffff:192.0.2.1"), b = address_of("2001:db8::1");
	assert_int_equal(limit_enter(l, &config, &a), LIMIT_OK);
	assert_int_equal(limit_enter(l, &config, &a), LIMIT_PER_IP);
	assert_int_equal(limit_enter(l, &config, &mapped), LIMIT_PER_IP);
	assert_int_equal(limit_enter(l, &config, &b), LIMIT_OK);
	assert_int_equal(limit_connections(l), 2);
	limit_leave(l, &a);
	assert_int_equal(limit_enter(l, &config, &mapped), LIMIT_OK);
	limit_leave(l, &a);
	limit_leave(l, &b);
	assert_int_equal(limit_connections(l), 0);
	limit_free(l);
}

static void
a_route_is_full_at_max_children_and_a_refusal_takes_nothing(void **state)
{
	(void)state;
	struct route_use use = { 0 };
	struct route route = { .is_program = true, .max_children = 1, .max_connections = 5, .use = &use };
	assert_int_equal(limit_enter_route(&route, 1), LIMIT_OK);
	assert_int_equal(limit_enter_route(&route, 1), LIMIT_CHILDREN);
	assert_int_equal(atomic_load(&use.connections), 1);
	limit_leave_route(&route, true);
	assert_int_equal(atomic_load(&use.connections), 0);
	assert_int_equal(atomic_load(&use.children), 0);
}

static void
programs_of_pages_share_the_places_of_programs_but_are_no_websockets(void **state)
{
	(void)state;
	struct route_use use = { 0 };
	struct route route = { .max_children = 2, .max_connections = 1, .spawn_rate = 3, .use = &use };
	uint64_t now_ms = 1000000;
	assert_int_equal(limit_enter_route(&route, now_ms), LIMIT_OK); /* of a service: it starts none */
	assert_int_equal(limit_enter_program(&route, now_ms), LIMIT_OK);
	assert_int_equal(limit_enter_program(&route, now_ms), LIMIT_OK);
	assert_int_equal(limit_enter_program(&route, now_ms), LIMIT_CHILDREN);
	limit_leave_program(&route);
	assert_int_equal(limit_enter_program(&route, now_ms), LIMIT_OK);
	limit_leave_program(&route);
	assert_int_equal(limit_enter_program(&route, now_ms), LIMIT_SPAWN_RATE);
	assert_int_equal(atomic_load(&use.children), 1);
	limit_leave_program(&route);
	limit_leave_route(&route, true);
	assert_int_equal(atomic_load(&use.connections), 0);
	assert_int_equal(atomic_load(&use.children), 0);
}

static void
spawn_rate_lets_a_second_s_worth_through_at_once_and_then_one_by_one(void **state)
{
	(void)state;
	struct route_use use = { 0 };
	struct route route = { .is_program = true, .spawn_rate = 10, .use = &use };
	uint64_t now_ms = 1000000;
	for (int i = 0; i < 10; i++)
		assert_int_equal(limit_enter_route(&route, now_ms), LIMIT_OK);
	assert_int_equal(limit_enter_route(&route, now_ms), LIMIT_SPAWN_RATE);
	assert_int_equal(limit_enter_route(&route, now_ms + 99), LIMIT_SPAWN_RATE);
	assert_int_equal(limit_enter_route(&route, now_ms + 100), LIMIT_OK);
	assert_int_equal(limit_enter_route(&route, now_ms + 100), LIMIT_SPAWN_RATE);
	assert_int_equal(atomic_load(&use.connections), 11);
}

struct crowd {
	struct limit *limit;
	struct config config;
};

static void *
come_and_go(void *arg)
{
	struct crowd *crowd = arg;
	struct address_short peer = address_of("127.0.0.1");
	for (int i = 0; i < 20000; i++)
		if (limit_enter(crowd->limit, &crowd->config, &peer) == LIMIT_OK)
			limit_leave(crowd->limit, &peer);
	return NULL;
}

static void
a_crowd_on_many_threads_leaves_nothing_behind(void **state)
{
	(void)state;
	struct crowd crowd = { limit_new(), { .max_connections = 3, .max_per_ip = 2 } };
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, come_and_go, &crowd);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(limit_connections(crowd.limit), 0);
	limit_free(crowd.limit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_is_full_at_max_connections),
		cmocka_unit_test(one_address_cannot_take_every_place),
		cmocka_unit_test(a_route_is_full_at_max_children_and_a_refusal_takes_nothing),
		cmocka_unit_test(programs_of_pages_share_the_places_of_programs_but_are_no_websockets),
		cmocka_unit_test(spawn_rate_lets_a_second_s_worth_through_at_once_and_then_one_by_one),
		cmocka_unit_test(a_crowd_on_many_threads_leaves_nothing_behind),
	};
	return cmocka_run_group_tests_name("gate/limit", tests, NULL, NULL);
}
