/* SPDX-License-Identifier: MIT */
/* snapshot: everything a message is judged by, frozen. */
#include "milter/snapshot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct snapshot {
	struct roost_snapshot pub; /* first */
	atomic_uint refs;
};

struct roost_snapshot_slot {
	pthread_mutex_t lock;
	struct roost_snapshot *current;
};

struct roost_snapshot *
roost_snapshot_new(struct roost_signing *signing,
		   struct roost_key_set *const sets[ROOST_SNAPSHOT_SETS],
		   bool incomplete)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	size_t i;

	if (snapshot == NULL)
		return NULL;
	atomic_init(&snapshot->refs, 1);
	snapshot->pub.signing = roost_signing_ref(signing);
	snapshot->pub.incomplete = incomplete;
	for (i = 0; i < ROOST_SNAPSHOT_SETS; i++) {
		if (sets[i] != NULL)
			snapshot->pub.sets[i] = roost_key_set_ref(sets[i]);
	}
	return &snapshot->pub;
}

struct roost_snapshot *roost_snapshot_ref(struct roost_snapshot *pub)
{
	struct snapshot *snapshot = (struct snapshot *)pub;

	(void)atomic_fetch_add_explicit(&snapshot->refs, 1,
					memory_order_relaxed);
	return pub;
}

void roost_snapshot_unref(struct roost_snapshot **pub)
{
	struct snapshot *snapshot = (struct snapshot *)*pub;
	size_t i;

	*pub = NULL;
	if (snapshot == NULL ||
	    atomic_fetch_sub_explicit(&snapshot->refs, 1,
				      memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < ROOST_SNAPSHOT_SETS; i++)
		roost_key_set_unref(&snapshot->pub.sets[i]);
	roost_signing_unref(&snapshot->pub.signing);
	free(snapshot);
}

const struct roost_key_rule *
roost_snapshot_find(const struct roost_snapshot *snapshot,
		    const struct roost_from_address *from)
{
	const struct roost_key_rule *rule = NULL;
	size_t i;

	for (i = 0; i < ROOST_SNAPSHOT_SETS && rule == NULL; i++) {
		if (snapshot->sets[i] != NULL)
			rule = roost_key_set_find(snapshot->sets[i], from);
	}
	return rule;
}

struct roost_snapshot_slot *roost_snapshot_slot_new(void)
{
	struct roost_snapshot_slot *slot = calloc(1, sizeof(*slot));

	if (slot != NULL && pthread_mutex_init(&slot->lock, NULL) != 0) {
		free(slot);
		slot = NULL;
	}
	return slot;
}

void roost_snapshot_slot_free(struct roost_snapshot_slot **slot)
{
	if (*slot == NULL)
		return;
	roost_snapshot_unref(&(*slot)->current);
	(void)pthread_mutex_destroy(&(*slot)->lock);
	free(*slot);
	*slot = NULL;
}

struct roost_snapshot *roost_snapshot_slot_get(struct roost_snapshot_slot *slot)
{
	struct roost_snapshot *snapshot;

	(void)pthread_mutex_lock(&slot->lock);
	snapshot = slot->current == NULL ? NULL
					 : roost_snapshot_ref(slot->current);
	(void)pthread_mutex_unlock(&slot->lock);
	return snapshot;
}

void roost_snapshot_slot_put(struct roost_snapshot_slot *slot,
			     struct roost_snapshot *snapshot)
{
	struct roost_snapshot *old;

	(void)pthread_mutex_lock(&slot->lock);
	old = slot->current;
	slot->current = snapshot;
	(void)pthread_mutex_unlock(&slot->lock);
	roost_snapshot_unref(&old);
}
