/* SPDX-License-Identifier: MIT */
/*
 * agent-admin: what an admin asks for: KICK and MOVE of a user who is here,
 * DRAIN, UNDRAIN and WEIGHT of any node. The latter are kept in Redis as that
 * node's `want`, which it reads with each renewal of its lease.
 */
#ifndef ROOST_AGENT_ADMIN_H
#define ROOST_AGENT_ADMIN_H

#include <stdint.h>

#include "common/proto/agent-proto.h"

struct roost_agent;
struct roost_agent_admin;

struct roost_agent_admin_result {
	const char *code; /* NULL: OK, else that of the protocol */
	const char *reason;
	const char *owner;   /* MOVE: the new one; else the node */
	uint64_t epoch;	     /* MOVE */
	unsigned int kicked; /* KICK: the sessions */
};

typedef void
roost_agent_admin_callback_t(const struct roost_agent_admin_result *result,
			     void *context);

/* The callback is called exactly once, perhaps before this returns (then NULL
   is returned), or never after roost_agent_admin_abort(): what was begun goes
   on all the same. */
struct roost_agent_admin *
roost_agent_admin_start(struct roost_agent *agent,
			const struct roost_agent_request *req,
			roost_agent_admin_callback_t *callback, void *context);
void roost_agent_admin_abort(struct roost_agent_admin **admin);

#endif
