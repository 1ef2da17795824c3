/* Programs in a folder: which path names which file, and that none leads out. */
#include "gate/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char top[64]; /* holds the folder "bin", and what must not be reached */
static char bin[80];
static struct folder_program found;

static const char *
at(const char *name)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void
make_file(const char *name, mode_t mode)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd != -1);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
make_socket(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", at(name));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static int
set_up(void **state)
{
	static const struct log_options quiet = { .level = LOG_LEVEL_FATAL, .target = "stderr" };
	(void)state;
	log_open(&quiet);
	snprintf(top, sizeof(top), "/tmp/wsgate-folder-XXXXXX");
	assert_non_null(mkdtemp(top));
	snprintf(bin, sizeof(bin), "%s/bin", top);
	mkdir(at("bin"), 0755);
	mkdir(at("bin/sub"), 0755);
	mkdir(at("bin/sub/deep"), 0755);
	mkdir(at("bin/.git"), 0755);
	mkdir(at("outside"), 0755);
	make_file("bin/count", 0755);
	make_file("bin/with space", 0755);
	make_file("bin/group", 0610);
	make_file("bin/sub/prog", 0755);
	make_file("bin/sub/deep/prog.sh", 0755);
	make_file("bin/plain", 0644);
	make_file("bin/.hidden", 0755);
	make_file("bin/.git/hook", 0755);
	make_file("outside/secret", 0755);
	make_socket("bin/socket");
	assert_int_equal(mkfifo(at("bin/fifo"), 0777), 0);
	assert_int_equal(symlink("../outside/secret", at("bin/out")), 0);
	assert_int_equal(symlink("../outside", at("bin/outdir")), 0);
	assert_int_equal(symlink("/bin/sh", at("bin/absolute")), 0);
	assert_int_equal(symlink("../bin/count", at("bin/around")), 0);
	assert_int_equal(symlink("/proc/self/root/bin/sh", at("bin/magic")), 0);
	assert_int_equal(symlink("sub/../count", at("bin/alias")), 0);
	assert_int_equal(symlink("deep", at("bin/sub/again")), 0);
	assert_int_equal(symlink("nowhere", at("bin/dangling")), 0);
	assert_int_equal(symlink("loop", at("bin/loop")), 0);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
clean_up(void **state)
{
	(void)state;
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int
find(const char *rest)
{
	memset(&found, 'x', sizeof(found));
	return folder_find(bin, "/tools", slice_of(rest), &found);
}

static void
each_program_is_at_its_own_name_and_the_rest_is_left(void **state)
{
	static const struct {
		const char *rest, *name, *file, *directory;
	} table[] = {
		{ "/count", "/count", "bin/count", "bin" },
		{ "/count/", "/count", "bin/count", "bin" },
		{ "/count/x/y", "/count", "bin/count", "bin" },
		{ "/count//.x/./", "/count", "bin/count", "bin" },
		{ "/with space", "/with space", "bin/with space", "bin" },
		{ "/group", "/group", "bin/group", "bin" },
		{ "/sub/prog", "/sub/prog", "bin/sub/prog", "bin/sub" },
		{ "/sub/prog/prog", "/sub/prog", "bin/sub/prog", "bin/sub" },
		{ "/sub/deep/prog.sh/x", "/sub/deep/prog.sh", "bin/sub/deep/prog.sh", "bin/sub/deep" },
		{ "/alias/x", "/alias", "bin/alias", "bin" },
		{ "/sub/again/prog.sh", "/sub/again/prog.sh", "bin/sub/again/prog.sh", "bin/sub/again" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (find(table[i].rest) != 200)
			fail_msg("%s is not found", table[i].rest);
		assert_int_equal(found.name_len, strlen(table[i].name));
		assert_string_equal(found.path, at(table[i].file));
		assert_string_equal(found.directory, at(table[i].directory));
	}
}

static void
what_is_no_program_is_not_there(void **state)
{
	static const char *const none[] = { "", "/", "//count", "/sub", "/sub/", "/sub//prog", "/sub/deep", "/missing",
		"/missing/x", "/plain", "/plain/x", "/socket", "/fifo", "/fifo/x", "/dangling", "/loop", "/loop/x", "/.hidden",
		"/.git/hook", "/.", "/./count", "/sub/../count", "/..", "count", "/COUNT" };
	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		if (find(none[i]) != 404)
			fail_msg("%s is found", none[i]);
	struct slice nul = { "/count\0x", 8 };
	assert_int_equal(folder_find(bin, "/", nul, &found), 404);
}

static void
no_link_leads_out(void **state)
{
	static const char *const out[] = { "/out", "/out/x", "/outdir/secret", "/absolute", "/magic", "/../outside/secret" };
	(void)state;
	for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++)
		if (find(out[i]) != 404)
			fail_msg("%s leads out", out[i]);
	assert_int_equal(find("/around"), 404); /* out and in again is out, too */
}

static void
a_path_of_any_length_is_answered(void **state)
{
	char name[9000];
	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(find(name), 404);
	for (size_t i = 0; i < sizeof(name) - 1; i += 2)
		name[i] = '/';
	assert_int_equal(find(name), 404);
	memcpy(name, "/count", 6);
	assert_int_equal(find(name), 200);
}

static void
a_folder_that_is_gone_is_the_operators_matter(void **state)
{
	(void)state;
	assert_int_equal(folder_find(at("gone"), "/", slice_of("/x"), &found), 500);
	assert_int_equal(folder_find(at("bin/count"), "/", slice_of("/x"), &found), 500);
}

static void
the_root_of_all_is_a_folder_too(void **state)
{
	(void)state;
	assert_int_equal(folder_find("/", "/", slice_of("/usr/bin/env/x"), &found), 200);
	assert_string_equal(found.path, "/usr/bin/env");
	assert_string_equal(found.directory, "/usr/bin");
	assert_int_equal(found.name_len, strlen("/usr/bin/env"));
}

/* --- somebody renames beside us --------------------------------------------------------------- */

static atomic_bool stop;

/* "swap" is now a directory with a program, now a link out of the folder. */
static void *
swap_on_and_on(void *arg)
{
	char swap[PATH_MAX], good[PATH_MAX], bad[PATH_MAX];
	(void)arg;
	snprintf(swap, sizeof(swap), "%s/bin/swap", top);
	snprintf(good, sizeof(good), "%s/bin/good", top);
	snprintf(bad, sizeof(bad), "%s/bin/bad", top);
	while (!atomic_load(&stop)) {
		renameat2(AT_FDCWD, swap, AT_FDCWD, bad, RENAME_EXCHANGE);
		renameat2(AT_FDCWD, swap, AT_FDCWD, good, RENAME_EXCHANGE);
		renameat2(AT_FDCWD, bad, AT_FDCWD, good, RENAME_EXCHANGE);
	}
	return NULL;
}

static void
a_swapped_directory_never_shows_what_lies_outside(void **state)
{
	pthread_t thread;
	size_t hits = 0;
	(void)state;
	mkdir(at("bin/swap"), 0755);
	make_file("bin/swap/inside", 0755);
	mkdir(at("bin/good"), 0755);
	make_file("bin/good/inside", 0755);
	assert_int_equal(symlink("../outside", at("bin/bad")), 0);
	assert_int_equal(pthread_create(&thread, NULL, swap_on_and_on, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		int status = find("/swap/secret");
		if (status != 404 && status != 503)
			fail_msg("a race was won: %d", status);
		hits += find("/swap/inside") == 200;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_true(hits > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_program_is_at_its_own_name_and_the_rest_is_left),
		cmocka_unit_test(what_is_no_program_is_not_there),
		cmocka_unit_test(no_link_leads_out),
		cmocka_unit_test(a_path_of_any_length_is_answered),
		cmocka_unit_test(a_folder_that_is_gone_is_the_operators_matter),
		cmocka_unit_test(the_root_of_all_is_a_folder_too),
		cmocka_unit_test(a_swapped_directory_never_shows_what_lies_outside),
	};
	return cmocka_run_group_tests_name("gate_folder", tests, set_up, clean_up);
}
