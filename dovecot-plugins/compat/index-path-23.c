/* SPDX-License-Identifier: MIT */
/* index-path-23: index paths on Dovecot 2.3. */
#include "lib.h"
#include "mailbox-list-private.h"
#include "mail-storage-settings.h"
#include "mail-user.h"
#include "dovecot-plugins/compat/index-path.h"

const char *roost_index_path_mail_root(struct mailbox_list *list)
{
	return list->set.root_dir == NULL ? "" : list->set.root_dir;
}

bool roost_index_path_is_chosen(struct mailbox_list *list)
{
	return list->set.index_dir != NULL || list->set.index_pvt_dir != NULL ||
	       list->set.index_cache_dir != NULL ||
	       list->set.list_index_dir != NULL ||
	       list->set.iter_from_index_dir ||
	       strcmp(list->name, MAILBOX_LIST_NAME_INDEX) == 0;
}

void roost_index_path_move(struct mailbox_list *list, const char *dir)
{
	list->set.index_dir = p_strdup(list->pool, dir);
}

bool roost_index_path_user_has_plugin(struct mail_user *user,
				      const char *prefix)
{
	const char *const *names =
		t_strsplit_spaces(user->set->mail_plugins, " ,");

	for (; *names != NULL; names++) {
		if (strncmp(*names, prefix, strlen(prefix)) == 0)
			return TRUE;
	}
	return FALSE;
}
