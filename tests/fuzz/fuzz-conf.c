/* SPDX-License-Identifier: MIT */
/* Fuzz target of common/base/conf: what is accepted, printed and read again
   gives the same values. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/conf.h"

struct fuzz_settings {
	const char *text, *other;
	bool flag;
	int64_t wait, size;
	struct roost_conf_words words;
	struct roost_cidr_set *nets;
	struct roost_conf_listen listen;
};

#define ROW(name, ...) ROOST_CONF_ROW(fuzz_settings, name, __VA_ARGS__)
static const struct roost_conf_row rows[] = {
	ROW(text, STRING, "x", ""), ROW(other, STRING, "$text/$size", ""),
	ROW(flag, BOOL, "no", ""),  ROW(wait, DURATION, "5s", ""),
	ROW(size, SIZE, "1k", ""),  ROW(words, LIST, "", ""),
	ROW(nets, CIDRS, "", ""),   ROW(listen, LISTEN, "", ""),
};
static const struct roost_conf_table table = {
	.env_prefix = "FUZZ_",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.size = sizeof(struct fuzz_settings),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct roost_conf_input input = { .path = "fuzz" };
	struct roost_conf *conf, *again;
	struct roost_err err = { "" };
	char *printed;
	size_t len, i;
	FILE *out;

	conf = roost_conf_parse(&table, &input, (const char *)data, size, &err);
	if (conf == NULL) {
		assert(err.msg[0] != '\0');
		return 0;
	}
	out = open_memstream(&printed, &len);
	roost_conf_print(conf, out);
	fclose(out);
	again = roost_conf_parse(&table, &input, printed, len, &err);
	if (again == NULL) {
		/* doubled dollars may be more than a line may hold */
		assert(strstr(err.msg, "too long") != NULL);
	} else {
		for (i = 0; i < table.count; i++)
			assert(strcmp(roost_conf_text(conf, i),
				      roost_conf_text(again, i)) == 0);
	}
	free(printed);
	roost_conf_free(&again);
	roost_conf_free(&conf);
	return 0;
}
