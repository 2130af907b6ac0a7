/* SPDX-License-Identifier: MIT */
/*
 * roost-policyd: tells Postfix which clients may relay (roost-policyd(8)).
 *
 * The walk of a request: policy-session reads it, common/proto/policy-request
 * parses it, policy-snapshot turns it into a question, common/rules/relay
 * decides.
 */
#include <string.h>

#include "daemon/daemon.h"
#include "policy/policy-server.h"
#include "policy/policy-settings.h"
#include "policy/policy-tables.h"

struct policyd {
	struct roost_policy_server *server;
};

static int policyd_init(struct roost_daemon *daemon, void *ctx,
			struct roost_err *err)
{
	struct policyd *policyd = ctx;

	return roost_policy_server_open(daemon, &policyd->server, err);
}

/* Names the settings that only a restart can change. */
static void warn_fixed(struct roost_daemon *daemon,
		       const struct roost_conf *conf)
{
	static const char *const fixed[] = {
		"listen", "socket_mode",    "socket_owner",
		"redis",  "redis_password", "redis_timeout"
	};
	const struct roost_conf *old = roost_daemon_conf(daemon);
	const struct roost_conf_table *table = &roost_policy_settings_table;
	size_t i, k;

	for (i = 0; i < table->count; i++) {
		for (k = 0; k < sizeof(fixed) / sizeof(fixed[0]); k++) {
			if (strcmp(table->rows[i].name, fixed[k]) == 0 &&
			    strcmp(roost_conf_text(old, i),
				   roost_conf_text(conf, i)) != 0)
				roost_log_msg(roost_daemon_log(daemon),
					      ROOST_LOG_WARNING,
					      "restart_needed",
					      "a change of %s needs a restart",
					      fixed[k]);
		}
	}
}

static int policyd_reload(struct roost_daemon *daemon, void *ctx,
			  const struct roost_conf *conf, struct roost_err *err)
{
	struct policyd *policyd = ctx;

	if (roost_policy_server_reload(policyd->server, conf, err) < 0)
		return -1;
	warn_fixed(daemon, conf);
	return 0;
}

static int policyd_check(const struct roost_conf *conf, struct roost_err *err)
{
	if (roost_policy_snapshot_check(conf, err) < 0)
		return -1;
	return roost_policy_tables_check(conf, err);
}

static int policyd_run(struct roost_daemon *daemon, void *ctx,
		       struct roost_err *err)
{
	struct policyd *policyd = ctx;

	(void)daemon;
	(void)err;
	roost_policy_server_start(policyd->server);
	return 0;
}

static bool policyd_ready(void *ctx, struct roost_buf *why)
{
	struct policyd *policyd = ctx;

	return roost_policy_server_ready(policyd->server, why);
}

static void policyd_turn(void *ctx)
{
	struct policyd *policyd = ctx;

	roost_policy_server_turn(policyd->server);
}

static void policyd_deinit(struct roost_daemon *daemon, void *ctx)
{
	struct policyd *policyd = ctx;

	(void)daemon;
	roost_policy_server_close(&policyd->server);
}

int main(int argc, char *argv[])
{
	static const struct roost_daemon_ops ops = {
		.name = "roost-policyd",
		.conf_path = ROOST_POLICY_CONF_PATH,
		.table = &roost_policy_settings_table,
		.check = policyd_check,
		.init = policyd_init,
		.run = policyd_run,
		.reload = policyd_reload,
		.turn = policyd_turn,
		.ready = policyd_ready,
		.deinit = policyd_deinit,
	};
	struct policyd policyd = { NULL };

	return roost_daemon_main(argc, argv, &ops, &policyd);
}
