/* SPDX-License-Identifier: MIT */
/* agent-status: what STATUS and NODES tell the admin. */
#include "lib.h"
#include "common/base/kv.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/agent/agent.h"
#include "dovecot-plugins/agent/agent-lease.h"
#include "dovecot-plugins/agent/agent-leave.h"
#include "dovecot-plugins/agent/agent-nodes.h"
#include "dovecot-plugins/agent/agent-pins.h"
#include "dovecot-plugins/agent/agent-redis.h"
#include "dovecot-plugins/agent/agent-session.h"
#include "dovecot-plugins/agent/agent-status.h"

void roost_agent_status_add(struct roost_agent *agent, struct roost_buf *buf)
{
	bool valid = roost_agent_lease_valid(agent->lease);

	roost_kv_pair(buf, "node", agent->node);
	roost_kv_pair_uint(buf, "boot", roost_agent_lease_boot(agent->lease));
	roost_kv_pair(buf, "lease", valid ? "held" : "none");
	if (!valid)
		roost_kv_pair(buf, "reason",
			      roost_agent_lease_reason(agent->lease));
	else if (agent->redis != NULL)
		roost_kv_pair_uint(buf, "lease_ms",
				   roost_agent_lease_left_msecs(agent->lease));
	roost_kv_pair(buf, "redis",
		      agent->redis == NULL			     ? "none"
		      : roost_agent_redis_is_connected(agent->redis) ? "up"
								     : "down");
	roost_kv_pair(buf, "state",
		      roost_agent_leaves_is_draining(agent->leaves) ? "drain"
								    : "up");
	roost_kv_pair_uint(buf, "leaving",
			   roost_agent_leaves_count(agent->leaves));
	roost_kv_pair_uint(buf, "users", roost_agent_pins_count(agent->pins));
	roost_kv_pair_uint(buf, "sessions",
			   roost_agent_sessions_opens(agent->sessions));
}

static const char *node_state(const struct roost_agent_node *node)
{
	switch (roost_agent_nodes_state(node)) {
	case ROOST_LEASE_PEER_ALIVE:
		return node->state;
	case ROOST_LEASE_PEER_SILENT:
		return "silent";
	case ROOST_LEASE_PEER_DEAD:
		break;
	}
	return "dead";
}

bool roost_agent_status_add_node(struct roost_agent *agent,
				 struct roost_buf *buf, unsigned int index)
{
	struct roost_agent_node *const *nodes;
	unsigned int count;

	if (agent->nodes == NULL) {
		if (index > 0)
			return FALSE;
		roost_kv_pair(buf, "node", agent->node);
		roost_kv_flag(buf, "self");
		roost_kv_pair(buf, "state", "up");
		return TRUE;
	}
	nodes = roost_agent_nodes_get(agent->nodes, &count);
	if (index >= count)
		return FALSE;
	roost_kv_pair(buf, "node", nodes[index]->name);
	if (strcmp(nodes[index]->name, agent->node) == 0)
		roost_kv_flag(buf, "self");
	roost_kv_pair(buf, "state", node_state(nodes[index]));
	roost_kv_pair(buf, "host", nodes[index]->addr);
	roost_kv_pair(buf, "ports", nodes[index]->ports);
	roost_kv_pair_uint(buf, "weight", nodes[index]->weight);
	roost_kv_pair(buf, "boot", nodes[index]->boot);
	return TRUE;
}
