/* SPDX-License-Identifier: MIT */
/* conf-file: the syntax of settings files, that of Postfix's main.cf. */
#include "common/base/conf-private.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

#define LINE_MAX_BYTES (ROOST_CONF_VALUE_MAX + 1024)

struct parser {
	const char *path;
	roost_conf_file_set *set;
	void *ctx;
	struct roost_buf logical; /* lines joined so far */
	unsigned int start;	  /* line where it began; 0: none */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || len > ROOST_CONF_NAME_MAX || s[0] < 'a' || s[0] > 'z')
		return false;
	for (i = 0; i < len; i++) {
		if (!((s[i] >= 'a' && s[i] <= 'z') ||
		      (s[i] >= '0' && s[i] <= '9') || s[i] == '_'))
			return false;
	}
	return true;
}

/* Splits the logical line at its first '=' and hands it on. */
static int parser_flush(struct parser *p, struct roost_err *err)
{
	char name[ROOST_CONF_NAME_MAX + 1], *line, *value;
	size_t len;
	int ret;

	if (p->start == 0)
		return 0;
	if (p->logical.failed)
		return roost_err_set(err, "%s:%u: the value is too long",
				     p->path, p->start);
	line = (char *)p->logical.data;
	value = strchr(line, '=');
	len = value == NULL ? 0 : (size_t)(value - line);
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (value == NULL)
		return roost_err_set(err, "%s:%u: expected 'name = value'",
				     p->path, p->start);
	if (!is_name(line, len))
		return roost_err_set(err, "%s:%u: '%.*s' is not a name",
				     p->path, p->start,
				     (int)(len > 40 ? 40 : len), line);
	memcpy(name, line, len);
	name[len] = '\0';
	for (value++; is_blank(*value);)
		value++;
	ret = p->set(p->ctx, name, value, p->start, err);
	p->start = 0;
	roost_buf_clear(&p->logical);
	return ret;
}

/* One physical line, without its newline. */
static int parser_line(struct parser *p, const char *line, size_t len,
		       unsigned int number, struct roost_err *err)
{
	bool indented = len > 0 && is_blank(line[0]);
	size_t i, lead = 0;

	while (len > 0 && is_blank(line[len - 1]))
		len--;
	while (lead < len && is_blank(line[lead]))
		lead++;
	if (lead == len || line[lead] == '#')
		return 0;
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return roost_err_set(err,
					     "%s:%u: control character \\x%02x",
					     p->path, number, c);
	}
	if (!indented) {
		if (parser_flush(p, err) < 0)
			return -1;
		p->start = number;
	} else if (p->start == 0) {
		return roost_err_set(err,
				     "%s:%u: a line that starts with white "
				     "space continues the one before, and "
				     "there is none",
				     p->path, number);
	} else {
		roost_buf_append_char(&p->logical, ' ');
	}
	roost_buf_append(&p->logical, line + lead, len - lead);
	return 0;
}

int roost_conf_file_parse(const char *path, const char *text, size_t len,
			  roost_conf_file_set *set, void *ctx,
			  struct roost_err *err)
{
	struct parser p = { .path = path, .set = set, .ctx = ctx };
	unsigned int number = 0;
	int ret = 0;

	p.logical.max = LINE_MAX_BYTES;
	while (len > 0 && ret == 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end == NULL ? len : (size_t)(end - text);

		ret = parser_line(&p, text, n, ++number, err);
		if (end != NULL)
			n++;
		text += n;
		len -= n;
	}
	if (ret == 0)
		ret = parser_flush(&p, err);
	roost_buf_free(&p.logical);
	return ret;
}

int roost_conf_file_read(const char *path, size_t max, char **text_r,
			 size_t *len_r, struct roost_err *err)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t len;
	int ret = 0;

	if (f == NULL)
		return roost_err_set(err, "%s: %s", path, strerror(errno));
	text = malloc(max + 2);
	if (text == NULL) {
		fclose(f);
		return roost_err_set(err, "%s: out of memory", path);
	}
	len = fread(text, 1, max + 1, f);
	if (ferror(f))
		ret = roost_err_set(err, "%s: %s", path, strerror(errno));
	else if (len > max)
		ret = roost_err_set(err, "%s: longer than %zu bytes", path,
				    max);
	fclose(f);
	if (ret < 0) {
		free(text);
		return -1;
	}
	text[len] = '\0';
	*text_r = text;
	*len_r = len;
	return 0;
}
