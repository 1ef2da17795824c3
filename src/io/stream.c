/*
 * The one idea: bytes go to the kernel from where they lie. A read lands in the scratch buffer that
 * all streams of a loop share, a write leaves from the gather; only what one side cannot take yet
 * is copied, and only then does a stream own memory.
 *
 * The queue is a list of chunks. A chunk begins and ends where a stream_send() did, which is why a
 * control frame may be put between two of them, but not in front of the one that is partly gone.
 *
 * Who is watched is never remembered: watch() derives it from what there is to do, and from what libssl
 * waits for, which may be the other direction.
 */
#include "io/stream.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/direct.h"
#include "io/tls.h"

enum {
	CHUNK_MIN = 2048, /* small sends behind each other share a chunk */
	CHUNK_VECTORS = 16,
	TLS_HANDSHAKE = 0x16, /* first byte of a client that speaks TLS (RFC 8446 5.1) */
};

struct stream_chunk {
	struct stream_chunk *next;
	size_t len, cap;
	size_t gone; /* bytes at the head that were written */
	bool begun;  /* part of what was sent with it has left already */
	bool urgent; /* overtook what follows */
	unsigned char data[];
};

static void
set_watcher(struct stream *s, ev_io *w, bool on)
{
	if (w->fd == -1)
		return;
	if (on)
		ev_io_start(loop_ev(s->loop), w);
	else
		ev_io_stop(loop_ev(s->loop), w);
}

struct stream_tls {
	struct tls_context *context;
	struct tls *tls;         /* NULL until the first byte is seen */
	struct loop_timer again; /* for what libssl holds, of which the socket will not speak */
	bool read_wants_write;
	bool write_wants_read;
};

static bool
is_to_read(const struct stream *s)
{
	return s->wants_read && !s->eof;
}

static bool
is_to_write(const struct stream *s)
{
	return stream_queued(s) > 0 || s->wants_room || (s->finishing && !s->finished && !s->failed);
}

static void on_writable(struct ev_loop *ev, ev_io *w, int revents);
static void fail_output(struct stream *s, int error);

static int
open_outbox(struct stream *s)
{
	if (s->outbox != NULL)
		return 0;
	struct stream_outbox *box = s->outbox = calloc(1, sizeof(*box));
	if (box == NULL)
		return -1;
	ev_io_init(&box->writer, on_writable, s->out, EV_WRITE);
	box->writer.data = s;
	box->queue_end = &box->queue;
	box->moved_ms = loop_now_ms(s->loop);
	return 0;
}

/* All that is queued is lost. */
static void
close_outbox(struct stream *s)
{
	if (s->outbox == NULL)
		return;
	set_watcher(s, &s->outbox->writer, false);
	for (struct stream_chunk *c = s->outbox->queue, *next; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(s->outbox);
	s->outbox = NULL;
}

static void
watch_writer(struct stream *s, bool on)
{
	if (!on && stream_queued(s) == 0)
		close_outbox(s);
	else if (open_outbox(s) == 0)
		set_watcher(s, &s->outbox->writer, on);
	else if (!s->failed)
		fail_output(s, ENOMEM);
}

static void
watch(struct stream *s)
{
	bool reads = is_to_read(s), writes = is_to_write(s);
	const struct stream_tls *tls = s->secure;
	if (tls != NULL) {
		bool crossing_read = reads && tls->read_wants_write, crossing_write = writes && tls->write_wants_read;
		reads = (reads && !crossing_read) || crossing_write;
		writes = (writes && !crossing_write) || crossing_read;
	}
	set_watcher(s, &s->reader, reads);
	watch_writer(s, writes);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void read_once(struct stream *s);

static void
on_again(void *owner)
{
	struct stream *s = owner;
	if (is_to_read(s))
		read_once(s);
}

int
stream_expect_tls(struct stream *s, struct tls_context *context)
{
	s->secure = calloc(1, sizeof(*s->secure));
	if (s->secure == NULL)
		return -1;
	s->secure->context = tls_context_hold(context);
	loop_timer_init(&s->secure->again, s->loop, on_again, s);
	return 0;
}

static void
forget_tls(struct stream *s)
{
	if (s->secure == NULL)
		return;
	loop_timer_stop(&s->secure->again);
	tls_free(s->secure->tls);
	tls_context_release(s->secure->context);
	free(s->secure);
	s->secure = NULL;
}

bool
stream_is_plain_by_mistake(const struct stream *s)
{
	return s->plain_by_mistake;
}

const struct tls *
stream_tls(const struct stream *s)
{
	return s->secure == NULL ? NULL : s->secure->tls;
}

/* Of a peer that is to speak TLS: looks at its first byte without taking it, unless it is known. Returns as recv(2). */
static ssize_t
tell_tls_from_plain(struct stream *s)
{
	unsigned char first;
	if (s->secure->tls != NULL)
		return 1;
	ssize_t n = recv(s->reader.fd, &first, 1, MSG_PEEK);
	if (n <= 0)
		return n;
	if (first != TLS_HANDSHAKE) {
		s->plain_by_mistake = true;
		forget_tls(s);
		return 1;
	}
	s->secure->tls = tls_new(s->secure->context, s->reader.fd);
	if (s->secure->tls != NULL)
		return 1;
	errno = ENOMEM;
	return -1;
}

size_t
stream_sealed(const struct stream *s)
{
	return stream_tls(s) == NULL || s->failed ? 0 : tls_unsent(s->secure->tls);
}

/* Returns as recv(2). */
static ssize_t
receive_tls(struct stream *s, unsigned char *data, size_t len)
{
	struct stream_tls *secure = s->secure;
	ssize_t n = tls_read(secure->tls, data, len);
	secure->read_wants_write = n == TLS_WANTS_WRITE;
	if (tls_has_more(secure->tls))
		loop_timer_set(&secure->again, 0);
	if (n == TLS_WANTS_READ || n == TLS_WANTS_WRITE)
		errno = EAGAIN;
	return n >= 0 ? n : -1;
}

/* Returns as writev(2). */
static ssize_t
write_tls(struct stream *s, const struct iovec *vec, int count)
{
	ssize_t n = tls_write(s->secure->tls, vec, count);
	s->secure->write_wants_read = n == TLS_WANTS_READ;
	if (n == TLS_WANTS_READ || n == TLS_WANTS_WRITE)
		errno = EAGAIN;
	return n >= 0 ? n : -1;
}

/* --- input ------------------------------------------------------------------------------------ */

/* Shows INPUT to the owner, and keeps what it leaves. */
static void
offer(struct stream *s, enum stream_event event, struct span input)
{
	s->input = &input;
	s->fn(s->reader.data, event);
	s->input = NULL;
	if (s->closed)
		return;
	if (buf_len(&s->kept) > 0)
		buf_drop(&s->kept, buf_len(&s->kept) - input.len);
	else if (input.len > 0 && buf_append(&s->kept, input.data, input.len) == -1)
		s->error = ENOMEM, s->eof = true; /* the owner will see a short input, and the reason */
}

static void
end_input(struct stream *s, int error)
{
	if (s->error == 0)
		s->error = (uint16_t)error;
	s->eof = true;
	watch(s);
	offer(s, STREAM_EOF, buf_span(&s->kept));
}

/* EIO is how a pseudo-terminal says that its other end is closed and nothing is left; no pipe says it. */
static ssize_t
read_pipe(int fd, unsigned char *data, size_t len)
{
	ssize_t n = direct_read(fd, data, len);
	return n == -1 && errno == EIO ? 0 : n;
}

static ssize_t
receive(struct stream *s, unsigned char *data, size_t len)
{
	if (!s->socket)
		return read_pipe(s->reader.fd, data, len);
	if (s->secure != NULL) {
		ssize_t n = tell_tls_from_plain(s);
		if (n <= 0)
			return n;
	}
	return s->secure != NULL ? receive_tls(s, data, len) : direct_recv(s->reader.fd, data, len, 0);
}

static void
read_once(struct stream *s)
{
	size_t kept = buf_len(&s->kept);
	if (kept >= LOOP_SCRATCH) {
		offer(s, STREAM_DATA, buf_span(&s->kept));
		return;
	}
	unsigned char *scratch = loop_scratch(s->loop);
	ssize_t n = receive(s, scratch + kept, LOOP_SCRATCH - kept);
	int error = errno;
	if (s->secure != NULL)
		watch(s);
	if (n <= 0) {
		if (n == 0 || !direct_would_block(error))
			end_input(s, n == 0 ? 0 : error);
		return;
	}
	s->received_ms = loop_now_ms(s->loop);
	if (kept > 0) {
		struct span old = buf_span(&s->kept);
		assert(old.data != NULL);
		memcpy(scratch, old.data, kept);
		buf_clear(&s->kept);
	}
	offer(s, STREAM_DATA, (struct span){ scratch, kept + (size_t)n });
}

/* What could not be told while someone was calling us, and bytes that wait though the kernel is silent. */
static void
on_resume(void *owner)
{
	struct stream *s = owner;
	if (s->failed && !s->failure_told) {
		s->failure_told = true;
		s->fn(s->reader.data, STREAM_FAILED);
	}
	if (!s->closed && s->wants_read && buf_len(&s->kept) > 0)
		offer(s, STREAM_DATA, buf_span(&s->kept));
}

void
stream_eat(struct stream *s, size_t len)
{
	assert(len <= stream_input(s).len);
	if (s->input != NULL)
		span_skip(s->input, len);
}

void
stream_want_read(struct stream *s, bool yes)
{
	if (s->closed || s->wants_read == yes)
		return;
	s->wants_read = yes;
	watch(s);
	if (yes && (buf_len(&s->kept) > 0 || stream_input(s).len > 0))
		loop_defer(s->loop, &s->resume, on_resume, s);
	if (yes && stream_tls(s) != NULL && tls_has_more(s->secure->tls))
		loop_timer_set(&s->secure->again, 0);
}

/* --- output ----------------------------------------------------------------------------------- */

static void
fail_output(struct stream *s, int error)
{
	if (s->error == 0)
		s->error = (uint16_t)error;
	s->failed = true;
	s->wants_room = false;
	close_outbox(s);
	watch(s);
	loop_defer(s->loop, &s->resume, on_resume, s);
}

/* A goodbye of TLS that finds the socket full is tried again when it is not. */
static void
end_output(struct stream *s)
{
	bool is_told = stream_tls(s) == NULL || s->failed || tls_close_notify(s->secure->tls) == 0;
	s->finished = is_told;
	watch(s);
	if (!is_told)
		return;
	if (s->socket) {
		shutdown(s->out, SHUT_WR);
		return;
	}
	if (s->out != -1)
		close(s->out);
	s->out = -1;
}

/* Nothing is said before it is known what the peer speaks. */
static bool
is_peer_known(struct stream *s)
{
	ssize_t n = tell_tls_from_plain(s);
	if (n == 0)
		errno = EPIPE;
	else if (n == -1 && direct_would_block(errno))
		s->secure->write_wants_read = true;
	return n == 1;
}

static ssize_t
write_vectors(struct stream *s, struct iovec *vec, int count)
{
	if (s->secure != NULL && !is_peer_known(s))
		return -1;
	if (s->secure != NULL)
		return write_tls(s, vec, count);
	if (!s->socket)
		return count == 1 ? direct_write(s->out, vec->iov_base, vec->iov_len) : direct_writev(s->out, vec, count);
	int flags = s->last_words ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
	if (count == 1)
		return direct_send(s->out, vec->iov_base, vec->iov_len, flags);
	struct msghdr message = { .msg_iov = vec, .msg_iovlen = (size_t)count };
	return direct_sendmsg(s->out, &message, flags);
}

static struct stream_chunk *
chunk_new(size_t len)
{
	size_t cap = len < CHUNK_MIN ? CHUNK_MIN : len;
	struct stream_chunk *c = malloc(sizeof(*c) + cap);
	if (c != NULL)
		*c = (struct stream_chunk){ .cap = cap };
	return c;
}

/* The last chunk, if LEN more bytes may go into it. */
static struct stream_chunk *
last_chunk_with_room(struct stream *s, size_t len)
{
	const struct stream_outbox *box = s->outbox;
	if (box->queue == NULL)
		return NULL;
	struct stream_chunk *last = (struct stream_chunk *)((char *)box->queue_end - offsetof(struct stream_chunk, next));
	return last->urgent || last->begun || last->cap - last->len < len ? NULL : last;
}

/* Queues all but the first GONE bytes of VEC. */
static int
enqueue(struct stream *s, const struct iovec *vec, int count, size_t total, size_t gone)
{
	if (open_outbox(s) == -1)
		return -1;
	struct stream_outbox *box = s->outbox;
	bool begun = gone > 0;
	struct stream_chunk *c = begun ? NULL : last_chunk_with_room(s, total);
	if (c == NULL) {
		c = chunk_new(total - gone);
		if (c == NULL)
			return -1;
		c->begun = begun;
		*box->queue_end = c;
		box->queue_end = &c->next;
	}
	box->queued += total - gone;
	for (int i = 0; i < count; i++) {
		size_t skip = gone < vec[i].iov_len ? gone : vec[i].iov_len;
		memcpy(c->data + c->len, (char *)vec[i].iov_base + skip, vec[i].iov_len - skip);
		c->len += vec[i].iov_len - skip;
		gone -= skip;
	}
	return 0;
}

static int
send_vectors(struct stream *s, struct iovec *vec, int count, size_t total)
{
	if (s->closed || s->failed || s->finishing || s->out == -1)
		return -1;
	bool is_first = stream_queued(s) == 0;
	size_t gone = 0;
	if (is_first) {
		ssize_t n = write_vectors(s, vec, count);
		if (n == -1 && !direct_would_block(errno)) {
			fail_output(s, errno);
			return -1;
		}
		gone = n > 0 ? (size_t)n : 0;
		s->sent += gone;
		if (gone == total && stream_queued(s) == 0)
			return 0;
	}
	if (gone < total && enqueue(s, vec, count, total, gone) == -1) {
		fail_output(s, ENOMEM);
		return -1;
	}
	watch(s);
	if (is_first && s->outbox != NULL)
		s->outbox->moved_ms = loop_now_ms(s->loop); /* the clock of send_timeout starts here */
	return 0;
}

int
stream_send(struct stream *s, struct gather *g)
{
	if (gather_is_empty(g))
		return 0;
	size_t total = gather_close(g);
	int result = send_vectors(s, g->vec, g->count, total);
	gather_reset(g);
	return result;
}

int
stream_write(struct stream *s, const void *data, size_t len)
{
	struct iovec vec = { (void *)(uintptr_t)data, len };
	return len == 0 ? 0 : send_vectors(s, &vec, 1, len);
}

/* Where the next urgent bytes go: behind what has begun, and behind those that overtook before. */
static struct stream_chunk **
find_boundary(struct stream *s, struct stream_chunk **last_urgent)
{
	struct stream_chunk **at = &s->outbox->queue;
	*last_urgent = NULL;
	while (*at != NULL && ((*at)->begun || (*at)->urgent)) {
		*last_urgent = (*at)->urgent ? *at : NULL;
		at = &(*at)->next;
	}
	return at;
}

int
stream_overtake(struct stream *s, const void *data, size_t len)
{
	if (stream_queued(s) == 0)
		return stream_write(s, data, len);
	if (s->closed || s->failed || s->finishing)
		return -1;
	struct stream_chunk *c, **at = find_boundary(s, &c);
	if (c == NULL || c->cap - c->len < len) {
		c = chunk_new(len);
		if (c == NULL)
			return -1;
		c->urgent = true;
		c->next = *at;
		*at = c;
		if (c->next == NULL)
			s->outbox->queue_end = &c->next;
	}
	memcpy(c->data + c->len, data, len);
	c->len += len;
	s->outbox->queued += len;
	return 0;
}

static void
drop_written(struct stream *s, size_t n)
{
	struct stream_outbox *box = s->outbox;
	s->sent += n;
	box->queued -= n;
	while (n > 0) {
		struct stream_chunk *c = box->queue;
		size_t part = c->len - c->gone;
		if (n < part) {
			c->gone += n;
			c->begun = true;
			return;
		}
		n -= part;
		box->queue = c->next;
		free(c);
	}
	if (box->queue == NULL)
		box->queue_end = &box->queue;
}

static ssize_t
write_queue(struct stream *s)
{
	struct iovec vec[CHUNK_VECTORS];
	int count = 0;
	for (struct stream_chunk *c = s->outbox->queue; c != NULL && count < CHUNK_VECTORS; c = c->next)
		vec[count++] = (struct iovec){ c->data + c->gone, c->len - c->gone };
	return write_vectors(s, vec, count);
}

static void
tell_room(struct stream *s)
{
	s->wants_room = false;
	watch(s);
	s->fn(s->reader.data, STREAM_ROOM);
}

static void
flush_queue(struct stream *s)
{
	ssize_t n = write_queue(s);
	int error = errno;
	if (n > 0)
		drop_written(s, (size_t)n);
	if (n == -1) {
		if (direct_would_block(error))
			watch(s);
		else
			fail_output(s, error);
		return;
	}
	s->outbox->moved_ms = loop_now_ms(s->loop);
	if (stream_queued(s) == 0 && s->finishing)
		end_output(s);
	tell_room(s);
}

/* --- readiness -------------------------------------------------------------------------------- */

static void
go_on_writing(struct stream *s)
{
	if (s->closed)
		return;
	if (stream_queued(s) > 0)
		flush_queue(s);
	else if (s->wants_room)
		tell_room(s);
	else if (is_to_write(s))
		end_output(s);
}

static void
on_readable(struct ev_loop *ev, ev_io *w, int revents)
{
	(void)ev, (void)revents;
	struct stream *s = (struct stream *)w; /* its first member */
	if (s->secure != NULL && s->secure->write_wants_read) {
		s->secure->write_wants_read = false;
		go_on_writing(s);
	}
	if (!s->closed && is_to_read(s))
		read_once(s);
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int revents)
{
	(void)ev, (void)revents;
	struct stream *s = w->data;
	if (s->secure != NULL && s->secure->read_wants_write) {
		s->secure->read_wants_write = false;
		if (is_to_read(s))
			read_once(s);
	}
	go_on_writing(s);
	if (!s->closed)
		watch(s);
}

bool
stream_can_send_file(const struct stream *s)
{
	return s->socket && s->secure == NULL && stream_queued(s) == 0 && !s->closed && !s->failed && !s->finishing;
}

ssize_t
stream_send_file(struct stream *s, int fd, uint64_t *at, size_t len)
{
	off_t offset = (off_t)*at;
	errno = 0;
	ssize_t n = sendfile(s->out, fd, &offset, len);
	if (n == 0)
		return -1;
	if (n == -1 && direct_would_block(errno)) {
		stream_want_room(s);
		return 0;
	}
	if (n == -1)
		return -1;
	*at = (uint64_t)offset;
	s->sent += (uint64_t)n;
	return n;
}

void
stream_want_room(struct stream *s)
{
	if (s->closed || s->failed || s->out == -1)
		return;
	s->wants_room = true;
	watch(s);
}

void
stream_finish(struct stream *s)
{
	if (s->closed || s->finishing)
		return;
	s->finishing = true;
	if (stream_queued(s) == 0)
		end_output(s);
}

void
stream_write_last(struct stream *s, const void *data, size_t len)
{
	s->last_words = true;
	stream_write(s, data, len);
	stream_finish(s);
}

size_t
stream_undelivered(const struct stream *s)
{
	int n = 0;
	if (s->out == -1 || s->failed || ioctl(s->out, s->socket ? SIOCOUTQ : FIONREAD, &n) == -1 || n < 0)
		return 0;
	return (size_t)n;
}

bool
stream_peer_is_gone(const struct stream *s)
{
	struct pollfd p = { .fd = s->reader.fd, .events = POLLRDHUP };
	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* --- beginning and end -------------------------------------------------------------------------- */

static void
stream_init(struct stream *s, struct loop *loop, int in, int out, stream_fn *fn, void *owner)
{
	*s = (struct stream){ .loop = loop, .fn = fn, .out = out };
	s->received_ms = loop_now_ms(loop);
	ev_io_init(&s->reader, on_readable, in, EV_READ);
	s->reader.data = owner;
}

void
stream_init_socket(struct stream *s, struct loop *loop, int fd, stream_fn *fn, void *owner)
{
	stream_init(s, loop, fd, fd, fn, owner);
	s->socket = true;
}

void
stream_init_pipes(struct stream *s, struct loop *loop, int in, int out, stream_fn *fn, void *owner)
{
	stream_init(s, loop, in, out, fn, owner);
	s->eof = in == -1;
}

void
stream_own(struct stream *s, stream_fn *fn, void *owner)
{
	s->fn = fn;
	s->reader.data = owner;
}

void
stream_close_input(struct stream *s)
{
	if (s->closed)
		return;
	s->eof = true;
	watch(s);
	if (s->input != NULL)
		*s->input = (struct span){ NULL, 0 };
	buf_clear(&s->kept);
	if (!s->socket && s->reader.fd != -1) {
		close(s->reader.fd);
		s->reader.fd = -1;
	}
}

void
stream_close(struct stream *s)
{
	if (s->closed || s->loop == NULL)
		return;
	stream_close_input(s);
	s->closed = true;
	if (stream_tls(s) != NULL && !s->finished && !s->failed && stream_queued(s) == 0)
		tls_close_notify(s->secure->tls);
	forget_tls(s);
	set_watcher(s, &s->reader, false);
	close_outbox(s);
	loop_defer_cancel(s->loop, &s->resume);
	if (s->out != -1)
		close(s->out);
	s->reader.fd = s->out = -1;
}
