/*
 * worker: a thread with its own loop, and the guests that live and die on it. A worker without others
 * shares main's loop and thread: to hand a connection over would cost a wake-up for each.
 *
 * A guest is a connection: at first a client (we do not know yet what it wants), then perhaps a
 * session. The worker keeps them in one list, so that all can be asked to leave.
 */
#ifndef GATE_WORKER_H
#define GATE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "gate/config.h"
#include "gate/limit.h"
#include "io/loop.h"

struct worker;
struct guest;

struct guest_ops {
	void (*dismiss)(struct guest *g); /* we are going away: say goodbye in good order */
	void (*evict)(struct guest *g);   /* at once: frees the guest, kills its program */
};

/* The head of every guest. */
struct guest {
	const struct guest_ops *ops;
	struct worker *worker;
	struct config *config; /* one reference */
	struct guest *next, **link;
	uint64_t begun_ms;
	struct address_short peer;
};

/* What main hands over; copied. */
struct arrival {
	int fd;
	struct address_short peer;
	struct config *config;     /* one reference, now the worker's */
	enum limit_result refusal; /* LIMIT_OK: a place was taken, which the guest gives back at its end */
	const char *server_port;   /* of the listener; lives as long as the server */
	bool tls;                  /* it speaks TLS, by the configuration's context */
	uint16_t redirect_to;      /* it answers nothing but where to go: to https:// at this port. 0: it serves */
};

/*
 * SHARES: it lives on MAIN's loop, whose thread calls us. DRAINED(OWNER) runs on that loop when the last guest
 * has left after worker_drain(). NULL if a thread or memory cannot be had.
 */
struct worker *worker_start(struct limit *limit, struct loop *main, bool shares, loop_task_fn *drained, void *owner);

/* From main. worker_welcome: -1 if memory is out (the caller still owns what ARRIVAL holds). */
int worker_welcome(struct worker *w, const struct arrival *arrival);
void worker_drain(struct worker *w);
unsigned worker_load(const struct worker *w); /* guests on it or on their way */

/* Evicts every guest, ends the thread, frees. From main; a loop that is shared does not run any more. */
void worker_stop(struct worker *w);

/* For guests, on the worker's own thread. */
struct loop *worker_loop(struct worker *w);
bool worker_is_draining(const struct worker *w);

/* G takes over what ARRIVAL holds, but for its descriptor. */
void guest_enter(struct guest *g, struct worker *w, const struct arrival *arrival);

/* TO takes FROM's place in everything but ops; FROM keeps only its worker. */
void guest_move(struct guest *from, struct guest *to);

/* Gives back the configuration, and the place among the counted connections if it has one. Nothing for one that was moved from. */
void guest_leave(struct guest *g, bool has_place);

/* "127.0.0.1:50123", for the log. Returns OUT. */
const char *guest_name(const struct guest *g, char out[static ADDRESS_TEXT_MAX]);

/* Closes and gives back what an arrival holds that became no guest. */
void arrival_discard(struct worker *w, const struct arrival *arrival);

#endif
