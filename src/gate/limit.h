/*
 * limit: how many may be in. Counts are taken when a connection or a program begins and given back
 * when it ends; all functions may be called from any thread.
 */
#ifndef GATE_LIMIT_H
#define GATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "gate/config.h"

enum limit_result { LIMIT_OK, LIMIT_CONNECTIONS, LIMIT_PER_IP, LIMIT_CHILDREN, LIMIT_SPAWN_RATE };

struct limit;

struct limit *limit_new(void);
void limit_free(struct limit *l);

/* A connection of PEER begins, whatever its port; unix sockets count as one address. On LIMIT_OK limit_leave() is owed. */
enum limit_result limit_enter(struct limit *l, const struct config *config, const struct address_short *peer);
void limit_leave(struct limit *l, const struct address_short *peer);

/* Connections that are in. */
unsigned limit_connections(const struct limit *l);

/* A WebSocket of ROUTE begins, with its program if it has one; on LIMIT_OK limit_leave_route() is owed. */
enum limit_result limit_enter_route(const struct route *route, uint64_t now_ms);
/* The program leaves with it, unless limit_leave_program() has said that it ended before. */
void limit_leave_route(const struct route *route, bool with_program);

/* The same for a program alone, which no WebSocket waits for (CGI). */
enum limit_result limit_enter_program(const struct route *route, uint64_t now_ms);
void limit_leave_program(const struct route *route);

/* What to answer: 503 or 429, and why. */
int limit_status(enum limit_result result);
const char *limit_text(enum limit_result result);

#endif
