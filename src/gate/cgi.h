/*
 * cgi: an ordinary request answered by a program (RFC 3875), from its start to the last byte.
 *
 * The client's content is streamed to the program's input and the program's output to the client, each
 * side read only as fast as the other takes it: a conversation holds at most the route's `buffer` each
 * way and what one read made of it. An answer without a length goes out in chunks, so that the
 * connection can be used again; to HTTP/1.0 it ends with the connection.
 *
 * A client that goes (or ends its side: no browser does that and stays) has its program stopped by the
 * ladder (`stop`). It has gone, too, if it takes nothing, or sends nothing of the content that is
 * wanted, for send_timeout. A program that neither writes nor reads for cgi_timeout is stopped, too: 504,
 * or, once its head is out, an end without the last chunk. The time that its client takes is not its own.
 *
 * Choices: a Location is passed on as it is, with 302 unless there is a Status, a local one too. No
 * words of the query become arguments (RFC 3875 4.4). Beyond its Content-Length nothing is sent; if it
 * sends less, or dies by a signal, the connection is closed so that the client sees the answer is not
 * whole; a non-zero exit is only logged.
 */
#ifndef GATE_CGI_H
#define GATE_CGI_H

#include <stdbool.h>

#include "backend/backend.h"
#include "gate/config.h"
#include "gate/record.h"
#include "io/stream.h"

struct cgi;

/* What is wanted. Valid during cgi_open() only. */
struct cgi_request {
	const struct backend_request *request; /* is_cgi, with a program */
	struct buf *content; /* collected already, taken over; NULL: it comes on the stream, as much as Content-Length says */
	bool keep_alive;     /* the connection may go on afterwards */
};

enum cgi_outcome {
	CGI_ANSWERED, /* all of the answer is with the kernel */
	CGI_REFUSED,  /* nothing was sent: the caller answers STATUS, with NOTE as its line */
	CGI_GONE,     /* the client has gone: nothing can be said to it any more */
};

struct cgi_end {
	enum cgi_outcome outcome;
	int status;
	const char *note; /* what went wrong, a static sentence; or NULL */
	bool keep_alive;  /* the next request may come: all of this one was read, and its answer has an end */
};

/* Called once, from the loop, when all is over; the program has ended. The owner then calls cgi_free(). */
typedef void cgi_fn(void *owner, const struct cgi_end *end);

/*
 * Starts the program and takes over STREAM's events (stream_own) until DONE is called: the owner then
 * takes them back; reading is off. A place of ROUTE (limit_enter_program) is given back by cgi_free().
 * The request's head must have been eaten from the stream when the present callback returns. NULL if
 * memory is out (nothing is taken over).
 */
struct cgi *cgi_open(struct stream *stream, const struct route *route, const struct cgi_request *want, cgi_fn *done, void *owner);

/* Adds bytes, pid and exit to the access line. */
void cgi_describe(const struct cgi *g, struct record *out);

/* At once: a program that still lives is killed. NULL does nothing. */
void cgi_free(struct cgi *g);

/* Answers Expect: 100-continue, if REQ has it (RFC 9110 10.1.1). */
void cgi_invite(struct stream *stream, const struct http_request *req);

#endif
