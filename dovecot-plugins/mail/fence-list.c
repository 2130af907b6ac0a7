/* SPDX-License-Identifier: MIT */
/* fence-list: the changes that go by way of the mailbox list. */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/roost-mail-private.h"
#include "dovecot-plugins/mail/fence.h"
#include "dovecot-plugins/compat/shared-owner.h"

static int list_set_subscribed(struct mailbox_list *list, const char *name,
			       bool set)
{
	int ret;

	if (!roost_fence_enter_list(list))
		return -1;
	ret = roost_mail_list(list)->module_ctx.super.set_subscribed(list, name,
								     set);
	roost_fence_leave();
	return ret;
}

static int list_delete_mailbox(struct mailbox_list *list, const char *name)
{
	int ret;

	if (!roost_fence_enter_list(list))
		return -1;
	ret = roost_mail_list(list)->module_ctx.super.delete_mailbox(list,
								     name);
	roost_fence_leave();
	return ret;
}

static int list_delete_dir(struct mailbox_list *list, const char *name)
{
	int ret;

	if (!roost_fence_enter_list(list))
		return -1;
	ret = roost_mail_list(list)->module_ctx.super.delete_dir(list, name);
	roost_fence_leave();
	return ret;
}

static int list_delete_symlink(struct mailbox_list *list, const char *name)
{
	int ret;

	if (!roost_fence_enter_list(list))
		return -1;
	ret = roost_mail_list(list)->module_ctx.super.delete_symlink(list,
								     name);
	roost_fence_leave();
	return ret;
}

static int list_rename_mailbox(struct mailbox_list *oldlist,
			       const char *oldname,
			       struct mailbox_list *newlist,
			       const char *newname)
{
	int ret;

	if (!roost_fence_enter_list(oldlist))
		return -1;
	ret = roost_mail_list(oldlist)->module_ctx.super.rename_mailbox(
		oldlist, oldname, newlist, newname);
	roost_fence_leave();
	return ret;
}

/* Set while Dovecot makes up the owner of a shared folder: it tells neither
   whom it makes him for, nor why he could not be made. */
static bool owner_refused;

void roost_fence_list_owner_refused(void)
{
	owner_refused = TRUE;
}

static int list_get_storage(ROOST_GET_STORAGE_PARAMS)
{
	struct mailbox_list *orig = *list;
	int ret;

	owner_refused = FALSE;
	ret = roost_mail_list(orig)->module_ctx.super.get_storage(
		ROOST_GET_STORAGE_ARGS);
	if (ret < 0 && owner_refused)
		mailbox_list_set_error(orig, MAIL_ERROR_UNAVAILABLE,
				       "Temporary failure: the owner of the "
				       "folder is served by another node");
	return ret;
}

void roost_fence_list_created(struct mailbox_list *list)
{
	struct mailbox_list_vfuncs *v = list->vlast;
	struct roost_list *rlist;

	if (roost_mail_user(list->ns->user) == NULL)
		return;
	rlist = p_new(list->pool, struct roost_list, 1);
	rlist->module_ctx.super = *v;
	list->vlast = &rlist->module_ctx.super;
	if (v->get_storage != NULL)
		v->get_storage = list_get_storage;
	v->set_subscribed = list_set_subscribed;
	v->delete_mailbox = list_delete_mailbox;
	v->delete_dir = list_delete_dir;
	v->delete_symlink = list_delete_symlink;
	v->rename_mailbox = list_rename_mailbox;
	MODULE_CONTEXT_SET(list, roost_mail_list_module, rlist);
}
