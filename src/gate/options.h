/*
 * options: everything that can be asked for, in one table. It drives the INI file, the command
 * line, the checks, --help, the manual pages and the reference wsgate.ini: what is not in it does
 * not exist, and what is in it is complete. Constant, thread-safe.
 *
 * Every key of the INI file is a long option with '-' for '_'. Where two sections have a key of the
 * same name, the plain option is that of the section first in the table; "--SECTION-KEY"
 * (--server-, --tls-, --log-, --route-) names any of them.
 */
#ifndef GATE_OPTIONS_H
#define GATE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct draft;
struct option;
struct setting;

/* Where an option belongs, which is also what its value is written to. */
enum option_scope {
	OPTION_SERVER,  /* [server]: struct config */
	OPTION_TLS,     /* [tls]: struct config */
	OPTION_LOG,     /* [log]: struct config */
	OPTION_ROUTE,   /* [/path] and [defaults]: struct route */
	OPTION_COMMAND, /* the command line only: see enum option_command */
};

enum {
	OPTION_REPEATS = 1 << 0,      /* may be given again in the same place */
	OPTION_ADDS = 1 << 1,         /* a nearer place adds to the farther ones, name by name; else it replaces them */
	OPTION_VERBATIM = 1 << 2,     /* the value is the whole rest of the line, with any " ;" */
	OPTION_SWITCH = 1 << 3,       /* yes or no; on the command line no value means yes */
	OPTION_OF_ONE_ROUTE = 1 << 4, /* not in [defaults]; on the command line it is for the route "/" */
	OPTION_BACKEND = 1 << 5,      /* where messages go: one for a route */
	OPTION_NO_KEY = 1 << 6,       /* on the command line only */
	OPTION_MAY_BE_EMPTY = 1 << 11,
	/* Has an effect only on routes with ... */
	OPTION_FOR_MESSAGES = 1 << 7, /* a backend */
	OPTION_FOR_PROGRAM = 1 << 8,  /* exec, shell, dir or cgi */
	OPTION_FOR_SOCKET = 1 << 9,   /* tcp or unix */
	OPTION_FOR_PAGES = 1 << 10,   /* static */
	OPTION_FOR_CGI = 1 << 11,     /* cgi */
};

/* What the command line's own options do. */
enum option_command {
	COMMAND_NONE,
	COMMAND_CONFIG,
	COMMAND_CHECK,
	COMMAND_HELP,
	COMMAND_VERSION,
	COMMAND_PORT,
	COMMAND_ADDRESS,
	COMMAND_UNIXSOCKET,
	COMMAND_ALIAS, /* stands for another option: see alias_of */
};

/*
 * Reads the setting's text into OBJECT, the struct that the scope says; a bad one becomes a fault of
 * the draft.
 */
typedef void option_fn(struct draft *d, const struct option *o, const struct setting *s, void *object);

struct option_choice {
	const char *name; /* NULL ends the list */
	unsigned value;
};

struct option {
	const char *name; /* as in the INI file */
	enum option_scope scope;
	unsigned flags;
	option_fn *read;
	size_t at;         /* offset of the field, for readers that serve many options */
	uint64_t min, max; /* for numbers, sizes and durations (ms) */
	const struct option_choice *choices;
	const char *standard; /* the default, as one would write it; NULL if there is none */
	const char *note;     /* the default in words, where no single value says it */
	const char *argument; /* name of the value, in capitals */
	const char *example;  /* a good value, where the default is none */
	const char *help;     /* sentences in plain ASCII */

	enum option_command command;
	/* A switch that stands for more than one option has a row for each, one behind the other. */
	const char *alias_of;       /* name of a key ... */
	const char *alias_value;    /* ... given this value if the switch is on ... */
	const char *alias_off;      /* ... or this if it is off and nothing else on the command line says more; NULL: none ... */
	const char *alias_suffix;   /* ... or the value with this behind it (a number, then) */
	const char *alias_negative; /* what every negative number means; NULL: nothing */
};

/* The table, in the order in which it is read and shown. */
extern const struct option options[];
extern const size_t option_count;

/* "[server]" */
const char *options_scope_name(enum option_scope scope);

/* The option with this key in this section, or NULL. */
const struct option *options_find_key(enum option_scope scope, struct slice key);

/* The option that the command line calls so, without dashes in front; NULL if unknown. */
const struct option *options_find_flag(struct slice flag);

/* The key of SCOPE, or the long option (with '_' for '-'), that is most like WORD; NULL if none is. */
const char *options_nearest_key(enum option_scope scope, struct slice word);
const char *options_nearest_flag(struct slice word);

/* The long option without dashes in front: "ping-interval". Returns OUT. */
enum { OPTION_FLAG_MAX = 48 };
const char *options_flag(const struct option *o, char out[static OPTION_FLAG_MAX]);

#endif
