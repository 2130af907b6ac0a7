/* SPDX-License-Identifier: MIT */
/*
 * roost-settings: the settings of Roost's Dovecot side as a struct, the same
 * on both releases. On 2.4 they are ordinary settings, on 2.3 they stand in
 * plugin { }. The readers are in dovecot-plugins/compat.
 */
#ifndef ROOST_SETTINGS_H
#define ROOST_SETTINGS_H

#include "dovecot-plugins/settings/settings-table.h"

struct master_service;
struct mail_user;

/* Strings are never NULL; times are in seconds. */
struct roost_settings {
	pool_t pool;
#define ROOST_STR(name, def, doc) const char *name;
#define ROOST_SECS(name, def, doc) unsigned int name;
	ROOST_SETTINGS(ROOST_STR, ROOST_SECS)
#undef ROOST_STR
#undef ROOST_SECS
};

extern const struct roost_settings roost_default_settings;

/* The readers. 0, or -1 with a message that names the setting. What they
   return lives until roost_settings_free(). */

/* A process of its own service (the agent): reads Dovecot's configuration,
   in place of master_service_settings_read_simple(). */
int roost_settings_read_service(struct master_service *service,
				const struct roost_settings **set_r,
				const char **error_r);
/* A mail process (the mail plugin), with the user's variables expanded. */
int roost_settings_get_user(struct mail_user *user,
			    const struct roost_settings **set_r,
			    const char **error_r);
/* Sets *set to NULL. */
void roost_settings_free(const struct roost_settings **set);

/* The name of this node: roost_node, or the host name. */
const char *roost_settings_node(const struct roost_settings *set);

/* Whether the values have their form and fit together. For the readers; *set
   is unchanged. */
bool roost_settings_check(const struct roost_settings *set,
			  const char **error_r);

#endif
