/*
 * config: what the operator writes is what the gateway does; what it cannot do, it says, all of it,
 * with the line and the way to mend it.
 */
#include "gate/config.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gate/help.h"
#include "gate/options.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { TEXT_MAX = 4096, ARGS_MAX = 16 };

/* --- helpers -------------------------------------------------------------------------------------- */

static char directory[] = "/tmp/wsgate-config-XXXXXX";

static const char *
in_directory(const char *name)
{
	static char paths[4][200];
	static unsigned next;
	char *path = paths[next++ % COUNT(paths)];
	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(in_directory(name), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(in_directory(name), mode), 0);
}

/* For localhost, and nobody's. */
static const char certificate_pem[] = "-----BEGIN CERTIFICATE-----\n"
				      "MIIBlTCCATugAwIBAgIUTunB3jYslhCHs14qLD2zXUGsp/UwCgYIKoZIzj0EAwIw\n"
				      "FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAzNTQ1MloYDzIxMjYxMDI4\n"
				      "MDM1NDUyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
				      "PQMBBwNCAAQHFwGIjzEhA10rAQFyWvyGX8Jasx2gaSQTKKJajC24zBdhzm2g80m4\n"
				      "VwY9Q6AbClivKzu7+QfppsCPB9jGfw8Do2kwZzAdBgNVHQ4EFgQUhNJCypOgguGr\n"
				      "VC9NCflEfDlJ0EEwHwYDVR0jBBgwFoAUhNJCypOgguGrVC9NCflEfDlJ0EEwDwYD\n"
				      "VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID\n"
				      "SAAwRQIhAMYGuo1Lpyv3eAgnHiX59J8TflKXSQIZjB37BzCJDGeTAiB50jgpHJzO\n"
				      "zXgN98Gz+kkcwqdYiuEpSSncLNvsAa/V0Q==\n"
				      "-----END CERTIFICATE-----\n";
static const char key_pem[] = "-----BEGIN PRIVATE KEY-----\n"
			      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkzhxdX1cSmB9zUsA\n"
			      "QzH/JZnor5xVW0tpM9cFBjWn6AehRANCAAQHFwGIjzEhA10rAQFyWvyGX8Jasx2g\n"
			      "aSQTKKJajC24zBdhzm2g80m4VwY9Q6AbClivKzu7+QfppsCPB9jGfw8D\n"
			      "-----END PRIVATE KEY-----\n";

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	write_file("run.sh", "#!/bin/sh\n", 0755);
	write_file("plain.txt", "text\n", 0644);
	write_file("cert.pem", certificate_pem, 0644);
	write_file("key.pem", key_pem, 0600);
	write_file("ca.pem", certificate_pem, 0644);
	return mkdir(in_directory("www"), 0755);
}

static int
tear_down(void **state)
{
	(void)state;
	static const char *const names[] = { "run.sh", "plain.txt", "cert.pem", "key.pem", "ca.pem", "w.ini", "out", "err" };
	for (size_t i = 0; i < COUNT(names); i++)
		unlink(in_directory(names[i]));
	rmdir(in_directory("www"));
	return rmdir(directory);
}

static const char *
text_of(struct buf *b, char out[static TEXT_MAX])
{
	snprintf(out, TEXT_MAX, "%.*s", (int)buf_len(b), buf_len(b) == 0 ? "" : (const char *)buf_span(b).data);
	buf_clear(b);
	return out;
}

static struct config *
parse_as(const char *name, bool check_files, const char *text, char faults[static TEXT_MAX])
{
	struct buf b = { 0 };
	struct config *c = config_from_text(name, text, strlen(text), check_files, &b);
	text_of(&b, faults);
	assert_true((c == NULL) == (faults[0] != '\0'));
	return c;
}

static struct config *
parse_good(const char *text)
{
	char faults[TEXT_MAX];
	struct config *c = parse_as("/etc/w.ini", false, text, faults);
	assert_string_equal(faults, "");
	return c;
}

static const struct route *
route_at(const struct config *c, const char *path)
{
	for (size_t i = 0; i < c->route_count; i++)
		if (strcmp(c->routes[i].path, path) == 0)
			return &c->routes[i];
	fail_msg("there is no route %s", path);
	return NULL;
}

struct answer {
	enum config_action action;
	int code;
	struct config *config;
	char out[TEXT_MAX], err[TEXT_MAX];
};

static int
redirect(int fd, const char *name)
{
	int saved = dup(fd);
	int file = open(in_directory(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(saved != -1 && file != -1);
	dup2(file, fd);
	close(file);
	return saved;
}

static void
restore(int fd, int saved, const char *name, char text[static TEXT_MAX])
{
	dup2(saved, fd);
	close(saved);
	FILE *file = fopen(in_directory(name), "r");
	assert_non_null(file);
	text[fread(text, 1, TEXT_MAX - 1, file)] = '\0';
	fclose(file);
}

/* Runs a command line; ARGS ends with NULL. */
static void
run(const char *const *args, struct answer *a)
{
	char *argv[ARGS_MAX + 2] = { (char *)"wsgate" };
	int argc = 1;
	for (; args[argc - 1] != NULL; argc++)
		argv[argc] = (char *)args[argc - 1];
	*a = (struct answer){ .code = -1 };
	fflush(stdout);
	int out = redirect(STDOUT_FILENO, "out"), err = redirect(STDERR_FILENO, "err");
	a->action = config_from_command_line(argc, argv, &a->config, &a->code);
	fflush(stdout);
	restore(STDERR_FILENO, err, "err", a->err);
	restore(STDOUT_FILENO, out, "out", a->out);
}

/* --- every key ------------------------------------------------------------------------------------- */

static const char *
joined(const char *const *list, char out[static TEXT_MAX])
{
	out[0] = '\0';
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		snprintf(out + strlen(out), TEXT_MAX - strlen(out), "%s%s", i == 0 ? "" : "|", list[i]);
	return out;
}

typedef const char *show_fn(const struct config *c, const struct route *r, char out[static TEXT_MAX]);

#define SHOW_TEXT(name, value)                                                                                                     \
	static const char *show_##name(const struct config *c, const struct route *r, char out[static TEXT_MAX])                   \
	{                                                                                                                          \
		(void)c;                                                                                                           \
		(void)r;                                                                                                           \
		const char *text = (value);                                                                                        \
		snprintf(out, TEXT_MAX, "%s", text == NULL ? "-" : text);                                                          \
		return out;                                                                                                        \
	}
#define SHOW_NUMBER(name, value)                                                                                                   \
	static const char *show_##name(const struct config *c, const struct route *r, char out[static TEXT_MAX])                   \
	{                                                                                                                          \
		(void)c;                                                                                                           \
		(void)r;                                                                                                           \
		snprintf(out, TEXT_MAX, "%lld", (long long)(value));                                                               \
		return out;                                                                                                        \
	}
#define SHOW_LIST(name, value)                                                                                                     \
	static const char *show_##name(const struct config *c, const struct route *r, char out[static TEXT_MAX])                   \
	{                                                                                                                          \
		(void)c;                                                                                                           \
		(void)r;                                                                                                           \
		return joined(value, out);                                                                                         \
	}

/* clang-format off */
SHOW_NUMBER(workers, c->workers)
SHOW_NUMBER(server_max_connections, c->max_connections)
SHOW_NUMBER(max_per_ip, c->max_per_ip)
SHOW_NUMBER(handshake_timeout, c->handshake_timeout_ms)
SHOW_NUMBER(server_drain_timeout, c->drain_timeout_ms)
SHOW_TEXT(pid_file, c->pid_file)
SHOW_NUMBER(unix_mode, c->unix_mode)
SHOW_NUMBER(devconsole, c->devconsole)
SHOW_NUMBER(redirect_port, c->redirects ? (int)c->redirect_port : -1)
SHOW_LIST(certificates, c->tls_rules.certificates)
SHOW_LIST(keys, c->tls_rules.keys)
SHOW_NUMBER(selfsigned, c->tls_rules.selfsigned)
SHOW_TEXT(client_ca, c->tls_rules.client_ca)
SHOW_NUMBER(min_version, c->tls_rules.min_version)
SHOW_TEXT(ciphers, c->tls_rules.ciphers)
SHOW_TEXT(ciphersuites, c->tls_rules.ciphersuites)
SHOW_NUMBER(redirect, c->tls_rules.redirect)
SHOW_NUMBER(level, c->log.level)
SHOW_NUMBER(format, c->log.format)
SHOW_TEXT(target, c->log.target)
SHOW_NUMBER(access, c->log_access)
SHOW_LIST(argv, r->backend.argv)
SHOW_TEXT(unix, r->backend.unix_path)
SHOW_TEXT(static, r->static_dir)
SHOW_TEXT(dir, r->program_dir)
SHOW_TEXT(cgi, r->cgi_dir)
SHOW_TEXT(index, r->index)
SHOW_TEXT(framing, r->backend.framing->name)
SHOW_NUMBER(message_type, r->backend.framing_options.type)
SHOW_NUMBER(utf8, r->backend.framing_options.utf8)
SHOW_NUMBER(accept, r->accept)
SHOW_NUMBER(required, r->upgrade.subprotocols_required)
SHOW_NUMBER(max_message, r->max_message)
SHOW_NUMBER(buffer, r->buffer)
SHOW_NUMBER(compression, r->upgrade.deflate.on)
SHOW_NUMBER(compression_level, r->upgrade.deflate.level)
SHOW_NUMBER(compression_window, r->upgrade.deflate.window)
SHOW_NUMBER(compression_threshold, r->upgrade.deflate.threshold)
SHOW_NUMBER(compression_takeover, r->upgrade.deflate.takeover)
SHOW_NUMBER(ping_interval, r->ping_interval_ms)
SHOW_NUMBER(ping_timeout, r->ping_timeout_ms)
SHOW_NUMBER(idle_timeout, r->idle_timeout_ms)
SHOW_NUMBER(max_session, r->max_session_ms)
SHOW_NUMBER(send_timeout, r->send_timeout_ms)
SHOW_NUMBER(cgi_timeout, r->cgi_timeout_ms)
SHOW_NUMBER(connect_timeout, r->backend.connect_timeout_ms)
SHOW_NUMBER(drain_timeout, r->backend.drain_timeout_ms)
SHOW_NUMBER(max_connections, r->max_connections)
SHOW_NUMBER(max_children, r->max_children)
SHOW_NUMBER(spawn_rate, r->spawn_rate)
SHOW_NUMBER(reverse_lookup, r->reverse_lookup)
SHOW_NUMBER(stderr, r->backend.stderr_policy)
SHOW_NUMBER(stderr_of_cgi, r->cgi.stderr_policy)
SHOW_NUMBER(buffering, r->backend.buffering)
SHOW_LIST(env, r->backend.env)
SHOW_LIST(passenv, r->backend.passenv)
SHOW_TEXT(chdir, r->backend.chdir)
SHOW_NUMBER(user, r->backend.has_user ? (long long)r->backend.uid : -1)
SHOW_NUMBER(group, r->backend.has_group ? (long long)r->backend.gid : -1)
SHOW_NUMBER(nice, r->backend.has_nice ? r->backend.nice : 99)
SHOW_NUMBER(umask, r->backend.has_umask ? (long long)r->backend.umask : -1)
SHOW_NUMBER(exit_close, r->backend.exit_close)
SHOW_TEXT(header, r->header)
SHOW_TEXT(header_ws, r->header_ws)
SHOW_TEXT(header_http, r->header_http)
/* clang-format on */

static const char *
show_listen(const struct config *c, const struct route *r, char out[static TEXT_MAX])
{
	char text[ADDRESS_TEXT_MAX];
	(void)r;
	out[0] = '\0';
	for (size_t i = 0; i < c->listen_count; i++)
		snprintf(out + strlen(out), TEXT_MAX - strlen(out), "%s%s%s", i == 0 ? "" : "|",
			address_format(&c->listen[i].address, text), c->listen[i].tls ? " tls" : "");
	return out;
}

static const char *
show_unix_owner(const struct config *c, const struct route *r, char out[static TEXT_MAX])
{
	(void)r;
	snprintf(out, TEXT_MAX, c->has_unix_owner ? "%d:%d" : "-", (int)c->unix_uid, (int)c->unix_gid);
	return out;
}

static const char *
show_tcp(const struct config *c, const struct route *r, char out[static TEXT_MAX])
{
	(void)c;
	snprintf(out, TEXT_MAX, "%s %u", r->backend.host == NULL ? "-" : r->backend.host, r->backend.port);
	return out;
}

static const char *
show_subprotocols(const struct config *c, const struct route *r, char out[static TEXT_MAX])
{
	(void)c;
	if (r->upgrade.subprotocols == SUBPROTOCOL_LIST)
		return joined(r->upgrade.subprotocol_list, out);
	snprintf(out, TEXT_MAX, "%s", r->upgrade.subprotocols == SUBPROTOCOL_ANY ? "(any)" : "(none)");
	return out;
}

static const char *
show_origin(const struct config *c, const struct route *r, char out[static TEXT_MAX])
{
	(void)c;
	if (r->origin == ORIGIN_LIST)
		return joined(r->origin_list, out);
	snprintf(out, TEXT_MAX, "%s", r->origin == ORIGIN_ANY ? "(any)" : "(same)");
	return out;
}

static const char *
show_stop(const struct config *c, const struct route *r, char out[static TEXT_MAX])
{
	(void)c;
	out[0] = '\0';
	for (size_t i = 0; i < r->backend.stop_count; i++)
		snprintf(out + strlen(out), TEXT_MAX - strlen(out), "%s%d:%llu", i == 0 ? "" : "|", r->backend.stop[i].signo,
			(unsigned long long)r->backend.stop[i].wait_ms);
	return out;
}

static const char *
show_limits(const struct config *c, const struct route *r, char out[static TEXT_MAX])
{
	(void)c;
	out[0] = '\0';
	for (size_t i = 0; i < r->backend.limit_count; i++)
		snprintf(out + strlen(out), TEXT_MAX - strlen(out), "%s%d:%lld", i == 0 ? "" : "|", r->backend.limits[i].resource,
			(long long)r->backend.limits[i].value);
	return out;
}

#define NO_CERTIFICATE                                                                                                             \
	"TLS needs a certificate and its key: give certificate and key in [tls] (--sslcert=FILE --sslkey=FILE), or "               \
	"--selfsigned to try things out"
#define NO_EFFECT                                                                                                                  \
	"it would have no effect, for no address is for TLS: write tls behind one (listen = 0.0.0.0:8443 tls), or give --ssl"
#define LADDER "0:100|2:250|15:500"
#define PASSED "PATH|LANG|LC_ALL|LD_LIBRARY_PATH|TZ|HOME|USER"

/*
 * A key, what it is when nobody sets it, and two values with what they become. USUAL NULL: not to be
 * compared. The route is one with a program; where that is not what the key needs, FOR is the backend.
 */
static const struct key {
	enum option_scope scope;
	const char *name;
	show_fn *show;
	const char *usual;
	const char *one, *is_one;
	const char *two, *is_two;
	const char *needs;
} keys[] = {
	{ OPTION_SERVER, "listen", show_listen, "127.0.0.1:8080", "[::1]:1, unix:@a", "[::1]:1|unix:@a", "81", "127.0.0.1:81",
		NULL },
	{ OPTION_SERVER, "workers", show_workers, NULL, "3", "3", "256", "256", NULL },
	{ OPTION_SERVER, "max_connections", show_server_max_connections, "10000", "5", "5", "0", "0", NULL },
	{ OPTION_SERVER, "max_per_ip", show_max_per_ip, "0", "5", "5", "6", "6", NULL },
	{ OPTION_SERVER, "handshake_timeout", show_handshake_timeout, "10000", "1ms", "1", "2s", "2000", NULL },
	{ OPTION_SERVER, "drain_timeout", show_server_drain_timeout, "30000", "0", "0", "1h", "3600000", NULL },
	{ OPTION_SERVER, "devconsole", show_devconsole, "0", "yes", "1", "no", "0", NULL },
	{ OPTION_SERVER, "redirect_port", show_redirect_port, "-1", "80", "80", "0", "0",
		"listen = 1 tls\n[tls]\nselfsigned = yes" },
	{ OPTION_SERVER, "unix_mode", show_unix_mode, "0", "0660", "432", "777", "511", NULL },
	{ OPTION_SERVER, "unix_owner", show_unix_owner, "-", "root", "0:-1", ":0", "-1:0", NULL },
	{ OPTION_SERVER, "pid_file", show_pid_file, "-", "/run/a", "/run/a", "/run/b", "/run/b", NULL },
	{ OPTION_TLS, "certificate", show_certificates, "", "/a", "/a", "b", "/etc/b", "" },
	{ OPTION_TLS, "key", show_keys, "", "/a", "/a", "b", "/etc/b", "certificate = /c" },
	{ OPTION_TLS, "selfsigned", show_selfsigned, "0", "yes", "1", "on", "1", "" },
	{ OPTION_TLS, "client_ca", show_client_ca, "-", "/a", "/a", "b", "/etc/b", "certificate = /c" },
	{ OPTION_TLS, "min_version", show_min_version, "0", "1.3", "1", "1.2", "0", "selfsigned = yes" },
	{ OPTION_TLS, "ciphers", show_ciphers, "-", "HIGH:!MD5", "HIGH:!MD5", "ECDHE+AESGCM", "ECDHE+AESGCM", "selfsigned = yes" },
	{ OPTION_TLS, "ciphersuites", show_ciphersuites, "-", "A:B", "A:B", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256",
		"selfsigned = yes" },
	{ OPTION_TLS, "redirect", show_redirect, "1", "no", "0", "off", "0", "selfsigned = yes" },
	{ OPTION_LOG, "level", show_level, "5", "warn", "3", "none", "0", NULL },
	{ OPTION_LOG, "format", show_format, "0", "json", "1", "logfmt", "2", NULL },
	{ OPTION_LOG, "target", show_target, "stderr", "syslog", "syslog", "/a/log", "/a/log", NULL },
	{ OPTION_LOG, "access", show_access, "1", "no", "0", "off", "0", NULL },
	{ OPTION_ROUTE, "exec", show_argv, NULL, "/bin/cat -u", "/bin/cat|-u", "/bin/echo", "/bin/echo", "" },
	{ OPTION_ROUTE, "shell", show_argv, NULL, "a ; b", "/bin/sh|-c|a ; b", "x # y", "/bin/sh|-c|x # y", "" },
	{ OPTION_ROUTE, "tcp", show_tcp, "- 0", "host.example:5900", "host.example 5900", "[::1]:2", "::1 2", "" },
	{ OPTION_ROUTE, "unix", show_unix, "-", "/run/a", "/run/a", "@b", "@b", "" },
	{ OPTION_ROUTE, "static", show_static, "-", "/", "/", "/tmp", "/tmp", NULL },
	{ OPTION_ROUTE, "dir", show_dir, "-", "/", "/", "/tmp", "/tmp", "" },
	{ OPTION_ROUTE, "cgi", show_cgi, "-", "/", "/", "/tmp", "/tmp", NULL },
	{ OPTION_ROUTE, "index", show_index, "index.html", "a.html", "a.html", "b.html", "b.html", "static = /" },
	{ OPTION_ROUTE, "framing", show_framing, "lines", "raw", "raw", "lines", "lines", NULL },
	{ OPTION_ROUTE, "message_type", show_message_type, "0", "text", "1", "auto", "3", NULL },
	{ OPTION_ROUTE, "utf8", show_utf8, "0", "binary", "1", "close", "2", NULL },
	{ OPTION_ROUTE, "subprotocols", show_subprotocols, "(any)", "none", "(none)", "mqtt, chat v1.x", "mqtt|chat|v1.x", NULL },
	{ OPTION_ROUTE, "accept", show_accept, "0", "text", "1", "binary", "2", NULL },
	{ OPTION_ROUTE, "subprotocols_required", show_required, "0", "yes", "1", "true", "1", NULL },
	{ OPTION_ROUTE, "origin", show_origin, "(same)", "any", "(any)", "a.example, https://b.example:1 *.c [::1]:8",
		"a.example|https://b.example:1|*.c|[::1]:8", NULL },
	{ OPTION_ROUTE, "max_message", show_max_message, "16777216", "64k", "65536", "0", "0", NULL },
	{ OPTION_ROUTE, "buffer", show_buffer, "262144", "4k", "4096", "1m", "1048576", NULL },
	{ OPTION_ROUTE, "compression", show_compression, "0", "on", "1", "yes", "1", NULL },
	{ OPTION_ROUTE, "compression_level", show_compression_level, "3", "1", "1", "9", "9", NULL },
	{ OPTION_ROUTE, "compression_window", show_compression_window, "12", "9", "9", "15", "15", NULL },
	{ OPTION_ROUTE, "compression_threshold", show_compression_threshold, "128", "0", "0", "1k", "1024", NULL },
	{ OPTION_ROUTE, "compression_takeover", show_compression_takeover, "1", "no", "0", "off", "0", NULL },
	{ OPTION_ROUTE, "ping_interval", show_ping_interval, "30000", "0", "0", "500ms", "500", NULL },
	{ OPTION_ROUTE, "ping_timeout", show_ping_timeout, "20000", "5", "5000", "1m", "60000", NULL },
	{ OPTION_ROUTE, "idle_timeout", show_idle_timeout, "0", "1s", "1000", "2s", "2000", NULL },
	{ OPTION_ROUTE, "max_session", show_max_session, "0", "1d", "86400000", "2s", "2000", NULL },
	{ OPTION_ROUTE, "send_timeout", show_send_timeout, "60000", "0", "0", "2s", "2000", NULL },
	{ OPTION_ROUTE, "cgi_timeout", show_cgi_timeout, "60000", "0", "0", "2s", "2000", "cgi = /" },
	{ OPTION_ROUTE, "connect_timeout", show_connect_timeout, "10000", "1s", "1000", "2s", "2000", "tcp = h:1" },
	{ OPTION_ROUTE, "drain_timeout", show_drain_timeout, "5000", "1s", "1000", "2s", "2000", NULL },
	{ OPTION_ROUTE, "max_connections", show_max_connections, "0", "1", "1", "2", "2", NULL },
	{ OPTION_ROUTE, "max_children", show_max_children, "1024", "0", "0", "2", "2", NULL },
	{ OPTION_ROUTE, "spawn_rate", show_spawn_rate, "0", "1", "1", "2", "2", NULL },
	{ OPTION_ROUTE, "reverse_lookup", show_reverse_lookup, "0", "yes", "1", "on", "1", NULL },
	{ OPTION_ROUTE, "buffering", show_buffering, "1", "pty", "2", "none", "3", NULL },
	{ OPTION_ROUTE, "stderr", show_stderr, "0", "merge", "1", "discard", "2", NULL },
	{ OPTION_ROUTE, "stderr", show_stderr, "0", "auto", "0", "log", "0", "exec = /bin/cat\nframing = raw" },
	{ OPTION_ROUTE, "stderr", show_stderr, "3", "auto", "3", "client", "3", "exec = /bin/cat\nframing = tagged" },
	{ OPTION_ROUTE, "stderr", show_stderr_of_cgi, "0", "client", "0", "merge", "1",
		"exec = /bin/cat\ncgi = /\nframing = tagged" },
	{ OPTION_ROUTE, "env", show_env, "", "A=1 ; 2=b", "A=1 ; 2=b", "A=", "A=", NULL },
	{ OPTION_ROUTE, "passenv", show_passenv, PASSED, "", "", "A", "A", NULL },
	{ OPTION_ROUTE, "passenv", show_passenv, PASSED, "A,B _c1", "A|B|_c1", "none", "", NULL },
	{ OPTION_ROUTE, "chdir", show_chdir, "-", "/", "/", "/tmp", "/tmp", NULL },
	{ OPTION_ROUTE, "user", show_user, "-1", "root", "0", "0", "0", NULL },
	{ OPTION_ROUTE, "group", show_group, "-1", "root", "0", "0", "0", NULL },
	{ OPTION_ROUTE, "nice", show_nice, "99", "-20", "-20", "19", "19", NULL },
	{ OPTION_ROUTE, "umask", show_umask, "-1", "027", "23", "0", "0", NULL },
	{ OPTION_ROUTE, "limit_nofile", show_limits, "", "9", "7:9", "10", "7:10", NULL },
	{ OPTION_ROUTE, "limit_nproc", show_limits, "", "9", "6:9", "10", "6:10", NULL },
	{ OPTION_ROUTE, "limit_cpu", show_limits, "", "9", "0:9", "1m", "0:60", NULL },
	{ OPTION_ROUTE, "limit_as", show_limits, "", "1m", "9:1048576", "2k", "9:2048", NULL },
	{ OPTION_ROUTE, "limit_data", show_limits, "", "1m", "2:1048576", "2k", "2:2048", NULL },
	{ OPTION_ROUTE, "limit_stack", show_limits, "", "1m", "3:1048576", "2k", "3:2048", NULL },
	{ OPTION_ROUTE, "limit_fsize", show_limits, "", "1m", "1:1048576", "2k", "1:2048", NULL },
	{ OPTION_ROUTE, "limit_core", show_limits, "", "0", "4:0", "0k", "4:0", NULL },
	{ OPTION_ROUTE, "stop", show_stop, LADDER, "INT 1s, eof 2s", "2:1000|0:2000", "SIGHUP 0,kill", "1:0", NULL },
	{ OPTION_ROUTE, "exit_close", show_exit_close, "1011", "4001", "4001", "1000", "1000", NULL },
	{ OPTION_ROUTE, "header", show_header, "", "A: b", "A: b\r\n", "A:  c ; d ", "A: c ; d\r\n", NULL },
	{ OPTION_ROUTE, "header_ws", show_header_ws, "", "A: b", "A: b\r\n", "A:", "A: \r\n", NULL },
	{ OPTION_ROUTE, "header_http", show_header_http, "", "A: b", "A: b\r\n", "A:\tc", "A: c\r\n", NULL },
};

static bool
needs_root(const struct key *k)
{
	return strcmp(k->name, "user") == 0 || strcmp(k->name, "group") == 0 || strcmp(k->name, "nice") == 0;
}

static const char *
program_for(const struct key *k)
{
	return k->scope == OPTION_ROUTE && k->needs != NULL ? k->needs : "exec = /bin/cat";
}

static bool
is_of_one_route(const struct key *k)
{
	return (options_find_key(k->scope, slice_of(k->name))->flags & OPTION_OF_ONE_ROUTE) != 0;
}

/* A file with LINE in the section that the key belongs to, or in [defaults]. */
static const char *
file_with(const struct key *k, const char *value, const char *value_of_defaults, char out[static TEXT_MAX])
{
	char line[TEXT_MAX / 4] = "", defaults[TEXT_MAX / 4] = "";
	if (value != NULL)
		snprintf(line, sizeof(line), "%s = %s", k->name, value);
	if (value_of_defaults != NULL)
		snprintf(defaults, sizeof(defaults), "[defaults]\n%s = %s\n", k->name, value_of_defaults);
	bool is_route = k->scope == OPTION_ROUTE;
	snprintf(out, TEXT_MAX, "%s\n%s\n%s\n%s[/]\n%s\n%s\n",
		k->scope == OPTION_SERVER ? "[server]"
		: k->scope == OPTION_TLS  ? "[server]\nlisten = 1 tls\n[tls]"
		: k->scope == OPTION_LOG  ? "[log]"
					  : "",
		is_route ? "" : line, is_route || k->needs == NULL ? "" : k->needs, defaults, program_for(k), is_route ? line : "");
	return out;
}

static void
expect(const struct config *c, const struct key *k, const char *expected)
{
	char got[TEXT_MAX];
	assert_non_null(c);
	if (expected != NULL)
		assert_string_equal(k->show(c, route_at(c, "/"), got), expected);
}

static void
no_key_of_the_table_is_left_out_here(void **state)
{
	(void)state;
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &options[i];
		bool is_here = o->scope == OPTION_COMMAND || (o->flags & OPTION_NO_KEY) != 0;
		for (size_t k = 0; k < COUNT(keys); k++)
			is_here |= keys[k].scope == o->scope && strcmp(keys[k].name, o->name) == 0;
		if (!is_here)
			fail_msg("%s is not tested", o->name);
	}
}

static void
every_key_has_its_default(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		const struct key *k = &keys[i];
		char text[TEXT_MAX];
		bool has_none = k->scope == OPTION_ROUTE && k->needs != NULL && k->needs[0] == '\0';
		snprintf(text, sizeof(text), "[/]\n%s\n", has_none ? "exec = /bin/cat" : program_for(k));
		struct config *c = parse_good(text);
		expect(c, k, k->usual);
		config_release(c);
	}
	struct config *c = parse_good("[/]\ntcp = a:1\n[/p]\nexec = /bin/cat\n");
	assert_ptr_equal(route_at(c, "/")->backend.framing, &framing_raw);
	assert_ptr_equal(route_at(c, "/p")->backend.framing, &framing_lines);
	assert_true(c->workers >= 1);
	config_release(c);
}

static void
every_key_can_be_set_in_the_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		const struct key *k = &keys[i];
		char text[TEXT_MAX];
		if (needs_root(k) && geteuid() != 0)
			continue;
		struct config *c = parse_good(file_with(k, k->one, NULL, text));
		expect(c, k, k->is_one);
		config_release(c);
		c = parse_good(file_with(k, k->two, NULL, text));
		expect(c, k, k->is_two);
		config_release(c);
	}
}

static void
a_route_wins_over_defaults_and_they_over_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		const struct key *k = &keys[i];
		char text[TEXT_MAX];
		if (k->scope != OPTION_ROUTE || is_of_one_route(k) || (needs_root(k) && geteuid() != 0))
			continue;
		struct config *c = parse_good(file_with(k, NULL, k->one, text));
		expect(c, k, k->is_one);
		config_release(c);
		c = parse_good(file_with(k, k->two, k->one, text));
		expect(c, k, k->is_two);
		config_release(c);
	}
}

/* Which must be there, then: see certificates_of_the_command_line_take_the_place_of_those_of_the_file. */
static bool
is_file_of_tls(const struct key *k)
{
	return k->show == show_certificates || k->show == show_keys || k->show == show_client_ca;
}

static void
the_command_line_wins_over_the_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		const struct key *k = &keys[i];
		const struct option *o = options_find_key(k->scope, slice_of(k->name));
		char text[TEXT_MAX], config[256], option[TEXT_MAX], flag[OPTION_FLAG_MAX];
		if ((needs_root(k) && geteuid() != 0) || is_file_of_tls(k))
			continue;
		write_file("w.ini", file_with(k, k->one, NULL, text), 0644);
		snprintf(config, sizeof(config), "--config=%s", in_directory("w.ini"));
		snprintf(option, sizeof(option), "--%s=%s", options_flag(o, flag), k->two);
		struct answer a;
		run((const char *const[]){ config, option, NULL }, &a);
		assert_string_equal(a.err, "");
		assert_int_equal(a.action, CONFIG_RUN);
		expect(a.config, k, k->is_two);
		config_release(a.config);
	}
}

static void
a_key_of_two_sections_is_told_apart_on_the_command_line(void **state)
{
	(void)state;
	struct answer a;
	run((const char *const[]){ "--max-connections=7", "--route-max-connections=8", "--drain-timeout=9s",
		    "--route-drain-timeout=10s", "--log-level=warn", "--server-max-per-ip=11", "--max_message=12", "/bin/cat",
		    NULL },
		&a);
	assert_string_equal(a.err, "");
	assert_int_equal(a.config->max_connections, 7);
	assert_int_equal(a.config->routes[0].max_connections, 8);
	assert_int_equal(a.config->drain_timeout_ms, 9000);
	assert_int_equal(a.config->routes[0].backend.drain_timeout_ms, 10000);
	assert_int_equal(a.config->log.level, LOG_LEVEL_WARN);
	assert_int_equal(a.config->max_per_ip, 11);
	assert_int_equal(a.config->routes[0].max_message, 12);
	config_release(a.config);
}

static void
variables_and_headers_add_up_name_by_name(void **state)
{
	(void)state;
	char text[TEXT_MAX];
	struct config *c = parse_good("[defaults]\nenv = A=1\nenv = B=1\nheader = X-One: 1\nheader = x-two: 1\n"
				      "[/]\nexec = /bin/cat\nenv = B=2\n  C=2\nheader = X-Two: 2\nheader = X-Two: 3\n");
	assert_string_equal(joined(c->routes[0].backend.env, text), "A=1|B=2|C=2");
	assert_string_equal(c->routes[0].header, "X-One: 1\r\nX-Two: 2\r\nX-Two: 3\r\n");
	config_release(c);
}

/* A page of a program's screen is no line, and a length in front of each message needs no line's end. */
static void
lines_leave_a_program_at_once_where_lines_are_messages(void **state)
{
	static const struct {
		const char *settings;
		enum buffering buffering;
	} table[] = {
		{ "framing = lines", BUFFERING_LINE },
		{ "framing = jsonl", BUFFERING_LINE },
		{ "framing = tagged", BUFFERING_LINE },
		{ "framing = lines0", BUFFERING_NONE },
		{ "framing = raw", BUFFERING_NONE },
		{ "framing = netstring", BUFFERING_NONE },
		{ "framing = raw\nbuffering = line", BUFFERING_LINE },
		{ "framing = raw\nbuffering = pty", BUFFERING_PTY },
		{ "buffering = none", BUFFERING_NONE },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		char text[TEXT_MAX];
		snprintf(text, sizeof(text), "[/]\nexec = /bin/cat\n%s\n", table[i].settings);
		struct config *c = parse_good(text);
		assert_int_equal(route_at(c, "/")->backend.buffering, table[i].buffering);
		assert_null(route_at(c, "/")->backend.line_library); /* files were not to be looked for */
		config_release(c);
	}
}

/* FAULTS is what `wsgate.ini` in the directory of the test's files has; the directory stands for "@". */
static void
expect_faults(const char *text, bool is_good, const char *faults)
{
	char got[TEXT_MAX], expected[TEXT_MAX] = "";
	struct buf b = { 0 };
	struct config *c = config_from_text(in_directory("w.ini"), text, strlen(text), true, &b);
	text_of(&b, got);
	for (const char *f = faults; *f != '\0'; f++)
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), *f == '@' ? "%s" : "%.1s",
			*f == '@' ? directory : f);
	assert_string_equal(got, expected);
	assert_true((c != NULL) == is_good);
	assert_true(c == NULL || c->tls != NULL);
	config_release(c);
}

#define TLS_FILE "[/]\nexec = /bin/cat\n[server]\nlisten = 1 tls\n[tls]\n"

static void
certificates_and_keys_are_paired_and_looked_at(void **state)
{
	(void)state;
	expect_faults(TLS_FILE "certificate = cert.pem\nkey = key.pem\n", true, "");
	expect_faults(TLS_FILE "certificate = cert.pem\nkey = key.pem\ncertificate = cert.pem\nkey = key.pem\n", true, "");
	expect_faults(TLS_FILE "certificate = cert.pem\nkey = key.pem\nclient_ca = ca.pem\n", true, "");
	expect_faults(TLS_FILE "certificate = cert.pem\n", false,
		"@/w.ini:6: certificate: @/cert.pem: there is no private key in it (PEM: -----BEGIN PRIVATE KEY-----)\n");
	expect_faults(TLS_FILE "certificate = cert.pem\ncertificate = ca.pem\nkey = key.pem\n", false,
		"@/w.ini:7: certificate: it has no key: there are 1, and 2 certificates\n");
	expect_faults(TLS_FILE "key = key.pem\ncertificate = cert.pem\n  cert.pem\nkey = key.pem\n  key.pem\n", false,
		"@/w.ini:10: key: it has no certificate: there are 2, and 3 keys\n");
	expect_faults(TLS_FILE
		"certificate = a.pem\ncertificate = cert.pem\nkey = key.pem\nkey = plain.txt\nclient_ca = plain.txt\n"
		"ciphers = NONE\n",
		false,
		"@/w.ini:6: certificate: @/a.pem: No such file or directory\n"
		"@/w.ini:9: key: @/plain.txt: there is no private key in it (PEM: -----BEGIN PRIVATE KEY-----)\n"
		"@/w.ini:10: client_ca: @/plain.txt: there is no certificate of a CA in it (PEM)\n"
		"@/w.ini:11: ciphers: \"NONE\" names no cipher of TLS 1.2; `openssl ciphers -v -tls1_2` lists them\n");
	expect_faults(TLS_FILE "min_version = 1.3\n", false, "@/w.ini:4: listen: " NO_CERTIFICATE "\n");
	expect_faults(TLS_FILE "selfsigned = yes\ncertificate = cert.pem\n", false,
		"@/w.ini:6: selfsigned: there is a certificate already; give one of them up\n");
	expect_faults("[/]\nexec = /bin/cat\n[tls]\nmin_version = 1.3\nselfsigned = yes\n", false,
		"@/w.ini:4: min_version: " NO_EFFECT "\n");
}

static void
certificates_of_the_command_line_take_the_place_of_those_of_the_file(void **state)
{
	(void)state;
	char config[256], certificate[256], key[256], ca[256], got[TEXT_MAX], expected[TEXT_MAX];
	struct answer a;
	write_file(
		"w.ini", TLS_FILE "certificate = /no/a\ncertificate = /no/b\nkey = /no/c\nkey = /no/d\nclient_ca = /no/e\n", 0644);
	snprintf(config, sizeof(config), "--config=%s", in_directory("w.ini"));
	snprintf(certificate, sizeof(certificate), "--sslcert=%s", in_directory("cert.pem"));
	snprintf(key, sizeof(key), "--sslkey=%s", in_directory("key.pem"));
	snprintf(ca, sizeof(ca), "--sslca=%s", in_directory("ca.pem"));
	run((const char *const[]){ config, certificate, key, ca, NULL }, &a);
	assert_string_equal(a.err, "");
	assert_string_equal(show_certificates(a.config, NULL, got), in_directory("cert.pem"));
	assert_string_equal(show_keys(a.config, NULL, got), in_directory("key.pem"));
	assert_string_equal(show_client_ca(a.config, NULL, got), in_directory("ca.pem"));
	assert_non_null(a.config->tls);
	config_release(a.config);
	/* A plain address of the command line makes the file's section idle, and no mistake. */
	run((const char *const[]){ config, "--port=9", NULL }, &a);
	assert_string_equal(a.err, "");
	assert_null(a.config->tls);
	config_release(a.config);
	run((const char *const[]){ config, "--ssl", "--port=9", certificate, NULL }, &a);
	snprintf(expected, sizeof(expected), "%s:9: key: it has no certificate: there are 1, and 2 keys\n", in_directory("w.ini"));
	assert_string_equal(a.err, expected);
}

static void
tls_stands_behind_the_address_that_it_is_for(void **state)
{
	(void)state;
	char text[TEXT_MAX];
	struct config *c = parse_good("[server]\nlisten = 1 tls, 2,[::]:3\ttls\n  unix:/a b tls, unix:/x/tls, unix:tls ; no tls\n"
				      "[tls]\nselfsigned = yes\n[/]\nexec = /bin/cat\n");
	assert_string_equal(
		show_listen(c, NULL, text), "127.0.0.1:1 tls|127.0.0.1:2|[::]:3 tls|unix:/a b tls|unix:/x/tls|unix:/etc/tls");
	assert_true(c->listen[3].tls);
	assert_string_equal(c->listen[3].text, "unix:/a b");
	assert_null(c->tls); /* no files were looked at */
	config_release(c);
}

static void
a_listener_may_stand_on_each_line(void **state)
{
	(void)state;
	char text[TEXT_MAX];
	struct config *c = parse_good("[server]\nlisten = 1 ; the first\nlisten = 2\n  3, unix:my dir/s\n[/]\nexec = /bin/cat\n");
	assert_string_equal(show_listen(c, NULL, text), "127.0.0.1:1|127.0.0.1:2|127.0.0.1:3|unix:/etc/my dir/s");
	config_release(c);
}

static void
all_eight_limits_at_once(void **state)
{
	(void)state;
	struct config *c =
		parse_good("[/]\nexec = /bin/cat\nlimit_nofile = 1\nlimit_nproc = 1\nlimit_cpu = 1\nlimit_as = 1\nlimit_data = 1\n"
			   "limit_stack = 1\nlimit_fsize = 1\nlimit_core = 0\n");
	assert_int_equal(c->routes[0].backend.limit_count, 8);
	config_release(c);
	if (geteuid() != 0)
		return;
	c = parse_good("[/]\nexec = /bin/cat\nlimit_as = unlimited\n");
	assert_true(c->routes[0].backend.limits[0].value == RLIM_INFINITY);
	config_release(c);
}

/* --- lines ---------------------------------------------------------------------------------------- */

static void
a_shell_command_keeps_its_semicolons(void **state)
{
	(void)state;
	static const struct {
		const char *line, *command;
	} cases[] = {
		{ "shell = echo one ; echo two", "echo one ; echo two" },
		{ "shell = a;b ;c # d", "a;b ;c # d" },
		{ "shell = ; leading", "; leading" },
		{ "shell: x = y : z", "x = y : z" },
		{ "shell=a\t", "a" },
		{ "shell = \"quoted\" 'as it is' \\", "\"quoted\" 'as it is' \\" },
		{ "shell = [x] && y", "[x] && y" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[TEXT_MAX];
		snprintf(text, sizeof(text), "[/]\n%s\n", cases[i].line);
		struct config *c = parse_good(text);
		assert_string_equal(c->routes[0].backend.argv[2], cases[i].command);
		config_release(c);
	}
}

static void
a_comment_ends_other_values(void **state)
{
	(void)state;
	static const char *const lines[] = { "max_message = 5 ; bytes", "max_message = 5\t;bytes", "max_message=5 ;",
		"max_message : 5 ;;x ; y", "max_message = 5\r", "\xef\xbb\xbf# nothing\nmax_message = 5",
		" ; an indented comment\nmax_message = 5\n \t\n  # another" };
	for (size_t i = 0; i < COUNT(lines); i++) {
		char text[TEXT_MAX];
		bool has_mark = lines[i][0] == '\xef';
		snprintf(text, sizeof(text), "%s[/]\r\nexec = /bin/cat\r\n%s", has_mark ? "\xef\xbb\xbf" : "",
			has_mark ? lines[i] + 3 : lines[i]);
		struct config *c = parse_good(text);
		assert_int_equal(c->routes[0].max_message, 5);
		config_release(c);
	}
	/* No white space, no comment: it belongs to the value. */
	struct config *c = parse_good("[/]\nstatic = /srv/a;b ; c\n");
	assert_string_equal(c->routes[0].static_dir, "/srv/a;b");
	config_release(c);
}

static void
no_length_is_cut(void **state)
{
	(void)state;
	static const size_t lengths[] = { 1, 40, 48, 49, 50, 51, 190, 197, 198, 199, 200, 201, 400, 4096, 60000 };
	for (size_t i = 0; i < COUNT(lengths); i++) {
		size_t len = lengths[i];
		char *word = malloc(len + 1), *text = malloc(3 * len + 100);
		assert_true(word != NULL && text != NULL);
		memset(word, 'x', len);
		word[len] = '\0';
		word[len / 2] = ' ';
		word[len - 1] = 'e';
		sprintf(text, "[/%s]\nshell = %s\nenv = A=%s\n", word, word, word);
		struct config *c = parse_good(text);
		assert_string_equal(c->routes[0].path + 1, word);
		assert_string_equal(c->routes[0].backend.argv[2], word);
		assert_string_equal(c->routes[0].backend.env[0] + 2, word);
		config_release(c);
		free(text);
		free(word);
	}
}

static void
words_are_split_as_a_shell_would(void **state)
{
	(void)state;
	static const struct {
		const char *value, *argv;
	} cases[] = {
		{ "/a b c", "/a|b|c" },
		{ "/a \t b", "/a|b" },
		{ "/a \"b c\" 'd e'", "/a|b c|d e" },
		{ "/a b\\ c", "/a|b c" },
		{ "/a '' \"\"", "/a||" },
		{ "/a x'y'\"z\"", "/a|xyz" },
		{ "/a \"\\\"\\\\\\n\"", "/a|\"\\\\n" },
		{ "/a '\\n\"'", "/a|\\n\"" },
		{ "/a \\\\ \\'", "/a|\\|'" },
		{ "/a '|' \\; \";\"", "/a|||;|;" },
		{ "/a * $HOME ~ x;y a=b", "/a|*|$HOME|~|x;y|a=b" },
		{ "'/my dir/a' b", "/my dir/a|b" },
		{ "./a", "/etc/a" },
		{ "sub/a", "/etc/sub/a" },
		{ "../a", "/etc/../a" },
		{ "cat", "cat" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[TEXT_MAX], got[TEXT_MAX];
		snprintf(text, sizeof(text), "[/]\nexec = %s\n", cases[i].value);
		struct config *c = parse_good(text);
		assert_string_equal(joined(c->routes[0].backend.argv, got), cases[i].argv);
		config_release(c);
	}
}

/* --- faults --------------------------------------------------------------------------------------- */

#define GOOD "[/]\nexec = /bin/cat\n"
#define SIZE_HELP "write 65536, 64k, 16m or 1g"
#define TIME_HELP "write 500ms, 30s, 5m or 1h"
#define ADDRESS_HELP "write 127.0.0.1:8080, [::1]:8080, 0.0.0.0:8080 (from everywhere) or unix:/PATH"
#define TCP_HELP "write HOST:PORT, such as 127.0.0.1:5900 or [::1]:5900"
#define ORIGIN_HELP "is no origin: write example.org, example.org:8080, https://example.org or *.example.org"
#define ONE_SERVER "Server is set already, and a response has one: leave one of them out"
#define TWO_SERVERS "Server is in header, and in header_ws or header_http, too: a response has one; leave one out"
#define CLIENT_HELP                                                                                                                \
	"stderr = client needs framing = tagged, whose messages tell the program's two outputs apart: set that, or stderr = merge"
#define CODE_HELP "is no close code that may be sent (RFC 6455 7.4): 1000, 1011, 4000 to 4999, ..."

static const struct {
	const char *text, *faults;
} mistakes[] = {
	/* sections */
	{ "", "w.ini:1: there is no route: add a section such as [/] with exec = PROGRAM\n" },
	{ "[server]\n", "w.ini:1: there is no route: add a section such as [/] with exec = PROGRAM\n" },
	{ GOOD "[sever]\nx = y\nz\n", "w.ini:3: there is no section [sever]: did you mean [server]?\n"
				      "w.ini:5: this is neither [section] nor key = value; a comment begins with # or ;\n" },
	{ GOOD "[vnc]\n", "w.ini:3: there is no section [vnc]: there are [server], [tls], [log], [defaults] and routes, which "
			  "begin with a /\n" },
	{ GOOD "[]\n", "w.ini:3: there is no section []: there are [server], [tls], [log], [defaults] and routes, which begin with "
		       "a /\n" },
	{ GOOD "[/a", "w.ini:3: a section's name ends with ]: [/path]\n" },
	{ GOOD "[/a] exec = x\n", "w.ini:3: \"exec = x\" behind the section's name: put it on a line of its own\n"
				  "w.ini:3: [/a] leads nowhere: give it exec, shell, dir, tcp, unix, static or cgi\n" },
	{ GOOD "[ / ]\nexec = /bin/echo\n", "w.ini:3: [/] again: it is there already, on line 1; put the two together\n" },
	{ GOOD "[/a]\nexec = /a\n[/a/]\nexec = /b\n[/b/../a]\n",
		"w.ini:5: [/a/] again: it is there already, on line 3; put the two together\n"
		"w.ini:7: [/b/../a] again: it is there already, on line 3; put the two together\n" },
	{ GOOD "[log]\n[log]\n", "w.ini:4: [log] again: it is there already, on line 3; put the two together\n" },
	{ GOOD "[//a]\nexec = /a\n",
		"w.ini:3: [//a] is no path of a route: write it as in a URL, without a query, such as [/chat]\n" },
	{ GOOD "[/..]\n", "w.ini:3: [/..] is no path of a route: write it as in a URL, without a query, such as [/chat]\n" },
	{ GOOD "[/a?b]\n", "w.ini:3: [/a?b] is no path of a route: write it as in a URL, without a query, such as [/chat]\n" },
	{ GOOD "[/%zz]\n", "w.ini:3: [/%zz] is no path of a route: write it as in a URL, without a query, such as [/chat]\n" },
	/* lines */
	{ "exec = cat\nmore = x\n" GOOD, "w.ini:1: there is no section yet: put [server] or a route such as [/] above\n" },
	{ GOOD "what is this\n", "w.ini:3: this is neither [section] nor key = value; a comment begins with # or ;\n" },
	{ GOOD "a ; b = c\n", "w.ini:3: this is neither [section] nor key = value; a comment begins with # or ;\n" },
	{ GOOD "= 5\n", "w.ini:3: a key is missing in front of the =\n" },
	{ GOOD "max_message =\n", "w.ini:3: max_message: a value is missing\n" },
	{ GOOD "max_message = ; none\n", "w.ini:3: max_message: a value is missing\n" },
	{ GOOD "env =  \n", "w.ini:3: env: a value is missing\n" },
	{ GOOD "utf8 = \x1b[0m\n", "w.ini:3: a control byte (0x1b) in the line: is this a text file?\n" },
	{ "[/\x01]\nexec = ./x\n" GOOD, "w.ini:1: a control byte (0x01) in the line: is this a text file?\n" },
	{ "[/]\nexec = /bin/cat\n  -u\n",
		"w.ini:3: the line is indented, which would go on with exec, but that has one line: begin at the margin\n" },
	{ "[/]\n  exec = /bin/cat\n",
		"w.ini:1: [/] leads nowhere: give it exec, shell, dir, tcp, unix, static or cgi\n"
		"w.ini:2: the line is indented, but there is no value above that it could go on with: begin it at the margin\n" },
	/* keys */
	{ GOOD "pign_interval = 3s\n", "w.ini:3: unknown key pign_interval: did you mean ping_interval?\n" },
	{ GOOD "frobnicate = 3s\n", "w.ini:3: unknown key frobnicate: wsgate --help=ini shows all\n" },
	{ GOOD "Exec2 = 3s\n", "w.ini:3: unknown key Exec2: did you mean exec?\n" },
	{ GOOD "ping_interval_of_this_route_which_is_a_very_long_name = 3s\n",
		"w.ini:3: unknown key ping_interval_of_this_route_which_is_a_very_long_name: wsgate --help=ini shows all\n" },
	{ GOOD "listen = 80\n", "w.ini:3: listen belongs in [server]\n" },
	{ GOOD "format = json\n", "w.ini:3: format belongs in [log]\n" },
	{ GOOD "[server]\nframing = raw\n", "w.ini:4: framing belongs in [defaults] or a route\n" },
	{ GOOD "closems = 5\n", "w.ini:3: unknown key closems: wsgate --help=ini shows all\n" },
	{ GOOD "utf8 = close\nutf8 = close\n", "w.ini:4: utf8 again: it is set already, on line 3\n" },
	{ GOOD "exec = /bin/cat\n", "w.ini:3: exec again: it is set already, on line 2\n" },
	{ "[defaults]\nexec = /bin/cat\n" GOOD, "w.ini:2: exec is not for all routes: put it into a route, such as [/]\n" },
	{ "[defaults]\nstatic = /\n" GOOD, "w.ini:2: static is not for all routes: put it into a route, such as [/]\n" },
	/* routes */
	{ GOOD "[/b]\nping_interval = 1s\n", "w.ini:3: [/b] leads nowhere: give it exec, shell, dir, tcp, unix, static or cgi\n" },
	{ GOOD "tcp = a:1\n", "w.ini:3: tcp: the route has exec already, on line 2, and it can have but one\n" },
	{ "[/]\nshell = x\nstatic = /\nunix = a\n",
		"w.ini:4: unix: the route has shell already, on line 2, and it can have but one\n" },
	{ GOOD "[/b]\ntcp = a:1\nenv = A=1\nnice = 5\n",
		"w.ini:5: env would have no effect: the route starts no program (exec, shell, dir, cgi)\n"
		"w.ini:6: nice would have no effect: the route starts no program (exec, shell, dir, cgi)\n" },
	{ GOOD "cgi_timeout = 1s\n",
		"w.ini:3: cgi_timeout would have no effect: no program of the route answers ordinary requests (cgi)\n" },
	{ GOOD "connect_timeout = 1s\n",
		"w.ini:3: connect_timeout would have no effect: the route leads to no service (tcp, unix)\n" },
	{ GOOD "dir = bin\n", "w.ini:3: dir: the route has exec already, on line 2, and it can have but one\n" },
	{ "[/]\ncgi = /\nframing = raw\n",
		"w.ini:3: framing would have no effect: the route has no backend (exec, shell, dir, tcp, unix)\n" },
	{ "[defaults]\ncgi = /\n" GOOD, "w.ini:2: cgi is not for all routes: put it into a route, such as [/]\n" },
	{ GOOD "index = a\n", "w.ini:3: index would have no effect: the route has no pages (static)\n" },
	{ "[/]\nstatic = /\nframing = raw\n",
		"w.ini:3: framing would have no effect: the route has no backend (exec, shell, dir, tcp, unix)\n" },
	{ GOOD "subprotocols = none\nsubprotocols_required = yes\n",
		"w.ini:4: subprotocols_required with subprotocols = none lets nobody in to [/]\n" },
	{ GOOD "stderr = client\n", "w.ini:3: " CLIENT_HELP "\n" },
	{ "[defaults]\nstderr = client\n[/]\ntcp = h:1\n[/a]\nexec = /bin/cat\nframing = raw\n", "w.ini:5: " CLIENT_HELP "\n" },
	{ GOOD "framing = lsp\nmax_message = 0\n", "w.ini:4: framing = lsp must hold a client's message whole: max_message = 0 "
						   "would let it grow without end; set a size\n" },
	/* numbers */
	{ GOOD "max_message = lots\n", "w.ini:3: max_message: \"lots\" is no size: " SIZE_HELP "\n" },
	{ GOOD "max_message = -1\n", "w.ini:3: max_message: \"-1\" is no size: " SIZE_HELP "\n" },
	{ GOOD "buffer = 4095\n", "w.ini:3: buffer: 4095 is too little: at least 4k\n" },
	{ GOOD "buffer = 2g\n", "w.ini:3: buffer: 2g is too much: at most 1g\n" },
	{ GOOD "ping_interval = soon\n", "w.ini:3: ping_interval: \"soon\" is no duration: " TIME_HELP "\n" },
	{ GOOD "ping_interval = 366d\n", "w.ini:3: ping_interval: 366d is too much: at most 365d\n" },
	{ GOOD "drain_timeout = 0\n", "w.ini:3: drain_timeout: 0 is too little: at least 1ms\n" },
	{ GOOD "compression_level = 0\n", "w.ini:3: compression_level: \"0\" is no number from 1 to 9\n" },
	{ GOOD "compression_window = 8\n", "w.ini:3: compression_window: \"8\" is no number from 9 to 15\n" },
	{ GOOD "max_children = many\n", "w.ini:3: max_children: \"many\" is no number from 0 to 10000000\n" },
	{ GOOD "spawn_rate = 1000001\n", "w.ini:3: spawn_rate: \"1000001\" is no number from 0 to 1000000\n" },
	{ GOOD "[server]\nworkers = 0\n", "w.ini:4: workers: \"0\" is neither auto nor a number from 1 to 256\n" },
	{ GOOD "[server]\nhandshake_timeout = 0\n", "w.ini:4: handshake_timeout: 0 is too little: at least 1ms\n" },
	{ GOOD "nice = 20\n", "w.ini:3: nice: \"20\" is no number from -20 (first) to 19 (last)\n" },
	{ GOOD "nice = -21\n", "w.ini:3: nice: \"-21\" is no number from -20 (first) to 19 (last)\n" },
	{ GOOD "umask = 8\n", "w.ini:3: umask: \"8\" is no umask: write it in octal, such as 027\n" },
	{ GOOD "umask = 1777\n", "w.ini:3: umask: \"1777\" is no umask: write it in octal, such as 027\n" },
	{ GOOD "[server]\nunix_mode = rw\n", "w.ini:4: unix_mode: \"rw\" is no mode: write it in octal, such as 0660\n" },
	{ GOOD "[server]\nunix_mode = 0444\n", "w.ini:4: unix_mode: 0444 lets nobody in: who connects must be allowed to write; "
					       "0660 is for owner and group\n" },
	{ GOOD "exit_close = 1006\n", "w.ini:3: exit_close: \"1006\" " CODE_HELP "\n" },
	{ GOOD "exit_close = 5000\n", "w.ini:3: exit_close: \"5000\" " CODE_HELP "\n" },
	{ GOOD "limit_nofile = 1k\n", "w.ini:3: limit_nofile: \"1k\" is no limit: write a number, or unlimited\n" },
	{ GOOD "limit_as = big\n", "w.ini:3: limit_as: \"big\" is no limit: write a size, such as 64m, or unlimited\n" },
	{ GOOD "limit_cpu = 1500ms\n",
		"w.ini:3: limit_cpu: \"1500ms\" is no limit: write whole seconds of processor time, such as 30s, or unlimited\n" },
	/* words */
	{ GOOD "subprotocols_required = maybe\n", "w.ini:3: subprotocols_required: \"maybe\" is neither yes nor no\n" },
	{ GOOD "utf8 = replac\n",
		"w.ini:3: utf8: \"replac\" is unknown: did you mean replace? It may be replace, binary or close\n" },
	{ GOOD "stderr = none\n", "w.ini:3: stderr: \"none\" is unknown: it may be auto, log, client, merge or discard\n" },
	{ GOOD "message_type = x\n", "w.ini:3: message_type: \"x\" is unknown: it may be framing, text, binary or auto\n" },
	{ GOOD "[log]\nlevel = loud\nformat = xml\n",
		"w.ini:4: level: \"loud\" is unknown: it may be none, fatal, error, warn, access, info, debug or trace\n"
		"w.ini:5: format: \"xml\" is unknown: it may be text, json or logfmt\n" },
	{ GOOD "accept = all\n", "w.ini:3: accept: \"all\" is unknown: it may be any, text or binary\n" },
	{ GOOD "subprotocols = a, b(c), any\n",
		"w.ini:3: subprotocols: \"b(c)\" is no name of a subprotocol (RFC 6455 4.1): letters, digits and - . _ +\n"
		"w.ini:3: subprotocols: any stands alone, not in a list\n" },
	{ GOOD "subprotocols = ,\n", "w.ini:3: subprotocols: the list is empty: write any, none or names\n" },
	{ GOOD "passenv = PATH, A=B\n", "w.ini:3: passenv: \"A=B\" is no name of a variable\n" },
	{ GOOD "env = A\n", "w.ini:3: env: \"A\" sets no variable: write NAME=VALUE\n" },
	{ GOOD "env = 1A=2\n", "w.ini:3: env: \"1A=2\" sets no variable: write NAME=VALUE\n" },
	/* origins */
	{ GOOD "origin = same, a.example\n",
		"w.ini:3: origin: \"same\" stands alone, not in a list: name this site's own host instead\n" },
	{ GOOD "origin = *\n", "w.ini:3: origin: \"*\" cannot be listed: origin = any lets every page in\n" },
	{ GOOD "origin = wss://a\n", "w.ini:3: origin: \"wss://a\" is no origin of a page: its scheme is http or https\n" },
	{ GOOD "origin = https://a/\n",
		"w.ini:3: origin: \"https://a/\" is no origin: an origin has no path, not even a / at its end\n" },
	{ GOOD "origin = a:b\n", "w.ini:3: origin: \"a:b\" " ORIGIN_HELP "\n" },
	{ GOOD "origin = a/b\n", "w.ini:3: origin: \"a/b\" " ORIGIN_HELP "\n" },
	{ GOOD "origin = *.*.a\n", "w.ini:3: origin: \"*.*.a\" " ORIGIN_HELP "\n" },
	{ GOOD "origin = [::g]\n", "w.ini:3: origin: \"[::g]\" " ORIGIN_HELP "\n" },
	{ GOOD "origin = [::1\n", "w.ini:3: origin: \"[::1\" " ORIGIN_HELP "\n" },
	{ GOOD "origin = https://\n", "w.ini:3: origin: \"https://\" " ORIGIN_HELP "\n" },
	/* headers */
	{ GOOD "header = X\n", "w.ini:3: header: \"X\" is no header field: write Name: value\n" },
	{ GOOD "header = X Y: z\n", "w.ini:3: header: \"X Y: z\" is no header field: write Name: value\n" },
	{ GOOD "header = : z\n", "w.ini:3: header: \": z\" is no header field: write Name: value\n" },
	{ GOOD "header = Server: a\nheader = X: y\nheader = SERVER: b\n", "w.ini:5: header: " ONE_SERVER "\n" },
	{ GOOD "header_http = Server: a\nheader = Server: b\n", "w.ini:4: " TWO_SERVERS "\n" },
	{ GOOD "header = content-length: 5\n", "w.ini:3: header: content-length is set by wsgate itself\n" },
	{ GOOD "header_ws = Sec-WebSocket-Accept: x\n", "w.ini:3: header_ws: Sec-WebSocket-Accept is set by wsgate itself\n" },
	{ GOOD "header_http = Transfer-Encoding: chunked\n", "w.ini:3: header_http: Transfer-Encoding is set by wsgate itself\n" },
	/* addresses */
	{ GOOD "[server]\nlisten = 127.0.0.1:99999\n", "w.ini:4: listen: \"127.0.0.1:99999\" is no address: " ADDRESS_HELP "\n" },
	{ GOOD "[server]\nlisten = :80, ::1, example.org:80\n",
		"w.ini:4: listen: \":80\" is no address: " ADDRESS_HELP "\n"
		"w.ini:4: listen: \"::1\" is no address: " ADDRESS_HELP "\n"
		"w.ini:4: listen: \"example.org:80\" is no address: " ADDRESS_HELP "\n" },
	{ GOOD "[server]\nlisten = unix:\n", "w.ini:4: listen: unix:: the path of a unix socket has 1 to 107 bytes\n" },
	{ GOOD "[server]\nlisten = 80, localhost:80\n", "w.ini:4: listen: localhost:80 is listed already\n" },
	{ GOOD "[server]\nlisten = 80\nlisten = 80\n", "w.ini:5: listen: 80 is listed already\n" },
	{ GOOD "[server]\nlisten = ,\n", "w.ini:4: listen: the list is empty: write 127.0.0.1:8080\n" },
	{ "[/]\ntcp = a\n", "w.ini:2: tcp: \"a\" is no service: " TCP_HELP "\n" },
	{ "[/]\ntcp = a:0\n", "w.ini:2: tcp: \"a:0\" is no service: " TCP_HELP "\n" },
	{ "[/]\ntcp = ::1:80\n", "w.ini:2: tcp: \"::1:80\" is no service: " TCP_HELP "\n" },
	{ "[/]\ntcp = http://a:80\n", "w.ini:2: tcp: \"http://a:80\" is no service: " TCP_HELP "\n" },
	{ "[/]\nstatic = /\nindex = a/b\n", "w.ini:3: index: \"a/b\" is no name of a file in the directory of the page\n" },
	/* programs */
	{ "[/]\nexec = a ; b\n", "w.ini:2: exec: exec has no shell and no comment behind its value: quote ;, or use shell =\n" },
	{ "[/]\nexec = a | b\n", "w.ini:2: exec: exec has no shell and no comment behind its value: quote |, or use shell =\n" },
	{ "[/]\nexec = a 'b\n", "w.ini:2: exec: a ' is not closed\n" },
	{ "[/]\nexec = a \"b\\\"\n", "w.ini:2: exec: a \" is not closed\n" },
	{ "[/]\nexec = a \\\n", "w.ini:2: exec: a backslash at the end has nothing to escape, and lines do not continue\n" },
	{ "[/]\nexec = ''\n", "w.ini:2: exec: the program has no name\n" },
	{ GOOD "user = nobody-of-this-name\n", "w.ini:3: user: there is no user nobody-of-this-name\n" },
	{ GOOD "[server]\nunix_owner = nobody-of-this-name\n", "w.ini:4: unix_owner: there is no user nobody-of-this-name\n" },
	{ GOOD "[server]\nunix_owner = 0:nobody-of-this-name\n", "w.ini:4: unix_owner: there is no group nobody-of-this-name\n" },
	{ GOOD "[server]\nunix_owner = :\n", "w.ini:4: unix_owner: there is no group \n" },
	{ GOOD "group = nobody-of-this-name\n", "w.ini:3: group: there is no group nobody-of-this-name\n" },
	/* the ladder */
	{ GOOD "stop = KILL, INT 5s\n", "w.ini:3: stop: \"KILL\" comes last and waits for nothing\n" },
	{ GOOD "stop = KILL 5s\n", "w.ini:3: stop: \"KILL 5s\" comes last and waits for nothing\n" },
	{ GOOD "stop = INT\n", "w.ini:3: stop: \"INT\" needs how long to wait behind it, such as 500ms\n" },
	{ GOOD "stop = INT soon\n", "w.ini:3: stop: \"INT soon\" has no good duration behind it: write 500ms or 5s, at most 1d\n" },
	{ GOOD "stop = STOP 1s\n", "w.ini:3: stop: \"STOP 1s\" is neither eof nor a signal such as INT, TERM, HUP or KILL\n" },
	{ GOOD "stop = eof 1s, EOF 1s\n", "w.ini:3: stop: \"EOF 1s\" is there twice, but stdin can be closed once\n" },
	{ GOOD "stop = INT 1,INT 1,INT 1,INT 1,INT 1,INT 1,INT 1,INT 1,INT 1\n",
		"w.ini:3: stop: \"INT 1\" is one step too many: there may be 8 and KILL\n" },
	{ GOOD "stop = ,\n", "w.ini:3: stop: the ladder has no step: write eof 100ms, INT 250ms, TERM 500ms, KILL\n" },
};

static void
each_mistake_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		char faults[TEXT_MAX];
		assert_null(parse_as("w.ini", false, mistakes[i].text, faults));
		assert_string_equal(faults, mistakes[i].faults);
	}
}

static void
all_mistakes_of_a_file_are_told_at_once(void **state)
{
	(void)state;
	char faults[TEXT_MAX];
	struct config *c = parse_as("etc/w.ini", false,
		"[server]\nlisten = x\n[/a]\nexec = /bin/cat\npign_interval = 3s\nmax_message = lots\n[/b]\nping_interval = "
		"1s\n[/c]\n"
		"exec = a ; b\n[/a]\nexec = /bin/cat\n[/d]\nexec = /bin/cat\nexec = /bin/cat\n[/e]\nexec = /bin/cat\ntcp = "
		"127.0.0.1:1\n"
		"[sever]\nx = y\nwhat\n",
		faults);
	assert_null(c);
	static const unsigned lines[] = { 2, 5, 6, 7, 10, 11, 15, 18, 19, 21 };
	const char *at = faults;
	for (size_t i = 0; i < COUNT(lines); i++) {
		char start[32];
		snprintf(start, sizeof(start), "etc/w.ini:%u: ", lines[i]);
		assert_int_equal(strncmp(at, start, strlen(start)), 0);
		at = strchr(at, '\n') + 1;
	}
	assert_string_equal(at, "");
}

static void
a_file_of_rubbish_does_not_flood_the_terminal(void **state)
{
	(void)state;
	struct buf text = { 0 }, faults = { 0 };
	for (int i = 0; i < 5000; i++)
		assert_int_equal(buf_printf(&text, "[/]\nrubbish\n"), 0);
	assert_null(config_from_text("w.ini", (const char *)buf_span(&text).data, buf_len(&text), false, &faults));
	size_t lines = 0;
	for (size_t i = 0; i < buf_len(&faults); i++)
		lines += buf_span(&faults).data[i] == '\n';
	assert_int_equal(lines, 101);
	assert_int_equal(buf_append(&faults, "", 1), 0);
	assert_non_null(strstr((const char *)buf_span(&faults).data, "\nwsgate: and 9900 more\n"));
	buf_clear(&text);
	buf_clear(&faults);
}

static void
a_line_beyond_the_limit_is_refused_not_cut(void **state)
{
	(void)state;
	char faults[TEXT_MAX];
	size_t len = 70000;
	char *text = malloc(len + 100);
	assert_non_null(text);
	int head = sprintf(text, "[/]\nexec = /bin/cat\nenv = A=");
	memset(text + head, 'x', len);
	strcpy(text + (size_t)head + len, "\nutf8 = close\nutf8 = wrong\n");
	assert_null(parse_as("w.ini", false, text, faults));
	assert_string_equal(
		faults, "w.ini:3: the line is longer than 65536 bytes\nw.ini:5: utf8 again: it is set already, on line 4\n");
	free(text);
}

/* --- files ---------------------------------------------------------------------------------------- */

static void
files_are_looked_for_beside_the_ini_file(void **state)
{
	(void)state;
	char text[TEXT_MAX], faults[TEXT_MAX];
	snprintf(text, sizeof(text), "[/]\nexec = ./run.sh a\nstatic = ./www\nchdir = www\n[/cat]\nexec = cat\n[/abs]\nexec = %s\n",
		in_directory("run.sh"));
	struct config *c = parse_as(in_directory("w.ini"), true, text, faults);
	assert_string_equal(faults, "");
	assert_string_equal(route_at(c, "/")->backend.argv[0], in_directory("run.sh"));
	assert_string_equal(route_at(c, "/")->static_dir, in_directory("www"));
	assert_string_equal(route_at(c, "/")->backend.chdir, in_directory("www"));
	assert_string_equal(route_at(c, "/abs")->backend.argv[0], in_directory("run.sh"));
	assert_true(route_at(c, "/cat")->backend.argv[0][0] == '/');
	assert_string_equal(strrchr(route_at(c, "/cat")->backend.argv[0], '/'), "/cat");
	config_release(c);
}

static void
a_program_or_directory_that_is_not_there_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *line, *fault;
	} cases[] = {
		{ "exec = ./missing", "exec: ./missing: No such file or directory" },
		{ "exec = ./plain.txt", "exec: ./plain.txt: is not executable; chmod +x makes it so" },
		{ "exec = ./www", "exec: ./www: is no program but something else" },
		{ "exec = no-such-program-at-all", "exec: no-such-program-at-all: no such program in PATH" },
		{ "exec = run.sh", "exec: run.sh: no such program in PATH; for %s/run.sh write ./run.sh" },
		{ "static = ./missing", "static: %s/missing: No such file or directory" },
		{ "static = \"./www\"", "static: %s/\"./www\": No such file or directory; a path is written without quotes" },
		{ "static = plain.txt", "static: %s/plain.txt is no directory" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[TEXT_MAX], faults[TEXT_MAX], expected[TEXT_MAX], message[TEXT_MAX];
		const char *place = strstr(cases[i].fault, "%s");
		snprintf(message, sizeof(message), "%.*s%s%s", place == NULL ? 1000 : (int)(place - cases[i].fault), cases[i].fault,
			place == NULL ? "" : directory, place == NULL ? "" : place + 2);
		snprintf(text, sizeof(text), "[/]\n%s\n", cases[i].line);
		snprintf(expected, sizeof(expected), "%.200s:2: %.2000s\n", in_directory("w.ini"), message);
		assert_null(parse_as(in_directory("w.ini"), true, text, faults));
		assert_string_equal(faults, expected);
	}
}

static void
programs_run_as_somebody_else_only_by_root(void **state)
{
	(void)state;
	char faults[TEXT_MAX];
	struct config *c = parse_as("w.ini", false, GOOD "user = nobody\ngroup = root\n", faults);
	if (geteuid() != 0) {
		assert_non_null(strstr(faults, "w.ini:3: user: only root can start programs as somebody else"));
		assert_non_null(strstr(faults, "w.ini:4: group: only root"));
		return;
	}
	const struct passwd *pw = getpwnam("nobody");
	assert_non_null(pw);
	const struct backend_options *b = &c->routes[0].backend;
	assert_true(b->has_user && b->has_group);
	assert_int_equal(b->uid, pw->pw_uid);
	assert_int_equal(b->gid, 0);
	assert_true(b->group_count >= 1);
	assert_int_equal(b->groups[0], pw->pw_gid);
	config_release(c);
	c = parse_good(GOOD "user = nobody\n");
	assert_int_equal(c->routes[0].backend.gid, pw->pw_gid);
	assert_false(c->routes[0].backend.has_group);
	config_release(c);
}

/* --- routes --------------------------------------------------------------------------------------- */

static void
the_longest_route_on_segment_boundaries_wins(void **state)
{
	(void)state;
	static const struct {
		const char *path, *route, *rest;
	} cases[] = {
		{ "/", "/", "/" },
		{ "/x", "/", "/x" },
		{ "/ab", "/", "/ab" },
		{ "/a", "/a", "" },
		{ "/a/", "/a", "/" },
		{ "/a/x", "/a", "/x" },
		{ "/a/b", "/a/b", "" },
		{ "/a/b/c/d", "/a/b", "/c/d" },
		{ "/a/bc", "/a", "/bc" },
		{ "/sp ace/x", "/sp ace", "/x" },
		{ "/A", "/", "/A" },
	};
	struct config *c = parse_good("[/a]\nexec = /1\n[/]\nexec = /2\n[/a/b/]\nexec = /3\n[/sp%20ace]\nexec = /4\n");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice rest;
		const struct route *r = config_route(c, slice_of(cases[i].path), &rest);
		assert_non_null(r);
		assert_string_equal(r->path, cases[i].route);
		assert_string_equal(r->backend.route, r->path);
		assert_true(slice_equals(rest, cases[i].rest));
	}
	config_release(c);
	struct slice rest;
	c = parse_good("[/a]\nexec = /1\n");
	assert_null(config_route(c, slice_of("/"), &rest));
	assert_null(config_route(c, slice_of("/b"), &rest));
	assert_null(config_route(c, slice_of(""), &rest));
	config_release(c);
}

static void
a_page_and_a_backend_share_a_route(void **state)
{
	(void)state;
	struct config *c = parse_good("[/]\nstatic = /srv\ntcp = a:1\n[/p]\nstatic = /srv\n");
	const struct route *both = route_at(c, "/"), *page = route_at(c, "/p");
	assert_true(both->has_backend && !both->is_program && both->backend.ops == &backend_socket);
	assert_string_equal(both->static_dir, "/srv");
	assert_false(page->has_backend);
	config_release(c);
}

static void
a_folder_of_programs_is_a_program_whose_name_comes_later(void **state)
{
	(void)state;
	struct config *c = parse_good("[/]\ndir = bin\nnice = 5\nstatic = /srv\ncgi = /srv/cgi\n");
	const struct route *r = route_at(c, "/");
	assert_true(r->has_backend && r->is_program && r->backend.ops == &backend_process);
	assert_string_equal(r->program_dir + strlen(r->program_dir) - 4, "/bin");
	assert_null(r->backend.argv);
	assert_ptr_equal(r->backend.framing, &framing_lines);
	config_release(c);
}

static void
cgi_programs_have_the_routes_options_but_their_bytes_are_bytes(void **state)
{
	(void)state;
	struct config *c = parse_good("[/]\ntcp = a:1\ncgi = /srv\nmessage_type = text\nenv = A=1\nnice = 5\nstop = TERM 1s\n"
				      "[/alone]\ncgi = /srv\nmax_children = 3\nbuffer = 8k\ndrain_timeout = 1s\n");
	const struct backend_options *cgi = &route_at(c, "/")->cgi;
	assert_true(route_at(c, "/")->has_backend && !route_at(c, "/")->is_program);
	assert_true(route_at(c, "/")->backend.ops == &backend_socket && cgi->ops == &backend_process);
	assert_ptr_equal(cgi->framing, &framing_raw);
	assert_int_equal(cgi->framing_options.type, MESSAGE_TYPE_BINARY);
	assert_string_equal(cgi->route, "/");
	assert_string_equal(cgi->env[0], "A=1");
	assert_true(cgi->has_nice && cgi->nice == 5);
	assert_int_equal(cgi->stop[0].wait_ms, 1000);
	assert_int_equal(cgi->buffering, BUFFERING_NONE);
	assert_false(route_at(c, "/alone")->has_backend);
	assert_int_equal(route_at(c, "/alone")->max_children, 3);
	assert_int_equal(route_at(c, "/alone")->cgi.drain_timeout_ms, 1000);
	config_release(c);
	/* Lines are no messages here: only who asks for it has them flushed, and a terminal would change bytes. */
	c = parse_good("[/a]\nexec = /a\ncgi = /srv\n[/b]\nexec = /a\ncgi = /srv\nbuffering = line\n"
		       "[/c]\nexec = /a\ncgi = /srv\nbuffering = pty\n");
	assert_int_equal(route_at(c, "/a")->backend.buffering, BUFFERING_LINE);
	assert_int_equal(route_at(c, "/a")->cgi.buffering, BUFFERING_NONE);
	assert_int_equal(route_at(c, "/b")->cgi.buffering, BUFFERING_LINE);
	assert_int_equal(route_at(c, "/c")->cgi.buffering, BUFFERING_NONE);
	config_release(c);
}

static void
a_snapshot_lives_as_long_as_it_is_held(void **state)
{
	(void)state;
	struct config *c = parse_good(GOOD);
	assert_ptr_equal(config_hold(c), c);
	config_release(c);
	assert_string_equal(c->routes[0].path, "/");
	atomic_fetch_add(&c->routes[0].use->connections, 1);
	assert_int_equal(atomic_load(&c->routes[0].use->connections), 1);
	config_release(c);
	config_release(NULL);
}

/* --- the command line ------------------------------------------------------------------------------ */

static void
what_the_command_line_asks_for_is_done(void **state)
{
	(void)state;
	static const struct {
		const char *args[ARGS_MAX];
		show_fn *show;
		const char *is;
	} cases[] = {
		{ { "/bin/cat", "-u", "--port=1" }, show_argv, "/bin/cat|-u|--port=1" },
		{ { "--", "/bin/cat" }, show_argv, "/bin/cat" },
		{ { "--exec=/bin/cat 'a b'" }, show_argv, "/bin/cat|a b" },
		{ { "--shell", "a ; b" }, show_argv, "/bin/sh|-c|a ; b" },
		{ { "--tcp=h:1" }, show_tcp, "h 1" },
		{ { "--tcp=h:1", "--tcp=h:2" }, show_tcp, "h 2" },
		{ { "--unix=/run/s" }, show_unix, "/run/s" },
		{ { "--static=/", "/bin/cat" }, show_static, "/" },
		{ { "--staticdir", "/" }, show_static, "/" },
		{ { "--dir=/" }, show_dir, "/" },
		{ { "-dir", "/", "--staticdir=/tmp" }, show_static, "/tmp" },
		{ { "--cgidir=/", "/bin/cat" }, show_cgi, "/" },
		{ { "--cgi=/tmp" }, show_cgi, "/tmp" },
		{ { "/bin/cat" }, show_listen, "127.0.0.1:8080" },
		{ { "--port=9", "/bin/cat" }, show_listen, "127.0.0.1:9" },
		{ { "-port", "9", "/bin/cat" }, show_listen, "127.0.0.1:9" },
		{ { "-port=9", "--port", "10", "/bin/cat" }, show_listen, "127.0.0.1:10" },
		{ { "--address=::1", "-address", "0.0.0.0", "/bin/cat" }, show_listen, "[::1]:8080|0.0.0.0:8080" },
		{ { "--address=[::1]", "--address=localhost", "--port=9", "/bin/cat" }, show_listen, "[::1]:9|127.0.0.1:9" },
		{ { "--unixsocket=/run/w", "/bin/cat" }, show_listen, "unix:/run/w" },
		{ { "--unixsocket=@w", "--port=9", "/bin/cat" }, show_listen, "127.0.0.1:9|unix:@w" },
		{ { "--listen=1, 2", "--listen=[::]:3", "/bin/cat" }, show_listen, "127.0.0.1:1|127.0.0.1:2|[::]:3" },
		{ { "--binary", "/bin/cat" }, show_framing, "raw" },
		{ { "-binary=true", "/bin/cat" }, show_framing, "raw" },
		{ { "--binary=false", "/bin/cat" }, show_framing, "lines" },
		{ { "--binary", "--binary=false", "/bin/cat" }, show_framing, "lines" },
		{ { "--binary=F", "--binary=T", "/bin/cat" }, show_framing, "raw" },
		{ { "--binary=false", "--framing=netstring", "/bin/cat" }, show_framing, "netstring" },
		{ { "--binary", "--framing=raw", "/bin/cat" }, show_framing, "raw" },
		{ { "--passstderr", "/bin/cat" }, show_framing, "tagged" },
		{ { "--passstderr", "/bin/cat" }, show_stderr, "3" },
		{ { "--passstderr=false", "--binary", "/bin/cat" }, show_stderr, "0" },
		{ { "--sameorigin", "/bin/cat" }, show_origin, "(same)" },
		{ { "--sameorigin=false", "/bin/cat" }, show_origin, "(any)" },
		{ { "-sameorigin=0", "--sameorigin", "/bin/cat" }, show_origin, "(same)" },
		{ { "--sameorigin=false", "--origin=a.example", "/bin/cat" }, show_origin, "a.example" },
		{ { "--origin=a.example", "--sameorigin=false", "/bin/cat" }, show_origin, "a.example" },
		{ { "--origin=a.example", "--origin=b.example", "/bin/cat" }, show_origin, "b.example" },
		{ { "--origin", "a.example,b.example", "/bin/cat" }, show_origin, "a.example|b.example" },
		{ { "--pingms", "5000", "/bin/cat" }, show_ping_interval, "5000" },
		{ { "--maxforks=3", "/bin/cat" }, show_max_children, "3" },
		{ { "--maxforks=0", "/bin/cat" }, show_max_children, "0" },
		{ { "-maxforks", "-1", "/bin/cat" }, show_max_children, "0" },
		{ { "--maxframesize=3", "/bin/cat" }, show_max_message, "3" },
		{ { "--passenv", "PATH,TERM", "/bin/cat" }, show_passenv, "PATH|TERM" },
		{ { "--passenv=", "/bin/cat" }, show_passenv, "" },
		{ { "--passenv", "", "/bin/cat" }, show_passenv, "" },
		{ { "--loglevel=debug", "/bin/cat" }, show_level, "6" },
		{ { "--loglevel", "none", "/bin/cat" }, show_level, "0" },
		{ { "--access=false", "/bin/cat" }, show_access, "0" },
		{ { "--access", "/bin/cat" }, show_access, "1" },
		{ { "--reverselookup", "/bin/cat" }, show_reverse_lookup, "1" },
		{ { "--reverse-lookup", "/bin/cat" }, show_reverse_lookup, "1" },
		{ { "--reverselookup=false", "/bin/cat" }, show_reverse_lookup, "0" },
		{ { "--header=A: 1", "--header", "B: 2", "/bin/cat" }, show_header, "A: 1\r\nB: 2\r\n" },
		{ { "--header=Server: x", "/bin/cat" }, show_header, "Server: x\r\n" },
		{ { "--env=A=1", "--env=B=2", "/bin/cat" }, show_env, "A=1|B=2" },
		{ { "--closems=50", "/bin/cat" }, show_stop, "0:150|2:300|15:550" },
		{ { "--closems=50", "--stop=INT 1s", "/bin/cat" }, show_stop, "2:1050" },
		{ { "--ssl=false", "--port=9", "/bin/cat" }, show_listen, "127.0.0.1:9" },
		{ { "--ssl", "--selfsigned", "/bin/cat" }, show_listen, "127.0.0.1:8443 tls" },
		{ { "--ssl", "--selfsigned", "--port=9", "/bin/cat" }, show_listen, "127.0.0.1:9 tls" },
		{ { "--address=::1", "--selfsigned", "--ssl", "/bin/cat" }, show_listen, "[::1]:8443 tls" },
		{ { "--listen=1, 2 tls", "--selfsigned", "--ssl", "/bin/cat" }, show_listen, "127.0.0.1:1 tls|127.0.0.1:2 tls" },
		{ { "--listen=1, 2 tls", "--selfsigned", "--unixsocket=/a tls", "/bin/cat" }, show_listen,
			"127.0.0.1:1|127.0.0.1:2 tls|unix:/a tls" },
		{ { "--ssl", "--selfsigned", "--redirport=80", "/bin/cat" }, show_redirect_port, "80" },
		{ { "--ssl", "--selfsigned", "--tls-redirect=no", "/bin/cat" }, show_redirect, "0" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a;
		char got[TEXT_MAX];
		run(cases[i].args, &a);
		assert_string_equal(a.err, "");
		assert_int_equal(a.action, CONFIG_RUN);
		assert_int_equal(a.code, 0);
		assert_int_equal(a.config->route_count, 1);
		assert_string_equal(a.config->routes[0].path, "/");
		assert_string_equal(cases[i].show(a.config, &a.config->routes[0], got), cases[i].is);
		config_release(a.config);
	}
}

static void
a_mistake_on_the_command_line_is_one_line_and_exit_64(void **state)
{
	(void)state;
	static const struct {
		const char *args[ARGS_MAX];
		const char *err;
	} cases[] = {
		{ { NULL },
			"nothing to serve: try `wsgate --port=8080 PROGRAM`, --tcp=HOST:PORT or --config=FILE; --help tells more" },
		{ { "--port=80" },
			"nothing to serve: try `wsgate --port=8080 PROGRAM`, --tcp=HOST:PORT or --config=FILE; --help tells more" },
		{ { "--prot=1", "cat" }, "unknown option --prot; did you mean --port?" },
		{ { "-max-mesage", "1", "cat" }, "unknown option --max-mesage; did you mean --max-message?" },
		{ { "--frobnicate", "cat" }, "unknown option --frobnicate; --help=all lists them" },
		{ { "--port=70000", "cat" }, "--port: \"70000\" is no port: write a number from 0 to 65535" },
		{ { "--port", "eighty", "cat" }, "--port: \"eighty\" is no port: write a number from 0 to 65535" },
		{ { "--port" }, "--port: a value is missing" },
		{ { "--framing=", "cat" }, "--framing: a value is missing" },
		{ { "--address=example.org", "cat" },
			"--address: \"example.org\" is no address: write one of this machine, such as 127.0.0.1, ::1 or 0.0.0.0" },
		{ { "--ping-interval=soon", "cat" }, "--ping-interval: \"soon\" is no duration: " TIME_HELP },
		{ { "--framing=morse", "--utf8=x", "cat" },
			"--framing: \"morse\" is unknown: it may be lines, lines0, raw, message, netstring, jsonl, lsp or tagged" },
		{ { "--maxforks=x", "cat" }, "--maxforks: \"x\" is no number from 0 to 10000000" },
		{ { "--maxforks=-", "cat" }, "--maxforks: \"-\" is no number from 0 to 10000000" },
		{ { "--max-children=-1", "cat" }, "--max-children: \"-1\" is no number from 0 to 10000000" },
		{ { "--loglevel=unknown", "cat" },
			"--loglevel: \"unknown\" is unknown: it may be none, fatal, error, warn, access, info, debug or trace" },
		{ { "--sameorigin=maybe", "cat" }, "--sameorigin: \"maybe\" is neither true nor false" },
		{ { "--binary", "--framing=lines", "cat" },
			"--framing and --binary: framing cannot be lines and raw; leave one of them out" },
		{ { "--passstderr", "-binary", "cat" },
			"--passstderr and --binary: framing cannot be tagged and raw; leave one of them out" },
		{ { "--passstderr", "--stderr=log", "cat" },
			"--stderr and --passstderr: stderr cannot be log and client; leave one of them out" },
		{ { "--sameorigin", "--origin=a.example", "cat" },
			"--origin and --sameorigin: origin cannot be a.example and same; leave one of them out" },
		{ { "--maxforks=1", "--max-children=2", "cat" },
			"--maxforks and --max-children: max_children cannot be 1 and 2; leave one of them out" },
		{ { "--stderr=client", "cat" }, CLIENT_HELP },
		{ { "--header=Server: a", "--header=server: b", "cat" }, "--header: " ONE_SERVER },
		{ { "--header=Server: a", "--header-ws=Server: b", "cat" }, TWO_SERVERS },
		{ { "--pingms=5s", "cat" }, "--pingms: \"5s\" is no number of milliseconds" },
		{ { "--closems=-1", "cat" }, "--closems: \"-1\" is no number of milliseconds from 0 to 3600000" },
		{ { "--binary=maybe", "cat" }, "--binary: \"maybe\" is neither true nor false" },
		{ { "--origin=a/b,c/d", "cat" }, "--origin: \"a/b\" " ORIGIN_HELP },
		{ { "--header=A: b\r\nC: d", "cat" }, "--header: the value of A has a control byte in it" },
		{ { "--tcp=a:1", "/bin/cat" },
			"--tcp and PROGRAM: a route leads to one of them; give the other up, or write a file with two routes" },
		{ { "--dir=/", "/bin/cat" },
			"--dir and PROGRAM: a route leads to one of them; give the other up, or write a file with two routes" },
		{ { "--dir=/no/such/folder" }, "--dir: /no/such/folder: No such file or directory" },
		{ { "--cgidir=/dev/null" }, "--cgidir: /dev/null is no directory" },
		{ { "--tcp=a:1", "--tcp=b:1", "--unix=c" },
			"--tcp and --unix: a route leads to one of them; give the other up, or write a file with two routes" },
		{ { "--ssl", "--sslcert=/x/y", "/bin/cat" }, "--sslcert: /x/y: No such file or directory" },
		{ { "--ssl", "/bin/cat" }, "--ssl: " NO_CERTIFICATE },
		{ { "--listen=1 tls", "/bin/cat" }, "--listen: " NO_CERTIFICATE },
		{ { "--sslcert=/x/y", "/bin/cat" }, "--sslcert: " NO_EFFECT },
		{ { "--selfsigned", "/bin/cat" }, "--selfsigned: " NO_EFFECT },
		{ { "--redirport", "80", "/bin/cat" }, "--redirport: " NO_EFFECT },
		{ { "--ssl", "--selfsigned", "--unixsocket=/x", "--redirport", "80", "/bin/cat" }, "--redirport: " NO_EFFECT },
		{ { "--ssl", "--selfsigned", "--sslcert=/x/y", "/bin/cat" },
			"--selfsigned: there is a certificate already; give one of them up" },
		{ { "./no-such-program" }, "./no-such-program: No such file or directory" },
		{ { "no-such-program-in-path" }, "no-such-program-in-path: no such program in PATH" },
		{ { "/dev/null" }, "/dev/null: is no program but something else" },
		{ { "-" }, "-: no such program in PATH" },
		{ { "--help=nonsense" }, "--help=nonsense: there is --help, --help=all, --help=ini, --help=man1 and --help=man5" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a;
		char expected[TEXT_MAX];
		snprintf(expected, sizeof(expected), "wsgate: %s\n", cases[i].err);
		run(cases[i].args, &a);
		assert_string_equal(a.err, expected);
		assert_string_equal(a.out, "");
		assert_int_equal(a.action, CONFIG_FAILED);
		assert_int_equal(a.code, 64);
		assert_null(a.config);
	}
}

static void
a_program_on_the_command_line_lies_over_the_files_root(void **state)
{
	(void)state;
	struct answer a;
	char config[256], got[TEXT_MAX];
	snprintf(config, sizeof(config), "--config=%s", in_directory("w.ini"));
	write_file("w.ini", "[/]\ntcp = a:1\nconnect_timeout = 1s\nstatic = www\n[/b]\nexec = ./run.sh\n", 0644);
	run((const char *const[]){ config, "--max-message=3", "/bin/cat", NULL }, &a);
	assert_string_equal(a.err, "");
	assert_int_equal(a.config->route_count, 2);
	const struct route *root = route_at(a.config, "/"), *b = route_at(a.config, "/b");
	assert_string_equal(show_argv(NULL, root, got), "/bin/cat");
	assert_null(root->backend.host);
	assert_true(root->is_program);
	assert_string_equal(root->static_dir, in_directory("www"));
	assert_string_equal(show_argv(NULL, b, got), in_directory("run.sh"));
	assert_int_equal(root->max_message, 3);
	assert_int_equal(b->max_message, 3);
	config_release(a.config);
	/* Without one of its own it gets one. */
	write_file("w.ini", "[/b]\nexec = ./run.sh\n", 0644);
	run((const char *const[]){ config, "--tcp=c:1", NULL }, &a);
	assert_string_equal(a.err, "");
	assert_int_equal(a.config->route_count, 2);
	assert_string_equal(route_at(a.config, "/")->backend.host, "c");
	config_release(a.config);
}

static void
a_file_is_checked_and_a_bad_one_is_exit_78(void **state)
{
	(void)state;
	struct answer a;
	char config[256], expected[TEXT_MAX];
	snprintf(config, sizeof(config), "--config=%s", in_directory("w.ini"));
	write_file("w.ini", "[/]\nexec = ./run.sh\n[/b]\nexec = cat\n", 0644);
	run((const char *const[]){ "--check", config, NULL }, &a);
	snprintf(expected, sizeof(expected), "%s: good; 2 routes, 1 address\n", in_directory("w.ini"));
	assert_int_equal(a.action, CONFIG_CHECK);
	assert_int_equal(a.code, 0);
	assert_string_equal(a.out, expected);
	assert_string_equal(a.err, "");
	config_release(a.config);
	write_file("w.ini", "[/]\nexec = ./missing\nfoo = bar\n", 0644);
	run((const char *const[]){ config, NULL }, &a);
	snprintf(expected, sizeof(expected),
		"%s:2: exec: ./missing: No such file or directory\n%s:3: unknown key foo: wsgate --help=ini shows all\n",
		in_directory("w.ini"), in_directory("w.ini"));
	assert_int_equal(a.action, CONFIG_FAILED);
	assert_int_equal(a.code, 78);
	assert_string_equal(a.err, expected);
	assert_null(a.config);
}

static void
a_file_that_cannot_be_read_is_exit_66(void **state)
{
	(void)state;
	struct answer a;
	run((const char *const[]){ "--config=/nowhere/w.ini", NULL }, &a);
	assert_int_equal(a.code, 66);
	assert_string_equal(a.err, "wsgate: --config=/nowhere/w.ini: No such file or directory\n");
	run((const char *const[]){ "--config", "/", NULL }, &a);
	assert_int_equal(a.code, 66);
	assert_string_equal(a.err, "wsgate: --config=/: Is a directory\n");
}

/* --- what people read ------------------------------------------------------------------------------ */

static char *
written_by(void (*write)(FILE *out))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	write(out);
	fclose(out);
	char *copy = strdup(text);
	assert_non_null(copy);
	free(text);
	return copy;
}

static void
help_is_one_screen_that_leads_with_examples_and_tells_no_lies(void **state)
{
	(void)state;
	char *text = written_by(help_screen);
	size_t lines = 0, width = 0, examples = 0;
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		size_t len = strcspn(line, "\n");
		width = len > width ? len : width;
		examples += strncmp(line, "  wsgate ", 9) == 0 && lines < 6;
		lines++;
	}
	assert_true(lines <= 24 && width <= 80);
	assert_int_equal(examples, 3);
	for (const char *at = strstr(text, "--"); at != NULL; at = strstr(at + 2, "--")) {
		struct slice flag = { at + 2, strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-") };
		const struct option *o = options_find_flag(flag);
		if (o == NULL)
			fail_msg("--help names --%.*s, which is not there", SLICE_ARG(flag));
	}
	free(text);
	struct answer a;
	run((const char *const[]){ "--help", NULL }, &a);
	assert_int_equal(a.action, CONFIG_DONE);
	assert_int_equal(a.code, 0);
	assert_string_equal(a.err, "");
	assert_non_null(strstr(a.out, "Usage: wsgate"));
	run((const char *const[]){ "-version", "--nonsense-behind-it", NULL }, &a);
	assert_int_equal(a.action, CONFIG_DONE);
	assert_int_equal(strncmp(a.out, "wsgate 0.", 9), 0);
}

static void
write_man1(FILE *out)
{
	FILE *in = fmemopen((char *)"before\n.\\\" @OPTIONS@\nafter\n", 30, "r");
	assert_non_null(in);
	help_man1(in, out);
	fclose(in);
}

static void
write_man5(FILE *out)
{
	FILE *in = fmemopen((char *)"before\n.\\\" @OPTIONS@\nafter\n", 30, "r");
	assert_non_null(in);
	help_man5(in, out);
	fclose(in);
}

static void
every_option_is_explained_everywhere(void **state)
{
	(void)state;
	char *all = written_by(help_all), *man1 = written_by(write_man1), *man5 = written_by(write_man5),
	     *ini = written_by(help_ini);
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &options[i];
		char flag[OPTION_FLAG_MAX], text[128];
		if (strcmp(o->name, "h") == 0)
			continue;
		snprintf(text, sizeof(text), "\n  --%s", options_flag(o, flag));
		assert_non_null(strstr(all, text));
		snprintf(text, sizeof(text), "\n.It Fl \\&-%s", flag);
		assert_non_null(strstr(man1, text));
		assert_true(o->command == COMMAND_ALIAS || (o->help != NULL && o->help[strlen(o->help) - 1] == '.'));
		if (o->scope == OPTION_COMMAND || (o->flags & OPTION_NO_KEY) != 0)
			continue;
		snprintf(text, sizeof(text), "\n.It Ic %s No", o->name);
		assert_non_null(strstr(man5, text));
		snprintf(text, sizeof(text), "\n#%s = ", o->name);
		assert_non_null(strstr(ini, text));
	}
	assert_int_equal(strncmp(man1, "before\n.Ss", 10), 0);
	assert_string_equal(man1 + strlen(man1) - 6, "after\n");
	assert_null(strstr(man5, "@OPTIONS@"));
	free(all);
	free(man1);
	free(man5);
	free(ini);
}

/* Takes the '#' away in front of the keys; of those that exclude each other, only BACKEND. */
static char *
taken_in(const char *ini, const char *backend)
{
	char *text = malloc(strlen(ini) + 1), *out = text;
	assert_non_null(text);
	for (const char *line = ini; *line != '\0'; line += strcspn(line, "\n") + 1) {
		size_t len = strcspn(line, "\n") + 1;
		struct slice key = { line + 1, strspn(line + 1, "abcdefghijklmnopqrstuvwxyz0123456789_") };
		const struct option *o = line[0] == '#' && key.len > 0 ? options_find_flag(key) : NULL;
		bool is_set = o != NULL && ((o->flags & OPTION_BACKEND) == 0 || slice_equals(key, backend));
		if (is_set && (slice_equals(key, "user") || slice_equals(key, "group")) && geteuid() != 0)
			is_set = false;
		if (slice_starts((struct slice){ line, len }, "exec ="))
			continue;
		if (slice_equals(key, "listen") || slice_equals(key, "redirect_port")) {
			out += sprintf(out, slice_equals(key, "listen") ? "listen = 1 tls\n" : "\n");
			continue;
		}
		memcpy(out, line + (is_set ? 1 : 0), len - (is_set ? 1 : 0));
		out += len - (is_set ? 1 : 0);
	}
	*out = '\0';
	return text;
}

static void
the_reference_file_is_good_as_it_is_and_with_every_key_taken_in(void **state)
{
	(void)state;
	static const char *const backends[] = { "exec", "shell", "tcp", "unix" };
	char *ini = written_by(help_ini), faults[TEXT_MAX];
	struct config *c = parse_as(in_directory("w.ini"), true, ini, faults);
	assert_string_equal(faults, "");
	assert_string_equal(c->routes[0].path, "/echo");
	config_release(c);
	for (size_t i = 0; i < COUNT(backends); i++) {
		char *text = taken_in(ini, backends[i]);
		c = parse_as(in_directory("w.ini"), true, text, faults);
		assert_string_equal(faults, "");
		config_release(c);
		free(text);
	}
	free(ini);
}

static void
the_reference_file_in_the_tree_is_the_one_that_help_prints(void **state)
{
	(void)state;
	char *ini = written_by(help_ini);
	size_t len = strlen(ini);
	char *text = malloc(len + 2);
	FILE *file = fopen("wsgate.ini", "r"); /* tests run at the top of the tree */
	assert_true(text != NULL && file != NULL);
	text[fread(text, 1, len + 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, ini);
	free(text);
	free(ini);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_key_of_the_table_is_left_out_here),
		cmocka_unit_test(every_key_has_its_default),
		cmocka_unit_test(every_key_can_be_set_in_the_file),
		cmocka_unit_test(a_route_wins_over_defaults_and_they_over_nothing),
		cmocka_unit_test(the_command_line_wins_over_the_file),
		cmocka_unit_test(a_key_of_two_sections_is_told_apart_on_the_command_line),
		cmocka_unit_test(variables_and_headers_add_up_name_by_name),
		cmocka_unit_test(lines_leave_a_program_at_once_where_lines_are_messages),
		cmocka_unit_test(a_listener_may_stand_on_each_line),
		cmocka_unit_test(tls_stands_behind_the_address_that_it_is_for),
		cmocka_unit_test(certificates_and_keys_are_paired_and_looked_at),
		cmocka_unit_test(certificates_of_the_command_line_take_the_place_of_those_of_the_file),
		cmocka_unit_test(all_eight_limits_at_once),
		cmocka_unit_test(a_shell_command_keeps_its_semicolons),
		cmocka_unit_test(a_comment_ends_other_values),
		cmocka_unit_test(no_length_is_cut),
		cmocka_unit_test(words_are_split_as_a_shell_would),
		cmocka_unit_test(each_mistake_is_told_with_its_line),
		cmocka_unit_test(all_mistakes_of_a_file_are_told_at_once),
		cmocka_unit_test(a_file_of_rubbish_does_not_flood_the_terminal),
		cmocka_unit_test(a_line_beyond_the_limit_is_refused_not_cut),
		cmocka_unit_test(files_are_looked_for_beside_the_ini_file),
		cmocka_unit_test(a_program_or_directory_that_is_not_there_is_told),
		cmocka_unit_test(programs_run_as_somebody_else_only_by_root),
		cmocka_unit_test(the_longest_route_on_segment_boundaries_wins),
		cmocka_unit_test(a_page_and_a_backend_share_a_route),
		cmocka_unit_test(a_folder_of_programs_is_a_program_whose_name_comes_later),
		cmocka_unit_test(cgi_programs_have_the_routes_options_but_their_bytes_are_bytes),
		cmocka_unit_test(a_snapshot_lives_as_long_as_it_is_held),
		cmocka_unit_test(what_the_command_line_asks_for_is_done),
		cmocka_unit_test(a_mistake_on_the_command_line_is_one_line_and_exit_64),
		cmocka_unit_test(a_program_on_the_command_line_lies_over_the_files_root),
		cmocka_unit_test(a_file_is_checked_and_a_bad_one_is_exit_78),
		cmocka_unit_test(a_file_that_cannot_be_read_is_exit_66),
		cmocka_unit_test(help_is_one_screen_that_leads_with_examples_and_tells_no_lies),
		cmocka_unit_test(every_option_is_explained_everywhere),
		cmocka_unit_test(the_reference_file_is_good_as_it_is_and_with_every_key_taken_in),
		cmocka_unit_test(the_reference_file_in_the_tree_is_the_one_that_help_prints),
	};
	return cmocka_run_group_tests_name("gate_config", tests, set_up, tear_down);
}
