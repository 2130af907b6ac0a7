/* SPDX-License-Identifier: MIT */
/* roost-query: doveadm's connection to the agent; one question at a time. */
#ifndef ROOST_DOVEADM_ROOST_QUERY_H
#define ROOST_DOVEADM_ROOST_QUERY_H

#include <stdbool.h>

#include "common/proto/agent-proto.h"

struct roost_query;

/* Gets each line that is an answer. */
typedef void roost_query_line_t(const struct roost_agent_line *line,
				void *context);

/* Connects to the agent of the node that doveadm runs on. */
struct roost_query *roost_query_init(void);
void roost_query_deinit(struct roost_query **query);

/* Asks, waits for the whole answer (31 seconds at most). Returns false when
   the agent is away or refuses: that is logged, and doveadm's exit code set. */
bool roost_query_run(struct roost_query *query,
		     const struct roost_agent_request *req,
		     roost_query_line_t *callback, void *context);
void roost_query_sleep(struct roost_query *query, unsigned int msecs);

#endif
