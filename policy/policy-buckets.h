/* SPDX-License-Identifier: MIT */
/*
 * policy-buckets: what this process remembers of its rate limits.
 *
 * A table of fixed size: when a place is needed the key that is nearest to
 * having its whole limit again is forgotten, so that a flood of keys costs no
 * memory and gives the busiest ones nothing back.
 */
#ifndef ROOST_POLICY_POLICY_BUCKETS_H
#define ROOST_POLICY_POLICY_BUCKETS_H

#include <stddef.h>

#include "common/rules/ratelimit.h"

struct roost_policy_buckets;

struct roost_policy_charge {
	const char *key;
	struct roost_ratelimit limit;
};

struct roost_policy_buckets *roost_policy_buckets_new(void);
void roost_policy_buckets_free(struct roost_policy_buckets **buckets);

/* Charges all the keys, or none: the index of the first that has no more to
   give is returned, else -1. At most 8 charges; now in µs. */
int roost_policy_buckets_take(struct roost_policy_buckets *buckets,
			      const struct roost_policy_charge *charges,
			      size_t count, int64_t cost, int64_t now);

#endif
