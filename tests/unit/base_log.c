/*
 * log: what the operator reads is one whole line per fact, whoever wrote the words in it.
 *
 * stderr is a datagram socket here, so that what one write(2) sent is what one recv(2) gets.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { TIME_LEN = 24, LINE_CEILING = 8192 };

static int reader; /* of what stderr was sent */
static int real_stderr;
static char directory[] = "/tmp/base_log.XXXXXX";
static char got[2 * LINE_CEILING];

/* Stand in for the C library's, which would need a daemon. _FORTIFY_SOURCE calls the second one. */
void openlog(const char *ident, int option, int facility);
void syslog(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __syslog_chk(int priority, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));

static char syslog_ident[32], syslog_line[2 * LINE_CEILING];
static int syslog_priority;

void
openlog(const char *ident, int option, int facility)
{
	(void)option;
	(void)facility;
	snprintf(syslog_ident, sizeof(syslog_ident), "%s", ident);
}

void
syslog(int priority, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	syslog_priority = priority;
	vsnprintf(syslog_line, sizeof(syslog_line), format, args);
	va_end(args);
}

void
__syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;
	(void)flag;
	va_start(args, format);
	syslog_priority = priority;
	vsnprintf(syslog_line, sizeof(syslog_line), format, args);
	va_end(args);
}

static void
open_log(enum log_level level, enum log_format format, const char *target)
{
	assert_int_equal(log_open(&(struct log_options){ level, format, target }), 0);
}

/* The next line on stderr, without its newline; NULL if there is none. */
static const char *
next_line(void)
{
	ssize_t len = recv(reader, got, sizeof(got) - 1, MSG_DONTWAIT);
	if (len == -1)
		return NULL;
	assert_true(len > 0 && len <= LINE_CEILING);
	assert_ptr_equal(memchr(got, '\n', (size_t)len), got + len - 1);
	got[len - 1] = '\0';
	return got;
}

static void
assert_time(const char *text)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	struct tm utc = { 0 };
	for (int i = 0; i < TIME_LEN; i++)
		if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			fail_msg("'%s' does not begin with a time", text);
	assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%S", &utc));
	struct timespec now; /* time(2) may be some milliseconds behind */
	clock_gettime(CLOCK_REALTIME, &now);
	assert_in_range(timegm(&utc), now.tv_sec - 5, now.tv_sec);
}

static void
assert_next(const char *expected)
{
	const char *line = next_line();
	assert_non_null(line);
	assert_time(line);
	assert_int_equal(line[TIME_LEN], ' ');
	assert_string_equal(line + TIME_LEN + 1, expected);
}

static void
assert_next_json(const char *expected)
{
	const char *line = next_line();
	assert_non_null(line);
	assert_memory_equal(line, "{\"time\":\"", 9);
	assert_time(line + 9);
	assert_memory_equal(line + 9 + TIME_LEN, "\",", 2);
	assert_string_equal(line + 9 + TIME_LEN + 2, expected);
}

static void
assert_next_logfmt(const char *expected)
{
	const char *line = next_line();
	assert_non_null(line);
	assert_memory_equal(line, "time=", 5);
	assert_time(line + 5);
	assert_string_equal(line + 5 + TIME_LEN, expected);
}

static int
give_stderr_a_reader(void **state)
{
	(void)state;
	int pair[2], size = 1 << 20;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	reader = pair[0];
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(pair[1], STDERR_FILENO);
	close(pair[1]);
	unsetenv("JOURNAL_STREAM");
	return log_open(&(struct log_options){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "stderr" });
}

static int
give_stderr_back(void **state)
{
	(void)state;
	/* A file that is still a target is left first. */
	log_open(&(struct log_options){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "stderr" });
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(reader);
	return 0;
}

static void
a_line_tells_the_time_the_level_and_what_happened(void **state)
{
	(void)state;
	log_warn("port %d is taken; %s", 80, "--port=8080 would be free");
	assert_next("warn port 80 is taken; --port=8080 would be free");
	log_write(LOG_LEVEL_FATAL, "gone");
	assert_next("fatal gone");
	log_error("%s", "");
	assert_next("error ");
	assert_null(next_line());
}

static void
what_nobody_asked_for_is_not_written(void **state)
{
	(void)state;
	open_log(LOG_LEVEL_WARN, LOG_FORMAT_TEXT, "stderr");
	assert_true(log_wants(LOG_LEVEL_FATAL));
	assert_true(log_wants(LOG_LEVEL_WARN));
	assert_false(log_wants(LOG_LEVEL_ACCESS));
	log_write(LOG_LEVEL_ACCESS, "no");
	log_fields(LOG_LEVEL_INFO, "no", NULL, 0);
	open_log(LOG_LEVEL_NONE, LOG_FORMAT_TEXT, "stderr");
	assert_false(log_wants(LOG_LEVEL_FATAL));
	log_write(LOG_LEVEL_FATAL, "no");
	assert_null(next_line());
	open_log(LOG_LEVEL_TRACE, LOG_FORMAT_TEXT, NULL);
	log_write(LOG_LEVEL_TRACE, "yes");
	assert_next("trace yes");
}

static void
nobody_can_forge_a_line(void **state)
{
	(void)state;
	log_info("path /a%s", "\nfatal all is lost\r\x1b[2J\x7f");
	assert_next("info path /a\\x0afatal all is lost\\x0d\\x1b[2J\\x7f");
	/* C1 in UTF-8 (CSI), a lone byte, a surrogate, an overlong newline, a cut character. */
	log_info("%s", "\xc2\x9b|\xff|\xed\xa0\x80|\xc0\x8a|\xe2\x82");
	assert_next("info \\xc2\\x9b|\\xff|\\xed\\xa0\\x80|\\xc0\\x8a|\\xe2\\x82");
	log_info("%s", "J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80 \"quoted\" \\ \xf4\x8f\xbf\xbf \xf4\x90\x80\x80");
	assert_next("info J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80 \"quoted\" \\ \xf4\x8f\xbf\xbf \\xf4\\x90\\x80\\x80");
}

static void
json_lines_are_json(void **state)
{
	(void)state;
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "stderr");
	log_warn("say \"hi\"\\ %s", "\n\t\r\b\f\x01\x7f \xc3\xbc\xff\xc2\x85.");
	assert_next_json("\"level\":\"warn\",\"msg\":\"say \\\"hi\\\"\\\\ \\n\\t\\r\\b\\f\\u0001\\u007f "
			 "\xc3\xbc\\ufffd\\u0085.\"}");
}

static void
logfmt_lines_can_be_taken_apart_again(void **state)
{
	(void)state;
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, "stderr");
	log_info("ready");
	assert_next_logfmt(" level=info msg=ready");
	log_info("say \"hi\" a=b \\ %s", "\n");
	assert_next_logfmt(" level=info msg=\"say \\\"hi\\\" a=b \\\\ \\x0a\"");
}

static const struct log_field closed[] = {
	{ .name = "client", .text = { "127.0.0.1:5000", 14 } },
	{ .name = "path", .text = { "/a\0b\n", 5 } },
	{ .name = "reason", .text = { "exit 3>", 7 } },
	{ .name = "user", .text = { "", 0 } },
	{ .name = "bytes", .number = UINT64_MAX },
	{ .name = "children", .number = 0 },
};

static void
fields_keep_their_names_in_every_format(void **state)
{
	(void)state;
	log_fields(LOG_LEVEL_ACCESS, "closed", closed, 6);
	assert_next("access closed client=127.0.0.1:5000 path=\"/a\\x00b\\x0a\" reason=\"exit 3>\" user=\"\" "
		    "bytes=18446744073709551615 children=0");
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, "stderr");
	log_fields(LOG_LEVEL_ACCESS, "closed", closed, 6);
	assert_next_logfmt(" level=access event=closed client=127.0.0.1:5000 path=\"/a\\x00b\\x0a\" reason=\"exit 3>\" user=\"\" "
			   "bytes=18446744073709551615 children=0");
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "stderr");
	log_fields(LOG_LEVEL_ACCESS, "closed", closed, 6);
	assert_next_json("\"level\":\"access\",\"event\":\"closed\",\"client\":\"127.0.0.1:5000\",\"path\":\"/a\\u0000b\\n\","
			 "\"reason\":\"exit 3>\",\"user\":\"\",\"bytes\":18446744073709551615,\"children\":0}");
}

/* Quotes come in pairs and the object is closed. */
static void
assert_json_object(const char *line)
{
	bool quoted = false;
	const char *p;
	for (p = line; *p != '\0'; p++) {
		if (quoted && *p == '\\')
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && *p == '}')
			break;
	}
	assert_string_equal(p, "}");
}

/* Of the right length for its format, and no character or escape cut in two before the dots. */
static void
assert_cut_well(const char *line, enum log_format format, const char *unit)
{
	size_t len = strlen(line), dots = len - (format == LOG_FORMAT_TEXT ? 3 : format == LOG_FORMAT_LOGFMT ? 4 : 5);
	assert_in_range(len, LINE_CEILING - 32, LINE_CEILING - 1);
	assert_memory_equal(line + dots, "...", 3);
	assert_memory_equal(line + dots - strlen(unit), unit, strlen(unit));
	if (format == LOG_FORMAT_JSON)
		assert_json_object(line);
}

static void
an_endless_message_is_cut_and_says_so(void **state)
{
	(void)state;
	/* What is written, and what it becomes as JSON and elsewhere. */
	static const char *const units[][3] = { { "a", "a", "a" }, { "\xe2\x82\xac", "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\x01", "\\u0001", "\\x01" }, { "\xff", "\\ufffd", "\\xff" } };
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_LOGFMT; format++) {
		open_log(LOG_LEVEL_INFO, (enum log_format)format, "stderr");
		for (size_t unit = 0; unit < 4; unit++)
			for (int lead = 0; lead < 8; lead++) {
				static char text[3 * LINE_CEILING + 16];
				size_t len = (size_t)snprintf(text, sizeof(text), " %.*s", lead, "1234567");
				while (len < 2 * LINE_CEILING)
					len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", units[unit][0]);
				log_info("%s", text);
				assert_cut_well(
					next_line(), (enum log_format)format, units[unit][format == LOG_FORMAT_JSON ? 1 : 2]);
			}
	}
}

/* At every length near the ceiling: no line is longer, and only those that must be are cut. */
static void
lines_near_the_ceiling_are_whole_or_cut(void **state)
{
	(void)state;
	static char text[LINE_CEILING];
	memset(text, 'a', sizeof(text));
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_LOGFMT; format++) {
		open_log(LOG_LEVEL_INFO, (enum log_format)format, "stderr");
		int whole = 0, cut = 0;
		for (int len = LINE_CEILING - 250; len < LINE_CEILING; len++) {
			struct log_field fields[] = {
				{ .name = "text", .text = { text, (size_t)len } },
				{ .name = "number", .number = 12345 },
				{ .name = "more", .text = { "more words", 10 } },
			};
			log_fields(LOG_LEVEL_INFO, "event", fields, 3);
			const char *line = next_line();
			assert_non_null(line);
			if (format == LOG_FORMAT_JSON)
				assert_json_object(line);
			bool has_end = strstr(line, "more words") != NULL, has_mark = strstr(line, "...") != NULL;
			assert_int_equal(has_end, !has_mark);
			assert_ptr_equal(strstr(line, "..."), has_mark ? strrchr(line, '.') - 2 : NULL);
			whole += has_end;
			cut += has_mark;
		}
		assert_true(whole > 0 && cut > 0);
	}
}

static void
the_journal_gets_a_priority_instead_of_a_time(void **state)
{
	(void)state;
	struct stat st;
	char stream[64];
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, "stderr");
	log_warn("slow");
	assert_string_equal(next_line(), "<4>warn slow");
	log_debug("fast");
	assert_string_equal(next_line(), "<7>debug fast");
	open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, "stderr");
	log_error("bad");
	assert_string_equal(next_line(), "<3>{\"level\":\"error\",\"msg\":\"bad\"}");
	open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT, "stderr");
	log_info("good");
	assert_string_equal(next_line(), "<6>level=info msg=good");
	/* Inherited, but stderr has gone elsewhere since. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, "stderr");
	log_warn("slow");
	assert_next("warn slow");
}

static void
syslog_gets_the_line_and_its_priority(void **state)
{
	(void)state;
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "syslog");
	log_warn("100%% slow %s", "%n%s\n");
	assert_string_equal(syslog_ident, "wsgate");
	assert_int_equal(syslog_priority, 4);
	assert_string_equal(syslog_line, "warn 100% slow %n%s\\x0a");
	assert_null(next_line());
}

static const char *
path_of(const char *name)
{
	static char paths[4][64];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static char *
contents(const char *path)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void
a_file_is_appended_to(void **state)
{
	(void)state;
	const char *path = path_of("append");
	for (int i = 0; i < 2; i++) {
		open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path);
		log_info("run %d", i);
		open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "stderr");
		log_info("between");
		assert_next("info between");
	}
	char *text = contents(path), *second = strchr(text, '\n') + 1;
	assert_time(text);
	assert_string_equal(second + TIME_LEN, " info run 1\n");
	second[-1] = '\0';
	assert_string_equal(text + TIME_LEN, " info run 0");
	unlink(path);
}

static void
a_file_that_cannot_be_opened_changes_nothing(void **state)
{
	(void)state;
	struct log_options wrong = { LOG_LEVEL_TRACE, LOG_FORMAT_JSON, path_of("none/such") };
	assert_int_equal(log_open(&wrong), -1);
	assert_int_equal(errno, ENOENT);
	log_info("still here");
	assert_next("info still here");
	assert_false(log_wants(LOG_LEVEL_TRACE));
	const char *path = path_of("kept");
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path);
	assert_int_equal(log_open(&wrong), -1);
	log_info("in the file");
	assert_string_equal(contents(path) + TIME_LEN, " info in the file\n");
	unlink(path);
}

static void
the_log_is_not_handed_down_to_children(void **state)
{
	(void)state;
	const char *path = path_of("inherit");
	struct stat file, st;
	for (int i = 0; i < 2; i++) {
		open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path);
		assert_int_equal(stat(path, &file), 0);
		int found = 0;
		for (int fd = 0; fd < 256; fd++)
			if (fstat(fd, &st) == 0 && st.st_ino == file.st_ino && st.st_dev == file.st_dev) {
				found++;
				assert_true(fd > STDERR_FILENO);
				assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
			}
		assert_int_equal(found, 1);
	}
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "stderr");
	for (int fd = 0; fd < 256; fd++)
		assert_false(fstat(fd, &st) == 0 && st.st_ino == file.st_ino && st.st_dev == file.st_dev);
	unlink(path);
}

enum { WRITERS = 4, LINES = 3000 };

static void *
write_lines(void *number)
{
	for (int i = 0; i < LINES; i++)
		log_info("writer %d line %d", *(int *)number, i);
	return NULL;
}

/* Counts the lines of a file into NEXT, each of which must be whole and follow its writer's last one. */
static void
count_lines(const char *path, int next[WRITERS])
{
	for (char *line = strtok(contents(path), "\n"); line != NULL; line = strtok(NULL, "\n")) {
		int writer, number, end = 0;
		assert_time(line);
		assert_int_equal(sscanf(line + TIME_LEN, " info writer %d line %d%n", &writer, &number, &end), 2);
		assert_int_equal(line[TIME_LEN + end], '\0');
		assert_in_range(writer, 0, WRITERS - 1);
		assert_int_equal(number, next[writer]);
		next[writer]++;
	}
}

static void
rotation_loses_no_line_while_workers_write(void **state)
{
	(void)state;
	pthread_t threads[WRITERS];
	int numbers[WRITERS], next[WRITERS] = { 0 }, files = 0;
	const char *path = path_of("rotated");
	char old[64];
	open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path);
	for (int i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
	}
	for (; files < 50; files++) {
		snprintf(old, sizeof(old), "%s/%d", directory, files);
		assert_int_equal(rename(path, old), 0);
		open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < files; i++) {
		snprintf(old, sizeof(old), "%s/%d", directory, i);
		count_lines(old, next);
		unlink(old);
	}
	count_lines(path, next);
	unlink(path);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(next[i], LINES);
}

static void
a_change_of_target_loses_no_line_while_workers_write(void **state)
{
	(void)state;
	pthread_t threads[WRITERS];
	int numbers[WRITERS], total = 0;
	const char *path = path_of("file"), *shown = path_of("shown");
	int fd = open(shown, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600), was = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	for (int i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
	}
	for (int i = 0; i < 100; i++)
		open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, i % 2 == 0 ? path : "stderr");
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	dup2(was, STDERR_FILENO);
	close(was);
	close(fd);
	for (const char *p = contents(path); (p = strchr(p, '\n')) != NULL; p++)
		total++;
	for (const char *p = contents(shown); (p = strchr(p, '\n')) != NULL; p++)
		total++;
	assert_int_equal(total, WRITERS * LINES);
	unlink(path);
	unlink(shown);
}

static void
errno_is_kept_for_the_caller(void **state)
{
	(void)state;
	errno = ENOENT;
	log_warn("who asks?");
	assert_int_equal(errno, ENOENT);
	assert_next("warn who asks?");
	errno = EAGAIN;
	log_fields(LOG_LEVEL_INFO, "event", closed, 1);
	assert_int_equal(errno, EAGAIN);
	/* Nobody reads any more: no fault of the caller's. */
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	dup2(fd, STDERR_FILENO);
	close(fd);
	log_warn("lost");
	assert_int_equal(errno, EAGAIN);
}

static void
levels_have_names(void **state)
{
	(void)state;
	static const char *const names[] = { "none", "fatal", "error", "warn", "access", "info", "debug", "trace" };
	enum log_level level;
	for (int i = 0; i < 8; i++) {
		assert_int_equal(log_level_parse(slice_of(names[i]), &level), 0);
		assert_int_equal(level, i);
	}
	level = LOG_LEVEL_WARN;
	assert_int_equal(log_level_parse(slice_of("warning"), &level), -1);
	assert_int_equal(log_level_parse(slice_of(""), &level), -1);
	assert_int_equal(level, LOG_LEVEL_WARN);
}

static int
make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

#define log_test(name) cmocka_unit_test_setup_teardown(name, give_stderr_a_reader, give_stderr_back)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(a_line_tells_the_time_the_level_and_what_happened),
		log_test(what_nobody_asked_for_is_not_written),
		log_test(nobody_can_forge_a_line),
		log_test(json_lines_are_json),
		log_test(logfmt_lines_can_be_taken_apart_again),
		log_test(fields_keep_their_names_in_every_format),
		log_test(an_endless_message_is_cut_and_says_so),
		log_test(lines_near_the_ceiling_are_whole_or_cut),
		log_test(the_journal_gets_a_priority_instead_of_a_time),
		log_test(syslog_gets_the_line_and_its_priority),
		log_test(a_file_is_appended_to),
		log_test(a_file_that_cannot_be_opened_changes_nothing),
		log_test(the_log_is_not_handed_down_to_children),
		log_test(rotation_loses_no_line_while_workers_write),
		log_test(a_change_of_target_loses_no_line_while_workers_write),
		log_test(errno_is_kept_for_the_caller),
		cmocka_unit_test(levels_have_names),
	};
	return cmocka_run_group_tests_name("base_log", tests, make_directory, remove_directory);
}
