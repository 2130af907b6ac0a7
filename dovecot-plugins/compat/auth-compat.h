/* SPDX-License-Identifier: MIT */
/*
 * auth-compat: what differs between the auth processes of Dovecot 2.3 and 2.4.
 * For the passdb driver alone: its file includes this once.
 */
#ifndef ROOST_AUTH_COMPAT_H
#define ROOST_AUTH_COMPAT_H

#include "auth-common.h"
#include "auth.h"
#include "auth-request.h"
#include "passdb.h"

/* imap, pop3, lmtp… */
static inline const char *
roost_auth_request_service(const struct auth_request *request)
{
#if ROOST_DOVECOT_24
	return request->fields.protocol;
#else
	return request->fields.service;
#endif
}

/* "" for the chain of all protocols that have none of their own */
static inline const char *roost_auth_protocol(const struct auth *auth)
{
#if ROOST_DOVECOT_24
	const char *name = auth->protocol;
#else
	const char *name = auth->service;
#endif
	return name == NULL ? "" : name;
}

/* The fields that the site wrote into the passdb block: 2.3 applies them
   itself. 0, or -1 after logging. */
static inline int
roost_auth_apply_fields(struct auth_request *request ATTR_UNUSED)
{
#if ROOST_DOVECOT_24
	return auth_request_set_passdb_fields(request, NULL);
#else
	return 0;
#endif
}

/* Whether the block serves some users or mechanisms only. */
static inline bool roost_auth_passdb_filters(const struct auth_passdb *entry)
{
#if ROOST_DOVECOT_24
	return entry->username_filter != NULL ||
	       entry->mechanisms_filter != NULL;
#elif ROOST_AUTH_ENTRY_FILTERS
	return entry->username_filter != NULL || entry->mechanisms != NULL;
#else
	return entry->passdb->username_filter != NULL ||
	       entry->passdb->mechanisms != NULL;
#endif
}

/* Whether the success rule of the settings is not what the entry has. */
static inline bool roost_auth_passdb_pass(const struct auth_passdb *entry)
{
#if ROOST_DOVECOT_24
	(void)entry;
	return FALSE;
#else
	return entry->set->pass;
#endif
}

/* One more entry for the same passdb, not yet in a chain. */
static inline struct auth_passdb *
roost_auth_passdb_copy(pool_t pool, const struct auth_passdb *entry)
{
	struct auth_passdb *copy = p_new(pool, struct auth_passdb, 1);

	*copy = *entry;
	copy->next = NULL;
#if ROOST_DOVECOT_24
	/* auths_deinit() drops one reference per entry */
	pool_ref(copy->set->pool);
	pool_ref(copy->auth_set->pool);
	pool_ref(copy->unexpanded_post_set->pool);
#endif
	return copy;
}

#if ROOST_DOVECOT_24
#define ROOST_PASSDB_PREINIT(func, alloc)                             \
	static int func(pool_t pool, struct event *event ATTR_UNUSED, \
			struct passdb_module **module_r,              \
			const char **error_r ATTR_UNUSED)             \
	{                                                             \
		*module_r = alloc(pool);                              \
		return 0;                                             \
	}
#else
#define ROOST_PASSDB_PREINIT(func, alloc)                                      \
	static struct passdb_module *func(pool_t pool, const char *args)       \
	{                                                                      \
		if (args != NULL && *args != '\0')                             \
			i_fatal("passdb roost: args=%s: it takes none", args); \
		return alloc(pool);                                            \
	}
#endif

#endif
