/* SPDX-License-Identifier: MIT */
/*
 * roost-mail: what the files of the mail plugin share: the contexts they hang
 * on Dovecot's objects, and the steps they offer each other.
 */
#ifndef ROOST_MAIL_H
#define ROOST_MAIL_H

#include "lib.h"
#include "array.h"
#include "mail-user.h"
#include "mail-namespace.h"
#include "mail-storage-private.h"
#include "mailbox-list-private.h"
#include "dovecot-plugins/client/agent-client.h"
#include "dovecot-plugins/settings/roost-settings.h"

/* Of each user, and of each owner of a shared folder that Dovecot makes up
   for the user who opens it. */
struct roost_user {
	union mail_user_module_context module_ctx;
	struct mail_user *owner; /* whose context this is */
	/* of a folder without an owner: what stands for him, and the next
	   one that the user has met */
	const char *public_name;
	struct roost_user *publics;
	struct roost_session *session;
	const struct roost_settings *set;
	const char *node;
	/* if not NULL: nothing may be opened, and why */
	const char *error;
	/* <root>/<euid>, NULL: indexes are not moved */
	const char *index_base;
	/* below that, of this user; NULL while nothing was moved */
	const char *index_dir;
	/* shared lock that says: this node has a process for that user */
	int users_fd;
	/* names of mailboxes changed since their last bundle */
	ARRAY_TYPE(const_string) unpacked;
	bool fence_logged;
};

/* Of each mailbox list. */
struct roost_list {
	union mailbox_list_module_context module_ctx;
	/* NULL: its indexes are not moved; the lock lies beside them */
	const char *index_root, *lock_path;
	/* held while a mailbox is restored; opening one may open others, and
	   itself a second time: the index folders under way */
	int lock_fd;
	ARRAY(char *) restoring;
};

/* Of each mailbox of a user with a session. */
struct roost_mailbox {
	union mailbox_module_context module_ctx;
	/* whose lease it needs: the owner's; NULL: nobody's, refused */
	struct roost_user *user;
	/* the rest only while the mailbox is open and its indexes are moved */
	const char *index_dir, *control_dir;
	int state_fd;
	bool restoring; /* between the two steps of a restore */
	struct timeout *to_pack;
	bool unsynced; /* committed since the last sync */
};

struct roost_user *roost_mail_user(struct mail_user *user);
struct roost_list *roost_mail_list(struct mailbox_list *list);
struct roost_mailbox *roost_mail_box(struct mailbox *box);
/* Whose lease the mailboxes of a namespace need: its owner's. */
struct roost_user *roost_mail_holder(struct mail_namespace *ns);

/* lease.c */
void roost_lease_user_created(struct mail_user *user);
/* Of a namespace that belongs to nobody: claimed when it is first opened. */
struct roost_user *roost_lease_public(struct mail_namespace *ns);
/* Asks for it, again if need be. Whether it is there. */
bool roost_lease_public_open(struct roost_user *ruser);

/* fence-list.c, fence-mailbox.c, fence-mail.c */
void roost_fence_list_created(struct mailbox_list *list);
/* The owner of a shared folder may not be opened on this node. */
void roost_fence_list_owner_refused(void);
void roost_fence_mailbox_allocated(struct mailbox *box);
void roost_fence_mail_allocated(struct mail *mail);

/* index-dir.c */
/* Makes and checks <root>/<euid>. -1 with a message that says what to do. */
int roost_index_dir_init(struct mail_user *user, struct roost_user *ruser,
			 const char **error_r);
void roost_index_dir_storage_added(struct mail_namespace *ns);

/* index-restore.c */
/* Before the mailbox is opened: makes its index on this node the right one.
   -1: the mailbox must not be opened now. */
int roost_index_restore(struct mailbox *box, const char **error_r);
/* After it has been opened: completes that. -1: it must be closed again. */
int roost_index_restored(struct mailbox *box, const char **error_r);
void roost_index_restore_abort(struct mailbox *box);

/* index-pack.c */
/* After the mailbox has been opened, before it is closed. */
void roost_index_pack_start(struct mailbox *box);
void roost_index_pack_stop(struct mailbox *box);
/* The last session of the user on this node ends: packs what has changed. */
void roost_index_pack_user(struct mail_user *user);
/* Of an open mailbox. FALSE: what there is to pack could not be. */
bool roost_index_pack_now(struct mailbox *box);
/* Copies the files of the index of an open mailbox to another folder. */
int roost_index_pack_copy_to(struct mailbox *box, const char *dir,
			     const char **error_r);

#endif
