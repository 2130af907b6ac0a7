/* SPDX-License-Identifier: MIT */
/*
 * settings-24: what the readers and the settings module share on Dovecot 2.4.
 */
#ifndef ROOST_SETTINGS_24_H
#define ROOST_SETTINGS_24_H

extern const struct setting_parser_info roost_setting_parser_info;

#endif
