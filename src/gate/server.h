/*
 * server: the main thread. It listens, counts, hands each connection to the worker with the fewest,
 * and hears signals: SIGTERM, SIGINT and SIGHUP end it in good order, a second one at once.
 */
#ifndef GATE_SERVER_H
#define GATE_SERVER_H

#include "gate/config.h"

/*
 * Runs until it is told to stop. Takes over the reference to CONFIG. Returns the exit code: 0, or
 * one of sysexits if it could not start (71 no thread, 73 cannot listen, 77 may not).
 */
int server_run(struct config *config);

#endif
