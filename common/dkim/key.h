/* SPDX-License-Identifier: MIT */
/*
 * key: RSA and Ed25519 keys (RFC 6376 section 3.3, RFC 8463), parsed once and
 * then used by many threads at a time.
 *
 * A key is immutable and counted: ref for each further owner, unref when done.
 * No message of this file holds key text.
 */
#ifndef ROOST_DKIM_KEY_H
#define ROOST_DKIM_KEY_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/dkim/hash.h"

/* RFC 8301: no signer below, no verifier accepts less. */
#define ROOST_KEY_RSA_MIN_BITS 1024
/* Above, one signature costs a thread too long. */
#define ROOST_KEY_RSA_MAX_BITS 8192
#define ROOST_KEY_PEM_MAX 32768
#define ROOST_KEY_SIGNATURE_MAX (ROOST_KEY_RSA_MAX_BITS / 8)

enum roost_key_type {
	ROOST_KEY_RSA,
	ROOST_KEY_ED25519,
};
#define ROOST_KEY_TYPES 2

struct roost_key;

/* A private key: PEM (PKCS#8, PKCS#1, not encrypted), or the same DER in
   base64 alone. NULL (err set) when it is neither, of another type, or an RSA
   key under `min_bits`. */
struct roost_key *roost_key_parse(const char *text, size_t len,
				  unsigned int min_bits, struct roost_err *err);

/* A public key from the "p=" bytes of a key record. */
struct roost_key *roost_key_public(enum roost_key_type type, const void *data,
				   size_t len, struct roost_err *err);

/* The public key of a PEM file ("BEGIN PUBLIC KEY"), or of a private one. */
struct roost_key *roost_key_public_pem(const char *text, size_t len,
				       struct roost_err *err);

/* A new pair; `bits` counts for RSA alone. NULL: err set. */
struct roost_key *roost_key_generate(enum roost_key_type type,
				     unsigned int bits, struct roost_err *err);

struct roost_key *roost_key_ref(struct roost_key *key);
void roost_key_unref(struct roost_key **key);

enum roost_key_type roost_key_type(const struct roost_key *key);
unsigned int roost_key_bits(const struct roost_key *key);
/* "rsa" and "ed25519", as in "k=" and before "-sha256" in "a=". */
const char *roost_key_type_name(enum roost_key_type type);

/* Appends the key record: "v=DKIM1; k=…; p=…"; -1 when that fails. */
int roost_key_record(const struct roost_key *key, struct roost_buf *out);

/* Appends a private key as PEM (PKCS#8); -1 when that fails. Cleanse it. */
int roost_key_pem(const struct roost_key *key, struct roost_buf *out);

/* Signs the SHA-256 hash of the signed data. sig has room for
   ROOST_KEY_SIGNATURE_MAX bytes. */
int roost_key_sign(const struct roost_key *key,
		   const unsigned char digest[ROOST_HASH_SIZE],
		   unsigned char *sig, size_t *sig_len, struct roost_err *err);

/* 1: it is the signature of that hash, 0: it is not. */
int roost_key_verify(const struct roost_key *key,
		     const unsigned char digest[ROOST_HASH_SIZE],
		     const unsigned char *sig, size_t sig_len);

#endif
