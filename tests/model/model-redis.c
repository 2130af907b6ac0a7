/* SPDX-License-Identifier: MIT */
/* model-redis: dovecot-plugins/agent/scripts, for one user in one shard. */
#include "tests/model/model.h"

static void execute_lease(struct model_state *state, unsigned int node,
			  struct model_message *msg, unsigned int rules)
{
	struct model_memory *mem = &state->redis.now;
	uint8_t boot = mem->node[node].boot;
	bool expired = mem->node[node].expiry <= state->now;

	switch (msg->arg) {
	case ROOST_LEASE_NEW:
		if (boot != 0 && boot != msg->boot && !expired) {
			msg->result = ROOST_LEASE_IN_USE;
			return;
		}
		if (msg->boot == 0 || (rules & MODEL_BOOT_DIES) != 0)
			msg->boot = ++state->redis.clock;
		break;
	case ROOST_LEASE_RENEW:
		if (boot == 0) {
			msg->result = ROOST_LEASE_MISSING;
			return;
		}
		if (boot != msg->boot ||
		    (expired && (rules & MODEL_BOOT_DIES) != 0)) {
			msg->result = ROOST_LEASE_DEAD;
			return;
		}
		break;
	default:
		if (boot != 0 && boot != msg->boot) {
			msg->result = ROOST_LEASE_DEAD;
			return;
		}
	}
	mem->node[node].boot = msg->boot;
	mem->node[node].expiry = (uint8_t)(state->now + MODEL_TTL);
	msg->result = ROOST_LEASE_GRANTED;
}

/* Sees to it that the shard knows this server; returns whether users may be
   granted. */
static bool gen_check(struct model_state *state, uint8_t run,
		      unsigned int rules)
{
	struct model_memory *mem = &state->redis.now;

	if (mem->gen_run == 0 ||
	    (mem->gen_run != run && (rules & MODEL_RUN_ID) != 0)) {
		mem->gen_from = (uint8_t)(state->now + MODEL_TTL);
		mem->gen_run = run;
	}
	return state->now >= mem->gen_from || (rules & MODEL_GRACE) == 0;
}

static void execute_claim(struct model_state *state, unsigned int node,
			  struct model_message *msg, unsigned int rules)
{
	struct model_memory *mem = &state->redis.now;
	bool granting = gen_check(state, msg->run, rules);
	unsigned int other = 1 - node;
	bool place = msg->kind == MODEL_PLACE;

	if (!granting)
		state->graced = 1;
	msg->result = granting ? MODEL_OK : MODEL_LATER;
	if (mem->pin.boot != 0) {
		if (mem->pin.node == node && mem->pin.boot == msg->boot) {
			msg->epoch = mem->pin.epoch;
			return;
		}
		if ((mem->pin.boot != msg->arg || place) &&
		    (rules & MODEL_COMPARE) != 0) {
			msg->result = MODEL_OWNED;
			msg->boot = mem->pin.boot;
			return;
		}
	}
	if (!granting)
		return;
	if (mem->pin.boot != 0)
		state->takeovers = 1;
	mem->pin.node = (uint8_t)(place ? other : node);
	mem->pin.boot = place ? msg->arg : msg->boot;
	mem->pin.epoch = ++state->redis.clock;
	msg->epoch = mem->pin.epoch;
}

static void execute_pin(struct model_state *state, unsigned int node,
			struct model_message *msg, unsigned int rules)
{
	struct model_memory *mem = &state->redis.now;
	bool granting = gen_check(state, msg->run, rules);
	bool mine = mem->pin.node == node && mem->pin.boot == msg->boot;

	msg->result = MODEL_OK;
	if (mem->pin.boot != 0 && !mine &&
	    (granting || mem->pin.epoch > msg->epoch)) {
		msg->result = MODEL_OWNED;
		return;
	}
	mem->pin.node = (uint8_t)node;
	mem->pin.boot = msg->boot;
	mem->pin.epoch = msg->epoch;
	state->asserted = 1;
}

void model_redis_execute(struct model_state *state, unsigned int node,
			 struct model_message *msg, unsigned int rules)
{
	struct model_memory *mem = &state->redis.now;
	struct model_memory before = *mem;
	unsigned int other = 1 - node;

	switch (msg->kind) {
	case MODEL_LEASE:
		execute_lease(state, node, msg, rules);
		break;
	case MODEL_GET: /* arg: the boot in question */
		if (mem->node[other].boot == 0 &&
		    (rules & MODEL_KNOWN_DEAD) != 0)
			msg->result = MODEL_ALIVE;
		else if (mem->node[other].boot == msg->arg &&
			 mem->node[other].expiry > state->now)
			msg->result = MODEL_ALIVE;
		else
			msg->result = MODEL_DEAD;
		break;
	case MODEL_CLAIM:
	case MODEL_PLACE:
		execute_claim(state, node, msg, rules);
		break;
	case MODEL_PIN:
		execute_pin(state, node, msg, rules);
		break;
	case MODEL_RELEASE:
		if ((rules & MODEL_RELEASE_OWN) == 0 ||
		    (mem->pin.node == node && mem->pin.boot == msg->boot &&
		     mem->pin.epoch == msg->epoch))
			mem->pin.node = mem->pin.boot = mem->pin.epoch = 0;
		msg->result = MODEL_OK;
		break;
	default:
		break;
	}
	if (state->left.lost > 0)
		state->redis.before = before;
}
