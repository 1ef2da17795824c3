/* The one idea: a line is a list of named values, and a value that says nothing is left out. */
#include "gate/record.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"

enum { FIELDS_MAX = 24 };

struct line {
	struct log_field fields[FIELDS_MAX];
	size_t count;
};

static void
add_text(struct line *l, const char *name, struct slice text)
{
	if (text.data != NULL && l->count < FIELDS_MAX)
		l->fields[l->count++] = (struct log_field){ name, text, 0 };
}

static void
add_number(struct line *l, const char *name, uint64_t number)
{
	if (l->count < FIELDS_MAX)
		l->fields[l->count++] = (struct log_field){ name, { NULL, 0 }, number };
}

static void
add_exit(struct line *l, const struct record *r)
{
	if (r->pid == 0)
		return;
	add_number(l, "pid", (uint64_t)r->pid);
	if (WIFSIGNALED(r->exit_status))
		add_text(l, "signal", slice_of(sigabbrev_np(WTERMSIG(r->exit_status))));
	else
		add_number(l, "exit", (uint64_t)WEXITSTATUS(r->exit_status));
}

static void
add_session(struct line *l, const struct record *r)
{
	add_number(l, "close", r->close_code);
	add_text(l, "by", slice_of(r->closed_by));
	if (r->close_reason != NULL && r->close_reason[0] != '\0')
		add_text(l, "reason", slice_of(r->close_reason));
	add_number(l, "in_messages", r->in_messages);
	add_number(l, "in_bytes", r->in_bytes);
	add_number(l, "out_messages", r->out_messages);
	add_number(l, "out_bytes", r->out_bytes);
	if (r->untaken > 0)
		add_number(l, "untaken_bytes", r->untaken);
	add_exit(l, r);
}

static void
add_request(struct line *l, const struct record *r)
{
	if (r->in_bytes > 0)
		add_number(l, "in_bytes", r->in_bytes);
	add_number(l, "out_bytes", r->out_bytes);
	if (r->untaken > 0)
		add_number(l, "untaken_bytes", r->untaken);
	add_exit(l, r);
}

void
record_write(const struct guest *g, const struct record *r)
{
	if (!g->config->log_access || !log_wants(LOG_LEVEL_ACCESS))
		return;
	struct line l = { .count = 0 };
	char client[ADDRESS_TEXT_MAX];
	add_text(&l, "client", slice_of(guest_name(g, client)));
	add_text(&l, "method", r->method);
	add_text(&l, "target", r->target);
	add_text(&l, "route", slice_of(r->route));
	add_number(&l, "status", (uint64_t)r->status);
	add_text(&l, "note", slice_of(r->note));
	if (r->status == 101)
		add_session(&l, r);
	else
		add_request(&l, r);
	add_number(&l, "ms", loop_now_ms(worker_loop(g->worker)) - g->begun_ms);
	log_fields(LOG_LEVEL_ACCESS, r->status == 101 ? "session" : "request", l.fields, l.count);
}
