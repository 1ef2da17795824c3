/*
 * A handshake is judged from the outside in: is it asked for, is the request of the right kind, is
 * the version ours, is the key a key; only then what is negotiated. The first fault is the answer.
 */
#include "proto/upgrade.h"

#include "base/crypto.h"

/* RFC 6455 1.3 and 4.1: the key is 16 bytes in base64. */
enum { KEY_BYTES = 16, KEY_LEN = CRYPTO_BASE64_LEN(16) };

/* More are a flood, not an offer; they are compared with one another. */
enum { OFFERS_MAX = 64 };

/* Of a quoted value; longer ones are cut, for all that is so long is wrong: the longest of ours is "15". */
enum { QUOTED_MAX = 4 };

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static bool
refuse(struct http_fault *fault, int status, const char *what)
{
	fault->status = status;
	fault->what = what;
	return false;
}

static bool
asks_for_websocket(const struct http_request *req)
{
	return http_field_has_token(req, "upgrade", "websocket") || http_field_count(req, "sec-websocket-key") > 0 ||
	       http_field_count(req, "sec-websocket-version") > 0;
}

/* RFC 6455 4.2.1, 1 to 4. That there is one Host, the parser has seen to. */
static bool
judge_request(const struct http_request *req, struct http_fault *fault)
{
	if (!slice_equals(req->method, "GET"))
		return refuse(fault, 405, "A WebSocket handshake is a GET request.");
	if (req->minor != 1) /* RFC 9110 7.8 */
		return refuse(fault, 426, "A WebSocket handshake needs HTTP/1.1; does a proxy on the way speak 1.0?");
	if (req->has_body)
		return refuse(fault, 400, "A WebSocket handshake has no body.");
	if (!http_field_has_token(req, "upgrade", "websocket"))
		return refuse(fault, 400, "Upgrade: websocket is missing; does a proxy on the way drop it?");
	if (!http_field_has_token(req, "connection", "upgrade"))
		return refuse(fault, 400, "Connection: Upgrade is missing; does a proxy on the way drop it?");
	return true;
}

static bool
is_number(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.len > 0;
}

/* RFC 6455 4.2.1, 6, and 4.4 */
static bool
judge_version(const struct http_request *req, struct http_fault *fault)
{
	struct slice version = http_field(req, "sec-websocket-version");
	if (http_field_count(req, "sec-websocket-version") != 1)
		return refuse(fault, 400, "A WebSocket handshake has one Sec-WebSocket-Version.");
	if (!is_number(version))
		return refuse(fault, 400, "The Sec-WebSocket-Version is not a number.");
	if (!slice_equals(version, "13"))
		return refuse(fault, 426, "The WebSocket version known here is 13.");
	return true;
}

/* RFC 6455 4.2.2, 5.4 */
static bool
accept_key(struct slice key, char accept[static UPGRADE_ACCEPT_LEN + 1])
{
	char text[KEY_LEN + sizeof(guid) - 1];
	unsigned char digest[CRYPTO_SHA1_LEN];

	memcpy(text, key.data, KEY_LEN);
	memcpy(text + KEY_LEN, guid, sizeof(guid) - 1);
	if (crypto_sha1(text, sizeof(text), digest) == -1)
		return false;
	crypto_base64_encode(digest, sizeof(digest), accept);
	return true;
}

/* RFC 6455 4.2.1, 5 */
static bool
judge_key(const struct http_request *req, struct upgrade *up, struct http_fault *fault)
{
	struct slice key = http_field(req, "sec-websocket-key");
	unsigned char bytes[KEY_LEN / 4 * 3];

	if (http_field_count(req, "sec-websocket-key") != 1)
		return refuse(fault, 400, "A WebSocket handshake has one Sec-WebSocket-Key.");
	if (key.len != KEY_LEN || crypto_base64_decode(key.data, key.len, bytes) != KEY_BYTES)
		return refuse(fault, 400, "The Sec-WebSocket-Key is not 16 bytes in base64.");
	if (!accept_key(key, up->accept))
		return refuse(
			fault, 500, "This server cannot make a SHA-1: its cryptographic library forbids it, or memory is out.");
	return true;
}

struct offers {
	size_t count;
	struct slice items[OFFERS_MAX];
};

static bool
has_offer(const struct offers *offers, struct slice name)
{
	for (size_t i = 0; i < offers->count; i++)
		if (slice_same(offers->items[i], name))
			return true;
	return false;
}

/* One field of possibly several, which are one list. RFC 6455 4.1, 10: tokens, all different. */
static bool
add_offers(struct slice list, struct offers *offers, struct http_fault *fault)
{
	struct slice item;
	while (text_next_listed(&list, &item)) {
		if (!http_is_token(item))
			return refuse(fault, 400, "A subprotocol in Sec-WebSocket-Protocol is not a token.");
		if (has_offer(offers, item))
			return refuse(fault, 400, "Sec-WebSocket-Protocol names a subprotocol twice.");
		if (offers->count == OFFERS_MAX)
			return refuse(fault, 400, "Sec-WebSocket-Protocol names too many subprotocols.");
		offers->items[offers->count++] = item;
	}
	return true;
}

static bool
collect_offers(const struct http_request *req, struct offers *offers, struct http_fault *fault)
{
	const struct http_field *field;
	size_t at = 0;

	while ((field = http_next_field(req, "sec-websocket-protocol", &at)) != NULL)
		if (!add_offers(field->value, offers, fault))
			return false;
	if (offers->count == 0 && http_field_count(req, "sec-websocket-protocol") > 0)
		return refuse(fault, 400, "Sec-WebSocket-Protocol is empty.");
	return true;
}

static struct slice
choose_subprotocol(const struct offers *offers, const struct upgrade_options *opt)
{
	const struct slice none = { NULL, 0 };
	if (opt->subprotocols == SUBPROTOCOL_ANY && offers->count > 0)
		return offers->items[0];
	if (opt->subprotocols != SUBPROTOCOL_LIST || opt->subprotocol_list == NULL)
		return none;
	for (const char *const *name = opt->subprotocol_list; *name != NULL; name++)
		if (has_offer(offers, slice_of(*name)))
			return slice_of(*name);
	return none;
}

static bool
judge_subprotocols(const struct http_request *req, const struct upgrade_options *opt, struct upgrade *up, struct http_fault *fault)
{
	struct offers offers;
	offers.count = 0;
	if (!collect_offers(req, &offers, fault))
		return false;
	up->subprotocol = choose_subprotocol(&offers, opt);
	if (up->subprotocol.data == NULL && opt->subprotocols_required)
		return refuse(fault, 400, "None of the offered subprotocols is known here, and one is required.");
	return true;
}

static void
skip_any(struct slice *text, const char *bytes)
{
	while (text->len > 0 && text->data[0] != 0 && strchr(bytes, text->data[0]) != NULL) {
		text->data++;
		text->len--;
	}
}

static bool
take_byte(struct slice *text, char byte)
{
	if (text->len == 0 || text->data[0] != byte)
		return false;
	text->data++;
	text->len--;
	return true;
}

static bool
take_token(struct slice *text, struct slice *token)
{
	size_t len = 0;
	while (len < text->len && (text->data[len] == 0 || strchr(" \t,;=\"", text->data[len]) == NULL))
		len++;
	*token = (struct slice){ text->data, len };
	text->data += len;
	text->len -= len;
	return http_is_token(*token);
}

/* RFC 9110 5.6.4, its opening quote is taken. VALUE lies in OUT; it must be a token all the same (RFC 6455 9.1). */
static bool
take_quoted(struct slice *text, char out[static QUOTED_MAX], struct slice *value)
{
	*value = (struct slice){ out, 0 };
	while (text->len > 0) {
		if (value->len > 0 && take_byte(text, '"'))
			return true;
		if (take_byte(text, '\\') && text->len == 0)
			return false;
		if (!http_is_token((struct slice){ text->data, 1 }))
			return false;
		if (value->len < QUOTED_MAX)
			out[value->len++] = text->data[0];
		text->data++;
		text->len--;
	}
	return false;
}

/* token [ "=" ( token / quoted-string ) ], RFC 6455 9.1 */
static bool
take_parameter(struct slice *text, struct deflate_offer *offer)
{
	struct slice name, value = { NULL, 0 };
	char quoted[QUOTED_MAX];
	skip_any(text, " \t");
	if (!take_token(text, &name))
		return false;
	skip_any(text, " \t");
	if (take_byte(text, '=')) {
		skip_any(text, " \t");
		if (!(take_byte(text, '"') ? take_quoted(text, quoted, &value) : take_token(text, &value)))
			return false;
		skip_any(text, " \t");
	}
	deflate_offer_add(offer, name, value);
	return true;
}

/* token *( ";" parameter ), as if it were an offer of permessage-deflate: that is the only extension spoken here. */
static bool
take_extension(struct slice *text, struct slice *name, struct deflate_offer *offer)
{
	*offer = (struct deflate_offer){ 0 };
	if (!take_token(text, name))
		return false;
	skip_any(text, " \t");
	while (take_byte(text, ';'))
		if (!take_parameter(text, offer))
			return false;
	return text->len == 0 || text->data[0] == ',';
}

/* One field of possibly several, which are one list, in the client's order of preference. The first that will do is taken. */
static bool
take_extensions(struct slice text, const struct upgrade_options *opt, struct upgrade *up)
{
	struct deflate_offer offer;
	struct slice name;
	for (;;) {
		skip_any(&text, ", \t");
		if (text.len == 0)
			return true;
		if (!take_extension(&text, &name, &offer))
			return false;
		if (!up->deflate.agreed && slice_equals(name, "permessage-deflate"))
			deflate_accept(&offer, &opt->deflate, &up->deflate);
	}
}

/* RFC 6455 9.1, RFC 7692 5. What is not accepted is declined by silence. */
static bool
judge_extensions(const struct http_request *req, const struct upgrade_options *opt, struct upgrade *up, struct http_fault *fault)
{
	const struct http_field *field;
	size_t at = 0;

	up->deflate = (struct deflate_terms){ .agreed = false };
	while ((field = http_next_field(req, "sec-websocket-extensions", &at)) != NULL)
		if (!take_extensions(field->value, opt, up))
			return refuse(fault, 400, "The Sec-WebSocket-Extensions are malformed.");
	return true;
}

enum upgrade_result
upgrade_judge(const struct http_request *req, const struct upgrade_options *opt, struct upgrade *up, struct http_fault *fault)
{
	if (!asks_for_websocket(req))
		return UPGRADE_NO;
	if (!judge_request(req, fault) || !judge_version(req, fault) || !judge_key(req, up, fault))
		return UPGRADE_BROKEN;
	if (!judge_subprotocols(req, opt, up, fault) || !judge_extensions(req, opt, up, fault))
		return UPGRADE_BROKEN;
	return UPGRADE_YES;
}

static unsigned char *
put(unsigned char *at, struct slice text)
{
	if (text.len > 0)
		memcpy(at, text.data, text.len);
	return at + text.len;
}

/* RFC 6455 4.2.2, 5. Neither Server nor Date: what is behind it is no longer HTTP. */
int
upgrade_write_response(struct buf *out, const struct upgrade *up, const char *extra, const char *more)
{
	const bool chosen = up->subprotocol.data != NULL, deflates = up->deflate.agreed;
	char extension[DEFLATE_ANSWER_MAX];
	const struct slice parts[] = {
		slice_of("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "),
		{ up->accept, UPGRADE_ACCEPT_LEN },
		slice_of(chosen ? "\r\nSec-WebSocket-Protocol: " : ""),
		up->subprotocol,
		slice_of(deflates ? "\r\nSec-WebSocket-Extensions: " : ""),
		slice_of(deflates ? deflate_answer(&up->deflate, extension) : ""),
		slice_of("\r\n"),
		slice_of(extra),
		slice_of(more),
		slice_of("\r\n"),
	};
	const size_t count = sizeof(parts) / sizeof(*parts);
	size_t len = 0;
	unsigned char *at;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	at = buf_reserve(out, len);
	if (at == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		at = put(at, parts[i]);
	buf_commit(out, len);
	return 0;
}
