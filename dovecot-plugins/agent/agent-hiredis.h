/* SPDX-License-Identifier: MIT */
/*
 * agent-hiredis: hiredis' asynchronous API on Dovecot's ioloop, and whatever
 * differs between its releases 0.14 and 1.2. Nothing outside this file and
 * agent-redis.c sees hiredis.
 */
#ifndef ROOST_AGENT_HIREDIS_H
#define ROOST_AGENT_HIREDIS_H

#include <stdbool.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>

/* Starts to connect to host:port or unix:/path; the callbacks get `context`
   as ac->data. NULL with *error_r if that fails at once. hiredis itself has
   no timeouts here: the caller frees the context when it takes too long. */
redisAsyncContext *roost_agent_hiredis_connect(const char *server,
					       redisConnectCallback *connected,
					       redisDisconnectCallback *gone,
					       void *context,
					       const char **error_r);

/* The reply's strings on the data stack; *count_r of them. A nil is "", a
   nested list is an error. NULL with *error_r for an error reply. */
const char **roost_agent_hiredis_strings(const redisReply *reply,
					 unsigned int *count_r,
					 const char **error_r);

#endif
