/* A process that ends is noticed once, on whatever loop watches it, and leaves no zombie. */
#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY = 40, NEVER = -1 };

/* A child that says how it wants to end, when GATE is closed or at once. */
struct program {
	pid_t pid;
	int pidfd;
	int gate;
};

/* Lives until its gate is opened or we are gone, then exits with STATUS, or raises -STATUS. */
static struct program
program_start(int status)
{
	int gate[2];
	char c;

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(gate[1]);
		while (read(gate[0], &c, 1) == -1)
			;
		if (status < 0)
			raise(-status);
		_exit(status);
	}
	close(gate[0]);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(pidfd >= 0);
	return (struct program){ pid, pidfd, gate[1] };
}

static void
program_end(struct program *p)
{
	/* A byte, not only the end of file: programs started later hold the gates of the earlier ones open. */
	assert_int_equal(write(p->gate, "", 1), 1);
	close(p->gate);
}

static bool
is_reaped(const struct program *p)
{
	return waitpid(p->pid, NULL, WNOHANG) == -1 && errno == ECHILD;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

struct watch {
	struct loop *loop;
	struct child *child;
	int calls;
	int status;
	int *left; /* the loop stops with the last one */
};

static void
on_end(void *owner, int status)
{
	struct watch *w = owner;

	w->calls++;
	w->status = status;
	/* The owner may do away with the child from within. */
	child_forget(w->child);
	free(w->child);
	w->child = NULL;
	if (--*w->left == 0)
		loop_stop(w->loop);
}

static void
watch_start(struct watch *w, struct loop *loop, struct program *p, int *left)
{
	*w = (struct watch){ .loop = loop, .status = NEVER, .left = left };
	w->child = malloc(sizeof(*w->child));
	assert_non_null(w->child);
	child_watch(w->child, loop, p->pidfd, on_end, w);
}

static int
status_seen(int how, bool is_dead_before)
{
	struct loop *loop = loop_new();
	struct program p = program_start(how);
	struct watch w;
	int left = 1;

	assert_non_null(loop);
	if (is_dead_before) {
		siginfo_t info;
		program_end(&p);
		assert_int_equal(waitid(P_PID, (id_t)p.pid, &info, WEXITED | WNOWAIT), 0);
	}
	watch_start(&w, loop, &p, &left);
	if (!is_dead_before)
		program_end(&p);
	assert_int_equal(w.calls, 0);
	loop_run(loop);
	assert_int_equal(w.calls, 1);
	assert_true(is_reaped(&p));
	assert_false(is_open(p.pidfd));
	loop_free(loop);
	return w.status;
}

static void
an_exit_status_is_told(void **state)
{
	(void)state;
	int zero = status_seen(0, false), three = status_seen(3, false), most = status_seen(255, false);
	assert_true(WIFEXITED(zero) && WEXITSTATUS(zero) == 0);
	assert_true(WIFEXITED(three) && WEXITSTATUS(three) == 3);
	assert_true(WIFEXITED(most) && WEXITSTATUS(most) == 255);
}

static void
a_signal_is_told(void **state)
{
	(void)state;
	int status = status_seen(-SIGKILL, false);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = status_seen(-SIGTERM, true);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	status = status_seen(-SIGABRT, false);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
one_that_is_dead_already_is_told_too(void **state)
{
	(void)state;
	int status = status_seen(7, true);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* The loop of a worker thread: libev's own child watchers would stay silent there. */
static void *
watch_many(void *arg)
{
	struct program *p = arg;
	struct watch w[MANY];
	int left = MANY;
	struct loop *loop = loop_new();

	for (int i = 0; i < MANY; i++)
		watch_start(&w[i], loop, &p[i], &left);
	for (int i = MANY; i-- > 0;)
		program_end(&p[i]);
	loop_run(loop);
	loop_free(loop);
	for (int i = 0; i < MANY; i++)
		if (w[i].calls != 1 || !WIFEXITED(w[i].status) || WEXITSTATUS(w[i].status) != i)
			return "a program's end was mixed up, or not told once";
	return NULL;
}

static void
many_that_end_at_once_are_each_told_once_on_another_thread(void **state)
{
	struct program p[MANY];
	pthread_t thread;
	void *complaint;

	(void)state;
	for (int i = 0; i < MANY; i++)
		p[i] = program_start(i);
	assert_int_equal(pthread_create(&thread, NULL, watch_many, p), 0);
	assert_int_equal(pthread_join(thread, &complaint), 0);
	assert_null(complaint);
	for (int i = 0; i < MANY; i++)
		assert_true(is_reaped(&p[i]));
}

static void
never(void *owner, int status)
{
	(void)owner, (void)status;
	fail_msg("a forgotten child was told of");
}

static void
one_that_is_forgotten_is_not_told_of_and_not_reaped(void **state)
{
	struct loop *loop = loop_new();
	struct program lost = program_start(5), other = program_start(0);
	struct child c = { 0 };
	struct watch w;
	int left = 1, status;
	siginfo_t info;

	(void)state;
	assert_int_equal(dup2(lost.pidfd, 0), 0);
	child_forget(&c); /* zeroed, it watches nothing: descriptor 0 is not its own */
	assert_true(is_open(0));
	child_watch(&c, loop, lost.pidfd, never, NULL);
	watch_start(&w, loop, &other, &left);
	program_end(&lost);
	assert_int_equal(waitid(P_PID, (id_t)lost.pid, &info, WEXITED | WNOWAIT), 0);
	child_forget(&c);
	child_forget(&c);
	assert_false(is_open(lost.pidfd));
	program_end(&other);
	loop_run(loop);
	assert_int_equal(waitpid(lost.pid, &status, 0), lost.pid);
	assert_int_equal(WEXITSTATUS(status), 5);
	loop_free(loop);
}

static void
one_that_was_killed_is_reaped_on_the_spot(void **state)
{
	struct loop *loop = loop_new();
	struct program p = program_start(0);
	struct child c;

	(void)state;
	child_watch(&c, loop, p.pidfd, never, NULL);
	assert_int_equal(kill(p.pid, SIGKILL), 0);
	close(p.gate);
	int status = child_reap(&c);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(is_reaped(&p));
	assert_false(is_open(p.pidfd));
	child_forget(&c);
	loop_free(loop);
}

static void
an_end_whose_status_is_lost_is_still_an_end_and_no_success(void **state)
{
	(void)state;
	signal(SIGCHLD, SIG_IGN); /* as a careless parent may hand it down: the kernel reaps */
	int status = status_seen(0, false);
	signal(SIGCHLD, SIG_DFL);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 255);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exit_status_is_told),
		cmocka_unit_test(a_signal_is_told),
		cmocka_unit_test(one_that_is_dead_already_is_told_too),
		cmocka_unit_test(many_that_end_at_once_are_each_told_once_on_another_thread),
		cmocka_unit_test(one_that_is_forgotten_is_not_told_of_and_not_reaped),
		cmocka_unit_test(one_that_was_killed_is_reaped_on_the_spot),
		cmocka_unit_test(an_end_whose_status_is_lost_is_still_an_end_and_no_success),
	};

	alarm(30);
	return cmocka_run_group_tests_name("io/child", tests, NULL, NULL);
}
