/*
 * The INI file goes through inih, which as Debian builds it cuts lines at 199 bytes and names at 49,
 * and drops what follows " ;" in a value. So it never sees a value, nor a section's name: '@' stands
 * in their place. It reports each line before it asks for the next, so that they are those of the line
 * in hand. A line that it did not report, it did not understand: nothing passes silently.
 */
#include "gate/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "gate/command.h"
#include "gate/draft.h"
#include "gate/help.h"
#include "proto/http.h"

enum {
	LINE_BYTES_MAX = 64 * 1024,
	FILE_BYTES_MAX = 16 * 1024 * 1024,
	NAME_BYTES_MAX = 40, /* no key is so long; inih takes 49 */
};

/* --- the INI file ----------------------------------------------------------------------------------- */

struct feed {
	struct draft *d;
	struct slice rest;  /* of the text */
	struct place place; /* of the line in hand */
	struct slice name, value;
	bool is_indented;
	bool is_open;            /* handed to inih, and not yet reported by it */
	struct section *section; /* the one that the line stands in */
};

/* Takes the next line off the text, without its end; CR LF ends a line, too. */
static struct slice
take_line(struct slice *text)
{
	const char *end = memchr(text->data, '\n', text->len);
	struct slice line = { text->data, end == NULL ? text->len : (size_t)(end - text->data) };
	size_t eaten = line.len + (end == NULL ? 0 : 1);
	*text = (struct slice){ text->data + eaten, text->len - eaten };
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool
is_clean(struct feed *f, struct slice line)
{
	if (line.len > LINE_BYTES_MAX) {
		draft_fault(f->d, &f->place, "the line is longer than %d bytes", LINE_BYTES_MAX);
		return false;
	}
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];
		if ((c < ' ' && c != '\t') || c == 0x7f) {
			draft_fault(f->d, &f->place, "a control byte (0x%02x) in the line: is this a text file?", c);
			return false;
		}
	}
	return true;
}

/* A comment begins at a semicolon behind white space. */
static struct slice
without_comment(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == ';' && (i == 0 || text.data[i - 1] == ' ' || text.data[i - 1] == '\t'))
			return slice_trim((struct slice){ text.data, i });
	return text;
}

/* What a request's path is compared to: decoded, without dot segments and without a slash at its end. */
static const char *
route_path(struct feed *f, struct slice name)
{
	char *path = arena_alloc(f->d->own, name.len + 1);
	long len = memmem(name.data, name.len, "//", 2) != NULL || memchr(name.data, '?', name.len) != NULL
			   ? -1
			   : http_decode_path(name, path);
	if (len == -1) {
		draft_fault(f->d, &f->place, "[%.*s] is no path of a route: write it as in a URL, without a query, such as [/chat]",
			SLICE_ARG(name));
		return NULL;
	}
	if (len > 1 && path[len - 1] == '/')
		len--;
	path[len] = '\0';
	return path;
}

static struct section *
begin_known_section(struct feed *f, enum option_scope scope, const char *path, struct slice name)
{
	const struct section *first = draft_find_section(f->d, scope, path);
	struct section *section = draft_add_section(f->d, scope, path, f->place.line);
	section->is_void = first != NULL;
	if (first != NULL)
		draft_fault(f->d, &f->place, "[%.*s] again: it is there already, on line %u; put the two together", SLICE_ARG(name),
			first->line);
	return section;
}

static void
refuse_section(struct feed *f, struct slice name)
{
	static const char *const names[] = { "server", "tls", "log", "defaults" };
	const char *nearest = text_nearest(name, names, sizeof(names) / sizeof(names[0]));
	if (nearest != NULL)
		draft_fault(f->d, &f->place, "there is no section [%.*s]: did you mean [%s]?", SLICE_ARG(name), nearest);
	else
		draft_fault(f->d, &f->place,
			"there is no section [%.*s]: there are [server], [tls], [log], [defaults] and routes, which begin with a /",
			SLICE_ARG(name));
}

static struct section *
begin_unknown_section(struct feed *f)
{
	struct section *section = draft_add_section(f->d, OPTION_COMMAND, NULL, f->place.line);
	section->is_void = section->is_unknown = true;
	return section;
}

static struct section *
begin_section(struct feed *f, struct slice name)
{
	if (slice_equals(name, "server"))
		return begin_known_section(f, OPTION_SERVER, NULL, name);
	if (slice_equals(name, "tls"))
		return begin_known_section(f, OPTION_TLS, NULL, name);
	if (slice_equals(name, "log"))
		return begin_known_section(f, OPTION_LOG, NULL, name);
	if (slice_equals(name, "defaults"))
		return begin_known_section(f, OPTION_ROUTE, NULL, name);
	if (slice_starts(name, "/")) {
		const char *path = route_path(f, name);
		return path == NULL ? begin_unknown_section(f) : begin_known_section(f, OPTION_ROUTE, path, name);
	}
	refuse_section(f, name);
	return begin_unknown_section(f);
}

static struct section *
take_header(struct feed *f, struct slice line)
{
	const char *end = memchr(line.data, ']', line.len);
	if (end == NULL) {
		draft_fault(f->d, &f->place, "a section's name ends with ]: [/path]");
		return begin_unknown_section(f);
	}
	struct slice name = { line.data + 1, (size_t)(end - line.data) - 1 };
	struct slice behind = slice_trim((struct slice){ end + 1, line.len - name.len - 2 });
	if (behind.len > 0 && behind.data[0] != ';' && behind.data[0] != '#')
		draft_fault(f->d, &f->place, "\"%.*s\" behind the section's name: put it on a line of its own",
			(int)(behind.len > 60 ? 60 : behind.len), behind.data);
	return begin_section(f, slice_trim(name));
}

static void
offer_setting(struct feed *f, struct slice line, char *out, size_t size)
{
	size_t name_len = 0;
	while (name_len < line.len && line.data[name_len] != '=' && line.data[name_len] != ':')
		name_len++;
	f->is_open = true;
	f->value = (struct slice){ line.data + line.len, 0 };
	f->name = slice_trim((struct slice){ line.data, name_len });
	snprintf(out, size, "?\n"); /* inih will not take it for anything */
	if (name_len == line.len)
		return;
	f->value = slice_trim((struct slice){ line.data + name_len + 1, line.len - name_len - 1 });
	/* A name that is cut here is none that we know. */
	snprintf(out, size, "%.*s=@\n", (int)(f->name.len < NAME_BYTES_MAX ? f->name.len : NAME_BYTES_MAX), f->name.data);
}

/* What inih is to see of the line: nothing, "[@]", "name=@", or " @" if it is indented. */
static void
offer_line(struct feed *f, struct slice line, char *out, size_t size)
{
	bool is_good = is_clean(f, line);
	struct slice text = slice_trim(line);
	f->is_indented = text.len > 0 && text.data != line.data;
	snprintf(out, size, "\n");
	if (text.len == 0 || text.data[0] == ';' || text.data[0] == '#')
		return;
	if (text.data[0] == '[' && !f->is_indented) {
		f->section = is_good ? take_header(f, text) : begin_unknown_section(f);
		snprintf(out, size, "[@]\n");
	} else if (is_good && f->is_indented) {
		f->is_open = true;
		f->name = f->value = text;
		snprintf(out, size, " @\n");
	} else if (is_good) {
		offer_setting(f, text, out, size);
	}
}

/* The line in hand was handed to inih, and it made nothing of it. */
static void
close_line(struct feed *f)
{
	if (f->is_open && f->is_indented)
		draft_fault(f->d, &f->place,
			"the line is indented, but there is no value above that it could go on with: begin it at the margin");
	else if (f->is_open)
		draft_fault(f->d, &f->place, "this is neither [section] nor key = value; a comment begins with # or ;");
	f->is_open = false;
}

static char *
on_read(char *out, int size, void *user)
{
	struct feed *f = user;
	close_line(f);
	if (f->rest.len == 0)
		return NULL;
	f->place.line++;
	offer_line(f, take_line(&f->rest), out, (size_t)size);
	return out;
}

static void
refuse_key(struct feed *f)
{
	static const enum option_scope scopes[] = { OPTION_SERVER, OPTION_TLS, OPTION_LOG, OPTION_ROUTE };
	struct slice shown = { f->name.data, f->name.len < 60 ? f->name.len : 60 };
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++)
		if (options_find_key(scopes[i], f->name) != NULL) {
			draft_fault(f->d, &f->place, "%.*s belongs in %s", SLICE_ARG(shown), options_scope_name(scopes[i]));
			return;
		}
	const char *nearest = options_nearest_key(f->section->scope, f->name);
	if (f->name.len == 0)
		draft_fault(f->d, &f->place, "a key is missing in front of the =");
	else if (nearest != NULL)
		draft_fault(f->d, &f->place, "unknown key %.*s: did you mean %s?", SLICE_ARG(shown), nearest);
	else
		draft_fault(f->d, &f->place, "unknown key %.*s: wsgate --help=ini shows all", SLICE_ARG(shown));
}

static bool
may_be_set(struct feed *f, const struct option *o)
{
	const struct setting *before = draft_find(f->section, o);
	bool repeats = (o->flags & OPTION_REPEATS) != 0;
	if (f->is_indented && !repeats)
		draft_fault(f->d, &f->place,
			"the line is indented, which would go on with %s, but that has one line: begin at the margin", o->name);
	else if (before != NULL && !repeats)
		draft_fault(f->d, &f->place, "%s again: it is set already, on line %u", o->name, before->place.line);
	else if ((o->flags & OPTION_OF_ONE_ROUTE) != 0 && f->section->path == NULL)
		draft_fault(f->d, &f->place, "%s is not for all routes: put it into a route, such as [/]", o->name);
	else
		return true;
	return false;
}

static void
take_setting(struct feed *f, const struct option *o)
{
	struct slice value = (o->flags & OPTION_VERBATIM) != 0 ? f->value : without_comment(f->value);
	if (!may_be_set(f, o))
		return;
	if (value.len == 0 && (o->flags & OPTION_MAY_BE_EMPTY) == 0)
		draft_fault(f->d, &f->place, "%s: a value is missing", o->name);
	else
		draft_add(f->d, f->section, o, value, f->place);
}

/* inih's report of the line in hand. VALUE is '@'; NULL comes from an inih that takes names without one. */
static int
on_setting(void *user, const char *section, const char *name, const char *value)
{
	struct feed *f = user;
	(void)section;
	if (value == NULL)
		return 1;
	f->is_open = false;
	if (f->section == NULL) {
		draft_fault(f->d, &f->place, "there is no section yet: put [server] or a route such as [/] above");
		f->section = begin_unknown_section(f);
	}
	if (f->section->is_unknown)
		return 1;
	const struct option *o = options_find_key(f->section->scope, slice_of(name));
	if (o == NULL)
		refuse_key(f);
	else
		take_setting(f, o);
	return 1;
}

static void
read_ini(struct draft *d, struct slice text)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as some editors put it */
	struct feed f = { .d = d, .rest = text };
	if (slice_starts(text, mark))
		f.rest = (struct slice){ text.data + 3, text.len - 3 };
	ini_parse_stream(on_read, &f, on_setting, &f);
	close_line(&f);
}

/* --- doors ------------------------------------------------------------------------------------------ */

struct config *
config_from_text(const char *name, const char *text, size_t len, bool check_files, struct buf *faults)
{
	struct draft d;
	draft_init(&d, name, check_files);
	read_ini(&d, (struct slice){ text, len });
	struct config *c = draft_finish(&d);
	draft_write_faults(&d, faults);
	draft_clear(&d);
	return c;
}

/* -1 with errno. */
static int
read_file(const char *name, struct buf *out)
{
	FILE *file = fopen(name, "re");
	if (file == NULL)
		return -1;
	unsigned char *room;
	size_t got = 1;
	errno = 0;
	while (got > 0 && buf_len(out) <= FILE_BYTES_MAX && (room = buf_reserve(out, 65536)) != NULL) {
		got = fread(room, 1, 65536, file);
		buf_commit(out, got);
	}
	int error = ferror(file) ? errno : got > 0 ? EFBIG : 0;
	fclose(file);
	errno = error;
	return error == 0 ? 0 : -1;
}

static void
say_faults(struct draft *d)
{
	struct buf text = { 0 };
	draft_write_faults(d, &text);
	struct span lines = buf_span(&text);
	if (lines.data != NULL)
		fwrite(lines.data, 1, lines.len, stderr);
	buf_clear(&text);
}

/* True with the command line read, and nothing else to do. */
static bool
has_answered(const struct command *command, int *exit_code)
{
	if (command->shows_version)
		help_version(stdout);
	else if (command->topic == NULL)
		return false;
	else if (!help_show(command->topic)) {
		fprintf(stderr, "wsgate: --help=%s: there is --help, --help=all, --help=ini, --help=man1 and --help=man5\n",
			command->topic);
		*exit_code = EX_USAGE;
	}
	return true;
}

static void
say_good(const struct draft *d, const struct config *c)
{
	printf("%s: good; %zu route%s, %zu address%s\n", d->file == NULL ? "wsgate" : d->file, c->route_count,
		c->route_count == 1 ? "" : "s", c->listen_count, c->listen_count == 1 ? "" : "es");
}

/* The draft of the command line is made anew with the file's name, which relative paths need. */
static enum config_action
run(struct draft *d, int argc, char **argv, const struct command *command, struct config **out, int *exit_code)
{
	struct buf text = { 0 };
	struct command again;
	if (command->file != NULL && read_file(command->file, &text) == -1) {
		fprintf(stderr, "wsgate: --config=%s: %s\n", command->file, strerror(errno));
		buf_clear(&text);
		*exit_code = EX_NOINPUT;
		return CONFIG_FAILED;
	}
	draft_clear(d);
	draft_init(d, command->file, true);
	command_read(d, argc, argv, &again);
	if (command->file != NULL)
		read_ini(d, (struct slice){ (const char *)buf_span(&text).data, buf_len(&text) });
	*out = draft_finish(d);
	buf_clear(&text);
	say_faults(d);
	if (*out == NULL) {
		*exit_code = d->command_failed ? EX_USAGE : EX_CONFIG;
		return CONFIG_FAILED;
	}
	if (!command->checks)
		return CONFIG_RUN;
	say_good(d, *out);
	return CONFIG_CHECK;
}

enum config_action
config_from_command_line(int argc, char **argv, struct config **out, int *exit_code)
{
	struct draft d;
	struct command command;
	enum config_action action = CONFIG_FAILED;
	*exit_code = EXIT_SUCCESS;
	draft_init(&d, NULL, true);
	command_read(&d, argc, argv, &command);
	if (d.fault_count > 0) {
		say_faults(&d);
		*exit_code = EX_USAGE;
	} else if (has_answered(&command, exit_code)) {
		action = *exit_code == EXIT_SUCCESS ? CONFIG_DONE : CONFIG_FAILED;
	} else {
		action = run(&d, argc, argv, &command, out, exit_code);
	}
	draft_clear(&d);
	return action;
}

struct config *
config_hold(struct config *c)
{
	atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
	return c;
}

void
config_release(struct config *c)
{
	if (c == NULL || atomic_fetch_sub(&c->references, 1) != 1)
		return;
	tls_context_release(c->tls);
	arena_free(c->memory);
}

static bool
path_is_under(struct slice path, const char *route)
{
	size_t len = strlen(route);
	if (len == 1)
		return path.len > 0 && path.data[0] == '/';
	return slice_starts(path, route) && (path.len == len || path.data[len] == '/');
}

const struct route *
config_route(const struct config *c, struct slice path, struct slice *rest)
{
	for (size_t i = 0; i < c->route_count; i++) {
		const struct route *r = &c->routes[i];
		if (!path_is_under(path, r->path))
			continue;
		size_t len = strlen(r->path) == 1 ? 0 : strlen(r->path);
		*rest = (struct slice){ path.data + len, path.len - len };
		return r;
	}
	return NULL;
}
