/*
 * upgrade: judges a WebSocket opening handshake (RFC 6455 4.2) and writes the answer. Pure.
 */
#ifndef PROTO_UPGRADE_H
#define PROTO_UPGRADE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/text.h"
#include "proto/deflate.h"
#include "proto/http.h"

enum { UPGRADE_ACCEPT_LEN = 28 };

struct upgrade {
	char accept[UPGRADE_ACCEPT_LEN + 1]; /* value of Sec-WebSocket-Accept */
	struct slice subprotocol;            /* chosen; data NULL if none. Points into the request or the list */
	struct deflate_terms deflate;        /* of the client's first offer that could be accepted */
};

/* Which subprotocols a route takes. */
enum subprotocol_policy {
	SUBPROTOCOL_ANY,  /* the first that the client offers */
	SUBPROTOCOL_LIST, /* the first of ours that the client offers */
	SUBPROTOCOL_NONE, /* none, ever */
};

struct upgrade_options {
	enum subprotocol_policy subprotocols;
	const char *const *subprotocol_list; /* NULL-terminated, in order of preference */
	bool subprotocols_required;          /* no match: 400 instead of going on without one */
	struct deflate_options deflate;
};

enum upgrade_result {
	UPGRADE_NO,     /* an ordinary request: does not ask for WebSocket at all */
	UPGRADE_YES,    /* *UP is filled in */
	UPGRADE_BROKEN, /* asks for it, wrongly: answer FAULT (400, 405, 426; 500 if there is no SHA-1) */
};

/*
 * Judges REQ. A request asks for WebSocket if its Upgrade field has the token websocket, or it has
 * any Sec-WebSocket-Key or -Version field. Then it must be GET, HTTP/1.1 (426), without a body,
 * with one Host, Connection: upgrade, one key of 16 bytes, and one version 13 (426).
 *
 * Some answers need more than their status, and the caller adds it: 405 "Allow: GET"; 426 "Upgrade:
 * websocket" and "Sec-WebSocket-Version: 13" (RFC 6455 4.4, RFC 9110 15.5.22).
 */
enum upgrade_result
upgrade_judge(const struct http_request *req, const struct upgrade_options *opt, struct upgrade *up, struct http_fault *fault);

/*
 * Appends the whole 101 response, with the header lines EXTRA and MORE (each with CRLF; may be NULL) in it.
 * Returns 0 or -1 if memory is out.
 */
int upgrade_write_response(struct buf *out, const struct upgrade *up, const char *extra, const char *more);

#endif
