/* SPDX-License-Identifier: MIT */
/*
 * agent-client: a Dovecot process's connection to roost-agent
 * (docs/agent-protocol.md). Two forms: asynchronous for auth, which must not
 * block; waiting for mail processes, which open one mailbox at a time. Every
 * wait is bounded by the protocol's 30 s and a little.
 */
#ifndef ROOST_AGENT_CLIENT_H
#define ROOST_AGENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

/* ---- auth: asynchronous ------------------------------------------------- */

struct roost_agent_client;

enum roost_agent_result {
	ROOST_AGENT_OK = 0,
	ROOST_AGENT_FAIL, /* the agent refused: code and reason are set */
	ROOST_AGENT_AWAY, /* no agent, timeout, protocol error: reason is set */
};

/* What a LOOKUP or CLAIM answered; the strings live until the callback
   returns. */
struct roost_agent_reply {
	enum roost_agent_result result;
	bool self;	   /* the owner is this node */
	bool pinned;	   /* LOOKUP: a pin exists */
	const char *owner; /* node id, "" if there is none */
	const char *host;  /* address of the owner for Dovecot's proxy */
	const char *node;  /* this node's own id */
	unsigned int port; /* 0: the service's usual port */
	uint64_t epoch;
	const char *code, *reason;
};

typedef void roost_agent_callback_t(const struct roost_agent_reply *reply,
				    void *context);

/* Connects lazily and reconnects by itself. */
struct roost_agent_client *roost_agent_client_init(const char *socket_path);
/* Calls the callbacks of what is under way with ROOST_AGENT_AWAY first. */
void roost_agent_client_deinit(struct roost_agent_client **client);

/* The callback is called exactly once, never before these return. */
void roost_agent_lookup(struct roost_agent_client *client, const char *user,
			const char *service, roost_agent_callback_t *callback,
			void *context);
/* hop: the node that proxied the session here, or NULL. */
void roost_agent_claim(struct roost_agent_client *client, const char *user,
		       const char *service, const char *hop,
		       roost_agent_callback_t *callback, void *context);

/* ---- mail: waiting ------------------------------------------------------ */

struct roost_session;

/* Announces that this process is going to open the user's mailboxes and
   waits for the agent's yes. 0, or -1 with a message fit for the log.
   After 0 the agent counts this process as a user of the pin until
   roost_session_close(), or until the process ends; the session must be
   closed before the ioloop that was current here is destroyed. When the
   agent restarts, the session announces itself again. */
int roost_session_open(const char *base_dir, const char *user,
		       const char *service, struct roost_session **session_r,
		       const char **error_r);
/* Does not wait; sets *session to NULL. */
void roost_session_close(struct roost_session **session);

/* Whether the node still holds its lease: reads the lease page, no call.
   Any doubt (page gone, other boot, deadline passed) is false. */
bool roost_session_valid(const struct roost_session *session);
/* CLOCK_BOOTTIME ns at which validity ends unless renewed; UINT64_MAX: never,
   0: it has ended */
uint64_t roost_session_deadline(const struct roost_session *session);
uint64_t roost_session_epoch(const struct roost_session *session);
/* The boot of the node that the OPEN was answered with. */
uint64_t roost_session_boot(const struct roost_session *session);

#endif
