/*
 * client: a connection until it knows what it is. It reads a request head and answers it: with a
 * page, with a refusal, or by opening the route's backend and, once that is ready, with 101 and a
 * session that takes over.
 *
 * One deadline holds for the whole head (handshake_timeout). No program is started, and nothing
 * connected to, before the request has been judged and has passed all limits.
 */
#ifndef GATE_CLIENT_H
#define GATE_CLIENT_H

#include "gate/worker.h"

/* Takes over what ARRIVAL holds. On W's thread. */
void client_start(struct worker *w, const struct arrival *arrival);

#endif
