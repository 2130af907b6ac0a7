/* SPDX-License-Identifier: MIT */
/*
 * settings-module-24: modules/settings/libroost_settings.so for Dovecot 2.4.
 * The config process loads it: it brings the settings and the service
 * roost-agent, so that a site has to write neither.
 */
#include "lib.h"
#include "settings-parser.h"
#include "service-settings.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/settings/settings-module.h"
#include "dovecot-plugins/compat/export.h"
#include "dovecot-plugins/compat/settings-24.h"

ROOST_EXPORT const char *roost_settings_version = DOVECOT_ABI_VERSION;

ROOST_EXPORT const struct setting_parser_info *roost_settings_set_infos[] = {
	&roost_setting_parser_info, NULL
};

ROOST_EXPORT struct service_settings roost_settings_service_settings = {
	.name = "roost-agent",
	.protocol = "",
	.type = "",
	.executable = "roost-agent",
	.user = "$SET:default_internal_user",
	.group = "",
	.privileged_group = "",
	.extra_groups = ARRAY_INIT,
	.chroot = "",

	.process_min_avail = 1,
	.process_limit = 1,
	.client_limit = ROOST_AGENT_CLIENT_LIMIT,
	.restart_request_count = SET_UINT_UNLIMITED,
	.idle_kill_interval = SET_TIME_INFINITE,

	.unix_listeners = ARRAY_INIT,
	.fifo_listeners = ARRAY_INIT,
	.inet_listeners = ARRAY_INIT,

	.process_limit_1 = TRUE,
};

ROOST_EXPORT const struct setting_keyvalue
	roost_settings_service_settings_defaults[] = {
		{ "unix_listener",
		  "roost-agent roost-agent-auth roost-agent-admin" },

		{ "unix_listener/roost-agent/path", "roost-agent" },
		{ "unix_listener/roost-agent/type", "session" },
		{ "unix_listener/roost-agent/mode", "0666" },

		{ "unix_listener/roost-agent-auth/path", "roost-agent-auth" },
		{ "unix_listener/roost-agent-auth/type", "auth" },
		{ "unix_listener/roost-agent-auth/mode", "0600" },
		{ "unix_listener/roost-agent-auth/user",
		  "$SET:default_internal_user" },

		{ "unix_listener/roost-agent-admin/path", "roost-agent-admin" },
		{ "unix_listener/roost-agent-admin/type", "admin" },
		{ "unix_listener/roost-agent-admin/mode", "0600" },
		{ NULL, NULL }
	};
