/* SPDX-License-Identifier: MIT */
/*
 * pg-probe: shows daemon/pg to test_pg.py. Connects with the string of its
 * argument, listens to the channel "probe", prints what happens, and sends
 * each line of standard input as a query (`!` before it: twice, in a row).
 */
#include <event2/bufferevent.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/pg.h"

struct probe {
	struct event_base *base;
	struct roost_pg *pg;
};

static void result(void *ctx, const PGresult *res, const char *error)
{
	(void)ctx;
	if (res == NULL)
		printf("error %s\n", error);
	else
		printf("result %s\n",
		       PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "none");
}

static void connected(void *ctx, struct roost_pg *pg)
{
	(void)ctx;
	printf("connected %d\n", roost_pg_is_connected(pg));
}

static void notified(void *ctx, struct roost_pg *pg, const char *channel,
		     const char *payload)
{
	(void)ctx;
	(void)pg;
	printf("notified %s %s\n", channel, payload);
}

static void lost(void *ctx, struct roost_pg *pg, const char *why)
{
	(void)ctx;
	printf("lost %d %s\n", roost_pg_is_connected(pg), why);
}

static void query(struct probe *probe, const char *sql)
{
	const char *const params[] = { "param" };
	struct roost_err err;

	if (roost_pg_query(probe->pg, sql, strstr(sql, "$1") != NULL ? 1 : 0,
			   params, result, probe, &err) < 0)
		printf("refused %s\n", err.msg);
}

static void readable(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	char *line;

	while ((line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF)) != NULL) {
		query(ctx, *line == '!' ? line + 1 : line);
		if (*line == '!')
			query(ctx, line + 1);
		free(line);
	}
}

static void ended(struct bufferevent *bev, short what, void *ctx)
{
	struct probe *probe = ctx;

	(void)bev;
	(void)what;
	(void)event_base_loopbreak(probe->base);
}

int main(int argc, char *argv[])
{
	static const char *const channels[] = { "probe", "Other \"one\"",
						NULL };
	static const struct roost_pg_ops ops = {
		.connected = connected,
		.notified = notified,
		.lost = lost,
	};
	const struct roost_pg_config config = {
		.conninfo = argc > 1 ? argv[1] : "",
		.channels = channels,
		.query_timeout_ms = 1000,
	};
	const struct roost_log log = { .level = ROOST_LOG_INFO,
				       .fd = STDOUT_FILENO };
	struct probe probe = { .base = event_base_new() };
	struct bufferevent *bev;
	struct roost_err err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (probe.base == NULL)
		return 1;
	if (roost_pg_new(probe.base, &log, &config, &ops, &probe, &probe.pg,
			 &err) < 0) {
		printf("bad %s\n", err.msg);
		event_base_free(probe.base);
		return 1;
	}
	bev = bufferevent_socket_new(probe.base, STDIN_FILENO, 0);
	if (bev == NULL)
		return 1;
	bufferevent_setcb(bev, readable, NULL, ended, &probe);
	bufferevent_enable(bev, EV_READ);
	(void)event_base_dispatch(probe.base);
	bufferevent_free(bev);
	roost_pg_free(&probe.pg);
	event_base_free(probe.base);
	return 0;
}
