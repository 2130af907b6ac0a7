/* SPDX-License-Identifier: MIT */
/*
 * base64: the encoding of tag values (RFC 4648 section 4, strict: padded, no
 * stray bits), where white space and folds may stand anywhere (RFC 6376
 * section 3.5, "b=").
 */
#ifndef ROOST_DKIM_BASE64_H
#define ROOST_DKIM_BASE64_H

#include <stddef.h>

#include "common/base/buf.h"

void roost_base64_encode(const void *data, size_t len, struct roost_buf *out);

/* Appends the decoded bytes; -1 when it is not base64 or `out` is full (what
   was appended so far stays). SP, HTAB, CR and LF are skipped. */
int roost_base64_decode(const char *str, size_t len, struct roost_buf *out);

#endif
