/* SPDX-License-Identifier: MIT */
/* kv: lines of TAB-separated, escaped fields and key=value fields. */
#include "common/base/kv.h"

#include <inttypes.h>
#include <string.h>

#define ESCAPE '\001'

static char escape_letter(char c)
{
	switch (c) {
	case ESCAPE:
		return '1';
	case '\t':
		return 't';
	case '\r':
		return 'r';
	case '\n':
		return 'n';
	default:
		return '\0';
	}
}

void roost_kv_escape(struct roost_buf *buf, const char *value)
{
	const char *plain = value;
	char letter;

	for (; *value != '\0'; value++) {
		letter = escape_letter(*value);
		if (letter == '\0')
			continue;
		roost_buf_append(buf, plain, (size_t)(value - plain));
		roost_buf_append_char(buf, ESCAPE);
		roost_buf_append_char(buf, letter);
		plain = value + 1;
	}
	roost_buf_append(buf, plain, (size_t)(value - plain));
}

void roost_kv_field(struct roost_buf *buf, const char *value)
{
	roost_buf_append_char(buf, '\t');
	roost_kv_escape(buf, value);
}

void roost_kv_pair(struct roost_buf *buf, const char *key, const char *value)
{
	roost_kv_field(buf, key);
	roost_buf_append_char(buf, '=');
	roost_kv_escape(buf, value);
}

void roost_kv_pair_uint(struct roost_buf *buf, const char *key, uint64_t value)
{
	roost_kv_field(buf, key);
	roost_buf_printf(buf, "=%" PRIu64, value);
}

void roost_kv_flag(struct roost_buf *buf, const char *key)
{
	roost_kv_field(buf, key);
}

/* Unescapes field[0..len) in place and ends it with a NUL. */
static int unescape(char *field, size_t len, struct roost_err *err)
{
	static const char letters[] = "1trn", chars[] = "\001\t\r\n";
	const char *letter;
	size_t in, out = 0;

	for (in = 0; in < len; in++) {
		if (field[in] == '\0' || field[in] == '\r' || field[in] == '\n')
			return roost_err_set(err, "raw control character");
		if (field[in] != ESCAPE) {
			field[out++] = field[in];
			continue;
		}
		if (++in == len || field[in] == '\0')
			return roost_err_set(err, "cut escape");
		letter = strchr(letters, field[in]);
		if (letter == NULL)
			return roost_err_set(err, "bad escape");
		field[out++] = chars[letter - letters];
	}
	field[out] = '\0';
	return 0;
}

int roost_kv_split(char *line, size_t len, char **fields, size_t max,
		   struct roost_err *err)
{
	char *end = line + len, *tab;
	size_t count = 0;

	for (;;) {
		if (count == max)
			return roost_err_set(err, "more than %zu fields", max);
		tab = memchr(line, '\t', (size_t)(end - line));
		if (tab == NULL)
			tab = end;
		if (unescape(line, (size_t)(tab - line), err) < 0)
			return roost_err_prefix(err, "field %zu", count + 1);
		fields[count++] = line;
		if (tab == end)
			return (int)count;
		line = tab + 1;
	}
}

const char *roost_kv_value(const char *field, const char *key)
{
	size_t len = strlen(key);

	if (strncmp(field, key, len) != 0)
		return NULL;
	if (field[len] == '=')
		return field + len + 1;
	return field[len] == '\0' ? "" : NULL;
}

bool roost_kv_uint(const char *str, uint64_t max, uint64_t *value_r)
{
	uint64_t value = 0;
	unsigned int digit;

	if (*str == '\0')
		return false;
	for (; *str != '\0'; str++) {
		if (*str < '0' || *str > '9')
			return false;
		digit = (unsigned int)(*str - '0');
		if (value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - digit)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*value_r = value;
	return true;
}
