/* SPDX-License-Identifier: MIT */
/* fence: the one question, and the one answer when it is no. */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/fence.h"
#include "dovecot-plugins/mail/roost-guard.h"

#define FENCE_ERROR "Temporary failure: this node may not serve the mailbox now"

static bool user_holds(const struct roost_user *ruser)
{
	return ruser != NULL && ruser->error == NULL &&
	       ruser->session != NULL && roost_session_valid(ruser->session);
}

/* Once per session: what follows are consequences. */
static void log_refusal(struct mail_user *user, struct roost_user *ruser)
{
	if (ruser == NULL || ruser->fence_logged)
		return;
	ruser->fence_logged = TRUE;
	e_error(event_create_passthrough(user->event)
			->set_name("roost_fenced")
			->add_str("node", ruser->node)
			->event(),
		"roost_fenced: %s",
		ruser->error != NULL ? ruser->error
				     : "this node's lease does not hold: "
				       "refusing all changes");
}

static bool user_enter(struct mail_user *user, struct roost_user *ruser)
{
	if (ruser != NULL && ruser->public_name != NULL &&
	    !roost_lease_public_open(ruser))
		return FALSE;
	if (ruser != NULL && ruser->error == NULL && ruser->session != NULL &&
	    roost_guard_enter(ruser->session))
		return TRUE;
	log_refusal(user, ruser);
	return FALSE;
}

bool roost_fence_enter(struct mailbox *box)
{
	struct roost_mailbox *rbox = roost_mail_box(box);

	if (user_enter(box->storage->user, rbox->user))
		return TRUE;
	roost_fence_set_error(box);
	return FALSE;
}

void roost_fence_refuse(struct mailbox *box)
{
	log_refusal(box->storage->user, roost_mail_box(box)->user);
	roost_fence_set_error(box);
}

bool roost_fence_enter_list(struct mailbox_list *list)
{
	struct roost_user *ruser = roost_mail_holder(list->ns);

	if (user_enter(list->ns->user, ruser))
		return TRUE;
	mailbox_list_set_error(list, MAIL_ERROR_UNAVAILABLE, FENCE_ERROR);
	return FALSE;
}

void roost_fence_leave(void)
{
	roost_guard_leave();
}

bool roost_fence_holds(struct mailbox *box)
{
	return user_holds(roost_mail_box(box)->user);
}

void roost_fence_set_error(struct mailbox *box)
{
	mail_storage_set_error(box->storage, MAIL_ERROR_UNAVAILABLE,
			       FENCE_ERROR);
}
