/* SPDX-License-Identifier: MIT */
/* Fuzz target of common/base/cidr: words of the input become a set; formatting
   round-trips, and lookup agrees with a walk. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/cidr.h"

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct roost_cidr *cidr)
{
	char text[ROOST_CIDR_TEXT_MAX];
	struct roost_cidr again;
	struct roost_err err;
	int ret;

	ret = roost_cidr_parse(roost_cidr_format(cidr, text), &again, &err);
	assert(ret == 0);
	assert(memcmp(cidr, &again, sizeof(again)) == 0);
}

static void check_lookup(const struct roost_cidr_set *set,
			 const struct roost_cidr *cidrs, size_t count,
			 const struct roost_addr *addr)
{
	bool walked = false;
	size_t i;

	for (i = 0; i < count; i++)
		walked = walked || roost_cidr_contains(&cidrs[i], addr);
	assert(roost_cidr_set_find(set, addr, NULL) == walked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roost_cidr_set *set = roost_cidr_set_new();
	struct roost_cidr cidrs[WORDS_MAX];
	struct roost_addr addrs[WORDS_MAX];
	size_t count = 0, addr_count = 0, i = 0, k;
	struct roost_err err;
	int ret;

	assert(set != NULL);
	while (i < size && count < WORDS_MAX && addr_count < WORDS_MAX) {
		char word[80];
		size_t n = 0;

		for (; i < size && data[i] != ' ' && data[i] != '\n'; i++) {
			if (n < sizeof(word) - 1)
				word[n++] = (char)data[i];
		}
		i++;
		word[n] = '\0';
		if (roost_addr_parse(word, &addrs[addr_count], &err) == 0)
			addr_count++;
		if (roost_cidr_parse(word, &cidrs[count], &err) < 0)
			continue;
		check_round_trip(&cidrs[count]);
		ret = roost_cidr_set_add(set, &cidrs[count], &err);
		assert(ret == 0);
		count++;
	}
	assert(roost_cidr_set_count(set) <= count);
	for (k = 0; k < addr_count; k++)
		check_lookup(set, cidrs, count, &addrs[k]);
	for (k = 0; k < count; k++)
		check_lookup(set, cidrs, count, &cidrs[k].addr);
	roost_cidr_set_free(&set);
	return 0;
}
