/*
 * record: the one line that the access log gets for each request or session, at its end.
 */
#ifndef GATE_RECORD_H
#define GATE_RECORD_H

#include <stdint.h>
#include <sys/types.h>

#include "gate/worker.h"

struct record {
	const char *route; /* or NULL */
	struct slice method;
	struct slice target; /* as sent */
	int status;          /* HTTP */
	const char *note;    /* why it was refused, or NULL */

	uint64_t in_bytes, out_bytes; /* of bodies or messages */
	uint64_t untaken;             /* bytes that the backend never took */
	pid_t pid;                    /* 0: no program */
	int exit_status;              /* waitpid(2) */

	/* of a session (status 101) */
	uint16_t close_code;
	const char *close_reason;
	const char *closed_by; /* "client", "backend", "server" */
	uint64_t in_messages, out_messages;
};

void record_write(const struct guest *g, const struct record *r);

#endif
