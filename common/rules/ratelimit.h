/* SPDX-License-Identifier: MIT */
/*
 * ratelimit: the generic cell rate algorithm (ITU-T I.371) as pure functions;
 * time is an argument.
 *
 * A limit of 100/1h lets 100 pass at once and then one every 36 seconds. All
 * that is remembered is one time per key, the theoretical arrival time (TAT):
 * when everything that passed so far will have been paid off.
 */
#ifndef ROOST_RULES_RATELIMIT_H
#define ROOST_RULES_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

#define ROOST_RATELIMIT_COUNT_MAX 1000000000
#define ROOST_RATELIMIT_PERIOD_MAX (366LL * 86400) /* seconds */

struct roost_ratelimit {
	int64_t interval; /* µs that one unit costs; 0: no limit */
	int64_t burst;	  /* units that may pass at once, at least 1 */
};

/* Parses "100/1h" or "100/1h/20" (a burst of 20); units s, m, h, d, w. ""
   is no limit. */
int roost_ratelimit_parse(const char *text, struct roost_ratelimit *limit_r,
			  struct roost_err *err);

/* What one of `nodes` may let pass so that all together keep the limit. */
struct roost_ratelimit
roost_ratelimit_share(const struct roost_ratelimit *limit, int64_t nodes);

/* Whether `cost` units may pass at `now` (µs) when the key's TAT is `tat` (0:
   nothing is known of it). *tat_r is the TAT once they have passed, *wait_r
   how long (µs) until they may, if they may not now. */
bool roost_ratelimit_allows(const struct roost_ratelimit *limit, int64_t tat,
			    int64_t cost, int64_t now, int64_t *tat_r,
			    int64_t *wait_r);

#endif
