/* SPDX-License-Identifier: MIT */
/*
 * table-file: the lines of OpenDKIM's table files: a word, blanks, the rest.
 * "#" starts a comment line; empty lines are skipped.
 */
#ifndef ROOST_MILTER_TABLE_FILE_H
#define ROOST_MILTER_TABLE_FILE_H

#include "common/base/buf.h"
#include "common/base/err.h"

#define ROOST_TABLE_FILE_MAX (32 * 1024 * 1024)

struct roost_table_line {
	char *key, *value; /* in the text; value "" when there is none */
	const char *place; /* "path:line", until the next line is read */
};

struct roost_table_file {
	const char *path;
	char *next;
	unsigned int line;
	char place[ROOST_ERR_SIZE];
};

/* Reads the file whole; a NUL in it is an error with its line. */
int roost_table_file_read(const char *path, struct roost_buf *text,
			  struct roost_err *err);

/* `text` is a C string that gets cut up. */
void roost_table_file_init(struct roost_table_file *file, const char *path,
			   char *text);

/* 1: a line, 0: no more, -1: a line with control characters (err set). */
int roost_table_file_next(struct roost_table_file *file,
			  struct roost_table_line *line, struct roost_err *err);

#endif
