/*
 * One walk over the table for each form. The screen is the exception: it is chosen, not complete, and
 * it is kept to 24 lines.
 */
#include "gate/help.h"

#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "gate/options.h"

#ifndef WSGATE_VERSION
#define WSGATE_VERSION "0.1.0"
#endif

enum { WIDTH = 79, INDENT = 6 };

#define MARK ".\\\" @OPTIONS@"

void
help_version(FILE *out)
{
	fputs("wsgate " WSGATE_VERSION "\n", out);
}

void
help_screen(FILE *out)
{
	fputs("Each WebSocket connection starts a program, or opens a TCP or unix socket.\n"
	      "\n"
	      "  wsgate --port=8080 ./counter.sh 10   lines of the program are messages\n"
	      "  wsgate --tcp=127.0.0.1:5900          a TCP service, in binary messages\n"
	      "  wsgate --config=wsgate.ini           routes from a file (--help=ini shows one)\n"
	      "\n"
	      "Usage: wsgate [OPTION...] PROGRAM [ARG...]\n"
	      "\n"
	      "  --port=PORT, --address=ADDRESS   where to listen (127.0.0.1:8080)\n"
	      "  --tcp=HOST:PORT, --unix=PATH     a service instead of a program\n"
	      "  --dir=DIRECTORY                  each program in it, at its own name\n"
	      "  --static=DIRECTORY, --cgi=...    files, programs for ordinary requests, too\n"
	      "  --framing=lines|raw              where messages end (--binary is raw)\n"
	      "  --origin=same|any|HOST,...       whose pages may connect\n"
	      "  --max-message=SIZE               of a client (16m)\n"
	      "  --ping-interval=DURATION         to silent clients (30s)\n"
	      "  --max-children=NUMBER            programs at a time (1024)\n"
	      "  --env=NAME=VALUE, --passenv=LIST what programs get of the environment\n"
	      "  --header=\"NAME: VALUE\"           for every response\n"
	      "  --ssl --sslcert=F --sslkey=F     wss://; --ssl --selfsigned to try\n"
	      "  --level=LEVEL, --format=json     of the log\n"
	      "  --config=FILE, --check           use a file, or only check it\n"
	      "  --version, --help=all            all options; see also wsgate(1)\n",
		out);
}

/* --- text ------------------------------------------------------------------------------------------- */

/* Breaks TEXT at spaces; each line begins with PREFIX. */
static void
write_wrapped(FILE *out, const char *prefix, const char *text)
{
	struct slice rest = slice_of(text), word;
	size_t column = 0;
	while (text_next_word(&rest, &word)) {
		if (column > 0 && column + 1 + word.len > WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (column == 0)
			column += (size_t)fprintf(out, "%s%.*s", prefix, SLICE_ARG(word));
		else
			column += (size_t)fprintf(out, " %.*s", SLICE_ARG(word));
	}
	if (column > 0)
		fputc('\n', out);
}

static bool
has_standard(const struct option *o)
{
	return o->standard != NULL && o->standard[0] != '\0';
}

/* A chapter begins with this option. */
static const char *
chapter_of(const struct option *o)
{
	static const struct {
		enum option_scope scope;
		const char *first, *title;
	} chapters[] = {
		{ OPTION_COMMAND, "config", "The command line" },
		{ OPTION_SERVER, "listen", "[server]: the server" },
		{ OPTION_TLS, "certificate", "[tls]: https:// and wss://" },
		{ OPTION_LOG, "level", "[log]: what is told" },
		{ OPTION_ROUTE, "exec", "Where a route leads" },
		{ OPTION_ROUTE, "framing", "Messages" },
		{ OPTION_ROUTE, "ping_interval", "Time" },
		{ OPTION_ROUTE, "max_connections", "How many" },
		{ OPTION_ROUTE, "stderr", "A program and its surroundings" },
		{ OPTION_ROUTE, "header", "Responses" },
		{ OPTION_COMMAND, "binary", "Other names for it, as in websocketd" },
	};
	for (size_t i = 0; i < sizeof(chapters) / sizeof(chapters[0]); i++)
		if (chapters[i].scope == o->scope && strcmp(chapters[i].first, o->name) == 0)
			return chapters[i].title;
	return NULL;
}

static bool
is_shown(const struct option *o)
{
	return o->help != NULL || o->command == COMMAND_ALIAS;
}

/* --- --help=all ------------------------------------------------------------------------------------- */

static void
write_synopsis(FILE *out, const struct option *o)
{
	char flag[OPTION_FLAG_MAX];
	bool is_switch = (o->flags & OPTION_SWITCH) != 0;
	fprintf(out, "  --%s", options_flag(o, flag));
	if (o->argument != NULL)
		fprintf(out, is_switch ? "[=%s]" : "=%s", o->argument);
	if (has_standard(o) || o->note != NULL)
		fprintf(out, "  (%s)", has_standard(o) ? o->standard : o->note);
	fputc('\n', out);
}

static void
write_alias(FILE *out, const struct option *o)
{
	char flag[OPTION_FLAG_MAX], meant[OPTION_FLAG_MAX];
	options_flag(options_find_flag(slice_of(o->alias_of)), meant);
	const char *argument = o->argument == NULL ? "" : o->argument;
	fprintf(out, "  --%s%s%s  is --%s=%s%s\n", options_flag(o, flag), *argument ? "=" : "", argument, meant,
		o->alias_value != NULL ? o->alias_value : argument, o->alias_suffix != NULL ? o->alias_suffix : "");
	if (o->alias_off != NULL)
		fprintf(out, "  --%s=false  is --%s=%s, unless that is given\n", flag, meant, o->alias_off);
}

void
help_all(FILE *out)
{
	fputs("Usage: wsgate [OPTION...] PROGRAM [ARG...]\n"
	      "       wsgate [OPTION...] --tcp=HOST:PORT | --unix=PATH | --shell=COMMAND | --dir=DIRECTORY\n"
	      "       wsgate [OPTION...] --config=FILE\n"
	      "\n"
	      "One dash or two, --option=VALUE or --option VALUE; a switch may be given =false.\n"
	      "Every option but the first and the last few is a key of the file, with _ for -.\n",
		out);
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &options[i];
		if (chapter_of(o) != NULL)
			fprintf(out, "\n%s\n", chapter_of(o));
		if (o->command == COMMAND_ALIAS)
			write_alias(out, o);
		else if (is_shown(o)) {
			write_synopsis(out, o);
			write_wrapped(out, "      ", o->help);
		}
	}
}

/* --- --help=ini ------------------------------------------------------------------------------------- */

/* A line that begins with "#" and no space is a setting that may be taken in. */
static void
write_key(FILE *out, const struct option *o)
{
	fputc('\n', out);
	write_wrapped(out, "# ", o->help);
	if (o->note != NULL)
		fprintf(out, "# Default: %s.\n", o->note);
	fprintf(out, "#%s = %s\n", o->name, has_standard(o) ? o->standard : o->example);
}

static void
write_keys(FILE *out, enum option_scope scope, bool of_one_route)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &options[i];
		if (o->scope != scope || (o->flags & OPTION_NO_KEY) != 0 || ((o->flags & OPTION_OF_ONE_ROUTE) != 0) != of_one_route)
			continue;
		if (scope == OPTION_ROUTE && chapter_of(o) != NULL)
			fprintf(out, "\n# --- %s ---\n", chapter_of(o));
		write_key(out, o);
	}
}

void
help_ini(FILE *out)
{
	fputs("# wsgate.ini: every key there is, each with its default or, where there is none,\n"
	      "# an example. Take the # away in front of a key to set it. See wsgate.ini(5).\n"
	      "#\n"
	      "# Durations are 500ms, 30s, 5m, 1h or 1d; sizes 64k, 16m or 1g. Paths are relative\n"
	      "# to this file. A comment may stand behind a value, after a space and a semicolon,\n"
	      "# but not behind exec, shell, env and the header keys: their values take the\n"
	      "# whole line. `wsgate --check --config=FILE` finds what is wrong.\n"
	      "\n"
	      "[server]\n",
		out);
	write_keys(out, OPTION_SERVER, false);
	fputs("\n# For the addresses that listen has with the word tls.\n[tls]\n", out);
	write_keys(out, OPTION_TLS, false);
	fputs("\n[log]\n", out);
	write_keys(out, OPTION_LOG, false);
	fputs("\n# For every route that does not say otherwise itself.\n[defaults]\n", out);
	write_keys(out, OPTION_ROUTE, false);
	fputs("\n# A route: it serves this path and what is beneath it, and may have all keys of\n"
	      "# [defaults], too. The longest matching path wins. Of exec, shell, dir, tcp\n"
	      "# and unix it has one; static and cgi may stand beside it, or alone.\n"
	      "[/echo]\n"
	      "exec = cat\n",
		out);
	write_keys(out, OPTION_ROUTE, true);
}

/* --- manual pages ----------------------------------------------------------------------------------- */

static void
write_mdoc_word(FILE *out, struct slice word)
{
	for (size_t i = 0; i < word.len; i++)
		fprintf(out, word.data[i] == '\\' ? "\\e" : "%c", word.data[i]);
}

/* Sentences begin on new lines, and no line with what would be taken for a macro. */
static void
write_mdoc(FILE *out, const char *text)
{
	struct slice rest = slice_of(text), word;
	size_t column = 0;
	while (text_next_word(&rest, &word)) {
		if (column == 0 && (word.data[0] == '.' || word.data[0] == '\''))
			fputs("\\&", out);
		write_mdoc_word(out, word);
		column += word.len + 1;
		bool ends = word.data[word.len - 1] == '.' || column + 20 > WIDTH || rest.len == 0;
		fputc(ends ? '\n' : ' ', out);
		if (ends)
			column = 0;
	}
}

static void
write_mdoc_default(FILE *out, const struct option *o)
{
	if (has_standard(o)) {
		fputs("The default is\n.Ql \"", out);
		for (const char *c = o->standard; *c != '\0'; c++)
			fputc(*c, out);
		fputs("\" .\n", out);
	} else if (o->note != NULL)
		fprintf(out, "The default is %s.\n", o->note);
}

/* A macro's argument; quoted, so that "|", "," and "..." in it are no macros' business. */
static void
write_mdoc_flag(FILE *out, const struct option *o)
{
	char flag[OPTION_FLAG_MAX];
	bool is_switch = (o->flags & OPTION_SWITCH) != 0;
	fprintf(out, ".It Fl \\&-%s", options_flag(o, flag));
	if (o->argument != NULL && is_switch)
		fprintf(out, " Ns Oo = Ns Ar \"%s\" Oc", o->argument);
	else if (o->argument != NULL)
		fprintf(out, " Ns = Ns Ar \"%s\"", o->argument);
	fputc('\n', out);
}

static void
write_mdoc_alias(FILE *out, const struct option *o)
{
	char meant[OPTION_FLAG_MAX];
	write_mdoc_flag(out, o);
	fprintf(out, "The same as\n.Fl \\&-%s Ns = Ns %s%s%s .\n", options_flag(options_find_flag(slice_of(o->alias_of)), meant),
		o->alias_value == NULL ? "Ar " : "Cm ", o->alias_value == NULL ? o->argument : o->alias_value,
		o->alias_suffix == NULL ? "" : o->alias_suffix);
	if (o->alias_off != NULL)
		fprintf(out, "With\n.Cm =false\nit is\n.Fl \\&-%s Ns = Ns Cm %s ,\nunless that is given.\n", meant, o->alias_off);
}

static void
write_man1_options(FILE *out)
{
	bool in_list = false;
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &options[i];
		if (!is_shown(o))
			continue;
		if (chapter_of(o) != NULL) {
			fprintf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", in_list ? ".El\n" : "", chapter_of(o));
			in_list = true;
		}
		if (o->command == COMMAND_ALIAS) {
			write_mdoc_alias(out, o);
			continue;
		}
		write_mdoc_flag(out, o);
		write_mdoc(out, o->help);
		write_mdoc_default(out, o);
	}
	fputs(".El\n", out);
}

static void
write_man5_options(FILE *out)
{
	bool in_list = false;
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &options[i];
		if (o->scope == OPTION_COMMAND || (o->flags & OPTION_NO_KEY) != 0)
			continue;
		if (chapter_of(o) != NULL) {
			fprintf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", in_list ? ".El\n" : "", chapter_of(o));
			in_list = true;
		}
		fprintf(out, ".It Ic %s No = Ar \"%s\"\n", o->name, o->argument);
		write_mdoc(out, o->help);
		write_mdoc_default(out, o);
	}
	fputs(".El\n", out);
}

static void
splice(FILE *in, FILE *out, void (*write)(FILE *out))
{
	char line[1024];
	while (fgets(line, sizeof(line), in) != NULL) {
		if (strncmp(line, MARK, strlen(MARK)) == 0)
			write(out);
		else
			fputs(line, out);
	}
}

void
help_man1(FILE *in, FILE *out)
{
	splice(in, out, write_man1_options);
}

void
help_man5(FILE *in, FILE *out)
{
	splice(in, out, write_man5_options);
}

/* --- the topics ------------------------------------------------------------------------------------- */

bool
help_show(const char *topic)
{
	if (strcmp(topic, "") == 0)
		help_screen(stdout);
	else if (strcmp(topic, "all") == 0)
		help_all(stdout);
	else if (strcmp(topic, "ini") == 0)
		help_ini(stdout);
	else if (strcmp(topic, "man1") == 0)
		help_man1(stdin, stdout);
	else if (strcmp(topic, "man5") == 0)
		help_man5(stdin, stdout);
	else
		return false;
	return true;
}
