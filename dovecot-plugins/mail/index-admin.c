/* SPDX-License-Identifier: MIT */
/* index-admin: moved indexes as an admin sees and handles them. */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/client/index-admin.h"
#include "dovecot-plugins/mail/index-evict.h"
#include "dovecot-plugins/mail/index-state.h"
#include "dovecot-plugins/mail/store-file.h"
#include "dovecot-plugins/compat/export.h"
#include "dovecot-plugins/compat/index-path.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct roost_index_admin roost_plugin_index_admin;

static bool is_moved(struct mailbox *box)
{
	struct roost_list *rlist = roost_mail_list(box->list);

	return roost_mail_box(box) != NULL && rlist != NULL &&
	       rlist->index_root != NULL;
}

static const char *file_path(const char *dir, int i)
{
	return t_strdup_printf(
		"%s/%s", dir,
		roost_bundle_file_name((enum roost_bundle_file)i));
}

/* What is on this node. */
static void report_local(const char *index_dir,
			 struct roost_index_report *report)
{
	struct stat st;

	for (int i = 0; i < ROOST_BUNDLE_FILES; i++) {
		if (stat(file_path(index_dir, i), &st) == 0)
			report->local_bytes += (uint64_t)st.st_size;
	}
	report->unpacked = report->local_bytes != 0 &&
			   !roost_index_state_packed(index_dir);
}

static int report_bundle(const char *control_dir, bool deep,
			 const struct roost_uidlist_head *head,
			 struct roost_index_report *report,
			 struct roost_err *err)
{
	static const int nowhere[ROOST_BUNDLE_FILES] = { -1, -1, -1, -1, -1 };
	int fd, ret;

	ret = roost_store_file_open(control_dir, ROOST_STORE_BUNDLE, &fd, err);
	if (ret <= 0)
		return ret;
	ret = roost_bundle_read_info(fd, &report->bundle, err);
	if (ret == 0) {
		report->have_bundle = TRUE;
		if (memcmp(report->bundle.guid, head->guid,
			   sizeof(head->guid)) != 0 ||
		    report->bundle.uid_validity != head->uid_validity)
			ret = roost_err_set(err, "bundle: it is of another "
						 "mailbox");
		else if (deep)
			ret = roost_bundle_unpack(fd, &report->bundle, nowhere,
						  err);
	}
	i_close_fd(&fd);
	return ret;
}

static int report_floor(const char *control_dir,
			const struct roost_uidlist_head *head,
			struct roost_index_report *report,
			struct roost_err *err)
{
	struct roost_floor floor;
	int ret = roost_store_file_floor(control_dir, &floor, err);

	if (ret <= 0)
		return ret;
	if (memcmp(floor.guid, head->guid, sizeof(head->guid)) != 0 ||
	    floor.uid_validity != head->uid_validity)
		return roost_err_set(err, "floor record: it is of another "
					  "mailbox");
	report->have_floor = TRUE;
	report->reserved = floor.reserved;
	return 0;
}

static int admin_report(struct mailbox *box, bool deep,
			struct roost_index_report *report_r,
			const char **error_r)
{
	struct roost_uidlist_head head;
	const char *index_dir, *control_dir;
	struct roost_err err;
	int ret;

	i_zero(report_r);
	if (!is_moved(box))
		return 0;
	if (mailbox_get_path_to(box, MAILBOX_LIST_PATH_TYPE_INDEX,
				&index_dir) <= 0 ||
	    mailbox_get_path_to(box, MAILBOX_LIST_PATH_TYPE_CONTROL,
				&control_dir) <= 0) {
		*error_r = mailbox_get_last_internal_error(box, NULL);
		return -1;
	}
	report_local(index_dir, report_r);
	ret = roost_store_file_uidlist(control_dir, &head, &err);
	if (ret > 0) {
		ret = report_bundle(control_dir, deep, &head, report_r, &err);
		if (report_floor(control_dir, &head, report_r, &err) < 0)
			ret = -1;
	}
	if (ret < 0)
		report_r->error = t_strdup(err.msg);
	return 1;
}

static int admin_pack(struct mailbox *box, const char **error_r)
{
	if (!is_moved(box))
		return 0;
	if (roost_index_pack_now(box))
		return 1;
	*error_r = "not packed, the log says why";
	return -1;
}

static int admin_flush(struct mailbox *box, const char **error_r)
{
	const char *dir;

	if (!is_moved(box))
		return 0;
	/* a maildir's own folder; no other format is moved */
	if (mailbox_get_path_to(box, MAILBOX_LIST_PATH_TYPE_MAILBOX, &dir) <=
	    0) {
		*error_r = mailbox_get_last_internal_error(box, NULL);
		return -1;
	}
	return roost_index_pack_copy_to(box, dir, error_r) < 0 ? -1 : 1;
}

static int admin_evict(struct mail_user *user, uint64_t *bytes_r,
		       const char **error_r)
{
	struct roost_user *ruser = roost_mail_user(user);

	*bytes_r = 0;
	if (ruser == NULL || ruser->index_dir == NULL)
		return 0;
	return roost_index_evict(ruser->users_fd, ruser->index_dir, bytes_r,
				 error_r);
}

ROOST_EXPORT const struct roost_index_admin roost_plugin_index_admin = {
	.report = admin_report,
	.pack = admin_pack,
	.flush = admin_flush,
	.evict = admin_evict,
};
