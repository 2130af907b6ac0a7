/* SPDX-License-Identifier: MIT */
/*
 * store-file: Roost's own files beside the mails, in a mailbox's CONTROL
 * folder on the shared store.
 */
#ifndef ROOST_STORE_FILE_H
#define ROOST_STORE_FILE_H

#include "common/bundle/floor.h"
#include "common/bundle/uidlist-head.h"

#define ROOST_STORE_BUNDLE "dovecot-roost.bundle"
#define ROOST_STORE_FLOOR "dovecot-roost.floor"

struct roost_session;

/* Opens a regular file that belongs to this process' uid, without following
   a symlink. 1, 0 if there is none, -1 with a message. */
int roost_store_file_open(const char *dir, const char *name, int *fd_r,
			  struct roost_err *err);

/* Who the mailbox is. 1; 0 if there is no dovecot-uidlist; -1. */
int roost_store_file_uidlist(const char *dir, struct roost_uidlist_head *head_r,
			     struct roost_err *err);
/* 1; 0 if there is none; -1 if it cannot be read or trusted. */
int roost_store_file_floor(const char *dir, struct roost_floor *floor_r,
			   struct roost_err *err);

/* Creates the temporary file of this node for `name`. The caller holds a lock
   of this node that lets one process at a time do that. */
int roost_store_file_create(const char *dir, const char *name, const char *node,
			    const char **tmp_path_r, int *fd_r,
			    struct roost_err *err);
/* Syncs the temporary file and gives it its name, durably, within a guarded
   section of the session. Closes *fd and removes the file in any case. */
int roost_store_file_publish(const char *dir, const char *name,
			     const char *tmp_path, int *fd,
			     const struct roost_session *session,
			     struct roost_err *err);

/* Writes the floor record; refuses to replace one of a higher epoch. */
int roost_store_file_write_floor(const char *dir, const char *node,
				 const struct roost_floor *floor,
				 const struct roost_session *session,
				 struct roost_err *err);

#endif
