/* SPDX-License-Identifier: MIT */
/*
 * policy-watch: tells when an address or a route of this machine changes
 * (rtnetlink), a moment after the last of several changes. Messages that were
 * lost count as a change.
 */
#ifndef ROOST_POLICY_POLICY_WATCH_H
#define ROOST_POLICY_POLICY_WATCH_H

#include "common/base/err.h"

struct event_base;
struct roost_policy_watch;

typedef void roost_policy_watch_changed(void *ctx);

/* Open it before the first look at the networks, so that no change between
   the two is missed. */
int roost_policy_watch_open(struct event_base *base,
			    roost_policy_watch_changed *changed, void *ctx,
			    struct roost_policy_watch **watch_r,
			    struct roost_err *err);

/* Calls `changed` once more, after a second: it could not do its work. */
void roost_policy_watch_again(struct roost_policy_watch *watch);

void roost_policy_watch_close(struct roost_policy_watch **watch);

#endif
