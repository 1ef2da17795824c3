/*
 * cgi: the head of a CGI program's answer (RFC 3875 6). Pure.
 *
 * Lines end with LF or CRLF. Strict otherwise, for what is in it goes out as ours: what is no field,
 * is there twice, or would say where the body ends, makes the answer a bad one.
 */
#ifndef PROTO_CGI_H
#define PROTO_CGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "proto/http.h"

enum {
	CGI_HEAD_MAX = 16 * 1024, /* up to and with the empty line */
	CGI_FIELDS_MAX = 100,
};

struct cgi_head {
	int status; /* 200 to 599: of Status, else 302 if there is a Location, else 200 */
	bool has_length;
	uint64_t length; /* of Content-Length */
	/*
	 * What is to be passed on, as it came: not Status and Content-Length, nor what is between
	 * neighbours (Connection, Keep-Alive ...), nor Date and Server, which every answer has.
	 */
	size_t field_count;
	struct http_field fields[CGI_FIELDS_MAX];
};

enum cgi_result {
	CGI_MORE,   /* the head is not complete */
	CGI_HEAD,   /* complete: *EATEN bytes, up to and with the empty line */
	CGI_BROKEN, /* *FAULT says why: a static sentence about "it" */
};

/*
 * Looks at DATA, which holds all bytes of the answer that have come so far. *SCANNED is the caller's,
 * zero at first: a mark of how far earlier calls have looked. Breaks with the first line that is
 * wrong. What is found does not depend on how the bytes were cut. The slices of *HEAD point into DATA.
 */
enum cgi_result cgi_parse(struct slice data, size_t *scanned, struct cgi_head *head, size_t *eaten, const char **fault);

#endif
