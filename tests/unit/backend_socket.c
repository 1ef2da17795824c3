/*
 * Services on loopback and on unix sockets. The listening socket is the test's own; what must go on
 * while the loop runs (reading slowly, writing much) is done by a thread.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "backend_owner.h"
#include "base/log.h"
#include "io/resolve.h"

enum { MUCH = 8 * 1024 * 1024 };

static char unix_path[] = "/tmp/wsgate-service-XXXXXX";

/* --- services --------------------------------------------------------------------------------- */

typedef void talk_fn(int fd);

struct service {
	int listener;
	talk_fn *talk;
	pthread_t thread;
	bool threaded;
};

static char much[MUCH];

static void
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

static size_t
read_all(int fd)
{
	static _Thread_local char block[64 * 1024];
	size_t total = 0;
	ssize_t n;
	while ((n = read(fd, block, sizeof(block))) > 0)
		total += (size_t)n;
	return total;
}

static void
write_number(int fd, size_t number)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%zu", number);
	write_all(fd, text, (size_t)len);
}

static void
talk_echo_once(int fd)
{
	char block[100];
	ssize_t n = read(fd, block, sizeof(block));
	write_all(fd, block, n > 0 ? (size_t)n : 0);
}

static void
talk_much_and_close(int fd)
{
	write_all(fd, much, sizeof(much));
}

static void
talk_count_until_the_end(int fd)
{
	usleep(100 * 1000); /* long enough for the client's bytes to pile up */
	write_number(fd, read_all(fd));
}

static size_t counted;

static void
talk_say_goodbye_and_listen_on(int fd)
{
	write_all(fd, "bye", 3);
	shutdown(fd, SHUT_WR);
	usleep(100 * 1000);
	counted = read_all(fd);
}

static void
talk_nothing_until_the_end(int fd)
{
	char c;
	while (recv(fd, &c, 1, MSG_PEEK) > 0 && recv(fd, &c, 1, 0) > 0)
		;
	/* EOF has come; a service that does not close for it */
	usleep(600 * 1000);
}

static void
talk_deaf(int fd)
{
	struct linger at_once = { 1, 0 };
	usleep(1000 * 1000);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void
talk_for_ever(int fd)
{
	while (send(fd, "tick", 4, MSG_NOSIGNAL) == 4)
		usleep(2000);
}

static void
talk_then_reset(int fd)
{
	char c;
	struct linger at_once = { 1, 0 };
	write_all(fd, "half", 4);
	if (read(fd, &c, 1) == 1)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void
talk_close_without_reading(int fd)
{
	char c;
	if (recv(fd, &c, 1, MSG_PEEK) == 1)
		write_all(fd, "no", 2);
}

static void
talk_goodbye_then_reset(int fd)
{
	char c;
	if (recv(fd, &c, 1, MSG_PEEK) == 1)
		shutdown(fd, SHUT_WR);
	usleep(200 * 1000);
}

static void *
service_main(void *arg)
{
	struct service *s = arg;
	int fd = accept(s->listener, NULL, NULL);
	if (fd != -1) {
		s->talk(fd);
		close(fd);
	}
	return NULL;
}

static uint16_t
service_listen_tcp(struct service *s, int backlog)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	*s = (struct service){ .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(bind(s->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(s->listener, backlog), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

static void
service_listen_unix(struct service *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	memcpy(un.sun_path, unix_path, sizeof(unix_path));
	unlink(unix_path);
	*s = (struct service){ .listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(bind(s->listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(s->listener, 5), 0);
}

static void
service_start(struct service *s, talk_fn *talk)
{
	s->talk = talk;
	s->threaded = true;
	assert_int_equal(pthread_create(&s->thread, NULL, service_main, s), 0);
}

static void
service_clear(struct service *s)
{
	if (s->threaded)
		pthread_join(s->thread, NULL);
	close(s->listener);
}

/* --- the client of the service ------------------------------------------------------------------ */

static void
dialler_init(struct owner *o, uint16_t port)
{
	owner_init(o, &backend_socket);
	o->opt.framing = &framing_raw;
	o->opt.host = "127.0.0.1";
	o->opt.port = port;
}

static void
dialler_clear(struct owner *o)
{
	owner_clear(o);
	resolve_close(o->loop);
	loop_free(o->loop);
}

static void
open_to(struct owner *o, struct service *s, talk_fn *talk)
{
	dialler_init(o, service_listen_tcp(s, 5));
	service_start(s, talk);
	owner_open(o);
	OWNER_WAIT(o, o->ready);
}

static void
clear_both(struct owner *o, struct service *s)
{
	owner_free_backend(o);
	service_clear(s);
	dialler_clear(o);
}

/* Bytes of all messages. */
static size_t
bytes_of(const struct owner *o)
{
	return buf_len(&o->text) - o->messages;
}

/* --- stories ------------------------------------------------------------------------------------ */

static void
a_service_that_answers_and_closes(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	open_to(&o, &s, talk_echo_once);
	owner_send(&o, "hello", 5);
	assert_ended(&o, 1000, "backend closed");
	assert_string_equal(owner_text(&o), "hello\n");
	assert_int_equal(o.backend->pid, 0);
	assert_int_equal(o.backend->ops->untaken(o.backend), 0);
	clear_both(&o, &s);
}

static void
a_unix_socket_is_a_service_too(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	dialler_init(&o, 0);
	o.opt.unix_path = unix_path;
	service_listen_unix(&s);
	service_start(&s, talk_echo_once);
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, "hello", 5);
	assert_ended(&o, 1000, "backend closed");
	assert_string_equal(owner_text(&o), "hello\n");
	clear_both(&o, &s);
	unlink(unix_path);
}

static void
nobody_listens_is_502(void **state)
{
	struct owner o;
	struct service s;
	char reason[64];
	(void)state;
	uint16_t port = service_listen_tcp(&s, 5);
	service_clear(&s);
	dialler_init(&o, port);
	owner_open(&o);
	OWNER_WAIT(&o, o.refused);
	assert_int_equal(o.backend->refusal, 502);
	snprintf(reason, sizeof(reason), "cannot connect to 127.0.0.1:%u: Connection refused", (unsigned)port);
	assert_string_equal(backend_reason(o.backend), reason);
	dialler_clear(&o);
}

static void
no_socket_file_is_502(void **state)
{
	struct owner o;
	(void)state;
	dialler_init(&o, 0);
	o.opt.unix_path = "/nonexistent/x";
	owner_open(&o);
	OWNER_WAIT(&o, o.refused);
	assert_int_equal(o.backend->refusal, 502);
	assert_string_equal(backend_reason(o.backend), "cannot connect to /nonexistent/x: No such file or directory");
	dialler_clear(&o);
}

/* A full backlog: the kernel drops the SYN, as a firewall would. */
static void
nobody_answers_is_504(void **state)
{
	struct owner o;
	struct service s;
	int others[4];
	(void)state;
	uint16_t port = service_listen_tcp(&s, 0);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
	for (int i = 0; i < 4; i++) {
		others[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(others[i], (struct sockaddr *)&in, sizeof(in));
	}
	dialler_init(&o, port);
	o.opt.connect_timeout_ms = 200;
	owner_open(&o);
	OWNER_WAIT(&o, o.refused);
	assert_int_equal(o.backend->refusal, 504);
	for (int i = 0; i < 4; i++)
		close(others[i]);
	clear_both(&o, &s);
}

static void
much_arrives_whole_though_the_client_is_slow_and_the_service_has_closed(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	dialler_init(&o, service_listen_tcp(&s, 5));
	o.pause_ms = 1;
	o.opt.drain_timeout_ms = 20;
	service_start(&s, talk_much_and_close);
	owner_open(&o);
	assert_ended(&o, 1000, "backend closed");
	assert_int_equal(bytes_of(&o), MUCH);
	clear_both(&o, &s);
}

static void
all_that_the_client_sent_arrives_before_its_end_and_the_answer_comes_back(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	open_to(&o, &s, talk_count_until_the_end);
	owner_send(&o, much, MUCH);
	assert_true(o.backend->ops->queued(o.backend) > 0);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "backend closed");
	assert_string_equal(owner_text(&o), "8388608\n");
	assert_int_equal(o.backend->ops->untaken(o.backend), 0);
	assert_true(o.rooms > 0);
	clear_both(&o, &s);
}

static void
a_service_that_says_goodbye_first_still_gets_what_was_under_way(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	open_to(&o, &s, talk_say_goodbye_and_listen_on);
	owner_send(&o, much, MUCH);
	assert_ended(&o, 1000, "backend closed");
	owner_free_backend(&o);
	service_clear(&s);
	assert_int_equal(counted, MUCH);
	assert_string_equal(owner_text(&o), "bye\n");
	dialler_clear(&o);
}

static void
a_service_that_has_said_all_is_given_what_the_client_still_says(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	dialler_init(&o, service_listen_tcp(&s, 5));
	o.talks_on = true;
	service_start(&s, talk_say_goodbye_and_listen_on);
	owner_open(&o);
	OWNER_WAIT(&o, o.said_all);
	assert_int_equal(o.backend->end_code, 1000);
	assert_string_equal(backend_reason(o.backend), "backend closed");
	owner_send(&o, much, MUCH);
	owner_idle(&o, 20);
	assert_false(o.ended);
	owner_send(&o, much, MUCH);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "backend closed");
	assert_int_equal(o.backend->ops->untaken(o.backend), 0);
	owner_free_backend(&o);
	service_clear(&s);
	assert_int_equal(counted, 2 * MUCH);
	dialler_clear(&o);
}

/* And the one that has gone altogether is found out by the first bytes for it. */
static void
a_service_that_has_closed_ends_when_the_client_says_more(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	dialler_init(&o, service_listen_tcp(&s, 5));
	o.talks_on = true;
	service_start(&s, talk_echo_once);
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, "hello", 5);
	OWNER_WAIT(&o, o.said_all);
	assert_string_equal(owner_text(&o), "hello\n");
	for (int i = 0; !o.ended && i < 1000; i++) {
		owner_send(&o, "more", 4);
		owner_idle(&o, 5);
	}
	assert_true(o.ended);
	assert_true(o.backend->ops->untaken(o.backend) > 0);
	clear_both(&o, &s);
}

static void
a_service_that_does_not_close_is_left_after_a_moment_of_silence(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	open_to(&o, &s, talk_nothing_until_the_end);
	owner_send(&o, "x", 1);
	uint64_t start_ms = clock_ms();
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "backend closed");
	assert_true(clock_ms() - start_ms >= 90);
	assert_true(clock_ms() - start_ms < 4000); /* not the drain timeout */
	clear_both(&o, &s);
}

static void
a_service_that_talks_for_ever_is_left_after_the_drain_timeout(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	dialler_init(&o, service_listen_tcp(&s, 5));
	o.opt.drain_timeout_ms = 300;
	service_start(&s, talk_for_ever);
	owner_open(&o);
	OWNER_WAIT(&o, o.messages > 0);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "backend closed");
	clear_both(&o, &s);
}

static void
a_service_that_never_reads_is_given_up_and_what_it_left_is_counted(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	dialler_init(&o, service_listen_tcp(&s, 5));
	o.opt.drain_timeout_ms = 200;
	service_start(&s, talk_deaf);
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, much, MUCH);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "backend closed");
	uint64_t untaken = o.backend->ops->untaken(o.backend);
	assert_true(untaken > 0 && untaken <= MUCH);
	clear_both(&o, &s);
}

static void
a_reset_is_told_and_what_came_before_it_arrives(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	open_to(&o, &s, talk_then_reset);
	OWNER_WAIT(&o, o.messages == 1);
	owner_send(&o, "x", 1);
	assert_ended(&o, 1011, "backend connection reset");
	assert_string_equal(owner_text(&o), "half\n");
	clear_both(&o, &s);
}

static void
a_service_that_closes_on_unread_bytes_keeps_nobody_waiting(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	open_to(&o, &s, talk_close_without_reading);
	uint64_t start_ms = clock_ms();
	for (int i = 0; i < 10; i++)
		owner_send(&o, much, 100000);
	OWNER_WAIT(&o, o.ended);
	assert_true(clock_ms() - start_ms < 4000);
	assert_string_equal(owner_text(&o), "no\n"); /* its last words are read though our writing has failed */
	clear_both(&o, &s);
}

/* Here all bytes are with the kernel, so that no write of ours can find the reset. */
static void
a_service_that_resets_after_its_goodbye_keeps_nobody_waiting(void **state)
{
	struct owner o;
	struct service s;
	int small = 4096;
	(void)state;
	dialler_init(&o, service_listen_tcp(&s, 5));
	setsockopt(s.listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	service_start(&s, talk_goodbye_then_reset);
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	uint64_t start_ms = clock_ms();
	owner_send(&o, much, 100000);
	assert_int_equal(o.backend->ops->queued(o.backend), 0);
	OWNER_WAIT(&o, o.ended);
	assert_true(clock_ms() - start_ms < 4000);
	clear_both(&o, &s);
}

static void
a_discarded_service_hears_the_rest_but_says_no_more(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	open_to(&o, &s, talk_count_until_the_end);
	owner_send(&o, much, MUCH);
	o.backend->ops->discard(o.backend);
	assert_ended(&o, 1000, "backend closed");
	assert_int_equal(o.messages, 0);
	assert_int_equal(o.backend->ops->untaken(o.backend), 0);
	clear_both(&o, &s);
}

static void
an_owner_may_free_it_at_any_time(void **state)
{
	struct owner o;
	struct service s;
	(void)state;
	dialler_init(&o, service_listen_tcp(&s, 5));
	owner_open(&o);
	owner_free_backend(&o); /* while it dials */
	owner_idle(&o, 20);
	assert_false(o.ready);
	clear_both(&o, &s);

	dialler_init(&o, service_listen_tcp(&s, 5));
	o.free_at_data = true;
	service_start(&s, talk_for_ever);
	owner_open(&o);
	OWNER_WAIT(&o, o.messages > 0);
	assert_null(o.backend);
	owner_idle(&o, 20);
	clear_both(&o, &s);
}

static void
no_descriptor_leaks(void **state)
{
	static talk_fn *const talks[] = { talk_echo_once, talk_then_reset, talk_close_without_reading, talk_for_ever };
	(void)state;
	size_t before = count_descriptors();
	for (int i = 0; i < 8; i++) {
		struct owner o;
		struct service s;
		open_to(&o, &s, talks[i % 4]);
		o.opt.drain_timeout_ms = 50;
		owner_send(&o, "x", 1);
		if (i % 2 == 0)
			o.backend->ops->finish(o.backend);
		else
			o.backend->ops->discard(o.backend);
		OWNER_WAIT(&o, o.ended);
		clear_both(&o, &s);
	}
	assert_int_equal(count_descriptors(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_that_answers_and_closes),
		cmocka_unit_test(a_unix_socket_is_a_service_too),
		cmocka_unit_test(nobody_listens_is_502),
		cmocka_unit_test(no_socket_file_is_502),
		cmocka_unit_test(nobody_answers_is_504),
		cmocka_unit_test(much_arrives_whole_though_the_client_is_slow_and_the_service_has_closed),
		cmocka_unit_test(all_that_the_client_sent_arrives_before_its_end_and_the_answer_comes_back),
		cmocka_unit_test(a_service_that_says_goodbye_first_still_gets_what_was_under_way),
		cmocka_unit_test(a_service_that_has_said_all_is_given_what_the_client_still_says),
		cmocka_unit_test(a_service_that_has_closed_ends_when_the_client_says_more),
		cmocka_unit_test(a_service_that_does_not_close_is_left_after_a_moment_of_silence),
		cmocka_unit_test(a_service_that_talks_for_ever_is_left_after_the_drain_timeout),
		cmocka_unit_test(a_service_that_never_reads_is_given_up_and_what_it_left_is_counted),
		cmocka_unit_test(a_reset_is_told_and_what_came_before_it_arrives),
		cmocka_unit_test(a_service_that_closes_on_unread_bytes_keeps_nobody_waiting),
		cmocka_unit_test(a_service_that_resets_after_its_goodbye_keeps_nobody_waiting),
		cmocka_unit_test(a_discarded_service_hears_the_rest_but_says_no_more),
		cmocka_unit_test(an_owner_may_free_it_at_any_time),
		cmocka_unit_test(no_descriptor_leaks),
	};
	signal(SIGPIPE, SIG_IGN);
	log_open(&(struct log_options){ LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, "stderr" });
	close(mkstemp(unix_path));
	return cmocka_run_group_tests_name("backend/socket", tests, NULL, NULL);
}
