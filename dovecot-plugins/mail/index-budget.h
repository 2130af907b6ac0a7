/* SPDX-License-Identifier: MIT */
/*
 * index-budget: the tmpfs under roost_index_root is the budget of all its
 * users. When it is rather full, indexes of users who have no process on this
 * node are removed, least recently used first: those whose bundles have
 * everything before others. When even that leaves it nearly full, users who
 * have no index here yet are refused (temporarily) rather than all meeting
 * ENOSPC. On another file system than a tmpfs there is no budget: what else
 * lies there is not known.
 */
#ifndef ROOST_INDEX_BUDGET_H
#define ROOST_INDEX_BUDGET_H

struct event;

/* base: the folder of users, with USER and USER.users; is_new: the user who
   is about to be let in has no index yet. -1 with a message: refuse them. */
int roost_index_budget_check(struct event *event, const char *base, bool is_new,
			     const char **error_r);

#endif
