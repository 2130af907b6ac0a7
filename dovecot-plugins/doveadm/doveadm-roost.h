/* SPDX-License-Identifier: MIT */
/*
 * doveadm-roost: what doveadm looks up by name in
 * lib10_doveadm_roost_plugin.so.
 */
#ifndef ROOST_DOVEADM_ROOST_H
#define ROOST_DOVEADM_ROOST_H

struct module;

extern const char *doveadm_roost_plugin_version;

void doveadm_roost_plugin_init(struct module *module);
void doveadm_roost_plugin_deinit(void);

/* doveadm-index.c */
void roost_doveadm_index_register(void);

#endif
