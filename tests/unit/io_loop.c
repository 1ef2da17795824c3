/* The loop: what is deferred, posted and timed runs when it was promised, and nothing runs twice. */
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct story {
	struct loop *loop;
	struct loop_task task, other;
	struct loop_timer timer;
	char told[64];
	int rounds;
};

static void
tell(struct story *s, const char *word)
{
	strcat(s->told, word);
}

static void
task_b(void *owner)
{
	tell(owner, "b");
}

static void
task_a(void *owner)
{
	struct story *s = owner;
	tell(s, "a");
	loop_defer(s->loop, &s->other, task_b, s);
}

static void
stop(void *owner)
{
	struct story *s = owner;
	tell(s, "!");
	loop_stop(s->loop);
}

static struct story *
begin(void)
{
	struct story *s = calloc(1, sizeof(*s));
	s->loop = loop_new();
	assert_non_null(s->loop);
	return s;
}

static void
end(struct story *s)
{
	loop_free(s->loop);
	free(s);
}

static void
a_deferred_task_runs_once_and_what_it_defers_runs_in_the_same_turn(void **state)
{
	(void)state;
	struct story *s = begin();
	loop_defer(s->loop, &s->task, task_a, s);
	loop_defer(s->loop, &s->task, task_a, s); /* pending already: changes nothing */
	loop_post(s->loop, stop, s);
	loop_run(s->loop);
	assert_string_equal(s->told, "ab!");
	end(s);
}

static void
a_cancelled_task_never_runs_and_its_neighbours_do(void **state)
{
	(void)state;
	struct story *s = begin();
	struct loop_task first = { 0 }, last = { 0 };
	loop_defer(s->loop, &first, task_b, s);
	loop_defer(s->loop, &s->task, task_a, s);
	loop_defer_cancel(s->loop, &s->task);
	loop_defer(s->loop, &last, task_b, s);
	loop_defer_cancel(s->loop, &last);
	loop_defer(s->loop, &last, task_b, s);
	loop_post(s->loop, stop, s);
	loop_run(s->loop);
	assert_string_equal(s->told, "bb!");
	end(s);
}

static void
count(void *owner)
{
	struct story *s = owner;
	if (++s->rounds == 4000)
		loop_stop(s->loop);
}

static void *
post_many(void *arg)
{
	struct story *s = arg;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(loop_post(s->loop, count, s), 0);
	return NULL;
}

static void
posts_of_many_threads_all_arrive(void **state)
{
	(void)state;
	struct story *s = begin();
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, post_many, s);
	loop_run(s->loop);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(s->rounds, 4000);
	end(s);
}

static void
on_timer(void *owner)
{
	struct story *s = owner;
	tell(s, "t");
	if (++s->rounds < 3)
		loop_timer_set(&s->timer, 1);
	else
		loop_stop(s->loop);
}

static void
a_timer_fires_once_for_each_time_it_is_set_and_never_early(void **state)
{
	(void)state;
	struct story *s = begin();
	loop_timer_init(&s->timer, s->loop, on_timer, s);
	assert_false(loop_timer_is_set(&s->timer));
	uint64_t begun_ms = loop_now_ms(s->loop);
	loop_timer_set(&s->timer, 60000);
	loop_timer_set(&s->timer, 30); /* moved */
	assert_true(loop_timer_is_set(&s->timer));
	loop_run(s->loop);
	assert_string_equal(s->told, "ttt");
	assert_true(loop_now_ms(s->loop) - begun_ms >= 20); /* the clock is coarse: some milliseconds */
	end(s);
}

static void
what_is_posted_to_a_loop_that_never_runs_is_not_lost(void **state)
{
	(void)state;
	struct story *s = begin();
	loop_post(s->loop, task_b, s);
	struct loop *loop = s->loop;
	loop_free(loop);
	assert_string_equal(s->told, "b");
	free(s);
}

static void
without_descriptors_there_is_no_loop(void **state)
{
	(void)state;
	struct rlimit before, fewer;
	getrlimit(RLIMIT_NOFILE, &before);
	fewer = before;
	struct loop *loop = NULL;
	int first = dup(STDIN_FILENO), count = 0;
	close(first);
	for (; loop == NULL && count < 10; count++) {
		fewer.rlim_cur = (rlim_t)(first + count);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &fewer), 0);
		errno = 0;
		loop = loop_new();
		assert_true(loop != NULL || (errno == EMFILE && fcntl(first, F_GETFD) == -1));
	}
	setrlimit(RLIMIT_NOFILE, &before);
	assert_non_null(loop);
	assert_true(count > 1);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deferred_task_runs_once_and_what_it_defers_runs_in_the_same_turn),
		cmocka_unit_test(a_cancelled_task_never_runs_and_its_neighbours_do),
		cmocka_unit_test(posts_of_many_threads_all_arrive),
		cmocka_unit_test(a_timer_fires_once_for_each_time_it_is_set_and_never_early),
		cmocka_unit_test(what_is_posted_to_a_loop_that_never_runs_is_not_lost),
		cmocka_unit_test(without_descriptors_there_is_no_loop),
	};
	return cmocka_run_group_tests_name("io/loop", tests, NULL, NULL);
}
