/* SPDX-License-Identifier: MIT */
/*
 * agent-leave: users that are on their way off this node: to another node
 * (move) or to whichever the next login finds (drain).
 *
 *	start -> sessions are told to end -> references reach 0
 *	      -> the pin is handed over, or released -> done
 *
 * Until then the user's logins wait; whoever has no session of a kind that
 * can be ended (a delivery, doveadm) is waited for.
 */
#ifndef ROOST_AGENT_LEAVE_H
#define ROOST_AGENT_LEAVE_H

#include <stdbool.h>
#include <stdint.h>

struct roost_agent;
struct roost_agent_leave;
struct roost_agent_leaves;
struct roost_agent_pin;

/* code: NULL when the user has gone, else that of the protocol. */
typedef void roost_agent_leave_callback_t(const char *code, const char *reason,
					  uint64_t epoch, void *context);

struct roost_agent_leaves *roost_agent_leaves_init(struct roost_agent *agent);
void roost_agent_leaves_deinit(struct roost_agent_leaves **leaves);

/* To be called before the sessions are: that this process ends says nothing
   about them. */
void roost_agent_leaves_stop(struct roost_agent_leaves *leaves);

/* Moves a pin that is not adopted and not leaving to the node; fails after
   ROOST_AGENT_BUSY_MSECS, and the user stays. The callback is called once,
   perhaps before this returns. */
void roost_agent_leave_move(struct roost_agent_leaves *leaves,
			    struct roost_agent_pin *pin, const char *target,
			    roost_agent_leave_callback_t *callback,
			    void *context);
/* The last reference of a leaving pin is gone. The pin may be freed here. */
void roost_agent_leave_idle(struct roost_agent_leave *leave);
/* All pins are about to be forgotten. */
void roost_agent_leaves_fail(struct roost_agent_leaves *leaves,
			     const char *reason);

/* Lets all users leave, a bounded number at a time, and whoever still comes
   while it lasts. Those of before the agent's restart stay: see
   docs/agent-protocol.md. */
void roost_agent_leaves_drain(struct roost_agent_leaves *leaves, bool drain);
bool roost_agent_leaves_is_draining(const struct roost_agent_leaves *leaves);
/* Users that are leaving just now. */
unsigned int roost_agent_leaves_count(const struct roost_agent_leaves *leaves);

#endif
