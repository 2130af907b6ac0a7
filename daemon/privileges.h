/* SPDX-License-Identifier: MIT */
/* privileges: becoming another user for good, and the descriptor limit. */
#ifndef ROOST_DAEMON_PRIVILEGES_H
#define ROOST_DAEMON_PRIVILEGES_H

#include "common/base/err.h"

/* Started as root: becomes `user` with its groups and checks that there is no
   way back; anything less is an error. "root" stays root. Not started as
   root: only forbids new privileges. */
int roost_privileges_drop(const char *user, struct roost_err *err);

/* Whether roost_privileges_drop() will find the user: before any socket is
   open. */
int roost_privileges_check(const char *user, struct roost_err *err);

/* Raises the soft limit of descriptors to the hard one; returns the limit. */
long roost_privileges_raise_files(void);

#endif
