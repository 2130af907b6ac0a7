/* SPDX-License-Identifier: MIT */
/*
 * roost-plugin: the mail plugin `roost`: what Dovecot calls, and when.
 * lease.c asks the agent, fence-*.c refuse once the lease is over, index-*.c
 * keep the indexes on this node.
 */
#include "dovecot-plugins/mail/roost-mail.h"
#include "mail-storage-hooks.h"
#include "dovecot-plugins/compat/export.h"
#include "dovecot-plugins/mail/roost-guard.h"

void roost_plugin_init(struct module *module);
void roost_plugin_deinit(void);

ROOST_EXPORT const char *roost_plugin_version = DOVECOT_ABI_VERSION;

static const struct mail_storage_hooks hooks = {
	.mail_user_created = roost_lease_user_created,
	.mail_namespace_storage_added = roost_index_dir_storage_added,
	.mailbox_list_created = roost_fence_list_created,
	.mailbox_allocated = roost_fence_mailbox_allocated,
	.mail_allocated = roost_fence_mail_allocated,
};

ROOST_EXPORT void roost_plugin_init(struct module *module)
{
	mail_storage_hooks_add(module, &hooks);
}

ROOST_EXPORT void roost_plugin_deinit(void)
{
	mail_storage_hooks_remove(&hooks);
	roost_guard_deinit();
}
