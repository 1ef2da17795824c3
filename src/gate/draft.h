/*
 * draft: a configuration as it was written, before anybody believes it: which section holds which
 * settings, where each stands, and what is wrong; and what it amounts to if nothing is. Belongs to
 * one thread.
 */
#ifndef GATE_DRAFT_H
#define GATE_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "gate/arena.h"
#include "gate/options.h"

struct config;

/* Where something was written: in the file, or on the command line. */
struct place {
	unsigned line;      /* of the file; 0: on the command line */
	const char *option; /* as typed, "--ping-interval"; NULL for the PROGRAM or what nobody has written */
};

struct setting {
	struct setting *next;
	const struct option *option;
	const char *text;
	const char *const *words; /* of a PROGRAM on the command line: split already, NULL-terminated */
	struct place place;
};

struct section {
	struct section *next;
	enum option_scope scope;
	const char *path; /* of a route; NULL: [defaults] */
	unsigned line;    /* of its header; 0: it has none */
	bool is_void;     /* unknown or again: its keys are looked at, but it is no route */
	bool is_unknown;  /* and nobody knows which keys it may have */
	struct setting *first, **end;
};

struct fault {
	unsigned line;
	const char *text;
};

struct draft {
	struct arena *arena;                            /* what values are written to: the snapshot's once it is built */
	struct arena *own;                              /* the draft's */
	const char *file;                               /* NULL if there is none */
	const char *file_directory, *working_directory; /* absolute; where relative paths begin */
	bool check_files;
	struct section command;                   /* everything from the command line, whatever its scope */
	struct section *sections, **sections_end; /* of the file, in its order */
	struct fault *faults;
	size_t fault_count; /* those beyond a ceiling are counted, not kept */
	struct fault *warnings;
	size_t warning_count;
	bool command_failed; /* one of them is of the command line */
};

/* FILE is the name for faults and the place of relative paths; NULL without a file. */
void draft_init(struct draft *d, const char *file, bool check_files);
void draft_clear(struct draft *d);

/* The directory in which what stands at PLACE looks for its files. */
const char *draft_directory(const struct draft *d, const struct place *place);

/* Something is wrong at PLACE. Of a command line only the first is kept, of a file all, up to a ceiling. */
void draft_fault(struct draft *d, const struct place *place, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The value of a setting is wrong: the fault begins with the name of the option. */
void draft_refuse(struct draft *d, const struct setting *s, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for what works, but hardly as it is meant. */
void draft_warn(struct draft *d, const struct setting *s, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "FILE:LINE: ..." or "wsgate: ...", one line each, in the order of the file; then the warnings. */
void draft_write_faults(struct draft *d, struct buf *out);

struct section *draft_add_section(struct draft *d, enum option_scope scope, const char *path, unsigned line);

/* The first of these in the file; PATH NULL: not that of a route. */
struct section *draft_find_section(const struct draft *d, enum option_scope scope, const char *path);

/* Adds the setting and looks at its value. TEXT is copied. */
struct setting *draft_add(struct draft *d, struct section *section, const struct option *o, struct slice text, struct place place);

/* The same for a PROGRAM with its arguments, NULL-terminated; they are not copied. */
void draft_add_program(struct draft *d, const char *const *words);

/* The last setting of this option in the section; NULL if there is none. */
const struct setting *draft_find(const struct section *section, const struct option *o);

/* Writes the setting's value to the field of OBJECT; what is wrong with it becomes a fault. */
void draft_read(struct draft *d, const struct setting *s, void *object);

/* Does the command line say --ssl? */
bool draft_wants_ssl(const struct draft *d);

/* Of draft_finish() alone (draft_tls.c): what of TLS is to be judged before the snapshot is built, and its part of it. */
void draft_judge_tls(struct draft *d);
void draft_build_tls(struct draft *d, struct config *c);

/*
 * Judges what only shows when all has been read: routes that lead nowhere, keys without an effect. If
 * there is no fault then, returns the snapshot with one reference; else NULL.
 */
struct config *draft_finish(struct draft *d);

#endif
