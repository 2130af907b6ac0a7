/* SPDX-License-Identifier: MIT */
/* Tests of policy/policy-table and policy/policy-nexthop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy/policy-nexthop.h"
#include "policy/policy-table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_files(void **state)
{
	static const struct {
		const char *name;
		enum roost_policy_table_form form;
		const char *text, *key, *value, *error;
	} cases[] = {
		{ "empty", ROOST_POLICY_TABLE_PLAIN, "", "a", NULL, NULL },
		{ "row", ROOST_POLICY_TABLE_PLAIN, "a 1\nb\t2\n", "b", "2",
		  NULL },
		{ "no newline", ROOST_POLICY_TABLE_PLAIN, "a 1", "a", "1",
		  NULL },
		{ "case", ROOST_POLICY_TABLE_PLAIN, "A@b 1\n", "a@B", "1",
		  NULL },
		{ "comments", ROOST_POLICY_TABLE_PLAIN, "# x\n\n  # y\na 1\n",
		  "a", "1", NULL },
		{ "continued", ROOST_POLICY_TABLE_PLAIN,
		  "a 1,\n  2\n# c\n\t3\n", "a", "1, 2 3", NULL },
		{ "first wins", ROOST_POLICY_TABLE_PLAIN, "a 1\na 2\n", "a",
		  "1", NULL },
		{ "CRLF", ROOST_POLICY_TABLE_PLAIN, "a 1\r\n", "a", "1", NULL },
		{ "no value", ROOST_POLICY_TABLE_PLAIN, "a 1\nb\n", NULL, NULL,
		  "line 2: 'b' has no value" },
		{ "pattern", ROOST_POLICY_TABLE_REGEXP, "/^a+$/ 1\n", "AAA",
		  "1", NULL },
		{ "pattern with case", ROOST_POLICY_TABLE_REGEXP, "/^a+$/i 1\n",
		  "AAA", NULL, NULL },
		{ "order", ROOST_POLICY_TABLE_REGEXP, "/^ab/ 1\n/^a/ 2\n",
		  "abc", "1", NULL },
		{ "slash", ROOST_POLICY_TABLE_REGEXP, "/a/b/ 1\n", "xa/bx", "1",
		  NULL },
		{ "no slash", ROOST_POLICY_TABLE_REGEXP, "if x\n", NULL, NULL,
		  "line 1: 'if' is no /pattern/" },
		{ "flags", ROOST_POLICY_TABLE_REGEXP, "/a/x 1\n", NULL, NULL,
		  "line 1: flags 'x' are not known" },
		{ "substitution", ROOST_POLICY_TABLE_REGEXP, "/(a)/ $1\n", NULL,
		  NULL, "line 1: substitution ($) is not supported" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct roost_err err = { "" };
		struct roost_policy_table *table =
			roost_policy_table_parse(cases[i].form, cases[i].text,
						 strlen(cases[i].text), &err);
		const char *value;

		if (cases[i].error != NULL) {
			assert_null(table);
			assert_string_equal(err.msg, cases[i].error);
			continue;
		}
		if (table == NULL)
			fail_msg("%s: %s", cases[i].name, err.msg);
		value = roost_policy_table_find(table, cases[i].key);
		if (cases[i].value == NULL)
			assert_null(value);
		else if (value == NULL || strcmp(value, cases[i].value) != 0)
			fail_msg("%s: %s", cases[i].name, value);
		roost_policy_table_free(&table);
	}
}

static void test_rows(void **state)
{
	struct roost_policy_table *table = roost_policy_table_new();
	struct roost_err err;
	char key[32];
	int i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "user%d@example.com", i);
		assert_int_equal(
			roost_policy_table_add(table, key, key + 4, true, &err),
			0);
	}
	assert_int_equal(roost_policy_table_add(table, "USER7@example.com", "x",
						true, &err),
			 0);
	assert_int_equal(roost_policy_table_add(table, "user8@example.com", "x",
						false, &err),
			 0);
	assert_int_equal(roost_policy_table_count(table), 5000);
	for (i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "user%d@example.com", i);
		if (i != 7)
			assert_string_equal(roost_policy_table_find(table, key),
					    key + 4);
	}
	assert_string_equal(roost_policy_table_find(table, "user7@example.com"),
			    "7@example.com,x");
	assert_null(roost_policy_table_find(table, "user5000@example.com"));
	roost_policy_table_free(&table);
}

static void test_nexthop(void **state)
{
	static const char *const words[] = { "0.0.0.0=mailman",
					     "old.example=2001:db8::7",
					     "core=0.0.0.0" };
	static const struct {
		const char *value, *now; /* NULL: refused */
	} cases[] = {
		{ "lmtp:[0.0.0.0]:8024", "lmtp:[mailman]:8024" },
		{ "lmtp:0.0.0.0:8024", "lmtp:mailman:8024" },
		{ "lmtp:inet:[0.0.0.0]:8024", "lmtp:inet:[mailman]:8024" },
		{ "lmtp:inet:0.0.0.0:8024", "lmtp:inet:mailman:8024" },
		{ "smtp:[OLD.example]", "smtp:[2001:db8::7]" },
		{ "smtp:[other.example]:25", "smtp:[other.example]:25" },
		{ "lmtp:unix:/run/0.0.0.0", "lmtp:unix:/run/0.0.0.0" },
		{ "lists.example.com", "lists.example.com" },
		{ "alice@0.0.0.0", "alice@0.0.0.0" },
		{ "a@b.example, c@d.example:5", "a@b.example, c@d.example:5" },
		{ "", "" },
		{ ":", ":" },
		{ "discard:", "discard:" },
		{ "lmtp:[0.0.0.0", "lmtp:[0.0.0.0" },
		{ "lmtp:[::]:8024", NULL },
		{ "lmtp:[IPv6:::]:8024", NULL },
		{ "lmtp:[core]:8024", NULL },
	};
	const struct roost_conf_words hosts = { words, COUNT(words) };
	static char text[ROOST_POLICY_NEXTHOP_MAX];
	struct roost_policy_nexthop *nexthop;
	struct roost_err err;
	size_t i;

	(void)state;
	nexthop = roost_policy_nexthop_new(&hosts, &err);
	assert_non_null(nexthop);
	for (i = 0; i < COUNT(cases); i++) {
		int ret = roost_policy_nexthop_rewrite(nexthop, cases[i].value,
						       text);

		if ((ret == 0) != (cases[i].now != NULL) ||
		    (ret == 0 && strcmp(text, cases[i].now) != 0))
			fail_msg("'%s': %d '%s'", cases[i].value, ret, text);
	}
	roost_policy_nexthop_free(&nexthop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nexthop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
