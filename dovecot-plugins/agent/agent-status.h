/* SPDX-License-Identifier: MIT */
/* agent-status: what STATUS and NODES tell the admin. */
#ifndef ROOST_AGENT_STATUS_H
#define ROOST_AGENT_STATUS_H

#include <stdbool.h>

#include "common/base/buf.h"

struct roost_agent;

/* Adds the keys of STATUS. */
void roost_agent_status_add(struct roost_agent *agent, struct roost_buf *buf);
/* Adds those of the index'th node of NODES; FALSE if there is none. */
bool roost_agent_status_add_node(struct roost_agent *agent,
				 struct roost_buf *buf, unsigned int index);

#endif
