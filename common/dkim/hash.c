/* SPDX-License-Identifier: MIT */
/* hash: SHA-256 of a body in canonical form, streaming. */
#include "common/dkim/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct roost_hash {
	EVP_MD_CTX *ctx;
	struct roost_canon_body canon;
	uint64_t size, limit;
	bool failed;
};

static void hash_sink(void *ctx, const void *data, size_t len)
{
	struct roost_hash *hash = ctx;
	uint64_t left = hash->size < hash->limit ? hash->limit - hash->size : 0;

	hash->size += len;
	if (len > left)
		len = (size_t)left;
	if (len > 0 && EVP_DigestUpdate(hash->ctx, data, len) != 1)
		hash->failed = true;
}

struct roost_hash *roost_hash_new(struct roost_err *err)
{
	struct roost_hash *hash = calloc(1, sizeof(*hash));

	if (hash == NULL) {
		(void)roost_err_set(err, "out of memory");
		return NULL;
	}
	hash->ctx = EVP_MD_CTX_new();
	if (hash->ctx == NULL ||
	    EVP_DigestInit_ex(hash->ctx, EVP_sha256(), NULL) != 1) {
		(void)roost_err_set(err, "OpenSSL gives no SHA-256");
		roost_hash_free(&hash);
		return NULL;
	}
	roost_hash_begin(hash, ROOST_CANON_RELAXED, ROOST_HASH_NO_LIMIT);
	return hash;
}

void roost_hash_free(struct roost_hash **hash)
{
	if (*hash == NULL)
		return;
	EVP_MD_CTX_free((*hash)->ctx);
	free(*hash);
	*hash = NULL;
}

void roost_hash_begin(struct roost_hash *hash, enum roost_canon_mode mode,
		      uint64_t limit)
{
	roost_canon_body_init(&hash->canon, mode, hash_sink, hash);
	hash->size = 0;
	hash->limit = limit;
	/* without a type: the digest is not looked up again */
	hash->failed = EVP_DigestInit_ex(hash->ctx, NULL, NULL) != 1;
}

void roost_hash_body(struct roost_hash *hash, const void *data, size_t len)
{
	roost_canon_body_update(&hash->canon, data, len);
}

int roost_hash_end(struct roost_hash *hash,
		   unsigned char digest[ROOST_HASH_SIZE], struct roost_err *err)
{
	roost_canon_body_final(&hash->canon);
	if (EVP_DigestFinal_ex(hash->ctx, digest, NULL) != 1 || hash->failed)
		return roost_err_set(err, "OpenSSL: SHA-256 failed");
	return 0;
}

uint64_t roost_hash_longest_line(const struct roost_hash *hash)
{
	return hash->canon.longest;
}

uint64_t roost_hash_canonical_size(const struct roost_hash *hash)
{
	return hash->size;
}

int roost_hash_once(const void *data, size_t len,
		    unsigned char digest[ROOST_HASH_SIZE],
		    struct roost_err *err)
{
	if (EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) != 1)
		return roost_err_set(err, "OpenSSL: SHA-256 failed");
	return 0;
}
