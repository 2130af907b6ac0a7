/* SPDX-License-Identifier: MIT */
/* record: the text of a key record as DNS software takes it. */
#include "common/dkim/record.h"

#include <string.h>

void roost_record_strings(const char *text, struct roost_buf *out)
{
	size_t n = 0;

	roost_buf_append_char(out, '"');
	for (; *text != '\0'; text++) {
		if (n++ == ROOST_RECORD_STRING) {
			roost_buf_append_str(out, "\" \"");
			n = 1;
		}
		if (*text == '"' || *text == '\\')
			roost_buf_append_char(out, '\\');
		roost_buf_append_char(out, *text);
	}
	roost_buf_append_char(out, '"');
}

void roost_record_zone(const char *name, const char *text,
		       struct roost_buf *out)
{
	roost_buf_printf(out, "%s. IN TXT ( ", name);
	roost_record_strings(text, out);
	roost_buf_append_str(out, " )\n");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind a backslash: a character, or its number in three digits. */
static int read_escape(const char **p, const char *end, char *c_r)
{
	int value = 0, i;

	if (*p == end)
		return -1;
	if (**p < '0' || **p > '9') {
		*c_r = *(*p)++;
		return 0;
	}
	for (i = 0; i < 3; i++) {
		if (*p == end || **p < '0' || **p > '9')
			return -1;
		value = value * 10 + (*(*p)++ - '0');
	}
	*c_r = (char)(unsigned char)value;
	return value > 0 && value < 256 ? 0 : -1;
}

/* One string, from behind its opening quote to behind the closing one. */
static int read_string(const char **p, const char *end,
		       struct roost_buf *record, struct roost_err *err)
{
	char c;

	while (*p < end && **p != '"') {
		c = *(*p)++;
		if (c == '\\' && read_escape(p, end, &c) < 0)
			return roost_err_set(err, "bad escape in a string");
		roost_buf_append_char(record, c);
	}
	if (*p == end)
		return roost_err_set(err, "a string without its end");
	(*p)++;
	return 0;
}

/* A version tag behind other text is where the next record begins. */
static bool has_second(const struct roost_buf *record, size_t at)
{
	static const char tag[] = "v=DKIM1";

	return at > 0 && record->len - at >= sizeof(tag) - 1 &&
	       memcmp(record->data + at, tag, sizeof(tag) - 1) == 0;
}

static int read_zone(const char *text, size_t len, struct roost_buf *record,
		     struct roost_err *err)
{
	const char *p = text, *end = text + len;
	size_t at;

	while (p < end) {
		if (*p == ';') {
			p = memchr(p, '\n', (size_t)(end - p));
			if (p == NULL)
				break;
		}
		if (*p++ != '"')
			continue;
		at = record->len;
		if (read_string(&p, end, record, err) < 0)
			return -1;
		if (!record->failed && has_second(record, at))
			return roost_err_set(err, "more than one record");
	}
	return 0;
}

int roost_record_read(const char *text, size_t len, struct roost_buf *record,
		      struct roost_err *err)
{
	roost_buf_clear(record);
	if (memchr(text, '\0', len) != NULL)
		return roost_err_set(err, "NUL character");
	if (memchr(text, '"', len) != NULL) {
		if (read_zone(text, len, record, err) < 0)
			return -1;
	} else {
		for (; len > 0 && is_blank(text[len - 1]); len--)
			;
		for (; len > 0 && is_blank(*text); len--)
			text++;
		roost_buf_append(record, text, len);
	}
	if (record->failed || record->len > ROOST_RECORD_MAX)
		return roost_err_set(err, "more than %d bytes in a record",
				     ROOST_RECORD_MAX);
	if (record->len == 0)
		return roost_err_set(err, "no record");
	return 0;
}
