/* SPDX-License-Identifier: MIT */
/* Unit tests of common/dkim/{record,key}: records as files, new keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/dkim/key.h"
#include "common/dkim/record.h"

static void test_strings(void **state)
{
	struct roost_buf out = ROOST_BUF_INIT(4096);
	char text[ROOST_RECORD_STRING + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[ROOST_RECORD_STRING] = '\0';
	roost_record_strings(text, &out);
	assert_int_equal(out.len, ROOST_RECORD_STRING + 2);
	roost_buf_clear(&out);
	text[ROOST_RECORD_STRING] = 'b';
	text[ROOST_RECORD_STRING + 1] = '\0';
	roost_record_strings(text, &out);
	assert_string_equal(roost_buf_str(&out) + ROOST_RECORD_STRING + 1,
			    "\" \"b\"");
	roost_buf_clear(&out);
	roost_record_zone("s._domainkey.example.org", "a\"b\\", &out);
	assert_string_equal(roost_buf_str(&out),
			    "s._domainkey.example.org. IN TXT ( "
			    "\"a\\\"b\\\\\" )\n");
	roost_buf_free(&out);
}

static void test_read(void **state)
{
	static const struct {
		const char *text, *record;
	} cases[] = {
		{ "v=DKIM1; p=abc", "v=DKIM1; p=abc" },
		{ "\n v=DKIM1; p=abc \r\n", "v=DKIM1; p=abc" },
		{ "m._domainkey\tIN\tTXT\t( \"v=DKIM1; h=sha256; k=rsa; \"\n"
		  "\t  \"p=ab\"\n\t\"c\" )  ; ----- DKIM key \"m\"",
		  "v=DKIM1; h=sha256; k=rsa; p=abc" },
		{ "\"a\\\"\\059b\\\\\"", "a\";b\\" },
		{ "; \"no\"\n\"yes\" ;", "yes" },
	};
	static const struct {
		const char *text, *message;
	} errors[] = {
		{ "", "no record" },
		{ " \n", "no record" },
		{ "\"\"", "no record" },
		{ "\"abc", "a string without its end" },
		{ "\"abc\\", "bad escape in a string" },
		{ "\"\\25\"", "bad escape in a string" },
		{ "\"\\256\"", "bad escape in a string" },
		{ "\"\\000\"", "bad escape in a string" },
		{ "\"v=DKIM1; p=\"\n\"v=DKIM1; p=a\"", "more than one record" },
	};
	struct roost_buf record = ROOST_BUF_INIT(2 * ROOST_RECORD_MAX);
	char big[ROOST_RECORD_MAX + 1];
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (roost_record_read(cases[i].text, strlen(cases[i].text),
				      &record, &err) < 0)
			fail_msg("'%s': %s", cases[i].text, err.msg);
		assert_string_equal(roost_buf_str(&record), cases[i].record);
	}
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (roost_record_read(errors[i].text, strlen(errors[i].text),
				      &record, &err) == 0)
			fail_msg("'%s' is accepted", errors[i].text);
		assert_string_equal(err.msg, errors[i].message);
	}
	assert_int_equal(roost_record_read("a\0b", 3, &record, &err), -1);
	assert_string_equal(err.msg, "NUL character");
	memset(big, 'a', sizeof(big));
	assert_int_equal(roost_record_read(big, sizeof(big), &record, &err),
			 -1);
	assert_string_equal(err.msg, "more than 4096 bytes in a record");
	roost_buf_free(&record);
}

/* A new key signs, and comes back out of its PEM text, private and public. */
static void check_pair(enum roost_key_type type, unsigned int bits)
{
	static const unsigned char digest[ROOST_HASH_SIZE] = { 1 };
	struct roost_buf pem = ROOST_BUF_INIT(ROOST_KEY_PEM_MAX);
	struct roost_buf a = ROOST_BUF_INIT(4096), b = ROOST_BUF_INIT(4096);
	unsigned char sig[ROOST_KEY_SIGNATURE_MAX];
	struct roost_key *key, *back, *public;
	struct roost_err err;
	size_t len;

	key = roost_key_generate(type, bits, &err);
	assert_non_null(key);
	assert_int_equal(roost_key_pem(key, &pem), 0);
	back = roost_key_parse(roost_buf_str(&pem), pem.len, 1024, &err);
	public = roost_key_public_pem(roost_buf_str(&pem), pem.len, &err);
	assert_non_null(back);
	assert_non_null(public);
	if (type == ROOST_KEY_RSA)
		assert_int_equal(roost_key_bits(back), bits);
	assert_int_equal(roost_key_sign(back, digest, sig, &len, &err), 0);
	assert_true(roost_key_verify(public, digest, sig, len));
	assert_int_equal(roost_key_record(key, &a), 0);
	assert_int_equal(roost_key_record(public, &b), 0);
	assert_string_equal(roost_buf_str(&a), roost_buf_str(&b));
	roost_key_unref(&key);
	roost_key_unref(&back);
	roost_key_unref(&public);
	roost_buf_free(&pem);
	roost_buf_free(&a);
	roost_buf_free(&b);
}

static void test_generate(void **state)
{
	struct roost_err err;

	(void)state;
	check_pair(ROOST_KEY_RSA, 2048);
	check_pair(ROOST_KEY_ED25519, 0);
	assert_null(roost_key_public_pem("x", 1, &err));
	assert_string_equal(err.msg, "no PEM key");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_generate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
