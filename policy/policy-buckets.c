/* SPDX-License-Identifier: MIT */
/* policy-buckets: what this process remembers of its rate limits. */
#include "policy/policy-buckets.h"

#include <stdlib.h>
#include <sys/random.h>

#define WAYS 8
#define SETS 8192 /* a power of two */
#define CHARGES_MAX 8

struct bucket {
	uint64_t hash; /* of the key; 0: free */
	int64_t tat;
};

struct roost_policy_buckets {
	uint64_t seed; /* nobody can aim at a place */
	struct bucket bucket[SETS][WAYS];
};

struct roost_policy_buckets *roost_policy_buckets_new(void)
{
	struct roost_policy_buckets *buckets = calloc(1, sizeof(*buckets));

	if (buckets != NULL &&
	    getrandom(&buckets->seed, sizeof(buckets->seed), GRND_NONBLOCK) < 0)
		buckets->seed = (uint64_t)(uintptr_t)buckets;
	return buckets;
}

void roost_policy_buckets_free(struct roost_policy_buckets **buckets)
{
	free(*buckets);
	*buckets = NULL;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static uint64_t hash_key(const struct roost_policy_buckets *buckets,
			 const char *key)
{
	uint64_t hash = buckets->seed;

	for (; *key != '\0'; key++)
		hash = mix(hash + (unsigned char)*key + 1);
	return hash | 1;
}

/* The bucket of the hash, or the one to give up for it. */
static struct bucket *find(struct roost_policy_buckets *buckets, uint64_t hash)
{
	struct bucket *set = buckets->bucket[(hash >> 8) & (SETS - 1)];
	struct bucket *oldest = &set[0];
	size_t i;

	for (i = 0; i < WAYS; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (set[i].tat < oldest->tat)
			oldest = &set[i];
	}
	return oldest;
}

int roost_policy_buckets_take(struct roost_policy_buckets *buckets,
			      const struct roost_policy_charge *charges,
			      size_t count, int64_t cost, int64_t now)
{
	uint64_t hash[CHARGES_MAX];
	int64_t tat[CHARGES_MAX];
	size_t i;

	for (i = 0; i < count && i < CHARGES_MAX; i++) {
		const struct bucket *bucket;
		int64_t wait;

		hash[i] = hash_key(buckets, charges[i].key);
		bucket = find(buckets, hash[i]);
		if (!roost_ratelimit_allows(
			    &charges[i].limit,
			    bucket->hash == hash[i] ? bucket->tat : 0, cost,
			    now, &tat[i], &wait))
			return (int)i;
	}
	for (i = 0; i < count && i < CHARGES_MAX; i++) {
		struct bucket *bucket = find(buckets, hash[i]);

		bucket->hash = hash[i];
		bucket->tat = tat[i];
	}
	return -1;
}
