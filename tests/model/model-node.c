/* SPDX-License-Identifier: MIT */
/*
 * model-node: what dovecot-plugins/agent and the mail processes of a node do.
 * A step may come at any time or never: that is how a paused node, a delayed
 * message and a slow store are modelled.
 */
#include "tests/model/model.h"

#include <string.h>

uint64_t model_now(const struct model_state *state)
{
	/* 0 means "never" in a lease */
	return (state->now + 1ULL) * MODEL_TICK;
}

static bool lease_valid(const struct model_state *state,
			const struct model_node *node)
{
	return roost_lease_valid(&node->lease, model_now(state));
}

bool model_session_valid(const struct model_state *state, unsigned int n,
			 unsigned int rules)
{
	const struct model_node *node = &state->node[n];

	return node->session.open && ((rules & MODEL_FENCE) == 0 ||
				      (node->session.boot == node->lease.boot &&
				       lease_valid(state, node)));
}

/* ---- messages ----------------------------------------------------------- */

static bool can_send(const struct model_node *node)
{
	return node->up && node->asked + node->answered < MODEL_QUEUE;
}

static void send(struct model_node *node, enum model_kind kind, uint8_t arg,
		 uint8_t boot, uint8_t epoch)
{
	struct model_message *msg = &node->ask[node->asked++];

	msg->kind = (uint8_t)kind;
	msg->arg = arg;
	msg->boot = boot;
	msg->epoch = epoch;
	msg->run = node->run;
	msg->result = 0;
}

static struct model_message take(struct model_message *queue, uint8_t *count)
{
	struct model_message first = queue[0];

	memmove(queue, queue + 1, sizeof(*queue) * (MODEL_QUEUE - 1));
	memset(&queue[MODEL_QUEUE - 1], 0, sizeof(*queue));
	(*count)--;
	return first;
}

static void forget_pins(struct model_node *node)
{
	node->held = node->adopted = node->epoch = 0;
}

static void tick(struct model_state *state, struct model_node *node)
{
	if (roost_lease_tick(&node->lease, model_now(state)) ==
	    ROOST_LEASE_LOST)
		forget_pins(node);
}

void model_node_disconnect(struct model_node *node, bool late)
{
	memset(&node->late, 0, sizeof(node->late));
	if (late && node->asked > 0)
		node->late = node->ask[0];
	memset(node->ask, 0, sizeof(node->ask));
	memset(node->answer, 0, sizeof(node->answer));
	node->asked = node->answered = 0;
	node->up = node->stuck = node->run = 0;
	node->claim.waiting = node->pinning = 0;
}

/* ---- the agent ---------------------------------------------------------- */

static bool agent_run(struct model_state *state, struct model_node *node)
{
	uint64_t wake;
	enum roost_lease_request request;

	tick(state, node);
	if (!can_send(node))
		return false;
	request = roost_lease_next(&node->lease, model_now(state), &wake);
	if (request == ROOST_LEASE_NOTHING)
		return false;
	node->request = (uint8_t)request;
	node->sent = model_now(state);
	send(node, MODEL_LEASE, node->request, (uint8_t)node->lease.boot, 0);
	return true;
}

static void answer_lease(struct model_state *state, struct model_node *node,
			 const struct model_message *msg, unsigned int rules)
{
	uint64_t now = model_now(state), sent = node->sent;
	bool forgot =
		msg->result == ROOST_LEASE_MISSING && !node->lease.resumed;

	if ((rules & MODEL_FROM_SEND) == 0)
		sent = now;
	if (forgot)
		node->page_run = 0;
	switch (roost_lease_answer(
		&node->lease, (enum roost_lease_request)node->request, sent,
		(enum roost_lease_result)msg->result, msg->boot, now)) {
	case ROOST_LEASE_GAINED:
		forget_pins(node);
		/* fall through */
	case ROOST_LEASE_RENEWED:
		node->page_run = node->run;
		break;
	case ROOST_LEASE_LOST:
		forget_pins(node);
		break;
	case ROOST_LEASE_PINS:
		if (!node->held || (rules & MODEL_REASSERT) == 0)
			roost_lease_asserted(&node->lease, now);
		else if ((rules & MODEL_PINS_FIRST) == 0)
			node->lease.deadline = node->sent + node->lease.ttl -
					       node->lease.margin;
		break;
	case ROOST_LEASE_SAME:
	case ROOST_LEASE_NAME_TAKEN:
		break;
	}
	node->sent = node->request = 0;
	tick(state, node);
}

static bool pins_assert(struct model_node *node)
{
	if (!node->lease.asserting || node->pinning || !can_send(node))
		return false;
	if (!node->held) {
		roost_lease_asserted(&node->lease, 0);
		return true;
	}
	node->pinning = 1;
	send(node, MODEL_PIN, 0, (uint8_t)node->lease.boot, node->epoch);
	return true;
}

static void answer_pin(struct model_state *state, struct model_node *node,
		       const struct model_message *msg)
{
	node->pinning = 0;
	if (!node->lease.asserting)
		return;
	if (msg->result == MODEL_OK) {
		roost_lease_asserted(&node->lease, model_now(state));
		return;
	}
	roost_lease_drop(&node->lease, model_now(state));
	forget_pins(node);
}

static bool claim_send(struct model_state *state, struct model_node *node,
		       unsigned int rules)
{
	if (node->held || node->claim.waiting > state->left.logins ||
	    !can_send(node) || !lease_valid(state, node) ||
	    (node->releasing && (rules & MODEL_RELEASE_WAIT) != 0))
		return false;
	node->claim.active = 1;
	node->claim.waiting++;
	node->claim.boot = (uint8_t)node->lease.boot;
	if (node->claim.owner != 0 && node->claim.owner != node->claim.proof) {
		send(node, MODEL_GET, node->claim.owner, 0, 0);
		return true;
	}
	send(node, MODEL_CLAIM, node->claim.proof, node->claim.boot, 0);
	return true;
}

static void claim_end(struct model_node *node)
{
	uint8_t waiting = node->claim.waiting, boot = node->claim.boot;

	memset(&node->claim, 0, sizeof(node->claim));
	node->claim.waiting = waiting;
	if (waiting > 0)
		node->claim.boot = boot;
}

static void answer_claim(struct model_state *state, struct model_node *node,
			 const struct model_message *msg, unsigned int rules)
{
	node->claim.waiting--;
	/* a proof of death is for the claim that follows at once */
	node->claim.owner = node->claim.proof = 0;
	if (!lease_valid(state, node) || node->claim.boot != node->lease.boot ||
	    (node->releasing && (rules & MODEL_RELEASE_WAIT) != 0))
		return;
	switch (msg->result) {
	case MODEL_OK:
		if (!node->held)
			node->adopted = node->lease.resumed;
		node->held = 1;
		node->epoch = msg->epoch;
		claim_end(node);
		break;
	case MODEL_OWNED:
		node->claim.owner = msg->boot;
		if ((rules & MODEL_WAIT_DEAD) == 0)
			node->claim.proof = msg->boot;
		break;
	case MODEL_LATER:
		break;
	case MODEL_DEAD: /* arg: the boot that was looked at */
		node->claim.owner = node->claim.proof = msg->arg;
		(void)claim_send(state, node, rules);
		break;
	default: /* the owner lives */
		claim_end(node);
	}
}

static bool deliver(struct model_state *state, struct model_node *node,
		    unsigned int rules)
{
	struct model_message msg;

	if (node->answered == 0)
		return false;
	msg = take(node->answer, &node->answered);
	switch (msg.kind) {
	case MODEL_LEASE:
		answer_lease(state, node, &msg, rules);
		break;
	case MODEL_PIN:
		answer_pin(state, node, &msg);
		break;
	case MODEL_GET:
	case MODEL_CLAIM:
		answer_claim(state, node, &msg, rules);
		break;
	case MODEL_RELEASE:
		node->releasing = node->released_epoch = 0;
		break;
	default:
		break;
	}
	return true;
}

static bool connect_redis(struct model_state *state, struct model_node *node,
			  unsigned int rules)
{
	if (node->up)
		return false;
	node->up = 1;
	node->run = state->redis.run;
	node->lease.in_flight = false;
	node->sent = node->request = 0;
	roost_lease_connected(&node->lease,
			      node->page_run != node->run &&
				      (rules & MODEL_RUN_ID) != 0,
			      model_now(state));
	if (node->lease.deadline == 0)
		forget_pins(node);
	/* whether the release arrived is not known */
	if (node->releasing && (rules & MODEL_RELEASE_SURE) != 0)
		send(node, MODEL_RELEASE, 0, node->releasing,
		     node->released_epoch);
	else
		node->releasing = node->released_epoch = 0;
	return true;
}

static bool release(struct model_node *node)
{
	if (!node->held || node->session.open || node->adopted ||
	    node->releasing || node->pinning || !can_send(node))
		return false;
	node->releasing = (uint8_t)node->lease.boot;
	node->released_epoch = node->epoch;
	send(node, MODEL_RELEASE, 0, node->releasing, node->epoch);
	forget_pins(node);
	return true;
}

static bool place(struct model_state *state, unsigned int n)
{
	struct model_node *node = &state->node[n];
	uint8_t boot = (uint8_t)state->node[1 - n].lease.boot;

	if (state->left.places == 0 || node->held || node->claim.active ||
	    node->releasing || !can_send(node) || !lease_valid(state, node))
		return false;
	send(node, MODEL_PLACE, boot, (uint8_t)node->lease.boot, 0);
	return true;
}

static void agent_dies(struct model_state *state, struct model_node *node,
		       bool with_page)
{
	uint64_t boot = node->lease.boot, deadline = node->lease.deadline;

	model_node_disconnect(node, true);
	roost_lease_init(&node->lease, MODEL_TTL * MODEL_TICK);
	if (with_page)
		roost_lease_resume(&node->lease, boot, deadline,
				   model_now(state));
	else
		node->page_run = 0;
	forget_pins(node);
	node->releasing = node->released_epoch = 0;
	node->sent = node->request = 0;
	memset(&node->claim, 0, sizeof(node->claim));
}

/* ---- mail processes ----------------------------------------------------- */

static bool session_open(struct model_state *state, struct model_node *node)
{
	if (node->session.open || !node->held || !lease_valid(state, node))
		return false;
	node->session.open = 1;
	node->session.boot = (uint8_t)node->lease.boot;
	node->session.epoch = node->epoch;
	return true;
}

static bool session_commit(struct model_state *state, unsigned int n,
			   unsigned int rules, const char **wrong_r)
{
	struct model_node *node = &state->node[n];

	if (!node->session.inside)
		return false;
	node->session.inside = 0;
	if ((rules & MODEL_TIMER) != 0 &&
	    !model_session_valid(state, n, rules)) {
		/* the timer of the section ends the process */
		memset(&node->session, 0, sizeof(node->session));
		return true;
	}
	if (node->session.epoch < state->store)
		*wrong_r = "a change under an epoch that is over";
	state->store = node->session.epoch;
	return true;
}

/* ---- the steps ---------------------------------------------------------- */

static bool take_step(struct model_state *state, unsigned int n,
		      unsigned int step, unsigned int rules,
		      const char **name_r, const char **wrong_r)
{
	struct model_node *node = &state->node[n];
	static const char *const names[MODEL_NODE_STEPS] = {
		"the agent looks at its lease",
		"the network begins to hold requests back",
		"an answer arrives",
		"the agent asserts the user",
		"the agent claims the user",
		"a claim is given up",
		"the user is placed on the other node",
		"a session opens",
		"a session closes",
		"a session enters a section",
		"a session changes the mailbox",
		"the agent releases the user",
		"the connection breaks",
		"the connection breaks, a request is still under way",
		"the agent connects",
		"the agent dies",
		"the machine dies",
	};

	*name_r = names[step];
	switch (step) {
	case 0:
		return agent_run(state, node);
	case 1:
		if (!node->up || node->stuck || state->left.broken == 0)
			return false;
		node->stuck = 1;
		return true;
	case 2:
		return deliver(state, node, rules);
	case 3:
		return pins_assert(node);
	case 4:
		return claim_send(state, node, rules);
	case 5:
		if (!node->claim.active || node->claim.waiting)
			return false;
		memset(&node->claim, 0, sizeof(node->claim));
		return true;
	case 6:
		return place(state, n);
	case 7:
		return session_open(state, node);
	case 8:
		if (!node->session.open || node->session.inside)
			return false;
		memset(&node->session, 0, sizeof(node->session));
		return true;
	case 9:
		if (state->left.sections == 0 || node->session.inside ||
		    !model_session_valid(state, n, rules))
			return false;
		node->session.inside = 1;
		return true;
	case 10:
		return session_commit(state, n, rules, wrong_r);
	case 11:
		return release(node);
	case 12:
	case 13:
		if (!node->up || state->left.broken == 0 ||
		    (step == 13 && node->asked == 0))
			return false;
		state->left.broken--;
		model_node_disconnect(node, step == 13);
		return true;
	case 14:
		return connect_redis(state, node, rules);
	case 15:
		if (state->left.agents == 0)
			return false;
		state->left.agents--;
		agent_dies(state, node, true);
		return true;
	default:
		if (state->left.machines == 0)
			return false;
		state->left.machines--;
		agent_dies(state, node, false);
		memset(&node->session, 0, sizeof(node->session));
		return true;
	}
}

bool model_node_step(struct model_state *state, unsigned int n,
		     unsigned int step, unsigned int rules, const char **name_r,
		     const char **wrong_r)
{
	struct model_node *node = &state->node[n];
	struct model_message msg;

	if (!take_step(state, n, step, rules, name_r, wrong_r))
		return false;
	while (node->asked > 0 && !node->stuck) {
		msg = take(node->ask, &node->asked);
		model_redis_execute(state, n, &msg, rules);
		node->answer[node->answered++] = msg;
	}
	return true;
}
