/* SPDX-License-Identifier: MIT */
/*
 * agent-session: the waiting form of the client, for processes that open
 * mailboxes. A session has a connection of its own: closing it drops the
 * reference, also when the process dies. When the agent goes away the session
 * opens itself again in the background (the agent rebuilds its references
 * from that); until then the lease page alone decides, and not for long.
 */
#include "lib.h"
#include "ioloop.h"
#include "lib-event.h"
#include "common/proto/agent-proto.h"
#include "dovecot-plugins/client/agent-client.h"
#include "dovecot-plugins/client/agent-conn.h"
#include "dovecot-plugins/client/lease-page.h"

#include <signal.h>
#include <unistd.h>

/* A restarted agent waits longer than this before it releases a user whose
   sessions have not come back. */
#define REOPEN_GRACE_NSECS (10ULL * 1000 * 1000 * 1000)
#define REOPEN_RETRY_MSECS 500

struct roost_session {
	struct roost_agent_conn *conn;
	const struct roost_lease_page *page;
	struct event *event;
	struct timeout *to_reopen;
	char *user, *service;
	uint64_t boot, epoch;
	uint64_t lost_since; /* CLOCK_BOOTTIME ns; 0: the agent knows us */
	bool lost_logged;
	bool closing;
	bool kicked;  /* this process is about to end */
	bool over;    /* another boot or epoch: never valid again */
	bool waiting; /* the first OPEN has no answer yet */
	char *error;  /* of the first OPEN */
};

static void session_send(struct roost_session *session);

static void session_lost(void *context)
{
	struct roost_session *session = context;

	if (session->waiting || session->over)
		return;
	if (session->lost_since == 0)
		session->lost_since = roost_lease_page_now();
	timeout_remove(&session->to_reopen);
	session->to_reopen = timeout_add_short(0, session_send, session);
}

static void session_first_reply(struct roost_session *session,
				const struct roost_agent_line *line,
				const char *error)
{
	const char *code;

	session->waiting = FALSE;
	io_loop_stop(current_ioloop);
	if (line == NULL) {
		session->error = i_strdup(error);
		return;
	}
	if (!line->ok) {
		code = roost_agent_proto_get(line, "code");
		error = roost_agent_proto_get(line, "reason");
		session->error = i_strdup_printf(
			"roost-agent refuses: %s (%s)",
			error == NULL || *error == '\0' ? "no reason" : error,
			code == NULL ? "?" : code);
		return;
	}
	session->boot = roost_agent_proto_get_uint(line, "boot", UINT64_MAX);
	session->epoch = roost_agent_proto_get_uint(line, "epoch", UINT64_MAX);
	if (session->boot == 0)
		session->error = i_strdup("roost-agent answers without a boot");
}

/* The agent was away; does it still count us as before? */
static void session_next_reply(struct roost_session *session,
			       const struct roost_agent_line *line,
			       const char *error)
{
	if (line == NULL) {
		if (!session->lost_logged)
			e_warning(event_create_passthrough(session->event)
					  ->set_name("roost_session_unknown")
					  ->event(),
				  "roost: the agent is away, trying again: %s",
				  error);
		session->lost_logged = TRUE;
		session->to_reopen = timeout_add_short(REOPEN_RETRY_MSECS,
						       session_send, session);
		return;
	}
	if (line->ok &&
	    roost_agent_proto_get_uint(line, "boot", UINT64_MAX) ==
		    session->boot &&
	    roost_agent_proto_get_uint(line, "epoch", UINT64_MAX) ==
		    session->epoch) {
		session->lost_since = 0;
		session->lost_logged = FALSE;
		return;
	}
	session->over = TRUE;
	e_error(event_create_passthrough(session->event)
			->set_name("roost_session_lost")
			->event(),
		"roost: another agent or node took over: this session ends");
}

static void session_reply(const struct roost_agent_line *line,
			  bool more ATTR_UNUSED, const char *error,
			  void *context)
{
	struct roost_session *session = context;

	if (session->closing)
		return;
	if (session->waiting)
		session_first_reply(session, line, error);
	else
		session_next_reply(session, line, error);
}

/* The agent wants its user back: the user moves, is kicked, or the lease has
   ended. It asks only processes that serve one client, and those end by
   SIGTERM as they do for doveadm kick, from their ioloop. */
static void session_pushed(const struct roost_agent_line *line, void *context)
{
	struct roost_session *session = context;
	const char *code = roost_agent_proto_get(line, "code");
	const char *reason = roost_agent_proto_get(line, "reason");

	if (session->waiting || session->closing || session->kicked ||
	    line->ok || code == NULL || strcmp(code, "kick") != 0)
		return;
	session->kicked = TRUE;
	e_info(event_create_passthrough(session->event)
		       ->set_name("roost_session_kicked")
		       ->add_str("reason", reason)
		       ->event(),
	       "roost: the session is ended: %s",
	       reason == NULL ? "no reason" : reason);
	if (kill(getpid(), SIGTERM) < 0)
		e_error(session->event, "roost: kill() failed: %m");
}

static void session_send(struct roost_session *session)
{
	const struct roost_agent_request proto = {
		.command = ROOST_AGENT_OPEN,
		.user = session->user,
		.service = session->service,
		.pid = (uint32_t)getpid(),
	};

	timeout_remove(&session->to_reopen);
	roost_agent_conn_request(session->conn, &proto, session_reply, session);
}

/* Waits for the agent's answer, at most the 31 seconds of a request. */
static void session_wait(struct roost_session *session)
{
	struct ioloop *prev = current_ioloop;
	struct ioloop *ioloop = io_loop_create();

	/* a connection remembers the ioloop it was made in */
	roost_agent_conn_switch_ioloop(session->conn);
	session->waiting = TRUE;
	session_send(session);
	while (session->waiting)
		io_loop_run(ioloop);
	io_loop_set_current(prev);
	roost_agent_conn_switch_ioloop(session->conn);
	/* it may be lost already */
	if (session->to_reopen != NULL)
		session->to_reopen = io_loop_move_timeout(&session->to_reopen);
	io_loop_set_current(ioloop);
	io_loop_destroy(&ioloop);
}

int roost_session_open(const char *base_dir, const char *user,
		       const char *service, struct roost_session **session_r,
		       const char **error_r)
{
	struct roost_session *session;
	struct roost_err err;

	session = i_new(struct roost_session, 1);
	session->user = i_strdup(user);
	session->service = i_strdup(service);
	session->event = event_create(NULL);
	event_add_str(session->event, "user", user);
	session->conn = roost_agent_conn_init(
		t_strconcat(base_dir, "/roost-agent", NULL), session_lost,
		session);
	roost_agent_conn_set_pushed(session->conn, session_pushed);
	session_wait(session);
	if (session->error != NULL) {
		*error_r = t_strdup(session->error);
		roost_session_close(&session);
		return -1;
	}
	session->page = roost_lease_page_open(
		t_strconcat(base_dir, "/" ROOST_LEASE_PAGE_NAME, NULL), &err);
	if (session->page == NULL) {
		*error_r = t_strdup(err.msg);
		roost_session_close(&session);
		return -1;
	}
	*session_r = session;
	return 0;
}

void roost_session_close(struct roost_session **_session)
{
	struct roost_session *session = *_session;

	if (session == NULL)
		return;
	*_session = NULL;
	session->closing = TRUE;
	timeout_remove(&session->to_reopen);
	roost_agent_conn_deinit(&session->conn);
	roost_lease_page_close(session->page);
	event_unref(&session->event);
	i_free(session->user);
	i_free(session->service);
	i_free(session->error);
	i_free(session);
}

bool roost_session_valid(const struct roost_session *session)
{
	return roost_session_deadline(session) > roost_lease_page_now();
}

uint64_t roost_session_deadline(const struct roost_session *session)
{
	uint64_t deadline;

	if (session->over)
		return 0;
	deadline = roost_lease_page_deadline(session->page, session->boot);
	if (session->lost_since != 0)
		deadline = I_MIN(deadline,
				 session->lost_since + REOPEN_GRACE_NSECS);
	return deadline;
}

uint64_t roost_session_epoch(const struct roost_session *session)
{
	return session->epoch;
}

uint64_t roost_session_boot(const struct roost_session *session)
{
	return session->boot;
}
