/* SPDX-License-Identifier: MIT */
/*
 * fence-mail: reads of one mail that may change the store. When a maildir
 * file is not where it was, Dovecot syncs the mailbox in the middle of the
 * read: it renames files and rewrites the uidlist.
 */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/fence.h"
#include "module-context.h"

static MODULE_CONTEXT_DEFINE_INIT(fence_mail_module, &mail_module_register);

static struct mail_vfuncs *super_of(struct mail *mail)
{
	struct mail_private *pmail = (struct mail_private *)mail;
	union mail_module_context *ctx =
		MODULE_CONTEXT_REQUIRE(pmail, fence_mail_module);

	return &ctx->super;
}

static int fence_get_received_date(struct mail *mail, time_t *date_r)
{
	int ret;

	if (!roost_fence_enter(mail->box))
		return -1;
	ret = super_of(mail)->get_received_date(mail, date_r);
	roost_fence_leave();
	return ret;
}

static int fence_get_save_date(struct mail *mail, time_t *date_r)
{
	int ret;

	if (!roost_fence_enter(mail->box))
		return -1;
	ret = super_of(mail)->get_save_date(mail, date_r);
	roost_fence_leave();
	return ret;
}

static int fence_get_virtual_size(struct mail *mail, uoff_t *size_r)
{
	int ret;

	if (!roost_fence_enter(mail->box))
		return -1;
	ret = super_of(mail)->get_virtual_size(mail, size_r);
	roost_fence_leave();
	return ret;
}

static int fence_get_physical_size(struct mail *mail, uoff_t *size_r)
{
	int ret;

	if (!roost_fence_enter(mail->box))
		return -1;
	ret = super_of(mail)->get_physical_size(mail, size_r);
	roost_fence_leave();
	return ret;
}

static int fence_get_stream(struct mail *mail, bool get_body,
			    struct message_size *hdr_size,
			    struct message_size *body_size,
			    struct istream **stream_r)
{
	int ret;

	if (!roost_fence_enter(mail->box))
		return -1;
	ret = super_of(mail)->get_stream(mail, get_body, hdr_size, body_size,
					 stream_r);
	roost_fence_leave();
	return ret;
}

static int fence_get_special(struct mail *mail, enum mail_fetch_field field,
			     const char **value_r)
{
	int ret;

	if (!roost_fence_enter(mail->box))
		return -1;
	ret = super_of(mail)->get_special(mail, field, value_r);
	roost_fence_leave();
	return ret;
}

void roost_fence_mail_allocated(struct mail *mail)
{
	struct mail_private *pmail = (struct mail_private *)mail;
	struct mail_vfuncs *v = pmail->vlast;
	union mail_module_context *ctx;

	if (roost_mail_box(mail->box) == NULL)
		return;
	ctx = p_new(pmail->pool, union mail_module_context, 1);
	ctx->super = *v;
	pmail->vlast = &ctx->super;
	v->get_received_date = fence_get_received_date;
	v->get_save_date = fence_get_save_date;
	v->get_virtual_size = fence_get_virtual_size;
	v->get_physical_size = fence_get_physical_size;
	v->get_stream = fence_get_stream;
	v->get_special = fence_get_special;
	MODULE_CONTEXT_SET_SELF(pmail, fence_mail_module, ctx);
}
