/*
 * A service on 127.0.0.1 or at a unix socket: echoes, or floods each client with the lines of stream.h.
 *
 *	echo PORT|/PATH [--flood]
 *
 * One thread, one epoll. A client that does not take its echo is not read meanwhile.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream.h"

struct client {
	int fd;
	bool waits;       /* for room */
	size_t at;        /* in the flood's block */
	char *kept;       /* echo: what was not taken */
	size_t len, gone; /* of kept */
};

static char data[256 * 1024];
static char block[STREAM_BLOCK];
static int poller;

static void
watch(struct client *c, int op, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };
	epoll_ctl(poller, op, c->fd, &event);
}

static void
drop(struct client *c)
{
	close(c->fd);
	free(c->kept);
	free(c);
}

/* Returns what was taken, or -1 if the client is gone. */
static ssize_t
put(struct client *c, const char *from, size_t len)
{
	ssize_t n = send(c->fd, from, len, MSG_NOSIGNAL);
	return n == -1 && errno == EAGAIN ? 0 : n;
}

static void
keep(struct client *c, const char *from, size_t len)
{
	c->kept = malloc(len);
	if (c->kept == NULL)
		abort();
	memcpy(c->kept, from, len);
	c->len = len;
	c->gone = 0;
	watch(c, EPOLL_CTL_MOD, EPOLLOUT);
}

static bool
echo_kept(struct client *c)
{
	ssize_t n = put(c, c->kept + c->gone, c->len - c->gone);
	if (n == -1)
		return false;
	c->gone += (size_t)n;
	if (c->gone < c->len)
		return true;
	free(c->kept);
	c->kept = NULL;
	watch(c, EPOLL_CTL_MOD, EPOLLIN);
	return true;
}

static bool
echo(struct client *c)
{
	if (c->kept != NULL)
		return echo_kept(c);
	ssize_t n = recv(c->fd, data, sizeof(data), 0);
	if (n <= 0)
		return n == -1 && errno == EAGAIN;
	ssize_t taken = put(c, data, (size_t)n);
	if (taken != -1 && taken < n)
		keep(c, data + taken, (size_t)(n - taken));
	return taken != -1;
}

static bool
flood(struct client *c)
{
	ssize_t n = put(c, block + c->at, sizeof(block) - c->at);
	if (n != -1)
		c->at = (c->at + (size_t)n) % sizeof(block);
	return n != -1;
}

static void
accept_all(int listener, uint32_t events)
{
	int fd, one = 1;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		struct client *c = calloc(1, sizeof(*c));
		if (c == NULL)
			abort();
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(c, EPOLL_CTL_ADD, events);
	}
}

static int
listen_to(const struct sockaddr *at, socklen_t len)
{
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, at, len) == -1 || listen(fd, 4096) == -1) {
		perror("echo: listen");
		exit(1);
	}
	return fd;
}

static int
listen_at(const char *where)
{
	struct sockaddr_in port = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	port.sin_port = htons((uint16_t)atoi(where));
	snprintf(path.sun_path, sizeof(path.sun_path), "%s", where);
	return *where == '/' ? listen_to((struct sockaddr *)&path, sizeof(path))
			     : listen_to((struct sockaddr *)&port, sizeof(port));
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return 64;
	bool flooding = argc > 2 && strcmp(argv[2], "--flood") == 0;
	int listener = listen_at(argv[1]);
	struct epoll_event events[512], first = { .events = EPOLLIN };
	stream_fill(block);
	poller = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &first);
	for (;;) {
		int count = epoll_wait(poller, events, 512, -1);
		for (int i = 0; i < count; i++) {
			struct client *c = events[i].data.ptr;
			if (c == NULL)
				accept_all(listener, flooding ? EPOLLOUT : EPOLLIN);
			else if (!(flooding ? flood(c) : echo(c)))
				drop(c);
		}
	}
}
