/* SPDX-License-Identifier: MIT */
/*
 * epoch-file: the highest epoch under which a user was opened, in the user's
 * home on the shared store. The store is what the nodes surely share: a node
 * that Redis or a stopped clock misleads finds there that another one has had
 * the user since. The higher epoch wins.
 */
#ifndef ROOST_EPOCH_FILE_H
#define ROOST_EPOCH_FILE_H

struct mail_user;
struct roost_user;

#define ROOST_EPOCH_FILE_NAME "dovecot-roost.epoch"

/* Compares, and writes a higher epoch. 0: go on (also when there is no home
   yet, or the file cannot be written); -1: another node was here later, or
   the file cannot be read: nothing may be opened. */
int roost_epoch_file_check(struct mail_user *user, struct roost_user *ruser,
			   const char **error_r);

#endif
