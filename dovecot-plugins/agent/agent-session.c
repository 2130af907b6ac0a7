/* SPDX-License-Identifier: MIT */
/* agent-session: the connections of auth, mail and doveadm processes. */
#include "lib.h"
#include "connection.h"
#include "hash.h"
#include "ioloop.h"
#include "llist.h"
#include "ostream.h"
#include "common/base/buf.h"
#include "common/base/kv.h"
#include "common/rules/user-key.h"
#include "dovecot-plugins/settings/roost-settings.h"
#include "dovecot-plugins/agent/agent.h"
#include "dovecot-plugins/agent/agent-admin.h"
#include "dovecot-plugins/agent/agent-claim.h"
#include "dovecot-plugins/agent/agent-lease.h"
#include "dovecot-plugins/agent/agent-pins.h"
#include "dovecot-plugins/agent/agent-session.h"
#include "dovecot-plugins/agent/agent-status.h"

/* Requests and references of one connection. Auth multiplexes every login of
   the node on one. */
#define MAX_ENTRIES 16384
/* A peer that does not read its answers is put off. */
#define MAX_OUTPUT (4 * 1024 * 1024)

struct roost_agent_sessions {
	struct roost_agent *agent;
	struct connection_list *list;
	unsigned int opens;
};

/* One ID of a connection: a request under way, or an OPEN that holds. */
struct session_entry {
	struct session_entry *prev, *next;
	struct session *session;
	uint32_t id;
	enum roost_agent_command command;
	struct roost_agent_claim *claim; /* under way */
	struct roost_agent_admin *admin; /* under way */
	bool is_open;
	bool can_end; /* its process serves one client */
	uint32_t pid;
	struct roost_agent_pin *pin; /* NULL: its boot has ended */
};

struct session {
	struct connection conn;
	struct roost_agent_sessions *sessions;
	enum roost_agent_role role;
	HASH_TABLE(void *, struct session_entry *) ids;
	struct session_entry *entries;
};

/* ---- answers ------------------------------------------------------------ */

static void session_send(struct session *session, struct roost_buf *buf)
{
	roost_agent_proto_end(buf);
	if (buf->failed)
		i_panic("reply longer than a line may be");
	o_stream_nsend(session->conn.output, buf->data, buf->len);
	roost_buf_free(buf);
}

static void session_fail(struct session *session, uint32_t id, const char *code,
			 const char *reason)
{
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);

	roost_agent_proto_begin_fail(&buf, id, code, reason);
	session_send(session, &buf);
}

static void session_protocol(struct session *session, uint32_t id,
			     const char *reason)
{
	e_error(session->conn.event, "Request refused: %s", reason);
	session_fail(session, id, "protocol", reason);
}

/* ---- entries ------------------------------------------------------------ */

static struct session_entry *entry_add(struct session *session,
				       const struct roost_agent_request *req)
{
	/* what clients speak; a delivery or doveadm is let finish */
	static const char *const ending[] = { "imap",	    "pop3",
					      "sieve",	    "managesieve",
					      "submission", NULL };
	struct session_entry *entry = i_new(struct session_entry, 1);

	entry->session = session;
	entry->id = req->id;
	entry->command = req->command;
	entry->pid = req->pid;
	entry->can_end =
		req->service != NULL && str_array_find(ending, req->service);
	hash_table_insert(session->ids, POINTER_CAST(req->id), entry);
	DLLIST_PREPEND(&session->entries, entry);
	return entry;
}

/* Returns whether it was the user's last reference on this node. */
static bool entry_free(struct session_entry *entry)
{
	struct session *session = entry->session;
	bool last = FALSE;

	if (entry->claim != NULL)
		roost_agent_claim_abort(&entry->claim);
	if (entry->admin != NULL)
		roost_agent_admin_abort(&entry->admin);
	if (entry->is_open) {
		session->sessions->opens--;
		if (entry->pin != NULL)
			last = roost_agent_pins_unref(
				session->sessions->agent->pins, entry->pin);
	}
	hash_table_remove(session->ids, POINTER_CAST(entry->id));
	DLLIST_REMOVE(&session->entries, entry);
	i_free(entry);
	return last;
}

/* ---- commands ----------------------------------------------------------- */

static void reply_place(struct session_entry *entry,
			const struct roost_agent_claim_result *result)
{
	struct roost_agent *agent = entry->session->sessions->agent;
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);

	roost_agent_proto_begin_ok(&buf, entry->id);
	roost_kv_pair(&buf, "node", agent->node);
	roost_kv_pair(&buf, "owner", result->owner);
	if (*result->host != '\0')
		roost_kv_pair(&buf, "host", result->host);
	if (result->port != 0)
		roost_kv_pair_uint(&buf, "port", result->port);
	if (result->self)
		roost_kv_flag(&buf, "self");
	if (result->pinned)
		roost_kv_flag(&buf, "pinned");
	roost_kv_pair_uint(&buf, "epoch", result->epoch);
	session_send(entry->session, &buf);
}

static void reply_open(struct session_entry *entry,
		       const struct roost_agent_claim_result *result)
{
	struct roost_agent_sessions *sessions = entry->session->sessions;
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);

	entry->is_open = TRUE;
	entry->pin = result->pin;
	sessions->opens++;
	roost_agent_pins_ref(sessions->agent->pins, entry->pin);
	e_debug(event_create_passthrough(sessions->agent->event)
			->set_name("roost_open")
			->add_str("user", entry->pin->user)
			->add_int("pid", entry->pid)
			->event(),
		"User %s opened by pid %u", entry->pin->user, entry->pid);
	roost_agent_proto_begin_ok(&buf, entry->id);
	roost_kv_pair_uint(&buf, "epoch", result->epoch);
	roost_kv_pair_uint(&buf, "boot",
			   roost_agent_lease_boot(sessions->agent->lease));
	session_send(entry->session, &buf);
}

static void claim_done(const struct roost_agent_claim_result *result,
		       void *context)
{
	struct session_entry *entry = context;
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);

	entry->claim = NULL;
	if (result->code == NULL && entry->command == ROOST_AGENT_OPEN) {
		reply_open(entry, result);
		return;
	}
	if (result->code == NULL) {
		reply_place(entry, result);
	} else {
		roost_agent_proto_begin_fail(&buf, entry->id, result->code,
					     result->reason);
		if (*result->owner != '\0')
			roost_kv_pair(&buf, "owner", result->owner);
		session_send(entry->session, &buf);
	}
	(void)entry_free(entry);
}

static void command_place(struct session *session,
			  const struct roost_agent_request *req)
{
	struct session_entry *entry = entry_add(session, req);
	struct roost_agent_claim *claim;

	/* entry is gone when this returns NULL (OPEN: not if it holds) */
	claim = roost_agent_claim_start(session->sessions->agent, req,
					claim_done, entry);
	if (claim != NULL)
		entry->claim = claim;
}

static void command_close(struct session *session,
			  const struct roost_agent_request *req)
{
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);
	struct session_entry *entry =
		hash_table_lookup(session->ids, POINTER_CAST(req->open_id));
	bool last;

	if (entry == NULL || !entry->is_open) {
		session_protocol(session, req->id,
				 "CLOSE names no OPEN that holds");
		return;
	}
	last = entry_free(entry);
	roost_agent_proto_begin_ok(&buf, req->id);
	if (last)
		roost_kv_flag(&buf, "last");
	session_send(session, &buf);
}

static void command_release(struct session *session,
			    const struct roost_agent_request *req)
{
	struct roost_agent *agent = session->sessions->agent;
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);
	struct roost_agent_pin *pin =
		roost_agent_pins_find(agent->pins, req->user);

	if (pin == NULL) {
		session_fail(session, req->id, "owner",
			     "this node does not hold the user");
		return;
	}
	if (pin->refs > 0 || pin->adopted) {
		session_fail(session, req->id, "refs",
			     pin->refs > 0
				     ? "the user has sessions"
				     : "the user may have sessions that began "
				       "before the agent was restarted");
		return;
	}
	if (!roost_agent_lease_is_ours(agent->lease)) {
		session_fail(session, req->id, "away",
			     "another agent process has taken over");
		return;
	}
	roost_agent_pins_release(agent->pins, pin);
	roost_agent_proto_begin_ok(&buf, req->id);
	session_send(session, &buf);
}

static void command_status(struct session *session,
			   const struct roost_agent_request *req)
{
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);

	if (req->user != NULL) {
		command_place(session, req);
		return;
	}
	roost_agent_proto_begin_ok(&buf, req->id);
	roost_agent_status_add(session->sessions->agent, &buf);
	session_send(session, &buf);
}

static void command_nodes(struct session *session,
			  const struct roost_agent_request *req)
{
	struct roost_agent *agent = session->sessions->agent;
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);
	unsigned int i;

	for (i = 0;; i++) {
		roost_agent_proto_begin_ok(&buf, req->id);
		if (!roost_agent_status_add_node(agent, &buf, i))
			break;
		session_send(session, &buf);
	}
	session_send(session, &buf);
}

/* What stands for the user from here on. */
static const char *pinned_name(const struct session *session, const char *user)
{
	enum roost_user_key key;

	/* the settings have been checked */
	if (!roost_user_key_parse(session->sessions->agent->set->roost_user_key,
				  &key))
		i_unreached();
	return roost_user_key_of(key, user);
}

static void admin_done(const struct roost_agent_admin_result *result,
		       void *context)
{
	struct session_entry *entry = context;
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_AGENT_PROTO_MAX_LINE);

	entry->admin = NULL;
	if (result->code != NULL) {
		session_fail(entry->session, entry->id, result->code,
			     result->reason);
		(void)entry_free(entry);
		return;
	}
	roost_agent_proto_begin_ok(&buf, entry->id);
	if (entry->command == ROOST_AGENT_KICK) {
		roost_kv_pair_uint(&buf, "kicked", result->kicked);
	} else if (entry->command == ROOST_AGENT_MOVE) {
		roost_kv_pair(&buf, "owner", result->owner);
		roost_kv_pair_uint(&buf, "epoch", result->epoch);
	} else {
		roost_kv_pair(&buf, "node", result->owner);
	}
	session_send(entry->session, &buf);
	(void)entry_free(entry);
}

static void command_admin(struct session *session,
			  const struct roost_agent_request *req)
{
	struct session_entry *entry = entry_add(session, req);
	struct roost_agent_admin *admin;

	/* entry is gone when this returns NULL */
	admin = roost_agent_admin_start(session->sessions->agent, req,
					admin_done, entry);
	if (admin != NULL)
		entry->admin = admin;
}

static void session_command(struct session *session,
			    struct roost_agent_request *req)
{
	if (!roost_agent_proto_allowed(session->role, req->command)) {
		session_protocol(
			session, req->id,
			t_strdup_printf(
				"%s is not allowed on this socket",
				roost_agent_proto_command_name(req->command)));
		return;
	}
	if (req->user != NULL)
		req->user = pinned_name(session, req->user);
	if (hash_table_lookup(session->ids, POINTER_CAST(req->id)) != NULL) {
		session_protocol(session, req->id, "the ID is in use");
		return;
	}
	if (hash_table_count(session->ids) >= MAX_ENTRIES) {
		session_fail(session, req->id, "busy",
			     "too many requests on this connection");
		return;
	}
	switch (req->command) {
	case ROOST_AGENT_LOOKUP:
	case ROOST_AGENT_CLAIM:
	case ROOST_AGENT_OPEN:
		command_place(session, req);
		break;
	case ROOST_AGENT_CLOSE:
		command_close(session, req);
		break;
	case ROOST_AGENT_STATUS:
		command_status(session, req);
		break;
	case ROOST_AGENT_NODES:
		command_nodes(session, req);
		break;
	case ROOST_AGENT_RELEASE:
		command_release(session, req);
		break;
	case ROOST_AGENT_KICK:
	case ROOST_AGENT_MOVE:
	case ROOST_AGENT_DRAIN:
	case ROOST_AGENT_UNDRAIN:
	case ROOST_AGENT_WEIGHT:
		command_admin(session, req);
		break;
	}
}

/* ---- connections -------------------------------------------------------- */

static int session_handshake_line(struct connection *conn, const char *line)
{
	struct roost_err err;

	if (roost_agent_proto_check_version(t_strdup_noconst(line),
					    strlen(line), &err) < 0) {
		e_error(conn->event, "%s", err.msg);
		return -1;
	}
	return 1;
}

static int session_input_line(struct connection *conn, const char *line)
{
	struct session *session = container_of(conn, struct session, conn);
	struct roost_agent_request req;
	struct roost_err err;
	int ret;

	ret = roost_agent_proto_parse_request(t_strdup_noconst(line),
					      strlen(line), &req, &err);
	if (ret < 0) {
		e_error(conn->event, "Malformed request: %s", err.msg);
		return -1;
	}
	if (ret == 0)
		session_protocol(session, req.id, err.msg);
	else
		session_command(session, &req);
	if (o_stream_get_buffer_used_size(conn->output) > MAX_OUTPUT) {
		e_error(conn->event, "The peer does not read its answers");
		return -1;
	}
	return 1;
}

static void session_destroy(struct connection *conn)
{
	struct session *session = container_of(conn, struct session, conn);

	while (session->entries != NULL)
		(void)entry_free(session->entries);
	hash_table_destroy(&session->ids);
	connection_deinit(conn);
	i_free(session);
}

static const struct connection_settings session_set = {
	.service_name_in = ROOST_AGENT_PROTO_NAME,
	.service_name_out = ROOST_AGENT_PROTO_NAME,
	.major_version = ROOST_AGENT_PROTO_MAJOR,
	.minor_version = ROOST_AGENT_PROTO_MINOR,
	.input_max_size = ROOST_AGENT_PROTO_MAX_LINE,
	.output_max_size = SIZE_MAX,
	.client = FALSE,
};

static const struct connection_vfuncs session_vfuncs = {
	.destroy = session_destroy,
	.handshake_line = session_handshake_line,
	.input_line = session_input_line,
};

void roost_agent_sessions_add(struct roost_agent_sessions *sessions, int fd,
			      enum roost_agent_role role)
{
	static const char *const names[] = {
		[ROOST_AGENT_ROLE_MAIL] = "mail",
		[ROOST_AGENT_ROLE_AUTH] = "auth",
		[ROOST_AGENT_ROLE_ADMIN] = "admin",
	};
	struct session *session = i_new(struct session, 1);

	session->sessions = sessions;
	session->role = role;
	hash_table_create_direct(&session->ids, default_pool, 0);
	session->conn.event_parent = sessions->agent->event;
	connection_init_server(sessions->list, &session->conn, names[role], fd,
			       fd);
}

unsigned int roost_agent_sessions_kick(struct roost_agent_sessions *sessions,
				       const struct roost_agent_pin *pin,
				       const char *reason)
{
	struct connection *conn;
	struct session_entry *entry;
	unsigned int count = 0;

	for (conn = sessions->list->connections; conn != NULL;
	     conn = conn->next) {
		struct session *session =
			container_of(conn, struct session, conn);

		for (entry = session->entries; entry != NULL;
		     entry = entry->next) {
			if (!entry->is_open || !entry->can_end ||
			    entry->pin == NULL ||
			    (pin != NULL && entry->pin != pin))
				continue;
			session_fail(session, entry->id, "kick", reason);
			count++;
		}
	}
	return count;
}

void roost_agent_sessions_forget(struct roost_agent_sessions *sessions)
{
	struct connection *conn;
	struct session_entry *entry;

	for (conn = sessions->list->connections; conn != NULL;
	     conn = conn->next) {
		struct session *session =
			container_of(conn, struct session, conn);

		for (entry = session->entries; entry != NULL;
		     entry = entry->next)
			entry->pin = NULL;
	}
}

unsigned int
roost_agent_sessions_opens(const struct roost_agent_sessions *sessions)
{
	return sessions->opens;
}

struct roost_agent_sessions *
roost_agent_sessions_init(struct roost_agent *agent)
{
	struct roost_agent_sessions *sessions =
		i_new(struct roost_agent_sessions, 1);

	sessions->agent = agent;
	sessions->list = connection_list_init(&session_set, &session_vfuncs);
	return sessions;
}

void roost_agent_sessions_deinit(struct roost_agent_sessions **_sessions)
{
	struct roost_agent_sessions *sessions = *_sessions;

	if (sessions == NULL)
		return;
	*_sessions = NULL;
	connection_list_deinit(&sessions->list);
	i_free(sessions);
}
