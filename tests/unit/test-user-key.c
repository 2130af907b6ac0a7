/* SPDX-License-Identifier: MIT */
/* Unit tests of common/rules/user-key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/rules/user-key.h"

static void test_key_of(void **state)
{
	static const struct {
		const char *user, *domain_key;
	} cases[] = {
		{ "alice@example.com", "@example.com" },
		{ "a@b@example.com", "@example.com" },
		{ "alice", "alice" },
		{ "alice@", "alice@" },
		{ "@example.com", "@example.com" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(
			roost_user_key_of(ROOST_USER_KEY_USER, cases[i].user),
			cases[i].user);
		assert_string_equal(
			roost_user_key_of(ROOST_USER_KEY_DOMAIN, cases[i].user),
			cases[i].domain_key);
	}
}

static void test_parse(void **state)
{
	enum roost_user_key key = ROOST_USER_KEY_USER;

	(void)state;
	assert_true(roost_user_key_parse("domain", &key));
	assert_int_equal(key, ROOST_USER_KEY_DOMAIN);
	assert_true(roost_user_key_parse("user", &key));
	assert_int_equal(key, ROOST_USER_KEY_USER);
	assert_false(roost_user_key_parse("", &key));
	assert_false(roost_user_key_parse("Domain", &key));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_of),
		cmocka_unit_test(test_parse),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("user-key", tests, NULL, NULL);
}
