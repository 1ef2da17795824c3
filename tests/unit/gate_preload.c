/* Where the library is found that ends buffering, and where it is better not to be found. */
#include "gate/preload.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/wsgate-preload-XXXXXX";

static const char *
at(const char *below)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, PATH_MAX, "%s%s", root, below);
	return path;
}

static void
make(const char *below)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s", at(below));
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		mkdir(path, 0755);
	}
	int fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_int_not_equal(fd, -1);
	close(fd);
}

static int
begin(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/wsgate-preload-XXXXXX");
	return mkdtemp(root) == NULL ? -1 : chmod(root, 0755);
}

static int
end(void **state)
{
	char command[PATH_MAX];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command); /* NOLINT(cert-env33-c): the name is our own */
}

static void
assert_found(const char *directory, const char *expected)
{
	char path[PATH_MAX];
	if (!preload_find(at(directory), path))
		fail_msg("nothing is found from %s", directory);
	assert_string_equal(path, at(expected));
}

/* It may be installed on this machine. */
static void
assert_not_found_here(const char *directory)
{
	char path[PATH_MAX];
	if (preload_find(at(directory), path))
		assert_null(strstr(path, root));
}

static void
the_nearest_library_is_taken(void **state)
{
	(void)state;
	mkdir(at("/bin"), 0755);
	assert_not_found_here("/bin");
	make("/lib/wsgate/libwsgate-line.so");
	assert_found("/bin", "/lib/wsgate/libwsgate-line.so");
	make("/bin/build/libwsgate-line.so");
	assert_found("/bin", "/bin/build/libwsgate-line.so");
	make("/bin/libwsgate-line.so");
	assert_found("/bin", "/bin/libwsgate-line.so");
}

static void
a_name_that_the_dynamic_linker_would_take_for_two_is_passed_over(void **state)
{
	(void)state;
	make("/two words/libwsgate-line.so");
	make("/a:b/libwsgate-line.so");
	make("/$LIB/libwsgate-line.so");
	assert_not_found_here("/two words");
	assert_not_found_here("/a:b");
	assert_not_found_here("/$LIB");
	/* But the name that counts is the real one. */
	make("/good/libwsgate-line.so");
	assert_int_equal(symlink(at("/good"), at("/good name")), 0);
	assert_found("/good name", "/good/libwsgate-line.so");
}

static void
a_program_of_another_user_is_not_sent_where_it_may_not_go(void **state)
{
	(void)state;
	make("/home/libwsgate-line.so");
	assert_true(preload_is_for_all(at("/home/libwsgate-line.so")));
	chmod(at("/home"), 0750);
	assert_false(preload_is_for_all(at("/home/libwsgate-line.so")));
	chmod(at("/home"), 0711);
	assert_true(preload_is_for_all(at("/home/libwsgate-line.so")));
	chmod(at("/home/libwsgate-line.so"), 0640);
	assert_false(preload_is_for_all(at("/home/libwsgate-line.so")));
	assert_false(preload_is_for_all(at("/home/nothing.so")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_nearest_library_is_taken, begin, end),
		cmocka_unit_test_setup_teardown(a_name_that_the_dynamic_linker_would_take_for_two_is_passed_over, begin, end),
		cmocka_unit_test_setup_teardown(a_program_of_another_user_is_not_sent_where_it_may_not_go, begin, end),
	};
	return cmocka_run_group_tests_name("gate/preload", tests, NULL, NULL);
}
