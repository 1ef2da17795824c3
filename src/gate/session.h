/*
 * session: the relay between one WebSocket and one backend, from the 101 to the last byte.
 *
 * What it promises (SPEC: no lost byte, truthful closes, bounded):
 *  - all that the backend wrote before it ended is sent, then the Close frame, then TCP closes;
 *  - all that the client sent before its Close is given to the backend before its EOF, also to a service
 *    that has ended its own side first, for as long as our Close may go unanswered;
 *  - every ending has a Close frame with a code and a reason;
 *  - each direction holds at most its high-water mark (`buffer`) and what one read made of it.
 *
 * Memory: this struct, the stream and the backend; buffers and what the end needs only while bytes wait, and at the
 * end. Compression that is agreed upon has its own (proto/deflate.h).
 */
#ifndef GATE_SESSION_H
#define GATE_SESSION_H

#include "backend/backend.h"
#include "gate/worker.h"
#include "io/stream.h"

/*
 * Takes over from the guest CLIENT: its place, its stream (allocated, ours to free) and its READY
 * backend; the 101 has been written to the stream. A place in the route (limit_enter_route) is
 * given back at the end. TERMS are those of the 101. TARGET is what was asked for, for the log; copied. Returns 0, or -1 if
 * memory is out (nothing is taken).
 */
int session_start(struct guest *client, struct stream *stream, struct backend *backend, const struct route *route,
	const struct deflate_terms *terms, struct slice target);

#endif
