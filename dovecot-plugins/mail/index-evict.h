/* SPDX-License-Identifier: MIT */
/*
 * index-evict: takes the indexes of a user off this node, never while a
 * process has the user open: each holds the user's lock file shared. What is
 * removed is nowhere else unless it was packed; the next open restores the
 * bundle, with a floor if that has not everything.
 */
#ifndef ROOST_INDEX_EVICT_H
#define ROOST_INDEX_EVICT_H

/* dir: the user's indexes; users_fd: <dir>.users, open. 1: removed, 0: in use
   by somebody else. Leaves users_fd locked shared. -1 with a message. */
int roost_index_evict(int users_fd, const char *dir, uint64_t *bytes_r,
		      const char **error_r);

#endif
