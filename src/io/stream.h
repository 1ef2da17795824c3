/*
 * stream: one duplex stream of bytes, over a socket or over two pipe ends.
 *
 * The owner gets events through one callback and never learns what is beneath. Each readiness reads
 * once, into the loop's scratch buffer; the owner eats what it can from stream_input() and what it
 * leaves is kept and offered again in front of the next bytes. A stream with nothing kept and
 * nothing queued owns no buffer.
 *
 * Re-entrancy: no function here calls the owner; a failure that one of them finds arrives later as
 * STREAM_FAILED. The owner may call any function from its callback, stream_close() too.
 *
 * The two sides end apart: the input with STREAM_EOF (stream_errno tells whether it was a reset), the
 * output with STREAM_FAILED. Each comes once at the most; after stream_close() nothing comes.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/gather.h"
#include "io/loop.h"

enum stream_event {
	STREAM_DATA,   /* stream_input() has bytes to look at */
	STREAM_ROOM,   /* the kernel took some of the queue, or would take more: see stream_want_room() */
	STREAM_EOF,    /* no more comes; what is left in stream_input() is the last. stream_errno: 0, or ECONNRESET and the like */
	STREAM_FAILED, /* writing failed: see stream_errno. All that is queued is lost; reading goes on to its own end */
};

typedef void stream_fn(void *owner, enum stream_event event);

struct stream_chunk;
struct stream_tls;

/* What the kernel did not take, and who waits until it takes more. */
struct stream_outbox {
	ev_io writer;
	struct stream_chunk *queue, **queue_end;
	size_t queued;     /* bytes in queue */
	uint64_t moved_ms; /* loop_now_ms() when the queue began, or last moved */
};

struct tls;
struct tls_context;

/* In the order of need: a message touches what stands first. */
struct stream {
	ev_io reader; /* its data is the owner */
	struct loop *loop;
	stream_fn *fn;
	struct span *input;           /* what the owner may eat, during its callback; else NULL */
	struct buf kept;              /* what it left */
	struct stream_tls *secure;    /* NULL: plain */
	struct stream_outbox *outbox; /* NULL: the kernel takes all, and is not asked when it takes more */
	uint64_t sent;                /* bytes of the owners' that the kernel took */
	uint64_t received_ms;         /* loop_now_ms() of the last byte read */
	int out;                      /* where we write: the reader's descriptor, if it is a socket; or -1 */
	uint16_t error;               /* errno of the first failure of either side */
	bool socket : 1;
	bool wants_read : 1;
	bool wants_room : 1;
	bool eof : 1;
	bool finishing : 1; /* end our side once the queue is empty */
	bool finished : 1;  /* our side has ended */
	bool failed : 1;
	bool failure_told : 1;
	bool plain_by_mistake : 1;
	bool last_words : 1; /* the kernel may keep what is written till our side ends, which is now */
	bool closed : 1;
	struct loop_task resume; /* delivers what is kept, or a failure, after the present stack is gone */
};

/* Takes FD, a connected non-blocking socket. Reading is off until stream_want_read(). */
void stream_init_socket(struct stream *s, struct loop *loop, int fd, stream_fn *fn, void *owner);

/* Takes the read end IN, or a pseudo-terminal's master, and the write end OUT of non-blocking pipes; either may be -1. */
void stream_init_pipes(struct stream *s, struct loop *loop, int in, int out, stream_fn *fn, void *owner);

/*
 * The peer is to speak TLS, by CONTEXT's rules. If its first byte is none of TLS, the stream stays
 * plain, and stream_is_plain_by_mistake() says so. Before anything is read; what is written before the
 * peer has shown what it speaks waits. A handshake that fails is a STREAM_EOF, and tls_failure() of
 * stream_tls() says why. -1 if memory is out.
 */
int stream_expect_tls(struct stream *s, struct tls_context *context);
bool stream_is_plain_by_mistake(const struct stream *s);

/* The TLS state for its names and versions, or NULL. */
const struct tls *stream_tls(const struct stream *s);

/* Events go to FN and OWNER from now on; what is kept stays. */
void stream_own(struct stream *s, stream_fn *fn, void *owner);

/* The bytes that wait; may be changed in place. Valid until the callback returns. */
static inline struct span
stream_input(const struct stream *s)
{
	return s->input == NULL ? (struct span){ NULL, 0 } : *s->input;
}

/* Drops LEN bytes from the head of stream_input(). */
void stream_eat(struct stream *s, size_t len);

/* The input cannot grow until something of it is eaten. */
static inline bool
stream_input_is_full(const struct stream *s)
{
	return stream_input(s).len >= LOOP_SCRATCH;
}

/*
 * Turns reading on or off. Turned on, bytes that were kept are offered again, as STREAM_DATA, at the
 * end of this turn though the descriptor may stay silent, or have ended.
 */
void stream_want_read(struct stream *s, bool yes);

/*
 * Sends what G holds, in one system call, and empties G. What the kernel does not take is copied
 * into the queue. Returns 0, or -1 if the stream has failed or its side is finished (G is emptied
 * all the same).
 */
int stream_send(struct stream *s, struct gather *g);

/* The same for LEN bytes at DATA, copied if need be. */
int stream_write(struct stream *s, const void *data, size_t len);

/*
 * Sends LEN bytes ahead of what is queued, at the nearest boundary between two stream_send()s: how
 * a control frame overtakes data between frames.
 */
int stream_overtake(struct stream *s, const void *data, size_t len);

/* May stream_send_file() be called: a plain socket with nothing queued? */
bool stream_can_send_file(const struct stream *s);

/*
 * Sends up to LEN bytes of the file FD from *AT on, straight from the file (sendfile(2)); *AT moves
 * on. Returns how many; 0 if the kernel takes none now: STREAM_ROOM comes when it does; or -1 with
 * errno, 0 if the file has ended.
 */
ssize_t stream_send_file(struct stream *s, int fd, uint64_t *at, size_t len);

/* STREAM_ROOM comes as soon as the kernel takes something, in the next turn at the earliest. */
void stream_want_room(struct stream *s);

/* Of what is queued: bytes that are records of TLS already. */
size_t stream_sealed(const struct stream *s);

static inline size_t
stream_queued(const struct stream *s)
{
	return (s->outbox == NULL ? 0 : s->outbox->queued) + (s->secure == NULL ? 0 : stream_sealed(s));
}

/* loop_now_ms() when what is queued began to wait, or the kernel last took some of it; 0 if nothing is queued. */
static inline uint64_t
stream_moved_ms(const struct stream *s)
{
	return stream_queued(s) == 0 ? 0 : s->outbox->moved_ms;
}

/*
 * Is QUEUED so much that whoever fills the queue has to wait? Above the high-water mark it is PAUSED; it goes on at
 * half of it, so that it does not flutter.
 */
static inline bool
stream_is_over_mark(size_t queued, size_t mark, bool paused)
{
	return queued >= (paused ? mark / 2 + 1 : mark);
}

/* Bytes that the kernel took but the other side has not yet: read from the pipe, or acknowledged. 0 if unknown. */
size_t stream_undelivered(const struct stream *s);

/* Has the peer hung up, though reading may be paused? (poll(2): POLLRDHUP, POLLHUP, POLLERR) */
bool stream_peer_is_gone(const struct stream *s);

/* Ends our side once all that is queued is written: close_notify of TLS and shutdown(SHUT_WR), or close of the write end. */
void stream_finish(struct stream *s);

/* stream_write() and stream_finish(): the last bytes and the end share a packet. */
void stream_write_last(struct stream *s, const void *data, size_t len);
static inline bool
stream_is_finished(const struct stream *s)
{
	return s->finished;
}

/* errno of the failure, 0 if none. */
static inline int
stream_errno(const struct stream *s)
{
	return s->error;
}

/* Closes now; no event follows; what is queued is dropped. May be called twice. Frees all but *S itself. */
void stream_close(struct stream *s);

/* Closes the read end alone: nobody wants to hear more. The writer goes on. For pipes; for a socket it only stops reading. */
void stream_close_input(struct stream *s);

#endif
