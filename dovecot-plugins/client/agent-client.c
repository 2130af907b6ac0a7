/* SPDX-License-Identifier: MIT */
/*
 * agent-client: LOOKUP and CLAIM for the passdb driver, asynchronous.
 */
#include "lib.h"
#include "net.h"
#include "common/proto/agent-proto.h"
#include "dovecot-plugins/client/agent-client.h"
#include "dovecot-plugins/client/agent-conn.h"

struct roost_agent_client {
	struct roost_agent_conn *conn;
};

struct client_request {
	roost_agent_callback_t *callback;
	void *context;
};

struct roost_agent_client *roost_agent_client_init(const char *socket_path)
{
	struct roost_agent_client *client = i_new(struct roost_agent_client, 1);

	client->conn = roost_agent_conn_init(socket_path, NULL, NULL);
	return client;
}

void roost_agent_client_deinit(struct roost_agent_client **_client)
{
	struct roost_agent_client *client = *_client;

	if (client == NULL)
		return;
	*_client = NULL;
	roost_agent_conn_deinit(&client->conn);
	i_free(client);
}

static const char *get(const struct roost_agent_line *line, const char *key)
{
	const char *value = roost_agent_proto_get(line, key);

	return value == NULL ? "" : value;
}

static void parse_ok(const struct roost_agent_line *line,
		     struct roost_agent_reply *reply)
{
	struct ip_addr ip;

	reply->self = roost_agent_proto_get(line, "self") != NULL;
	reply->pinned = roost_agent_proto_get(line, "pinned") != NULL;
	reply->owner = get(line, "owner");
	reply->host = get(line, "host");
	reply->node = get(line, "node");
	reply->port =
		(in_port_t)roost_agent_proto_get_uint(line, "port", UINT16_MAX);
	reply->epoch = roost_agent_proto_get_uint(line, "epoch", UINT64_MAX);

	/* whoever acts on an owner must be able to reach it */
	if (!reply->self && *reply->owner != '\0' &&
	    (net_addr2ip(reply->host, &ip) < 0 || *reply->node == '\0')) {
		reply->result = ROOST_AGENT_AWAY;
		reply->reason = t_strdup_printf(
			"the agent names owner %s without its address",
			reply->owner);
	}
}

static void client_reply(const struct roost_agent_line *line, bool more,
			 const char *error, void *context)
{
	struct client_request *req = context;
	struct roost_agent_reply reply;

	i_assert(!more);
	i_zero(&reply);
	reply.owner = reply.host = reply.node = reply.code = reply.reason = "";
	if (line == NULL) {
		reply.result = ROOST_AGENT_AWAY;
		reply.reason = error;
	} else if (line->ok) {
		parse_ok(line, &reply);
	} else {
		reply.result = ROOST_AGENT_FAIL;
		reply.code = get(line, "code");
		reply.reason = get(line, "reason");
		reply.owner = get(line, "owner");
	}
	req->callback(&reply, req->context);
	i_free(req);
}

static void client_request(struct roost_agent_client *client,
			   const struct roost_agent_request *proto,
			   roost_agent_callback_t *callback, void *context)
{
	struct client_request *req = i_new(struct client_request, 1);

	req->callback = callback;
	req->context = context;
	roost_agent_conn_request(client->conn, proto, client_reply, req);
}

void roost_agent_lookup(struct roost_agent_client *client, const char *user,
			const char *service, roost_agent_callback_t *callback,
			void *context)
{
	const struct roost_agent_request proto = {
		.command = ROOST_AGENT_LOOKUP,
		.user = user,
		.service = service,
	};

	client_request(client, &proto, callback, context);
}

void roost_agent_claim(struct roost_agent_client *client, const char *user,
		       const char *service, const char *hop,
		       roost_agent_callback_t *callback, void *context)
{
	const struct roost_agent_request proto = {
		.command = ROOST_AGENT_CLAIM,
		.user = user,
		.service = service,
		.hop = hop,
	};

	client_request(client, &proto, callback, context);
}
