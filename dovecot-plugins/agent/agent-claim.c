/* SPDX-License-Identifier: MIT */
/*
 * agent-claim: answers LOOKUP, CLAIM and OPEN for one user.
 *
 *	run -> held here ------------------------------------> answer
 *	    -> leaving this node -> wait -> run
 *	    -> ask Redis -> granted -------------------------> answer
 *	                 -> owned -> owner lives ------------> answer
 *	                          -> owner dead -> ask again, naming the dead
 *	                          -> owner silent -> wait -> run
 *	                 -> grace -------------------> wait -> run
 *	    -> no lease, no Redis -------------------> wait -> run
 */
#include "lib.h"
#include "ioloop.h"
#include "strnum.h"
#include "dovecot-plugins/client/lease-page.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/agent/agent.h"
#include "dovecot-plugins/agent/agent-claim.h"
#include "dovecot-plugins/agent/agent-lease.h"
#include "dovecot-plugins/agent/agent-nodes.h"
#include "dovecot-plugins/agent/agent-pins.h"
#include "dovecot-plugins/agent/agent-redis.h"

#define NSECS_PER_MSEC 1000000ULL
#define AWAY_RETRY_MSECS 100
#define RELEASE_RETRY_MSECS 10
#define LEAVE_RETRY_MSECS 20
#define SILENT_RETRY_MSECS 250
#define GRACE_RETRY_MSECS 1000

struct roost_agent_claim {
	struct roost_agent *agent;
	pool_t pool;
	struct roost_agent_request req;
	uint64_t started; /* CLOCK_BOOTTIME ns */
	struct timeout *to;
	uint64_t boot;	       /* the one we asked under */
	const char *dead_node; /* the proof of a takeover, or "" */
	const char *dead_boot;
	const char *owner, *owner_boot; /* who is being looked at */
	uint64_t owner_epoch;
	bool in_redis, starting;
	roost_agent_claim_callback_t *callback; /* NULL: aborted, done */
	void *context;
};

static void claim_run(struct roost_agent_claim *claim);

/* ---- the end ------------------------------------------------------------ */

static void claim_free(struct roost_agent_claim *claim)
{
	pool_t pool = claim->pool;

	timeout_remove(&claim->to);
	pool_unref(&pool);
}

static void claim_finish(struct roost_agent_claim *claim,
			 const struct roost_agent_claim_result *result)
{
	roost_agent_claim_callback_t *callback = claim->callback;

	claim->callback = NULL;
	if (callback != NULL)
		callback(result, claim->context);
	/* started() frees it itself */
	if (!claim->starting)
		claim_free(claim);
}

static void claim_fail(struct roost_agent_claim *claim, const char *code,
		       const char *reason, const char *owner)
{
	struct roost_agent_claim_result result = {
		.code = code,
		.reason = reason,
		.owner = owner,
		.host = "",
	};

	e_warning(event_create_passthrough(claim->agent->event)
			  ->set_name("roost_deny")
			  ->add_str("user", claim->req.user)
			  ->add_str("service", claim->req.service)
			  ->add_str("code", code)
			  ->add_str("owner", owner)
			  ->event(),
		  "%s of user %s refused (%s): %s",
		  roost_agent_proto_command_name(claim->req.command),
		  claim->req.user, code, reason);
	claim_finish(claim, &result);
}

static void claim_finish_self(struct roost_agent_claim *claim,
			      struct roost_agent_pin *pin)
{
	struct roost_agent_claim_result result = {
		.owner = claim->agent->node,
		.host = claim->agent->set->roost_node_addr,
		.self = TRUE,
		.pinned = TRUE,
		.epoch = pin->epoch,
		.pin = pin,
	};

	claim_finish(claim, &result);
}

static void claim_finish_node(struct roost_agent_claim *claim,
			      const struct roost_agent_node *node, bool pinned,
			      uint64_t epoch)
{
	struct roost_agent_claim_result result = {
		.owner = node->name,
		.host = node->addr,
		.port = roost_agent_nodes_port(node, claim->req.service),
		.self = strcmp(node->name, claim->agent->node) == 0,
		.pinned = pinned,
		.epoch = epoch,
	};

	claim_finish(claim, &result);
}

/* ---- waiting ------------------------------------------------------------ */

/* Runs again after msecs, or fails with code once max_msecs have gone. */
static void claim_wait(struct roost_agent_claim *claim, unsigned int msecs,
		       unsigned int max_msecs, const char *code,
		       const char *reason)
{
	uint64_t gone =
		(roost_lease_page_now() - claim->started) / NSECS_PER_MSEC;

	if (claim->callback == NULL) {
		if (!claim->starting)
			claim_free(claim);
		return;
	}
	if (gone + msecs > max_msecs) {
		claim_fail(claim, code, reason, "");
		return;
	}
	/* that a boot is dead is a lasting fact, unless Redis loses its memory
	   meanwhile and the node asserts the very same boot */
	claim->dead_node = claim->dead_boot = "";
	timeout_remove(&claim->to);
	claim->to = timeout_add_short(msecs, claim_run, claim);
}

/* The user's release is under way: its answer is close. */
static void claim_wait_release(struct roost_agent_claim *claim)
{
	claim_wait(claim, RELEASE_RETRY_MSECS, ROOST_AGENT_AWAY_MSECS, "away",
		   "the user is being released");
}

static void claim_wait_away(struct roost_agent_claim *claim, const char *reason)
{
	struct roost_agent_redis *redis = claim->agent->redis;
	unsigned int max_msecs = ROOST_AGENT_AWAY_MSECS;

	if (redis != NULL && roost_agent_redis_is_away(redis))
		max_msecs = 0;
	claim_wait(claim, AWAY_RETRY_MSECS, max_msecs, "away", reason);
}

/* Its sessions here are ending; then the user is another node's. */
static void claim_wait_leaving(struct roost_agent_claim *claim)
{
	claim_wait(claim, LEAVE_RETRY_MSECS, ROOST_AGENT_BUSY_MSECS, "busy",
		   "the user is leaving this node, but not all its sessions "
		   "have ended");
}

static bool claim_is_leaving(const struct roost_agent_claim *claim)
{
	const struct roost_agent_pin *pin =
		roost_agent_pins_find(claim->agent->pins, claim->req.user);

	return pin != NULL && pin->leave != NULL;
}

/* An error that ends by itself within seconds. */
static bool claim_is_passing(const struct roost_agent_redis_reply *reply)
{
	return reply->away || strncmp(reply->error, "LOADING", 7) == 0;
}

/* ---- another node's user ------------------------------------------------ */

static void claim_owner_alive(struct roost_agent_claim *claim,
			      const struct roost_agent_node *node)
{
	const char *reason =
		t_strdup_printf("node %s owns the user", claim->owner);

	if (claim->req.command == ROOST_AGENT_OPEN)
		claim_fail(claim, "owner", reason, claim->owner);
	else if (claim->req.hop != NULL)
		claim_fail(claim, "loop",
			   t_strdup_printf("%s, node %s sent the session here",
					   reason, claim->req.hop),
			   claim->owner);
	else
		claim_finish_node(claim, node, TRUE, claim->owner_epoch);
}

static void claim_owner_checked(const struct roost_agent_node *node,
				enum roost_lease_peer state, bool failed,
				void *context)
{
	struct roost_agent_claim *claim = context;

	claim->in_redis = FALSE;
	if (failed) {
		claim_wait_away(claim, "Redis cannot be asked");
		return;
	}
	switch (state) {
	case ROOST_LEASE_PEER_ALIVE:
		claim_owner_alive(claim, node);
		break;
	case ROOST_LEASE_PEER_SILENT:
		/* it may come back, it may be dead: its lease will tell */
		claim_wait(claim, SILENT_RETRY_MSECS, ROOST_AGENT_BUSY_MSECS,
			   "busy",
			   t_strdup_printf("node %s, which owns the user, is "
					   "silent but its lease has not ended",
					   claim->owner));
		break;
	case ROOST_LEASE_PEER_DEAD:
		claim->dead_node = claim->owner;
		claim->dead_boot = claim->owner_boot;
		claim_run(claim);
		break;
	}
}

/* values: owned, node, boot, epoch */
static void claim_owned(struct roost_agent_claim *claim,
			const char *const *values)
{
	if (strcmp(values[1], claim->owner) != 0 ||
	    strcmp(values[2], claim->owner_boot) != 0) {
		claim->owner = p_strdup(claim->pool, values[1]);
		claim->owner_boot = p_strdup(claim->pool, values[2]);
	}
	if (str_to_uint64(values[3], &claim->owner_epoch) < 0)
		claim->owner_epoch = 0;
	/* an earlier boot of this node is a dead owner like any other */
	claim->in_redis = TRUE;
	roost_agent_nodes_check(claim->agent->nodes, claim->owner,
				claim->owner_boot, claim_owner_checked, claim);
}

/* ---- LOOKUP ------------------------------------------------------------- */

static void lookup_unpinned(struct roost_agent_claim *claim)
{
	const struct roost_agent_node *node =
		roost_agent_nodes_place(claim->agent->nodes, claim->req.user);

	if (node == NULL)
		claim_wait_away(claim, "no node is up");
	else
		claim_finish_node(claim, node, FALSE, 0);
}

static void lookup_checked(const struct roost_agent_node *node,
			   enum roost_lease_peer state, bool failed,
			   void *context)
{
	struct roost_agent_claim *claim = context;

	claim->in_redis = FALSE;
	if (failed)
		claim_wait_away(claim, "Redis cannot be asked");
	else if (state == ROOST_LEASE_PEER_DEAD)
		lookup_unpinned(claim); /* as its next claim will find it */
	else if (node == NULL)
		claim_wait(claim, SILENT_RETRY_MSECS, ROOST_AGENT_BUSY_MSECS,
			   "busy",
			   t_strdup_printf("Redis does not know node %s, "
					   "which owns the user",
					   claim->owner));
	else
		claim_finish_node(claim, node, TRUE, claim->owner_epoch);
}

static void lookup_answered(const struct roost_agent_redis_reply *reply,
			    void *context)
{
	struct roost_agent_claim *claim = context;

	claim->in_redis = FALSE;
	if (reply->error != NULL && !claim_is_passing(reply)) {
		e_error(claim->agent->event,
			"Redis does not tell about user %s: %s",
			claim->req.user, reply->error);
		claim_fail(claim, "away", "Redis refuses the lookup", "");
		return;
	}
	if (reply->error != NULL || reply->count < 3) {
		claim_wait_away(claim, "Redis cannot be asked");
		return;
	}
	if (*reply->values[0] == '\0') {
		lookup_unpinned(claim);
		return;
	}
	claim->owner = p_strdup(claim->pool, reply->values[0]);
	claim->owner_boot = p_strdup(claim->pool, reply->values[1]);
	if (str_to_uint64(reply->values[2], &claim->owner_epoch) < 0)
		claim->owner_epoch = 0;
	claim->in_redis = TRUE;
	roost_agent_nodes_check(claim->agent->nodes, claim->owner,
				claim->owner_boot, lookup_checked, claim);
}

static void lookup_send(struct roost_agent_claim *claim)
{
	const char *const args[] = {
		"HMGET", roost_agent_pins_key(claim->req.user),
		"node",	 "boot",
		"epoch", NULL
	};

	claim->in_redis = TRUE;
	roost_agent_redis_command(claim->agent->redis, args, lookup_answered,
				  claim);
}

/* ---- CLAIM and OPEN ----------------------------------------------------- */

/* what: held, claimed or takeover; values[1..3]: node, boot, epoch */
static void claim_granted(struct roost_agent_claim *claim,
			  const char *const *values)
{
	struct roost_agent *agent = claim->agent;
	bool self = strcmp(values[1], agent->node) == 0;
	/* from itself: after a release nobody knows the end of */
	bool takeover =
		strcmp(values[0], "takeover") == 0 && *claim->dead_node != '\0';
	struct event_passthrough *e;
	const struct roost_agent_node *node;
	struct roost_agent_pin *pin;
	uint64_t epoch;

	if (str_to_uint64(values[3], &epoch) < 0)
		epoch = 0;
	e = event_create_passthrough(agent->event)
		    ->set_name(takeover ? "roost_takeover" : "roost_claim")
		    ->add_str("user", claim->req.user)
		    ->add_str("service", claim->req.service)
		    ->add_str("node", values[1])
		    ->add_str("epoch", values[3])
		    ->add_str("from", claim->dead_node);
	if (takeover)
		e_info(e->event(),
		       "User %s taken over by node %s from %s, "
		       "whose lease has ended (epoch %s)",
		       claim->req.user, values[1], claim->dead_node, values[3]);
	else if (strcmp(values[0], "held") != 0)
		e_info(e->event(), "User %s pinned to node %s (epoch %s)",
		       claim->req.user, values[1], values[3]);
	else
		e_debug(e->event(), "User %s is pinned here", claim->req.user);

	if (!self) {
		node = roost_agent_nodes_find(agent->nodes, values[1]);
		if (node == NULL)
			claim_wait_away(claim, "the node has gone");
		else
			claim_finish_node(claim, node, TRUE, epoch);
		return;
	}
	pin = roost_agent_pins_add(
		agent->pins, claim->req.user, epoch,
		strcmp(values[0], "held") == 0 &&
			roost_agent_lease_is_resumed(agent->lease));
	if (pin == NULL)
		claim_fail(claim, "busy", "this node holds too many users", "");
	else
		claim_finish_self(claim, pin);
}

static void claim_answered(const struct roost_agent_redis_reply *reply,
			   void *context)
{
	struct roost_agent_claim *claim = context;
	struct roost_agent *agent = claim->agent;
	const char *const *values = reply->values;
	unsigned int msecs;

	claim->in_redis = FALSE;
	if (reply->error != NULL && !claim_is_passing(reply)) {
		e_error(agent->event, "Redis refuses to claim user %s: %s",
			claim->req.user, reply->error);
		claim_fail(claim, "away", "Redis refuses the claim", "");
	} else if (reply->error != NULL) {
		claim_wait_away(claim,
				t_strdup_printf("Redis: %s", reply->error));
	} else if (!roost_agent_lease_valid(agent->lease) ||
		   roost_agent_lease_boot(agent->lease) != claim->boot) {
		/* the boot that asked has ended meanwhile */
		claim_wait_away(claim, roost_agent_lease_reason(agent->lease));
	} else if (roost_agent_pins_is_releasing(agent->pins,
						 claim->req.user)) {
		/* asked before the release: what it says may be over */
		claim_wait_release(claim);
	} else if (claim_is_leaving(claim)) {
		claim_wait_leaving(claim);
	} else if (reply->count >= 2 && strcmp(values[0], "grace") == 0 &&
		   str_to_uint(values[1], &msecs) == 0) {
		claim_wait(claim, I_MIN(msecs, GRACE_RETRY_MSECS),
			   ROOST_AGENT_BUSY_MSECS, "busy",
			   "Redis lost its memory a moment ago: users get no "
			   "new node yet");
	} else if (reply->count >= 4 && strcmp(values[0], "owned") == 0) {
		roost_agent_pins_end_doubt(agent->pins, claim->req.user);
		claim_owned(claim, values);
	} else if (reply->count >= 4) {
		roost_agent_pins_end_doubt(agent->pins, claim->req.user);
		claim_granted(claim, values);
	} else {
		claim_fail(claim, "away", "Redis answers with nonsense", "");
	}
}

static void claim_send(struct roost_agent_claim *claim, const char *target,
		       const char *target_boot)
{
	struct roost_agent *agent = claim->agent;
	bool self = strcmp(target, agent->node) == 0;
	/* then a pin of this boot is taken over like a dead one's */
	bool doubt = roost_agent_pins_is_doubtful(agent->pins, claim->req.user);
	const char *boot = t_strdup_printf("%" PRIu64, claim->boot);
	const char *args[] = {
		roost_agent_pins_key(claim->req.user),
		roost_agent_pins_gen_key(claim->req.user),
		roost_agent_redis_run_id(agent->redis),
		t_strdup_printf("%" PRIu64,
				roost_agent_lease_grace_usecs(agent->lease)),
		agent->node,
		doubt ? "" : boot,
		target,
		self ? boot : target_boot,
		doubt ? agent->node : claim->dead_node,
		doubt ? boot : claim->dead_boot,
		self ? "0"
		     : t_strdup_printf("%u",
				       I_MAX(agent->set->roost_user_expire, 1) *
					       1000),
		NULL
	};

	claim->in_redis = TRUE;
	roost_agent_redis_script(agent->redis, ROOST_SCRIPT_USER_CLAIM, 2, args,
				 claim_answered, claim);
}

static void claim_place(struct roost_agent_claim *claim)
{
	const struct roost_agent_node *node;

	if (claim->req.command == ROOST_AGENT_OPEN || claim->req.hop != NULL) {
		claim_send(claim, claim->agent->node, NULL);
		return;
	}
	node = roost_agent_nodes_ready(claim->agent->nodes)
		       ? roost_agent_nodes_place(claim->agent->nodes,
						 claim->req.user)
		       : NULL;
	if (node == NULL)
		claim_wait_away(claim, "no node is up");
	else
		claim_send(claim, node->name, node->boot);
}

/* ---- the beginning ------------------------------------------------------ */

static bool claim_changes(const struct roost_agent_claim *claim)
{
	return claim->req.command == ROOST_AGENT_CLAIM ||
	       claim->req.command == ROOST_AGENT_OPEN;
}

/* A cluster of one: every user is here. */
static void claim_alone(struct roost_agent_claim *claim)
{
	struct roost_agent *agent = claim->agent;
	struct roost_agent_pin *pin =
		roost_agent_pins_find(agent->pins, claim->req.user);
	struct roost_agent_claim_result result = {
		.owner = agent->node,
		.host = "",
		.self = TRUE,
		.pinned = pin != NULL,
		.epoch = roost_agent_lease_boot(agent->lease),
	};

	if (pin == NULL && claim_changes(claim)) {
		pin = roost_agent_pins_add(agent->pins, claim->req.user,
					   result.epoch, FALSE);
		if (pin == NULL) {
			claim_fail(claim, "busy",
				   "this node holds too many users", "");
			return;
		}
	}
	result.pin = claim_changes(claim) ? pin : NULL;
	claim_finish(claim, &result);
}

static void claim_run(struct roost_agent_claim *claim)
{
	struct roost_agent *agent = claim->agent;
	struct roost_agent_pin *pin;

	timeout_remove(&claim->to);
	if (!roost_agent_lease_valid(agent->lease)) {
		claim_wait_away(claim, roost_agent_lease_reason(agent->lease));
		return;
	}
	if (agent->redis == NULL) {
		claim_alone(claim);
		return;
	}
	pin = roost_agent_pins_find(agent->pins, claim->req.user);
	if (pin != NULL && pin->leave != NULL &&
	    claim->req.command != ROOST_AGENT_STATUS) {
		claim_wait_leaving(claim);
		return;
	}
	if (pin != NULL) {
		if (claim_changes(claim))
			roost_agent_pins_touch(agent->pins, pin);
		claim_finish_self(claim, pin);
		return;
	}
	if (roost_agent_pins_is_releasing(agent->pins, claim->req.user)) {
		claim_wait_release(claim);
		return;
	}
	if (!roost_agent_redis_is_connected(agent->redis)) {
		claim_wait_away(claim, "there is no connection to Redis");
		return;
	}
	claim->boot = roost_agent_lease_boot(agent->lease);
	if (claim_changes(claim))
		claim_place(claim);
	else
		lookup_send(claim);
}

struct roost_agent_claim *
roost_agent_claim_start(struct roost_agent *agent,
			const struct roost_agent_request *request,
			roost_agent_claim_callback_t *callback, void *context)
{
	pool_t pool = pool_alloconly_create("roost claim", 512);
	struct roost_agent_claim *claim =
		p_new(pool, struct roost_agent_claim, 1);

	claim->pool = pool;
	claim->agent = agent;
	claim->req = *request;
	claim->req.user = p_strdup(pool, request->user);
	claim->req.service = p_strdup(
		pool, request->service == NULL ? "" : request->service);
	claim->req.hop = p_strdup(pool, request->hop);
	claim->callback = callback;
	claim->context = context;
	claim->dead_node = claim->dead_boot = "";
	claim->owner = claim->owner_boot = "";
	claim->started = roost_lease_page_now();

	claim->starting = TRUE;
	claim_run(claim);
	claim->starting = FALSE;
	if (claim->callback != NULL)
		return claim;
	claim_free(claim);
	return NULL;
}

void roost_agent_claim_abort(struct roost_agent_claim **_claim)
{
	struct roost_agent_claim *claim = *_claim;

	*_claim = NULL;
	claim->callback = NULL;
	/* an answer of Redis is still recorded: the user may be ours now */
	if (!claim->in_redis)
		claim_free(claim);
}
