/* SPDX-License-Identifier: MIT */
/*
 * roost-guard: sections in which the process may change the store. One starts
 * only while the lease holds. If the lease ends inside (the process was
 * stopped, or a system call took long), a timer on CLOCK_BOOTTIME ends the
 * process before its next instruction: a check alone cannot, since the
 * process may be stopped right after it. Sections nest.
 *
 * The process ends as a whole because the lease is the node's: every user in
 * it has lost it.
 */
#ifndef ROOST_GUARD_H
#define ROOST_GUARD_H

struct roost_session;

/* FALSE: the lease does not hold, nothing was entered. */
bool roost_guard_enter(const struct roost_session *session);
void roost_guard_leave(void);
void roost_guard_deinit(void);

#endif
