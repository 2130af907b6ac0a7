/* SPDX-License-Identifier: MIT */
/*
 * agent-claim: answers LOOKUP, CLAIM and OPEN for one user: by what this node
 * holds, else by compare-and-set in Redis, else by waiting, bounded, for a
 * silent owner's lease or a grace period to end.
 */
#ifndef ROOST_AGENT_CLAIM_H
#define ROOST_AGENT_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/proto/agent-proto.h"

struct roost_agent;
struct roost_agent_claim;
struct roost_agent_pin;

struct roost_agent_claim_result {
	const char *code; /* NULL: OK, else that of the protocol */
	const char *reason;
	const char *owner, *host; /* "" if there is none */
	unsigned int port;	  /* 0: the usual one */
	uint64_t epoch;
	bool self, pinned;
	struct roost_agent_pin *pin; /* CLAIM, OPEN: held here */
};

typedef void
roost_agent_claim_callback_t(const struct roost_agent_claim_result *result,
			     void *context);

/* request: LOOKUP, CLAIM, OPEN, or STATUS of a user; is copied. The callback
   is called exactly once, perhaps before this returns (then NULL is
   returned), or never after roost_agent_claim_abort(). */
struct roost_agent_claim *
roost_agent_claim_start(struct roost_agent *agent,
			const struct roost_agent_request *request,
			roost_agent_claim_callback_t *callback, void *context);
/* Nobody waits for the answer any more. */
void roost_agent_claim_abort(struct roost_agent_claim **claim);

#endif
