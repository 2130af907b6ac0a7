/* SPDX-License-Identifier: MIT */
/*
 * key-table: parses OpenDKIM's KeyTable and SigningTable (opendkim.conf(5));
 * reads no key.
 *
 * KeyTable      name domain:selector:path   or the key itself in base64
 * SigningTable  pattern name [identity]
 */
#ifndef ROOST_MILTER_KEY_TABLE_H
#define ROOST_MILTER_KEY_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

struct roost_key_table_key {
	const char *name, *domain, *selector;
	char *path;	  /* owned; NULL: the key is in text */
	const char *text; /* base64 DER */
	char *place;	  /* owned: "file:line" */
	unsigned int line;
};

struct roost_key_table_line {
	const char *pattern, *identity; /* "" none */
	const struct roost_key_table_key *key;
};

struct roost_key_table {
	const char *key_path, *signing_path; /* the files, without prefix */
	bool glob;			     /* refile: */
	struct roost_key_table_key *keys;    /* sorted by name */
	size_t key_count, key_alloc;
	struct roost_key_table_line *lines; /* in order */
	size_t line_count, line_alloc;
	struct roost_buf key_text, signing_text;
};

/* The file of a setting: without "file:" or "refile:". */
const char *roost_key_table_path(const char *setting);

/* Reads both files. Each error names file and line. Free the table in either
   case; the settings must outlive it. */
int roost_key_table_read(const char *key_table, const char *signing_table,
			 struct roost_key_table *table_r,
			 struct roost_err *err);

/* The same with the texts at hand (key_text and signing_text of the table
   filled, the paths set): for tests. */
int roost_key_table_parse(struct roost_key_table *table, struct roost_err *err);

void roost_key_table_free(struct roost_key_table *table);

#endif
