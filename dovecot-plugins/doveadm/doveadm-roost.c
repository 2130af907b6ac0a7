/* SPDX-License-Identifier: MIT */
/*
 * doveadm-roost: `doveadm roost …` (doveadm-roost(1)), answered by the agent
 * of the node that doveadm runs on (roost-agent-admin, root). doveadm's -f
 * chooses the form.
 */
#include "lib.h"
#include "strnum.h"
#include "doveadm.h"
#include "doveadm-print.h"
#include "common/proto/agent-proto.h"
#include "dovecot-plugins/compat/export.h"
#include "dovecot-plugins/doveadm/doveadm-roost.h"
#include "dovecot-plugins/doveadm/roost-query.h"

#include <stdio.h>

#define DRAIN_POLL_MSECS 100
/* Nobody was seen to leave for that many polls. */
#define DRAIN_STILL 10
#define DRAIN_DEFAULT_SECS 60
#define DRAIN_MAX_SECS 86400

static void print_header(const char *const *keys)
{
	doveadm_print_init(DOVEADM_PRINT_TYPE_TABLE);
	for (; *keys != NULL; keys++)
		doveadm_print_header_simple(*keys);
}

/* context: the columns */
static void print_line(const struct roost_agent_line *line, void *context)
{
	const char *const *key = context;

	for (; *key != NULL; key++) {
		const char *value = roost_agent_proto_get(line, *key);

		/* a bare key says yes */
		doveadm_print(value == NULL    ? "-"
			      : *value == '\0' ? "yes"
					       : value);
	}
}

static void run_query(const struct roost_agent_request *req,
		      const char *const *keys)
{
	struct roost_query *query = roost_query_init();

	print_header(keys);
	(void)roost_query_run(query, req, print_line, (void *)(uintptr_t)keys);
	roost_query_deinit(&query);
}

static void cmd_status(struct doveadm_cmd_context *cctx)
{
	static const char *const node_keys[] = {
		"node",	 "boot",    "lease",	"lease_ms", "redis", "state",
		"users", "leaving", "sessions", "reason",   NULL
	};
	static const char *const user_keys[] = { "owner",  "host",  "self",
						 "pinned", "epoch", NULL };
	struct roost_agent_request req = { .command = ROOST_AGENT_STATUS };

	if (doveadm_cmd_param_str(cctx, "user", &req.user))
		run_query(&req, user_keys);
	else
		run_query(&req, node_keys);
}

static void cmd_nodes(struct doveadm_cmd_context *cctx ATTR_UNUSED)
{
	static const char *const keys[] = { "node",  "self",   "state", "host",
					    "ports", "weight", "boot",	NULL };
	const struct roost_agent_request req = { .command = ROOST_AGENT_NODES };

	run_query(&req, keys);
}

/* Gets a parameter that must be there. */
static bool cmd_param(struct doveadm_cmd_context *cctx, const char *name,
		      const char **value_r)
{
	if (doveadm_cmd_param_str(cctx, name, value_r))
		return TRUE;
	i_error("%s: the %s is missing", cctx->cmd->name, name);
	doveadm_exit_code = EX_USAGE;
	return FALSE;
}

static void cmd_kick(struct doveadm_cmd_context *cctx)
{
	static const char *const keys[] = { "kicked", NULL };
	struct roost_agent_request req = { .command = ROOST_AGENT_KICK };

	if (cmd_param(cctx, "user", &req.user))
		run_query(&req, keys);
}

static void cmd_move(struct doveadm_cmd_context *cctx)
{
	static const char *const keys[] = { "owner", "epoch", NULL };
	struct roost_agent_request req = { .command = ROOST_AGENT_MOVE };

	if (cmd_param(cctx, "user", &req.user) &&
	    cmd_param(cctx, "node", &req.node))
		run_query(&req, keys);
}

static void cmd_undrain(struct doveadm_cmd_context *cctx)
{
	static const char *const keys[] = { "node", NULL };
	struct roost_agent_request req = { .command = ROOST_AGENT_UNDRAIN };

	(void)doveadm_cmd_param_str(cctx, "node", &req.node);
	run_query(&req, keys);
}

static void cmd_weight(struct doveadm_cmd_context *cctx)
{
	static const char *const keys[] = { "node", NULL };
	struct roost_agent_request req = { .command = ROOST_AGENT_WEIGHT };
	const char *weight;

	if (!cmd_param(cctx, "node", &req.node) ||
	    !cmd_param(cctx, "weight", &weight))
		return;
	if (str_to_uint32(weight, &req.weight) < 0 ||
	    req.weight > ROOST_AGENT_PROTO_MAX_WEIGHT) {
		i_error("the weight is a number of 0 to %d",
			ROOST_AGENT_PROTO_MAX_WEIGHT);
		doveadm_exit_code = EX_USAGE;
		return;
	}
	run_query(&req, keys);
}

/* ---- drain -------------------------------------------------------------- */

struct drain {
	char *node; /* that drains */
	bool self;
	uint64_t users, leaving;
};

static void drain_begun(const struct roost_agent_line *line, void *context)
{
	struct drain *drain = context;
	const char *node = roost_agent_proto_get(line, "node");

	drain->node = i_strdup(node == NULL ? "?" : node);
}

static void drain_status(const struct roost_agent_line *line, void *context)
{
	struct drain *drain = context;
	const char *node = roost_agent_proto_get(line, "node");

	drain->self = node != NULL && strcmp(node, drain->node) == 0;
	drain->users = roost_agent_proto_get_uint(line, "users", UINT64_MAX);
	drain->leaving =
		roost_agent_proto_get_uint(line, "leaving", UINT64_MAX);
}

/* Shows how many are left until nobody is, or nobody leaves any more. */
static bool drain_watch(struct roost_query *query, struct drain *drain,
			unsigned int max_msecs)
{
	const struct roost_agent_request status = {
		.command = ROOST_AGENT_STATUS
	};
	uint64_t shown = UINT64_MAX;
	unsigned int msecs = 0, still = 0;

	for (;;) {
		if (!roost_query_run(query, &status, drain_status, drain))
			return FALSE;
		if (!drain->self || drain->users == 0)
			return TRUE;
		if (drain->users != shown || drain->leaving > 0)
			still = 0;
		if (drain->users != shown)
			fprintf(stderr, "%" PRIu64 " users left\n",
				drain->users);
		shown = drain->users;
		if (still++ >= DRAIN_STILL || msecs >= max_msecs)
			return TRUE;
		roost_query_sleep(query, DRAIN_POLL_MSECS);
		msecs += DRAIN_POLL_MSECS;
	}
}

static void drain_print(const struct drain *drain)
{
	static const char *const keys[] = { "node", "users", NULL };

	print_header(keys);
	doveadm_print(drain->node);
	doveadm_print(drain->self ? dec2str(drain->users) : "-");
	if (drain->users == 0 || !drain->self)
		return;
	i_error("%" PRIu64 " users are still here: %s", drain->users,
		drain->leaving > 0
			? "they go as their sessions end"
			: "they may have sessions of before the agent's "
			  "restart, and stay until Dovecot stops");
	doveadm_exit_code = EX_TEMPFAIL;
}

static void cmd_drain(struct doveadm_cmd_context *cctx)
{
	struct roost_agent_request req = { .command = ROOST_AGENT_DRAIN };
	struct roost_query *query = roost_query_init();
	struct drain drain = { .node = NULL };
	int64_t secs = DRAIN_DEFAULT_SECS;

	(void)doveadm_cmd_param_str(cctx, "node", &req.node);
	(void)doveadm_cmd_param_int64(cctx, "timeout", &secs);
	if (secs < 0 || secs > DRAIN_MAX_SECS) {
		i_error("the timeout is a number of 0 to %d seconds",
			DRAIN_MAX_SECS);
		doveadm_exit_code = EX_USAGE;
	} else if (roost_query_run(query, &req, drain_begun, &drain) &&
		   drain_watch(query, &drain, (unsigned int)secs * 1000)) {
		drain_print(&drain);
	}
	i_free(drain.node);
	roost_query_deinit(&query);
}

/* clang-format off */
static struct doveadm_cmd_ver2 commands[] = {
	{
		.name = "roost status",
		.cmd = cmd_status,
		.usage = "[<user>]",
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_PARAM('\0', "user", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
DOVEADM_CMD_PARAMS_END
	},
	{
		.name = "roost nodes",
		.cmd = cmd_nodes,
		.usage = "",
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_PARAMS_END
	},
	{
		.name = "roost kick",
		.cmd = cmd_kick,
		.usage = "<user>",
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_PARAM('\0', "user", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
DOVEADM_CMD_PARAMS_END
	},
	{
		.name = "roost move",
		.cmd = cmd_move,
		.usage = "<user> <node>",
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_PARAM('\0', "user", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
DOVEADM_CMD_PARAM('\0', "node", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
DOVEADM_CMD_PARAMS_END
	},
	{
		.name = "roost drain",
		.cmd = cmd_drain,
		.usage = "[-t <seconds>] [<node>]",
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_PARAM('t', "timeout", CMD_PARAM_INT64, 0)
DOVEADM_CMD_PARAM('\0', "node", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
DOVEADM_CMD_PARAMS_END
	},
	{
		.name = "roost undrain",
		.cmd = cmd_undrain,
		.usage = "[<node>]",
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_PARAM('\0', "node", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
DOVEADM_CMD_PARAMS_END
	},
	{
		.name = "roost weight",
		.cmd = cmd_weight,
		.usage = "<node> <weight>",
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_PARAM('\0', "node", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
DOVEADM_CMD_PARAM('\0', "weight", CMD_PARAM_STR, CMD_PARAM_FLAG_POSITIONAL)
DOVEADM_CMD_PARAMS_END
	},
};
/* clang-format on */

ROOST_EXPORT const char *doveadm_roost_plugin_version = DOVECOT_ABI_VERSION;

ROOST_EXPORT void doveadm_roost_plugin_init(struct module *module ATTR_UNUSED)
{
	for (unsigned int i = 0; i < N_ELEMENTS(commands); i++)
		doveadm_cmd_register_ver2(&commands[i]);
	roost_doveadm_index_register();
}

ROOST_EXPORT void doveadm_roost_plugin_deinit(void)
{
}
