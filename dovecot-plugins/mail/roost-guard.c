/* SPDX-License-Identifier: MIT */
/*
 * roost-guard: sections that end with the lease. The state is global because
 * a signal handler has no other place to look at; Dovecot's processes have
 * one thread.
 */
#include "lib.h"
#include "dovecot-plugins/client/agent-client.h"
#include "dovecot-plugins/client/lease-page.h"
#include "dovecot-plugins/mail/roost-guard.h"

#include <errno.h>
#include <signal.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static struct {
	const struct roost_session *volatile session;
	volatile sig_atomic_t depth;
	timer_t timer;
	bool created, armed;
} guard;

#define NSECS_PER_SEC 1000000000ULL

static void guard_set_timer(uint64_t deadline)
{
	struct itimerspec at = { .it_value.tv_nsec = 0 };

	at.it_value.tv_sec = (time_t)(deadline / NSECS_PER_SEC);
	at.it_value.tv_nsec = (long)(deadline % NSECS_PER_SEC);
	(void)timer_settime(guard.timer, TIMER_ABSTIME, &at, NULL);
}

/* Async-signal-safe: the deadline is read from a mapped page. */
static void guard_expired(int signo ATTR_UNUSED)
{
	static const char msg[] = "roost: the lease ended while the mailbox "
				  "was being changed: this process ends\n";
	int saved_errno = errno;
	uint64_t deadline;

	if (guard.depth == 0)
		return;
	deadline = roost_session_deadline(guard.session);
	if (deadline <= roost_lease_page_now()) {
		if (write(STDERR_FILENO, msg, sizeof(msg) - 1) < 0)
			_exit(EX_TEMPFAIL);
		_exit(EX_TEMPFAIL);
	}
	guard_set_timer(deadline);
	errno = saved_errno;
}

static bool guard_create(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL };
	struct sigaction action = { .sa_flags = SA_RESTART };

	if (guard.created)
		return TRUE;
	event.sigev_signo = SIGRTMAX - 3;
	action.sa_handler = guard_expired;
	sigemptyset(&action.sa_mask);
	if (sigaction(event.sigev_signo, &action, NULL) < 0 ||
	    timer_create(CLOCK_BOOTTIME, &event, &guard.timer) < 0) {
		i_error("roost: timer_create(CLOCK_BOOTTIME) failed: %m");
		return FALSE;
	}
	guard.created = TRUE;
	return TRUE;
}

bool roost_guard_enter(const struct roost_session *session)
{
	uint64_t deadline;

	if (guard.depth > 0) {
		guard.depth++;
		return TRUE;
	}
	if (!roost_session_valid(session))
		return FALSE;
	deadline = roost_session_deadline(session);
	if (deadline != ROOST_LEASE_PAGE_FOREVER && !guard_create())
		return FALSE;
	/* from here on the timer decides: a deadline in the past fires at once
	 */
	guard.session = session;
	guard.depth = 1;
	if (deadline != ROOST_LEASE_PAGE_FOREVER) {
		guard.armed = TRUE;
		guard_set_timer(I_MAX(deadline, 1));
	}
	return TRUE;
}

void roost_guard_leave(void)
{
	static const struct itimerspec never;

	i_assert(guard.depth > 0);
	if (--guard.depth > 0)
		return;
	if (guard.armed)
		(void)timer_settime(guard.timer, 0, &never, NULL);
	guard.armed = FALSE;
	guard.session = NULL;
}

void roost_guard_deinit(void)
{
	if (guard.created)
		(void)timer_delete(guard.timer);
	guard.created = FALSE;
}
