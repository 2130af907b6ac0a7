/* SPDX-License-Identifier: MIT */
/*
 * policy-socketmap: the connections of Postfix's socketmap clients.
 *
 * A malformed query ends its connection. So do one that does not arrive in
 * time, and answers that are not taken. At the limit of connections the
 * newest is refused.
 */
#ifndef ROOST_POLICY_POLICY_SOCKETMAP_H
#define ROOST_POLICY_POLICY_SOCKETMAP_H

#include "policy/policy-tables.h"

#define ROOST_POLICY_SOCKETMAP_MAX 1024 /* connections */

struct roost_policy_socketmap;

/* timeout: ms that a query may take to arrive. NULL: out of memory. */
struct roost_policy_socketmap *
roost_policy_socketmap_new(struct roost_daemon *daemon,
			   struct roost_policy_tables *tables, int64_t timeout);
/* Closes all connections. */
void roost_policy_socketmap_free(struct roost_policy_socketmap **socketmap);

/* A roost_listener_accept; ctx is the socketmap. */
void roost_policy_socketmap_accept(void *ctx, int fd);

#endif
