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
   address counts as a gateway. Free the result also after a failure. */
int roost_policy_networks_detect(struct roost_policy_networks *networks,
				 const struct roost_cidr_set *trusted,
				 struct roost_err *err);
void roost_policy_networks_free(struct roost_policy_networks *networks);

/* The parts: the default gateways in the text of /proc/net/route and of
   /proc/net/ipv6_route, the first host of each network (loopback and single
   hosts left out), and what one interface address tells. */
int roost_policy_networks_add_routes(struct roost_cidr_set *gateways,
				     const char *text, struct roost_err *err);
int roost_policy_networks_add_routes6(struct roost_cidr_set *gateways,
				      const char *text, struct roost_err *err);
int roost_policy_networks_add_first_hosts(struct roost_cidr_set *gateways,
					  const struct roost_cidr_set *nets,
					  struct roost_err *err);
int roost_policy_networks_add_own(struct roost_policy_networks *networks,
				  const struct roost_addr *addr,
				  struct roost_err *err);

#endif
