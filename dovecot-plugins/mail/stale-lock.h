/* SPDX-License-Identifier: MIT */
/*
 * stale-lock: a node that died leaves its locks on the store, and Dovecot
 * waits for two minutes before it takes such a lock for dead. Who holds the
 * lease knows better: no other node may be at work in the mailbox.
 */
#ifndef ROOST_STALE_LOCK_H
#define ROOST_STALE_LOCK_H

struct mailbox;

/* Before a mailbox is opened, within a guarded section: removes the locks in
   its CONTROL folder that name another host. */
void roost_stale_lock_clear(struct mailbox *box);

#endif
