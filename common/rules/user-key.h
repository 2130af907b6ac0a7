/* SPDX-License-Identifier: MIT */
/*
 * user-key: which users are pinned together. Every node of a cluster must
 * answer alike.
 */
#ifndef ROOST_RULES_USER_KEY_H
#define ROOST_RULES_USER_KEY_H

#include <stdbool.h>

enum roost_user_key {
	ROOST_USER_KEY_USER,   /* each by himself */
	ROOST_USER_KEY_DOMAIN, /* all of a domain */
};

/* Whether `name` is "user" or "domain". */
bool roost_user_key_parse(const char *name, enum roost_user_key *key);

/* The part of `user` that is pinned: the whole, or from the last "@" on if
   there is one and a domain behind it. Points into user. */
const char *roost_user_key_of(enum roost_user_key key, const char *user);

#endif
