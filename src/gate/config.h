/*
 * config: what the operator wants, as one immutable snapshot.
 *
 * One table of options (options.c) drives the INI file, the command line, --help, validation, the
 * man pages and the reference wsgate.ini. The command line is laid over the file. Every mistake is
 * reported with file and line (or the option's name) and how to mend it; all of them, not only the
 * first; nothing is silently cut or ignored.
 *
 * Snapshots are counted references: a session keeps the one it began with (config_hold), from any
 * thread. Everything a snapshot points to lives as long as it does, and is never changed, apart
 * from the counters of struct route_use.
 */
#ifndef GATE_CONFIG_H
#define GATE_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"
#include "base/address.h"
#include "base/log.h"
#include "base/text.h"
#include "io/tls.h"
#include "proto/upgrade.h"

/* Messages of the client. */
enum accept_policy { ACCEPT_ANY, ACCEPT_TEXT, ACCEPT_BINARY };

enum tls_version { TLS_VERSION_12, TLS_VERSION_13 };
enum origin_policy { ORIGIN_SAME, ORIGIN_ANY, ORIGIN_LIST };

/* Counters of a route, shared by all threads. */
struct route_use {
	atomic_uint connections;
	atomic_uint children;
	_Atomic uint64_t spawn_slot_us; /* for spawn_rate: when the next start is due (limit.c) */
};

struct route {
	const char *path; /* "/", "/vnc": no slash at the end but for "/" itself */
	bool has_backend; /* a WebSocket backend */
	bool is_program;  /* it is exec, shell or dir */
	struct backend_options backend;
	const char *program_dir;    /* of dir: absolute path, or NULL */
	const char *cgi_dir;        /* absolute path, or NULL */
	struct backend_options cgi; /* of its programs: as backend, but raw */
	const char *static_dir;     /* absolute path, or NULL */
	const char *index;          /* file served for a directory: "index.html" */

	struct upgrade_options upgrade;
	enum origin_policy origin;
	const char *const *origin_list; /* NULL-terminated: host, host:port, scheme://host[:port], *.host */

	enum accept_policy accept;
	uint64_t max_message;                       /* bytes, 0: no ceiling */
	uint64_t ping_interval_ms, ping_timeout_ms; /* 0: off */
	uint64_t idle_timeout_ms, max_session_ms;   /* 0: off */
	uint64_t send_timeout_ms;
	uint64_t cgi_timeout_ms;  /* 0: off */
	size_t buffer;            /* high-water mark per direction, bytes */
	unsigned max_connections; /* 0: no ceiling of its own */
	unsigned max_children;    /* 0: no ceiling */
	unsigned spawn_rate;      /* starts per second, 0: no ceiling */
	bool reverse_lookup;      /* a program is told the name of the client's host */

	const char *header;      /* extra header lines for every response: whole lines with CRLF, or "" */
	const char *header_ws;   /* the same for 101 */
	const char *header_http; /* the same for all others */

	struct route_use *use;
};

struct config {
	atomic_uint references;

	/* [server] */
	struct listen_address {
		struct address address;
		const char *text; /* as written */
		bool tls;
	} * listen;
	size_t listen_count;
	unsigned unix_mode; /* of unix sockets to listen on; 0: as the umask has it */
	bool has_unix_owner;
	uid_t unix_uid;           /* -1: as it is */
	gid_t unix_gid;           /* -1: as it is */
	unsigned workers;         /* at least 1 */
	unsigned max_connections; /* server-wide */
	unsigned max_per_ip;      /* 0: no ceiling */
	uint64_t handshake_timeout_ms;
	uint64_t drain_timeout_ms; /* of the server: SIGTERM to exit */
	bool devconsole;           /* a page for browsers to try the routes */
	const char *pid_file;      /* or NULL */
	bool redirects;            /* from redirect_port to the listeners with TLS */
	uint16_t redirect_port;

	/* [tls] */
	struct tls_rules {
		const char *const *certificates; /* NULL-terminated; NULL: none */
		const char *const *keys;         /* as many, or NULL: in the certificates' files */
		bool selfsigned;
		const char *client_ca; /* or NULL */
		enum tls_version min_version;
		const char *ciphers, *ciphersuites; /* or NULL */
		bool redirect;                      /* plain requests at a listener with TLS */
		bool everywhere;                    /* --ssl */
	} tls_rules;
	struct tls_context *tls; /* NULL if no listener has TLS, or no files were looked at */

	/* [log] */
	struct log_options log;
	bool log_access;

	/* sorted so that the first whose path matches is the longest */
	struct route *routes;
	size_t route_count;

	void *memory; /* what all the strings and arrays live in */
};

/* What the command line asks for. */
enum config_action {
	CONFIG_RUN,
	CONFIG_CHECK,  /* --check: say that it is good and exit 0 */
	CONFIG_DONE,   /* --help, --version and the like: it has been printed; exit 0 */
	CONFIG_FAILED, /* said on stderr; exit with *exit_code: 64 usage, 78 configuration, 66 no such file ... */
};

/*
 * Reads the command line and the INI file it names. On CONFIG_RUN and CONFIG_CHECK *OUT holds one
 * reference. Messages go to stderr, one line each: "FILE:LINE: what and how to mend it", or
 * "wsgate: --option: ...".
 */
enum config_action config_from_command_line(int argc, char **argv, struct config **out, int *exit_code);

/*
 * The pieces, for tests and fuzzing: parses an INI text of LEN bytes as if it stood in the file
 * NAME (relative paths are relative to its directory). Faults are appended to FAULTS, one line
 * each. CHECK_FILES false leaves the file system alone (programs and directories are not looked
 * for). NULL if there was any fault.
 */
struct config *config_from_text(const char *name, const char *text, size_t len, bool check_files, struct buf *faults);

struct config *config_hold(struct config *c);
void config_release(struct config *c);

/*
 * The route for a decoded path: the longest whose path is PATH or ends at a '/' of it. *REST is
 * what follows ("" or "/b"). NULL if none.
 */
const struct route *config_route(const struct config *c, struct slice path, struct slice *rest);

#endif
