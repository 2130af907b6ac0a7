/* SPDX-License-Identifier: MIT */
/* lease: the node lease as a state machine without input or output. */
#include "common/rules/lease.h"

#include <string.h>

#define MSEC 1000000ULL
#define RENEWALS_PER_TTL 5
#define MARGIN_MIN (100 * MSEC)

void roost_lease_init(struct roost_lease *lease, uint64_t ttl)
{
	memset(lease, 0, sizeof(*lease));
	lease->ttl = ttl;
	lease->interval = ttl / RENEWALS_PER_TTL;
	/* clocks of two machines that run at different speeds, and the time
	   between looking at the clock and acting */
	lease->margin = ttl / 10 < MARGIN_MIN ? MARGIN_MIN : ttl / 10;
}

void roost_lease_resume(struct roost_lease *lease, uint64_t boot,
			uint64_t deadline, uint64_t now)
{
	lease->boot = boot;
	lease->resumed = true;
	/* a deadline farther away than a fresh one is nonsense */
	if (deadline > now && deadline - now <= lease->ttl)
		lease->deadline = deadline;
}

bool roost_lease_valid(const struct roost_lease *lease, uint64_t now)
{
	return now < lease->deadline;
}

void roost_lease_drop(struct roost_lease *lease, uint64_t now)
{
	lease->deadline = 0;
	lease->asserting = false;
	lease->server_changed = false;
	lease->resumed = false;
	lease->next = now;
}

enum roost_lease_event roost_lease_tick(struct roost_lease *lease, uint64_t now)
{
	if (lease->deadline == 0 || now < lease->deadline)
		return ROOST_LEASE_SAME;
	roost_lease_drop(lease, now);
	return ROOST_LEASE_LOST;
}

enum roost_lease_request roost_lease_next(struct roost_lease *lease,
					  uint64_t now, uint64_t *wake_r)
{
	*wake_r = lease->next;
	if (lease->deadline != 0 && lease->deadline < lease->next)
		*wake_r = lease->deadline;
	if (lease->in_flight || lease->asserting || now < lease->next) {
		if (*wake_r <= now)
			*wake_r = now + lease->interval;
		return ROOST_LEASE_NOTHING;
	}
	lease->in_flight = true;
	if (!roost_lease_valid(lease, now))
		return ROOST_LEASE_NEW;
	if (lease->server_changed)
		return ROOST_LEASE_ASSERT;
	return ROOST_LEASE_RENEW;
}

static enum roost_lease_event answer_granted(struct roost_lease *lease,
					     enum roost_lease_request request,
					     uint64_t sent, uint64_t boot,
					     uint64_t now)
{
	uint64_t deadline = sent + lease->ttl - lease->margin;

	if (request == ROOST_LEASE_NEW) {
		lease->boot = boot;
		lease->resumed = false;
		if (deadline <= now)
			return ROOST_LEASE_SAME; /* too late: once more */
		lease->deadline = deadline;
		lease->next = sent + lease->interval;
		lease->server_changed = false;
		return ROOST_LEASE_GAINED;
	}
	if (!roost_lease_valid(lease, now) || boot != lease->boot)
		return ROOST_LEASE_SAME; /* tick() says that it is lost */
	if (request == ROOST_LEASE_ASSERT) {
		/* the old deadline stands until the pins are asserted, too:
		   others may be granted users soon after it */
		lease->server_changed = false;
		lease->asserting = true;
		return ROOST_LEASE_PINS;
	}
	if (lease->server_changed)
		return ROOST_LEASE_SAME; /* it came from the former server */
	lease->deadline = deadline;
	lease->next = sent + lease->interval;
	return ROOST_LEASE_RENEWED;
}

enum roost_lease_event roost_lease_answer(struct roost_lease *lease,
					  enum roost_lease_request request,
					  uint64_t sent,
					  enum roost_lease_result result,
					  uint64_t boot, uint64_t now)
{
	lease->in_flight = false;
	lease->next = now;
	/* whose pins are not known cannot be asserted */
	if (result == ROOST_LEASE_MISSING && lease->resumed)
		result = ROOST_LEASE_DEAD;
	switch (result) {
	case ROOST_LEASE_GRANTED:
		return answer_granted(lease, request, sent, boot, now);
	case ROOST_LEASE_MISSING:
		lease->server_changed = true; /* assert at once */
		return ROOST_LEASE_SAME;
	case ROOST_LEASE_DEAD:
		if (request == ROOST_LEASE_NEW ||
		    !roost_lease_valid(lease, now))
			return ROOST_LEASE_SAME;
		roost_lease_drop(lease, now);
		return ROOST_LEASE_LOST;
	case ROOST_LEASE_IN_USE:
		lease->next = now + lease->interval;
		return ROOST_LEASE_NAME_TAKEN;
	case ROOST_LEASE_FAILED:
		break;
	}
	lease->next = now + lease->interval / 2;
	return ROOST_LEASE_SAME;
}

void roost_lease_connected(struct roost_lease *lease, bool changed,
			   uint64_t now)
{
	lease->next = now;
	if (!changed && !lease->asserting)
		return;
	lease->asserting = false; /* from the beginning */
	if (roost_lease_valid(lease, now) && lease->resumed)
		roost_lease_drop(lease, now);
	else
		lease->server_changed = true;
}

void roost_lease_asserted(struct roost_lease *lease, uint64_t now)
{
	lease->asserting = false;
	lease->next = now;
}

enum roost_lease_peer roost_lease_peer(int64_t remaining, uint64_t elapsed,
				       uint64_t ttl)
{
	if (remaining <= 0)
		return ROOST_LEASE_PEER_DEAD;
	/* a node renews five times in a TTL: with less than half of it left
	   two renewals are missing. Only Redis itself says dead. */
	if ((uint64_t)remaining <= elapsed ||
	    (uint64_t)remaining - elapsed <= ttl / 2)
		return ROOST_LEASE_PEER_SILENT;
	return ROOST_LEASE_PEER_ALIVE;
}
