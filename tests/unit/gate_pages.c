/*
 * Pages, from a real folder through a real stream: what a browser is told, what it may not see, and
 * how little waits for one that reads slowly.
 */
#include "gate/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { BLOCK = 64 * 1024, QUEUE_HIGH = 256 * 1024, TURN = 1024 * 1024, LARGE = 8 * 1024 * 1024 };

/* Sun, 09 Sep 2001 01:46:40 GMT */
static const time_t long_ago = 1000000000;
#define LONG_AGO "Sun, 09 Sep 2001 01:46:40 GMT"
#define LATER "Sun, 09 Sep 2001 01:46:41 GMT"
#define BEFORE "Sun, 09 Sep 2001 01:46:39 GMT"

/* --- a folder ----------------------------------------------------------------------------------- */

static char top[64], www[80], outside[80];
static struct route site;

static const char *
in_www(const char *name)
{
	static char path[2][4096];
	static int turn;
	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", www, name);
	return path[turn];
}

static void
set_age(const char *path, time_t when)
{
	struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
put_bytes(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd != -1);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
	set_age(path, long_ago);
}

static void
put_file(const char *name, const char *text)
{
	put_bytes(in_www(name), text, strlen(text));
}

static unsigned char
byte_at(uint64_t i)
{
	return (unsigned char)(i * 31 + i / 251);
}

static void
put_pattern(const char *name, size_t len)
{
	unsigned char *data = malloc(len + 1);
	for (size_t i = 0; i < len; i++)
		data[i] = byte_at(i);
	put_bytes(in_www(name), data, len);
	free(data);
}

static void
make_folder(const char *name)
{
	assert_int_equal(mkdir(in_www(name), 0755), 0);
}

static int
build_site(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/gate_pages.XXXXXX");
	assert_non_null(mkdtemp(top));
	assert_int_equal(chmod(top, 0755), 0);
	snprintf(www, sizeof(www), "%s/www", top);
	snprintf(outside, sizeof(outside), "%s/outside", top);
	assert_int_equal(mkdir(www, 0755), 0);
	assert_int_equal(mkdir(outside, 0755), 0);
	put_file("index.html", "<h1>home</h1>");
	put_file("hello.txt", "hello, world");
	put_file("empty", "");
	make_folder("docs");
	put_file("docs/index.html", "<h1>docs</h1>");
	make_folder("bare");
	put_file("bare/file.txt", "bare");
	return 0;
}

static int
remove_site(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static int
reset_route(void **state)
{
	(void)state;
	site = (struct route){
		.path = "/", .static_dir = www, .index = "index.html", .header = "", .header_ws = "", .header_http = ""
	};
	return 0;
}

/* --- a browser ---------------------------------------------------------------------------------- */

struct visit {
	struct loop *loop;
	struct stream server, client;
	struct page *page;
	struct buf got;
	size_t most_queued;
	uint64_t most_per_turn;
	bool is_slow, server_failed, done, failed;
	struct loop_timer pause;
};

static void
go_on(struct visit *v)
{
	uint64_t before = page_sent(v->page);
	enum page_result result = page_continue(v->page);
	if (stream_queued(&v->server) > v->most_queued)
		v->most_queued = stream_queued(&v->server);
	if (page_sent(v->page) - before > v->most_per_turn)
		v->most_per_turn = page_sent(v->page) - before;
	v->done = result == PAGE_DONE;
	v->failed = result == PAGE_FAILED;
	if (v->done)
		assert_int_equal(stream_queued(&v->server), 0);
	if (v->done || v->failed)
		stream_finish(&v->server);
	if (v->failed)
		loop_stop(v->loop);
}

static void
server_event(void *owner, enum stream_event event)
{
	struct visit *v = owner;
	if (event == STREAM_ROOM && !v->done && !v->failed)
		go_on(v);
	if (event == STREAM_FAILED) {
		v->server_failed = true;
		loop_stop(v->loop);
	}
}

static void
read_again(void *owner)
{
	struct visit *v = owner;
	stream_want_read(&v->client, true);
}

static void
client_event(void *owner, enum stream_event event)
{
	struct visit *v = owner;
	struct span in = stream_input(&v->client);
	if (event == STREAM_EOF)
		loop_stop(v->loop);
	if (in.len == 0)
		return;
	/* The slow one takes a bit of what came, and the rest of it when it is offered again. */
	size_t len = v->is_slow && event == STREAM_DATA && in.len > 5000 ? 5000 : in.len;
	assert_int_equal(buf_append(&v->got, in.data, len), 0);
	stream_eat(&v->client, len);
	if (v->is_slow && event == STREAM_DATA) {
		stream_want_read(&v->client, false);
		loop_timer_set(&v->pause, 0); /* others have their turn first */
	}
}

static void
meet(struct visit *v, int type)
{
	int fd[2];
	*v = (struct visit){ .loop = loop_new() };
	assert_non_null(v->loop);
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	stream_init_socket(&v->server, v->loop, fd[0], server_event, v);
	stream_init_socket(&v->client, v->loop, fd[1], client_event, v);
	loop_timer_init(&v->pause, v->loop, read_again, v);
}

static void
leave(struct visit *v)
{
	page_free(v->page);
	loop_timer_stop(&v->pause);
	stream_close(&v->server);
	stream_close(&v->client);
	buf_clear(&v->got);
	loop_free(v->loop);
}

/* The request is parsed and its path decoded as the gateway does it. */
struct wish {
	const char *method, *target, *fields;
	const char *rest; /* NULL: what follows the route's path */
	bool close;
};

static int
open_wish(struct visit *v, const struct wish *w)
{
	static char text[HTTP_HEAD_MAX], path[HTTP_TARGET_MAX];
	struct http_request req;
	struct http_fault fault = { 0 };
	size_t scanned = 0, eaten;
	int len = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: here\r\n%s\r\n", w->method, w->target, w->fields);
	if (http_parse((struct slice){ text, (size_t)len }, &scanned, &req, &eaten, &fault) != HTTP_HEAD)
		fail_msg("the test's own request is broken: %s", fault.what);
	long path_len = http_decode_path(req.path, path);
	assert_true(path_len > 0);
	size_t skip = strcmp(site.path, "/") == 0 ? 0 : strlen(site.path);
	struct slice rest = { path + skip, (size_t)path_len - skip };
	int status = 0;
	v->page = page_open(&v->server, &site, &req, w->rest == NULL ? rest : slice_of(w->rest), !w->close, &status);
	return status;
}

struct reply {
	int status;
	bool refused; /* left to the caller to say */
	bool failed;
	char *head;
	unsigned char *body;
	size_t body_len;
	size_t most_queued;
	uint64_t sent;
};

static void
reply_clear(struct reply *r)
{
	free(r->head);
	free(r->body);
	*r = (struct reply){ 0 };
}

/* The field's value, in memory that the next four calls leave alone; NULL if absent. Fails if it comes twice. */
static const char *
field(const struct reply *r, const char *name)
{
	static char values[4][512];
	static int turn;
	char *value = NULL;
	if (r->refused)
		fail_msg("refused with %d where an answer was expected", r->status);
	for (const char *line = strstr(r->head, "\r\n"); line != NULL && line[2] != '\0'; line = strstr(line + 2, "\r\n")) {
		size_t len = strlen(name);
		if (strncasecmp(line + 2, name, len) != 0 || line[2 + len] != ':')
			continue;
		if (value != NULL)
			fail_msg("%s comes twice in:\n%s", name, r->head);
		const char *from = line + 2 + len + 2;
		value = values[turn++ % 4];
		snprintf(value, sizeof(values[0]), "%.*s", (int)strcspn(from, "\r"), from);
	}
	return value;
}

static void
assert_field(const struct reply *r, const char *name, const char *expected)
{
	const char *value = field(r, name);
	if (value == NULL && expected == NULL)
		return;
	if (value == NULL || expected == NULL || strcmp(value, expected) != 0)
		fail_msg("%s is \"%s\" and not \"%s\" in:\n%s", name, value ? value : "(absent)", expected ? expected : "(absent)",
			r->head);
}

/* What must hold for each answer, whatever its status. */
static void
assert_well_formed(const struct reply *r, const struct wish *w)
{
	char line[64];
	int64_t date;
	snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n", r->status, http_phrase(r->status));
	if (strncmp(r->head, line, strlen(line)) != 0)
		fail_msg("expected %sgot:\n%s", line, r->head);
	assert_int_equal(http_parse_date(slice_of(field(r, "Date")), &date), 0);
	assert_true(date > time(NULL) - 60 && date <= time(NULL));
	assert_field(r, "Connection", w->close ? "close" : "keep-alive");
	if (r->status == 304) {
		assert_field(r, "Content-Length", NULL);
		assert_int_equal(r->body_len, 0);
		return;
	}
	assert_non_null(field(r, "Content-Length"));
	uint64_t length = strtoull(field(r, "Content-Length"), NULL, 10);
	assert_int_equal(r->body_len, strcmp(w->method, "HEAD") == 0 ? 0 : length);
	assert_non_null(field(r, "Content-Type"));
	assert_field(r, "X-Content-Type-Options", "nosniff");
}

static struct reply
take_reply(struct visit *v, const struct wish *w, int status)
{
	struct reply r = { .status = status, .failed = v->failed, .most_queued = v->most_queued, .sent = page_sent(v->page) };
	struct span got = buf_span(&v->got);
	const char *end = memmem(got.data, got.len, "\r\n\r\n", 4);
	assert_non_null(end);
	size_t head_len = (size_t)(end - (const char *)got.data) + 2;
	r.head = strndup((const char *)got.data, head_len);
	r.body_len = got.len - head_len - 2;
	r.body = malloc(r.body_len + 1);
	memcpy(r.body, end + 4, r.body_len);
	r.body[r.body_len] = '\0';
	assert_well_formed(&r, w);
	return r;
}

static struct reply
visit_as(bool is_slow, const struct wish *w)
{
	struct visit v;
	struct reply r = { 0 };
	meet(&v, SOCK_STREAM);
	v.is_slow = is_slow;
	int status = open_wish(&v, w);
	if (v.page == NULL) {
		r = (struct reply){ .status = status, .refused = true };
		leave(&v);
		return r;
	}
	go_on(&v);
	stream_want_read(&v.client, true);
	loop_run(v.loop);
	assert_true(v.done);
	r = take_reply(&v, w, status);
	leave(&v);
	return r;
}

static struct reply
ask(const char *method, const char *target, const char *fields)
{
	return visit_as(false, &(struct wish){ .method = method, .target = target, .fields = fields });
}

static struct reply
get(const char *target)
{
	return ask("GET", target, "");
}

static void
assert_body(const struct reply *r, const char *expected)
{
	assert_false(r->refused);
	assert_string_equal(r->body, expected);
	assert_int_equal(r->body_len, strlen(expected));
}

static void
assert_refused(const char *target, int status)
{
	struct reply r = get(target);
	if (!r.refused || r.status != status)
		fail_msg("%s: %d (%s) and not a refusal %d", target, r.status, r.refused ? "refused" : r.head, status);
	reply_clear(&r);
}

static void
assert_served(const char *target, const char *body)
{
	struct reply r = get(target);
	if (r.refused)
		fail_msg("%s was refused with %d", target, r.status);
	assert_int_equal(r.status, 200);
	assert_body(&r, body);
	reply_clear(&r);
}

static void
assert_redirected(const char *target, const char *location)
{
	struct reply r = get(target);
	if (r.refused)
		fail_msg("%s was refused with %d", target, r.status);
	assert_int_equal(r.status, 301);
	assert_field(&r, "Location", location);
	assert_field(&r, "ETag", NULL);
	assert_body(&r, "Moved Permanently\n");
	reply_clear(&r);
}

/* --- a page ------------------------------------------------------------------------------------- */

static void
a_page_comes_whole_and_says_what_it_is(void **state)
{
	(void)state;
	struct reply r = get("/hello.txt");
	assert_int_equal(r.status, 200);
	assert_body(&r, "hello, world");
	assert_int_equal(r.sent, 12);
	assert_field(&r, "Content-Type", "text/plain; charset=utf-8");
	assert_field(&r, "Content-Length", "12");
	assert_field(&r, "Last-Modified", LONG_AGO);
	assert_field(&r, "Accept-Ranges", "bytes");
	assert_field(&r, "Cache-Control", "no-cache");
	assert_field(&r, "Content-Range", NULL);
	assert_field(&r, "Server", "wsgate");
	const char *tag = field(&r, "ETag");
	assert_true(tag[0] == '"' && strlen(tag) > 2 && tag[strlen(tag) - 1] == '"');
	assert_null(strchr(tag, ','));
	reply_clear(&r);
}

static void
the_connection_header_tells_whether_it_goes_on(void **state)
{
	(void)state;
	struct reply r = visit_as(false, &(struct wish){ .method = "GET", .target = "/hello.txt", .fields = "", .close = true });
	assert_field(&r, "Connection", "close");
	reply_clear(&r);
}

static void
assert_head_like_get(const char *target, const char *fields)
{
	struct reply g = ask("GET", target, fields), h = ask("HEAD", target, fields);
	assert_int_equal(g.status, h.status);
	assert_false(g.refused || h.refused);
	assert_int_equal(h.body_len, 0);
	assert_int_equal(h.sent, 0);
	/* All but the Date, which may have moved on. */
	char *in_get = strstr(g.head, "\r\nDate: "), *in_head = strstr(h.head, "\r\nDate: ");
	assert_true(in_get - g.head == in_head - h.head);
	memset(in_get, ' ', 37);
	memset(in_head, ' ', 37);
	assert_string_equal(g.head, h.head);
	reply_clear(&g);
	reply_clear(&h);
}

static void
head_says_what_get_would_and_sends_nothing(void **state)
{
	(void)state;
	put_pattern("big.bin", 300000);
	assert_head_like_get("/hello.txt", "");
	assert_head_like_get("/big.bin", "");
	assert_head_like_get("/empty", "");
	assert_head_like_get("/docs", "");
	assert_head_like_get("/hello.txt", "If-Modified-Since: " LATER "\r\n");
	assert_head_like_get("/hello.txt", "If-Match: \"other\"\r\n");
	struct reply r = ask("HEAD", "/nothing", "");
	assert_true(r.refused);
	assert_int_equal(r.status, 404);
}

static void
every_length_arrives_intact(void **state)
{
	(void)state;
	static const size_t lengths[] = { 0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 1,
		QUEUE_HIGH - 1, QUEUE_HIGH, QUEUE_HIGH + 1, 500000, TURN - 1, TURN, TURN + 1, 3 * TURN + 7 };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		put_pattern("some.bin", lengths[i]);
		struct reply r = get("/some.bin");
		assert_int_equal(r.body_len, lengths[i]);
		assert_int_equal(r.sent, lengths[i]);
		for (size_t k = 0; k < lengths[i]; k++)
			if (r.body[k] != byte_at(k))
				fail_msg("of %zu bytes, number %zu is wrong", lengths[i], k);
		reply_clear(&r);
	}
}

/* A sequenced socket shows where one write ends. */
static void
a_small_page_leaves_with_its_head_in_one_write(void **state)
{
	(void)state;
	static char packet[2 * BLOCK];
	struct visit v;
	put_pattern("block.bin", BLOCK);
	meet(&v, SOCK_SEQPACKET);
	assert_int_equal(open_wish(&v, &(struct wish){ .method = "GET", .target = "/block.bin", .fields = "" }), 200);
	assert_int_equal(page_continue(v.page), PAGE_DONE);
	ssize_t n = recv(v.client.reader.fd, packet, sizeof(packet), 0);
	const char *end = memmem(packet, (size_t)n, "\r\n\r\n", 4);
	assert_non_null(end);
	assert_int_equal(n - (end + 4 - packet), BLOCK);
	leave(&v);
}

static void
an_edit_shows_at_once(void **state)
{
	(void)state;
	put_file("note.txt", "first");
	struct reply before = get("/note.txt");
	char fields[256];
	snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", field(&before, "ETag"));
	put_file("note.txt.new", "other"); /* as long, as old: only the inode differs, as an editor's rename leaves it */
	assert_int_equal(rename(in_www("note.txt.new"), in_www("note.txt")), 0);
	struct reply after = ask("GET", "/note.txt", fields);
	assert_int_equal(after.status, 200);
	assert_body(&after, "other");
	reply_clear(&before);
	reply_clear(&after);
}

/* --- types -------------------------------------------------------------------------------------- */

static void
each_kind_of_file_has_its_type(void **state)
{
	(void)state;
	static const char *const kinds[][2] = {
		{ "a.html", "text/html; charset=utf-8" },
		{ "a.HTM", "text/html; charset=utf-8" },
		{ "a.css", "text/css; charset=utf-8" },
		{ "a.js", "text/javascript; charset=utf-8" },
		{ "a.min.mjs", "text/javascript; charset=utf-8" },
		{ "a.json", "application/json" },
		{ "a.wasm", "application/wasm" },
		{ "a.svg", "image/svg+xml" },
		{ "a.PNG", "image/png" },
		{ "a.woff2", "font/woff2" },
		{ "a.webm", "video/webm" },
		{ "README", "application/octet-stream" },
		{ "html", "application/octet-stream" },
		{ "a.", "application/octet-stream" },
		{ "a.nobody-knows", "application/octet-stream" },
		{ "x.html.d/plain", "application/octet-stream" },
	};
	make_folder("x.html.d");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char target[64];
		snprintf(target, sizeof(target), "/%s", kinds[i][0]);
		put_file(kinds[i][0], "x");
		struct reply r = get(target);
		assert_int_equal(r.status, 200);
		assert_field(&r, "Content-Type", kinds[i][1]);
		reply_clear(&r);
	}
}

/* Finds a line "TYPE EXTENSION" that the built-in table has not. */
static bool
find_in_system_list(char type[100], char extension[32])
{
	char line[1024];
	bool found = false;
	FILE *list = fopen("/etc/mime.types", "r");
	if (list == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), list) != NULL)
		found = sscanf(line, "chemical/%70s %30s", type, extension) == 2;
	fclose(list);
	return found;
}

static void
the_systems_list_knows_what_we_do_not(void **state)
{
	(void)state;
	char type[100], extension[32], name[64], target[80], expected[128];
	if (!find_in_system_list(type, extension))
		skip();
	snprintf(name, sizeof(name), "molecule.%s", extension);
	snprintf(target, sizeof(target), "/%s", name);
	snprintf(expected, sizeof(expected), "chemical/%s", type);
	put_file(name, "x");
	struct reply r = get(target);
	assert_field(&r, "Content-Type", expected);
	reply_clear(&r);
}

/* --- folders ------------------------------------------------------------------------------------ */

static void
a_folder_shows_its_index(void **state)
{
	(void)state;
	assert_served("/", "<h1>home</h1>");
	assert_served("/docs/", "<h1>docs</h1>");
	assert_served("/docs/../docs/./index.html", "<h1>docs</h1>");
	assert_served("//docs//", "<h1>docs</h1>");
	struct reply r = visit_as(false, &(struct wish){ .method = "GET", .target = "/", .fields = "", .rest = "" });
	assert_body(&r, "<h1>home</h1>");
	assert_field(&r, "Content-Type", "text/html; charset=utf-8");
	reply_clear(&r);
}

static void
a_folder_without_its_slash_is_sent_to_it(void **state)
{
	(void)state;
	assert_redirected("/docs", "/docs/");
	assert_redirected("/docs?a=b&c=/d", "/docs/?a=b&c=/d");
	assert_redirected("/docs?", "/docs/?");
	make_folder("with space\xc3\xa4%");
	put_file("with space\xc3\xa4%/index.html", "odd");
	assert_redirected("/with%20space%c3%a4%25?q=%20", "/with%20space%C3%A4%25/?q=%20");
	assert_served("/with%20space%C3%A4%25/", "odd");
}

static void
a_redirect_never_names_another_host(void **state)
{
	(void)state;
	assert_redirected("//docs", "/docs/");
	assert_redirected("///docs?x", "/docs/?x");
	make_folder("\\docs");
	put_file("\\docs/index.html", "backslash");
	assert_redirected("/%5Cdocs", "/%5Cdocs/");
}

static void
a_route_beneath_the_root_is_a_folder_too(void **state)
{
	(void)state;
	site.path = "/vnc";
	assert_redirected("/vnc", "/vnc/");
	assert_redirected("/vnc?token=1", "/vnc/?token=1");
	assert_redirected("/vnc/docs", "/vnc/docs/");
	assert_redirected("/vnc//docs", "/vnc/docs/");
	assert_served("/vnc/", "<h1>home</h1>");
	assert_served("/vnc/hello.txt", "hello, world");
	site.index = "absent.html";
	assert_refused("/vnc", 404);
	assert_refused("/vnc/", 404);
}

static void
nothing_is_listed(void **state)
{
	(void)state;
	assert_refused("/bare/", 404);
	assert_refused("/bare", 404);
	assert_served("/bare/file.txt", "bare");
	assert_int_equal(mkdir(in_www("bare/index.html"), 0755), 0);
	assert_refused("/bare/", 404);
	assert_refused("/bare", 404);
	site.index = "";
	assert_refused("/docs/", 404);
	assert_refused("/docs", 404);
	assert_refused("/", 404);
}

static void
another_file_can_be_the_index(void **state)
{
	(void)state;
	put_file("start.txt", "start here");
	site.index = "start.txt";
	struct reply r = get("/");
	assert_body(&r, "start here");
	assert_field(&r, "Content-Type", "text/plain; charset=utf-8");
	reply_clear(&r);
}

/* --- what is not served ------------------------------------------------------------------------- */

static void
what_is_not_there_is_404(void **state)
{
	(void)state;
	char target[6000];
	assert_refused("/nothing", 404);
	assert_refused("/nothing/", 404);
	assert_refused("/nothing/index.html", 404);
	assert_refused("/hello.txt/", 404);
	assert_refused("/hello.txt/more", 404);
	memset(target, 'a', sizeof(target) - 1);
	target[0] = '/';
	target[300] = '\0';
	assert_refused(target, 404); /* a name that is too long */
	target[300] = 'a';
	for (int i = 0; i < 5999; i += 100)
		target[i] = '/';
	target[5999] = '\0';
	assert_refused(target, 404); /* a path that is too long */
	target[5998] = '/';
	assert_refused(target, 404);
	target[4095] = '\0';
	assert_refused(target, 404);
}

static void
dotfiles_stay_hidden(void **state)
{
	(void)state;
	make_folder(".git");
	put_file(".git/config", "secret");
	put_file(".env", "secret");
	put_file("docs/.htpasswd", "secret");
	make_folder(".well-known");
	put_file(".well-known/security.txt", "Contact: us");
	put_file(".well-known/.secret", "secret");
	put_file(".well-known.bak", "secret");
	assert_refused("/.git/config", 404);
	assert_refused("/.env", 404);
	assert_refused("/%2eenv", 404);
	assert_refused("//.env", 404);
	assert_refused("/docs/.htpasswd", 404);
	assert_refused("/.well-known/.secret", 404);
	assert_refused("/.well-known.bak", 404);
	assert_served("/.well-known/security.txt", "Contact: us");
}

static void
no_dots_and_no_link_leave_the_folder(void **state)
{
	(void)state;
	char secret[128];
	snprintf(secret, sizeof(secret), "%s/secret.txt", outside);
	put_bytes(secret, "secret", 6);
	assert_int_equal(symlink("../outside/secret.txt", in_www("link.txt")), 0);
	assert_int_equal(symlink(secret, in_www("absolute.txt")), 0);
	assert_int_equal(symlink("../outside", in_www("linkdir")), 0);
	assert_int_equal(symlink(outside, in_www("absolutedir")), 0);
	assert_int_equal(symlink("/proc/self/root/etc/passwd", in_www("magic")), 0);
	assert_int_equal(symlink("linkdir", in_www("twice")), 0);
	assert_int_equal(symlink("loop", in_www("loop")), 0);
	static const char *const targets[] = { "/link.txt", "/absolute.txt", "/linkdir/secret.txt", "/linkdir", "/linkdir/",
		"/absolutedir/secret.txt", "/magic", "/twice/secret.txt", "/loop", "/docs/../linkdir/secret.txt" };
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		assert_refused(targets[i], 404);
	static const char *const rests[] = { "/../outside/secret.txt", "/docs/../../outside/secret.txt", "/..", "/../", "/docs/..",
		"/../www/hello.txt", "../outside/secret.txt", "//../outside/secret.txt" };
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		struct reply r = visit_as(false, &(struct wish){ .method = "GET", .target = "/", .fields = "", .rest = rests[i] });
		assert_true(r.refused);
		assert_int_equal(r.status, 404);
	}
}

static void
a_name_with_a_nul_is_not_cut(void **state)
{
	(void)state;
	struct visit v;
	struct http_request req = { .method = slice_of("GET"), .path = slice_of("/hello.txt%00.png") };
	int status = 0;
	meet(&v, SOCK_STREAM);
	assert_null(page_open(&v.server, &site, &req, (struct slice){ "/hello.txt\0.png", 15 }, true, &status));
	assert_int_equal(status, 404);
	leave(&v);
}

static void
links_within_the_folder_are_followed(void **state)
{
	(void)state;
	assert_int_equal(symlink("hello.txt", in_www("alias.txt")), 0);
	assert_int_equal(symlink("../hello.txt", in_www("docs/up.txt")), 0);
	assert_int_equal(symlink("docs", in_www("manual")), 0);
	make_folder("linked");
	assert_int_equal(symlink("../hello.txt", in_www("linked/index.html")), 0);
	assert_served("/alias.txt", "hello, world");
	assert_served("/docs/up.txt", "hello, world");
	assert_served("/manual/", "<h1>docs</h1>");
	assert_redirected("/manual", "/manual/");
	assert_served("/linked/", "hello, world");
}

static void
only_files_are_read(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(in_www("fifo"), 0644), 0);
	assert_refused("/fifo", 404); /* and does not block */
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/socket", www);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_refused("/socket", 404);
	close(fd);
	if (mknod(in_www("null"), S_IFCHR | 0666, (dev_t)0x103) == 0)
		assert_refused("/null", 404);
}

static void
what_may_not_be_read_is_403(void **state)
{
	(void)state;
	put_file("private.txt", "private");
	make_folder("closed");
	put_file("closed/file.txt", "private");
	assert_int_equal(chmod(in_www("private.txt"), 0), 0);
	assert_int_equal(chmod(in_www("closed"), 0), 0);
	bool is_root = geteuid() == 0;
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	struct reply file = get("/private.txt"), folder = get("/closed/file.txt"), open_file = get("/hello.txt");
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(in_www("closed"), 0755), 0);
	assert_true(file.refused && folder.refused);
	assert_int_equal(file.status, 403);
	assert_int_equal(folder.status, 403);
	assert_int_equal(open_file.status, 200);
	reply_clear(&open_file);
}

static void
other_methods_are_405(void **state)
{
	(void)state;
	static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "get", "PROPFIND" };
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct reply r = ask(methods[i], "/hello.txt", "");
		assert_true(r.refused);
		assert_int_equal(r.status, 405);
	}
}

static void
a_folder_that_is_gone_is_our_fault_not_the_clients(void **state)
{
	(void)state;
	site.static_dir = "/nonexistent/folder";
	assert_refused("/hello.txt", 500);
}

/* Exchanges a folder and a link out of ours, as fast as it can. */
static atomic_bool flipping;

static void *
flip(void *arg)
{
	(void)arg;
	char a[128], b[128];
	snprintf(a, sizeof(a), "%s/flip", www);
	snprintf(b, sizeof(b), "%s/flop", www);
	while (atomic_load(&flipping))
		renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
	return NULL;
}

static void
a_link_swapped_in_at_the_last_moment_gains_nothing(void **state)
{
	(void)state;
	char path[128];
	pthread_t thread;
	int served = 0;
	snprintf(path, sizeof(path), "%s/race.txt", outside);
	put_bytes(path, "secret", 6);
	make_folder("flip");
	put_file("flip/race.txt", "public");
	assert_int_equal(symlink("../outside", in_www("flop")), 0);
	atomic_store(&flipping, true);
	assert_int_equal(pthread_create(&thread, NULL, flip, NULL), 0);
	for (int i = 0; i < 500; i++) {
		struct reply r = get("/flip/race.txt");
		if (r.refused)
			assert_true(r.status == 404 || r.status == 503);
		else
			assert_body(&r, "public");
		served += !r.refused;
		reply_clear(&r);
	}
	atomic_store(&flipping, false);
	pthread_join(thread, NULL);
	(void)served; /* how many depends on the machine; what they held does not */
}

/* --- conditions --------------------------------------------------------------------------------- */

/* Puts TAG in the place of each '@'. */
static const char *
with_tag(const char *fields, const char *tag)
{
	static char out[1024];
	size_t len = 0;
	for (; *fields != '\0'; fields++)
		len += (size_t)snprintf(
			out + len, sizeof(out) - len, "%.*s", *fields == '@' ? (int)strlen(tag) : 1, *fields == '@' ? tag : fields);
	return out;
}

struct condition {
	const char *fields; /* '@' stands for the page's tag */
	int status;
};

static void
check_conditions(const char *target, const struct condition *table, size_t count)
{
	struct reply whole = get(target);
	char tag[128];
	snprintf(tag, sizeof(tag), "%s", field(&whole, "ETag"));
	for (size_t i = 0; i < count; i++) {
		struct reply r = ask("GET", target, with_tag(table[i].fields, tag));
		if (r.status != table[i].status)
			fail_msg("%s answered %d and not %d", with_tag(table[i].fields, tag), r.status, table[i].status);
		assert_false(r.refused);
		assert_field(&r, "ETag", tag);
		assert_field(&r, "Cache-Control", "no-cache");
		if (r.status == 200)
			assert_body(&r, (const char *)whole.body);
		if (r.status == 412)
			assert_body(&r, "Precondition Failed\n");
		if (r.status == 416)
			assert_body(&r, "Range Not Satisfiable\n");
		reply_clear(&r);
	}
	reply_clear(&whole);
}

#define CHECK_CONDITIONS(target, table) check_conditions(target, table, sizeof(table) / sizeof((table)[0]))

static void
a_copy_that_is_still_good_is_not_sent_again(void **state)
{
	(void)state;
	static const struct condition table[] = {
		{ "If-None-Match: @\r\n", 304 },
		{ "If-None-Match: W/@\r\n", 304 }, /* the weak comparison */
		{ "If-None-Match: *\r\n", 304 },
		{ "If-None-Match: \"other\"\r\n", 200 },
		{ "If-None-Match: \"other\", @\r\n", 304 },
		{ "If-None-Match: \"a,b\",, @ ,\"c\"\r\n", 304 },
		{ "If-None-Match: \"other\"\r\nIf-None-Match: @\r\n", 304 },
		{ "If-None-Match: \"\"\r\n", 200 },
		{ "If-None-Match:\r\n", 200 },
		{ "If-None-Match: w/@\r\n", 200 },
		{ "If-Modified-Since: " LONG_AGO "\r\n", 304 },
		{ "If-Modified-Since: " LATER "\r\n", 304 },
		{ "If-Modified-Since: " BEFORE "\r\n", 200 },
		{ "If-Modified-Since: Sunday, 09-Sep-01 01:46:40 GMT\r\n", 304 },
		{ "If-Modified-Since: Sun Sep  9 01:46:40 2001\r\n", 304 },
		{ "If-Modified-Since: yesterday\r\n", 200 },
		{ "If-Modified-Since:\r\n", 200 },
		{ "If-Modified-Since: " LATER "\r\nIf-Modified-Since: " LATER "\r\n", 200 },
	};
	CHECK_CONDITIONS("/hello.txt", table);
}

static void
a_page_that_has_changed_is_not_mistaken(void **state)
{
	(void)state;
	static const struct condition table[] = {
		{ "If-Match: @\r\n", 200 },
		{ "If-Match: *\r\n", 200 },
		{ "If-Match: \"other\"\r\n", 412 },
		{ "If-Match: \"other\", @\r\n", 200 },
		{ "If-Match: W/@\r\n", 412 }, /* the strong comparison */
		{ "If-Match:\r\n", 412 },
		{ "If-Unmodified-Since: " LONG_AGO "\r\n", 200 },
		{ "If-Unmodified-Since: " LATER "\r\n", 200 },
		{ "If-Unmodified-Since: " BEFORE "\r\n", 412 },
		{ "If-Unmodified-Since: never\r\n", 200 },
	};
	CHECK_CONDITIONS("/hello.txt", table);
}

static void
conditions_have_their_order(void **state)
{
	(void)state;
	static const struct condition table[] = {
		/* the tag outweighs the date, both ways */
		{ "If-None-Match: \"other\"\r\nIf-Modified-Since: " LATER "\r\n", 200 },
		{ "If-None-Match: @\r\nIf-Modified-Since: " BEFORE "\r\n", 304 },
		{ "If-Match: @\r\nIf-Unmodified-Since: " BEFORE "\r\n", 200 },
		{ "If-Match: \"other\"\r\nIf-Unmodified-Since: " LATER "\r\n", 412 },
		/* 412 before 304, whatever the order of the fields */
		{ "If-None-Match: @\r\nIf-Match: \"other\"\r\n", 412 },
		{ "If-Modified-Since: " LATER "\r\nIf-Unmodified-Since: " BEFORE "\r\n", 412 },
		{ "If-Match: @\r\nIf-None-Match: @\r\n", 304 },
		{ "If-Unmodified-Since: " LATER "\r\nIf-None-Match: @\r\n", 304 },
		{ "If-Match: @\r\nIf-Modified-Since: " LATER "\r\n", 304 },
		/* and both before a range */
		{ "Range: bytes=0-1\r\nIf-None-Match: @\r\n", 304 },
		{ "Range: bytes=0-1\r\nIf-Match: \"other\"\r\n", 412 },
		{ "Range: bytes=99-\r\nIf-None-Match: @\r\n", 304 },
		{ "Range: bytes=0-1\r\nIf-Match: @\r\n", 206 },
		{ "Range: bytes=0-1\r\nIf-None-Match: \"other\"\r\n", 206 },
		{ "Range: bytes=99-\r\nIf-Match: @\r\n", 416 },
	};
	CHECK_CONDITIONS("/hello.txt", table);
}

static void
a_304_says_little(void **state)
{
	(void)state;
	struct reply r = ask("GET", "/hello.txt", "If-None-Match: *\r\n");
	assert_int_equal(r.status, 304);
	assert_int_equal(r.sent, 0);
	assert_field(&r, "Content-Type", NULL);
	assert_field(&r, "Last-Modified", NULL);
	reply_clear(&r);
}

/* Its date lies ahead: the clock was set back, or it is being written this very moment. */
static void
a_file_that_may_change_any_moment_has_a_weak_tag(void **state)
{
	(void)state;
	static const struct condition table[] = {
		{ "If-None-Match: @\r\n", 304 },
		{ "If-Match: @\r\n", 412 },
		{ "If-Match: *\r\n", 200 },
		{ "Range: bytes=0-1\r\n", 206 },
		{ "Range: bytes=0-1\r\nIf-Range: @\r\n", 200 },
	};
	int64_t modified, date;
	put_file("fresh.txt", "just written");
	set_age(in_www("fresh.txt"), time(NULL) + 3600);
	CHECK_CONDITIONS("/fresh.txt", table);
	struct reply r = get("/fresh.txt");
	assert_int_equal(strncmp(field(&r, "ETag"), "W/\"", 3), 0);
	assert_int_equal(http_parse_date(slice_of(field(&r, "Last-Modified")), &modified), 0);
	assert_int_equal(http_parse_date(slice_of(field(&r, "Date")), &date), 0);
	assert_true(modified <= date);
	char fields[128];
	snprintf(fields, sizeof(fields), "Range: bytes=0-1\r\nIf-Range: %s\r\n", field(&r, "Last-Modified"));
	struct reply part = ask("GET", "/fresh.txt", fields);
	assert_int_equal(part.status, 200);
	reply_clear(&part);
	reply_clear(&r);
}

/* --- ranges ------------------------------------------------------------------------------------- */

struct part {
	const char *range;
	int status;
	const char *content_range;
	const char *body;
};

static void
check_parts(const char *target, const struct part *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char fields[256];
		snprintf(fields, sizeof(fields), "Range: %s\r\n", table[i].range);
		struct reply r = ask("GET", target, fields);
		if (r.status != table[i].status)
			fail_msg("%s answered %d and not %d", table[i].range, r.status, table[i].status);
		assert_field(&r, "Content-Range", table[i].content_range);
		assert_field(&r, "Accept-Ranges", "bytes");
		assert_body(&r, table[i].body);
		reply_clear(&r);
	}
}

#define WHOLE "hello, world"
#define UNSATISFIABLE 416, "bytes */12", "Range Not Satisfiable\n"

static void
a_part_of_a_page_can_be_had(void **state)
{
	(void)state;
	static const struct part table[] = {
		{ "bytes=0-4", 206, "bytes 0-4/12", "hello" },
		{ "bytes=7-11", 206, "bytes 7-11/12", "world" },
		{ "bytes=7-", 206, "bytes 7-11/12", "world" },
		{ "bytes=7-12", 206, "bytes 7-11/12", "world" },
		{ "bytes=7-99", 206, "bytes 7-11/12", "world" },
		{ "bytes=7-99999999999999999999999999", 206, "bytes 7-11/12", "world" },
		{ "bytes=7-18446744073709551615", 206, "bytes 7-11/12", "world" },
		{ "bytes=0-18446744073709551615", 206, "bytes 0-11/12", WHOLE },
		{ "bytes=-5", 206, "bytes 7-11/12", "world" },
		{ "bytes=-12", 206, "bytes 0-11/12", WHOLE },
		{ "bytes=-13", 206, "bytes 0-11/12", WHOLE },
		{ "bytes=-99999999999999999999999999", 206, "bytes 0-11/12", WHOLE },
		{ "bytes=0-0", 206, "bytes 0-0/12", "h" },
		{ "bytes=-1", 206, "bytes 11-11/12", "d" },
		{ "bytes=11-11", 206, "bytes 11-11/12", "d" },
		{ "bytes=0-", 206, "bytes 0-11/12", WHOLE },
		{ "BYTES=0-4", 206, "bytes 0-4/12", "hello" },
		{ "bytes= 0-4 ,", 206, "bytes 0-4/12", "hello" },
		{ "bytes=000-0004", 206, "bytes 0-4/12", "hello" },
		/* beyond its end */
		{ "bytes=12-", UNSATISFIABLE },
		{ "bytes=12-12", UNSATISFIABLE },
		{ "bytes=99-100", UNSATISFIABLE },
		{ "bytes=-0", UNSATISFIABLE },
		{ "bytes=18446744073709551615-", UNSATISFIABLE },
		{ "bytes=18446744073709551616-18446744073709551617", UNSATISFIABLE },
		{ "bytes=99999999999999999999999999-", UNSATISFIABLE },
		/* more than one */
		{ "bytes=0-1,3-4", 200, NULL, WHOLE },
		{ "bytes=0-1, -1", 200, NULL, WHOLE },
		{ "bytes=99-, 0-1", 200, NULL, WHOLE },
		/* nothing we understand */
		{ "bytes=", 200, NULL, WHOLE },
		{ "bytes", 200, NULL, WHOLE },
		{ "", 200, NULL, WHOLE },
		{ "bytes=,", 200, NULL, WHOLE },
		{ "bytes=-", 200, NULL, WHOLE },
		{ "bytes=4", 200, NULL, WHOLE },
		{ "bytes=4-3", 200, NULL, WHOLE },
		{ "bytes=99-98", 200, NULL, WHOLE },
		{ "bytes=a-b", 200, NULL, WHOLE },
		{ "bytes=0-4x", 200, NULL, WHOLE },
		{ "bytes=0x0-4", 200, NULL, WHOLE },
		{ "bytes=+0-4", 200, NULL, WHOLE },
		{ "bytes=0--4", 200, NULL, WHOLE },
		{ "bytes=--4", 200, NULL, WHOLE },
		{ "bytes=-4x", 200, NULL, WHOLE },
		{ "bytes=0 - 4", 200, NULL, WHOLE },
		{ "bytes 0-4", 200, NULL, WHOLE },
		{ "bytes =0-4", 200, NULL, WHOLE },
		{ "lines=0-4", 200, NULL, WHOLE },
		{ "bytes=0-4\r\nRange: bytes=0-4", 200, NULL, WHOLE },
	};
	check_parts("/hello.txt", table, sizeof(table) / sizeof(table[0]));
}

static void
an_empty_file_has_no_parts(void **state)
{
	(void)state;
	static const struct part table[] = {
		{ "bytes=0-", 416, "bytes */0", "Range Not Satisfiable\n" },
		{ "bytes=0-0", 416, "bytes */0", "Range Not Satisfiable\n" },
		{ "bytes=-0", 416, "bytes */0", "Range Not Satisfiable\n" },
		{ "bytes=-1", 200, NULL, "" },
	};
	check_parts("/empty", table, sizeof(table) / sizeof(table[0]));
}

static void
head_has_no_ranges(void **state)
{
	(void)state;
	struct reply r = ask("HEAD", "/hello.txt", "Range: bytes=0-4\r\n");
	assert_int_equal(r.status, 200);
	assert_field(&r, "Content-Length", "12");
	assert_field(&r, "Content-Range", NULL);
	reply_clear(&r);
	r = ask("HEAD", "/hello.txt", "Range: bytes=99-\r\n");
	assert_int_equal(r.status, 200);
	reply_clear(&r);
}

static void
a_download_goes_on_only_if_the_file_is_the_same(void **state)
{
	(void)state;
	static const struct condition table[] = {
		{ "Range: bytes=0-4\r\nIf-Range: @\r\n", 206 },
		{ "Range: bytes=0-4\r\nIf-Range: W/@\r\n", 200 },
		{ "Range: bytes=0-4\r\nIf-Range: \"other\"\r\n", 200 },
		{ "Range: bytes=0-4\r\nIf-Range: " LONG_AGO "\r\n", 206 },
		{ "Range: bytes=0-4\r\nIf-Range: " LATER "\r\n", 200 }, /* the very same date, not a later one */
		{ "Range: bytes=0-4\r\nIf-Range: " BEFORE "\r\n", 200 },
		{ "Range: bytes=0-4\r\nIf-Range: *\r\n", 200 },
		{ "Range: bytes=0-4\r\nIf-Range:\r\n", 200 },
		{ "Range: bytes=0-4\r\nIf-Range: @\r\nIf-Range: @\r\n", 200 },
		{ "Range: bytes=99-\r\nIf-Range: @\r\n", 416 },
		{ "Range: bytes=99-\r\nIf-Range: \"other\"\r\n", 200 },
		{ "If-Range: \"other\"\r\n", 200 },
	};
	CHECK_CONDITIONS("/hello.txt", table);
}

static void
a_part_of_a_large_file_is_the_right_part(void **state)
{
	(void)state;
	put_pattern("parts.bin", 500000);
	for (size_t first = 0; first < 500000; first += 77777) {
		char fields[64];
		snprintf(fields, sizeof(fields), "Range: bytes=%zu-%zu\r\n", first, first + 149999);
		struct reply r = ask("GET", "/parts.bin", fields);
		assert_int_equal(r.status, 206);
		assert_int_equal(r.body_len, first + 150000 <= 500000 ? 150000 : 500000 - first);
		for (size_t k = 0; k < r.body_len; k++)
			if (r.body[k] != byte_at(first + k))
				fail_msg("from %zu on, byte %zu is wrong", first, k);
		reply_clear(&r);
	}
}

static void
files_of_more_than_four_gigabytes_have_parts_too(void **state)
{
	(void)state;
	static const struct part table[] = {
		{ "bytes=4294967294-4294967300", 206, "bytes 4294967294-4294967300/5368709120", "beyond!" },
		{ "bytes=-4", 206, "bytes 5368709116-5368709119/5368709120", "tail" },
		{ "bytes=5368709116-", 206, "bytes 5368709116-5368709119/5368709120", "tail" },
		{ "bytes=5368709120-", 416, "bytes */5368709120", "Range Not Satisfiable\n" },
	};
	int fd = open(in_www("huge.bin"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd != -1);
	if (ftruncate(fd, INT64_C(5368709120)) == -1) {
		close(fd);
		skip();
	}
	assert_int_equal(pwrite(fd, "beyond!", 7, INT64_C(4294967294)), 7);
	assert_int_equal(pwrite(fd, "tail", 4, INT64_C(5368709116)), 4);
	close(fd);
	check_parts("/huge.bin", table, sizeof(table) / sizeof(table[0]));
	struct reply r = ask("HEAD", "/huge.bin", "");
	assert_field(&r, "Content-Length", "5368709120");
	reply_clear(&r);
	unlink(in_www("huge.bin"));
}

/* --- what the operator adds --------------------------------------------------------------------- */

static void
the_operators_headers_come_with_every_answer_and_win(void **state)
{
	(void)state;
	static const char *const asked[][2] = { { "/hello.txt", "" }, { "/docs", "" }, { "/hello.txt", "If-None-Match: *\r\n" },
		{ "/hello.txt", "If-Match: \"x\"\r\n" }, { "/hello.txt", "Range: bytes=99-\r\n" },
		{ "/hello.txt", "Range: bytes=1-\r\n" } };
	site.header = "X-One: 1\r\ncache-control: max-age=60\r\n";
	site.header_ws = "X-Not-Here: 1\r\n";
	site.header_http = "X-Two: 2\r\n";
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct reply r = ask("GET", asked[i][0], asked[i][1]);
		assert_field(&r, "X-One", "1");
		assert_field(&r, "X-Two", "2");
		assert_field(&r, "X-Not-Here", NULL);
		assert_field(&r, "Cache-Control", "max-age=60");
		reply_clear(&r);
	}
	site.header = "";
	site.header_http = "Content-Type: text/x-own\r\n";
	struct reply r = get("/hello.txt");
	assert_field(&r, "Content-Type", "text/x-own");
	reply_clear(&r);
}

/* --- slow readers, and what fails on the way ---------------------------------------------------- */

static void
a_slow_reader_gets_all_and_little_waits_for_it(void **state)
{
	(void)state;
	put_pattern("large.bin", LARGE);
	struct reply r = visit_as(true, &(struct wish){ .method = "GET", .target = "/large.bin", .fields = "" });
	assert_int_equal(r.body_len, LARGE);
	for (size_t i = 0; i < LARGE; i++)
		if (r.body[i] != byte_at(i))
			fail_msg("byte %zu is wrong", i);
	assert_true(r.most_queued <= BLOCK + 1024); /* the head and the first block; the rest stays in the file */
	assert_int_equal(r.sent, LARGE);
	reply_clear(&r);
}

static void
end_turn(void *owner)
{
	struct loop *loop = owner;
	loop_stop(loop);
}

/* The sink takes all at once, as a reader on the same machine may. */
static void
a_fast_reader_does_not_hold_the_loop(void **state)
{
	(void)state;
	struct visit v;
	meet(&v, SOCK_STREAM);
	stream_close(&v.server);
	stream_init_pipes(&v.server, v.loop, -1, open("/dev/null", O_WRONLY | O_CLOEXEC), server_event, &v);
	put_pattern("large.bin", LARGE);
	assert_int_equal(open_wish(&v, &(struct wish){ .method = "GET", .target = "/large.bin", .fields = "" }), 200);
	go_on(&v);
	assert_false(v.done);
	assert_true(page_sent(v.page) <= TURN);
	/* The client's end of the former socket sees its EOF meanwhile. */
	while (!v.done) {
		struct loop_timer pause;
		loop_timer_init(&pause, v.loop, end_turn, v.loop);
		loop_timer_set(&pause, 0);
		loop_run(v.loop);
		loop_timer_stop(&pause);
	}
	assert_int_equal(page_sent(v.page), LARGE);
	assert_true(v.most_per_turn <= TURN);
	leave(&v);
}

static void
a_page_freed_between_two_turns_is_gone(void **state)
{
	(void)state;
	struct visit v;
	meet(&v, SOCK_STREAM);
	stream_close(&v.server);
	stream_init_pipes(&v.server, v.loop, -1, open("/dev/null", O_WRONLY | O_CLOEXEC), server_event, &v);
	put_pattern("large.bin", LARGE);
	assert_int_equal(open_wish(&v, &(struct wish){ .method = "GET", .target = "/large.bin", .fields = "" }), 200);
	assert_int_equal(page_continue(v.page), PAGE_MORE);
	page_free(v.page);
	v.page = NULL;
	v.done = true;                     /* the room that the page asked for is its owner's to ignore */
	stream_want_read(&v.client, true); /* ends the loop with its EOF */
	loop_run(v.loop);
	leave(&v);
}

static void
a_file_cut_on_the_way_fails_the_page(void **state)
{
	(void)state;
	struct visit v;
	put_pattern("cut.bin", LARGE);
	meet(&v, SOCK_STREAM);
	assert_int_equal(open_wish(&v, &(struct wish){ .method = "GET", .target = "/cut.bin", .fields = "" }), 200);
	go_on(&v);
	assert_false(v.done || v.failed);
	assert_int_equal(truncate(in_www("cut.bin"), 1000000), 0);
	stream_want_read(&v.client, true);
	loop_run(v.loop);
	assert_true(v.failed);
	assert_true(page_sent(v.page) <= 1000000);
	leave(&v);
}

static void
a_file_that_grows_is_sent_as_long_as_it_was(void **state)
{
	(void)state;
	struct visit v;
	struct wish w = { .method = "GET", .target = "/grow.bin", .fields = "" };
	put_pattern("grow.bin", 2000000);
	meet(&v, SOCK_STREAM);
	int status = open_wish(&v, &w);
	go_on(&v);
	assert_int_equal(truncate(in_www("grow.bin"), 3000000), 0);
	stream_want_read(&v.client, true);
	loop_run(v.loop);
	assert_true(v.done);
	struct reply r = take_reply(&v, &w, status);
	assert_int_equal(r.body_len, 2000000);
	reply_clear(&r);
	leave(&v);
}

static void
a_reader_that_leaves_ends_the_page(void **state)
{
	(void)state;
	struct visit v;
	put_pattern("large.bin", LARGE);
	meet(&v, SOCK_STREAM);
	assert_int_equal(open_wish(&v, &(struct wish){ .method = "GET", .target = "/large.bin", .fields = "" }), 200);
	go_on(&v);
	stream_close(&v.client);
	loop_run(v.loop);
	assert_true(v.server_failed || v.failed);
	assert_int_equal(page_continue(v.page), PAGE_FAILED);
	leave(&v);
}

static void
a_second_page_follows_on_the_same_connection(void **state)
{
	(void)state;
	struct visit v;
	struct wish w = { .method = "GET", .target = "/hello.txt", .fields = "" };
	meet(&v, SOCK_STREAM);
	assert_int_equal(open_wish(&v, &w), 200);
	assert_int_equal(page_continue(v.page), PAGE_DONE);
	page_free(v.page);
	w.target = "/docs/";
	assert_int_equal(open_wish(&v, &w), 200);
	go_on(&v);
	stream_want_read(&v.client, true);
	loop_run(v.loop);
	struct span got = buf_span(&v.got);
	const char *first = memmem(got.data, got.len, "hello, world", 12), *second = memmem(got.data, got.len, "<h1>docs</h1>", 13);
	assert_true(first != NULL && second != NULL && first < second);
	leave(&v);
}

/* --- descriptors -------------------------------------------------------------------------------- */

static int
lowest_free_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(fd);
	return fd;
}

static void
no_answer_leaves_a_descriptor_open(void **state)
{
	(void)state;
	static const char *const targets[] = { "/hello.txt", "/docs", "/docs/", "/bare", "/nothing", "/empty", "/hello.txt/x",
		"/.env" };
	static const char *const fields[] = { "", "If-None-Match: *\r\n", "If-Match: \"x\"\r\n", "Range: bytes=99-\r\n",
		"Range: bytes=1-2\r\n" };
	static const char *const methods[] = { "GET", "HEAD", "POST" };
	int before = lowest_free_descriptor();
	for (size_t t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
		for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
			for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
				struct reply r = ask(methods[m], targets[t], fields[f]);
				reply_clear(&r);
			}
		}
	}
	assert_int_equal(lowest_free_descriptor(), before);
}

#define STORY(name) cmocka_unit_test_setup(name, reset_route)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_page_comes_whole_and_says_what_it_is),
		STORY(the_connection_header_tells_whether_it_goes_on),
		STORY(head_says_what_get_would_and_sends_nothing),
		STORY(every_length_arrives_intact),
		STORY(a_small_page_leaves_with_its_head_in_one_write),
		STORY(an_edit_shows_at_once),
		STORY(each_kind_of_file_has_its_type),
		STORY(the_systems_list_knows_what_we_do_not),
		STORY(a_folder_shows_its_index),
		STORY(a_folder_without_its_slash_is_sent_to_it),
		STORY(a_redirect_never_names_another_host),
		STORY(a_route_beneath_the_root_is_a_folder_too),
		STORY(nothing_is_listed),
		STORY(another_file_can_be_the_index),
		STORY(what_is_not_there_is_404),
		STORY(dotfiles_stay_hidden),
		STORY(no_dots_and_no_link_leave_the_folder),
		STORY(a_name_with_a_nul_is_not_cut),
		STORY(links_within_the_folder_are_followed),
		STORY(only_files_are_read),
		STORY(what_may_not_be_read_is_403),
		STORY(other_methods_are_405),
		STORY(a_folder_that_is_gone_is_our_fault_not_the_clients),
		STORY(a_link_swapped_in_at_the_last_moment_gains_nothing),
		STORY(a_copy_that_is_still_good_is_not_sent_again),
		STORY(a_page_that_has_changed_is_not_mistaken),
		STORY(conditions_have_their_order),
		STORY(a_304_says_little),
		STORY(a_file_that_may_change_any_moment_has_a_weak_tag),
		STORY(a_part_of_a_page_can_be_had),
		STORY(an_empty_file_has_no_parts),
		STORY(head_has_no_ranges),
		STORY(a_download_goes_on_only_if_the_file_is_the_same),
		STORY(a_part_of_a_large_file_is_the_right_part),
		STORY(files_of_more_than_four_gigabytes_have_parts_too),
		STORY(the_operators_headers_come_with_every_answer_and_win),
		STORY(a_slow_reader_gets_all_and_little_waits_for_it),
		STORY(a_fast_reader_does_not_hold_the_loop),
		STORY(a_page_freed_between_two_turns_is_gone),
		STORY(a_file_cut_on_the_way_fails_the_page),
		STORY(a_file_that_grows_is_sent_as_long_as_it_was),
		STORY(a_reader_that_leaves_ends_the_page),
		STORY(a_second_page_follows_on_the_same_connection),
		STORY(no_answer_leaves_a_descriptor_open),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("gate_pages", tests, build_site, remove_site);
}
