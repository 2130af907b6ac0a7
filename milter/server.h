/* SPDX-License-Identifier: MIT */
/*
 * server: libmilter's listening socket and its main loop in a thread.
 */
#ifndef ROOST_MILTER_SERVER_H
#define ROOST_MILTER_SERVER_H

#include "common/base/err.h"
#include "milter/callbacks.h"
#include "milter/milter-conf.h"

struct event_base;
struct roost_server;

/* Opens the socket (with the first privileges): a unix socket that nobody
   answers on is replaced. */
int roost_server_open(const struct roost_milter_settings *settings,
		      const struct roost_callbacks_env *env,
		      struct roost_server **server_r, struct roost_err *err);

/* Starts to serve. `ended` is called on the event loop when libmilter gives
   up without having been told to. */
typedef void roost_server_ended(void *ctx);
int roost_server_start(struct roost_server *server, struct event_base *base,
		       roost_server_ended *ended, void *ctx,
		       struct roost_err *err);

/* No new connections; messages under way get up to 5 seconds to end, then
   their clients see a temporary failure. Frees a server that never started
   and clears the pointer; one that did lives on in its thread. */
void roost_server_stop(struct roost_server **server);

#endif
