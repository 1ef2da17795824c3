/*
 * Options become settings of a section of their own, which lies over all others. --port, --address
 * and --unixsocket become `listen` when all have been seen. So do switches that stand for another
 * option: as in Go, the last of the same name counts, and --binary --binary=false is nothing.
 */
#include "gate/command.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"

#define STANDARD_ADDRESS "127.0.0.1"
#define STANDARD_PORT "8080"
#define STANDARD_TLS_PORT "8443"

/* An option as it stands in ARGV. */
struct word {
	const struct option *option;
	struct place place; /* "--name", as typed */
	const char *value;  /* of a switch: "yes" if there is none */
};

struct parser {
	struct draft *d;
	char **argv; /* what is left */
	struct command *out;
	const char *port;
	const char *const *addresses, *const *unixsockets;
	struct word *switches; /* that stand for another option */
	size_t switch_count;
	bool done;
};

static void
refuse_unknown(struct parser *p, struct slice name, const struct place *place)
{
	const char *nearest = options_nearest_flag(name);
	char flag[OPTION_FLAG_MAX];
	if (nearest == NULL)
		draft_fault(p->d, place, "unknown option %s; --help=all lists them", place->option);
	else
		draft_fault(p->d, place, "unknown option %s; did you mean --%s?", place->option,
			options_flag(options_find_flag(slice_of(nearest)), flag));
}

/* Takes the option at the head of ARGV, with its value. */
static bool
take_option(struct parser *p, struct word *w)
{
	const char *text = *p->argv++;
	const char *name = text + (text[1] == '-' ? 2 : 1);
	const char *equals = strchr(name, '=');
	struct slice flag = { name, equals == NULL ? strlen(name) : (size_t)(equals - name) };
	w->place = (struct place){ .option = arena_printf(p->d->own, "--%.*s", SLICE_ARG(flag)) };
	w->option = options_find_flag(flag);
	w->value = equals == NULL ? NULL : equals + 1;
	if (w->option == NULL) {
		refuse_unknown(p, flag, &w->place);
		return false;
	}
	if (w->value == NULL && (w->option->flags & OPTION_SWITCH) != 0)
		w->value = "yes";
	if (w->value != NULL)
		return true;
	w->value = *p->argv;
	if (w->value == NULL)
		draft_fault(p->d, &w->place, "%s: a value is missing", w->place.option);
	else
		p->argv++;
	return w->value != NULL;
}

/* True also if the value is neither yes nor no; then there is a fault. */
static bool
is_on(struct parser *p, const struct word *w)
{
	bool on = true;
	if (text_bool(slice_of(w->value), &on) == -1)
		draft_fault(p->d, &w->place, "%s: \"%.60s\" is neither true nor false", w->place.option, w->value);
	return on;
}

static void
add(struct parser *p, const struct option *o, const struct word *w, const char *value)
{
	if (value[0] == '\0' && (o->flags & OPTION_MAY_BE_EMPTY) == 0)
		draft_fault(p->d, &w->place, "%s: a value is missing", w->place.option);
	else
		draft_add(p->d, &p->d->command, o, slice_of(value), w->place);
}

static void
keep_switch(struct parser *p, const struct word *w)
{
	is_on(p, w);
	p->switches = arena_grow(p->d->own, p->switches, p->switch_count, sizeof(*p->switches));
	p->switches[p->switch_count++] = *w;
}

static void
apply_switch(struct parser *p, const struct word *w)
{
	bool on = is_on(p, w);
	for (const struct option *o = w->option; o < options + option_count && strcmp(o->name, w->option->name) == 0; o++) {
		const struct option *meant = options_find_flag(slice_of(o->alias_of));
		bool is_said = draft_find(&p->d->command, meant) != NULL;
		const char *value = on ? o->alias_value : is_said ? NULL : o->alias_off;
		if (value != NULL)
			add(p, meant, w, value);
	}
}

static void
finish_switches(struct parser *p)
{
	for (size_t i = 0; i < p->switch_count; i++) {
		size_t next = i + 1;
		while (next < p->switch_count && p->switches[next].option != p->switches[i].option)
			next++;
		if (next == p->switch_count)
			apply_switch(p, &p->switches[i]);
	}
}

static bool
is_negative(const char *text)
{
	uint64_t number;
	return text[0] == '-' && text_number(slice_of(text + 1), 0, UINT64_MAX, &number) == 0;
}

static void
take_alias(struct parser *p, const struct word *w)
{
	const struct option *o = w->option, *meant = options_find_flag(slice_of(o->alias_of));
	uint64_t number;
	if (o->alias_value != NULL)
		keep_switch(p, w);
	else if (o->alias_negative != NULL && is_negative(w->value))
		add(p, meant, w, o->alias_negative);
	else if (o->alias_suffix == NULL)
		add(p, meant, w, w->value);
	else if (text_number(slice_of(w->value), 0, UINT64_MAX, &number) == -1)
		draft_fault(p->d, &w->place, "%s: \"%.60s\" is no number of milliseconds", w->place.option, w->value);
	else
		add(p, meant, w, arena_printf(p->d->own, "%s%s", w->value, o->alias_suffix));
}

static void
take_port(struct parser *p, const struct word *w)
{
	uint64_t port;
	if (text_number(slice_of(w->value), 0, UINT16_MAX, &port) == -1)
		draft_fault(p->d, &w->place, "%s: \"%.60s\" is no port: write a number from 0 to 65535", w->place.option, w->value);
	p->port = w->value;
}

static void
take_address(struct parser *p, const struct word *w)
{
	struct slice host = slice_of(w->value);
	struct address address;
	if (host.len > 1 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = (struct slice){ host.data + 1, host.len - 2 };
	if (slice_equals_nocase(host, "localhost"))
		host = slice_of(STANDARD_ADDRESS);
	if (address_from_numeric(host, 0, &address) == -1)
		draft_fault(p->d, &w->place,
			"%s: \"%.60s\" is no address: write one of this machine, such as 127.0.0.1, ::1 or 0.0.0.0",
			w->place.option, w->value);
	arena_list_add(p->d->own, &p->addresses, arena_dup(p->d->own, host));
}

static void
take(struct parser *p, const struct word *w)
{
	switch (w->option->command) {
	case COMMAND_NONE:
		add(p, w->option, w, w->value);
		break;
	case COMMAND_CONFIG:
		p->out->file = w->value;
		break;
	case COMMAND_CHECK:
		p->out->checks = is_on(p, w);
		break;
	case COMMAND_HELP:
		p->out->topic = strcmp(w->value, "yes") == 0 ? "" : w->value;
		p->done = true;
		break;
	case COMMAND_VERSION:
		p->done = p->out->shows_version = is_on(p, w);
		break;
	case COMMAND_PORT:
		take_port(p, w);
		break;
	case COMMAND_ADDRESS:
		take_address(p, w);
		break;
	case COMMAND_UNIXSOCKET:
		arena_list_add(p->d->own, &p->unixsockets, w->value);
		break;
	case COMMAND_ALIAS:
		take_alias(p, w);
		break;
	}
}

static void
listen_on(struct parser *p, const char *text, const char *option)
{
	const struct option *listen = options_find_key(OPTION_SERVER, slice_of("listen"));
	draft_add(p->d, &p->d->command, listen, slice_of(text), (struct place){ .option = option });
}

static void
finish_listen(struct parser *p)
{
	const char *standard = draft_wants_ssl(p->d) ? STANDARD_TLS_PORT : STANDARD_PORT;
	const char *port = p->port == NULL ? standard : p->port;
	for (size_t i = 0; p->addresses != NULL && p->addresses[i] != NULL; i++) {
		bool is_v6 = strchr(p->addresses[i], ':') != NULL;
		listen_on(p, arena_printf(p->d->own, is_v6 ? "[%s]:%s" : "%s:%s", p->addresses[i], port), "--address");
	}
	if (p->addresses == NULL && p->port != NULL)
		listen_on(p, arena_printf(p->d->own, "%s:%s", STANDARD_ADDRESS, port), "--port");
	for (size_t i = 0; p->unixsockets != NULL && p->unixsockets[i] != NULL; i++)
		listen_on(p, arena_printf(p->d->own, "unix:%s", p->unixsockets[i]), "--unixsocket");
}

void
command_read(struct draft *d, int argc, char **argv, struct command *out)
{
	struct parser p = { .d = d, .argv = argv + (argc > 0), .out = out };
	*out = (struct command){ .file = NULL };
	while (!p.done && d->fault_count == 0 && *p.argv != NULL && (*p.argv)[0] == '-' && (*p.argv)[1] != '\0') {
		struct word w;
		if (strcmp(*p.argv, "--") == 0) {
			p.argv++;
			break;
		}
		if (take_option(&p, &w))
			take(&p, &w);
	}
	if (p.done || d->fault_count > 0)
		return;
	finish_switches(&p);
	finish_listen(&p);
	if (*p.argv != NULL)
		draft_add_program(d, (const char *const *)p.argv);
}
