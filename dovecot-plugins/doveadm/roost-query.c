/* SPDX-License-Identifier: MIT */
/* roost-query: doveadm's connection to the agent; one question at a time. */
#include "lib.h"
#include "ioloop.h"
#include "doveadm.h"
#include "dovecot-plugins/client/agent-conn.h"
#include "dovecot-plugins/compat/base-dir.h"
#include "dovecot-plugins/doveadm/roost-query.h"

struct roost_query {
	struct ioloop *ioloop;
	struct roost_agent_conn *conn;
	roost_query_line_t *callback;
	void *context;
	bool done, failed;
};

static void query_fail(struct roost_query *query, const char *code,
		       const char *reason)
{
	i_error("%s", reason == NULL ? "the agent refuses" : reason);
	doveadm_exit_code = code != NULL && strcmp(code, "owner") == 0
				    ? DOVEADM_EX_NOTFOUND
				    : EX_TEMPFAIL;
	query->failed = TRUE;
}

static void query_reply(const struct roost_agent_line *line, bool more,
			const char *error, void *context)
{
	struct roost_query *query = context;

	if (line == NULL)
		query_fail(query, NULL, error);
	else if (!line->ok)
		query_fail(query, roost_agent_proto_get(line, "code"),
			   roost_agent_proto_get(line, "reason"));
	else if (line->count > 0)
		query->callback(line, query->context);
	if (!more) {
		query->done = TRUE;
		io_loop_stop(query->ioloop);
	}
}

bool roost_query_run(struct roost_query *query,
		     const struct roost_agent_request *req,
		     roost_query_line_t *callback, void *context)
{
	query->callback = callback;
	query->context = context;
	query->done = query->failed = FALSE;
	roost_agent_conn_request(query->conn, req, query_reply, query);
	while (!query->done)
		io_loop_run(query->ioloop);
	return !query->failed;
}

static void query_awake(struct roost_query *query)
{
	query->done = TRUE;
	io_loop_stop(query->ioloop);
}

void roost_query_sleep(struct roost_query *query, unsigned int msecs)
{
	struct timeout *to = timeout_add_short(msecs, query_awake, query);

	query->done = FALSE;
	while (!query->done)
		io_loop_run(query->ioloop);
	timeout_remove(&to);
}

struct roost_query *roost_query_init(void)
{
	struct roost_query *query = i_new(struct roost_query, 1);

	query->ioloop = io_loop_create();
	query->conn = roost_agent_conn_init(
		t_strconcat(roost_base_dir(), "/roost-agent-admin", NULL), NULL,
		NULL);
	return query;
}

void roost_query_deinit(struct roost_query **_query)
{
	struct roost_query *query = *_query;

	*_query = NULL;
	roost_agent_conn_deinit(&query->conn);
	io_loop_destroy(&query->ioloop);
	i_free(query);
}
