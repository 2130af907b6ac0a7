/* SPDX-License-Identifier: MIT */
/* roost-policyd(8) documents every setting as the table has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/policy-settings.h"
#include "tests/unit/manual-check.h"

static void test_settings(void **state)
{
	(void)state;
	manual_check("roost-policyd.8", &roost_policy_settings_table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
