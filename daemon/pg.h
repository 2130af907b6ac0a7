/* SPDX-License-Identifier: MIT */
/*
 * pg: one asynchronous PostgreSQL connection with LISTEN/NOTIFY.
 *
 * Connects in the background, with a growing pause (0.1 s .. 10 s) after
 * each failure. What was notified while the connection was away is lost, so
 * `connected` is called after every connect, with the channels already
 * listened to: read everything anew there. All callbacks run on the event
 * loop. A connection that stays silent past the deadline of a query (or of
 * the ping sent every 30 s) is dropped and made again. The connect string is
 * never logged.
 */
#ifndef ROOST_DAEMON_PG_H
#define ROOST_DAEMON_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <libpq-fe.h>

#include "common/base/err.h"
#include "daemon/log.h"

#define ROOST_PG_QUEUE_MAX 64 /* queries that wait */

struct event_base;
struct roost_pg;

struct roost_pg_ops {
	void (*connected)(void *ctx, struct roost_pg *pg);
	/* Optional: a NOTIFY on one of the channels. */
	void (*notified)(void *ctx, struct roost_pg *pg, const char *channel,
			 const char *payload);
	/* Optional: the connection was lost, or could not be made. */
	void (*lost)(void *ctx, struct roost_pg *pg, const char *why);
};

struct roost_pg_config {
	const char *conninfo;	     /* libpq connect string or URI; copied */
	const char *const *channels; /* to LISTEN to, NULL-terminated; copied */
	int query_timeout_ms;	     /* bound of connecting and of each query */
};

/* A result (PGRES_TUPLES_OK or PGRES_COMMAND_OK, cleared by the caller of the
   callback), or NULL and the error, one line. */
typedef void roost_pg_result(void *ctx, const PGresult *result,
			     const char *error);

/* Fails for a connect string that libpq cannot parse. */
int roost_pg_new(struct event_base *base, const struct roost_log *log,
		 const struct roost_pg_config *config,
		 const struct roost_pg_ops *ops, void *ctx,
		 struct roost_pg **pg_r, struct roost_err *err);

/* Sends a query with text parameters, or queues it behind earlier ones. The
   callback is called exactly once, not from inside this call; after a loss
   of connection with an error. -1: not connected, or the queue is full. */
int roost_pg_query(struct roost_pg *pg, const char *sql, size_t param_count,
		   const char *const *params, roost_pg_result *callback,
		   void *ctx, struct roost_err *err);

bool roost_pg_is_connected(const struct roost_pg *pg);

/* Closes; queries that wait get their callback with an error. */
void roost_pg_free(struct roost_pg **pg);

#endif
