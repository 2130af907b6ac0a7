/* SPDX-License-Identifier: MIT */
/* Unit tests of common/rules/lease: histories of a lease as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/rules/lease.h"

#define SEC 1000000000ULL
#define MS 1000000ULL
#define TTL (10 * SEC) /* margin 1 s, interval 2 s */

enum op {
	END,
	NEXT,	   /* at `at` the request is `want` */
	ANSWER,	   /* the last request gets `give`, boot; the event is `want` */
	TICK,	   /* the event is `want` */
	CONNECTED, /* boot: 1 if the server changed */
	ASSERTED,
	RESUME,	 /* boot, with a deadline 3 s ahead */
	VALID,	 /* whether `want` */
	STRETCH, /* resume with a deadline of nonsense */
};

struct step {
	enum op op;
	uint64_t at_ms;
	int want;
	int give;
	uint64_t boot;
};

#define MAX_STEPS 16

static const struct {
	const char *name;
	struct step steps[MAX_STEPS];
} cases[] = {
	{ "gained, renewed, counted from the send time",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { NEXT, 1001, ROOST_LEASE_NOTHING, 0, 0 },
		  { ANSWER, 1500, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 7 },
		  { NEXT, 2999, ROOST_LEASE_NOTHING, 0, 0 },
		  { NEXT, 3000, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 9000, ROOST_LEASE_RENEWED, ROOST_LEASE_GRANTED, 7 },
		  { VALID, 11999, 1, 0, 0 },
		  { VALID, 12000, 0, 0, 0 },
		  { TICK, 11999, ROOST_LEASE_SAME, 0, 0 },
		  { TICK, 12000, ROOST_LEASE_LOST, 0, 0 },
		  { TICK, 12001, ROOST_LEASE_SAME, 0, 0 },
		  { NEXT, 12001, ROOST_LEASE_NEW, 0, 0 },
	  } },
	{ "a renewal that comes after the deadline revives nothing",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1000, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 7 },
		  { NEXT, 9000, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 10000, ROOST_LEASE_SAME, ROOST_LEASE_GRANTED, 7 },
		  { VALID, 10000, 0, 0, 0 },
		  { TICK, 10000, ROOST_LEASE_LOST, 0, 0 },
		  { NEXT, 10000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 10001, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 8 },
	  } },
	{ "a new boot that comes after its deadline is not used",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 10000, ROOST_LEASE_SAME, ROOST_LEASE_GRANTED, 7 },
		  { VALID, 10000, 0, 0, 0 },
		  { NEXT, 10000, ROOST_LEASE_NEW, 0, 0 },
	  } },
	{ "Redis is away: tried again, held until the deadline",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1000, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 7 },
		  { NEXT, 3000, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 3100, ROOST_LEASE_SAME, ROOST_LEASE_FAILED, 0 },
		  { NEXT, 3200, ROOST_LEASE_NOTHING, 0, 0 },
		  { NEXT, 4100, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 4200, ROOST_LEASE_SAME, ROOST_LEASE_FAILED, 0 },
		  { VALID, 9999, 1, 0, 0 },
		  { TICK, 10000, ROOST_LEASE_LOST, 0, 0 },
	  } },
	{ "a dead boot is given up at once",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1000, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 7 },
		  { NEXT, 3000, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 3001, ROOST_LEASE_LOST, ROOST_LEASE_DEAD, 0 },
		  { VALID, 3001, 0, 0, 0 },
		  { NEXT, 3001, ROOST_LEASE_NEW, 0, 0 },
	  } },
	{ "wiped: asserted, not extended before the pins are",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1000, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 7 },
		  { NEXT, 3000, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 3001, ROOST_LEASE_SAME, ROOST_LEASE_MISSING, 0 },
		  { NEXT, 3001, ROOST_LEASE_ASSERT, 0, 0 },
		  { ANSWER, 3002, ROOST_LEASE_PINS, ROOST_LEASE_GRANTED, 7 },
		  { NEXT, 9000, ROOST_LEASE_NOTHING, 0, 0 },
		  { VALID, 9999, 1, 0, 0 },
		  { ASSERTED, 9500, 0, 0, 0 },
		  { NEXT, 9500, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 9600, ROOST_LEASE_RENEWED, ROOST_LEASE_GRANTED, 7 },
		  { VALID, 18499, 1, 0, 0 },
		  { VALID, 18500, 0, 0, 0 },
	  } },
	{ "the connection breaks while pins are asserted: all over again",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1000, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 7 },
		  { NEXT, 3000, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 3001, ROOST_LEASE_SAME, ROOST_LEASE_MISSING, 0 },
		  { NEXT, 3001, ROOST_LEASE_ASSERT, 0, 0 },
		  { ANSWER, 3002, ROOST_LEASE_PINS, ROOST_LEASE_GRANTED, 7 },
		  { CONNECTED, 3100, 0, 0, 0 },
		  { NEXT, 3100, ROOST_LEASE_ASSERT, 0, 0 },
	  } },
	{ "wiped: pins not asserted in time",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1000, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 7 },
		  { NEXT, 3000, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 3001, ROOST_LEASE_SAME, ROOST_LEASE_MISSING, 0 },
		  { NEXT, 3001, ROOST_LEASE_ASSERT, 0, 0 },
		  { ANSWER, 3002, ROOST_LEASE_PINS, ROOST_LEASE_GRANTED, 7 },
		  { TICK, 10000, ROOST_LEASE_LOST, 0, 0 },
		  { NEXT, 10000, ROOST_LEASE_NEW, 0, 0 },
	  } },
	{ "another server: asserted at once; a stale answer does not count",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1000, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 7 },
		  { NEXT, 3000, ROOST_LEASE_RENEW, 0, 0 },
		  { CONNECTED, 3100, 0, 0, 1 },
		  { ANSWER, 3200, ROOST_LEASE_SAME, ROOST_LEASE_GRANTED, 7 },
		  { VALID, 10000, 0, 0, 0 },
		  { NEXT, 3200, ROOST_LEASE_ASSERT, 0, 0 },
	  } },
	{ "the same server again: renewed at once",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1000, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 7 },
		  { CONNECTED, 1100, 0, 0, 0 },
		  { NEXT, 1100, ROOST_LEASE_RENEW, 0, 0 },
	  } },
	{ "a restarted agent keeps its boot",
	  {
		  { RESUME, 1000, 0, 0, 7 },
		  { VALID, 3999, 1, 0, 0 },
		  { CONNECTED, 1100, 0, 0, 0 },
		  { NEXT, 1100, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 1200, ROOST_LEASE_RENEWED, ROOST_LEASE_GRANTED, 7 },
		  { VALID, 10099, 1, 0, 0 },
	  } },
	{ "a restarted agent cannot assert pins that it does not know",
	  {
		  { RESUME, 1000, 0, 0, 7 },
		  { NEXT, 1000, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 1200, ROOST_LEASE_LOST, ROOST_LEASE_MISSING, 0 },
		  { NEXT, 1200, ROOST_LEASE_NEW, 0, 0 },
	  } },
	{ "a restarted agent meets another server",
	  {
		  { RESUME, 1000, 0, 0, 7 },
		  { CONNECTED, 1100, 0, 0, 1 },
		  { VALID, 1100, 0, 0, 0 },
		  { NEXT, 1100, ROOST_LEASE_NEW, 0, 0 },
	  } },
	{ "a deadline out of reason is not resumed",
	  {
		  { STRETCH, 1000, 0, 0, 7 },
		  { VALID, 1001, 0, 0, 0 },
		  { NEXT, 1001, ROOST_LEASE_NEW, 0, 0 },
	  } },
	{ "under its own new boot a restarted agent knows all its pins",
	  {
		  { STRETCH, 1000, 0, 0, 7 },
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1000, ROOST_LEASE_GAINED, ROOST_LEASE_GRANTED, 8 },
		  { NEXT, 3000, ROOST_LEASE_RENEW, 0, 0 },
		  { ANSWER, 3001, ROOST_LEASE_SAME, ROOST_LEASE_MISSING, 0 },
		  { NEXT, 3001, ROOST_LEASE_ASSERT, 0, 0 },
	  } },
	{ "two nodes of one name: the second waits",
	  {
		  { NEXT, 1000, ROOST_LEASE_NEW, 0, 0 },
		  { ANSWER, 1001, ROOST_LEASE_NAME_TAKEN, ROOST_LEASE_IN_USE,
		    0 },
		  { VALID, 1001, 0, 0, 0 },
		  { NEXT, 1002, ROOST_LEASE_NOTHING, 0, 0 },
		  { NEXT, 3001, ROOST_LEASE_NEW, 0, 0 },
	  } },
};

static void run_step(struct roost_lease *lease, const struct step *step,
		     enum roost_lease_request *request, uint64_t *sent)
{
	uint64_t now = step->at_ms * MS, wake;
	enum roost_lease_request next;

	switch (step->op) {
	case NEXT:
		next = roost_lease_next(lease, now, &wake);
		assert_int_equal(next, step->want);
		if (next != ROOST_LEASE_NOTHING) {
			*request = next;
			*sent = now;
		} else {
			assert_true(wake > now);
		}
		break;
	case ANSWER:
		assert_int_equal(
			roost_lease_answer(lease, *request, *sent,
					   (enum roost_lease_result)step->give,
					   step->boot, now),
			step->want);
		break;
	case TICK:
		assert_int_equal(roost_lease_tick(lease, now), step->want);
		break;
	case CONNECTED:
		roost_lease_connected(lease, step->boot == 1, now);
		break;
	case ASSERTED:
		roost_lease_asserted(lease, now);
		break;
	case RESUME:
		roost_lease_resume(lease, step->boot, now + 3 * SEC, now);
		break;
	case STRETCH:
		roost_lease_resume(lease, step->boot, now + 2 * TTL, now);
		break;
	case VALID:
		assert_int_equal(roost_lease_valid(lease, now), step->want);
		break;
	case END:
		break;
	}
}

static void test_histories(void **state)
{
	enum roost_lease_request request;
	struct roost_lease lease;
	uint64_t sent;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("# %s\n", cases[i].name);
		roost_lease_init(&lease, TTL);
		request = ROOST_LEASE_NOTHING;
		sent = 0;
		for (n = 0; n < MAX_STEPS && cases[i].steps[n].op != END; n++) {
			print_message("#   step %zu\n", n);
			run_step(&lease, &cases[i].steps[n], &request, &sent);
		}
	}
}

static void test_peer(void **state)
{
	static const struct {
		int64_t remaining;
		uint64_t elapsed;
		enum roost_lease_peer want;
	} table[] = {
		{ 10 * (int64_t)SEC, 0, ROOST_LEASE_PEER_ALIVE },
		{ 8 * (int64_t)SEC, 2 * SEC, ROOST_LEASE_PEER_ALIVE },
		{ 8 * (int64_t)SEC, 3 * SEC, ROOST_LEASE_PEER_SILENT },
		{ 5 * (int64_t)SEC, 0, ROOST_LEASE_PEER_SILENT },
		{ 1, 0, ROOST_LEASE_PEER_SILENT },
		/* old news never say dead */
		{ 1, UINT64_MAX, ROOST_LEASE_PEER_SILENT },
		{ 0, 0, ROOST_LEASE_PEER_DEAD },
		{ -1, 0, ROOST_LEASE_PEER_DEAD },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(roost_lease_peer(table[i].remaining,
						  table[i].elapsed, TTL),
				 table[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
