/*
 * pages: answers ordinary requests from a folder (RFC 9110): files, conditionals, one range.
 *
 * A page is a response under way on a client's stream. It queues no more than a bounded amount: it
 * goes on whenever the stream has room.
 */
#ifndef GATE_PAGES_H
#define GATE_PAGES_H

#include <stdbool.h>

#include "gate/config.h"
#include "io/stream.h"
#include "proto/http.h"

struct page;

/*
 * Begins to answer REQ, a GET or HEAD whose route has a static_dir; REST is the decoded path behind
 * the route's. KEEP_ALIVE tells whether the connection goes on afterwards (a Connection header says
 * so). *STATUS is what is answered. Returns NULL with *STATUS set to what the caller shall answer
 * (404, 403, 405, 500 ...) if there is nothing to serve. Never escapes the folder, by dots, encoding,
 * symlinks or races (openat2 RESOLVE_BENEATH).
 */
struct page *page_open(struct stream *stream, const struct route *route, const struct http_request *req, struct slice rest,
	bool keep_alive, int *status);

enum page_result {
	PAGE_MORE,   /* call again at STREAM_ROOM */
	PAGE_DONE,   /* all of it is with the kernel: nothing is queued */
	PAGE_FAILED, /* the stream failed, or the file became shorter: close the connection */
};

/* Sends as much as the stream's queue should hold. Call once after page_open, then at STREAM_ROOM. */
enum page_result page_continue(struct page *p);

/* Bytes of the body sent, for the log. */
uint64_t page_sent(const struct page *p);

void page_free(struct page *p);

#endif
