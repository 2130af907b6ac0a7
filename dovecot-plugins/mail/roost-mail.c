/* SPDX-License-Identifier: MIT */
/* roost-mail: the contexts of the mail plugin on Dovecot's objects. */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/roost-mail-private.h"

struct roost_mail_user_module roost_mail_user_module =
	MODULE_CONTEXT_INIT(&mail_user_module_register);
struct roost_mail_list_module roost_mail_list_module =
	MODULE_CONTEXT_INIT(&mailbox_list_module_register);
struct roost_mail_box_module roost_mail_box_module =
	MODULE_CONTEXT_INIT(&mail_storage_module_register);

struct roost_user *roost_mail_user(struct mail_user *user)
{
	return MODULE_CONTEXT(user, roost_mail_user_module);
}

struct roost_user *roost_mail_holder(struct mail_namespace *ns)
{
	if (ns->owner != NULL)
		return roost_mail_user(ns->owner);
	return roost_lease_public(ns);
}

struct roost_list *roost_mail_list(struct mailbox_list *list)
{
	return MODULE_CONTEXT(list, roost_mail_list_module);
}

struct roost_mailbox *roost_mail_box(struct mailbox *box)
{
	return MODULE_CONTEXT(box, roost_mail_box_module);
}
