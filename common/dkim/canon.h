/* SPDX-License-Identifier: MIT */
/*
 * canon: the canonical forms of headers and bodies (RFC 6376 section 3.4).
 *
 * White space is SP and HTAB, nothing else; a line ends with CRLF, a lone CR
 * or LF in a body is text. Bodies are taken in pieces of any size; the
 * work is linear and the state of fixed size.
 */
#ifndef ROOST_DKIM_CANON_H
#define ROOST_DKIM_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum roost_canon_mode {
	ROOST_CANON_SIMPLE,
	ROOST_CANON_RELAXED,
};

/* Takes the next `len` bytes (at least 1) of the canonical body. */
typedef void roost_canon_sink(void *ctx, const void *data, size_t len);

struct roost_canon_body {
	enum roost_canon_mode mode;
	roost_canon_sink *sink;
	void *sink_ctx;
	uint64_t newlines; /* line ends held back: perhaps the last ones */
	uint64_t line;	   /* length of the unfinished line */
	uint64_t longest;  /* longest line so far, without its CRLF */
	bool cr;	   /* a CR held back: perhaps half a CRLF */
	bool wsp;	   /* white space held back (relaxed) */
	bool any;	   /* something was given to the sink */
	size_t out_len;
	unsigned char out[4096];
};

void roost_canon_body_init(struct roost_canon_body *body,
			   enum roost_canon_mode mode, roost_canon_sink *sink,
			   void *sink_ctx);
void roost_canon_body_update(struct roost_canon_body *body, const void *data,
			     size_t len);
/* Ends the body and flushes to the sink; init starts another one. */
void roost_canon_body_final(struct roost_canon_body *body);

/*
 * Appends one header field in canonical form, without the CRLF at its end.
 * `value` is what follows the colon, blanks included; its folds may be CRLF or
 * a bare LF (as a milter gets them) and count as CRLF.
 */
void roost_canon_header(enum roost_canon_mode mode, const char *name,
			size_t name_len, const char *value, size_t value_len,
			struct roost_buf *out);

/* "simple" or "relaxed"; parse returns -1 for any other name. */
const char *roost_canon_name(enum roost_canon_mode mode);
int roost_canon_parse(const char *name, size_t len,
		      enum roost_canon_mode *mode_r);

#endif
