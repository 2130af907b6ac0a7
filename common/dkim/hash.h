/* SPDX-License-Identifier: MIT */
/*
 * hash: SHA-256 of a body in canonical form (the "bh=" tag), streaming.
 *
 * The object is reused from message to message (begin … body … end), by one
 * thread at a time.
 */
#ifndef ROOST_DKIM_HASH_H
#define ROOST_DKIM_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/dkim/canon.h"

#define ROOST_HASH_SIZE 32
#define ROOST_HASH_NO_LIMIT UINT64_MAX

struct roost_hash;

/* NULL (err set) when OpenSSL has no SHA-256 to give. */
struct roost_hash *roost_hash_new(struct roost_err *err);
void roost_hash_free(struct roost_hash **hash);

/* Starts a body, of which the first `limit` canonical bytes count ("l="). */
void roost_hash_begin(struct roost_hash *hash, enum roost_canon_mode mode,
		      uint64_t limit);
void roost_hash_body(struct roost_hash *hash, const void *data, size_t len);
/* -1 (err set) when any step since begin failed. */
int roost_hash_end(struct roost_hash *hash,
		   unsigned char digest[ROOST_HASH_SIZE],
		   struct roost_err *err);

/* Of the body since begin: the longest line in bytes, without its CRLF, and
   after end the canonical length (it may be less than the limit). */
uint64_t roost_hash_longest_line(const struct roost_hash *hash);
uint64_t roost_hash_canonical_size(const struct roost_hash *hash);

/* SHA-256 of one piece; -1 (err set) when OpenSSL fails. */
int roost_hash_once(const void *data, size_t len,
		    unsigned char digest[ROOST_HASH_SIZE],
		    struct roost_err *err);

#endif
