/* SPDX-License-Identifier: MIT */
/*
 * modseq-floor: HIGHESTMODSEQ of a moved mailbox never goes back (RFC 7162),
 * whatever happened to the index. common/bundle/floor.h says why it works.
 */
#ifndef ROOST_MODSEQ_FLOOR_H
#define ROOST_MODSEQ_FLOOR_H

struct mailbox;
struct event;

/* Creates the index in index_dir if there is none. If start is not 0, gives
   every message in it, and all to come, at least that modification sequence,
   and forgets the history before it, so that a client that asks for changes
   since then is told everything. Nobody may have the index open. */
int roost_modseq_floor_apply(struct event *event, const char *index_dir,
			     uint64_t start, const char **error_r);

/* Before modification sequences of the open mailbox are shown: raises the
   floor record if it promises less. */
int roost_modseq_floor_show(struct mailbox *box, const char **error_r);

/* What the record promises; 1, the least there is, if that is not known. */
uint64_t roost_modseq_floor_promised(struct mailbox *box);

/* A bundle with everything up to modseq lies on the store: lowers the record
   to it, if nothing has been added since. -1 with a message; not lowering is
   always safe. */
int roost_modseq_floor_settle(struct mailbox *box, uint64_t modseq,
			      const char **error_r);

#endif
