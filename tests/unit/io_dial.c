/*
 * Outgoing connections, to listeners on the loopback and names from a DNS server of our own. That
 * server, its resolv.conf and its hosts file live in private namespaces; where those are not to be
 * had, the tests of names are skipped.
 */
#include "io/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/resolve.h"

static char directory[] = "/tmp/wsgate-dial-XXXXXX";
static bool has_namespace;

static const char *
file_in_directory(const char *name, char out[static 100])
{
	snprintf(out, 100, "%s/%s", directory, name);
	return out;
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* --- someone to call ------------------------------------------------------------------------- */

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

/* Listens at A, whose port it fills in. */
static int
serve(struct address *a, int backlog)
{
	int on = 1;
	int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (const struct sockaddr *)&a->storage, a->len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a->storage, &a->len), 0);
	return fd;
}

/* A port that nobody listens on and nobody can take: it is bound. */
static int
serve_nobody(struct address *a)
{
	int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a->storage, a->len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a->storage, &a->len), 0);
	return fd;
}

enum { FILLERS = 4 };

/* Fills a backlog of 0 or 1 so that no further connection is answered. */
static void
fill_backlog(const struct address *a, int fillers[FILLERS])
{
	for (int i = 0; i < FILLERS; i++) {
		fillers[i] = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(fillers[i] >= 0);
		(void)!connect(fillers[i], (const struct sockaddr *)&a->storage, a->len);
	}
}

static void
close_all(int fds[], int count)
{
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

/* --- the caller ------------------------------------------------------------------------------ */

struct caller {
	struct loop *loop;
	struct loop_timer timer;
	int calls;
	enum dial_result result;
	int fd;
	char detail[200];
};

static void
on_dial(void *owner, enum dial_result result, int fd, const char *detail)
{
	struct caller *c = owner;

	c->calls++;
	c->result = result;
	c->fd = fd;
	assert_non_null(detail);
	snprintf(c->detail, sizeof(c->detail), "%s", detail);
	assert_true((fd != -1) == (result == DIAL_CONNECTED));
	loop_stop(c->loop);
}

static void
caller_open(struct caller *c)
{
	*c = (struct caller){ .loop = loop_new(), .fd = -1 };
	assert_non_null(c->loop);
}

static void
caller_close(struct caller *c)
{
	if (c->fd != -1)
		close(c->fd);
	resolve_close(c->loop);
	loop_free(c->loop);
}

static struct dial *
caller_start(struct caller *c, const struct dial_options *opt)
{
	struct dial *d = dial_start(c->loop, opt, on_dial, c);

	assert_non_null(d);
	assert_int_equal(c->calls, 0);
	return d;
}

static enum dial_result
caller_dial(struct caller *c, struct dial_options opt)
{
	caller_start(c, &opt);
	loop_run(c->loop);
	assert_int_equal(c->calls, 1);
	return c->result;
}

/* The result of one dial, on a loop of its own; what FD was is checked and forgotten. */
static enum dial_result
dial(struct dial_options opt, char detail[static 200])
{
	struct caller c;

	caller_open(&c);
	enum dial_result result = caller_dial(&c, opt);
	memcpy(detail, c.detail, sizeof(c.detail));
	caller_close(&c);
	return result;
}

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- numbers and paths ----------------------------------------------------------------------- */

static void
expect_conversation(int listener, int fd)
{
	char byte = 0;
	int peer = accept(listener, NULL, NULL);

	assert_true(peer >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(peer, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(peer);
}

static void
a_service_on_this_machine_answers(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "::1" };
	int on = 0;
	socklen_t len = sizeof(on);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct address a = tcp_address(hosts[i], 0);
		int listener = serve(&a, 5);
		struct caller c;
		caller_open(&c);
		assert_int_equal(
			caller_dial(&c, (struct dial_options){ .host = hosts[i], .port = address_port(&a), .timeout_ms = 5000 }),
			DIAL_CONNECTED);
		assert_true(fcntl(c.fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(c.fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(getsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
		assert_true(on);
		expect_conversation(listener, c.fd);
		caller_close(&c);
		close(listener);
	}
}

static void
a_unix_socket_answers_by_path_or_by_name(void **state)
{
	char path[100], name[100];

	(void)state;
	snprintf(name, sizeof(name), "@wsgate-dial-%d", (int)getpid());
	const char *const names[] = { file_in_directory("s", path), name };
	for (size_t i = 0; i < 2; i++) {
		struct address a = unix_address(names[i]);
		int listener = serve(&a, 5);
		struct caller c;
		caller_open(&c);
		assert_int_equal(
			caller_dial(&c, (struct dial_options){ .unix_path = names[i], .timeout_ms = 5000 }), DIAL_CONNECTED);
		expect_conversation(listener, c.fd);
		caller_close(&c);
		close(listener);
	}
	unlink(path);
}

static void
a_port_that_nobody_listens_on_is_refused(void **state)
{
	struct address a = tcp_address("127.0.0.1", 0);
	int fd = serve_nobody(&a);
	char detail[200];

	(void)state;
	assert_int_equal(dial((struct dial_options){ .host = "127.0.0.1", .port = address_port(&a), .timeout_ms = 5000 }, detail),
		DIAL_REFUSED);
	assert_string_equal(detail, "Connection refused");
	close(fd);
}

static void
a_missing_or_dead_socket_file_is_refused(void **state)
{
	char path[100], detail[200], endless[300];

	(void)state;
	file_in_directory("s", path);
	assert_int_equal(dial((struct dial_options){ .unix_path = path, .timeout_ms = 5000 }, detail), DIAL_REFUSED);
	assert_string_equal(detail, "No such file or directory");
	struct address a = unix_address(path);
	close(serve_nobody(&a));
	assert_int_equal(dial((struct dial_options){ .unix_path = path, .timeout_ms = 5000 }, detail), DIAL_REFUSED);
	assert_string_equal(detail, "Connection refused");
	unlink(path);
	memset(endless, 'a', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(dial((struct dial_options){ .unix_path = endless, .timeout_ms = 5000 }, detail), DIAL_REFUSED);
	assert_string_equal(detail, "the path is too long for a unix socket");
}

static void
expect_timeout(struct dial_options opt, const char *detail)
{
	char got[200];
	uint64_t began_ms = clock_ms();

	opt.timeout_ms = 300;
	assert_int_equal(dial(opt, got), DIAL_TIMED_OUT);
	uint64_t took_ms = clock_ms() - began_ms;
	assert_string_equal(got, detail);
	assert_true(took_ms >= 250 && took_ms < 5000);
}

static void
a_service_that_does_not_answer_is_given_up_at_the_deadline(void **state)
{
	struct address a = tcp_address("127.0.0.1", 0);
	int listener = serve(&a, 0);
	int fillers[FILLERS];

	(void)state;
	fill_backlog(&a, fillers);
	expect_timeout((struct dial_options){ .host = "127.0.0.1", .port = address_port(&a) }, "no answer in time");
	close_all(fillers, FILLERS);
	close(listener);
}

static void
a_unix_socket_whose_backlog_stays_full_is_given_up_too(void **state)
{
	char path[100];
	struct address a = unix_address(file_in_directory("s", path));
	int listener = serve(&a, 0);
	int fillers[FILLERS];

	(void)state;
	fill_backlog(&a, fillers);
	expect_timeout((struct dial_options){ .unix_path = path }, "its backlog stays full");
	close_all(fillers, FILLERS);
	close(listener);
	unlink(path);
}

struct relief {
	struct loop_timer timer;
	int listener;
};

static void
on_relief(void *owner)
{
	struct relief *r = owner;
	int fd;

	fcntl(r->listener, F_SETFL, O_NONBLOCK);
	while ((fd = accept(r->listener, NULL, NULL)) != -1)
		close(fd);
}

static void
a_busy_unix_socket_is_reached_once_it_has_room(void **state)
{
	char path[100];
	struct address a = unix_address(file_in_directory("s", path));
	struct relief r = { .listener = serve(&a, 0) };
	int fillers[FILLERS];
	struct caller c;

	(void)state;
	fill_backlog(&a, fillers);
	caller_open(&c);
	loop_timer_init(&r.timer, c.loop, on_relief, &r);
	loop_timer_set(&r.timer, 60);
	assert_int_equal(caller_dial(&c, (struct dial_options){ .unix_path = path, .timeout_ms = 10000 }), DIAL_CONNECTED);
	assert_false(loop_timer_is_set(&r.timer));
	caller_close(&c);
	close_all(fillers, FILLERS);
	close(r.listener);
	unlink(path);
}

static void
leave_no_descriptors(struct rlimit *before)
{
	struct rlimit none;
	int lowest = dup(0);

	assert_true(lowest >= 0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	none = *before;
	none.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void
out_of_descriptors_is_not_the_service_s_fault(void **state)
{
	struct caller c;
	struct rlimit before;

	(void)state;
	caller_open(&c);
	leave_no_descriptors(&before);
	enum dial_result result = caller_dial(&c, (struct dial_options){ .host = "127.0.0.1", .port = 1, .timeout_ms = 5000 });
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(result, DIAL_NO_RESOURCES);
	assert_string_equal(c.detail, strerror(EMFILE));
	caller_close(&c);
}

static void
on_enough(void *owner)
{
	struct caller *c = owner;
	loop_stop(c->loop);
}

static void
caller_run_for(struct caller *c, uint64_t ms)
{
	loop_timer_init(&c->timer, c->loop, on_enough, c);
	loop_timer_set(&c->timer, ms);
	loop_run(c->loop);
}

struct change_of_mind {
	struct loop_timer timer;
	struct dial *dial;
};

static void
on_change_of_mind(void *owner)
{
	struct change_of_mind *m = owner;
	dial_cancel(m->dial);
}

/* Cancelled at once, or after some turns of the loop. Nothing may come of it. */
static void
expect_silence_after_cancel(struct dial_options opt)
{
	struct change_of_mind m;
	struct caller c;

	opt.timeout_ms = 150;
	caller_open(&c);
	dial_cancel(caller_start(&c, &opt));
	m.dial = caller_start(&c, &opt);
	loop_timer_init(&m.timer, c.loop, on_change_of_mind, &m);
	loop_timer_set(&m.timer, 50);
	caller_run_for(&c, 300);
	assert_int_equal(c.calls, 0);
	caller_close(&c);
}

static void
a_cancelled_dial_says_nothing(void **state)
{
	struct address a = tcp_address("127.0.0.1", 0);
	int listener = serve(&a, 0);
	int fillers[FILLERS];

	(void)state;
	fill_backlog(&a, fillers);
	expect_silence_after_cancel((struct dial_options){ .host = "127.0.0.1", .port = address_port(&a) });
	close_all(fillers, FILLERS);
	close(listener);
	dial_cancel(NULL);
}

/* --- names ----------------------------------------------------------------------------------- */

/*
 * A name server on port 53. two.test: 127.0.0.2 and 127.0.0.3; far.test: 127.0.0.2, with an answer
 * that comes only when asked for again; silent.test: no answer at all; all else does not exist.
 */
struct name_server {
	struct ev_loop *ev;
	ev_io io;
	int fd;
	int queries, two_queries, far_queries;
};

static bool
asks_for(const unsigned char *query, ssize_t len, const char *label)
{
	size_t n = strlen(label);
	return len > 13 + (ssize_t)n && query[12] == n && memcmp(query + 13, label, n) == 0;
}

static size_t
add_answer(unsigned char *at, unsigned char last)
{
	const unsigned char answer[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, last };

	memcpy(at, answer, sizeof(answer));
	return sizeof(answer);
}

/* Makes a reply of the query in MSG. Returns its length, 0 for none. */
static size_t
reply_to(struct name_server *s, unsigned char *msg, ssize_t len)
{
	size_t end = (size_t)len;
	bool wants_ipv4 = msg[len - 3] == 1;
	bool is_two = asks_for(msg, len, "two"), is_far = asks_for(msg, len, "far");

	s->two_queries += is_two;
	if (asks_for(msg, len, "silent") || (is_far && s->far_queries++ < 2))
		return 0;
	msg[2] = 0x81; /* a response */
	msg[3] = is_two || is_far ? 0x80 : 0x83;
	if (wants_ipv4 && (is_two || is_far)) {
		msg[7] = is_two ? 2 : 1;
		end += add_answer(msg + end, 2);
		if (is_two)
			end += add_answer(msg + end, 3);
	}
	return end;
}

static void
on_query(struct ev_loop *ev, ev_io *w, int revents)
{
	struct name_server *s = w->data;
	unsigned char msg[600];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);

	(void)ev, (void)revents;
	ssize_t len = recvfrom(s->fd, msg, 512, 0, (struct sockaddr *)&from, &from_len);
	if (len < 17)
		return;
	s->queries++;
	size_t out = reply_to(s, msg, len);
	if (out > 0)
		assert_int_equal(sendto(s->fd, msg, out, 0, (struct sockaddr *)&from, from_len), out);
}

static void
name_server_open(struct name_server *s, struct loop *loop, const char *host)
{
	struct address a = tcp_address(host, 53);

	*s = (struct name_server){ .ev = loop_ev(loop), .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(bind(s->fd, (const struct sockaddr *)&a.storage, a.len), 0);
	ev_io_init(&s->io, on_query, s->fd, EV_READ);
	s->io.data = s;
	ev_io_start(s->ev, &s->io);
}

static void
name_server_close(struct name_server *s)
{
	ev_io_stop(s->ev, &s->io);
	close(s->fd);
}

/* A change must be seen, however soon after the last one it comes. */
static void
write_resolv_conf(const char *nameserver)
{
	static time_t stamp = 1000000000;
	char path[100], text[100];

	snprintf(text, sizeof(text), "nameserver %s\n", nameserver);
	write_file(file_in_directory("resolv.conf", path), text);
	stamp++;
	const struct timespec times[2] = { { .tv_sec = stamp }, { .tv_sec = stamp } };
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
a_name_is_found_in_the_hosts_file(void **state)
{
	struct address a = tcp_address("127.0.0.1", 0);
	int listener = serve(&a, 5);
	struct caller c;

	(void)state;
	caller_open(&c);
	assert_int_equal(
		caller_dial(&c, (struct dial_options){ .host = "localhost", .port = address_port(&a), .timeout_ms = 5000 }),
		DIAL_CONNECTED);
	expect_conversation(listener, c.fd);
	caller_close(&c);
	close(listener);
}

static void
a_name_that_does_not_exist_is_unknown(void **state)
{
	static const char *const names[] = { "unknown.test", "", "no such name", "127.1",
		"a-label-that-is-longer-than-the-sixty-three-bytes-a-label-may-have.test" };

	(void)state;
	if (!has_namespace)
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct name_server s;
		struct caller c;
		caller_open(&c);
		name_server_open(&s, c.loop, "127.0.0.1");
		if (caller_dial(&c, (struct dial_options){ .host = names[i], .port = 1, .timeout_ms = 5000 }) != DIAL_UNKNOWN_HOST)
			fail_msg("\"%s\": %s", names[i], c.detail);
		assert_true(i > 0 || s.queries > 0);
		name_server_close(&s);
		caller_close(&c);
	}
}

static void
a_name_server_that_is_not_there_makes_a_name_unknown(void **state)
{
	char detail[200];

	(void)state;
	if (!has_namespace)
		skip();
	assert_int_equal(
		dial((struct dial_options){ .host = "two.test", .port = 1, .timeout_ms = 5000 }, detail), DIAL_UNKNOWN_HOST);
}

static void
a_name_server_that_is_silent_cannot_outlast_the_deadline(void **state)
{
	struct name_server s;
	struct caller c;

	(void)state;
	if (!has_namespace)
		skip();
	caller_open(&c);
	name_server_open(&s, c.loop, "127.0.0.1");
	uint64_t began_ms = clock_ms();
	assert_int_equal(
		caller_dial(&c, (struct dial_options){ .host = "silent.test", .port = 1, .timeout_ms = 300 }), DIAL_TIMED_OUT);
	assert_true(clock_ms() - began_ms < 5000);
	assert_string_equal(c.detail, "the name lookup took too long");
	name_server_close(&s);
	caller_close(&c);
}

static void
a_lost_answer_is_asked_for_again(void **state)
{
	struct address a = tcp_address("127.0.0.2", 0);
	struct name_server s;
	struct caller c;

	(void)state;
	if (!has_namespace)
		skip();
	int listener = serve(&a, 5);
	caller_open(&c);
	name_server_open(&s, c.loop, "127.0.0.1");
	assert_int_equal(
		caller_dial(&c, (struct dial_options){ .host = "far.test", .port = address_port(&a), .timeout_ms = 20000 }),
		DIAL_CONNECTED);
	assert_true(s.far_queries > 2);
	name_server_close(&s);
	caller_close(&c);
	close(listener);
}

/* Dials two.test, whose service lives at HOST alone. */
static void
expect_two_to_answer_at(const char *host, uint16_t port)
{
	struct address peer = { .len = sizeof(peer.storage) };
	char text[ADDRESS_TEXT_MAX];
	struct name_server s;
	struct caller c;

	caller_open(&c);
	name_server_open(&s, c.loop, "127.0.0.1");
	assert_int_equal(
		caller_dial(&c, (struct dial_options){ .host = "two.test", .port = port, .timeout_ms = 20000 }), DIAL_CONNECTED);
	assert_int_equal(getpeername(c.fd, (struct sockaddr *)&peer.storage, &peer.len), 0);
	assert_string_equal(address_format_host(&peer, text), host);
	name_server_close(&s);
	caller_close(&c);
}

static void
every_address_of_a_name_is_tried(void **state)
{
	static const char *const hosts[] = { "127.0.0.2", "127.0.0.3" };

	(void)state;
	if (!has_namespace)
		skip();
	for (size_t i = 0; i < 2; i++) {
		struct address a = tcp_address(hosts[i], 0);
		int listener = serve(&a, 5);
		expect_two_to_answer_at(hosts[i], address_port(&a));
		close(listener);
	}
}

static void
a_dead_address_leaves_time_for_the_next_one(void **state)
{
	struct address dead = tcp_address("127.0.0.2", 0);
	int fillers[FILLERS];
	struct name_server s;
	struct caller c;

	(void)state;
	if (!has_namespace)
		skip();
	int dead_listener = serve(&dead, 0);
	fill_backlog(&dead, fillers);
	struct address live = tcp_address("127.0.0.3", address_port(&dead));
	int live_listener = serve(&live, 5);
	caller_open(&c);
	name_server_open(&s, c.loop, "127.0.0.1");
	uint64_t began_ms = clock_ms();
	assert_int_equal(
		caller_dial(&c, (struct dial_options){ .host = "two.test", .port = address_port(&dead), .timeout_ms = 2400 }),
		DIAL_CONNECTED);
	assert_true(clock_ms() - began_ms >= 900); /* it was tried, for half of the time */
	name_server_close(&s);
	caller_close(&c);
	close_all(fillers, FILLERS);
	close(dead_listener);
	close(live_listener);
}

static void
a_cancelled_lookup_says_nothing(void **state)
{
	(void)state;
	if (!has_namespace)
		skip();
	struct caller c;
	struct name_server s;
	caller_open(&c);
	name_server_open(&s, c.loop, "127.0.0.1");
	for (int i = 0; i < 3; i++)
		dial_cancel(caller_start(&c, &(struct dial_options){ .host = "two.test", .port = 1, .timeout_ms = 100 }));
	struct change_of_mind m = { .dial = caller_start(
					    &c, &(struct dial_options){ .host = "silent.test", .port = 1, .timeout_ms = 150 }) };
	loop_timer_init(&m.timer, c.loop, on_change_of_mind, &m);
	loop_timer_set(&m.timer, 50);
	caller_run_for(&c, 300);
	assert_true(s.queries > 0);
	assert_int_equal(c.calls, 0);
	name_server_close(&s);
	caller_close(&c);
}

/* A lookup that still hangs at the old name server does not keep us there. */
static void
a_changed_resolv_conf_is_followed(void **state)
{
	struct address a = tcp_address("127.0.0.2", 0);
	struct name_server old, new;
	struct caller c;

	(void)state;
	if (!has_namespace)
		skip();
	int listener = serve(&a, 5);
	caller_open(&c);
	name_server_open(&old, c.loop, "127.0.0.1");
	name_server_open(&new, c.loop, "127.0.0.9");
	struct dial *hanging = dial_start(c.loop, &(struct dial_options){ .host = "silent.test", .port = 1 }, on_dial, &c);
	ev_run(loop_ev(c.loop), EVRUN_ONCE);
	assert_true(old.queries > 0);
	write_resolv_conf("127.0.0.9");
	assert_int_equal(caller_dial(&c, (struct dial_options){ .host = "two.test", .port = address_port(&a), .timeout_ms = 5000 }),
		DIAL_CONNECTED);
	assert_int_equal(old.two_queries, 0);
	assert_true(new.two_queries > 0);
	dial_cancel(hanging);
	write_resolv_conf("127.0.0.1");
	name_server_close(&old);
	name_server_close(&new);
	caller_close(&c);
	close(listener);
}

static void
many_names_at_once_each_get_their_answer(void **state)
{
	enum { MANY = 100 };
	struct address a = tcp_address("127.0.0.2", 0);
	struct caller c[MANY];
	struct name_server s;
	struct loop *loop;
	int connected = 0;

	(void)state;
	if (!has_namespace)
		skip();
	int listener = serve(&a, MANY);
	loop = loop_new();
	name_server_open(&s, loop, "127.0.0.1");
	for (int i = 0; i < MANY; i++) {
		c[i] = (struct caller){ .loop = loop, .fd = -1 };
		caller_start(
			&c[i], &(struct dial_options){
				       .host = i % 2 ? "two.test" : "no.test", .port = address_port(&a), .timeout_ms = 10000 });
	}
	/* Each of them stops the loop, which goes on till all have been heard. */
	for (int heard = 0; heard < MANY;) {
		ev_run(loop_ev(loop), EVRUN_ONCE);
		heard = 0;
		for (int i = 0; i < MANY; i++)
			heard += c[i].calls;
	}
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(c[i].calls, 1);
		assert_int_equal(c[i].result, i % 2 ? DIAL_CONNECTED : DIAL_UNKNOWN_HOST);
		connected += c[i].result == DIAL_CONNECTED;
		if (c[i].fd != -1)
			close(c[i].fd);
	}
	assert_int_equal(connected, MANY / 2);
	name_server_close(&s);
	resolve_close(loop);
	loop_free(loop);
	close(listener);
}

static bool
write_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return false;
	bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written;
}

/* With one port to choose from, a connection to it from it is what the kernel makes. */
static void
a_dead_service_is_not_mistaken_for_ourselves(void **state)
{
	static const char range[] = "/proc/sys/net/ipv4/ip_local_port_range";
	char detail[200];

	(void)state;
	if (!has_namespace || !write_proc(range, "40001 40001"))
		skip();
	enum dial_result result = dial((struct dial_options){ .host = "127.0.0.1", .port = 40001, .timeout_ms = 5000 }, detail);
	assert_true(write_proc(range, "32768 60999"));
	assert_int_equal(result, DIAL_REFUSED);
}

/* --- a network of our own -------------------------------------------------------------------- */

static bool
become_somebody(uid_t uid, gid_t gid)
{
	char users[50], groups[50];

	snprintf(users, sizeof(users), "%u %u 1", (unsigned)uid, (unsigned)uid);
	snprintf(groups, sizeof(groups), "%u %u 1", (unsigned)gid, (unsigned)gid);
	return write_proc("/proc/self/setgroups", "deny") && write_proc("/proc/self/uid_map", users) &&
	       write_proc("/proc/self/gid_map", groups);
}

static bool
raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return false;
	bool up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	close(fd);
	return up;
}

static bool
hide_behind(const char *name, const char *path)
{
	char own[100];

	return mount(file_in_directory(name, own), path, NULL, MS_BIND, NULL) == 0;
}

static bool
enter_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | (uid == 0 ? 0 : CLONE_NEWUSER)) == -1)
		return false;
	if (uid != 0 && !become_somebody(uid, gid))
		return false;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return false;
	return raise_loopback() && hide_behind("resolv.conf", "/etc/resolv.conf") && hide_behind("hosts", "/etc/hosts");
}

/* A system may let us in and then nothing do there: a child goes first. */
static bool
may_enter_namespace(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter_namespace() ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int
set_up(void **state)
{
	char path[100];

	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	unsetenv("LOCALDOMAIN");
	unsetenv("RES_OPTIONS");
	write_resolv_conf("127.0.0.1");
	write_file(file_in_directory("hosts", path), "127.0.0.1 localhost\n");
	has_namespace = may_enter_namespace() && enter_namespace();
	if (!has_namespace)
		fprintf(stderr, "no private network here: tests of names are skipped\n");
	return 0;
}

static int
tear_down(void **state)
{
	char path[100];

	(void)state;
	unlink(file_in_directory("resolv.conf", path));
	unlink(file_in_directory("hosts", path));
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_on_this_machine_answers),
		cmocka_unit_test(a_unix_socket_answers_by_path_or_by_name),
		cmocka_unit_test(a_port_that_nobody_listens_on_is_refused),
		cmocka_unit_test(a_missing_or_dead_socket_file_is_refused),
		cmocka_unit_test(a_service_that_does_not_answer_is_given_up_at_the_deadline),
		cmocka_unit_test(a_unix_socket_whose_backlog_stays_full_is_given_up_too),
		cmocka_unit_test(a_busy_unix_socket_is_reached_once_it_has_room),
		cmocka_unit_test(out_of_descriptors_is_not_the_service_s_fault),
		cmocka_unit_test(a_cancelled_dial_says_nothing),
		cmocka_unit_test(a_name_is_found_in_the_hosts_file),
		cmocka_unit_test(a_name_that_does_not_exist_is_unknown),
		cmocka_unit_test(a_name_server_that_is_not_there_makes_a_name_unknown),
		cmocka_unit_test(a_name_server_that_is_silent_cannot_outlast_the_deadline),
		cmocka_unit_test(a_lost_answer_is_asked_for_again),
		cmocka_unit_test(every_address_of_a_name_is_tried),
		cmocka_unit_test(a_dead_address_leaves_time_for_the_next_one),
		cmocka_unit_test(a_cancelled_lookup_says_nothing),
		cmocka_unit_test(a_changed_resolv_conf_is_followed),
		cmocka_unit_test(many_names_at_once_each_get_their_answer),
		cmocka_unit_test(a_dead_service_is_not_mistaken_for_ourselves),
	};

	alarm(60);
	return cmocka_run_group_tests_name("io/dial", tests, set_up, tear_down);
}
