/* SPDX-License-Identifier: MIT */
/*
 * agent-lease: holds the node's lease: sends what common/rules/lease decides,
 * shows the result on the lease page, and has the pins asserted when Redis
 * lost its memory.
 */
#ifndef ROOST_AGENT_LEASE_H
#define ROOST_AGENT_LEASE_H

#include <stdbool.h>
#include <stdint.h>

struct roost_agent;
struct roost_agent_lease;
struct roost_lease_page;

/* Without Redis the lease is gained at once, and for ever. The page stays the
   caller's. */
struct roost_agent_lease *roost_agent_lease_init(struct roost_agent *agent,
						 struct roost_lease_page *page);
void roost_agent_lease_deinit(struct roost_agent_lease **lease);

/* The connection to a Redis stands. */
void roost_agent_lease_connected(struct roost_agent_lease *lease,
				 const char *run_id);

/* Whether this node may act as owner now. Ask at each decision. */
bool roost_agent_lease_valid(struct roost_agent_lease *lease);
uint64_t roost_agent_lease_boot(const struct roost_agent_lease *lease);
/* ms until the lease ends unless it is renewed; 0: it is not held. */
unsigned int
roost_agent_lease_left_msecs(const struct roost_agent_lease *lease);
/* Why there is no lease, for whoever is refused. */
const char *roost_agent_lease_reason(const struct roost_agent_lease *lease);
/* Whether sessions of an earlier agent process may run under this boot. */
bool roost_agent_lease_is_resumed(const struct roost_agent_lease *lease);
/* Whether this process still speaks for the node: the next agent may have
   taken the page over, and with it the boot and the users. */
bool roost_agent_lease_is_ours(const struct roost_agent_lease *lease);
/* How long a node that lost its memory must be waited for, in µs. */
uint64_t roost_agent_lease_grace_usecs(const struct roost_agent_lease *lease);

/* Renews it as soon as may be: what it announces has changed. */
void roost_agent_lease_renew(struct roost_agent_lease *lease);

/* Gives the lease up at once: the node holds something that is another's. */
void roost_agent_lease_drop(struct roost_agent_lease *lease,
			    const char *reason);
/* Ends the lease in Redis, after the last session: others need not wait for
   it. The callback follows when Redis has answered, or cannot. */
void roost_agent_lease_end(struct roost_agent_lease *lease,
			   void (*callback)(void *context), void *context);

#endif
