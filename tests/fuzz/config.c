/*
 * Any bytes as a wsgate.ini. Either there are faults, each with a line that the text has, or there is
 * a snapshot that keeps what the rest of the gateway builds upon; reading it again gives the same; and
 * nothing that an operator can write breaks a response apart.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate/config.h"
#include "proto/http.h"
#include "proto/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static size_t
lines_of(const uint8_t *data, size_t size)
{
	size_t lines = 1;
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	return lines;
}

/* Whole lines, each "w.ini:LINE: what", in the order of the file. */
static void
must_be_faults(struct buf *faults, size_t lines)
{
	struct span left = buf_span(faults);
	unsigned long last = 1;
	while (left.len > 0) {
		unsigned char *end = memchr(left.data, '\n', left.len);
		must(end != NULL, "a fault is a whole line");
		*end = '\0';
		const char *text = (const char *)left.data;
		if (strncmp(text, "wsgate: and ", 12) != 0) {
			char *rest;
			must(strncmp(text, "w.ini:", 6) == 0, "a fault names the file");
			unsigned long line = strtoul(text + 6, &rest, 10);
			must(line >= last && line <= lines, "a fault names a line of the file, in order");
			must(strncmp(rest, ": ", 2) == 0 && strlen(rest) > 10, "a fault says what");
			last = line;
		}
		span_skip(&left, (size_t)(end - left.data) + 1);
	}
}

static void
must_be_whole_fields(const char *text)
{
	must(text != NULL, "there are header lines, be they none");
	while (*text != '\0') {
		size_t len = strcspn(text, "\r\n");
		must(len > 0 && strncmp(text + len, "\r\n", 2) == 0, "a field ends with CR LF, and is not empty");
		must(http_is_token((struct slice){ text, strcspn(text, ":") }) && memchr(text, ':', len) != NULL,
			"a field has a name");
		text += len + 2;
	}
}

static void
must_be_a_backend(const struct backend_options *b, bool is_program)
{
	must(b->framing != NULL && b->drain_timeout_ms > 0, "framing and time to drain");
	must(b->ops == (is_program ? &backend_process : &backend_socket), "its functions");
	must((b->argv != NULL) == is_program, "a program has words");
	must(!is_program || (b->argv[0] != NULL && b->argv[0][0] != '\0'), "and a name");
	must(is_program || (b->unix_path != NULL) != (b->host != NULL && b->port != 0), "a service has one address");
	must(b->stop_count <= BACKEND_STOP_STEPS && b->limit_count <= BACKEND_LIMITS, "ceilings");
	must(!is_program || ws_close_code_is_valid(b->exit_close), "a close code that may be sent");
	for (size_t i = 0; b->env != NULL && b->env[i] != NULL; i++)
		must(strchr(b->env[i], '=') > b->env[i], "variables have names");
}

static void
must_be_a_route(const struct config *c, const struct route *r)
{
	struct slice rest;
	size_t len = strlen(r->path);
	must(r->path[0] == '/' && (len == 1 || r->path[len - 1] != '/'), "a path");
	must(config_route(c, slice_of(r->path), &rest) == r, "a route is found by its path");
	must(r->has_backend || r->static_dir != NULL, "a route leads somewhere");
	must(r->static_dir == NULL || r->static_dir[0] == '/', "an absolute directory");
	must(r->index != NULL && strchr(r->index, '/') == NULL, "an index");
	must(r->buffer >= 4096 && r->use != NULL, "a buffer and counters");
	must(r->origin != ORIGIN_LIST || r->origin_list[0] != NULL, "a list of origins");
	must(r->upgrade.subprotocols != SUBPROTOCOL_LIST || r->upgrade.subprotocol_list[0] != NULL, "a list of subprotocols");
	must_be_whole_fields(r->header);
	must_be_whole_fields(r->header_ws);
	must_be_whole_fields(r->header_http);
	if (r->has_backend)
		must_be_a_backend(&r->backend, r->is_program);
}

static void
must_be_tls(const struct config *c)
{
	bool any = false;
	size_t certificates = 0, keys = 0;
	for (size_t i = 0; i < c->listen_count; i++)
		any |= c->listen[i].tls;
	while (c->tls_rules.certificates != NULL && c->tls_rules.certificates[certificates] != NULL)
		certificates++;
	while (c->tls_rules.keys != NULL && c->tls_rules.keys[keys] != NULL)
		keys++;
	must(c->tls == NULL, "no files were looked at");
	must(any == (certificates > 0 || c->tls_rules.selfsigned), "TLS has a certificate, and a certificate TLS");
	must(keys == 0 || keys == certificates, "each certificate has a key");
	must(any || !c->redirects, "there is somewhere to send clients");
}

static void
must_be_sound(const struct config *c)
{
	must(c->route_count > 0 && c->listen_count > 0 && c->workers > 0, "something to serve");
	must(c->handshake_timeout_ms > 0 && c->log.target != NULL, "time and a log");
	must_be_tls(c);
	for (size_t i = 0; i < c->route_count; i++) {
		must_be_a_route(c, &c->routes[i]);
		must(i == 0 || strlen(c->routes[i - 1].path) >= strlen(c->routes[i].path), "the longest first");
		must(i == 0 || strcmp(c->routes[i - 1].path, c->routes[i].path) != 0, "no path twice");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf faults = { 0 }, again = { 0 };
	struct config *c = config_from_text("w.ini", (const char *)data, size, false, &faults);
	must((c == NULL) == (buf_len(&faults) > 0), "a snapshot or faults");
	struct config *same = config_from_text("w.ini", (const char *)data, size, false, &again);
	must((same == NULL) == (c == NULL) && buf_len(&faults) == buf_len(&again), "twice the same");
	if (c != NULL)
		must_be_sound(c);
	else
		must_be_faults(&faults, lines_of(data, size));
	config_release(c);
	config_release(same);
	buf_clear(&faults);
	buf_clear(&again);
	return 0;
}
