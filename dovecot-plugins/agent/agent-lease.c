/* SPDX-License-Identifier: MIT */
/* agent-lease: holds the node's lease. The rules are common/rules/lease. */
#include "lib.h"
#include "ioloop.h"
#include "strnum.h"
#include "common/proto/agent-proto.h"
#include "common/rules/lease.h"
#include "common/rules/user-hash.h"
#include "dovecot-plugins/client/lease-page.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/agent/agent.h"
#include "dovecot-plugins/agent/agent-lease.h"
#include "dovecot-plugins/agent/agent-leave.h"
#include "dovecot-plugins/agent/agent-nodes.h"
#include "dovecot-plugins/agent/agent-pins.h"
#include "dovecot-plugins/agent/agent-redis.h"
#include "dovecot-plugins/agent/agent-session.h"

#include <unistd.h>

#define NSECS_PER_SEC 1000000000ULL
#define NSECS_PER_MSEC 1000000ULL
#define USECS_PER_SEC 1000000ULL

struct roost_agent_lease {
	struct roost_agent *agent;
	struct roost_lease_page *page;
	struct roost_lease state;
	struct timeout *to;
	enum roost_lease_request request; /* in flight */
	uint64_t sent;
	unsigned int weight; /* as last announced */
	char *reason;
	bool name_taken;
	bool ended; /* given back: nothing is sent any more */
	void (*end_callback)(void *context);
	void *end_context;
};

static void lease_run(struct roost_agent_lease *lease);

static void lease_set_reason(struct roost_agent_lease *lease,
			     const char *reason)
{
	char *copy = i_strdup(reason);

	i_free(lease->reason);
	lease->reason = copy;
}

/* ---- what happened ------------------------------------------------------ */

static void lease_publish(struct roost_agent_lease *lease)
{
	roost_lease_page_publish(lease->page, lease->state.boot,
				 lease->state.deadline);
}

static void lease_remember_server(struct roost_agent_lease *lease,
				  const char *run_id)
{
	i_strocpy(lease->page->redis_id, run_id, sizeof(lease->page->redis_id));
}

static void lease_gained(struct roost_agent_lease *lease)
{
	const char *boot = t_strdup_printf("%" PRIu64, lease->state.boot);

	roost_agent_pins_clear(lease->agent->pins);
	lease_publish(lease);
	lease->name_taken = FALSE;
	e_info(event_create_passthrough(lease->agent->event)
		       ->set_name("roost_lease_gained")
		       ->add_str("node", lease->agent->node)
		       ->add_str("boot", boot)
		       ->event(),
	       "Lease gained: node %s, boot %s", lease->agent->node, boot);
}

static void lease_lost(struct roost_agent_lease *lease, const char *reason)
{
	lease_publish(lease);
	lease_set_reason(lease, reason);
	e_error(event_create_passthrough(lease->agent->event)
			->set_name("roost_lease_lost")
			->add_str("node", lease->agent->node)
			->add_str("reason", reason)
			->event(),
		"Lease lost: %s. No mailbox of %u users may be written here; "
		"logins fail until there is a new lease",
		reason, roost_agent_pins_count(lease->agent->pins));
	/* they can do no more here: the clients shall come again */
	if (lease->agent->sessions != NULL)
		(void)roost_agent_sessions_kick(
			lease->agent->sessions, NULL,
			"the lease of this node has ended");
	roost_agent_pins_clear(lease->agent->pins);
}

static void lease_name_taken(struct roost_agent_lease *lease,
			     const struct roost_agent_redis_reply *reply)
{
	const char *other = reply->count > 2 ? reply->values[2] : "";

	lease_set_reason(lease, t_strdup_printf("another process holds the "
						"lease of node %s",
						lease->agent->node));
	if (lease->name_taken)
		return;
	lease->name_taken = TRUE;
	e_warning(event_create_passthrough(lease->agent->event)
			  ->set_name("roost_lease_in_use")
			  ->add_str("node", lease->agent->node)
			  ->add_str("addr", other)
			  ->event(),
		  "The lease of node %s is held by a process at %s: waiting "
		  "for its end. If that is not an earlier life of this node, "
		  "two nodes have the same roost_node",
		  lease->agent->node, other);
}

static void pins_asserted(bool success, void *context)
{
	struct roost_agent_lease *lease = context;

	if (!success || !lease->state.asserting)
		return; /* the next connection begins again */
	roost_lease_asserted(&lease->state, roost_lease_page_now());
	e_info(event_create_passthrough(lease->agent->event)
		       ->set_name("roost_lease_asserted")
		       ->event(),
	       "%u users asserted after Redis lost its memory",
	       roost_agent_pins_count(lease->agent->pins));
	lease_run(lease);
}

/* The first shard speaks for all; a claim looks at its own. */
static void shard_answered(const struct roost_agent_redis_reply *reply,
			   void *context)
{
	struct roost_agent_lease *lease = context;
	uint64_t left;

	if (reply->error != NULL || reply->count == 0 ||
	    str_to_uint64(reply->values[0], &left) < 0 || left == 0)
		return;
	e_warning(event_create_passthrough(lease->agent->event)
			  ->set_name("roost_grace")
			  ->add_str("run_id", roost_agent_redis_run_id(
						      lease->agent->redis))
			  ->add_int("usecs", (intmax_t)left)
			  ->event(),
		  "Redis is new, another one, or was wiped: users get no new "
		  "node for %u ms; whoever holds one keeps it",
		  (unsigned int)(left / 1000));
}

static void
other_shard_answered(const struct roost_agent_redis_reply *reply ATTR_UNUSED,
		     void *context ATTR_UNUSED)
{
}

/* Starts the grace period of every shard that does not know this server. */
static void shards_begin(struct roost_agent_lease *lease)
{
	const char *args[4] = { NULL };
	unsigned int i;

	args[1] = roost_agent_redis_run_id(lease->agent->redis);
	args[2] = t_strdup_printf("%" PRIu64,
				  roost_agent_lease_grace_usecs(lease));
	for (i = 0; i < ROOST_USER_SHARDS; i++) {
		args[0] = t_strdup_printf("roost:{%u}:gen", i);
		roost_agent_redis_script(
			lease->agent->redis, ROOST_SCRIPT_SHARD_GEN, 1, args,
			i == 0 ? shard_answered : other_shard_answered, lease);
	}
}

static void lease_event(struct roost_agent_lease *lease,
			enum roost_lease_event event,
			const struct roost_agent_redis_reply *reply)
{
	switch (event) {
	case ROOST_LEASE_SAME:
		break;
	case ROOST_LEASE_GAINED:
		lease_remember_server(
			lease, roost_agent_redis_run_id(lease->agent->redis));
		lease_gained(lease);
		roost_agent_nodes_refresh(lease->agent->nodes);
		break;
	case ROOST_LEASE_RENEWED:
		lease_remember_server(
			lease, roost_agent_redis_run_id(lease->agent->redis));
		lease_publish(lease);
		e_debug(event_create_passthrough(lease->agent->event)
				->set_name("roost_lease_renewed")
				->event(),
			"Lease renewed");
		break;
	case ROOST_LEASE_LOST:
		lease_lost(lease, "Redis says that this node was silent for "
				  "too long or was replaced");
		break;
	case ROOST_LEASE_PINS:
		roost_agent_pins_assert(lease->agent->pins, pins_asserted,
					lease);
		break;
	case ROOST_LEASE_NAME_TAKEN:
		lease_name_taken(lease, reply);
		break;
	}
}

/* ---- requests ----------------------------------------------------------- */

static enum roost_lease_result
reply_parse(struct roost_agent_lease *lease,
	    const struct roost_agent_redis_reply *reply, uint64_t *boot_r)
{
	static const struct {
		const char *word;
		enum roost_lease_result result;
	} results[] = {
		{ "dead", ROOST_LEASE_DEAD },
		{ "missing", ROOST_LEASE_MISSING },
		{ "in-use", ROOST_LEASE_IN_USE },
	};
	unsigned int i;

	*boot_r = 0;
	if (reply->error != NULL) {
		if (!reply->away)
			e_error(lease->agent->event,
				"Redis refuses to renew the lease: %s",
				reply->error);
		return ROOST_LEASE_FAILED;
	}
	if (reply->count >= 2 && strcmp(reply->values[0], "granted") == 0 &&
	    str_to_uint64(reply->values[1], boot_r) == 0 && *boot_r != 0)
		return ROOST_LEASE_GRANTED;
	for (i = 0; i < N_ELEMENTS(results) && reply->count > 0; i++) {
		if (strcmp(reply->values[0], results[i].word) == 0)
			return results[i].result;
	}
	e_error(lease->agent->event, "Redis answers the lease with nonsense");
	return ROOST_LEASE_FAILED;
}

/* What the admin wants of this node: values[2..3] are state and weight. */
static void lease_wanted(struct roost_agent_lease *lease,
			 const struct roost_agent_redis_reply *reply)
{
	unsigned int weight;

	if (reply->count < 4)
		return;
	if (str_to_uint(reply->values[3], &weight) == 0 &&
	    weight <= ROOST_AGENT_PROTO_MAX_WEIGHT)
		lease->weight = weight;
	roost_agent_leaves_drain(lease->agent->leaves,
				 strcmp(reply->values[2], "drain") == 0);
}

static void lease_answered(const struct roost_agent_redis_reply *reply,
			   void *context)
{
	struct roost_agent_lease *lease = context;
	enum roost_lease_result result;
	uint64_t boot;

	result = reply_parse(lease, reply, &boot);
	if (result == ROOST_LEASE_MISSING && !lease->state.resumed) {
		/* until the pins are asserted a restarted agent must not
		   take this server for the one that knows them */
		lease_remember_server(lease, "");
		shards_begin(lease);
	}
	lease_event(lease,
		    roost_lease_answer(&lease->state, lease->request,
				       lease->sent, result, boot,
				       roost_lease_page_now()),
		    reply);
	if (result == ROOST_LEASE_GRANTED &&
	    roost_lease_valid(&lease->state, roost_lease_page_now()))
		lease_wanted(lease, reply);
	lease_run(lease);
}

static void lease_send(struct roost_agent_lease *lease)
{
	static const char *const words[] = {
		[ROOST_LEASE_NEW] = "new",
		[ROOST_LEASE_RENEW] = "renew",
		[ROOST_LEASE_ASSERT] = "assert",
	};
	const struct roost_settings *set = lease->agent->set;
	const char *args[] = {
		t_strdup_printf("roost:node:{%s}", lease->agent->node),
		t_strdup_printf("roost:node:{%s}:want", lease->agent->node),
		words[lease->request],
		t_strdup_printf("%" PRIu64, lease->state.boot),
		t_strdup_printf("%u", set->roost_lease_ttl * 1000),
		set->roost_node_addr,
		set->roost_node_ports,
		t_strdup_printf("%u", lease->weight),
		ROOST_AGENT_TAG,
		roost_agent_leaves_is_draining(lease->agent->leaves) ? "drain"
								     : "up",
		NULL
	};

	roost_agent_redis_script(lease->agent->redis, ROOST_SCRIPT_NODE_RENEW,
				 2, args, lease_answered, lease);
}

/* Looks at the clock: ends the lease, sends, and sleeps. */
static void lease_run(struct roost_agent_lease *lease)
{
	uint64_t now = roost_lease_page_now(), wake;

	timeout_remove(&lease->to);
	if (lease->ended)
		return;
	if (roost_lease_tick(&lease->state, now) == ROOST_LEASE_LOST)
		lease_lost(lease, "it could not be renewed in time");
	if (roost_agent_redis_is_connected(lease->agent->redis)) {
		enum roost_lease_request request =
			roost_lease_next(&lease->state, now, &wake);

		if (request != ROOST_LEASE_NOTHING) {
			lease->request = request;
			lease->sent = now;
			lease_send(lease);
			wake = now + lease->state.interval;
		}
	} else {
		wake = now + lease->state.interval;
	}
	if (lease->state.deadline != 0 && lease->state.deadline < wake)
		wake = lease->state.deadline;
	lease->to = timeout_add_short(
		(unsigned int)((wake - now) / NSECS_PER_MSEC) + 1, lease_run,
		lease);
}

void roost_agent_lease_connected(struct roost_agent_lease *lease,
				 const char *run_id)
{
	bool changed = strcmp(lease->page->redis_id, run_id) != 0;
	bool held = lease->state.deadline != 0;

	if (changed)
		shards_begin(lease);
	roost_lease_connected(&lease->state, changed, roost_lease_page_now());
	if (held && lease->state.deadline == 0)
		lease_lost(lease, "the agent was restarted while Redis was, "
				  "too: it does not know its users");
	lease_run(lease);
}

void roost_agent_lease_renew(struct roost_agent_lease *lease)
{
	lease->state.next = 0;
	lease_run(lease);
}

void roost_agent_lease_drop(struct roost_agent_lease *lease, const char *reason)
{
	if (lease->state.deadline == 0)
		return;
	roost_lease_drop(&lease->state, roost_lease_page_now());
	lease_lost(lease, reason);
	lease_run(lease);
}

static void lease_ended(const struct roost_agent_redis_reply *reply ATTR_UNUSED,
			void *context)
{
	struct roost_agent_lease *lease = context;

	lease->end_callback(lease->end_context);
}

void roost_agent_lease_end(struct roost_agent_lease *lease,
			   void (*callback)(void *context), void *context)
{
	const char *args[] = {
		t_strdup_printf("roost:node:{%s}", lease->agent->node),
		t_strdup_printf("%" PRIu64, lease->state.boot), NULL
	};

	timeout_remove(&lease->to);
	lease->ended = TRUE;
	lease_set_reason(lease, "Dovecot is stopping");
	roost_agent_pins_clear(lease->agent->pins);
	if (lease->agent->redis == NULL) {
		roost_lease_page_publish(lease->page, lease->state.boot, 0);
		lease->state.deadline = 0;
		callback(context);
		return;
	}
	roost_lease_drop(&lease->state, roost_lease_page_now());
	lease_publish(lease);
	lease->end_callback = callback;
	lease->end_context = context;
	e_info(event_create_passthrough(lease->agent->event)
		       ->set_name("roost_lease_ended")
		       ->event(),
	       "Lease of node %s given back", lease->agent->node);
	roost_agent_redis_script(lease->agent->redis, ROOST_SCRIPT_NODE_END, 1,
				 args, lease_ended, lease);
}

/* ---- questions ---------------------------------------------------------- */

bool roost_agent_lease_valid(struct roost_agent_lease *lease)
{
	return roost_lease_valid(&lease->state, roost_lease_page_now());
}

uint64_t roost_agent_lease_boot(const struct roost_agent_lease *lease)
{
	return lease->state.boot;
}

unsigned int roost_agent_lease_left_msecs(const struct roost_agent_lease *lease)
{
	uint64_t now = roost_lease_page_now();

	if (lease->state.deadline == ROOST_LEASE_PAGE_FOREVER)
		return UINT_MAX;
	if (!roost_lease_valid(&lease->state, now))
		return 0;
	return (unsigned int)((lease->state.deadline - now) / NSECS_PER_MSEC);
}

const char *roost_agent_lease_reason(const struct roost_agent_lease *lease)
{
	return lease->reason == NULL ? "no lease yet" : lease->reason;
}

bool roost_agent_lease_is_resumed(const struct roost_agent_lease *lease)
{
	return lease->state.resumed;
}

bool roost_agent_lease_is_ours(const struct roost_agent_lease *lease)
{
	return atomic_load(&lease->page->agent_pid) == (uint64_t)getpid();
}

uint64_t roost_agent_lease_grace_usecs(const struct roost_agent_lease *lease)
{
	unsigned int ttl = lease->agent->set->roost_lease_ttl;

	if (lease->agent->nodes != NULL)
		ttl = I_MAX(ttl, roost_agent_nodes_ttl(lease->agent->nodes));
	return ttl * USECS_PER_SEC;
}

/* ---- begin and end ------------------------------------------------------ */

/* A cluster of one: boots rise with the clock, sessions of an earlier agent
   go on. */
static void lease_hold_forever(struct roost_agent_lease *lease)
{
	uint64_t boot = lease->page->boot;

	if (lease->page->deadline != ROOST_LEASE_PAGE_FOREVER || boot == 0) {
		uint64_t usecs =
			(uint64_t)ioloop_timeval.tv_sec * USECS_PER_SEC +
			(uint64_t)ioloop_timeval.tv_usec;
		boot = I_MAX(boot + 1, usecs);
	}
	lease->state.boot = boot;
	lease->state.deadline = ROOST_LEASE_PAGE_FOREVER;
	lease_publish(lease);
	e_info(event_create_passthrough(lease->agent->event)
		       ->set_name("roost_lease_gained")
		       ->add_str("node", lease->agent->node)
		       ->event(),
	       "roost_redis is empty: node %s is a cluster of one",
	       lease->agent->node);
}

struct roost_agent_lease *roost_agent_lease_init(struct roost_agent *agent,
						 struct roost_lease_page *page)
{
	struct roost_agent_lease *lease = i_new(struct roost_agent_lease, 1);
	uint64_t now = roost_lease_page_now();

	lease->agent = agent;
	lease->page = page;
	lease->weight = ROOST_AGENT_DEFAULT_WEIGHT;
	roost_lease_init(&lease->state,
			 agent->set->roost_lease_ttl * NSECS_PER_SEC);
	if (agent->redis == NULL) {
		lease_hold_forever(lease);
		return lease;
	}
	if (page->boot != 0)
		roost_lease_resume(&lease->state, page->boot, page->deadline,
				   now);
	if (lease->state.deadline != 0)
		e_info(agent->event,
		       "Resuming the lease of node %s, boot %" PRIu64
		       ", of an earlier agent process",
		       agent->node, lease->state.boot);
	lease_publish(lease);
	lease_run(lease);
	return lease;
}

void roost_agent_lease_deinit(struct roost_agent_lease **_lease)
{
	struct roost_agent_lease *lease = *_lease;

	if (lease == NULL)
		return;
	*_lease = NULL;
	timeout_remove(&lease->to);
	i_free(lease->reason);
	i_free(lease);
}
