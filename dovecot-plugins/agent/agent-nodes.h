/* SPDX-License-Identifier: MIT */
/*
 * agent-nodes: what is known of the nodes of the cluster, read from Redis
 * once in a renewal interval, and at once where a decision needs it fresh.
 */
#ifndef ROOST_AGENT_NODES_H
#define ROOST_AGENT_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/rules/lease.h"

struct roost_agent;
struct roost_agent_nodes;

struct roost_agent_node {
	char *name, *boot, *addr, *ports, *tag, *state;
	unsigned int weight, ttl_msecs;
	int64_t left;	  /* ns of its lease when it was read */
	uint64_t read_at; /* CLOCK_BOOTTIME ns */
};

#define ROOST_AGENT_NODES_MAX 1024

struct roost_agent_nodes *roost_agent_nodes_init(struct roost_agent *agent);
void roost_agent_nodes_deinit(struct roost_agent_nodes **nodes);

/* All nodes have been read once since the agent was started. */
bool roost_agent_nodes_ready(const struct roost_agent_nodes *nodes);
/* The longest lease of any node, in seconds. */
unsigned int roost_agent_nodes_ttl(const struct roost_agent_nodes *nodes);

struct roost_agent_node *
roost_agent_nodes_find(const struct roost_agent_nodes *nodes, const char *name);
/* The node a user without a pin belongs to, NULL if none is up. */
const struct roost_agent_node *
roost_agent_nodes_place(const struct roost_agent_nodes *nodes,
			const char *user);
enum roost_lease_peer
roost_agent_nodes_state(const struct roost_agent_node *node);
/* Alive and not draining, so that users may be sent there. */
bool roost_agent_nodes_is_up(const struct roost_agent_nodes *nodes,
			     const struct roost_agent_node *node);
/* The port it announced for the service, 0: none. */
unsigned int roost_agent_nodes_port(const struct roost_agent_node *node,
				    const char *service);

/* Calls back with what Redis says about that boot of the node: at once if
   what is known says that it lives, else after asking. node: NULL if Redis
   knows no such node (then it counts as silent). failed: could not ask. */
typedef void roost_agent_nodes_callback_t(const struct roost_agent_node *node,
					  enum roost_lease_peer state,
					  bool failed, void *context);
void roost_agent_nodes_check(struct roost_agent_nodes *nodes, const char *name,
			     const char *boot,
			     roost_agent_nodes_callback_t *callback,
			     void *context);

/* The connection to Redis stands: reads them all. */
void roost_agent_nodes_refresh(struct roost_agent_nodes *nodes);

/* All of them; *count_r. */
struct roost_agent_node *const *
roost_agent_nodes_get(const struct roost_agent_nodes *nodes,
		      unsigned int *count_r);

#endif
