/* SPDX-License-Identifier: MIT */
/* ctl-postconf: the settings of a Postfix, as postconf(1) prints them. */
#ifndef ROOST_TOOLS_CTL_POSTCONF_H
#define ROOST_TOOLS_CTL_POSTCONF_H

#include <stddef.h>

#include "common/base/err.h"

/* One setting of main.cf, or of a service in master.cf that overrides it. */
struct roost_postconf_entry {
	const char *service;	  /* "submission/inet", or "" for main.cf */
	const char *name, *value; /* $name is expanded */
};

struct roost_postconf {
	struct roost_postconf_entry *entry;
	size_t count;
	char *text; /* that the entries point into */
};

/* Runs postconf for the configuration folder (NULL: Postfix's own). */
int roost_postconf_read(struct roost_postconf *postconf, const char *dir,
			struct roost_err *err);

/* The value in main.cf; "" if there is none. */
const char *roost_postconf_get(const struct roost_postconf *postconf,
			       const char *name);

void roost_postconf_free(struct roost_postconf *postconf);

#endif
