/* SPDX-License-Identifier: MIT */
/* Unit tests of common/base/cidr. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cidr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_parse_network(void **state)
{
	static const struct {
		const char *text, *result, *error;
	} cases[] = {
		{ "10.0.0.0/24", "10.0.0.0/24", NULL },
		{ "10.0.0.1", "10.0.0.1/32", NULL },
		{ "0.0.0.0/0", "0.0.0.0/0", NULL },
		{ "192.0.2.128/25", "192.0.2.128/25", NULL },
		{ "2001:DB8::/32", "2001:db8::/32", NULL },
		{ "[2001:db8::]/32", "2001:db8::/32", NULL },
		{ "[::1]", "::1/128", NULL },
		{ "::/0", "::/0", NULL },
		{ "fe80::/10", "fe80::/10", NULL },
		{ "::ffff:10.1.0.0/112", "10.1.0.0/16", NULL },
		{ "::ffff:192.0.2.7", "192.0.2.7/32", NULL },
		{ "::ffff:0:0/96", "0.0.0.0/0", NULL },
		{ "10.0.0.1/24", NULL,
		  "'10.0.0.1/24': host bits are set; the network is "
		  "10.0.0.0/24" },
		{ "2001:db8::1/33", NULL,
		  "'2001:db8::1/33': host bits are set; the network is "
		  "2001:db8::/33" },
		{ "::ffff:10.1.2.3/112", NULL,
		  "'::ffff:10.1.2.3/112': host bits are set; the network is "
		  "10.1.0.0/16" },
		{ "::ffff:0:0/95", NULL,
		  "'::ffff:0:0/95': host bits are set (an IPv4-mapped network "
		  "has at least 96 bits)" },
		{ "10.0.0.0/33", NULL,
		  "'10.0.0.0/33': the prefix length must be 0 to 32" },
		{ "::/129", NULL,
		  "'::/129': the prefix length must be 0 to 128" },
		{ "10.0.0.0/", NULL,
		  "'10.0.0.0/': the prefix length must be 0 to 32" },
		{ "10.0.0.0/08", NULL,
		  "'10.0.0.0/08': the prefix length must be 0 to 32" },
		{ "10.0.0.0/255.0.0.0", NULL,
		  "'10.0.0.0/255.0.0.0': the prefix length must be 0 to 32" },
		{ "10.0.0.0/4294967304", NULL,
		  "'10.0.0.0/4294967304': the prefix length must be 0 to 32" },
		{ "10.0.0/8", NULL,
		  "'10.0.0/8' is not a network (like 192.0.2.0/24 or "
		  "2001:db8::/32)" },
		{ "", NULL,
		  "'' is not a network (like 192.0.2.0/24 or "
		  "2001:db8::/32)" },
		{ "[10.0.0.0]/8", NULL,
		  "'[10.0.0.0]/8' is not a network (like 192.0.2.0/24 or "
		  "2001:db8::/32)" },
		{ "fe80::1%eth0", NULL,
		  "'fe80::1%eth0' is not a network (like 192.0.2.0/24 or "
		  "2001:db8::/32)" },
		{ "example.org", NULL,
		  "'example.org' is not a network (like 192.0.2.0/24 or "
		  "2001:db8::/32)" },
	};
	char text[ROOST_CIDR_TEXT_MAX];
	struct roost_cidr cidr;
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		int ret = roost_cidr_parse(cases[i].text, &cidr, &err);

		if (cases[i].error != NULL) {
			assert_int_equal(ret, -1);
			assert_string_equal(err.msg, cases[i].error);
			continue;
		}
		if (ret < 0)
			print_error("%s: %s\n", cases[i].text, err.msg);
		assert_int_equal(ret, 0);
		assert_string_equal(roost_cidr_format(&cidr, text),
				    cases[i].result);
	}
}

static void test_parse_address(void **state)
{
	static const struct {
		const char *text, *result;
		bool loopback;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.255.1.2", "127.255.1.2", true },
		{ "::1", "::1", true },
		{ "::ffff:127.0.0.9", "127.0.0.9", true },
		{ "::FFFF:7f00:1", "127.0.0.1", true },
		{ "128.0.0.1", "128.0.0.1", false },
		{ "2001:db8:0:0::1", "2001:db8::1", false },
		{ "unknown", NULL, false },
		{ "127.1", NULL, false },
		{ "127.0.0.1 ", NULL, false },
		{ "0x7f.0.0.1", NULL, false },
		{ "::1%lo", NULL, false },
		{ "", NULL, false },
	};
	char text[ROOST_ADDR_TEXT_MAX];
	struct roost_addr addr;
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		int ret = roost_addr_parse(cases[i].text, &addr, &err);

		if (cases[i].result == NULL) {
			assert_int_equal(ret, -1);
			assert_int_equal(addr.family, 0);
			assert_string_equal(roost_addr_format(&addr, text),
					    "unknown");
			continue;
		}
		assert_int_equal(ret, 0);
		assert_string_equal(roost_addr_format(&addr, text),
				    cases[i].result);
		assert_int_equal(roost_addr_is_loopback(&addr),
				 cases[i].loopback);
	}
}

static struct roost_cidr_set *set_of(const char *const *texts)
{
	struct roost_cidr_set *set = roost_cidr_set_new();
	struct roost_err err;

	assert_non_null(set);
	for (; *texts != NULL; texts++)
		assert_int_equal(roost_cidr_set_add_text(set, *texts, &err), 0);
	return set;
}

static void test_set(void **state)
{
	static const char *const nets[] = {
		"10.2.0.0/16", "10.0.0.0/24",	"10.2.3.0/24", "10.0.0.0/8",
		"10.9.0.1",    "192.0.2.0/25",	"192.0.2.9",   "2001:db8::/32",
		"::1",	       "2001:db8:5::1", "0.0.0.0/32",  NULL,
	};
	static const struct {
		const char *addr, *net;
	} cases[] = {
		{ "10.2.3.4", "10.0.0.0/8" },
		{ "10.255.255.255", "10.0.0.0/8" },
		{ "11.0.0.0", NULL },
		{ "9.255.255.255", NULL },
		{ "192.0.2.127", "192.0.2.0/25" },
		{ "192.0.2.128", NULL },
		{ "::ffff:192.0.2.1", "192.0.2.0/25" },
		{ "2001:db8:ffff::", "2001:db8::/32" },
		{ "2001:db9::", NULL },
		{ "::1", "::1/128" },
		{ "::2", NULL },
		{ "0.0.0.0", "0.0.0.0/32" },
		{ "255.255.255.255", NULL },
	};
	struct roost_cidr_set *set = set_of(nets);
	char text[ROOST_CIDR_TEXT_MAX];
	struct roost_addr addr;
	struct roost_cidr cidr;
	struct roost_err err;
	size_t i;

	(void)state;
	assert_int_equal(roost_cidr_set_count(set), 5);
	for (i = 0; i < COUNT(cases); i++) {
		bool found;

		assert_int_equal(roost_addr_parse(cases[i].addr, &addr, &err),
				 0);
		found = roost_cidr_set_find(set, &addr, &cidr);
		assert_int_equal(found, cases[i].net != NULL);
		if (found)
			assert_string_equal(roost_cidr_format(&cidr, text),
					    cases[i].net);
	}
	memset(&addr, 0, sizeof(addr));
	assert_false(roost_cidr_set_find(set, &addr, NULL));
	assert_false(roost_cidr_set_find(NULL, &addr, NULL));
	roost_cidr_set_free(&set);
	assert_null(set);
}

static void test_everything_of_one_family(void **state)
{
	static const char *const six[] = { "::/0", NULL };
	static const char *const four[] = { "0.0.0.0/0", NULL };
	struct roost_cidr_set *all6 = set_of(six), *all4 = set_of(four);
	struct roost_addr addr;
	struct roost_err err;

	(void)state;
	assert_int_equal(roost_addr_parse("::ffff:192.0.2.1", &addr, &err), 0);
	assert_false(roost_cidr_set_find(all6, &addr, NULL));
	assert_true(roost_cidr_set_find(all4, &addr, NULL));
	assert_int_equal(roost_addr_parse("2001:db8::1", &addr, &err), 0);
	assert_true(roost_cidr_set_find(all6, &addr, NULL));
	assert_false(roost_cidr_set_find(all4, &addr, NULL));
	roost_cidr_set_free(&all6);
	roost_cidr_set_free(&all4);
}

static void test_overlap(void **state)
{
	static const char *const mynetworks[] = { "127.0.0.0/8", "10.0.0.0/8",
						  "2001:db8:1::/48", NULL };
	static const char *const ingress[] = { "9.0.0.0/8", "10.0.7.0/24",
					       "10.255.0.0/16", NULL };
	static const char *const wide[] = { "2001:db8::/32", NULL };
	static const char *const apart[] = { "11.0.0.0/8", "126.0.0.0/8",
					     "2001:db8:2::/48", NULL };
	struct roost_cidr_set *a = set_of(mynetworks), *b = set_of(ingress),
			      *c = set_of(wide), *d = set_of(apart);
	char text[ROOST_CIDR_TEXT_MAX];
	struct roost_cidr x, y;

	(void)state;
	assert_true(roost_cidr_set_overlap(a, b, &x, &y));
	assert_string_equal(roost_cidr_format(&x, text), "10.0.0.0/8");
	assert_string_equal(roost_cidr_format(&y, text), "10.0.7.0/24");
	assert_true(roost_cidr_set_overlap(a, c, &x, &y));
	assert_string_equal(roost_cidr_format(&x, text), "2001:db8:1::/48");
	assert_false(roost_cidr_set_overlap(a, d, &x, &y));
	roost_cidr_set_free(&a);
	roost_cidr_set_free(&b);
	roost_cidr_set_free(&c);
	roost_cidr_set_free(&d);
}

/* A set built in random order answers as a plain walk over its networks. */
static void test_set_against_walk(void **state)
{
	struct roost_cidr nets[200];
	unsigned int round, n, i;

	(void)state;
	srand(7);
	for (round = 0; round < 50; round++) {
		struct roost_cidr_set *set = roost_cidr_set_new();
		struct roost_err err;

		assert_non_null(set);
		n = 1 + (unsigned int)rand() % COUNT(nets);
		for (i = 0; i < n; i++) {
			uint8_t b[4] = { 10, (uint8_t)(rand() % 4),
					 (uint8_t)(rand() % 8),
					 (uint8_t)rand() };
			struct roost_addr addr;

			roost_addr_from_bytes(b, 4, &addr);
			roost_cidr_around(&addr, 14 + (unsigned)rand() % 19,
					  &nets[i]);
			assert_int_equal(
				roost_cidr_set_add(set, &nets[i], &err), 0);
		}
		for (i = 0; i < 2000; i++) {
			uint8_t b[4] = { 10, (uint8_t)(rand() % 5),
					 (uint8_t)(rand() % 9),
					 (uint8_t)rand() };
			struct roost_addr addr;
			bool walked = false;
			unsigned int k;

			roost_addr_from_bytes(b, 4, &addr);
			for (k = 0; k < n; k++)
				walked |= roost_cidr_contains(&nets[k], &addr);
			assert_int_equal(roost_cidr_set_find(set, &addr, NULL),
					 walked);
		}
		roost_cidr_set_free(&set);
	}
}

static void test_set_bound(void **state)
{
	struct roost_cidr_set *set = roost_cidr_set_new();
	struct roost_addr addr;
	struct roost_cidr cidr;
	struct roost_err err;
	uint32_t i;
	int ret = 0;

	(void)state;
	for (i = 0; i <= ROOST_CIDR_SET_MAX && ret == 0; i++) {
		uint8_t b[4] = { 10, (uint8_t)(i >> 15), (uint8_t)(i >> 7),
				 (uint8_t)(i << 1) };

		roost_addr_from_bytes(b, 4, &addr);
		roost_cidr_around(&addr, 32, &cidr);
		ret = roost_cidr_set_add(set, &cidr, &err);
	}
	assert_int_equal(ret, -1);
	assert_int_equal(roost_cidr_set_count(set), ROOST_CIDR_SET_MAX);
	assert_string_equal(err.msg, "too many networks (at most 16384)");
	roost_cidr_set_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_network),
		cmocka_unit_test(test_parse_address),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_everything_of_one_family),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_set_against_walk),
		cmocka_unit_test(test_set_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
