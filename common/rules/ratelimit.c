/* SPDX-License-Identifier: MIT */
/* ratelimit: the generic cell rate algorithm as pure functions. */
#include "common/rules/ratelimit.h"

#include <string.h>

#define SECOND 1000000LL

/* Takes decimal digits; -1: none, or more than max. */
static int64_t take_number(const char **text, int64_t max)
{
	int64_t number = 0;
	const char *s = *text;

	if (*s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9'; s++) {
		number = number * 10 + (*s - '0');
		if (number > max)
			return -1;
	}
	*text = s;
	return number;
}

/* Takes "1h" or "3600"; the result is in seconds, -1: malformed. */
static int64_t take_period(const char **text)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
	int64_t number = take_number(text, ROOST_RATELIMIT_PERIOD_MAX);
	const char *unit;

	if (number < 0 || **text == '\0' || **text == '/')
		return number;
	unit = strchr(units, **text);
	if (unit == NULL)
		return -1;
	(*text)++;
	return number * seconds[unit - units];
}

int roost_ratelimit_parse(const char *text, struct roost_ratelimit *limit_r,
			  struct roost_err *err)
{
	int64_t count, period = -1, burst;
	const char *s = text;

	memset(limit_r, 0, sizeof(*limit_r));
	if (*text == '\0')
		return 0;
	count = burst = take_number(&s, ROOST_RATELIMIT_COUNT_MAX);
	if (count > 0 && *s == '/') {
		s++;
		period = take_period(&s);
	}
	if (period > 0 && *s == '/') {
		s++;
		burst = take_number(&s, ROOST_RATELIMIT_COUNT_MAX);
	}
	if (count <= 0 || period <= 0 || burst <= 0 || *s != '\0')
		return roost_err_set(err,
				     "'%.60s' is not count/time (like 100/1h) "
				     "or count/time/burst",
				     text);
	if (period > ROOST_RATELIMIT_PERIOD_MAX)
		return roost_err_set(err, "'%.60s': longer than a year", text);
	limit_r->interval = period * SECOND / count;
	limit_r->burst = burst;
	if (limit_r->interval == 0)
		return roost_err_set(err,
				     "'%.60s': more than one in a "
				     "microsecond",
				     text);
	if (burst > INT64_MAX / 8 / limit_r->interval)
		return roost_err_set(err, "'%.60s': the burst is too large",
				     text);
	return 0;
}

struct roost_ratelimit
roost_ratelimit_share(const struct roost_ratelimit *limit, int64_t nodes)
{
	struct roost_ratelimit share = *limit;

	if (limit->interval == 0 || nodes <= 1)
		return share;
	if (share.interval <= INT64_MAX / 8 / nodes)
		share.interval *= nodes;
	share.burst = limit->burst / nodes;
	if (share.burst == 0)
		share.burst = 1;
	return share;
}

bool roost_ratelimit_allows(const struct roost_ratelimit *limit, int64_t tat,
			    int64_t cost, int64_t now, int64_t *tat_r,
			    int64_t *wait_r)
{
	int64_t start = tat > now ? tat : now;

	*tat_r = tat;
	*wait_r = 0;
	if (limit->interval == 0)
		return true;
	/* never: and no product below can overflow */
	if (cost > limit->burst) {
		*wait_r = limit->burst * limit->interval;
		return false;
	}
	/* a clock that was set back must not lock anybody out for longer than
	   an empty bucket takes to fill */
	if (start - now > limit->burst * limit->interval)
		start = now + limit->burst * limit->interval;
	if (start + cost * limit->interval - now >
	    limit->burst * limit->interval) {
		*wait_r = start + cost * limit->interval - now -
			  limit->burst * limit->interval;
		return false;
	}
	*tat_r = start + cost * limit->interval;
	return true;
}
