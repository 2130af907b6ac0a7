/* SPDX-License-Identifier: MIT */
/* user-hash: hashes that every node of a cluster computes alike. */
#include "common/rules/user-hash.h"

static uint64_t fnv1a(uint64_t hash, const char *str)
{
	for (; *str != '\0'; str++)
		hash = (hash ^ (unsigned char)*str) * 0x100000001b3ULL;
	return hash;
}

uint64_t roost_user_hash(const char *salt, const char *user)
{
	uint64_t hash = fnv1a(0xcbf29ce484222325ULL, salt);

	hash = fnv1a(hash * 0x100000001b3ULL, user);
	hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
	hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
	return hash ^ (hash >> 31);
}

unsigned int roost_user_shard(const char *user)
{
	return (unsigned int)(roost_user_hash("", user) % ROOST_USER_SHARDS);
}
