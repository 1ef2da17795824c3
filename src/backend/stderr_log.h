/*
 * stderr_log: what a program complains about, line by line into the log.
 *
 * It reads whatever becomes of the program and its connection, so that nobody blocks on a full
 * stderr; a flood is taken in portions, so that others get their turn. Lines longer than 4 KiB are
 * cut there and marked. One loop.
 */
#ifndef BACKEND_STDERR_LOG_H
#define BACKEND_STDERR_LOG_H

#include <sys/types.h>

#include "io/loop.h"

struct stderr_log;

/* Takes FD, the non-blocking read end of a pipe, in any case. ROUTE is copied. NULL if memory is out. */
struct stderr_log *stderr_log_open(struct loop *loop, int fd, const char *route, pid_t pid);

/*
 * The program has ended. The log still reads what is there, and what the program's heirs write for
 * LINGER_MS at the most, and is then gone by itself. NULL is allowed.
 */
void stderr_log_release(struct stderr_log *log, uint64_t linger_ms);

/* Closes all of this thread's that were released: its loop ends. */
void stderr_log_end_thread(void);

#endif
