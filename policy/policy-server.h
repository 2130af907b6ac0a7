/* SPDX-License-Identifier: MIT */
/*
 * policy-server: the connections of roost-policyd.
 *
 * Each connection is a queue: requests are answered in the order in which
 * they came. A connection is closed without an answer for a malformed
 * request, for one that does not arrive, or whose answer is not taken, within
 * request_timeout, and after idle_timeout without any. At the limit of
 * descriptors the newest connection is refused. Decisions take the snapshot
 * that is in force at that moment, so a reload needs no connection closed.
 */
#ifndef ROOST_POLICY_POLICY_SERVER_H
#define ROOST_POLICY_POLICY_SERVER_H

#include "daemon/daemon.h"
#include "policy/policy-snapshot.h"

struct roost_policy_server;

/* Opens the sockets of the configuration. */
int roost_policy_server_open(struct roost_daemon *daemon,
			     struct roost_policy_server **server_r,
			     struct roost_err *err);

/* Once the privileges are dropped. */
void roost_policy_server_start(struct roost_policy_server *server);

/* Takes another configuration whole, or fails and keeps the old one. */
int roost_policy_server_reload(struct roost_policy_server *server,
			       const struct roost_conf *conf,
			       struct roost_err *err);

/* For /readyz. */
bool roost_policy_server_ready(const struct roost_policy_server *server,
			       struct roost_buf *why);

/* After each turn of the event loop. */
void roost_policy_server_turn(struct roost_policy_server *server);

void roost_policy_server_close(struct roost_policy_server **server);

#endif
