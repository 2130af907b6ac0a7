/* SPDX-License-Identifier: MIT */
/*
 * test-settings: the form of the values, and that roost-dovecot(7) says of
 * every setting what settings-table.h says, and of no other.
 */
#include "lib.h"
#include "str.h"
#include "test-common.h"
#include "dovecot-plugins/settings/roost-settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

struct check_case {
	const char *name;
	struct roost_settings set;
	const char *error; /* part of the message, NULL: valid */
};

/* The defaults with some fields replaced. */
#define ROOST_STR(name, def, doc) .name = def,
#define ROOST_SECS(name, def, doc) .name = def,
#define SET(...)                                                  \
	{                                                         \
		ROOST_SETTINGS(ROOST_STR, ROOST_SECS) __VA_ARGS__ \
	}

/* clang-format off */
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct check_case check_cases[] = {
	{ "defaults", SET(), NULL },
	{ "node", SET(.roost_node = "mail-1.a_b"), NULL },
	{ "node with a space", SET(.roost_node = "a b"), "roost_node=a b" },
	{ "node with a colon", SET(.roost_node = "a:b"), "roost_node=a:b" },
	{ "IPv6", SET(.roost_node_addr = "2001:db8::1"), NULL },
	{ "host name", SET(.roost_node_addr = "n1"), "roost_node_addr=n1" },
	{ "Redis", SET(.roost_redis = "r:6379", .roost_node_addr = "10.0.0.1"), NULL },
	{ "Redis, IPv6", SET(.roost_redis = "[::1]:6379", .roost_node_addr = "10.0.0.1"), NULL },
	{ "Redis socket", SET(.roost_redis = "unix:/r", .roost_node_addr = "10.0.0.1"), NULL },
	{ "Redis without port", SET(.roost_redis = "r"), "roost_redis=r" },
	{ "Redis, port 0", SET(.roost_redis = "r:0"), "roost_redis=r:0" },
	{ "Redis, no host", SET(.roost_redis = ":6379"), "roost_redis=" },
	{ "Redis, URL", SET(.roost_redis = "redis://r:1"), "roost_redis=" },
	{ "Redis without address", SET(.roost_redis = "r:1"), "roost_node_addr is not" },
	{ "ports", SET(.roost_node_ports = "imap:10143  sieve:4190"), NULL },
	{ "port missing", SET(.roost_node_ports = "imap"), "\"imap\"" },
	{ "port too big", SET(.roost_node_ports = "imap:65536"), "imap:65536" },
	{ "unknown service", SET(.roost_node_ports = "smtp:25"), "smtp:25" },
	{ "lease too short", SET(.roost_lease_ttl = 1), "roost_lease_ttl=1" },
	{ "lease too long", SET(.roost_lease_ttl = 301), "roost_lease_ttl=301" },
	{ "key of domains", SET(.roost_user_key = "domain"), NULL },
	{ "no such key", SET(.roost_user_key = "%d"), "roost_user_key=%d" },
	{ "index root", SET(.roost_index_root = "/run/roost"), NULL },
	{ "index root, relative", SET(.roost_index_root = "run"), "roost_index_root=run" },
};
#undef ROOST_STR
#undef ROOST_SECS
/* clang-format on */

static void test_check(void)
{
	for (unsigned int i = 0; i < N_ELEMENTS(check_cases); i++) {
		const struct check_case *c = &check_cases[i];
		const char *error = NULL;
		bool valid;

		test_begin(t_strdup_printf("settings: %s", c->name));
		valid = roost_settings_check(&c->set, &error);
		test_assert(valid == (c->error == NULL));
		test_assert(valid || strstr(error, c->error) != NULL);
		test_end();
	}
}

static void test_defaults(void)
{
	const char *error;

	test_begin("settings: the defaults are valid");
	test_assert(roost_settings_check(&roost_default_settings, &error));
	test_end();
}

/* ---- the manual --------------------------------------------------------- */

/* The manual's source in one line, words separated by one space. */
static string_t *manual_read(void)
{
	const char *srcdir = getenv("srcdir");
	const char *path = t_strconcat(srcdir == NULL ? "." : srcdir,
				       "/docs/man/roost-dovecot.7", NULL);
	string_t *text = t_str_new(16384);
	FILE *f = fopen(path, "r");
	int c;

	if (f == NULL)
		i_fatal("%s: %m", path);
	while ((c = getc(f)) != EOF) {
		if (!isspace(c))
			str_append_c(text, (unsigned char)c);
		else if (str_len(text) > 0 &&
			 str_c(text)[str_len(text) - 1] != ' ')
			str_append_c(text, ' ');
	}
	fclose(f);
	return text;
}

static void check_row(const char *manual, const char *name, const char *kind,
		      const char *def, const char *doc)
{
	const char *entry = t_strdup_printf(".It Cm %s Pq %s, default %s %s",
					    name, kind, def, doc);

	if (strstr(manual, entry) == NULL) {
		test_assert_failed(entry, "docs/man/roost-dovecot.7", 0);
	}
}

static void test_manual(void)
{
	const char *manual = str_c(manual_read()), *p;
	unsigned int rows = 0, entries = 0;

	test_begin("settings: the manual has every one as it is");
#define ROOST_STR(name, def, doc)                                              \
	check_row(manual, #name, "text", *(def) == '\0' ? "empty" : def, doc); \
	rows++;
#define ROOST_SECS(name, def, doc)                                          \
	check_row(manual, #name, "time", t_strdup_printf("%us", def), doc); \
	rows++;
	ROOST_SETTINGS(ROOST_STR, ROOST_SECS)
	for (p = manual; (p = strstr(p, ".It Cm roost_")) != NULL; p++)
		entries++;
	test_assert(entries == rows);
	test_end();
}

int main(void)
{
	static void (*const test_functions[])(
		void) = { test_check, test_defaults, test_manual, NULL };

	return test_run(test_functions);
}
