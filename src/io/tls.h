/*
 * tls: the server's side of TLS 1.2 and 1.3, the only door to libssl.
 *
 * A context holds certificates and rules; it is made once, is immutable, counted, and may be used by
 * any thread. A tls is one connection's state on its descriptor, used by its stream alone.
 *
 * No renegotiation, no compression, no early data; ALPN is http/1.1 (RFC 7301). Buffers are given
 * back while a connection is idle.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct tls_context;
struct tls;

struct tls_certificate {
	const char *certificate; /* PEM file, chain included */
	const char *key;         /* PEM file; NULL: it is in the certificate's */
};

struct tls_options {
	const struct tls_certificate *certificates; /* the first answers for names that no other has */
	size_t certificate_count;
	bool self_signed;         /* makes one in memory, for localhost; the files are not used */
	const char *client_ca;    /* PEM file; clients must show a certificate of it. Or NULL */
	bool only_13;             /* no TLS 1.2 */
	const char *ciphers;      /* TLS 1.2, as openssl-ciphers(1) lists them; or NULL: modern ones */
	const char *ciphersuites; /* TLS 1.3, or NULL */
};

enum tls_part { TLS_CERTIFICATE, TLS_KEY, TLS_CLIENT_CA, TLS_CIPHERS, TLS_CIPHERSUITES, TLS_SETUP };

/* Something is wrong with a part of the options; or, for a warning, its clients will say that it is. */
struct tls_fault {
	enum tls_part part;
	size_t index; /* of the certificate or key */
	bool is_warning;
	const char *what; /* a line that names the file; valid during the call */
};
typedef void tls_fault_fn(void *owner, const struct tls_fault *fault);

/* All faults are told, not only the first. NULL if there was one that is no warning. One reference. */
struct tls_context *tls_context_new(const struct tls_options *opt, tls_fault_fn *fn, void *owner);
struct tls_context *tls_context_hold(struct tls_context *context);
void tls_context_release(struct tls_context *context);

/* SHA-256 of the first certificate, as browsers show it: "AB:CD:...". Returns OUT. */
enum { TLS_FINGERPRINT_MAX = 96 };
const char *tls_context_fingerprint(const struct tls_context *context, char out[static TLS_FINGERPRINT_MAX]);

/* The server's side on the connected non-blocking socket FD, which stays the caller's. NULL if memory is out. */
struct tls *tls_new(struct tls_context *context, int fd);
void tls_free(struct tls *tls);

enum { TLS_WANTS_READ = -1, TLS_WANTS_WRITE = -2, TLS_FAILED = -3 };

/*
 * Reads up to LEN plain bytes; the handshake is done on the way. Returns how many, 0 at the peer's end
 * (its close_notify, or the socket's end), TLS_WANTS_READ or _WRITE if the socket must be readable or
 * writable first, or TLS_FAILED (errno is set: EPROTO for a fault of the protocol, which ends writing,
 * too).
 */
ssize_t tls_read(struct tls *tls, void *data, size_t len);

/* After tls_read(): it has more, or the end, of which the socket will not speak. */
bool tls_has_more(const struct tls *tls);

/*
 * Makes records of COUNT slices and sends them together. Returns how many plain bytes were taken: 0 if
 * only what was unsent has moved; or as above.
 */
ssize_t tls_write(struct tls *tls, const struct iovec *vec, int count);

/*
 * Bytes of records that the kernel did not take: tls_write(), with or without slices, goes on with them
 * once the socket is writable. Meanwhile it takes no others.
 */
size_t tls_unsent(const struct tls *tls);

/*
 * Tells the peer that no more comes (close_notify, RFC 8446 6.1). TLS_WANTS_WRITE: call again once the
 * socket is writable. 0: it is told, or there is no way to tell it.
 */
int tls_close_notify(struct tls *tls);

/* Is the handshake done? */
bool tls_is_open(const struct tls *tls);

/* After TLS_FAILED: what libssl says of it, or what errno says; static text. "" before. */
const char *tls_failure(const struct tls *tls);

/* Of the handshake, for the environment of programs: "TLSv1.3", and the cipher's name. */
const char *tls_version(const struct tls *tls);
const char *tls_cipher(const struct tls *tls);

/*
 * The client's certificate, which was verified: its subject (RFC 2253), and the common name in it, or
 * the whole subject if there is not exactly one. "" without a certificate, or if LEN is too small.
 */
void tls_client_subject(const struct tls *tls, char *out, size_t len);
void tls_client_name(const struct tls *tls, char *out, size_t len);

#endif
