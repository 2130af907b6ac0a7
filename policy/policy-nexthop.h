/* SPDX-License-Identifier: MIT */
/*
 * policy-nexthop: the hosts in the values of transport maps.
 *
 * Mailman writes the address that its LMTP server listens on, which from
 * another container is the wrong one, and no destination at all when it is
 * 0.0.0.0. The host of "transport:host:port" or "transport:[host]:port" is
 * replaced as configured; every other value stays as it is.
 */
#ifndef ROOST_POLICY_POLICY_NEXTHOP_H
#define ROOST_POLICY_POLICY_NEXTHOP_H

#include "common/base/conf.h"

#define ROOST_POLICY_NEXTHOP_MAX 99001

struct roost_policy_nexthop;

/* Words are old=new; kept by reference. */
struct roost_policy_nexthop *
roost_policy_nexthop_new(const struct roost_conf_words *hosts,
			 struct roost_err *err);
void roost_policy_nexthop_free(struct roost_policy_nexthop **nexthop);

/* Writes the value with its host replaced. -1: it is too long, or the host is
   0.0.0.0 or ::. */
int roost_policy_nexthop_rewrite(const struct roost_policy_nexthop *nexthop,
				 const char *value,
				 char text[ROOST_POLICY_NEXTHOP_MAX]);

#endif
