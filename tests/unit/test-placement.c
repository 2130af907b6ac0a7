/* SPDX-License-Identifier: MIT */
/* Unit tests of common/rules/placement and common/rules/user-hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/rules/placement.h"
#include "common/rules/user-hash.h"

#define USERS 20000
#define NODES 4

static const struct roost_placement_node base[NODES] = {
	{ "n1", "", 100, true },
	{ "n2", "", 100, true },
	{ "n3", "", 200, true },
	{ "n4", "", 100, true },
};

static int choose(const struct roost_placement_node *nodes, size_t count,
		  unsigned int user)
{
	char name[32];

	snprintf(name, sizeof(name), "user%u@example.com", user);
	return roost_placement_choose(nodes, count, "", name);
}

static void test_follows_the_weights(void **state)
{
	unsigned int counts[NODES] = { 0 }, i;

	(void)state;
	for (i = 0; i < USERS; i++)
		counts[choose(base, NODES, i)]++;
	/* 1/5, 1/5, 2/5, 1/5, within 5 % */
	assert_in_range(counts[0], USERS / 5 * 95 / 100, USERS / 5 * 105 / 100);
	assert_in_range(counts[1], USERS / 5 * 95 / 100, USERS / 5 * 105 / 100);
	assert_in_range(counts[2], USERS * 2 / 5 * 95 / 100,
			USERS * 2 / 5 * 105 / 100);
	assert_in_range(counts[3], USERS / 5 * 95 / 100, USERS / 5 * 105 / 100);
}

static void test_removal_moves_only_its_users(void **state)
{
	struct roost_placement_node fewer[NODES];
	unsigned int i;
	int before, after;

	(void)state;
	memcpy(fewer, base, sizeof(fewer));
	fewer[1].up = false;
	for (i = 0; i < USERS; i++) {
		before = choose(base, NODES, i);
		after = choose(fewer, NODES, i);
		if (before != 1)
			assert_int_equal(after, before);
		else
			assert_int_not_equal(after, 1);
	}
}

static void test_order_does_not_matter(void **state)
{
	struct roost_placement_node turned[NODES];
	unsigned int i;

	(void)state;
	for (i = 0; i < NODES; i++)
		turned[i] = base[NODES - 1 - i];
	for (i = 0; i < 1000; i++)
		assert_string_equal(base[choose(base, NODES, i)].name,
				    turned[choose(turned, NODES, i)].name);
}

static void test_who_is_not_eligible(void **state)
{
	static const struct roost_placement_node nodes[] = {
		{ "down", "", 100, false },
		{ "tagged", "ssd", 100, true },
		{ "weightless", "", 0, true },
	};

	(void)state;
	assert_int_equal(roost_placement_choose(nodes, 3, "", "alice"), -1);
	assert_int_equal(roost_placement_choose(nodes, 3, "ssd", "alice"), 1);
	assert_int_equal(roost_placement_choose(nodes, 0, "", "alice"), -1);
}

/* Figures that other releases of Roost rely on. */
static void test_hashes_never_change(void **state)
{
	(void)state;
	assert_int_equal(roost_user_shard("alice@example.com"), 33);
	assert_int_equal(roost_user_shard("bob"), 137);
	assert_int_equal(roost_user_shard(""), 32);
	assert_true(roost_user_hash("n1", "alice") !=
		    roost_user_hash("n1alice", ""));
	assert_true(roost_user_hash("n1", "alice") == 0xccd342291b6f60e5ULL);
}

static void test_shards_are_even(void **state)
{
	unsigned int counts[ROOST_USER_SHARDS] = { 0 }, i;
	char name[32];

	(void)state;
	for (i = 0; i < 100 * ROOST_USER_SHARDS; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		counts[roost_user_shard(name)]++;
	}
	for (i = 0; i < ROOST_USER_SHARDS; i++)
		assert_in_range(counts[i], 50, 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_follows_the_weights),
		cmocka_unit_test(test_removal_moves_only_its_users),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_who_is_not_eligible),
		cmocka_unit_test(test_hashes_never_change),
		cmocka_unit_test(test_shards_are_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
