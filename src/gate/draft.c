/*
 * Each value is looked at when it is added, by reading it into a struct that nobody uses. Then the
 * draft is judged as a whole, and only one without a fault becomes a snapshot. The nearest place that
 * says something about an option wins: the command line, then the route, then [defaults], then the
 * table's own default.
 */
#include "gate/draft.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate/config.h"
#include "gate/preload.h"
#include "proto/http.h"

enum { FAULTS_KEPT = 100 };

static const char *
current_directory(struct arena *a)
{
	char *path = getcwd(NULL, 0);
	const char *copy = arena_dup(a, slice_of(path == NULL ? "/" : path));
	free(path);
	return copy;
}

static const char *
directory_of(struct draft *d, const char *file)
{
	const char *slash = strrchr(file, '/');
	if (slash == NULL)
		return d->working_directory;
	struct slice directory = { file, slash == file ? 1 : (size_t)(slash - file) };
	if (file[0] == '/')
		return arena_dup(d->own, directory);
	return arena_printf(d->own, "%s/%.*s", d->working_directory, SLICE_ARG(directory));
}

void
draft_init(struct draft *d, const char *file, bool check_files)
{
	*d = (struct draft){ .check_files = check_files };
	d->own = d->arena = arena_new();
	d->sections_end = &d->sections;
	d->command.end = &d->command.first;
	d->working_directory = current_directory(d->own);
	d->file_directory = d->working_directory;
	if (file == NULL)
		return;
	d->file = arena_dup(d->own, slice_of(file));
	d->file_directory = directory_of(d, d->file);
}

void
draft_clear(struct draft *d)
{
	arena_free(d->own);
	*d = (struct draft){ .own = NULL };
}

const char *
draft_directory(const struct draft *d, const struct place *place)
{
	return place->line == 0 ? d->working_directory : d->file_directory;
}

/* Of a command line the first fault is told, of a file all, up to a ceiling. */
static bool
is_kept(struct draft *d, const struct place *place)
{
	if (place->line != 0)
		return ++d->fault_count <= FAULTS_KEPT;
	if (d->command_failed)
		return false;
	d->command_failed = true;
	return ++d->fault_count <= FAULTS_KEPT;
}

__attribute__((format(printf, 4, 0))) static void
keep(struct draft *d, const struct place *place, const char *name, const char *format, va_list args)
{
	if (!is_kept(d, place))
		return;
	const char *text = arena_vprintf(d->own, format, args);
	if (name != NULL)
		text = arena_printf(d->own, "%s: %s", name, text);
	d->faults = arena_grow(d->own, d->faults, d->fault_count - 1, sizeof(*d->faults));
	d->faults[d->fault_count - 1] = (struct fault){ place->line, text };
}

void
draft_fault(struct draft *d, const struct place *place, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	keep(d, place, NULL, format, args);
	va_end(args);
}

void
draft_refuse(struct draft *d, const struct setting *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	keep(d, &s->place, s->place.line != 0 ? s->option->name : s->place.option, format, args);
	va_end(args);
}

void
draft_warn(struct draft *d, const struct setting *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const char *text = arena_vprintf(d->own, format, args);
	va_end(args);
	text = arena_printf(d->own, "warning: %s: %s", s->place.line != 0 ? s->option->name : s->place.option, text);
	d->warnings = arena_grow(d->own, d->warnings, d->warning_count, sizeof(*d->warnings));
	d->warnings[d->warning_count++] = (struct fault){ s->place.line, text };
}

static int
by_line(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return 0;
}

static void
write_faults(const struct draft *d, struct fault *faults, size_t count, struct buf *out)
{
	if (count == 0)
		return;
	/* glibc's merges, and so keeps the order within a line. */
	qsort(faults, count, sizeof(*faults), by_line);
	for (size_t i = 0; i < count; i++) {
		if (faults[i].line != 0)
			buf_printf(out, "%s:%u: %s\n", d->file, faults[i].line, faults[i].text);
		else
			buf_printf(out, "wsgate: %s\n", faults[i].text);
	}
}

void
draft_write_faults(struct draft *d, struct buf *out)
{
	size_t kept = d->fault_count < FAULTS_KEPT ? d->fault_count : FAULTS_KEPT;
	write_faults(d, d->faults, kept, out);
	if (d->fault_count > kept)
		buf_printf(out, "wsgate: and %zu more\n", d->fault_count - kept);
	write_faults(d, d->warnings, d->warning_count, out);
}

struct section *
draft_add_section(struct draft *d, enum option_scope scope, const char *path, unsigned line)
{
	struct section *section = arena_alloc(d->own, sizeof(*section));
	*section = (struct section){ .scope = scope, .path = path, .line = line };
	section->end = &section->first;
	*d->sections_end = section;
	d->sections_end = &section->next;
	return section;
}

struct section *
draft_find_section(const struct draft *d, enum option_scope scope, const char *path)
{
	for (struct section *s = d->sections; s != NULL; s = s->next)
		if (s->scope == scope && (s->path == NULL) == (path == NULL) && (path == NULL || strcmp(s->path, path) == 0))
			return s;
	return NULL;
}

void
draft_read(struct draft *d, const struct setting *s, void *object)
{
	s->option->read(d, s->option, s, object);
}

static void
check(struct draft *d, const struct setting *s)
{
	struct config config = { .listen = NULL };
	struct route route = { .path = NULL };
	draft_read(d, s, s->option->scope == OPTION_ROUTE ? (void *)&route : (void *)&config);
}

static struct setting *
append(struct draft *d, struct section *section, const struct setting *s)
{
	struct setting *copy = arena_alloc(d->own, sizeof(*copy));
	*copy = *s;
	*section->end = copy;
	section->end = &copy->next;
	check(d, copy);
	return copy;
}

struct setting *
draft_add(struct draft *d, struct section *section, const struct option *o, struct slice text, struct place place)
{
	struct setting s = { .option = o, .text = arena_dup(d->own, text), .place = place };
	return append(d, section, &s);
}

void
draft_add_program(struct draft *d, const char *const *words)
{
	struct setting s = { .option = options_find_key(OPTION_ROUTE, slice_of("exec")), .text = words[0], .words = words };
	append(d, &d->command, &s);
}

const struct setting *
draft_find(const struct section *section, const struct option *o)
{
	const struct setting *found = NULL;
	for (const struct setting *s = section->first; s != NULL; s = s->next)
		if (s->option == o)
			found = s;
	return found;
}

/* --- the draft as a whole --------------------------------------------------------------------------- */

/* Of two that were given by the same option of the command line, the last counts. */
static bool
is_other_backend(const struct setting *a, const struct setting *b)
{
	return a->option != b->option || (a->words == NULL) != (b->words == NULL);
}

/* The first; or, if one is given, the first that is another. */
static const struct setting *
find_backend(const struct section *section, const struct setting *than)
{
	for (const struct setting *s = section->first; s != NULL; s = s->next)
		if ((s->option->flags & OPTION_BACKEND) != 0 && (than == NULL || is_other_backend(s, than)))
			return s;
	return NULL;
}

static const char *
name_of(const struct setting *s)
{
	return s->place.line != 0 ? s->option->name : s->place.option != NULL ? s->place.option : "PROGRAM";
}

static void
judge_backends(struct draft *d, const struct section *section)
{
	const struct setting *first = find_backend(section, NULL);
	const struct setting *second = first == NULL ? NULL : find_backend(section, first);
	if (second == NULL)
		return;
	if (second->place.line != 0)
		draft_fault(d, &second->place, "%s: the route has %s already, on line %u, and it can have but one", name_of(second),
			name_of(first), first->place.line);
	else
		draft_fault(d, &second->place,
			"%s and %s: a route leads to one of them; give the other up, or write a file with two routes",
			name_of(first), name_of(second));
}

/* What a route is, by its settings: OPTION_FOR_... flags. */
static unsigned
kinds_of(const struct section *section)
{
	unsigned kinds = 0;
	const struct setting *backend = find_backend(section, NULL);
	if (backend != NULL) {
		const char *name = backend->option->name;
		bool is_socket = strcmp(name, "tcp") == 0 || strcmp(name, "unix") == 0;
		kinds |= OPTION_FOR_MESSAGES | (is_socket ? OPTION_FOR_SOCKET : OPTION_FOR_PROGRAM);
	}
	if (draft_find(section, options_find_key(OPTION_ROUTE, slice_of("cgi"))) != NULL)
		kinds |= OPTION_FOR_PROGRAM | OPTION_FOR_CGI;
	if (draft_find(section, options_find_key(OPTION_ROUTE, slice_of("static"))) != NULL)
		kinds |= OPTION_FOR_PAGES;
	return kinds;
}

static const char *
what_it_lacks(unsigned needed)
{
	if (needed & OPTION_FOR_MESSAGES)
		return "the route has no backend (exec, shell, dir, tcp, unix)";
	if (needed & OPTION_FOR_PROGRAM)
		return "the route starts no program (exec, shell, dir, cgi)";
	if (needed & OPTION_FOR_CGI)
		return "no program of the route answers ordinary requests (cgi)";
	return needed & OPTION_FOR_SOCKET ? "the route leads to no service (tcp, unix)" : "the route has no pages (static)";
}

static void
judge_route(struct draft *d, const struct section *section)
{
	unsigned any = OPTION_FOR_MESSAGES | OPTION_FOR_PROGRAM | OPTION_FOR_SOCKET | OPTION_FOR_PAGES | OPTION_FOR_CGI;
	unsigned kinds = kinds_of(section) | (strcmp(section->path, "/") == 0 ? kinds_of(&d->command) : 0);
	struct place place = { .line = section->line };
	if (kinds == 0)
		draft_fault(d, &place, "[%s] leads nowhere: give it exec, shell, dir, tcp, unix, static or cgi", section->path);
	for (const struct setting *s = section->first; s != NULL && kinds != 0; s = s->next) {
		unsigned needed = s->option->flags & any;
		if (needed != 0 && (needed & kinds) == 0)
			draft_fault(d, &s->place, "%s would have no effect: %s", s->option->name, what_it_lacks(needed));
	}
	judge_backends(d, section);
}

static bool
is_route(const struct section *section)
{
	return section->scope == OPTION_ROUTE && section->path != NULL && !section->is_void;
}

/* Does the command line itself lead somewhere? Then it is, or lies over, the route "/". */
static bool
command_is_route(const struct draft *d)
{
	for (const struct setting *s = d->command.first; s != NULL; s = s->next)
		if ((s->option->flags & OPTION_OF_ONE_ROUTE) != 0)
			return true;
	return false;
}

/* What one option says twice, it says as it said last; but two that say one thing differently are a mistake. */
static void
judge_command(struct draft *d)
{
	unsigned many = OPTION_REPEATS | OPTION_ADDS | OPTION_BACKEND;
	for (const struct setting *s = d->command.first; s != NULL; s = s->next) {
		const struct setting *last = draft_find(&d->command, s->option);
		assert(last != NULL); /* it is S itself, at the least */
		if ((s->option->flags & many) != 0 || strcmp(name_of(s), name_of(last)) == 0 || strcmp(s->text, last->text) == 0)
			continue;
		draft_fault(d, &last->place, "%s and %s: %s cannot be %.60s and %.60s; leave one of them out", name_of(s),
			name_of(last), s->option->name, s->text, last->text);
	}
}

static void
judge(struct draft *d)
{
	size_t routes = 0;
	judge_command(d);
	for (const struct section *s = d->sections; s != NULL; s = s->next)
		if (is_route(s)) {
			judge_route(d, s);
			routes++;
		}
	if (command_is_route(d)) {
		judge_backends(d, &d->command);
		if (draft_find_section(d, OPTION_ROUTE, "/") == NULL)
			draft_add_section(d, OPTION_ROUTE, "/", 0);
	} else if (routes == 0 && d->file == NULL) {
		draft_fault(d, &(struct place){ .line = 0 },
			"nothing to serve: try `wsgate --port=8080 PROGRAM`, --tcp=HOST:PORT or --config=FILE; --help tells more");
	} else if (routes == 0 && d->fault_count == 0) {
		draft_fault(d, &(struct place){ .line = 1 }, "there is no route: add a section such as [/] with exec = PROGRAM");
	}
}

/* --- the snapshot ----------------------------------------------------------------------------------- */

/* Where an option's value may stand, farthest first. */
struct reach {
	const struct section *places[3];
	size_t count;
};

/* "env = A=1" is named A, "header = X: 1" is named X; case matters in the first only. */
static bool
has_same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, ":=");
	if (len != strcspn(b, ":="))
		return false;
	return a[len] == ':' ? strncasecmp(a, b, len) == 0 : strncmp(a, b, len) == 0;
}

static bool
is_named_nearer(const struct reach *reach, size_t place, const struct setting *s)
{
	for (size_t i = place + 1; i < reach->count; i++)
		for (const struct setting *t = reach->places[i]->first; t != NULL; t = t->next)
			if (t->option == s->option && has_same_name(s->text, t->text))
				return true;
	return false;
}

static void
build_sum(struct draft *d, const struct option *o, const struct reach *reach, void *object)
{
	for (size_t i = 0; i < reach->count; i++)
		for (const struct setting *s = reach->places[i]->first; s != NULL; s = s->next)
			if (s->option == o && !is_named_nearer(reach, i, s))
				draft_read(d, s, object);
}

static bool
build_from_place(struct draft *d, const struct option *o, const struct section *place, void *object)
{
	const struct setting *last = draft_find(place, o);
	if (last == NULL)
		return false;
	for (const struct setting *s = place->first; s != NULL; s = s->next)
		if (s == last || (s->option == o && (o->flags & OPTION_REPEATS) != 0))
			draft_read(d, s, object);
	return true;
}

static void
build_option(struct draft *d, const struct option *o, const struct reach *reach, void *object)
{
	struct setting standard = { .option = o, .text = o->standard };
	if ((o->flags & OPTION_ADDS) != 0) {
		if (o->standard != NULL)
			draft_read(d, &standard, object);
		build_sum(d, o, reach, object);
		return;
	}
	for (size_t i = reach->count; i > 0; i--)
		if (build_from_place(d, o, reach->places[i - 1], object))
			return;
	if (o->standard != NULL)
		draft_read(d, &standard, object);
}

static void
build_scope(struct draft *d, enum option_scope scope, const char *path, const struct section *section, void *object)
{
	const struct section *defaults = path == NULL ? NULL : draft_find_section(d, OPTION_ROUTE, NULL);
	bool is_root = path != NULL && strcmp(path, "/") == 0;
	bool has_own_backend = is_root && find_backend(&d->command, NULL) != NULL;
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &options[i];
		struct reach reach = { .count = 0 };
		if (o->scope != scope)
			continue;
		if (defaults != NULL)
			reach.places[reach.count++] = defaults;
		if (section != NULL && !(has_own_backend && (o->flags & OPTION_BACKEND) != 0))
			reach.places[reach.count++] = section;
		if (path == NULL || is_root || (o->flags & OPTION_OF_ONE_ROUTE) == 0)
			reach.places[reach.count++] = &d->command;
		build_option(d, o, &reach, object);
	}
}

/* Where the route has a key, or where it begins. */
static struct place
place_of(const struct section *section, const char *key)
{
	const struct setting *s = draft_find(section, options_find_key(OPTION_ROUTE, slice_of(key)));
	return (struct place){ .line = s != NULL ? s->place.line : section->line };
}

static void
build_framing(struct draft *d, const struct section *section, struct route *r)
{
	if (r->backend.framing == NULL)
		r->backend.framing = r->is_program ? &framing_lines : &framing_raw;
	r->backend.framing_options.max_length = r->max_message;
	if (!r->has_backend || !r->backend.framing->collects || r->max_message != 0)
		return;
	struct place place = place_of(section, "max_message");
	draft_fault(d, &place,
		"framing = %s must hold a client's message whole: max_message = 0 would let it grow without end; set a size",
		r->backend.framing->name);
}

static void
build_stderr(struct draft *d, const struct section *section, struct route *r)
{
	enum stderr_policy *policy = &r->backend.stderr_policy;
	bool is_tagged = r->backend.framing == &framing_tagged;
	if (*policy == STDERR_BY_FRAMING)
		*policy = is_tagged ? STDERR_CLIENT : STDERR_LOG;
	if (*policy != STDERR_CLIENT || is_tagged || !r->is_program)
		return;
	struct place place = place_of(section, "stderr");
	draft_fault(d, &place,
		"stderr = client needs framing = tagged, whose messages tell the program's two outputs apart: set that, or "
		"stderr = merge");
}

/* Where a message is no line, only the operator knows what is to leave at a line's end. */
static void
build_buffering(const struct draft *d, struct backend_options *opt)
{
	if (opt->buffering == BUFFERING_BY_FRAMING)
		opt->buffering = opt->framing->by_lines ? BUFFERING_LINE : BUFFERING_NONE;
	if (opt->buffering == BUFFERING_LINE && d->check_files)
		opt->line_library = preload_library(opt->has_user || opt->has_group);
}

/* The program's options are the same, whatever the backend of messages is. */
static struct backend_options
cgi_options(const struct route *r)
{
	struct backend_options cgi = r->backend;
	cgi.ops = &backend_process;
	cgi.argv = NULL;
	cgi.buffering = r->backend.buffering == BUFFERING_PTY ? BUFFERING_NONE : r->backend.buffering;
	cgi.stderr_policy = r->backend.stderr_policy == STDERR_CLIENT ? STDERR_LOG : r->backend.stderr_policy;
	cgi.framing = &framing_raw;
	cgi.framing_options = (struct framing_options){ .type = MESSAGE_TYPE_BINARY };
	return cgi;
}

static void
judge_server(struct draft *d, const struct section *section, const struct route *r)
{
	struct slice name = slice_of("Server");
	struct place place = place_of(section, "header");
	if (http_lines_name(r->header, name) && (http_lines_name(r->header_ws, name) || http_lines_name(r->header_http, name)))
		draft_fault(
			d, &place, "Server is in header, and in header_ws or header_http, too: a response has one; leave one out");
}

static void
build_route(struct draft *d, const struct section *section, struct route *r)
{
	r->path = arena_dup(d->arena, slice_of(section->path));
	r->use = arena_alloc(d->arena, sizeof(*r->use));
	build_scope(d, OPTION_ROUTE, section->path, section, r);
	r->backend.route = r->path;
	build_framing(d, section, r);
	build_stderr(d, section, r);
	r->cgi = cgi_options(r);
	build_buffering(d, &r->backend);
	build_buffering(d, &r->cgi);
	judge_server(d, section, r);
	if (!r->has_backend || !r->upgrade.subprotocols_required || r->upgrade.subprotocols != SUBPROTOCOL_NONE)
		return;
	struct place place = place_of(section, "subprotocols_required");
	draft_fault(d, &place, "subprotocols_required with subprotocols = none lets nobody in to [%s]", section->path);
}

/* Longest first, so that the first that matches is the one. */
static int
by_path(const void *a, const void *b)
{
	const struct route *x = a, *y = b;
	size_t x_len = strlen(x->path), y_len = strlen(y->path);
	if (x_len != y_len)
		return x_len > y_len ? -1 : 1;
	return strcmp(x->path, y->path);
}

static struct config *
build(struct draft *d)
{
	struct arena *arena = arena_new();
	struct config *c = arena_alloc(arena, sizeof(*c));
	d->arena = arena;
	atomic_init(&c->references, 1);
	c->memory = arena;
	build_scope(d, OPTION_SERVER, NULL, draft_find_section(d, OPTION_SERVER, NULL), c);
	build_scope(d, OPTION_TLS, NULL, draft_find_section(d, OPTION_TLS, NULL), c);
	build_scope(d, OPTION_LOG, NULL, draft_find_section(d, OPTION_LOG, NULL), c);
	for (const struct section *s = d->sections; s != NULL; s = s->next) {
		if (!is_route(s))
			continue;
		c->routes = arena_grow(arena, c->routes, c->route_count, sizeof(*c->routes));
		c->routes[c->route_count] = (struct route){ .path = NULL };
		build_route(d, s, &c->routes[c->route_count++]);
	}
	qsort(c->routes, c->route_count, sizeof(*c->routes), by_path);
	draft_build_tls(d, c);
	d->arena = d->own;
	return c;
}

struct config *
draft_finish(struct draft *d)
{
	judge(d);
	draft_judge_tls(d);
	if (d->fault_count > 0)
		return NULL;
	struct config *c = build(d);
	if (d->fault_count == 0)
		return c;
	config_release(c);
	return NULL;
}
