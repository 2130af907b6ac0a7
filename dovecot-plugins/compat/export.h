/* SPDX-License-Identifier: MIT */
/*
 * export: marks what Dovecot looks up by name in a plugin; everything else is
 * hidden (-fvisibility=hidden), for Dovecot loads plugins with RTLD_GLOBAL.
 */
#ifndef ROOST_EXPORT_H
#define ROOST_EXPORT_H

#define ROOST_EXPORT __attribute__((visibility("default")))

#endif
