/* SPDX-License-Identifier: MIT */
/* user-key: a user without a domain is pinned by himself. */
#include "common/rules/user-key.h"

#include <string.h>

bool roost_user_key_parse(const char *name, enum roost_user_key *key)
{
	if (strcmp(name, "user") == 0)
		*key = ROOST_USER_KEY_USER;
	else if (strcmp(name, "domain") == 0)
		*key = ROOST_USER_KEY_DOMAIN;
	else
		return false;
	return true;
}

const char *roost_user_key_of(enum roost_user_key key, const char *user)
{
	const char *at = strrchr(user, '@');

	return key == ROOST_USER_KEY_DOMAIN && at != NULL && at[1] != '\0'
		       ? at
		       : user;
}
