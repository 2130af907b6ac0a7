/* SPDX-License-Identifier: MIT */
/* roost-mail-private: the module ids, for those who set a context. */
#ifndef ROOST_MAIL_PRIVATE_H
#define ROOST_MAIL_PRIVATE_H

#include "module-context.h"

#define ROOST_MODULE_ID(name, register_)     \
	extern struct name {                 \
		struct module_context_id id; \
		typeof(register_) reg;       \
	} name

ROOST_MODULE_ID(roost_mail_user_module, &mail_user_module_register);
ROOST_MODULE_ID(roost_mail_list_module, &mailbox_list_module_register);
ROOST_MODULE_ID(roost_mail_box_module, &mail_storage_module_register);

#endif
