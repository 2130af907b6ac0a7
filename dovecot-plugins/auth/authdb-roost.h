/* SPDX-License-Identifier: MIT */
/*
 * authdb-roost: what auth looks up by name in libauthdb_roost.so.
 */
#ifndef ROOST_AUTHDB_ROOST_H
#define ROOST_AUTHDB_ROOST_H

extern const char *authdb_roost_version;

void authdb_roost_init(void);
void authdb_roost_deinit(void);

#endif
