/*
 * A program ends twice: its pid, and its stdout, which its children may hold open after it. Only both
 * together, in either order, make the end, so that no byte of it is lost and none of it is left.
 *
 *	finish() ── drained ── the ladder: close stdin, wait, signal the group, wait ... SIGKILL. It goes
 *	                       on though the pid has ended, until the output has: the group is what is stopped
 *	pid ended ── its heirs may write on; silent for drain_timeout (or after finish(): that long) ── cut
 *	both ── ENDED; what is left of the group gets SIGTERM now and SIGKILL a moment later (struct stray)
 *
 * Where messages are tagged there is a second pipe, the aside, which only has output: stderr, if that is
 * for the client. Its DATA comes up as the program's own, and it must end, too. Its ENDED, from the loop,
 * is when the exit status is told.
 */
#include "backend/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/environment.h"
#include "backend/pipe.h"
#include "backend/pty.h"
#include "backend/spawn.h"
#include "backend/stderr_log.h"
#include "base/log.h"
#include "io/child.h"

enum {
	STRAY_KILL_MS = 500, /* if the ladder has no SIGTERM of its own */
	STRAY_LOOK_MS = 50,
};

/* With tagged messages alone. */
struct aside {
	struct pipe pipe;  /* first: its backend is the aside's */
	struct piece held; /* of the one pipe or the other, or the exit status: the next to be read */
	bool holds;        /* there is a piece held */
};

struct process {
	struct pipe pipe;
	struct child child;
	struct stderr_log *complaints; /* or NULL */
	struct aside *aside;           /* or NULL */
	uint64_t gone_ms;              /* when the pid ended */
	uint8_t step;                  /* the next of the ladder */
	bool killed;                   /* it has come to its end */
	bool gone;
};

static struct process *
process_of(struct pipe *p)
{
	return (struct process *)p; /* its first member */
}

void
process_set_nofile(rlim_t soft)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = soft;
	spawn_set_nofile(&limit);
}

/* --- strays: what is left of a group whose leader was reaped ------------------------------------ */

struct stray {
	struct loop_timer timer;
	struct loop *loop;
	struct stray *next, **link;
	pid_t group;
	uint64_t kill_at_ms;
};

static _Thread_local struct stray *strays;

/*
 * A number stays taken while its group has members. But once they are gone it may come back as
 * somebody else's, whose leader then lives; ours is dead. Mostly there is no such group.
 */
static bool
signal_heirs(pid_t group, int signo)
{
	if (kill(-group, 0) == -1 || kill(group, 0) == 0 || errno != ESRCH)
		return false;
	return kill(-group, signo) == 0;
}

static void
stray_free(struct stray *s)
{
	loop_timer_stop(&s->timer);
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	loop_free_later(s->loop, s, sizeof(*s));
}

static void
stray_look(void *owner)
{
	struct stray *s = owner;
	bool late = loop_now_ms(s->loop) >= s->kill_at_ms;
	bool there = signal_heirs(s->group, late ? SIGKILL : 0);
	if (late || !there)
		stray_free(s);
	else
		loop_timer_set(&s->timer, STRAY_LOOK_MS);
}

static uint64_t
stray_wait_ms(const struct backend_options *opt)
{
	for (size_t i = 0; i < opt->stop_count; i++)
		if (opt->stop[i].signo == SIGTERM)
			return opt->stop[i].wait_ms;
	return STRAY_KILL_MS;
}

/* The leader has been reaped. The client does not wait for this. */
static void
end_heirs(struct loop *loop, pid_t group, uint64_t wait_ms)
{
	if (!signal_heirs(group, SIGTERM))
		return;
	struct stray *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		signal_heirs(group, SIGKILL);
		return;
	}
	s->loop = loop;
	s->group = group;
	s->kill_at_ms = loop_now_ms(loop) + wait_ms;
	s->next = strays;
	s->link = &strays;
	if (strays != NULL)
		strays->link = &s->next;
	strays = s;
	loop_timer_init(&s->timer, loop, stray_look, s);
	loop_timer_set(&s->timer, STRAY_LOOK_MS);
}

void
process_sweep(void)
{
	while (strays != NULL) {
		signal_heirs(strays->group, SIGKILL);
		stray_free(strays);
	}
	stderr_log_end_thread();
	spawn_end_thread();
}

/* --- two outputs -------------------------------------------------------------------------------- */

/* The framing that is in the midst of a message, if it is not P's. */
static struct framing *
midway_beside(struct process *q, const struct pipe *p)
{
	const struct pipe *aside = &q->aside->pipe;
	if (p != &q->pipe && q->pipe.framing.open)
		return &q->pipe.framing;
	return p != aside && aside->framing.open ? &q->aside->pipe.framing : NULL;
}

/* What the one says waits until the message of the other is ended: a client could not tell them apart. */
static bool
process_read(struct backend *b, struct piece *out)
{
	struct process *q = process_of(pipe_of(b));
	struct aside *a = q->aside;
	if (a == NULL)
		return pipe_read(b, out);
	struct pipe *p = a->pipe.ended ? NULL : a->pipe.offering ? &a->pipe : &q->pipe;
	if (!a->holds && (p == NULL || !pipe_read(&p->backend, &a->held)))
		return false;
	struct framing *midway = midway_beside(q, p);
	a->holds = midway != NULL;
	if (a->holds)
		framing_tagged_interrupt(midway, out);
	else
		*out = a->held;
	return true;
}

/* --- the end ------------------------------------------------------------------------------------ */

static void
describe_end(int status, char out[static BACKEND_REASON_MAX])
{
	if (WIFEXITED(status)) {
		snprintf(out, BACKEND_REASON_MAX, "exit %d", WEXITSTATUS(status));
		return;
	}
	const char *name = sigabbrev_np(WTERMSIG(status));
	if (name != NULL)
		snprintf(out, BACKEND_REASON_MAX, "signal %s", name);
	else
		snprintf(out, BACKEND_REASON_MAX, "signal %d", WTERMSIG(status));
}

/* The log may outlive us, but not the route's options. */
static void
release_complaints(struct process *q)
{
	stderr_log_release(q->complaints, q->pipe.backend.opt->drain_timeout_ms);
	q->complaints = NULL;
}

static void
end(struct process *q)
{
	struct backend *b = &q->pipe.backend;
	char reason[BACKEND_REASON_MAX];
	describe_end(b->status, reason);
	end_heirs(b->loop, b->pid, stray_wait_ms(b->opt));
	release_complaints(q);
	pipe_end(&q->pipe, b->status == 0 ? 1000 : b->opt->exit_close, reason);
}

static void
process_settle(struct pipe *p)
{
	struct process *q = process_of(p);
	if (!q->gone || !p->over)
		return;
	if (q->aside == NULL)
		end(q);
	else if (q->aside->pipe.over && !q->aside->pipe.ended)
		pipe_end(&q->aside->pipe, 0, "");
}

/* --- heirs that hold the output open ------------------------------------------------------------ */

/* A client that stays may wait for as long as they write; one that has said goodbye, only for so long. */
static void
wait_for_heirs_at(struct process *q, struct pipe *p)
{
	uint64_t since_ms = q->pipe.finishing ? pipe_finish_ms(&q->pipe) : pipe_silent_since(p, q->gone_ms);
	if (since_ms < q->gone_ms)
		since_ms = q->gone_ms;
	if (!p->over && pipe_has_waited(p, since_ms, p->backend.opt->drain_timeout_ms))
		pipe_cut(p);
}

static void
wait_for_heirs(struct process *q)
{
	wait_for_heirs_at(q, &q->pipe);
	if (q->aside != NULL)
		wait_for_heirs_at(q, &q->aside->pipe);
}

/* --- the ladder --------------------------------------------------------------------------------- */

static void
signal_program(const struct backend *b, int signo)
{
	/* Where vfork is emulated, the child may not have come as far as to lead its group. */
	if (kill(-b->pid, signo) == -1 && errno == ESRCH)
		kill(b->pid, signo);
}

static bool
ladder_closes_stdin(const struct backend_options *opt)
{
	for (size_t i = 0; i < opt->stop_count; i++)
		if (opt->stop[i].signo == 0)
			return true;
	return false;
}

static void
take_step(struct process *q, int signo)
{
	const struct backend *b = &q->pipe.backend;
	if (signo == 0)
		stream_finish(&q->pipe.stream);
	else if (q->gone)
		signal_heirs(b->pid, signo);
	else
		signal_program(b, signo);
}

/* After SIGKILL there is nothing to wait for but the pidfd, and who holds the output though he has left the group. */
static void
climb(struct process *q)
{
	const struct backend_options *opt = q->pipe.backend.opt;
	while (q->step < opt->stop_count) {
		const struct stop_step *step = &opt->stop[q->step++];
		take_step(q, step->signo);
		if (step->wait_ms > 0 && pipe_set_timer(&q->pipe, step->wait_ms))
			return;
	}
	take_step(q, SIGKILL);
	q->killed = true;
	if (q->gone)
		wait_for_heirs(q);
}

static void
process_drained(struct pipe *p)
{
	if (!ladder_closes_stdin(p->backend.opt))
		stream_finish(&p->stream);
	climb(process_of(p));
}

/* --- events ------------------------------------------------------------------------------------- */

static void
on_child(void *owner, int status)
{
	struct process *q = owner;
	struct pipe *p = &q->pipe;
	q->gone = true;
	q->gone_ms = loop_now_ms(p->backend.loop);
	p->backend.status = status;
	if (!p->finishing || q->killed)
		wait_for_heirs(q);
	process_settle(p);
}

static void
process_tick(struct pipe *p)
{
	struct process *q = process_of(p);
	if (p->drained && !q->killed)
		climb(q);
	else
		wait_for_heirs_at(q, p);
}

static const struct pipe_kind process_kind = { process_drained, process_settle, process_tick };

/* --- the aside ---------------------------------------------------------------------------------- */

static void
offer(struct process *q)
{
	q->pipe.backend.fn(q->pipe.backend.owner, BACKEND_DATA);
}

static void
offer_exit(struct process *q)
{
	struct buf text = { 0 };
	q->aside->holds = framing_tagged_exit(q->pipe.backend.status, &text) == 0;
	q->aside->held = (struct piece){ MESSAGE_TEXT, true, true, buf_span(&text) };
	offer(q);
	buf_clear(&text);
}

static void
on_aside(void *owner, enum backend_event event)
{
	struct process *q = owner;
	if (event == BACKEND_DATA)
		offer(q);
	if (event != BACKEND_ENDED)
		return;
	offer_exit(q);
	if (!q->pipe.closed)
		end(q);
}

static void
aside_settle(struct pipe *p)
{
	struct process *q = p->backend.owner;
	process_settle(&q->pipe);
}

/* While the ladder runs, that is what ends the output. */
static void
aside_tick(struct pipe *p)
{
	struct process *q = p->backend.owner;
	if (!q->pipe.finishing || q->killed)
		wait_for_heirs_at(q, p);
}

/* Of a pipe that has broken: the whole has. */
static void
aside_finish(struct backend *b)
{
	struct process *q = b->owner;
	if (q->aside->pipe.broken) {
		q->pipe.broken = true;
		q->pipe.backend.end_code = b->end_code;
		pipe_set_reason(&q->pipe, backend_reason(b));
	}
	q->pipe.backend.ops->finish(&q->pipe.backend);
}

static const struct pipe_kind aside_kind = { NULL, aside_settle, aside_tick };
static const struct backend_ops aside_ops = { .name = "aside", .kind = &aside_kind, .finish = aside_finish };

static struct aside *
aside_new(struct process *q, struct loop *loop, const struct backend_options *opt)
{
	struct aside *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	pipe_init(&a->pipe, &aside_ops, loop, opt, on_aside, q);
	framing_init(&a->pipe.framing, &framing_tagged_stderr, &opt->framing_options);
	return a;
}

/* FD -1: it has said all that it has to say. */
static void
aside_open(struct pipe *p, int fd)
{
	stream_init_pipes(&p->stream, p->backend.loop, fd, -1, pipe_on_stream, p);
	pipe_opened_later(p);
}

/* --- the beginning ------------------------------------------------------------------------------ */

enum { IN, OUT, ERR, STDIO };

/* Our ends are closed with the stream, the program's as soon as it has them. -1: none. */
struct plumbing {
	int ours[STDIO];
	int theirs[STDIO];
};

static void
close_all(int fds[static STDIO])
{
	for (int i = 0; i < STDIO; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

/* Our end alone does not block: a program does not expect to be told EAGAIN. */
static int
lay_pipe(struct plumbing *plumbing, int which)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	int reads = fds[0], writes = fds[1];
	plumbing->ours[which] = which == IN ? writes : reads;
	plumbing->theirs[which] = which == IN ? reads : writes;
	return fcntl(plumbing->ours[which], F_SETFL, O_NONBLOCK);
}

static int
lay_stdout(struct plumbing *plumbing, enum buffering buffering)
{
	if (buffering == BUFFERING_PTY)
		return pty_open(&plumbing->ours[OUT], &plumbing->theirs[OUT]);
	return lay_pipe(plumbing, OUT);
}

static int
lay_stderr(struct plumbing *plumbing, enum stderr_policy policy)
{
	switch (policy) {
	case STDERR_LOG:
	case STDERR_CLIENT:
	case STDERR_BY_FRAMING:
		return lay_pipe(plumbing, ERR);
	case STDERR_MERGE:
		plumbing->theirs[ERR] = fcntl(plumbing->theirs[OUT], F_DUPFD_CLOEXEC, 0);
		break;
	case STDERR_DISCARD:
		plumbing->theirs[ERR] = open("/dev/null", O_WRONLY | O_CLOEXEC);
		break;
	}
	return plumbing->theirs[ERR] == -1 ? -1 : 0;
}

static int
lay_pipes(struct plumbing *plumbing, const struct backend_options *opt)
{
	*plumbing = (struct plumbing){ { -1, -1, -1 }, { -1, -1, -1 } };
	if (lay_pipe(plumbing, IN) == 0 && lay_stdout(plumbing, opt->buffering) == 0 &&
		lay_stderr(plumbing, opt->stderr_policy) == 0)
		return 0;
	int error = errno;
	close_all(plumbing->ours);
	close_all(plumbing->theirs);
	errno = error;
	return -1;
}

/* What may be better in a moment is 503; what the operator must mend, 500. */
static uint16_t
status_of_error(int error)
{
	switch (error) {
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSPC:
	case ETXTBSY:
		return 503;
	default:
		return 500;
	}
}

static const char *
why_not_begun(int error)
{
	return error == ENOSPC ? "no pseudo-terminal is left" : strerror(error);
}

static const char *
why_not_run(const char *path, int error)
{
	if (error == ENOENT && access(path, F_OK) == 0)
		return "the interpreter in its #! line is missing";
	if (error == ENOEXEC)
		return "no program, and no #! line";
	return strerror(error);
}

static void
refuse(struct pipe *p, const struct program *program, const struct spawned *failed)
{
	int error = failed->error;
	const char *act = "cannot start";
	const char *name = program->argv[0];
	const char *why = strerror(error);
	switch (failed->failed_at) {
	case SPAWN_CLONE:
		why = why_not_begun(error);
		break;
	case SPAWN_GUARD:
		break;
	case SPAWN_STDIO:
		act = "cannot set up the stdio of";
		break;
	case SPAWN_LIMITS:
		act = "cannot set the limits of";
		break;
	case SPAWN_NICE:
		act = "cannot set the nice value of";
		break;
	case SPAWN_IDENTITY:
		act = "cannot set user or group of";
		break;
	case SPAWN_CHDIR:
		act = "cannot enter";
		name = program->directory;
		break;
	case SPAWN_EXEC:
		act = "cannot run";
		why = why_not_run(name, error);
		break;
	}
	pipe_refuse(p, status_of_error(error), act, name, why);
}

static void
begin(struct process *q, const struct spawned *child, const struct plumbing *plumbing)
{
	struct backend *b = &q->pipe.backend;
	b->pid = child->pid;
	stream_init_pipes(&q->pipe.stream, b->loop, plumbing->ours[OUT], plumbing->ours[IN], pipe_on_stream, &q->pipe);
	child_watch(&q->child, b->loop, child->pidfd, on_child, q);
	bool is_for_client = b->opt->stderr_policy == STDERR_CLIENT;
	if (q->aside != NULL)
		aside_open(&q->aside->pipe, is_for_client ? plumbing->ours[ERR] : -1);
	if (is_for_client || plumbing->ours[ERR] == -1)
		return;
	q->complaints = stderr_log_open(b->loop, plumbing->ours[ERR], b->opt->route, b->pid);
	if (q->complaints == NULL)
		log_warn("route %s: memory is out; the stderr of pid %d is closed", b->opt->route, (int)b->pid);
}

static void
start(struct process *q, const struct program *program)
{
	const struct backend_options *opt = q->pipe.backend.opt;
	struct plumbing plumbing;
	struct spawned child = { .failed_at = SPAWN_CLONE };
	if (lay_pipes(&plumbing, opt) == -1) {
		child.error = errno;
		refuse(&q->pipe, program, &child);
		return;
	}
	int result = spawn_program(opt, program, plumbing.theirs, &child);
	close_all(plumbing.theirs);
	if (result == 0) {
		begin(q, &child, &plumbing);
		return;
	}
	close_all(plumbing.ours);
	refuse(&q->pipe, program, &child);
}

static struct backend *
process_open(struct loop *loop, const struct backend_options *opt, const struct backend_request *req, backend_fn *fn, void *owner)
{
	struct process *q = calloc(1, sizeof(*q));
	char **env = environment_new(opt, req);
	bool has_aside = opt->framing == &framing_tagged;
	if (q == NULL || env == NULL || (has_aside && (q->aside = aside_new(q, loop, opt)) == NULL)) {
		free(env);
		free(q);
		return NULL;
	}
	const char *const alone[] = { req->program, NULL };
	struct program program = {
		.argv = req->program != NULL ? alone : opt->argv,
		.env = env,
		.directory = opt->chdir != NULL ? opt->chdir : req->directory,
	};
	pipe_init(&q->pipe, &backend_process, loop, opt, fn, owner);
	q->child.pidfd = -1;
	start(q, &program);
	free(env);
	pipe_opened_later(&q->pipe);
	return &q->pipe.backend;
}

static void
process_finish(struct backend *b)
{
	pipe_finish(pipe_of(b));
}

static void
process_want_read(struct backend *b, bool yes)
{
	struct process *q = process_of(pipe_of(b));
	pipe_want_read(b, yes);
	if (q->aside != NULL)
		pipe_want_read(&q->aside->pipe.backend, yes);
}

static void
process_discard(struct backend *b)
{
	struct process *q = process_of(pipe_of(b));
	pipe_discard(b);
	if (q->aside != NULL)
		pipe_discard(&q->aside->pipe.backend);
}

static void
process_free(struct backend *b)
{
	struct process *q = process_of(pipe_of(b));
	if (b->pid != 0 && !q->gone) {
		signal_program(b, SIGKILL);
		b->status = child_reap(&q->child);
	} else if (b->pid != 0 && !q->pipe.ended) {
		signal_heirs(b->pid, SIGKILL);
	}
	release_complaints(q);
	if (q->aside != NULL)
		pipe_free(&q->aside->pipe, sizeof(*q->aside));
	pipe_free(&q->pipe, sizeof(*q));
}

const struct backend_ops backend_process = {
	.name = "process",
	.kind = &process_kind,
	.open = process_open,
	.read = process_read,
	.send = pipe_send,
	.flush = pipe_flush,
	.queued = pipe_queued,
	.want_read = process_want_read,
	.end_input = pipe_end_input,
	.finish = process_finish,
	.discard = process_discard,
	.untaken = pipe_untaken,
	.free = process_free,
};
