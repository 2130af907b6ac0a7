/* SPDX-License-Identifier: MIT */
/* fuzz-policy-table: what is read as a table can be asked. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "policy/policy-nexthop.h"
#include "policy/policy-table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[ROOST_POLICY_NEXTHOP_MAX];
	const char *word = "0.0.0.0=mailman";
	const struct roost_conf_words hosts = { &word, 1 };
	struct roost_policy_nexthop *nexthop;
	struct roost_policy_table *table;
	struct roost_err err = { "" };
	size_t i;

	if (size < 1 || size > 4096)
		return 0;
	/* patterns may be as slow as they like: only an admin writes them */
	table = roost_policy_table_parse(ROOST_POLICY_TABLE_PLAIN,
					 (const char *)data + 1, size - 1,
					 &err);
	if (table == NULL) {
		assert(*err.msg != '\0');
		return 0;
	}
	nexthop = roost_policy_nexthop_new(&hosts, &err);
	for (i = 0; nexthop != NULL && i < roost_policy_table_count(table);
	     i++) {
		const char *value = roost_policy_table_value(table, i);

		assert(strchr(value, '\n') == NULL);
		if (roost_policy_nexthop_rewrite(nexthop, value, text) == 0)
			assert(strlen(text) + 8 >= strlen(value));
	}
	(void)roost_policy_table_find(table, "a");
	roost_policy_nexthop_free(&nexthop);
	roost_policy_table_free(&table);
	return 0;
}
