/*
 * One walk over the bytes, line after line, each byte looked at once.
 *
 * A fault is found at the byte or the line where it stands, so the answer to a head does not depend
 * on how the network cut it, and a peer that talks nonsense hears so before its head is complete.
 * What only the whole head can tell (Host, body length) is judged at its end.
 *
 * A head that comes in parts is walked on from where the last call stopped. Its bytes may have
 * moved meanwhile, so the slices are cut by a second walk when the end has come: twice, never more.
 */
#include "proto/http.h"

#include <arpa/inet.h>
#include <assert.h>

enum { METHOD_MAX = 32 };

/* What a byte may be part of. */
enum {
	T = 1,  /* token, RFC 9110 5.6.2 */
	P = 2,  /* path: pchar and '/', RFC 3986 3.3 */
	Q = 4,  /* query */
	H = 8,  /* reg-name of a host, RFC 3986 3.2.2 */
	X = 16, /* hexadecimal digit */
	U = T | P | Q | H,
	S = P | Q | H,
	V = U | X,
};

/*
 * '%' is in all of them; its two digits are checked apart. A query may also hold [ ] { } | \ ^ and `,
 * which RFC 3986 forbids: browsers send them as they are (WHATWG URL, query percent-encode set), and
 * "?id[]=1" is daily bread. They are harmless there, and nowhere else are they taken.
 */
/* clang-format off */
static const unsigned char classes[256] = {
	/*       !  "  #  $  %  &  '  (  )  *  +  ,  -  .  /  */
	['!'] =  U, 0, T, U, U, U, U, S, S, U, U, S, U, U, P | Q,
	/*       0  1  2  3  4  5  6  7  8  9  :      ;  <  =  >  ? */
	['0'] =  V, V, V, V, V, V, V, V, V, V, P | Q, S, 0, S, 0, Q,
	/*       @      A  B  C  D  E  F  G  H  I  J  K  L  M  N  O */
	['@'] =  P | Q, V, V, V, V, V, V, U, U, U, U, U, U, U, U, U,
	/*       P  Q  R  S  T  U  V  W  X  Y  Z  [  \  ]  ^      _ */
	['P'] =  U, U, U, U, U, U, U, U, U, U, U, Q, Q, Q, T | Q, U,
	/*       `      a  b  c  d  e  f  g  h  i  j  k  l  m  n  o */
	['`'] =  T | Q, V, V, V, V, V, V, U, U, U, U, U, U, U, U, U,
	/*       p  q  r  s  t  u  v  w  x  y  z  {  |      }  ~ */
	['p'] =  U, U, U, U, U, U, U, U, U, U, U, Q, T | Q, Q, U,
};
/* clang-format on */

static bool
is_class(char byte, int class)
{
	return (classes[(unsigned char)byte] & class) != 0;
}

static bool
is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* The first byte from AT on that is not of CLASS, or END. */
static size_t
skip_class(struct slice data, size_t at, size_t end, int class)
{
	while (at < end && is_class(data.data[at], class))
		at++;
	return at;
}

static struct slice
cut(struct slice data, size_t from, size_t to)
{
	return (struct slice){ data.data + from, to - from };
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool
refuse(struct http_fault *fault, int status, const char *what)
{
	fault->status = status;
	fault->what = what;
	return false;
}

static enum http_result
broken(struct http_fault *fault, int status, const char *what)
{
	refuse(fault, status, what);
	return HTTP_BROKEN;
}

/*
 * Where a walk stands. The caller keeps it between calls as one number, see walk_from(); where the
 * current line began is not kept but found again when the line ends.
 */
struct walk {
	size_t looked; /* bytes that need not be looked at again */
	size_t lines;  /* whole lines behind us, the request line too */
};

enum { WALK_SHIFT = 16 };

static_assert(HTTP_HEAD_MAX < 1 << WALK_SHIFT, "a position fits below the line count");
static_assert(HTTP_TARGET_MAX + METHOD_MAX + 32 < HTTP_HEAD_MAX, "a request line cannot pass the limit of the head");

static struct walk
walk_from(size_t scanned)
{
	return (struct walk){ scanned & ((1u << WALK_SHIFT) - 1), scanned >> WALK_SHIFT };
}

static size_t
walk_mark(const struct walk *w)
{
	return w->lines << WALK_SHIFT | w->looked;
}

/* Every '%' begins an escape, and every byte is of CLASS. */
static bool
is_encoded(struct slice text, int class)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is_class(text.data[i], class))
			return false;
		if (text.data[i] != '%')
			continue;
		if (text.len - i < 3 || !is_class(text.data[i + 1], X) || !is_class(text.data[i + 2], X))
			return false;
		i += 2;
	}
	return true;
}

/* "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ), RFC 3986 3.2.2 */
static bool
is_future_address(struct slice text)
{
	size_t dot = skip_class(text, 1, text.len, X);
	if (dot < 2 || dot == text.len || text.data[dot] != '.' || dot + 1 == text.len)
		return false;
	for (size_t i = dot + 1; i < text.len; i++)
		if (text.data[i] != ':' && (text.data[i] == '%' || !is_class(text.data[i], H)))
			return false;
	return true;
}

/* What stands between the brackets of an IP-literal. */
static bool
is_literal_address(struct slice text)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (text.len == 0)
		return false;
	if (text.data[0] == 'v' || text.data[0] == 'V')
		return is_future_address(text);
	if (text.len >= sizeof(copy) || memchr(text.data, 0, text.len) != NULL)
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = 0;
	return inet_pton(AF_INET6, copy, &address) == 1;
}

enum port_need { PORT_MAY_LACK, PORT_NEEDED };

/* uri-host [ ":" port ]; the host must not be empty (RFC 9110 4.2.1), the port may be. */
static bool
is_authority(struct slice text, enum port_need need)
{
	size_t host_end;
	uint64_t port;

	if (text.len > 0 && text.data[0] == '[') {
		const char *close = memchr(text.data, ']', text.len);
		if (close == NULL || !is_literal_address(cut(text, 1, (size_t)(close - text.data))))
			return false;
		host_end = (size_t)(close - text.data) + 1;
	} else {
		host_end = skip_class(text, 0, text.len, H);
		if (host_end == 0 || !is_encoded(cut(text, 0, host_end), H))
			return false;
	}
	if (host_end == text.len)
		return need == PORT_MAY_LACK;
	if (text.data[host_end] != ':')
		return false;
	if (host_end + 1 == text.len)
		return need == PORT_MAY_LACK;
	return text_number(cut(text, host_end + 1, text.len), 0, UINT16_MAX, &port) == 0;
}

static bool
take_path(struct http_request *req, struct slice text, struct http_fault *fault)
{
	const char *mark = memchr(text.data, '?', text.len);
	req->path = text;
	if (mark != NULL) {
		req->path.len = (size_t)(mark - text.data);
		req->query = cut(text, req->path.len + 1, text.len);
	}
	if (!is_encoded(req->path, P))
		return refuse(fault, 400, "The path holds a bad escape or a character that must be percent-encoded.");
	if (mark != NULL && !is_encoded(req->query, Q))
		return refuse(fault, 400, "The query holds a bad escape.");
	return true;
}

/* Length of the scheme with its "://", 0 if it is none that we serve. */
static size_t
scheme_len(struct slice target)
{
	static const char *const schemes[] = { "http://", "https://", "ws://", "wss://" };
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		size_t len = strlen(schemes[i]);
		if (target.len >= len && slice_equals_nocase(cut(target, 0, len), schemes[i]))
			return len;
	}
	return 0;
}

/* RFC 9112 3.2.2 */
static bool
take_absolute_form(struct http_request *req, struct http_fault *fault)
{
	struct slice target = req->target;
	size_t start = scheme_len(target);
	size_t end = start;

	if (start == 0)
		return refuse(fault, 400, "The request target is neither a path nor a URL of a known scheme.");
	while (end < target.len && target.data[end] != '/' && target.data[end] != '?')
		end++;
	req->host = cut(target, start, end);
	if (!is_authority(req->host, PORT_MAY_LACK))
		return refuse(fault, 400, "The host in the request target is malformed.");
	if (!take_path(req, cut(target, end, target.len), fault))
		return false;
	if (req->path.len == 0)
		req->path = slice_of("/");
	return true;
}

/* RFC 9112 3.2.3 */
static bool
take_authority_form(struct http_request *req, struct http_fault *fault)
{
	if (!is_authority(req->target, PORT_NEEDED))
		return refuse(fault, 400, "CONNECT needs host:port as its target.");
	req->host = req->target;
	return true;
}

/* RFC 9112 3.2 */
static bool
take_target(struct http_request *req, struct http_fault *fault)
{
	req->path = req->query = req->host = (struct slice){ NULL, 0 };
	if (slice_equals(req->method, "CONNECT"))
		return take_authority_form(req, fault);
	if (req->target.data[0] == '/')
		return take_path(req, req->target, fault);
	if (slice_equals(req->target, "*")) {
		req->path = req->target;
		return slice_equals(req->method, "OPTIONS") || refuse(fault, 400, "The target * is for OPTIONS alone.");
	}
	return take_absolute_form(req, fault);
}

/* RFC 9112 2.2: one empty line may stand before the request line. */
static enum http_result
skip_empty_line(struct slice data, size_t *at, struct http_fault *fault)
{
	*at = 0;
	if (data.len == 0)
		return HTTP_MORE;
	if (data.data[0] != '\r')
		return HTTP_HEAD;
	if (data.len == 1)
		return HTTP_MORE;
	if (data.data[1] != '\n')
		return broken(fault, 400, "A CR stands alone before the request line.");
	*at = 2;
	return HTTP_HEAD;
}

/* Looked at anew by each call: it is short. */
static enum http_result
walk_method(struct slice data, size_t *at, struct http_request *req, struct http_fault *fault)
{
	size_t start = *at;
	size_t end = skip_class(data, start, smaller(data.len, start + METHOD_MAX + 1), T);
	if (end - start > METHOD_MAX)
		return broken(fault, 501, "The method is too long.");
	if (end == data.len)
		return HTTP_MORE;
	if (end == start || data.data[end] != ' ')
		return broken(fault, 400, "The request line does not begin with a method and one space.");
	req->method = cut(data, start, end);
	*at = end + 1;
	return HTTP_HEAD;
}

/*
 * The mark goes no further than the space behind the target until the line is complete, so that
 * the next call knows where it is.
 */
static enum http_result
walk_target(struct slice data, struct walk *w, size_t *at, struct http_request *req, struct http_fault *fault)
{
	size_t start = *at;
	size_t from = w->looked > start ? w->looked : start;
	size_t end = skip_class(data, from, smaller(data.len, start + HTTP_TARGET_MAX), Q);
	w->looked = end;
	if (end == data.len)
		return HTTP_MORE;
	if (data.data[end] != ' ' && end - start == HTTP_TARGET_MAX)
		return broken(fault, 414, "The request target is too long.");
	if (data.data[end] != ' ' || end == start)
		return broken(fault, 400, "The request target is empty, or holds a character that must be percent-encoded.");
	req->target = cut(data, start, end);
	*at = end + 1;
	return HTTP_HEAD;
}

/*
 * Looked at anew by each call: it is short. RFC 9112 2.3, and the end of the line. A later minor
 * version than ours is taken as ours (RFC 9110 2.5).
 */
static enum http_result
walk_version(struct slice data, size_t *at, struct http_request *req, struct http_fault *fault)
{
	static const char form[] = "HTTP/0.0\r\n";
	const char *version = data.data + *at;
	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (*at + i == data.len)
			return HTTP_MORE;
		if (form[i] == '0' ? !is_digit(version[i]) : version[i] != form[i])
			return broken(fault, 400, "The request line does not end with an HTTP version and CR LF.");
	}
	if (version[5] != '1')
		return broken(fault, 505, "The HTTP version known here is 1.1.");
	req->minor = version[7] > '0';
	*at += sizeof(form) - 1;
	return HTTP_HEAD;
}

/* RFC 9112 3. HTTP_HEAD: the line is taken. */
static enum http_result
walk_request_line(struct slice data, struct walk *w, struct http_request *req, struct http_fault *fault)
{
	size_t at;
	enum http_result result = skip_empty_line(data, &at, fault);
	if (result == HTTP_HEAD)
		result = walk_method(data, &at, req, fault);
	if (result == HTTP_HEAD)
		result = walk_target(data, w, &at, req, fault);
	if (result == HTTP_HEAD)
		result = walk_version(data, &at, req, fault);
	if (result != HTTP_HEAD)
		return result;
	if (!take_target(req, fault))
		return HTTP_BROKEN;
	w->looked = at;
	w->lines = 1;
	return HTTP_HEAD;
}

/*
 * No control byte but HTAB (RFC 9110 5.5). Eight bytes at a time, since cookies are long; the
 * first suspicious word, which is rare, sends us to the bytes.
 */
static bool
is_field_value(struct slice text)
{
	static const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	size_t i = 0;

	for (; text.len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
		uint64_t word, del;
		memcpy(&word, text.data + i, sizeof(word));
		del = word ^ ones * 0x7f;
		if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & tops)
			break;
	}
	for (; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.data[i];
		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return false;
	}
	return true;
}

/* RFC 9112 5. LINE is without its CRLF and not empty. */
static bool
take_field(struct slice line, struct http_field *field, struct http_fault *fault)
{
	size_t end = skip_class(line, 0, line.len, T);
	char next = end == line.len ? '\0' : line.data[end];

	if (next == ' ' || next == '\t')
		return refuse(fault, 400,
			end == 0 ? "A header line begins with white space." : "White space stands in a header field's name.");
	if (next != ':')
		return refuse(fault, 400, "A header line has no colon behind its name, or a bad character in it.");
	if (end == 0)
		return refuse(fault, 400, "A header field has no name.");
	field->name = cut(line, 0, end);
	field->value = slice_trim(cut(line, end + 1, line.len));
	if (!is_field_value(field->value))
		return refuse(fault, 400, "A header field's value holds a control byte.");
	return true;
}

static size_t
line_start(struct slice data, size_t inside)
{
	while (inside > 0 && data.data[inside - 1] != '\n')
		inside--;
	return inside;
}

/* Behind the last field that we take, only the empty line may begin. */
static bool
has_one_field_too_many(struct slice data, const struct walk *w)
{
	if (w->lines <= HTTP_FIELDS_MAX)
		return false;
	size_t start = line_start(data, w->looked);
	size_t len = smaller(data.len - start, 2);
	return memcmp(data.data + start, "\r\n", len) != 0;
}

/* HTTP_HEAD: LINE is the next one, without its CRLF. Bytes above the head's limit are not looked at. */
static enum http_result
walk_line(struct slice data, struct walk *w, struct slice *line, struct http_fault *fault)
{
	size_t limit = smaller(data.len, HTTP_HEAD_MAX);
	data.len = limit;
	if (has_one_field_too_many(data, w))
		return broken(fault, 431, "The request has too many header fields.");
	const char *found = memchr(data.data + w->looked, '\n', limit - w->looked);
	if (found == NULL && limit == HTTP_HEAD_MAX)
		return broken(fault, 431, "The request head is too large.");
	if (found == NULL) {
		w->looked = limit;
		return HTTP_MORE;
	}
	size_t start = line_start(data, w->looked);
	size_t end = (size_t)(found - data.data);
	if (end == start || data.data[end - 1] != '\r')
		return broken(fault, 400, "A header line ends with LF alone.");
	*line = cut(data, start, end - 1);
	w->looked = end + 1;
	w->lines++;
	return HTTP_HEAD;
}

static enum http_result
walk_head(struct slice data, struct walk *w, struct http_request *req, struct http_fault *fault)
{
	enum http_result result = HTTP_HEAD;
	struct slice line;

	if (w->lines == 0)
		result = walk_request_line(data, w, req, fault);
	while (result == HTTP_HEAD) {
		result = walk_line(data, w, &line, fault);
		if (result != HTTP_HEAD)
			break;
		if (line.len == 0) {
			req->field_count = w->lines - 2;
			break;
		}
		if (!take_field(line, &req->fields[w->lines - 2], fault))
			return HTTP_BROKEN;
	}
	return result;
}

/* RFC 9112 3.2 and 3.2.2: Host must be there and right, though an absolute target overrules it. */
static bool
judge_host(struct http_request *req, struct http_fault *fault)
{
	size_t count = http_field_count(req, "host");
	if (count > 1)
		return refuse(fault, 400, "The request has more than one Host.");
	if (count == 0)
		return req->minor == 0 || refuse(fault, 400, "The request has no Host.");
	struct slice host = http_field(req, "host");
	if (!is_authority(host, PORT_MAY_LACK))
		return refuse(fault, 400, "The Host is malformed.");
	if (req->host.data == NULL)
		req->host = host;
	return true;
}

/* The codings named in all Transfer-Encoding fields. */
struct codings {
	size_t count;
	size_t chunked;
	bool chunked_last;
	bool malformed;
};

static void
count_codings(struct slice list, struct codings *c)
{
	struct slice item;
	while (text_next_listed(&list, &item)) {
		const char *parameters = memchr(item.data, ';', item.len);
		struct slice name = item;
		if (parameters != NULL)
			name = slice_trim(cut(item, 0, (size_t)(parameters - item.data)));
		bool chunked = slice_equals_nocase(name, "chunked");
		/* RFC 9112 7.1: parameters of chunked are an error. */
		if (!http_is_token(name) || (chunked && parameters != NULL))
			c->malformed = true;
		c->count++;
		c->chunked += chunked;
		c->chunked_last = chunked;
	}
}

/* RFC 9112 6.1 and 6.3 */
static bool
judge_transfer_encoding(struct http_request *req, struct http_fault *fault)
{
	struct codings codings = { 0 };
	const struct http_field *field;
	size_t at = 0;

	if (http_field_count(req, "transfer-encoding") == 0)
		return true;
	if (req->minor == 0)
		return refuse(fault, 400, "HTTP/1.0 has no Transfer-Encoding.");
	if (http_field_count(req, "content-length") > 0)
		return refuse(fault, 400, "The request has both Transfer-Encoding and Content-Length.");
	while ((field = http_next_field(req, "transfer-encoding", &at)) != NULL)
		count_codings(field->value, &codings);
	if (codings.malformed)
		return refuse(fault, 400, "The Transfer-Encoding is malformed.");
	if (codings.chunked != 1 || !codings.chunked_last)
		return refuse(fault, 400, "The Transfer-Encoding does not end with chunked, once.");
	if (codings.count > 1)
		return refuse(fault, 501, "The only Transfer-Encoding known here is chunked.");
	req->chunked = true;
	return true;
}

/* RFC 9112 6.2: one field, one number. */
static bool
judge_content_length(struct http_request *req, struct http_fault *fault)
{
	size_t count = http_field_count(req, "content-length");
	if (count == 0)
		return true;
	if (count > 1)
		return refuse(fault, 400, "The request has more than one Content-Length.");
	if (text_number(http_field(req, "content-length"), 0, UINT64_MAX, &req->content_length) == -1)
		return refuse(fault, 400, "The Content-Length is not a number, or too large.");
	return true;
}

/* RFC 9112 9.3 */
static bool
keeps_alive(const struct http_request *req)
{
	if (http_field_has_token(req, "connection", "close"))
		return false;
	return req->minor == 1 || http_field_has_token(req, "connection", "keep-alive");
}

static bool
judge_head(struct http_request *req, struct http_fault *fault)
{
	req->chunked = false;
	req->content_length = 0;
	if (!judge_host(req, fault) || !judge_transfer_encoding(req, fault) || !judge_content_length(req, fault))
		return false;
	req->has_body = req->chunked || req->content_length > 0;
	req->keep_alive = keeps_alive(req);
	return true;
}

enum http_result
http_parse(struct slice data, size_t *scanned, struct http_request *req, size_t *eaten, struct http_fault *fault)
{
	struct walk w = walk_from(*scanned);
	enum http_result result = walk_head(data, &w, req, fault);
	if (result == HTTP_HEAD && *scanned != 0) {
		w = walk_from(0);
		result = walk_head(data, &w, req, fault);
	}
	if (result == HTTP_MORE)
		*scanned = walk_mark(&w);
	if (result != HTTP_HEAD)
		return result;
	if (!judge_head(req, fault))
		return HTTP_BROKEN;
	*scanned = 0;
	*eaten = w.looked;
	return HTTP_HEAD;
}

/* Lengths differ mostly: they are compared first. */
const struct http_field *
http_next_field(const struct http_request *req, const char *name, size_t *at)
{
	size_t len = strlen(name);
	while (*at < req->field_count) {
		const struct http_field *field = &req->fields[(*at)++];
		if (field->name.len == len && slice_equals_nocase(field->name, name))
			return field;
	}
	return NULL;
}

struct slice
http_field(const struct http_request *req, const char *name)
{
	size_t at = 0;
	const struct http_field *field = http_next_field(req, name, &at);
	return field == NULL ? (struct slice){ NULL, 0 } : field->value;
}

size_t
http_field_count(const struct http_request *req, const char *name)
{
	size_t at = 0, count = 0;
	while (http_next_field(req, name, &at) != NULL)
		count++;
	return count;
}

bool
http_field_has_token(const struct http_request *req, const char *name, const char *token)
{
	const struct http_field *field;
	size_t at = 0;

	while ((field = http_next_field(req, name, &at)) != NULL) {
		struct slice list = field->value, item;
		while (text_next_listed(&list, &item))
			if (slice_equals_nocase(item, token))
				return true;
	}
	return false;
}

bool
http_is_token(struct slice text)
{
	return text.len > 0 && skip_class(text, 0, text.len, T) == text.len;
}

/* The registry of RFC 9110 16.2.1, as far as a server of today can meet it. */
const char *
http_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 100, "Continue" },
		{ 101, "Switching Protocols" },
		{ 102, "Processing" },
		{ 103, "Early Hints" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 203, "Non-Authoritative Information" },
		{ 204, "No Content" },
		{ 205, "Reset Content" },
		{ 206, "Partial Content" },
		{ 300, "Multiple Choices" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 402, "Payment Required" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 407, "Proxy Authentication Required" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 425, "Too Early" },
		{ 426, "Upgrade Required" },
		{ 428, "Precondition Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 451, "Unavailable For Legal Reasons" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
		{ 507, "Insufficient Storage" },
		{ 511, "Network Authentication Required" },
	};
	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "";
}

static int
hex_value(char digit)
{
	if (!is_class(digit, X))
		return -1;
	return is_digit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

/* Takes one byte off PATH, or one escape; -1 for what must not stand in a segment. */
static int
take_decoded(struct slice *path)
{
	size_t len = 1;
	int byte = (unsigned char)path->data[0];

	if (byte == '%') {
		int high = path->len < 3 ? -1 : hex_value(path->data[1]);
		int low = path->len < 3 ? -1 : hex_value(path->data[2]);
		if (high == -1 || low == -1)
			return -1;
		byte = high * 16 + low;
		len = 3;
	}
	if (byte == 0 || byte == '/')
		return -1;
	path->data += len;
	path->len -= len;
	return byte;
}

/* Decodes up to the next slash, appends to OUT. Returns the new length or -1. */
static long
decode_segment(struct slice *path, char *out, long len)
{
	while (path->len > 0 && path->data[0] != '/') {
		int byte = take_decoded(path);
		if (byte == -1)
			return -1;
		out[len++] = (char)byte;
	}
	return len;
}

/*
 * RFC 3986 5.2.4, but climbing out is an error. OUT ends with "/SEGMENT", which begins at START.
 * Returns the new length: without the slash, which the next segment brings, unless this is the LAST.
 */
static long
resolve_segment(const char *out, long start, long len, bool last)
{
	bool here = len - start == 2 && out[start + 1] == '.';
	bool up = len - start == 3 && out[start + 1] == '.' && out[start + 2] == '.';

	if (!here && !up)
		return len;
	if (up && start == 0)
		return -1;
	if (up)
		while (out[--start] != '/')
			;
	return last ? start + 1 : start;
}

/* Dots are resolved after decoding, so that %2e is a dot as well. */
long
http_decode_path(struct slice path, char *out)
{
	long len = 0;

	if (path.len == 0 || path.data[0] != '/')
		return -1;
	while (path.len > 0 && len != -1) {
		long start = len;
		out[len++] = '/';
		path.data++;
		path.len--;
		len = decode_segment(&path, out, len);
		if (len != -1)
			len = resolve_segment(out, start, len, path.len == 0);
	}
	return len;
}

bool
http_lines_name(const char *lines, struct slice name)
{
	for (const char *line = lines; *line != '\0'; line = strchr(line, '\n') + 1)
		if (strncasecmp(line, name.data, name.len) == 0 && line[name.len] == ':')
			return true;
	return false;
}

int
http_write_head(struct buf *out, int status, int64_t now, const char *extra)
{
	char date[30];
	if (extra == NULL)
		extra = "";
	return buf_printf(out, "HTTP/1.1 %03d %s\r\n%sDate: %s\r\n%s\r\n", status, http_phrase(status),
		http_lines_name(extra, slice_of("Server")) ? "" : "Server: wsgate\r\n", http_format_date(now, date), extra);
}
