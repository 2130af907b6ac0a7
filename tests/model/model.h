/* SPDX-License-Identifier: MIT */
/*
 * model: the lease protocol as a state that small steps change. The node's
 * lease is the real common/rules/lease.c; Redis' scripts and what the agent
 * does around them are written down again here, as short as they can be. See
 * README.md for what is modelled and what is not.
 *
 * All is plain bytes: a state is compared and remembered as such.
 */
#ifndef ROOST_MODEL_H
#define ROOST_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/rules/lease.h"

#define MODEL_NODES 2
#define MODEL_TICK 1000000000ULL /* ns */
#define MODEL_TTL 3		 /* ticks */
#define MODEL_QUEUE 3

/* The rules of the protocol that can be taken away. */
enum model_rule {
	MODEL_FENCE = 1 << 0,	      /* sessions look at the lease page */
	MODEL_TIMER = 1 << 1,	      /* ... also when a section goes on */
	MODEL_FROM_SEND = 1 << 2,     /* deadline counts from the send time */
	MODEL_BOOT_DIES = 1 << 3,     /* an expired boot is never renewed */
	MODEL_COMPARE = 1 << 4,	      /* a claim is a compare-and-set */
	MODEL_WAIT_DEAD = 1 << 5,     /* only a dead owner is replaced */
	MODEL_GRACE = 1 << 6,	      /* nobody new after Redis forgot */
	MODEL_REASSERT = 1 << 7,      /* holders then say what they hold */
	MODEL_RUN_ID = 1 << 8,	      /* a restarted Redis is noticed */
	MODEL_RELEASE_OWN = 1 << 9,   /* a release names boot and epoch */
	MODEL_RELEASE_WAIT = 1 << 10, /* no claim overtakes a release */
	MODEL_RELEASE_SURE = 1 << 11, /* ... also over a new connection */
	MODEL_PINS_FIRST = 1 << 12, /* no extension before pins are asserted */
	MODEL_KNOWN_DEAD = 1 << 13, /* a node without a record is not dead */
	MODEL_RULES = 14,
	MODEL_ALL = (1 << MODEL_RULES) - 1,
};

/* How often each thing may go wrong. */
struct model_budget {
	uint8_t broken;	  /* a connection, with what is under way on it */
	uint8_t wiped;	  /* FLUSHALL */
	uint8_t emptied;  /* Redis restarted empty */
	uint8_t lost;	  /* Redis restarted without its last write */
	uint8_t agents;	  /* an agent dies; its sessions and page stay */
	uint8_t machines; /* a node dies, and its page with it */
	/* what may happen at all, to keep the search small */
	uint8_t logins;	  /* at once on one node, 0: one */
	uint8_t sections; /* sessions that check, sleep, and change */
	uint8_t places;	  /* users given to the other node */
};

enum model_kind {
	MODEL_NOTHING,
	MODEL_LEASE, /* arg: enum roost_lease_request */
	MODEL_GET,   /* of the other node's lease */
	MODEL_CLAIM, /* arg: the boot that is known to be dead, or 0 */
	MODEL_PLACE, /* the same for the other node; arg: its boot */
	MODEL_PIN,   /* an assertion */
	MODEL_RELEASE,
};

/* A request, then the answer to it. */
struct model_message {
	uint8_t kind, arg, boot, epoch;
	uint8_t run;	/* the server that the sender thinks it talks to */
	uint8_t result; /* of the answer */
};

enum model_answer {
	MODEL_OK,    /* boot, epoch: what is granted */
	MODEL_OWNED, /* boot: the other node's */
	MODEL_LATER, /* grace */
	MODEL_ALIVE,
	MODEL_DEAD,
};

struct model_memory {
	struct {
		uint8_t boot, expiry; /* boot 0: not there */
	} node[MODEL_NODES];
	struct {
		uint8_t node, boot, epoch; /* boot 0: not there */
	} pin;
	uint8_t gen_run, gen_from; /* run 0: not there */
};

struct model_redis {
	struct model_memory now, before; /* before: without the last write */
	uint8_t run;
	uint8_t clock; /* boots and epochs rise with the time */
};

struct model_node {
	struct roost_lease lease; /* boot and deadline are also the page */
	uint64_t sent;
	uint8_t request; /* in flight */
	uint8_t up, stuck, run, page_run;
	uint8_t asked, answered; /* messages in the queues */
	struct model_message ask[MODEL_QUEUE], answer[MODEL_QUEUE];
	struct model_message late; /* still under way on a dead connection */
	uint8_t held, adopted, epoch, releasing, released_epoch;
	uint8_t pinning; /* an assertion is under way */
	struct {
		uint8_t active, waiting, boot, proof, owner;
	} claim;
	struct {
		uint8_t open, boot, epoch, inside;
	} session;
};

struct model_state {
	struct model_redis redis;
	struct model_node node[MODEL_NODES];
	struct model_budget left;
	uint8_t now;   /* ticks */
	uint8_t store; /* the highest epoch that changed the mailbox */
	uint8_t takeovers, asserted, graced; /* that it happened at all */
};

/* Redis does what the message asks for and makes an answer of it. */
void model_redis_execute(struct model_state *state, unsigned int node,
			 struct model_message *message, unsigned int rules);

/* The steps of one node, numbered from 0. Returns false if that step cannot
   be taken now; sets *name_r. *wrong_r: what it broke. */
#define MODEL_NODE_STEPS 17
bool model_node_step(struct model_state *state, unsigned int node,
		     unsigned int step, unsigned int rules, const char **name_r,
		     const char **wrong_r);
/* The connection is gone; what was asked last may still arrive. */
void model_node_disconnect(struct model_node *node, bool late);
bool model_session_valid(const struct model_state *state, unsigned int node,
			 unsigned int rules);
uint64_t model_now(const struct model_state *state);

#endif
