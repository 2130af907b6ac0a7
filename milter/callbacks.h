/* SPDX-License-Identifier: MIT */
/*
 * callbacks: what libmilter calls, in threads of its own.
 *
 * They adapt libmilter's events to a message, answer, log the decision and
 * count it. They never wait for anything: no file, no database, no other
 * message.
 */
#ifndef ROOST_MILTER_CALLBACKS_H
#define ROOST_MILTER_CALLBACKS_H

#include "daemon/log.h"
#include "daemon/metrics.h"
#include "milter/message.h"
#include "milter/snapshot.h"

struct roost_callbacks_env {
	struct roost_snapshot_slot *slot;
	const struct roost_log *log;
	struct roost_metric *connections;     /* gauge */
	struct roost_metric *messages_active; /* gauge: MAIL to the end */
	struct roost_metric *not_submission;  /* messages left alone */
	struct roost_metric *outcomes[ROOST_MESSAGE_OUTCOMES];
	struct roost_metric *signatures[ROOST_KEY_TYPES];
	struct roost_metric *long_lines;
};

/* Adds the metrics. */
void roost_callbacks_add_metrics(struct roost_callbacks_env *env,
				 struct roost_metrics *metrics);

/* Makes libmilter call us; env outlives roost_callbacks_stop. -1: libmilter
   refuses. */
int roost_callbacks_register(const struct roost_callbacks_env *env);

/* From now on every call is answered with a temporary failure and touches
   nothing of env; waits for those under way, at most `ms`. 0: all ended. */
int roost_callbacks_stop(unsigned int ms);

#endif
