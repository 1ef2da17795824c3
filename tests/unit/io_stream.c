/*
 * The stream, over socketpairs and pipes: no byte is lost, doubled or reordered, whatever the owner
 * eats and whenever it pauses; the sides end apart; nothing comes after the end.
 */
#include "io/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* whose tcp_info counts segments */
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUCH = 4 * 1024 * 1024 };

struct end {
	struct stream stream;
	struct loop *loop;
	unsigned char *got;
	size_t got_len, eat_max; /* eat_max 0: eats all */
	size_t stop_at;          /* ends the loop when so many bytes have come */
	int eof, failed, room, data;
	bool pause_each_time;
	struct loop_task task;
};

static unsigned char
byte_at(size_t i)
{
	return (unsigned char)(i * 31 + i / 251);
}

static void
resume(void *owner)
{
	struct end *e = owner;
	stream_want_read(&e->stream, true);
}

static void
take(struct end *e)
{
	struct span in = stream_input(&e->stream);
	size_t n = e->eat_max == 0 || in.len < e->eat_max || stream_input_is_full(&e->stream) ? in.len : e->eat_max;
	if (n > 0)
		memcpy(e->got + e->got_len, in.data, n);
	e->got_len += n;
	stream_eat(&e->stream, n);
}

static void
on_event(void *owner, enum stream_event event)
{
	struct end *e = owner;
	assert_int_equal(e->stream.closed, 0);
	switch (event) {
	case STREAM_DATA:
		e->data++;
		take(e);
		if (e->pause_each_time) {
			stream_want_read(&e->stream, false);
			loop_defer(e->loop, &e->task, resume, e);
		}
		break;
	case STREAM_ROOM:
		e->room++;
		break;
	case STREAM_EOF:
		e->eof++;
		e->eat_max = 0;
		take(e);
		break;
	case STREAM_FAILED:
		e->failed++;
		break;
	}
	if (e->eof || e->failed || (e->stop_at > 0 && e->got_len >= e->stop_at))
		loop_stop(e->loop);
}

struct pair {
	struct loop *loop;
	struct end a, b;
};

/* Leaves what comes, and at the end of it wants to hear no more. */
static void
close_input_at_eof(void *owner, enum stream_event event)
{
	struct end *e = owner;
	if (event != STREAM_EOF)
		return;
	e->eof++;
	assert_int_equal(stream_input(&e->stream).len, 5);
	stream_close_input(&e->stream);
	assert_int_equal(stream_input(&e->stream).len, 0);
	loop_stop(e->loop);
}

static void
init_end(struct end *e, struct loop *loop)
{
	*e = (struct end){ .loop = loop };
	e->got = malloc(2 * MUCH);
	assert_non_null(e->got);
}

static struct pair *
open_pair_over(const int fd[2])
{
	struct pair *p = calloc(1, sizeof(*p));
	p->loop = loop_new();
	init_end(&p->a, p->loop);
	init_end(&p->b, p->loop);
	stream_init_socket(&p->a.stream, p->loop, fd[0], on_event, &p->a);
	stream_init_socket(&p->b.stream, p->loop, fd[1], on_event, &p->b);
	return p;
}

static struct pair *
open_pair(void)
{
	int fd[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	return open_pair_over(fd);
}

static struct pair *
open_tcp_pair(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd[2], on = 1;
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(setsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0); /* as all of ours */
	fd[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	close(listener);
	return open_pair_over(fd);
}

static void
close_pair(struct pair *p)
{
	stream_close(&p->a.stream);
	stream_close(&p->b.stream);
	stream_close(&p->b.stream); /* twice is once */
	free(p->a.got);
	free(p->b.got);
	loop_free(p->loop);
	free(p);
}

static void
write_much(struct stream *s, size_t len)
{
	unsigned char block[10007];
	for (size_t i = 0; i < len;) {
		size_t n = len - i < sizeof(block) ? len - i : sizeof(block);
		for (size_t k = 0; k < n; k++)
			block[k] = byte_at(i + k);
		assert_int_equal(stream_write(s, block, n), 0);
		i += n;
	}
}

static void
assert_got(const struct end *e, size_t len)
{
	assert_int_equal(e->got_len, len);
	for (size_t i = 0; i < len; i++)
		if (e->got[i] != byte_at(i))
			fail_msg("byte %zu of %zu is wrong", i, len);
}

static void
megabytes_pass_whole_when_the_writer_is_far_ahead(void **state)
{
	(void)state;
	struct pair *p = open_pair();
	write_much(&p->a.stream, MUCH);
	assert_true(stream_queued(&p->a.stream) > 0);
	stream_finish(&p->a.stream);
	assert_int_equal(stream_write(&p->a.stream, "late", 4), -1);
	stream_want_read(&p->b.stream, true);
	loop_run(p->loop);
	assert_int_equal(p->b.eof, 1);
	assert_got(&p->b, MUCH);
	assert_true(p->a.room > 0);
	assert_int_equal(stream_queued(&p->a.stream), 0);
	assert_true(stream_is_finished(&p->a.stream));
	assert_null(p->a.stream.outbox); /* idle costs nothing, on either side */
	assert_null(p->b.stream.kept.block);
	close_pair(p);
}

static unsigned
segments_come(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_segs_in;
}

static void
the_last_words_and_the_end_share_a_packet(void **state)
{
	(void)state;
	struct pair *p = open_tcp_pair();
	unsigned before = segments_come(p->b.stream.reader.fd);
	stream_write_last(&p->a.stream, "goodbye", 7);
	stream_want_read(&p->b.stream, true);
	loop_run(p->loop);
	assert_int_equal(p->b.eof, 1);
	assert_int_equal(p->b.got_len, 7);
	assert_memory_equal(p->b.got, "goodbye", 7);
	assert_int_equal(segments_come(p->b.stream.reader.fd) - before, 1);
	close_pair(p);
}

static void
last_words_wait_for_what_is_queued(void **state)
{
	(void)state;
	struct pair *p = open_tcp_pair();
	unsigned char last = byte_at(MUCH);
	write_much(&p->a.stream, MUCH);
	stream_write_last(&p->a.stream, &last, 1);
	assert_true(stream_queued(&p->a.stream) > 0);
	assert_int_equal(stream_write(&p->a.stream, "late", 4), -1);
	stream_want_read(&p->b.stream, true);
	loop_run(p->loop);
	assert_int_equal(p->b.eof, 1);
	assert_got(&p->b, MUCH + 1);
	close_pair(p);
}

static void
what_the_owner_leaves_is_offered_again_in_front_of_the_next_bytes(void **state)
{
	(void)state;
	struct pair *p = open_pair();
	p->b.eat_max = 5003;
	write_much(&p->a.stream, MUCH / 4);
	stream_finish(&p->a.stream);
	stream_want_read(&p->b.stream, true);
	loop_run(p->loop);
	assert_got(&p->b, MUCH / 4);
	close_pair(p);
}

static void
kept_bytes_are_offered_on_resume_though_the_socket_is_silent(void **state)
{
	(void)state;
	struct pair *p = open_pair();
	p->b.eat_max = 1;
	p->b.pause_each_time = true;
	p->b.stop_at = 1000;
	write_much(&p->a.stream, 1000); /* one read; then nothing more ever comes */
	stream_want_read(&p->b.stream, true);
	loop_run(p->loop);
	assert_got(&p->b, 1000);
	assert_int_equal(p->b.data, 1000);
	assert_null(p->b.stream.kept.block); /* idle costs nothing */
	close_pair(p);
}

static void
an_urgent_frame_overtakes_what_is_queued_at_a_boundary(void **state)
{
	(void)state;
	struct pair *p = open_pair();
	static unsigned char block[300000];
	memset(block, 'x', sizeof(block));
	assert_int_equal(stream_write(&p->a.stream, block, sizeof(block)), 0); /* partly in the kernel */
	assert_true(stream_queued(&p->a.stream) > 0 && stream_queued(&p->a.stream) < sizeof(block));
	assert_int_equal(stream_write(&p->a.stream, "second", 6), 0);
	assert_int_equal(stream_overtake(&p->a.stream, "PING1", 5), 0);
	assert_int_equal(stream_overtake(&p->a.stream, "PING2", 5), 0);
	assert_int_equal(stream_write(&p->a.stream, "third", 5), 0);
	stream_finish(&p->a.stream);
	stream_want_read(&p->b.stream, true);
	loop_run(p->loop);
	assert_int_equal(p->b.got_len, sizeof(block) + 21);
	assert_memory_equal(p->b.got, block, sizeof(block));
	assert_memory_equal(p->b.got + sizeof(block), "PING1PING2secondthird", 21);
	close_pair(p);
}

static void
a_gather_of_many_slices_that_the_kernel_takes_in_parts_arrives_whole(void **state)
{
	(void)state;
	struct pair *p = open_pair();
	struct gather *g = loop_gather(p->loop);
	unsigned char *source = malloc(MUCH);
	for (size_t i = 0; i < MUCH; i++)
		source[i] = byte_at(i);
	size_t sizes[] = { 1, 3000, 7, 65536, 900, 20000, 2 };
	size_t sent = 0;
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			assert_true(gather_has_room(g));
			gather_add(g, source + sent, sizes[i]);
			sent += sizes[i];
		}
		assert_int_equal(stream_send(&p->a.stream, g), 0);
		assert_true(gather_is_empty(g));
	}
	stream_finish(&p->a.stream);
	stream_want_read(&p->b.stream, true);
	loop_run(p->loop);
	assert_got(&p->b, sent);
	free(source);
	close_pair(p);
}

static void
a_write_to_a_peer_that_is_gone_fails_later_and_what_it_had_sent_is_still_read(void **state)
{
	(void)state;
	struct pair *p = open_pair();
	write_much(&p->b.stream, 20000);
	stream_close(&p->b.stream);
	stream_want_read(&p->a.stream, true);
	assert_int_equal(stream_write(&p->a.stream, "x", 1), -1);
	assert_int_equal(p->a.failed, 0); /* not while we are calling it */
	while (p->a.eof == 0)
		loop_run(p->loop);
	assert_int_equal(p->a.failed, 1);
	assert_int_equal(stream_errno(&p->a.stream), EPIPE);
	assert_got(&p->a, 20000);
	close_pair(p);
}

static void
the_two_ends_of_pipes_live_apart(void **state)
{
	(void)state;
	int in[2], out[2];
	assert_int_equal(pipe2(in, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_NONBLOCK | O_CLOEXEC), 0);
	struct end e;
	struct loop *loop = loop_new();
	init_end(&e, loop);
	stream_init_pipes(&e.stream, loop, in[0], out[1], on_event, &e);
	assert_int_equal(stream_write(&e.stream, "hello", 5), 0);
	assert_int_equal(stream_undelivered(&e.stream), 5);
	char text[8];
	assert_int_equal(read(out[0], text, 8), 5);
	assert_int_equal(stream_undelivered(&e.stream), 0);
	close(out[0]); /* the reader of our output goes away */
	assert_int_equal(stream_write(&e.stream, "again", 5), -1);
	stream_want_read(&e.stream, true);
	loop_run(loop);
	assert_int_equal(e.failed, 1);
	assert_int_equal(e.eof, 0);
	assert_int_equal(write(in[1], "still", 5), 5);
	close(in[1]);
	loop_run(loop);
	assert_int_equal(e.eof, 1);
	assert_memory_equal(e.got, "still", 5);
	stream_close(&e.stream);
	free(e.got);
	loop_free(loop);
}

static void
a_hang_up_is_seen_while_reading_is_paused(void **state)
{
	(void)state;
	struct pair *p = open_pair();
	assert_false(stream_peer_is_gone(&p->a.stream));
	stream_close(&p->b.stream);
	assert_true(stream_peer_is_gone(&p->a.stream));
	close_pair(p);
}

static void
close_in_callback(void *owner, enum stream_event event)
{
	struct end *e = owner;
	assert_int_equal(event, STREAM_DATA);
	e->data++;
	stream_close(&e->stream);
	loop_stop(e->loop);
}

static void
nothing_comes_after_close(void **state)
{
	(void)state;
	struct pair *p = open_pair();
	stream_own(&p->b.stream, close_in_callback, &p->b);
	write_much(&p->a.stream, 200000);
	stream_want_read(&p->b.stream, true);
	loop_run(p->loop);
	assert_int_equal(p->b.data, 1);
	close_pair(p);
}

static void
what_is_left_when_the_input_is_closed_is_gone(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct end e = { .loop = loop };
	int fds[2];
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	stream_init_pipes(&e.stream, loop, fds[0], -1, close_input_at_eof, &e);
	stream_want_read(&e.stream, true);
	assert_int_equal(write(fds[1], "words", 5), 5);
	close(fds[1]);
	loop_run(loop);
	assert_int_equal(e.eof, 1);
	assert_int_equal(buf_len(&e.stream.kept), 0);
	assert_int_equal(stream_input(&e.stream).len, 0);
	stream_close(&e.stream);
	loop_free(loop);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(megabytes_pass_whole_when_the_writer_is_far_ahead),
		cmocka_unit_test(the_last_words_and_the_end_share_a_packet),
		cmocka_unit_test(last_words_wait_for_what_is_queued),
		cmocka_unit_test(what_the_owner_leaves_is_offered_again_in_front_of_the_next_bytes),
		cmocka_unit_test(kept_bytes_are_offered_on_resume_though_the_socket_is_silent),
		cmocka_unit_test(an_urgent_frame_overtakes_what_is_queued_at_a_boundary),
		cmocka_unit_test(a_gather_of_many_slices_that_the_kernel_takes_in_parts_arrives_whole),
		cmocka_unit_test(what_is_left_when_the_input_is_closed_is_gone),
		cmocka_unit_test(a_write_to_a_peer_that_is_gone_fails_later_and_what_it_had_sent_is_still_read),
		cmocka_unit_test(the_two_ends_of_pipes_live_apart),
		cmocka_unit_test(a_hang_up_is_seen_while_reading_is_paused),
		cmocka_unit_test(nothing_comes_after_close),
	};
	return cmocka_run_group_tests_name("io/stream", tests, NULL, NULL);
}
