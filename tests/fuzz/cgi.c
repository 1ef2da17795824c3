/*
 * Any bytes as a program's answer. The first byte says how the rest is cut: whole and in parts give the
 * same head or the same fault. What is passed on can stand in a response head: no line is smuggled in,
 * and nothing that says where the body ends.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/cgi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
	struct cgi_head head;
	char *copy; /* of just the length that was shown */
	const char *fault;
	size_t scanned, eaten;
	enum cgi_result result;
};

static void
must(int truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}

static void
show(struct reading *r, const uint8_t *text, size_t len)
{
	free(r->copy);
	r->copy = malloc(len == 0 ? 1 : len);
	must(r->copy != NULL, "memory");
	if (len > 0)
		memcpy(r->copy, text, len);
	r->result = cgi_parse((struct slice){ r->copy, len }, &r->scanned, &r->head, &r->eaten, &r->fault);
	must((r->result == CGI_BROKEN) == (r->fault != NULL), "a fault has a sentence, and only a fault");
	must(r->result != CGI_MORE || len <= CGI_HEAD_MAX, "no head is waited for without end");
	must(r->result != CGI_HEAD || (r->eaten <= len && r->eaten <= CGI_HEAD_MAX), "a head lies in the input");
}

static void
show_cut(struct reading *r, const uint8_t *text, size_t len, unsigned cut)
{
	r->result = CGI_MORE;
	for (size_t have = 0; have < len && r->result == CGI_MORE;) {
		size_t part = cut % 11 + 1;
		cut = cut * 5 + 3;
		have = part < len - have ? have + part : len;
		show(r, text, have);
	}
}

static void
must_be_clean(const struct http_field *field)
{
	must(http_is_token(field->name), "a name is a token");
	must(!slice_equals_nocase(field->name, "Transfer-Encoding") && !slice_equals_nocase(field->name, "Content-Length") &&
			!slice_equals_nocase(field->name, "Status") && !slice_equals_nocase(field->name, "Connection"),
		"the server's fields are the server's");
	for (size_t i = 0; i < field->value.len; i++) {
		unsigned char c = (unsigned char)field->value.data[i];
		must(c == '\t' || (c >= ' ' && c != 0x7f), "a value has no control byte");
	}
}

static void
must_be_good(const struct reading *r)
{
	must(r->head.status >= 200 && r->head.status <= 599, "a status that may be sent");
	must(r->head.field_count <= CGI_FIELDS_MAX, "not too many fields");
	for (size_t i = 0; i < r->head.field_count; i++)
		must_be_clean(&r->head.fields[i]);
}

static void
must_be_same(const struct reading *a, const struct reading *b)
{
	must(a->eaten == b->eaten && a->head.status == b->head.status && a->head.field_count == b->head.field_count, "one head");
	must(a->head.has_length == b->head.has_length, "one length");
	for (size_t i = 0; i < a->head.field_count; i++)
		must(slice_same(a->head.fields[i].name, b->head.fields[i].name) &&
				slice_same(a->head.fields[i].value, b->head.fields[i].value),
			"the same fields");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reading whole, cut;
	if (size < 2)
		return 0;
	whole = cut = (struct reading){ .fault = NULL };
	show(&whole, data + 1, size - 1);
	show_cut(&cut, data + 1, size - 1, data[0]);
	must(whole.result == cut.result && whole.fault == cut.fault, "what is found does not depend on the cut");
	if (whole.result == CGI_HEAD) {
		must_be_good(&whole);
		must_be_same(&whole, &cut);
	}
	free(whole.copy);
	free(cut.copy);
	return 0;
}
