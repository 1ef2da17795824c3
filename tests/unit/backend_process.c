/*
 * Real programs: nothing they wrote is lost, nothing the client sent is lost, and nobody is left.
 *
 * The test is a subreaper, so that orphans become its children and how they ended can be asked.
 */
#include "backend/process.h"
#include "backend/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend_owner.h"
#include "base/log.h"

enum {
	MUCH = 8 * 1024 * 1024,
	PIPE_SIZE = 64 * 1024,
};

/* Under valgrind vfork is emulated by fork: the parent cannot be told why a program did not start. */
static bool
vfork_is_real(void)
{
	const char *preload = getenv("LD_PRELOAD");
	return preload == NULL || strstr(preload, "vgpreload") == NULL;
}

static void
program_init(struct owner *o, const char *const *argv)
{
	owner_init(o, &backend_process);
	o->opt.argv = argv;
}

static void
program_clear(struct owner *o)
{
	owner_clear(o);
	process_sweep();
	loop_free(o->loop);
}

#define SHELL(script)                                                                                                              \
	(const char *const[])                                                                                                      \
	{                                                                                                                          \
		"/bin/sh", "-c", script, NULL                                                                                      \
	}

static pid_t
pid_in_text(struct owner *o)
{
	OWNER_WAIT(o, o->messages >= 1);
	long pid = strtol(owner_text(o), NULL, 10);
	assert_true(pid > 1);
	return (pid_t)pid;
}

/* The orphan's end, by signal; 0 if it still lives after a while. */
static int
signal_that_ended(pid_t pid)
{
	int status = 0;
	for (uint64_t end_ms = clock_ms() + PATIENCE_MS; clock_ms() < end_ms; usleep(1000)) {
		pid_t ended = waitpid(pid, &status, WNOHANG);
		assert_int_not_equal(ended, -1);
		if (ended == pid)
			return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	}
	return 0;
}

static void
assert_no_children(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* --- output --------------------------------------------------------------------------------- */

static void
each_line_arrives_and_the_last_one_without_its_end(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("printf 'one\\ntwo\\r\\nthree'"));
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "one\ntwo\nthree\n");
	assert_int_equal(o.backend->ops->untaken(o.backend), 0);
	program_clear(&o);
}

static void
eight_megabytes_arrive_though_the_program_has_exited_and_the_client_is_slow(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("head -c 8388608 /dev/zero; exit 3"));
	o.opt.framing = &framing_raw;
	o.opt.drain_timeout_ms = 20; /* shorter than what the pauses add up to */
	o.pause_ms = 1;
	owner_open(&o);
	assert_ended(&o, 1011, "exit 3");
	assert_int_equal(buf_len(&o.text) - o.messages, MUCH);
	program_clear(&o);
}

static void
a_paused_client_loses_nothing_when_the_program_is_long_gone(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("printf 'last words'"));
	o.opt.drain_timeout_ms = 20;
	o.hold = true;
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_idle(&o, 200);
	assert_false(o.ended);
	assert_int_equal(o.messages, 0);
	owner_resume(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "last words\n");
	program_clear(&o);
}

static void
output_that_is_no_text_ends_the_program_with_1011(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("echo good; printf '\\377\\n'; echo never; exec sleep 1000"));
	o.opt.framing_options.utf8 = UTF8_CLOSE;
	owner_open(&o);
	assert_ended(&o, 1011, "the backend's output is not UTF-8");
	assert_string_equal(owner_text(&o), "good\n");
	program_clear(&o);
	assert_no_children();
}

static void
a_line_longer_than_any_buffer_comes_in_pieces_of_one_message(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("head -c 300000 /dev/zero | tr '\\0' x; echo; echo next"));
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_int_equal(o.messages, 2);
	assert_int_equal(buf_len(&o.text), 300001 + 5);
	program_clear(&o);
}

/* --- programs of folders, and ordinary requests ------------------------------------------------ */

static void
a_request_may_name_its_own_program_and_where_it_starts(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, NULL);
	o.request.program = "/bin/pwd";
	o.request.directory = "/usr";
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "/usr\n");
	program_clear(&o);

	program_init(&o, NULL);
	o.request.program = "/bin/pwd";
	o.request.directory = "/usr";
	o.opt.chdir = "/"; /* what the route says wins */
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "/\n");
	program_clear(&o);
}

static void
a_program_that_a_request_names_is_the_one_that_is_refused(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, NULL);
	o.request.program = "/nowhere/prog";
	owner_open(&o);
	OWNER_WAIT(&o, o.refused);
	assert_int_equal(o.backend->refusal, 500);
	if (vfork_is_real())
		assert_string_equal(backend_reason(o.backend), "cannot run /nowhere/prog: No such file or directory");
	program_clear(&o);
}

static void
after_the_input_a_program_may_think_for_longer_than_the_ladder(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("cat; sleep 0.4; echo thought"));
	o.opt.stop_count = 1;
	o.opt.stop[0] = (struct stop_step){ 0, 10 };
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, "asked", 5);
	o.backend->ops->end_input(o.backend);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "asked\nthought\n");
	program_clear(&o);
}

static void
a_program_without_input_can_still_be_stopped(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("cat; echo $$; exec sleep 1000"));
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	o.backend->ops->end_input(o.backend);
	pid_t pid = pid_in_text(&o);
	o.backend->ops->finish(o.backend);
	OWNER_WAIT(&o, o.ended);
	assert_int_equal(kill(pid, 0), -1);
	program_clear(&o);
	assert_no_children();
}

/* --- how it ends ------------------------------------------------------------------------------ */

static void
the_exit_tells_the_close_code(void **state)
{
	static const struct {
		const char *script;
		uint16_t exit_close, code;
		const char *reason;
	} table[] = {
		{ "exit 0", 4000, 1000, "exit 0" },
		{ "exit 3", 1011, 1011, "exit 3" },
		{ "exit 255", 4000, 4000, "exit 255" },
		{ "kill -SEGV $$", 1011, 1011, "signal SEGV" },
		{ "kill -KILL $$", 4001, 4001, "signal KILL" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct owner o;
		program_init(&o, SHELL(table[i].script));
		o.opt.exit_close = table[i].exit_close;
		owner_open(&o);
		assert_ended(&o, table[i].code, table[i].reason);
		assert_true(o.backend->pid > 0);
		program_clear(&o);
	}
	assert_no_children();
}

static void
a_program_that_closes_its_stdout_goes_on_listening(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("exec >&-; read a; read b; exit 7"));
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, "1", 1);
	owner_idle(&o, 100);
	assert_false(o.ended);
	owner_send(&o, "2", 1);
	assert_ended(&o, 1011, "exit 7");
	program_clear(&o);
}

static void
what_cannot_be_run_is_refused_with_a_reason(void **state)
{
	static const char script[] = "/tmp/wsgate-test-program";
	static const struct {
		const char *program, *chdir, *content;
		mode_t mode;
		const char *reason;
	} table[] = {
		{ "/nonexistent/x", NULL, NULL, 0, "cannot run /nonexistent/x: No such file or directory" },
		{ "/nonexistent/which/is/longer/than/a/reason/may/be", NULL, NULL, 0,
			"cannot run ..er/than/a/reason/may/be: No such file or directory" },
		{ "/dev/null", NULL, NULL, 0, "cannot run /dev/null: Permission denied" },
		{ script, NULL, "#!/nonexistent\r\n", 0755, "cannot run ..program: the interpreter in its #! line is missing" },
		{ script, NULL, "echo hello\n", 0755, "cannot run /tmp/wsgate-test-program: no program, and no #! line" },
		{ script, NULL, "#!/bin/sh\n", 0644, "cannot run /tmp/wsgate-test-program: Permission denied" },
		{ "/bin/true", "/nonexistent", NULL, 0, "cannot enter /nonexistent: No such file or directory" },
	};
	(void)state;
	if (!vfork_is_real())
		skip();
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct owner o;
		if (table[i].content != NULL) {
			int fd = open(script, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
			assert_int_equal(write(fd, table[i].content, strlen(table[i].content)), strlen(table[i].content));
			fchmod(fd, table[i].mode);
			close(fd);
		}
		program_init(&o, (const char *const[]){ table[i].program, NULL });
		o.opt.chdir = table[i].chdir;
		owner_open(&o);
		OWNER_WAIT(&o, o.refused);
		assert_string_equal(backend_reason(o.backend), table[i].reason);
		assert_int_equal(o.backend->refusal, 500);
		program_clear(&o);
	}
	unlink(script);
	assert_no_children();
}

static void
when_descriptors_are_out_it_is_503(void **state)
{
	struct owner o;
	struct rlimit before, few;
	(void)state;
	if (!vfork_is_real())
		skip(); /* valgrind keeps limits to itself */
	getrlimit(RLIMIT_NOFILE, &before);
	for (rlim_t left = 1; left <= 6; left++) {
		few = before;
		few.rlim_cur = (rlim_t)count_descriptors() - 3 + left; /* . and .. and the directory itself */
		program_init(&o, SHELL("exit 0"));
		o.opt.buffering = left % 2 == 0 ? BUFFERING_PTY : BUFFERING_NONE;
		setrlimit(RLIMIT_NOFILE, &few);
		owner_open(&o);
		setrlimit(RLIMIT_NOFILE, &before);
		OWNER_WAIT(&o, o.refused);
		assert_int_equal(o.backend->refusal, 503);
		assert_string_equal(backend_reason(o.backend), "cannot start /bin/sh: Too many open files");
		program_clear(&o);
	}
}

/* --- input ------------------------------------------------------------------------------------ */

static void
all_that_the_client_sent_arrives_before_the_end_of_file(void **state)
{
	static char block[1024 * 1024];
	struct owner o;
	(void)state;
	memset(block, 'x', sizeof(block) - 1);
	/* The ladder is shorter than the program's nap: it must not begin before the bytes are taken. */
	program_init(&o, SHELL("sleep 0.4; wc -c"));
	o.opt.stop[0] = (struct stop_step){ 0, 200 };
	o.opt.stop[1] = (struct stop_step){ SIGKILL, 0 };
	o.opt.stop_count = 2;
	if (!vfork_is_real())
		o.opt.stop[0].wait_ms = 5000;
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, block, sizeof(block) - 1);
	assert_true(o.backend->ops->queued(o.backend) > 0);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "1048576\n");
	assert_int_equal(o.backend->ops->untaken(o.backend), 0);
	assert_true(o.rooms > 0);
	program_clear(&o);
}

static void
an_echo_gives_back_all_of_it_also_after_the_clients_end(void **state)
{
	static char line[1000];
	struct owner o;
	(void)state;
	memset(line, 'y', sizeof(line));
	program_init(&o, (const char *const[]){ "/bin/cat", NULL });
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	for (int i = 0; i < 1000; i++)
		owner_send(&o, line, sizeof(line));
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "exit 0");
	assert_int_equal(o.messages, 1000);
	assert_int_equal(buf_len(&o.text), 1000 * 1001);
	program_clear(&o);
}

static void
a_program_that_closes_its_stdin_is_still_heard(void **state)
{
	static char block[2 * PIPE_SIZE];
	struct owner o;
	(void)state;
	program_init(&o, SHELL("read a; exec <&-; sleep 0.2; echo still here; sleep 0.2; echo and again"));
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, "go", 2);
	owner_send(&o, block, sizeof(block));
	OWNER_WAIT(&o, o.rooms > 0); /* who waits for room must not wait for ever */
	owner_send(&o, block, sizeof(block));
	assert_int_equal(o.backend->ops->queued(o.backend), 0);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "still here\nand again\n");
	assert_true(o.backend->ops->untaken(o.backend) >= sizeof(block));
	program_clear(&o);
}

static void
a_program_that_never_reads_is_given_up_and_what_it_left_is_counted(void **state)
{
	static char block[4 * PIPE_SIZE];
	struct owner o;
	(void)state;
	program_init(&o, (const char *const[]){ "/bin/sleep", "1000", NULL });
	o.opt.framing = &framing_raw;
	o.opt.drain_timeout_ms = 150;
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, block, sizeof(block));
	uint64_t start_ms = clock_ms();
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1011, "signal INT");
	assert_true(clock_ms() - start_ms >= 150 + 100 - 20);
	assert_int_equal(o.backend->ops->untaken(o.backend), sizeof(block));
	program_clear(&o);
}

static void
bytes_that_nobody_can_read_any_more_keep_nobody_waiting(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("sleep 0.2; exec <&-; echo closed; exec sleep 1000"));
	o.opt.drain_timeout_ms = 1000000;
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, "unread", 6);
	OWNER_WAIT(&o, o.messages == 1);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1011, "signal INT");
	assert_int_equal(o.backend->ops->untaken(o.backend), 7);
	program_clear(&o);
}

/* --- the ladder ------------------------------------------------------------------------------- */

static void
the_ladder_climbs_until_the_program_ends(void **state)
{
	static const struct {
		const char *script, *reason;
		uint16_t code;
		uint64_t least_ms;
	} table[] = {
		{ "echo; exec cat >/dev/null", "exit 0", 1000, 0 },
		{ "echo; exec sleep 1000", "signal INT", 1011, 60 },
		{ "trap '' INT; echo; exec sleep 1000", "signal TERM", 1011, 60 + 60 },
		{ "trap '' INT TERM; echo; exec sleep 1000", "signal KILL", 1011, 60 + 60 + 60 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct owner o;
		program_init(&o, SHELL(table[i].script));
		o.opt.stop[0] = (struct stop_step){ 0, 60 };
		o.opt.stop[1] = (struct stop_step){ SIGINT, 60 };
		o.opt.stop[2] = (struct stop_step){ SIGTERM, 60 };
		o.opt.stop_count = 3; /* SIGKILL comes though nobody wrote it */
		if (!vfork_is_real())
			for (int step = 0; step < 3; step++)
				o.opt.stop[step].wait_ms = 1000;
		owner_open(&o);
		OWNER_WAIT(&o, o.messages == 1);
		uint64_t start_ms = clock_ms();
		o.backend->ops->finish(o.backend);
		assert_ended(&o, table[i].code, table[i].reason);
		assert_true(clock_ms() - start_ms + 10 >= table[i].least_ms);
		program_clear(&o);
	}
	assert_no_children();
}

static void
output_goes_on_during_the_ladder(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("cat; echo saw the end; trap 'echo saw INT; exit 5' INT; while :; do sleep 0.01; done"));
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, "hello", 5);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1011, "exit 5");
	assert_string_equal(owner_text(&o), "hello\nsaw the end\nsaw INT\n");
	program_clear(&o);
}

static void
a_discarded_program_gets_sigpipe(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, (const char *const[]){ "/usr/bin/yes", NULL });
	owner_open(&o);
	OWNER_WAIT(&o, o.messages > 0);
	o.backend->ops->discard(o.backend);
	size_t messages = o.messages;
	assert_ended(&o, 1011, "signal PIPE");
	assert_int_equal(o.messages, messages);
	program_clear(&o);
}

/* --- nobody is left --------------------------------------------------------------------------- */

static void
the_whole_group_dies_with_its_connection(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("sleep 1000 & echo $!; exec sleep 1000"));
	owner_open(&o);
	pid_t grandchild = pid_in_text(&o);
	owner_free_backend(&o);
	assert_int_equal(signal_that_ended(grandchild), SIGKILL);
	program_clear(&o);
	assert_no_children();
}

static void
the_ladder_signals_the_whole_group(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("sleep 1000 & echo $!; exec sleep 1000"));
	o.opt.stop[0] = (struct stop_step){ SIGTERM, 5000 };
	o.opt.stop_count = 1;
	owner_open(&o);
	pid_t grandchild = pid_in_text(&o);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1011, "signal TERM");
	assert_int_equal(signal_that_ended(grandchild), SIGTERM);
	program_clear(&o);
	assert_no_children();
}

static void
what_a_program_left_behind_gets_term_and_nobody_waits_for_it(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("sleep 1000 >/dev/null 2>&1 & echo $!"));
	o.opt.stop[2].wait_ms = 10 * PATIENCE_MS;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_int_equal(signal_that_ended(pid_in_text(&o)), SIGTERM);
	owner_idle(&o, 100); /* the stray is looked for again, and forgotten */
	program_clear(&o);
	assert_no_children();
}

static void
what_ignores_term_gets_kill(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("trap '' TERM; sleep 1000 >/dev/null 2>&1 & echo $!"));
	o.opt.stop[2].wait_ms = 100;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	pid_t stray = pid_in_text(&o);
	owner_free_backend(&o);
	owner_idle(&o, 300);
	assert_int_equal(signal_that_ended(stray), SIGKILL);
	program_clear(&o);
	assert_no_children();
}

static void
the_servers_end_does_not_wait_for_strays(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("trap '' TERM; sleep 1000 >/dev/null 2>&1 & echo $!"));
	o.opt.stop[2].wait_ms = 1000000;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	pid_t stray = pid_in_text(&o);
	program_clear(&o);
	assert_int_equal(signal_that_ended(stray), SIGKILL);
	assert_no_children();
}

static void
a_server_that_is_killed_takes_its_programs_with_it(void **state)
{
	int told[2];
	pid_t program;
	(void)state;
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid_t server = fork();
	if (server == 0) {
		struct owner o;
		program_init(&o, (const char *const[]){ "/bin/sleep", "1000", NULL });
		owner_open(&o);
		OWNER_WAIT(&o, o.ready);
		_exit(write(told[1], &o.backend->pid, sizeof(pid_t)) == sizeof(pid_t) ? pause() : 1);
	}
	assert_int_equal(read(told[0], &program, sizeof(program)), sizeof(program));
	kill(server, SIGKILL);
	assert_int_equal(signal_that_ended(server), SIGKILL);
	assert_int_equal(signal_that_ended(program), SIGKILL);
	close(told[0]);
	close(told[1]);
}

/* --- heirs of stdout -------------------------------------------------------------------------- */

static void
a_silent_grandchild_holds_the_connection_for_the_drain_timeout_only(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("sleep 1000 & printf 'half a line'"));
	o.opt.drain_timeout_ms = 200;
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	uint64_t start_ms = clock_ms();
	assert_ended(&o, 1000, "exit 0");
	assert_true(clock_ms() - start_ms >= 190);
	assert_string_equal(owner_text(&o), "half a line\n");
	program_clear(&o);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void
a_grandchild_that_writes_is_listened_to(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("(for i in 1 2 3 4 5; do sleep 0.1; echo $i; done) & exit 0"));
	o.opt.drain_timeout_ms = 2000;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "1\n2\n3\n4\n5\n");
	program_clear(&o);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void
a_grandchild_that_writes_for_ever_ends_soon_after_the_client(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, SHELL("(while :; do sleep 0.01; echo x; done) & exit 0"));
	o.opt.drain_timeout_ms = 1000;
	o.pause_ms = 3;
	owner_open(&o);
	OWNER_WAIT(&o, o.messages > 3);
	owner_idle(&o, 300);
	assert_false(o.ended);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "exit 0");
	program_clear(&o);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* --- what a program finds ---------------------------------------------------------------------- */

static void
ignore_it(int signo)
{
	(void)signo;
}

static void
assert_clean_signal_state(void)
{
	struct owner o;
	sigset_t some, before;
	sigfillset(&some);
	sigdelset(&some, SIGINT);
	pthread_sigmask(SIG_BLOCK, &some, &before);
	program_init(&o, (const char *const[]){ "/bin/cat", "/proc/self/status", NULL });
	owner_open(&o);
	sigset_t after;
	pthread_sigmask(SIG_SETMASK, &before, &after);
	for (int signo = 1; signo < 32; signo++) /* ours is as it was */
		assert_int_equal(sigismember(&after, signo), signo != SIGINT && signo != SIGKILL && signo != SIGSTOP);
	assert_ended(&o, 1000, "exit 0");
	const char *text = owner_text(&o);
	if (vfork_is_real()) {
		assert_non_null(strstr(text, "SigBlk:\t0000000000000000"));
		assert_non_null(strstr(text, "SigIgn:\t0000000000000000"));
		assert_non_null(strstr(text, "SigCgt:\t0000000000000000"));
	}
	program_clear(&o);
}

static void
a_program_starts_with_a_clean_signal_state(void **state)
{
	(void)state;
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, ignore_it);
	signal(SIGRTMAX, SIG_IGN);
	assert_clean_signal_state();
	spawn_learn_signals(); /* that which is reset is now a choice */
	assert_clean_signal_state();
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	signal(SIGRTMAX, SIG_DFL);
}

/* Else epoll would tell of it, and libev register anew all that it watches. */
static void
what_is_closed_when_a_program_has_started_is_closed(void **state)
{
	const struct backend_options opt = { .ops = &backend_process };
	const struct program program = { .argv = (const char *const[]){ "/bin/true", NULL }, .env = (char *const[]){ NULL } };
	(void)state;
	if (!vfork_is_real())
		skip();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 100; i++) {
		struct spawned child;
		int ends[2];
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		assert_int_equal(spawn_program(&opt, &program, (const int[]){ null, null, null }, &child), 0);
		close(ends[1]);
		struct pollfd reader = { .fd = ends[0], .events = POLLIN };
		assert_int_equal(poll(&reader, 1, 0), 1); /* at once: nobody has a copy of the other end */
		assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
		close(ends[0]);
		close(child.pidfd);
	}
	close(null);
}

static void
a_program_leads_its_own_group(void **state)
{
	struct owner o;
	int pid, parent, group;
	(void)state;
	program_init(&o, (const char *const[]){ "/bin/cat", "/proc/self/stat", NULL });
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_int_equal(sscanf(owner_text(&o), "%d (%*[^)]) %*c %d %d", &pid, &parent, &group), 3);
	assert_int_equal(pid, o.backend->pid);
	assert_int_equal(parent, getpid());
	assert_int_equal(group, pid);
	program_clear(&o);
}

static void
a_program_finds_three_descriptors_and_no_more(void **state)
{
	struct owner o;
	int leaky = fcntl(0, F_DUPFD, 100); /* without close-on-exec, as careless libraries do it */
	(void)state;
	/* The 3 is ls itself, reading the directory. */
	program_init(&o, (const char *const[]){ "/bin/ls", "/proc/self/fd", NULL });
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "0\n1\n2\n3\n");
	program_clear(&o);
	close(leaky);
}

static void
descriptors_that_land_on_0_to_2_are_no_trouble(void **state)
{
	struct owner o;
	int saved[3];
	(void)state;
	for (int i = 0; i < 3; i++)
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 50);
	program_init(&o, SHELL("read line; echo out $line; echo err >&2"));
	o.opt.stderr_policy = STDERR_MERGE;
	for (int i = 0; i < 3; i++)
		close(i);
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_send(&o, "in", 2);
	while (!o.ended && !o.impatient)
		loop_run(o.loop);
	for (int i = 0; i < 3; i++)
		if (fcntl(i, F_GETFD) == -1)
			dup2(saved[i], i);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "out in\nerr\n");
	program_clear(&o);
	for (int i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
}

static void
limits_umask_and_nice_are_set_and_the_servers_own_limit_is_not_handed_down(void **state)
{
	struct owner o;
	struct rlimit limit;
	char expected[64];
	(void)state;
	if (!vfork_is_real())
		skip();
	getrlimit(RLIMIT_NOFILE, &limit);
	process_set_nofile(123);
	program_init(&o, SHELL("ulimit -n; ulimit -c; umask; nice; pwd"));
	o.opt.limits[0] = (struct backend_limit){ RLIMIT_CORE, 0 };
	o.opt.limit_count = 1;
	o.opt.has_umask = o.opt.has_nice = true;
	o.opt.umask = 027;
	o.opt.nice = 5;
	o.opt.chdir = "/tmp";
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "123\n0\n0027\n5\n/tmp\n");
	program_clear(&o);

	program_init(&o, SHELL("ulimit -n"));
	o.opt.limits[0] = (struct backend_limit){ RLIMIT_NOFILE, 77 };
	o.opt.limit_count = 1;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "77\n");
	program_clear(&o);

	process_set_nofile(limit.rlim_cur);
	snprintf(expected, sizeof(expected), "%lu\n", (unsigned long)limit.rlim_cur);
	program_init(&o, SHELL("ulimit -n"));
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), expected);
	program_clear(&o);
}

static void
a_program_can_be_someone_else_and_the_server_stays_who_it_is(void **state)
{
	static const gid_t groups[] = { 65534, 12345 };
	struct owner o;
	(void)state;
	if (geteuid() != 0)
		skip();
	int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	program_init(&o, SHELL("id -u; id -g; id -G; grep -c 'Uid:.65534.65534.65534.65534' /proc/self/status"));
	o.opt.has_user = true;
	o.opt.uid = o.opt.gid = 65534;
	o.opt.groups = groups;
	o.opt.group_count = 2;
	o.opt.framing_options.type = MESSAGE_TYPE_TEXT;
	owner_open(&o);
	assert_int_equal(geteuid(), 0);
	if (vfork_is_real())
		assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), dumpable);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "65534\n65534\n65534 12345\n1\n");
	program_clear(&o);
}

static void
a_program_of_someone_else_dies_with_the_server_too(void **state)
{
	(void)state;
	if (geteuid() != 0 || !vfork_is_real())
		skip();
	int told[2];
	pid_t program;
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid_t server = fork();
	if (server == 0) {
		struct owner o;
		program_init(&o, (const char *const[]){ "/bin/sleep", "1000", NULL });
		o.opt.has_user = true;
		o.opt.uid = o.opt.gid = 65534;
		owner_open(&o);
		OWNER_WAIT(&o, o.ready);
		_exit(write(told[1], &o.backend->pid, sizeof(pid_t)) == sizeof(pid_t) ? pause() : 1);
	}
	assert_int_equal(read(told[0], &program, sizeof(program)), sizeof(program));
	kill(server, SIGKILL);
	assert_int_equal(signal_that_ended(server), SIGKILL);
	assert_int_equal(signal_that_ended(program), SIGKILL);
	close(told[0]);
	close(told[1]);
}

static void
the_request_is_in_the_environment(void **state)
{
	static const char *const env[] = { "COLOUR=blue", NULL };
	struct owner o;
	(void)state;
	program_init(&o, SHELL("echo $REQUEST_URI $WSGATE_ROUTE $COLOUR"));
	o.opt.env = env;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "/test /test blue\n");
	program_clear(&o);
}

/* --- stderr ------------------------------------------------------------------------------------ */

static char log_path[] = "/tmp/wsgate-stderr-XXXXXX";

static char *
read_log(void)
{
	static char text[1024 * 1024];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void
log_to_file(enum log_level level)
{
	unlink(log_path);
	assert_int_equal(log_open(&(struct log_options){ level, LOG_FORMAT_LOGFMT, log_path }), 0);
}

static void
log_to_stderr(void)
{
	assert_int_equal(log_open(&(struct log_options){ LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, "stderr" }), 0);
	unlink(log_path);
}

static size_t
count_in(const char *text, const char *what)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
		count++;
	return count;
}

/* The log is written after the end of its program. */
static void
wait_for_log(struct owner *o, const char *what, size_t count)
{
	uint64_t end_ms = clock_ms() + PATIENCE_MS;
	while (count_in(read_log(), what) < count && clock_ms() < end_ms)
		owner_idle(o, 10);
	assert_int_equal(count_in(read_log(), what), count);
}

static void
complaints_are_logged_line_by_line(void **state)
{
	struct owner o;
	char expected[64];
	(void)state;
	log_to_file(LOG_LEVEL_ERROR);
	program_init(&o, SHELL("echo first >&2; printf 'second\\r\\nunfinished' >&2; exit 1"));
	owner_open(&o);
	assert_ended(&o, 1011, "exit 1");
	snprintf(expected, sizeof(expected), "pid=%d", (int)o.backend->pid);
	owner_free_backend(&o);
	wait_for_log(&o, "text=unfinished\n", 1);
	const char *text = read_log();
	assert_int_equal(count_in(text, "text=first\n"), 1);
	assert_int_equal(count_in(text, "text=second\n"), 1);
	assert_int_equal(count_in(text, expected), 3);
	assert_int_equal(count_in(text, "route=/test"), 3);
	log_to_stderr();
	program_clear(&o);
}

static void
a_line_without_end_is_cut_and_marked(void **state)
{
	struct owner o;
	(void)state;
	log_to_file(LOG_LEVEL_INFO);
	program_init(&o, SHELL("(head -c 300000 /dev/zero | tr '\\0' z; echo; echo behind) >&2"));
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	owner_free_backend(&o);
	wait_for_log(&o, "text=behind\n", 1);
	const char *text = read_log();
	assert_int_equal(count_in(text, "[cut]"), 1);
	assert_int_equal(count_in(text, "z"), 4096);
	log_to_stderr();
	program_clear(&o);
}

static void
a_flood_of_complaints_is_logged_whole_and_blocks_nobody(void **state)
{
	struct owner o;
	(void)state;
	log_to_file(LOG_LEVEL_INFO);
	program_init(&o, SHELL("i=0; while [ $i -lt 3000 ]; do echo no >&2; i=$((i+1)); done; echo done"));
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "done\n");
	owner_free_backend(&o);
	wait_for_log(&o, "text=no\n", 3000);
	log_to_stderr();
	program_clear(&o);
}

static void
complaints_nobody_wants_are_still_read(void **state)
{
	struct owner o;
	(void)state;
	log_to_file(LOG_LEVEL_FATAL);
	program_init(&o, SHELL("head -c 1000000 /dev/zero >&2; echo done"));
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "done\n");
	assert_string_equal(read_log(), "");
	log_to_stderr();
	program_clear(&o);
}

static void
a_grandchild_with_stderr_delays_nobody_and_its_words_are_kept(void **state)
{
	struct owner o;
	(void)state;
	log_to_file(LOG_LEVEL_INFO);
	/* It leaves the group, lets go of stdout, and keeps stderr. */
	program_init(&o, SHELL("setsid sh -c \"printf 'half a word' >&2; echo \\$\\$; exec sleep 1000 >/dev/null\" &"));
	o.opt.drain_timeout_ms = vfork_is_real() ? 300 : 2000;
	owner_open(&o);
	pid_t heir = pid_in_text(&o);
	assert_ended(&o, 1000, "exit 0");
	owner_free_backend(&o);
	wait_for_log(&o, "text=\"half a word\"", 1); /* without a newline: only the end of the waiting brings it */
	kill(heir, SIGKILL);
	assert_int_equal(signal_that_ended(heir), SIGKILL);
	log_to_stderr();
	program_clear(&o);
}

static void
stderr_can_be_merged_or_thrown_away(void **state)
{
	static const struct {
		enum stderr_policy policy;
		const char *text;
	} table[] = { { STDERR_MERGE, "err\nout\n" }, { STDERR_DISCARD, "out\n" } };
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct owner o;
		program_init(&o, SHELL("echo err >&2; echo out"));
		o.opt.stderr_policy = table[i].policy;
		owner_open(&o);
		assert_ended(&o, 1000, "exit 0");
		assert_string_equal(owner_text(&o), table[i].text);
		program_clear(&o);
	}
}

/* --- stderr for the client ----------------------------------------------------------------------- */

#define OUT_LINE(text) "{\"stream\":\"stdout\",\"data\":\"" text "\"}\n"
#define ERR_LINE(text) "{\"stream\":\"stderr\",\"data\":\"" text "\"}\n"
#define EXIT_LINE(rest) "{\"stream\":\"exit\"," rest "}\n"

static void
tagged_init(struct owner *o, const char *const *argv)
{
	program_init(o, argv);
	o->opt.framing = &framing_tagged;
	o->opt.stderr_policy = STDERR_CLIENT;
}

/* The programs go on when the client has seen what they said. */
static void
both_outputs_and_the_exit_are_told_in_their_order(void **state)
{
	static const struct {
		const char *script;
		size_t steps;
		const char *text;
		uint16_t code;
		const char *reason;
	} table[] = {
		{ "echo a; read go; echo b >&2; read go; printf c; exit 3", 2,
			OUT_LINE("a") ERR_LINE("b") OUT_LINE("c") EXIT_LINE("\"code\":3"), 1011, "exit 3" },
		{ "echo a >&2; read go; exec >&-; echo b >&2; read go; printf c >&2", 2,
			ERR_LINE("a") ERR_LINE("b") ERR_LINE("c") EXIT_LINE("\"code\":0"), 1000, "exit 0" },
		{ "exec 2>&-; echo a; read go; echo b", 1, OUT_LINE("a") OUT_LINE("b") EXIT_LINE("\"code\":0"), 1000, "exit 0" },
		{ "kill -9 $$", 0, EXIT_LINE("\"signal\":\"KILL\""), 1011, "signal KILL" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct owner o;
		tagged_init(&o, SHELL(table[i].script));
		owner_open(&o);
		for (size_t step = 1; step <= table[i].steps; step++) {
			OWNER_WAIT(&o, o.messages == step);
			owner_send(&o, "go", 2);
		}
		assert_ended(&o, table[i].code, table[i].reason);
		assert_string_equal(owner_text(&o), table[i].text);
		program_clear(&o);
	}
	assert_no_children();
}

static void
the_exit_is_told_whatever_becomes_of_stderr(void **state)
{
	static const struct {
		enum stderr_policy policy;
		const char *text, *log;
	} table[] = {
		{ STDERR_LOG, OUT_LINE("out"), "text=err\n" },
		{ STDERR_MERGE, OUT_LINE("err") OUT_LINE("out"), NULL },
		{ STDERR_DISCARD, OUT_LINE("out"), NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct owner o;
		log_to_file(LOG_LEVEL_INFO);
		tagged_init(&o, SHELL("echo err >&2; echo out"));
		o.opt.stderr_policy = table[i].policy;
		owner_open(&o);
		assert_ended(&o, 1000, "exit 0");
		const char *text = owner_text(&o);
		assert_int_equal(strncmp(text, table[i].text, strlen(table[i].text)), 0);
		assert_string_equal(text + strlen(table[i].text), EXIT_LINE("\"code\":0"));
		if (table[i].log != NULL)
			wait_for_log(&o, table[i].log, 1);
		else
			assert_string_equal(read_log(), "");
		log_to_stderr();
		program_clear(&o);
	}
}

/* The data in the next message of TEXT, which is left at the one after it; *MORE: its line goes on. */
static struct slice
next_data(const char **text, bool *more)
{
	static const char mark[] = "\",\"more\":true}";
	const char *data = strstr(*text, "\"data\":\"") + 8, *end = strchr(*text, '\n');
	assert_non_null(end);
	*text = end + 1;
	*more = strncmp(end - strlen(mark), mark, strlen(mark)) == 0;
	return (struct slice){ data, (size_t)(end - data) - (*more ? strlen(mark) : 2) };
}

/* Lines of 200 kB, written at the same time: each is longer than what is read at once. */
static void
messages_of_the_two_outputs_do_not_mix(void **state)
{
	struct owner o;
	size_t bytes[2] = { 0 }, lines[2] = { 0 };
	(void)state;
	tagged_init(&o, SHELL("line() { head -c 200000 /dev/zero | tr '\\0' $1; echo; }\n"
			      "for i in 1 2 3 4; do line a; done & for i in 1 2 3 4; do line b; done >&2; wait"));
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	const char *text = owner_text(&o);
	while (strncmp(text, OUT_LINE("a"), 18) == 0 || strncmp(text, ERR_LINE("b"), 18) == 0) {
		bool is_err = text[14] == 'e', more;
		struct slice data = next_data(&text, &more);
		for (size_t i = 0; i < data.len; i++)
			if (data.data[i] != (is_err ? 'b' : 'a'))
				fail_msg("a %c where it does not belong", data.data[i]);
		bytes[is_err] += data.len;
		lines[is_err] += !more;
	}
	assert_string_equal(text, EXIT_LINE("\"code\":0"));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(bytes[i], 800000);
		assert_int_equal(lines[i], 4);
	}
	program_clear(&o);
}

/* It writes what must be read before it ends the line: more than LOOP_SCRATCH. */
static void
a_line_without_end_does_not_hold_up_the_other_output(void **state)
{
	struct owner o;
	(void)state;
	tagged_init(&o, SHELL("zeros() { head -c 400000 /dev/zero; }\n"
			      "zeros | tr '\\0' e >&2; zeros | tr '\\0' o | fold -w 1000; echo end >&2"));
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_non_null(strstr(owner_text(&o), "ee\",\"more\":true}\n"));
	assert_int_equal(count_in(owner_text(&o), "{\"stream\":\"stdout\",\"data\":\"ooo"), 400);
	assert_non_null(strstr(owner_text(&o), "end\"}\n"));
	program_clear(&o);
}

static void
stderr_is_not_read_while_the_client_does_not_read(void **state)
{
	struct owner o;
	(void)state;
	tagged_init(&o, SHELL("head -c 8388608 /dev/zero | tr '\\0' e >&2; exit 1"));
	o.opt.drain_timeout_ms = 20;
	o.hold = true;
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_idle(&o, 200);
	assert_false(o.ended);
	assert_int_equal(kill(o.backend->pid, 0), 0); /* it waits with what does not fit into the pipe */
	assert_int_equal(buf_len(&o.text), 0);
	owner_resume(&o);
	assert_ended(&o, 1011, "exit 1");
	assert_int_equal(o.messages, 2);
	assert_int_equal(buf_len(&o.text), MUCH + strlen(ERR_LINE("") EXIT_LINE("\"code\":1")));
	program_clear(&o);
}

static void
a_grandchild_with_stderr_is_waited_for_as_one_with_stdout(void **state)
{
	struct owner o;
	(void)state;
	tagged_init(&o, SHELL("sleep 1000 >&- & printf 'half a word' >&2"));
	o.opt.drain_timeout_ms = 200;
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	uint64_t start_ms = clock_ms();
	assert_ended(&o, 1000, "exit 0");
	assert_true(clock_ms() - start_ms >= 190);
	assert_string_equal(owner_text(&o), ERR_LINE("half a word") EXIT_LINE("\"code\":0"));
	program_clear(&o);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* It ignores what the ladder has to say before SIGKILL, and drain_timeout is longer than this test waits. */
static void
the_ladder_ends_a_grandchild_with_stderr(void **state)
{
	struct owner o;
	(void)state;
	tagged_init(&o, SHELL("(trap '' INT TERM; exec sleep 1000 >&-) & echo up; read end"));
	o.opt.drain_timeout_ms = 10 * PATIENCE_MS;
	owner_open(&o);
	OWNER_WAIT(&o, o.messages == 1);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1011, "exit 1");
	assert_string_equal(owner_text(&o), OUT_LINE("up") EXIT_LINE("\"code\":1"));
	program_clear(&o);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* --- a pseudo-terminal -------------------------------------------------------------------------- */

static void
terminal_init(struct owner *o, const char *const *argv)
{
	program_init(o, argv);
	o->opt.buffering = BUFFERING_PTY;
}

/* As proc(5) numbers it: ours, or 0. */
static int
controlling_terminal(void)
{
	int number;
	FILE *stat = fopen("/proc/self/stat", "re");
	assert_non_null(stat);
	assert_int_equal(fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %d", &number), 1);
	fclose(stat);
	return number;
}

static void
stdout_alone_is_a_terminal_and_it_controls_nobody(void **state)
{
	char expected[64];
	struct owner o;
	(void)state;
	terminal_init(&o, SHELL("for fd in 0 1 2; do test -t $fd && echo yes || echo no; done; cut -d ' ' -f 7 /proc/$$/stat"));
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	snprintf(expected, sizeof(expected), "no\nyes\nno\n%d\n", controlling_terminal());
	assert_string_equal(owner_text(&o), expected);
	program_clear(&o);
}

static void
a_terminal_changes_no_byte(void **state)
{
	char script[256 * 5 + 16] = "printf '", *end = script + strlen(script);
	struct owner o;
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++)
		end += snprintf(end, 6, "\\%03o", byte);
	snprintf(end, 2, "'");
	terminal_init(&o, SHELL(script));
	o.opt.framing = &framing_raw;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_int_equal(o.messages, 1);
	assert_int_equal(buf_len(&o.text), 256 + 1);
	for (unsigned byte = 0; byte < 256; byte++)
		assert_int_equal(buf_span(&o.text).data[byte], byte);
	program_clear(&o);
}

static void
a_terminal_echoes_nothing_and_hears_the_client_through_a_pipe(void **state)
{
	static char line[1000];
	struct owner o;
	(void)state;
	memset(line, 'y', sizeof(line));
	terminal_init(&o, (const char *const[]){ "/bin/cat", NULL });
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	for (int i = 0; i < 1000; i++)
		owner_send(&o, line, sizeof(line));
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "exit 0");
	assert_int_equal(o.messages, 1000);
	assert_int_equal(buf_len(&o.text), 1000 * 1001);
	assert_int_equal(o.backend->ops->untaken(o.backend), 0);
	program_clear(&o);
}

static void
eight_megabytes_outlive_their_terminal(void **state)
{
	struct owner o;
	(void)state;
	terminal_init(&o, SHELL("head -c 8388608 /dev/zero; exit 3"));
	o.opt.framing = &framing_raw;
	o.opt.drain_timeout_ms = 2000;
	owner_open(&o);
	assert_ended(&o, 1011, "exit 3");
	assert_int_equal(buf_len(&o.text) - o.messages, MUCH);
	program_clear(&o);
}

static void
last_words_wait_in_a_terminal_for_a_paused_client(void **state)
{
	struct owner o;
	(void)state;
	terminal_init(&o, SHELL("printf 'last words'"));
	o.opt.drain_timeout_ms = 20;
	o.hold = true;
	owner_open(&o);
	OWNER_WAIT(&o, o.ready);
	owner_idle(&o, 200);
	assert_false(o.ended);
	owner_resume(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "last words\n");
	program_clear(&o);
}

/* Its end (EIO) is an end of file and no failure: what the client has sent is still waited for. */
static void
a_program_that_closes_its_terminal_hears_all_that_was_sent(void **state)
{
	static char block[1024 * 1024];
	struct owner o;
	(void)state;
	memset(block, 'x', sizeof(block) - 1);
	terminal_init(&o, SHELL("echo bye; exec >&-; sleep 0.4; test $(wc -c) -eq 1048576"));
	o.opt.stop[0] = (struct stop_step){ 0, vfork_is_real() ? 200 : 5000 };
	o.opt.stop[1] = (struct stop_step){ SIGKILL, 0 };
	o.opt.stop_count = 2;
	owner_open(&o);
	OWNER_WAIT(&o, o.messages == 1);
	owner_idle(&o, 100);
	owner_send(&o, block, sizeof(block) - 1);
	assert_true(o.backend->ops->queued(o.backend) > 0);
	o.backend->ops->finish(o.backend);
	assert_ended(&o, 1000, "exit 0");
	assert_int_equal(o.backend->ops->untaken(o.backend), 0);
	program_clear(&o);
}

static void
a_grandchild_may_hold_the_terminal(void **state)
{
	struct owner o;
	(void)state;
	terminal_init(&o, SHELL("(for i in 1 2 3; do sleep 0.1; echo $i; done) & exit 0"));
	o.opt.drain_timeout_ms = vfork_is_real() ? 300 : 2000;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "1\n2\n3\n");
	program_clear(&o);

	terminal_init(&o, SHELL("sleep 1000 & printf 'half a line'"));
	o.opt.drain_timeout_ms = 200;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "half a line\n");
	program_clear(&o);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* No SIGPIPE comes from a terminal; EIO does, to whoever looks. */
static void
a_program_whose_terminal_is_discarded_ends(void **state)
{
	struct owner o;
	(void)state;
	terminal_init(&o, (const char *const[]){ "/usr/bin/yes", NULL });
	owner_open(&o);
	OWNER_WAIT(&o, o.messages > 0);
	o.backend->ops->discard(o.backend);
	size_t messages = o.messages;
	assert_ended(&o, 1011, "exit 1");
	assert_int_equal(o.messages, messages);
	program_clear(&o);
}

static void
stderr_can_be_merged_into_a_terminal(void **state)
{
	struct owner o;
	(void)state;
	terminal_init(&o, SHELL("test -t 2 && echo err >&2; echo out"));
	o.opt.stderr_policy = STDERR_MERGE;
	owner_open(&o);
	assert_ended(&o, 1000, "exit 0");
	assert_string_equal(owner_text(&o), "err\nout\n");
	program_clear(&o);
}

/* --- the owner -------------------------------------------------------------------------------- */

static void
an_owner_may_free_it_at_any_time(void **state)
{
	struct owner o;
	(void)state;
	program_init(&o, (const char *const[]){ "/bin/cat", NULL });
	owner_open(&o); /* at once: READY is due and must not come */
	owner_free_backend(&o);
	owner_idle(&o, 20);
	assert_false(o.ready);
	program_clear(&o);

	program_init(&o, (const char *const[]){ "/usr/bin/yes", NULL });
	o.free_at_data = true;
	owner_open(&o);
	OWNER_WAIT(&o, o.messages > 0);
	assert_null(o.backend);
	owner_idle(&o, 20);
	program_clear(&o);

	/* In the midst of what stderr, or the exit, has brought. */
	for (size_t i = 0; i < 2; i++) {
		tagged_init(&o, SHELL(i == 0 ? "echo err >&2; exec sleep 1000" : "exit 3"));
		o.free_at_data = true;
		owner_open(&o);
		OWNER_WAIT(&o, o.messages > 0);
		assert_null(o.backend);
		owner_idle(&o, 20);
		program_clear(&o);
	}
	assert_no_children();
}

static void
nothing_leaks_however_a_program_ends(void **state)
{
	static const char *const scripts[] = { "exit 0", "echo x; exit 1", "kill -9 $$", "exec sleep 1000", "cat", "echo e >&2" };
	(void)state;
	size_t before = count_descriptors();
	for (size_t i = 0; i < 8 * sizeof(scripts) / sizeof(*scripts); i++) {
		struct owner o;
		program_init(&o, SHELL(scripts[i % 6]));
		o.opt.framing = i < 24 ? &framing_lines : &framing_tagged;
		o.opt.stderr_policy = i < 24 ? (enum stderr_policy)(i % 3) : STDERR_CLIENT;
		o.opt.buffering = i % 4 < 2 ? BUFFERING_NONE : BUFFERING_PTY;
		o.opt.stop[0].wait_ms = 20;
		owner_open(&o);
		OWNER_WAIT(&o, o.ready);
		if (i % 2 == 0)
			o.backend->ops->finish(o.backend);
		else
			o.backend->ops->discard(o.backend);
		OWNER_WAIT(&o, o.ended);
		program_clear(&o);
	}
	assert_int_equal(count_descriptors(), before);
	assert_no_children();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_arrives_and_the_last_one_without_its_end),
		cmocka_unit_test(eight_megabytes_arrive_though_the_program_has_exited_and_the_client_is_slow),
		cmocka_unit_test(a_paused_client_loses_nothing_when_the_program_is_long_gone),
		cmocka_unit_test(output_that_is_no_text_ends_the_program_with_1011),
		cmocka_unit_test(a_line_longer_than_any_buffer_comes_in_pieces_of_one_message),
		cmocka_unit_test(a_request_may_name_its_own_program_and_where_it_starts),
		cmocka_unit_test(a_program_that_a_request_names_is_the_one_that_is_refused),
		cmocka_unit_test(after_the_input_a_program_may_think_for_longer_than_the_ladder),
		cmocka_unit_test(a_program_without_input_can_still_be_stopped),
		cmocka_unit_test(the_exit_tells_the_close_code),
		cmocka_unit_test(a_program_that_closes_its_stdout_goes_on_listening),
		cmocka_unit_test(what_cannot_be_run_is_refused_with_a_reason),
		cmocka_unit_test(when_descriptors_are_out_it_is_503),
		cmocka_unit_test(all_that_the_client_sent_arrives_before_the_end_of_file),
		cmocka_unit_test(an_echo_gives_back_all_of_it_also_after_the_clients_end),
		cmocka_unit_test(a_program_that_closes_its_stdin_is_still_heard),
		cmocka_unit_test(a_program_that_never_reads_is_given_up_and_what_it_left_is_counted),
		cmocka_unit_test(bytes_that_nobody_can_read_any_more_keep_nobody_waiting),
		cmocka_unit_test(the_ladder_climbs_until_the_program_ends),
		cmocka_unit_test(output_goes_on_during_the_ladder),
		cmocka_unit_test(a_discarded_program_gets_sigpipe),
		cmocka_unit_test(the_whole_group_dies_with_its_connection),
		cmocka_unit_test(the_ladder_signals_the_whole_group),
		cmocka_unit_test(what_a_program_left_behind_gets_term_and_nobody_waits_for_it),
		cmocka_unit_test(what_ignores_term_gets_kill),
		cmocka_unit_test(the_servers_end_does_not_wait_for_strays),
		cmocka_unit_test(a_server_that_is_killed_takes_its_programs_with_it),
		cmocka_unit_test(a_silent_grandchild_holds_the_connection_for_the_drain_timeout_only),
		cmocka_unit_test(a_grandchild_that_writes_is_listened_to),
		cmocka_unit_test(a_grandchild_that_writes_for_ever_ends_soon_after_the_client),
		cmocka_unit_test(a_program_starts_with_a_clean_signal_state),
		cmocka_unit_test(what_is_closed_when_a_program_has_started_is_closed),
		cmocka_unit_test(a_program_leads_its_own_group),
		cmocka_unit_test(a_program_finds_three_descriptors_and_no_more),
		cmocka_unit_test(descriptors_that_land_on_0_to_2_are_no_trouble),
		cmocka_unit_test(limits_umask_and_nice_are_set_and_the_servers_own_limit_is_not_handed_down),
		cmocka_unit_test(a_program_can_be_someone_else_and_the_server_stays_who_it_is),
		cmocka_unit_test(a_program_of_someone_else_dies_with_the_server_too),
		cmocka_unit_test(the_request_is_in_the_environment),
		cmocka_unit_test(complaints_are_logged_line_by_line),
		cmocka_unit_test(a_line_without_end_is_cut_and_marked),
		cmocka_unit_test(a_flood_of_complaints_is_logged_whole_and_blocks_nobody),
		cmocka_unit_test(complaints_nobody_wants_are_still_read),
		cmocka_unit_test(a_grandchild_with_stderr_delays_nobody_and_its_words_are_kept),
		cmocka_unit_test(stderr_can_be_merged_or_thrown_away),
		cmocka_unit_test(both_outputs_and_the_exit_are_told_in_their_order),
		cmocka_unit_test(the_exit_is_told_whatever_becomes_of_stderr),
		cmocka_unit_test(messages_of_the_two_outputs_do_not_mix),
		cmocka_unit_test(a_line_without_end_does_not_hold_up_the_other_output),
		cmocka_unit_test(stderr_is_not_read_while_the_client_does_not_read),
		cmocka_unit_test(a_grandchild_with_stderr_is_waited_for_as_one_with_stdout),
		cmocka_unit_test(the_ladder_ends_a_grandchild_with_stderr),
		cmocka_unit_test(stdout_alone_is_a_terminal_and_it_controls_nobody),
		cmocka_unit_test(a_terminal_changes_no_byte),
		cmocka_unit_test(a_terminal_echoes_nothing_and_hears_the_client_through_a_pipe),
		cmocka_unit_test(eight_megabytes_outlive_their_terminal),
		cmocka_unit_test(last_words_wait_in_a_terminal_for_a_paused_client),
		cmocka_unit_test(a_program_that_closes_its_terminal_hears_all_that_was_sent),
		cmocka_unit_test(a_grandchild_may_hold_the_terminal),
		cmocka_unit_test(a_program_whose_terminal_is_discarded_ends),
		cmocka_unit_test(stderr_can_be_merged_into_a_terminal),
		cmocka_unit_test(an_owner_may_free_it_at_any_time),
		cmocka_unit_test(nothing_leaks_however_a_program_ends),
	};
	signal(SIGPIPE, SIG_IGN); /* as main() does */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	log_to_stderr();
	close(mkstemp(log_path));
	return cmocka_run_group_tests_name("backend/process", tests, NULL, NULL);
}
