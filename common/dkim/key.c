/* SPDX-License-Identifier: MIT */
/* key: RSA and Ed25519 keys (RFC 6376 section 3.3, RFC 8463). */
#include "common/dkim/key.h"

#include "common/dkim/base64.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ED25519_SIZE 32

struct roost_key {
	atomic_uint refs;
	enum roost_key_type type;
	EVP_PKEY *pkey;
};

/* Never ask a terminal for the passphrase of an encrypted key. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static EVP_PKEY *read_pem(const char *text, size_t len)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	EVP_PKEY *pkey;

	if (bio == NULL)
		return NULL;
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return pkey;
}

static EVP_PKEY *read_base64(const char *text, size_t len)
{
	struct roost_buf der = ROOST_BUF_INIT(ROOST_KEY_PEM_MAX);
	const unsigned char *p;
	EVP_PKEY *pkey = NULL;

	if (roost_base64_decode(text, len, &der) == 0 && der.len > 0) {
		p = der.data;
		pkey = d2i_AutoPrivateKey(NULL, &p, (long)der.len);
	}
	if (der.data != NULL)
		OPENSSL_cleanse(der.data, der.len);
	roost_buf_free(&der);
	return pkey;
}

/* Takes the EVP_PKEY over, also when it fails. */
static struct roost_key *key_wrap(EVP_PKEY *pkey, unsigned int min_bits,
				  struct roost_err *err)
{
	int bits = EVP_PKEY_get_bits(pkey);
	struct roost_key *key = NULL;
	enum roost_key_type type;

	if (EVP_PKEY_is_a(pkey, "RSA")) {
		type = ROOST_KEY_RSA;
	} else if (EVP_PKEY_is_a(pkey, "ED25519")) {
		type = ROOST_KEY_ED25519;
	} else {
		(void)roost_err_set(err, "neither an RSA nor an Ed25519 key");
		goto fail;
	}
	if (type == ROOST_KEY_RSA &&
	    (bits < (int)min_bits || bits > ROOST_KEY_RSA_MAX_BITS)) {
		(void)roost_err_set(err, "RSA key of %d bits: %u to %d needed",
				    bits, min_bits, ROOST_KEY_RSA_MAX_BITS);
		goto fail;
	}
	key = calloc(1, sizeof(*key));
	if (key == NULL) {
		(void)roost_err_set(err, "out of memory");
		goto fail;
	}
	atomic_init(&key->refs, 1);
	key->type = type;
	key->pkey = pkey;
	return key;
fail:
	EVP_PKEY_free(pkey);
	return NULL;
}

struct roost_key *roost_key_parse(const char *text, size_t len,
				  unsigned int min_bits, struct roost_err *err)
{
	EVP_PKEY *pkey;
	bool pem;

	if (len > ROOST_KEY_PEM_MAX) {
		(void)roost_err_set(err, "more than %d bytes for one key",
				    ROOST_KEY_PEM_MAX);
		return NULL;
	}
	/* base64 has no dash */
	pem = memchr(text, '-', len) != NULL;
	ERR_set_mark();
	pkey = pem ? read_pem(text, len) : read_base64(text, len);
	/* OpenSSL's own words ("unsupported") would only mislead */
	ERR_pop_to_mark();
	if (pkey == NULL) {
		(void)roost_err_set(err, len == 0 ? "empty key"
					 : pem	  ? "damaged, incomplete or "
						    "encrypted PEM private key"
						  : "no PEM private key");
		return NULL;
	}
	return key_wrap(pkey, min_bits, err);
}

struct roost_key *roost_key_public(enum roost_key_type type, const void *data,
				   size_t len, struct roost_err *err)
{
	const unsigned char *p = data;
	EVP_PKEY *pkey = NULL;

	ERR_set_mark();
	if (type == ROOST_KEY_ED25519 && len == ED25519_SIZE)
		pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, data,
						   len);
	else if (type == ROOST_KEY_RSA && len <= ROOST_KEY_PEM_MAX)
		pkey = d2i_PUBKEY(NULL, &p, (long)len);
	if (type == ROOST_KEY_RSA && pkey == NULL && len <= ROOST_KEY_PEM_MAX) {
		p = data; /* RFC 6376 names the bare RSAPublicKey, too */
		pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)len);
	}
	ERR_pop_to_mark();
	if (pkey == NULL) {
		(void)roost_err_set(err, "no %s public key",
				    roost_key_type_name(type));
		return NULL;
	}
	return key_wrap(pkey, ROOST_KEY_RSA_MIN_BITS, err);
}

struct roost_key *roost_key_public_pem(const char *text, size_t len,
				       struct roost_err *err)
{
	EVP_PKEY *pkey = NULL;
	BIO *bio;

	if (len > ROOST_KEY_PEM_MAX) {
		(void)roost_err_set(err, "more than %d bytes for one key",
				    ROOST_KEY_PEM_MAX);
		return NULL;
	}
	ERR_set_mark();
	bio = BIO_new_mem_buf(text, (int)len);
	if (bio != NULL)
		pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (pkey == NULL)
		pkey = read_pem(text, len);
	ERR_pop_to_mark();
	if (pkey == NULL) {
		(void)roost_err_set(err, "no PEM key");
		return NULL;
	}
	return key_wrap(pkey, ROOST_KEY_RSA_MIN_BITS, err);
}

struct roost_key *roost_key_generate(enum roost_key_type type,
				     unsigned int bits, struct roost_err *err)
{
	EVP_PKEY *pkey;

	ERR_set_mark();
	pkey = type == ROOST_KEY_RSA ? EVP_RSA_gen(bits)
				     : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	ERR_pop_to_mark();
	if (pkey == NULL) {
		(void)roost_err_set(err, "OpenSSL makes no %s key",
				    roost_key_type_name(type));
		return NULL;
	}
	return key_wrap(pkey, ROOST_KEY_RSA_MIN_BITS, err);
}

int roost_key_pem(const struct roost_key *key, struct roost_buf *out)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	int ret = -1;
	char *data;
	long len;

	ERR_set_mark();
	if (bio != NULL &&
	    PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL,
					  NULL) == 1) {
		len = BIO_get_mem_data(bio, &data);
		roost_buf_append(out, data, (size_t)len);
		ret = out->failed ? -1 : 0;
	}
	ERR_pop_to_mark();
	BIO_free(bio);
	return ret;
}

struct roost_key *roost_key_ref(struct roost_key *key)
{
	(void)atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
	return key;
}

void roost_key_unref(struct roost_key **_key)
{
	struct roost_key *key = *_key;

	*_key = NULL;
	if (key == NULL ||
	    atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

enum roost_key_type roost_key_type(const struct roost_key *key)
{
	return key->type;
}

unsigned int roost_key_bits(const struct roost_key *key)
{
	return (unsigned int)EVP_PKEY_get_bits(key->pkey);
}

const char *roost_key_type_name(enum roost_key_type type)
{
	return type == ROOST_KEY_RSA ? "rsa" : "ed25519";
}

int roost_key_record(const struct roost_key *key, struct roost_buf *out)
{
	unsigned char raw[ED25519_SIZE], *der = NULL;
	size_t raw_len = sizeof(raw);
	int der_len, ret = -1;

	roost_buf_printf(out,
			 "v=DKIM1; k=%s; p=", roost_key_type_name(key->type));
	if (key->type == ROOST_KEY_ED25519) {
		if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &raw_len) != 1)
			return -1;
		roost_base64_encode(raw, raw_len, out);
		return out->failed ? -1 : 0;
	}
	der_len = i2d_PUBKEY(key->pkey, &der);
	if (der_len > 0) {
		roost_base64_encode(der, (size_t)der_len, out);
		ret = out->failed ? -1 : 0;
	}
	OPENSSL_free(der);
	return ret;
}

static int set_rsa(EVP_PKEY_CTX *ctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
			       EVP_PKEY_CTX_set_signature_md(ctx,
							     EVP_sha256()) == 1
		       ? 1
		       : 0;
}

static int sign_rsa(EVP_PKEY *pkey, const unsigned char *digest,
		    unsigned char *sig, size_t *sig_len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	int ok;

	ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && set_rsa(ctx) == 1 &&
	     EVP_PKEY_sign(ctx, sig, sig_len, digest, ROOST_HASH_SIZE) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static int sign_ed25519(EVP_PKEY *pkey, const unsigned char *digest,
			unsigned char *sig, size_t *sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	ok = ctx != NULL &&
	     EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	     EVP_DigestSign(ctx, sig, sig_len, digest, ROOST_HASH_SIZE) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

int roost_key_sign(const struct roost_key *key,
		   const unsigned char digest[ROOST_HASH_SIZE],
		   unsigned char *sig, size_t *sig_len, struct roost_err *err)
{
	int ok;

	*sig_len = ROOST_KEY_SIGNATURE_MAX;
	ERR_set_mark();
	if (key->type == ROOST_KEY_RSA)
		ok = sign_rsa(key->pkey, digest, sig, sig_len);
	else
		ok = sign_ed25519(key->pkey, digest, sig, sig_len);
	ERR_pop_to_mark();
	if (!ok)
		return roost_err_set(err, "OpenSSL: %s signature failed",
				     roost_key_type_name(key->type));
	return 0;
}

int roost_key_verify(const struct roost_key *key,
		     const unsigned char digest[ROOST_HASH_SIZE],
		     const unsigned char *sig, size_t sig_len)
{
	EVP_PKEY_CTX *ctx = NULL;
	EVP_MD_CTX *md = NULL;
	int ok;

	ERR_set_mark();
	if (key->type == ROOST_KEY_RSA) {
		ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
		ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
		     set_rsa(ctx) == 1 &&
		     EVP_PKEY_verify(ctx, sig, sig_len, digest,
				     ROOST_HASH_SIZE) == 1;
	} else {
		md = EVP_MD_CTX_new();
		ok = md != NULL &&
		     EVP_DigestVerifyInit(md, NULL, NULL, NULL, key->pkey) ==
			     1 &&
		     EVP_DigestVerify(md, sig, sig_len, digest,
				      ROOST_HASH_SIZE) == 1;
	}
	EVP_PKEY_CTX_free(ctx);
	EVP_MD_CTX_free(md);
	ERR_pop_to_mark();
	return ok;
}
