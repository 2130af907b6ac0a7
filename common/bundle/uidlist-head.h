/* SPDX-License-Identifier: MIT */
/*
 * uidlist-head: who a maildir mailbox is, from the first line of its
 * dovecot-uidlist. That file lives on the store with the mails and is the
 * authority for UIDs; a bundle or floor record that names another GUID or
 * UIDVALIDITY belongs to another mailbox.
 */
#ifndef ROOST_BUNDLE_UIDLIST_HEAD_H
#define ROOST_BUNDLE_UIDLIST_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/bundle/bundle.h"

/* Dovecot writes far less; a longer first line is damage. */
#define ROOST_UIDLIST_HEAD_MAX 1024

struct roost_uidlist_head {
	uint8_t guid[ROOST_BUNDLE_GUID_SIZE];
	uint32_t uid_validity;
	bool unused; /* never had a message: UIDNEXT is 1, no records */
};

/* data: the start of the file, at least its first line if that is shorter
   than ROOST_UIDLIST_HEAD_MAX. -1 also for the old format without a GUID. */
int roost_uidlist_head_parse(const void *data, size_t size,
			     struct roost_uidlist_head *head,
			     struct roost_err *err);

#endif
