/* SPDX-License-Identifier: MIT */
/* Unit tests of milter/{key-set,key-load,key-table,internal-hosts}: who signs
   for whom, what stays when a key breaks, and errors with their line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "milter/internal-hosts.h"
#include "milter/key-load.h"
#include "milter/key-set.h"
#include "milter/key-table.h"

/* two different Ed25519 keys and an RSA key, in base64 */
static const char ed1[] =
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
static const char ed2[] =
	"MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
static const char rsa[] =
	"MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi"
	"Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM"
	"KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
	"AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm"
	"6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe"
	"zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy"
	"6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc"
	"uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy"
	"WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd"
	"WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a"
	"licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst"
	"o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe"
	"uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL";

struct fill {
	struct roost_key_report report;
	struct roost_key_load load;
};

static void fill_begin(struct fill *fill, enum roost_key_match match,
		       struct roost_key_set *previous)
{
	roost_key_report_init(&fill->report);
	fill->load = (struct roost_key_load){
		.set = roost_key_set_new(match),
		.previous = previous,
		.report = &fill->report,
		.min_bits = 1024,
	};
}

static void fill_add(struct fill *fill, const char *pattern,
		     const char *selector, const char *key)
{
	const struct roost_key_load_name name = {
		.pattern = pattern,
		.domain = "%",
		.selector = selector,
		.place = "place",
	};
	struct roost_err err = { "" };

	if (roost_key_load_text(&fill->load, &name, key, strlen(key), &err) < 0)
		fail_msg("%s", err.msg);
}

/* The number of broken keys is checked. */
static struct roost_key_set *fill_end(struct fill *fill, size_t problems)
{
	struct roost_err err = { "" };

	assert_int_equal(
		roost_key_set_finish(fill->load.set, fill->load.previous, &err),
		0);
	assert_int_equal(fill->report.count, problems);
	roost_key_report_free(&fill->report);
	return fill->load.set;
}

static const struct roost_key_rule *find(const struct roost_key_set *set,
					 const char *address)
{
	struct roost_from_address from;

	assert_int_equal(
		roost_from_address_parse(address, strlen(address), &from),
		ROOST_FROM_OK);
	return roost_key_set_find(set, &from);
}

static void check(const struct roost_key_set *set, const char *address,
		  const char *pattern)
{
	const struct roost_key_rule *rule = find(set, address);

	if (pattern == NULL
		    ? rule != NULL
		    : rule == NULL || strcmp(rule->pattern, pattern) != 0)
		fail_msg("%s: %s", address,
			 rule == NULL ? "nothing" : rule->pattern);
}

static struct roost_key_set *make(enum roost_key_match match,
				  const char *const *patterns)
{
	struct fill fill;

	fill_begin(&fill, match, NULL);
	for (; *patterns != NULL; patterns++)
		fill_add(&fill, *patterns, "s", ed1);
	return fill_end(&fill, 0);
}

static void test_match_domain(void **state)
{
	static const char *const patterns[] = { "Example.org", "b.example",
						NULL };
	struct roost_key_set *set = make(ROOST_KEY_MATCH_DOMAIN, patterns);

	(void)state;
	check(set, "a@EXAMPLE.org", "example.org");
	check(set, "a@b.example", "b.example");
	check(set, "a@sub.example.org", NULL);
	check(set, "a@org", NULL);
	roost_key_set_unref(&set);
}

static void test_match_table(void **state)
{
	static const char *const patterns[] = {
		"a@example.org",  "example.org", "b@.example.org",
		".example.org",	  "c@*",	 ".net",
		"d@.b.x.example", NULL,
	};
	struct roost_key_set *set = make(ROOST_KEY_MATCH_TABLE, patterns);

	(void)state;
	check(set, "A@example.ORG", "a@example.org");
	check(set, "x@example.org", "example.org");
	check(set, "b@example.org", "example.org");
	check(set, "b@sub.example.org", "b@.example.org");
	check(set, "x@a.b.example.org", ".example.org");
	check(set, "c@elsewhere.com", "c@*");
	check(set, "x@deep.below.net", ".net");
	check(set, "d@a.b.x.example", "d@.b.x.example");
	check(set, "x@elsewhere.com", NULL);
	roost_key_set_unref(&set);
}

static void test_match_glob(void **state)
{
	static const char *const patterns[] = {
		"boss@first.example", "*@example.org", "a@example.org",
		"*@*.example.org",    "x*y*z@*",       NULL,
	};
	static const char *const any[] = { "*@z.example", "*", "*@b.example",
					   NULL };
	struct roost_key_set *set = make(ROOST_KEY_MATCH_GLOB, patterns);

	(void)state;
	check(set, "boss@first.example", "boss@first.example");
	check(set, "x@first.example", NULL);
	check(set, "a@example.org", "*@example.org"); /* the first line */
	check(set, "b@sub.example.org", "*@*.example.org");
	check(set, "x-y-y-z@c.d", "x*y*z@*");
	check(set, "x-y-y@c.d", NULL);
	roost_key_set_unref(&set);
	set = make(ROOST_KEY_MATCH_GLOB, any);
	check(set, "a@b.example", "*");
	check(set, "a@z.example", "*@z.example");
	roost_key_set_unref(&set);
}

static const char *selector(const struct roost_key_set *set,
			    const char *address, enum roost_key_type type)
{
	const struct roost_key_rule *rule = find(set, address);

	if (rule == NULL || rule->signers[type].key == NULL)
		return NULL;
	return rule->signers[type].selector;
}

static void test_both_types_and_first_wins(void **state)
{
	struct roost_key_set *set;
	struct fill fill;

	(void)state;
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, NULL);
	fill_add(&fill, "a.example", "e1", ed1);
	fill_add(&fill, "a.example", "e2", ed2);
	fill_add(&fill, "b.example", "e3", ed1);
	fill_add(&fill, "a.example", "r1", rsa);
	set = fill_end(&fill, 0);
	assert_string_equal(selector(set, "x@a.example", ROOST_KEY_ED25519),
			    "e1");
	assert_string_equal(selector(set, "x@a.example", ROOST_KEY_RSA), "r1");
	assert_null(selector(set, "x@b.example", ROOST_KEY_RSA));
	assert_int_equal(roost_key_set_counts(set).rules, 2);
	assert_int_equal(roost_key_set_counts(set).keys, 3);
	roost_key_set_unref(&set);
}

static void test_unchanged_key_is_reused(void **state)
{
	struct roost_key_set *first, *second;
	struct fill fill;

	(void)state;
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, NULL);
	fill_add(&fill, "a.example", "r", rsa);
	first = fill_end(&fill, 0);
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, first);
	fill_add(&fill, "b.example", "other", rsa);
	second = fill_end(&fill, 0);
	assert_ptr_equal(
		find(first, "x@a.example")->signers[ROOST_KEY_RSA].key,
		find(second, "x@b.example")->signers[ROOST_KEY_RSA].key);
	/* but not past a bound that has changed */
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, first);
	fill.load.min_bits = 2048;
	fill_add(&fill, "b.example", "other", rsa);
	roost_key_set_unref(&second);
	second = fill_end(&fill, 1);
	roost_key_set_unref(&first);
	roost_key_set_unref(&second);
}

static void test_broken_key_keeps_the_old_one(void **state)
{
	struct roost_key_set *first, *second;
	const struct roost_key_rule *rule;
	struct fill fill;

	(void)state;
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, NULL);
	fill_add(&fill, "a.example", "r", rsa);
	fill_add(&fill, "a.example", "e", ed1);
	first = fill_end(&fill, 0);
	/* the same selectors, unreadable: as before */
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, first);
	fill_add(&fill, "a.example", "r", "half a key");
	fill_add(&fill, "a.example", "e", "");
	second = fill_end(&fill, 2);
	assert_string_equal(selector(second, "x@a.example", ROOST_KEY_RSA),
			    "r");
	assert_string_equal(selector(second, "x@a.example", ROOST_KEY_ED25519),
			    "e");
	assert_int_equal(roost_key_set_counts(second).broken, 1);
	roost_key_set_unref(&second);
	/* the one in use, unreadable: its older neighbour does not take over */
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, first);
	fill_add(&fill, "a.example", "e", "half a key");
	fill_add(&fill, "a.example", "older", ed2);
	second = fill_end(&fill, 1);
	assert_string_equal(selector(second, "x@a.example", ROOST_KEY_ED25519),
			    "e");
	roost_key_set_unref(&second);
	/* one new selector, unreadable: nothing replaces the old keys */
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, first);
	fill_add(&fill, "a.example", "new", "half a key");
	second = fill_end(&fill, 1);
	assert_string_equal(selector(second, "x@a.example", ROOST_KEY_RSA),
			    "r");
	roost_key_set_unref(&second);
	/* the domain is gone: so are its keys */
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, first);
	second = fill_end(&fill, 0);
	check(second, "x@a.example", NULL);
	roost_key_set_unref(&first);
	roost_key_set_unref(&second);
	/* never readable: ours, but without a key */
	fill_begin(&fill, ROOST_KEY_MATCH_DOMAIN, NULL);
	fill_add(&fill, "a.example", "r", "half a key");
	first = fill_end(&fill, 1);
	rule = find(first, "x@a.example");
	assert_non_null(rule);
	assert_null(rule->signers[ROOST_KEY_RSA].key);
	assert_null(rule->signers[ROOST_KEY_ED25519].key);
	roost_key_set_unref(&first);
}

static int parse_tables(const char *keys, const char *signing, bool glob,
			struct roost_key_table *table, struct roost_err *err)
{
	memset(table, 0, sizeof(*table));
	table->key_text.max = table->signing_text.max = 65536;
	roost_buf_append_str(&table->key_text, keys);
	roost_buf_append_str(&table->signing_text, signing);
	table->key_path = "/etc/KeyTable";
	table->signing_path = "/etc/SigningTable";
	table->glob = glob;
	return roost_key_table_parse(table, err);
}

static void test_key_table(void **state)
{
	struct roost_key_table table;
	struct roost_err err = { "" };

	(void)state;
	if (parse_tables("# a comment\r\n"
			 "mail._domainkey.a.example "
			 "a.example:mail:/keys/a/mail.private\n"
			 "\t \n"
			 "b\t%:s.b:./b.private\n"
			 "in example.org:sel:MIIabc=\n",
			 "*@a.example mail._domainkey.a.example\n"
			 "  *@b.example\t b  @%  \n"
			 "c@d.example in",
			 true, &table, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(table.key_count, 3);
	assert_int_equal(table.line_count, 3);
	assert_string_equal(table.lines[0].key->path, "/keys/a/mail.private");
	assert_string_equal(table.lines[0].key->domain, "a.example");
	assert_string_equal(table.lines[0].key->selector, "mail");
	assert_string_equal(table.lines[0].identity, "");
	assert_string_equal(table.lines[0].key->place, "/etc/KeyTable:2");
	assert_string_equal(table.lines[1].pattern, "*@b.example");
	assert_string_equal(table.lines[1].key->path, "/etc/./b.private");
	assert_string_equal(table.lines[1].key->domain, "%");
	assert_string_equal(table.lines[1].identity, "@%");
	assert_null(table.lines[2].key->path);
	assert_string_equal(table.lines[2].key->text, "MIIabc=");
	roost_key_table_free(&table);
	assert_int_equal(parse_tables("", "", false, &table, &err), 0);
	roost_key_table_free(&table);
}

static void test_key_table_errors(void **state)
{
	static const struct {
		const char *keys, *signing, *message;
	} cases[] = {
		{ "k a.example:s:/k\n\nx", "",
		  "/etc/KeyTable:3: \"name domain:selector:path\" is needed" },
		{ "k a.example:s", "", "/etc/KeyTable:1: \"name domain" },
		{ "k a.example:s:", "", "/etc/KeyTable:1: no key" },
		{ "k a..b:s:/k", "", "/etc/KeyTable:1: bad domain name" },
		{ "k :s:/k", "", "/etc/KeyTable:1: bad domain name" },
		{ "k a.example:s x:/k", "", "/etc/KeyTable:1: bad selector" },
		{ "k a.example::/k", "", "/etc/KeyTable:1: bad selector" },
		{ "k a.example:s:/keys/%", "", "/etc/KeyTable:1: \"%\"" },
		{ "k a.b:s:/k\nk a.c:s:/k\n", "", "name k is also in line" },
		{ "k a.b:s:/k\n", "*@a.b k\n\n*@a.c  k2\n",
		  "/etc/SigningTable:3: no key named k2 in /etc/KeyTable" },
		{ "", "*@a.b k\n", "/etc/SigningTable:1: no key named k" },
		{ "k a.b:s:/k\n", "*@a.b\n", "/etc/SigningTable:1: \"pattern" },
		{ "k a.b:s:/k\n", "*@a.b k @x y\n",
		  "/etc/SigningTable:1: \"pattern" },
		{ "k a.b:s:/k\n", "a.b k\n",
		  "/etc/SigningTable:1: a.b matches no address" },
		{ "k a.b:s:/k\n", "% k\n", "/etc/SigningTable:1: the pattern" },
		{ "k a.b:s:/k\x01\n", "", "/etc/KeyTable:1: control" },
	};
	struct roost_key_table table;
	struct roost_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err.msg[0] = '\0';
		if (parse_tables(cases[i].keys, cases[i].signing, true, &table,
				 &err) == 0 ||
		    strstr(err.msg, cases[i].message) == NULL)
			fail_msg("'%s' '%s': '%s'", cases[i].keys,
				 cases[i].signing, err.msg);
		roost_key_table_free(&table);
	}
}

static bool holds(const struct roost_cidr_set *set, const char *address)
{
	struct roost_addr addr;
	struct roost_err err;

	assert_int_equal(roost_addr_parse(address, &addr, &err), 0);
	return roost_cidr_set_find(set, &addr, NULL);
}

static void test_internal_hosts(void **state)
{
	char text[] = "127.0.0.1\nlocalhost\n# no\n*.example.org\n"
		      "mail.example.org\n192.0.2.0/24\n2001:db8::/32\n";
	char bad[] = "127.0.0.1\n\n!192.0.2.1\n";
	char two[] = "127.0.0.1 192.0.2.1\n";
	char bits[] = "192.0.2.1/24\n";
	struct roost_cidr_set *set = roost_cidr_set_new();
	struct roost_log log = { .level = ROOST_LOG_ERROR, .fd = -1 };
	struct roost_err err;

	(void)state;
	assert_int_equal(
		roost_internal_hosts_parse("/h", text, set, &log, &err), 0);
	assert_true(holds(set, "127.0.0.1"));
	assert_true(holds(set, "::1"));
	assert_true(holds(set, "192.0.2.77"));
	assert_true(holds(set, "2001:db8:1::1"));
	assert_false(holds(set, "192.0.3.1"));
	assert_int_equal(roost_internal_hosts_parse("/h", bad, set, &log, &err),
			 -1);
	assert_non_null(strstr(err.msg, "/h:3: "));
	assert_int_equal(roost_internal_hosts_parse("/h", two, set, &log, &err),
			 -1);
	assert_non_null(strstr(err.msg, "/h:1: one host a line"));
	assert_int_equal(
		roost_internal_hosts_parse("/h", bits, set, &log, &err), -1);
	assert_non_null(strstr(err.msg, "/h:1: "));
	roost_cidr_set_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match_domain),
		cmocka_unit_test(test_match_table),
		cmocka_unit_test(test_match_glob),
		cmocka_unit_test(test_both_types_and_first_wins),
		cmocka_unit_test(test_unchanged_key_is_reused),
		cmocka_unit_test(test_broken_key_keeps_the_old_one),
		cmocka_unit_test(test_key_table),
		cmocka_unit_test(test_key_table_errors),
		cmocka_unit_test(test_internal_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
