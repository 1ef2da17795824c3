/*
 * environment: what a program is told of the request that started it (RFC 3875 and websocketd).
 *
 * Nothing of the server's own environment but what `passenv` names. Where a name is set more than
 * once, the route's `env` wins over `passenv`, and that over the request: no header of a client can
 * take the place of what the operator has set. LD_PRELOAD alone is a sum: the operator's libraries and,
 * behind them, the one that ends a program's buffering. Pure, thread-safe but for getenv(3).
 */
#ifndef BACKEND_ENVIRONMENT_H
#define BACKEND_ENVIRONMENT_H

#include "backend/backend.h"

/*
 * The environment as execve(2) takes it: one allocation, for the caller to free(3). NULL if memory
 * is out. Control bytes in what comes from the request are spaces.
 */
char **environment_new(const struct backend_options *opt, const struct backend_request *req);

#endif
