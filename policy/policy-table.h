/* SPDX-License-Identifier: MIT */
/*
 * policy-table: a table of keys and values in memory.
 *
 * Filled from the text of a file, as Postfix's postmap(1) and regexp_table(5)
 * would read it, or row by row. Keys are compared without case. Once filled
 * it is only read.
 */
#ifndef ROOST_POLICY_POLICY_TABLE_H
#define ROOST_POLICY_POLICY_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define ROOST_POLICY_TABLE_ROWS_MAX 1000000
#define ROOST_POLICY_TABLE_REGEXPS_MAX 10000
#define ROOST_POLICY_TABLE_LINE_MAX 65536
/* a longer key matches no pattern: no address is that long */
#define ROOST_POLICY_TABLE_KEY_MAX 512

enum roost_policy_table_form {
	ROOST_POLICY_TABLE_PLAIN,  /* key, blanks, value */
	ROOST_POLICY_TABLE_REGEXP, /* /pattern/ blanks value; POSIX extended */
};

struct roost_policy_table;

struct roost_policy_table *roost_policy_table_new(void); /* NULL: no memory */
void roost_policy_table_free(struct roost_policy_table **table);

/* Reads a whole file's text. Lines that start with white space go on with the
   one before, lines whose first other character is # are skipped. Errors name
   the line. NULL: nothing is kept. */
struct roost_policy_table *
roost_policy_table_parse(enum roost_policy_table_form form, const char *text,
			 size_t len, struct roost_err *err);

/* Adds a row. A second value of a key is joined to the first with a comma, or
   else ignored, as postmap(1) does. */
int roost_policy_table_add(struct roost_policy_table *table, const char *key,
			   const char *value, bool joins,
			   struct roost_err *err);

/* The value, or NULL. */
const char *roost_policy_table_find(const struct roost_policy_table *table,
				    const char *key);

size_t roost_policy_table_count(const struct roost_policy_table *table);
/* The value of any row by its number. */
const char *roost_policy_table_value(const struct roost_policy_table *table,
				     size_t i);

#endif
