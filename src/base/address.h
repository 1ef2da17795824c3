/*
 * address: "HOST:PORT" as people write it, and socket addresses as text. Pure, thread-safe.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/text.h"

enum { ADDRESS_TEXT_MAX = 128 }; /* "[v6%zone]:65535" or "unix:" and a sun_path, with NUL */

struct address {
	socklen_t len;
	struct sockaddr_storage storage;
};

/*
 * Splits "host:port", "[v6]:port", ":port" (host empty) or "port" at its last colon. The port is
 * checked, 0 to 65535. Returns 0 or -1.
 */
int address_split(struct slice text, struct slice *host, uint16_t *port);

/* A numeric IPv4 or IPv6 host (without brackets; a %zone may follow) and a port. -1 if it is a name. */
int address_from_numeric(struct slice host, uint16_t port, struct address *out);

/* A unix socket's path; "@name" is abstract. -1 if it is empty or too long. */
int address_from_path(struct slice path, struct address *out);

/* "127.0.0.1:80", "[::1]:80", "unix:/path", "unix:@name", "unix:" for an unnamed peer. Returns OUT. */
const char *address_format(const struct address *a, char out[static ADDRESS_TEXT_MAX]);

/* The host alone ("::1", "127.0.0.1"; "" for unix), an IPv4-mapped one as IPv4. Returns OUT. */
const char *address_format_host(const struct address *a, char out[static ADDRESS_TEXT_MAX]);

/* 0 for a unix socket. */
uint16_t address_port(const struct address *a);

/*
 * An internet address in a sixth of the room, for as long as its connection lasts: IPv4 as IPv4-mapped. Of a unix
 * socket nothing is left but that it is one: IP is all zero.
 */
struct address_short {
	unsigned char ip[16];
	uint32_t zone; /* of a link-local IPv6 address */
	uint16_t port;
};

struct address_short address_shorten(const struct address *a);
/* What was IPv4-mapped comes back as IPv4. */
struct address address_restore(const struct address_short *a);

/* 127.0.0.0/8, ::1, or a unix socket? */
bool address_is_loopback(const struct address *a);

#endif
