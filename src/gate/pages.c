/*
 * The one idea: a request is settled before a byte is sent. What file it is, which part of it, and
 * the whole head are known when page_open() returns; what remains is to move the bytes, and of those
 * only as many as the stream's queue should hold.
 *
 * The folder is never left because the kernel walks it (openat2, RESOLVE_BENEATH): no check of ours
 * on a name can be overtaken by someone who swaps a directory for a symlink meanwhile.
 */
#include "gate/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "gate/folder.h"

enum {
	BLOCK_MAX = 64 * 1024,
	QUEUE_MAX = 256 * 1024, /* above it the client is the slow one */
	TURN_MAX = 1024 * 1024, /* for one client, before the others of the loop have their turn */
	MIME_TYPES_MAX = 1024 * 1024,
};

struct page {
	struct stream *stream;
	const struct route *route;
	int fd;                /* -1 if nothing of a file is sent */
	uint64_t at, left;     /* in the file: where we are, and how much is still to go */
	uint64_t sent;         /* bytes of the body */
	size_t head_len;       /* what waits at the start of the block: the head, until it is sent */
	unsigned char block[]; /* the head and BLOCK_MAX bytes, or less if the body is smaller */
};

struct file {
	int fd; /* -1 unless open */
	struct stat stat;
	struct slice type; /* points to static text */
};

/* All that is known about what will be said. */
struct answer {
	const struct route *route;
	const struct http_request *req;
	struct slice rest;
	bool keep_alive;
	bool is_head;
	bool is_fresh; /* the file may change again without its dates telling: see judge_age */
	int status;
	int64_t now;
	int64_t modified;
	struct file file;
	uint64_t size;
	uint64_t first, length; /* the part of the file that is the body */
	char etag[64];
};

/* --- types -------------------------------------------------------------------------------------- */

#define UNKNOWN_TYPE "application/octet-stream"

/* What pages are made of; systems disagree about some of these, and a minimal one has no list at all. */
static const struct mime {
	const char *extension;
	const char *type;
} mimes[] = {
	{ "html", "text/html" },
	{ "htm", "text/html" },
	{ "xhtml", "application/xhtml+xml" },
	{ "css", "text/css" },
	{ "js", "text/javascript" },
	{ "mjs", "text/javascript" },
	{ "json", "application/json" },
	{ "map", "application/json" },
	{ "webmanifest", "application/manifest+json" },
	{ "wasm", "application/wasm" },
	{ "txt", "text/plain" },
	{ "log", "text/plain" },
	{ "md", "text/markdown" },
	{ "csv", "text/csv" },
	{ "vtt", "text/vtt" },
	{ "ics", "text/calendar" },
	{ "xml", "application/xml" },
	{ "atom", "application/atom+xml" },
	{ "rss", "application/rss+xml" },
	{ "pdf", "application/pdf" },
	{ "svg", "image/svg+xml" },
	{ "png", "image/png" },
	{ "jpg", "image/jpeg" },
	{ "jpeg", "image/jpeg" },
	{ "gif", "image/gif" },
	{ "webp", "image/webp" },
	{ "avif", "image/avif" },
	{ "bmp", "image/bmp" },
	{ "ico", "image/vnd.microsoft.icon" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "ttf", "font/ttf" },
	{ "otf", "font/otf" },
	{ "mp3", "audio/mpeg" },
	{ "m4a", "audio/mp4" },
	{ "aac", "audio/aac" },
	{ "ogg", "audio/ogg" },
	{ "opus", "audio/ogg" },
	{ "wav", "audio/wav" },
	{ "flac", "audio/flac" },
	{ "mp4", "video/mp4" },
	{ "webm", "video/webm" },
	{ "ogv", "video/ogg" },
	{ "mov", "video/quicktime" },
	{ "zip", "application/zip" },
	{ "gz", "application/gzip" },
	{ "tar", "application/x-tar" },
	{ "bz2", "application/x-bzip2" },
	{ "xz", "application/x-xz" },
	{ "7z", "application/x-7z-compressed" },
};

/* The system's list, as text: it is asked so rarely that an index would cost more than it saves. */
static struct buf mime_types;
static pthread_once_t mime_types_once = PTHREAD_ONCE_INIT;

static void
read_mime_types(void)
{
	int fd = open("/etc/mime.types", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return;
	while (buf_len(&mime_types) < MIME_TYPES_MAX) {
		unsigned char *room = buf_reserve(&mime_types, BLOCK_MAX);
		ssize_t n = room == NULL ? -1 : read(fd, room, BLOCK_MAX);
		if (n <= 0)
			break;
		buf_commit(&mime_types, (size_t)n);
	}
	close(fd);
}

static bool
take_line(struct slice *text, struct slice *line)
{
	if (text->len == 0)
		return false;
	const char *end = memchr(text->data, '\n', text->len);
	size_t len = end == NULL ? text->len : (size_t)(end - text->data);
	size_t taken = end == NULL ? len : len + 1;
	*line = (struct slice){ text->data, len > 0 && text->data[len - 1] == '\r' ? len - 1 : len };
	*text = (struct slice){ text->data + taken, text->len - taken };
	return true;
}

/* A line is "type extension extension...". */
static struct slice
listed_type(const char *extension)
{
	pthread_once(&mime_types_once, read_mime_types);
	struct span list = buf_span(&mime_types);
	struct slice text = { (const char *)list.data, list.len }, line, type, word;
	while (list.data != NULL && take_line(&text, &line)) {
		if (slice_starts(line, "#") || !text_next_word(&line, &type))
			continue;
		while (text_next_word(&line, &word))
			if (slice_equals_nocase(word, extension))
				return type;
	}
	return slice_of(UNKNOWN_TYPE);
}

static struct slice
type_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *dot = strrchr(slash == NULL ? path : slash, '.');
	if (dot == NULL || dot[1] == '\0')
		return slice_of(UNKNOWN_TYPE);
	for (size_t i = 0; i < sizeof(mimes) / sizeof(mimes[0]); i++)
		if (slice_equals_nocase(slice_of(dot + 1), mimes[i].extension))
			return slice_of(mimes[i].type);
	return listed_type(dot + 1);
}

/* --- finding ------------------------------------------------------------------------------------ */

/* What the client may know of ERROR. That a link points out of the folder is none of its business. */
static int
status_of_error(const struct route *route, int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case EXDEV:
	case ENAMETOOLONG:
	case ENXIO: /* a socket */
	case ENODEV:
		return 404;
	case EACCES:
		return 403;
	default:
		log_error("route %s: a file in %s cannot be opened: %s%s", route->path, route->static_dir, strerror(error),
			error == ENOSYS || error == EPERM ? " (openat2(2) is needed: Linux 5.6, and a sandbox that permits it)"
							  : "");
		return error == EMFILE || error == ENFILE || error == ENOMEM || error == EAGAIN ? 503 : 500;
	}
}

static void
close_file(struct file *file)
{
	if (file->fd != -1)
		close(file->fd);
	file->fd = -1;
}

static int
kind_of(const struct route *route, struct file *file)
{
	if (fstat(file->fd, &file->stat) == -1)
		return status_of_error(route, errno);
	if (S_ISDIR(file->stat.st_mode))
		return 301;
	return S_ISREG(file->stat.st_mode) ? 200 : 404;
}

/* Returns 200 with FILE open, 301 if it is a directory, or what to refuse with. */
static int
open_file(const struct route *route, int root, const char *path, struct file *file)
{
	/* O_NONBLOCK: a FIFO without a writer would hold the loop. */
	file->fd = folder_open_beneath(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (file->fd == -1)
		return status_of_error(route, errno);
	int status = kind_of(route, file);
	if (status != 200)
		close_file(file);
	file->type = type_of(path);
	return status;
}

static bool
ends_with_slash(struct slice path)
{
	return path.len > 0 && path.data[path.len - 1] == '/';
}

static struct slice
without_leading_slashes(struct slice path)
{
	while (slice_starts(path, "/"))
		path = (struct slice){ path.data + 1, path.len - 1 };
	return path;
}

static int
open_index(const struct route *route, int root, struct slice dir, struct file *file)
{
	char path[PATH_MAX];
	if (route->index == NULL || route->index[0] == '\0')
		return 404;
	int len = snprintf(
		path, sizeof(path), "%.*s%s%s", SLICE_ARG(dir), dir.len == 0 || ends_with_slash(dir) ? "" : "/", route->index);
	if (len < 0 || (size_t)len >= sizeof(path))
		return 404;
	int status = open_file(route, root, path, file);
	return status == 301 ? 404 : status;
}

/* A directory's page is at its name with a slash, or its relative links would lead astray. */
static int
find_below(const struct route *route, int root, struct slice rest, struct file *file)
{
	struct slice name = without_leading_slashes(rest);
	bool has_slash = rest.len == 0 ? slice_equals(slice_of(route->path), "/") : ends_with_slash(rest);
	char path[PATH_MAX];
	if (name.len >= sizeof(path))
		return 404;
	if (rest.len > 0 && !has_slash) {
		snprintf(path, sizeof(path), "%.*s", SLICE_ARG(name));
		int status = open_file(route, root, path, file);
		if (status != 301)
			return status;
	}
	int status = open_index(route, root, name, file);
	if (status != 200 || has_slash)
		return status;
	close_file(file);
	return 301;
}

/* .git, .htpasswd and .env are seldom meant for all; .well-known (RFC 8615) always is. */
static bool
is_hidden(struct slice rest)
{
	struct slice path = rest;
	while ((path = without_leading_slashes(path)).len > 0) {
		const char *slash = memchr(path.data, '/', path.len);
		struct slice segment = { path.data, slash == NULL ? path.len : (size_t)(slash - path.data) };
		if (slice_starts(segment, ".") && !slice_equals(segment, ".well-known"))
			return true;
		path = (struct slice){ path.data + segment.len, path.len - segment.len };
	}
	return rest.len > 0 && memchr(rest.data, '\0', rest.len) != NULL;
}

static int
find_file(const struct route *route, struct slice rest, struct file *file)
{
	if (is_hidden(rest))
		return 404;
	int root = open(route->static_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root == -1) {
		log_error("route %s: the folder %s cannot be opened: %s", route->path, route->static_dir, strerror(errno));
		return 500;
	}
	int status = find_below(route, root, rest, file);
	close(root);
	return status;
}

/* --- conditions (RFC 9110 13) ------------------------------------------------------------------- */

/*
 * A file that changed within the last second may do so again without another date, perhaps even
 * within one tick of the file system's clock. Its validators are weak until then (8.8.1, 8.8.2.2).
 */
static void
judge_age(struct answer *a)
{
	const struct stat *st = &a->file.stat;
	a->size = (uint64_t)st->st_size;
	a->is_fresh = st->st_mtim.tv_sec >= a->now - 1;
	a->modified = st->st_mtim.tv_sec < a->now ? st->st_mtim.tv_sec : a->now; /* 8.8.2.1: never after Date */
	snprintf(a->etag, sizeof(a->etag), "%s\"%llx-%llx.%lx-%llx\"", a->is_fresh ? "W/" : "", (unsigned long long)a->size,
		(unsigned long long)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec, (unsigned long long)st->st_ino);
}

static struct slice
opaque_tag(struct slice tag)
{
	return slice_starts(tag, "W/") ? (struct slice){ tag.data + 2, tag.len - 2 } : tag;
}

/* 8.8.3.2. Strongly equal are two that are the same and not weak. */
static bool
is_same_tag(const struct answer *a, struct slice tag, bool strongly)
{
	struct slice ours = slice_of(a->etag);
	if (strongly)
		return !a->is_fresh && slice_same(tag, ours);
	return slice_same(opaque_tag(tag), opaque_tag(ours));
}

/* A tag with a comma falls into pieces here; none of them has both its quotes, so none can be ours. */
static bool
names_our_tag(const struct answer *a, const char *name, bool strongly)
{
	const struct http_field *field;
	size_t at = 0;
	while ((field = http_next_field(a->req, name, &at)) != NULL) {
		struct slice list = field->value, tag;
		while (text_next_listed(&list, &tag))
			if (slice_equals(tag, "*") || is_same_tag(a, tag, strongly))
				return true;
	}
	return false;
}

/* Two of them are no date, and what is no date is ignored (13.1.3, 13.1.4). */
static bool
has_date(const struct answer *a, const char *name, int64_t *date)
{
	return http_field_count(a->req, name) == 1 && http_parse_date(http_field(a->req, name), date) == 0;
}

/* The order of 13.2.2. */
static int
judge_conditions(const struct answer *a)
{
	int64_t date, modified = a->file.stat.st_mtim.tv_sec;
	if (http_field_count(a->req, "If-Match") > 0) {
		if (!names_our_tag(a, "If-Match", true))
			return 412;
	} else if (has_date(a, "If-Unmodified-Since", &date) && modified > date) {
		return 412;
	}
	if (http_field_count(a->req, "If-None-Match") > 0)
		return names_our_tag(a, "If-None-Match", false) ? 304 : 200;
	return has_date(a, "If-Modified-Since", &date) && modified <= date ? 304 : 200;
}

/* --- ranges (RFC 9110 14) ----------------------------------------------------------------------- */

/* Takes digits off TEXT; a number that is too large for us is larger than any file. */
static bool
take_number(struct slice *text, uint64_t *out)
{
	size_t len = 0;
	uint64_t number = 0;
	for (; len < text->len && text->data[len] >= '0' && text->data[len] <= '9'; len++)
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, text->data[len] - '0', &number))
			number = UINT64_MAX;
	*text = (struct slice){ text->data + len, text->len - len };
	*out = number;
	return len > 0;
}

static bool
take_dash(struct slice *text)
{
	bool is_dash = slice_starts(*text, "-");
	if (is_dash)
		*text = (struct slice){ text->data + 1, text->len - 1 };
	return is_dash;
}

/* "-N": the last N bytes. Of an empty file they are all of it, which no Content-Range can say. */
static int
judge_suffix(struct answer *a, struct slice spec)
{
	uint64_t wanted;
	if (!take_number(&spec, &wanted) || spec.len > 0)
		return 200;
	if (wanted == 0)
		return 416;
	if (a->size == 0)
		return 200;
	a->length = wanted < a->size ? wanted : a->size;
	a->first = a->size - a->length;
	return 206;
}

/* "N-M", "N-" or "-N". What is malformed is ignored. */
static int
judge_spec(struct answer *a, struct slice spec)
{
	uint64_t first, last = UINT64_MAX;
	if (take_dash(&spec))
		return judge_suffix(a, spec);
	if (!take_number(&spec, &first) || !take_dash(&spec))
		return 200;
	if (spec.len > 0 && (!take_number(&spec, &last) || spec.len > 0 || last < first))
		return 200;
	if (first >= a->size)
		return 416;
	if (last >= a->size)
		last = a->size - 1;
	a->first = first;
	a->length = last - first + 1;
	return 206;
}

/* 13.1.5: a weak validator proves nothing about parts. */
static bool
range_still_fits(const struct answer *a)
{
	struct slice value = http_field(a->req, "If-Range");
	int64_t date;
	if (value.data == NULL)
		return true;
	if (http_field_count(a->req, "If-Range") > 1)
		return false;
	if (http_parse_date(value, &date) == 0)
		return !a->is_fresh && date == a->modified;
	return is_same_tag(a, value, true);
}

/* Only GET has ranges (14.2). Several of them are answered with the whole file, as 14.2 allows. */
static int
judge_range(struct answer *a)
{
	struct slice value = http_field(a->req, "Range"), spec, another;
	a->length = a->size;
	if (a->is_head || http_field_count(a->req, "Range") != 1 || value.len < 6 || !range_still_fits(a))
		return 200;
	if (!slice_equals_nocase((struct slice){ value.data, 6 }, "bytes="))
		return 200;
	struct slice list = { value.data + 6, value.len - 6 };
	if (!text_next_listed(&list, &spec) || text_next_listed(&list, &another))
		return 200;
	return judge_spec(a, spec);
}

static void
judge(struct answer *a)
{
	judge_age(a);
	a->status = judge_conditions(a);
	if (a->status == 200)
		a->status = judge_range(a);
}

/* --- the head ----------------------------------------------------------------------------------- */

static bool
has_file_body(const struct answer *a)
{
	return a->status == 200 || a->status == 206;
}

/* The body of an answer that has no file to send: one line. */
static const char *
note_of(const struct answer *a)
{
	return has_file_body(a) || a->status == 304 ? "" : http_phrase(a->status);
}

static bool
lines_name(const char *lines, const char *name)
{
	struct slice text = slice_of(lines), line;
	while (take_line(&text, &line)) {
		const char *colon = memchr(line.data, ':', line.len);
		if (colon != NULL && slice_equals_nocase((struct slice){ line.data, (size_t)(colon - line.data) }, name))
			return true;
	}
	return false;
}

/* A field that gives way to the operator's own (header, header_http). */
static int
put_default(struct buf *out, const struct answer *a, const char *name, struct slice value, const char *more)
{
	if (lines_name(a->route->header, name) || lines_name(a->route->header_http, name))
		return 0;
	return buf_printf(out, "%s: %.*s%s\r\n", name, SLICE_ARG(value), more);
}

static int
put_body_fields(struct buf *out, const struct answer *a)
{
	struct slice type = has_file_body(a) ? a->file.type : slice_of("text/plain");
	const char *note = note_of(a);
	uint64_t length = has_file_body(a) ? a->length : strlen(note) + 1;
	if (a->status == 304)
		return 0;
	if (put_default(out, a, "Content-Type", type, slice_starts(type, "text/") ? "; charset=utf-8" : "") == -1)
		return -1;
	if (put_default(out, a, "X-Content-Type-Options", slice_of("nosniff"), "") == -1)
		return -1;
	return buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)length);
}

/* A 304 has no Last-Modified: the tag is enough (RFC 9110 15.4.5). */
static int
put_validators(struct buf *out, const struct answer *a)
{
	char date[30];
	if (a->status == 301)
		return 0;
	if (buf_printf(out, "ETag: %s\r\n", a->etag) == -1)
		return -1;
	if (a->status == 304)
		return 0;
	return buf_printf(out, "Last-Modified: %s\r\nAccept-Ranges: bytes\r\n", http_format_date(a->modified, date));
}

static int
put_content_range(struct buf *out, const struct answer *a)
{
	unsigned long long size = a->size, first = a->first;
	if (a->status == 416)
		return buf_printf(out, "Content-Range: bytes */%llu\r\n", size);
	if (a->status == 206)
		return buf_printf(out, "Content-Range: bytes %llu-%llu/%llu\r\n", first, first + a->length - 1, size);
	return 0;
}

static bool
is_path_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~!$&'()*+,;=:@/", c) != NULL);
}

static int
put_encoded(struct buf *out, struct slice path)
{
	for (size_t i = 0; i < path.len; i++)
		if (buf_printf(out, is_path_byte(path.data[i]) ? "%c" : "%%%02X", (unsigned char)path.data[i]) == -1)
			return -1;
	return 0;
}

/* Composed anew from the decoded path, for the target as sent may begin with "//", which would name another host. */
static int
put_location(struct buf *out, const struct answer *a)
{
	struct slice route = slice_of(a->route->path), name = without_leading_slashes(a->rest), query = a->req->query;
	if (a->status != 301)
		return 0;
	if (buf_printf(out, "Location: ") == -1 || put_encoded(out, route) == -1)
		return -1;
	if (!ends_with_slash(route) && buf_append(out, "/", 1) == -1)
		return -1;
	if (name.len > 0 && (put_encoded(out, name) == -1 || buf_append(out, "/", 1) == -1))
		return -1;
	return buf_printf(out, "%s%.*s\r\n", query.data == NULL ? "" : "?", (int)query.len, query.data == NULL ? "" : query.data);
}

static int
put_fields(struct buf *out, const struct answer *a)
{
	if (put_body_fields(out, a) == -1 || put_validators(out, a) == -1 || put_content_range(out, a) == -1 ||
		put_location(out, a) == -1)
		return -1;
	/* no-cache: keep it, but ask; so an edit shows at once and the rest is a 304. */
	if (put_default(out, a, "Cache-Control", slice_of("no-cache"), "") == -1)
		return -1;
	if (buf_printf(out, "Connection: %s\r\n%s%s", a->keep_alive ? "keep-alive" : "close", a->route->header,
		    a->route->header_http) == -1)
		return -1;
	return buf_append(out, "", 1);
}

/* The head, and the note behind it. */
static int
put_head(struct buf *out, const struct answer *a)
{
	struct buf fields = { 0 };
	const char *note = note_of(a);
	int result = put_fields(&fields, a);
	if (result == 0)
		result = http_write_head(out, a->status, a->now, (const char *)buf_span(&fields).data);
	if (result == 0 && note[0] != '\0' && !a->is_head)
		result = buf_printf(out, "%s\n", note);
	buf_clear(&fields);
	return result;
}

/* --- sending ------------------------------------------------------------------------------------ */

static size_t
next_len(const struct page *p)
{
	return p->left < BLOCK_MAX ? (size_t)p->left : BLOCK_MAX;
}

static void
complain(const struct page *p, ssize_t n)
{
	log_warn("route %s: a file in %s %s%s while it was sent; the connection is closed", p->route->path, p->route->static_dir,
		n == 0 ? "became shorter" : "could not be read: ", n == 0 ? "" : strerror(errno));
}

/* Reads the next bytes behind the head, if that still waits. Returns how many, 0 if none are wanted, -1 if it failed. */
static ssize_t
read_block(struct page *p)
{
	ssize_t n;
	if (p->left == 0)
		return 0;
	do
		n = pread(p->fd, p->block + p->head_len, next_len(p), (off_t)p->at);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		return n;
	complain(p, n);
	return -1;
}

static void
has_sent(struct page *p, size_t n)
{
	p->left -= n;
	p->sent += n;
}

/* One write: a small file leaves together with its head. */
static enum page_result
send_block(struct page *p)
{
	ssize_t n = read_block(p);
	if (n == -1 || stream_write(p->stream, p->block, p->head_len + (size_t)n) == -1)
		return PAGE_FAILED;
	p->head_len = 0;
	p->at += (uint64_t)n;
	has_sent(p, (size_t)n);
	return PAGE_DONE;
}

/* The rest of a big one goes from the file to the socket without passing through us. */
static enum page_result
send_file(struct page *p)
{
	ssize_t n = stream_send_file(p->stream, p->fd, &p->at, p->left < TURN_MAX ? (size_t)p->left : TURN_MAX);
	if (n == -1 && errno == 0)
		complain(p, 0);
	if (n == -1)
		return PAGE_FAILED;
	has_sent(p, (size_t)n);
	return n == 0 ? PAGE_MORE : PAGE_DONE;
}

enum page_result
page_continue(struct page *p)
{
	uint64_t end = p->sent + TURN_MAX;
	enum page_result step = PAGE_DONE;
	while ((p->head_len > 0 || p->left > 0) && stream_queued(p->stream) < QUEUE_MAX && step == PAGE_DONE) {
		if (p->sent >= end) {
			stream_want_room(p->stream);
			return PAGE_MORE;
		}
		step = p->head_len == 0 && stream_can_send_file(p->stream) ? send_file(p) : send_block(p);
	}
	if (step == PAGE_FAILED)
		return PAGE_FAILED;
	return p->left > 0 || stream_queued(p->stream) > 0 ? PAGE_MORE : PAGE_DONE;
}

/* --- beginning and end -------------------------------------------------------------------------- */

/* Takes A's file if there is anything of it to send. */
static struct page *
page_new(struct stream *stream, struct answer *a)
{
	struct buf head = { 0 };
	struct page *p = NULL;
	uint64_t left = has_file_body(a) && !a->is_head ? a->length : 0;
	int result = put_head(&head, a);
	struct span bytes = buf_span(&head);
	if (result == 0 && bytes.data != NULL)
		p = malloc(sizeof(*p) + bytes.len + (left < BLOCK_MAX ? (size_t)left : BLOCK_MAX));
	if (p == NULL)
		goto clear_head;
	*p = (struct page){ .stream = stream, .route = a->route, .fd = -1, .at = a->first, .left = left, .head_len = bytes.len };
	memcpy(p->block, bytes.data, bytes.len);
	if (left > 0) {
		p->fd = a->file.fd;
		a->file.fd = -1;
	}

clear_head:
	buf_clear(&head);
	return p;
}

/* The caller says the other statuses in its own words. */
static bool
is_ours_to_say(int status)
{
	return status == 200 || status == 206 || status == 301 || status == 304 || status == 412 || status == 416;
}

struct page *
page_open(struct stream *stream, const struct route *route, const struct http_request *req, struct slice rest, bool keep_alive,
	int *status)
{
	struct answer a = {
		.route = route, .req = req, .rest = rest, .keep_alive = keep_alive, .now = time(NULL), .file = { .fd = -1 }
	};
	struct page *p = NULL;
	a.is_head = slice_equals(req->method, "HEAD");
	a.status = a.is_head || slice_equals(req->method, "GET") ? find_file(route, rest, &a.file) : 405;
	if (a.status == 200)
		judge(&a);
	if (is_ours_to_say(a.status)) {
		p = page_new(stream, &a);
		if (p == NULL)
			a.status = 503;
	}
	close_file(&a.file);
	*status = a.status;
	return p;
}

uint64_t
page_sent(const struct page *p)
{
	return p->sent;
}

void
page_free(struct page *p)
{
	if (p == NULL)
		return;
	if (p->fd != -1)
		close(p->fd);
	free(p);
}
