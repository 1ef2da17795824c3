/*
 * log: a line is made whole on the caller's stack and then handed over in one call, so that
 * threads need no lock. What log_open() chose is one atomic word, and the descriptor of a log file
 * is opened once and for all: another file is put behind the same number, so that a thread which
 * is about to write always finds something there, the old file or the new one.
 *
 * Everything is appended in units that are never cut in two: a character, an escape, a name.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE_CEILING = 8 * 1024,
	LINE_RESERVE = 16, /* for the mark of a cut line and what closes it */
	UNIT_MAX = 24,     /* the longest escape, or a number with what stands around it */
	TIME_MAX = 32,
};

struct line {
	size_t len;
	size_t words; /* so far; what follows one needs a separator */
	bool cut;
	char data[LINE_CEILING];
};

static const struct level {
	const char *name;
	int priority; /* for syslog and the journal */
} levels[] = {
	[LOG_LEVEL_NONE] = { "none", LOG_CRIT },
	[LOG_LEVEL_FATAL] = { "fatal", LOG_CRIT },
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARN] = { "warn", LOG_WARNING },
	[LOG_LEVEL_ACCESS] = { "access", LOG_INFO },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
	[LOG_LEVEL_TRACE] = { "trace", LOG_DEBUG },
};

enum sink { SINK_STDERR, SINK_JOURNAL, SINK_SYSLOG, SINK_FILE };

/* Packed, so that no line is written half by the old options and half by the new. */
struct mode {
	enum log_level level;
	enum log_format format;
	enum sink sink;
};

#define PACK(level, format, sink) ((unsigned)(level) | (unsigned)(format) << 8 | (unsigned)(sink) << 16)

static atomic_uint packed_mode = PACK(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, SINK_STDERR);
static atomic_int file_fd = -1;

static struct mode
mode_now(void)
{
	unsigned packed = atomic_load(&packed_mode);
	return (struct mode){ packed & 0xff, packed >> 8 & 0xff, packed >> 16 };
}

static void
mode_set(const struct log_options *opt, enum sink sink)
{
	atomic_store(&packed_mode, PACK(opt->level, opt->format, sink));
}

/* The journal names the stream it gave us; a stderr inherited through it may be another one by now. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char mine[64];
	if (stream == NULL || fstat(STDERR_FILENO, &st) == -1)
		return false;
	snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, mine) == 0;
}

/* The number for log files: never 0 to 2, should they have been closed, as a child would take those for its own. */
static int
file_number_for(int fd)
{
	int number = atomic_load(&file_fd);
	if (number != -1)
		return dup3(fd, number, O_CLOEXEC);
	number = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	atomic_store(&file_fd, number);
	return number;
}

static int
file_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd == -1)
		return -1;
	int number = file_number_for(fd);
	int saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return number == -1 ? -1 : 0;
}

/* The file is let go, but not its number: a thread may still be about to write there. */
static void
file_leave(void)
{
	if (file_fd != -1)
		dup3(STDERR_FILENO, file_fd, O_CLOEXEC);
}

int
log_open(const struct log_options *opt)
{
	if (opt->target == NULL || strcmp(opt->target, "stderr") == 0) {
		mode_set(opt, stderr_is_journal() ? SINK_JOURNAL : SINK_STDERR);
		file_leave();
	} else if (strcmp(opt->target, "syslog") == 0) {
		openlog("wsgate", LOG_PID | LOG_NDELAY, LOG_DAEMON);
		mode_set(opt, SINK_SYSLOG);
		file_leave();
	} else {
		if (file_open(opt->target) == -1)
			return -1;
		mode_set(opt, SINK_FILE);
	}
	return 0;
}

bool
log_wants(enum log_level level)
{
	return level <= mode_now().level;
}

int
log_level_parse(struct slice name, enum log_level *out)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (slice_equals_nocase(name, levels[i].name)) {
			*out = (enum log_level)i;
			return 0;
		}
	return -1;
}

static bool
line_has_room(const struct line *l, size_t len)
{
	return !l->cut && l->len + len <= LINE_CEILING - LINE_RESERVE;
}

/* Into the reserve, if need be: for marks and closing brackets only. */
static void
line_end(struct line *l, const char *text)
{
	size_t len = strlen(text);
	memcpy(l->data + l->len, text, len);
	l->len += len;
}

static void
line_cut(struct line *l, const char *mark)
{
	if (!l->cut)
		line_end(l, mark);
	l->cut = true;
}

static void
line_put(struct line *l, const char *text, size_t len)
{
	if (!line_has_room(l, len)) {
		line_cut(l, "...");
		return;
	}
	memcpy(l->data + l->len, text, len);
	l->len += len;
}

static void
line_word(struct line *l, const char *word)
{
	line_put(l, word, strlen(word));
}

/* How a text is shown. */
enum style { STYLE_PLAIN, STYLE_QUOTED, STYLE_JSON };

static bool
is_tail(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The code point at P, of LEN bytes; LEN is 0 if there is no valid one. */
struct point {
	uint32_t value;
	size_t len;
};

static struct point
point_at(const unsigned char *p, size_t left)
{
	struct point point = { p[0], 1 };
	if (p[0] < 0x80)
		return point;
	if (left >= 2 && p[0] >= 0xc2 && p[0] <= 0xdf && is_tail(p[1]))
		return (struct point){ (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU), 2 };
	if (left >= 3 && p[0] >> 4 == 0xe && is_tail(p[1]) && is_tail(p[2]))
		point = (struct point){ (p[0] & 0xfU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU), 3 };
	else if (left >= 4 && p[0] >> 3 == 0x1e && is_tail(p[1]) && is_tail(p[2]) && is_tail(p[3]))
		point = (struct point){ (p[0] & 7U) << 18 | (p[1] & 0x3fU) << 12 | (p[2] & 0x3fU) << 6 | (p[3] & 0x3fU), 4 };
	uint32_t least = point.len == 3 ? 0x800 : 0x10000;
	if (point.value < least || point.value > 0x10ffff || (point.value >= 0xd800 && point.value <= 0xdfff))
		point.len = 0;
	return point;
}

/* C0, DEL, and C1, which some terminals obey too. */
static bool
is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

static void
line_hex(struct line *l, const unsigned char *p, size_t len)
{
	char escape[UNIT_MAX];
	size_t used = 0;
	for (size_t i = 0; i < len; i++)
		used += (size_t)snprintf(escape + used, sizeof(escape) - used, "\\x%02x", p[i]);
	line_put(l, escape, used);
}

static void
line_json_control(struct line *l, uint32_t point)
{
	static const char letters[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
	char escape[UNIT_MAX];
	if (point < sizeof(letters) && letters[point] != '\0')
		snprintf(escape, sizeof(escape), "\\%c", letters[point]);
	else
		snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)point);
	line_word(l, escape);
}

/* Puts what stands at P, so that it can neither end the line nor its quotes. Returns the bytes it took. */
static size_t
line_character(struct line *l, enum style style, const unsigned char *p, size_t left)
{
	struct point point = point_at(p, left);
	size_t len = point.len == 0 ? 1 : point.len;
	if (point.len == 0 && style == STYLE_JSON)
		line_word(l, "\\ufffd");
	else if (point.len == 0)
		line_hex(l, p, 1);
	else if (is_control(point.value) && style == STYLE_JSON)
		line_json_control(l, point.value);
	else if (is_control(point.value))
		line_hex(l, p, len);
	else if (style != STYLE_PLAIN && (*p == '"' || *p == '\\'))
		line_put(l, (const char[]){ '\\', (char)*p }, 2);
	else
		line_put(l, (const char *)p, len);
	return len;
}

static void
line_text(struct line *l, enum style style, struct slice text)
{
	const unsigned char *p = (const unsigned char *)text.data;
	for (size_t at = 0; at < text.len && !l->cut;)
		at += line_character(l, style, p + at, text.len - at);
}

static void
line_quoted(struct line *l, enum style style, struct slice text)
{
	line_put(l, "\"", 1);
	line_text(l, style, text);
	line_end(l, "\"");
}

/* Can it stand without quotes, as one word? */
static bool
is_bare(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.data[i];
		if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\')
			return false;
	}
	return text.len > 0;
}

static void
line_value(struct line *l, enum log_format format, const struct log_field *field)
{
	if (field->text.data == NULL) /* line_field() has seen to its room */
		l->len = (size_t)(text_put_number(l->data + l->len, field->number) - l->data);
	else if (format == LOG_FORMAT_JSON)
		line_quoted(l, STYLE_JSON, field->text);
	else if (is_bare(field->text) && line_has_room(l, field->text.len))
		line_put(l, field->text.data, field->text.len);
	else if (is_bare(field->text))
		line_text(l, STYLE_PLAIN, field->text);
	else
		line_quoted(l, STYLE_QUOTED, field->text);
}

/* `name=value` or `"name":value`, after what separates it from the one before. */
static void
line_field(struct line *l, enum log_format format, const struct log_field *field)
{
	bool json = format == LOG_FORMAT_JSON;
	size_t name_len = strlen(field->name);
	/* At least the name and a number, or no trace of it: half a name would be a lie. */
	if (!line_has_room(l, name_len + UNIT_MAX)) {
		line_cut(l, json ? ",\"...\":true" : " ...");
		return;
	}
	char *at = l->data + l->len;
	if (l->words++ > 0)
		*at++ = json ? ',' : ' ';
	if (json)
		*at++ = '"';
	memcpy(at, field->name, name_len);
	at += name_len;
	if (json)
		*at++ = '"';
	*at++ = json ? ':' : '=';
	l->len = (size_t)(at - l->data);
	line_value(l, format, field);
}

/* WIDTH digits and what stands behind them. Returns where to go on. */
static char *
put_digits(char *at, unsigned number, int width, char behind)
{
	for (int i = width - 1; i >= 0; i--, number /= 10)
		at[i] = (char)('0' + number % 10);
	at[width] = behind;
	return at + width + 1;
}

/* RFC 3339, UTC, milliseconds. By hand: with strftime(3) and printf it was a third of the work of an access line. */
static const char *
time_now(char out[static TIME_MAX])
{
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	char *at = put_digits(out, (unsigned)utc.tm_year + 1900, 4, '-');
	at = put_digits(at, (unsigned)utc.tm_mon + 1, 2, '-');
	at = put_digits(at, (unsigned)utc.tm_mday, 2, 'T');
	at = put_digits(at, (unsigned)utc.tm_hour, 2, ':');
	at = put_digits(at, (unsigned)utc.tm_min, 2, ':');
	at = put_digits(at, (unsigned)utc.tm_sec, 2, '.');
	at = put_digits(at, (unsigned)(now.tv_nsec / 1000000), 3, 'Z');
	*at = '\0';
	return out;
}

static void
line_begin(struct line *l, const struct mode *mode, enum log_level level)
{
	char now[TIME_MAX];
	bool timed = mode->sink == SINK_STDERR || mode->sink == SINK_FILE;
	l->len = 0;
	l->words = 0;
	l->cut = false;
	if (mode->sink == SINK_JOURNAL)
		l->len = (size_t)snprintf(l->data, UNIT_MAX, "<%d>", levels[level].priority);
	if (timed)
		time_now(now);
	if (mode->format == LOG_FORMAT_TEXT) {
		line_word(l, timed ? now : "");
		line_word(l, timed ? " " : "");
		line_word(l, levels[level].name);
		l->words++;
		return;
	}
	line_word(l, mode->format == LOG_FORMAT_JSON ? "{" : "");
	if (timed)
		line_field(l, mode->format, &(struct log_field){ .name = "time", .text = slice_of(now) });
	line_field(l, mode->format, &(struct log_field){ .name = "level", .text = slice_of(levels[level].name) });
}

/* What the line is about: all of it, or the head of its fields. */
static void
line_subject(struct line *l, const struct mode *mode, const char *name, struct slice text)
{
	if (mode->format == LOG_FORMAT_TEXT) {
		line_word(l, " ");
		line_text(l, STYLE_PLAIN, text);
		return;
	}
	line_field(l, mode->format, &(struct log_field){ .name = name, .text = text });
}

static void
line_write(struct line *l, int fd)
{
	ssize_t written;
	line_end(l, "\n");
	do
		written = write(fd, l->data, l->len);
	while (written == -1 && errno == EINTR);
	/* A log that cannot be written has nobody to tell. */
}

static void
line_finish(struct line *l, const struct mode *mode, enum log_level level)
{
	if (mode->format == LOG_FORMAT_JSON)
		line_end(l, "}");
	if (mode->sink == SINK_SYSLOG)
		syslog(levels[level].priority, "%.*s", (int)l->len, l->data);
	else
		line_write(l, mode->sink == SINK_FILE ? file_fd : STDERR_FILENO);
}

void
log_write(enum log_level level, const char *format, ...)
{
	struct mode mode = mode_now();
	struct line line;
	char text[LINE_CEILING]; /* what does not fit here would not fit on the line either */
	va_list args;
	if (level > mode.level)
		return;
	int saved_errno = errno;
	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	struct slice message = slice_of(format);
	if (len >= 0)
		message = (struct slice){ text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1 };
	line_begin(&line, &mode, level);
	line_subject(&line, &mode, "msg", message);
	line_finish(&line, &mode, level);
	errno = saved_errno;
}

void
log_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	struct mode mode = mode_now();
	struct line line;
	if (level > mode.level)
		return;
	int saved_errno = errno;
	line_begin(&line, &mode, level);
	line_subject(&line, &mode, "event", slice_of(event));
	for (size_t i = 0; i < count; i++)
		line_field(&line, mode.format, &fields[i]);
	line_finish(&line, &mode, level);
	errno = saved_errno;
}
