/* SPDX-License-Identifier: MIT */
/* Unit tests of common/base/buf and common/base/err. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"

static void test_append_and_shift(void **state)
{
	struct roost_buf buf = ROOST_BUF_INIT(1024);

	(void)state;
	assert_string_equal(roost_buf_str(&buf), "");
	roost_buf_append_str(&buf, "roost");
	roost_buf_printf(&buf, "-%d", 42);
	roost_buf_append_char(&buf, '!');
	assert_string_equal(roost_buf_str(&buf), "roost-42!");
	roost_buf_shift(&buf, 6);
	assert_string_equal(roost_buf_str(&buf), "42!");
	roost_buf_shift(&buf, 100);
	assert_int_equal(buf.len, 0);
	roost_buf_free(&buf);
}

static void test_bound_is_kept(void **state)
{
	struct roost_buf buf = ROOST_BUF_INIT(4);

	(void)state;
	roost_buf_append_str(&buf, "1234");
	assert_false(buf.failed);
	roost_buf_append_char(&buf, '5');
	assert_true(buf.failed);
	assert_string_equal(roost_buf_str(&buf), "1234");
	roost_buf_clear(&buf);
	assert_false(buf.failed);
	roost_buf_printf(&buf, "%s", "12345");
	assert_true(buf.failed);
	assert_int_equal(buf.len, 0);
	roost_buf_free(&buf);
}

static void test_err_prefix(void **state)
{
	struct roost_err err;

	(void)state;
	assert_int_equal(roost_err_set(&err, "bad %s", "value"), -1);
	assert_int_equal(roost_err_prefix(&err, "%s:%d", "file", 3), -1);
	assert_string_equal(err.msg, "file:3: bad value");
}

static void test_err_is_cut(void **state)
{
	char big[2 * ROOST_ERR_SIZE];
	struct roost_err err;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	roost_err_set(&err, "%s", big);
	assert_int_equal(strlen(err.msg), ROOST_ERR_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append_and_shift),
		cmocka_unit_test(test_bound_is_kept),
		cmocka_unit_test(test_err_prefix),
		cmocka_unit_test(test_err_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
