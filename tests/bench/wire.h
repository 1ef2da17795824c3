/*
 * wire: bytes to and from the gateway, plainly or by TLS 1.3, as send(2) and recv(2) have them.
 *
 * By TLS: whoever answers is believed, no session is resumed, and suite and group are ours to say, so
 * that each peer does the same sums.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

struct wire {
	int fd;
	SSL *ssl; /* NULL: plainly */
};

/* NULL if OpenSSL cannot. */
static SSL_CTX *
wire_tls(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set_ciphersuites(tls, "TLS_AES_256_GCM_SHA384") != 1 || SSL_CTX_set1_groups_list(tls, "X25519") != 1)
		return NULL;
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return tls;
}

/* FD is connected, and does not block. */
static bool
wire_start(struct wire *w, int fd, SSL_CTX *tls)
{
	*w = (struct wire){ .fd = fd };
	if (tls == NULL)
		return true;
	w->ssl = SSL_new(tls);
	return w->ssl != NULL && SSL_set_fd(w->ssl, fd) == 1;
}

static ssize_t
wire_result(const struct wire *w, int n)
{
	if (n > 0)
		return n;
	int error = SSL_get_error(w->ssl, n);
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
	return -1;
}

/* 1: both have shaken hands; else as wire_recv. */
static ssize_t
wire_shake(struct wire *w)
{
	if (w->ssl == NULL)
		return 1;
	ERR_clear_error();
	return wire_result(w, SSL_connect(w->ssl));
}

/* What has come of one record; what is in it is less than LEN. */
static ssize_t
wire_recv(struct wire *w, void *data, size_t len)
{
	if (w->ssl == NULL)
		return recv(w->fd, data, len, 0);
	ERR_clear_error();
	return wire_result(w, SSL_read(w->ssl, data, (int)len));
}

static ssize_t
wire_send(struct wire *w, const void *data, size_t len)
{
	if (w->ssl == NULL)
		return send(w->fd, data, len, MSG_NOSIGNAL);
	ERR_clear_error();
	return wire_result(w, SSL_write(w->ssl, data, (int)len));
}

/* Nothing more is sent. */
static void
wire_finish(struct wire *w)
{
	if (w->ssl != NULL)
		SSL_shutdown(w->ssl);
	shutdown(w->fd, SHUT_WR);
}

static void
wire_end(struct wire *w)
{
	SSL_free(w->ssl);
	close(w->fd);
}

#endif
