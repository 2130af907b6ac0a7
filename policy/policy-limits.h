/* SPDX-License-Identifier: MIT */
/*
 * policy-limits: how much may be sent by each user, domain, client, and to
 * each recipient domain.
 *
 * With Redis the limits hold for all nodes together: one script call per
 * request charges all its keys, or none of them. While Redis is away this
 * process keeps them alone, at its share. Also notices users who suddenly
 * send much or are refused much.
 */
#ifndef ROOST_POLICY_POLICY_LIMITS_H
#define ROOST_POLICY_POLICY_LIMITS_H

#include "common/proto/policy-request.h"
#include "common/rules/relay.h"
#include "daemon/daemon.h"

struct roost_policy_limits;
struct roost_policy_ask;

int roost_policy_limits_new(struct roost_daemon *daemon,
			    struct roost_policy_limits **limits_r,
			    struct roost_err *err);
void roost_policy_limits_free(struct roost_policy_limits **limits);

/* Takes the limits of another configuration. */
void roost_policy_limits_reload(struct roost_policy_limits *limits,
				const struct roost_conf *conf);

typedef void roost_policy_limits_answer(void *ctx);

/* Changes the verdict of a request that may go on (DUNNO) if it is over a
   limit. `masked`: the client's address says nothing. Returns NULL when
   *result is final; else the callback follows, not from inside this call, and
   says that it is now. */
struct roost_policy_ask *
roost_policy_limits_ask(struct roost_policy_limits *limits,
			const struct roost_policy_request *request, bool masked,
			struct roost_relay_result *result,
			roost_policy_limits_answer *callback, void *ctx);

/* The callback will not be called; the request stays charged. */
void roost_policy_limits_cancel(struct roost_policy_ask *ask);

/* Notes the final verdict on a request. */
void roost_policy_limits_note(struct roost_policy_limits *limits,
			      const struct roost_policy_request *request,
			      const struct roost_relay_result *result);

#endif
