/* SPDX-License-Identifier: MIT */
/*
 * nudge: keeps libmilter's pool of threads from leaving connections alone.
 *
 * The pool counts a thread as idle until it has woken up, and gives it several
 * connections meanwhile; when the first of them stops in the middle of a
 * packet, the others wait, for hours if need be, although they have something
 * to say. A new connection makes the pool look again, and start a thread when
 * none is idle. So each second there are some, from ourselves: more, the more
 * connections there are that could hang.
 */
#ifndef ROOST_MILTER_NUDGE_H
#define ROOST_MILTER_NUDGE_H

#include "daemon/metrics.h"

struct event_base;
struct roost_nudge;

/* `connections` is the gauge of open ones. NULL: out of memory. */
struct roost_nudge *roost_nudge_new(struct event_base *base, int listen_fd,
				    const struct roost_metric *connections);
void roost_nudge_free(struct roost_nudge **nudge);

#endif
