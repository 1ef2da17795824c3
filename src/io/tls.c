/*
 * The one idea: libssl speaks through read and write that may want the other direction first; the
 * stream hears only "how many", "wants", or "failed", and never which protocol message it was.
 *
 * Between libssl and the socket stands a BIO of ours, for the sake of system calls: the records of one
 * turn leave together, and a socket that has just been emptied is not asked again.
 */
#include "io/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/direct.h"

enum {
	SELF_SIGNED_DAYS = 365,
	WHAT_MAX = 512,
	RECORD_MAX = 16384,         /* plain bytes in one (RFC 8446 5.1) */
	WIRE_ROOM = 68 * 1024,      /* four full records and what belongs to them leave at once */
	UNSENT_MAX = 2 * WIRE_ROOM, /* above it nothing is read: libssl might answer, as it does who wants to renegotiate */
};

/* Forward secrecy and AEAD only (RFC 9325 4.2). */
static const char modern_ciphers[] =
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* The same order: AES-128 is strong enough, and SHA-256, which comes with it, makes a handshake's keys far faster than SHA-384. */
static const char modern_ciphersuites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

struct tls_context {
	atomic_uint references;
	BIO_METHOD *socket;
	size_t count;
	SSL_CTX *ssl[]; /* one for each certificate */
};

struct tls {
	SSL *ssl;
	struct tls_context *context;
	const char *failure;
	struct buf unsent; /* records that the kernel did not take */
	int fd;
	int send_error; /* errno: no more can be sent */
	bool emptied;   /* the last recv(2) has left nothing */
	bool ended;     /* by the socket's end */
	bool has_more;
	bool broken; /* by a fault of the protocol: libssl must not be asked again */
	bool told;   /* our close_notify is made, or cannot be */
};

/* Records on their way to the kernel: a thread's connections speak one after the other. */
static _Thread_local struct {
	size_t len;
	unsigned char data[WIRE_ROOM];
} wire;

/* --- faults ------------------------------------------------------------------------------------- */

/* A context in the making. */
struct maker {
	const struct tls_options *opt;
	tls_fault_fn *fn;
	void *owner;
	bool failed;
};

__attribute__((format(printf, 5, 6))) static void
say(struct maker *m, enum tls_part part, size_t index, bool is_warning, const char *format, ...)
{
	char what[WHAT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	ERR_clear_error();
	m->failed |= !is_warning;
	/* The rules are the same for every certificate: they are blamed once. */
	if (index == 0 || part == TLS_CERTIFICATE || part == TLS_KEY)
		m->fn(m->owner, &(struct tls_fault){ part, index, is_warning, what });
}

/* The first in the queue is nearest to the cause. */
static const char *
reason(void)
{
	unsigned long code = ERR_peek_error();
	if (ERR_SYSTEM_ERROR(code))
		return strerrordesc_np(ERR_GET_REASON(code));
	const char *text = code == 0 ? NULL : ERR_reason_error_string(code);
	return text == NULL ? "libssl does not say why" : text;
}

static bool
queue_has(int lib, int reason_code)
{
	unsigned long code = ERR_peek_error();
	return ERR_GET_LIB(code) == lib && ERR_GET_REASON(code) == reason_code;
}

/* --- rules -------------------------------------------------------------------------------------- */

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	(void)ssl, (void)arg;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, ours, sizeof(ours) - 1, in, in_len) ==
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2: no_application_protocol */
}

/* The certificate whose names fit (RFC 6066 3); the first one else. */
static int
choose_certificate(SSL *ssl, int *alert, void *arg)
{
	const struct tls_context *context = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	(void)alert;
	for (size_t i = 0; name != NULL && i < context->count; i++)
		if (X509_check_host(SSL_CTX_get0_certificate(context->ssl[i]), name, 0, 0, NULL) == 1) {
			SSL_set_SSL_CTX(ssl, context->ssl[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_NOACK;
}

/* libssl would ask for it on the terminal. */
static int
no_passphrase(char *out, int size, int writes, void *arg)
{
	bool *was_asked = arg;
	(void)out, (void)size, (void)writes;
	if (was_asked != NULL)
		*was_asked = true;
	return -1;
}

static SSL_CTX *
new_ssl_context(const struct tls_options *opt)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	if (ssl == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ssl, opt->only_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	/* Every message above TLS has a length of its own, so that a cut shows without a close_notify. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ssl, 1); /* one recv(2) for a record, not two */
	SSL_CTX_set_max_early_data(ssl, 0);
	SSL_CTX_set_dh_auto(ssl, 1); /* for those who list such ciphers */
	/* Sessions are resumed by tickets, which the clients keep (RFC 5077, RFC 8446 4.6.1). */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 1); /* the next connection brings the next one */
	SSL_CTX_set_session_id_context(ssl, (const unsigned char *)"wsgate", 6);
	SSL_CTX_set_alpn_select_cb(ssl, choose_alpn, NULL);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	SSL_CTX_set_cipher_list(ssl, modern_ciphers);
	SSL_CTX_set_ciphersuites(ssl, modern_ciphersuites);
	return ssl;
}

static void
take_ciphers(struct maker *m, SSL_CTX *ssl, size_t index)
{
	const struct tls_options *opt = m->opt;
	if (opt->ciphers != NULL && SSL_CTX_set_cipher_list(ssl, opt->ciphers) != 1)
		say(m, TLS_CIPHERS, index, false, "\"%.200s\" names no cipher of TLS 1.2; `openssl ciphers -v -tls1_2` lists them",
			opt->ciphers);
	if (opt->ciphersuites != NULL && SSL_CTX_set_ciphersuites(ssl, opt->ciphersuites) != 1)
		say(m, TLS_CIPHERSUITES, index, false,
			"\"%.200s\" is no list of TLS 1.3; `openssl ciphers -v -tls1_3 -s` shows one", opt->ciphersuites);
}

/* --- files -------------------------------------------------------------------------------------- */

static bool
can_be_read(struct maker *m, enum tls_part part, size_t index, const char *file)
{
	if (access(file, R_OK) == 0)
		return true;
	say(m, part, index, false, "%s: %s", file, strerrordesc_np(errno));
	return false;
}

static void
load_client_ca(struct maker *m, SSL_CTX *ssl, size_t index)
{
	const char *file = m->opt->client_ca;
	if (file == NULL || !can_be_read(m, TLS_CLIENT_CA, index, file))
		return;
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
	if (names == NULL || SSL_CTX_load_verify_file(ssl, file) != 1) {
		say(m, TLS_CLIENT_CA, index, false, "%s: there is no certificate of a CA in it (PEM)", file);
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return;
	}
	SSL_CTX_set_client_CA_list(ssl, names);
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void
judge_dates(struct maker *m, SSL_CTX *ssl, size_t index, const char *file)
{
	const X509 *x = SSL_CTX_get0_certificate(ssl);
	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		say(m, TLS_CERTIFICATE, index, true, "%s has expired: clients will refuse it", file);
	else if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		say(m, TLS_CERTIFICATE, index, true, "%s is not valid yet: clients will refuse it; is the clock right?", file);
}

static bool
load_certificate(struct maker *m, SSL_CTX *ssl, size_t index)
{
	const char *file = m->opt->certificates[index].certificate;
	if (!can_be_read(m, TLS_CERTIFICATE, index, file))
		return false;
	if (SSL_CTX_use_certificate_chain_file(ssl, file) == 1) {
		judge_dates(m, ssl, index, file);
		return true;
	}
	if (queue_has(ERR_LIB_PEM, PEM_R_NO_START_LINE))
		say(m, TLS_CERTIFICATE, index, false, "%s: there is no certificate in it (PEM: -----BEGIN CERTIFICATE-----)", file);
	else
		say(m, TLS_CERTIFICATE, index, false, "%s: %s", file, reason());
	return false;
}

static void
load_key(struct maker *m, SSL_CTX *ssl, size_t index)
{
	const struct tls_certificate *c = &m->opt->certificates[index];
	const char *file = c->key == NULL ? c->certificate : c->key;
	if (!can_be_read(m, TLS_KEY, index, file))
		return;
	bool was_asked = false;
	SSL_CTX_set_default_passwd_cb_userdata(ssl, &was_asked);
	/* A key of another type than the certificate's is taken, and found by the second call alone. */
	bool ok = SSL_CTX_use_PrivateKey_file(ssl, file, SSL_FILETYPE_PEM) == 1 && SSL_CTX_check_private_key(ssl) == 1;
	SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
	if (was_asked)
		say(m, TLS_KEY, index, false, "%s has a passphrase: `openssl pkey -in %s -out FILE` writes it without", file, file);
	else if (queue_has(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH) || queue_has(ERR_LIB_SSL, SSL_R_NO_CERTIFICATE_ASSIGNED))
		say(m, TLS_KEY, index, false, "%s is not the key of %s", file, c->certificate);
	else if (!ok)
		say(m, TLS_KEY, index, false, "%s: there is no private key in it (PEM: -----BEGIN PRIVATE KEY-----)", file);
}

/* --- a certificate for trying things out ---------------------------------------------------------- */

static bool
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

/* Browsers refuse another certificate with a number that they know of this issuer (RFC 5280 4.1.2.2). */
static bool
set_serial(X509 *x)
{
	uint64_t number;
	return RAND_bytes((unsigned char *)&number, sizeof(number)) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), (number >> 1) | 1) == 1;
}

static bool
fill_certificate(X509 *x, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(x);
	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(x), SELF_SIGNED_DAYS * 24L * 3600) != NULL && X509_set_pubkey(x, key) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, name) == 1 && add_extension(x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
	       add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, NID_key_usage, "critical,digitalSignature") && add_extension(x, NID_ext_key_usage, "serverAuth") &&
	       X509_sign(x, key, EVP_sha256()) > 0;
}

static void
make_certificate(struct maker *m, SSL_CTX *ssl)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	bool ok = key != NULL && x != NULL && fill_certificate(x, key) && SSL_CTX_use_certificate(ssl, x) == 1 &&
		  SSL_CTX_use_PrivateKey(ssl, key) == 1;
	if (!ok)
		say(m, TLS_SETUP, 0, false, "a self-signed certificate cannot be made: %s", reason());
	X509_free(x);
	EVP_PKEY_free(key);
}

/* --- between libssl and the socket ---------------------------------------------------------------- */

/* Returns how many bytes the kernel takes. */
static size_t
send_now(struct tls *tls, const void *data, size_t len)
{
	ssize_t n = direct_send(tls->fd, data, len, MSG_NOSIGNAL);
	if (n == -1 && !direct_would_block(errno))
		tls->send_error = errno;
	return n == -1 ? 0 : (size_t)n;
}

/* To the kernel, or behind what it has not taken before. Leaves errno alone, as libssl's callers want it. */
static void
flush_wire(struct tls *tls)
{
	int error = errno;
	size_t gone = wire.len == 0 || buf_len(&tls->unsent) > 0 ? 0 : send_now(tls, wire.data, wire.len);
	if (tls->send_error == 0 && buf_append(&tls->unsent, wire.data + gone, wire.len - gone) == -1)
		tls->send_error = ENOMEM;
	wire.len = 0;
	errno = error;
}

/* Another try for what the kernel did not take. */
static bool
flush_unsent(struct tls *tls)
{
	struct span unsent = buf_span(&tls->unsent);
	size_t gone = unsent.len == 0 ? 0 : send_now(tls, unsent.data, unsent.len);
	buf_drop(&tls->unsent, gone);
	return gone > 0;
}

static int
write_socket(BIO *bio, const char *data, size_t len, size_t *taken)
{
	assert(len <= WIRE_ROOM);
	if (len > WIRE_ROOM - wire.len)
		flush_wire(BIO_get_data(bio));
	memcpy(wire.data + wire.len, data, len);
	wire.len += len;
	*taken = len;
	return 1;
}

static int
read_socket(BIO *bio, char *data, size_t len, size_t *got)
{
	struct tls *tls = BIO_get_data(bio);
	*got = 0;
	BIO_clear_retry_flags(bio);
	if (buf_len(&tls->unsent) > UNSENT_MAX) {
		BIO_set_retry_write(bio);
		return 0;
	}
	ssize_t n = tls->emptied ? -1 : direct_recv(tls->fd, data, len, 0);
	if (n == -1 && (tls->emptied || direct_would_block(errno)))
		BIO_set_retry_read(bio);
	tls->ended |= n == 0;
	tls->emptied |= n < (ssize_t)len;
	*got = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static long
control_socket(BIO *bio, int command, long number, void *argument)
{
	const struct tls *tls = BIO_get_data(bio);
	(void)number, (void)argument;
	return command == BIO_CTRL_EOF ? tls->ended : command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *
make_socket_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wsgate");
	if (method == NULL)
		return NULL;
	BIO_meth_set_write_ex(method, write_socket);
	BIO_meth_set_read_ex(method, read_socket);
	BIO_meth_set_ctrl(method, control_socket);
	return method;
}

/* --- contexts ----------------------------------------------------------------------------------- */

static void
add_certificate(struct maker *m, struct tls_context *context, size_t index)
{
	SSL_CTX *ssl = new_ssl_context(m->opt);
	if (ssl == NULL) {
		say(m, TLS_SETUP, index, false, "TLS cannot be set up: %s", reason());
		return;
	}
	context->ssl[context->count++] = ssl;
	SSL_CTX_set_tlsext_servername_callback(ssl, choose_certificate);
	SSL_CTX_set_tlsext_servername_arg(ssl, context);
	take_ciphers(m, ssl, index);
	load_client_ca(m, ssl, index);
	if (m->opt->self_signed)
		make_certificate(m, ssl);
	else if (load_certificate(m, ssl, index))
		load_key(m, ssl, index);
}

struct tls_context *
tls_context_new(const struct tls_options *opt, tls_fault_fn *fn, void *owner)
{
	struct maker m = { .opt = opt, .fn = fn, .owner = owner };
	size_t count = opt->self_signed ? 1 : opt->certificate_count;
	if (count == 0) {
		say(&m, TLS_SETUP, 0, false, "no certificate is given");
		return NULL;
	}
	struct tls_context *context = calloc(1, sizeof(*context) + count * sizeof(SSL_CTX *));
	if (context == NULL) {
		say(&m, TLS_SETUP, 0, false, "out of memory");
		return NULL;
	}
	ERR_clear_error();
	context->references = 1;
	context->socket = make_socket_method();
	if (context->socket == NULL)
		say(&m, TLS_SETUP, 0, false, "out of memory");
	for (size_t i = 0; i < count; i++)
		add_certificate(&m, context, i);
	if (!m.failed)
		return context;
	tls_context_release(context);
	return NULL;
}

struct tls_context *
tls_context_hold(struct tls_context *context)
{
	if (context != NULL)
		atomic_fetch_add(&context->references, 1);
	return context;
}

void
tls_context_release(struct tls_context *context)
{
	if (context == NULL || atomic_fetch_sub(&context->references, 1) != 1)
		return;
	for (size_t i = 0; i < context->count; i++)
		SSL_CTX_free(context->ssl[i]);
	BIO_meth_free(context->socket);
	free(context);
}

const char *
tls_context_fingerprint(const struct tls_context *context, char out[static TLS_FINGERPRINT_MAX])
{
	unsigned char digest[32];
	out[0] = '\0';
	if (X509_digest(SSL_CTX_get0_certificate(context->ssl[0]), EVP_sha256(), digest, NULL) == 1)
		for (size_t i = 0; i < sizeof(digest); i++)
			snprintf(out + 3 * i, 4, i + 1 < sizeof(digest) ? "%02X:" : "%02X", digest[i]);
	return out;
}

/* --- connections ---------------------------------------------------------------------------------- */

struct tls *
tls_new(struct tls_context *context, int fd)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	BIO *bio = BIO_new(context->socket);
	SSL *ssl = SSL_new(context->ssl[0]);
	if (tls == NULL || bio == NULL || ssl == NULL) {
		ERR_clear_error();
		SSL_free(ssl);
		BIO_free(bio);
		free(tls);
		return NULL;
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_accept_state(ssl);
	*tls = (struct tls){ .ssl = ssl, .context = tls_context_hold(context), .fd = fd, .failure = "" };
	return tls;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	tls_context_release(tls->context);
	buf_clear(&tls->unsent);
	free(tls);
}

static ssize_t
fail(struct tls *tls, int error, const char *why)
{
	tls->failure = why;
	errno = error;
	return TLS_FAILED;
}

/* What a call that returned N <= 0 means. A fault of the socket in one direction leaves the other as it is. */
static ssize_t
explain(struct tls *tls, int n)
{
	int error = errno;
	switch (SSL_get_error(tls->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		errno = error;
		return 0;
	case SSL_ERROR_SYSCALL:
		error = error != 0 ? error : ECONNRESET;
		return fail(tls, error, strerrordesc_np(error));
	default:
		tls->broken = true;
		return fail(tls, EPROTO, reason());
	}
}

static int
clamp(size_t len)
{
	return len > 1 << 30 ? 1 << 30 : (int)len;
}

/* The queue of errors is the thread's: what another connection left there would be blamed on this one. To look is cheaper than to clear. */
static int
begin(struct tls *tls)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
	tls->emptied = false;
	errno = tls->broken ? EPROTO : 0;
	return tls->broken ? -1 : 0;
}

ssize_t
tls_read(struct tls *tls, void *data, size_t len)
{
	tls->has_more = false;
	if (begin(tls) == -1)
		return TLS_FAILED;
	size_t got = 0;
	int n;
	do {
		n = SSL_read(tls->ssl, (unsigned char *)data + got, clamp(len - got));
		got += n > 0 ? (size_t)n : 0;
	} while (n > 0 && got < len && (!tls->emptied || SSL_has_pending(tls->ssl)));
	flush_wire(tls);
	ssize_t last = n > 0 ? n : explain(tls, n);
	tls->has_more = got > 0 && (n > 0 ? SSL_has_pending(tls->ssl) : last == 0 || last == TLS_FAILED);
	return got > 0 ? (ssize_t)got : last;
}

bool
tls_has_more(const struct tls *tls)
{
	return tls->has_more;
}

/* What is left of some slices. */
struct slices {
	const struct iovec *vec;
	int count;
	size_t gone; /* of the first */
};

static void
skip(struct slices *s, size_t len)
{
	s->gone += len;
	while (s->count > 0 && s->gone >= s->vec->iov_len) {
		s->gone -= s->vec->iov_len;
		s->vec++;
		s->count--;
	}
}

/* The next record's bytes: where they lie if they are in one piece, else laid side by side in FLAT. */
static struct span
next_record(const struct slices *s, unsigned char flat[static RECORD_MAX])
{
	if (s->count == 0)
		return (struct span){ NULL, 0 };
	size_t gone = s->gone, len = s->vec->iov_len - gone;
	if (s->count == 1 || len >= RECORD_MAX)
		return (struct span){ (unsigned char *)s->vec->iov_base + gone, len < RECORD_MAX ? len : RECORD_MAX };
	len = 0;
	for (int i = 0; i < s->count && len < RECORD_MAX; i++, gone = 0) {
		size_t part = s->vec[i].iov_len - gone;
		part = part < RECORD_MAX - len ? part : RECORD_MAX - len;
		memcpy(flat + len, (unsigned char *)s->vec[i].iov_base + gone, part);
		len += part;
	}
	return (struct span){ flat, len };
}

/* One record at a time: only between two does libssl answer a KeyUpdate (RFC 8446 4.6.3). */
static int
write_records(struct tls *tls, struct slices *rest, size_t *taken)
{
	static _Thread_local unsigned char flat[RECORD_MAX];
	struct span record;
	int n = 1;
	skip(rest, 0);
	while (n > 0 && buf_len(&tls->unsent) == 0 && (record = next_record(rest, flat)).len > 0) {
		n = SSL_write(tls->ssl, record.data, (int)record.len);
		*taken += n > 0 ? (size_t)n : 0;
		skip(rest, n > 0 ? (size_t)n : 0);
	}
	flush_wire(tls);
	return n;
}

ssize_t
tls_write(struct tls *tls, const struct iovec *vec, int count)
{
	bool moved = flush_unsent(tls);
	if (begin(tls) == -1)
		return TLS_FAILED;
	size_t taken = 0;
	struct slices rest = { vec, count, 0 };
	int n = write_records(tls, &rest, &taken);
	if (tls->send_error != 0)
		return fail(tls, tls->send_error, strerrordesc_np(tls->send_error));
	if (taken > 0 || moved)
		return (ssize_t)taken;
	if (buf_len(&tls->unsent) > 0)
		return TLS_WANTS_WRITE;
	if (n > 0)
		return 0;
	ssize_t result = explain(tls, n);
	/* libssl speaks of the peer's end, which came before, rather than of what happened now. */
	return result != 0 ? result : fail(tls, errno != 0 ? errno : EPIPE, "the peer has gone");
}

size_t
tls_unsent(const struct tls *tls)
{
	return tls->send_error == 0 ? buf_len(&tls->unsent) : 0;
}

int
tls_close_notify(struct tls *tls)
{
	flush_unsent(tls);
	if (!tls->told && begin(tls) == 0 && SSL_is_init_finished(tls->ssl)) {
		tls->told = true;
		SSL_shutdown(tls->ssl);
		ERR_clear_error();
		flush_wire(tls);
	}
	return tls_unsent(tls) > 0 ? TLS_WANTS_WRITE : 0;
}

bool
tls_is_open(const struct tls *tls)
{
	return SSL_is_init_finished(tls->ssl) == 1;
}

const char *
tls_failure(const struct tls *tls)
{
	return tls->failure;
}

const char *
tls_version(const struct tls *tls)
{
	return SSL_get_version(tls->ssl);
}

const char *
tls_cipher(const struct tls *tls)
{
	const char *name = SSL_get_cipher_name(tls->ssl);
	return name == NULL ? "" : name;
}

/* --- the client's certificate --------------------------------------------------------------------- */

static const X509_NAME *
client_subject(const struct tls *tls)
{
	X509 *x = SSL_get0_peer_certificate(tls->ssl);
	return x == NULL ? NULL : X509_get_subject_name(x);
}

/* All of it or nothing: a name that is cut may be somebody else's. */
static void
take_text(BIO *text, char *out, size_t len)
{
	char *data;
	long size = BIO_get_mem_data(text, &data);
	if (size <= 0 || (size_t)size >= len || memchr(data, '\0', (size_t)size) != NULL)
		return;
	memcpy(out, data, (size_t)size);
	out[size] = '\0';
}

void
tls_client_subject(const struct tls *tls, char *out, size_t len)
{
	const X509_NAME *name = client_subject(tls);
	BIO *text = name == NULL ? NULL : BIO_new(BIO_s_mem());
	out[0] = '\0';
	if (text != NULL && X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253) > 0)
		take_text(text, out, len);
	BIO_free(text);
}

void
tls_client_name(const struct tls *tls, char *out, size_t len)
{
	const X509_NAME *name = client_subject(tls);
	int at = name == NULL ? -1 : X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) {
		tls_client_subject(tls, out, len);
		return;
	}
	BIO *text = BIO_new(BIO_s_mem());
	out[0] = '\0';
	if (text != NULL && ASN1_STRING_print_ex(text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)),
				    ASN1_STRFLGS_UTF8_CONVERT | ASN1_STRFLGS_ESC_CTRL) > 0)
		take_text(text, out, len);
	BIO_free(text);
}
