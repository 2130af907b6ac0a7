/* SPDX-License-Identifier: MIT */
/* policy-session: one connection of Postfix; see policy-server.h. */
#ifndef ROOST_POLICY_POLICY_SESSION_H
#define ROOST_POLICY_POLICY_SESSION_H

#include <stdint.h>

#include "daemon/daemon.h"
#include "policy/policy-limits.h"
#include "policy/policy-snapshot.h"
#include "policy/policy-tables.h"

struct event;
struct roost_policy_session;

/* Sessions in the order in which their time runs out. */
struct roost_policy_session_list {
	struct roost_policy_session *first, *last;
};

/* What all sessions share. */
struct roost_policy_sessions {
	struct event_base *base;
	const struct roost_log *log;
	struct roost_policy_snapshot *snapshot;
	struct roost_policy_limits *limits;
	struct roost_policy_tables *tables;
	struct roost_policy_session_list idle; /* between requests */
	struct roost_policy_session_list busy; /* in one, or unread answer */
	unsigned int count, max;
	int64_t request_timeout, idle_timeout; /* ms */
	int64_t malformed_logged;	       /* ms; 0: never */
	int64_t malformed_quiet;	       /* not logged since then */
	struct roost_log_batch batch;	       /* of the decisions */
	struct roost_policy_session *dirty;    /* those with answers */
	struct roost_metric *decisions[ROOST_RELAY_VERDICT_COUNT];
	struct roost_metric *malformed, *timeouts, *idle_timeouts, *open;
};

/* Takes over a connected, non-blocking socket. */
void roost_policy_session_open(struct roost_policy_sessions *sessions, int fd);

/* Writes the log lines of this turn of the loop, then sends its answers: many
   requests share one write, and no answer goes out before its line. */
void roost_policy_session_flush(struct roost_policy_sessions *sessions);

/* Closes those whose time is up; call it about once a second. */
void roost_policy_session_expire(struct roost_policy_sessions *sessions);

void roost_policy_session_close_all(struct roost_policy_sessions *sessions);

#endif
