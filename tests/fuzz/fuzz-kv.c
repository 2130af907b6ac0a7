/* SPDX-License-Identifier: MIT */
/* fuzz-kv: what kv reads it writes back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/kv.h"

#define MAX_FIELDS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roost_buf buf = ROOST_BUF_INIT(2 * size + 16);
	char *line = malloc(size + 1), *fields[MAX_FIELDS];
	struct roost_err err;
	uint64_t number;
	int i, count;

	if (line == NULL)
		abort();
	memcpy(line, data, size);
	count = roost_kv_split(line, size, fields, MAX_FIELDS, &err);
	for (i = 0; i < count; i++) {
		if (i == 0)
			roost_kv_escape(&buf, fields[i]);
		else
			roost_kv_field(&buf, fields[i]);
		(void)roost_kv_uint(fields[i], UINT64_MAX, &number);
		(void)roost_kv_value(fields[i], "key");
	}
	/* every byte has one form only */
	if (count > 0 && (buf.failed || buf.len != size ||
			  (size > 0 && memcmp(buf.data, data, size) != 0)))
		abort();
	if (count == 0 || count > MAX_FIELDS)
		abort();
	roost_buf_free(&buf);
	free(line);
	return 0;
}
