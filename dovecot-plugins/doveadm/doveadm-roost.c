/* SPDX-License-Identifier: MIT */
/*
 * doveadm-roost: `doveadm roost status [user]` and `doveadm roost nodes`, told
 * by the agent of the node that doveadm runs on (roost-agent-admin, root).
 * doveadm's -f chooses the form.
 */
#include "lib.h"
#include "ioloop.h"
#include "doveadm.h"
#include "doveadm-print.h"
#include "common/proto/agent-proto.h"
#include "dovecot-plugins/client/agent-conn.h"
#include "dovecot-plugins/compat/base-dir.h"
#include "dovecot-plugins/compat/export.h"
#include "dovecot-plugins/doveadm/doveadm-roost.h"

struct query {
	const char *const *keys; /* the columns */
	bool done;
};

static void print_line(const struct query *query,
		       const struct roost_agent_line *line)
{
	for (const char *const *key = query->keys; *key != NULL; key++) {
		const char *value = roost_agent_proto_get(line, *key);

		/* a bare key says yes */
		doveadm_print(value == NULL    ? "-"
			      : *value == '\0' ? "yes"
					       : value);
	}
}

static void query_reply(const struct roost_agent_line *line, bool more,
			const char *error, void *context)
{
	struct query *query = context;

	if (line == NULL) {
		i_error("%s", error);
		doveadm_exit_code = EX_TEMPFAIL;
	} else if (!line->ok) {
		error = roost_agent_proto_get(line, "reason");
		i_error("%s", error == NULL ? "the agent refuses" : error);
		doveadm_exit_code = EX_TEMPFAIL;
	} else if (line->count > 0) {
		print_line(query, line);
	}
	if (!more) {
		query->done = TRUE;
		io_loop_stop(current_ioloop);
	}
}

static void run_query(const struct roost_agent_request *req,
		      const char *const *keys)
{
	struct query query = { .keys = keys };
	struct roost_agent_conn *conn;
	struct ioloop *ioloop;

	doveadm_print_init(DOVEADM_PRINT_TYPE_TABLE);
	for (; *keys != NULL; keys++)
		doveadm_print_header_simple(*keys);

	ioloop = io_loop_create();
	conn = roost_agent_conn_init(
		t_strconcat(roost_base_dir(), "/roost-agent-admin", NULL), NULL,
		NULL);
	roost_agent_conn_request(conn, req, query_reply, &query);
	while (!query.done)
		io_loop_run(ioloop);
	roost_agent_conn_deinit(&conn);
	io_loop_destroy(&ioloop);
}

static void cmd_status(struct doveadm_cmd_context *cctx)
{
	static const char *const node_keys[] = { "node",     "boot",   "lease",
						 "lease_ms", "redis",  "users",
						 "sessions", "reason", NULL };
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
