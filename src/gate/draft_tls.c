/*
 * The one idea: certificates and the addresses that they are for are written apart, and make sense
 * together only. What libssl finds wrong with a file is told at the line that named the file.
 */
#include <string.h>

#include "gate/config.h"
#include "gate/draft.h"

#define SSL_LISTEN "127.0.0.1:8443"

static const struct option *
key_of(enum option_scope scope, const char *name)
{
	return options_find_key(scope, slice_of(name));
}

/* The places where keys of a section may stand, nearest first; the farther may be missing. */
struct places {
	const struct section *at[2];
};

static struct places
places_of(const struct draft *d, enum option_scope scope)
{
	return (struct places){ { &d->command, draft_find_section(d, scope, NULL) } };
}

/* The setting that counts, the INDEXth of those that do; NULL if nobody has written one. */
static const struct setting *
find_setting(const struct draft *d, const struct option *o, size_t index)
{
	struct places places = places_of(d, o->scope);
	for (size_t i = 0; i < 2; i++) {
		if (places.at[i] == NULL || draft_find(places.at[i], o) == NULL)
			continue;
		for (const struct setting *s = places.at[i]->first; s != NULL; s = s->next)
			if (s->option == o && index-- == 0)
				return s;
		return draft_find(places.at[i], o);
	}
	return NULL;
}

static const struct setting *
find_tls(const struct draft *d, const char *key, size_t index)
{
	return find_setting(d, key_of(OPTION_TLS, key), index);
}

bool
draft_wants_ssl(const struct draft *d)
{
	bool yes = false;
	const struct setting *s = draft_find(&d->command, options_find_flag(slice_of("ssl")));
	return s != NULL && text_bool(slice_of(s->text), &yes) == 0 && yes;
}

/* --- before the snapshot is built ----------------------------------------------------------------- */

void
draft_judge_tls(struct draft *d)
{
	const struct option *listen = key_of(OPTION_SERVER, "listen");
	if (draft_wants_ssl(d) && find_setting(d, listen, 0) == NULL)
		draft_add(d, &d->command, listen, slice_of(SSL_LISTEN), (struct place){ .option = "--ssl" });
}

/* --- the snapshot's part -------------------------------------------------------------------------- */

static bool
has_tls(const struct config *c, bool with_port)
{
	for (size_t i = 0; i < c->listen_count; i++)
		if (c->listen[i].tls && !(with_port && c->listen[i].address.storage.ss_family == AF_UNIX))
			return true;
	return false;
}

static void
refuse_without_effect(struct draft *d, const struct setting *s)
{
	draft_refuse(d, s,
		"it would have no effect, for no address is for TLS: write tls behind one (listen = 0.0.0.0:8443 tls), or give "
		"--ssl");
}

/* Any key of [tls]; but a file whose addresses the command line replaces may keep its own. */
static void
judge_effect(struct draft *d)
{
	struct places places = places_of(d, OPTION_TLS);
	if (draft_find(&d->command, key_of(OPTION_SERVER, "listen")) != NULL)
		places.at[1] = NULL;
	for (size_t i = 0; i < 2; i++)
		for (const struct setting *s = places.at[i] == NULL ? NULL : places.at[i]->first; s != NULL; s = s->next)
			if (s->option->scope == OPTION_TLS && s->option != options_find_flag(slice_of("ssl"))) {
				refuse_without_effect(d, s);
				return;
			}
}

static size_t
count_of(const char *const *list)
{
	size_t count = 0;
	while (list != NULL && list[count] != NULL)
		count++;
	return count;
}

static void
judge_certificates(struct draft *d, const struct config *c)
{
	size_t certificates = count_of(c->tls_rules.certificates), keys = count_of(c->tls_rules.keys);
	const struct setting *ssl = find_setting(d, options_find_flag(slice_of("ssl")), 0);
	if (c->tls_rules.selfsigned && certificates + keys > 0)
		draft_refuse(d, find_tls(d, "selfsigned", 0), "there is a certificate already; give one of them up");
	else if (!c->tls_rules.selfsigned && certificates == 0)
		draft_refuse(d, c->tls_rules.everywhere ? ssl : find_setting(d, key_of(OPTION_SERVER, "listen"), 0),
			"TLS needs a certificate and its key: give certificate and key in [tls] (--sslcert=FILE --sslkey=FILE), or "
			"--selfsigned to try things out");
	else if (keys > certificates)
		draft_refuse(d, find_tls(d, "key", certificates), "it has no certificate: there are %zu, and %zu keys",
			certificates, keys);
	else if (keys > 0 && keys < certificates)
		draft_refuse(d, find_tls(d, "certificate", keys), "it has no key: there are %zu, and %zu certificates", keys,
			certificates);
}

static const struct setting *
setting_of(const struct draft *d, const struct tls_fault *fault)
{
	static const char *const keys[] = {
		[TLS_CERTIFICATE] = "certificate",
		[TLS_KEY] = "key",
		[TLS_CLIENT_CA] = "client_ca",
		[TLS_CIPHERS] = "ciphers",
		[TLS_CIPHERSUITES] = "ciphersuites",
		[TLS_SETUP] = "selfsigned",
	};
	const struct setting *s = find_tls(d, keys[fault->part], fault->index);
	return s != NULL ? s : find_tls(d, "certificate", fault->index); /* whose file has the key, too */
}

static void
on_fault(void *owner, const struct tls_fault *fault)
{
	struct draft *d = owner;
	if (fault->is_warning)
		draft_warn(d, setting_of(d, fault), "%s", fault->what);
	else
		draft_refuse(d, setting_of(d, fault), "%s", fault->what);
}

static void
build_context(struct draft *d, struct config *c)
{
	const struct tls_rules *rules = &c->tls_rules;
	size_t count = count_of(rules->certificates);
	struct tls_certificate *certificates = arena_alloc(d->own, (count + 1) * sizeof(*certificates));
	for (size_t i = 0; i < count; i++)
		certificates[i] = (struct tls_certificate){ rules->certificates[i], rules->keys == NULL ? NULL : rules->keys[i] };
	c->tls = tls_context_new(
		&(struct tls_options){
			.certificates = certificates,
			.certificate_count = count,
			.self_signed = rules->selfsigned,
			.client_ca = rules->client_ca,
			.only_13 = rules->min_version == TLS_VERSION_13,
			.ciphers = rules->ciphers,
			.ciphersuites = rules->ciphersuites,
		},
		on_fault, d);
}

void
draft_build_tls(struct draft *d, struct config *c)
{
	size_t before = d->fault_count;
	for (size_t i = 0; c->tls_rules.everywhere && i < c->listen_count; i++)
		c->listen[i].tls = true;
	if (c->redirects && !has_tls(c, true))
		refuse_without_effect(d, find_setting(d, key_of(OPTION_SERVER, "redirect_port"), 0));
	if (!has_tls(c, false)) {
		judge_effect(d);
		return;
	}
	judge_certificates(d, c);
	if (d->check_files && d->fault_count == before)
		build_context(d, c);
}
