/* SPDX-License-Identifier: MIT */
/* placement: which node an unpinned user goes to. */
#include "common/rules/placement.h"

#include <math.h>
#include <string.h>

#include "common/rules/user-hash.h"

static double score(const struct roost_placement_node *node, const char *user)
{
	/* 53 bits, never 0 or 1 */
	double unit =
		((double)(roost_user_hash(node->name, user) >> 11) + 0.5) /
		9007199254740992.0;

	return -(double)node->weight / log(unit);
}

int roost_placement_choose(const struct roost_placement_node *nodes,
			   size_t count, const char *tag, const char *user)
{
	double best_score = 0, s;
	int best = -1;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!nodes[i].up || nodes[i].weight == 0 ||
		    strcmp(nodes[i].tag, tag) != 0)
			continue;
		s = score(&nodes[i], user);
		if (best >= 0 &&
		    (s < best_score ||
		     (!(s > best_score) &&
		      strcmp(nodes[i].name, nodes[best].name) > 0)))
			continue;
		best = (int)i;
		best_score = s;
	}
	return best;
}
