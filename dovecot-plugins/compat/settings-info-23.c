/* SPDX-License-Identifier: MIT */
/*
 * settings-info-23: makes Dovecot 2.3's config process send the contents of
 * plugin { } to roost-agent, which is no mail process.
 */
#include "lib.h"
#include "settings-parser.h"
#include "dovecot-plugins/compat/settings-23.h"

static const struct setting_define plugin_setting_defines[] = {
	{ .type = SET_STRLIST,
	  .key = "plugin",
	  .offset = offsetof(struct roost_plugin_settings, envs) },
	SETTING_DEFINE_LIST_END
};

static const struct roost_plugin_settings plugin_default_settings = {
	.envs = ARRAY_INIT,
};

const struct setting_parser_info roost_plugin_setting_parser_info = {
	.module_name = "roost-agent",
	.defines = plugin_setting_defines,
	.defaults = &plugin_default_settings,
	.type_offset = SIZE_MAX,
	.struct_size = sizeof(struct roost_plugin_settings),
	.parent_offset = SIZE_MAX,
};
