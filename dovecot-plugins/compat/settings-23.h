/* SPDX-License-Identifier: MIT */
/*
 * settings-23: what the readers and the settings module share on Dovecot 2.3.
 */
#ifndef ROOST_SETTINGS_23_H
#define ROOST_SETTINGS_23_H

struct roost_plugin_settings {
	ARRAY(const char *) envs; /* name, value, name, value… */
};

extern const struct setting_parser_info roost_plugin_setting_parser_info;

#endif
