/* SPDX-License-Identifier: MIT */
/* agent-leave: users that are on their way off this node. */
#include "lib.h"
#include "ioloop.h"
#include "llist.h"
#include "common/rules/lease.h"
#include "dovecot-plugins/client/lease-page.h"
#include "dovecot-plugins/agent/agent.h"
#include "dovecot-plugins/agent/agent-lease.h"
#include "dovecot-plugins/agent/agent-leave.h"
#include "dovecot-plugins/agent/agent-nodes.h"
#include "dovecot-plugins/agent/agent-pins.h"
#include "dovecot-plugins/agent/agent-session.h"

#define NSECS_PER_MSEC 1000000ULL
/* Of a drain at a time, and how often it looks for whoever came. */
#define DRAIN_PARALLEL 100
#define DRAIN_POLL_MSECS 250
/* Then Redis and the others have their turn. */
#define DRAIN_ROUNDS 10

struct roost_agent_leave {
	struct roost_agent_leave *prev, *next;
	struct roost_agent_leaves *leaves;
	struct roost_agent_pin *pin; /* NULL: given up, Redis is asked */
	char *user, *target;	     /* target NULL: released */
	uint64_t started;
	struct timeout *to;
	roost_agent_leave_callback_t *callback;
	void *context;
};

struct roost_agent_leaves {
	struct roost_agent *agent;
	struct roost_agent_leave *head;
	unsigned int count;
	bool draining, drained_logged;
	uint64_t drain_began;
	unsigned int drained;
	struct timeout *to_drain;
};

/* ---- the end ------------------------------------------------------------ */

static void leave_detach(struct roost_agent_leave *leave)
{
	if (leave->pin != NULL)
		leave->pin->leave = NULL;
	leave->pin = NULL;
}

static void leave_free(struct roost_agent_leave *leave)
{
	leave_detach(leave);
	DLLIST_REMOVE(&leave->leaves->head, leave);
	leave->leaves->count--;
	timeout_remove(&leave->to);
	i_free(leave->user);
	i_free(leave->target);
	i_free(leave);
}

static void leave_done(struct roost_agent_leave *leave, const char *code,
		       const char *reason, uint64_t epoch)
{
	struct roost_agent *agent = leave->leaves->agent;
	uint64_t ms =
		(roost_lease_page_now() - leave->started) / NSECS_PER_MSEC;
	struct event_passthrough *e =
		event_create_passthrough(agent->event)
			->set_name("roost_move")
			->add_str("user", leave->user)
			->add_str("from", agent->node)
			->add_str("to", leave->target)
			->add_int("epoch", (intmax_t)epoch)
			->add_int("ms", (intmax_t)ms);

	if (code != NULL)
		e_warning(e->add_str("code", code)->event(),
			  "User %s does not leave this node: %s", leave->user,
			  reason);
	else if (leave->target != NULL)
		e_info(e->event(),
		       "User %s moved to node %s (epoch %" PRIu64 ") in "
		       "%" PRIu64 " ms",
		       leave->user, leave->target, epoch, ms);
	else
		e_debug(e->event(), "User %s has left in %" PRIu64 " ms",
			leave->user, ms);
	if (code == NULL && leave->target == NULL)
		leave->leaves->drained++;
	if (leave->callback != NULL)
		leave->callback(code, reason, epoch, leave->context);
	leave_free(leave);
}

static void leave_handed_over(const char *error, uint64_t epoch, void *context)
{
	struct roost_agent_leave *leave = context;

	leave_done(leave, error == NULL ? NULL : "away", error, epoch);
}

static void leave_timeout(struct roost_agent_leave *leave)
{
	leave_done(leave, "busy",
		   t_strdup_printf("%u sessions do not end; the user stays",
				   leave->pin->refs),
		   0);
}

void roost_agent_leave_idle(struct roost_agent_leave *leave)
{
	struct roost_agent *agent = leave->leaves->agent;
	struct roost_agent_pin *pin = leave->pin;
	const struct roost_agent_node *node;

	if (!roost_agent_lease_is_ours(agent->lease)) {
		leave_done(leave, "away",
			   "another agent process has taken over", 0);
		return;
	}
	if (leave->target == NULL) {
		leave_detach(leave);
		roost_agent_pins_release(agent->pins, pin);
		leave_done(leave, NULL, NULL, 0);
		return;
	}
	node = roost_agent_nodes_find(agent->nodes, leave->target);
	if (node == NULL || !roost_agent_nodes_is_up(agent->nodes, node)) {
		leave_done(leave, "node",
			   t_strdup_printf("node %s is not up any more",
					   leave->target),
			   0);
		return;
	}
	timeout_remove(&leave->to);
	leave_detach(leave);
	roost_agent_pins_hand_over(agent->pins, pin, node, leave_handed_over,
				   leave);
}

/* ---- the beginning ------------------------------------------------------ */

static void leave_start(struct roost_agent_leave *leave)
{
	roost_agent_sessions_kick(
		leave->leaves->agent->sessions, leave->pin,
		leave->target == NULL
			? "this node is being drained"
			: t_strdup_printf("the user moves to node %s",
					  leave->target));
	if (leave->pin->refs == 0)
		roost_agent_leave_idle(leave);
}

static struct roost_agent_leave *leave_new(struct roost_agent_leaves *leaves,
					   struct roost_agent_pin *pin,
					   const char *target)
{
	struct roost_agent_leave *leave = i_new(struct roost_agent_leave, 1);

	i_assert(pin->leave == NULL && !pin->adopted);
	leave->leaves = leaves;
	leave->pin = pin;
	leave->user = i_strdup(pin->user);
	leave->target = i_strdup(target);
	leave->started = roost_lease_page_now();
	pin->leave = leave;
	DLLIST_PREPEND(&leaves->head, leave);
	leaves->count++;
	return leave;
}

void roost_agent_leave_move(struct roost_agent_leaves *leaves,
			    struct roost_agent_pin *pin, const char *target,
			    roost_agent_leave_callback_t *callback,
			    void *context)
{
	struct roost_agent_leave *leave = leave_new(leaves, pin, target);

	leave->callback = callback;
	leave->context = context;
	leave->to =
		timeout_add_short(ROOST_AGENT_BUSY_MSECS, leave_timeout, leave);
	leave_start(leave);
}

void roost_agent_leaves_fail(struct roost_agent_leaves *leaves,
			     const char *reason)
{
	struct roost_agent_leave *leave, *next;

	for (leave = leaves->head; leave != NULL; leave = next) {
		next = leave->next;
		/* what Redis is asked about has its callback yet */
		if (leave->pin != NULL)
			leave_done(leave, "away", reason, 0);
	}
}

/* ---- drain -------------------------------------------------------------- */

static void drain_log_end(struct roost_agent_leaves *leaves)
{
	struct roost_agent *agent = leaves->agent;
	unsigned int left = roost_agent_pins_count(agent->pins);
	uint64_t ms =
		(roost_lease_page_now() - leaves->drain_began) / NSECS_PER_MSEC;

	if (leaves->drained_logged || leaves->count > 0)
		return;
	leaves->drained_logged = TRUE;
	e_info(event_create_passthrough(agent->event)
		       ->set_name("roost_drained")
		       ->add_str("node", agent->node)
		       ->add_int("users", leaves->drained)
		       ->add_int("left", left)
		       ->add_int("ms", (intmax_t)ms)
		       ->event(),
	       "Drained: %u users have left in %" PRIu64 " ms%s",
	       leaves->drained, ms,
	       left == 0 ? ""
			 : ", those of before the agent's restart stay until "
			   "Dovecot stops");
}

static void drain_run(struct roost_agent_leaves *leaves)
{
	struct roost_agent_pin *pins[DRAIN_PARALLEL];
	unsigned int i, count, round = 0;

	if (!roost_agent_lease_is_ours(leaves->agent->lease))
		return;
	do {
		count = leaves->count >= DRAIN_PARALLEL
				? 0
				: roost_agent_pins_pick(
					  leaves->agent->pins, pins,
					  DRAIN_PARALLEL - leaves->count);
		for (i = 0; i < count; i++)
			T_BEGIN
			{
				leave_start(leave_new(leaves, pins[i], NULL));
			}
		T_END;
	} while (count > 0 && ++round < DRAIN_ROUNDS);
	if (count == 0)
		drain_log_end(leaves);
}

void roost_agent_leaves_drain(struct roost_agent_leaves *leaves, bool drain)
{
	struct roost_agent *agent = leaves->agent;

	if (leaves->draining == drain)
		return;
	leaves->draining = drain;
	e_info(event_create_passthrough(agent->event)
		       ->set_name(drain ? "roost_drain" : "roost_undrain")
		       ->add_str("node", agent->node)
		       ->add_int("users", roost_agent_pins_count(agent->pins))
		       ->event(),
	       "%s: %u users", drain ? "Draining this node" : "Drain ended",
	       roost_agent_pins_count(agent->pins));
	if (!drain) {
		timeout_remove(&leaves->to_drain);
		return;
	}
	leaves->drain_began = roost_lease_page_now();
	leaves->drained = 0;
	leaves->drained_logged = FALSE;
	leaves->to_drain =
		timeout_add_short(DRAIN_POLL_MSECS, drain_run, leaves);
	drain_run(leaves);
}

bool roost_agent_leaves_is_draining(const struct roost_agent_leaves *leaves)
{
	return leaves->draining;
}

unsigned int roost_agent_leaves_count(const struct roost_agent_leaves *leaves)
{
	return leaves->count;
}

struct roost_agent_leaves *roost_agent_leaves_init(struct roost_agent *agent)
{
	struct roost_agent_leaves *leaves = i_new(struct roost_agent_leaves, 1);

	leaves->agent = agent;
	return leaves;
}

void roost_agent_leaves_stop(struct roost_agent_leaves *leaves)
{
	timeout_remove(&leaves->to_drain);
	roost_agent_leaves_fail(leaves, "the agent ends");
}

void roost_agent_leaves_deinit(struct roost_agent_leaves **_leaves)
{
	struct roost_agent_leaves *leaves = *_leaves;

	if (leaves == NULL)
		return;
	*_leaves = NULL;
	while (leaves->head != NULL)
		leave_free(leaves->head);
	i_free(leaves);
}
