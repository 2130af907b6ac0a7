/* SPDX-License-Identifier: MIT */
/* policy-session: one connection of Postfix; see policy-server.h. */
#include "policy/policy-session.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE 65536
/* an empty buffer that has grown beyond this gives its memory back */
#define KEEP_SIZE 4096
#define MALFORMED_LOG_MS 1000
#define USER_MAX 320 /* bytes of a login in the log */

struct roost_policy_session {
	struct roost_policy_sessions *all;
	struct roost_policy_session_list *list; /* that it is in */
	struct roost_policy_session *prev, *next;
	int64_t since; /* ms: in the list */
	int fd;
	short waits_for; /* EV_READ, EV_WRITE while an answer is unread, or 0 */
	bool ending;	 /* close once the answers are out */
	bool dirty;	 /* has answers for the end of this turn */
	struct roost_policy_session *next_dirty;
	struct event *event;
	struct roost_buf in, out;
	struct roost_policy_request request;
	struct roost_relay_result result; /* of the request */
	bool observe;
	struct roost_policy_ask *ask; /* waits for the limits, or NULL */
	size_t done;		      /* bytes of `in` that are answered */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void list_remove(struct roost_policy_session *s)
{
	struct roost_policy_session_list *list = s->list;

	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		list->first = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	else
		list->last = s->prev;
	s->list = NULL;
}

/* Puts it at the end of a list: its time starts now. */
static void list_append(struct roost_policy_session_list *list,
			struct roost_policy_session *s)
{
	if (s->list != NULL)
		list_remove(s);
	s->list = list;
	s->since = now_ms();
	s->next = NULL;
	s->prev = list->last;
	if (list->last != NULL)
		list->last->next = s;
	else
		list->first = s;
	list->last = s;
}

/* Its answers go out at the end of the turn, after their log lines. */
static void set_dirty(struct roost_policy_session *s)
{
	if (s->dirty)
		return;
	s->dirty = true;
	s->next_dirty = s->all->dirty;
	s->all->dirty = s;
}

static void forget_dirty(struct roost_policy_session *s)
{
	struct roost_policy_session **at = &s->all->dirty;

	while (s->dirty && *at != s)
		at = &(*at)->next_dirty;
	if (s->dirty)
		*at = s->next_dirty;
}

static void session_close(struct roost_policy_session *s)
{
	forget_dirty(s);
	if (s->ask != NULL)
		roost_policy_limits_cancel(s->ask);
	list_remove(s);
	if (s->event != NULL)
		event_free(s->event);
	close(s->fd);
	roost_buf_free(&s->in);
	roost_buf_free(&s->out);
	s->all->count--;
	roost_metric_set(s->all->open, s->all->count);
	free(s);
}

/* "unix", or the address of a TCP peer. */
static void format_peer(int fd, char text[ROOST_ADDR_TEXT_MAX])
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);
	struct roost_addr addr;

	(void)getpeername(fd, (struct sockaddr *)&ss, &len);
	if (ss.ss_family == AF_INET) {
		roost_addr_from_bytes(&((struct sockaddr_in *)&ss)->sin_addr, 4,
				      &addr);
		(void)roost_addr_format(&addr, text);
	} else if (ss.ss_family == AF_INET6) {
		roost_addr_from_bytes(&((struct sockaddr_in6 *)&ss)->sin6_addr,
				      16, &addr);
		(void)roost_addr_format(&addr, text);
	} else {
		strcpy(text, "unix");
	}
}

/* At most a line in a second: each connection may end in one. */
static void log_malformed(const struct roost_policy_session *s,
			  const struct roost_err *err)
{
	struct roost_policy_sessions *all = s->all;
	char peer[ROOST_ADDR_TEXT_MAX];
	struct roost_log_line line;
	int64_t now = now_ms();

	roost_metric_add(all->malformed, 1);
	if (all->malformed_logged != 0 &&
	    now - all->malformed_logged < MALFORMED_LOG_MS) {
		all->malformed_quiet++;
		return;
	}
	all->malformed_logged = now;

	format_peer(s->fd, peer);
	roost_log_begin(&line, s->all->log, ROOST_LOG_WARNING,
			"policy_malformed");
	roost_log_str(&line, "peer", peer);
	roost_log_str(&line, "reason", err->msg);
	if (all->malformed_quiet > 0)
		roost_log_int(&line, "more", all->malformed_quiet);
	all->malformed_quiet = 0;
	roost_log_end(&line);
}

static void log_decision(struct roost_policy_session *s)
{
	const struct roost_relay_result *result = &s->result;
	const char *const *value = s->request.value;
	const char *user = value[ROOST_POLICY_SASL_USERNAME];
	const char *recipient = value[ROOST_POLICY_RECIPIENT];
	const char *at = recipient == NULL ? NULL : strrchr(recipient, '@');
	char network[ROOST_CIDR_TEXT_MAX];
	struct roost_log_line line;

	roost_log_begin(&line, s->all->log, ROOST_LOG_INFO, "policy_decision");
	if (line.log == NULL)
		return;
	roost_log_str(&line, "verdict",
		      roost_relay_verdict_name(result->verdict));
	roost_log_str(&line, "rule", result->rule);
	roost_log_str(&line, "client", value[ROOST_POLICY_CLIENT_ADDRESS]);
	roost_log_str(&line, "server", value[ROOST_POLICY_SERVER_ADDRESS]);
	roost_log_str(&line, "sasl",
		      user != NULL && *user != '\0' ? "yes" : "no");
	if (user != NULL && *user != '\0')
		roost_log_bytes(&line, "user", user, strnlen(user, USER_MAX));
	roost_log_str(&line, "recipient_domain", at == NULL ? NULL : at + 1);
	if (result->has_network)
		roost_log_str(&line, "network",
			      roost_cidr_format(&result->network, network));
	roost_log_str(&line, "state", value[ROOST_POLICY_PROTOCOL_STATE]);
	roost_log_str(&line, "instance", value[ROOST_POLICY_INSTANCE]);
	roost_log_str(&line, "mode", s->observe ? "observe" : "enforce");
	roost_log_end_later(&line, &s->all->batch);
}

/* The verdict on the request is final: answers it. */
static void answer(struct roost_policy_session *s)
{
	log_decision(s);
	roost_policy_limits_note(s->all->limits, &s->request, &s->result);
	roost_metric_add(s->all->decisions[s->result.verdict], 1);
	roost_buf_append_str(&s->out, "action=");
	roost_buf_append_str(&s->out,
			     roost_relay_reply(s->observe ? ROOST_RELAY_DUNNO
							  : s->result.verdict));
	roost_buf_append_str(&s->out, "\n\n");
	if (s->out.failed)
		s->ending = true; /* out of memory */
	s->done += s->request.size;
	roost_policy_request_reset(&s->request);
}

static void take_requests(struct roost_policy_session *s);

/* The limits have answered. */
static void asked(void *ctx)
{
	struct roost_policy_session *s = ctx;

	s->ask = NULL;
	answer(s);
	take_requests(s);
	set_dirty(s);
}

/* Who has logged in may still not send as anybody. */
static void check_owner(struct roost_policy_session *s)
{
	const char *const *value = s->request.value;

	if (strcmp(s->result.rule, "authenticated") != 0)
		return;
	switch (roost_policy_tables_owner(s->all->tables,
					  value[ROOST_POLICY_SASL_USERNAME],
					  value[ROOST_POLICY_SENDER])) {
	case ROOST_POLICY_OWNER_YES:
		break;
	case ROOST_POLICY_OWNER_NO:
		s->result.verdict = ROOST_RELAY_NOT_OWNER;
		s->result.rule = "sender-not-owned";
		break;
	case ROOST_POLICY_OWNER_UNKNOWN:
		s->result.verdict = ROOST_RELAY_TEMPFAIL;
		s->result.rule = "sender-unknown";
		break;
	}
}

/* Decides the complete request; it is answered, or s->ask waits. -1: it is
   malformed. */
static int decide(struct roost_policy_session *s, struct roost_err *err)
{
	const struct roost_policy_snapshot *snapshot = s->all->snapshot;
	bool masked;

	if (roost_policy_snapshot_decide(snapshot, &s->request, &s->result,
					 &masked, err) < 0)
		return -1;
	s->observe = roost_policy_snapshot_observes(snapshot);
	check_owner(s);
	s->ask = roost_policy_limits_ask(s->all->limits, &s->request, masked,
					 &s->result, asked, s);
	if (s->ask == NULL)
		answer(s);
	return 0;
}

/* Answers what is complete in the input, as long as nothing must be waited
   for. */
static void take_requests(struct roost_policy_session *s)
{
	bool moved = s->done > 0;
	struct roost_err err;
	int ret = 0;

	while (s->done < s->in.len && s->ask == NULL && !s->ending) {
		ret = roost_policy_request_parse(&s->request,
						 (char *)s->in.data + s->done,
						 s->in.len - s->done, &err);
		if (ret > 0 && decide(s, &err) < 0)
			ret = -1;
		if (ret <= 0)
			break;
		moved = true;
	}
	if (ret < 0) {
		log_malformed(s, &err);
		s->ending = true;
	}
	/* the request that waits points into the input */
	if (s->ask == NULL) {
		roost_buf_shift(&s->in, s->done);
		s->done = 0;
	}
	if (s->in.len == 0 && s->in.cap > KEEP_SIZE)
		roost_buf_free(&s->in);
	/* the time of a request runs from its first byte: not from a later
	   one, only from the end of the request before */
	if (s->in.len == 0)
		list_append(&s->all->idle, s);
	else if (moved || s->list != &s->all->busy)
		list_append(&s->all->busy, s);
}

static void session_ready(evutil_socket_t fd, short what, void *arg);

static int wait_for(struct roost_policy_session *s, short what)
{
	if (s->waits_for == what)
		return 0;
	if (s->event != NULL)
		event_free(s->event);
	s->event = NULL;
	s->waits_for = what;
	if (what == 0)
		return 0;
	s->event = event_new(s->all->base, s->fd, (short)(what | EV_PERSIST),
			     session_ready, s);
	return s->event == NULL ? -1 : event_add(s->event, NULL);
}

/* Sends the answers; -1: the session is over. */
static int flush(struct roost_policy_session *s)
{
	ssize_t n = 0;

	if (s->out.len > 0)
		n = send(s->fd, s->out.data, s->out.len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	if (n > 0)
		roost_buf_shift(&s->out, (size_t)n);
	if (s->out.len == 0) {
		if (s->out.cap > KEEP_SIZE)
			roost_buf_free(&s->out);
		if (s->ask != NULL)
			return s->waits_for == EV_WRITE ? wait_for(s, 0) : 0;
		return s->ending ? -1 : wait_for(s, EV_READ);
	}
	/* Postfix reads each answer before it asks again: whoever does not
	   is given no more until he does */
	if (s->waits_for != EV_WRITE)
		list_append(&s->all->busy, s);
	return wait_for(s, EV_WRITE);
}

static void session_ready(evutil_socket_t fd, short what, void *arg)
{
	struct roost_policy_session *s = arg;
	char data[READ_SIZE];
	ssize_t n;

	/* more than Postfix sends: it stays where it is until the answer */
	if ((what & EV_READ) != 0 && s->ask != NULL) {
		(void)wait_for(s, 0);
		return;
	}
	if ((what & EV_READ) != 0) {
		n = recv(fd, data, sizeof(data), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			session_close(s);
			return;
		}
		roost_buf_append(&s->in, data, (size_t)n);
		if (s->in.failed) {
			session_close(s);
			return;
		}
		take_requests(s);
		set_dirty(s);
		return;
	}
	if (flush(s) < 0)
		session_close(s);
	else if (s->out.len == 0)
		list_append(s->in.len == 0 ? &s->all->idle : &s->all->busy, s);
}

void roost_policy_session_flush(struct roost_policy_sessions *sessions)
{
	struct roost_policy_session *s;

	roost_log_flush(&sessions->batch);
	while ((s = sessions->dirty) != NULL) {
		sessions->dirty = s->next_dirty;
		s->dirty = false;
		if (flush(s) < 0)
			session_close(s);
	}
}

void roost_policy_session_open(struct roost_policy_sessions *sessions, int fd)
{
	struct roost_policy_session *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		close(fd);
		return;
	}
	s->all = sessions;
	s->fd = fd;
	/* an answer is shorter than its request, so the answers to what one
	   read completes always fit */
	s->in.max = s->out.max = ROOST_POLICY_REQUEST_MAX + READ_SIZE;
	sessions->count++;
	roost_metric_set(sessions->open, sessions->count);
	list_append(&sessions->idle, s);
	if (wait_for(s, EV_READ) < 0)
		session_close(s);
}

void roost_policy_session_expire(struct roost_policy_sessions *sessions)
{
	struct roost_policy_session *s;
	int64_t now = now_ms();

	while ((s = sessions->busy.first) != NULL &&
	       now - s->since >= sessions->request_timeout) {
		roost_metric_add(sessions->timeouts, 1);
		roost_log_msg(sessions->log, ROOST_LOG_WARNING,
			      "policy_timeout", "%s",
			      s->out.len > 0 ? "an answer was not read in time"
					     : "a request did not arrive in "
					       "time");
		session_close(s);
	}
	while ((s = sessions->idle.first) != NULL &&
	       now - s->since >= sessions->idle_timeout) {
		roost_metric_add(sessions->idle_timeouts, 1);
		session_close(s);
	}
}

void roost_policy_session_close_all(struct roost_policy_sessions *sessions)
{
	while (sessions->busy.first != NULL)
		session_close(sessions->busy.first);
	while (sessions->idle.first != NULL)
		session_close(sessions->idle.first);
}
