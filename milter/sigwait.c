/* SPDX-License-Identifier: MIT */
/*
 * sigwait: keeps libmilter's hands off our signals.
 *
 * smfi_main() starts a thread that takes SIGHUP, SIGINT and SIGTERM with
 * sigwait(3) and ends the filter on each of them; there is no way to ask it
 * not to. A SIGHUP is our reload, and which of two threads a signal goes to
 * when one waits and the other handles it is chance. So the program brings
 * its own sigwait(), which the library then calls: it never returns. Nobody
 * else in the program calls sigwait(); the event loop of the main thread
 * handles all signals.
 */
#include <signal.h>
#include <unistd.h>

__attribute__((visibility("default"), noreturn)) int
sigwait(const sigset_t *set, int *sig)
{
	(void)set;
	(void)sig;
	for (;;)
		(void)pause();
}
