/*
 * The load generator: one thread, one epoll. Every byte that comes back is compared; a wrong, missing
 * or surplus one ends the run with exit 1. Result: one line of JSON on stdout.
 *
 *	load echo    --port=N --connections=N --size=BYTES --depth=N     messages back and forth
 *	load connect --port=N --connections=16 --size=BYTES              connect, one message, close
 *	load idle    --port=N --connections=N                            one message each, then holds still
 *	load rest    --port=N --connections=N                            one message each, then no more but pongs
 *	load flood   --port=N                                            does not read for --time, then compares
 *	load lines   --port=N                                            compares what the child prints
 *
 *	--warmup=MS --time=MS    the window (300, 800); counters and CPU are read at its two ends
 *	--lines                  one message for each line, as a program's backend gives
 *	--plain                  no WebSocket: for relays of plain TCP
 *	--tls                    by TLS 1.3, see wire.h; each connection shakes hands in full
 *	--deflate                messages are JSON, and compressed (echo only), see packed.h
 *	--cpu-file=PATH          nanoseconds that the gateway with its children has used (cpuacct.usage)
 *	--cpu-pid=PID            the gateway itself, without children
 *
 * sent and received, in the result, are bytes of the wire (by TLS: in its records), headers included.
 * idle and flood say "ready" on stderr when they hold still, and go on when a line comes on stdin.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "packed.h"
#include "stream.h"
#include "wire.h"

enum {
	READ_BYTES = 256 * 1024,
	HEADER_MAX = 14,
	CONTROL_MAX = 125,
	HEAD_MAX = 4096, /* of the server's answer */
	STALL_S = 6,     /* nobody is waited for who does nothing for so long */
	DEPTH_MAX = 64,
	VARIANTS_BYTES = 256 * 1024,
	HISTOGRAM_FINE = 64, /* buckets between two powers of two: 1.6 % */
};

enum mode { ECHO, CONNECT, IDLE, REST, FLOOD, LINES };

static struct {
	enum mode mode;
	uint16_t port;
	int connections, depth;
	size_t size;
	int warmup_ms, time_ms;
	bool lines, plain, deflate;
	SSL_CTX *tls;
	const char *cpu_file;
	pid_t cpu_pid;
} opt = { .connections = 1, .depth = 1, .size = 64, .warmup_ms = 300, .time_ms = 800 };

struct connection {
	struct wire wire;
	int number;
	bool greeted, upgraded, waits_for_room, closing, got_message, in_frame, in_packed;
	uint16_t head_len; /* of the answer, or of a frame's header */
	unsigned char head[HEADER_MAX];
	unsigned char control[CONTROL_MAX]; /* payload of a ping */
	char *answer;
	uint64_t frame_left;
	bool frame_last;
	uint64_t sent;   /* bytes of the endless run of frames */
	uint64_t frames; /* how many of them may have left */
	uint64_t got;    /* bytes of the endless run of payloads */
	uint64_t begun_ns;
	uint64_t sent_ns[DEPTH_MAX]; /* of the messages under way */
	uint64_t stamped;            /* messages that have a time */
	struct packed *packed;
	uint64_t made;      /* messages that are packed */
	unsigned char *out; /* packed frames that have not left */
	size_t out_len;
};

static int poller;
static struct connection *all;
static unsigned char data[READ_BYTES];
static char block[STREAM_BLOCK];

/* The messages: VARIANTS frames in a ring, twice, so that a run of them is in one piece anywhere. */
static unsigned char *ring;  /* as they are sent */
static unsigned char *plain; /* their payloads, as they come back */
static size_t variants, frame_size;

static uint64_t messages, pings, bytes, wire_sent, wire_received, connections_done, histogram[64 * HISTOGRAM_FINE];
static uint64_t alive, upgraded, answered, last_heard_ns;
static bool measuring, over;

__attribute__((format(printf, 1, 2), noreturn)) static void
die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* --- time ----------------------------------------------------------------------------------- */

static uint64_t
now_ns(clockid_t clock)
{
	struct timespec ts = { 0, 0 };
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t
now(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

static uint64_t
cpu_of_all(void)
{
	char text[32] = "0";
	FILE *f = opt.cpu_file == NULL ? NULL : fopen(opt.cpu_file, "re");
	if (f == NULL)
		return 0;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	fclose(f);
	return strtoull(text, NULL, 10);
}

static uint64_t
cpu_of_main(void)
{
	clockid_t clock;
	return opt.cpu_pid != 0 && clock_getcpuclockid(opt.cpu_pid, &clock) == 0 ? now_ns(clock) : 0;
}

static void
note_latency(uint64_t ns)
{
	unsigned power = ns < HISTOGRAM_FINE ? 0 : 63 - (unsigned)__builtin_clzll(ns) - 5;
	uint64_t fine = power == 0 ? ns : ns >> (power - 1);
	histogram[power * (HISTOGRAM_FINE / 2) + fine]++;
}

static double
quantile_us(double q)
{
	uint64_t total = 0, seen = 0;
	for (size_t i = 0; i < sizeof(histogram) / sizeof(histogram[0]); i++)
		total += histogram[i];
	for (size_t i = 0; i < sizeof(histogram) / sizeof(histogram[0]); i++) {
		seen += histogram[i];
		if (seen > 0 && (double)seen >= q * (double)total) {
			size_t power = i < HISTOGRAM_FINE ? 0 : i / (HISTOGRAM_FINE / 2) - 1;
			uint64_t fine = i - power * (HISTOGRAM_FINE / 2);
			return (double)(power == 0 ? fine : fine << (power - 1)) / 1000;
		}
	}
	return 0;
}

/* --- messages ------------------------------------------------------------------------------- */

static size_t
put_header(unsigned char *to, size_t len, const unsigned char mask[static 4])
{
	size_t at = 2;
	to[0] = opt.lines ? 0x81 : 0x82;
	if (len < 126) {
		to[1] = 0x80 | (unsigned char)len;
	} else if (len < 65536) {
		to[1] = 0x80 | 126;
		to[at++] = (unsigned char)(len >> 8);
		to[at++] = (unsigned char)len;
	} else {
		to[1] = 0x80 | 127;
		for (int i = 56; i >= 0; i -= 8)
			to[at++] = (unsigned char)((uint64_t)len >> i);
	}
	memcpy(to + at, mask, 4);
	return at + 4;
}

static void
make_frame(unsigned char *frame, const unsigned char *payload)
{
	unsigned char mask[4], head[HEADER_MAX];
	if (opt.plain) {
		memcpy(frame, payload, opt.size);
		return;
	}
	if (getrandom(mask, 4, 0) != 4)
		die("getrandom");
	size_t size = put_header(head, opt.size, mask);
	memcpy(frame, head, size);
	for (size_t i = 0; i < opt.size; i++)
		frame[size + i] = payload[i] ^ mask[i % 4];
}

static void
make_messages(void)
{
	unsigned char head[HEADER_MAX], mask[4] = { 0 };
	uint32_t random = 1;
	variants = VARIANTS_BYTES / opt.size;
	variants = variants < 1 ? 1 : variants > DEPTH_MAX ? DEPTH_MAX : variants;
	frame_size = opt.size + (opt.plain ? 0 : put_header(head, opt.size, mask));
	ring = malloc(2 * variants * frame_size);
	plain = malloc(2 * variants * opt.size);
	if (ring == NULL || plain == NULL)
		die("out of memory");
	for (size_t i = 0; i < variants * opt.size; i++) {
		random = random * 1664525 + 1013904223;
		plain[i] = (unsigned char)('0' + (random >> 24) % 75); /* printable: also a line */
	}
	for (size_t v = 0; opt.deflate && v < variants; v++)
		packed_text(plain + v * opt.size, opt.size, &random);
	for (size_t v = 0; v < variants; v++)
		make_frame(ring + v * frame_size, plain + v * opt.size);
	memcpy(ring + variants * frame_size, ring, variants * frame_size);
	memcpy(plain + variants * opt.size, plain, variants * opt.size);
}

/* --- sending -------------------------------------------------------------------------------- */

static void
watch(struct connection *c, int op, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };
	epoll_ctl(poller, op, c->wire.fd, &event);
}

static void
wait_for_room(struct connection *c, bool yes)
{
	if (c->waits_for_room != yes)
		watch(c, EPOLL_CTL_MOD, yes ? EPOLLIN | EPOLLOUT : EPOLLIN);
	c->waits_for_room = yes;
}

static void
send_all(struct connection *c, const void *bytes_, size_t len)
{
	if (wire_send(&c->wire, bytes_, len) != (ssize_t)len)
		die("connection %d: short write: %s", c->number, strerror(errno));
}

/* How much of it was taken. */
static size_t
send_some(struct connection *c, const void *from, size_t len)
{
	ssize_t n = wire_send(&c->wire, from, len);
	if (n == -1 && errno != EAGAIN)
		die("connection %d: write: %s", c->number, strerror(errno));
	wire_sent += measuring && n > 0 ? (uint64_t)n : 0;
	return n > 0 ? (size_t)n : 0;
}

/* Each connection begins at another message of the ring, so that bytes of another one show. */
static bool
send_from_ring(struct connection *c)
{
	size_t ring_size = variants * frame_size;
	uint64_t until = c->frames * frame_size;
	for (size_t n; c->sent < until; c->sent += n) {
		size_t at = (size_t)((c->sent + (uint64_t)c->number % variants * frame_size) % ring_size);
		size_t len = until - c->sent < ring_size ? (size_t)(until - c->sent) : ring_size;
		if ((n = send_some(c, ring + at, len)) == 0)
			return false;
	}
	return true;
}

/* Behind those that have not left. */
static void
make_packed(struct connection *c)
{
	static unsigned char payload[READ_BYTES];
	unsigned char mask[4] = { (unsigned char)c->made, (unsigned char)c->number, 0x5A, 0xC3 };
	size_t len = packed_pack(c->packed, plain + (c->made++ + (uint64_t)c->number) % variants * opt.size, opt.size, payload);
	unsigned char *frame = c->out + c->out_len, *to = frame + put_header(frame, len, mask);
	frame[0] |= 0x40;
	for (size_t i = 0; i < len; i++)
		to[i] = payload[i] ^ mask[i % 4];
	c->out_len = (size_t)(to + len - c->out);
}

static bool
send_packed(struct connection *c)
{
	while (c->made < c->frames)
		make_packed(c);
	size_t n = c->out_len == 0 ? 0 : send_some(c, c->out, c->out_len);
	memmove(c->out, c->out + n, c->out_len -= n);
	return c->out_len == 0;
}

static void
send_frames(struct connection *c)
{
	while (c->stamped < c->frames)
		c->sent_ns[c->stamped++ % DEPTH_MAX] = now();
	wait_for_room(c, !(opt.deflate ? send_packed(c) : send_from_ring(c)));
}

static void
send_close(struct connection *c)
{
	static const unsigned char frame[] = { 0x88, 0x82, 0, 0, 0, 0, 1000 >> 8, 1000 & 0xFF };
	c->closing = true;
	if (opt.plain)
		wire_finish(&c->wire);
	else
		send_all(c, frame, sizeof(frame));
}

/* The ping's payload lies at the end of its room. */
static void
send_pong(struct connection *c, size_t len)
{
	static const unsigned char mask[4] = { 0 };
	unsigned char frame[HEADER_MAX + CONTROL_MAX];
	size_t size = put_header(frame, len, mask);
	frame[0] = 0x8A;
	memcpy(frame + size, c->control + CONTROL_MAX - len, len);
	send_all(c, frame, size + len);
	pings += measuring;
}

/* --- coming and going ----------------------------------------------------------------------- */

static void begin(struct connection *c);

static void
send_request(struct connection *c)
{
	char request[320];
	int len = snprintf(request, sizeof(request),
		"GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
		opt.port, opt.deflate ? PACKED_OFFER : "");
	send_all(c, request, (size_t)len);
}

/* Another address of ours after some thousands of connections: ports are not used up that fast. */
static void
dial(struct connection *c)
{
	static uint32_t count;
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001 + (count++ / 4096 << 8)) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fd == -1 || bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1)
		die("connection %d: %s", c->number, strerror(errno));
	c->begun_ns = now();
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		die("connection %d: connect: %s", c->number, strerror(errno));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (!wire_start(&c->wire, fd, opt.tls))
		die("out of memory");
}

/* By TLS, once both have shaken hands. */
static void
greet(struct connection *c)
{
	ssize_t done = wire_shake(&c->wire);
	if (done == -1 && errno == EAGAIN)
		return;
	if (done != 1)
		die("connection %d: no TLS: %s", c->number, ERR_reason_error_string(ERR_peek_error()));
	c->greeted = true;
	if (!opt.plain) {
		send_request(c);
		return;
	}
	c->upgraded = true;
	upgraded++;
	c->frames = opt.mode == CONNECT;
	send_frames(c);
}

static void
begin(struct connection *c)
{
	int number = c->number;
	free(c->answer);
	*c = (struct connection){ .number = number };
	dial(c);
	watch(c, EPOLL_CTL_ADD, EPOLLIN);
	alive++;
	greet(c);
}

static void
end(struct connection *c)
{
	if (opt.mode == LINES && c->closing)
		over = true;
	else if (!c->closing)
		die("connection %d: closed early, after %" PRIu64 " bytes", c->number, c->got);
	wire_end(&c->wire);
	alive--;
	if (opt.mode != CONNECT)
		return;
	connections_done += measuring;
	if (!over)
		begin(c);
}

/* --- receiving ------------------------------------------------------------------------------ */

static void
take_message(struct connection *c)
{
	uint64_t number = c->got / opt.size - 1;
	if (measuring) {
		messages++;
		note_latency(now() - (opt.mode == CONNECT ? c->begun_ns : c->sent_ns[number % DEPTH_MAX]));
	}
	answered += !c->got_message;
	c->got_message = true;
	if (opt.mode == ECHO && !over)
		c->frames++;
	else if (opt.mode == CONNECT)
		send_close(c);
}

static void
compare_echo(struct connection *c, const unsigned char *at, size_t len)
{
	while (len > 0) {
		uint64_t place = (c->got + (uint64_t)c->number % variants * opt.size) % (variants * opt.size);
		size_t part = (size_t)(opt.size - c->got % opt.size);
		part = len < part ? len : part;
		if (c->got >= c->frames * opt.size)
			die("connection %d: %zu surplus bytes", c->number, len);
		if (memcmp(at, plain + place, part) != 0)
			die("connection %d: message %" PRIu64 " came back changed", c->number, c->got / opt.size);
		c->got += part;
		at += part;
		len -= part;
		if (c->got % opt.size == 0)
			take_message(c);
	}
}

static void
compare_stream(struct connection *c, const unsigned char *at, size_t len)
{
	while (len > 0) {
		size_t place = (size_t)(c->got % STREAM_BLOCK);
		size_t part = STREAM_BLOCK - place;
		if (opt.lines) { /* a message is a line without its newline */
			part = STREAM_LINE - 1 - place % STREAM_LINE;
			if (part == 0)
				die("surplus bytes in line %" PRIu64, c->got / STREAM_LINE);
		}
		part = len < part ? len : part;
		if (memcmp(at, block + place, part) != 0)
			die("byte %" PRIu64 " or one of the next %zu is wrong", c->got, part);
		c->got += part;
		at += part;
		len -= part;
	}
}

static void
compare(struct connection *c, const unsigned char *at, size_t len)
{
	if (measuring)
		bytes += len;
	if (opt.mode == FLOOD || opt.mode == LINES)
		compare_stream(c, at, len);
	else
		compare_echo(c, at, len);
}

static void
compare_packed(struct connection *c, const unsigned char *at, size_t len)
{
	static unsigned char text[READ_BYTES];
	const unsigned char *until = at + len;
	ssize_t n;
	do {
		n = packed_unpack(c->packed, &at, (size_t)(until - at), text, sizeof(text));
		if (n == -1)
			die("connection %d: what came is not deflated", c->number);
		compare(c, text, (size_t)n);
	} while (at < until || n == sizeof(text));
}

/* A message for each line. */
static void
end_message(struct connection *c)
{
	if (opt.mode == FLOOD || opt.mode == LINES) {
		if (c->got % STREAM_LINE != STREAM_LINE - 1)
			die("message ends within line %" PRIu64, c->got / STREAM_LINE);
		c->got++;
		messages += measuring;
		bytes += measuring;
	} else if (c->got % opt.size != 0) {
		die("connection %d: message ends within a line", c->number);
	}
}

static size_t
header_size(const unsigned char *head)
{
	return head[1] < 126 ? 2 : head[1] == 126 ? 4 : 10;
}

/* Takes a frame's header; false if more of it must come. */
static bool
read_header(struct connection *c, const unsigned char **at, const unsigned char *until)
{
	while (c->head_len < 2 || c->head_len < header_size(c->head)) {
		if (*at == until)
			return false;
		c->head[c->head_len++] = *(*at)++;
	}
	if (c->head[1] & 0x80)
		die("the server masks");
	c->frame_left = c->head[1];
	if (c->head[1] >= 126)
		c->frame_left = 0;
	for (size_t i = 2; i < c->head_len; i++)
		c->frame_left = c->frame_left << 8 | c->head[i];
	c->frame_last = c->head[0] & 0x80;
	if (c->head[0] & 0x70 & ~(opt.deflate ? 0x40 : 0))
		die("connection %d: a reserved bit", c->number);
	if (!(c->head[0] & 8) && (c->head[0] & 0xF) != 0)
		c->in_packed = c->head[0] & 0x40;
	c->head_len = 0;
	c->in_frame = true;
	return true;
}

static void
take_payload(struct connection *c, const unsigned char *at, size_t len)
{
	static const unsigned char tail[] = { 0, 0, 0xFF, 0xFF };
	bool control = c->head[0] & 8;
	if (!control)
		(c->in_packed ? compare_packed : compare)(c, at, len);
	else if (c->frame_left <= CONTROL_MAX)
		memcpy(c->control + CONTROL_MAX - c->frame_left, at, len);
	c->frame_left -= len;
	c->in_frame = c->frame_left > 0;
	if (c->in_frame)
		return;
	if (!control && c->in_packed && c->frame_last)
		compare_packed(c, tail, sizeof(tail));
	if (!control && opt.lines && c->frame_last)
		end_message(c);
	if ((c->head[0] & 0xF) == 8 && !c->closing)
		send_close(c);
	else if ((c->head[0] & 0xF) == 9 && !c->closing)
		send_pong(c, c->head[1]);
}

static void
read_frames(struct connection *c, const unsigned char *at, const unsigned char *until)
{
	while (c->in_frame || read_header(c, &at, until)) {
		size_t part = (size_t)(until - at) < c->frame_left ? (size_t)(until - at) : (size_t)c->frame_left;
		take_payload(c, at, part);
		at += part;
		if (c->in_frame)
			return;
	}
}

static void
take_answer(struct connection *c, const unsigned char *at, size_t len)
{
	if (c->answer == NULL && (c->answer = calloc(1, HEAD_MAX + 1)) == NULL)
		die("out of memory");
	size_t had = c->head_len, part = len < HEAD_MAX - had ? len : HEAD_MAX - had;
	memcpy(c->answer + had, at, part);
	c->answer[had + part] = '\0';
	c->head_len = (uint16_t)(had + part);
	const char *until = strstr(c->answer, "\r\n\r\n");
	if (until == NULL)
		return;
	if (strncmp(c->answer, "HTTP/1.1 101", 12) != 0 || strstr(c->answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == NULL)
		die("connection %d: no upgrade: %.60s", c->number, c->answer);
	if (opt.deflate && ((c->packed = packed_new(c->answer)) == NULL ||
				   (c->out = malloc((size_t)opt.depth * (packed_bound(opt.size) + HEADER_MAX))) == NULL))
		die("connection %d: no permessage-deflate: %s", c->number, c->answer);
	size_t used = (size_t)(until + 4 - c->answer) - had;
	free(c->answer);
	c->answer = NULL;
	c->head_len = 0;
	c->upgraded = true;
	upgraded++;
	c->frames = opt.mode == CONNECT;
	read_frames(c, at + used, at + len);
	send_frames(c);
}

static void
on_readable(struct connection *c)
{
	if (!c->greeted) {
		greet(c);
		return;
	}
	ssize_t n = wire_recv(&c->wire, data, sizeof(data));
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end(c);
		return;
	}
	last_heard_ns = now();
	wire_received += measuring ? (uint64_t)n : 0;
	if (!c->upgraded) {
		take_answer(c, data, (size_t)n);
		return;
	}
	if (opt.plain)
		compare(c, data, (size_t)n);
	else
		read_frames(c, data, data + n);
	if (!c->waits_for_room)
		send_frames(c);
}

/* --- the run -------------------------------------------------------------------------------- */

static void
turn(int timeout_ms)
{
	struct epoll_event events[512];
	int count = epoll_wait(poller, events, 512, timeout_ms);
	for (int i = 0; i < count; i++) {
		struct connection *c = events[i].data.ptr;
		if (events[i].events & EPOLLOUT)
			send_frames(c);
		if (events[i].events & ~(uint32_t)EPOLLOUT)
			on_readable(c);
	}
}

static void
run_until(uint64_t ns)
{
	while (!over && now() < ns)
		turn(10);
}

static bool
is_stalled(void)
{
	return now() > last_heard_ns + STALL_S * UINT64_C(1000000000);
}

static void
wait_for(const uint64_t *count, int least, const char *what)
{
	last_heard_ns = now();
	while ((int)*count < least && !is_stalled())
		turn(100);
	if ((int)*count < least)
		die("only %" PRIu64 " of %d %s came", *count, least, what);
}

static void
hold_still(void)
{
	char line[8];
	fputs("ready\n", stderr);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return;
}

/* All begin at once: who is there already takes nothing from who is still to come. */
static void
open_all(void)
{
	enum { AT_ONCE = 32 }; /* fewer than a listener's queue takes */
	all = calloc((size_t)opt.connections, sizeof(*all));
	if (all == NULL)
		die("out of memory");
	for (int i = 0; i < opt.connections; i++) {
		all[i].number = i;
		begin(&all[i]);
		if (opt.mode != CONNECT)
			wait_for(&upgraded, i - AT_ONCE, "upgrades");
	}
	if (opt.mode == CONNECT)
		return;
	wait_for(&upgraded, opt.connections, "upgrades");
	for (int i = 0; i < opt.connections && opt.mode != FLOOD && opt.mode != LINES; i++) {
		all[i].frames = (uint64_t)(opt.mode == ECHO ? opt.depth : 1);
		send_frames(&all[i]);
	}
}

static void
report(double seconds, uint64_t cpu_all, uint64_t cpu_main)
{
	printf("{\"seconds\":%.6f,\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"pings\":%" PRIu64 ",\"connections\":%" PRIu64
	       ",\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"cpu_all_ns\":%" PRIu64 ",\"cpu_main_ns\":%" PRIu64
	       ",\"p50_us\":%.2f,\"p90_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f}\n",
		seconds, messages, bytes, pings, connections_done, wire_sent, wire_received, cpu_all, cpu_main, quantile_us(.5),
		quantile_us(.9), quantile_us(.99), quantile_us(.999));
	fflush(stdout);
}

static void
measure(void)
{
	uint64_t start = now();
	run_until(start + (uint64_t)opt.warmup_ms * 1000000);
	uint64_t cpu_all = cpu_of_all(), cpu_main = cpu_of_main();
	start = now();
	measuring = true;
	run_until(start + (uint64_t)opt.time_ms * 1000000);
	measuring = false;
	uint64_t finish = now();
	report((double)(finish - start) / 1e9, cpu_of_all() - cpu_all, cpu_of_main() - cpu_main);
}

/* After the stall the stream must be whole: as much of it again is compared as the buffers can hold. */
static void
stall(void)
{
	struct timespec span = { opt.time_ms / 1000, opt.time_ms % 1000 * 1000000L };
	nanosleep(&span, NULL);
	hold_still();
	measuring = true;
	uint64_t start = now(), limit = start + 10 * UINT64_C(1000000000);
	last_heard_ns = start;
	while (bytes < UINT64_C(64) << 20 && now() < limit && !is_stalled())
		turn(100);
	if (bytes == 0)
		die("nothing came after the stall");
	report((double)(now() - start) / 1e9, 0, 0);
}

/* No new message follows an answer, and all that is under way must come. */
static void
drain(void)
{
	over = true;
	last_heard_ns = now();
	for (int i = 0; i < opt.connections; i++) {
		while (all[i].got < all[i].frames * opt.size && !is_stalled())
			turn(100);
		if (all[i].got < all[i].frames * opt.size)
			die("connection %d: %" PRIu64 " bytes did not come back", i, all[i].frames * opt.size - all[i].got);
	}
}

static void
read_options(int argc, char **argv)
{
	enum { PORT, CONNECTIONS, SIZE, DEPTH, WARMUP, TIME, CPU_FILE, CPU_PID, LINE, PLAIN, TLS, DEFLATE };
	static const char *const modes[] = { "echo", "connect", "idle", "rest", "flood", "lines" };
	static const struct option options[] = { { "port", 1, 0, PORT }, { "connections", 1, 0, CONNECTIONS },
		{ "size", 1, 0, SIZE }, { "depth", 1, 0, DEPTH }, { "warmup", 1, 0, WARMUP }, { "time", 1, 0, TIME },
		{ "cpu-file", 1, 0, CPU_FILE }, { "cpu-pid", 1, 0, CPU_PID }, { "lines", 0, 0, LINE }, { "plain", 0, 0, PLAIN },
		{ "tls", 0, 0, TLS }, { "deflate", 0, 0, DEFLATE }, { 0, 0, 0, 0 } };
	int which = -1, c;
	for (int i = 0; argc > 1 && i < 6; i++)
		if (strcmp(argv[1], modes[i]) == 0)
			which = i;
	if (which == -1)
		die("which of echo, connect, idle, rest, flood, lines?");
	opt.mode = (enum mode)which;
	optind = 2;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int number = optarg == NULL ? 0 : atoi(optarg);
		switch (c) {
		case PORT:
			opt.port = (uint16_t)number;
			break;
		case CONNECTIONS:
			opt.connections = number;
			break;
		case SIZE:
			opt.size = (size_t)number;
			break;
		case DEPTH:
			opt.depth = number;
			break;
		case WARMUP:
			opt.warmup_ms = number;
			break;
		case TIME:
			opt.time_ms = number;
			break;
		case CPU_FILE:
			opt.cpu_file = optarg;
			break;
		case CPU_PID:
			opt.cpu_pid = number;
			break;
		case LINE:
			opt.lines = true;
			break;
		case PLAIN:
			opt.plain = true;
			break;
		case TLS:
			if ((opt.tls = wire_tls()) == NULL)
				die("OpenSSL does not do TLS 1.3");
			break;
		case DEFLATE:
			opt.deflate = true;
			break;
		default:
			exit(64);
		}
	}
	if (opt.port == 0 || opt.size < 1 || opt.connections < 1 || opt.depth < 1 || opt.depth > DEPTH_MAX)
		die("--port is missing, or a number is out of range");
	if (opt.deflate && (opt.plain || opt.mode != ECHO || packed_bound(opt.size) > READ_BYTES))
		die("--deflate is for echo, by WebSocket, of small messages");
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	stream_fill(block);
	make_messages();
	poller = epoll_create1(EPOLL_CLOEXEC);
	open_all();
	switch (opt.mode) {
	case FLOOD:
		stall();
		break;
	case IDLE:
		wait_for(&answered, opt.connections, "echoes");
		hold_still();
		report(0, 0, 0);
		break;
	case REST:
		wait_for(&answered, opt.connections, "echoes");
		measure();
		break;
	case ECHO:
		measure();
		drain();
		break;
	case CONNECT:
	case LINES:
		measure();
		break;
	}
	return 0;
}
