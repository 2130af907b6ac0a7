/* SPDX-License-Identifier: MIT */
/*
 * doveadm-index: `doveadm roost index status|verify|pack|restore|flush|evict`
 * for one user or all (-u, -A), on the node it is run on. The work is done by
 * the mail plugin, under the user's lease: a user whom another node serves is
 * refused. Each prints one line for each mailbox it did something about.
 */
#include "lib.h"
#include "array.h"
#include "module-dir.h"
#include "doveadm.h"
#include "doveadm-mail.h"
#include "doveadm-print.h"
#include "mail-namespace.h"
#include "mail-storage.h"
#include "mail-storage-service.h"
#include "mailbox-list-iter.h"
#include "mail-user.h"
#include "dovecot-plugins/doveadm/doveadm-roost.h"
#include "dovecot-plugins/client/index-admin.h"

#include <sysexits.h>

struct index_cmd {
	struct doveadm_mail_cmd_context ctx;
	const struct roost_index_admin *admin;
	/* 1: a line was printed; 0: nothing to be done; -1 with a message */
	int (*box)(struct index_cmd *cmd, struct mailbox *box,
		   const char **error_r);
	bool evict;
};

static void print_num(uint64_t value)
{
	doveadm_print(t_strdup_printf("%" PRIu64, value));
}

static void print_box(struct mailbox *box)
{
	doveadm_print(mailbox_get_vname(box));
}

static int print_report(struct index_cmd *cmd, struct mailbox *box, bool deep,
			const char **error_r)
{
	struct roost_index_report report;
	int ret = cmd->admin->report(box, deep, &report, error_r);

	if (ret <= 0)
		return ret;
	print_box(box);
	print_num(report.local_bytes);
	doveadm_print(report.unpacked ? "yes" : "no");
	doveadm_print(!report.have_bundle   ? "none"
		      : report.bundle.clean ? "clean"
					    : "open");
	print_num(report.bundle.packed_size);
	print_num(report.bundle.messages);
	print_num(report.bundle.cached);
	print_num(report.bundle.highest_modseq);
	print_num(report.reserved);
	print_num(report.bundle.epoch);
	doveadm_print(report.error == NULL ? "ok" : report.error);
	if (report.error != NULL && deep) {
		*error_r = report.error;
		return -1;
	}
	return 1;
}

static int status_box(struct index_cmd *cmd, struct mailbox *box,
		      const char **error_r)
{
	return print_report(cmd, box, FALSE, error_r);
}

static int verify_box(struct index_cmd *cmd, struct mailbox *box,
		      const char **error_r)
{
	return print_report(cmd, box, TRUE, error_r);
}

/* Mailboxes that are not here have nothing to be packed. */
static int is_local(struct index_cmd *cmd, struct mailbox *box,
		    const char **error_r)
{
	struct roost_index_report report;
	int ret = cmd->admin->report(box, FALSE, &report, error_r);

	return ret <= 0 ? ret : report.local_bytes != 0;
}

static int open_box(struct mailbox *box, const char **error_r)
{
	if (mailbox_open(box) == 0)
		return 0;
	*error_r = mailbox_get_last_internal_error(box, NULL);
	return -1;
}

static int pack_box(struct index_cmd *cmd, struct mailbox *box,
		    const char **error_r)
{
	int ret = is_local(cmd, box, error_r);

	if (ret <= 0)
		return ret;
	if (open_box(box, error_r) < 0)
		return -1;
	ret = cmd->admin->pack(box, error_r);
	if (ret > 0)
		print_box(box);
	return ret;
}

/* Opening does it, if it was not done yet. */
static int restore_box(struct index_cmd *cmd, struct mailbox *box,
		       const char **error_r)
{
	int ret;

	if (open_box(box, error_r) < 0)
		return -1;
	ret = is_local(cmd, box, error_r);
	if (ret > 0)
		print_box(box);
	return ret;
}

static int flush_box(struct index_cmd *cmd, struct mailbox *box,
		     const char **error_r)
{
	int ret;

	if (open_box(box, error_r) < 0)
		return -1;
	ret = cmd->admin->flush(box, error_r);
	if (ret > 0)
		print_box(box);
	return ret;
}

static int run_box(struct index_cmd *cmd, struct mail_namespace *ns,
		   const char *name)
{
	struct mailbox *box = mailbox_alloc(ns->list, name, 0);
	const char *error;
	int ret;

	ret = cmd->box(cmd, box, &error);
	if (ret < 0) {
		i_error("Mailbox %s: %s", mailbox_get_vname(box), error);
		cmd->ctx.exit_code =
			cmd->box == verify_box ? EX_DATAERR : EX_TEMPFAIL;
	}
	mailbox_free(&box);
	return ret < 0 ? -1 : 0;
}

static int run_boxes(struct index_cmd *cmd, struct mail_user *user)
{
	static const char *const all[] = { "*", NULL };
	struct mailbox_list_iterate_context *iter;
	const struct mailbox_info *info;
	int ret = 0;

	iter = mailbox_list_iter_init_namespaces(
		user->namespaces, all, MAIL_NAMESPACE_TYPE_MASK_ALL,
		MAILBOX_LIST_ITER_SKIP_ALIASES |
			MAILBOX_LIST_ITER_NO_AUTO_BOXES |
			MAILBOX_LIST_ITER_RETURN_NO_FLAGS);
	while ((info = mailbox_list_iter_next(iter)) != NULL)
		T_BEGIN
		{
			if ((info->flags &
			     (MAILBOX_NOSELECT | MAILBOX_NONEXISTENT)) == 0 &&
			    run_box(cmd, info->ns, info->vname) < 0)
				ret = -1;
		}
	T_END;
	if (mailbox_list_iter_deinit(&iter) < 0) {
		i_error("the mailboxes cannot be listed");
		cmd->ctx.exit_code = EX_TEMPFAIL;
		ret = -1;
	}
	return ret;
}

static int run_evict(struct index_cmd *cmd, struct mail_user *user)
{
	const char *error;
	uint64_t bytes;
	int ret = cmd->admin->evict(user, &bytes, &error);

	if (ret < 0) {
		i_error("%s", error);
		cmd->ctx.exit_code = EX_TEMPFAIL;
		return -1;
	}
	doveadm_print(user->username);
	doveadm_print(ret > 0 ? "yes" : "no");
	print_num(bytes);
	return 0;
}

static int index_run(struct doveadm_mail_cmd_context *ctx,
		     struct mail_user *user)
{
	struct index_cmd *cmd = container_of(ctx, struct index_cmd, ctx);
	struct module *module =
		module_dir_find(mail_storage_service_modules, "roost_plugin");

	if (module != NULL)
		cmd->admin = module_get_symbol_quiet(module,
						     ROOST_INDEX_ADMIN_SYMBOL);
	if (cmd->admin == NULL) {
		i_error("the mail plugin roost is not in mail_plugins");
		ctx->exit_code = EX_CONFIG;
		return -1;
	}
	if (run_boxes(cmd, user) < 0)
		return -1;
	return cmd->evict ? run_evict(cmd, user) : 0;
}

static struct doveadm_mail_cmd_context *
cmd_alloc(int (*box)(struct index_cmd *, struct mailbox *, const char **),
	  const char *const *columns)
{
	struct index_cmd *cmd = doveadm_mail_cmd_alloc(struct index_cmd);

	cmd->ctx.v.run = index_run;
	cmd->box = box;
	doveadm_print_init(DOVEADM_PRINT_TYPE_TABLE);
	for (; *columns != NULL; columns++)
		doveadm_print_header_simple(*columns);
	return &cmd->ctx;
}

static const char *const report_columns[] = { "mailbox", "local",  "unpacked",
					      "bundle",	 "bytes",  "messages",
					      "cached",	 "modseq", "reserved",
					      "epoch",	 "state",  NULL };
static const char *const box_columns[] = { "mailbox", NULL };

static struct doveadm_mail_cmd_context *status_alloc(void)
{
	return cmd_alloc(status_box, report_columns);
}

static struct doveadm_mail_cmd_context *verify_alloc(void)
{
	return cmd_alloc(verify_box, report_columns);
}

static struct doveadm_mail_cmd_context *pack_alloc(void)
{
	return cmd_alloc(pack_box, box_columns);
}

static struct doveadm_mail_cmd_context *restore_alloc(void)
{
	return cmd_alloc(restore_box, box_columns);
}

static struct doveadm_mail_cmd_context *flush_alloc(void)
{
	return cmd_alloc(flush_box, box_columns);
}

/* Packing comes first, without a line of its own. */
static int pack_quietly(struct index_cmd *cmd, struct mailbox *box,
			const char **error_r)
{
	int ret = is_local(cmd, box, error_r);

	if (ret <= 0)
		return ret;
	return open_box(box, error_r) < 0 ? -1 : cmd->admin->pack(box, error_r);
}

static struct doveadm_mail_cmd_context *evict_alloc(void)
{
	static const char *const columns[] = { "user", "evicted", "bytes",
					       NULL };
	struct doveadm_mail_cmd_context *ctx = cmd_alloc(pack_quietly, columns);
	struct index_cmd *cmd = container_of(ctx, struct index_cmd, ctx);

	cmd->evict = TRUE;
	return ctx;
}

/* clang-format off */
#define INDEX_COMMAND(verb)                                      \
	{                                                        \
		.name = "roost index " #verb,                    \
		.mail_cmd = verb##_alloc,                        \
		.usage = DOVEADM_CMD_MAIL_USAGE_PREFIX,          \
DOVEADM_CMD_PARAMS_START                                         \
DOVEADM_CMD_MAIL_COMMON                                          \
DOVEADM_CMD_PARAMS_END                                           \
	}
static struct doveadm_cmd_ver2 commands[] = {
	INDEX_COMMAND(status), INDEX_COMMAND(verify), INDEX_COMMAND(pack),
	INDEX_COMMAND(restore), INDEX_COMMAND(flush), INDEX_COMMAND(evict),
};
/* clang-format on */

void roost_doveadm_index_register(void)
{
	for (unsigned int i = 0; i < N_ELEMENTS(commands); i++)
		doveadm_cmd_register_ver2(&commands[i]);
}
