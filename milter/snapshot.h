/* SPDX-License-Identifier: MIT */
/*
 * snapshot: everything a message is judged by, frozen: the settings and the
 * key sets of all sources.
 *
 * The main thread makes a new snapshot after each change and swaps it in; a
 * message keeps the one it started with.
 */
#ifndef ROOST_MILTER_SNAPSHOT_H
#define ROOST_MILTER_SNAPSHOT_H

#include <stdbool.h>

#include "milter/key-set.h"
#include "milter/milter-conf.h"

/* One for each source of keys.h. */
#define ROOST_SNAPSHOT_SETS 3

struct roost_snapshot {
	struct roost_signing *signing;
	struct roost_key_set *sets[ROOST_SNAPSHOT_SETS]; /* NULL: none */
	bool incomplete; /* a source has not given its keys yet */
};

/* Takes references to what it is given; an author is looked up in the sets in
   their order. NULL: out of memory. */
struct roost_snapshot *
roost_snapshot_new(struct roost_signing *signing,
		   struct roost_key_set *const sets[ROOST_SNAPSHOT_SETS],
		   bool incomplete);
struct roost_snapshot *roost_snapshot_ref(struct roost_snapshot *snapshot);
void roost_snapshot_unref(struct roost_snapshot **snapshot);

/* The rule of the first source that knows the author; NULL: none. */
const struct roost_key_rule *
roost_snapshot_find(const struct roost_snapshot *snapshot,
		    const struct roost_from_address *from);

/* The place where the current one stands. */
struct roost_snapshot_slot;

struct roost_snapshot_slot *roost_snapshot_slot_new(void);
void roost_snapshot_slot_free(struct roost_snapshot_slot **slot);
/* A new reference, or NULL before the first put. Any thread. */
struct roost_snapshot *
roost_snapshot_slot_get(struct roost_snapshot_slot *slot);
/* Takes the reference over. */
void roost_snapshot_slot_put(struct roost_snapshot_slot *slot,
			     struct roost_snapshot *snapshot);

#endif
