/*
 * Strict both ways: what is nearly right is refused with the way to write it, and what is taken can
 * do no harm later (a header field cannot break a response apart, an origin can match a browser's).
 */
#include "gate/value.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gate/config.h"
#include "proto/http.h"

enum { WORKERS_MAX = 256 };

static void *
field_of(void *object, const struct option *o)
{
	return (char *)object + o->at;
}

static struct slice
after(struct slice text, size_t len)
{
	return (struct slice){ text.data + len, text.len - len };
}

bool
value_next_item(struct slice *list, struct slice *item)
{
	while (list->len > 0 && memchr(", \t", list->data[0], 3) != NULL)
		*list = after(*list, 1);
	size_t len = 0;
	while (len < list->len && memchr(", \t", list->data[len], 3) == NULL)
		len++;
	*item = (struct slice){ list->data, len };
	*list = after(*list, len);
	return len > 0;
}

/* --- numbers and words ---------------------------------------------------------------------------- */

/* MIN and MAX are written as the value is. */
static bool
is_within(struct draft *d, const struct option *o, const struct setting *s, uint64_t value,
	const char *(*format)(uint64_t value, char out[static 24]))
{
	char limit[24];
	if (value < o->min)
		draft_refuse(d, s, "%.60s is too little: at least %s", s->text, format(o->min, limit));
	if (value > o->max)
		draft_refuse(d, s, "%.60s is too much: at most %s", s->text, format(o->max, limit));
	return value >= o->min && value <= o->max;
}

void
value_duration(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	uint64_t ms;
	if (text_duration(slice_of(s->text), &ms) == -1)
		draft_refuse(d, s, "\"%.60s\" is no duration: write 500ms, 30s, 5m or 1h", s->text);
	else if (is_within(d, o, s, ms, text_format_duration))
		*(uint64_t *)field_of(object, o) = ms;
}

static bool
read_size(struct draft *d, const struct option *o, const struct setting *s, uint64_t *bytes)
{
	if (text_size(slice_of(s->text), bytes) == 0)
		return is_within(d, o, s, *bytes, text_format_size);
	draft_refuse(d, s, "\"%.60s\" is no size: write 65536, 64k, 16m or 1g", s->text);
	return false;
}

void
value_size(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	uint64_t bytes;
	if (read_size(d, o, s, &bytes))
		*(uint64_t *)field_of(object, o) = bytes;
}

void
value_buffer(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	uint64_t bytes;
	if (read_size(d, o, s, &bytes))
		*(size_t *)field_of(object, o) = (size_t)bytes;
}

void
value_count(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	uint64_t count;
	if (text_number(slice_of(s->text), o->min, o->max, &count) == 0)
		*(unsigned *)field_of(object, o) = (unsigned)count;
	else
		draft_refuse(d, s, "\"%.60s\" is no number from %llu to %llu", s->text, (unsigned long long)o->min,
			(unsigned long long)o->max);
}

void
value_switch(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	if (text_bool(slice_of(s->text), field_of(object, o)) == -1)
		draft_refuse(d, s, "\"%.60s\" is neither yes nor no", s->text);
}

static const char *
listed(struct draft *d, const char *const *names)
{
	const char *text = "";
	for (size_t i = 0; names[i] != NULL; i++)
		text = arena_printf(d->own, "%s%s%s", text, i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ", names[i]);
	return text;
}

static void
refuse_word(struct draft *d, const struct setting *s, const char *const *names)
{
	size_t count = 0;
	while (names[count] != NULL)
		count++;
	const char *nearest = text_nearest(slice_of(s->text), names, count);
	if (nearest != NULL)
		draft_refuse(d, s, "\"%.60s\" is unknown: did you mean %s? It may be %s", s->text, nearest, listed(d, names));
	else
		draft_refuse(d, s, "\"%.60s\" is unknown: it may be %s", s->text, listed(d, names));
}

static const char *const *
names_of(struct draft *d, const struct option_choice *choices)
{
	size_t count = 0;
	while (choices[count].name != NULL)
		count++;
	const char **names = arena_alloc(d->own, (count + 1) * sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = choices[i].name;
	return names;
}

void
value_choice(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	for (const struct option_choice *c = o->choices; c->name != NULL; c++)
		if (strcmp(c->name, s->text) == 0) {
			memcpy(field_of(object, o), &c->value, sizeof(c->value));
			return;
		}
	refuse_word(d, s, names_of(d, o->choices));
}

/* --- users, groups, modes ------------------------------------------------------------------------------ */

struct passwd *
value_find_user(const char *text)
{
	uint64_t number;
	struct passwd *pw = getpwnam(text);
	if (pw == NULL && text_number(slice_of(text), 0, UINT32_MAX - 1, &number) == 0)
		pw = getpwuid((uid_t)number);
	return pw;
}

struct group *
value_find_group(const char *text)
{
	uint64_t number;
	struct group *gr = getgrnam(text);
	if (gr == NULL && text_number(slice_of(text), 0, UINT32_MAX - 1, &number) == 0)
		gr = getgrgid((gid_t)number);
	return gr;
}

int
value_parse_mode(const char *text, unsigned *mode)
{
	size_t len = strlen(text);
	if (len < 1 || len > 4 || strspn(text, "01234567") != len || (len == 4 && text[0] != '0'))
		return -1;
	*mode = (unsigned)strtoul(text, NULL, 8);
	return 0;
}

/* --- files ------------------------------------------------------------------------------------------ */

const char *
value_absolute(struct draft *d, const struct setting *s, struct slice path)
{
	if (path.len > 0 && path.data[0] == '/')
		return arena_dup(d->arena, path);
	while (slice_starts(path, "./"))
		path = after(path, 2);
	const char *directory = draft_directory(d, &s->place);
	if (path.len == 0 || slice_equals(path, "."))
		return arena_dup(d->arena, slice_of(directory));
	return arena_printf(d->arena, "%s%s%.*s", directory, strcmp(directory, "/") == 0 ? "" : "/", SLICE_ARG(path));
}

void
value_path(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	*(const char **)field_of(object, o) = value_absolute(d, s, slice_of(s->text));
}

void
value_paths(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	arena_list_add(d->arena, field_of(object, o), value_absolute(d, s, slice_of(s->text)));
}

void
value_text(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	*(const char **)field_of(object, o) = arena_dup(d->arena, slice_of(s->text));
}

void
value_directory(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	const char *path = value_absolute(d, s, slice_of(s->text));
	struct stat st;
	if (d->check_files && stat(path, &st) == -1)
		draft_refuse(
			d, s, "%s: %s%s", path, strerror(errno), s->text[0] == '"' ? "; a path is written without quotes" : "");
	else if (d->check_files && !S_ISDIR(st.st_mode))
		draft_refuse(d, s, "%s is no directory", path);
	*(const char **)field_of(object, o) = path;
}

/* --- [server] and [log] ----------------------------------------------------------------------------- */

static int
parse_inet(struct slice text, struct address *out)
{
	struct slice host;
	uint16_t port;
	if (address_split(text, &host, &port) == -1)
		return -1;
	/* A port alone is for this machine; for all the world one has to say so. */
	bool is_alone = host.len == 0 && memchr(text.data, ':', text.len) == NULL;
	if (is_alone || slice_equals_nocase(host, "localhost"))
		host = slice_of("127.0.0.1");
	return address_from_numeric(host, port, out);
}

static bool
parse_listen(struct draft *d, const struct setting *s, struct slice item, struct address *out)
{
	if (slice_starts(item, "unix:")) {
		struct slice path = after(item, 5);
		if (path.len > 0 && path.data[0] != '@')
			path = slice_of(value_absolute(d, s, path));
		if (address_from_path(path, out) == 0)
			return true;
		draft_refuse(d, s, "%.*s: the path of a unix socket has 1 to 107 bytes", SLICE_ARG(item));
		return false;
	}
	if (parse_inet(item, out) == 0)
		return true;
	draft_refuse(d, s, "\"%.*s\" is no address: write 127.0.0.1:8080, [::1]:8080, 0.0.0.0:8080 (from everywhere) or unix:/PATH",
		SLICE_ARG(item));
	return false;
}

static bool
is_listed_already(const struct config *c, const struct address *address)
{
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];
	if (address->storage.ss_family != AF_UNIX && address_port(address) == 0)
		return false; /* each gets a port of its own */
	for (size_t i = 0; i < c->listen_count; i++)
		if (strcmp(address_format(&c->listen[i].address, a), address_format(address, b)) == 0)
			return true;
	return false;
}

/* Takes the word off the end of ITEM, if it is there. */
static bool
take_tls(struct slice *item)
{
	static const char word[] = "tls";
	size_t len = sizeof(word) - 1, space = item->len - len - 1;
	if (item->len <= len + 1 || memcmp(item->data + item->len - len, word, len) != 0)
		return false;
	if (item->data[space] != ' ' && item->data[space] != '\t')
		return false;
	*item = slice_trim((struct slice){ item->data, space });
	return true;
}

static void
add_listen(struct draft *d, const struct setting *s, struct slice item, struct config *c)
{
	struct address address;
	bool tls = take_tls(&item);
	if (!parse_listen(d, s, item, &address))
		return;
	if (is_listed_already(c, &address)) {
		draft_refuse(d, s, "%.*s is listed already", SLICE_ARG(item));
		return;
	}
	c->listen = arena_grow(d->arena, c->listen, c->listen_count, sizeof(*c->listen));
	c->listen[c->listen_count++] = (struct listen_address){ address, arena_dup(d->arena, item), tls };
}

void
value_listen(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct slice list = slice_of(s->text), item;
	if (list.len == strspn(s->text, ", \t"))
		draft_refuse(d, s, "the list is empty: write 127.0.0.1:8080");
	/* A path may have spaces in it: only commas part this list. */
	while (text_next_listed(&list, &item))
		add_listen(d, s, item, object);
}

void
value_unix_mode(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	unsigned mode;
	if (value_parse_mode(s->text, &mode) == -1)
		draft_refuse(d, s, "\"%.60s\" is no mode: write it in octal, such as 0660", s->text);
	else if ((mode & 0222) == 0)
		draft_refuse(
			d, s, "%s lets nobody in: who connects must be allowed to write; 0660 is for owner and group", s->text);
	else
		((struct config *)object)->unix_mode = mode;
}

void
value_unix_owner(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct config *c = object;
	size_t len = strcspn(s->text, ":");
	const char *user = arena_dup(d->own, (struct slice){ s->text, len });
	const char *group = s->text[len] == ':' ? s->text + len + 1 : NULL;
	struct passwd *pw = len == 0 ? NULL : value_find_user(user);
	struct group *gr = group == NULL ? NULL : value_find_group(group);
	if (pw == NULL && (len > 0 || group == NULL))
		draft_refuse(d, s, "there is no user %.60s", user);
	if (gr == NULL && group != NULL)
		draft_refuse(d, s, "there is no group %.60s", group);
	c->has_unix_owner = true;
	c->unix_uid = pw == NULL ? (uid_t)-1 : pw->pw_uid;
	c->unix_gid = gr == NULL ? (gid_t)-1 : gr->gr_gid;
}

void
value_redirect_port(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct config *c = object;
	uint64_t port = 0;
	c->redirects = strcmp(s->text, "none") != 0;
	if (c->redirects && text_number(slice_of(s->text), 0, UINT16_MAX, &port) == -1)
		draft_refuse(d, s, "\"%.60s\" is neither none nor a port, a number from 0 to 65535", s->text);
	c->redirect_port = (uint16_t)port;
}

static unsigned
cores(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;
	unsigned count = (unsigned)CPU_COUNT(&set);
	return count > WORKERS_MAX ? WORKERS_MAX : count;
}

void
value_workers(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct config *c = object;
	uint64_t count = cores();
	if (strcmp(s->text, "auto") != 0 && text_number(slice_of(s->text), 1, WORKERS_MAX, &count) == -1)
		draft_refuse(d, s, "\"%.60s\" is neither auto nor a number from 1 to %d", s->text, WORKERS_MAX);
	c->workers = (unsigned)count;
}

void
value_log_level(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	static const char *const names[] = { "none", "fatal", "error", "warn", "access", "info", "debug", "trace", NULL };
	(void)o;
	struct config *c = object;
	if (log_level_parse(slice_of(s->text), &c->log.level) == -1)
		refuse_word(d, s, names);
}

void
value_log_target(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct config *c = object;
	bool is_word = strcmp(s->text, "stderr") == 0 || strcmp(s->text, "syslog") == 0;
	c->log.target = is_word ? arena_dup(d->arena, slice_of(s->text)) : value_absolute(d, s, slice_of(s->text));
}

/* --- routes ----------------------------------------------------------------------------------------- */

void
value_index(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct route *r = object;
	if (strchr(s->text, '/') != NULL || strcmp(s->text, ".") == 0 || strcmp(s->text, "..") == 0)
		draft_refuse(d, s, "\"%.60s\" is no name of a file in the directory of the page", s->text);
	r->index = arena_dup(d->arena, slice_of(s->text));
}

void
value_framing(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct route *r = object;
	r->backend.framing = framing_find(slice_of(s->text));
	if (r->backend.framing == NULL)
		refuse_word(d, s, framing_names());
}

void
value_subprotocols(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct upgrade_options *up = &((struct route *)object)->upgrade;
	struct slice list = slice_of(s->text), item;
	up->subprotocols = strcmp(s->text, "none") == 0 ? SUBPROTOCOL_NONE : SUBPROTOCOL_ANY;
	if (up->subprotocols == SUBPROTOCOL_NONE || strcmp(s->text, "any") == 0)
		return;
	up->subprotocols = SUBPROTOCOL_LIST;
	while (value_next_item(&list, &item)) {
		if (slice_equals(item, "any") || slice_equals(item, "none"))
			draft_refuse(d, s, "%.*s stands alone, not in a list", SLICE_ARG(item));
		else if (!http_is_token(item))
			draft_refuse(d, s, "\"%.*s\" is no name of a subprotocol (RFC 6455 4.1): letters, digits and - . _ +",
				SLICE_ARG(item));
		arena_list_add(d->arena, &up->subprotocol_list, arena_dup(d->arena, item));
	}
	if (up->subprotocol_list == NULL)
		draft_refuse(d, s, "the list is empty: write any, none or names");
}

/* "[::1]:8080", "*.example.org", "host:1": what an Origin has behind its scheme, or a pattern of it. */
static bool
is_host_and_port(struct slice text)
{
	uint64_t port;
	if (slice_starts(text, "*."))
		text = after(text, 2);
	const char *end = text.len == 0 ? NULL : memrchr(text.data, text.data[0] == '[' ? ']' : ':', text.len);
	size_t host_len = end == NULL ? text.len : (size_t)(end - text.data);
	if (text.len > 0 && text.data[0] == '[') {
		struct address address;
		if (end == NULL || address_from_numeric((struct slice){ text.data + 1, host_len - 1 }, 0, &address) == -1)
			return false;
		text = after(text, host_len + 1);
		return text.len == 0 || (text.data[0] == ':' && text_number(after(text, 1), 1, 65535, &port) == 0);
	}
	for (size_t i = 0; i < host_len; i++)
		if (strchr("*/?#@:[]\\\"'", text.data[i]) != NULL || (unsigned char)text.data[i] < 0x21)
			return false;
	return host_len > 0 && (end == NULL || text_number(after(text, host_len + 1), 1, 65535, &port) == 0);
}

static const char *
what_is_wrong_with_origin(struct slice item)
{
	if (slice_equals(item, "same") || slice_equals(item, "any"))
		return "stands alone, not in a list: name this site's own host instead";
	if (slice_equals(item, "*") || slice_equals(item, "null"))
		return "cannot be listed: origin = any lets every page in";
	struct slice authority = item;
	for (size_t i = 0; i + 3 <= item.len; i++)
		if (memcmp(item.data + i, "://", 3) == 0) {
			struct slice scheme = { item.data, i };
			if (!slice_equals_nocase(scheme, "http") && !slice_equals_nocase(scheme, "https"))
				return "is no origin of a page: its scheme is http or https";
			authority = after(item, i + 3);
			break;
		}
	if (authority.len > 0 && authority.data[authority.len - 1] == '/')
		return "is no origin: an origin has no path, not even a / at its end";
	return is_host_and_port(authority)
		       ? NULL
		       : "is no origin: write example.org, example.org:8080, https://example.org or *.example.org";
}

void
value_origin(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	(void)o;
	struct route *r = object;
	struct slice list = slice_of(s->text), item;
	r->origin = strcmp(s->text, "any") == 0 ? ORIGIN_ANY : ORIGIN_SAME;
	if (r->origin == ORIGIN_ANY || strcmp(s->text, "same") == 0)
		return;
	r->origin = ORIGIN_LIST;
	while (value_next_item(&list, &item)) {
		const char *wrong = what_is_wrong_with_origin(item);
		if (wrong != NULL)
			draft_refuse(d, s, "\"%.*s\" %s", SLICE_ARG(item), wrong);
		arena_list_add(d->arena, &r->origin_list, arena_dup(d->arena, item));
	}
	if (r->origin_list == NULL)
		draft_refuse(d, s, "the list is empty: write same, any or hosts");
}

/* What says where a response ends, or what it is, is not the operator's to say twice. */
static bool
is_ours(struct slice name)
{
	static const char *const ours[] = { "Connection", "Content-Length", "Content-Range", "Content-Type", "Date", "Keep-Alive",
		"Trailer", "Transfer-Encoding", "Upgrade" };
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (slice_equals_nocase(name, ours[i]))
			return true;
	struct slice head = { name.data, name.len < 14 ? name.len : 14 };
	return slice_equals_nocase(head, "Sec-WebSocket-");
}

/* RFC 9110 5.5: visible characters, spaces, tabs, and bytes from 0x80 on. */
static bool
is_field_value(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

void
value_header(struct draft *d, const struct option *o, const struct setting *s, void *object)
{
	const char **lines = field_of(object, o);
	struct slice name = { s->text, strcspn(s->text, ":") };
	if (*lines == NULL)
		*lines = "";
	if (s->text[0] == '\0')
		return; /* the default: none */
	if (s->text[name.len] != ':' || !http_is_token(name)) {
		draft_refuse(d, s, "\"%.60s\" is no header field: write Name: value", s->text);
		return;
	}
	struct slice value = slice_trim(slice_of(s->text + name.len + 1));
	if (!is_field_value(value))
		draft_refuse(d, s, "the value of %.*s has a control byte in it", SLICE_ARG(name));
	else if (is_ours(name))
		draft_refuse(d, s, "%.*s is set by wsgate itself", SLICE_ARG(name));
	else if (slice_equals_nocase(name, "Server") && http_lines_name(*lines, name))
		draft_refuse(d, s, "Server is set already, and a response has one: leave one of them out");
	else
		*lines = arena_printf(d->arena, "%s%.*s: %.*s\r\n", *lines, SLICE_ARG(name), SLICE_ARG(value));
}
