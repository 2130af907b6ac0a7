/* SPDX-License-Identifier: MIT */
/*
 * index-restore: makes the index of a mailbox on this node the right one,
 * once per lease, before the first open. In this order:
 *
 *  1. the index here was made right under this lease already: done;
 *  2. it is here from an earlier lease, and the floor record says that no
 *     other node has shown anything since: kept;
 *  3. otherwise it is removed and the bundle unpacked, if there is one that
 *     is whole, belongs to this very mailbox and is not from a later lease;
 *  4. unless that was packed after the last change that any client has seen,
 *     modification sequences continue above the floor.
 *
 *  5. once it is open, Dovecot reads the maildir and brings the index up to
 *     date: Dovecot expects an index to know what was there before it adds or
 *     changes a message, or it takes the folder as read afterwards.
 *
 * All that under one lock, which the other processes of the node wait for.
 *
 * Whatever is wrong with bundle or record gives a cold but correct index and
 * one line in the log. Only a mailbox whose floor cannot be kept is refused.
 */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/modseq-floor.h"
#include "dovecot-plugins/mail/index-state.h"
#include "dovecot-plugins/mail/store-file.h"
#include "ioloop.h"
#include "mkdir-parents.h"
#include "time-util.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore {
	struct mailbox *box;
	struct roost_user *user;
	struct roost_list *rlist;
	const char *index_dir, *control_dir;
	int state_fd;
	struct roost_index_state state;
	/* the mailbox according to the store */
	bool identified;  /* head is valid */
	bool unused;	  /* it never had a message */
	bool have_record; /* floor is valid */
	bool bad_record;  /* there was one that cannot be trusted */
	struct roost_uidlist_head head;
	struct roost_floor floor;
	/* what was unpacked */
	struct roost_bundle_info bundle;
	bool unpacked;
	uint64_t start; /* modseq that the index must start at, 0: any */
};

/* One line for everything that was found and is not used. */
static void log_not_trusted(struct restore *r, const char *what,
			    const char *error)
{
	e_warning(event_create_passthrough(r->box->event)
			  ->set_name("roost_index_not_trusted")
			  ->add_str("what", what)
			  ->event(),
		  "roost_index_not_trusted: %s ignored: %s", what, error);
}

static const char *index_path(struct restore *r, const char *name)
{
	return t_strdup_printf("%s/%s", r->index_dir, name);
}

static bool have_local_log(struct restore *r)
{
	struct stat st;

	return stat(index_path(r, roost_bundle_file_name(ROOST_BUNDLE_LOG)),
		    &st) == 0 &&
	       st.st_size > 0;
}

static bool is_this_mailbox(struct restore *r, const uint8_t *guid,
			    uint32_t uid_validity)
{
	return r->identified &&
	       memcmp(r->head.guid, guid, sizeof(r->head.guid)) == 0 &&
	       r->head.uid_validity == uid_validity;
}

/* -1: the store cannot be read now; that is no time to decide. */
static int read_store(struct restore *r, struct roost_err *err)
{
	struct stat st;
	int ret;

	if (stat(r->control_dir, &st) < 0)
		return roost_err_set(err, "%s: %s", r->control_dir,
				     strerror(errno));
	ret = roost_store_file_uidlist(r->control_dir, &r->head, err);
	r->identified = ret > 0;
	r->unused = ret == 0 || (ret > 0 && r->head.unused);
	if (ret < 0)
		log_not_trusted(r, "dovecot-uidlist", err->msg);

	ret = roost_store_file_floor(r->control_dir, &r->floor, err);
	r->have_record = ret > 0;
	if (ret > 0 &&
	    !is_this_mailbox(r, r->floor.guid, r->floor.uid_validity)) {
		(void)roost_err_set(err, "it is of another mailbox");
		r->have_record = FALSE;
		ret = -1;
	}
	r->bad_record = ret < 0;
	if (ret < 0)
		log_not_trusted(r, ROOST_STORE_FLOOR, err->msg);
	return 0;
}

/* Whether the index of an earlier lease here has all that was ever shown. */
static bool may_keep(struct restore *r)
{
	return r->have_record && r->state.epoch != 0 && have_local_log(r) &&
	       is_this_mailbox(r, r->state.guid, r->state.uid_validity) &&
	       r->state.reserved == r->floor.reserved &&
	       r->state.floor_epoch == r->floor.epoch;
}

static void remove_index(struct restore *r)
{
	for (int i = 0; i < ROOST_BUNDLE_FILES; i++)
		i_unlink_if_exists(index_path(
			r, roost_bundle_file_name((enum roost_bundle_file)i)));
}

static const char *tmp_path(struct restore *r, int i)
{
	return t_strconcat(index_path(r, roost_bundle_file_name(
						 (enum roost_bundle_file)i)),
			   ".roost", NULL);
}

/* A bundle that may be used for this mailbox now. 1, 0, -1 with a message. */
static int bundle_open(struct restore *r, int *fd_r, struct roost_err *err)
{
	uint64_t epoch = roost_session_epoch(r->user->session);
	int ret;

	ret = roost_store_file_open(r->control_dir, ROOST_STORE_BUNDLE, fd_r,
				    err);
	if (ret <= 0)
		return ret;
	if (roost_bundle_read_info(*fd_r, &r->bundle, err) < 0)
		ret = -1;
	else if (!is_this_mailbox(r, r->bundle.guid, r->bundle.uid_validity))
		ret = roost_err_set(err, "it is of another mailbox");
	else if (r->bundle.epoch > epoch)
		ret = roost_err_set(err, "it is of a later lease (%llu)",
				    (unsigned long long)r->bundle.epoch);
	if (ret < 0)
		i_close_fd(fd_r);
	return ret;
}

static void close_outputs(struct restore *r, int fds[ROOST_BUNDLE_FILES],
			  bool publish)
{
	for (int i = 0; i < ROOST_BUNDLE_FILES; i++) {
		if (fds[i] == -1)
			continue;
		i_close_fd(&fds[i]);
		if (!publish)
			i_unlink(tmp_path(r, i));
	}
}

static int open_outputs(struct restore *r, int fds[ROOST_BUNDLE_FILES],
			struct roost_err *err)
{
	int i;

	for (i = 0; i < ROOST_BUNDLE_FILES; i++)
		fds[i] = -1;
	for (i = 0; i < ROOST_BUNDLE_FILES; i++) {
		if (r->bundle.size[i] == 0)
			continue;
		i_unlink_if_exists(tmp_path(r, i));
		fds[i] = open(tmp_path(r, i),
			      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fds[i] == -1) {
			close_outputs(r, fds, FALSE);
			return roost_err_set(err, "%s: %s", tmp_path(r, i),
					     strerror(errno));
		}
	}
	return 0;
}

/* The order of enum roost_bundle_file: the log comes last. */
static int publish_outputs(struct restore *r, struct roost_err *err)
{
	for (int i = 0; i < ROOST_BUNDLE_FILES; i++) {
		enum roost_bundle_file file = (enum roost_bundle_file)i;

		if (r->bundle.size[i] == 0)
			continue;
		if (rename(tmp_path(r, i),
			   index_path(r, roost_bundle_file_name(file))) < 0) {
			(void)roost_err_set(err, "%s: rename: %s",
					    tmp_path(r, i), strerror(errno));
			remove_index(r);
			return -1;
		}
	}
	return 0;
}

static int unpack(struct restore *r, int fd, struct roost_err *err)
{
	int fds[ROOST_BUNDLE_FILES];

	if (open_outputs(r, fds, err) < 0)
		return -1;
	if (roost_bundle_unpack(fd, &r->bundle, fds, err) < 0) {
		close_outputs(r, fds, FALSE);
		return -1;
	}
	close_outputs(r, fds, TRUE);
	return publish_outputs(r, err);
}

static void restore_bundle(struct restore *r)
{
	struct roost_err err;
	int fd, ret;

	ret = bundle_open(r, &fd, &err);
	if (ret == 0)
		return;
	if (ret > 0) {
		ret = unpack(r, fd, &err);
		i_close_fd(&fd);
	}
	if (ret < 0)
		log_not_trusted(r, ROOST_STORE_BUNDLE, err.msg);
	r->unpacked = ret == 0;
}

static uint64_t choose_start(struct restore *r)
{
	/* nothing was ever shown of it */
	if (r->unused && !r->have_record && !r->bad_record)
		return 0;
	return roost_floor_start(r->have_record ? &r->floor : NULL,
				 r->unpacked ? r->bundle.highest_modseq : 0,
				 r->unpacked && r->bundle.clean,
				 roost_index_state_now() * 1000);
}

/* Durable before anyone can be shown what follows. */
static int reserve(struct restore *r, struct roost_err *err)
{
	const struct roost_session *session = r->user->session;
	struct roost_floor floor = {
		.uid_validity = r->head.uid_validity,
		.reserved = roost_floor_reserve(r->start),
		.epoch = roost_session_epoch(session),
	};

	if (!r->identified) {
		/* there is no name yet for what is reserved: the first time
		   that something is shown writes the record */
		r->floor.reserved = 0;
		return 0;
	}
	memcpy(floor.guid, r->head.guid, sizeof(floor.guid));
	if (roost_store_file_write_floor(r->control_dir, r->user->node, &floor,
					 session, err) < 0)
		return -1;
	r->floor = floor;
	r->have_record = TRUE;
	return 0;
}

static int apply_floor(struct restore *r, struct roost_err *err)
{
	const char *error;

	if (r->start != 0 && reserve(r, err) < 0)
		return -1;
	if (roost_modseq_floor_apply(r->box->event, r->index_dir, r->start,
				     &error) == 0)
		return 0;
	if (!r->unpacked)
		return roost_err_set(err, "%s", error);
	/* a whole bundle with an index that Dovecot cannot use */
	log_not_trusted(r, ROOST_STORE_BUNDLE, error);
	r->unpacked = FALSE;
	remove_index(r);
	r->start = choose_start(r);
	return apply_floor(r, err);
}

/* The epoch is set last, by roost_index_restored(). */
static void set_state(struct restore *r)
{
	struct roost_index_state *s = &r->state;

	s->epoch = 0;
	s->reserved = r->have_record ? r->floor.reserved : 0;
	s->floor_epoch = r->have_record ? r->floor.epoch : 0;
	memcpy(s->guid, r->head.guid, sizeof(s->guid));
	s->uid_validity = r->identified ? r->head.uid_validity : 0;
}

static void set_packed(struct restore *r)
{
	struct roost_index_state *s = &r->state;

	if (r->unpacked) {
		s->packed_modseq = r->bundle.highest_modseq;
		s->packed_cache_size = r->bundle.size[ROOST_BUNDLE_CACHE];
		s->packed_ms = r->bundle.created_ms;
	} else if (!r->unused) {
		/* a cold index is worth little yet: let it fill first */
		s->packed_ms = roost_index_state_now();
	}
}

static int restore_locked(struct restore *r, struct roost_err *err)
{
	if (roost_index_state_read(r->state_fd, &r->state) < 0)
		return roost_err_set(err, "%s: state: %s", r->index_dir,
				     strerror(errno));
	if (r->state.epoch == roost_session_epoch(r->user->session) &&
	    have_local_log(r))
		return 0; /* another process was faster */
	if (read_store(r, err) < 0)
		return -1;
	if (!may_keep(r)) {
		i_zero(&r->state);
		if (roost_index_state_write(r->state_fd, &r->state) < 0)
			return roost_err_set(err, "%s: state: %s", r->index_dir,
					     strerror(errno));
		remove_index(r);
		restore_bundle(r);
		r->start = choose_start(r);
		if (apply_floor(r, err) < 0)
			return -1;
		set_packed(r);
	}
	set_state(r);
	if (roost_index_state_write(r->state_fd, &r->state) < 0)
		return roost_err_set(err, "%s: state: %s", r->index_dir,
				     strerror(errno));
	return 1;
}

static void log_result(struct restore *r, uint64_t started_usecs)
{
	struct timeval now;
	uint64_t usecs, bytes;

	i_gettimeofday(&now);
	usecs = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_usec -
		started_usecs;
	bytes = r->unpacked ? roost_bundle_total(&r->bundle) : 0;
	e_info(event_create_passthrough(r->box->event)
		       ->set_name("roost_index_restored")
		       ->add_int("bytes", (intmax_t)bytes)
		       ->add_int("floor", (intmax_t)r->start)
		       ->event(),
	       "roost_index_restored mailbox=%s from=%s bytes=%" PRIu64
	       " messages=%u ms=%" PRIu64 ".%03u modseq=%" PRIu64
	       " floor=%" PRIu64,
	       r->box->vname, r->unpacked ? "bundle" : "nothing", bytes,
	       r->unpacked ? r->bundle.messages : 0, usecs / 1000,
	       (unsigned int)(usecs % 1000),
	       r->unpacked ? r->bundle.highest_modseq : 0, r->start);
}

static bool is_under_way(struct restore *r)
{
	char *const *dirs;

	if (!array_is_created(&r->rlist->restoring))
		return FALSE;
	array_foreach (&r->rlist->restoring, dirs) {
		if (strcmp(*dirs, r->index_dir) == 0)
			return TRUE;
	}
	return FALSE;
}

static int list_lock(struct roost_list *rlist, const char *index_dir,
		     struct roost_err *err)
{
	const char *path = rlist->lock_path;
	char *dir;

	if (!array_is_created(&rlist->restoring))
		i_array_init(&rlist->restoring, 2);
	if (array_count(&rlist->restoring) == 0) {
		rlist->lock_fd = open(
			path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (rlist->lock_fd == -1)
			return roost_err_set(err, "%s: %s", path,
					     strerror(errno));
		if (roost_index_state_lock(rlist->lock_fd) < 0) {
			(void)roost_err_set(err, "%s: %s", path,
					    strerror(errno));
			i_close_fd(&rlist->lock_fd);
			return -1;
		}
	}
	dir = i_strdup(index_dir);
	array_push_back(&rlist->restoring, &dir);
	return 0;
}

static void list_unlock(struct roost_list *rlist)
{
	unsigned int last = array_count(&rlist->restoring) - 1;
	char **dir = array_idx_modifiable(&rlist->restoring, last);

	i_free(*dir);
	array_delete(&rlist->restoring, last, 1);
	if (last == 0) {
		array_free(&rlist->restoring);
		i_close_fd(&rlist->lock_fd);
	}
}

static int restore_slow(struct restore *r, struct roost_err *err)
{
	struct timeval start;
	int ret;

	i_gettimeofday(&start);
	if (list_lock(r->rlist, r->index_dir, err) < 0)
		return -1;
	ret = restore_locked(r, err);
	if (ret > 0) {
		log_result(r, (uint64_t)start.tv_sec * 1000000 +
				      (uint64_t)start.tv_usec);
		roost_mail_box(r->box)->restoring = TRUE;
		return 0; /* remains locked */
	}
	list_unlock(r->rlist);
	return ret;
}

/* 1, or 0 if the mailbox does not exist: then its open says so. */
static int get_paths(struct restore *r)
{
	struct stat st;

	if (mailbox_get_path_to(r->box, MAILBOX_LIST_PATH_TYPE_INDEX,
				&r->index_dir) <= 0 ||
	    mailbox_get_path_to(r->box, MAILBOX_LIST_PATH_TYPE_CONTROL,
				&r->control_dir) <= 0)
		return 0;
	return stat(r->control_dir, &st) == 0 ? 1 : 0;
}

int roost_index_restore(struct mailbox *box, const char **error_r)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	struct restore r = {
		.box = box,
		.user = rbox->user,
		.rlist = roost_mail_list(box->list),
		.state_fd = -1,
	};
	struct roost_err err;
	int ret = 0;

	if ((box->flags & MAILBOX_FLAG_NO_INDEX_FILES) != 0 ||
	    get_paths(&r) == 0)
		return 0;
	if (mkdir_parents(r.index_dir, 0700) < 0 && errno != EEXIST) {
		*error_r = t_strdup_printf("%s: mkdir: %m", r.index_dir);
		return -1;
	}
	r.state_fd = roost_index_state_open(r.index_dir);
	if (r.state_fd == -1) {
		*error_r = t_strdup_printf("%s: state: %m", r.index_dir);
		return -1;
	}
	if (roost_index_state_read(r.state_fd, &r.state) < 0 ||
	    r.state.epoch != roost_session_epoch(rbox->user->session) ||
	    !have_local_log(&r))
		ret = is_under_way(&r) ? 0 : restore_slow(&r, &err);
	if (ret < 0) {
		*error_r = t_strdup(err.msg);
		i_close_fd(&r.state_fd);
		return -1;
	}
	i_close_fd(&rbox->state_fd);
	rbox->state_fd = r.state_fd;
	rbox->index_dir = p_strdup(box->pool, r.index_dir);
	rbox->control_dir = p_strdup(box->pool, r.control_dir);
	return 0;
}

static int set_epoch(struct roost_mailbox *rbox, struct roost_err *err)
{
	struct roost_index_state state;
	int ret = 0;

	if (roost_index_state_lock(rbox->state_fd) < 0)
		return roost_err_set(err, "%s: state: %s", rbox->index_dir,
				     strerror(errno));
	if (roost_index_state_read(rbox->state_fd, &state) < 0)
		ret = -1;
	state.epoch = roost_session_epoch(rbox->user->session);
	if (ret == 0 && roost_index_state_write(rbox->state_fd, &state) < 0)
		ret = -1;
	if (ret < 0)
		(void)roost_err_set(err, "%s: state: %s", rbox->index_dir,
				    strerror(errno));
	roost_index_state_unlock(rbox->state_fd);
	return ret;
}

int roost_index_restored(struct mailbox *box, const char **error_r)
{
	struct roost_mailbox *rbox = roost_mail_box(box);
	struct roost_err err;
	int ret = 0;

	if (!rbox->restoring)
		return 0;
	if (mailbox_sync(box, MAILBOX_SYNC_FLAG_FULL_READ) < 0) {
		*error_r = t_strdup_printf(
			"the restored index cannot be brought up to date: %s",
			mailbox_get_last_internal_error(box, NULL));
		ret = -1;
	} else if (set_epoch(rbox, &err) < 0) {
		*error_r = t_strdup(err.msg);
		ret = -1;
	}
	rbox->restoring = FALSE;
	list_unlock(roost_mail_list(box->list));
	return ret;
}

void roost_index_restore_abort(struct mailbox *box)
{
	struct roost_mailbox *rbox = roost_mail_box(box);

	if (rbox->restoring)
		list_unlock(roost_mail_list(box->list));
	rbox->restoring = FALSE;
	i_close_fd(&rbox->state_fd);
}
