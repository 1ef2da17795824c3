/*
 * The child runs in our memory, on a stack of its own, while this thread stands still (CLONE_VM |
 * CLONE_VFORK): no page table is copied, however much memory the server holds, and the child can
 * write down what failed. The price is that it must touch nothing else: only raw system calls, no
 * libc that keeps state or locks, no sanitizer, no signal handler of ours.
 */
#include "backend/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	STACK_SIZE = 64 * 1024,
	KERNEL_SIGNALS = 64, /* the kernel's, also those that libc hides */
	KERNEL_SIGSET_SIZE = KERNEL_SIGNALS / 8,
	EXIT_NOT_RUN = 127, /* as shells do; seen only where vfork is emulated (valgrind) */
};

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

/* 16-bit ids are what the plain names mean on old 32-bit machines. */
#ifdef SYS_setresuid32
#define SET_UIDS SYS_setresuid32
#define SET_GIDS SYS_setresgid32
#define SET_GROUPS SYS_setgroups32
#else
#define SET_UIDS SYS_setresuid
#define SET_GIDS SYS_setresgid
#define SET_GROUPS SYS_setgroups
#endif

/*
 * ThreadSanitizer takes clone(2) for fork(2): what it does to the child's state it would do, in shared
 * memory, to ours, and watch this thread no more. glibc's own name for the same function passes it by.
 */
#ifdef __SANITIZE_THREAD__
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

/* Sanitizers would write to the shadow of a stack they do not know. */
#define CHILD_SIDE __attribute__((no_sanitize("address", "thread", "undefined")))

/* What rt_sigaction(2) takes; big enough for every machine, and all zero means: the default. */
struct kernel_sigaction {
	unsigned long words[4 + KERNEL_SIGSET_SIZE / sizeof(unsigned long)];
};

struct job {
	const struct backend_options *opt;
	const struct program *program;
	int stdio[3];
	pid_t parent;
	const struct rlimit *nofile; /* or NULL */
	enum spawn_step step;
	int error;
};

static struct rlimit nofile_limit;
static bool nofile_is_set;
static uint64_t signals_to_reset = UINT64_MAX; /* bit 0 is signal 1 */

void
spawn_set_nofile(const struct rlimit *limit)
{
	nofile_limit = *limit;
	nofile_is_set = true;
}

void
spawn_learn_signals(void)
{
	const struct kernel_sigaction by_default = { { 0 } };
	for (int signo = 1; signo <= KERNEL_SIGNALS; signo++) {
		struct kernel_sigaction now = by_default;
		syscall(SYS_rt_sigaction, signo, NULL, &now, KERNEL_SIGSET_SIZE);
		if (memcmp(&now, &by_default, sizeof(now)) == 0)
			signals_to_reset &= ~(UINT64_C(1) << (signo - 1));
	}
}

/* --- in the child ------------------------------------------------------------------------------- */

/* Also when a descriptor lies where another one must go: first they move out of the way. */
CHILD_SIDE static bool
take_stdio(struct job *job)
{
	for (int i = 0; i < 3; i++)
		if (job->stdio[i] < 3 && (job->stdio[i] = (int)syscall(SYS_fcntl, job->stdio[i], F_DUPFD_CLOEXEC, 3)) == -1)
			return false;
	for (int i = 0; i < 3; i++)
		if (syscall(SYS_dup3, job->stdio[i], i, 0) == -1)
			return false;
	return true;
}

CHILD_SIDE static bool
take_limits(const struct job *job)
{
	const struct backend_options *opt = job->opt;
	if (job->nofile != NULL && syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, job->nofile, NULL) == -1)
		return false;
	for (size_t i = 0; i < opt->limit_count; i++) {
		struct rlimit limit = { opt->limits[i].value, opt->limits[i].value };
		if (syscall(SYS_prlimit64, 0, opt->limits[i].resource, &limit, NULL) == -1)
			return false;
	}
	return true;
}

/* Raw calls: glibc's would change every thread of the server. */
CHILD_SIDE static bool
take_identity(const struct backend_options *opt)
{
	if (!opt->has_user && !opt->has_group)
		return true;
	if (syscall(SET_GROUPS, opt->group_count, opt->groups) == -1)
		return false;
	if (syscall(SET_GIDS, opt->gid, opt->gid, opt->gid) == -1)
		return false;
	return !opt->has_user || syscall(SET_UIDS, opt->uid, opt->uid, opt->uid) == 0;
}

/* After the change of identity, which would undo it. The server may have died before we asked. */
CHILD_SIDE static bool
die_with(pid_t parent)
{
	return syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && syscall(SYS_getppid) == parent;
}

/* Defaults first: with an empty mask, a handler of ours might run, here, in the server's memory. */
CHILD_SIDE static void
reset_signals(void)
{
	struct kernel_sigaction by_default = { { 0 } };
	uint64_t none = 0;
	for (uint64_t left = signals_to_reset; left != 0; left &= left - 1)
		syscall(SYS_rt_sigaction, __builtin_ctzll(left) + 1, &by_default, NULL, KERNEL_SIGSET_SIZE);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET_SIZE);
}

/* Returns only if something has failed: job->step. */
CHILD_SIDE static void
become(struct job *job)
{
	const struct backend_options *opt = job->opt;
	const struct program *program = job->program;
	syscall(SYS_setpgid, 0, 0);
	reset_signals();
	job->step = SPAWN_STDIO;
	if (!take_stdio(job))
		return;
	if (opt->has_umask)
		syscall(SYS_umask, opt->umask);
	job->step = SPAWN_LIMITS;
	if (!take_limits(job))
		return;
	job->step = SPAWN_NICE;
	if (opt->has_nice && syscall(SYS_setpriority, PRIO_PROCESS, 0, opt->nice) == -1)
		return;
	job->step = SPAWN_IDENTITY;
	if (!take_identity(opt))
		return;
	job->step = SPAWN_GUARD;
	if (!die_with(job->parent))
		return;
	job->step = SPAWN_CHDIR;
	if (program->directory != NULL && syscall(SYS_chdir, program->directory) == -1)
		return;
	/*
	 * Also what a library, or whoever started the server, has left open. And not by execve(2), which lets the
	 * server go on before it closes: epoll tells of what we have closed as long as a copy of it is open.
	 */
	syscall(SYS_close_range, 3, ~0U, 0);
	job->step = SPAWN_EXEC;
	syscall(SYS_execve, program->argv[0], program->argv, program->env);
}

CHILD_SIDE static int
child_main(void *arg)
{
	struct job *job = arg;
	job->error = 0;
	become(job);
	job->error = errno;
	syscall(SYS_exit_group, EXIT_NOT_RUN);
	return EXIT_NOT_RUN;
}

/* --- in the server ------------------------------------------------------------------------------ */

static _Thread_local unsigned char *stack;

/* With a page beneath it that cannot be written to. */
static unsigned char *
stack_of_thread(void)
{
	if (stack != NULL)
		return stack;
	void *memory = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (mprotect(memory, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE) == -1) {
		munmap(memory, STACK_SIZE);
		return NULL;
	}
	return stack = memory;
}

void
spawn_end_thread(void)
{
	if (stack != NULL)
		munmap(stack, STACK_SIZE);
	stack = NULL;
}

/* The child shares our signal handlers' code until it has reset them: none may run meanwhile. */
static pid_t
start(struct job *job, int *pidfd)
{
	unsigned char *bottom = stack_of_thread();
	if (bottom == NULL)
		return -1;
	uint64_t all = UINT64_MAX, before;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, KERNEL_SIGSET_SIZE);
	errno = 0;
	pid_t pid = clone(child_main, bottom + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, job, pidfd);
	int error = errno;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, KERNEL_SIGSET_SIZE);
	errno = error;
	return pid;
}

static void
bury(const struct spawned *child)
{
	while (waitpid(child->pid, NULL, 0) == -1 && errno == EINTR)
		;
	close(child->pidfd);
}

int
spawn_program(const struct backend_options *opt, const struct program *program, const int stdio[3], struct spawned *out)
{
	struct job job = { .opt = opt, .program = program, .stdio = { stdio[0], stdio[1], stdio[2] }, .parent = getpid() };
	if (nofile_is_set)
		job.nofile = &nofile_limit;
	/* A child that changes its identity in our memory makes us undumpable: no core, and our /proc is root's. */
	bool dumpable = (opt->has_user || opt->has_group) && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
	*out = (struct spawned){ .pidfd = -1 };
	out->pid = start(&job, &out->pidfd);
	out->error = errno;
	if (out->pid == -1)
		return -1;
	if (dumpable)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	out->failed_at = job.step;
	out->error = job.error;
	if (job.error == 0)
		return 0;
	bury(out);
	return -1;
}
