/* SPDX-License-Identifier: MIT */
/*
 * settings-23: Roost's settings on Dovecot 2.3, where a plugin has no settings
 * of its own: they stand as text in plugin { }. An unknown name that begins
 * with roost_ is an error, as it is on 2.4.
 */
#include "lib.h"
#include "array.h"
#include "settings-parser.h"
#include "master-service.h"
#include "master-service-settings.h"
#include "mail-storage-settings.h"
#include "mail-user.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/compat/settings-23.h"

enum value_type {
	VALUE_STR,
	VALUE_SECS,
};

struct value_define {
	const char *key;
	enum value_type type;
	size_t offset;
};

static const struct value_define value_defines[] = {
#define ROOST_STR(name, def, doc) \
	{ #name, VALUE_STR, offsetof(struct roost_settings, name) },
#define ROOST_SECS(name, def, doc) \
	{ #name, VALUE_SECS, offsetof(struct roost_settings, name) },
	ROOST_SETTINGS(ROOST_STR, ROOST_SECS)
#undef ROOST_STR
#undef ROOST_SECS
};

static const struct value_define *value_find(const char *key)
{
	for (size_t i = 0; i < N_ELEMENTS(value_defines); i++) {
		if (strcmp(value_defines[i].key, key) == 0)
			return &value_defines[i];
	}
	return NULL;
}

static int value_parse(struct roost_settings *set, const char *key,
		       const char *value, const char **error_r)
{
	const struct value_define *def = value_find(key);
	const char *error;
	void *field;

	if (def == NULL) {
		*error_r = t_strdup_printf(
			"plugin { %s }: there is no such setting", key);
		return -1;
	}
	field = PTR_OFFSET(set, def->offset);
	switch (def->type) {
	case VALUE_STR:
		*(const char **)field = p_strdup(set->pool, value);
		break;
	case VALUE_SECS:
		if (settings_get_time(value, field, &error) < 0) {
			*error_r = t_strdup_printf("plugin { %s=%s }: %s", key,
						   value, error);
			return -1;
		}
		break;
	}
	return 0;
}

/* envs: name, value, name, value… */
static int settings_parse(const char *const *envs, unsigned int count,
			  const struct roost_settings **set_r,
			  const char **error_r)
{
	pool_t pool = pool_alloconly_create("roost settings", 1024);
	struct roost_settings *set = p_new(pool, struct roost_settings, 1);
	const char *error;
	int ret = 0;

	*set = roost_default_settings;
	set->pool = pool;
	for (unsigned int i = 0; i + 1 < count && ret == 0; i += 2) {
		if (strncmp(envs[i], "roost_", 6) == 0)
			ret = value_parse(set, envs[i], envs[i + 1], error_r);
	}
	if (ret == 0 && !roost_settings_check(set, &error)) {
		*error_r = t_strdup_printf("plugin { }: %s", error);
		ret = -1;
	}
	if (ret < 0) {
		pool_unref(&pool);
		return -1;
	}
	*set_r = set;
	return 0;
}

int roost_settings_read_service(struct master_service *service,
				const struct roost_settings **set_r,
				const char **error_r)
{
	static const struct setting_parser_info *const roots[] = {
		&roost_plugin_setting_parser_info, NULL
	};
	struct master_service_settings_input input = {
		.roots = roots,
		.module = "roost-agent",
		.service = "roost-agent",
	};
	struct master_service_settings_output output;
	const struct roost_plugin_settings *plugin;
	const char *const *envs = NULL;
	unsigned int count = 0;

	if (master_service_settings_read(service, &input, &output, error_r) < 0)
		return -1;
	plugin = master_service_settings_get_others(service)[0];
	if (array_is_created(&plugin->envs))
		envs = array_get(&plugin->envs, &count);
	return settings_parse(envs, count, set_r, error_r);
}

int roost_settings_get_user(struct mail_user *user,
			    const struct roost_settings **set_r,
			    const char **error_r)
{
	const char *const *envs = NULL;
	unsigned int count = 0;

	if (array_is_created(&user->set->plugin_envs))
		envs = array_get(&user->set->plugin_envs, &count);
	return settings_parse(envs, count, set_r, error_r);
}
