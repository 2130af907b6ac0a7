/* SPDX-License-Identifier: MIT */
/* socketmap: Postfix's socketmap protocol, server side. */
#include "common/proto/socketmap.h"

#include <string.h>

/* Takes "length:"; returns the bytes of it, 0: more are needed, -1: no. */
static int take_length(const char *data, size_t len, size_t *length_r,
		       struct roost_err *err)
{
	size_t i, length = 0;

	for (i = 0; i < len && data[i] >= '0' && data[i] <= '9'; i++) {
		if (i > 0 && length == 0)
			return roost_err_set(err, "a length with a zero first");
		length = length * 10 + (size_t)(data[i] - '0');
		if (length > ROOST_SOCKETMAP_QUERY_MAX)
			return roost_err_set(err, "query of more than %d bytes",
					     ROOST_SOCKETMAP_QUERY_MAX);
	}
	if (i == len)
		return 0;
	if (i == 0 || data[i] != ':')
		return roost_err_set(err, "no netstring");
	*length_r = length;
	return (int)i + 1;
}

int roost_socketmap_parse(struct roost_socketmap_query *query, char *data,
			  size_t len, struct roost_err *err)
{
	size_t length = 0;
	char *text, *blank;
	int head = take_length(data, len, &length, err);

	if (head <= 0)
		return head;
	if (len - (size_t)head <= length)
		return 0;
	text = data + head;
	if (text[length] != ',')
		return roost_err_set(err, "no comma after a netstring");
	if (memchr(text, '\0', length) != NULL)
		return roost_err_set(err, "NUL byte in a query");
	blank = memchr(text, ' ', length);
	if (blank == NULL || blank == text)
		return roost_err_set(err, "a query is not 'name key'");
	*blank = '\0';
	text[length] = '\0';
	query->name = text;
	query->key = blank + 1;
	query->size = (size_t)head + length + 1;
	return 1;
}

void roost_socketmap_answer(struct roost_buf *out,
			    enum roost_socketmap_status status,
			    const char *text)
{
	static const char *const words[] = {
		[ROOST_SOCKETMAP_OK] = "OK ",
		[ROOST_SOCKETMAP_NOTFOUND] = "NOTFOUND ",
		[ROOST_SOCKETMAP_TEMP] = "TEMP ",
	};

	if (status == ROOST_SOCKETMAP_NOTFOUND)
		text = "";
	if (strlen(text) > ROOST_SOCKETMAP_VALUE_MAX) {
		status = ROOST_SOCKETMAP_TEMP;
		text = "the value is too long";
	}
	roost_buf_printf(out, "%zu:%s%s,", strlen(words[status]) + strlen(text),
			 words[status], text);
}
