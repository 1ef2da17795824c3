/*
 * TLS under the stream, against libssl as a client. Both live on this thread and take turns: the
 * client moves only when it is asked to, so that who reads, who stalls and whose buffer is full is
 * never a matter of luck.
 */
#include "io/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/stream.h"

enum { MUCH = 3 * 1024 * 1024, PATIENCE_S = 30 };

/* --- certificates ------------------------------------------------------------------------------- */

static char directory[] = "/tmp/wsgate-tls-XXXXXX";

static const char *
file(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];
	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

struct identity {
	X509 *x;
	EVP_PKEY *key;
};

static void
extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static void
add_name(X509_NAME *name, const char *type, const char *value)
{
	assert_int_equal(X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0), 1);
}

static struct identity
identify(const char *cn, const char *names, const struct identity *issuer, bool rsa, long from_days, long to_days)
{
	static long serial;
	struct identity i = { X509_new(), rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256") };
	assert_non_null(i.x);
	assert_non_null(i.key);
	X509_set_version(i.x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(i.x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(i.x), from_days * 86400);
	X509_gmtime_adj(X509_getm_notAfter(i.x), to_days * 86400);
	X509_set_pubkey(i.x, i.key);
	add_name(X509_get_subject_name(i.x), "O", "Test, Inc.");
	add_name(X509_get_subject_name(i.x), "CN", cn);
	X509_set_issuer_name(i.x, X509_get_subject_name(issuer == NULL ? i.x : issuer->x));
	extend(i.x, NID_basic_constraints, issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (names != NULL)
		extend(i.x, NID_subject_alt_name, names);
	assert_true(X509_sign(i.x, issuer == NULL ? i.key : issuer->key, EVP_sha256()) > 0);
	return i;
}

static void
forget(struct identity *i)
{
	X509_free(i->x);
	EVP_PKEY_free(i->key);
}

static void
save(const struct identity *i, const char *certificate, const char *key, const char *passphrase)
{
	FILE *f = fopen(file(certificate), "we");
	assert_int_equal(PEM_write_X509(f, i->x), 1);
	fclose(f);
	f = key == NULL ? NULL : fopen(file(key), strcmp(certificate, key) == 0 ? "ae" : "we");
	if (f == NULL)
		return;
	assert_int_equal(
		PEM_write_PrivateKey(f, i->key, passphrase == NULL ? NULL : EVP_aes_128_cbc(), NULL, 0, NULL, (void *)passphrase),
		1);
	fclose(f);
}

static void
save_one(const char *cn, const char *names, const struct identity *ca, bool rsa, const char *certificate, const char *key)
{
	struct identity i = identify(cn, names, ca, rsa, -1, 30);
	save(&i, certificate, key, NULL);
	forget(&i);
}

static int
make_certificates(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	struct identity ca = identify("Test CA", NULL, NULL, false, -1, 30);
	struct identity other = identify("Other CA", NULL, NULL, false, -1, 30);
	save(&ca, "ca.pem", NULL, NULL);
	save_one("one.test", "DNS:one.test,DNS:*.one.test", &ca, false, "one.pem", "one.key");
	save_one("two.test", "DNS:two.test", &ca, true, "two.pem", "two.key");
	save_one("both.test", "DNS:both.test", &ca, false, "both.pem", "both.pem");
	save_one("Alice \xc3\x84 + Bob", NULL, &ca, false, "alice.pem", "alice.key");
	save_one("Mallory", NULL, &other, false, "mallory.pem", "mallory.key");
	struct identity old = identify("old.test", "DNS:old.test", &ca, false, -30, -1);
	save(&old, "old.pem", "old.key", NULL);
	struct identity young = identify("young.test", "DNS:young.test", &ca, false, 2, 30);
	save(&young, "young.pem", "young.key", NULL);
	struct identity locked = identify("locked.test", NULL, &ca, false, -1, 30);
	save(&locked, "locked.pem", "locked.key", "secret");
	FILE *f = fopen(file("text.pem"), "we");
	fputs("this is no PEM file\n", f);
	fclose(f);
	forget(&ca), forget(&other), forget(&old), forget(&young), forget(&locked);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static int
remove_certificates(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

/* --- the server's end: a stream and its owner --------------------------------------------------- */

struct end {
	struct stream stream;
	struct loop *loop;
	unsigned char *got;
	size_t got_len, eat_max; /* eat_max 0: eats all */
	size_t pause_at;         /* stops reading when so many bytes have come */
	int eof, failed, room, data;
	bool pause_each_time, closes_at_once;
	struct loop_task task;
};

static unsigned char
byte_at(size_t i)
{
	return (unsigned char)(i * 31 + i / 251);
}

static void
resume(void *owner)
{
	struct end *e = owner;
	stream_want_read(&e->stream, true);
}

static void
take(struct end *e)
{
	struct span in = stream_input(&e->stream);
	size_t n = e->eat_max == 0 || in.len < e->eat_max || stream_input_is_full(&e->stream) ? in.len : e->eat_max;
	assert_true(e->got_len + n <= 2 * MUCH);
	if (n > 0)
		memcpy(e->got + e->got_len, in.data, n);
	e->got_len += n;
	stream_eat(&e->stream, n);
}

static void
on_event(void *owner, enum stream_event event)
{
	struct end *e = owner;
	assert_false(e->stream.closed);
	switch (event) {
	case STREAM_DATA:
		assert_true(e->stream.wants_read);
		assert_int_equal(e->eof, 0);
		e->data++;
		take(e);
		if (e->closes_at_once)
			stream_close(&e->stream);
		else if (e->pause_each_time || (e->pause_at > 0 && e->got_len >= e->pause_at))
			stream_want_read(&e->stream, false);
		if (e->pause_each_time)
			loop_defer(e->loop, &e->task, resume, e);
		break;
	case STREAM_ROOM:
		e->room++;
		break;
	case STREAM_EOF:
		e->eof++;
		e->eat_max = 0;
		take(e);
		break;
	case STREAM_FAILED:
		e->failed++;
		break;
	}
}

/* --- the client --------------------------------------------------------------------------------- */

enum client_end { STILL_THERE, GOODBYE, CUT, BROKEN };

struct client {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	unsigned char *got;
	size_t got_len, sent, to_send;
	size_t read_max, write_max; /* bytes of one call */
	size_t budget;              /* bytes to read at each turn; 0: does not read */
	enum client_end end;
	int alert; /* of the server, that ended it */
	bool open;
};

static bool
moved(struct client *c, int n)
{
	if (n > 0)
		return true;
	int error = errno, why = SSL_get_error(c->ssl, n);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return false;
	unsigned long code = ERR_peek_error();
	c->alert = ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET ? ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET : 0;
	if (why == SSL_ERROR_ZERO_RETURN)
		c->end = GOODBYE;
	else if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING || (why == SSL_ERROR_SYSCALL && error != 0))
		c->end = CUT;
	else
		c->end = BROKEN;
	return false;
}

static void
client_write(struct client *c)
{
	unsigned char block[65536];
	while (c->sent < c->to_send && c->end == STILL_THERE) {
		size_t n = c->to_send - c->sent < c->write_max ? c->to_send - c->sent : c->write_max;
		for (size_t i = 0; i < n; i++)
			block[i] = byte_at(c->sent + i);
		ERR_clear_error();
		int m = SSL_write(c->ssl, block, (int)n);
		if (!moved(c, m))
			return;
		c->sent += (size_t)m;
	}
}

static void
client_read(struct client *c)
{
	size_t left = c->budget;
	while (left > 0 && c->end == STILL_THERE) {
		size_t n = left < c->read_max ? left : c->read_max;
		assert_true(c->got_len + n <= 2 * MUCH + 65536);
		ERR_clear_error();
		errno = 0;
		int m = SSL_read(c->ssl, c->got + c->got_len, (int)n);
		if (!moved(c, m))
			return;
		c->got_len += (size_t)m;
		left -= (size_t)m;
	}
}

static void
client_turn(struct client *c)
{
	if (c->end != STILL_THERE || c->fd == -1)
		return;
	ERR_clear_error();
	errno = 0;
	if (!c->open)
		c->open = moved(c, SSL_do_handshake(c->ssl));
	if (!c->open)
		return;
	client_write(c);
	client_read(c);
}

static struct client *
client_new(int fd, int version)
{
	struct client *c = calloc(1, sizeof(*c));
	c->fd = fd;
	c->got = malloc(2 * MUCH + 65536);
	c->read_max = c->write_max = 16384;
	c->budget = SIZE_MAX;
	c->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(c->ctx, version);
	SSL_CTX_set_max_proto_version(c->ctx, version);
	SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	assert_int_equal(SSL_CTX_load_verify_file(c->ctx, file("ca.pem")), 1);
	c->ssl = SSL_new(c->ctx);
	SSL_set_fd(c->ssl, fd);
	SSL_set_connect_state(c->ssl);
	return c;
}

static void
client_hang_up(struct client *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

static void
client_free(struct client *c)
{
	client_hang_up(c);
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	free(c->got);
	free(c);
}

/* --- the two of them ---------------------------------------------------------------------------- */

struct pair {
	struct loop *loop;
	struct tls_context *context;
	struct end server;
	struct client *client;
};

static void
no_fault(void *owner, const struct tls_fault *fault)
{
	(void)owner;
	fail_msg("part %d, %zu: %s", fault->part, fault->index, fault->what);
}

static struct tls_context *
context_of(const struct tls_options *more)
{
	struct tls_certificate certificates[] = {
		{ strdup(file("one.pem")), strdup(file("one.key")) },
		{ strdup(file("two.pem")), strdup(file("two.key")) },
	};
	struct tls_options opt = more == NULL ? (struct tls_options){ .self_signed = false } : *more;
	opt.certificates = certificates;
	opt.certificate_count = 2;
	struct tls_context *context = tls_context_new(&opt, no_fault, NULL);
	assert_non_null(context);
	for (size_t i = 0; i < 2; i++)
		free((void *)(uintptr_t)certificates[i].certificate), free((void *)(uintptr_t)certificates[i].key);
	return context;
}

static void
connect_tcp(int fd[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd[1], (struct sockaddr *)&a, sizeof(a)), 0);
	fd[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_int_not_equal(fd[0], -1);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	close(listener);
	int size = 20000; /* takes parts of records, too; a unix socket takes all or nothing */
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static struct pair *
begin_on(const int fd[2], int version, const struct tls_options *opt)
{
	struct pair *p = calloc(1, sizeof(*p));
	p->loop = loop_new();
	p->context = context_of(opt);
	p->server.loop = p->loop;
	p->server.got = malloc(2 * MUCH);
	stream_init_socket(&p->server.stream, p->loop, fd[0], on_event, &p->server);
	assert_int_equal(stream_expect_tls(&p->server.stream, p->context), 0);
	tls_context_release(p->context); /* the stream has its own */
	stream_want_read(&p->server.stream, true);
	p->client = client_new(fd[1], version);
	return p;
}

static struct pair *
begin(int version, const struct tls_options *opt, bool tcp)
{
	int fd[2];
	if (tcp)
		connect_tcp(fd);
	else
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	return begin_on(fd, version, opt);
}

static void
end(struct pair *p)
{
	stream_close(&p->server.stream);
	stream_close(&p->server.stream); /* twice is once */
	loop_defer_cancel(p->loop, &p->server.task);
	client_free(p->client);
	free(p->server.got);
	loop_free(p->loop);
	free(p);
}

static void
turn(struct pair *p)
{
	ev_run(loop_ev(p->loop), EVRUN_NOWAIT);
	client_turn(p->client);
}

#define UNTIL(p, condition)                                                                                                        \
	for (double since_ = ev_time(); !(condition); turn(p))                                                                     \
		if (ev_time() > since_ + PATIENCE_S)                                                                               \
	fail_msg("never: %s", #condition)

static struct pair *
connected(int version, const struct tls_options *opt, bool tcp)
{
	struct pair *p = begin(version, opt, tcp);
	UNTIL(p, p->client->open && stream_tls(&p->server.stream) != NULL && tls_is_open(stream_tls(&p->server.stream)));
	return p;
}

static void
server_writes(struct pair *p, size_t len)
{
	unsigned char block[10007];
	for (size_t i = 0; i < len;) {
		size_t n = len - i < sizeof(block) ? len - i : sizeof(block);
		for (size_t k = 0; k < n; k++)
			block[k] = byte_at(i + k);
		assert_int_equal(stream_write(&p->server.stream, block, n), 0);
		i += n;
	}
}

static void
assert_bytes(const unsigned char *got, size_t got_len, size_t len)
{
	assert_int_equal(got_len, len);
	for (size_t i = 0; i < len; i++)
		if (got[i] != byte_at(i))
			fail_msg("byte %zu of %zu is wrong", i, len);
}

static void
ring(void *owner)
{
	(void)owner;
}

/* So often a loop wakes that spins; one at rest does twice, and now and then for bytes that come late. */
enum { MANY_WAKES = 200 };

/* How often the loop wakes in about 100 ms in which nobody moves. */
static unsigned
wakes(struct pair *p)
{
	struct loop_timer bell;
	unsigned before = ev_iteration(loop_ev(p->loop));
	loop_timer_init(&bell, p->loop, ring, NULL);
	for (double start = ev_time(); ev_time() - start < 0.1;) {
		loop_timer_set(&bell, 50);
		ev_run(loop_ev(p->loop), EVRUN_ONCE);
		loop_timer_stop(&bell);
	}
	return ev_iteration(loop_ev(p->loop)) - before;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* --- bytes -------------------------------------------------------------------------------------- */

static void
megabytes_pass_both_ways_at_once(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct pair *p = begin(versions[v], NULL, v == 0);
		p->client->to_send = MUCH;
		p->client->write_max = 7001;
		p->client->read_max = 1013; /* tiny reads */
		UNTIL(p, p->server.got_len > 0);
		server_writes(p, MUCH);
		assert_true(stream_queued(&p->server.stream) > 0); /* far ahead */
		UNTIL(p, p->server.got_len == MUCH && p->client->got_len == MUCH);
		assert_bytes(p->server.got, p->server.got_len, MUCH);
		assert_bytes(p->client->got, p->client->got_len, MUCH);
		assert_int_equal(p->server.stream.sent, MUCH);
		assert_true(p->server.room > 0);
		assert_int_equal(stream_queued(&p->server.stream), 0);
		assert_int_equal(p->server.eof + p->server.failed, 0);
		assert_null(p->server.stream.kept.block);
		end(p);
	}
}

static void
records_of_one_byte_and_reads_of_one_byte_are_the_same_bytes(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct pair *p = begin(versions[v], NULL, false);
		p->client->to_send = 20000;
		p->client->write_max = p->client->read_max = 1;
		p->server.eat_max = 3;
		UNTIL(p, p->server.got_len > 0);
		for (size_t i = 0; i < 5000; i++) {
			unsigned char c = byte_at(i);
			assert_int_equal(stream_write(&p->server.stream, &c, 1), 0);
		}
		UNTIL(p, p->client->got_len == 5000 && p->client->sent == 20000);
		p->server.eat_max = 0;
		UNTIL(p, p->server.got_len + buf_len(&p->server.stream.kept) == 20000);
		stream_want_read(&p->server.stream, false);
		stream_want_read(&p->server.stream, true);
		UNTIL(p, p->server.got_len == 20000);
		assert_bytes(p->server.got, p->server.got_len, 20000);
		assert_bytes(p->client->got, p->client->got_len, 5000);
		end(p);
	}
}

static void
a_slow_reader_gets_all_and_the_queue_is_what_it_did_not_take(void **state)
{
	(void)state;
	struct pair *p = connected(TLS1_3_VERSION, NULL, false);
	p->client->budget = 0;
	server_writes(p, MUCH);
	for (int i = 0; i < 100; i++)
		turn(p);
	size_t queued = stream_queued(&p->server.stream);
	assert_true(queued > MUCH / 2);
	p->client->budget = 5000;
	UNTIL(p, p->client->got_len > MUCH / 4);
	assert_true(stream_queued(&p->server.stream) < queued);
	stream_finish(&p->server.stream);
	assert_int_equal(stream_write(&p->server.stream, "late", 4), -1);
	UNTIL(p, p->client->end != STILL_THERE);
	assert_int_equal(p->client->end, GOODBYE);
	assert_bytes(p->client->got, p->client->got_len, MUCH);
	end(p);
}

static void
many_slices_leave_in_one_record(void **state)
{
	(void)state;
	struct pair *p = connected(TLS1_3_VERSION, NULL, false);
	struct gather *g = loop_gather(p->loop);
	unsigned char *source = malloc(MUCH);
	for (size_t i = 0; i < MUCH; i++)
		source[i] = byte_at(i);
	size_t sizes[] = { 1, 3000, 7, 65536, 900, 20000, 2 }, sent = 0;
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			gather_add(g, source + sent, sizes[i]);
			sent += sizes[i];
		}
		assert_int_equal(stream_send(&p->server.stream, g), 0);
		assert_true(gather_is_empty(g));
	}
	UNTIL(p, p->client->got_len == sent);
	assert_bytes(p->client->got, p->client->got_len, sent);
	p->client->got_len = 0;
	for (size_t i = 0; i < 10; i++)
		gather_add(g, source + i * 10, 10);
	assert_int_equal(stream_send(&p->server.stream, g), 0);
	p->client->budget = 1;
	turn(p);
	assert_int_equal(SSL_pending(p->client->ssl), 99); /* one record had all of it */
	free(source);
	end(p);
}

static void
the_records_of_one_turn_leave_in_one_call(void **state)
{
	(void)state;
	static unsigned char packet[100000];
	int fd[2]; /* what is sent by one call is received by one */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	struct pair *p = begin_on(fd, TLS1_3_VERSION, NULL);
	SSL_set_read_ahead(p->client->ssl, 1);
	p->client->to_send = 1;
	UNTIL(p, p->server.got_len == 1);
	assert_int_equal(recv(fd[1], packet, sizeof(packet), 0), -1); /* the handshake is over, tickets included */
	memset(packet, 'x', 60000);
	assert_int_equal(stream_write(&p->server.stream, packet, 60000), 0);
	assert_int_equal(recv(fd[1], packet, sizeof(packet), 0), 60000 + 4 * 22);
	end(p);
}

/* --- pauses ------------------------------------------------------------------------------------- */

static void
a_paused_reader_resumes_with_what_libssl_holds_though_the_socket_is_silent(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct pair *p = connected(versions[v], NULL, false);
		p->server.pause_at = 1;
		p->client->to_send = 150000; /* more than one read, in one go */
		p->client->write_max = 16384;
		UNTIL(p, p->server.got_len > 0);
		UNTIL(p, p->client->sent == p->client->to_send);
		for (int i = 0; i < 100; i++)
			turn(p);
		size_t first = p->server.got_len;
		assert_true(first <= LOOP_SCRATCH); /* a pause is a pause */
		assert_true(wakes(p) < MANY_WAKES);
		p->server.pause_at = 0;
		stream_want_read(&p->server.stream, true);
		UNTIL(p, p->server.got_len == 150000);
		assert_bytes(p->server.got, p->server.got_len, 150000);
		end(p);
	}
}

static void
a_reader_that_pauses_and_eats_little_each_time_gets_all(void **state)
{
	(void)state;
	struct pair *p = connected(TLS1_3_VERSION, NULL, false);
	p->server.pause_each_time = true;
	p->server.eat_max = 997;
	p->client->to_send = 300000;
	UNTIL(p, p->server.got_len == 300000);
	assert_bytes(p->server.got, p->server.got_len, 300000);
	assert_null(p->server.stream.kept.block);
	end(p);
}

static void
an_end_that_libssl_has_read_already_is_told_after_a_pause(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct pair *p = connected(versions[v], NULL, false);
		p->server.pause_at = 1;
		p->client->to_send = 10;
		client_write(p->client);
		assert_int_equal(SSL_shutdown(p->client->ssl), 0); /* close_notify; the socket stays open */
		UNTIL(p, p->server.got_len == 10);
		for (int i = 0; i < 10; i++)
			turn(p);
		assert_int_equal(p->server.eof, 0);
		stream_want_read(&p->server.stream, true);
		UNTIL(p, p->server.eof == 1);
		assert_int_equal(stream_errno(&p->server.stream), 0);
		assert_true(wakes(p) < MANY_WAKES);
		end(p);
	}
}

static void
nothing_comes_after_a_close_in_the_callback(void **state)
{
	(void)state;
	struct pair *p = connected(TLS1_3_VERSION, NULL, false);
	p->server.closes_at_once = true;
	p->client->to_send = 200000;
	p->client->budget = 0;
	for (int i = 0; i < 100; i++)
		turn(p);
	assert_int_equal(p->server.data, 1);
	end(p);
}

/* --- crossings ---------------------------------------------------------------------------------- */

static void
what_is_written_before_the_client_speaks_waits_for_the_handshake(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++)
		for (int reads = 0; reads < 2; reads++) {
			struct pair *p = begin(versions[v], NULL, false);
			stream_want_read(&p->server.stream, reads == 1); /* the handshake needs no reading owner */
			server_writes(p, 100000);
			assert_int_equal(stream_queued(&p->server.stream), 100000);
			UNTIL(p, p->client->got_len == 100000);
			assert_bytes(p->client->got, p->client->got_len, 100000);
			assert_int_equal(p->server.failed + p->server.eof, 0);
			assert_true(wakes(p) < MANY_WAKES);
			end(p);
		}
}

static void
a_client_that_hangs_up_before_it_speaks_fails_what_waits(void **state)
{
	(void)state;
	struct pair *p = begin(TLS1_3_VERSION, NULL, false);
	stream_want_read(&p->server.stream, false);
	assert_int_equal(stream_write(&p->server.stream, "hello", 5), 0);
	client_hang_up(p->client);
	UNTIL(p, p->server.failed == 1);
	assert_int_equal(stream_errno(&p->server.stream), EPIPE);
	assert_true(wakes(p) < MANY_WAKES);
	end(p);
}

static void
new_keys_that_are_asked_for_while_the_client_does_not_read_cost_no_spinning_and_no_byte(void **state)
{
	(void)state;
	enum { ROUNDS = 4 };
	struct pair *p = connected(TLS1_3_VERSION, NULL, true);
	p->client->budget = 0;
	server_writes(p, MUCH);
	for (size_t i = 1; i <= ROUNDS; i++) {
		assert_int_equal(SSL_key_update(p->client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(p->client->ssl), 1);
		p->client->to_send += 1000;
		for (int k = 0; k < 10; k++)
			turn(p);
		assert_true(wakes(p) < MANY_WAKES);
		uint64_t sent = p->server.stream.sent;
		p->client->budget = 10000; /* until something moves: the old record, and the new key of the server */
		UNTIL(p, p->server.stream.sent > sent);
		p->client->budget = 0;
		p->client->to_send += 1000;
		turn(p);
		assert_true(wakes(p) < MANY_WAKES);
		assert_int_equal(p->server.eof + p->server.failed, 0);
	}
	p->client->budget = SIZE_MAX;
	UNTIL(p, p->client->got_len == MUCH && p->server.got_len == ROUNDS * 2000);
	assert_bytes(p->client->got, p->client->got_len, MUCH);
	assert_bytes(p->server.got, p->server.got_len, ROUNDS * 2000);
	end(p);
}

/* Until the kernel would take no byte more, though it took all that there were. Returns how many. */
static size_t
fill_socket(struct pair *p)
{
	int fd = p->server.stream.out, size = 4608, full = 0;
	socklen_t len = sizeof(size);
	size_t sent = 0;
	UNTIL(p, ioctl(fd, SIOCOUTQ, &full) == 0 && full == 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len);
	while (ioctl(fd, SIOCOUTQ, &full) == 0 && full < size) {
		unsigned char c = byte_at(sent++);
		assert_int_equal(stream_write(&p->server.stream, &c, 1), 0);
		assert_int_equal(stream_queued(&p->server.stream), 0);
	}
	return sent;
}

static void
a_new_key_that_cannot_be_sent_holds_up_no_reading_and_does_not_spin(void **state)
{
	(void)state;
	struct pair *p = connected(TLS1_3_VERSION, NULL, false);
	size_t sent = fill_socket(p);
	p->client->budget = 0;
	assert_int_equal(SSL_key_update(p->client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_do_handshake(p->client->ssl), 1);
	turn(p);
	unsigned char c = byte_at(sent);
	assert_int_equal(stream_write(&p->server.stream, &c, 1), 0); /* the new key goes first, and cannot */
	assert_true(stream_sealed(&p->server.stream) > 0);
	p->client->to_send = 1000;
	UNTIL(p, p->server.got_len == 1000);
	assert_true(stream_sealed(&p->server.stream) > 0);
	assert_true(wakes(p) < MANY_WAKES);
	stream_want_read(&p->server.stream, false);
	assert_true(wakes(p) < MANY_WAKES);
	p->client->budget = SIZE_MAX;
	UNTIL(p, p->client->got_len == sent + 1);
	assert_bytes(p->server.got, p->server.got_len, 1000);
	assert_bytes(p->client->got, p->client->got_len, sent + 1);
	assert_int_equal(stream_queued(&p->server.stream), 0);
	end(p);
}

/* Makes records of TLS 1.2 that no libssl would send (RFC 5246 6.3, RFC 5288 3). */
struct forger {
	unsigned char key[16], salt[4];
	uint64_t sequence;
};

static void
learn_to_forge(struct forger *f, SSL *ssl)
{
	unsigned char master[48], seed[13 + 64] = "key expansion", block[40];
	SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
	SSL_get_server_random(ssl, seed + 13, 32);
	SSL_get_client_random(ssl, seed + 45, 32);
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_octet_string("secret", master, sizeof(master)),
		OSSL_PARAM_construct_octet_string("seed", seed, sizeof(seed)), OSSL_PARAM_construct_end() };
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	assert_int_equal(EVP_KDF_derive(ctx, block, sizeof(block), params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	memcpy(f->key, block, 16);
	memcpy(f->salt, block + 32, 4);
	f->sequence = 1; /* Finished was the first */
}

/* The record of a ClientHello's beginning, which is enough to be refused. */
enum { FORGED = 5 + 8 + 4 + 16 };
static void
forge_client_hello(struct forger *f, unsigned char record[static FORGED])
{
	static const unsigned char hello[4] = { 1, 0, 0, 0 };
	unsigned char nonce[12], aad[13] = { 0, 0, 0, 0, 0, 0, 0, 0, 22, 3, 3, 0, sizeof(hello) };
	int len;
	memcpy(record, (unsigned char[]){ 22, 3, 3, 0, FORGED - 5 }, 5);
	for (int i = 0; i < 8; i++)
		aad[i] = record[5 + i] = (unsigned char)(f->sequence >> (56 - 8 * i));
	f->sequence++;
	memcpy(nonce, f->salt, 4);
	memcpy(nonce + 4, record + 5, 8);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, f->key, nonce);
	EVP_EncryptUpdate(ctx, NULL, &len, aad, sizeof(aad));
	EVP_EncryptUpdate(ctx, record + 13, &len, hello, sizeof(hello));
	EVP_EncryptFinal_ex(ctx, record + 17, &len);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, record + 17), 1);
	EVP_CIPHER_CTX_free(ctx);
}

static void
who_wants_to_renegotiate_without_end_and_does_not_read_is_not_read(void **state)
{
	(void)state;
	enum { BATCH = 1000, MOST = 60 };
	static unsigned char records[BATCH * FORGED], answers[65536];
	struct forger forger;
	struct pair *p = begin(TLS1_2_VERSION, NULL, false);
	SSL_set_cipher_list(p->client->ssl, "ECDHE-ECDSA-AES128-GCM-SHA256");
	UNTIL(p, p->client->open && stream_tls(&p->server.stream) != NULL && tls_is_open(stream_tls(&p->server.stream)));
	p->client->budget = 0;
	learn_to_forge(&forger, p->client->ssl);
	size_t sent = 0, total = 0, sealed = 0;
	for (int turns = 0; turns < 50 && total < MOST * sizeof(records); turns++) {
		for (size_t i = 0; sent == 0 && i < BATCH; i++)
			forge_client_hello(&forger, records + i * FORGED);
		ssize_t n = send(p->client->fd, records + sent, sizeof(records) - sent, MSG_DONTWAIT);
		if (n > 0) {
			sent = (sent + (size_t)n) % sizeof(records);
			total += (size_t)n;
			turns = 0;
		}
		turn(p);
		sealed = stream_sealed(&p->server.stream) > sealed ? stream_sealed(&p->server.stream) : sealed;
	}
	assert_true(total < MOST * sizeof(records)); /* it stopped listening */
	assert_true(sealed > 0 && sealed < 300000);
	assert_true(wakes(p) < MANY_WAKES);
	while (recv(p->client->fd, answers, sizeof(answers), MSG_DONTWAIT) > 0)
		turn(p);
	assert_int_equal(stream_sealed(&p->server.stream), 0); /* and goes on */
	assert_int_equal(p->server.eof + p->server.failed, 0);
	end(p);
}

static void
an_urgent_frame_overtakes_at_a_boundary_while_a_record_waits_to_be_sent(void **state)
{
	(void)state;
	struct pair *p = connected(TLS1_3_VERSION, NULL, true);
	static unsigned char block[500000];
	memset(block, 'x', sizeof(block));
	p->client->budget = 0;
	assert_int_equal(stream_write(&p->server.stream, block, sizeof(block)), 0); /* partly in the kernel */
	assert_true(stream_queued(&p->server.stream) > 0 && stream_queued(&p->server.stream) < sizeof(block));
	assert_int_equal(stream_write(&p->server.stream, "second", 6), 0);
	assert_int_equal(stream_overtake(&p->server.stream, "PING1", 5), 0);
	assert_int_equal(stream_overtake(&p->server.stream, "PING2", 5), 0);
	assert_int_equal(stream_write(&p->server.stream, "third", 5), 0);
	p->client->budget = SIZE_MAX;
	UNTIL(p, p->client->got_len == sizeof(block) + 21);
	assert_memory_equal(p->client->got, block, sizeof(block));
	assert_memory_equal(p->client->got + sizeof(block), "PING1PING2secondthird", 21);
	end(p);
}

static void
an_urgent_frame_goes_behind_a_record_of_which_nothing_has_left(void **state)
{
	(void)state;
	struct pair *p = connected(TLS1_3_VERSION, NULL, false);
	size_t sent = fill_socket(p);
	assert_int_equal(stream_write(&p->server.stream, "first", 5), 0);
	assert_true(stream_sealed(&p->server.stream) > 5);
	assert_int_equal(stream_moved_ms(&p->server.stream), loop_now_ms(p->loop)); /* since now it waits */
	assert_int_equal(stream_write(&p->server.stream, "second", 6), 0);
	assert_int_equal(stream_overtake(&p->server.stream, "PING", 4), 0);
	UNTIL(p, p->client->got_len == sent + 15);
	assert_memory_equal(p->client->got + sent, "firstPINGsecond", 15);
	end(p);
}

static void
an_urgent_frame_waits_for_one_frame_not_for_the_whole_queue(void **state)
{
	(void)state;
	enum { PIECE = 9000, PIECES = 300, ROUNDS = 10 };
	struct pair *p = connected(TLS1_3_VERSION, NULL, true);
	static unsigned char piece[PIECE];
	p->client->budget = 0;
	for (int i = 0; i < PIECES; i++) {
		memset(piece, 'a' + i % 26, sizeof(piece));
		assert_int_equal(stream_write(&p->server.stream, piece, sizeof(piece)), 0);
	}
	size_t urgent = 0;
	while (urgent < ROUNDS && stream_queued(&p->server.stream) > 10 * PIECE) {
		uint64_t sent = p->server.stream.sent;
		p->client->budget = 10007;
		UNTIL(p, p->server.stream.sent > sent); /* and is stuck again */
		p->client->budget = 0;
		assert_int_equal(stream_overtake(&p->server.stream, "!", 1), 0);
		sent = p->server.stream.sent;
		size_t seen = p->client->got_len;
		const unsigned char *at = NULL;
		p->client->budget = 10007;
		UNTIL(p, (at = memchr(p->client->got + seen, '!', p->client->got_len - seen)) != NULL);
		size_t position = (size_t)(at - p->client->got);
		assert_int_equal((position - urgent) % PIECE, 0);
		assert_true(position >= sent && position < sent + PIECE);
		urgent++;
	}
	assert_true(urgent > 2);
	p->client->budget = SIZE_MAX;
	UNTIL(p, p->client->got_len == PIECES * PIECE + urgent);
	size_t at = 0;
	for (size_t i = 0; i < p->client->got_len; i++)
		if (p->client->got[i] != '!')
			assert_int_equal(p->client->got[i], 'a' + (at++ / PIECE) % 26);
	end(p);
}

/* --- ends --------------------------------------------------------------------------------------- */

static void
the_client_sees_close_notify_behind_the_last_byte_and_may_go_on(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct pair *p = connected(versions[v], NULL, true);
		server_writes(p, 500000);
		stream_finish(&p->server.stream);
		UNTIL(p, p->client->end != STILL_THERE);
		assert_int_equal(p->client->end, GOODBYE);
		assert_bytes(p->client->got, p->client->got_len, 500000);
		assert_true(stream_is_finished(&p->server.stream));
		p->client->end = STILL_THERE; /* its own side is open still */
		p->client->to_send = 1000;
		client_write(p->client);
		assert_int_equal(p->client->sent, 1000);
		client_hang_up(p->client);
		UNTIL(p, p->server.eof == 1);
		assert_bytes(p->server.got, p->server.got_len, 1000);
		assert_int_equal(p->server.failed, 0);
		end(p);
	}
}

static void
a_goodbye_that_finds_the_socket_full_is_said_when_it_is_not(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct pair *p = connected(versions[v], NULL, false);
		size_t sent = fill_socket(p);
		stream_finish(&p->server.stream);
		assert_false(stream_is_finished(&p->server.stream));
		assert_true(wakes(p) < MANY_WAKES);
		UNTIL(p, p->client->end != STILL_THERE);
		assert_int_equal(p->client->end, GOODBYE);
		assert_bytes(p->client->got, p->client->got_len, sent);
		assert_true(stream_is_finished(&p->server.stream));
		end(p);
	}
}

static void
a_close_says_goodbye_if_it_owes_nothing_and_does_not_if_it_does(void **state)
{
	(void)state;
	struct pair *p = connected(TLS1_3_VERSION, NULL, false);
	assert_int_equal(stream_write(&p->server.stream, "bye", 3), 0);
	stream_close(&p->server.stream);
	UNTIL(p, p->client->end != STILL_THERE);
	assert_int_equal(p->client->end, GOODBYE);
	assert_memory_equal(p->client->got, "bye", 3);
	end(p);

	p = connected(TLS1_3_VERSION, NULL, false);
	p->client->budget = 0;
	server_writes(p, MUCH);
	stream_close(&p->server.stream);
	p->client->budget = SIZE_MAX;
	UNTIL(p, p->client->end != STILL_THERE);
	assert_int_equal(p->client->end, CUT); /* the client must not take it for the whole */
	end(p);
}

static void
a_client_that_is_cut_off_has_its_bytes_read_and_one_end(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++)
		for (int in_a_record = 0; in_a_record < 2; in_a_record++) {
			struct pair *p = connected(versions[v], NULL, false);
			p->client->to_send = 100000;
			UNTIL(p, p->client->sent == 100000);
			if (in_a_record)
				assert_int_equal(send(p->client->fd, "\x17\x03\x03\x40", 4, 0), 4);
			client_hang_up(p->client);
			UNTIL(p, p->server.eof == 1);
			assert_bytes(p->server.got, p->server.got_len, 100000);
			for (int i = 0; i < 10; i++)
				turn(p);
			assert_int_equal(p->server.eof, 1);
			end(p);
		}
}

static void
garbage_in_the_middle_ends_the_input_with_a_fault_behind_what_came_before(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct pair *p = connected(versions[v], NULL, false);
		p->client->to_send = 1000;
		client_write(p->client);
		assert_int_equal(send(p->client->fd, "\x17\x03\x03\x00\x20no record that anybody has made..", 37, 0), 37);
		UNTIL(p, p->server.eof == 1);
		assert_bytes(p->server.got, p->server.got_len, 1000);
		assert_int_equal(stream_errno(&p->server.stream), EPROTO);
		assert_string_not_equal(tls_failure(stream_tls(&p->server.stream)), "");
		UNTIL(p, p->client->end != STILL_THERE);
		assert_int_equal(p->client->alert, SSL_AD_BAD_RECORD_MAC);
		assert_int_equal(stream_write(&p->server.stream, "x", 1), -1);
		end(p);
	}
}

static void
a_write_to_a_client_that_is_gone_fails_and_what_it_had_sent_is_still_read(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct pair *p = connected(versions[v], NULL, true);
		stream_want_read(&p->server.stream, false);
		p->client->to_send = 20000;
		client_write(p->client);
		assert_int_equal(p->client->sent, 20000);
		int queued = 1; /* all of it has arrived */
		while (queued != 0)
			assert_int_equal(ioctl(p->client->fd, SIOCOUTQ, &queued), 0);
		client_hang_up(p->client);
		while (p->server.failed == 0) {
			stream_write(&p->server.stream, "x", 1);
			turn(p);
		}
		stream_want_read(&p->server.stream, true);
		UNTIL(p, p->server.eof == 1);
		assert_bytes(p->server.got, p->server.got_len, 20000);
		assert_int_equal(p->server.failed, 1);
		end(p);
	}
}

/* --- who may speak ------------------------------------------------------------------------------ */

static void
plain_http_is_recognised_and_answered_plainly(void **state)
{
	(void)state;
	struct pair *p = begin(TLS1_3_VERSION, NULL, false);
	int fd = p->client->fd;
	p->client->end = CUT; /* its libssl has no part in this */
	assert_int_equal(send(fd, "GET / HTTP/1.1\r\n", 16, 0), 16);
	UNTIL(p, p->server.got_len == 16);
	assert_true(stream_is_plain_by_mistake(&p->server.stream));
	assert_null(stream_tls(&p->server.stream));
	assert_memory_equal(p->server.got, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(stream_write(&p->server.stream, "HTTP/1.1 308\r\n", 14), 0);
	char answer[32];
	assert_int_equal(recv(fd, answer, sizeof(answer), 0), 14);
	end(p);
}

static void
a_client_that_says_nothing_is_nobodys_mistake(void **state)
{
	(void)state;
	struct pair *p = begin(TLS1_3_VERSION, NULL, false);
	client_hang_up(p->client);
	UNTIL(p, p->server.eof == 1);
	assert_false(stream_is_plain_by_mistake(&p->server.stream));
	end(p);
}

/* The handshake's outcome on both sides. */
static struct pair *
shake(struct pair *p)
{
	UNTIL(p, p->client->end != STILL_THERE || p->server.eof > 0 ||
			 (p->client->open && stream_tls(&p->server.stream) != NULL && tls_is_open(stream_tls(&p->server.stream))));
	for (int i = 0; i < 10; i++)
		turn(p);
	return p;
}

static void
assert_refused(struct pair *p, int alert)
{
	shake(p);
	assert_int_equal(p->server.eof, 1);
	assert_int_equal(stream_errno(&p->server.stream), EPROTO);
	assert_string_not_equal(tls_failure(stream_tls(&p->server.stream)), "");
	assert_int_equal(p->client->end, BROKEN);
	assert_int_equal(p->client->alert, alert);
	assert_true(wakes(p) < MANY_WAKES);
	end(p);
}

static void
versions_and_ciphers_are_known_by_name(void **state)
{
	(void)state;
	struct pair *p = connected(TLS1_2_VERSION, NULL, false);
	assert_string_equal(tls_version(stream_tls(&p->server.stream)), "TLSv1.2");
	assert_non_null(strstr(tls_cipher(stream_tls(&p->server.stream)), "ECDHE-ECDSA"));
	end(p);
	p = connected(TLS1_3_VERSION, NULL, false);
	assert_string_equal(tls_version(stream_tls(&p->server.stream)), "TLSv1.3");
	assert_non_null(strstr(tls_cipher(stream_tls(&p->server.stream)), "TLS_"));
	end(p);
}

static void
tls_1_1_and_what_min_version_forbids_is_refused(void **state)
{
	(void)state;
	struct pair *p = begin(TLS1_1_VERSION, NULL, false);
	SSL_set_cipher_list(p->client->ssl, "ALL:@SECLEVEL=0");
	assert_refused(p, SSL_AD_PROTOCOL_VERSION);
	p = begin(TLS1_2_VERSION, &(struct tls_options){ .only_13 = true }, false);
	assert_refused(p, SSL_AD_PROTOCOL_VERSION);
	end(shake(begin(TLS1_3_VERSION, &(struct tls_options){ .only_13 = true }, false)));
}

static void
ciphers_without_forward_secrecy_are_refused_unless_they_are_asked_for(void **state)
{
	(void)state;
	static const char *const list = "AES128-GCM-SHA256:AES128-SHA:ECDHE-RSA-AES128-SHA";
	struct pair *p = begin(TLS1_2_VERSION, NULL, false);
	SSL_set_cipher_list(p->client->ssl, list);
	assert_refused(p, SSL_AD_HANDSHAKE_FAILURE);
	p = begin(TLS1_2_VERSION, &(struct tls_options){ .ciphers = "AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256" }, false);
	SSL_set_tlsext_host_name(p->client->ssl, "two.test"); /* its key is RSA */
	SSL_set_cipher_list(p->client->ssl, "DHE-RSA-AES128-GCM-SHA256");
	shake(p);
	assert_true(p->client->open);
	assert_string_equal(tls_cipher(stream_tls(&p->server.stream)), "DHE-RSA-AES128-GCM-SHA256");
	end(p);
	p = begin(TLS1_3_VERSION, &(struct tls_options){ .ciphersuites = "TLS_CHACHA20_POLY1305_SHA256" }, false);
	shake(p);
	assert_string_equal(tls_cipher(stream_tls(&p->server.stream)), "TLS_CHACHA20_POLY1305_SHA256");
	end(p);
}

static void
assert_shown(int version, const char *name, const char *cn)
{
	struct pair *p = begin(version, NULL, false);
	char got[64] = "";
	if (name != NULL)
		SSL_set_tlsext_host_name(p->client->ssl, name);
	shake(p);
	assert_true(p->client->open);
	X509_NAME_get_text_by_NID(
		X509_get_subject_name(SSL_get0_peer_certificate(p->client->ssl)), NID_commonName, got, sizeof(got));
	assert_string_equal(got, cn);
	assert_int_equal(SSL_get_verify_result(p->client->ssl), X509_V_OK);
	end(p);
}

static void
each_name_gets_its_certificate_and_strangers_the_first(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		assert_shown(versions[v], "one.test", "one.test");
		assert_shown(versions[v], "TWO.test", "two.test");
		assert_shown(versions[v], "www.one.test", "one.test");
		assert_shown(versions[v], "two.test.evil.test", "one.test");
		assert_shown(versions[v], "unknown.test", "one.test");
		assert_shown(versions[v], NULL, "one.test");
	}
}

static void
alpn_is_http_1_1_and_a_client_that_wants_only_h2_is_refused(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct pair *p = begin(versions[v], NULL, false);
		const unsigned char *chosen;
		unsigned len;
		SSL_set_alpn_protos(p->client->ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
		shake(p);
		SSL_get0_alpn_selected(p->client->ssl, &chosen, &len);
		assert_int_equal(len, 8);
		assert_memory_equal(chosen, "http/1.1", 8);
		end(p);
		p = begin(versions[v], NULL, false);
		SSL_set_alpn_protos(p->client->ssl, (const unsigned char *)"\x02h2", 3);
		assert_refused(p, SSL_AD_NO_APPLICATION_PROTOCOL);
	}
}

static void
shows(struct pair *p, const char *certificate, const char *key)
{
	assert_int_equal(SSL_use_certificate_file(p->client->ssl, file(certificate), SSL_FILETYPE_PEM), 1);
	assert_int_equal(SSL_use_PrivateKey_file(p->client->ssl, file(key), SSL_FILETYPE_PEM), 1);
}

static void
client_certificates_are_asked_for_and_name_the_client(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		struct tls_options opt = { .client_ca = file("ca.pem") };
		struct pair *p = begin(versions[v], &opt, false);
		char text[128], tiny[8];
		const char *name = v == 0 ? "two.test" : "one.test";
		SSL_set_tlsext_host_name(p->client->ssl, name);
		shows(p, "alice.pem", "alice.key");
		shake(p);
		assert_true(p->client->open);
		tls_client_subject(stream_tls(&p->server.stream), text, sizeof(text));
		assert_string_equal(text, "CN=Alice \\C3\\84 \\+ Bob,O=Test\\, Inc.");
		tls_client_name(stream_tls(&p->server.stream), text, sizeof(text));
		assert_string_equal(text, "Alice \xc3\x84 + Bob");
		tls_client_name(stream_tls(&p->server.stream), tiny, sizeof(tiny));
		assert_string_equal(tiny, ""); /* a part of a name is another name */
		end(p);
		opt.client_ca = file("ca.pem");
		p = begin(versions[v], &opt, false);
		assert_refused(p, v == 0 ? SSL_AD_HANDSHAKE_FAILURE : SSL_AD_CERTIFICATE_REQUIRED);
		opt.client_ca = file("ca.pem");
		p = begin(versions[v], &opt, false);
		shows(p, "mallory.pem", "mallory.key");
		assert_refused(p, SSL_AD_UNKNOWN_CA);
		p = connected(versions[v], NULL, false);
		tls_client_subject(stream_tls(&p->server.stream), text, sizeof(text));
		assert_string_equal(text, "");
		tls_client_name(stream_tls(&p->server.stream), text, sizeof(text));
		assert_string_equal(text, "");
		end(p);
	}
}

/* --- contexts ----------------------------------------------------------------------------------- */

struct heard {
	char text[2048];
	int faults, warnings;
};

static void
hear(void *owner, const struct tls_fault *fault)
{
	struct heard *h = owner;
	size_t len = strlen(h->text);
	fault->is_warning ? h->warnings++ : h->faults++;
	snprintf(h->text + len, sizeof(h->text) - len, "%d %zu %s\n", fault->part, fault->index, fault->what);
}

static void
assert_fault(const char *certificate, const char *key, enum tls_part part, const char *what)
{
	struct tls_certificate c = { file(certificate), key == NULL ? NULL : file(key) };
	struct tls_options opt = { .certificates = &c, .certificate_count = 1 };
	struct heard h = { .faults = 0 };
	assert_null(tls_context_new(&opt, hear, &h));
	char expected[512];
	snprintf(expected, sizeof(expected), "%d 0 %s", part, file(what));
	if (strncmp(h.text, expected, strlen(expected)) != 0)
		fail_msg("expected %s, heard %s", expected, h.text);
	assert_int_equal(h.faults, 1);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
what_is_wrong_with_files_is_told_with_how_to_mend_it(void **state)
{
	(void)state;
	assert_fault("none.pem", "one.key", TLS_CERTIFICATE, "none.pem: No such file or directory");
	assert_fault("one.pem", "none.key", TLS_KEY, "none.key: No such file or directory");
	assert_fault("text.pem", "one.key", TLS_CERTIFICATE, "text.pem: there is no certificate in it (PEM");
	assert_fault("one.key", "one.key", TLS_CERTIFICATE, "one.key: there is no certificate in it (PEM");
	assert_fault("one.pem", "text.pem", TLS_KEY, "text.pem: there is no private key in it (PEM");
	assert_fault("one.pem", NULL, TLS_KEY, "one.pem: there is no private key in it (PEM");
	assert_fault("one.pem", "old.key", TLS_KEY, "old.key is not the key of");
	assert_fault("one.pem", "two.key", TLS_KEY, "two.key is not the key of"); /* of another type */
	assert_fault("locked.pem", "locked.key", TLS_KEY, "locked.key has a passphrase: `openssl pkey");
}

static void
all_faults_are_told_and_those_of_the_rules_once(void **state)
{
	(void)state;
	struct tls_certificate c[] = { { file("one.pem"), file("one.key") }, { file("two.pem"), file("one.key") },
		{ file("none.pem"), file("one.key") } };
	struct tls_options opt = {
		.certificates = c, .certificate_count = 3, .ciphers = "NONSENSE", .client_ca = file("text.pem")
	};
	struct heard h = { .faults = 0 };
	assert_null(tls_context_new(&opt, hear, &h));
	assert_int_equal(h.faults, 4);
	assert_non_null(strstr(h.text, "\"NONSENSE\" names no cipher"));
	assert_non_null(strstr(h.text, "text.pem: there is no certificate of a CA in it"));
	assert_non_null(strstr(h.text, "1 1 /"));
	assert_non_null(strstr(h.text, "0 2 /"));
	opt = (struct tls_options){ .self_signed = true, .ciphersuites = "TLS_NONSENSE" };
	h = (struct heard){ .faults = 0 };
	assert_null(tls_context_new(&opt, hear, &h));
	assert_int_equal(h.faults, 1);
	opt = (struct tls_options){ .certificate_count = 0 };
	h = (struct heard){ .faults = 0 };
	assert_null(tls_context_new(&opt, hear, &h));
	assert_int_equal(h.faults, 1);
}

static void
a_certificate_out_of_its_time_is_a_warning(void **state)
{
	(void)state;
	struct tls_certificate c[] = { { file("old.pem"), file("old.key") }, { file("young.pem"), file("young.key") },
		{ file("both.pem"), NULL } };
	struct tls_options opt = { .certificates = c, .certificate_count = 3 };
	struct heard h = { .faults = 0 };
	struct tls_context *context = tls_context_new(&opt, hear, &h);
	assert_non_null(context);
	assert_int_equal(h.faults, 0);
	assert_int_equal(h.warnings, 2);
	assert_non_null(strstr(h.text, "old.pem has expired"));
	assert_non_null(strstr(h.text, "young.pem is not valid yet"));
	tls_context_release(context);
}

static void
a_self_signed_certificate_is_for_this_machine_and_has_a_fingerprint(void **state)
{
	(void)state;
	struct tls_options opt = { .self_signed = true };
	struct tls_context *context = tls_context_new(&opt, no_fault, NULL), *second = tls_context_new(&opt, no_fault, NULL);
	char a[TLS_FINGERPRINT_MAX], b[TLS_FINGERPRINT_MAX];
	assert_int_equal(strlen(tls_context_fingerprint(context, a)), 95);
	assert_string_not_equal(a, tls_context_fingerprint(second, b));
	int fd[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	struct tls *tls = tls_new(context, fd[0]);
	struct client *c = client_new(fd[1], TLS1_3_VERSION);
	tls_context_release(context);
	tls_context_release(second);
	char byte;
	while (!c->open) {
		assert_int_not_equal(tls_read(tls, &byte, 1), TLS_FAILED);
		client_turn(c);
	}
	X509 *x = SSL_get0_peer_certificate(c->ssl);
	assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "::1", 0), 1);
	assert_int_equal(X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0), 1);
	unsigned char digest[32];
	char hex[4];
	assert_int_equal(X509_digest(x, EVP_sha256(), digest, NULL), 1);
	snprintf(hex, sizeof(hex), "%02X:", digest[0]);
	assert_memory_equal(a, hex, 3);
	client_free(c);
	tls_free(tls);
	close(fd[0]);
}

/* --- memory ------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OTHER_HEAP true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define OTHER_HEAP true
#endif
#endif
#ifndef OTHER_HEAP
#define OTHER_HEAP false
#endif

enum { CROWD = 200 };

static void
be_the_crowd(const int fds[CROWD], int version)
{
	static struct client *clients[CROWD];
	char word;
	for (int i = 0; i < CROWD; i++) {
		clients[i] = client_new(fds[i], version);
		fcntl(fds[i], F_SETFL, 0);
		if (SSL_do_handshake(clients[i]->ssl) != 1 || SSL_write(clients[i]->ssl, "hello", 5) != 5 ||
			SSL_read(clients[i]->ssl, &word, 1) != 1)
			_exit(1);
	}
	while (read(fds[0], &word, 1) > 0) /* until the server is through */
		;
	_exit(0);
}

static void
greet(void *owner, enum stream_event event)
{
	struct stream *s = owner;
	if (event == STREAM_DATA) {
		stream_eat(s, stream_input(s).len);
		stream_write(s, "!", 1);
	}
}

static void
an_idle_connection_costs_little_memory(void **state)
{
	(void)state;
	if (OTHER_HEAP || getenv("VALGRIND_LIB") != NULL)
		skip();
	for (int v = 0; v < 2; v++) {
		static struct stream streams[CROWD];
		int ours[CROWD], theirs[CROWD];
		for (int i = 0; i < CROWD; i++) {
			int fd[2];
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
			ours[i] = fd[0], theirs[i] = fd[1];
		}
		pid_t child = fork();
		if (child == 0) {
			for (int i = 0; i < CROWD; i++)
				close(ours[i]);
			be_the_crowd(theirs, versions[v]);
		}
		for (int i = 0; i < CROWD; i++)
			close(theirs[i]);
		struct loop *loop = loop_new();
		struct tls_context *context = context_of(NULL);
		size_t before = 0, served = 1;
		for (int i = 0; i < CROWD; i++) {
			stream_init_socket(&streams[i], loop, ours[i], greet, &streams[i]);
			assert_int_equal(stream_expect_tls(&streams[i], context), 0);
			stream_want_read(&streams[i], true);
			while (streams[i].sent == 0)
				ev_run(loop_ev(loop), EVRUN_ONCE);
			if (i == 0)
				before = mallinfo2().uordblks; /* what comes once is there */
			else
				served++;
		}
		size_t each = (mallinfo2().uordblks - before) / (served - 1);
		print_message("%s: %zu bytes for each idle connection\n", tls_version(stream_tls(&streams[0])), each);
		assert_true(each < 15 * 1024); /* most of it is libssl's own SSL */
		for (int i = 0; i < CROWD; i++)
			stream_close(&streams[i]);
		tls_context_release(context);
		loop_free(loop);
		int status;
		waitpid(child, &status, 0);
		assert_int_equal(status, 0);
	}
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(megabytes_pass_both_ways_at_once),
		cmocka_unit_test(records_of_one_byte_and_reads_of_one_byte_are_the_same_bytes),
		cmocka_unit_test(a_slow_reader_gets_all_and_the_queue_is_what_it_did_not_take),
		cmocka_unit_test(many_slices_leave_in_one_record),
		cmocka_unit_test(the_records_of_one_turn_leave_in_one_call),
		cmocka_unit_test(a_paused_reader_resumes_with_what_libssl_holds_though_the_socket_is_silent),
		cmocka_unit_test(a_reader_that_pauses_and_eats_little_each_time_gets_all),
		cmocka_unit_test(an_end_that_libssl_has_read_already_is_told_after_a_pause),
		cmocka_unit_test(nothing_comes_after_a_close_in_the_callback),
		cmocka_unit_test(what_is_written_before_the_client_speaks_waits_for_the_handshake),
		cmocka_unit_test(a_client_that_hangs_up_before_it_speaks_fails_what_waits),
		cmocka_unit_test(new_keys_that_are_asked_for_while_the_client_does_not_read_cost_no_spinning_and_no_byte),
		cmocka_unit_test(a_new_key_that_cannot_be_sent_holds_up_no_reading_and_does_not_spin),
		cmocka_unit_test(who_wants_to_renegotiate_without_end_and_does_not_read_is_not_read),
		cmocka_unit_test(an_urgent_frame_overtakes_at_a_boundary_while_a_record_waits_to_be_sent),
		cmocka_unit_test(an_urgent_frame_goes_behind_a_record_of_which_nothing_has_left),
		cmocka_unit_test(an_urgent_frame_waits_for_one_frame_not_for_the_whole_queue),
		cmocka_unit_test(the_client_sees_close_notify_behind_the_last_byte_and_may_go_on),
		cmocka_unit_test(a_goodbye_that_finds_the_socket_full_is_said_when_it_is_not),
		cmocka_unit_test(a_close_says_goodbye_if_it_owes_nothing_and_does_not_if_it_does),
		cmocka_unit_test(a_client_that_is_cut_off_has_its_bytes_read_and_one_end),
		cmocka_unit_test(garbage_in_the_middle_ends_the_input_with_a_fault_behind_what_came_before),
		cmocka_unit_test(a_write_to_a_client_that_is_gone_fails_and_what_it_had_sent_is_still_read),
		cmocka_unit_test(plain_http_is_recognised_and_answered_plainly),
		cmocka_unit_test(a_client_that_says_nothing_is_nobodys_mistake),
		cmocka_unit_test(versions_and_ciphers_are_known_by_name),
		cmocka_unit_test(tls_1_1_and_what_min_version_forbids_is_refused),
		cmocka_unit_test(ciphers_without_forward_secrecy_are_refused_unless_they_are_asked_for),
		cmocka_unit_test(each_name_gets_its_certificate_and_strangers_the_first),
		cmocka_unit_test(alpn_is_http_1_1_and_a_client_that_wants_only_h2_is_refused),
		cmocka_unit_test(client_certificates_are_asked_for_and_name_the_client),
		cmocka_unit_test(what_is_wrong_with_files_is_told_with_how_to_mend_it),
		cmocka_unit_test(all_faults_are_told_and_those_of_the_rules_once),
		cmocka_unit_test(a_certificate_out_of_its_time_is_a_warning),
		cmocka_unit_test(a_self_signed_certificate_is_for_this_machine_and_has_a_fingerprint),
		cmocka_unit_test(an_idle_connection_costs_little_memory),
	};
	return cmocka_run_group_tests_name("io/tls", tests, make_certificates, remove_certificates);
}
