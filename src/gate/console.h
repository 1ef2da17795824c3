/*
 * console: the developer console, a page that is part of the program (--devconsole).
 *
 * It lists the routes, connects to one, and shows what passes. All of it is one file,
 * console.html, that asks for nothing else; its Content-Security-Policy names its style and its
 * script by their digests and lets it connect to its own host only.
 *
 * The list tells a reader which programs and services are behind the routes: an operator turns the
 * console on for people who may know. Thread-safe.
 */
#ifndef GATE_CONSOLE_H
#define GATE_CONSOLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "gate/config.h"
#include "proto/http.h"

/*
 * Appends the whole response (head, and body unless it is HEAD) to REQ, a GET or HEAD. ROUTE is the
 * one that the path belongs to, for its extra header lines, or NULL. KEEP_ALIVE tells whether the
 * connection goes on afterwards (a Connection header says so). Returns the bytes of the body, or -1 if
 * memory is out: OUT may then hold a part of it.
 */
long console_write(
	struct buf *out, const struct config *config, const struct route *route, const struct http_request *req, bool keep_alive);

#endif
