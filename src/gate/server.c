/*
 * The one idea: everything that is counted or decided once per connection is done here, on one
 * thread, before a worker ever hears of it.
 */
#include "gate/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "backend/process.h"
#include "backend/spawn.h"
#include "base/log.h"
#include "gate/limit.h"
#include "gate/worker.h"
#include "io/listen.h"

struct door {
	struct server *server;
	struct listener *listener;
	char port[8]; /* for SERVER_PORT */
	bool tls;
	uint16_t redirect_to;
};

struct server {
	struct loop *loop;
	struct config *config;
	struct limit *limit;
	struct door *doors; /* those of listen, then those that redirect to one of them */
	size_t door_count;
	struct worker **workers;
	unsigned drained; /* workers without guests, after the first signal */
	bool draining;
	bool has_pid_file;
	struct loop_signal on_term, on_int, on_hup;
	struct loop_timer deadline;
};

/* --- arrivals ----------------------------------------------------------------------------------- */

static struct worker *
least_loaded(struct server *s)
{
	struct worker *best = s->workers[0];
	for (unsigned i = 1; i < s->config->workers; i++)
		if (worker_load(s->workers[i]) < worker_load(best))
			best = s->workers[i];
	return best;
}

static void
on_arrival(void *owner, int fd, const struct address *peer)
{
	struct door *door = owner;
	struct server *s = door->server;
	struct arrival arrival = {
		.fd = fd,
		.peer = address_shorten(peer),
		.config = config_hold(s->config),
		.server_port = door->port,
		.tls = door->tls,
		.redirect_to = door->redirect_to,
	};
	arrival.refusal = limit_enter(s->limit, s->config, &arrival.peer);
	if (worker_welcome(least_loaded(s), &arrival) == 0)
		return;
	log_error("out of memory: a connection is closed");
	if (arrival.refusal == LIMIT_OK)
		limit_leave(s->limit, &arrival.peer);
	config_release(arrival.config);
	close(fd);
}

/* --- listening ---------------------------------------------------------------------------------- */

static void
announce(const struct door *door)
{
	char text[ADDRESS_TEXT_MAX];
	const struct address *a = listener_address(door->listener);
	const char *scheme = door->tls ? "https" : "http";
	address_format(a, text);
	if (door->redirect_to != 0)
		fprintf(stderr, "wsgate: redirecting http://%s/ to https, port %u\n", text, door->redirect_to);
	else if (a->storage.ss_family == AF_UNIX)
		fprintf(stderr, "wsgate: listening on %s%s\n", text, door->tls ? " (TLS)" : "");
	else
		fprintf(stderr, "wsgate: listening on %s://%s/%s\n", scheme, text,
			address_is_loopback(a) ? " (this machine only; --address=0.0.0.0 opens it)" : "");
}

static void
announce_all(const struct server *s)
{
	char fingerprint[TLS_FINGERPRINT_MAX];
	for (size_t i = 0; i < s->door_count; i++)
		announce(&s->doors[i]);
	if (s->config->tls != NULL && s->config->tls_rules.selfsigned)
		fprintf(stderr, "wsgate: the certificate is self-signed; its SHA-256 fingerprint: %s\n",
			tls_context_fingerprint(s->config->tls, fingerprint));
}

static const char *
mend_inet(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "; is another server there? --port=N takes another port";
	case EACCES:
		return "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
	case EADDRNOTAVAIL:
		return "; this machine has no such address";
	default:
		return "";
	}
}

static const char *
mend_unix(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "; a server answers there, or it is no socket: stop that, remove the file, or take another path";
	case ENOENT:
		return "; its directory is missing: make it";
	case EACCES:
		return "; wsgate must be able to write to its directory";
	case EPERM:
		return "; only root can give it to that owner (unix_owner)";
	default:
		return "";
	}
}

static int
cannot_listen(const struct address *address, const char *where)
{
	int error = errno;
	fprintf(stderr, "wsgate: cannot listen on %s: %s%s\n", where, strerror(error),
		address->storage.ss_family == AF_UNIX ? mend_unix(error) : mend_inet(error));
	return error == EACCES || error == EPERM ? EX_NOPERM : EX_CANTCREAT;
}

static int
open_door(struct server *s, const struct address *address, const char *text, struct door *door)
{
	struct listener_options opt = {
		.address = *address,
		.unix_mode = s->config->unix_mode,
		.has_owner = s->config->has_unix_owner,
		.uid = s->config->unix_uid,
		.gid = s->config->unix_gid,
	};
	door->server = s;
	door->listener = listener_open(s->loop, &opt, on_arrival, door);
	if (door->listener == NULL)
		return cannot_listen(address, text);
	snprintf(door->port, sizeof(door->port), "%u", address_port(listener_address(door->listener)));
	s->door_count++;
	return 0;
}

static bool
is_redirected_already(const struct server *s, const char *host)
{
	char other[ADDRESS_TEXT_MAX];
	for (size_t i = s->config->listen_count; i < s->door_count; i++)
		if (strcmp(address_format_host(listener_address(s->doors[i].listener), other), host) == 0)
			return true;
	return false;
}

/* Beside the first listener with TLS of each host, one that sends clients there. */
static int
open_redirects(struct server *s)
{
	int code = 0;
	for (size_t i = 0; s->config->redirects && i < s->config->listen_count && code == 0; i++) {
		const struct address *target = listener_address(s->doors[i].listener);
		char host[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX + 32];
		struct address address;
		if (!s->doors[i].tls || target->storage.ss_family == AF_UNIX)
			continue;
		address_format_host(target, host);
		if (is_redirected_already(s, host) ||
			address_from_numeric(slice_of(host), s->config->redirect_port, &address) == -1)
			continue;
		snprintf(text, sizeof(text), "%s, redirect_port %u", host, s->config->redirect_port);
		s->doors[s->door_count].redirect_to = address_port(target);
		code = open_door(s, &address, text, &s->doors[s->door_count]);
	}
	return code;
}

static int
open_doors(struct server *s)
{
	s->doors = calloc(2 * s->config->listen_count, sizeof(*s->doors));
	if (s->doors == NULL)
		return EX_OSERR;
	int code = 0;
	for (size_t i = 0; i < s->config->listen_count && code == 0; i++) {
		const struct listen_address *listen = &s->config->listen[i];
		s->doors[i].tls = listen->tls;
		code = open_door(s, &listen->address, listen->text, &s->doors[i]);
	}
	return code == 0 ? open_redirects(s) : code;
}

static void
close_doors(struct server *s)
{
	for (size_t i = 0; i < s->door_count; i++) {
		listener_close(s->doors[i].listener);
		s->doors[i].listener = NULL;
	}
}

/* --- stopping ----------------------------------------------------------------------------------- */

static void
stop_now(void *owner)
{
	struct server *s = owner;
	loop_stop(s->loop);
}

static void
on_deadline(void *owner)
{
	struct server *s = owner;
	log_warn("drain_timeout has passed with %u connections left: they are cut", limit_connections(s->limit));
	stop_now(s);
}

static void
on_drained(void *owner)
{
	struct server *s = owner;
	if (++s->drained == s->config->workers)
		stop_now(s);
}

static void
on_stop_signal(void *owner, int signo)
{
	struct server *s = owner;
	if (s->draining) {
		log_info("SIG%s again: stopping at once", sigabbrev_np(signo));
		stop_now(s);
		return;
	}
	s->draining = true;
	log_info("SIG%s: stopping; %u connections are told", sigabbrev_np(signo), limit_connections(s->limit));
	close_doors(s);
	loop_timer_set(&s->deadline, s->config->drain_timeout_ms);
	for (unsigned i = 0; i < s->config->workers; i++)
		worker_drain(s->workers[i]);
}

/* --- starting ----------------------------------------------------------------------------------- */

static int
start_workers(struct server *s)
{
	s->workers = calloc(s->config->workers, sizeof(*s->workers));
	for (unsigned i = 0; s->workers != NULL && i < s->config->workers; i++) {
		s->workers[i] = worker_start(s->limit, s->loop, s->config->workers == 1, on_drained, s);
		if (s->workers[i] == NULL) {
			fprintf(stderr, "wsgate: cannot start worker %u of %u: %s; set workers lower\n", i + 1, s->config->workers,
				strerror(errno));
			return EX_OSERR;
		}
	}
	return s->workers == NULL ? EX_OSERR : 0;
}

/* As many descriptors as we may have; programs get back what we were given. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	process_set_nofile(limit.rlim_cur);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int
write_pid_file(struct server *s)
{
	const char *path = s->config->pid_file;
	if (path == NULL)
		return 0;
	FILE *f = fopen(path, "we");
	s->has_pid_file = f != NULL;
	if (f == NULL || fprintf(f, "%ld\n", (long)getpid()) < 0 || fclose(f) == EOF) {
		fprintf(stderr, "wsgate: cannot write pid_file %s: %s\n", path, strerror(errno));
		return EX_CANTCREAT;
	}
	return 0;
}

/* Nothing fails for it, so it is said once and not for every route. */
static void
say_what_is_missing(const struct config *c)
{
	for (size_t i = 0; i < c->route_count; i++) {
		const struct backend_options *opt = &c->routes[i].backend;
		if (!c->routes[i].is_program || opt->buffering != BUFFERING_LINE || opt->line_library != NULL)
			continue;
		log_info("route %s: no libwsgate-line.so is where its program could load it: lines that a C program does not "
			 "flush come late (buffering)",
			c->routes[i].path);
		return;
	}
}

static void
watch_signals(struct server *s)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would cost us every exit status */
	loop_signal_start(s->loop, &s->on_term, SIGTERM, on_stop_signal, s);
	loop_signal_start(s->loop, &s->on_int, SIGINT, on_stop_signal, s);
	loop_signal_start(s->loop, &s->on_hup, SIGHUP, on_stop_signal, s); /* the terminal is gone */
	spawn_learn_signals();
	loop_timer_init(&s->deadline, s->loop, on_deadline, s);
}

/* A signal that comes now finds us ending: it is held back, for without a watcher it would kill. */
static void
unwatch_signals(struct server *s)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	loop_timer_stop(&s->deadline);
	loop_signal_stop(s->loop, &s->on_term);
	loop_signal_stop(s->loop, &s->on_int);
	loop_signal_stop(s->loop, &s->on_hup);
}

/* The pid file comes late: if we cannot start because the server is running already, the file is that one's. */
static int
start(struct server *s)
{
	s->limit = limit_new();
	s->loop = loop_new();
	if (s->limit == NULL || s->loop == NULL)
		return EX_OSERR;
	raise_descriptor_limit();
	say_what_is_missing(s->config);
	watch_signals(s);
	int code = start_workers(s);
	if (code == 0)
		code = open_doors(s);
	if (code == 0)
		code = write_pid_file(s);
	if (code == 0)
		announce_all(s);
	return code;
}

static void
stop(struct server *s)
{
	close_doors(s);
	for (unsigned i = 0; s->workers != NULL && i < s->config->workers; i++)
		worker_stop(s->workers[i]);
	if (s->loop != NULL)
		unwatch_signals(s);
	loop_free(s->loop);
	limit_free(s->limit);
	free(s->workers);
	free(s->doors);
	if (s->has_pid_file)
		unlink(s->config->pid_file);
	config_release(s->config);
}

int
server_run(struct config *config)
{
	struct server s = { .config = config };
	int code = start(&s);
	if (code == 0)
		loop_run(s.loop);
	stop(&s);
	return code;
}
