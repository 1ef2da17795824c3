/*
 * The one idea: the page is fixed bytes within the program, but for the list of routes, which is
 * data and not script. So its style and script can be named by digest, and nothing that an operator
 * or a client writes can ever be run.
 */
#include "gate/console.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "proto/utf8.h"

/* The assembler takes the file in, from where make runs; no tool and no generated source is needed. */
__asm__(".pushsection .rodata\n"
	".globl console_page\n"
	".hidden console_page\n"
	".globl console_page_end\n"
	".hidden console_page_end\n"
	"console_page:\n"
	".incbin \"src/gate/console.html\"\n"
	"console_page_end:\n"
	".byte 0\n"
	".popsection\n");

extern const char console_page[], console_page_end[];

static const char routes_mark[] = "@ROUTES@";

enum { DIGEST_LEN = CRYPTO_BASE64_LEN(CRYPTO_SHA256_LEN) };

/* What is known of the page from its first use on. */
static struct {
	pthread_once_t once;
	struct slice before, after; /* the mark */
	char style[DIGEST_LEN + 1];
	char script[DIGEST_LEN + 1];
} page = { .once = PTHREAD_ONCE_INIT };

/* --- the page ----------------------------------------------------------------------------------- */

/* What stands between the first BEGIN and the next END; the page always has both. */
static struct slice
page_between(const char *begin, const char *end)
{
	const char *from = strstr(console_page, begin) + strlen(begin);
	return (struct slice){ from, (size_t)(strstr(from, end) - from) };
}

static void
write_digest(struct slice text, char out[static DIGEST_LEN + 1])
{
	unsigned char digest[CRYPTO_SHA256_LEN];
	/* Without a digest the browser refuses the script: a page that does nothing, but no hole. */
	if (crypto_sha256(text.data, text.len, digest) == 0)
		crypto_base64_encode(digest, sizeof(digest), out);
}

static void
page_prepare(void)
{
	const char *mark = strstr(console_page, routes_mark);
	page.before = (struct slice){ console_page, (size_t)(mark - console_page) };
	mark += strlen(routes_mark);
	page.after = (struct slice){ mark, (size_t)(console_page_end - mark) };
	write_digest(page_between("<style>", "</style>"), page.style);
	write_digest(page_between("<script>", "</script>"), page.script);
}

/* --- JSON that may stand in HTML ------------------------------------------------------------------ */

static int
write_text(struct buf *out, const char *text)
{
	return buf_append(out, text, strlen(text));
}

/* Valid UTF-8, without what would end the string or be markup. */
static int
write_escaped(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		bool plain = c >= 0x20 && c != 0x7f && memchr("\"\\<>&'", c, 6) == NULL;
		if ((plain ? buf_append(out, &text.data[i], 1) : buf_printf(out, "\\u%04x", c)) == -1)
			return -1;
	}
	return 0;
}

/* The inside of a JSON string. The operator's bytes need not be UTF-8; the page must be. */
static int
write_string_part(struct buf *out, struct slice text)
{
	while (text.len > 0) {
		size_t bad = 0, good = utf8_prefix((const unsigned char *)text.data, text.len, &bad);
		if (write_escaped(out, (struct slice){ text.data, good }) == -1)
			return -1;
		text.data += good;
		text.len -= good;
		if (text.len == 0)
			break;
		size_t skip = bad > 0 ? bad : text.len;
		if (write_text(out, "\xef\xbf\xbd") == -1)
			return -1;
		text.data += skip;
		text.len -= skip;
	}
	return 0;
}

static int
write_string(struct buf *out, const char *text)
{
	if (write_text(out, "\"") == -1 || write_string_part(out, slice_of(text)) == -1)
		return -1;
	return write_text(out, "\"");
}

/* ,"NAME":"VALUE" or nothing */
static int
write_member(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return 0;
	return buf_printf(out, ",\"%s\":", name) == -1 ? -1 : write_string(out, value);
}

/* --- the routes --------------------------------------------------------------------------------- */

/* The script of "sh -c SCRIPT", which is how the option shell starts it; or NULL. */
static const char *
shell_script(const char *const *argv)
{
	const char *name = strrchr(argv[0], '/');
	if (strcmp(name == NULL ? argv[0] : name + 1, "sh") != 0 || argv[1] == NULL || strcmp(argv[1], "-c") != 0)
		return NULL;
	return argv[2];
}

/* One word as a shell would take it. */
static int
write_word(struct buf *out, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,/:@%^";
	if (*word != '\0' && word[strspn(word, safe)] == '\0')
		return write_text(out, word);
	if (write_text(out, "'") == -1)
		return -1;
	for (; *word != '\0'; word++)
		if ((*word == '\'' ? write_text(out, "'\\''") : buf_append(out, word, 1)) == -1)
			return -1;
	return write_text(out, "'");
}

static int
write_command(struct buf *out, const char *const *argv)
{
	for (size_t i = 0; argv[i] != NULL; i++)
		if ((i > 0 && write_text(out, " ") == -1) || write_word(out, argv[i]) == -1)
			return -1;
	return 0;
}

static const char *
route_kind(const struct route *r)
{
	if (!r->has_backend)
		return r->static_dir == NULL ? "cgi" : "static";
	if (r->program_dir != NULL)
		return "dir";
	if (r->is_program)
		return shell_script(r->backend.argv) == NULL ? "exec" : "shell";
	return r->backend.unix_path == NULL ? "tcp" : "unix";
}

/* What is behind it, in words, with a NUL. */
static int
write_target(struct buf *out, const struct route *r)
{
	const char *script = r->is_program && r->program_dir == NULL ? shell_script(r->backend.argv) : NULL;
	const char *files = r->static_dir == NULL ? r->cgi_dir : r->static_dir;
	int result = 0;
	if (!r->has_backend)
		result = write_text(out, files == NULL ? "" : files);
	else if (r->program_dir != NULL)
		result = write_text(out, r->program_dir);
	else if (script != NULL)
		result = write_text(out, script);
	else if (r->is_program)
		result = write_command(out, r->backend.argv);
	else if (r->backend.unix_path != NULL)
		result = write_text(out, r->backend.unix_path);
	else
		result = buf_printf(
			out, strchr(r->backend.host, ':') == NULL ? "%s:%u" : "[%s]:%u", r->backend.host, r->backend.port);
	return result == -1 ? -1 : buf_append(out, "", 1);
}

/* ,"subprotocols":[...], or nothing if any will do */
static int
write_subprotocols(struct buf *out, const struct upgrade_options *opt)
{
	if (opt->subprotocols == SUBPROTOCOL_ANY)
		return 0;
	if (write_text(out, ",\"subprotocols\":[") == -1)
		return -1;
	const char *const *list = opt->subprotocols == SUBPROTOCOL_LIST ? opt->subprotocol_list : NULL;
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		if ((i > 0 && write_text(out, ",") == -1) || write_string(out, list[i]) == -1)
			return -1;
	return write_text(out, "]");
}

static int
write_route(struct buf *out, const struct route *r)
{
	struct buf target = { 0 };
	int result = -1;
	if (write_target(&target, r) == -1 || write_text(out, "{\"path\":") == -1 || write_string(out, r->path) == -1 ||
		write_member(out, "kind", route_kind(r)) == -1 ||
		write_member(out, "target", (const char *)buf_span(&target).data) == -1)
		goto done;
	if (r->has_backend &&
		(write_member(out, "framing", r->backend.framing->name) == -1 || write_subprotocols(out, &r->upgrade) == -1 ||
			write_member(out, "files", r->static_dir) == -1))
		goto done;
	if ((r->has_backend || r->static_dir != NULL) && write_member(out, "cgi", r->cgi_dir) == -1)
		goto done;
	result = write_text(out, "}");
done:
	buf_clear(&target);
	return result;
}

static int
write_routes(struct buf *out, const struct config *config)
{
	if (write_text(out, "[") == -1)
		return -1;
	for (size_t i = 0; i < config->route_count; i++)
		if ((i > 0 && write_text(out, ",\n") == -1) || write_route(out, &config->routes[i]) == -1)
			return -1;
	return write_text(out, "]");
}

/* --- the response ------------------------------------------------------------------------------- */

static int
write_head(struct buf *out, const struct route *route, bool keep_alive, size_t length)
{
	struct buf fields = { 0 };
	int result = -1;
	/* 'self' is ws: and wss: of the page's own host, too, whatever name a proxy has given it. */
	if (buf_printf(&fields,
		    "Content-Type: text/html; charset=utf-8\r\nContent-Length: %zu\r\nConnection: %s\r\nCache-Control: no-cache\r\n"
		    "Content-Security-Policy: default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; "
		    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
		    "Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n",
		    length, keep_alive ? "keep-alive" : "close", page.style, page.script) == -1)
		goto done;
	if (route != NULL && (write_text(&fields, route->header) == -1 || write_text(&fields, route->header_http) == -1))
		goto done;
	if (buf_append(&fields, "", 1) == 0)
		result = http_write_head(out, 200, time(NULL), (const char *)buf_span(&fields).data);
done:
	buf_clear(&fields);
	return result;
}

long
console_write(
	struct buf *out, const struct config *config, const struct route *route, const struct http_request *req, bool keep_alive)
{
	struct buf routes = { 0 };
	long result = -1;
	pthread_once(&page.once, page_prepare);
	if (write_routes(&routes, config) == -1)
		goto done;
	size_t length = page.before.len + buf_len(&routes) + page.after.len;
	result = write_head(out, route, keep_alive, length);
	if (result == -1 || slice_equals(req->method, "HEAD"))
		goto done;
	result = -1;
	if (buf_append(out, page.before.data, page.before.len) == 0 &&
		buf_append(out, buf_span(&routes).data, buf_len(&routes)) == 0 &&
		buf_append(out, page.after.data, page.after.len) == 0)
		result = (long)length;
done:
	buf_clear(&routes);
	return result;
}
