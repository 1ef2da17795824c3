/*
 * spawn: a program in a process group of its own, started without copying anything of ours.
 *
 * The one door to clone(2) and execve(2). A program starts with three descriptors, an empty signal
 * mask, all signals at their defaults, and dies when the thread that started it does
 * (PR_SET_PDEATHSIG). Whether execve(2) worked is known when spawn_program() returns.
 */
#ifndef BACKEND_SPAWN_H
#define BACKEND_SPAWN_H

#include "backend/backend.h"

/* What was being done when it failed. */
enum spawn_step {
	SPAWN_CLONE,
	SPAWN_STDIO,
	SPAWN_LIMITS,
	SPAWN_NICE,
	SPAWN_IDENTITY,
	SPAWN_GUARD, /* the server has ended meanwhile */
	SPAWN_CHDIR,
	SPAWN_EXEC,
};

/* What is run, by the rules of a route. */
struct program {
	const char *const *argv; /* NULL-terminated; argv[0] is a path */
	char *const *env;
	const char *directory; /* where it starts, or NULL */
};

struct spawned {
	pid_t pid;
	int pidfd; /* close-on-exec, the caller's */
	enum spawn_step failed_at;
	int error; /* errno of it */
};

/*
 * Runs PROGRAM as OPT says; STDIO's three descriptors, which stay the caller's and may be the same,
 * become its 0, 1 and 2. Returns 0, or -1 with failed_at and error. Any thread.
 */
int spawn_program(const struct backend_options *opt, const struct program *program, const int stdio[3], struct spawned *out);

/* The RLIMIT_NOFILE that programs get, unless a route sets another. Before the first spawn. */
void spawn_set_nofile(const struct rlimit *limit);

/*
 * From now on no signal gets another disposition: those that have their defaults need not be reset for
 * each program, as all are otherwise. Before the first spawn.
 */
void spawn_learn_signals(void);

/* Gives back what spawn_program() keeps for this thread. */
void spawn_end_thread(void);

#endif
