/* SPDX-License-Identifier: MIT */
/*
 * verify: checks one DKIM-Signature (RFC 6376 section 6) against a key record.
 *
 * No DNS here: parse gives the name to ask for, the caller brings the record.
 */
#ifndef ROOST_DKIM_VERIFY_H
#define ROOST_DKIM_VERIFY_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/dkim/canon.h"
#include "common/dkim/hash.h"
#include "common/dkim/header-list.h"
#include "common/dkim/key.h"
#include "common/dkim/tag-list.h"

enum roost_verify_result {
	ROOST_VERIFY_PASS,
	ROOST_VERIFY_FAIL,	/* the signature or the body hash is wrong */
	ROOST_VERIFY_PERMERROR, /* it can not be checked: see err */
};

/* A parsed signature; points into its header field. */
struct roost_verify {
	const struct roost_header *field;
	struct roost_tag_list tags;
	enum roost_key_type type;
	enum roost_canon_mode header_canon, body_canon;
	uint64_t body_limit; /* "l=", else ROOST_HASH_NO_LIMIT */
	uint64_t expires;    /* "x=", else UINT64_MAX */
	unsigned char body_hash[ROOST_HASH_SIZE];
	char query[512]; /* selector._domainkey.domain */
};

/* -1 (err set) when the field is no valid rsa-sha256 or ed25519-sha256
   signature. Hash the body with the modes and the limit it names. */
int roost_verify_parse(struct roost_verify *verify,
		       const struct roost_header *field, struct roost_err *err);

/* `headers` are all fields of the message, the signature's own among them or
   not; `body` is the hash object after roost_hash_end, `body_hash` its result;
   `record` the text of the key record. */
enum roost_verify_result
roost_verify_check(const struct roost_verify *verify,
		   const struct roost_header_list *headers,
		   const unsigned char body_hash[ROOST_HASH_SIZE],
		   uint64_t body_size, const char *record, uint64_t now,
		   struct roost_err *err);

#endif
