/* SPDX-License-Identifier: MIT */
/* policy-server: the connections of roost-policyd. */
#include "policy/policy-server.h"

#include <event2/event.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "daemon/listener.h"
#include "daemon/privileges.h"
#include "policy/policy-session.h"
#include "policy/policy-settings.h"
#include "policy/policy-socketmap.h"
#include "policy/policy-watch.h"

/* descriptors for everything that is no session */
#define RESERVED_FILES 64
#define FULL_LOG_SECONDS 10

struct roost_policy_server {
	struct roost_daemon *daemon;
	const struct roost_log *log;
	struct roost_policy_watch *watch;
	struct roost_metric *detect_ok;
	struct roost_policy_sessions sessions;
	struct roost_policy_socketmap *socketmap;
	struct roost_listener **listener;
	size_t listener_count;
	struct event *tick;
	struct roost_metric *refused;
	time_t full_logged;
};

static void add_metrics(struct roost_policy_server *server,
			struct roost_metrics *metrics)
{
	struct roost_policy_sessions *s = &server->sessions;
	static const char *const verdicts[] = {
		[ROOST_RELAY_DUNNO] = "verdict=\"dunno\"",
		[ROOST_RELAY_REJECT_UNAUTH] = "verdict=\"reject\"",
		[ROOST_RELAY_TEMPFAIL] = "verdict=\"tempfail\"",
		[ROOST_RELAY_LIMITED] = "verdict=\"limited\"",
		[ROOST_RELAY_NOT_OWNER] = "verdict=\"not-owner\"",
	};
	size_t i;

	for (i = 0; i < ROOST_RELAY_VERDICT_COUNT; i++)
		s->decisions[i] = roost_metrics_add(
			metrics, ROOST_METRIC_COUNTER,
			"roost_policy_decisions_total", verdicts[i],
			"Requests by verdict, also in observe mode.");
	s->malformed = roost_metrics_add(
		metrics, ROOST_METRIC_COUNTER, "roost_policy_malformed_total",
		NULL, "Connections closed for a malformed request.");
	s->timeouts = roost_metrics_add(
		metrics, ROOST_METRIC_COUNTER, "roost_policy_timeouts_total",
		"kind=\"request\"", "Connections closed after a timeout.");
	s->idle_timeouts = roost_metrics_add(
		metrics, ROOST_METRIC_COUNTER, "roost_policy_timeouts_total",
		"kind=\"idle\"", "Connections closed after a timeout.");
	s->open = roost_metrics_add(metrics, ROOST_METRIC_GAUGE,
				    "roost_policy_connections", NULL,
				    "Connections that are open.");
	server->detect_ok = roost_metrics_add(
		metrics, ROOST_METRIC_GAUGE, "roost_policy_detect_ok", NULL,
		"0 while the machine's networks cannot be looked up.");
	roost_metric_set(server->detect_ok, 1);
	server->refused = roost_metrics_add(
		metrics, ROOST_METRIC_COUNTER, "roost_policy_refused_total",
		NULL, "Connections refused at the limit of descriptors.");
}

/* The newest connection is the one to go: the others are at work. */
static void refuse(struct roost_policy_server *server, int fd)
{
	struct timespec now;

	close(fd);
	roost_metric_add(server->refused, 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (server->full_logged != 0 &&
	    now.tv_sec - server->full_logged < FULL_LOG_SECONDS)
		return;
	server->full_logged = now.tv_sec;
	roost_log_msg(server->log, ROOST_LOG_ERROR, "policy_full",
		      "%u connections are open: new ones are refused (raise "
		      "LimitNOFILE)",
		      server->sessions.count);
}

static void accepted(void *ctx, int fd)
{
	struct roost_policy_server *server = ctx;

	if (server->sessions.count >= server->sessions.max)
		refuse(server, fd);
	else
		roost_policy_session_open(&server->sessions, fd);
}

/* An address or a route has changed. */
static void networks_changed(void *ctx)
{
	struct roost_policy_server *server = ctx;
	struct roost_policy_snapshot *snapshot;
	struct roost_err err;

	snapshot = roost_policy_snapshot_new(roost_daemon_conf(server->daemon),
					     &err);
	if (snapshot == NULL) {
		if (roost_metric_get(server->detect_ok) != 0)
			roost_log_msg(
				server->log, ROOST_LOG_ERROR, "detect_failed",
				"the networks found before stay: %s", err.msg);
		roost_metric_set(server->detect_ok, 0);
		roost_policy_watch_again(server->watch);
		return;
	}
	roost_metric_set(server->detect_ok, 1);
	if (roost_policy_snapshot_same_networks(snapshot,
						server->sessions.snapshot)) {
		roost_policy_snapshot_free(&snapshot);
		return;
	}
	roost_log_msg(server->log, ROOST_LOG_INFO, "networks_changed",
		      "looked up again");
	roost_policy_snapshot_free(&server->sessions.snapshot);
	server->sessions.snapshot = snapshot;
	roost_policy_snapshot_log(snapshot, server->log);
}

void roost_policy_server_turn(struct roost_policy_server *server)
{
	roost_policy_session_flush(&server->sessions);
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct roost_policy_server *server = arg;

	(void)fd;
	(void)what;
	roost_policy_session_expire(&server->sessions);
}

/* Opens one more listener of the server. */
static int open_listener(struct roost_policy_server *server,
			 const struct roost_conf_addr *addr,
			 const struct roost_listener_owner *owner,
			 roost_listener_accept *callback, void *ctx,
			 struct roost_err *err)
{
	struct roost_listener **more =
		reallocarray(server->listener, server->listener_count + 1,
			     sizeof(struct roost_listener *));

	if (more == NULL)
		return roost_err_set(err, "out of memory");
	server->listener = more;
	if (roost_listener_open(server->sessions.base, server->log, addr, owner,
				callback, ctx, &more[server->listener_count],
				err) < 0)
		return -1;
	server->listener_count++;
	return 0;
}

static int open_listeners(struct roost_policy_server *server,
			  const struct roost_conf *conf, struct roost_err *err)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	struct roost_listener_owner owner = {
		.mode = (mode_t)set->socket_mode,
	};
	const char *name = "socket_owner";
	int ret = roost_listener_parse_owner(set->socket_owner, &owner, err);
	size_t i;

	if (ret == 0)
		name = "listen";
	for (i = 0; ret == 0 && i < set->listen.count; i++)
		ret = open_listener(server, &set->listen.addr[i], &owner,
				    accepted, server, err);
	if (ret == 0)
		name = "socketmap_listen";
	for (i = 0; ret == 0 && i < set->socketmap_listen.count; i++)
		ret = open_listener(server, &set->socketmap_listen.addr[i],
				    &owner, roost_policy_socketmap_accept,
				    server->socketmap, err);
	return ret == 0 ? 0
			: roost_err_prefix(err, "%s: %s",
					   roost_conf_origin_of(conf, name),
					   name);
}

static void set_timeouts(struct roost_policy_server *server,
			 const struct roost_conf *conf)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);

	server->sessions.request_timeout = set->request_timeout;
	server->sessions.idle_timeout = set->idle_timeout;
}

int roost_policy_server_open(struct roost_daemon *daemon,
			     struct roost_policy_server **server_r,
			     struct roost_err *err)
{
	const struct roost_conf *conf = roost_daemon_conf(daemon);
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	struct roost_policy_server *server = calloc(1, sizeof(*server));
	const struct timeval second = { .tv_sec = 1 };
	long files = roost_privileges_raise_files();

	*server_r = server;
	if (server == NULL)
		return roost_err_set(err, "out of memory");
	if (files <= RESERVED_FILES)
		return roost_err_set(err,
				     "the limit of descriptors is %ld; more "
				     "than %d are needed",
				     files, RESERVED_FILES);
	server->daemon = daemon;
	server->log = roost_daemon_log(daemon);
	server->sessions.base = roost_daemon_base(daemon);
	server->sessions.log = server->log;
	server->sessions.max = (unsigned int)(files - RESERVED_FILES);
	set_timeouts(server, conf);
	add_metrics(server, roost_daemon_metrics(daemon));
	/* where there is no netlink, only detection needs it */
	if (roost_policy_watch_open(server->sessions.base, networks_changed,
				    server, &server->watch, err) < 0 &&
	    set->detect_networks)
		return -1;
	server->sessions.snapshot = roost_policy_snapshot_new(conf, err);
	if (server->sessions.snapshot == NULL)
		return -1;
	roost_policy_snapshot_log(server->sessions.snapshot, server->log);
	if (roost_policy_limits_new(daemon, &server->sessions.limits, err) <
		    0 ||
	    roost_policy_tables_new(daemon, &server->sessions.tables, err) < 0)
		return -1;
	server->socketmap = roost_policy_socketmap_new(
		daemon, server->sessions.tables, set->request_timeout);
	if (server->socketmap == NULL)
		return roost_err_set(err, "out of memory");
	server->tick =
		event_new(server->sessions.base, -1, EV_PERSIST, tick, server);
	if (server->tick == NULL || event_add(server->tick, &second) < 0)
		return roost_err_set(err, "out of memory");
	return open_listeners(server, conf, err);
}

void roost_policy_server_start(struct roost_policy_server *server)
{
	roost_policy_tables_start(server->sessions.tables);
}

int roost_policy_server_reload(struct roost_policy_server *server,
			       const struct roost_conf *conf,
			       struct roost_err *err)
{
	struct roost_policy_snapshot *snapshot;

	snapshot = roost_policy_snapshot_new(conf, err);
	if (snapshot == NULL)
		return -1;
	if (roost_policy_tables_reload(server->sessions.tables, conf, err) <
	    0) {
		roost_policy_snapshot_free(&snapshot);
		return -1;
	}
	roost_policy_tables_start(server->sessions.tables);
	roost_policy_snapshot_free(&server->sessions.snapshot);
	server->sessions.snapshot = snapshot;
	set_timeouts(server, conf);
	roost_policy_limits_reload(server->sessions.limits, conf);
	roost_policy_snapshot_log(snapshot, server->log);
	return 0;
}

bool roost_policy_server_ready(const struct roost_policy_server *server,
			       struct roost_buf *why)
{
	return roost_policy_tables_ready(server->sessions.tables, why);
}

void roost_policy_server_close(struct roost_policy_server **server)
{
	struct roost_policy_server *s = *server;
	size_t i;

	if (s == NULL)
		return;
	*server = NULL;
	for (i = 0; i < s->listener_count; i++)
		roost_listener_close(&s->listener[i]);
	roost_policy_session_close_all(&s->sessions);
	roost_log_flush(&s->sessions.batch);
	roost_policy_socketmap_free(&s->socketmap);
	roost_policy_limits_free(&s->sessions.limits);
	roost_policy_tables_free(&s->sessions.tables);
	roost_policy_watch_close(&s->watch);
	if (s->tick != NULL)
		event_free(s->tick);
	roost_policy_snapshot_free(&s->sessions.snapshot);
	free(s->listener);
	free(s);
}
