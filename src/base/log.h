/*
 * log: what the operator is told.
 *
 * One line per fact, one write(2) per line, from any thread. A message says what happened, to whom
 * and what can be done. Control bytes and invalid UTF-8 in values are escaped, so that nobody can
 * forge a line. On stderr with $JOURNAL_STREAM the line begins with <N> and has no time of its own.
 *
 * Set up once by main before other threads start; log_open() again re-reads the target.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* In order of importance. NONE is for log_options alone: no line has it. */
enum log_level {
	LOG_LEVEL_NONE,
	LOG_LEVEL_FATAL,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ACCESS,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_TRACE
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_LOGFMT };

struct log_options {
	enum log_level level; /* lines above it are dropped */
	enum log_format format;
	const char *target; /* "stderr", "syslog", or the path of a file that is appended to */
};

/* Returns 0, or -1 with errno if the file cannot be opened (the former target stays). */
int log_open(const struct log_options *opt);

bool log_wants(enum log_level level);

/* One line at LEVEL. No newline in FORMAT. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3), nonnull(2)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A named value of a structured line; text.data == NULL means that NUMBER is the value. */
struct log_field {
	const char *name;
	struct slice text;
	uint64_t number;
};

/*
 * A line of named values, the way the access log is written: `EVENT name=value name="two words"`
 * in text and logfmt, an object in JSON.
 */
void log_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* Names as in [log]: "none fatal error warn access info debug trace". -1 if unknown. */
int log_level_parse(struct slice name, enum log_level *out);

#endif
