/* The one idea: what is eaten is either kept, up to a ceiling, or is the end of the request. */
#include "gate/body.h"

enum body_result
body_read(struct body *b, struct span *in)
{
	struct span data;
	enum chunked_result result;
	while ((result = chunked_read(&b->chunked, in, &data)) == CHUNKED_DATA) {
		if (buf_len(&b->bytes) + data.len > BODY_MAX)
			return BODY_TOO_LONG;
		if (buf_append(&b->bytes, data.data, data.len) == -1)
			return BODY_NO_MEMORY;
	}
	b->whole = result == CHUNKED_END;
	return result == CHUNKED_MORE ? BODY_MORE : b->whole ? BODY_WHOLE : BODY_BROKEN;
}

void
body_clear(struct body *b)
{
	buf_clear(&b->bytes);
	*b = (struct body){ .whole = false };
}
