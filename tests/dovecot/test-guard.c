/* SPDX-License-Identifier: MIT */
/*
 * Tests of the mail plugin's guarded sections: a process that is inside one
 * when the lease ends must not run another instruction of its own. The
 * session is a stand-in with a deadline that the test sets.
 */
#include "lib.h"
#include "test-common.h"
#include "dovecot-plugins/client/agent-client.h"
#include "dovecot-plugins/client/lease-page.h"
#include "dovecot-plugins/mail/roost-guard.h"

#include <signal.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define MSECS 1000000ULL

struct roost_session {
	uint64_t deadline;
};

static struct roost_session session;

uint64_t roost_session_deadline(const struct roost_session *s)
{
	return s->deadline;
}

bool roost_session_valid(const struct roost_session *s)
{
	return s->deadline > roost_lease_page_now();
}

static void spin_until(uint64_t when)
{
	while (roost_lease_page_now() < when)
		;
}

/* Runs body in a child; returns how it ended, as waitpid() does. */
static int run_child(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		body();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		i_fatal("fork() or waitpid() failed: %m");
	return status;
}

static void outlives_lease(void)
{
	session.deadline = roost_lease_page_now() + 50 * MSECS;
	if (!roost_guard_enter(&session))
		_exit(1);
	spin_until(session.deadline + 500 * MSECS);
}

static void sleeps_past_lease(void)
{
	session.deadline = roost_lease_page_now() + 50 * MSECS;
	if (!roost_guard_enter(&session))
		_exit(1);
	/* as a paused process: the pending signal comes first */
	(void)kill(getpid(), SIGSTOP);
	_exit(2);
}

static void leaves_in_time(void)
{
	session.deadline = roost_lease_page_now() + 50 * MSECS;
	if (!roost_guard_enter(&session) || !roost_guard_enter(&session))
		_exit(1);
	roost_guard_leave();
	roost_guard_leave();
	spin_until(session.deadline + 100 * MSECS);
	if (roost_guard_enter(&session))
		_exit(2);
}

static void inner_leave_keeps_guard(void)
{
	session.deadline = roost_lease_page_now() + 50 * MSECS;
	if (!roost_guard_enter(&session) || !roost_guard_enter(&session))
		_exit(1);
	roost_guard_leave();
	spin_until(session.deadline + 500 * MSECS);
}

static void lease_is_renewed(void)
{
	uint64_t start = roost_lease_page_now();

	session.deadline = start + 50 * MSECS;
	if (!roost_guard_enter(&session))
		_exit(1);
	session.deadline = start + 10000 * MSECS;
	spin_until(start + 200 * MSECS);
	roost_guard_leave();
}

static void cluster_of_one(void)
{
	session.deadline = ROOST_LEASE_PAGE_FOREVER;
	if (!roost_guard_enter(&session))
		_exit(1);
	roost_guard_leave();
}

static void lease_is_over(void)
{
	session.deadline = 1;
	if (roost_guard_enter(&session))
		_exit(1);
}

static void test_guard(void)
{
	static const struct {
		const char *name;
		void (*body)(void);
		int status;
	} cases[] = {
		{ "outlives lease", outlives_lease, EX_TEMPFAIL },
		{ "leaves in time", leaves_in_time, 0 },
		{ "inner leave keeps guard", inner_leave_keeps_guard,
		  EX_TEMPFAIL },
		{ "lease is renewed", lease_is_renewed, 0 },
		{ "cluster of one", cluster_of_one, 0 },
		{ "lease is over", lease_is_over, 0 },
	};

	test_begin("guarded sections");
	for (unsigned int i = 0; i < N_ELEMENTS(cases); i++) {
		int status = run_child(cases[i].body);

		test_assert_idx(WIFEXITED(status) &&
					WEXITSTATUS(status) == cases[i].status,
				i);
	}
	test_end();
}

/* SIGSTOP, the lease ends, SIGCONT: it never gets to its next line. */
static void test_paused(void)
{
	const struct timespec wait = { .tv_nsec = 150 * 1000 * 1000 };
	int status;
	pid_t pid;

	test_begin("paused process");
	pid = fork();
	if (pid == 0) {
		sleeps_past_lease();
		_exit(0);
	}
	test_assert(waitpid(pid, &status, WUNTRACED) == pid &&
		    WIFSTOPPED(status));
	(void)nanosleep(&wait, NULL);
	(void)kill(pid, SIGCONT);
	test_assert(waitpid(pid, &status, 0) == pid);
	test_assert(WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL);
	test_end();
}

int main(void)
{
	static void (*const test_functions[])(void) = { test_guard, test_paused,
							NULL };

	return test_run(test_functions);
}
