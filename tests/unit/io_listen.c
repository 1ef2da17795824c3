/* Connections come in, in batches; a shortage of descriptors is a pause and no spin; socket files have manners. */
#include "io/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

enum { CROWD = 200, BATCH_CEILING = 64 };

static char directory[] = "/tmp/wsgate-listen-XXXXXX";

static const char *
file_in_directory(const char *name, char out[static 100])
{
	snprintf(out, 100, "%s/%s", directory, name);
	return out;
}

/* Keeps what was accepted. */
struct host {
	struct loop *loop;
	struct listener *listener;
	struct loop_task turn;
	struct loop_timer timer;
	int fds[CROWD];
	int accepted;
	int expected; /* the loop stops then; 0: never */
	int in_turn, most_in_turn;
	bool closes_at_first;
	struct address peer;
};

static void
on_turn_end(void *owner)
{
	struct host *h = owner;

	if (h->in_turn > h->most_in_turn)
		h->most_in_turn = h->in_turn;
	h->in_turn = 0;
}

static void
on_connection(void *owner, int fd, const struct address *peer)
{
	struct host *h = owner;

	assert_true(h->accepted < CROWD);
	h->fds[h->accepted++] = fd;
	h->in_turn++;
	h->peer = *peer;
	loop_defer(h->loop, &h->turn, on_turn_end, h);
	if (h->closes_at_first) {
		listener_close(h->listener);
		h->listener = NULL;
	}
	if (h->accepted == h->expected)
		loop_stop(h->loop);
}

static void
on_enough(void *owner)
{
	struct host *h = owner;
	loop_stop(h->loop);
}

static void
host_run_for(struct host *h, uint64_t ms)
{
	loop_timer_init(&h->timer, h->loop, on_enough, h);
	loop_timer_set(&h->timer, ms);
	loop_run(h->loop);
}

static struct address
tcp_address(const char *host, uint16_t port)
{
	struct address a;

	assert_int_equal(address_from_numeric(slice_of(host), port, &a), 0);
	return a;
}

static struct address
unix_address(const char *path)
{
	struct address a;

	assert_int_equal(address_from_path(slice_of(path), &a), 0);
	return a;
}

static struct host *
host_open(struct address address, unsigned mode)
{
	struct host *h = calloc(1, sizeof(*h));
	struct listener_options opt = { .address = address, .unix_mode = mode };

	assert_non_null(h);
	h->loop = loop_new();
	assert_non_null(h->loop);
	h->listener = listener_open(h->loop, &opt, on_connection, h);
	assert_non_null(h->listener);
	return h;
}

static void
host_close(struct host *h)
{
	for (int i = 0; i < h->accepted; i++)
		close(h->fds[i]);
	listener_close(h->listener);
	loop_free(h->loop);
	free(h);
}

static int
try_to_open(struct address address)
{
	struct loop *loop = loop_new();
	struct listener_options opt = { .address = address };

	errno = 0;
	struct listener *l = listener_open(loop, &opt, on_connection, NULL);
	int error = l == NULL ? errno : 0;
	listener_close(l);
	loop_free(loop);
	return error;
}

static int
connect_to(const struct address *a)
{
	int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, (const struct sockaddr *)&a->storage, a->len) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
crowd_connect(struct host *h, int fds[], int count)
{
	for (int i = 0; i < count; i++) {
		fds[i] = connect_to(listener_address(h->listener));
		assert_true(fds[i] >= 0);
	}
}

static void
crowd_leave(int fds[], int count)
{
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

static int
socket_option(int fd, int level, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

static void
a_crowd_comes_in_by_batches_and_nobody_is_left_out(void **state)
{
	struct host *h = host_open(tcp_address("127.0.0.1", 0), 0);
	int clients[CROWD];

	(void)state;
	crowd_connect(h, clients, CROWD);
	h->expected = CROWD;
	loop_run(h->loop);
	assert_int_equal(h->accepted, CROWD);
	assert_true(h->most_in_turn > 1 && h->most_in_turn <= BATCH_CEILING);
	crowd_leave(clients, CROWD);
	host_close(h);
}

static void
an_accepted_socket_is_ready_for_use(void **state)
{
	struct host *h = host_open(tcp_address("127.0.0.1", 0), 0);
	char peer[ADDRESS_TEXT_MAX], client[ADDRESS_TEXT_MAX];
	struct address self = { .len = sizeof(self.storage) };
	int fd;

	(void)state;
	crowd_connect(h, &fd, 1);
	h->expected = 1;
	loop_run(h->loop);
	assert_true(fcntl(h->fds[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(h->fds[0], F_GETFD) & FD_CLOEXEC);
	assert_true(socket_option(h->fds[0], IPPROTO_TCP, TCP_NODELAY));
	assert_true(socket_option(h->fds[0], SOL_SOCKET, SO_KEEPALIVE));
	assert_in_range(socket_option(h->fds[0], IPPROTO_TCP, TCP_KEEPIDLE), 1, 120);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&self.storage, &self.len), 0);
	assert_string_equal(address_format(&h->peer, peer), address_format(&self, client));
	close(fd);
	host_close(h);
}

static void
the_port_that_the_kernel_chose_is_told(void **state)
{
	struct host *h = host_open(tcp_address("127.0.0.1", 0), 0);

	(void)state;
	assert_int_not_equal(address_port(listener_address(h->listener)), 0);
	assert_int_equal(try_to_open(*listener_address(h->listener)), EADDRINUSE);
	host_close(h);
}

static void
ipv6_leaves_the_port_of_ipv4_alone(void **state)
{
	struct host *v6 = host_open(tcp_address("::", 0), 0);
	uint16_t port = address_port(listener_address(v6->listener));
	struct address v4 = tcp_address("127.0.0.1", port);

	(void)state;
	assert_int_equal(connect_to(&v4), -1);
	assert_int_equal(try_to_open(v4), 0);
	host_close(v6);
}

static void
an_address_that_is_not_ours_is_refused(void **state)
{
	(void)state;
	assert_int_equal(try_to_open(tcp_address("192.0.2.1", 0)), EADDRNOTAVAIL);
}

static void
nothing_comes_after_a_close_from_within(void **state)
{
	struct host *h = host_open(tcp_address("127.0.0.1", 0), 0);
	int clients[5];

	(void)state;
	crowd_connect(h, clients, 5);
	h->closes_at_first = true;
	host_run_for(h, 50);
	assert_int_equal(h->accepted, 1);
	crowd_leave(clients, 5);
	host_close(h);
}

/* --- out of descriptors ---------------------------------------------------------------------- */

static int
occurrences(const char *path, const char *what)
{
	char text[16 * 1024];
	int count = 0;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		count++;
	return count;
}

static void
leave_descriptors(unsigned count)
{
	struct rlimit limit;
	int lowest = dup(0);

	assert_true(lowest >= 0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)lowest + count;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
restore_descriptors(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

struct shortage {
	struct host *host;
	struct loop_timer timer;
	int accepted;    /* when the descriptors were out */
	unsigned turns;  /* of the loop at that time */
	unsigned waited; /* turns, until relief came */
	const char *log;
};

static void
on_look_at_log(void *owner)
{
	struct shortage *s = owner;

	if (occurrences(s->log, "accepting again") > 0)
		loop_stop(s->host->loop);
	else
		loop_timer_set(&s->timer, 50);
}

static void
on_relief(void *owner)
{
	struct shortage *s = owner;

	s->waited = ev_iteration(loop_ev(s->host->loop)) - s->turns;
	s->accepted = s->host->accepted;
	for (int i = 0; i < s->host->accepted; i++)
		close(s->host->fds[i]);
	restore_descriptors();
	loop_timer_init(&s->timer, s->host->loop, on_look_at_log, s);
	loop_timer_set(&s->timer, 50);
}

static void
on_shortage(void *owner)
{
	struct shortage *s = owner;

	s->turns = ev_iteration(loop_ev(s->host->loop));
	loop_timer_init(&s->timer, s->host->loop, on_relief, s);
	loop_timer_set(&s->timer, 300);
}

static void
out_of_descriptors_is_a_pause_that_is_told_once_and_ends(void **state)
{
	enum { CLIENTS = 12, ROOM = 3 };
	char log[100];
	struct host *h = host_open(tcp_address("127.0.0.1", 0), 0);
	struct shortage s = { .host = h, .log = log };
	int clients[CLIENTS];

	(void)state;
	file_in_directory("log", log);
	assert_int_equal(log_open(&(struct log_options){ .level = LOG_LEVEL_INFO, .target = log }), 0);
	crowd_connect(h, clients, CLIENTS);
	leave_descriptors(ROOM);
	loop_timer_init(&s.timer, h->loop, on_shortage, &s);
	loop_timer_set(&s.timer, 20);
	loop_run(h->loop);
	assert_int_equal(s.accepted, ROOM);
	assert_true(s.waited < 20);
	assert_int_equal(h->accepted, CLIENTS);
	assert_int_equal(occurrences(log, "accepting pauses; raise LimitNOFILE or lower max_connections"), 1);
	assert_int_equal(occurrences(log, "accepting again"), 1);
	log_open(&(struct log_options){ .level = LOG_LEVEL_WARN, .target = "stderr" });
	memmove(h->fds, h->fds + ROOM, sizeof(h->fds[0]) * (CLIENTS - ROOM));
	h->accepted -= ROOM;
	crowd_leave(clients, CLIENTS);
	host_close(h);
	unlink(log);
}

/* --- socket files ---------------------------------------------------------------------------- */

static bool
exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

/* Leaves a file behind as a server that crashed does. */
static void
make_stale_socket(const char *path)
{
	struct address a = unix_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&a.storage, a.len), 0);
	close(fd);
}

static void
expect_answer(struct host *h)
{
	int fd = connect_to(listener_address(h->listener));

	assert_true(fd >= 0);
	h->expected = h->accepted + 1;
	loop_run(h->loop);
	assert_int_equal(h->accepted, h->expected);
	close(fd);
}

static void
a_unix_socket_is_there_while_it_is_open(void **state)
{
	char path[100];
	struct host *h = host_open(unix_address(file_in_directory("s", path)), 0);

	(void)state;
	expect_answer(h);
	assert_int_equal(h->peer.storage.ss_family, AF_UNIX);
	host_close(h);
	assert_false(exists(path));
}

static void
a_stale_socket_file_is_replaced(void **state)
{
	char path[100];

	(void)state;
	make_stale_socket(file_in_directory("s", path));
	struct host *h = host_open(unix_address(path), 0);
	expect_answer(h);
	host_close(h);
	assert_false(exists(path));
}

static void
a_socket_that_answers_is_left_alone(void **state)
{
	char path[100];
	struct host *h = host_open(unix_address(file_in_directory("s", path)), 0);

	(void)state;
	assert_int_equal(try_to_open(unix_address(path)), EADDRINUSE);
	assert_true(exists(path));
	/* The probe was a connection too: it is gone again, and the next one is served. */
	h->expected = 1;
	loop_run(h->loop);
	host_close(h);
}

/* Too busy to answer, or of another kind: alive all the same. */
static void
a_socket_that_cannot_answer_now_is_left_alone(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	char path[100];

	(void)state;
	struct address a = unix_address(file_in_directory("s", path));
	for (size_t i = 0; i < 2; i++) {
		int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0), client = -1;
		assert_int_equal(bind(fd, (const struct sockaddr *)&a.storage, a.len), 0);
		if (types[i] == SOCK_STREAM) {
			assert_int_equal(listen(fd, 0), 0);
			client = connect_to(&a);
		}
		assert_int_equal(try_to_open(a), EADDRINUSE);
		assert_true(exists(path));
		unlink(path);
		if (client != -1)
			close(client);
		close(fd);
	}
}

static void
a_file_that_is_no_socket_is_left_alone(void **state)
{
	char path[100], link[100];

	(void)state;
	int fd = open(file_in_directory("precious", path), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_int_equal(try_to_open(unix_address(path)), EADDRINUSE);
	assert_true(exists(path));
	assert_int_equal(symlink(path, file_in_directory("link", link)), 0);
	assert_int_equal(try_to_open(unix_address(link)), EADDRINUSE);
	assert_true(exists(link) && exists(path));
	unlink(link);
	unlink(path);
	close(fd);
}

static void
a_file_that_another_put_in_our_place_is_not_removed(void **state)
{
	char path[100];
	struct host *old = host_open(unix_address(file_in_directory("s", path)), 0);

	(void)state;
	unlink(path);
	struct host *new = host_open(unix_address(path), 0);
	host_close(old);
	assert_true(exists(path));
	expect_answer(new);
	host_close(new);
	assert_false(exists(path));
}

static void
the_mode_is_the_one_that_was_asked_for(void **state)
{
	static const struct {
		mode_t umask;
		unsigned asked;
		mode_t got;
	} rows[] = {
		{ 022, 0, 0644 },
		{ 0, 0, 0666 },
		{ 0, 0600, 0600 },
		{ 077, 0666, 0666 },
		{ 0777, 0660, 0660 },
	};
	char path[100];

	(void)state;
	file_in_directory("s", path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mode_t before = umask(rows[i].umask);
		struct host *h = host_open(unix_address(path), rows[i].asked);
		umask(before);
		assert_int_equal(mode_of(path), rows[i].got);
		host_close(h);
	}
}

static void
the_owner_is_the_one_that_was_asked_for(void **state)
{
	char path[100];
	struct stat st;
	struct loop *loop = loop_new();
	struct listener_options opt = {
		.address = unix_address(file_in_directory("s", path)), .has_owner = true, .uid = 12345, .gid = 54321
	};

	(void)state;
	struct listener *l = listener_open(loop, &opt, on_connection, NULL);
	if (geteuid() == 0) {
		assert_non_null(l);
		assert_int_equal(lstat(path, &st), 0);
		assert_int_equal(st.st_uid, 12345);
		assert_int_equal(st.st_gid, 54321);
		listener_close(l);
	} else {
		assert_null(l);
		assert_int_equal(errno, EPERM);
	}
	assert_false(exists(path));
	loop_free(loop);
}

static void
an_abstract_socket_leaves_no_file(void **state)
{
	char name[100];

	(void)state;
	snprintf(name, sizeof(name), "@wsgate-test-%d", (int)getpid());
	struct host *h = host_open(unix_address(name), 0600);
	expect_answer(h);
	assert_int_equal(try_to_open(unix_address(name)), EADDRINUSE);
	host_close(h);
}

static void
a_directory_that_is_missing_is_said(void **state)
{
	char path[100];

	(void)state;
	assert_int_equal(try_to_open(unix_address(file_in_directory("missing/s", path))), ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_comes_in_by_batches_and_nobody_is_left_out),
		cmocka_unit_test(an_accepted_socket_is_ready_for_use),
		cmocka_unit_test(the_port_that_the_kernel_chose_is_told),
		cmocka_unit_test(ipv6_leaves_the_port_of_ipv4_alone),
		cmocka_unit_test(an_address_that_is_not_ours_is_refused),
		cmocka_unit_test(nothing_comes_after_a_close_from_within),
		cmocka_unit_test(out_of_descriptors_is_a_pause_that_is_told_once_and_ends),
		cmocka_unit_test(a_unix_socket_is_there_while_it_is_open),
		cmocka_unit_test(a_stale_socket_file_is_replaced),
		cmocka_unit_test(a_socket_that_answers_is_left_alone),
		cmocka_unit_test(a_socket_that_cannot_answer_now_is_left_alone),
		cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
		cmocka_unit_test(a_file_that_another_put_in_our_place_is_not_removed),
		cmocka_unit_test(the_mode_is_the_one_that_was_asked_for),
		cmocka_unit_test(the_owner_is_the_one_that_was_asked_for),
		cmocka_unit_test(an_abstract_socket_leaves_no_file),
		cmocka_unit_test(a_directory_that_is_missing_is_said),
	};

	alarm(30);
	if (mkdtemp(directory) == NULL)
		return 1;
	restore_descriptors();
	int failed = cmocka_run_group_tests_name("io/listen", tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
