/* SPDX-License-Identifier: MIT */
/*
 * settings-info-24: Roost's settings as Dovecot 2.4's settings parser wants
 * them. The config process and the readers must have the same ones.
 */
#include "lib.h"
#include "settings-parser.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/compat/settings-24.h"

/* In the config process a value with %{variables} is not known yet. */
static bool check_known(void *_set, pool_t pool ATTR_UNUSED,
			const char **error_r)
{
	struct roost_settings set = *(const struct roost_settings *)_set;

#define ROOST_STR(name, def, doc)            \
	if (set.name == set_value_unknown) { \
		set.name = def;              \
		partly = TRUE;               \
	}
#define ROOST_SECS(name, def, doc)
	bool partly = FALSE;
	ROOST_SETTINGS(ROOST_STR, ROOST_SECS)
#undef ROOST_STR
#undef ROOST_SECS
	if (partly && *set.roost_node_addr == '\0')
		set.roost_redis = "";
	return roost_settings_check(&set, error_r);
}

/* clang-format off */
static const struct setting_define roost_setting_defines[] = {
	{ .type = SET_FILTER_NAME, .key = "passdb_roost" },
#define ROOST_STR(name, def, doc) \
	SETTING_DEFINE_STRUCT_STR(#name, name, struct roost_settings),
#define ROOST_SECS(name, def, doc) \
	SETTING_DEFINE_STRUCT_TIME(#name, name, struct roost_settings),
	ROOST_SETTINGS(ROOST_STR, ROOST_SECS)
#undef ROOST_STR
#undef ROOST_SECS
	SETTING_DEFINE_LIST_END
};
/* clang-format on */

const struct setting_parser_info roost_setting_parser_info = {
	.name = "roost",
	.defines = roost_setting_defines,
	.defaults = &roost_default_settings,
	.struct_size = sizeof(struct roost_settings),
	.pool_offset1 = 1 + offsetof(struct roost_settings, pool),
	.check_func = check_known,
};
