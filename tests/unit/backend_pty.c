/* pty: a raw terminal, or an error and nothing left open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend/pty.h"

static void
what_is_written_comes_as_it_is(void **state)
{
	int ours, theirs;
	char got[8] = "";

	(void)state;
	assert_int_equal(pty_open(&ours, &theirs), 0);
	assert_int_equal(write(theirs, "a\nb\x03\x04", 5), 5);
	assert_int_equal(read(ours, got, sizeof(got)), 5);
	assert_memory_equal(got, "a\nb\x03\x04", 5);
	close(ours);
	close(theirs);
}

static void
without_descriptors_nothing_stays_open(void **state)
{
	struct rlimit before, fewer;
	int ours = -1, theirs = -1, first = dup(STDIN_FILENO);

	(void)state;
	close(first);
	getrlimit(RLIMIT_NOFILE, &before);
	fewer = before;
	for (int count = 0; count < 2; count++) {
		fewer.rlim_cur = (rlim_t)(first + count);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &fewer), 0);
		errno = 0;
		assert_int_equal(pty_open(&ours, &theirs), -1);
		assert_int_equal(errno, EMFILE);
		assert_int_equal(fcntl(first, F_GETFD), -1);
	}
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(ours, -1);
	assert_int_equal(theirs, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_comes_as_it_is),
		cmocka_unit_test(without_descriptors_nothing_stays_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
