/* SPDX-License-Identifier: MIT */
/*
 * fence: nothing of a user is changed, and nothing read that could lead to a
 * change, unless the node holds its lease. The refusal is temporary:
 * NO [UNAVAILABLE] in IMAP, 451 in LMTP.
 */
#ifndef ROOST_FENCE_H
#define ROOST_FENCE_H

struct mailbox;
struct mailbox_list;

/* Enters a guarded section (roost-guard.h). FALSE: the error is set, nothing
   was entered. */
bool roost_fence_enter(struct mailbox *box);
bool roost_fence_enter_list(struct mailbox_list *list);
void roost_fence_leave(void);

/* The answer of a mailbox of a user who has an error: logs it once. */
void roost_fence_refuse(struct mailbox *box);

/* Whether the lease holds at this moment; sets no error. */
bool roost_fence_holds(struct mailbox *box);

/* Sets the temporary error on the mailbox. */
void roost_fence_set_error(struct mailbox *box);

#endif
