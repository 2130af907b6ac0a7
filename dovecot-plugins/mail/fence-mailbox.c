/* SPDX-License-Identifier: MIT */
/*
 * fence-mailbox: the points at which a mailbox may change, each refused when
 * the lease does not hold, each a guarded section when it does; and the
 * moments at which the index of a moved mailbox needs care: before it is
 * opened, before a modification sequence is shown, before it is closed.
 */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/roost-mail-private.h"
#include "dovecot-plugins/mail/epoch-file.h"
#include "dovecot-plugins/mail/fence.h"
#include "dovecot-plugins/mail/modseq-floor.h"
#include "dovecot-plugins/mail/stale-lock.h"
#include "index-storage.h"

static struct mailbox_vfuncs *super_of(struct mailbox *box)
{
	return &roost_mail_box(box)->module_ctx.super;
}

static bool is_moved(struct mailbox *box)
{
	struct roost_list *rlist = roost_mail_list(box->list);

	return rlist != NULL && rlist->index_root != NULL;
}

static void set_index_error(struct mailbox *box, const char *error)
{
	mailbox_set_critical(box, "roost_index_refused: %s", error);
	roost_fence_set_error(box);
}

static int guarded_open(struct mailbox *box)
{
	struct roost_user *ruser = roost_mail_box(box)->user;
	const char *error;

	if (roost_epoch_file_check(ruser->owner, ruser, &error) < 0) {
		ruser->error = p_strdup(ruser->owner->pool, error);
		roost_fence_refuse(box);
		return -1;
	}
	roost_stale_lock_clear(box);
	if (is_moved(box) && roost_index_restore(box, &error) < 0) {
		set_index_error(box, error);
		return -1;
	}
	if (super_of(box)->open(box) < 0) {
		roost_index_restore_abort(box);
		return -1;
	}
	if (!is_moved(box))
		return 0;
	if (roost_index_restored(box, &error) < 0) {
		super_of(box)->close(box);
		box->opened = FALSE;
		set_index_error(box, error);
		roost_index_restore_abort(box);
		return -1;
	}
	roost_index_pack_start(box);
	return 0;
}

static int fence_open(struct mailbox *box)
{
	int ret;

	if (!roost_fence_enter(box))
		return -1;
	ret = guarded_open(box);
	roost_fence_leave();
	return ret;
}

static void fence_close(struct mailbox *box)
{
	if (roost_mail_box(box)->state_fd != -1)
		roost_index_pack_stop(box);
	super_of(box)->close(box);
}

static int fence_create_box(struct mailbox *box,
			    const struct mailbox_update *update, bool directory)
{
	int ret;

	if (!roost_fence_enter(box))
		return -1;
	ret = super_of(box)->create_box(box, update, directory);
	roost_fence_leave();
	return ret;
}

static int fence_update_box(struct mailbox *box,
			    const struct mailbox_update *update)
{
	int ret;

	if (!roost_fence_enter(box))
		return -1;
	ret = super_of(box)->update_box(box, update);
	roost_fence_leave();
	return ret;
}

static int fence_delete_box(struct mailbox *box)
{
	int ret;

	if (!roost_fence_enter(box))
		return -1;
	ret = super_of(box)->delete_box(box);
	roost_fence_leave();
	return ret;
}

static int fence_rename_box(struct mailbox *src, struct mailbox *dest)
{
	int ret;

	if (!roost_fence_enter(src))
		return -1;
	ret = super_of(src)->rename_box(src, dest);
	roost_fence_leave();
	return ret;
}

static int fence_set_subscribed(struct mailbox *box, bool set)
{
	int ret;

	if (!roost_fence_enter(box))
		return -1;
	ret = super_of(box)->set_subscribed(box, set);
	roost_fence_leave();
	return ret;
}

static int fence_attribute_set(struct mailbox_transaction_context *t,
			       enum mail_attribute_type type_flags,
			       const char *key,
			       const struct mail_attribute_value *value)
{
	int ret;

	if (!roost_fence_enter(t->box))
		return -1;
	ret = super_of(t->box)->attribute_set(t, type_flags, key, value);
	roost_fence_leave();
	return ret;
}

/* What is shown next must not be above what the floor record promises. */
static int show_modseq(struct mailbox *box)
{
	const char *error;

	if (roost_mail_box(box)->state_fd == -1)
		return 0;
	if (roost_modseq_floor_show(box, &error) < 0) {
		set_index_error(box, error);
		return -1;
	}
	return 0;
}

/* Of an open mailbox it may not fail: Dovecot takes that for a bug and ends.
   What is promised is never less than what was shown before. */
static int fence_get_status(struct mailbox *box,
			    enum mailbox_status_items items,
			    struct mailbox_status *status_r)
{
	uint64_t promised;

	if (super_of(box)->get_status(box, items, status_r) < 0)
		return -1;
	if ((items & STATUS_HIGHESTMODSEQ) != 0 && show_modseq(box) < 0) {
		promised = roost_modseq_floor_promised(box);
		status_r->highest_modseq =
			I_MIN(status_r->highest_modseq, promised);
	}
	return 0;
}

/* A fast sync leaves changes of flags and expunges in the index alone for some
   seconds. An index that was moved dies with the node or with its lease: what
   the client is told to be done must be in the store by then. */
static enum mailbox_sync_flags sync_flags(struct mailbox *box,
					  enum mailbox_sync_flags flags)
{
	struct roost_mailbox *rbox = roost_mail_box(box);

	if (!rbox->unsynced)
		return flags;
	rbox->unsynced = FALSE;
	return flags & ENUM_NEGATE(MAILBOX_SYNC_FLAG_FAST);
}

static struct mailbox_sync_context *
fence_sync_init(struct mailbox *box, enum mailbox_sync_flags flags)
{
	struct mailbox_sync_context *ctx;
	struct mailbox_sync_status status;

	if (!roost_fence_enter(box))
		return index_mailbox_sync_init(box, flags, TRUE);
	ctx = super_of(box)->sync_init(box, sync_flags(box, flags));
	if (show_modseq(box) < 0) {
		(void)super_of(box)->sync_deinit(ctx, &status);
		roost_fence_set_error(box);
		ctx = index_mailbox_sync_init(box, flags, TRUE);
	}
	roost_fence_leave();
	return ctx;
}

static int
fence_transaction_commit(struct mailbox_transaction_context *t,
			 struct mail_transaction_commit_changes *changes_r)
{
	struct mailbox *box = t->box;
	int ret;

	if (!roost_fence_enter(box)) {
		super_of(box)->transaction_rollback(t);
		return -1;
	}
	roost_mail_box(box)->unsynced = is_moved(box);
	ret = super_of(box)->transaction_commit(t, changes_r);
	roost_fence_leave();
	return ret;
}

static int fence_save_begin(struct mail_save_context *ctx,
			    struct istream *input)
{
	struct mailbox *box = ctx->transaction->box;
	int ret;

	if (!roost_fence_enter(box))
		return -1;
	ret = super_of(box)->save_begin(ctx, input);
	roost_fence_leave();
	return ret;
}

static int fence_save_continue(struct mail_save_context *ctx)
{
	struct mailbox *box = ctx->transaction->box;
	int ret;

	if (!roost_fence_enter(box))
		return -1;
	ret = super_of(box)->save_continue(ctx);
	roost_fence_leave();
	return ret;
}

static int fence_save_finish(struct mail_save_context *ctx)
{
	struct mailbox *box = ctx->transaction->box;
	int ret;

	if (!roost_fence_enter(box)) {
		super_of(box)->save_cancel(ctx);
		return -1;
	}
	ret = super_of(box)->save_finish(ctx);
	roost_fence_leave();
	return ret;
}

static int fence_copy(struct mail_save_context *ctx, struct mail *mail)
{
	struct mailbox *box = ctx->transaction->box;
	int ret;

	if (!roost_fence_enter(box))
		return -1;
	ret = super_of(box)->copy(ctx, mail);
	roost_fence_leave();
	return ret;
}

static int fence_save_commit_pre(struct mail_save_context *ctx)
{
	struct mailbox *box = ctx->transaction->box;
	int ret;

	if (!roost_fence_enter(box)) {
		super_of(box)->transaction_save_rollback(ctx);
		return -1;
	}
	ret = super_of(box)->transaction_save_commit_pre(ctx);
	roost_fence_leave();
	return ret;
}

/* Without it NOOP, CLOSE and a STORE whose sync was refused get a tagged OK. */
static bool fence_is_inconsistent(struct mailbox *box)
{
	return !roost_fence_holds(box) || super_of(box)->is_inconsistent(box);
}

static void fence_override(struct mailbox_vfuncs *v)
{
	v->open = fence_open;
	v->close = fence_close;
	v->create_box = fence_create_box;
	v->update_box = fence_update_box;
	v->delete_box = fence_delete_box;
	v->rename_box = fence_rename_box;
	v->set_subscribed = fence_set_subscribed;
	v->attribute_set = fence_attribute_set;
	v->get_status = fence_get_status;
	v->sync_init = fence_sync_init;
	v->transaction_commit = fence_transaction_commit;
	v->save_begin = fence_save_begin;
	v->save_continue = fence_save_continue;
	v->save_finish = fence_save_finish;
	v->copy = fence_copy;
	v->transaction_save_commit_pre = fence_save_commit_pre;
	v->is_inconsistent = fence_is_inconsistent;
}

void roost_fence_mailbox_allocated(struct mailbox *box)
{
	struct mailbox_vfuncs *v = box->vlast;
	struct roost_mailbox *rbox;

	/* raw: a mail under delivery, no mailbox; virtual: made of others */
	if (roost_mail_user(box->storage->user) == NULL ||
	    strcmp(box->storage->name, "raw") == 0 ||
	    strcmp(box->storage->name, "virtual") == 0)
		return;
	rbox = p_new(box->pool, struct roost_mailbox, 1);
	rbox->user = roost_mail_holder(box->list->ns);
	rbox->state_fd = -1;
	rbox->module_ctx.super = *v;
	box->vlast = &rbox->module_ctx.super;
	fence_override(v);
	MODULE_CONTEXT_SET(box, roost_mail_box_module, rbox);
}
