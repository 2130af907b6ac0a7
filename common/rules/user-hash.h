/* SPDX-License-Identifier: MIT */
/*
 * user-hash: hashes that every node of a cluster computes alike. Changing
 * them splits a running cluster: they are part of the format of the keys.
 */
#ifndef ROOST_RULES_USER_HASH_H
#define ROOST_RULES_USER_HASH_H

#include <stdint.h>

#define ROOST_USER_SHARDS 256

/* 64 well-mixed bits (FNV-1a, then the finish of splitmix64) of the salt, a
   NUL and the user. */
uint64_t roost_user_hash(const char *salt, const char *user);

/* The shard of the user's key, 0 to ROOST_USER_SHARDS - 1. */
unsigned int roost_user_shard(const char *user);

#endif
