/* SPDX-License-Identifier: MIT */
/*
 * policy-snapshot: everything a decision needs, made from one configuration
 * and never changed; a reload makes another one.
 */
#ifndef ROOST_POLICY_POLICY_SNAPSHOT_H
#define ROOST_POLICY_POLICY_SNAPSHOT_H

#include "common/base/conf.h"
#include "common/proto/policy-request.h"
#include "common/rules/relay.h"
#include "daemon/log.h"

struct roost_policy_snapshot;

/* The conf must outlive the snapshot. NULL and a message on failure. */
struct roost_policy_snapshot *
roost_policy_snapshot_new(const struct roost_conf *conf, struct roost_err *err);
void roost_policy_snapshot_free(struct roost_policy_snapshot **snapshot);

/* What a single row of the settings cannot check. */
int roost_policy_snapshot_check(const struct roost_conf *conf,
				struct roost_err *err);

/* Logs what was detected, and each network that is both ingress and trusted
   (which the ingress wins). */
void roost_policy_snapshot_log(const struct roost_policy_snapshot *snapshot,
			       const struct roost_log *log);

/* Whether both found the same networks by themselves. */
bool roost_policy_snapshot_same_networks(const struct roost_policy_snapshot *a,
					 const struct roost_policy_snapshot *b);

bool roost_policy_snapshot_observes(const struct roost_policy_snapshot *s);

/* The networks it decides by; live as long as the snapshot. */
const struct roost_relay_networks *
roost_policy_snapshot_networks(const struct roost_policy_snapshot *snapshot);

/* Decides a complete request by its addresses and login; *masked_r: the
   client's address may be a mask. -1: it is malformed. */
int roost_policy_snapshot_decide(const struct roost_policy_snapshot *snapshot,
				 const struct roost_policy_request *request,
				 struct roost_relay_result *result_r,
				 bool *masked_r, struct roost_err *err);

#endif
