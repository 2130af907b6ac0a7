/* SPDX-License-Identifier: MIT */
/* Unit tests of common/dkim/{base64,canon,hash}: RFC 6376 section 3.4 and its
   corners, and that the packets a body comes in do not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "common/dkim/base64.h"
#include "common/dkim/canon.h"
#include "common/dkim/hash.h"

struct body_case {
	const char *name, *body, *simple, *relaxed;
};

static const struct body_case bodies[] = {
	{ "RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n",
	  " C\r\nD E\r\n" },
	{ "empty", "", "\r\n", "" },
	{ "blank lines only", "\r\n\r\n\r\n", "\r\n", "" },
	{ "white space lines only", " \r\n\t \r\n", " \r\n\t \r\n", "" },
	{ "white space, no line end", " \t", " \t\r\n", "" },
	{ "no line end", "a", "a\r\n", "a\r\n" },
	{ "white space at the end, no line end", "a \t", "a \t\r\n", "a\r\n" },
	{ "blank lines inside", "a\r\n\r\n \r\nb\r\n", "a\r\n\r\n \r\nb\r\n",
	  "a\r\n\r\n\r\nb\r\n" },
	{ "lone CR is text", "a\rb \r\r\n", "a\rb \r\r\n", "a\rb \r\r\n" },
	{ "lone CR at the end", "a\r", "a\r\r\n", "a\r\r\n" },
	{ "lone CR at the line start", "\r\r\n", "\r\r\n", "\r\r\n" },
	{ "lone LF is text", "a \nb\n\r\n", "a \nb\n\r\n", "a \nb\n\r\n" },
	{ "VT and FF are text", "a \v \f\r\n", "a \v \f\r\n", "a \v \f\r\n" },
	{ "eight bytes, blanks at the seam", "1234567  9abcdef\r\n",
	  "1234567  9abcdef\r\n", "1234567 9abcdef\r\n" },
	{ "blanks across the word seam", "12345678  abcdef0123\r\n",
	  "12345678  abcdef0123\r\n", "12345678 abcdef0123\r\n" },
	{ "tab late in a long line", "0123456789abcdef0123\t4\r\n",
	  "0123456789abcdef0123\t4\r\n", "0123456789abcdef0123 4\r\n" },
	{ "bytes that look like blanks to a mask", "\xa0\x89 \xa0\x21\x1f\r\n",
	  "\xa0\x89 \xa0\x21\x1f\r\n", "\xa0\x89 \xa0\x21\x1f\r\n" },
};

static void collect(void *ctx, const void *data, size_t len)
{
	roost_buf_append(ctx, data, len);
}

static void check_body(const char *name, enum roost_canon_mode mode,
		       const char *body, size_t len, const char *expected,
		       size_t step)
{
	struct roost_buf out = ROOST_BUF_INIT(1024 * 1024);
	struct roost_canon_body canon;
	size_t i, n;

	roost_canon_body_init(&canon, mode, collect, &out);
	for (i = 0; i < len; i += n) {
		n = len - i < step ? len - i : step;
		roost_canon_body_update(&canon, body + i, n);
	}
	roost_canon_body_final(&canon);
	if (strcmp(roost_buf_str(&out), expected) != 0)
		fail_msg("%s, packets of %zu: '%s' is not '%s'", name, step,
			 roost_buf_str(&out), expected);
	roost_buf_free(&out);
}

static void test_body(void **state)
{
	size_t i, step;

	(void)state;
	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		const struct body_case *c = &bodies[i];

		for (step = 1; step <= strlen(c->body) + 1; step++) {
			check_body(c->name, ROOST_CANON_SIMPLE, c->body,
				   strlen(c->body), c->simple, step);
			check_body(c->name, ROOST_CANON_RELAXED, c->body,
				   strlen(c->body), c->relaxed, step);
		}
	}
}

/* The plain way to say the same: the reference of the property test. */
static void relax_slowly(const char *body, size_t len, struct roost_buf *out)
{
	struct roost_buf line = ROOST_BUF_INIT(65536);
	size_t i, blank_lines = 0;
	bool wsp = false;

	for (i = 0; i <= len; i++) {
		bool crlf =
			i + 1 < len && body[i] == '\r' && body[i + 1] == '\n';

		if (i == len || crlf) {
			if (line.len > 0) {
				for (; blank_lines > 0; blank_lines--)
					roost_buf_append_str(out, "\r\n");
				roost_buf_append(out, line.data, line.len);
			}
			blank_lines++;
			roost_buf_clear(&line);
			wsp = false;
			i += crlf ? 1 : 0;
		} else if (body[i] == ' ' || body[i] == '\t') {
			wsp = true;
		} else {
			if (wsp)
				roost_buf_append_char(&line, ' ');
			wsp = false;
			roost_buf_append_char(&line, body[i]);
		}
	}
	if (out->len > 0)
		roost_buf_append_str(out, "\r\n");
	roost_buf_free(&line);
}

static uint64_t seed = 1;

static size_t random_below(size_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (size_t)(seed >> 33) % n;
}

static void test_random_bodies_and_packets(void **state)
{
	static const char *const pieces[] = { "\r\n",	  " ",	"\t",
					      "\r",	  "\n", "word",
					      "12345678", "\v", "." };
	struct roost_buf body = ROOST_BUF_INIT(65536);
	struct roost_buf expected = ROOST_BUF_INIT(65536);
	int round;
	size_t i;

	(void)state;
	for (round = 0; round < 3000; round++) {
		roost_buf_clear(&body);
		roost_buf_clear(&expected);
		for (i = random_below(40); i > 0; i--)
			roost_buf_append_str(&body, pieces[random_below(9)]);
		relax_slowly(roost_buf_str(&body), body.len, &expected);
		check_body("random", ROOST_CANON_RELAXED, roost_buf_str(&body),
			   body.len, roost_buf_str(&expected),
			   1 + random_below(body.len + 1));
	}
	roost_buf_free(&body);
	roost_buf_free(&expected);
}

static void test_header(void **state)
{
	static const struct {
		const char *name, *value, *simple, *relaxed;
	} cases[] = {
		{ "A", " X", "A: X", "a:X" },
		{ "B ", " Y\t\r\n\tZ  ", "B : Y\t\r\n\tZ  ", "b:Y Z" },
		{ "C", " Y\n Z", "C: Y\r\n Z", "c:Y Z" },
		{ "Subject", "", "Subject:", "subject:" },
		{ "Subject", " \r\n ", "Subject: \r\n ", "subject:" },
		{ "Subject", "a\n\tb\r\n\tc", "Subject:a\r\n\tb\r\n\tc",
		  "subject:a b c" },
		{ "Subject", "a\rb\v ", "Subject:a\rb\v ", "subject:a\rb\v" },
		{ "X\xc3\x84", " \xc3\x84", "X\xc3\x84: \xc3\x84",
		  "x\xc3\x84:\xc3\x84" },
	};
	struct roost_buf out = ROOST_BUF_INIT(4096);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		roost_buf_clear(&out);
		roost_canon_header(ROOST_CANON_SIMPLE, cases[i].name,
				   strlen(cases[i].name), cases[i].value,
				   strlen(cases[i].value), &out);
		assert_string_equal(roost_buf_str(&out), cases[i].simple);
		roost_buf_clear(&out);
		roost_canon_header(ROOST_CANON_RELAXED, cases[i].name,
				   strlen(cases[i].name), cases[i].value,
				   strlen(cases[i].value), &out);
		assert_string_equal(roost_buf_str(&out), cases[i].relaxed);
	}
	roost_buf_free(&out);
}

static void check_hash(enum roost_canon_mode mode, const char *body,
		       uint64_t limit, const char *expected)
{
	struct roost_buf text = ROOST_BUF_INIT(128);
	unsigned char digest[ROOST_HASH_SIZE];
	struct roost_err err;
	struct roost_hash *hash = roost_hash_new(&err);

	assert_non_null(hash);
	roost_hash_begin(hash, mode, limit);
	roost_hash_body(hash, body, strlen(body));
	assert_int_equal(roost_hash_end(hash, digest, &err), 0);
	roost_base64_encode(digest, sizeof(digest), &text);
	assert_string_equal(roost_buf_str(&text), expected);
	roost_buf_free(&text);
	roost_hash_free(&hash);
}

static void test_hash(void **state)
{
	(void)state;
	/* RFC 6376 3.4.3 and 3.4.4: the empty body */
	check_hash(ROOST_CANON_SIMPLE, "", ROOST_HASH_NO_LIMIT,
		   "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
	check_hash(ROOST_CANON_RELAXED, "", ROOST_HASH_NO_LIMIT,
		   "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	/* RFC 8463 appendix A */
	check_hash(ROOST_CANON_RELAXED,
		   "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\n"
		   "Joe.\r\n",
		   ROOST_HASH_NO_LIMIT,
		   "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
	/* "l=0" */
	check_hash(ROOST_CANON_SIMPLE, "anything\r\n", 0,
		   "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

static void test_longest_line(void **state)
{
	struct roost_err err;
	struct roost_hash *hash = roost_hash_new(&err);
	char line[700];

	(void)state;
	memset(line, 'x', sizeof(line));
	roost_hash_begin(hash, ROOST_CANON_RELAXED, ROOST_HASH_NO_LIMIT);
	roost_hash_body(hash, line, sizeof(line));
	roost_hash_body(hash, line, sizeof(line));
	roost_hash_body(hash, "\r\nshort\r\n", 9);
	assert_int_equal(roost_hash_longest_line(hash), 1400);
	roost_hash_begin(hash, ROOST_CANON_RELAXED, ROOST_HASH_NO_LIMIT);
	assert_int_equal(roost_hash_longest_line(hash), 0);
	roost_hash_free(&hash);
}

/* 200,000 blanks took a peer more than 60 s. */
static void test_linear(void **state)
{
	static char blanks[200000];
	struct roost_err err;
	struct roost_hash *hash = roost_hash_new(&err);
	clock_t start = clock();
	size_t i;

	(void)state;
	memset(blanks, ' ', sizeof(blanks));
	for (i = 0; i < sizeof(blanks) / 2; i += 2)
		memcpy(blanks + i, "\r\n", 2);
	roost_hash_begin(hash, ROOST_CANON_RELAXED, ROOST_HASH_NO_LIMIT);
	for (i = 0; i < sizeof(blanks); i++)
		roost_hash_body(hash, blanks + i, 1);
	roost_hash_body(hash, "x", 1);
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2.0);
	roost_hash_free(&hash);
}

static void test_base64(void **state)
{
	static const struct {
		const char *text, *bytes; /* bytes NULL: refused */
	} cases[] = {
		{ "", "" },
		{ "Zg==", "f" },
		{ "Zm8=", "fo" },
		{ "Zm9v", "foo" },
		{ "Z m\r\n\t9v", "foo" },
		{ "Zm9vYg==", "foob" },
		{ "Zg=", NULL },
		{ "Zg", NULL },
		{ "Z", NULL },
		{ "Zg===", NULL },
		{ "Zh==", NULL },
		{ "Zm9=", NULL },
		{ "Zg==Zg==", NULL },
		{ "=", NULL },
		{ "Zm9v=", NULL },
		{ "Zm-v", NULL },
		{ "Zm9v*", NULL },
	};
	struct roost_buf out = ROOST_BUF_INIT(64);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ret;

		roost_buf_clear(&out);
		ret = roost_base64_decode(cases[i].text, strlen(cases[i].text),
					  &out);
		if (ret != (cases[i].bytes == NULL ? -1 : 0))
			fail_msg("'%s' gives %d", cases[i].text, ret);
		if (cases[i].bytes != NULL)
			assert_string_equal(roost_buf_str(&out),
					    cases[i].bytes);
	}
	roost_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_random_bodies_and_packets),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
