/* SPDX-License-Identifier: MIT */
/*
 * lease: the node lease as a state machine without input or output. The agent
 * asks what to send, sends it to Redis, and says what came back; times are
 * CLOCK_BOOTTIME nanoseconds and always arguments.
 *
 * The node may act on its lease while now < deadline, and the deadline is the
 * *send* time of the last successful renewal + TTL - margin. Once it has
 * passed, no late answer brings that boot back: the node takes a new one.
 */
#ifndef ROOST_RULES_LEASE_H
#define ROOST_RULES_LEASE_H

#include <stdbool.h>
#include <stdint.h>

enum roost_lease_request {
	ROOST_LEASE_NOTHING, /* wait until the wake-up time */
	ROOST_LEASE_NEW,     /* a new boot; `boot` is our former one, or 0 */
	ROOST_LEASE_RENEW,   /* extend `boot`, if Redis knows it as live */
	ROOST_LEASE_ASSERT,  /* Redis lost its memory: `boot` still lives */
};

enum roost_lease_result {
	ROOST_LEASE_FAILED,  /* no answer, or an error */
	ROOST_LEASE_GRANTED, /* `boot` */
	ROOST_LEASE_DEAD,    /* that boot has ended or was replaced */
	ROOST_LEASE_MISSING, /* RENEW: Redis does not know this node */
	ROOST_LEASE_IN_USE,  /* NEW: another process holds this node's name */
};

enum roost_lease_event {
	ROOST_LEASE_SAME,
	ROOST_LEASE_GAINED,
	ROOST_LEASE_RENEWED,
	ROOST_LEASE_LOST,
	ROOST_LEASE_PINS, /* now every pin must be asserted, then asserted() */
	ROOST_LEASE_NAME_TAKEN,
};

struct roost_lease {
	uint64_t ttl, margin, interval;
	uint64_t boot;	     /* of this node; 0: none yet */
	uint64_t deadline;   /* 0: no lease */
	uint64_t next;	     /* not before this time */
	bool in_flight;	     /* a request is unanswered */
	bool server_changed; /* Redis is another one or was wiped */
	bool asserting;	     /* pins are being asserted: no extension yet */
	bool resumed;	     /* of an earlier process: its pins are unknown */
};

/* ttl in ns. */
void roost_lease_init(struct roost_lease *lease, uint64_t ttl);
/* An earlier agent process of this node left that boot and deadline. */
void roost_lease_resume(struct roost_lease *lease, uint64_t boot,
			uint64_t deadline, uint64_t now);

/* The request to send now (then it is in flight until roost_lease_answer()),
   or NOTHING and in *wake_r the time to ask again. */
enum roost_lease_request roost_lease_next(struct roost_lease *lease,
					  uint64_t now, uint64_t *wake_r);
/* What came back for the request that was sent at `sent`; boot is that of
   GRANTED. */
enum roost_lease_event roost_lease_answer(struct roost_lease *lease,
					  enum roost_lease_request request,
					  uint64_t sent,
					  enum roost_lease_result result,
					  uint64_t boot, uint64_t now);
/* LOST once when the deadline has passed; to be asked at it. */
enum roost_lease_event roost_lease_tick(struct roost_lease *lease,
					uint64_t now);

/* A connection was made: send at once. changed: to another server, or one
   that was restarted. */
void roost_lease_connected(struct roost_lease *lease, bool changed,
			   uint64_t now);
/* Every pin that this node held is asserted. */
void roost_lease_asserted(struct roost_lease *lease, uint64_t now);
/* Gives the lease up: the next boot is a new one. */
void roost_lease_drop(struct roost_lease *lease, uint64_t now);

bool roost_lease_valid(const struct roost_lease *lease, uint64_t now);

/* What another node's lease says; remaining: ns that Redis said were left,
   elapsed: ns since it said so; ttl: that node's. */
enum roost_lease_peer {
	ROOST_LEASE_PEER_ALIVE,
	ROOST_LEASE_PEER_SILENT, /* it missed renewals: wait and see */
	ROOST_LEASE_PEER_DEAD,
};
enum roost_lease_peer roost_lease_peer(int64_t remaining, uint64_t elapsed,
				       uint64_t ttl);

#endif
