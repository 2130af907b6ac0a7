/* SPDX-License-Identifier: MIT */
/* roost-milter(8) documents every setting as the table has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "milter/milter-conf.h"
#include "tests/unit/manual-check.h"

static void test_settings(void **state)
{
	(void)state;
	manual_check("roost-milter.8", &roost_milter_conf_table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
