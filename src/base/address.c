/*
 * Socket addresses are kept as the kernel has them; text is made and read at the edges only. The
 * readers are strict: what inet_pton(3) does not take ("127.1", "0x7f.1") is a name, so that an
 * address means the same here as in an access list.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static bool
slice_holds(struct slice text, char c)
{
	return text.len > 0 && memchr(text.data, c, text.len) != NULL;
}

static int
parse_port(struct slice text, uint16_t *port)
{
	uint64_t number;

	if (text_number(text, 0, UINT16_MAX, &number) == -1)
		return -1;
	*port = (uint16_t)number;
	return 0;
}

static int
split_bracketed(struct slice text, struct slice *host, uint16_t *port)
{
	const char *end = memchr(text.data, ']', text.len);
	if (end == NULL)
		return -1;
	struct slice inside = { text.data + 1, (size_t)(end - text.data) - 1 };
	struct slice rest = { end + 1, text.len - inside.len - 2 };
	if (rest.len == 0 || rest.data[0] != ':' || !slice_holds(inside, ':') || slice_holds(inside, '['))
		return -1;
	if (parse_port((struct slice){ rest.data + 1, rest.len - 1 }, port) == -1)
		return -1;
	*host = inside;
	return 0;
}

int
address_split(struct slice text, struct slice *host, uint16_t *port)
{
	if (text.len == 0)
		return -1;
	if (text.data[0] == '[')
		return split_bracketed(text, host, port);
	const char *colon = memrchr(text.data, ':', text.len);
	if (colon == NULL) {
		if (parse_port(text, port) == -1)
			return -1;
		*host = (struct slice){ text.data, 0 };
		return 0;
	}
	struct slice before = { text.data, (size_t)(colon - text.data) };
	/* "::1" would else be the host ":" and port 1: an IPv6 address needs its brackets. */
	if (slice_holds(before, ':') || slice_holds(before, '[') || slice_holds(before, ']'))
		return -1;
	if (parse_port((struct slice){ colon + 1, text.len - before.len - 1 }, port) == -1)
		return -1;
	*host = before;
	return 0;
}

/* The zone of a link-local address: an interface's name or its number. */
static int
parse_zone(const char *zone, uint32_t *scope)
{
	uint64_t number;

	*scope = if_nametoindex(zone);
	if (*scope != 0)
		return 0;
	if (text_number(slice_of(zone), 1, UINT32_MAX, &number) == -1)
		return -1;
	*scope = (uint32_t)number;
	return 0;
}

static int
from_ipv6(char *text, uint16_t port, struct address *out)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	char *zone = strchr(text, '%');

	if (zone != NULL) {
		*zone = '\0';
		if (parse_zone(zone + 1, &in6.sin6_scope_id) == -1)
			return -1;
	}
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
		return -1;
	*out = (struct address){ .len = sizeof(in6) };
	memcpy(&out->storage, &in6, sizeof(in6));
	return 0;
}

int
address_from_numeric(struct slice host, uint16_t port, struct address *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];

	if (host.len == 0 || host.len >= sizeof(text) || slice_holds(host, '\0'))
		return -1;
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	if (inet_pton(AF_INET, text, &in.sin_addr) != 1)
		return from_ipv6(text, port, out);
	*out = (struct address){ .len = sizeof(in) };
	memcpy(&out->storage, &in, sizeof(in));
	return 0;
}

int
address_from_path(struct slice path, struct address *out)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	bool is_abstract = path.len > 0 && path.data[0] == '@';

	if (path.len <= (is_abstract ? 1u : 0u) || path.len >= sizeof(un.sun_path) || slice_holds(path, '\0'))
		return -1;
	memcpy(un.sun_path, path.data, path.len);
	if (is_abstract)
		un.sun_path[0] = '\0';
	/* An abstract name ends with its length, a path with its NUL: unix(7). */
	size_t len = offsetof(struct sockaddr_un, sun_path) + path.len + (is_abstract ? 0 : 1);
	*out = (struct address){ .len = (socklen_t)len };
	memcpy(&out->storage, &un, sizeof(un));
	return 0;
}

static struct sockaddr_in
as_ipv4(const struct address *a)
{
	struct sockaddr_in in;

	memcpy(&in, &a->storage, sizeof(in));
	return in;
}

static struct sockaddr_in6
as_ipv6(const struct address *a)
{
	struct sockaddr_in6 in6;

	memcpy(&in6, &a->storage, sizeof(in6));
	return in6;
}

/* By hand, as each connection has one, and inet_ntop(3) goes through printf. Returns the end. */
static char *
format_ipv4(in_addr_t ip, char out[static ADDRESS_TEXT_MAX])
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		out = text_put_number(out, ntohl(ip) >> shift & 0xff);
		if (shift > 0)
			*out++ = '.';
	}
	*out = '\0';
	return out;
}

static void
format_ipv4_and_port(const struct sockaddr_in *in, char out[static ADDRESS_TEXT_MAX])
{
	char *end = format_ipv4(in->sin_addr.s_addr, out);

	*end++ = ':';
	end = text_put_number(end, ntohs(in->sin_port));
	*end = '\0';
}

static void
format_ipv6(const struct sockaddr_in6 *in6, char out[static ADDRESS_TEXT_MAX])
{
	char zone[IF_NAMESIZE];

	inet_ntop(AF_INET6, &in6->sin6_addr, out, ADDRESS_TEXT_MAX);
	if (in6->sin6_scope_id == 0)
		return;
	size_t used = strlen(out);
	if (if_indextoname(in6->sin6_scope_id, zone) != NULL)
		snprintf(out + used, ADDRESS_TEXT_MAX - used, "%%%s", zone);
	else
		snprintf(out + used, ADDRESS_TEXT_MAX - used, "%%%u", (unsigned)in6->sin6_scope_id);
}

static void
format_unix(const struct address *a, char out[static ADDRESS_TEXT_MAX])
{
	struct sockaddr_un un;
	size_t head = offsetof(struct sockaddr_un, sun_path);
	size_t len = a->len > head ? a->len - head : 0;

	memcpy(&un, &a->storage, sizeof(un));
	if (len > sizeof(un.sun_path))
		len = sizeof(un.sun_path);
	bool is_abstract = len > 0 && un.sun_path[0] == '\0';
	if (!is_abstract)
		len = strnlen(un.sun_path, len);
	size_t used = (size_t)snprintf(out, ADDRESS_TEXT_MAX, "unix:");
	/* A NUL within an abstract name is a byte like any other; it is shown as ss(8) does. */
	memcpy(out + used, un.sun_path, len);
	for (size_t end = used + len; used < end; used++)
		if (out[used] == '\0')
			out[used] = '@';
	out[used] = '\0';
}

const char *
address_format_host(const struct address *a, char out[static ADDRESS_TEXT_MAX])
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	out[0] = '\0';
	switch (a->storage.ss_family) {
	case AF_INET:
		in = as_ipv4(a);
		format_ipv4(in.sin_addr.s_addr, out);
		break;
	case AF_INET6:
		in6 = as_ipv6(a);
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
			format_ipv4(in6.sin6_addr.s6_addr32[3], out);
		else
			format_ipv6(&in6, out);
		break;
	default:
		break;
	}
	return out;
}

const char *
address_format(const struct address *a, char out[static ADDRESS_TEXT_MAX])
{
	char host[ADDRESS_TEXT_MAX];
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (a->storage.ss_family) {
	case AF_INET:
		in = as_ipv4(a);
		format_ipv4_and_port(&in, out);
		break;
	case AF_INET6:
		in6 = as_ipv6(a);
		format_ipv6(&in6, host);
		snprintf(out, ADDRESS_TEXT_MAX, "[%.100s]:%u", host, (unsigned)address_port(a));
		break;
	default:
		format_unix(a, out);
		break;
	}
	return out;
}

uint16_t
address_port(const struct address *a)
{
	switch (a->storage.ss_family) {
	case AF_INET:
		return ntohs(as_ipv4(a).sin_port);
	case AF_INET6:
		return ntohs(as_ipv6(a).sin6_port);
	default:
		return 0;
	}
}

struct address_short
address_shorten(const struct address *a)
{
	struct address_short brief = { .port = address_port(a) };
	if (a->storage.ss_family == AF_INET) {
		struct sockaddr_in in = as_ipv4(a);
		brief.ip[10] = brief.ip[11] = 0xff;
		memcpy(brief.ip + 12, &in.sin_addr, 4);
	} else if (a->storage.ss_family == AF_INET6) {
		struct sockaddr_in6 in6 = as_ipv6(a);
		memcpy(brief.ip, &in6.sin6_addr, sizeof(brief.ip));
		brief.zone = in6.sin6_scope_id;
	}
	return brief;
}

struct address
address_restore(const struct address_short *a)
{
	static const unsigned char none[sizeof(a->ip)];
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->zone };
	struct address full = { .len = sizeof(sa_family_t), .storage.ss_family = AF_UNIX };
	memcpy(&in.sin_addr, a->ip + 12, 4);
	memcpy(&in6.sin6_addr, a->ip, sizeof(a->ip));
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		full.len = sizeof(in);
		memcpy(&full.storage, &in, sizeof(in));
	} else if (memcmp(a->ip, none, sizeof(none)) != 0) {
		full.len = sizeof(in6);
		memcpy(&full.storage, &in6, sizeof(in6));
	}
	return full;
}

bool
address_is_loopback(const struct address *a)
{
	struct sockaddr_in6 in6;

	switch (a->storage.ss_family) {
	case AF_INET:
		return ntohl(as_ipv4(a).sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
	case AF_INET6:
		in6 = as_ipv6(a);
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
			return in6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET;
		return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
	case AF_UNIX:
		return true;
	default:
		return false;
	}
}
