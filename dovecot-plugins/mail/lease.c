/* SPDX-License-Identifier: MIT */
/*
 * lease: before a user's mailboxes are opened the agent is asked; without its
 * yes the user gets a temporary failure. That goes for the owner of a shared
 * folder, too: only the node that holds the owner may open it.
 *
 * The pairs of roost_user_opened and roost_user_closed are the node's own
 * record of who had what open when: the first is logged after the agent's
 * yes, the second before the reference is given back, so that two nodes'
 * records may not overlap.
 */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/roost-mail-private.h"
#include "dovecot-plugins/mail/epoch-file.h"
#include "dovecot-plugins/client/lease-page.h"
#include "dovecot-plugins/compat/index-path.h"
#include "dovecot-plugins/compat/shared-owner.h"
#include "hostpid.h"
#include "strescape.h"

#include <sys/stat.h>
#include <unistd.h>

static void lease_record(struct roost_user *ruser, const char *name)
{
	struct mail_user *user = ruser->owner;
	const char *who = ruser->public_name != NULL ? ruser->public_name
						     : user->username;
	uint64_t epoch = roost_session_epoch(ruser->session);
	uint64_t boot = roost_session_boot(ruser->session);
	uint64_t now = roost_lease_page_now();

	e_info(event_create_passthrough(user->event)
		       ->set_name(name)
		       ->add_str("node", ruser->node)
		       ->add_int("pid", getpid())
		       ->add_int("epoch", (intmax_t)epoch)
		       ->add_int("boot", (intmax_t)boot)
		       ->add_int("boottime", (intmax_t)now)
		       ->event(),
	       "%s user=%s node=%s pid=%s epoch=%" PRIu64 " boot=%" PRIu64
	       " boottime=%" PRIu64,
	       name, str_tabescape(who), ruser->node, my_pid, epoch, boot, now);
}

static void lease_user_deinit_pre(struct mail_user *user)
{
	struct roost_user *ruser = roost_mail_user(user);

	if (ruser->session != NULL)
		roost_index_pack_user(user);
	ruser->module_ctx.super.deinit_pre(user);
}

static void lease_user_deinit(struct mail_user *user)
{
	struct roost_user *ruser = roost_mail_user(user);

	/* closes the user's mailboxes */
	ruser->module_ctx.super.deinit(user);
	for (struct roost_user *p = ruser; p != NULL; p = p->publics) {
		if (p->session == NULL)
			continue;
		lease_record(p, "roost_user_closed");
		roost_session_close(&p->session);
	}
	/* its time says when the user was here last */
	if (ruser->users_fd != -1)
		(void)futimens(ruser->users_fd, NULL);
	i_close_fd(&ruser->users_fd);
	roost_settings_free(&ruser->set);
}

static int lease_open(struct mail_user *user, struct roost_user *ruser,
		      const char **error_r)
{
	if (roost_settings_get_user(user, &ruser->set, error_r) < 0)
		return -1;
	ruser->node = p_strdup(user->pool, roost_settings_node(ruser->set));
	/* in a shared folder the indexes stay where they are */
	if (!user->autocreated && *ruser->set->roost_index_root != '\0' &&
	    roost_index_dir_init(user, ruser, error_r) < 0)
		return -1;
	if (roost_session_open(user->set->base_dir, user->username,
			       user->service, &ruser->session, error_r) < 0)
		return -1;
	lease_record(ruser, "roost_user_opened");
	return roost_epoch_file_check(user, ruser, error_r);
}

struct roost_user *roost_lease_public(struct mail_namespace *ns)
{
	struct roost_user *ruser = roost_mail_user(ns->user), *p;
	const char *root = roost_index_path_mail_root(ns->list);
	const char *name = t_strconcat("public:", root, NULL);

	/* what has no folder on the store is open to all */
	if (ruser == NULL || *root == '\0' || ruser->set == NULL ||
	    *ruser->set->roost_redis == '\0')
		return ruser;
	for (p = ruser->publics; p != NULL; p = p->publics) {
		if (strcmp(p->public_name, name) == 0)
			return p;
	}
	p = p_new(ns->user->pool, struct roost_user, 1);
	p->owner = ns->user;
	p->public_name = p_strdup(ns->user->pool, name);
	p->set = ruser->set;
	p->node = ruser->node;
	p->users_fd = -1;
	p->publics = ruser->publics;
	ruser->publics = p;
	return p;
}

bool roost_lease_public_open(struct roost_user *ruser)
{
	struct mail_user *user = ruser->owner;
	const char *error;

	if (ruser->session != NULL)
		return TRUE;
	if (roost_session_open(user->set->base_dir, ruser->public_name,
			       user->service, &ruser->session, &error) < 0) {
		e_warning(event_create_passthrough(user->event)
				  ->set_name("roost_public_refused")
				  ->add_str("node", ruser->node)
				  ->event(),
			  "roost_public_refused: %s: %s", ruser->public_name,
			  error);
		return FALSE;
	}
	lease_record(ruser, "roost_user_opened");
	return TRUE;
}

/* Nobody is claimed because somebody tries names. */
static bool lease_owner_exists(struct mail_user *user)
{
	const char *home;

	(void)mail_user_get_home(user, &home);
	return !user->nonexistent;
}

void roost_lease_user_created(struct mail_user *user)
{
	struct mail_user_vfuncs *v = user->vlast;
	struct roost_user *ruser;
	const char *error;

	if (user->autocreated &&
	    (!roost_shared_owner_is(user) || !lease_owner_exists(user)))
		return;

	ruser = p_new(user->pool, struct roost_user, 1);
	ruser->owner = user;
	ruser->users_fd = -1;
	p_array_init(&ruser->unpacked, user->pool, 4);
	ruser->module_ctx.super = *v;
	user->vlast = &ruser->module_ctx.super;
	v->deinit_pre = lease_user_deinit_pre;
	v->deinit = lease_user_deinit;
	MODULE_CONTEXT_SET(user, roost_mail_user_module, ruser);

	if (lease_open(user, ruser, &error) == 0)
		return;
	if (user->autocreated)
		roost_fence_list_owner_refused();
	if (user->error == NULL)
		user->error = p_strdup_printf(user->pool, "roost: %s", error);
}
