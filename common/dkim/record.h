/* SPDX-License-Identifier: MIT */
/*
 * record: the text of a key record as DNS software takes it: in strings of at
 * most 255 bytes (RFC 6376 section 3.6.2.2, RFC 1035 section 5.1).
 */
#ifndef ROOST_DKIM_RECORD_H
#define ROOST_DKIM_RECORD_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

#define ROOST_RECORD_MAX 4096	/* bytes in a record that is read */
#define ROOST_RECORD_STRING 255 /* bytes in one string of a TXT record */

/* Appends `text` as strings in quotes, one blank between two. */
void roost_record_strings(const char *text, struct roost_buf *out);

/* Appends a line of a zone file: name, "IN TXT", the strings in parentheses. */
void roost_record_zone(const char *name, const char *text,
		       struct roost_buf *out);

/* Takes the record out of a file: the text itself, or strings in quotes with
   a zone file's names, parentheses and comments around them. *record is
   emptied first. -1 (err set): no record, several, or too long. */
int roost_record_read(const char *text, size_t len, struct roost_buf *record,
		      struct roost_err *err);

#endif
