/* SPDX-License-Identifier: MIT */
/* Tests of common/proto/socketmap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/proto/socketmap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_parse(void **state)
{
	static const struct {
		const char *name, *data;
		size_t len; /* 0: the whole string */
		int ret;
		const char *map, *key; /* or the error in map */
	} cases[] = {
		{ "query", "9:map k@d.e,", 0, 1, "map", "k@d.e" },
		{ "blank in the key", "7:map a b,", 0, 1, "map", "a b" },
		{ "empty key", "4:map ,", 0, 1, "map", "" },
		{ "two queries", "5:map a,5:map b,", 0, 1, "map", "a" },
		{ "nothing", "", 0, 0, NULL, NULL },
		{ "half a length", "1", 0, 0, NULL, NULL },
		{ "no colon yet", "9", 0, 0, NULL, NULL },
		{ "half a text", "9:map", 0, 0, NULL, NULL },
		{ "no comma yet", "5:map a", 0, 0, NULL, NULL },
		{ "other end", "5:map a;", 0, -1, "no comma after a netstring",
		  NULL },
		{ "letter", "x", 0, -1, "no netstring", NULL },
		{ "sign", "-1:x,", 0, -1, "no netstring", NULL },
		{ "no length", ":x,", 0, -1, "no netstring", NULL },
		{ "zero first", "05:map a,", 0, -1,
		  "a length with a zero first", NULL },
		{ "empty", "0:,", 0, -1, "a query is not 'name key'", NULL },
		{ "no blank", "3:map,", 0, -1, "a query is not 'name key'",
		  NULL },
		{ "no name", "4: key,", 0, -1, "a query is not 'name key'",
		  NULL },
		{ "long", "10001:", 0, -1, "query of more than 10000 bytes",
		  NULL },
		{ "endless", "99999999999999999999", 0, -1,
		  "query of more than 10000 bytes", NULL },
		{ "NUL", "5:m \0ab,", 8, -1, "NUL byte in a query", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct roost_socketmap_query query = { NULL, NULL, 0 };
		struct roost_err err = { "" };
		size_t len = cases[i].len != 0 ? cases[i].len
					       : strlen(cases[i].data);
		char data[64];
		int ret;

		memcpy(data, cases[i].data, len);
		ret = roost_socketmap_parse(&query, data, len, &err);
		if (ret != cases[i].ret)
			fail_msg("%s: %d %s", cases[i].name, ret, err.msg);
		if (ret < 0)
			assert_string_equal(err.msg, cases[i].map);
		if (ret <= 0)
			continue;
		assert_string_equal(query.name, cases[i].map);
		assert_string_equal(query.key, cases[i].key);
		assert_true(query.size <= len);
	}
}

static void test_answers(void **state)
{
	struct roost_buf out = ROOST_BUF_INIT(300000);
	char *text = malloc(ROOST_SOCKETMAP_VALUE_MAX + 2);

	(void)state;
	assert_non_null(text);
	roost_socketmap_answer(&out, ROOST_SOCKETMAP_OK, "lmtp:[x]:24");
	roost_socketmap_answer(&out, ROOST_SOCKETMAP_NOTFOUND, "ignored");
	roost_socketmap_answer(&out, ROOST_SOCKETMAP_TEMP, "no table");
	assert_string_equal(roost_buf_str(&out),
			    "14:OK lmtp:[x]:24,9:NOTFOUND ,13:TEMP no table,");
	roost_buf_clear(&out);
	memset(text, 'x', ROOST_SOCKETMAP_VALUE_MAX + 1);
	text[ROOST_SOCKETMAP_VALUE_MAX + 1] = '\0';
	roost_socketmap_answer(&out, ROOST_SOCKETMAP_OK, text);
	assert_string_equal(roost_buf_str(&out),
			    "26:TEMP the value is too long,");
	roost_buf_clear(&out);
	text[ROOST_SOCKETMAP_VALUE_MAX] = '\0';
	roost_socketmap_answer(&out, ROOST_SOCKETMAP_OK, text);
	assert_true(out.len > ROOST_SOCKETMAP_VALUE_MAX && out.len < 100000);
	free(text);
	roost_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
