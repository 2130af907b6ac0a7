/* SPDX-License-Identifier: MIT */
/* Unit tests of common/base/kv. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/base/kv.h"

#define MAX 4

static const struct {
	const char *name, *line;
	size_t len; /* 0: strlen(line) */
	int count;  /* -1: refused */
	const char *fields[MAX];
} split_cases[] = {
	{ "empty line", "", 0, 1, { "" } },
	{ "plain", "a\tb", 0, 2, { "a", "b" } },
	{ "empty fields", "\t\t", 0, 3, { "", "", "" } },
	{ "all escapes", "\0011\001t\001r\001n", 0, 1, { "\001\t\r\n" } },
	{ "8-bit is kept", "\xc3\xa9\xff", 0, 1, { "\xc3\xa9\xff" } },
	{ "as many as fit", "1\t2\t3\t4", 0, 4, { "1", "2", "3", "4" } },
	{ "one too many", "1\t2\t3\t4\t5", 0, -1, { NULL } },
	{ "cut escape", "a\001", 0, -1, { NULL } },
	{ "escape cut by a tab", "a\001\tb", 0, -1, { NULL } },
	{ "unknown escape", "\001x", 0, -1, { NULL } },
	{ "escaped NUL", "a\0010", 0, -1, { NULL } },
	{ "raw NUL", "a\0b", 3, -1, { NULL } },
	{ "raw CR", "a\r", 0, -1, { NULL } },
	{ "raw LF", "a\nb", 0, -1, { NULL } },
	{ "escape then NUL", "a\001\0", 3, -1, { NULL } },
};

static void test_split(void **state)
{
	char line[64], *fields[MAX];
	struct roost_err err;
	size_t i, len;
	int n, count;

	(void)state;
	for (i = 0; i < sizeof(split_cases) / sizeof(split_cases[0]); i++) {
		print_message("# %s\n", split_cases[i].name);
		len = split_cases[i].len != 0 ? split_cases[i].len
					      : strlen(split_cases[i].line);
		memcpy(line, split_cases[i].line, len);
		count = roost_kv_split(line, len, fields, MAX, &err);
		assert_int_equal(count, split_cases[i].count);
		for (n = 0; n < count; n++)
			assert_string_equal(fields[n],
					    split_cases[i].fields[n]);
	}
}

static void test_error_names_the_field(void **state)
{
	char line[] = "a\tb\001", *fields[MAX];
	struct roost_err err;

	(void)state;
	assert_int_equal(roost_kv_split(line, strlen(line), fields, MAX, &err),
			 -1);
	assert_string_equal(err.msg, "field 2: cut escape");
}

static void test_format(void **state)
{
	struct roost_buf buf = ROOST_BUF_INIT(256);

	(void)state;
	roost_kv_escape(&buf, "7");
	roost_kv_field(&buf, "a\tb");
	roost_kv_pair(&buf, "key", "x\001\r\ny=z");
	roost_kv_pair_uint(&buf, "n", UINT64_MAX);
	roost_kv_flag(&buf, "self");
	assert_string_equal(roost_buf_str(&buf),
			    "7\ta\001tb\tkey=x\0011\001r\001ny=z"
			    "\tn=18446744073709551615\tself");
	roost_buf_free(&buf);
}

static void test_value(void **state)
{
	(void)state;
	assert_string_equal(roost_kv_value("port=24", "port"), "24");
	assert_string_equal(roost_kv_value("port=", "port"), "");
	assert_string_equal(roost_kv_value("port=a=b", "port"), "a=b");
	assert_string_equal(roost_kv_value("self", "self"), "");
	assert_null(roost_kv_value("selfish", "self"));
	assert_null(roost_kv_value("por", "port"));
	assert_null(roost_kv_value("", "port"));
}

static void test_uint(void **state)
{
	static const struct {
		const char *str;
		uint64_t max;
		bool ok;
		uint64_t value;
	} cases[] = {
		{ "0", 10, true, 0 },
		{ "10", 10, true, 10 },
		{ "11", 10, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
		{ "", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "0x1", 10, false, 0 },
	};
	uint64_t value;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("# '%s'\n", cases[i].str);
		value = 0;
		assert_int_equal(
			roost_kv_uint(cases[i].str, cases[i].max, &value),
			cases[i].ok);
		assert_true(value == cases[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_error_names_the_field),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_uint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
