/* SPDX-License-Identifier: MIT */
/* agent-admin: KICK, MOVE, DRAIN, UNDRAIN and WEIGHT. */
#include "lib.h"
#include "dovecot-plugins/agent/agent.h"
#include "dovecot-plugins/agent/agent-admin.h"
#include "dovecot-plugins/agent/agent-lease.h"
#include "dovecot-plugins/agent/agent-leave.h"
#include "dovecot-plugins/agent/agent-nodes.h"
#include "dovecot-plugins/agent/agent-pins.h"
#include "dovecot-plugins/agent/agent-redis.h"
#include "dovecot-plugins/agent/agent-session.h"

struct roost_agent_admin {
	struct roost_agent *agent;
	enum roost_agent_command command;
	char *node;
	roost_agent_admin_callback_t *callback; /* NULL: aborted, done */
	void *context;
	bool starting;
};

/* ---- the end ------------------------------------------------------------ */

static void admin_free(struct roost_agent_admin *admin)
{
	i_free(admin->node);
	i_free(admin);
}

static void admin_finish(struct roost_agent_admin *admin,
			 const struct roost_agent_admin_result *result)
{
	roost_agent_admin_callback_t *callback = admin->callback;

	admin->callback = NULL;
	if (callback != NULL)
		callback(result, admin->context);
	/* start() frees it itself */
	if (!admin->starting)
		admin_free(admin);
}

static void admin_fail(struct roost_agent_admin *admin, const char *code,
		       const char *reason)
{
	const struct roost_agent_admin_result result = {
		.code = code,
		.reason = reason,
	};

	admin_finish(admin, &result);
}

/* ---- a user ------------------------------------------------------------- */

static struct roost_agent_pin *admin_pin(struct roost_agent_admin *admin,
					 const char *user)
{
	struct roost_agent_pin *pin =
		roost_agent_pins_find(admin->agent->pins, user);

	if (pin == NULL)
		admin_fail(admin, "owner",
			   t_strdup_printf("node %s does not hold user %s: "
					   "ask the node that does",
					   admin->agent->node, user));
	return pin;
}

static void admin_kick(struct roost_agent_admin *admin, const char *user)
{
	struct roost_agent_admin_result result = { .code = NULL };
	struct roost_agent *agent = admin->agent;
	struct roost_agent_pin *pin = admin_pin(admin, user);

	if (pin == NULL)
		return;
	result.kicked = roost_agent_sessions_kick(agent->sessions, pin,
						  "an admin ended it");
	e_info(event_create_passthrough(agent->event)
		       ->set_name("roost_kick")
		       ->add_str("user", user)
		       ->add_int("sessions", result.kicked)
		       ->event(),
	       "User %s kicked: %u sessions", user, result.kicked);
	admin_finish(admin, &result);
}

static void admin_moved(const char *code, const char *reason, uint64_t epoch,
			void *context)
{
	struct roost_agent_admin *admin = context;
	const struct roost_agent_admin_result result = {
		.code = code,
		.reason = reason,
		.owner = admin->node,
		.epoch = epoch,
	};

	admin_finish(admin, &result);
}

static void admin_move(struct roost_agent_admin *admin, const char *user)
{
	struct roost_agent *agent = admin->agent;
	const struct roost_agent_node *node =
		roost_agent_nodes_find(agent->nodes, admin->node);
	struct roost_agent_pin *pin = admin_pin(admin, user);

	if (pin == NULL)
		return;
	if (node == NULL || !roost_agent_nodes_is_up(agent->nodes, node))
		admin_fail(admin, "node",
			   t_strdup_printf("node %s is not up", admin->node));
	else if (strcmp(admin->node, agent->node) == 0)
		admin_moved(NULL, NULL, pin->epoch, admin);
	else if (pin->leave != NULL)
		admin_fail(admin, "busy", "the user is leaving already");
	else if (pin->adopted)
		admin_fail(admin, "refs",
			   "the user may have sessions that began before the "
			   "agent was restarted");
	else
		roost_agent_leave_move(agent->leaves, pin, admin->node,
				       admin_moved, admin);
}

/* ---- a node ------------------------------------------------------------- */

static void want_answered(const struct roost_agent_redis_reply *reply,
			  void *context)
{
	struct roost_agent_admin *admin = context;
	struct roost_agent *agent = admin->agent;
	const struct roost_agent_admin_result result = {
		.owner = admin->node,
	};

	if (reply->error != NULL) {
		admin_fail(admin, "away",
			   t_strdup_printf("Redis: %s", reply->error));
		return;
	}
	/* itself at once, another node with its next renewal */
	if (strcmp(admin->node, agent->node) == 0) {
		if (admin->command != ROOST_AGENT_WEIGHT)
			roost_agent_leaves_drain(agent->leaves,
						 admin->command ==
							 ROOST_AGENT_DRAIN);
		roost_agent_lease_renew(agent->lease);
	}
	admin_finish(admin, &result);
}

static void want_send(struct roost_agent_admin *admin,
		      const struct roost_agent_node *node, unsigned int weight)
{
	const char *key = t_strdup_printf("roost:node:{%s}:want", admin->node);
	const char *drain =
		admin->command == ROOST_AGENT_DRAIN ? "drain" : "up";
	const char *const state_args[] = { "HSET", key,	       "state", drain,
					   "boot", node->boot, NULL };
	const char *const weight_args[] = { "HSET", key, "weight",
					    t_strdup_printf("%u", weight),
					    NULL };

	roost_agent_redis_command(
		admin->agent->redis,
		admin->command == ROOST_AGENT_WEIGHT ? weight_args : state_args,
		want_answered, admin);
}

static bool another_is_up(struct roost_agent *agent,
			  const struct roost_agent_node *node)
{
	struct roost_agent_node *const *nodes;
	unsigned int i, count;

	nodes = roost_agent_nodes_get(agent->nodes, &count);
	for (i = 0; i < count; i++) {
		if (nodes[i] != node && nodes[i]->weight > 0 &&
		    roost_agent_nodes_is_up(agent->nodes, nodes[i]))
			return TRUE;
	}
	return FALSE;
}

static void admin_node(struct roost_agent_admin *admin, unsigned int weight)
{
	struct roost_agent *agent = admin->agent;
	const struct roost_agent_node *node =
		roost_agent_nodes_find(agent->nodes, admin->node);

	if (node == NULL)
		admin_fail(admin, "node",
			   t_strdup_printf("there is no node %s", admin->node));
	else if ((admin->command == ROOST_AGENT_DRAIN ||
		  (admin->command == ROOST_AGENT_WEIGHT && weight == 0)) &&
		 !another_is_up(agent, node))
		admin_fail(admin, "node",
			   "no other node is up: the users would have nowhere "
			   "to go");
	else
		want_send(admin, node, weight);
}

/* ---- the beginning ------------------------------------------------------ */

static void admin_run(struct roost_agent_admin *admin,
		      const struct roost_agent_request *req)
{
	if (req->command == ROOST_AGENT_KICK)
		admin_kick(admin, req->user);
	else if (admin->agent->redis == NULL)
		admin_fail(admin, "node",
			   "this node is a cluster of one (roost_redis is "
			   "empty)");
	else if (!roost_agent_lease_valid(admin->agent->lease))
		admin_fail(admin, "away",
			   roost_agent_lease_reason(admin->agent->lease));
	else if (req->command == ROOST_AGENT_MOVE)
		admin_move(admin, req->user);
	else
		admin_node(admin, req->weight);
}

struct roost_agent_admin *
roost_agent_admin_start(struct roost_agent *agent,
			const struct roost_agent_request *req,
			roost_agent_admin_callback_t *callback, void *context)
{
	struct roost_agent_admin *admin = i_new(struct roost_agent_admin, 1);

	admin->agent = agent;
	admin->command = req->command;
	admin->node = i_strdup(req->node == NULL ? agent->node : req->node);
	admin->callback = callback;
	admin->context = context;

	admin->starting = TRUE;
	admin_run(admin, req);
	admin->starting = FALSE;
	if (admin->callback != NULL)
		return admin;
	admin_free(admin);
	return NULL;
}

void roost_agent_admin_abort(struct roost_agent_admin **_admin)
{
	struct roost_agent_admin *admin = *_admin;

	*_admin = NULL;
	/* its answer comes in any case, and frees it */
	admin->callback = NULL;
}
