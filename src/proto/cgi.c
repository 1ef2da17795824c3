/*
 * Each line is checked when it is complete, so that a program that speaks something else is found out
 * at its first line; what the lines say together is taken when the empty line has come.
 */
#include "proto/cgi.h"

/* --- lines -------------------------------------------------------------------------------------- */

static bool
is_clean(struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* NULL if LINE is a good field. */
static const char *
read_field(struct slice line, struct http_field *out)
{
	const char *colon = memchr(line.data, ':', line.len);
	if (colon == NULL)
		return "a line of its head has no colon";
	size_t name_len = (size_t)(colon - line.data);
	out->name = (struct slice){ line.data, name_len };
	out->value = slice_trim((struct slice){ colon + 1, line.len - name_len - 1 });
	if (!http_is_token(out->name))
		return "a line of its head does not begin with the name of a field";
	return is_clean(out->value) ? NULL : "a field of its head has a control byte";
}

/* The next whole line at *AT, without its end; false if it has not all come. */
static bool
next_line(struct slice data, size_t *at, struct slice *line)
{
	const char *start = data.data + *at;
	const char *end = *at < data.len ? memchr(start, '\n', data.len - *at) : NULL;
	if (end == NULL)
		return false;
	size_t len = (size_t)(end - start);
	*at += len + 1;
	*line = (struct slice){ start, len > 0 && start[len - 1] == '\r' ? len - 1 : len };
	return true;
}

/* --- what they say ------------------------------------------------------------------------------ */

/* What the server says itself, or what is only for the next neighbour (RFC 3875 6.3.4, RFC 9110 7.6.1). */
static bool
is_dropped(struct slice name)
{
	static const char *const dropped[] = { "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "Date",
		"Server" };
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (slice_equals_nocase(name, dropped[i]))
			return true;
	return false;
}

/* RFC 3875 6.3.3: three digits, and perhaps a phrase behind a space, which is ours to say. */
static const char *
take_status(struct cgi_head *head, struct slice value)
{
	struct slice digits = { value.data, value.len < 3 ? value.len : 3 };
	uint64_t status;
	bool is_number = text_number(digits, 200, 599, &status) == 0 && digits.len == 3;
	if (!is_number || (value.len > 3 && value.data[3] != ' '))
		return "its Status is no code from 200 to 599";
	if (head->status != 0)
		return "it has two Status fields";
	head->status = (int)status;
	return NULL;
}

static const char *
take_length(struct cgi_head *head, struct slice value)
{
	if (head->has_length)
		return "it has two Content-Length fields";
	if (text_number(value, 0, INT64_MAX, &head->length) == -1)
		return "its Content-Length is no number";
	head->has_length = true;
	return NULL;
}

/* The fields that RFC 3875 6.3 allows once. */
struct once {
	bool type, location;
};

static const char *
take_field(struct cgi_head *head, struct once *seen, const struct http_field *field)
{
	bool is_type = slice_equals_nocase(field->name, "Content-Type");
	bool is_location = slice_equals_nocase(field->name, "Location");
	if (slice_equals_nocase(field->name, "Status"))
		return take_status(head, field->value);
	if (slice_equals_nocase(field->name, "Content-Length"))
		return take_length(head, field->value);
	if (slice_equals_nocase(field->name, "Transfer-Encoding"))
		return "it has a Transfer-Encoding, which is the server's to say";
	if ((is_type && seen->type) || (is_location && seen->location))
		return is_type ? "it has two Content-Type fields" : "it has two Location fields";
	seen->type |= is_type;
	seen->location |= is_location;
	if (is_dropped(field->name))
		return NULL;
	if (head->field_count == CGI_FIELDS_MAX)
		return "it has too many fields";
	head->fields[head->field_count++] = *field;
	return NULL;
}

/* DATA's lines up to the empty one, each of which was found good. NULL if they are good together. */
static const char *
take_fields(struct slice data, struct cgi_head *head)
{
	struct once seen = { false, false };
	struct http_field field;
	struct slice line;
	size_t at = 0;
	head->status = 0;
	head->has_length = false;
	head->field_count = 0;
	while (next_line(data, &at, &line) && line.len > 0) {
		const char *fault = read_field(line, &field);
		if (fault == NULL)
			fault = take_field(head, &seen, &field);
		if (fault != NULL)
			return fault;
	}
	if (!seen.type && !seen.location && head->status == 0)
		return "its head has neither Content-Type, Location nor Status";
	if (head->status == 0)
		head->status = seen.location ? 302 : 200;
	return NULL;
}

enum cgi_result
cgi_parse(struct slice data, size_t *scanned, struct cgi_head *head, size_t *eaten, const char **fault)
{
	struct http_field field;
	struct slice line;
	*fault = NULL;
	while (*fault == NULL && next_line(data, scanned, &line)) {
		if (*scanned > CGI_HEAD_MAX)
			break;
		if (line.len > 0) {
			*fault = read_field(line, &field);
			continue;
		}
		*eaten = *scanned;
		*fault = take_fields(data, head);
		return *fault == NULL ? CGI_HEAD : CGI_BROKEN;
	}
	if (*fault == NULL && data.len > CGI_HEAD_MAX)
		*fault = "its head is longer than 16k";
	return *fault == NULL ? CGI_MORE : CGI_BROKEN;
}
