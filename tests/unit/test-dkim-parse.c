/* SPDX-License-Identifier: MIT */
/* Unit tests of common/dkim/{tag-list,from-address,header-list}. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/dkim/from-address.h"
#include "common/dkim/header-list.h"
#include "common/dkim/tag-list.h"

static void test_tag_list(void **state)
{
	static const char text[] = "v=1; a = rsa-sha256;\r\n\tb=\r\n a b\tc "
				   ";empty=; s=x\xc3\xa4;";
	const struct roost_tag *tag;
	struct roost_tag_list list;
	struct roost_err err;

	(void)state;
	assert_int_equal(
		roost_tag_list_parse(&list, text, sizeof(text) - 1, &err), 0);
	assert_int_equal(list.count, 5);
	assert_true(roost_tag_list_is(roost_tag_list_find(&list, "v"), "1"));
	assert_true(roost_tag_list_is(roost_tag_list_find(&list, "a"),
				      "rsa-sha256"));
	tag = roost_tag_list_find(&list, "b");
	assert_true(roost_tag_list_is(tag, "a b\tc"));
	assert_memory_equal(text + tag->raw_start, "\r\n a b\tc ", 9);
	assert_int_equal(tag->raw_end - tag->raw_start, 9);
	assert_int_equal(roost_tag_list_find(&list, "empty")->value_len, 0);
	assert_null(roost_tag_list_find(&list, "V"));
}

static void test_tag_list_errors(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "v=1; v=2", "tag v is given twice" },
		{ "v", "tag v has no value" },
		{ "v=1;;a=b", "bad tag name at offset 4" },
		{ "=1", "bad tag name at offset 0" },
		{ "1v=1", "bad tag name at offset 0" },
		{ "v x=1", "tag v has no value" },
		{ "v=\x01", "tag v has a bad character" },
		{ "v=\x7f", "tag v has a bad character" },
		{ ";", "bad tag name at offset 0" },
	};
	struct roost_tag_list list;
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (roost_tag_list_parse(&list, cases[i].text,
					 strlen(cases[i].text), &err) == 0)
			fail_msg("'%s' is accepted", cases[i].text);
		assert_string_equal(err.msg, cases[i].message);
	}
	assert_int_equal(roost_tag_list_parse(&list, " \r\n", 3, &err), 0);
	assert_int_equal(list.count, 0);
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct from_case {
	const char *value;
	enum roost_from_result result;
	const char *domain, *address;
};

static const struct from_case froms[] = {
	/* plain forms */
	{ " a@example.org", ROOST_FROM_OK, "example.org", "a@example.org" },
	{ " <a@Example.ORG>", ROOST_FROM_OK, "example.org", "a@Example.ORG" },
	{ " A B <a@example.org>", ROOST_FROM_OK, "example.org", NULL },
	{ " John Q. Public <a@example.org>", ROOST_FROM_OK, "example.org",
	  NULL },
	{ "=?utf-8?q?J=C3=B6?= <j@example.org>", ROOST_FROM_OK, "example.org",
	  NULL },
	{ " J\xc3\xb6 <j\xc3\xb6@example.org>", ROOST_FROM_OK, "example.org",
	  NULL },
	{ " A\n\tB\r\n <a@example.org>", ROOST_FROM_OK, "example.org", NULL },
	{ " a@sub_1.x-y.example.org", ROOST_FROM_OK, "sub_1.x-y.example.org",
	  NULL },
	/* quoted local parts and names */
	{ " \"a@example.org\"@example.com", ROOST_FROM_OK, "example.com",
	  "\"a@example.org\"@example.com" },
	{ " \"a, b <x@evil>\" <a@example.org>", ROOST_FROM_OK, "example.org",
	  NULL },
	{ " \"a\\\"b\"@example.org", ROOST_FROM_OK, "example.org", NULL },
	{ " a.\"b\".c@example.org", ROOST_FROM_OK, "example.org", NULL },
	{ " \"<x@evil.example>\" (c) <a@example.org>", ROOST_FROM_OK,
	  "example.org", NULL },
	/* comments */
	{ " (x@evil.example) a@example.org", ROOST_FROM_OK, "example.org",
	  "a@example.org" },
	{ " a@example.org (a (nested \\) one) b)", ROOST_FROM_OK, "example.org",
	  NULL },
	{ " a(b)@(c)example(d).org(e)", ROOST_FROM_OK, "example.org",
	  "a@example.org" },
	{ " a . b @ example . org", ROOST_FROM_OK, "example.org",
	  "a.b@example.org" },
	/* lists and groups */
	{ " a@example.org, b@EXAMPLE.org", ROOST_FROM_OK, "example.org",
	  "a@example.org" },
	{ " ,, a@example.org ,", ROOST_FROM_OK, "example.org", NULL },
	{ " Group: a@example.org, <b@example.org>;", ROOST_FROM_OK,
	  "example.org", NULL },
	{ " Group:;, a@example.org", ROOST_FROM_OK, "example.org", NULL },
	{ " a@example.org, b@example.com", ROOST_FROM_AMBIGUOUS, NULL, NULL },
	{ " g: a@example.org;, b@example.com", ROOST_FROM_AMBIGUOUS, NULL,
	  NULL },
	/* no address */
	{ "", ROOST_FROM_EMPTY, NULL, NULL },
	{ " \n ", ROOST_FROM_EMPTY, NULL, NULL },
	{ " (only a comment)", ROOST_FROM_EMPTY, NULL, NULL },
	{ " undisclosed-recipients:;", ROOST_FROM_EMPTY, NULL, NULL },
	{ " a", ROOST_FROM_NO_DOMAIN, NULL, NULL },
	{ " <a>", ROOST_FROM_NO_DOMAIN, NULL, NULL },
	{ " a@example.org, b", ROOST_FROM_NO_DOMAIN, NULL, NULL },
	{ " <>", ROOST_FROM_SYNTAX, NULL, NULL },
	/* address literals */
	{ " a@[192.0.2.1]", ROOST_FROM_LITERAL, NULL, NULL },
	{ " <a@[IPv6:2001:db8::1]>", ROOST_FROM_LITERAL, NULL, NULL },
	/* what two readers understand in two ways */
	{ " a@example.org <b@example.com>", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " <a@example.org> b@example.com", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " <a@example.org> <b@example.com>", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a@example.org b@example.com", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a@example.org@example.com", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " <@example.com:a@example.org>", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a b <", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " A B", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " <a@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a@example.org>", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " \"a@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " (a@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a@example.org)", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " @example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a@", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a.@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " .a@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a@example..org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a@example.org.", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a@\"example.org\"", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " g: a@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " g: h: a@example.org;;", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a\x01@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " a\\b@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " \"a\x01\"@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " \"\\\x7f\"@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	{ " (\x01) a@example.org", ROOST_FROM_SYNTAX, NULL, NULL },
	/* no host names */
	{ " a@exa!mple.org", ROOST_FROM_BAD_DOMAIN, NULL, NULL },
	{ " a@-example.org", ROOST_FROM_BAD_DOMAIN, NULL, NULL },
	{ " a@example-.org", ROOST_FROM_BAD_DOMAIN, NULL, NULL },
	{ " a@ex\xc3\xa4mple.org", ROOST_FROM_BAD_DOMAIN, NULL, NULL },
	{ " a@" A64 ".org", ROOST_FROM_BAD_DOMAIN, NULL, NULL },
	{ " a@" A64 A64 A64 A64 ".org", ROOST_FROM_BAD_DOMAIN, NULL, NULL },
};

static void test_from_address(void **state)
{
	struct roost_from_address from;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(froms) / sizeof(froms[0]); i++) {
		const struct from_case *c = &froms[i];
		enum roost_from_result result = roost_from_address_parse(
			c->value, strlen(c->value), &from);

		if (result != c->result)
			fail_msg("'%s': %s", c->value,
				 roost_from_address_result(result));
		if (c->domain != NULL)
			assert_string_equal(from.domain, c->domain);
		if (c->address != NULL)
			assert_string_equal(from.address, c->address);
	}
}

static void test_from_address_bounds(void **state)
{
	struct roost_from_address from;
	char deep[201], long_local[700];

	(void)state;
	assert_int_equal(
		roost_from_address_parse("\"a\0b\"@example.org", 17, &from),
		ROOST_FROM_SYNTAX);
	memset(deep, '(', 100);
	memset(deep + 100, ')', 100);
	assert_int_equal(roost_from_address_parse(deep, 200, &from),
			 ROOST_FROM_SYNTAX);
	memset(long_local, 'a', sizeof(long_local));
	memcpy(long_local + 650, "@example.org", 12);
	assert_int_equal(roost_from_address_parse(long_local, 662, &from),
			 ROOST_FROM_OK);
	assert_string_equal(from.domain, "example.org");
	assert_string_equal(from.address, "");
}

static void test_header_list(void **state)
{
	struct roost_header_list list = { 0 };
	static char big[ROOST_HEADER_LIST_MAX_BYTES];
	size_t i;

	(void)state;
	assert_int_equal(roost_header_list_add(&list, "To", 2, " a", 2), 0);
	assert_int_equal(roost_header_list_add(&list, "From", 4, " b", 2), 0);
	assert_int_equal(roost_header_list_add(&list, "TO", 2, " c", 2), 0);
	assert_int_equal(roost_header_list_count(&list, "to", 2), 2);
	assert_string_equal(
		roost_header_list_from_bottom(&list, "to", 2, 0)->value, " c");
	assert_string_equal(
		roost_header_list_from_bottom(&list, "to", 2, 1)->value, " a");
	assert_null(roost_header_list_from_bottom(&list, "to", 2, 2));
	assert_int_equal(roost_header_list_add(&list, "X", 1, big, sizeof(big)),
			 -1);
	for (i = list.count; i < ROOST_HEADER_LIST_MAX_FIELDS; i++)
		assert_int_equal(roost_header_list_add(&list, "X", 1, "", 0),
				 0);
	assert_int_equal(roost_header_list_add(&list, "X", 1, "", 0), -1);
	roost_header_list_clear(&list);
	assert_int_equal(list.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tag_list),
		cmocka_unit_test(test_tag_list_errors),
		cmocka_unit_test(test_from_address),
		cmocka_unit_test(test_from_address_bounds),
		cmocka_unit_test(test_header_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
