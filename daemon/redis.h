/* SPDX-License-Identifier: MIT */
/*
 * redis: one asynchronous Redis connection that runs one script.
 *
 * Connects in the background, with a growing pause (0.1 s .. 5 s) after each
 * failure, and loads the script. A call that gets no answer in time ends the
 * connection: all calls that wait fail, and new ones fail at once until it is
 * back. The password is never logged.
 */
#ifndef ROOST_DAEMON_REDIS_H
#define ROOST_DAEMON_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "daemon/log.h"
#include "daemon/metrics.h"

#define ROOST_REDIS_ARGS_MAX 32
#define ROOST_REDIS_CALLS_MAX 16384 /* that wait for an answer */

struct event_base;
struct roost_redis;

struct roost_redis_config {
	const char *server;   /* host:port, [v6]:port or unix:/path; copied */
	const char *password; /* "": none; copied */
	const char *script;   /* Lua; must outlive the connection */
	int timeout_ms;	      /* of each call; ten times that to connect */
	struct roost_metric *up; /* gauge: 1 while the script can be called */
};

/* The reply, which may be an error; or NULL: Redis is away. */
typedef void roost_redis_result(void *ctx, const redisReply *reply);

/* Fails for a server that is none. No callback runs inside this call. */
int roost_redis_new(struct event_base *base, const struct roost_log *log,
		    const struct roost_redis_config *config,
		    struct roost_redis **redis_r, struct roost_err *err);

/* Runs the script with the key names and arguments. The callback is called
   exactly once, and not from inside this call. -1: Redis is away. */
int roost_redis_call(struct roost_redis *redis, size_t key_count,
		     size_t arg_count, const char *const *args,
		     roost_redis_result *callback, void *ctx);

/* To be called with a reply that is not what the script returns: loads it
   again if the server has forgotten it, else ends the connection (and tries
   anew). From the callback. */
void roost_redis_failed(struct roost_redis *redis, const redisReply *reply);

bool roost_redis_is_up(const struct roost_redis *redis);

/* Closes; calls that wait get their callback with NULL. */
void roost_redis_free(struct roost_redis **redis);

#endif
