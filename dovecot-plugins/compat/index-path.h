/* SPDX-License-Identifier: MIT */
/*
 * index-path: where a namespace keeps mails and indexes, and how to move the
 * latter. On 2.3 the list has settings of its own; on 2.4 it shares constant,
 * reference-counted ones.
 */
#ifndef ROOST_INDEX_PATH_H
#define ROOST_INDEX_PATH_H

struct mailbox_list;
struct mail_user;

/* The folder of the mails; "" if there is none. */
const char *roost_index_path_mail_root(struct mailbox_list *list);
/* Whether the site chose a place for indexes, of its own or by a layout that
   needs it; moving them again would be wrong. */
bool roost_index_path_is_chosen(struct mailbox_list *list);
/* Moves the index root. Only before anything has asked for a path. */
void roost_index_path_move(struct mailbox_list *list, const char *dir);

/* Whether a plugin whose name begins with prefix is on for the user. */
bool roost_index_path_user_has_plugin(struct mail_user *user,
				      const char *prefix);

#endif
