/*
 * The one idea: an origin is a scheme, a host and a port (RFC 6454 4), and a port that is not
 * written is the scheme's own.
 */
#include "gate/access.h"

#include "base/address.h"

struct origin {
	struct slice scheme; /* empty in a pattern that leaves it open */
	struct slice host;
	unsigned port; /* 0 in a pattern that leaves it open */
};

static unsigned
default_port(struct slice scheme)
{
	if (slice_equals_nocase(scheme, "https") || slice_equals_nocase(scheme, "wss"))
		return 443;
	return slice_equals_nocase(scheme, "http") || slice_equals_nocase(scheme, "ws") ? 80 : 0;
}

static bool
same_nocase(struct slice a, struct slice b)
{
	return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/* Takes "scheme://" off the head of TEXT, if it is there. */
static struct slice
take_scheme(struct slice *text)
{
	for (size_t i = 0; i + 3 <= text->len; i++)
		if (memcmp(text->data + i, "://", 3) == 0) {
			struct slice scheme = { text->data, i };
			text->data += i + 3;
			text->len -= i + 3;
			return scheme;
		}
	return (struct slice){ text->data, 0 };
}

/* "host", "host:port", "[v6]", "[v6]:port"; the host keeps its brackets. */
static bool
split_authority(struct slice text, struct slice *host, unsigned *port)
{
	size_t end = text.len;
	while (end > 0 && text.data[end - 1] != ':' && text.data[end - 1] != ']')
		end--;
	*host = text;
	*port = 0;
	if (end == 0 || text.data[end - 1] == ']')
		return text.len > 0;
	uint64_t number;
	if (text_number((struct slice){ text.data + end, text.len - end }, 1, 65535, &number) == -1)
		return false;
	host->len = end - 1;
	*port = (unsigned)number;
	return host->len > 0;
}

static bool
parse_origin(struct slice text, struct origin *out)
{
	out->scheme = take_scheme(&text);
	if (!split_authority(text, &out->host, &out->port))
		return false;
	for (size_t i = 0; i < out->host.len; i++)
		if (strchr("/?#@ ", out->host.data[i]) != NULL)
			return false;
	if (out->port == 0)
		out->port = default_port(out->scheme);
	return true;
}

static bool
is_same_origin(const struct origin *origin, struct slice host_field, bool tls)
{
	struct slice host;
	unsigned port;
	if (!split_authority(host_field, &host, &port))
		return false;
	if (tls && !slice_equals_nocase(origin->scheme, "https"))
		return false;
	if (port == 0)
		port = default_port(origin->scheme);
	return port == origin->port && same_nocase(host, origin->host);
}

/* "*.example.org" stands for every name beneath it, not for itself. */
static bool
host_matches(struct slice pattern, struct slice host)
{
	if (!slice_starts(pattern, "*."))
		return same_nocase(pattern, host);
	struct slice tail = { pattern.data + 1, pattern.len - 1 };
	if (host.len <= tail.len)
		return false;
	return same_nocase(tail, (struct slice){ host.data + host.len - tail.len, tail.len });
}

static bool
origin_matches(struct slice text, const struct origin *origin)
{
	struct origin pattern;
	if (!parse_origin(text, &pattern) || !host_matches(pattern.host, origin->host))
		return false;
	if (pattern.scheme.len > 0 && !same_nocase(pattern.scheme, origin->scheme))
		return false;
	return pattern.port == 0 || pattern.port == origin->port;
}

static bool
is_listed(const char *const *list, const struct origin *origin)
{
	for (; list != NULL && *list != NULL; list++)
		if (origin_matches(slice_of(*list), origin))
			return true;
	return false;
}

bool
access_origin_is_allowed(const struct route *route, const struct http_request *req, bool tls)
{
	size_t count = http_field_count(req, "Origin");
	if (count == 0 || route->origin == ORIGIN_ANY)
		return true;
	struct origin origin;
	if (count > 1 || !parse_origin(http_field(req, "Origin"), &origin) || default_port(origin.scheme) == 0)
		return false;
	if (route->origin == ORIGIN_SAME)
		return is_same_origin(&origin, req->host, tls);
	return is_listed(route->origin_list, &origin);
}
