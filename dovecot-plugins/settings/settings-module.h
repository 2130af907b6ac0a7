/* SPDX-License-Identifier: MIT */
/*
 * settings-module: what modules/settings/libroost_settings.so is on both
 * releases of Dovecot (dovecot-plugins/compat/settings-module-*.c).
 */
#ifndef ROOST_SETTINGS_MODULE_H
#define ROOST_SETTINGS_MODULE_H

/* Every mail process keeps one connection to the agent. */
#define ROOST_AGENT_CLIENT_LIMIT 16384

#endif
