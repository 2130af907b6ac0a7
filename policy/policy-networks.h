/* SPDX-License-Identifier: MIT */
/*
 * policy-networks: which addresses this machine shows to be masks.
 *
 * Behind a NAT of the machine itself (Swarm's mesh, a container bridge, a
 * rootless port forwarder) a stranger arrives with the address of a gateway,
 * of the ingress network or of the machine.
 */
#ifndef ROOST_POLICY_POLICY_NETWORKS_H
#define ROOST_POLICY_POLICY_NETWORKS_H

#include "common/base/cidr.h"
#include "common/base/err.h"

struct roost_policy_networks {
	struct roost_cidr_set *ingress, *gateways, *own;
};

/* Looks at interfaces and routes; `trusted` are the networks whose first
   address counts as a gateway; what lies within `except` is left out. Free the
   result also after a failure. */
int roost_policy_networks_detect(struct roost_policy_networks *networks,
				 const struct roost_cidr_set *trusted,
				 const struct roost_cidr_set *except,
				 struct roost_err *err);
bool roost_policy_networks_equal(const struct roost_policy_networks *a,
				 const struct roost_policy_networks *b);
void roost_policy_networks_free(struct roost_policy_networks *networks);

/* The parts: the default gateways in the text of /proc/net/route and of
   /proc/net/ipv6_route, the first host of each network (loopback and single
   hosts left out), what one interface address tells, and the set without the
   networks that lie wholly within one of `except`. */
int roost_policy_networks_add_routes(struct roost_cidr_set *gateways,
				     const char *text, struct roost_err *err);
int roost_policy_networks_add_routes6(struct roost_cidr_set *gateways,
				      const char *text, struct roost_err *err);
int roost_policy_networks_add_first_hosts(struct roost_cidr_set *gateways,
					  const struct roost_cidr_set *nets,
					  struct roost_err *err);
int roost_policy_networks_subtract(struct roost_cidr_set **set,
				   const struct roost_cidr_set *except,
				   struct roost_err *err);
int roost_policy_networks_add_own(struct roost_policy_networks *networks,
				  const struct roost_addr *addr,
				  struct roost_err *err);

#endif
