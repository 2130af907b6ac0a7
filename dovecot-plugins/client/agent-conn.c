/* SPDX-License-Identifier: MIT */
/*
 * agent-conn: see agent-conn.h. Requests live in a list until their final
 * reply; `tries` counts the connections that failed under each.
 */
#include "lib.h"
#include "ioloop.h"
#include "llist.h"
#include "ostream.h"
#include "connection.h"
#include "common/proto/agent-proto.h"
#include "dovecot-plugins/client/agent-conn.h"

/* The agent answers within its 30 seconds. */
#define REQUEST_TIMEOUT_MSECS ((ROOST_AGENT_PROTO_TIMEOUT_SECS + 1) * 1000)
/* Dovecot's master accepts for an agent that is not there; it is respawned
   in well under a second. */
#define HANDSHAKE_TIMEOUT_MSECS 5000
#define CONNECT_RETRY_MSECS 50
#define MAX_TRIES 2
#define MAX_OUTPUT (1024 * 1024)

struct agent_request {
	struct agent_request *prev, *next;
	struct roost_agent_conn *conn;
	struct timeout *to;
	char *line; /* as sent */
	uint32_t id;
	unsigned int tries;
	bool lines;   /* the answer has several */
	bool invalid; /* fails in a moment, is never sent */
	roost_agent_conn_callback_t *callback;
	void *context;
};

struct roost_agent_conn {
	struct connection conn;
	struct connection_list *list;
	struct agent_request *requests;
	struct timeout *to_connect; /* the next try, or the handshake */
	const char *last_error;
	roost_agent_conn_lost_t *lost;
	roost_agent_conn_pushed_t *pushed;
	void *context;
	uint32_t next_id;
	bool connected, ready;
};

static void conn_connect(struct roost_agent_conn *conn);

static void request_free(struct agent_request *req)
{
	DLLIST_REMOVE(&req->conn->requests, req);
	timeout_remove(&req->to);
	i_free(req->line);
	i_free(req);
}

static void request_finish(struct agent_request *req, const char *error)
{
	roost_agent_conn_callback_t *callback = req->callback;
	void *context = req->context;

	request_free(req);
	callback(NULL, FALSE, error, context);
}

/* Fails what was tried that often; a callback may add requests. */
static void requests_fail(struct roost_agent_conn *conn, unsigned int tries,
			  const char *error)
{
	struct agent_request *req, *next;

	for (req = conn->requests; req != NULL; req = next) {
		next = req->next;
		if (req->tries >= tries)
			request_finish(req, error);
	}
}

static void request_timeout(struct agent_request *req)
{
	request_finish(req, t_strdup_printf("%s: no answer within %d seconds",
					    req->conn->conn.base_name,
					    REQUEST_TIMEOUT_MSECS / 1000));
}

static void request_too_long(struct agent_request *req)
{
	request_finish(req, "user or service name is too long");
}

static bool sizes_are_valid(const struct roost_agent_request *req)
{
	return (req->user == NULL ||
		strlen(req->user) <= ROOST_AGENT_PROTO_MAX_USER) &&
	       (req->service == NULL ||
		strlen(req->service) <= ROOST_AGENT_PROTO_MAX_NAME) &&
	       (req->hop == NULL ||
		strlen(req->hop) <= ROOST_AGENT_PROTO_MAX_NAME);
}

static void request_send(struct agent_request *req)
{
	o_stream_nsend_str(req->conn->conn.output, req->line);
}

static void conn_close(struct roost_agent_conn *conn)
{
	timeout_remove(&conn->to_connect);
	conn->connected = conn->ready = FALSE;
	connection_disconnect(&conn->conn);
}

/* The connection is gone: once more for whom that is the first time. */
static void conn_failed(struct roost_agent_conn *conn, const char *reason)
{
	bool was_ready = conn->ready;
	const char *error =
		t_strdup_printf("%s: %s", conn->conn.base_name, reason);
	struct agent_request *req;

	conn_close(conn);
	for (req = conn->requests; req != NULL; req = req->next)
		req->tries++;
	requests_fail(conn, MAX_TRIES, error);
	if (was_ready && conn->lost != NULL)
		conn->lost(conn->context);
	if (conn->requests != NULL && !conn->connected &&
	    conn->to_connect == NULL)
		conn->to_connect = timeout_add_short(CONNECT_RETRY_MSECS,
						     conn_connect, conn);
}

static void conn_handshake_timeout(struct roost_agent_conn *conn)
{
	conn_close(conn);
	requests_fail(conn, 0,
		      t_strdup_printf("%s: the agent does not greet",
				      conn->conn.base_name));
}

static void conn_connect(struct roost_agent_conn *conn)
{
	timeout_remove(&conn->to_connect);
	conn->conn.disconnect_reason = CONNECTION_DISCONNECT_NOT;
	if (connection_client_connect(&conn->conn) < 0) {
		const char *error = t_strdup_printf("connect(%s) failed: %m",
						    conn->conn.base_name);

		if (errno == EAGAIN) {
			/* its queue is full: the requests' own timeouts
			   bound this */
			conn->to_connect = timeout_add_short(
				CONNECT_RETRY_MSECS, conn_connect, conn);
			return;
		}
		requests_fail(conn, 0, error);
		return;
	}
	conn->connected = TRUE;
	conn->to_connect = timeout_add(HANDSHAKE_TIMEOUT_MSECS,
				       conn_handshake_timeout, conn);
}

/* ---- what Dovecot's connection API calls -------------------------------- */

static void agent_destroy(struct connection *_conn)
{
	struct roost_agent_conn *conn =
		container_of(_conn, struct roost_agent_conn, conn);

	switch (_conn->disconnect_reason) {
	case CONNECTION_DISCONNECT_HANDSHAKE_FAILED:
		conn_close(conn);
		requests_fail(conn, 0,
			      t_strdup_printf("%s speaks another protocol",
					      _conn->base_name));
		break;
	case CONNECTION_DISCONNECT_BUFFER_FULL:
		conn_failed(conn, "line too long");
		break;
	default:
		conn_failed(conn, conn->last_error != NULL
					  ? conn->last_error
					  : "connection closed");
		break;
	}
	conn->last_error = NULL;
}

static int agent_handshake_line(struct connection *conn, const char *line)
{
	struct roost_err err;

	if (roost_agent_proto_check_version(t_strdup_noconst(line),
					    strlen(line), &err) < 0) {
		conn->disconnect_reason =
			CONNECTION_DISCONNECT_HANDSHAKE_FAILED;
		return -1;
	}
	return 1;
}

static void agent_handshake_ready(struct connection *_conn)
{
	struct roost_agent_conn *conn =
		container_of(_conn, struct roost_agent_conn, conn);
	struct agent_request *req;

	timeout_remove(&conn->to_connect);
	conn->ready = TRUE;
	for (req = conn->requests; req != NULL; req = req->next) {
		if (!req->invalid)
			request_send(req);
	}
}

static struct agent_request *request_find(struct roost_agent_conn *conn,
					  uint32_t id)
{
	struct agent_request *req;

	for (req = conn->requests; req != NULL; req = req->next) {
		if (req->id == id)
			return req;
	}
	return NULL;
}

static int agent_input_line(struct connection *_conn, const char *line)
{
	struct roost_agent_conn *conn =
		container_of(_conn, struct roost_agent_conn, conn);
	roost_agent_conn_callback_t *callback;
	struct roost_agent_line reply;
	struct agent_request *req;
	struct roost_err err;
	void *context;
	bool more;

	if (roost_agent_proto_parse_reply(t_strdup_noconst(line), strlen(line),
					  &reply, &err) < 0) {
		conn->last_error = "malformed reply";
		return -1;
	}
	req = request_find(conn, reply.id);
	if (req == NULL) {
		/* the agent's own, or the answer to what was given up */
		if (conn->pushed != NULL)
			conn->pushed(&reply, conn->context);
		return 1;
	}
	callback = req->callback;
	context = req->context;
	more = req->lines && reply.ok && reply.count > 0;
	if (!more)
		request_free(req);
	callback(&reply, more, NULL, context);
	return 1;
}

static const struct connection_settings agent_connection_set = {
	.service_name_in = ROOST_AGENT_PROTO_NAME,
	.service_name_out = ROOST_AGENT_PROTO_NAME,
	.major_version = ROOST_AGENT_PROTO_MAJOR,
	.minor_version = ROOST_AGENT_PROTO_MINOR,
	.input_max_size = ROOST_AGENT_PROTO_MAX_LINE,
	.output_max_size = MAX_OUTPUT,
	.client = TRUE,
};

static const struct connection_vfuncs agent_connection_vfuncs = {
	.destroy = agent_destroy,
	.handshake_line = agent_handshake_line,
	.handshake_ready = agent_handshake_ready,
	.input_line = agent_input_line,
};

/* ---- for the callers ---------------------------------------------------- */

struct roost_agent_conn *roost_agent_conn_init(const char *socket_path,
					       roost_agent_conn_lost_t *lost,
					       void *context)
{
	struct roost_agent_conn *conn = i_new(struct roost_agent_conn, 1);

	conn->lost = lost;
	conn->context = context;
	conn->list = connection_list_init(&agent_connection_set,
					  &agent_connection_vfuncs);
	connection_init_client_unix(conn->list, &conn->conn, socket_path);
	return conn;
}

void roost_agent_conn_set_pushed(struct roost_agent_conn *conn,
				 roost_agent_conn_pushed_t *pushed)
{
	conn->pushed = pushed;
}

void roost_agent_conn_deinit(struct roost_agent_conn **_conn)
{
	struct roost_agent_conn *conn = *_conn;

	if (conn == NULL)
		return;
	*_conn = NULL;
	conn->lost = NULL;
	conn->pushed = NULL;
	conn_close(conn);
	requests_fail(conn, 0, "shutting down");
	timeout_remove(&conn->to_connect);
	connection_deinit(&conn->conn);
	connection_list_deinit(&conn->list);
	i_free(conn);
}

void roost_agent_conn_request(struct roost_agent_conn *conn,
			      const struct roost_agent_request *proto,
			      roost_agent_conn_callback_t *callback,
			      void *context)
{
	struct roost_agent_request numbered = *proto;
	struct agent_request *req = i_new(struct agent_request, 1);
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);

	do {
		conn->next_id = conn->next_id % ROOST_AGENT_PROTO_MAX_ID + 1;
	} while (request_find(conn, conn->next_id) != NULL);
	numbered.id = req->id = conn->next_id;
	roost_agent_proto_format_request(&buf, &numbered);
	req->conn = conn;
	req->line = i_strdup(roost_buf_str(&buf));
	req->lines = proto->command == ROOST_AGENT_NODES;
	req->callback = callback;
	req->context = context;
	DLLIST_PREPEND(&conn->requests, req);

	if (buf.failed || !sizes_are_valid(proto)) {
		/* the agent would close the connection, for everyone */
		req->invalid = TRUE;
		req->to = timeout_add_short(0, request_too_long, req);
	} else {
		req->to = timeout_add(REQUEST_TIMEOUT_MSECS, request_timeout,
				      req);
		if (conn->ready)
			request_send(req);
		else if (!conn->connected && conn->to_connect == NULL)
			conn->to_connect =
				timeout_add_short(0, conn_connect, conn);
	}
	roost_buf_free(&buf);
}

void roost_agent_conn_switch_ioloop(struct roost_agent_conn *conn)
{
	struct agent_request *req;

	connection_switch_ioloop_to(&conn->conn, current_ioloop);
	if (conn->to_connect != NULL)
		conn->to_connect = io_loop_move_timeout(&conn->to_connect);
	for (req = conn->requests; req != NULL; req = req->next)
		req->to = io_loop_move_timeout(&req->to);
}
