/* SPDX-License-Identifier: MIT */
/* Unit tests of common/dkim/{key,sign,verify}: the signatures of RFC 8463
   appendix A, signing and verifying with both kinds of keys, tampering, and
   keys and signatures that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/dkim/key.h"
#include "common/dkim/sign.h"
#include "common/dkim/verify.h"

/* RFC 8463 appendix A: secret keys, records and the message */
static const char rsa_pem[] =
	"-----BEGIN RSA PRIVATE KEY-----\n"
	"MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n"
	"Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n"
	"KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n"
	"AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n"
	"6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n"
	"zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n"
	"6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n"
	"uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n"
	"WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n"
	"WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n"
	"licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n"
	"o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n"
	"uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"
	"-----END RSA PRIVATE KEY-----\n";
/* PKCS#8 of nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A= */
static const char ed_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
	"-----END PRIVATE KEY-----\n";
static const char rsa_record[] =
	"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRi"
	"Gs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
	"DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC"
	"3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
static const char ed_record[] =
	"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
static const char body[] =
	"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
static const char *const fields[][2] = {
	{ "From", " Joe SixPack <joe@football.example.com>" },
	{ "To", " Suzie Q <suzie@shopping.example.net>" },
	{ "Subject", " Is dinner ready?" },
	{ "Date", " Fri, 11 Jul 2003 21:00:37 -0700 (PDT)" },
	{ "Message-ID", " <20030712040037.46341.5F8J@football.example.com>" },
};
static const char ed_signature[] =
	" v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
	" d=football.example.com; i=@football.example.com;\r\n"
	" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
	" subject : date : message-id : from : subject : date;\r\n"
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
	" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
	" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";
static const char rsa_signature[] =
	" v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
	" d=football.example.com; i=@football.example.com;\r\n"
	" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
	" date : message-id : from : subject : date;\r\n"
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
	" b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
	" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
	" dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=";

static void message(struct roost_header_list *list)
{
	size_t i;

	memset(list, 0, sizeof(*list));
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		assert_int_equal(roost_header_list_add(list, fields[i][0],
						       strlen(fields[i][0]),
						       fields[i][1],
						       strlen(fields[i][1])),
				 0);
}

/* Verifies `signature` over the list and the body. */
static enum roost_verify_result verify(const struct roost_header_list *list,
				       const char *text, const char *signature,
				       const char *record,
				       struct roost_err *err)
{
	struct roost_header_list own = { 0 };
	unsigned char digest[ROOST_HASH_SIZE];
	enum roost_verify_result result = ROOST_VERIFY_PERMERROR;
	struct roost_hash *hash = roost_hash_new(err);
	struct roost_verify v;

	assert_int_equal(roost_header_list_add(&own, "DKIM-Signature", 14,
					       signature, strlen(signature)),
			 0);
	err->msg[0] = '\0';
	if (roost_verify_parse(&v, &own.fields[0], err) == 0) {
		roost_hash_begin(hash, v.body_canon, v.body_limit);
		roost_hash_body(hash, text, strlen(text));
		assert_int_equal(roost_hash_end(hash, digest, err), 0);
		result = roost_verify_check(&v, list, digest,
					    roost_hash_canonical_size(hash),
					    record, 1528637910, err);
	}
	roost_hash_free(&hash);
	roost_header_list_clear(&own);
	return result;
}

static void test_rfc8463(void **state)
{
	struct roost_header_list list;
	struct roost_err err;

	(void)state;
	message(&list);
	assert_int_equal(verify(&list, body, ed_signature, ed_record, &err),
			 ROOST_VERIFY_PASS);
	assert_int_equal(verify(&list, body, rsa_signature, rsa_record, &err),
			 ROOST_VERIFY_PASS);
	assert_int_equal(
		verify(&list, "Hi!\r\n", ed_signature, ed_record, &err),
		ROOST_VERIFY_FAIL);
	list.fields[2].value[4] = 'x';
	assert_int_equal(verify(&list, body, ed_signature, ed_record, &err),
			 ROOST_VERIFY_FAIL);
	assert_int_equal(verify(&list, body, rsa_signature, rsa_record, &err),
			 ROOST_VERIFY_FAIL);
	roost_header_list_clear(&list);
}

static struct roost_key *parse_key(const char *pem)
{
	struct roost_err err = { "" };
	struct roost_key *key = roost_key_parse(pem, strlen(pem), 1024, &err);

	if (key == NULL)
		fail_msg("%s", err.msg);
	return key;
}

static void test_key_records(void **state)
{
	struct roost_buf record = ROOST_BUF_INIT(4096);
	struct roost_key *key;

	(void)state;
	key = parse_key(rsa_pem);
	assert_int_equal(roost_key_type(key), ROOST_KEY_RSA);
	assert_int_equal(roost_key_bits(key), 1024);
	assert_int_equal(roost_key_record(key, &record), 0);
	assert_string_equal(roost_buf_str(&record), rsa_record);
	roost_key_unref(&key);
	assert_null(key);
	roost_buf_clear(&record);
	key = parse_key(ed_pem);
	assert_int_equal(roost_key_record(key, &record), 0);
	assert_string_equal(roost_buf_str(&record), ed_record);
	roost_key_unref(&key);
	/* DER in base64 alone, as KeyTable may hold it */
	key = parse_key("MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/Vpg\n"
			"uoRK9JLsLMREScVpezJpGXA7rAMcrn9g");
	assert_int_equal(roost_key_type(key), ROOST_KEY_ED25519);
	roost_key_unref(&key);
	roost_buf_free(&record);
}

static void refuse_key(const char *text, size_t len, unsigned int min_bits,
		       const char *message_part)
{
	struct roost_err err;

	assert_null(roost_key_parse(text, len, min_bits, &err));
	if (strstr(err.msg, message_part) == NULL)
		fail_msg("'%s' does not say '%s'", err.msg, message_part);
}

static void test_bad_keys(void **state)
{
	static const char public_key[] =
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		"-----END PUBLIC KEY-----\n";
	/* an EC key (prime256v1) */
	static const char ec[] = "-----BEGIN EC PRIVATE KEY-----\n"
				 "MHcCAQEEIMlvOa6yKxM4P8bVh2sJ3tXUB9nTx9f5Vj6W5"
				 "gG4pV0doAoGCCqGSM49\n"
				 "-----END EC PRIVATE KEY-----\n";
	static const char encrypted[] =
		"-----BEGIN RSA PRIVATE KEY-----\n"
		"Proc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
		"-----END RSA PRIVATE KEY-----\n";
	static char big[ROOST_KEY_PEM_MAX + 1];

	(void)state;
	refuse_key("", 0, 1024, "empty key");
	refuse_key("hello", 5, 1024, "no PEM private key");
	refuse_key(public_key, strlen(public_key), 1024, "damaged");
	refuse_key(ec, strlen(ec), 1024, "damaged");
	refuse_key(encrypted, strlen(encrypted), 1024, "encrypted");
	refuse_key(rsa_pem, strlen(rsa_pem), 2048, "1024 bits: 2048");
	refuse_key(rsa_pem, strlen(rsa_pem) / 2, 1024, "damaged");
	memset(big, 'A', sizeof(big));
	refuse_key(big, sizeof(big), 1024, "more than");
}

static const char *const sign_names[] = { "From", "To", "Subject",
					  "Date", "Cc", "Received" };
static const char *const oversign_names[] = { "from", "Reply-To" };

static struct roost_sign_rules rules(enum roost_canon_mode header,
				     enum roost_canon_mode text)
{
	struct roost_sign_rules r = {
		.header_canon = header,
		.body_canon = text,
		.sign = { sign_names, 6 },
		.oversign = { oversign_names, 2 },
	};

	return r;
}

/* A signature as the milter makes it, over the list and the body. */
static void sign(const struct roost_sign_rules *r,
		 const struct roost_header_list *list,
		 const struct roost_key *key, struct roost_buf *value)
{
	struct roost_sign_signer signer = {
		.key = key,
		.domain = "football.example.com",
		.selector = "sel",
		.identity = "@x.football.example.com",
	};
	unsigned char digest[ROOST_HASH_SIZE];
	struct roost_sign_prepared prepared;
	struct roost_err err = { "" };
	struct roost_hash *hash = roost_hash_new(&err);

	roost_hash_begin(hash, r->body_canon, ROOST_HASH_NO_LIMIT);
	roost_hash_body(hash, body, strlen(body));
	assert_int_equal(roost_hash_end(hash, digest, &err), 0);
	assert_int_equal(roost_sign_prepare(r, list, &prepared, &err), 0);
	if (roost_sign_make(r, &prepared, &signer, digest, 1528637909, value,
			    &err) < 0)
		fail_msg("%s", err.msg);
	roost_sign_prepared_free(&prepared);
	roost_hash_free(&hash);
}

static void check_lines(const char *value)
{
	size_t column = strlen("DKIM-Signature:");

	for (; *value != '\0'; value++) {
		column = *value == '\n'	  ? 0
			 : *value == '\t' ? column + 8
					  : column + 1;
		assert_true(column <= 78);
	}
}

static void test_sign_and_verify(void **state)
{
	const char *const pems[] = { rsa_pem, ed_pem };
	const char *const records[] = { rsa_record, ed_record };
	struct roost_buf value = { 0 };
	struct roost_header_list list;
	struct roost_sign_rules r;
	struct roost_key *key;
	struct roost_err err;
	unsigned int i;

	(void)state;
	message(&list);
	roost_header_list_add(&list, "Received", 8, " one\n\tfolded", 12);
	roost_header_list_add(&list, "Received", 8, " two ", 5);
	for (i = 0; i < 8; i++) {
		key = parse_key(pems[i % 2]);
		r = rules(i & 2 ? ROOST_CANON_SIMPLE : ROOST_CANON_RELAXED,
			  i & 4 ? ROOST_CANON_SIMPLE : ROOST_CANON_RELAXED);
		r.lifetime = i & 2 ? 3600 : 0;
		sign(&r, &list, key, &value);
		check_lines(roost_buf_str(&value));
		if (verify(&list, body, roost_buf_str(&value), records[i % 2],
			   &err) != ROOST_VERIFY_PASS)
			fail_msg("%u: %s:%s", i, err.msg,
				 roost_buf_str(&value));
		roost_key_unref(&key);
	}
	roost_buf_free(&value);
	roost_header_list_clear(&list);
}

static void test_oversigning(void **state)
{
	struct roost_sign_rules r =
		rules(ROOST_CANON_RELAXED, ROOST_CANON_RELAXED);
	struct roost_key *key = parse_key(ed_pem);
	struct roost_header_list list;
	struct roost_buf value = { 0 };
	struct roost_err err;

	(void)state;
	message(&list);
	sign(&r, &list, key, &value);
	assert_non_null(strstr(roost_buf_str(&value),
			       "h=From:From:To:Subject:Date:Reply-To;"));
	/* a field that is oversigned may not be added, another may */
	roost_header_list_add(&list, "Cc", 2, " x@y", 4);
	assert_int_equal(
		verify(&list, body, roost_buf_str(&value), ed_record, &err),
		ROOST_VERIFY_PASS);
	roost_header_list_add(&list, "Reply-To", 8, " x@y", 4);
	assert_int_equal(
		verify(&list, body, roost_buf_str(&value), ed_record, &err),
		ROOST_VERIFY_FAIL);
	assert_true(roost_sign_wants(&r, "REPLY-to", 8));
	assert_false(roost_sign_wants(&r, "X-Other", 7));
	roost_key_unref(&key);
	roost_buf_free(&value);
	roost_header_list_clear(&list);
}

#define BH " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;"
#define REST " d=a.b; s=c; h=from;" BH " b=AAAA"

static void test_bad_signatures(void **state)
{
	static const struct {
		const char *signature, *record, *message_part;
	} cases[] = {
		{ "v=2; a=rsa-sha256;" REST, rsa_record, "tag v is not 1" },
		{ "a=rsa-sha256;" REST, rsa_record, "tag v is missing" },
		{ "v=1; a=rsa-sha1;" REST, rsa_record, "rsa-sha1" },
		{ "v=1; a=rsa-sha256; c=x;" REST, rsa_record, "tag c" },
		{ "v=1; a=rsa-sha256; c=simple/;" REST, rsa_record, "tag c" },
		{ "v=1; a=rsa-sha256; c=simple/simple/simple;" REST, rsa_record,
		  "tag c" },
		{ "v=1; a=rsa-sha256; l=1x;" REST, rsa_record, "tag l" },
		{ "v=1; a=rsa-sha256; l=9999999;" REST, rsa_record, "tag l" },
		{ "v=1; a=rsa-sha256; t=5; x=4;" REST, rsa_record, "expires" },
		{ "v=1; a=rsa-sha256; t=5; x=6;" REST, rsa_record, "expired" },
		{ "v=1; a=rsa-sha256; i=@x.c;" REST, rsa_record, "tag i" },
		{ "v=1; a=rsa-sha256; i=@xa.b;" REST, rsa_record, "tag i" },
		{ "v=1; a=rsa-sha256; q=dns;" REST, rsa_record, "tag q" },
		{ "v=1; a=rsa-sha256; d=a; s=b; h=to;" BH " b=A", rsa_record,
		  "From" },
		{ "v=1; a=rsa-sha256; d=a; s=b; h=from; bh=AAAA; b=A",
		  rsa_record, "tag bh" },
		{ "v=1; a=rsa-sha256; d=a; s=b; h=from;" BH, rsa_record,
		  "tag b is missing" },
		{ "v=1; a=rsa-sha256;" REST, "v=DKIM1; p=", "revoked" },
		{ "v=1; a=rsa-sha256;" REST, "k=rsa", "no key" },
		{ "v=1; a=rsa-sha256;" REST, ed_record, "another type" },
		{ "v=1; a=ed25519-sha256;" REST, rsa_record, "another type" },
		{ "v=1; a=rsa-sha256;" REST, "v=DKIM2; p=AAAA", "DKIM1" },
		{ "v=1; a=rsa-sha256;" REST, "h=sha1; p=AAAA", "SHA-256" },
		{ "v=1; a=rsa-sha256;" REST, "s=tlsrpt; p=AAAA", "for mail" },
		{ "v=1; a=rsa-sha256;" REST, "p=AAAA", "rsa public key" },
		{ "v=1; a=rsa-sha256;" REST, "p=A", "base64" },
		{ "v=1; a=ed25519-sha256;" REST, "k=ed25519; p=AAAA",
		  "ed25519 public key" },
	};
	struct roost_header_list list;
	struct roost_err err;
	size_t i;

	(void)state;
	message(&list);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char signature[512];
		const char *canon = strstr(cases[i].signature, "c=") == NULL
					    ? " c=relaxed/relaxed;"
					    : "";
		const char *rest = strchr(cases[i].signature, ';') + 1;

		(void)snprintf(signature, sizeof(signature), "%.*s%s%s",
			       (int)(rest - cases[i].signature),
			       cases[i].signature, canon, rest);
		if (verify(&list, body, signature, cases[i].record, &err) !=
			    ROOST_VERIFY_PERMERROR ||
		    strstr(err.msg, cases[i].message_part) == NULL)
			fail_msg("'%s' with '%s': '%s'", signature,
				 cases[i].record, err.msg);
	}
	roost_header_list_clear(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8463),
		cmocka_unit_test(test_key_records),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_sign_and_verify),
		cmocka_unit_test(test_oversigning),
		cmocka_unit_test(test_bad_signatures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
