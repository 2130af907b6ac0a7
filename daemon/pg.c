/* SPDX-License-Identifier: MIT */
/* pg: one asynchronous PostgreSQL connection with LISTEN/NOTIFY. */
#include "daemon/pg.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 10000
#define PING_MS 30000
#define PARAMS_MAX 16
#define SQL_MAX 65536
#define ERROR_SIZE 512

enum pg_state {
	PG_OFF, /* waits for the timer to connect */
	PG_CONNECTING,
	PG_LISTENING, /* the LISTEN commands are on their way */
	PG_IDLE,
	PG_BUSY, /* the first query of the queue, or a ping, runs */
};

struct query {
	struct query *next;
	char *sql;
	char *params[PARAMS_MAX];
	size_t param_count;
	roost_pg_result *callback; /* NULL: a ping */
	void *ctx;
};

struct roost_pg {
	struct event_base *base;
	const struct roost_log *log;
	const struct roost_pg_ops *ops;
	void *ctx;
	char *conninfo, *listen_sql;
	int timeout_ms, pause_ms;
	enum pg_state state;
	bool failure_logged;
	PGconn *conn;
	struct event *io, *timer;
	struct query *first, **last;
	size_t queued;
	PGresult *result; /* of the query that runs */
};

static void pg_start(struct roost_pg *pg);
static void pg_next(struct roost_pg *pg);

static void query_free(struct query *query)
{
	size_t i;

	for (i = 0; i < query->param_count; i++)
		free(query->params[i]);
	free(query->sql);
	free(query);
}

static struct query *query_shift(struct roost_pg *pg)
{
	struct query *query = pg->first;

	pg->first = query->next;
	if (pg->first == NULL)
		pg->last = &pg->first;
	pg->queued--;
	return query;
}

static void set_timer(struct roost_pg *pg, int ms)
{
	const struct timeval tv = {
		.tv_sec = ms / 1000,
		.tv_usec = (ms % 1000) * 1000,
	};

	(void)event_add(pg->timer, &tv);
}

static void drop_connection(struct roost_pg *pg)
{
	if (pg->io != NULL)
		event_free(pg->io);
	pg->io = NULL;
	PQclear(pg->result);
	pg->result = NULL;
	PQfinish(pg->conn);
	pg->conn = NULL;
	pg->state = PG_OFF;
}

/* libpq's messages have several lines, and end in a newline. */
static void one_line(const char *text, char line[ERROR_SIZE])
{
	size_t len;
	char *s;

	(void)snprintf(line, ERROR_SIZE, "%s", text);
	for (s = line; *s != '\0'; s++) {
		if (*s == '\n' || *s == '\t')
			*s = ' ';
	}
	len = strlen(line);
	while (len > 0 && line[len - 1] == ' ')
		line[--len] = '\0';
}

/* Gives every waiting query the error. */
static void fail_queries(struct roost_pg *pg, const char *why)
{
	/* only those of now: a callback may queue none while not connected */
	while (pg->first != NULL) {
		struct query *query = query_shift(pg);

		if (query->callback != NULL)
			query->callback(query->ctx, NULL, why);
		query_free(query);
	}
}

/* The connection is of no use any more: says why, once, and tries again
   after a pause. */
static void pg_lost(struct roost_pg *pg, const char *reason)
{
	char why[ERROR_SIZE];

	one_line(reason != NULL ? reason : PQerrorMessage(pg->conn), why);
	drop_connection(pg);
	if (!pg->failure_logged) {
		roost_log_msg(pg->log, ROOST_LOG_ERROR, "postgres_away", "%s",
			      why);
		pg->failure_logged = true;
	}
	set_timer(pg, pg->pause_ms);
	pg->pause_ms = pg->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS
						       : pg->pause_ms * 2;
	fail_queries(pg, why);
	if (pg->ops->lost != NULL)
		pg->ops->lost(pg->ctx, pg, why);
}

static void pg_io(evutil_socket_t fd, short what, void *arg);

/* Waits for the socket, which libpq may have changed. */
static int wait_io(struct roost_pg *pg, short what)
{
	if (pg->io != NULL)
		event_free(pg->io);
	pg->io = event_new(pg->base, PQsocket(pg->conn),
			   (short)(what | EV_PERSIST), pg_io, pg);
	return pg->io == NULL ? -1 : event_add(pg->io, NULL);
}

/* Sends what libpq still holds back. */
static int pg_flush(struct roost_pg *pg)
{
	int ret = PQflush(pg->conn);

	if (ret < 0)
		return -1;
	return wait_io(pg, ret > 0 ? EV_READ | EV_WRITE : EV_READ);
}

static void pg_connected(struct roost_pg *pg)
{
	if (pg->failure_logged)
		roost_log_msg(pg->log, ROOST_LOG_INFO, "postgres_back",
			      "connected again");
	pg->failure_logged = false;
	pg->pause_ms = PAUSE_MIN_MS;
	pg->state = PG_IDLE;
	set_timer(pg, PING_MS);
	pg->ops->connected(pg->ctx, pg);
}

static void pg_poll_connect(struct roost_pg *pg)
{
	switch (PQconnectPoll(pg->conn)) {
	case PGRES_POLLING_READING:
		if (wait_io(pg, EV_READ) < 0)
			pg_lost(pg, "out of memory");
		return;
	case PGRES_POLLING_WRITING:
		if (wait_io(pg, EV_WRITE) < 0)
			pg_lost(pg, "out of memory");
		return;
	case PGRES_POLLING_OK:
		break;
	default:
		pg_lost(pg, NULL);
		return;
	}
	if (PQsetnonblocking(pg->conn, 1) < 0 ||
	    PQsendQuery(pg->conn, pg->listen_sql) == 0 || pg_flush(pg) < 0) {
		pg_lost(pg, NULL);
		return;
	}
	pg->state = PG_LISTENING;
	set_timer(pg, pg->timeout_ms);
}

/* The running query has all its results. */
static void pg_finish(struct roost_pg *pg)
{
	PGresult *result = pg->result;
	ExecStatusType status = PQresultStatus(result);
	bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
		    status == PGRES_EMPTY_QUERY;
	struct query *query;
	char error[ERROR_SIZE];

	pg->result = NULL;
	if (pg->state == PG_LISTENING) {
		if (good)
			pg_connected(pg);
		else
			pg_lost(pg, PQresultErrorMessage(result));
	} else {
		query = query_shift(pg);
		pg->state = PG_IDLE;
		set_timer(pg, PING_MS);
		one_line(good ? "" : PQresultErrorMessage(result), error);
		if (query->callback != NULL)
			query->callback(query->ctx, good ? result : NULL,
					good ? NULL : error);
		query_free(query);
	}
	PQclear(result);
	pg_next(pg);
}

/* Takes results while there are any; keeps the last one, or the first error. */
static void pg_results(struct roost_pg *pg)
{
	while ((pg->state == PG_LISTENING || pg->state == PG_BUSY) &&
	       PQisBusy(pg->conn) == 0) {
		PGresult *result = PQgetResult(pg->conn);

		if (result == NULL) {
			pg_finish(pg);
			return;
		}
		if (pg->result != NULL &&
		    PQresultStatus(pg->result) == PGRES_FATAL_ERROR) {
			PQclear(result);
			continue;
		}
		PQclear(pg->result);
		pg->result = result;
	}
}

static void pg_notifications(struct roost_pg *pg)
{
	PGnotify *notify;

	while (pg->conn != NULL && (notify = PQnotifies(pg->conn)) != NULL) {
		if (pg->ops->notified != NULL)
			pg->ops->notified(pg->ctx, pg, notify->relname,
					  notify->extra);
		PQfreemem(notify);
	}
}

static void pg_io(evutil_socket_t fd, short what, void *arg)
{
	struct roost_pg *pg = arg;

	(void)fd;
	if (pg->state == PG_CONNECTING) {
		pg_poll_connect(pg);
		return;
	}
	if ((what & EV_READ) != 0 && PQconsumeInput(pg->conn) == 0) {
		pg_lost(pg, NULL);
		return;
	}
	if ((what & EV_WRITE) != 0 && pg_flush(pg) < 0) {
		pg_lost(pg, NULL);
		return;
	}
	pg_results(pg);
	/* while the LISTENs run, `connected` is still to come and will read
	   everything */
	if (pg->state == PG_IDLE || pg->state == PG_BUSY)
		pg_notifications(pg);
}

/* Starts the first query that waits. */
static void pg_next(struct roost_pg *pg)
{
	struct query *query = pg->first;

	if (pg->state != PG_IDLE || query == NULL)
		return;
	if (PQsendQueryParams(pg->conn, query->sql, (int)query->param_count,
			      NULL, (const char *const *)query->params, NULL,
			      NULL, 0) == 0 ||
	    pg_flush(pg) < 0) {
		pg_lost(pg, NULL);
		return;
	}
	pg->state = PG_BUSY;
	set_timer(pg, pg->timeout_ms);
}

static int query_add(struct roost_pg *pg, const char *sql, size_t param_count,
		     const char *const *params, roost_pg_result *callback,
		     void *ctx)
{
	struct query *query = calloc(1, sizeof(*query));
	size_t i;

	if (query == NULL)
		return -1;
	query->sql = strdup(sql);
	query->param_count = param_count;
	query->callback = callback;
	query->ctx = ctx;
	for (i = 0; i < param_count; i++) {
		query->params[i] = params[i] == NULL ? NULL : strdup(params[i]);
		if (params[i] != NULL && query->params[i] == NULL)
			break;
	}
	if (query->sql == NULL || i < param_count) {
		query_free(query);
		return -1;
	}
	*pg->last = query;
	pg->last = &query->next;
	pg->queued++;
	return 0;
}

static void pg_timer(evutil_socket_t fd, short what, void *arg)
{
	struct roost_pg *pg = arg;

	(void)fd;
	(void)what;
	switch (pg->state) {
	case PG_OFF:
		pg_start(pg);
		break;
	case PG_IDLE:
		if (pg->first != NULL ||
		    query_add(pg, "SELECT 1", 0, NULL, NULL, NULL) == 0)
			pg_next(pg);
		else
			set_timer(pg, PING_MS);
		break;
	case PG_CONNECTING:
		pg_lost(pg, "no connection in time");
		break;
	default:
		pg_lost(pg, "no answer in time");
	}
}

static void pg_start(struct roost_pg *pg)
{
	pg->conn = PQconnectStart(pg->conninfo);
	pg->state = PG_CONNECTING;
	if (pg->conn == NULL || PQstatus(pg->conn) == CONNECTION_BAD) {
		pg_lost(pg, pg->conn == NULL ? "out of memory" : NULL);
		return;
	}
	set_timer(pg, pg->timeout_ms);
	/* libpq: as if PQconnectPoll had returned PGRES_POLLING_WRITING */
	if (wait_io(pg, EV_WRITE) < 0)
		pg_lost(pg, "out of memory");
}

/* One simple query that listens to every channel; "" is a valid query too. */
static char *make_listen_sql(const char *const *channels)
{
	struct roost_buf sql = ROOST_BUF_INIT(SQL_MAX);
	const char *s;

	roost_buf_append(&sql, "", 0);
	for (; channels != NULL && *channels != NULL; channels++) {
		roost_buf_append_str(&sql, "LISTEN \"");
		for (s = *channels; *s != '\0'; s++) {
			if (*s == '"')
				roost_buf_append_char(&sql, '"');
			roost_buf_append_char(&sql, *s);
		}
		roost_buf_append_str(&sql, "\";");
	}
	if (sql.failed)
		roost_buf_free(&sql);
	return (char *)sql.data;
}

static int check_conninfo(const char *conninfo, struct roost_err *err)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &message);
	bool good = options != NULL;

	PQconninfoFree(options);
	PQfreemem(message);
	/* libpq's message may quote the string, and with it a password */
	return good ? 0 : roost_err_set(err, "not a PostgreSQL connect string");
}

int roost_pg_new(struct event_base *base, const struct roost_log *log,
		 const struct roost_pg_config *config,
		 const struct roost_pg_ops *ops, void *ctx,
		 struct roost_pg **pg_r, struct roost_err *err)
{
	struct roost_pg *pg;

	*pg_r = NULL;
	if (check_conninfo(config->conninfo, err) < 0)
		return -1;
	pg = calloc(1, sizeof(*pg));
	if (pg == NULL)
		return roost_err_set(err, "out of memory");
	pg->base = base;
	pg->log = log;
	pg->ops = ops;
	pg->ctx = ctx;
	pg->timeout_ms = config->query_timeout_ms;
	pg->pause_ms = PAUSE_MIN_MS;
	pg->last = &pg->first;
	pg->conninfo = strdup(config->conninfo);
	pg->listen_sql = make_listen_sql(config->channels);
	pg->timer = evtimer_new(base, pg_timer, pg);
	if (pg->conninfo == NULL || pg->listen_sql == NULL ||
	    pg->timer == NULL) {
		roost_pg_free(&pg);
		return roost_err_set(err, "out of memory");
	}
	/* from the loop, so that no callback runs inside this call */
	set_timer(pg, 0);
	*pg_r = pg;
	return 0;
}

int roost_pg_query(struct roost_pg *pg, const char *sql, size_t param_count,
		   const char *const *params, roost_pg_result *callback,
		   void *ctx, struct roost_err *err)
{
	if (!roost_pg_is_connected(pg))
		return roost_err_set(err, "PostgreSQL is away");
	if (pg->queued >= ROOST_PG_QUEUE_MAX || param_count > PARAMS_MAX)
		return roost_err_set(err, "too many queries or parameters");
	if (query_add(pg, sql, param_count, params, callback, ctx) < 0)
		return roost_err_set(err, "out of memory");
	if (pg->state == PG_IDLE)
		set_timer(pg, 0);
	return 0;
}

bool roost_pg_is_connected(const struct roost_pg *pg)
{
	return pg->state == PG_IDLE || pg->state == PG_BUSY;
}

void roost_pg_free(struct roost_pg **pg)
{
	struct roost_pg *p = *pg;

	if (p == NULL)
		return;
	*pg = NULL;
	drop_connection(p);
	fail_queries(p, "the connection is being closed");
	if (p->timer != NULL)
		event_free(p->timer);
	free(p->conninfo);
	free(p->listen_sql);
	free(p);
}
