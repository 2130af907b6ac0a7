/* SPDX-License-Identifier: MIT */
/*
 * listener: listening sockets on the event loop.
 *
 * A unix socket that nobody answers on is replaced; one that answers, or a
 * file that is no socket, is an error. When the process has no descriptor
 * left the newest connection is accepted and closed at once (a descriptor is
 * kept back for that), so the loop never spins.
 */
#ifndef ROOST_DAEMON_LISTENER_H
#define ROOST_DAEMON_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/conf.h"
#include "common/base/err.h"
#include "daemon/log.h"

struct event_base;
struct roost_listener;

struct roost_listener_owner {
	mode_t mode; /* of a unix socket */
	uid_t uid;   /* (uid_t)-1 and (gid_t)-1: leave as created */
	gid_t gid;
};

/* Takes a new connection: non-blocking, close-on-exec, TCP_NODELAY. */
typedef void roost_listener_accept(void *ctx, int fd);

/* "", "user", "user:group" or ":group" as in chown(1). */
int roost_listener_parse_owner(const char *text,
			       struct roost_listener_owner *owner,
			       struct roost_err *err);

/* Opens every socket of the address (a name may stand for several). */
int roost_listener_open(struct event_base *base, const struct roost_log *log,
			const struct roost_conf_addr *addr,
			const struct roost_listener_owner *owner,
			roost_listener_accept *accept_cb, void *ctx,
			struct roost_listener **listener_r,
			struct roost_err *err);

/* The port it listens on (of the first socket); 0 for a unix socket. */
uint16_t roost_listener_port(const struct roost_listener *listener);

/* Closes, and removes the unix socket if it is still the one made here. */
void roost_listener_close(struct roost_listener **listener);

#endif
