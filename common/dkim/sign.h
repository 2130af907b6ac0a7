/* SPDX-License-Identifier: MIT */
/*
 * sign: makes a DKIM-Signature header (RFC 6376 section 5).
 *
 * The header fields to sign are picked and brought into canonical form once
 * per message (prepare), then signed with each key.
 */
#ifndef ROOST_DKIM_SIGN_H
#define ROOST_DKIM_SIGN_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/dkim/canon.h"
#include "common/dkim/hash.h"
#include "common/dkim/header-list.h"
#include "common/dkim/key.h"

struct roost_sign_names {
	const char *const *names;
	size_t count;
};

/* What a site has decided; the caller keeps it alive. */
struct roost_sign_rules {
	enum roost_canon_mode header_canon, body_canon;
	/* Fields signed where they are present, every one of them. */
	struct roost_sign_names sign;
	/* Fields named once more than present: adding one breaks the signature.
	   They are signed, whether `sign` names them or not. */
	struct roost_sign_names oversign;
	uint64_t lifetime; /* seconds until "x=", 0: none */
};

struct roost_sign_prepared {
	struct roost_buf names; /* "From:To:…" */
	struct roost_buf text;	/* the fields in canonical form */
};

/* Whether the rules name this field. */
bool roost_sign_wants(const struct roost_sign_rules *rules, const char *name,
		      size_t name_len);

/* Picks the fields of `headers`; the rules must name From. -1 (err set) when a
   bound is passed. Free the result in either case. */
int roost_sign_prepare(const struct roost_sign_rules *rules,
		       const struct roost_header_list *headers,
		       struct roost_sign_prepared *prepared_r,
		       struct roost_err *err);
void roost_sign_prepared_free(struct roost_sign_prepared *prepared);

struct roost_sign_signer {
	const struct roost_key *key;
	const char *domain, *selector;
	const char *identity; /* "i=", or NULL: none */
};

/* Makes the value of the DKIM-Signature field in *value (emptied first): what
   stands behind the colon, beginning with a blank, folded with a bare LF and a
   HTAB, no line end at its end. `now` in seconds since 1970. -1: err set. */
int roost_sign_make(const struct roost_sign_rules *rules,
		    const struct roost_sign_prepared *prepared,
		    const struct roost_sign_signer *signer,
		    const unsigned char body_hash[ROOST_HASH_SIZE],
		    uint64_t now, struct roost_buf *value,
		    struct roost_err *err);

#endif
