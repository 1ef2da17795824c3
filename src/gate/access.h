/*
 * access: who may enter. Answers with yes, or with what the refusal says. Pure, any thread.
 */
#ifndef GATE_ACCESS_H
#define GATE_ACCESS_H

#include <stdbool.h>

#include "gate/config.h"
#include "proto/http.h"

/*
 * May a page of this Origin talk to the route (RFC 6455 10.2, RFC 6454)? A request without an
 * Origin comes from no browser and may. Same origin means the host and port that the request itself
 * names, with https if the connection is TLS; on a plain connection either scheme will do, for a
 * proxy may have taken TLS off. "null", a malformed Origin, or more than one never pass but by any.
 */
bool access_origin_is_allowed(const struct route *route, const struct http_request *req, bool tls);

#endif
