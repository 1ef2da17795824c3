/*
 * The one table. A row that takes a value has its reader, its field (checked by the compiler) and its
 * words for people; a default is text, read as if somebody had written it, so that the manual cannot
 * say something else than the program does.
 */
#include "gate/options.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "gate/config.h"
#include "gate/value.h"

/* The field's offset; another type than the reader's does not compile. */
#define AT(what, member, type) (offsetof(struct what, member) + 0 * sizeof(1 ? &((struct what *)NULL)->member : (type *)NULL))

#define DAY_MS (UINT64_C(24) * 60 * 60 * 1000)
#define YEAR_MS (365 * DAY_MS)

#define DURATION(what, member, least)                                                                                              \
	.read = value_duration, .at = AT(what, member, uint64_t), .min = (least), .max = YEAR_MS, .argument = "DURATION"
#define COUNT(what, member, most) .read = value_count, .at = AT(what, member, unsigned), .max = (most), .argument = "NUMBER"
#define CHOICE(what, member, type, list) .read = value_choice, .at = AT(what, member, enum type), .choices = (list)
#define LIMIT(resource, unit)                                                                                                      \
	.scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM, .read = value_limit, .min = (resource), .max = (unit)
#define ALIAS(key) .scope = OPTION_COMMAND, .command = COMMAND_ALIAS, .alias_of = (key)
#define COMMAND(which) .scope = OPTION_COMMAND, .command = COMMAND_##which

_Static_assert(sizeof(enum log_format) == sizeof(unsigned) && sizeof(enum utf8_policy) == sizeof(unsigned), "value_choice");

enum { CONNECTIONS_MAX = 10 * 1000 * 1000 };

static const struct option_choice log_formats[] = {
	{ "text", LOG_FORMAT_TEXT },
	{ "json", LOG_FORMAT_JSON },
	{ "logfmt", LOG_FORMAT_LOGFMT },
	{ NULL, 0 },
};

static const struct option_choice tls_versions[] = {
	{ "1.2", TLS_VERSION_12 },
	{ "1.3", TLS_VERSION_13 },
	{ NULL, 0 },
};

static const struct option_choice message_types[] = {
	{ "framing", MESSAGE_TYPE_BY_FRAMING },
	{ "text", MESSAGE_TYPE_TEXT },
	{ "binary", MESSAGE_TYPE_BINARY },
	{ "auto", MESSAGE_TYPE_AUTO },
	{ NULL, 0 },
};

static const struct option_choice utf8_policies[] = {
	{ "replace", UTF8_REPLACE },
	{ "binary", UTF8_BINARY },
	{ "close", UTF8_CLOSE },
	{ NULL, 0 },
};

static const struct option_choice accept_policies[] = {
	{ "any", ACCEPT_ANY },
	{ "text", ACCEPT_TEXT },
	{ "binary", ACCEPT_BINARY },
	{ NULL, 0 },
};

static const struct option_choice stderr_policies[] = {
	{ "auto", STDERR_BY_FRAMING },
	{ "log", STDERR_LOG },
	{ "client", STDERR_CLIENT },
	{ "merge", STDERR_MERGE },
	{ "discard", STDERR_DISCARD },
	{ NULL, 0 },
};

static const struct option_choice bufferings[] = {
	{ "line", BUFFERING_LINE },
	{ "pty", BUFFERING_PTY },
	{ "none", BUFFERING_NONE },
	{ NULL, 0 },
};

/* clang-format off */
const struct option options[] = {
	/* --- of the command line alone --- */
	{ .name = "config", COMMAND(CONFIG), .argument = "FILE",
	  .help = "Reads sections and routes from FILE. Options given here win over it." },
	{ .name = "check", COMMAND(CHECK), .flags = OPTION_SWITCH,
	  .help = "Checks the configuration and ends. Every fault is one line, FILE:LINE: what and how to mend it." },
	{ .name = "port", COMMAND(PORT), .argument = "PORT",
	  .help = "Listens on PORT, 8080 if only --address is given. 0 lets the kernel choose." },
	{ .name = "address", COMMAND(ADDRESS), .argument = "ADDRESS",
	  .help = "Listens on this address of the machine, IPv4 or IPv6, 127.0.0.1 if only --port is given. "
		  "0.0.0.0 or :: lets everybody in. May be given again." },
	{ .name = "unixsocket", COMMAND(UNIXSOCKET), .argument = "PATH",
	  .help = "Listens on the unix socket PATH. May be given again." },
	{ .name = "help", COMMAND(HELP), .flags = OPTION_SWITCH, .argument = "TOPIC",
	  .help = "Shows the first steps. The TOPIC all lists every option; ini prints the commented wsgate.ini; "
		  "man1 and man5 put the options into the template of a manual page that comes from standard input." },
	{ .name = "version", COMMAND(VERSION), .flags = OPTION_SWITCH, .help = "Shows the version." },

	/* --- [server] --- */
	{ .name = "listen", .scope = OPTION_SERVER, .flags = OPTION_REPEATS, .read = value_listen,
	  .standard = "127.0.0.1:8080", .argument = "ADDRESS,...",
	  .help = "Where to listen, separated by commas: HOST:PORT with a numeric HOST, [IPV6]:PORT, a PORT alone for "
		  "127.0.0.1, unix:PATH, or unix:@NAME for an abstract socket. Port 0 lets the kernel choose. The word tls behind an "
		  "address makes it one for https:// and wss://: 0.0.0.0:8443 tls. May be given again." },
	{ .name = "unix_mode", .scope = OPTION_SERVER, .read = value_unix_mode, .note = "0666 less the umask", .argument = "MODE",
	  .example = "0660", .help = "Who may connect to the unix sockets that wsgate listens on: their files' mode, in octal. An "
			       "abstract one has no file: whoever is on this machine may connect." },
	{ .name = "unix_owner", .scope = OPTION_SERVER, .read = value_unix_owner, .argument = "USER[:GROUP]", .example = "nobody:nogroup",
	  .help = "Whose they are; :GROUP changes the group alone. Another user needs root, and so does a group that wsgate's user "
		  "is not in." },
	{ .name = "workers", .scope = OPTION_SERVER, .read = value_workers, .standard = "auto", .argument = "NUMBER",
	  .help = "Threads that serve connections; auto is one for each processor that wsgate may use." },
	{ .name = "max_connections", .scope = OPTION_SERVER, COUNT(config, max_connections, CONNECTIONS_MAX), .standard = "10000",
	  .help = "Connections at a time, of all routes together; more are answered 503 with Retry-After. 0 is no ceiling." },
	{ .name = "max_per_ip", .scope = OPTION_SERVER, COUNT(config, max_per_ip, CONNECTIONS_MAX), .standard = "0",
	  .help = "Connections at a time of one client address; more are answered 503 with Retry-After. 0 is no ceiling." },
	{ .name = "handshake_timeout", .scope = OPTION_SERVER, DURATION(config, handshake_timeout_ms, 1), .standard = "10s",
	  .help = "A client has so long to send the whole head of its request; then it is answered 408." },
	{ .name = "drain_timeout", .scope = OPTION_SERVER, DURATION(config, drain_timeout_ms, 0), .standard = "30s",
	  .help = "After SIGTERM or SIGINT, clients and programs have so long to end; then they are cut off." },
	{ .name = "devconsole", .scope = OPTION_SERVER, .flags = OPTION_SWITCH, .read = value_switch, .at = AT(config, devconsole, bool),
	  .standard = "no", .argument = "YES|NO",
	  .help = "A built-in page to try the routes: at every WebSocket path that is opened in a browser, and at / the list of "
		  "routes. It shows what is behind them: for development." },
	{ .name = "redirect_port", .scope = OPTION_SERVER, .read = value_redirect_port, .standard = "none", .argument = "PORT",
	  .help = "Listens on this port beside the first address for TLS of each host, and sends who comes there to https://, by "
		  "308. 0 lets the kernel choose." },
	{ .name = "pid_file", .scope = OPTION_SERVER, .read = value_path, .at = AT(config, pid_file, const char *),
	  .argument = "FILE", .example = "wsgate.pid",
	  .help = "The process id is written to FILE, which is removed at the end." },

	/* --- [tls] --- */
	{ .name = "certificate", .scope = OPTION_TLS, .flags = OPTION_REPEATS, .read = value_paths,
	  .at = AT(config, tls_rules.certificates, const char *const *), .argument = "FILE", .example = "cert.pem",
	  .help = "A certificate in PEM, with those between it and its CA behind it. May be given again: a client gets the first that "
		  "has the name it asks for, else the first of all." },
	{ .name = "key", .scope = OPTION_TLS, .flags = OPTION_REPEATS, .read = value_paths,
	  .at = AT(config, tls_rules.keys, const char *const *), .argument = "FILE", .example = "key.pem",
	  .note = "in the file of its certificate",
	  .help = "The private key of a certificate, in PEM, without a passphrase. One for each certificate, in the same order." },
	{ .name = "selfsigned", .scope = OPTION_TLS, .flags = OPTION_SWITCH, .read = value_switch,
	  .at = AT(config, tls_rules.selfsigned, bool), .standard = "no", .argument = "YES|NO",
	  .help = "Makes a certificate for localhost at each start, and tells its fingerprint: to try things out, without files." },
	{ .name = "client_ca", .scope = OPTION_TLS, .read = value_path, .at = AT(config, tls_rules.client_ca, const char *),
	  .argument = "FILE", .example = "ca.pem",
	  .help = "Only clients with a certificate of a CA in this file, in PEM, get in. Its subject is their name (REMOTE_USER)." },
	{ .name = "min_version", .scope = OPTION_TLS, CHOICE(config, tls_rules.min_version, tls_version, tls_versions),
	  .standard = "1.2", .argument = "VERSION", .help = "The oldest TLS that clients may speak: 1.2 or 1.3." },
	{ .name = "ciphers", .scope = OPTION_TLS, .read = value_text, .at = AT(config, tls_rules.ciphers, const char *),
	  .note = "those with forward secrecy and AEAD", .argument = "LIST", .example = "ECDHE+AESGCM:ECDHE+CHACHA20",
	  .help = "Ciphers of TLS 1.2, as openssl-ciphers(1) writes lists of them." },
	{ .name = "ciphersuites", .scope = OPTION_TLS, .read = value_text, .at = AT(config, tls_rules.ciphersuites, const char *),
	  .note = "those of OpenSSL", .argument = "LIST", .example = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
	  .help = "Ciphersuites of TLS 1.3, with colons between them." },
	{ .name = "redirect", .scope = OPTION_TLS, .flags = OPTION_SWITCH, .read = value_switch,
	  .at = AT(config, tls_rules.redirect, bool), .standard = "yes", .argument = "YES|NO",
	  .help = "A client that comes with plain HTTP to an address for TLS is sent to https://, by 308; else it is answered 400." },
	{ .name = "ssl", .scope = OPTION_TLS, .flags = OPTION_SWITCH | OPTION_NO_KEY, .read = value_switch,
	  .at = AT(config, tls_rules.everywhere, bool), .argument = "YES|NO",
	  .help = "All addresses are for TLS, whatever is written behind them; the port is 8443 if none is given." },

	/* --- [log] --- */
	{ .name = "level", .scope = OPTION_LOG, .read = value_log_level, .standard = "info", .argument = "LEVEL",
	  .help = "What is logged: none, fatal, error, warn, access, info, debug or trace, each with all before it." },
	{ .name = "format", .scope = OPTION_LOG, CHOICE(config, log.format, log_format, log_formats), .standard = "text",
	  .argument = "FORMAT", .help = "How a line looks: text, json or logfmt." },
	{ .name = "target", .scope = OPTION_LOG, .read = value_log_target, .standard = "stderr", .argument = "TARGET",
	  .help = "Where lines go: stderr, syslog, or the path of a file that is appended to." },
	{ .name = "access", .scope = OPTION_LOG, .flags = OPTION_SWITCH, .read = value_switch, .at = AT(config, log_access, bool),
	  .standard = "yes", .argument = "YES|NO", .help = "One line for each request and each connection at its end." },

	/* --- where a route leads --- */
	{ .name = "exec", .scope = OPTION_ROUTE, .flags = OPTION_OF_ONE_ROUTE | OPTION_BACKEND | OPTION_VERBATIM, .read = value_exec,
	  .argument = "PROGRAM...", .example = "/bin/cat -u",
	  .help = "Starts PROGRAM for each connection, without a shell. The words may be quoted as in a shell, by '', \"\" or a "
		  "backslash. A name without a slash is looked up in PATH." },
	{ .name = "shell", .scope = OPTION_ROUTE, .flags = OPTION_OF_ONE_ROUTE | OPTION_BACKEND | OPTION_VERBATIM, .read = value_shell,
	  .argument = "COMMAND", .example = "date; exec cat", .help = "Starts /bin/sh -c COMMAND for each connection." },
	{ .name = "tcp", .scope = OPTION_ROUTE, .flags = OPTION_OF_ONE_ROUTE | OPTION_BACKEND, .read = value_tcp,
	  .argument = "HOST:PORT", .example = "127.0.0.1:5900", .help = "Connects each client to a TCP service." },
	{ .name = "unix", .scope = OPTION_ROUTE, .flags = OPTION_OF_ONE_ROUTE | OPTION_BACKEND, .read = value_unix,
	  .argument = "PATH", .example = "/run/service.sock",
	  .help = "Connects each client to the service at a unix socket; @NAME is an abstract one." },
	{ .name = "dir", .scope = OPTION_ROUTE, .flags = OPTION_OF_ONE_ROUTE | OPTION_BACKEND, .read = value_dir,
	  .at = AT(route, program_dir, const char *), .argument = "DIRECTORY", .example = ".",
	  .help = "Each executable file in DIRECTORY, and in the directories in it, is a program at its own name: it is started for "
		  "each connection to that, and gets what follows the name in the path as PATH_INFO." },
	{ .name = "static", .scope = OPTION_ROUTE, .flags = OPTION_OF_ONE_ROUTE, .read = value_directory,
	  .at = AT(route, static_dir, const char *), .argument = "DIRECTORY", .example = ".",
	  .help = "Serves the files of DIRECTORY to ordinary requests, alone or beside a backend." },
	{ .name = "cgi", .scope = OPTION_ROUTE, .flags = OPTION_OF_ONE_ROUTE, .read = value_directory,
	  .at = AT(route, cgi_dir, const char *), .argument = "DIRECTORY", .example = ".",
	  .help = "Answers ordinary requests by the programs in DIRECTORY (CGI/1.1, RFC 3875), each at its own name, alone or beside a "
		  "backend. Beside static, the file of that answers if there is no program." },
	{ .name = "index", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PAGES, .read = value_index, .standard = "index.html",
	  .argument = "FILE", .help = "The file that is served for a directory." },

	/* --- messages --- */
	{ .name = "framing", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, .read = value_framing,
	  .note = "lines for a program, raw for tcp and unix", .argument = "FRAMING", .example = "lines",
	  .help = "Where a message ends in the bytes of the backend. lines: each line is a text message; lines0: the same with NUL. "
		  "raw: what one read gives is a binary message. message: one byte t, b, p or c (text, binary, pong, close with "
		  "2 bytes of code and a reason), 4 bytes of length, big end first, the payload; the same both ways. netstring: "
		  "LEN:payload, both ways. jsonl: as lines, but a client's message must be one JSON value on one line. lsp: "
		  "Content-Length heads, as language servers speak. tagged: to the client, lines of both outputs of a program as "
		  "{\"stream\":\"stdout\",\"data\":\"...\"} and stderr likewise, at last {\"stream\":\"exit\",\"code\":0} or \"signal\"; "
		  "a very long line may come in parts, with \"more\":true in all but the last." },
	{ .name = "message_type", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES,
	  CHOICE(route, backend.framing_options.type, message_type, message_types), .standard = "framing", .argument = "TYPE",
	  .help = "Type of the messages to the client: framing (as the framing has it), text, binary, or auto (text if it is UTF-8)." },
	{ .name = "utf8", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES,
	  CHOICE(route, backend.framing_options.utf8, utf8_policy, utf8_policies), .standard = "replace", .argument = "POLICY",
	  .help = "What becomes of bytes that are not UTF-8 in a text message: replace (by U+FFFD), binary (it is sent as a binary "
		  "message) or close (with 1011)." },
	{ .name = "accept", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES,
	  CHOICE(route, accept, accept_policy, accept_policies), .standard = "any", .argument = "TYPE",
	  .help = "Type of the messages that a client may send: any, text or binary. The other closes its connection with 1003." },
	{ .name = "subprotocols", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, .read = value_subprotocols, .standard = "any",
	  .argument = "NAME,...",
	  .help = "Subprotocols that the client may ask for. any: the first that it offers. none: it gets none. A list: the first of "
		  "ours that it offers." },
	{ .name = "subprotocols_required", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES | OPTION_SWITCH, .read = value_switch,
	  .at = AT(route, upgrade.subprotocols_required, bool), .standard = "no", .argument = "YES|NO",
	  .help = "A client that offers no subprotocol we take is answered 400 instead of going on without one." },
	{ .name = "origin", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, .read = value_origin, .standard = "same",
	  .argument = "ORIGIN,...",
	  .help = "Whose pages may connect: same (pages from here), any, or a list of HOST, HOST:PORT, http://HOST, https://HOST:PORT "
		  "and *.HOST. Clients that are no browsers send no Origin and may always." },
	{ .name = "max_message", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, .read = value_size,
	  .at = AT(route, max_message, uint64_t), .max = UINT64_C(1) << 62, .standard = "16m", .argument = "SIZE",
	  .help = "A longer message of a client closes its connection with 1009; a compressed one counts as it is when inflated. 0 is "
		  "no ceiling. Messages of the backend may have any length." },
	{ .name = "buffer", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES | OPTION_FOR_PROGRAM, .read = value_buffer, .at = AT(route, buffer, size_t),
	  .min = 4096, .max = UINT64_C(1) << 30, .standard = "256k", .argument = "SIZE",
	  .help = "When so much waits to be taken by one side, the other is not read until there is less." },

	{ .name = "compression", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES | OPTION_SWITCH, .read = value_switch,
	  .at = AT(route, upgrade.deflate.on, bool), .standard = "off", .argument = "ON|OFF",
	  .help = "Messages are compressed both ways (permessage-deflate, RFC 7692) for clients that offer it, as browsers do. It costs "
		  "processor time and memory. Do not compress what holds a secret beside what others may choose: the length tells." },
	{ .name = "compression_level", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, COUNT(route, upgrade.deflate.level, 9),
	  .min = 1, .standard = "3", .help = "From 1, the fastest, to 9, the smallest." },
	{ .name = "compression_window", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, COUNT(route, upgrade.deflate.window, 15),
	  .min = 9, .standard = "12",
	  .help = "Repetitions are found so far back: 9 is 512 bytes, each step twice as much, 15 is 32k. A connection takes 8 times as "
		  "much memory to send, and this much and 7k to receive; 32k and 7k if the client does not let us choose." },
	{ .name = "compression_threshold", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, .read = value_size,
	  .at = AT(route, upgrade.deflate.threshold, uint64_t), .max = UINT64_C(1) << 62, .standard = "128", .argument = "SIZE",
	  .help = "Shorter messages are sent as they are." },
	{ .name = "compression_takeover", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES | OPTION_SWITCH, .read = value_switch,
	  .at = AT(route, upgrade.deflate.takeover, bool), .standard = "yes", .argument = "YES|NO",
	  .help = "A message may refer to those before it, which makes small ones that are like each other much smaller. The "
		  "connection keeps its memory for that as long as it lasts; no: only while a message is on its way." },

	/* --- time --- */
	{ .name = "ping_interval", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, DURATION(route, ping_interval_ms, 0),
	  .standard = "30s", .help = "A client that was silent for so long is sent a ping. 0: never." },
	{ .name = "ping_timeout", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, DURATION(route, ping_timeout_ms, 0),
	  .standard = "20s", .help = "A client that gives no sign of life for so long after a ping is closed. 0: never." },
	{ .name = "idle_timeout", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, DURATION(route, idle_timeout_ms, 0),
	  .standard = "0", .help = "A connection without a message either way for so long is closed with 1001. 0: never." },
	{ .name = "max_session", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, DURATION(route, max_session_ms, 0),
	  .standard = "0", .help = "A connection that is so old is closed with 1001. 0: never." },
	{ .name = "send_timeout", .scope = OPTION_ROUTE, DURATION(route, send_timeout_ms, 0),
	  .standard = "60s", .help = "A client that takes nothing for so long, while something waits for it, is cut off; so is one that "
		  "sends nothing of a body that a CGI program waits for (408). 0: never." },
	{ .name = "cgi_timeout", .scope = OPTION_ROUTE, .flags = OPTION_FOR_CGI, DURATION(route, cgi_timeout_ms, 0),
	  .standard = "60s", .help = "A CGI program that writes nothing for so long, and reads nothing, is stopped: before the head of its "
		  "answer the client is answered 504, behind it the connection ends. It has all the time that its client takes. 0: never." },
	{ .name = "connect_timeout", .scope = OPTION_ROUTE, .flags = OPTION_FOR_SOCKET, DURATION(route, backend.connect_timeout_ms, 0),
	  .standard = "10s", .help = "A service that has not accepted within this time is given up, and the client answered 504. 0: as "
		  "long as the system takes." },
	{ .name = "drain_timeout", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES | OPTION_FOR_PROGRAM, DURATION(route, backend.drain_timeout_ms, 1),
	  .standard = "5s",
	  .help = "When one side has gone, how long the other may do nothing with what is left; and, after a program's exit, how long "
		  "those that it has started may hold its output open." },

	/* --- how many --- */
	{ .name = "max_connections", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES, COUNT(route, max_connections, CONNECTIONS_MAX),
	  .standard = "0", .help = "WebSocket connections of the route at a time; more are answered 503. 0 is no ceiling of its own." },
	{ .name = "max_children", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM, COUNT(route, max_children, CONNECTIONS_MAX),
	  .standard = "1024", .help = "Programs of the route at a time; more are answered 503 with Retry-After. 0 is no ceiling." },
	{ .name = "spawn_rate", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM, COUNT(route, spawn_rate, 1000000),
	  .standard = "0", .help = "Programs started per second; more are answered 429 with Retry-After. 0 is no ceiling." },

	/* --- a program's surroundings --- */
	{ .name = "stderr", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM,
	  CHOICE(route, backend.stderr_policy, stderr_policy, stderr_policies), .standard = "auto", .argument = "POLICY",
	  .help = "Where a program's error output goes: log (line by line, with route and pid), client (as messages of its own, which "
		  "needs framing tagged), merge (into its output) or discard. auto is client with framing tagged, else log; programs "
		  "of cgi have log for client." },
	{ .name = "buffering", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM,
	  CHOICE(route, backend.buffering, buffering, bufferings), .note = "line with framing lines, jsonl or tagged, else none",
	  .argument = "HOW", .example = "line",
	  .help = "When what a program prints leaves it, if it does not see to it itself. line: at the end of each line; a library in "
		  "LD_PRELOAD makes it so for programs that use the C library's stdout, and for all that they start, and "
		  "PYTHONUNBUFFERED=1 for Python. pty: standard output is a raw pseudo-terminal, into which most programs write "
		  "by the line, and some in colours. none: when the program has gathered some kilobytes, or ends." },
	{ .name = "env", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM | OPTION_REPEATS | OPTION_ADDS | OPTION_VERBATIM,
	  .read = value_env, .argument = "NAME=VALUE", .example = "LANG=C.UTF-8",
	  .help = "Sets a variable for programs. May be given again." },
	{ .name = "passenv", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM | OPTION_MAY_BE_EMPTY, .read = value_passenv,
	  .standard = "PATH LANG LC_ALL LD_LIBRARY_PATH TZ HOME USER", .argument = "NAME,...",
	  .help = "Variables of wsgate's own environment that programs get, or none. They get no others of it." },
	{ .name = "reverse_lookup", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM | OPTION_SWITCH, .read = value_switch,
	  .at = AT(route, reverse_lookup, bool), .standard = "no", .argument = "YES|NO",
	  .help = "Programs are told the name of the client's host (REMOTE_HOST), if the DNS or the hosts file has one that leads back "
		  "to the address; else, or if it is not found within a fifth of handshake_timeout, the address. The program starts "
		  "when that is known." },
	{ .name = "chdir", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM, .read = value_directory,
	  .at = AT(route, backend.chdir, const char *), .argument = "DIRECTORY", .example = "/",
	  .help = "Where programs start; else where wsgate was started, but those of cgi in the directory of their file." },
	{ .name = "user", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM, .read = value_user, .argument = "USER", .example = "nobody",
	  .help = "Programs run as USER, with its groups. Needs root." },
	{ .name = "group", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM, .read = value_group, .argument = "GROUP",
	  .example = "nogroup", .help = "Programs run with GROUP as their first group. Needs root." },
	{ .name = "nice", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM, .read = value_nice, .argument = "NUMBER", .example = "10",
	  .help = "Programs' claim to the processor, from -20 (first) to 19 (last)." },
	{ .name = "umask", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM, .read = value_umask, .argument = "MODE", .example = "027",
	  .help = "Programs' umask, in octal." },
	{ .name = "limit_nofile", LIMIT(RLIMIT_NOFILE, LIMIT_COUNT), .argument = "NUMBER", .example = "64",
	  .help = "Descriptors that a program may have open; this and the other limits may be unlimited, see setrlimit(2)." },
	{ .name = "limit_nproc", LIMIT(RLIMIT_NPROC, LIMIT_COUNT), .argument = "NUMBER", .example = "1000",
	  .help = "Processes of the program's user at a time." },
	{ .name = "limit_cpu", LIMIT(RLIMIT_CPU, LIMIT_SECONDS), .argument = "DURATION", .example = "60s",
	  .help = "Processor time of a program, in whole seconds." },
	{ .name = "limit_as", LIMIT(RLIMIT_AS, LIMIT_BYTES), .argument = "SIZE", .example = "1g", .help = "Address space of a program." },
	{ .name = "limit_data", LIMIT(RLIMIT_DATA, LIMIT_BYTES), .argument = "SIZE", .example = "512m", .help = "Data of a program." },
	{ .name = "limit_stack", LIMIT(RLIMIT_STACK, LIMIT_BYTES), .argument = "SIZE", .example = "8m", .help = "Stack of a program." },
	{ .name = "limit_fsize", LIMIT(RLIMIT_FSIZE, LIMIT_BYTES), .argument = "SIZE", .example = "100m",
	  .help = "Files that a program writes." },
	{ .name = "limit_core", LIMIT(RLIMIT_CORE, LIMIT_BYTES), .argument = "SIZE", .example = "0", .help = "Core file of a program." },
	{ .name = "stop", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES | OPTION_FOR_PROGRAM, .read = value_stop,
	  .standard = "eof 100ms, INT 250ms, TERM 500ms, KILL", .argument = "STEP,...",
	  .help = "What happens to a program when its client has gone: close its input (eof) or signal its process group, wait so "
		  "long for its end, and on to the next step. KILL always comes last. A tcp or unix service gets eof and has the first of "
		  "these waits to answer." },
	{ .name = "closems", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES | OPTION_FOR_PROGRAM | OPTION_NO_KEY, .read = value_closems, .max = 3600000,
	  .argument = "MS", .help = "So many milliseconds more at each step of stop, as in websocketd." },
	{ .name = "exit_close", .scope = OPTION_ROUTE, .flags = OPTION_FOR_PROGRAM, .read = value_exit_close, .standard = "1011",
	  .argument = "CODE", .help = "Close code when a program ends with a failure or by a signal. Success is 1000." },

	/* --- responses --- */
	{ .name = "header", .scope = OPTION_ROUTE, .flags = OPTION_REPEATS | OPTION_ADDS | OPTION_VERBATIM, .read = value_header,
	  .at = AT(route, header, const char *), .standard = "", .argument = "NAME: VALUE", .example = "X-Frame-Options: DENY",
	  .help = "A header field for every response. May be given again; one of a route takes the place of the same "
		  "name in [defaults]." },
	{ .name = "header_ws", .scope = OPTION_ROUTE, .flags = OPTION_FOR_MESSAGES | OPTION_REPEATS | OPTION_ADDS | OPTION_VERBATIM,
	  .read = value_header, .at = AT(route, header_ws, const char *), .standard = "", .argument = "NAME: VALUE",
	  .example = "X-Served-By: gate1", .help = "The same, for the answer to a WebSocket handshake alone." },
	{ .name = "header_http", .scope = OPTION_ROUTE, .flags = OPTION_REPEATS | OPTION_ADDS | OPTION_VERBATIM, .read = value_header,
	  .at = AT(route, header_http, const char *), .standard = "", .argument = "NAME: VALUE", .example = "Cache-Control: no-store",
	  .help = "The same, for all other responses." },

	/* --- names that websocketd has for it --- */
	{ .name = "binary", ALIAS("framing"), .flags = OPTION_SWITCH, .alias_value = "raw" },
	{ .name = "passstderr", ALIAS("framing"), .flags = OPTION_SWITCH, .alias_value = "tagged" },
	{ .name = "passstderr", ALIAS("stderr"), .flags = OPTION_SWITCH, .alias_value = "client" },
	{ .name = "sameorigin", ALIAS("origin"), .flags = OPTION_SWITCH, .alias_value = "same", .alias_off = "any" },
	{ .name = "staticdir", ALIAS("static"), .argument = "DIRECTORY" },
	{ .name = "cgidir", ALIAS("cgi"), .argument = "DIRECTORY" },
	{ .name = "pingms", ALIAS("ping_interval"), .alias_suffix = "ms", .argument = "MS" },
	{ .name = "maxforks", ALIAS("max_children"), .alias_negative = "0", .argument = "NUMBER" },
	{ .name = "maxframesize", ALIAS("max_message"), .argument = "SIZE" },
	{ .name = "loglevel", ALIAS("level"), .argument = "LEVEL" },
	{ .name = "sslcert", ALIAS("certificate"), .argument = "FILE" },
	{ .name = "sslkey", ALIAS("key"), .argument = "FILE" },
	{ .name = "sslca", ALIAS("client_ca"), .argument = "FILE" },
	{ .name = "redirport", ALIAS("redirect_port"), .argument = "PORT" },
	{ .name = "reverselookup", ALIAS("reverse_lookup"), .flags = OPTION_SWITCH, .argument = "YES|NO" },
	{ .name = "h", COMMAND(HELP), .flags = OPTION_SWITCH },
};
/* clang-format on */

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))
const size_t option_count = OPTION_COUNT;

static const char *const scope_names[] = {
	[OPTION_SERVER] = "[server]",
	[OPTION_TLS] = "[tls]",
	[OPTION_LOG] = "[log]",
	[OPTION_ROUTE] = "[defaults] or a route",
	[OPTION_COMMAND] = "the command line",
};

const char *
options_scope_name(enum option_scope scope)
{
	return scope_names[scope];
}

static bool
is_key_of(const struct option *o, enum option_scope scope)
{
	return o->scope == scope && (o->flags & OPTION_NO_KEY) == 0;
}

const struct option *
options_find_key(enum option_scope scope, struct slice key)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (is_key_of(&options[i], scope) && slice_equals(key, options[i].name))
			return &options[i];
	return NULL;
}

/* '-' and '_' are the same here. */
static bool
is_flag(struct slice flag, const char *name)
{
	if (flag.len != strlen(name))
		return false;
	for (size_t i = 0; i < flag.len; i++)
		if (flag.data[i] != name[i] && !(flag.data[i] == '-' && name[i] == '_'))
			return false;
	return true;
}

static const struct option *
find_in_section(const char *prefix, enum option_scope scope, struct slice flag)
{
	size_t len = strlen(prefix);
	if (!slice_starts(flag, prefix))
		return NULL;
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (options[i].scope == scope && is_flag((struct slice){ flag.data + len, flag.len - len }, options[i].name))
			return &options[i];
	return NULL;
}

const struct option *
options_find_flag(struct slice flag)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (is_flag(flag, options[i].name))
			return &options[i];
	const struct option *found = find_in_section("server-", OPTION_SERVER, flag);
	if (found == NULL)
		found = find_in_section("tls-", OPTION_TLS, flag);
	if (found == NULL)
		found = find_in_section("log-", OPTION_LOG, flag);
	return found != NULL ? found : find_in_section("route-", OPTION_ROUTE, flag);
}

const char *
options_nearest_key(enum option_scope scope, struct slice word)
{
	const char *names[OPTION_COUNT];
	size_t count = 0;
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (is_key_of(&options[i], scope))
			names[count++] = options[i].name;
	return text_nearest(word, names, count);
}

const char *
options_nearest_flag(struct slice word)
{
	const char *names[OPTION_COUNT];
	char copy[OPTION_FLAG_MAX];
	size_t count = 0;
	if (word.len >= sizeof(copy))
		return NULL;
	for (size_t i = 0; i < word.len; i++)
		copy[i] = (char)(word.data[i] == '-' ? '_' : word.data[i]);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		names[count++] = options[i].name;
	return text_nearest((struct slice){ copy, word.len }, names, count);
}

const char *
options_flag(const struct option *o, char out[static OPTION_FLAG_MAX])
{
	bool is_plain = o->scope == OPTION_COMMAND || options_find_flag(slice_of(o->name)) == o;
	snprintf(out, OPTION_FLAG_MAX, "%s%s", is_plain ? "" : "route-", o->name);
	for (char *c = out; *c != '\0'; c++)
		if (*c == '_')
			*c = '-';
	return out;
}
