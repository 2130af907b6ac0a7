/* SPDX-License-Identifier: MIT */
/* verify: checks one DKIM-Signature (RFC 6376 section 6). */
#include "common/dkim/verify.h"

#include "common/dkim/base64.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SIGNED_MAX (2 * ROOST_HEADER_LIST_MAX_BYTES)

static bool is_fws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cuts the next element out of a list separated by `separator`; white space
   around it is dropped. False at the end of the list. */
static bool next_element(const char **p, const char *end, char separator,
			 const char **element_r, size_t *len_r)
{
	const char *start = *p, *stop;

	if (start > end)
		return false;
	stop = memchr(start, separator, (size_t)(end - start));
	if (stop == NULL)
		stop = end;
	*p = stop + 1;
	while (start < stop && is_fws(*start))
		start++;
	while (stop > start && is_fws(stop[-1]))
		stop--;
	*element_r = start;
	*len_r = (size_t)(stop - start);
	return true;
}

static bool list_has(const struct roost_tag *tag, char separator,
		     const char *word)
{
	const char *p = tag->value, *element;
	size_t len;

	while (next_element(&p, tag->value + tag->value_len, separator,
			    &element, &len)) {
		if (len == strlen(word) && strncasecmp(element, word, len) == 0)
			return true;
	}
	return false;
}

static int parse_number(const struct roost_tag_list *tags, const char *name,
			uint64_t fallback, uint64_t *value_r,
			struct roost_err *err)
{
	const struct roost_tag *tag = roost_tag_list_find(tags, name);
	size_t i;

	*value_r = tag == NULL ? fallback : 0;
	if (tag == NULL)
		return 0;
	if (tag->value_len == 0 || tag->value_len > 18)
		return roost_err_set(err, "tag %s is no number", name);
	for (i = 0; i < tag->value_len; i++) {
		if (tag->value[i] < '0' || tag->value[i] > '9')
			return roost_err_set(err, "tag %s is no number", name);
		*value_r = *value_r * 10 + (uint64_t)(tag->value[i] - '0');
	}
	return 0;
}

/* The tag, which must be there and not empty. */
static const struct roost_tag *need(const struct roost_tag_list *tags,
				    const char *name, struct roost_err *err)
{
	const struct roost_tag *tag = roost_tag_list_find(tags, name);

	if (tag == NULL || tag->value_len == 0) {
		(void)roost_err_set(err, "tag %s is missing", name);
		return NULL;
	}
	return tag;
}

static int parse_algorithm(struct roost_verify *verify, struct roost_err *err)
{
	const struct roost_tag *tag = need(&verify->tags, "a", err);

	if (tag == NULL)
		return -1;
	if (roost_tag_list_is(tag, "rsa-sha256"))
		verify->type = ROOST_KEY_RSA;
	else if (roost_tag_list_is(tag, "ed25519-sha256"))
		verify->type = ROOST_KEY_ED25519;
	else
		return roost_err_set(err, "algorithm %.*s is not accepted",
				     (int)tag->value_len, tag->value);
	return 0;
}

static int parse_canon(struct roost_verify *verify, struct roost_err *err)
{
	const struct roost_tag *tag = roost_tag_list_find(&verify->tags, "c");
	const char *p, *part;
	size_t len;

	verify->header_canon = verify->body_canon = ROOST_CANON_SIMPLE;
	if (tag == NULL)
		return 0;
	p = tag->value;
	(void)next_element(&p, tag->value + tag->value_len, '/', &part, &len);
	if (roost_canon_parse(part, len, &verify->header_canon) < 0)
		return roost_err_set(err, "tag c is bad");
	if (next_element(&p, tag->value + tag->value_len, '/', &part, &len) &&
	    roost_canon_parse(part, len, &verify->body_canon) < 0)
		return roost_err_set(err, "tag c is bad");
	return p > tag->value + tag->value_len
		       ? 0
		       : roost_err_set(err, "tag c is bad");
}

static int parse_body_hash(struct roost_verify *verify, struct roost_err *err)
{
	const struct roost_tag *tag = need(&verify->tags, "bh", err);
	struct roost_buf hash = ROOST_BUF_INIT(ROOST_HASH_SIZE);
	int ret = 0;

	if (tag == NULL)
		return -1;
	if (roost_base64_decode(tag->value, tag->value_len, &hash) < 0 ||
	    hash.len != ROOST_HASH_SIZE)
		ret = roost_err_set(err, "tag bh is no SHA-256 hash");
	else
		memcpy(verify->body_hash, hash.data, ROOST_HASH_SIZE);
	roost_buf_free(&hash);
	return ret;
}

/* "i=" is of the domain "d=" or of one below it. */
static bool identity_fits(const struct roost_tag *identity,
			  const struct roost_tag *domain)
{
	const char *end = identity->value + identity->value_len, *at = end;

	while (at > identity->value && at[-1] != '@')
		at--;
	if (at == identity->value || (size_t)(end - at) < domain->value_len)
		return false;
	at = end - domain->value_len;
	return strncasecmp(at, domain->value, domain->value_len) == 0 &&
	       (at[-1] == '@' || at[-1] == '.');
}

static int parse_names(struct roost_verify *verify, struct roost_err *err)
{
	const struct roost_tag *domain, *selector, *names, *identity, *query;

	domain = need(&verify->tags, "d", err);
	selector = domain == NULL ? NULL : need(&verify->tags, "s", err);
	names = selector == NULL ? NULL : need(&verify->tags, "h", err);
	if (names == NULL || need(&verify->tags, "b", err) == NULL)
		return -1;
	if (!list_has(names, ':', "from"))
		return roost_err_set(err, "From is not signed");
	identity = roost_tag_list_find(&verify->tags, "i");
	if (identity != NULL && !identity_fits(identity, domain))
		return roost_err_set(err, "tag i is not of the domain in d");
	query = roost_tag_list_find(&verify->tags, "q");
	if (query != NULL && !list_has(query, ':', "dns/txt"))
		return roost_err_set(err, "tag q names no known method");
	if (snprintf(verify->query, sizeof(verify->query),
		     "%.*s._domainkey.%.*s", (int)selector->value_len,
		     selector->value, (int)domain->value_len,
		     domain->value) >= (int)sizeof(verify->query))
		return roost_err_set(err, "tags s and d are too long");
	return 0;
}

int roost_verify_parse(struct roost_verify *verify,
		       const struct roost_header *field, struct roost_err *err)
{
	const struct roost_tag *version;
	uint64_t signed_at;

	verify->field = field;
	if (roost_tag_list_parse(&verify->tags, field->value, field->value_len,
				 err) < 0)
		return -1;
	version = need(&verify->tags, "v", err);
	if (version == NULL)
		return -1;
	if (!roost_tag_list_is(version, "1"))
		return roost_err_set(err, "tag v is not 1");
	if (parse_algorithm(verify, err) < 0 || parse_canon(verify, err) < 0 ||
	    parse_body_hash(verify, err) < 0 || parse_names(verify, err) < 0 ||
	    parse_number(&verify->tags, "l", ROOST_HASH_NO_LIMIT,
			 &verify->body_limit, err) < 0 ||
	    parse_number(&verify->tags, "t", 0, &signed_at, err) < 0 ||
	    parse_number(&verify->tags, "x", UINT64_MAX, &verify->expires,
			 err) < 0)
		return -1;
	if (verify->expires < signed_at)
		return roost_err_set(err, "it expires before it is made");
	return 0;
}

/* The public key of a record that allows this signature; NULL: err set. */
static struct roost_key *record_key(const struct roost_verify *verify,
				    const char *record, struct roost_err *err)
{
	struct roost_buf data = ROOST_BUF_INIT(ROOST_KEY_PEM_MAX);
	const struct roost_tag *tag;
	struct roost_tag_list tags;
	struct roost_key *key = NULL;

	if (roost_tag_list_parse(&tags, record, strlen(record), err) < 0) {
		(void)roost_err_prefix(err, "key record");
		return NULL;
	}
	tag = roost_tag_list_find(&tags, "v");
	if (tag != NULL &&
	    (tag != &tags.tags[0] || !roost_tag_list_is(tag, "DKIM1"))) {
		(void)roost_err_set(err, "key record: not of DKIM1");
		return NULL;
	}
	tag = roost_tag_list_find(&tags, "k");
	if (strcmp(roost_key_type_name(verify->type), "rsa") == 0
		    ? tag != NULL && !roost_tag_list_is(tag, "rsa")
		    : tag == NULL || !roost_tag_list_is(tag, "ed25519")) {
		(void)roost_err_set(err, "key record: another type of key");
		return NULL;
	}
	tag = roost_tag_list_find(&tags, "h");
	if (tag != NULL && !list_has(tag, ':', "sha256")) {
		(void)roost_err_set(err, "key record: SHA-256 is not allowed");
		return NULL;
	}
	tag = roost_tag_list_find(&tags, "s");
	if (tag != NULL && !list_has(tag, ':', "*") &&
	    !list_has(tag, ':', "email")) {
		(void)roost_err_set(err, "key record: not for mail");
		return NULL;
	}
	tag = roost_tag_list_find(&tags, "p");
	if (tag == NULL || tag->value_len == 0)
		(void)roost_err_set(err, "key record: %s",
				    tag == NULL ? "no key" : "revoked");
	else if (roost_base64_decode(tag->value, tag->value_len, &data) < 0)
		(void)roost_err_set(err, "key record: bad base64");
	else
		key = roost_key_public(verify->type, data.data, data.len, err);
	roost_buf_free(&data);
	return key;
}

/* The signed fields as "h=" names them, each from the bottom up. */
static void signed_fields(const struct roost_verify *verify,
			  const struct roost_header_list *headers,
			  struct roost_buf *data)
{
	const struct roost_tag *names = roost_tag_list_find(&verify->tags, "h");
	const char *end = names->value + names->value_len;
	const char *p = names->value, *q, *name, *other;
	const struct roost_header *field;
	size_t len, other_len, nth;

	while (next_element(&p, end, ':', &name, &len)) {
		/* how often it was named before */
		nth = 0;
		for (q = names->value;
		     next_element(&q, end, ':', &other, &other_len) &&
		     other != name;) {
			if (roost_header_name_equal(name, len, other,
						    other_len))
				nth++;
		}
		field = roost_header_list_from_bottom(headers, name, len, nth);
		if (field == NULL || data->failed)
			continue;
		roost_canon_header(verify->header_canon, field->name,
				   field->name_len, field->value,
				   field->value_len, data);
		roost_buf_append(data, "\r\n", 2);
	}
}

static int header_hash(const struct roost_verify *verify,
		       const struct roost_header_list *headers,
		       unsigned char digest[ROOST_HASH_SIZE],
		       struct roost_err *err)
{
	const struct roost_tag *sig = roost_tag_list_find(&verify->tags, "b");
	const struct roost_header *field = verify->field;
	struct roost_buf data = ROOST_BUF_INIT(SIGNED_MAX);
	struct roost_buf value = ROOST_BUF_INIT(ROOST_HEADER_LIST_MAX_BYTES);
	int ret;

	signed_fields(verify, headers, &data);
	roost_buf_append(&value, field->value, sig->raw_start);
	roost_buf_append(&value, field->value + sig->raw_end,
			 field->value_len - sig->raw_end);
	roost_canon_header(verify->header_canon, field->name, field->name_len,
			   roost_buf_str(&value), value.len, &data);
	ret = data.failed || value.failed
		      ? roost_err_set(err, "too many header fields")
		      : roost_hash_once(data.data, data.len, digest, err);
	roost_buf_free(&data);
	roost_buf_free(&value);
	return ret;
}

enum roost_verify_result
roost_verify_check(const struct roost_verify *verify,
		   const struct roost_header_list *headers,
		   const unsigned char body_hash[ROOST_HASH_SIZE],
		   uint64_t body_size, const char *record, uint64_t now,
		   struct roost_err *err)
{
	const struct roost_tag *tag = roost_tag_list_find(&verify->tags, "b");
	struct roost_buf sig = ROOST_BUF_INIT(ROOST_KEY_SIGNATURE_MAX);
	enum roost_verify_result result = ROOST_VERIFY_PERMERROR;
	unsigned char digest[ROOST_HASH_SIZE];
	struct roost_key *key;

	if (now > verify->expires) {
		(void)roost_err_set(err, "the signature has expired");
		return ROOST_VERIFY_PERMERROR;
	}
	if (verify->body_limit != ROOST_HASH_NO_LIMIT &&
	    verify->body_limit > body_size) {
		(void)roost_err_set(err, "tag l is more than the body");
		return ROOST_VERIFY_PERMERROR;
	}
	if (memcmp(body_hash, verify->body_hash, ROOST_HASH_SIZE) != 0) {
		(void)roost_err_set(err, "the body hash is another");
		return ROOST_VERIFY_FAIL;
	}
	key = record_key(verify, record, err);
	if (key == NULL)
		return ROOST_VERIFY_PERMERROR;
	if (roost_base64_decode(tag->value, tag->value_len, &sig) < 0) {
		(void)roost_err_set(err, "tag b is no base64");
	} else if (header_hash(verify, headers, digest, err) == 0) {
		result = roost_key_verify(key, digest, sig.data, sig.len)
				 ? ROOST_VERIFY_PASS
				 : ROOST_VERIFY_FAIL;
		if (result == ROOST_VERIFY_FAIL)
			(void)roost_err_set(err, "the signature is wrong");
	}
	roost_buf_free(&sig);
	roost_key_unref(&key);
	return result;
}
