/* SPDX-License-Identifier: MIT */
/*
 * index-state: dovecot-roost.state in the index folder of a mailbox on this
 * node: under which lease the index there was made right, what the floor
 * record on the store says, and what was packed last. Every process of the
 * node reads and writes it in place; it is as volatile as the index.
 */
#ifndef ROOST_INDEX_STATE_H
#define ROOST_INDEX_STATE_H

#include "common/bundle/bundle.h"

struct roost_index_state {
	uint32_t magic, size;
	uint64_t reserved; /* of the floor record as last read or written */
	uint64_t floor_epoch;
	uint64_t epoch; /* the index is right for this lease; 0: it is not */
	uint8_t guid[ROOST_BUNDLE_GUID_SIZE];
	uint32_t uid_validity;
	uint32_t pad;
	uint64_t packed_modseq;
	uint64_t packed_cache_size; /* of the cache file, bytes */
	uint64_t packed_ms;	    /* Unix time; 0: never */
};

/* Whether the index in a folder has not changed since it was packed, as far as
   the times of files tell; and that of all below it. */
bool roost_index_state_packed(const char *index_dir);
bool roost_index_state_all_packed(const char *dir);

/* Opens or creates it. Returns a file descriptor, -1 with errno. */
int roost_index_state_open(const char *index_dir);
/* Zeroes (epoch 0) if the file holds none. -1 with errno. */
int roost_index_state_read(int fd, struct roost_index_state *state_r);
int roost_index_state_write(int fd, struct roost_index_state *state);

/* Unix time in ms, as in the state and in bundles. */
uint64_t roost_index_state_now(void);

/* Takes an exclusive flock() within a bounded time. -1 with errno. */
int roost_index_state_lock(int fd);
int roost_index_state_lock_shared(int fd);
void roost_index_state_unlock(int fd);

#endif
