/* SPDX-License-Identifier: MIT */
/* internal-hosts: reads OpenDKIM's TrustedHosts (InternalHosts) file. */
#ifndef ROOST_MILTER_INTERNAL_HOSTS_H
#define ROOST_MILTER_INTERNAL_HOSTS_H

#include "common/base/cidr.h"
#include "common/base/err.h"
#include "daemon/log.h"

/*
 * Adds the addresses and networks of the file, one a line, "#" starts a
 * comment; "localhost" stands for the loopback networks. Other host names are
 * skipped with a warning (event internal_host_skipped): a name is what the
 * client's DNS says. "!" (not) and anything else is an error with its line.
 */
int roost_internal_hosts_read(const char *path, struct roost_cidr_set *set,
			      const struct roost_log *log,
			      struct roost_err *err);

/* The same with the text at hand. */
int roost_internal_hosts_parse(const char *path, char *text,
			       struct roost_cidr_set *set,
			       const struct roost_log *log,
			       struct roost_err *err);

#endif
