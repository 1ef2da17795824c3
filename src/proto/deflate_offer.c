/*
 * The four parameters of RFC 7692 7.1, in one table. An offer is taken as it is or not at all: what is
 * wrong in it declines it, and the client's next one is looked at.
 */
#include <stdio.h>

#include "proto/deflate.h"

enum deflate_parameter {
	SERVER_NO_CONTEXT_TAKEOVER,
	CLIENT_NO_CONTEXT_TAKEOVER,
	SERVER_MAX_WINDOW_BITS,
	CLIENT_MAX_WINDOW_BITS,
	PARAMETERS,
};

static const char *const names[PARAMETERS] = {
	[SERVER_NO_CONTEXT_TAKEOVER] = "server_no_context_takeover",
	[CLIENT_NO_CONTEXT_TAKEOVER] = "client_no_context_takeover",
	[SERVER_MAX_WINDOW_BITS] = "server_max_window_bits",
	[CLIENT_MAX_WINDOW_BITS] = "client_max_window_bits",
};

static bool
has(const struct deflate_offer *offer, enum deflate_parameter p)
{
	return offer->named >> p & 1;
}

static enum deflate_parameter
find(struct slice name)
{
	unsigned p = 0;
	while (p < PARAMETERS && !slice_equals(name, names[p]))
		p++;
	return (enum deflate_parameter)p;
}

/* 8 to 15, without leading zeros (7.1.2). */
static bool
read_bits(struct slice value, uint8_t *bits)
{
	uint64_t number;
	if (value.len == 0 || value.data[0] == '0' || text_number(value, 8, 15, &number) == -1)
		return false;
	*bits = (uint8_t)number;
	return true;
}

static bool
read_parameter(struct deflate_offer *offer, enum deflate_parameter p, struct slice value)
{
	switch (p) {
	case SERVER_NO_CONTEXT_TAKEOVER:
	case CLIENT_NO_CONTEXT_TAKEOVER:
		return value.data == NULL;
	case SERVER_MAX_WINDOW_BITS:
		return read_bits(value, &offer->server_bits);
	case CLIENT_MAX_WINDOW_BITS:
		return value.data == NULL || read_bits(value, &offer->client_bits);
	case PARAMETERS:
		break;
	}
	return false;
}

void
deflate_offer_add(struct deflate_offer *offer, struct slice name, struct slice value)
{
	enum deflate_parameter p = find(name);
	if (has(offer, p) || !read_parameter(offer, p, value))
		offer->bad = true;
	offer->named |= 1u << p;
}

static uint8_t
least(unsigned ours, uint8_t theirs)
{
	return (uint8_t)(theirs == 0 || ours < theirs ? ours : theirs);
}

/* The client is told of a window only if it has named that parameter: it may know no better (7.1.2.2). */
bool
deflate_accept(const struct deflate_offer *offer, const struct deflate_options *opt, struct deflate_terms *terms)
{
	if (offer->bad || !opt->on)
		return false;
	*terms = (struct deflate_terms){
		.agreed = true,
		.server_takeover = opt->takeover && !has(offer, SERVER_NO_CONTEXT_TAKEOVER),
		.client_takeover = opt->takeover && !has(offer, CLIENT_NO_CONTEXT_TAKEOVER),
		.server_bits = has(offer, SERVER_MAX_WINDOW_BITS) ? least(opt->window, offer->server_bits) : 0,
		.client_bits = has(offer, CLIENT_MAX_WINDOW_BITS) ? least(opt->window, offer->client_bits) : 0,
	};
	return true;
}

const char *
deflate_answer(const struct deflate_terms *terms, char out[static DEFLATE_ANSWER_MAX])
{
	char server[32] = "", client[32] = "";
	if (terms->server_bits != 0)
		snprintf(server, sizeof(server), "; %s=%u", names[SERVER_MAX_WINDOW_BITS], terms->server_bits);
	if (terms->client_bits != 0)
		snprintf(client, sizeof(client), "; %s=%u", names[CLIENT_MAX_WINDOW_BITS], terms->client_bits);
	snprintf(out, DEFLATE_ANSWER_MAX, "permessage-deflate%s%s%s%s",
		terms->server_takeover ? "" : "; server_no_context_takeover",
		terms->client_takeover ? "" : "; client_no_context_takeover", server, client);
	return out;
}
