/* SPDX-License-Identifier: MIT */
/*
 * settings-module-23: modules/settings/libroost_settings.so for Dovecot 2.3.
 * The config process loads it: it brings the service roost-agent, so that a
 * site does not have to write it.
 */
#include "lib.h"
#include "buffer.h"
#include "settings-parser.h"
#include "service-settings.h"
#include "dovecot-plugins/settings/settings-module.h"
#include "dovecot-plugins/compat/export.h"
#include "dovecot-plugins/compat/settings-23.h"

static struct file_listener_settings listeners_array[] = {
	{ "roost-agent", 0666, "", "" },
	{ "roost-agent-auth", 0600, "$default_internal_user", "" },
	{ "roost-agent-admin", 0600, "", "" },
};
static struct file_listener_settings *listeners[] = {
	&listeners_array[0],
	&listeners_array[1],
	&listeners_array[2],
};
static buffer_t listeners_buf = { { { listeners, sizeof(listeners) } } };

ROOST_EXPORT const char *roost_settings_version = DOVECOT_ABI_VERSION;

ROOST_EXPORT const struct setting_parser_info *roost_settings_set_roots[] = {
	&roost_plugin_setting_parser_info, NULL
};

ROOST_EXPORT struct service_settings roost_settings_service_settings = {
	.name = "roost-agent",
	.protocol = "",
	.type = "",
	.executable = "roost-agent",
	.user = "$default_internal_user",
	.group = "",
	.privileged_group = "",
	.extra_groups = "",
	.chroot = "",

	.process_min_avail = 1,
	.process_limit = 1,
	.client_limit = ROOST_AGENT_CLIENT_LIMIT,
	.service_count = 0,
	.idle_kill = UINT_MAX,
	.vsz_limit = UOFF_T_MAX,

	.unix_listeners = { { &listeners_buf, sizeof(listeners[0]) } },
	.fifo_listeners = ARRAY_INIT,
	.inet_listeners = ARRAY_INIT,

	.process_limit_1 = TRUE,
};
