/* SPDX-License-Identifier: MIT */
/*
 * agent-session: the connections of auth, mail and doveadm processes, and
 * the references (OPEN) that live on them. Protocol: docs/agent-protocol.md.
 */
#ifndef ROOST_AGENT_SESSION_H
#define ROOST_AGENT_SESSION_H

#include <stdbool.h>

#include "common/proto/agent-proto.h"

struct roost_agent;
struct roost_agent_pin;
struct roost_agent_sessions;

struct roost_agent_sessions *
roost_agent_sessions_init(struct roost_agent *agent);
void roost_agent_sessions_deinit(struct roost_agent_sessions **sessions);

/* Takes over the accepted fd of a listener. */
void roost_agent_sessions_add(struct roost_agent_sessions *sessions, int fd,
			      enum roost_agent_role role);

/* Asks the processes that have the pin open, or any pin if it is NULL, and
   that serve one client each, to end. Returns how many were asked. */
unsigned int roost_agent_sessions_kick(struct roost_agent_sessions *sessions,
				       const struct roost_agent_pin *pin,
				       const char *reason);

/* Their pins have ended: references stay open and count for nothing. */
void roost_agent_sessions_forget(struct roost_agent_sessions *sessions);

/* Open mailbox references, also those under an ended boot. */
unsigned int
roost_agent_sessions_opens(const struct roost_agent_sessions *sessions);

#endif
