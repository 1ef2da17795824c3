/*
 * http: HTTP/1.1 request heads (RFC 9112) in, response heads out.
 *
 * The parser is strict: what is malformed or ambiguous is refused with the status that the peer
 * will be told, never repaired. It copies nothing: all slices of a parsed head point into the
 * caller's bytes, which must outlive it. Pure.
 */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

enum {
	HTTP_HEAD_MAX = 16 * 1024,  /* whole head; above: 431 */
	HTTP_TARGET_MAX = 8 * 1024, /* request target; above: 414 */
	HTTP_FIELDS_MAX = 100,      /* header fields; above: 431 */
};

struct http_field {
	struct slice name;  /* as sent; compare case-blind */
	struct slice value; /* without white space around it */
};

struct http_request {
	struct slice method;
	struct slice target; /* as sent */
	struct slice path;   /* still percent-encoded, begins with '/'; "*" of OPTIONS *; data NULL for CONNECT */
	struct slice query;  /* behind '?', without it; data NULL if there is no '?' */
	struct slice host;   /* host[:port]: of the target if it names one, else the one Host; data NULL if neither (HTTP/1.0) */
	int minor;           /* 0 or 1: HTTP/1.minor; 1 for what is later, too */
	bool keep_alive;     /* RFC 9112 9.3 */
	bool chunked;        /* Transfer-Encoding: chunked */
	uint64_t content_length; /* 0 if absent */
	bool has_body;           /* chunked or content_length > 0 */
	size_t field_count;
	struct http_field fields[HTTP_FIELDS_MAX];
};

enum http_result {
	HTTP_MORE,   /* the head is not complete */
	HTTP_HEAD,   /* complete: *EATEN bytes, up to and with the empty line */
	HTTP_BROKEN, /* refuse: see fault */
};

/* What to answer to a head that is no good. */
struct http_fault {
	int status;       /* 400, 414, 431, 501, 505 */
	const char *what; /* a static sentence for the body and the log */
};

/*
 * Looks at DATA, which holds all bytes of the head that have come so far (one empty line before
 * the request line is skipped, RFC 9112 2.2). *SCANNED is the caller's, zero at first: a mark of how
 * far earlier calls have looked, so that a head that comes byte by byte costs linear time; pass the
 * same one again, the number means nothing to you. HTTP_HEAD sets it to zero for the next head.
 *
 * Breaks as early as a limit is passed or a whole line is wrong; the fault is the same however the
 * head was cut. *REQ and *EATEN mean something after HTTP_HEAD only, *FAULT after HTTP_BROKEN only.
 * An unknown method is parsed: the caller answers 405 or 501. The body is the caller's, too.
 */
enum http_result http_parse(struct slice data, size_t *scanned, struct http_request *req, size_t *eaten, struct http_fault *fault);

/* The field's value, or data NULL. If it occurs more than once: the first. */
struct slice http_field(const struct http_request *req, const char *name);

/* The next field of this name, from *AT on (zero at first, moved behind it); NULL at the end. */
const struct http_field *http_next_field(const struct http_request *req, const char *name, size_t *at);

/* How often a field of this name occurs. */
size_t http_field_count(const struct http_request *req, const char *name);

/* Does the list in all fields of this name hold TOKEN (case-blind)? */
bool http_field_has_token(const struct http_request *req, const char *name, const char *token);

/* Is it a token of RFC 9110 5.6.2 (not empty)? */
bool http_is_token(struct slice text);

/* The standard phrase, "Forbidden" for 403; "" if unknown. */
const char *http_phrase(int status);

/*
 * Decodes %XX once and resolves dot segments of an absolute path: "/a/./b/../c%20d" is "/a/c d".
 * Returns the length written to OUT (at most path.len, no NUL), or -1 for a bad escape, an encoded
 * NUL or slash (%00, %2F), or a path that climbs above its root.
 */
long http_decode_path(struct slice path, char *out);

/* Is there a field NAME in LINES, which are whole with CRLF? */
bool http_lines_name(const char *lines, struct slice name);

/*
 * Appends a response head up to and with the empty line: status line, Server unless EXTRA has one,
 * Date from NOW (seconds since 1970), then EXTRA as it is (whole lines with CRLF, or NULL). Returns 0
 * or -1 if memory is out.
 */
int http_write_head(struct buf *out, int status, int64_t now, const char *extra);

/* IMF-fixdate (RFC 9110 5.6.7) of SECONDS since 1970. Returns OUT. */
const char *http_format_date(int64_t seconds, char out[static 30]);
/* Reads any of the three date forms; -1 if it is none. */
int http_parse_date(struct slice text, int64_t *seconds);

#endif
