/* SPDX-License-Identifier: MIT */
/*
 * placement: which node an unpinned user goes to, by weighted rendezvous
 * hashing. Adding a node moves users only to it, removing one only its own.
 */
#ifndef ROOST_RULES_PLACEMENT_H
#define ROOST_RULES_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>

struct roost_placement_node {
	const char *name;
	const char *tag;
	unsigned int weight; /* 0: gets nobody */
	bool up;	     /* alive and not draining */
};

/* The index of the user's node among those that are up and carry the tag, or
   -1 if there is none. The order of the nodes does not matter. */
int roost_placement_choose(const struct roost_placement_node *nodes,
			   size_t count, const char *tag, const char *user);

#endif
