/*
 * The ceiling: a bare relay between WebSocket and TCP, or the lines of a child program. It does
 * nothing but epoll, recv, unmask in place and send. No check, no limit, no log, no timer: what a
 * gateway costs above this, it costs for what this leaves out.
 *
 *	ceiling PORT tcp BACKEND-PORT
 *	ceiling PORT lines PROGRAM [ARG...]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_BYTES = 256 * 1024,
	SLACK = 16, /* before what was read: a header, or the newline of the frame before */
	HEADER_MAX = 14,
};

struct end {
	struct relay *relay;
	int in, out;    /* the same for a socket */
	bool out_added; /* to epoll, a pipe's write end of its own */
	char *kept;     /* not taken by OUT; meanwhile the other end is not read */
	size_t len, gone;
};

struct relay {
	struct end client, backend;
	uint64_t left; /* of the frame that is being read */
	unsigned char mask[4];
	unsigned char head[HEADER_MAX]; /* of a header that a read has cut */
	uint8_t head_len;
	bool upgraded, last, in_message, closed;
	struct relay *next; /* among those to be freed at the end of the turn */
};

static int poller;
static bool lines;
static struct sockaddr_in backend_at;
static char **program;
static struct relay *corpses;
static unsigned char room[SLACK + READ_BYTES + 1];
static unsigned char frames[2 * READ_BYTES + SLACK]; /* empty lines grow fastest: a byte becomes two */
static const uintptr_t OUT_TAG = 1;

/* --- epoll ---------------------------------------------------------------------------------- */

static void
watch(int op, int fd, uint32_t events, uintptr_t tag)
{
	struct epoll_event event = { .events = events, .data.u64 = tag };
	epoll_ctl(poller, op, fd, &event);
}

static struct end *
other(struct end *e)
{
	return e == &e->relay->client ? &e->relay->backend : &e->relay->client;
}

static void
update(struct end *e)
{
	uint32_t in = other(e)->kept == NULL ? (uint32_t)EPOLLIN : 0, out = e->kept == NULL ? 0 : (uint32_t)EPOLLOUT;
	if (e->in == e->out) {
		watch(EPOLL_CTL_MOD, e->in, in | out, (uintptr_t)e);
		return;
	}
	watch(EPOLL_CTL_MOD, e->in, in, (uintptr_t)e);
	if (out != 0 || e->out_added)
		watch(e->out_added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, e->out, out, (uintptr_t)e | OUT_TAG);
	e->out_added = e->out_added || out != 0;
}

/* --- output --------------------------------------------------------------------------------- */

static void
end_clear(struct end *e)
{
	if (e->in != -1)
		close(e->in);
	if (e->out != e->in)
		close(e->out);
	free(e->kept);
}

static void
end_relay(struct relay *r)
{
	if (r->closed)
		return;
	r->closed = true;
	end_clear(&r->client);
	end_clear(&r->backend);
	r->next = corpses;
	corpses = r;
}

static ssize_t
put(struct end *e, const void *data, size_t len)
{
	ssize_t n = e->in == e->out ? send(e->out, data, len, MSG_NOSIGNAL) : write(e->out, data, len);
	return n == -1 && errno == EAGAIN ? 0 : n;
}

static void
give(struct end *e, const unsigned char *data, size_t len)
{
	ssize_t n = len == 0 ? 0 : put(e, data, len);
	if (n == -1) {
		end_relay(e->relay);
	} else if ((size_t)n < len) {
		e->len = len - (size_t)n;
		e->gone = 0;
		e->kept = malloc(e->len);
		memcpy(e->kept, data + n, e->len);
		update(e);
		update(other(e));
	}
}

static void
give_kept(struct end *e)
{
	ssize_t n = put(e, e->kept + e->gone, e->len - e->gone);
	if (n == -1) {
		end_relay(e->relay);
		return;
	}
	e->gone += (size_t)n;
	if (e->gone < e->len)
		return;
	free(e->kept);
	e->kept = NULL;
	update(e);
	update(other(e));
}

/* --- client to backend ---------------------------------------------------------------------- */

static void
unmask(unsigned char *data, size_t len, unsigned char mask[static 4])
{
	unsigned char turned[4] = { mask[len % 4], mask[(len + 1) % 4], mask[(len + 2) % 4], mask[(len + 3) % 4] };
	uint64_t key, word;
	memcpy(&key, mask, 4);
	memcpy((char *)&key + 4, mask, 4);
	size_t i = 0;
	for (; i + 8 <= len; i += 8) {
		memcpy(&word, data + i, 8);
		word ^= key;
		memcpy(data + i, &word, 8);
	}
	for (; i < len; i++)
		data[i] ^= mask[i % 4];
	memcpy(mask, turned, 4);
}

/* Size of the masked header at DATA, of which two bytes are there. */
static size_t
header_size(const unsigned char *data)
{
	unsigned len = data[1] & 0x7F;
	return len < 126 ? 6 : len == 126 ? 8 : 14;
}

static uint64_t
payload_size(const unsigned char *head)
{
	unsigned len = head[1] & 0x7F;
	if (len < 126)
		return len;
	uint64_t size = 0;
	for (int i = 0; i < (len == 126 ? 2 : 8); i++)
		size = size << 8 | head[2 + i];
	return size;
}

/* Takes the next header from *AT, or what there is of it; false if more must come. */
static bool
read_header(struct relay *r, unsigned char **at, const unsigned char *end)
{
	const unsigned char *head = *at;
	if (r->head_len > 0 || end - *at < HEADER_MAX) {
		while (r->head_len < 2 || r->head_len < header_size(r->head)) {
			if (*at == end)
				return false;
			r->head[r->head_len++] = *(*at)++;
		}
		head = r->head;
	} else {
		*at += header_size(head);
	}
	r->head_len = 0;
	r->left = payload_size(head);
	r->last = head[0] & 0x80;
	memcpy(r->mask, head + header_size(head) - 4, 4);
	return true;
}

static void
say_goodbye(struct relay *r)
{
	static const unsigned char frame[] = { 0x88, 2, 1000 >> 8, 1000 & 0xFF };
	put(&r->client, frame, sizeof(frame));
	end_relay(r);
}

/* Payloads are moved side by side and leave in one write; the first stays where it lies. */
static void
from_client(struct relay *r, unsigned char *at, size_t len)
{
	const unsigned char *end = at + len;
	bool begun = lines && r->left > 0 && r->left < len; /* a newline must fit before the next header */
	unsigned char *start = begun ? at - 1 : at, *to = start;
	for (;;) {
		if (r->left == 0) {
			unsigned opcode = end > at && r->head_len == 0 ? *at & 0xF : r->head[0] & 0xF;
			if (!read_header(r, &at, end))
				break;
			if (opcode == 8) {
				say_goodbye(r);
				return;
			}
		}
		size_t part = (uint64_t)(end - at) < r->left ? (size_t)(end - at) : (size_t)r->left;
		unmask(at, part, r->mask);
		if (!begun && to == start)
			start = to = at;
		if (to != at)
			memmove(to, at, part);
		begun = true;
		to += part;
		at += part;
		r->left -= part;
		if (r->left > 0)
			break;
		if (lines && r->last)
			*to++ = '\n';
	}
	give(&r->backend, start, (size_t)(to - start));
}

/* --- backend to client ---------------------------------------------------------------------- */

static unsigned char *
put_header(unsigned char *to, unsigned first, size_t len)
{
	*to++ = (unsigned char)first;
	if (len < 126) {
		*to++ = (unsigned char)len;
	} else if (len < 65536) {
		*to++ = 126;
		*to++ = (unsigned char)(len >> 8);
		*to++ = (unsigned char)len;
	} else {
		*to++ = 127;
		for (int i = 56; i >= 0; i -= 8)
			*to++ = (unsigned char)((uint64_t)len >> i);
	}
	return to;
}

static void
send_lines(struct relay *r, const unsigned char *at, size_t len)
{
	const unsigned char *end = at + len;
	unsigned char *to = frames;
	while (at < end) {
		const unsigned char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t part = (size_t)((newline != NULL ? newline : end) - at);
		to = put_header(to, (newline != NULL ? 0x80u : 0) | (r->in_message ? 0u : 1u), part);
		memcpy(to, at, part);
		to += part;
		at += part + (newline != NULL);
		r->in_message = newline == NULL;
	}
	give(&r->client, frames, (size_t)(to - frames));
}

static void
send_raw(struct relay *r, unsigned char *at, size_t len)
{
	unsigned char head[10];
	size_t size = (size_t)(put_header(head, 0x82, len) - head);
	memcpy(at - size, head, size);
	give(&r->client, at - size, size + len);
}

/* --- coming --------------------------------------------------------------------------------- */

static bool
dial(struct end *e)
{
	int one = 1;
	e->in = e->out = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(e->in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return connect(e->in, (struct sockaddr *)&backend_at, sizeof(backend_at)) == 0 || errno == EINPROGRESS;
}

static bool
start_program(struct end *e)
{
	extern char **environ;
	int in[2], out[2];
	pid_t pid;
	posix_spawn_file_actions_t acts;
	if (pipe2(in, O_CLOEXEC) == -1 || pipe2(out, O_CLOEXEC) == -1)
		return false;
	posix_spawn_file_actions_init(&acts);
	posix_spawn_file_actions_adddup2(&acts, in[0], 0);
	posix_spawn_file_actions_adddup2(&acts, out[1], 1);
	posix_spawn_file_actions_addclosefrom_np(&acts, 3); /* a copy that execve(2) closes late would speak up in epoll */
	int error = posix_spawnp(&pid, program[0], &acts, NULL, program, environ);
	posix_spawn_file_actions_destroy(&acts);
	close(in[0]);
	close(out[1]);
	e->in = out[0];
	e->out = in[1];
	fcntl(e->in, F_SETFL, O_NONBLOCK);
	fcntl(e->out, F_SETFL, O_NONBLOCK);
	return error == 0;
}

static void
upgrade(struct relay *r, char *request)
{
	static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	static const char FORMAT[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				     "Sec-WebSocket-Accept: %s\r\n\r\n";
	char key[24 + sizeof(GUID)], accept[32], answer[256];
	unsigned char digest[SHA_DIGEST_LENGTH];
	const char *given = strcasestr(request, "Sec-WebSocket-Key: ");
	if (given == NULL || !(lines ? start_program(&r->backend) : dial(&r->backend))) {
		end_relay(r);
		return;
	}
	memcpy(key, given + 19, 24);
	memcpy(key + 24, GUID, sizeof(GUID));
	SHA1((unsigned char *)key, 24 + sizeof(GUID) - 1, digest);
	EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
	give(&r->client, (unsigned char *)answer, (size_t)snprintf(answer, sizeof(answer), FORMAT, accept));
	watch(EPOLL_CTL_ADD, r->backend.in, EPOLLIN, (uintptr_t)&r->backend);
	r->upgraded = true;
}

static void
on_readable(struct end *e)
{
	struct relay *r = e->relay;
	unsigned char *data = room + SLACK;
	ssize_t n = e->in == e->out ? recv(e->in, data, READ_BYTES, 0) : read(e->in, data, READ_BYTES);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (e == &r->backend)
			say_goodbye(r);
		else
			end_relay(r);
		return;
	}
	if (e == &r->client && r->upgraded) {
		from_client(r, data, (size_t)n);
	} else if (e == &r->client) { /* the load generator's whole head comes in one piece */
		data[n] = '\0';
		upgrade(r, (char *)data);
	} else if (lines) {
		send_lines(r, data, (size_t)n);
	} else {
		send_raw(r, data, (size_t)n);
	}
}

static void
accept_all(int listener)
{
	int fd, one = 1;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		struct relay *r = calloc(1, sizeof(*r));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		r->client = (struct end){ .relay = r, .in = fd, .out = fd };
		r->backend = (struct end){ .relay = r, .in = -1, .out = -1 };
		watch(EPOLL_CTL_ADD, fd, EPOLLIN, (uintptr_t)&r->client);
	}
}

static void
on_event(uintptr_t tag, uint32_t events)
{
	struct end *e = (struct end *)(tag & ~OUT_TAG); /* NOLINT(performance-no-int-to-ptr) */
	if (e->relay->closed)
		return;
	if (e->kept != NULL && (tag & OUT_TAG || e->in == e->out) && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
		give_kept(e);
		return;
	}
	if (tag & OUT_TAG) {
		if (events & EPOLLERR)
			end_relay(e->relay);
		return;
	}
	if (other(e)->kept != NULL && !(events & EPOLLIN)) { /* hung up, and what it said waits */
		end_relay(e->relay);
		return;
	}
	on_readable(e);
}

static void
bury(void)
{
	while (corpses != NULL) {
		struct relay *r = corpses;
		corpses = r->next;
		free(r);
	}
}

static int
listen_at(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 || listen(fd, 4096) == -1) {
		perror("ceiling: listen");
		exit(1);
	}
	return fd;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[512];
	struct sigaction ignore = { .sa_handler = SIG_IGN }, reap = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	if (argc < 4)
		return 64;
	lines = strcmp(argv[2], "lines") == 0;
	program = argv + 3;
	backend_at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	backend_at.sin_port = htons((uint16_t)atoi(argv[3]));
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGCHLD, &reap, NULL);
	int listener = listen_at((uint16_t)atoi(argv[1]));
	poller = epoll_create1(EPOLL_CLOEXEC);
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, 0);
	for (;;) {
		int count = epoll_wait(poller, events, 512, -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.u64 == 0)
				accept_all(listener);
			else
				on_event((uintptr_t)events[i].data.u64, events[i].events);
		}
		bury();
	}
}
