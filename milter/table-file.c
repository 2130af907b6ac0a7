/* SPDX-License-Identifier: MIT */
/* table-file: the lines of OpenDKIM's table files. */
#include "milter/table-file.h"

#include "milter/key-file.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int roost_table_file_read(const char *path, struct roost_buf *text,
			  struct roost_err *err)
{
	unsigned int line = 1;
	size_t i;

	if (roost_key_file_read(path, text, err) < 0)
		return -1;
	for (i = 0; i < text->len; i++) {
		if (text->data[i] == '\0')
			return roost_err_set(err, "%s:%u: NUL character", path,
					     line);
		if (text->data[i] == '\n')
			line++;
	}
	return 0;
}

void roost_table_file_init(struct roost_table_file *file, const char *path,
			   char *text)
{
	file->path = path;
	file->next = text;
	file->line = 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* Cuts the line off the text; without its end and the blanks around it. */
static char *cut_line(struct roost_table_file *file)
{
	char *line = skip_blanks(file->next);
	char *end = file->next + strcspn(file->next, "\n");

	file->line++;
	file->next = *end == '\0' ? NULL : end + 1;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		*--end = '\0';
	while (end > line && is_blank(end[-1]))
		*--end = '\0';
	return line;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (((unsigned char)*text < ' ' && *text != '\t') ||
		    *text == 0x7f)
			return false;
	}
	return true;
}

int roost_table_file_next(struct roost_table_file *file,
			  struct roost_table_line *line, struct roost_err *err)
{
	char *text;

	do {
		if (file->next == NULL)
			return 0;
		text = cut_line(file);
	} while (*text == '\0' || *text == '#');
	(void)snprintf(file->place, sizeof(file->place), "%.400s:%u",
		       file->path, file->line);
	if (!is_printable(text))
		return roost_err_set(err, "%s: control character", file->place);
	line->place = file->place;
	line->key = text;
	text += strcspn(text, " \t");
	line->value = skip_blanks(text);
	*text = '\0';
	return 1;
}
