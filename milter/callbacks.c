/* SPDX-License-Identifier: MIT */
/*
 * callbacks: what libmilter calls, in threads of its own.
 *
 * libmilter hands no pointer of ours to a new connection, hence the one static
 * object below; everything else hangs off the connection.
 */
#include "milter/callbacks.h"

#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct session;

static struct {
	const struct roost_callbacks_env *env;
	atomic_bool stopping;
	atomic_uint busy;		/* calls under way */
	_Atomic(struct session *) left; /* closed while stopping */
} filter;

/* What we ask of the mail server if it can do it. */
#define WANTED_STEPS                                                    \
	(SMFIP_NOHELO | SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOUNKNOWN | \
	 SMFIP_NR_CONN | SMFIP_NR_HDR | SMFIP_NR_BODY | SMFIP_HDR_LEADSPC)

/* One connection of the mail server. */
struct session {
	unsigned long steps; /* of WANTED_STEPS, those granted */
	struct roost_addr client;
	struct roost_message *message;
	bool in_message; /* counted in messages_active */
	bool counted;	 /* in connections */
	struct session *next_left;
};

/* Every call goes through these two, so that the end can wait for them. */
static bool enter(void)
{
	(void)atomic_fetch_add(&filter.busy, 1);
	if (!atomic_load(&filter.stopping))
		return true;
	(void)atomic_fetch_sub(&filter.busy, 1);
	return false;
}

static sfsistat leave(sfsistat answer)
{
	(void)atomic_fetch_sub(&filter.busy, 1);
	return answer;
}

static struct session *session_get(SMFICTX *ctx)
{
	struct session *session = smfi_getpriv(ctx);

	if (session != NULL)
		return session;
	session = calloc(1, sizeof(*session));
	if (session == NULL)
		return NULL;
	if (smfi_setpriv(ctx, session) != MI_SUCCESS) {
		free(session);
		return NULL;
	}
	session->counted = true;
	roost_metric_add(filter.env->connections, 1);
	return session;
}

static void end_message(struct session *session)
{
	if (session->message != NULL)
		roost_message_reset(session->message);
	if (session->in_message)
		roost_metric_add(filter.env->messages_active, -1);
	session->in_message = false;
}

/* The answer to an event that may have been negotiated away. */
static sfsistat next(const struct session *session, unsigned long no_reply)
{
	return (session->steps & no_reply) != 0 ? SMFIS_NOREPLY
						: SMFIS_CONTINUE;
}

static sfsistat answer_of(enum roost_action action)
{
	switch (action) {
	case ROOST_ACTION_PASS:
		return SMFIS_ACCEPT;
	case ROOST_ACTION_REJECT:
		return SMFIS_REJECT;
	case ROOST_ACTION_CONTINUE:
		return SMFIS_CONTINUE;
	case ROOST_ACTION_TEMPFAIL:
		break;
	}
	return SMFIS_TEMPFAIL;
}

static void set_reply(SMFICTX *ctx,
		      const struct roost_message_decision *decision)
{
	static const char *const words[ROOST_MESSAGE_OUTCOMES] = {
		[ROOST_MESSAGE_NO_FROM] = "The message has no From header",
		[ROOST_MESSAGE_TWO_FROM] =
			"The message has more than one From header",
		[ROOST_MESSAGE_BAD_FROM] =
			"The From header names no single domain",
		[ROOST_MESSAGE_MISSING_KEY] = "The message cannot be signed",
		[ROOST_MESSAGE_LONG_LINE] =
			"A line of the message is longer than 998 bytes",
		[ROOST_MESSAGE_ERROR] = "The message cannot be signed",
	};
	bool key = decision->outcome == ROOST_MESSAGE_MISSING_KEY ||
		   decision->outcome == ROOST_MESSAGE_ERROR;
	const char *text = words[decision->outcome];

	if (text == NULL)
		return;
	if (decision->action == ROOST_ACTION_REJECT)
		(void)smfi_setreply(
			ctx, (char *)(uintptr_t) "550",
			(char *)(uintptr_t)(key ? "5.7.5" : "5.6.0"),
			(char *)(uintptr_t)text);
	else if (decision->action == ROOST_ACTION_TEMPFAIL)
		(void)smfi_setreply(
			ctx, (char *)(uintptr_t) "451",
			(char *)(uintptr_t)(key ? "4.7.5" : "4.6.0"),
			(char *)(uintptr_t)text);
}

static const char *macro(SMFICTX *ctx, const char *name)
{
	return smfi_getsymval(ctx, (char *)(uintptr_t)name);
}

static void log_decision(SMFICTX *ctx, const struct session *session,
			 const struct roost_message_decision *decision)
{
	const char *event = "dkim_refused";
	enum roost_log_level level = ROOST_LOG_WARNING;
	char client[ROOST_ADDR_TEXT_MAX];
	struct roost_log_line line;

	if (decision->action == ROOST_ACTION_PASS) {
		event = decision->outcome == ROOST_MESSAGE_SIGNED
				? "dkim_signed"
				: "dkim_not_signed";
		level = ROOST_LOG_INFO;
	}
	roost_log_begin(&line, filter.env->log, level, event);
	roost_log_str(&line, "queue", macro(ctx, "i"));
	roost_log_str(&line, "client",
		      roost_addr_format(&session->client, client));
	roost_log_str(&line, "domain", decision->domain);
	roost_log_str(&line, "selectors", decision->selectors);
	roost_log_str(&line, "outcome",
		      roost_message_outcome_name(decision->outcome));
	if (decision->action != ROOST_ACTION_PASS)
		roost_log_str(&line, "action",
			      decision->action == ROOST_ACTION_REJECT
				      ? "reject"
				      : "tempfail");
	roost_log_str(&line, "reason", decision->reason);
	if (decision->longest_line > ROOST_MESSAGE_LINE_MAX)
		roost_log_int(&line, "longest_line",
			      (int64_t)decision->longest_line);
	roost_log_end(&line);
}

/* The decision stands: count it, tell it, end the message. */
static sfsistat finish(SMFICTX *ctx, struct session *session)
{
	const struct roost_message_decision *decision =
		roost_message_decision(session->message);
	sfsistat answer = answer_of(decision->action);
	size_t i;

	roost_metric_add(filter.env->outcomes[decision->outcome], 1);
	if (decision->longest_line > ROOST_MESSAGE_LINE_MAX)
		roost_metric_add(filter.env->long_lines, 1);
	for (i = 0; i < roost_message_signature_count(session->message); i++)
		roost_metric_add(
			filter.env->signatures[roost_message_signature_type(
				session->message, i)],
			1);
	log_decision(ctx, session, decision);
	set_reply(ctx, decision);
	end_message(session);
	return answer;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions,
			     unsigned long steps, unsigned long reserved2,
			     unsigned long reserved3, unsigned long *actions_r,
			     unsigned long *steps_r, unsigned long *reserved2_r,
			     unsigned long *reserved3_r)
{
	struct session *session;

	(void)reserved2;
	(void)reserved3;
	if (!enter())
		return SMFIS_TEMPFAIL;
	session = session_get(ctx);
	if (session == NULL || (actions & SMFIF_ADDHDRS) == 0)
		return leave(SMFIS_REJECT);
	*actions_r = SMFIF_ADDHDRS | (actions & SMFIF_SETSYMLIST);
	*steps_r = session->steps = steps & WANTED_STEPS;
	*reserved2_r = *reserved3_r = 0;
	if ((actions & SMFIF_SETSYMLIST) != 0) {
		(void)smfi_setsymlist(
			ctx, SMFIM_CONNECT,
			(char *)(uintptr_t) "{daemon_name} {client_addr}");
		(void)smfi_setsymlist(ctx, SMFIM_ENVFROM,
				      (char *)(uintptr_t) "{auth_authen}");
		(void)smfi_setsymlist(ctx, SMFIM_EOH, (char *)(uintptr_t) "i");
		(void)smfi_setsymlist(ctx, SMFIM_EOM, (char *)(uintptr_t) "i");
	}
	return leave(SMFIS_CONTINUE);
}

static void take_client(SMFICTX *ctx, struct session *session,
			const struct sockaddr *addr)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;
	const char *text = macro(ctx, "{client_addr}");
	struct roost_err err;

	memset(&session->client, 0, sizeof(session->client));
	if (addr != NULL && addr->sa_family == AF_INET)
		roost_addr_from_bytes(&v4->sin_addr, 4, &session->client);
	else if (addr != NULL && addr->sa_family == AF_INET6)
		roost_addr_from_bytes(&v6->sin6_addr, 16, &session->client);
	else if (text != NULL &&
		 roost_addr_parse(text, &session->client, &err) < 0)
		memset(&session->client, 0, sizeof(session->client));
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *addr)
{
	struct session *session;

	(void)name;
	if (!enter())
		return SMFIS_TEMPFAIL;
	session = session_get(ctx);
	if (session == NULL)
		return leave(SMFIS_TEMPFAIL);
	take_client(ctx, session, addr);
	return leave(next(session, SMFIP_NR_CONN));
}

static void log_not_submission(const struct session *session)
{
	char client[ROOST_ADDR_TEXT_MAX];
	struct roost_log_line line;

	roost_log_begin(&line, filter.env->log, ROOST_LOG_DEBUG,
			"dkim_not_signed");
	roost_log_str(&line, "client",
		      roost_addr_format(&session->client, client));
	roost_log_str(&line, "outcome", "not_submission");
	roost_log_end(&line);
}

/* Whether the message is ours to sign is known at MAIL: others cost nothing
   more. */
static sfsistat begin_message(SMFICTX *ctx, struct session *session)
{
	struct roost_snapshot *snapshot =
		roost_snapshot_slot_get(filter.env->slot);
	const char *login = macro(ctx, "{auth_authen}");
	struct roost_err err;

	if (snapshot == NULL)
		return SMFIS_TEMPFAIL;
	if (!roost_signing_is_submission(snapshot->signing, &session->client,
					 login != NULL && *login != '\0')) {
		roost_snapshot_unref(&snapshot);
		roost_metric_add(filter.env->not_submission, 1);
		log_not_submission(session);
		return SMFIS_ACCEPT;
	}
	if (session->message == NULL)
		session->message = roost_message_new(&err);
	if (session->message == NULL) {
		roost_snapshot_unref(&snapshot);
		roost_log_msg(filter.env->log, ROOST_LOG_ERROR,
			      "message_failed", "%s", err.msg);
		return SMFIS_TEMPFAIL;
	}
	roost_message_start(session->message, snapshot);
	session->in_message = true;
	roost_metric_add(filter.env->messages_active, 1);
	return SMFIS_CONTINUE;
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
	struct session *session;

	(void)argv;
	if (!enter())
		return SMFIS_TEMPFAIL;
	session = session_get(ctx);
	if (session == NULL)
		return leave(SMFIS_TEMPFAIL);
	end_message(session);
	return leave(begin_message(ctx, session));
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct session *session;

	if (!enter())
		return SMFIS_TEMPFAIL;
	session = smfi_getpriv(ctx);
	if (session == NULL || !session->in_message)
		return leave(SMFIS_TEMPFAIL);
	roost_message_header(session->message, name, value,
			     (session->steps & SMFIP_HDR_LEADSPC) != 0);
	return leave(next(session, SMFIP_NR_HDR));
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	struct session *session;

	if (!enter())
		return SMFIS_TEMPFAIL;
	session = smfi_getpriv(ctx);
	if (session == NULL || !session->in_message)
		return leave(SMFIS_TEMPFAIL);
	if (roost_message_end_headers(session->message) ==
	    ROOST_ACTION_CONTINUE)
		return leave(SMFIS_CONTINUE);
	return leave(finish(ctx, session));
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *data, size_t len)
{
	struct session *session;

	if (!enter())
		return SMFIS_TEMPFAIL;
	session = smfi_getpriv(ctx);
	if (session == NULL || !session->in_message)
		return leave(SMFIS_TEMPFAIL);
	roost_message_body(session->message, data, len);
	return leave(next(session, SMFIP_NR_BODY));
}

/* The last one put in at the same place ends up on top. */
static int insert_signatures(SMFICTX *ctx, const struct session *session)
{
	bool leading_space = (session->steps & SMFIP_HDR_LEADSPC) != 0;
	size_t n = roost_message_signature_count(session->message);

	while (n-- > 0) {
		const char *value =
			roost_message_signature(session->message, n);

		/* index 1: below the Received header of this very server */
		if (smfi_insheader(ctx, 1, (char *)(uintptr_t) "DKIM-Signature",
				   (char *)(uintptr_t)(leading_space
							       ? value
							       : value + 1)) !=
		    MI_SUCCESS)
			return -1;
	}
	return 0;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	struct session *session;

	if (!enter())
		return SMFIS_TEMPFAIL;
	session = smfi_getpriv(ctx);
	if (session == NULL || !session->in_message)
		return leave(SMFIS_TEMPFAIL);
	if (roost_message_end(session->message, (uint64_t)time(NULL)) ==
		    ROOST_ACTION_PASS &&
	    insert_signatures(ctx, session) < 0)
		(void)roost_message_failed(session->message,
					   "the mail server does not take the "
					   "signature");
	return leave(finish(ctx, session));
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct session *session;

	if (!enter())
		return SMFIS_CONTINUE;
	session = smfi_getpriv(ctx);
	if (session != NULL)
		end_message(session);
	return leave(SMFIS_CONTINUE);
}

/* At the end of the process it is not freed (OpenSSL may be gone already),
   only kept in sight. */
static sfsistat leave_behind(struct session *session)
{
	if (session != NULL) {
		session->next_left = atomic_load(&filter.left);
		while (!atomic_compare_exchange_weak(
			&filter.left, &session->next_left, session))
			;
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct session *session = smfi_getpriv(ctx);

	if (!enter())
		return leave_behind(session);
	if (session != NULL) {
		end_message(session);
		roost_message_free(&session->message);
		if (session->counted)
			roost_metric_add(filter.env->connections, -1);
		free(session);
		(void)smfi_setpriv(ctx, NULL);
	}
	return leave(SMFIS_CONTINUE);
}

static void add_outcomes(struct roost_callbacks_env *env,
			 struct roost_metrics *metrics)
{
	static const char *const labels[ROOST_MESSAGE_OUTCOMES] = {
		"outcome=\"signed\"",	 "outcome=\"not_ours\"",
		"outcome=\"no_from\"",	 "outcome=\"two_from\"",
		"outcome=\"bad_from\"",	 "outcome=\"missing_key\"",
		"outcome=\"long_line\"", "outcome=\"error\"",
	};
	const char *name = "roost_milter_messages_total";
	const char *help = "Messages by what became of them.";
	size_t i;

	for (i = 0; i < ROOST_MESSAGE_OUTCOMES; i++)
		env->outcomes[i] = roost_metrics_add(
			metrics, ROOST_METRIC_COUNTER, name, labels[i], help);
	env->not_submission =
		roost_metrics_add(metrics, ROOST_METRIC_COUNTER, name,
				  "outcome=\"not_submission\"", help);
}

void roost_callbacks_add_metrics(struct roost_callbacks_env *env,
				 struct roost_metrics *metrics)
{
	const char *name = "roost_milter_signatures_total";

	add_outcomes(env, metrics);
	env->signatures[ROOST_KEY_RSA] =
		roost_metrics_add(metrics, ROOST_METRIC_COUNTER, name,
				  "algorithm=\"rsa\"", "Signatures made.");
	env->signatures[ROOST_KEY_ED25519] =
		roost_metrics_add(metrics, ROOST_METRIC_COUNTER, name,
				  "algorithm=\"ed25519\"", "Signatures made.");
	env->long_lines = roost_metrics_add(
		metrics, ROOST_METRIC_COUNTER, "roost_milter_long_lines_total",
		NULL, "Messages with a line of more than 998 bytes.");
	env->connections = roost_metrics_add(
		metrics, ROOST_METRIC_GAUGE, "roost_milter_connections", NULL,
		"Open connections of mail servers.");
	env->messages_active = roost_metrics_add(metrics, ROOST_METRIC_GAUGE,
						 "roost_milter_messages_active",
						 NULL, "Messages under way.");
}

int roost_callbacks_register(const struct roost_callbacks_env *env)
{
	struct smfiDesc desc = {
		.xxfi_name = (char *)(uintptr_t) "roost-milter",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect,
		.xxfi_envfrom = on_envfrom,
		.xxfi_header = on_header,
		.xxfi_eoh = on_eoh,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_negotiate = on_negotiate,
	};

	filter.env = env;
	return smfi_register(desc) == MI_SUCCESS ? 0 : -1;
}

int roost_callbacks_stop(unsigned int ms)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	atomic_store(&filter.stopping, true);
	for (; ms > 0 && atomic_load(&filter.busy) > 0; ms--)
		(void)nanosleep(&pause, NULL);
	return atomic_load(&filter.busy) == 0 ? 0 : -1;
}
