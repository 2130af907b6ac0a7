/* SPDX-License-Identifier: MIT */
/* index-path-24: index paths on Dovecot 2.4. */
#include "lib.h"
#include "array.h"
#include "mailbox-list-private.h"
#include "mail-storage-settings.h"
#include "mail-user.h"
#include "dovecot-plugins/compat/index-path.h"

const char *roost_index_path_mail_root(struct mailbox_list *list)
{
	return list->mail_set->mail_path;
}

bool roost_index_path_is_chosen(struct mailbox_list *list)
{
	const struct mail_storage_settings *set = list->mail_set;

	return *set->mail_index_path != '\0' ||
	       *set->mail_index_private_path != '\0' ||
	       *set->mail_cache_path != '\0' ||
	       set->parsed_list_index_dir != NULL ||
	       set->mailbox_list_iter_from_index_dir ||
	       strcmp(list->name, MAILBOX_LIST_NAME_INDEX) == 0;
}

/* The settings are shared with other lists: this one gets a copy, in the same
   pool, so that the references on that pool stay right. */
void roost_index_path_move(struct mailbox_list *list, const char *dir)
{
	pool_t pool = list->mail_set->pool;
	struct mail_storage_settings *set;

	set = p_memdup(pool, list->mail_set, sizeof(*set));
	set->mail_index_path = p_strdup(pool, dir);
	list->mail_set = set;
}

bool roost_index_path_user_has_plugin(struct mail_user *user,
				      const char *prefix)
{
	const char *const *names;

	if (!array_is_created(&user->set->mail_plugins))
		return FALSE;
	array_foreach (&user->set->mail_plugins, names) {
		if (strncmp(*names, prefix, strlen(prefix)) == 0)
			return TRUE;
	}
	return FALSE;
}
