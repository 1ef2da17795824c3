/*
 * Where messages go, and what surrounds a program. All that can be looked up is looked up here, once:
 * programs in PATH, users, groups, signals; so that what was wrong is known before anybody connects.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/config.h"
#include "gate/value.h"
#include "proto/ws.h"

enum { GROUPS_MAX = 1024 };

/* --- finding programs ------------------------------------------------------------------------------- */

static const char *
what_is_wrong_with_program(const char *path)
{
	struct stat st;
	if (stat(path, &st) == -1)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is no program but something else";
	if (access(path, X_OK) == -1)
		return errno == EACCES ? "is not executable; chmod +x makes it so" : strerror(errno);
	return NULL;
}

static const char *
search_path(struct draft *d, const struct setting *s, const char *name)
{
	const char *path = getenv("PATH");
	if (path == NULL)
		path = "/usr/local/bin:/usr/bin:/bin";
	for (;; path++) {
		struct slice directory = { path, strcspn(path, ":") };
		/* An empty one is the working directory, and so is ".". */
		const char *file = arena_printf(d->arena, "%.*s%s%s", SLICE_ARG(directory), directory.len == 0 ? "" : "/", name);
		if (file[0] != '/')
			file = arena_printf(d->arena, "%s/%s", d->working_directory, file);
		if (what_is_wrong_with_program(file) == NULL)
			return file;
		path += directory.len;
		if (*path == '\0')
			break;
	}
	const char *here = value_absolute(d, s, slice_of(name));
	bool is_here = what_is_wrong_with_program(here) == NULL;
	draft_refuse(d, s, "%s: no such program in PATH%s%s%s%s", name, is_here ? "; for " : "", is_here ? here : "",
		is_here ? " write ./" : "", is_here ? name : "");
	return name;
}

static const char *
find_program(struct draft *d, const struct setting *s, const char *name)
{
	if (name == NULL || name[0] == '\0') {
		draft_refuse(d, s, "the program has no name");
		return "";
	}
	if (strchr(name, '/') == NULL)
		return d->check_files ? search_path(d, s, name) : name;
	const char *path = value_absolute(d, s, slice_of(name));
	const char *wrong = d->check_files ? what_is_wrong_with_program(path) : NULL;
	if (wrong != NULL)
		draft_refuse(d, s, "%s: %s", name, wrong);
	return path;
}

/* --- words ------------------------------------------------------------------------------------------ */

struct splitter {
	const char *at;
	char *word; /* being written; as long as the text at the most */
	size_t len;
	bool was_quoted;
	const char *fault;
};

static void
put(struct splitter *p, char c)
{
	p->word[p->len++] = c;
}

static void
take_escaped(struct splitter *p)
{
	p->was_quoted = true;
	if (*++p->at == '\0') {
		p->fault = "a backslash at the end has nothing to escape, and lines do not continue";
		return;
	}
	put(p, *p->at++);
}

static void
take_quoted(struct splitter *p)
{
	char quote = *p->at++;
	p->was_quoted = true;
	while (*p->at != quote) {
		if (*p->at == '\0') {
			p->fault = quote == '"' ? "a \" is not closed" : "a ' is not closed";
			return;
		}
		if (quote == '"' && *p->at == '\\' && (p->at[1] == '"' || p->at[1] == '\\'))
			p->at++;
		put(p, *p->at++);
	}
	p->at++;
}

static bool
take_word(struct splitter *p)
{
	p->at += strspn(p->at, " \t");
	p->len = 0;
	p->was_quoted = false;
	if (*p->at == '\0')
		return false;
	while (p->fault == NULL && *p->at != '\0' && *p->at != ' ' && *p->at != '\t') {
		if (*p->at == '\\')
			take_escaped(p);
		else if (*p->at == '"' || *p->at == '\'')
			take_quoted(p);
		else
			put(p, *p->at++);
	}
	return p->fault == NULL;
}

/* There is no shell: these would be handed to the program, which nobody who writes them unquoted wants. */
static bool
is_for_a_shell(struct slice word)
{
	static const char *const operators[] = { "|", "||", "&", "&&", ">", ">>", "<", "<<", "2>", "2>&1", "&>", ">&2" };
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (slice_equals(word, operators[i]))
			return true;
	return word.len > 0 && word.data[0] == ';';
}

static const char *const *
split_words(struct draft *d, const struct setting *s)
{
	struct splitter p = { .at = s->text, .word = arena_alloc(d->arena, strlen(s->text) + 1) };
	const char *const *words = NULL;
	while (take_word(&p)) {
		struct slice word = { p.word, p.len };
		if (!p.was_quoted && is_for_a_shell(word))
			draft_refuse(d, s,
				"exec has no shell and no comment behind its value: quote %.*s, or use shell =", SLICE_ARG(word));
		arena_list_add(d->arena, &words, arena_dup(d->arena, word));
	}
	if (p.fault != NULL)
		draft_refuse(d, s, "%s", p.fault);
	else if (words == NULL)
		draft_refuse(d, s, "the program is missing");
	return p.fault != NULL ? NULL : words;
}

/* --- backends --------------------------------------------------------------------------------------- */

static void
set_program(struct route *r, const char *const *argv)
{
	r->has_backend = r->is_program = true;
	r->backend.ops = &backend_process;
	r->backend.argv = argv;
}

void
value_exec(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	const char *const *words = s->words != NULL ? s->words : split_words(d, s);
	if (words == NULL)
		return;
	size_t count = 0;
	while (words[count] != NULL)
		count++;
	const char **argv = arena_alloc(d->arena, (count + 1) * sizeof(*argv));
	argv[0] = find_program(d, s, words[0]);
	for (size_t i = 1; i < count; i++)
		argv[i] = arena_dup(d->arena, slice_of(words[i]));
	set_program(object, argv);
}

void
value_shell(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	const char *const *argv = NULL;
	arena_list_add(d->arena, &argv, "/bin/sh");
	arena_list_add(d->arena, &argv, "-c");
	arena_list_add(d->arena, &argv, arena_dup(d->arena, slice_of(s->text)));
	set_program(object, argv);
}

/* Which program it is, each request says. */
void
value_dir(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	value_directory(d, o, s, object);
	set_program(object, NULL);
}

static void
set_socket(struct route *r)
{
	r->has_backend = true;
	r->is_program = false;
	r->backend.ops = &backend_socket;
}

static bool
is_host(struct slice host)
{
	for (size_t i = 0; i < host.len; i++)
		if (strchr(" \t/?#@\"'", host.data[i]) != NULL)
			return false;
	return host.len <= 253;
}

void
value_tcp(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct route *r = object;
	struct slice text = slice_of(s->text), host;
	uint16_t port;
	if (address_split(text, &host, &port) == -1 || port == 0 || !is_host(host)) {
		draft_refuse(d, s, "\"%.60s\" is no service: write HOST:PORT, such as 127.0.0.1:5900 or [::1]:5900", s->text);
		return;
	}
	set_socket(r);
	r->backend.host = arena_dup(d->arena, host.len == 0 ? slice_of("127.0.0.1") : host);
	r->backend.port = port;
}

void
value_unix(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct route *r = object;
	struct address address;
	const char *path = s->text[0] == '@' ? arena_dup(d->arena, slice_of(s->text)) : value_absolute(d, s, slice_of(s->text));
	if (address_from_path(slice_of(path), &address) == -1)
		draft_refuse(d, s, "%.60s...: the path of a unix socket has at most 107 bytes", path);
	set_socket(r);
	r->backend.unix_path = path;
}

/* --- the surroundings of a program ------------------------------------------------------------------ */

static bool
is_variable_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!is_letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return name.len > 0;
}

void
value_env(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct route *r = object;
	struct slice name = { s->text, strcspn(s->text, "=") };
	if (s->text[name.len] != '=' || !is_variable_name(name))
		draft_refuse(d, s, "\"%.60s\" sets no variable: write NAME=VALUE", s->text);
	arena_list_add(d->arena, &r->backend.env, arena_dup(d->arena, slice_of(s->text)));
}

void
value_passenv(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct route *r = object;
	struct slice list = slice_of(s->text), item;
	if (strcmp(s->text, "none") == 0)
		return;
	while (value_next_item(&list, &item)) {
		if (!is_variable_name(item))
			draft_refuse(d, s, "\"%.*s\" is no name of a variable", SLICE_ARG(item));
		arena_list_add(d->arena, &r->backend.passenv, arena_dup(d->arena, item));
	}
}

static bool
may_change_identity(struct draft *d, const struct setting *s)
{
	if (geteuid() == 0)
		return true;
	draft_refuse(d, s, "only root can start programs as somebody else: start wsgate as root, or leave it out");
	return false;
}

static void
read_groups(struct draft *d, const struct passwd *pw, struct backend_options *b)
{
	gid_t groups[GROUPS_MAX];
	int count = GROUPS_MAX;
	if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &count) == -1)
		count = GROUPS_MAX;
	gid_t *copy = arena_alloc(d->arena, (size_t)count * sizeof(*copy));
	memcpy(copy, groups, (size_t)count * sizeof(*copy));
	b->groups = copy;
	b->group_count = (size_t)count;
}

void
value_user(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct backend_options *b = &((struct route *)object)->backend;
	struct passwd *pw = value_find_user(s->text);
	if (pw == NULL)
		draft_refuse(d, s, "there is no user %.60s", s->text);
	if (pw == NULL || !may_change_identity(d, s))
		return;
	b->has_user = true;
	b->uid = pw->pw_uid;
	b->gid = pw->pw_gid;
	read_groups(d, pw, b);
}

void
value_group(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct backend_options *b = &((struct route *)object)->backend;
	struct group *gr = value_find_group(s->text);
	if (gr == NULL)
		draft_refuse(d, s, "there is no group %.60s", s->text);
	if (gr == NULL || !may_change_identity(d, s))
		return;
	b->has_group = true;
	b->gid = gr->gr_gid;
}

void
value_nice(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct backend_options *b = &((struct route *)object)->backend;
	struct slice text = slice_of(s->text);
	bool is_negative = slice_starts(text, "-");
	uint64_t number;
	if (is_negative)
		text = slice_of(s->text + 1);
	if (text_number(text, 0, is_negative ? 20 : 19, &number) == -1) {
		draft_refuse(d, s, "\"%.60s\" is no number from -20 (first) to 19 (last)", s->text);
		return;
	}
	b->has_nice = true;
	b->nice = is_negative ? -(int)number : (int)number;
}

void
value_umask(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct backend_options *b = &((struct route *)object)->backend;
	unsigned mode;
	if (value_parse_mode(s->text, &mode) == -1) {
		draft_refuse(d, s, "\"%.60s\" is no umask: write it in octal, such as 027", s->text);
		return;
	}
	b->has_umask = true;
	b->umask = (mode_t)mode;
}

static int
parse_limit(struct slice text, enum value_limit_unit unit, uint64_t *out)
{
	if (unit == LIMIT_BYTES)
		return text_size(text, out);
	if (unit == LIMIT_COUNT)
		return text_number(text, 0, UINT32_MAX, out);
	if (text_duration(text, out) == -1 || *out % 1000 != 0)
		return -1;
	*out /= 1000;
	return 0;
}

static const char *const unit_examples[] = {
	[LIMIT_COUNT] = "a number",
	[LIMIT_BYTES] = "a size, such as 64m",
	[LIMIT_SECONDS] = "whole seconds of processor time, such as 30s",
};

static bool
is_allowed(struct draft *d, const struct setting *s, int resource, rlim_t value)
{
	struct rlimit ours;
	if (geteuid() == 0 || getrlimit(resource, &ours) == -1 || value <= ours.rlim_max)
		return true;
	draft_refuse(d, s, "%.60s is more than wsgate's own hard limit, %llu: only root can raise it", s->text,
		(unsigned long long)ours.rlim_max);
	return false;
}

void
value_limit(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	struct backend_options *b = &((struct route *)object)->backend;
	uint64_t value = 0;
	bool is_unlimited = strcmp(s->text, "unlimited") == 0;
	if (!is_unlimited && parse_limit(slice_of(s->text), (enum value_limit_unit)o->max, &value) == -1) {
		draft_refuse(d, s, "\"%.60s\" is no limit: write %s, or unlimited", s->text, unit_examples[o->max]);
		return;
	}
	struct backend_limit limit = { (int)o->min, is_unlimited ? RLIM_INFINITY : (rlim_t)value };
	if (is_allowed(d, s, limit.resource, limit.value) && b->limit_count < BACKEND_LIMITS)
		b->limits[b->limit_count++] = limit;
}

/* --- the end of a program --------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int signo;
} signals[] = { { "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "TERM", SIGTERM }, { "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 }, { "ABRT", SIGABRT }, { "ALRM", SIGALRM }, { "CONT", SIGCONT }, { "WINCH", SIGWINCH },
	{ "KILL", SIGKILL } };

/* 0 for eof, -1 if it is none. */
static int
parse_step(struct slice word)
{
	if (slice_equals_nocase(word, "eof"))
		return 0;
	if (word.len > 3 && strncasecmp(word.data, "SIG", 3) == 0)
		word = (struct slice){ word.data + 3, word.len - 3 };
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (slice_equals_nocase(word, signals[i].name))
			return signals[i].signo;
	return -1;
}

static const char *
what_is_wrong_with_step(const struct backend_options *b, int signo, struct slice wait, uint64_t *wait_ms, bool is_last)
{
	if (signo == -1)
		return "is neither eof nor a signal such as INT, TERM, HUP or KILL";
	if (signo == SIGKILL)
		return !is_last || wait.len > 0 ? "comes last and waits for nothing" : NULL;
	if (wait.len == 0)
		return "needs how long to wait behind it, such as 500ms";
	if (text_duration(wait, wait_ms) == -1 || *wait_ms > UINT64_C(24) * 60 * 60 * 1000)
		return "has no good duration behind it: write 500ms or 5s, at most 1d";
	for (size_t i = 0; i < b->stop_count; i++)
		if (signo == 0 && b->stop[i].signo == 0)
			return "is there twice, but stdin can be closed once";
	return b->stop_count == BACKEND_STOP_STEPS ? "is one step too many: there may be 8 and KILL" : NULL;
}

/* SIGKILL is no step: it always comes last, written or not. */
void
value_stop(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct backend_options *b = &((struct route *)object)->backend;
	struct slice list = slice_of(s->text), item, word;
	if (list.len == strspn(s->text, ", \t"))
		draft_refuse(d, s, "the ladder has no step: write eof 100ms, INT 250ms, TERM 500ms, KILL");
	while (text_next_listed(&list, &item)) {
		struct slice whole = item, rest = list, next;
		uint64_t wait_ms = 0;
		text_next_word(&item, &word);
		int signo = parse_step(word);
		const char *wrong = what_is_wrong_with_step(b, signo, slice_trim(item), &wait_ms, !text_next_listed(&rest, &next));
		if (wrong != NULL) {
			draft_refuse(d, s, "\"%.*s\" %s", SLICE_ARG(whole), wrong);
			return;
		}
		if (signo != SIGKILL)
			b->stop[b->stop_count++] = (struct stop_step){ signo, wait_ms };
	}
}

/* As websocketd has it: so much longer at each step. */
void
value_closems(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	struct backend_options *b = &((struct route *)object)->backend;
	uint64_t ms;
	if (text_number(slice_of(s->text), 0, o->max, &ms) == -1) {
		draft_refuse(d, s, "\"%.60s\" is no number of milliseconds from 0 to %llu", s->text, (unsigned long long)o->max);
		return;
	}
	for (size_t i = 0; i < b->stop_count; i++)
		b->stop[i].wait_ms += ms;
}

void
value_exit_close(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct backend_options *b = &((struct route *)object)->backend;
	uint64_t code;
	if (text_number(slice_of(s->text), 1000, 4999, &code) == -1 || !ws_close_code_is_valid((uint16_t)code))
		draft_refuse(
			d, s, "\"%.60s\" is no close code that may be sent (RFC 6455 7.4): 1000, 1011, 4000 to 4999, ...", s->text);
	else
		b->exit_close = (uint16_t)code;
}
