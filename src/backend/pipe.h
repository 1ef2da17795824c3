/*
 * pipe: a stream and a framing make a backend that speaks messages.
 *
 * What a program behind two pipes and a service behind a socket have in common: bytes become
 * pieces, pieces become bytes, and both directions end each in its own time. What ends the whole
 * differs, and that is what a struct pipe_kind says.
 *
 *	output (to the client)   flows ── EOF, cut or discarded ── all pieces handed on: OVER
 *	input (of the client)    flows ── finish() ── taken, or given up: DRAINED
 *
 * A pipe is the head of the object of its kind and is freed with it. Events to the owner come from
 * the loop alone; nothing here calls the owner from a function that the owner has called. One loop.
 */
#ifndef BACKEND_PIPE_H
#define BACKEND_PIPE_H

#include "backend/backend.h"
#include "io/stream.h"

struct pipe;

struct pipe_kind {
	/* Once after pipe_finish(): the other side has taken all of the client's bytes, or was given up. */
	void (*drained)(struct pipe *p);
	/* Something has ended: is it the end of the whole? Then it calls pipe_end(). */
	void (*settle)(struct pipe *p);
	/* The timer has fired, and nothing is being drained. */
	void (*tick)(struct pipe *p);
};

/* What the way to the end needs; an idle connection does not have it. */
struct pipe_ending {
	struct loop_timer timer; /* polls while draining; else of the kind */
	uint64_t finish_ms;      /* when finish() was called */
	uint64_t drained_ms;     /* when draining ended */
	uint64_t resumed_ms;     /* when reading was last turned on since */
	uint64_t moved_ms;       /* draining: when bytes were last taken */
	size_t left;             /* draining: bytes not taken so far */
	size_t undelivered;      /* bytes that the kernel took but the other side never will */
	uint32_t poll_ms;
	uint8_t last_calls;
};

struct pipe {
	struct backend backend; /* first: the owner's pointer is ours */
	struct stream stream;
	struct framing framing;
	struct pipe_ending *ending; /* or NULL */
	struct loop_task later;     /* an event that must not come on the present stack */
	uint64_t offered;           /* bytes of the client meant for the other side */
	bool opened : 1;            /* READY was told */
	bool wants_read : 1;
	bool offering : 1; /* BACKEND_DATA is being worked on */
	bool cut : 1;      /* what has come is all there is, though the other side has not ended */
	bool over : 1;     /* all output was handed on, or discarded */
	bool broken : 1;   /* the output made no sense; end_code and reason say why */
	bool finishing : 1;
	bool drained : 1;
	bool emptied : 1;  /* drained, and all was taken */
	bool deaf : 1;     /* the other side takes no more: input is discarded and counted */
	bool ended : 1;    /* ENDED is due, or was told */
	bool said_all : 1; /* SAID_ALL was told */
	bool closed : 1;   /* freed, but someone may still stand on it */
};

static inline struct pipe *
pipe_of(struct backend *b)
{
	return (struct pipe *)b; /* its first member */
}

/* P is zeroed. The stream is the caller's to open, before READY. */
void pipe_init(struct pipe *p, const struct backend_ops *ops, struct loop *loop, const struct backend_options *opt, backend_fn *fn,
	void *owner);
/* The stream's callback; its owner is the pipe. */
stream_fn pipe_on_stream;

/* Tells READY, or REFUSED if pipe_refuse() was called: at once (from the loop only), or at the end of this turn. */
void pipe_opened(struct pipe *p);
void pipe_opened_later(struct pipe *p);

/* What backend_reason() says from now on; less than BACKEND_REASON_MAX bytes, copied. */
void pipe_set_reason(struct pipe *p, const char *text);

/* The reason becomes "ACT NAME: WHY"; a long NAME loses its head, so that WHY is read. */
void pipe_refuse(struct pipe *p, uint16_t status, const char *act, const char *name, const char *why);

/* kind->tick() comes in so many ms. False if memory is out: then nothing waits any more. */
bool pipe_set_timer(struct pipe *p, uint64_t after_ms);
void pipe_stop_timer(struct pipe *p);

/* Begins to drain; then comes kind->drained(). */
void pipe_finish(struct pipe *p);

/* When that was, and when it was done. 0 if it was not yet, or memory was out. */
static inline uint64_t
pipe_finish_ms(const struct pipe *p)
{
	return p->ending == NULL ? 0 : p->ending->finish_ms;
}

static inline uint64_t
pipe_drained_ms(const struct pipe *p)
{
	return p->ending == NULL ? 0 : p->ending->drained_ms;
}

/* Ends the output though the other side still holds it open: what has come is handed on, and then it is over. */
void pipe_cut(struct pipe *p);

/*
 * Are LIMIT_MS over since SINCE_MS? If not, the timer is set and asks again by kind->tick(). Says yes
 * only after the loop has had the time to read what was there.
 */
bool pipe_has_waited(struct pipe *p, uint64_t since_ms, uint64_t limit_ms);

/*
 * Since when the output is silent though it is wanted, but not since before EARLIEST_MS. While reading
 * is paused: since now.
 */
uint64_t pipe_silent_since(const struct pipe *p, uint64_t earliest_ms);

/* The end: closes the stream, and ENDED comes at the end of this turn. A broken pipe keeps its own code and reason. */
void pipe_end(struct pipe *p, uint16_t code, const char *reason);

/* Stops everything; no event follows. SIZE is that of the whole object, whose memory goes at the end of the turn. */
void pipe_free(struct pipe *p, size_t size);

/* For the tables of functions; see backend.h. */
bool pipe_read(struct backend *b, struct piece *out);
int pipe_send(struct backend *b, const struct piece *piece);
void pipe_flush(struct backend *b);
size_t pipe_queued(const struct backend *b);
void pipe_want_read(struct backend *b, bool yes);
void pipe_end_input(struct backend *b);
void pipe_discard(struct backend *b);
uint64_t pipe_untaken(const struct backend *b);

#endif
