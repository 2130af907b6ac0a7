/* SPDX-License-Identifier: MIT */
/*
 * index-pack: publishes the index of a mailbox as a bundle on the store. When:
 * when a mailbox that has changed is closed or has been open for a while, if
 * roost_pack_interval has passed since its last bundle; and when the user's
 * last session on this node ends. The log is locked only while the files are
 * copied into memory; they are compressed after that.
 */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/fence.h"
#include "dovecot-plugins/mail/modseq-floor.h"
#include "dovecot-plugins/mail/index-state.h"
#include "dovecot-plugins/mail/store-file.h"
#include "ioloop.h"
#include "mail-index-private.h"
#include "mail-cache-private.h"
#include "mail-transaction-log-private.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct pack {
	struct mailbox *box;
	struct roost_mailbox *rbox;
	struct roost_bundle_info info;
	int fds[ROOST_BUNDLE_FILES]; /* copies in memory */
};

static void copies_free(struct pack *p)
{
	for (int i = 0; i < ROOST_BUNDLE_FILES; i++)
		i_close_fd(&p->fds[i]);
}

static int copy_file(struct pack *p, enum roost_bundle_file file,
		     struct roost_err *err)
{
	const char *path = t_strdup_printf("%s/%s", p->rbox->index_dir,
					   roost_bundle_file_name(file));

	return roost_bundle_copy(path, &p->fds[file], &p->info.size[file], err);
}

/* Messages whose cached data can be used. */
static uint32_t count_cached(struct mailbox *box, struct mail_index_view *view)
{
	uint32_t seq, reset_id, count = 0;
	uint32_t messages = mail_index_view_get_messages_count(view);

	if (box->cache == NULL || mail_cache_open_and_verify(box->cache) <= 0)
		return 0;
	for (seq = 1; seq <= messages; seq++) {
		if (mail_cache_lookup_cur_offset(view, seq, &reset_id) != 0 &&
		    reset_id == box->cache->hdr->file_seq)
			count++;
	}
	return count;
}

static void describe(struct pack *p)
{
	struct mail_index_view *view = mail_index_view_open(p->box->index);
	const struct mail_index_header *hdr = mail_index_get_header(view);

	p->info.uid_validity = hdr->uid_validity;
	p->info.uid_next = hdr->next_uid;
	p->info.messages = hdr->messages_count;
	p->info.cached = count_cached(p->box, view);
	p->info.highest_modseq = p->box->index->log->head->sync_highest_modseq;
	mail_index_view_close(&view);
}

static int copy_locked(struct pack *p, struct roost_err *err)
{
	if (mail_index_refresh(p->box->index) < 0)
		return roost_err_set(err, "the index cannot be read");
	describe(p);
	for (int i = 0; i < ROOST_BUNDLE_FILES; i++) {
		if (copy_file(p, (enum roost_bundle_file)i, err) < 0)
			return -1;
	}
	return 0;
}

static int copy_index(struct pack *p, struct roost_err *err)
{
	int ret;

	if (mail_index_is_in_memory(p->box->index))
		return roost_err_set(err, "the index is not on disk");
	if (mail_index_lock_sync(p->box->index, "roost pack") < 0)
		return roost_err_set(err, "the index cannot be locked");
	ret = copy_locked(p, err);
	mail_index_unlock(p->box->index, "roost pack");
	return ret;
}

static bool is_same_mailbox(const struct roost_bundle_info *a,
			    const struct roost_bundle_info *b)
{
	return memcmp(a->guid, b->guid, sizeof(a->guid)) == 0 &&
	       a->uid_validity == b->uid_validity;
}

/* Whether much less is cached than was, and not because messages went: then a
   process began with an empty cache. A little less is no reason to keep a
   bundle that will never have the rest. */
static bool loses_cache(const struct roost_bundle_info *old,
			const struct roost_bundle_info *new)
{
	uint64_t lost =
		old->cached > new->cached ? old->cached - new->cached : 0;
	uint64_t gone = old->messages > new->messages
				? old->messages - new->messages
				: 0;

	if (lost <= gone)
		return FALSE;
	lost -= gone;
	return lost * 8 > old->cached && (lost > 8 || lost * 2 > old->cached);
}

/* Whether the new bundle may take the place of the one on the store: never
   of a later lease's, and never much less cached data than messages explain. */
static bool may_replace(struct pack *p, struct roost_err *err)
{
	struct roost_bundle_info old;
	int fd, ret;

	ret = roost_store_file_open(p->rbox->control_dir, ROOST_STORE_BUNDLE,
				    &fd, err);
	if (ret <= 0)
		return TRUE;
	ret = roost_bundle_read_info(fd, &old, err);
	i_close_fd(&fd);
	if (ret < 0 || !is_same_mailbox(&old, &p->info))
		return TRUE;
	if (old.epoch > p->info.epoch) {
		(void)roost_err_set(err, "a bundle of a later lease is there");
		return FALSE;
	}
	if (loses_cache(&old, &p->info)) {
		(void)roost_err_set(err,
				    "the bundle there has %u messages cached, "
				    "this index only %u",
				    old.cached, p->info.cached);
		return FALSE;
	}
	return TRUE;
}

static int identify(struct pack *p, struct roost_err *err)
{
	struct roost_uidlist_head head;
	int ret;

	ret = roost_store_file_uidlist(p->rbox->control_dir, &head, err);
	if (ret == 0)
		return roost_err_set(err, "the mailbox has no dovecot-uidlist");
	if (ret < 0)
		return -1;
	if (head.uid_validity != p->info.uid_validity)
		return roost_err_set(err, "the mailbox has another UIDVALIDITY "
					  "than its index");
	memcpy(p->info.guid, head.guid, sizeof(p->info.guid));
	return 0;
}

static int publish(struct pack *p, struct roost_err *err)
{
	struct roost_mailbox *rbox = p->rbox;
	const char *tmp_path = NULL;
	int fd;

	if (roost_store_file_create(rbox->control_dir, ROOST_STORE_BUNDLE,
				    rbox->user->node, &tmp_path, &fd, err) < 0)
		return -1;
	if (roost_bundle_write(fd, &p->info, p->fds, err) < 0) {
		i_close_fd(&fd);
		i_unlink(tmp_path);
		return -1;
	}
	return roost_store_file_publish(rbox->control_dir, ROOST_STORE_BUNDLE,
					tmp_path, &fd, rbox->user->session,
					err);
}

static void remember(struct roost_mailbox *rbox,
		     const struct roost_bundle_info *info)
{
	struct roost_index_state state;

	if (roost_index_state_lock(rbox->state_fd) < 0)
		return;
	if (roost_index_state_read(rbox->state_fd, &state) == 0) {
		state.packed_ms = info->created_ms;
		state.packed_modseq = info->highest_modseq;
		state.packed_cache_size = info->size[ROOST_BUNDLE_CACHE];
		(void)roost_index_state_write(rbox->state_fd, &state);
	}
	roost_index_state_unlock(rbox->state_fd);
}

static void pack_init(struct pack *p, struct mailbox *box)
{
	i_zero(p);
	p->box = box;
	p->rbox = roost_mail_box(box);
	for (int i = 0; i < ROOST_BUNDLE_FILES; i++)
		p->fds[i] = -1;
}

/* The log last, as in a restore. What there was is older. */
static int write_copies(struct pack *p, const char *dir, struct roost_err *err)
{
	for (int i = ROOST_BUNDLE_FILES - 1; i >= 0; i--)
		i_unlink_if_exists(t_strdup_printf(
			"%s/%s", dir,
			roost_bundle_file_name((enum roost_bundle_file)i)));
	for (int i = 0; i < ROOST_BUNDLE_FILES; i++) {
		enum roost_bundle_file file = (enum roost_bundle_file)i;
		const char *tmp_path;
		int fd;

		if (p->fds[i] == -1)
			continue;
		if (roost_store_file_create(dir, roost_bundle_file_name(file),
					    p->rbox->user->node, &tmp_path, &fd,
					    err) < 0)
			return -1;
		if (roost_bundle_copy_out(p->fds[i], p->info.size[i], fd, err) <
		    0) {
			i_close_fd(&fd);
			i_unlink(tmp_path);
			return -1;
		}
		if (roost_store_file_publish(dir, roost_bundle_file_name(file),
					     tmp_path, &fd,
					     p->rbox->user->session, err) < 0)
			return -1;
	}
	return 0;
}

int roost_index_pack_copy_to(struct mailbox *box, const char *dir,
			     const char **error_r)
{
	struct roost_err err;
	struct pack p;
	int ret;

	pack_init(&p, box);
	ret = copy_index(&p, &err);
	if (ret == 0)
		ret = write_copies(&p, dir, &err);
	copies_free(&p);
	if (ret < 0)
		*error_r = t_strdup(err.msg);
	return ret;
}

static void log_packed(struct pack *p)
{
	uint64_t ms = roost_index_state_now() - p->info.created_ms;
	uint64_t bytes = ROOST_BUNDLE_HEADER_SIZE + p->info.packed_size;

	e_info(event_create_passthrough(p->box->event)
		       ->set_name("roost_index_packed")
		       ->add_int("bytes", (intmax_t)bytes)
		       ->event(),
	       "roost_index_packed mailbox=%s bytes=%" PRIu64 " from=%" PRIu64
	       " ms=%" PRIu64 " messages=%u cached=%u modseq=%" PRIu64
	       " clean=%s",
	       p->box->vname, bytes, roost_bundle_total(&p->info), ms,
	       p->info.messages, p->info.cached, p->info.highest_modseq,
	       p->info.clean ? "yes" : "no");
}

/* One process of the node at a time; the others have nothing to add. */
static int pack_lock(struct roost_mailbox *rbox)
{
	const char *path =
		t_strconcat(rbox->index_dir, "/dovecot-roost.packing", NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		i_close_fd(&fd);
	return fd;
}

/* An empty index is not worth a bundle unless it takes the place of one. */
static bool is_worthless(struct pack *p)
{
	struct roost_index_state state;

	return p->info.messages == 0 &&
	       roost_index_state_read(p->rbox->state_fd, &state) == 0 &&
	       state.packed_ms == 0;
}

/* 1, 0 if there is nothing worth it, -1 with a message. */
static int pack_and_publish(struct pack *p, struct roost_err *err)
{
	if (copy_index(p, err) < 0)
		return -1;
	if (is_worthless(p))
		return 0;
	if (identify(p, err) < 0 || !may_replace(p, err) || publish(p, err) < 0)
		return -1;
	return 1;
}

/* clean: the mailbox is being closed, what is packed is likely the last. */
static bool pack_locked(struct mailbox *box, bool clean)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	struct pack p;
	struct roost_err err;
	const char *error = NULL;
	int ret;

	pack_init(&p, box);
	p.info.created_ms = roost_index_state_now();
	p.info.epoch = roost_session_epoch(rbox->user->session);
	p.info.clean = clean;
	(void)i_strocpy(p.info.node, rbox->user->node, sizeof(p.info.node));

	ret = pack_and_publish(&p, &err);
	if (ret < 0) {
		error = err.msg;
	} else if (ret > 0) {
		remember(rbox, &p.info);
		log_packed(&p);
		if (clean)
			(void)roost_modseq_floor_settle(
				box, p.info.highest_modseq, &error);
	}
	copies_free(&p);
	if (error != NULL)
		e_warning(event_create_passthrough(box->event)
				  ->set_name("roost_index_not_packed")
				  ->event(),
			  "roost_index_not_packed: %s", error);
	return error == NULL;
}

static bool pack_mailbox(struct mailbox *box, bool clean)
{
	int fd = pack_lock(roost_mail_box(box));
	bool packed;

	if (fd == -1)
		return FALSE;
	packed = pack_locked(box, clean);
	i_close_fd(&fd);
	return packed;
}

/* An index that was only just created knows nothing of its mailbox. */
static bool was_synced(struct mailbox *box)
{
	return mail_index_get_header(box->view)->uid_validity != 0;
}

/* Whether there is more than in the last bundle. */
static bool has_news(struct mailbox *box, const struct roost_index_state *state)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	const char *path =
		t_strdup_printf("%s/%s", rbox->index_dir,
				roost_bundle_file_name(ROOST_BUNDLE_CACHE));
	struct stat st;

	if (box->index->log->head->sync_highest_modseq != state->packed_modseq)
		return TRUE;
	return stat(path, &st) == 0 &&
	       (uint64_t)st.st_size > state->packed_cache_size;
}

static bool can_pack(struct mailbox *box)
{
	return box->index->log->head != NULL && box->view != NULL &&
	       !mail_index_is_in_memory(box->index) && was_synced(box) &&
	       roost_fence_holds(box);
}

/* Packs if it is time; TRUE if that remains to be done. */
static bool pack_if_due(struct mailbox *box, bool clean, bool now)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	uint64_t interval = rbox->user->set->roost_pack_interval * 1000ULL;
	struct roost_index_state state;
	uint64_t ms = roost_index_state_now();

	if (!can_pack(box) ||
	    roost_index_state_read(rbox->state_fd, &state) < 0 ||
	    !has_news(box, &state))
		return FALSE;
	/* a clock that went back does not stop it for long */
	if (!now && ms >= state.packed_ms && ms - state.packed_ms < interval)
		return TRUE;
	(void)pack_mailbox(box, clean);
	return FALSE;
}

bool roost_index_pack_now(struct mailbox *box)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	struct roost_index_state state;

	if (rbox->state_fd == -1 || !can_pack(box) ||
	    roost_index_state_read(rbox->state_fd, &state) < 0)
		return FALSE;
	return !has_news(box, &state) || pack_mailbox(box, TRUE);
}

static void pack_timeout(struct mailbox *box)
{
	(void)pack_if_due(box, FALSE, FALSE);
}

/* A delivery is no session: packing after each one would cost more than the
   delivery itself. Nor has every other process an ioloop that lasts as long as
   a mailbox is open. */
static bool is_session(struct mail_user *user)
{
	static const char *const services[] = { "imap", "pop3", "submission",
						NULL };

	return str_array_find(services, user->service);
}

void roost_index_pack_start(struct mailbox *box)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	unsigned int secs = I_MIN(rbox->user->set->roost_pack_interval, 86400);
	unsigned int msecs = secs * 1000;

	if (rbox->state_fd != -1 && msecs > 0 && rbox->to_pack == NULL &&
	    is_session(box->storage->user))
		rbox->to_pack = timeout_add_short(msecs, pack_timeout, box);
}

static void remember_unpacked(struct mailbox *box)
{
	struct roost_user *ruser = roost_mail_box(box)->user;
	const char *const *names, *name;

	array_foreach (&ruser->unpacked, names) {
		if (strcmp(*names, box->vname) == 0)
			return;
	}
	name = p_strdup(box->storage->user->pool, box->vname);
	array_push_back(&ruser->unpacked, &name);
}

void roost_index_pack_stop(struct mailbox *box)
{
	struct roost_mailbox *rbox = roost_mail_box(box);

	timeout_remove(&rbox->to_pack);
	if (pack_if_due(box, TRUE, FALSE))
		remember_unpacked(box);
	i_close_fd(&rbox->state_fd);
}

static void pack_by_name(struct mail_user *user, const char *name)
{
	struct mail_namespace *ns = mail_namespace_find(user->namespaces, name);
	struct mailbox *box = mailbox_alloc(ns->list, name, 0);

	if (mailbox_open(box) == 0 && roost_mail_box(box) != NULL &&
	    roost_mail_box(box)->state_fd != -1)
		(void)pack_if_due(box, TRUE, TRUE);
	mailbox_free(&box);
}

void roost_index_pack_user(struct mail_user *user)
{
	struct roost_user *ruser = roost_mail_user(user);
	const char *const *names;

	if (ruser->users_fd == -1 || array_count(&ruser->unpacked) == 0 ||
	    !is_session(user) || !roost_session_valid(ruser->session))
		return;
	/* every other process of the user holds it shared */
	if (flock(ruser->users_fd, LOCK_EX | LOCK_NB) < 0)
		return;
	array_foreach (&ruser->unpacked, names)
		pack_by_name(user, *names);
	(void)flock(ruser->users_fd, LOCK_SH);
}
