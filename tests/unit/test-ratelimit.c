/* SPDX-License-Identifier: MIT */
/* Tests of common/rules/ratelimit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/rules/ratelimit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND 1000000LL

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t interval, burst; /* interval -1: an error */
	} cases[] = {
		{ "", 0, 0 },
		{ "100/1h", 36 * SECOND, 100 },
		{ "100/3600", 36 * SECOND, 100 },
		{ "60/1m/5", SECOND, 5 },
		{ "1/1d", 86400 * SECOND, 1 },
		{ "1/1w", 604800 * SECOND, 1 },
		{ "1000000/1s", 1, 1000000 },
		{ "0/1h", -1, 0 },
		{ "-1/1h", -1, 0 },
		{ "100", -1, 0 },
		{ "100/", -1, 0 },
		{ "100/0s", -1, 0 },
		{ "100/1y", -1, 0 },
		{ "100/1h/", -1, 0 },
		{ "100/1h/0", -1, 0 },
		{ "100/1h/5x", -1, 0 },
		{ "100/1hour", -1, 0 },
		{ " 100/1h", -1, 0 },
		{ "100 / 1h", -1, 0 },
		{ "2000000/1s", -1, 0 },
		{ "99999999999999999999/1h", -1, 0 },
		{ "1/99999999999999999999", -1, 0 },
		{ "1/100w", -1, 0 },
		{ "1/365d/1000000000", -1, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct roost_ratelimit limit;
		struct roost_err err = { "" };
		int ret = roost_ratelimit_parse(cases[i].text, &limit, &err);

		if (ret != (cases[i].interval < 0 ? -1 : 0))
			fail_msg("'%s': %d %s", cases[i].text, ret, err.msg);
		if (ret == 0) {
			assert_int_equal(limit.interval, cases[i].interval);
			assert_int_equal(limit.burst, cases[i].burst);
		} else {
			assert_string_not_equal(err.msg, "");
		}
	}
}

static void test_steps(void **state)
{
	/* 3 in 30 s: in this order, each with the TAT of the one before */
	static const struct {
		int64_t now, cost;
		bool allowed;
		int64_t wait;
	} steps[] = {
		{ 1000, 1, true, 0 },
		{ 1000, 1, true, 0 },
		{ 1000, 1, true, 0 },
		{ 1000, 1, false, 10 },
		{ 1009, 1, false, 1 },
		{ 1010, 1, true, 0 },
		{ 1010, 1, false, 10 },
		{ 1020, 2, false, 10 },
		{ 1030, 2, true, 0 },
		{ 1030, 4, false, 30 },
		{ 2000, 3, true, 0 },
		{ 2000, 1, false, 10 },
		/* the clock goes back: as if everything were used up */
		{ 10, 1, false, 10 },
	};
	struct roost_ratelimit limit;
	struct roost_err err;
	int64_t tat = 0;
	size_t i;

	(void)state;
	assert_int_equal(roost_ratelimit_parse("3/30s", &limit, &err), 0);
	for (i = 0; i < COUNT(steps); i++) {
		int64_t wait;
		bool allowed = roost_ratelimit_allows(
			&limit, tat, steps[i].cost, steps[i].now * SECOND, &tat,
			&wait);

		if (allowed != steps[i].allowed ||
		    wait != steps[i].wait * SECOND)
			fail_msg("step %zu: %d, wait %lld", i, allowed,
				 (long long)wait);
	}
}

/* However the requests come, no window lets more pass than burst + rate. */
static void test_never_more(void **state)
{
	struct roost_ratelimit limit;
	int64_t tat = 0, now = SECOND, wait, passed = 0, start = now;
	uint32_t seed = 1;
	struct roost_err err;
	int i;

	(void)state;
	assert_int_equal(roost_ratelimit_parse("10/10s/4", &limit, &err), 0);
	for (i = 0; i < 100000; i++) {
		int64_t cost;

		seed = seed * 1664525 + 1013904223;
		cost = 1 + (seed >> 28) % 5;
		now += (seed >> 16) % 700000;
		if (roost_ratelimit_allows(&limit, tat, cost, now, &tat, &wait))
			passed += cost;
		assert_true(passed <= 4 + (now - start) / SECOND);
	}
	assert_true(passed > (now - start) / SECOND / 2);
}

static void test_share(void **state)
{
	struct roost_ratelimit limit, share;
	struct roost_err err;

	(void)state;
	assert_int_equal(roost_ratelimit_parse("100/1h", &limit, &err), 0);
	share = roost_ratelimit_share(&limit, 1);
	assert_int_equal(share.burst, 100);
	share = roost_ratelimit_share(&limit, 3);
	assert_int_equal(share.burst, 33);
	assert_int_equal(share.interval, 108 * SECOND);
	share = roost_ratelimit_share(&limit, 1000);
	assert_int_equal(share.burst, 1);
	assert_int_equal(roost_ratelimit_parse("", &limit, &err), 0);
	share = roost_ratelimit_share(&limit, 3);
	assert_int_equal(share.interval, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_never_more),
		cmocka_unit_test(test_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
