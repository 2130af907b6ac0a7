/* SPDX-License-Identifier: MIT */
/* fuzz-socketmap: queries in pieces give what they give as a whole. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/proto/socketmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roost_socketmap_query whole, part;
	char *copy = malloc(size + 1), *again = malloc(size + 1);
	struct roost_err err;
	int ret, half;

	if (copy == NULL || again == NULL || size > 65536) {
		free(copy);
		free(again);
		return 0;
	}
	memcpy(copy, data, size);
	memcpy(again, data, size);
	half = roost_socketmap_parse(&part, again, size / 2, &err);
	ret = roost_socketmap_parse(&whole, copy, size, &err);
	if (ret > 0) {
		assert(whole.size <= size);
		assert(*whole.name != '\0');
		assert(strchr(whole.name, ' ') == NULL);
		assert(strlen(whole.name) + strlen(whole.key) <
		       ROOST_SOCKETMAP_QUERY_MAX);
	}
	/* more bytes change nothing that was already known */
	if (half != 0)
		assert(half == ret);
	if (half > 0)
		assert(part.size == whole.size);
	free(copy);
	free(again);
	return 0;
}
