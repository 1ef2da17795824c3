/*
 * value: from the text of a setting to the field of a snapshot. One reader per kind of value, named
 * by the table of options. A reader that is not content says why and how to mend it, through
 * draft_refuse(), and leaves the field alone.
 */
#ifndef GATE_VALUE_H
#define GATE_VALUE_H

#include <grp.h>
#include <pwd.h>

#include "gate/arena.h"
#include "gate/draft.h"
#include "gate/options.h"

/* For any field of the type, at option.at. */
option_fn value_duration;  /* uint64_t, ms */
option_fn value_size;      /* uint64_t, bytes */
option_fn value_buffer;    /* size_t, bytes */
option_fn value_count;     /* unsigned */
option_fn value_switch;    /* bool */
option_fn value_choice;    /* an enum */
option_fn value_path;      /* const char *: absolute; need not exist */
option_fn value_directory; /* const char *: absolute; must exist */
option_fn value_paths;     /* const char *const *: absolute; each setting adds one */
option_fn value_text;      /* const char * */

/* Of struct config. */
option_fn value_listen, value_unix_mode, value_unix_owner, value_redirect_port, value_workers, value_log_level, value_log_target;

/* Of struct route. */
option_fn value_index, value_framing, value_subprotocols, value_origin;
option_fn value_header; /* const char *, lines with CRLF, at option.at */

/* Of struct route: where messages go, and what surrounds a program (value_program.c). */
option_fn value_exec, value_shell, value_dir, value_tcp, value_unix;
option_fn value_env, value_passenv, value_user, value_group, value_nice, value_umask, value_stop, value_closems, value_exit_close;
option_fn value_limit; /* option.min is the RLIMIT_, option.max an enum value_limit_unit */

enum value_limit_unit { LIMIT_COUNT, LIMIT_BYTES, LIMIT_SECONDS };

/* By name or number; NULL if there is none. The result is static, as that of getpwnam(3). */
struct passwd *value_find_user(const char *text);
struct group *value_find_group(const char *text);

/* Up to three octal digits, with a 0 in front or not. -1: it is something else. */
int value_parse_mode(const char *text, unsigned *mode);

/* PATH of a setting as an absolute one: relative to its file, or to the working directory. */
const char *value_absolute(struct draft *d, const struct setting *s, struct slice path);

/* Takes the next item off a list separated by commas, spaces or tabs. False at the end. */
bool value_next_item(struct slice *list, struct slice *item);

#endif
