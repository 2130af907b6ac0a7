/* SPDX-License-Identifier: MIT */
/* ctl: the commands of roostctl(1); each returns the exit status: 0 good, 1
   bad news, 2 it could not do its work; or -1 for a wrong command line. */
#ifndef ROOST_TOOLS_CTL_H
#define ROOST_TOOLS_CTL_H

#include "common/base/conf.h"
#include "common/base/err.h"

int roost_ctl_explain(int argc, char *argv[]);
int roost_ctl_check(int argc, char *argv[]);
int roost_ctl_health(int argc, char *argv[]);
int roost_ctl_probe(int argc, char *argv[]);
/* Where roost-milter is built, too. */
int roost_ctl_dkim(int argc, char *argv[]);

/* Loads the configuration of roost-policyd as the daemon does, from `path` or
   (NULL) the default file if there is one. */
struct roost_conf *roost_ctl_load_policy(const char *path,
					 const char *const *overrides,
					 size_t override_count,
					 struct roost_err *err);

#endif
