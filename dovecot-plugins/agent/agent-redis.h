/* SPDX-License-Identifier: MIT */
/*
 * agent-redis: the node's one connection to Redis. It connects, greets,
 * watches for silence and connects again by itself; its users see replies
 * that are lists of strings, and never hiredis.
 */
#ifndef ROOST_AGENT_REDIS_H
#define ROOST_AGENT_REDIS_H

#include <stdbool.h>

struct event;
struct roost_agent_redis;

enum roost_agent_script {
	ROOST_SCRIPT_NODE_RENEW,
	ROOST_SCRIPT_NODE_GET,
	ROOST_SCRIPT_NODE_END,
	ROOST_SCRIPT_SHARD_GEN,
	ROOST_SCRIPT_USER_CLAIM,
	ROOST_SCRIPT_USER_ASSERT,
	ROOST_SCRIPT_USER_RELEASE,
	ROOST_SCRIPTS
};

/* Lives until the callback returns. */
struct roost_agent_redis_reply {
	const char *error;   /* NULL: it went well */
	bool away;	     /* the error: no connection, or it broke */
	unsigned int count;  /* elements; 1 for a plain value */
	const char **values; /* "" for nil */
};

/* Called exactly once, never before the call that asked returns. */
typedef void
roost_agent_redis_callback_t(const struct roost_agent_redis_reply *reply,
			     void *context);

struct roost_agent_redis_settings {
	const char *server;	    /* host:port or unix:/path */
	const char *password;	    /* or NULL */
	unsigned int timeout_msecs; /* of connecting, and of an answer */
	/* run_id: of the server; is called before anything else is sent */
	void (*connected)(const char *run_id, void *context);
	void (*disconnected)(void *context);
	void *context;
};

struct roost_agent_redis *
roost_agent_redis_init(struct event *parent,
		       const struct roost_agent_redis_settings *set);
/* Open requests get their callback, with an error, first. */
void roost_agent_redis_deinit(struct roost_agent_redis **redis);

bool roost_agent_redis_is_connected(const struct roost_agent_redis *redis);
/* Not connected for longer than a reconnection takes. */
bool roost_agent_redis_is_away(const struct roost_agent_redis *redis);
/* The server's run_id; "" before the first connection. */
const char *roost_agent_redis_run_id(const struct roost_agent_redis *redis);

/* args: NULL-terminated. */
void roost_agent_redis_command(struct roost_agent_redis *redis,
			       const char *const *args,
			       roost_agent_redis_callback_t *callback,
			       void *context);
/* args: the keys, then ARGV; NULL-terminated. */
void roost_agent_redis_script(struct roost_agent_redis *redis,
			      enum roost_agent_script script, unsigned int keys,
			      const char *const *args,
			      roost_agent_redis_callback_t *callback,
			      void *context);

#endif
