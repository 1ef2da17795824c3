/*
 * backend: where messages go. A program, a TCP service, a unix socket; all look like this.
 *
 * Events come up through one callback; calls go down through a table. None of the functions of the
 * table calls the owner. All on one loop.
 *
 *	open ── READY ── DATA, ROOM ... ────┬────────────────────── ENDED ── free
 *	   │                                └─ SAID_ALL, ROOM ... ────┘       │
 *	   └─ REFUSED ────────────────────────────────────────────────────────┘
 *
 * READY comes once the program runs or the service has accepted: only then is the upgrade answered.
 * ENDED comes exactly once after READY, when all output has been handed on (or discarded) and, for
 * a program, when it and its output have both ended. After REFUSED or ENDED nothing comes; the owner
 * calls free. SAID_ALL comes from a service that has ended its side, and may listen on: end_code and
 * reason say with what it ends, no DATA follows, and ENDED comes when it breaks, or after finish().
 */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/address.h"
#include "io/loop.h"
#include "proto/framing.h"
#include "proto/http.h"
#include "proto/message.h"

/* What becomes of a program's stderr. It is always read. */
enum stderr_policy {
	STDERR_LOG,   /* each line to the log, with route and pid */
	STDERR_MERGE, /* into stdout */
	STDERR_DISCARD,
	STDERR_CLIENT,     /* messages of its own among those of stdout: with framing_tagged alone */
	STDERR_BY_FRAMING, /* the configuration's word for: client if messages are tagged, else log */
};

/* When a program's output leaves it, if the program itself does not care. */
enum buffering {
	BUFFERING_BY_FRAMING, /* the configuration's word for: line if messages are lines, else none */
	BUFFERING_LINE,       /* at the end of each line (src/preload/line.c) */
	BUFFERING_PTY,        /* as into a terminal, for that is what stdout is */
	BUFFERING_NONE,       /* as into a pipe: often when some kilobytes have gathered */
};

enum { BACKEND_STOP_STEPS = 8, BACKEND_LIMITS = 8 };

/* One step of the stop ladder: do it, then wait that long for the program to end. */
struct stop_step {
	int signo; /* 0: close stdin */
	uint64_t wait_ms;
};

struct backend_limit {
	int resource; /* RLIMIT_... */
	rlim_t value;
};

/* What a route says of its backend. Immutable while any backend uses it. */
struct backend_options {
	const struct backend_ops *ops;
	const char *route; /* for the log and WSGATE_ROUTE */

	const struct framing_ops *framing;
	struct framing_options framing_options;
	uint64_t drain_timeout_ms; /* how long a side may do nothing once the other has gone */

	/* socket */
	const char *host; /* or NULL with unix_path */
	uint16_t port;
	const char *unix_path;
	uint64_t connect_timeout_ms;

	/* process */
	const char *const *argv;    /* NULL-terminated; argv[0] is a path (absolute, or found by the configuration) */
	const char *const *env;     /* NULL-terminated NAME=VALUE, set last */
	const char *const *passenv; /* NULL-terminated names taken from our environment */
	const char *chdir;          /* or NULL */
	enum stderr_policy stderr_policy;
	enum buffering buffering;
	const char *line_library; /* for BUFFERING_LINE: its path; or NULL, and C programs buffer on */
	struct stop_step stop[BACKEND_STOP_STEPS];
	size_t stop_count;
	uint16_t exit_close; /* close code for a non-zero exit or a signal */
	bool has_user, has_group, has_nice, has_umask;
	uid_t uid;
	gid_t gid;           /* with has_group, or the user's own */
	const gid_t *groups; /* supplementary, of the user */
	size_t group_count;
	int nice;
	mode_t umask;
	struct backend_limit limits[BACKEND_LIMITS];
	size_t limit_count;
};

/* The request that opens the connection; valid during open() only. */
struct backend_request {
	const struct http_request *http;
	struct slice script_name; /* the route's path */
	struct slice path_info;   /* decoded rest behind it */
	struct slice subprotocol; /* chosen; data NULL if none */
	const char *remote_addr;  /* "127.0.0.1" */
	uint16_t remote_port;
	const char *remote_host; /* name, or the address again */
	const char *server_port; /* of the listener, used if Host has none */
	const char *remote_user; /* "" if nobody was authenticated */
	const char *auth_type;   /* "" */
	const char *unique_id;
	bool https;
	/* with https: "TLSv1.3", the cipher's name, the subject of the client's certificate or "" */
	const char *tls_version, *tls_cipher, *tls_subject;

	/* A program of a folder; NULL: the route's argv. */
	const char *program;   /* its file, absolute */
	const char *folder;    /* under which PATH_INFO is translated */
	const char *directory; /* where it starts unless the route says so; NULL: where we are */

	/* An ordinary request (CGI): its content is the program's input. */
	bool is_cgi;
	bool has_content;
	uint64_t content_length;
};

enum backend_event { BACKEND_READY, BACKEND_REFUSED, BACKEND_DATA, BACKEND_ROOM, BACKEND_SAID_ALL, BACKEND_ENDED };
typedef void backend_fn(void *owner, enum backend_event event);

enum { BACKEND_REASON_MAX = 64 };

/* The head of every backend. */
struct backend {
	const struct backend_ops *ops;
	const struct backend_options *opt;
	struct loop *loop;
	backend_fn *fn;
	void *owner;
	pid_t pid;         /* 0 if it is no program */
	int status;        /* of a program, after BACKEND_ENDED or free(): as waitpid(2) gives it */
	uint16_t end_code; /* after BACKEND_SAID_ALL or BACKEND_ENDED: close code for the client ... */
	uint16_t refusal;  /* after BACKEND_REFUSED: the HTTP status */
	char *reason;      /* ... and why ("exit 3"); or why it was refused, for the log. See backend_reason() */
};

/* At most BACKEND_REASON_MAX - 1 bytes; "" if there is none. */
static inline const char *
backend_reason(const struct backend *b)
{
	return b->reason == NULL ? "" : b->reason;
}

struct pipe_kind;

struct backend_ops {
	const char *name;
	const struct pipe_kind *kind; /* of those that are a pipe: see backend/pipe.h */

	/* Starts; the first event comes later, from the loop. NULL if memory is out. */
	struct backend *(*open)(struct loop *loop, const struct backend_options *opt, const struct backend_request *req,
		backend_fn *fn, void *owner);

	/*
	 * The next piece for the client, while BACKEND_DATA is being worked on; call until it returns
	 * false. *OUT is valid until the next call.
	 */
	bool (*read)(struct backend *b, struct piece *out);

	/*
	 * A piece of a client's message: goes to the loop's gather. Then flush() sends what was gathered.
	 * Returns 0, or the close code with which the message is refused: backend_reason() says why, none of it
	 * was sent, and no more is to be.
	 */
	int (*send)(struct backend *b, const struct piece *piece);
	void (*flush)(struct backend *b);

	/* Bytes that it has not taken yet. BACKEND_ROOM comes when they have become markedly fewer. */
	size_t (*queued)(const struct backend *b);

	/* May DATA come? On at READY: off. A pause never delays an end that is not output. */
	void (*want_read)(struct backend *b, bool yes);

	/*
	 * No more is sent, but the client stays: all that is queued is delivered, then the backend gets its
	 * EOF and may take its time to answer.
	 */
	void (*end_input)(struct backend *b);

	/*
	 * The client sends no more. All that is queued is delivered, then the backend gets its EOF, then
	 * the stop ladder runs; output goes on meanwhile. ENDED comes within the ladder's time after the
	 * backend has taken its last byte, or stopped taking for drain_timeout.
	 */
	void (*finish)(struct backend *b);

	/* The client takes no more: output is discarded (its pipe closed) and what finish() does begins. */
	void (*discard)(struct backend *b);

	/* Bytes of the client that it never took; for the log, after ENDED. */
	uint64_t (*untaken)(const struct backend *b);

	/* At once: a program that still lives is killed with its group and reaped. *B may be looked at until the end of the turn. */
	void (*free)(struct backend *b);
};

extern const struct backend_ops backend_process; /* exec, shell, dir, cgi */
extern const struct backend_ops backend_socket;  /* tcp, unix */

#endif
