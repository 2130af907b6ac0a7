/* SPDX-License-Identifier: MIT */
/*
 * kv: lines of TAB-separated, escaped fields and key=value fields.
 *
 * The escapes are those of Dovecot's str_tabescape(): \001 followed by
 * 0 (NUL), 1 (\001), t (TAB), r (CR) or n (LF). Reading is stricter than
 * Dovecot's: an unknown escape, a raw NUL, CR or LF and an escaped NUL are
 * errors, so that a field is always a whole C string.
 */
#ifndef ROOST_BASE_KV_H
#define ROOST_BASE_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

/* Appends the value, escaped, without any separator. */
void roost_kv_escape(struct roost_buf *buf, const char *value);

/* Append TAB and the field: a plain value, key=value, or the bare key. */
void roost_kv_field(struct roost_buf *buf, const char *value);
void roost_kv_pair(struct roost_buf *buf, const char *key, const char *value);
void roost_kv_pair_uint(struct roost_buf *buf, const char *key, uint64_t value);
void roost_kv_flag(struct roost_buf *buf, const char *key);

/* Cuts line[0..len) (no line end) at its TABs and unescapes each field in
   place; line[len] must be writable. fields[] then points into the line.
   Returns the number of fields (at least 1), or -1 with err set: more than
   max fields or a malformed one. */
int roost_kv_split(char *line, size_t len, char **fields, size_t max,
		   struct roost_err *err);

/* The value of "key=value", "" of a bare "key", NULL if field is another. */
const char *roost_kv_value(const char *field, const char *key);

/* Decimal digits alone, at most `max`: the whole string or false. */
bool roost_kv_uint(const char *str, uint64_t max, uint64_t *value_r);

#endif
