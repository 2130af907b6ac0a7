/* SPDX-License-Identifier: MIT */
/* sign: makes a DKIM-Signature header (RFC 6376 section 5). */
#include "common/dkim/sign.h"

#include "common/dkim/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIELD_NAME "DKIM-Signature"
#define LINE_MAX_LEN 76
/* h= of a message with hundreds of list headers is still a header */
#define NAMES_MAX 16384
#define TEXT_MAX (2 * ROOST_HEADER_LIST_MAX_BYTES)
#define VALUE_MAX 65536

/* Writes the tags; keeps track of the column for folding. */
struct folder {
	struct roost_buf *out;
	size_t column;
};

static bool names_hold(const struct roost_sign_names *names, const char *name,
		       size_t len)
{
	size_t i;

	for (i = 0; i < names->count; i++) {
		if (roost_header_name_equal(names->names[i],
					    strlen(names->names[i]), name, len))
			return true;
	}
	return false;
}

bool roost_sign_wants(const struct roost_sign_rules *rules, const char *name,
		      size_t name_len)
{
	return names_hold(&rules->sign, name, name_len) ||
	       names_hold(&rules->oversign, name, name_len);
}

static void pick_name(struct roost_sign_prepared *prepared, const char *name)
{
	if (prepared->names.len > 0)
		roost_buf_append_char(&prepared->names, ':');
	roost_buf_append_str(&prepared->names, name);
}

/* All fields of that name, from the bottom up, and once more if oversigned. */
static void pick(const struct roost_sign_rules *rules,
		 const struct roost_header_list *headers, const char *name,
		 struct roost_sign_prepared *prepared)
{
	const struct roost_header *field;
	size_t len = strlen(name), i;

	for (i = headers->count; i-- > 0;) {
		field = &headers->fields[i];
		if (!roost_header_name_equal(field->name, field->name_len, name,
					     len))
			continue;
		pick_name(prepared, name);
		roost_canon_header(rules->header_canon, field->name,
				   field->name_len, field->value,
				   field->value_len, &prepared->text);
		roost_buf_append(&prepared->text, "\r\n", 2);
	}
	if (names_hold(&rules->oversign, name, len))
		pick_name(prepared, name);
}

int roost_sign_prepare(const struct roost_sign_rules *rules,
		       const struct roost_header_list *headers,
		       struct roost_sign_prepared *prepared_r,
		       struct roost_err *err)
{
	const char *name;
	size_t i;

	memset(prepared_r, 0, sizeof(*prepared_r));
	prepared_r->names.max = NAMES_MAX;
	prepared_r->text.max = TEXT_MAX;
	for (i = 0; i < rules->sign.count; i++)
		pick(rules, headers, rules->sign.names[i], prepared_r);
	for (i = 0; i < rules->oversign.count; i++) {
		name = rules->oversign.names[i];
		if (!names_hold(&rules->sign, name, strlen(name)))
			pick(rules, headers, name, prepared_r);
	}
	if (prepared_r->names.failed || prepared_r->text.failed)
		return roost_err_set(err, "too many header fields to sign");
	return 0;
}

void roost_sign_prepared_free(struct roost_sign_prepared *prepared)
{
	roost_buf_free(&prepared->names);
	roost_buf_free(&prepared->text);
}

static void fold(struct folder *f)
{
	roost_buf_append_str(f->out, "\n\t");
	f->column = 8;
}

/* A piece that must stay in one line. */
static void put(struct folder *f, const char *text, size_t len)
{
	roost_buf_append(f->out, text, len);
	f->column += len;
}

/* " name=value;", on a new line when this one is full */
static void put_tag(struct folder *f, const char *name, const char *value)
{
	size_t len = strlen(name) + strlen(value) + 2;

	if (f->column + 1 + len > LINE_MAX_LEN)
		fold(f);
	else
		put(f, " ", 1);
	put(f, name, strlen(name));
	put(f, "=", 1);
	put(f, value, strlen(value));
	put(f, ";", 1);
}

/* "h=", folded in front of a colon, where RFC 6376 allows white space */
static void put_names(struct folder *f, const char *names)
{
	size_t len;

	fold(f);
	put(f, "h=", 2);
	while (*names != '\0') {
		len = 1 + strcspn(names + 1, ":");
		if (f->column + len + 1 > LINE_MAX_LEN)
			fold(f);
		put(f, names, len);
		names += len;
	}
	put(f, ";", 1);
}

static void put_base64(struct folder *f, const char *text)
{
	size_t len = strlen(text), n;

	while (len > 0) {
		if (f->column >= LINE_MAX_LEN)
			fold(f);
		n = LINE_MAX_LEN - f->column;
		n = n < len ? n : len;
		put(f, text, n);
		text += n;
		len -= n;
	}
}

static void put_time(struct folder *f, const char *name, uint64_t when)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, when);
	put_tag(f, name, text);
}

/* Everything up to and with "b=". */
static void put_unsigned(struct folder *f, const struct roost_sign_rules *rules,
			 const struct roost_sign_prepared *prepared,
			 const struct roost_sign_signer *signer,
			 const char *body_hash, uint64_t now)
{
	char algorithm[32], canon[32];

	(void)snprintf(algorithm, sizeof(algorithm), "%s-sha256",
		       roost_key_type_name(roost_key_type(signer->key)));
	(void)snprintf(canon, sizeof(canon), "%s/%s",
		       roost_canon_name(rules->header_canon),
		       roost_canon_name(rules->body_canon));
	put_tag(f, "v", "1");
	put_tag(f, "a", algorithm);
	put_tag(f, "c", canon);
	put_tag(f, "d", signer->domain);
	put_tag(f, "s", signer->selector);
	if (signer->identity != NULL)
		put_tag(f, "i", signer->identity);
	put_time(f, "t", now);
	if (rules->lifetime > 0)
		put_time(f, "x", now + rules->lifetime);
	put_names(f, roost_buf_str(&prepared->names));
	fold(f);
	put(f, "bh=", 3);
	put(f, body_hash, strlen(body_hash));
	put(f, ";", 1);
	fold(f);
	put(f, "b=", 2);
}

/* The hash of the signed fields and of this one, its "b=" empty. */
static int header_hash(const struct roost_sign_rules *rules,
		       const struct roost_sign_prepared *prepared,
		       const struct roost_buf *value,
		       unsigned char digest[ROOST_HASH_SIZE],
		       struct roost_err *err)
{
	struct roost_buf data = ROOST_BUF_INIT(TEXT_MAX + VALUE_MAX);
	int ret;

	roost_buf_append(&data, roost_buf_str(&prepared->text),
			 prepared->text.len);
	roost_canon_header(rules->header_canon, FIELD_NAME, strlen(FIELD_NAME),
			   roost_buf_str(value), value->len, &data);
	ret = data.failed ? roost_err_set(err, "too many header fields to sign")
			  : roost_hash_once(data.data, data.len, digest, err);
	roost_buf_free(&data);
	return ret;
}

int roost_sign_make(const struct roost_sign_rules *rules,
		    const struct roost_sign_prepared *prepared,
		    const struct roost_sign_signer *signer,
		    const unsigned char body_hash[ROOST_HASH_SIZE],
		    uint64_t now, struct roost_buf *value,
		    struct roost_err *err)
{
	struct roost_buf text = ROOST_BUF_INIT(2 * ROOST_KEY_SIGNATURE_MAX);
	struct folder f = { .out = value, .column = strlen(FIELD_NAME) + 1 };
	unsigned char digest[ROOST_HASH_SIZE], sig[ROOST_KEY_SIGNATURE_MAX];
	size_t sig_len;
	int ret = -1;

	roost_buf_clear(value);
	if (value->max == 0)
		value->max = VALUE_MAX;
	roost_base64_encode(body_hash, ROOST_HASH_SIZE, &text);
	put_unsigned(&f, rules, prepared, signer, roost_buf_str(&text), now);
	if (header_hash(rules, prepared, value, digest, err) < 0 ||
	    roost_key_sign(signer->key, digest, sig, &sig_len, err) < 0)
		goto out;
	roost_buf_clear(&text);
	roost_base64_encode(sig, sig_len, &text);
	put_base64(&f, roost_buf_str(&text));
	ret = text.failed || value->failed
		      ? roost_err_set(err, "the signature is too long")
		      : 0;
out:
	roost_buf_free(&text);
	return ret;
}
