/* SPDX-License-Identifier: MIT */
/*
 * shared-owner: the users that Dovecot makes up itself, told apart, and the
 * way by which it comes to them.
 */
#ifndef ROOST_SHARED_OWNER_H
#define ROOST_SHARED_OWNER_H

#include "mail-user.h"
#include "mailbox-list-private.h"

/* Whether an autocreated user owns a folder that somebody else opens. The
   other kind stands for the mail under delivery, and owns nothing. */
static inline bool roost_shared_owner_is(const struct mail_user *user)
{
#if ROOST_DOVECOT_24
	/* its creator is set only after mail_user_created */
	return user->autocreated &&
	       strcmp(user->username, "raw-mail-user") != 0;
#else
	return user->autocreated && user->creator != NULL;
#endif
}

/* mailbox_list_vfuncs.get_storage */
#if ROOST_DOVECOT_24
#define ROOST_GET_STORAGE_PARAMS                           \
	struct mailbox_list **list, const char **vname,    \
		enum mailbox_list_get_storage_flags flags, \
		struct mail_storage **storage_r
#define ROOST_GET_STORAGE_ARGS list, vname, flags, storage_r
#else
#define ROOST_GET_STORAGE_PARAMS                       \
	struct mailbox_list **list, const char *vname, \
		struct mail_storage **storage_r
#define ROOST_GET_STORAGE_ARGS list, vname, storage_r
#endif

#endif
