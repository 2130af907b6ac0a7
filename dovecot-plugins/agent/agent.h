/* SPDX-License-Identifier: MIT */
/*
 * agent: what the files of roost-agent share. The agent itself is put
 * together in agent-main.c; every part gets it and reaches the others
 * through it.
 */
#ifndef ROOST_AGENT_H
#define ROOST_AGENT_H

struct event;
struct roost_settings;
struct roost_agent_redis;
struct roost_agent_lease;
struct roost_agent_nodes;
struct roost_agent_pins;
struct roost_agent_sessions;
struct roost_agent_leaves;

struct roost_agent {
	struct event *event;
	const struct roost_settings *set;
	const char *node;		 /* the name of this node */
	struct roost_agent_redis *redis; /* NULL: cluster of one */
	struct roost_agent_lease *lease;
	struct roost_agent_nodes *nodes; /* NULL: cluster of one */
	struct roost_agent_pins *pins;
	struct roost_agent_sessions *sessions;
	struct roost_agent_leaves *leaves;
};

/* The tag of the nodes that share a store; one store for now. */
#define ROOST_AGENT_TAG ""
#define ROOST_AGENT_DEFAULT_WEIGHT 100

/* How long a request waits for Redis to come (back) before it fails, and at
   most for another node's lease or a grace period to end. */
#define ROOST_AGENT_AWAY_MSECS 5000
#define ROOST_AGENT_BUSY_MSECS 28000

#endif
