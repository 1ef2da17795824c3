/*
 * packed: messages by permessage-deflate (RFC 7692) as a client has them, context kept from one to the next.
 */
#ifndef BENCH_PACKED_H
#define BENCH_PACKED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PACKED_OFFER "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

struct packed {
	z_stream out, in;
	bool forgets; /* client_no_context_takeover */
};

/* By the server's ANSWER; NULL if it does not take the offer. */
static struct packed *
packed_new(const char *answer)
{
	const char *bits = strstr(answer, "client_max_window_bits=");
	struct packed *p = strstr(answer, "permessage-deflate") == NULL ? NULL : calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->forgets = strstr(answer, "client_no_context_takeover") != NULL;
	int window = bits == NULL ? 15 : atoi(bits + 23);
	if (deflateInit2(&p->out, 6, Z_DEFLATED, -window, 8, Z_DEFAULT_STRATEGY) == Z_OK && inflateInit2(&p->in, -15) == Z_OK)
		return p;
	free(p);
	return NULL;
}

/* A message of LEN bytes is packed into so many at most. */
static size_t
packed_bound(size_t len)
{
	return len + len / 1000 + 64;
}

static size_t
packed_pack(struct packed *p, const unsigned char *message, size_t len, unsigned char *to)
{
	p->out.next_in = (unsigned char *)message;
	p->out.avail_in = (uInt)len;
	p->out.next_out = to;
	p->out.avail_out = (uInt)packed_bound(len);
	deflate(&p->out, Z_SYNC_FLUSH);
	if (p->forgets)
		deflateReset(&p->out);
	return (size_t)(p->out.next_out - to) - 4; /* its last four bytes stay at home: 7.2.1 */
}

/* Unpacks from *AT, which moves on, into TO; returns how much that gives, or -1 if it is no deflate. */
static ssize_t
packed_unpack(struct packed *p, const unsigned char **at, size_t len, unsigned char *to, size_t room)
{
	p->in.next_in = (unsigned char *)*at;
	p->in.avail_in = (uInt)len;
	p->in.next_out = to;
	p->in.avail_out = (uInt)room;
	int result = inflate(&p->in, Z_SYNC_FLUSH);
	*at = p->in.next_in;
	return result == Z_OK || result == Z_BUF_ERROR ? (ssize_t)(room - p->in.avail_out) : -1;
}

/* Fills TO with SIZE bytes of what APIs say: JSON, of which a good part is in every record. */
static void
packed_text(unsigned char *to, size_t size, uint32_t *random)
{
	static const char *const events[] = { "order.created", "order.updated", "price.changed", "session.opened", "stock.low" };
	char record[512];
	for (size_t at = 0, len; at < size; at += len) {
		uint32_t r[6];
		for (int i = 0; i < 6; i++)
			r[i] = (*random = *random * 1664525 + 1013904223) >> 8;
		len = (size_t)snprintf(record, sizeof(record),
			"{\"id\":%u,\"at\":\"2026-03-14T%02u:%02u:%02u.%03uZ\",\"event\":\"%s\",\"user\":{\"id\":\"u-%05u\","
			"\"active\":%s},"
			"\"price\":%u.%02u,\"currency\":\"EUR\",\"quantity\":%u},\n",
			r[0], r[1] % 24, r[2] % 60, r[3] % 60, r[4] % 1000, events[r[5] % 5], r[0] % 100000,
			r[1] % 2 ? "true" : "false", r[2] % 2000, r[3] % 100, r[4] % 12);
		len = len < size - at ? len : size - at;
		memcpy(to + at, record, len);
	}
}

#endif
