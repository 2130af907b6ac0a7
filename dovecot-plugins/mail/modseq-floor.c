/* SPDX-License-Identifier: MIT */
/* modseq-floor: applying, raising and lowering the floor. */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/modseq-floor.h"
#include "dovecot-plugins/mail/index-state.h"
#include "dovecot-plugins/mail/store-file.h"
#include "mail-index-private.h"
#include "mail-index-modseq.h"
#include "mail-transaction-log-private.h"

#include <unistd.h>

static int bump_messages(struct mail_index *index, uint64_t start)
{
	struct mail_index_sync_ctx *ctx;
	struct mail_index_transaction *trans;
	struct mail_index_view *view;
	uint32_t seq, count;

	if (mail_index_sync_begin(index, &ctx, &view, &trans, 0) < 0)
		return -1;
	count = mail_index_view_get_messages_count(view);
	for (seq = 1; seq <= count; seq++)
		mail_index_update_modseq(trans, seq, start);
	mail_index_update_highest_modseq(trans, start);
	return mail_index_sync_commit(&ctx);
}

/* Without the old logs Dovecot cannot tell what changed before, and so it
   reports every message and every gap between them. */
static int drop_history(struct mail_index *index, const char *index_dir)
{
	if (mail_index_lock_sync(index, "roost floor") < 0)
		return -1;
	if (mail_index_refresh(index) < 0) {
		mail_index_unlock(index, "roost floor");
		return -1;
	}
	mail_index_write(index, TRUE, "roost floor");
	mail_index_unlock(index, "roost floor");
	if (MAIL_INDEX_IS_IN_MEMORY(index))
		return -1;
	return i_unlink_if_exists(
		t_strconcat(index_dir, "/dovecot.index.log.2", NULL));
}

int roost_modseq_floor_apply(struct event *event, const char *index_dir,
			     uint64_t start, const char **error_r)
{
	struct mail_index *index =
		mail_index_alloc(event, index_dir, "dovecot.index");
	int ret = 0;

	if (mail_index_open_or_create(index, MAIL_INDEX_OPEN_FLAG_CREATE) < 0) {
		*error_r = t_strdup_printf("%s: the index cannot be opened",
					   index_dir);
		mail_index_free(&index);
		return -1;
	}
	if (mail_index_is_in_memory(index)) {
		*error_r = t_strdup_printf("%s: the index cannot be created "
					   "(is roost_index_root full?)",
					   index_dir);
		ret = -1;
	} else if (start != 0) {
		mail_index_modseq_enable(index);
		if (bump_messages(index, start) < 0 ||
		    drop_history(index, index_dir) < 0 ||
		    index->log->head->sync_highest_modseq < start) {
			*error_r = t_strdup_printf(
				"%s: the modseq floor cannot be applied",
				index_dir);
			ret = -1;
		}
	}
	mail_index_close(index);
	mail_index_free(&index);
	return ret;
}

/* What may be shown: what the log ends with. 0 if there is nothing. */
static uint64_t highest_modseq(struct mailbox *box)
{
	struct mail_transaction_log_file *head = box->index->log->head;

	return head == NULL ? 0 : head->sync_highest_modseq;
}

static int write_record(struct mailbox *box, struct roost_index_state *state,
			uint64_t reserved, struct roost_err *err)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	struct roost_uidlist_head head;
	struct roost_floor floor;
	int ret;

	/* read anew: the mailbox may have lost its identity meanwhile */
	ret = roost_store_file_uidlist(rbox->control_dir, &head, err);
	if (ret == 0)
		return roost_err_set(err, "%s: no dovecot-uidlist",
				     rbox->control_dir);
	if (ret < 0)
		return -1;
	memcpy(floor.guid, head.guid, sizeof(floor.guid));
	floor.uid_validity = head.uid_validity;
	floor.reserved = reserved;
	floor.epoch = roost_session_epoch(rbox->user->session);
	if (roost_store_file_write_floor(rbox->control_dir, rbox->user->node,
					 &floor, rbox->user->session, err) < 0)
		return -1;

	memcpy(state->guid, floor.guid, sizeof(state->guid));
	state->uid_validity = floor.uid_validity;
	state->reserved = reserved;
	state->floor_epoch = floor.epoch;
	if (roost_index_state_write(rbox->state_fd, state) < 0)
		return roost_err_set(err, "%s: state: %s", rbox->index_dir,
				     strerror(errno));
	return 0;
}

static int raise_locked(struct mailbox *box, uint64_t modseq,
			struct roost_err *err)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	struct roost_index_state state;

	if (roost_index_state_read(rbox->state_fd, &state) < 0)
		return roost_err_set(err, "%s: state: %s", rbox->index_dir,
				     strerror(errno));
	if (modseq <= state.reserved)
		return 0; /* another process did it */
	return write_record(box, &state, roost_floor_reserve(modseq), err);
}

int roost_modseq_floor_show(struct mailbox *box, const char **error_r)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	uint64_t modseq = highest_modseq(box);
	struct roost_index_state state;
	struct roost_err err;
	int ret;

	if (mail_index_is_in_memory(box->index)) {
		*error_r = t_strdup_printf(
			"%s: the index cannot be written (is roost_index_root "
			"full?)",
			rbox->index_dir);
		return -1;
	}
	if (roost_index_state_read(rbox->state_fd, &state) == 0 &&
	    modseq <= state.reserved)
		return 0;
	if (roost_index_state_lock(rbox->state_fd) < 0) {
		*error_r = t_strdup_printf("%s: state: %m", rbox->index_dir);
		return -1;
	}
	ret = raise_locked(box, modseq, &err);
	roost_index_state_unlock(rbox->state_fd);
	if (ret < 0)
		*error_r = t_strdup(err.msg);
	return ret;
}

uint64_t roost_modseq_floor_promised(struct mailbox *box)
{
	struct roost_index_state state;

	if (roost_index_state_read(roost_mail_box(box)->state_fd, &state) < 0)
		return 1;
	return I_MAX(state.reserved, 1);
}

/* Nobody can add to the log meanwhile, so whoever shows more afterwards finds
   the lowered value. */
static int settle_locked(struct mailbox *box, uint64_t modseq,
			 struct roost_err *err)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	struct roost_index_state state;

	(void)roost_err_set(err, "%s: state cannot be written",
			    rbox->index_dir);
	if (highest_modseq(box) != modseq)
		return 0;
	if (roost_index_state_lock(rbox->state_fd) < 0)
		return roost_err_set(err, "%s: state: %s", rbox->index_dir,
				     strerror(errno));
	if (roost_index_state_read(rbox->state_fd, &state) < 0 ||
	    state.reserved == modseq) {
		roost_index_state_unlock(rbox->state_fd);
		return 0;
	}
	/* first for this node: a record that promises more than is used does
	   no harm, one that promises less does */
	state.reserved = modseq;
	if (roost_index_state_write(rbox->state_fd, &state) < 0 ||
	    write_record(box, &state, modseq, err) < 0) {
		roost_index_state_unlock(rbox->state_fd);
		return -1;
	}
	roost_index_state_unlock(rbox->state_fd);
	return 0;
}

int roost_modseq_floor_settle(struct mailbox *box, uint64_t modseq,
			      const char **error_r)
{
	struct roost_err err;
	int ret;

	if (mail_index_lock_sync(box->index, "roost settle") < 0) {
		*error_r = "the index cannot be locked";
		return -1;
	}
	ret = settle_locked(box, modseq, &err);
	mail_index_unlock(box->index, "roost settle");
	if (ret < 0)
		*error_r = t_strdup(err.msg);
	return ret;
}
