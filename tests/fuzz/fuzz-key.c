/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes common/dkim/key: any text as a private key, any bytes as a public
 * one. A private key that is accepted has a record, its record gives a public
 * key, and what the one signs the other verifies.
 */
#include "common/dkim/base64.h"
#include "common/dkim/key.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct roost_key *public_of(const struct roost_key *key)
{
	struct roost_buf record = ROOST_BUF_INIT(65536);
	struct roost_buf bytes = ROOST_BUF_INIT(65536);
	struct roost_key *public_key = NULL;
	struct roost_err err;
	const char *p;

	if (roost_key_record(key, &record) == 0) {
		p = strstr(roost_buf_str(&record), "p=") + 2;
		if (roost_base64_decode(p, strlen(p), &bytes) < 0)
			abort();
		public_key = roost_key_public(roost_key_type(key), bytes.data,
					      bytes.len, &err);
	}
	roost_buf_free(&record);
	roost_buf_free(&bytes);
	return public_key;
}

static void use_private(struct roost_key *key)
{
	unsigned char digest[ROOST_HASH_SIZE] = { 1, 2, 3 };
	unsigned char sig[ROOST_KEY_SIGNATURE_MAX];
	struct roost_key *public_key = public_of(key);
	struct roost_err err;
	size_t len;

	/* damaged numbers may fail to sign; a signature that came out of a
	   sound Ed25519 key must verify */
	if (public_key != NULL &&
	    roost_key_sign(key, digest, sig, &len, &err) == 0) {
		if (len > sizeof(sig))
			abort();
		if (!roost_key_verify(public_key, digest, sig, len) &&
		    roost_key_type(key) == ROOST_KEY_ED25519)
			abort();
	}
	roost_key_unref(&public_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char digest[ROOST_HASH_SIZE] = { 0 };
	enum roost_key_type type;
	struct roost_key *key;
	struct roost_err err;

	key = roost_key_parse((const char *)data, size, ROOST_KEY_RSA_MIN_BITS,
			      &err);
	if (key != NULL)
		use_private(key);
	roost_key_unref(&key);
	for (type = 0; type < ROOST_KEY_TYPES; type++) {
		key = roost_key_public(type, data, size, &err);
		if (key != NULL)
			(void)roost_key_verify(key, digest, data,
					       size < 128 ? size : 128);
		roost_key_unref(&key);
	}
	return 0;
}
