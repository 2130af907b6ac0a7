/* SPDX-License-Identifier: MIT */
/*
 * agent-conn: one connection to a socket of roost-agent
 * (docs/agent-protocol.md): request ids, deadlines, reconnects. Never blocks;
 * what waits (agent-session) runs an ioloop around it.
 */
#ifndef ROOST_AGENT_CONN_H
#define ROOST_AGENT_CONN_H

struct ioloop;
struct roost_agent_conn;
struct roost_agent_line;
struct roost_agent_request;

/* line: the reply, or NULL when there is none: then error says why (no
   agent, deadline over, protocol error). Strings live until it returns.
   more: a further line of the same reply follows (NODES). */
typedef void roost_agent_conn_callback_t(const struct roost_agent_line *line,
					 bool more, const char *error,
					 void *context);
/* The connection ended, and with it what the agent held for it. */
typedef void roost_agent_conn_lost_t(void *context);

/* A line the agent sent on its own: the reference of an OPEN that was
   answered is asked for back. */
typedef void roost_agent_conn_pushed_t(const struct roost_agent_line *line,
				       void *context);

/* Does not connect yet. lost may be NULL. */
struct roost_agent_conn *roost_agent_conn_init(const char *socket_path,
					       roost_agent_conn_lost_t *lost,
					       void *context);
/* Answers what is under way with NULL first; sets *conn to NULL. */
void roost_agent_conn_deinit(struct roost_agent_conn **conn);

/* The context is that of init. Such lines are ignored without it. */
void roost_agent_conn_set_pushed(struct roost_agent_conn *conn,
				 roost_agent_conn_pushed_t *pushed);

/* Sends a request, connecting first if needed; req->id is chosen here. A
   request that was under way when the agent went away is sent once more. The
   last call of the callback comes within 31 seconds and never before this
   returns. */
void roost_agent_conn_request(struct roost_agent_conn *conn,
			      const struct roost_agent_request *req,
			      roost_agent_conn_callback_t *callback,
			      void *context);

/* Moves everything to the current ioloop. */
void roost_agent_conn_switch_ioloop(struct roost_agent_conn *conn);

#endif
