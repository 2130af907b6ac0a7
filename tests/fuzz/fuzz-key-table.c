/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes milter/{key-table,internal-hosts,table-file}: the text up to a NUL is
 * the KeyTable, what follows the SigningTable. What is accepted has names, and
 * every signing line its key; an error names a line.
 */
#include "milter/internal-hosts.h"
#include "milter/key-table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct roost_key_table *table)
{
	size_t i;

	for (i = 0; i < table->key_count; i++) {
		if (*table->keys[i].name == '\0' ||
		    *table->keys[i].domain == '\0' ||
		    *table->keys[i].selector == '\0')
			abort();
	}
	for (i = 0; i < table->line_count; i++) {
		if (table->lines[i].key < table->keys ||
		    table->lines[i].key >= table->keys + table->key_count ||
		    *table->lines[i].pattern == '\0')
			abort();
	}
}

static void check_hosts(const uint8_t *data, size_t size)
{
	const struct roost_log log = { .level = ROOST_LOG_ERROR, .fd = -1 };
	struct roost_cidr_set *set = roost_cidr_set_new();
	char *text = malloc(size + 1);
	struct roost_err err;

	if (text == NULL || set == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (roost_internal_hosts_parse("/h", text, set, &log, &err) < 0 &&
	    strncmp(err.msg, "/h:", 3) != 0)
		abort();
	roost_cidr_set_free(&set);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
	size_t len = nul == NULL ? size : (size_t)(nul - data);
	struct roost_key_table table = { .key_path = "/t/K",
					 .signing_path = "/t/S",
					 .glob = size % 2 == 0 };
	struct roost_err err;

	table.key_text.max = table.signing_text.max = size + 1;
	roost_buf_append(&table.key_text, data, len);
	if (nul != NULL)
		roost_buf_append(&table.signing_text, nul + 1, size - len - 1);
	if (roost_key_table_parse(&table, &err) == 0)
		check(&table);
	else if (strncmp(err.msg, "/t/", 3) != 0)
		abort();
	roost_key_table_free(&table);
	check_hosts(data, size);
	return 0;
}
