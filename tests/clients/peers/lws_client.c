/*
 * The story of ../peers.test.js, told with libwebsockets, which does not tell what came back on a Close of our own:
 *
 *	cc -o lws_client lws_client.c -lwebsockets; ./lws_client PORT [forget]
 */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BIG = 1 << 20, MESSAGES = 5 };

static struct {
	int sent, heard, over;
	size_t got;
	bool all_good, pong, ending;
	unsigned end_code;
	char protocol[32], end_reason[124], end_heard[32];
	unsigned char out[LWS_PRE + BIG], in[BIG];
} t;

/* The Nth message of the story: its kind, and its bytes in t.out. */
static size_t
compose(int n, enum lws_write_protocol *kind)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum lws_write_protocol kind;
	} small[] = { { "na\xc3\xafve \xe2\x82\xac", 10, LWS_WRITE_TEXT }, { "", 0, LWS_WRITE_TEXT }, { "\0\xff\x80", 3, LWS_WRITE_BINARY } };
	*kind = n < 3 ? small[n].kind : LWS_WRITE_BINARY;
	for (size_t i = 0; n >= 3 && i < BIG; i++)
		t.out[LWS_PRE + i] = (unsigned char)(i * 7);
	if (n >= 3)
		return BIG;
	memcpy(t.out + LWS_PRE, small[n].bytes, small[n].len);
	return small[n].len;
}

static int
say(struct lws *wsi)
{
	enum lws_write_protocol kind;
	size_t len;
	if (t.sent == MESSAGES && t.heard == MESSAGES && !t.pong) {
		memcpy(t.out + LWS_PRE, "there?", 6);
		return lws_write(wsi, t.out + LWS_PRE, 6, LWS_WRITE_PING) < 0 ? -1 : 0;
	}
	if (t.sent > t.heard || t.sent == MESSAGES)
		return 0;
	len = compose(t.sent++, &kind);
	return lws_write(wsi, t.out + LWS_PRE, len, kind) < 0 ? -1 : 0;
}

/* Each message is heard before the next is said, so what is in t.out is what must come back. */
static void
hear(struct lws *wsi, const void *in, size_t len)
{
	enum lws_write_protocol kind;
	if (t.got + len <= BIG && len > 0)
		memcpy(t.in + t.got, in, len);
	t.got += len;
	if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
		return;
	t.all_good &= t.got == compose(t.heard, &kind) && memcmp(t.in, t.out + LWS_PRE, t.got) == 0 &&
		      lws_frame_is_binary(wsi) == (kind == LWS_WRITE_BINARY);
	t.heard++;
	t.got = 0;
	lws_callback_on_writable(wsi);
}

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	static unsigned char why[] = "enough, \xe2\x82\xac";
	(void)user;
	switch (reason) {
	case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
		if (!t.ending)
			lws_hdr_copy(wsi, t.protocol, sizeof(t.protocol), WSI_TOKEN_PROTOCOL);
		break;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		lws_callback_on_writable(wsi);
		break;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return t.ending ? 0 : say(wsi);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		if (t.ending)
			snprintf(t.end_heard, sizeof(t.end_heard), "%.*s", (int)len, (const char *)in);
		else
			hear(wsi, in, len);
		break;
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		t.pong = len == 6 && memcmp(in, "there?", 6) == 0;
		lws_close_reason(wsi, 3456, why, sizeof(why) - 1);
		return -1;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		t.end_code = len < 2 ? 1005 : (unsigned)(((unsigned char *)in)[0] << 8 | ((unsigned char *)in)[1]);
		snprintf(t.end_reason, sizeof(t.end_reason), "%.*s", len < 2 ? 0 : (int)len - 2, (const char *)in + 2);
		break;
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		t.over++;
		break;
	default:
		break;
	}
	return 0;
}

static const struct lws_protocols protocols[] = { { .name = "first", .callback = on_event }, { .name = "second", .callback = on_event }, { 0 } };

/* It never remembers what it has sent itself: libwebsockets 4.1 aborts on an empty message if it does. */
static const struct lws_extension remembering[] = { { "permessage-deflate", lws_extension_callback_pm_deflate,
							    "permessage-deflate; client_no_context_takeover; client_max_window_bits" },
	{ 0 } };
static const struct lws_extension forgetting[] = { { "permessage-deflate", lws_extension_callback_pm_deflate,
							   "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits" },
	{ 0 } };

static void
tell(struct lws_context *context, int port, const char *path, const char *offers)
{
	int over = t.over;
	struct lws_client_connect_info info = { .context = context, .address = "127.0.0.1", .port = port, .path = path, .host = "127.0.0.1",
		.protocol = offers, .local_protocol_name = offers == NULL ? "first" : NULL };
	if (lws_client_connect_via_info(&info) == NULL)
		exit(1);
	while (t.over == over)
		lws_service(context, 0);
}

int
main(int argc, char **argv)
{
	struct lws_context_creation_info info = { .port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols, .extensions = argc == 3 ? forgetting : remembering };
	lws_set_log_level(0, NULL);
	struct lws_context *context = lws_create_context(&info);
	if (context == NULL || argc < 2)
		return 1;
	t.all_good = true;
	tell(context, atoi(argv[1]), "/cat", "first,second");
	t.ending = true;
	tell(context, atoi(argv[1]), "/three", NULL);
	lws_context_destroy(context);
	printf("{\"protocol\":\"%s\",\"heard\":%s,\"pong\":%s,\"code\":null,\"reason\":null,\"end\":{\"heard\":[\"%s\"],\"code\":%u,\"reason\":\"%s\"}}\n",
		t.protocol, t.all_good && t.heard == MESSAGES ? "[\"na\xc3\xafve \xe2\x82\xac\",\"\",\"00ff80\",true,true]" : "null", t.pong ? "true" : "false", t.end_heard,
		t.end_code, t.end_reason);
	return 0;
}
