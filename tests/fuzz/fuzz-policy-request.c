/* SPDX-License-Identifier: MIT */
/* Fuzz target of common/proto/policy-request: bytes that come in pieces give
   the same as bytes that come at once; what is accepted is within bounds. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/proto/policy-request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy_of(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);

	assert(copy != NULL);
	memcpy(copy, data, size);
	return copy;
}

static void check_values(const struct roost_policy_request *r,
			 const uint8_t *data)
{
	size_t i;

	assert(r->size <= ROOST_POLICY_REQUEST_MAX);
	assert(r->size == 1 || data[r->size - 2] == '\n');
	for (i = 0; i < ROOST_POLICY_ATTR_COUNT; i++) {
		if (r->value[i] == NULL)
			continue;
		assert(strlen(r->value[i]) <= ROOST_POLICY_VALUE_MAX);
		assert(strchr(r->value[i], '\n') == NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roost_policy_request whole, pieces;
	struct roost_err err, piece_err;
	size_t step = size == 0 ? 1 : 1 + data[0] % 64, at = 0, i;
	char *a = copy_of(data, size), *b = copy_of(data, size);
	int ret, piece_ret = 0;

	roost_policy_request_reset(&whole);
	roost_policy_request_reset(&pieces);
	ret = roost_policy_request_parse(&whole, a, size, &err);
	while (piece_ret == 0 && at < size) {
		at = size - at < step ? size : at + step;
		piece_ret =
			roost_policy_request_parse(&pieces, b, at, &piece_err);
	}
	assert(ret == piece_ret);
	if (ret < 0)
		assert(err.msg[0] != '\0');
	if (ret > 0) {
		check_values(&whole, data);
		assert(whole.size == pieces.size);
		for (i = 0; i < ROOST_POLICY_ATTR_COUNT; i++) {
			assert((whole.value[i] == NULL) ==
			       (pieces.value[i] == NULL));
			assert(whole.value[i] == NULL ||
			       strcmp(whole.value[i], pieces.value[i]) == 0);
		}
	}
	free(a);
	free(b);
	return 0;
}
