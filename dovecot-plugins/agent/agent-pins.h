/* SPDX-License-Identifier: MIT */
/*
 * agent-pins: the users that this node holds under its present boot. Redis
 * has the truth; this is what spares a question, counts the sessions, and
 * knows what to assert. A pin without references is released after
 * roost_user_expire.
 */
#ifndef ROOST_AGENT_PINS_H
#define ROOST_AGENT_PINS_H

#include <stdbool.h>
#include <stdint.h>

struct roost_agent;
struct roost_agent_leave;
struct roost_agent_node;
struct roost_agent_pins;

struct roost_agent_pin {
	struct roost_agent_pin *prev, *next; /* by idle_since; refs == 0 */
	char *user;
	uint64_t epoch;
	uint64_t idle_since;		 /* CLOCK_BOOTTIME ns */
	unsigned int refs;		 /* OPENs */
	struct roost_agent_leave *leave; /* it is leaving: nobody is let in */
	bool adopted; /* older than this process: sessions may be unknown */
};

/* More users than this on one node are refused. */
#define ROOST_AGENT_PINS_MAX 1000000

struct roost_agent_pins *roost_agent_pins_init(struct roost_agent *agent);
void roost_agent_pins_deinit(struct roost_agent_pins **pins);

struct roost_agent_pin *roost_agent_pins_find(struct roost_agent_pins *pins,
					      const char *user);
/* Adds the user, or refreshes the one that is there. NULL: there are too
   many. */
struct roost_agent_pin *roost_agent_pins_add(struct roost_agent_pins *pins,
					     const char *user, uint64_t epoch,
					     bool adopted);
/* The user was asked for: its time without sessions starts again. */
void roost_agent_pins_touch(struct roost_agent_pins *pins,
			    struct roost_agent_pin *pin);
void roost_agent_pins_ref(struct roost_agent_pins *pins,
			  struct roost_agent_pin *pin);
/* Returns whether that was the last. */
bool roost_agent_pins_unref(struct roost_agent_pins *pins,
			    struct roost_agent_pin *pin);
/* Gives up a pin without references, here and in Redis. Until Redis has
   answered is_releasing(), and no claim of the user may be made or believed:
   what was asked before the release does not know of it. */
void roost_agent_pins_release(struct roost_agent_pins *pins,
			      struct roost_agent_pin *pin);

/* The connection broke before Redis answered the last release: it may have
   been done, be lost, or even be done later. The user's next claim must raise
   the epoch, so that it cannot hit the new pin; then it may be forgotten. */
bool roost_agent_pins_is_doubtful(struct roost_agent_pins *pins,
				  const char *user);
void roost_agent_pins_end_doubt(struct roost_agent_pins *pins,
				const char *user);

bool roost_agent_pins_is_releasing(struct roost_agent_pins *pins,
				   const char *user);

/* Gives up a pin without references as release() does, but to that node. */
typedef void roost_agent_pins_handed_t(const char *error, uint64_t epoch,
				       void *context);
void roost_agent_pins_hand_over(struct roost_agent_pins *pins,
				struct roost_agent_pin *pin,
				const struct roost_agent_node *target,
				roost_agent_pins_handed_t *callback,
				void *context);

/* Up to max pins that may leave and do not yet; returns how many. */
unsigned int roost_agent_pins_pick(struct roost_agent_pins *pins,
				   struct roost_agent_pin **picked,
				   unsigned int max);

/* Forgets all: they belong to a boot that has ended. The sessions are told
   to forget theirs first. */
void roost_agent_pins_clear(struct roost_agent_pins *pins);

/* Asserts every pin in Redis. Not called when the connection breaks. */
void roost_agent_pins_assert(struct roost_agent_pins *pins,
			     void (*callback)(bool success, void *context),
			     void *context);

unsigned int roost_agent_pins_count(const struct roost_agent_pins *pins);

/* "roost:{s}:u:USER" and "roost:{s}:gen" of the user, on the data stack. */
const char *roost_agent_pins_key(const char *user);
const char *roost_agent_pins_gen_key(const char *user);

#endif
