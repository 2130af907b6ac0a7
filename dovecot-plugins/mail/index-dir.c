/* SPDX-License-Identifier: MIT */
/*
 * index-dir: which namespaces have their indexes moved, and where to:
 * <roost_index_root>/<euid>/<sha256 of user>/<sha256 of mail root>, with the
 * user's lock file beside: <sha256 of user>.users. The names are
 * fixed in length and cannot lead elsewhere. The prefix of the namespace is
 * left out on purpose: two namespaces over one mail root share its indexes,
 * as they do without Roost.
 *
 * A root that cannot be trusted refuses the user instead of leaving the
 * indexes on the store: an old index may lie there, with lower modification
 * sequences than clients have seen.
 */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/index-budget.h"
#include "dovecot-plugins/mail/index-state.h"
#include "dovecot-plugins/compat/index-path.h"
#include "hex-binary.h"
#include "sha2.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 0700

static bool is_eligible(struct mail_namespace *ns)
{
	struct mail_user *user = ns->user;
	const char *name = ns->storage->name;

	if (ns->type != MAIL_NAMESPACE_TYPE_PRIVATE || ns->owner != user ||
	    roost_index_path_is_chosen(ns->list) ||
	    *roost_index_path_mail_root(ns->list) == '\0')
		return FALSE;
	if (strcmp(name, "sdbox") == 0 || strcmp(name, "mdbox") == 0 ||
	    strcmp(name, "dbox") == 0) {
		e_error(event_create_passthrough(user->event)
				->set_name("roost_index_not_moved")
				->add_str("namespace", ns->prefix)
				->event(),
			"roost_index_not_moved: namespace \"%s\": %s keeps the "
			"only copy of flags in its indexes; use maildir, or "
			"unset roost_index_root for these users",
			ns->prefix, name);
		return FALSE;
	}
	if (strcmp(name, "maildir") != 0)
		return FALSE;
	if (roost_index_path_user_has_plugin(user, "fts")) {
		e_warning(event_create_passthrough(user->event)
				  ->set_name("roost_index_not_moved")
				  ->add_str("namespace", ns->prefix)
				  ->event(),
			  "roost_index_not_moved: namespace \"%s\": the fts "
			  "plugin keeps its data with the indexes; unset "
			  "mail_plugins' fts or roost_index_root",
			  ns->prefix);
		return FALSE;
	}
	return TRUE;
}

/* path must be a folder that nobody but `owner` can write, no symlink. */
static int dir_check(const char *path, uid_t owner, const char **error_r)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1) {
		*error_r = t_strdup_printf("%s: %m", path);
		return -1;
	}
	if (fstat(fd, &st) < 0) {
		*error_r = t_strdup_printf("%s: fstat: %m", path);
		i_close_fd(&fd);
		return -1;
	}
	i_close_fd(&fd);
	if (st.st_uid != owner || (st.st_mode & 077) != 0) {
		*error_r = t_strdup_printf(
			"%s: must belong to uid %s with mode 0700, but has "
			"uid %s and mode 0%o",
			path, dec2str(owner), dec2str(st.st_uid),
			(unsigned int)(st.st_mode & 07777));
		return -1;
	}
	return 0;
}

static int dir_make(const char *path, const char **error_r)
{
	if (mkdir(path, DIR_MODE) < 0 && errno != EEXIST) {
		*error_r = t_strdup_printf("%s: mkdir: %m", path);
		return -1;
	}
	return dir_check(path, geteuid(), error_r);
}

/* The root itself: nobody else may rename what is in it. */
static int root_check(const char *root, const char **error_r)
{
	struct stat st;

	if (lstat(root, &st) < 0) {
		*error_r = t_strdup_printf("%s: %m", root);
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		*error_r = t_strdup_printf("%s: not a folder", root);
		return -1;
	}
	if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
	    ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0)) {
		*error_r = t_strdup_printf(
			"%s: must belong to root or uid %s, and be writable by "
			"others only with the sticky bit",
			root, dec2str(geteuid()));
		return -1;
	}
	return 0;
}

int roost_index_dir_init(struct mail_user *user, struct roost_user *ruser,
			 const char **error_r)
{
	const char *root = ruser->set->roost_index_root;
	const char *base = t_strdup_printf("%s/%s", root, dec2str(geteuid()));

	if (root_check(root, error_r) < 0 || dir_make(base, error_r) < 0) {
		*error_r = t_strdup_printf("roost_index_root: %s", *error_r);
		return -1;
	}
	ruser->index_base = p_strdup(user->pool, base);
	return 0;
}

static const char *name_hash(const char *name)
{
	unsigned char digest[SHA256_RESULTLEN];

	sha256_get_digest(name, strlen(name), digest);
	return binary_to_hex(digest, sizeof(digest));
}

/* Tells the other processes of the node that one more has the user open. An
   eviction holds the lock for as long as it takes to rename a folder. */
static int users_lock(struct roost_user *ruser, const char *path,
		      const char **error_r)
{
	ruser->users_fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ruser->users_fd == -1 ||
	    roost_index_state_lock_shared(ruser->users_fd) < 0) {
		*error_r = t_strdup_printf("%s: %m", path);
		return -1;
	}
	return 0;
}

/* For those who look into the root, and for the log. */
static void users_write_name(struct roost_user *ruser, const char *username)
{
	struct stat st;
	ssize_t n;

	if (fstat(ruser->users_fd, &st) < 0 || st.st_size != 0)
		return;
	n = pwrite(ruser->users_fd, username, strlen(username), 0);
	(void)n; /* no room: no name */
}

static int user_dir_init(struct mail_user *user, struct roost_user *ruser,
			 const char **error_r)
{
	const char *username = user->username;
	pool_t pool = user->pool;
	struct stat st;
	const char *dir = p_strdup_printf(pool, "%s/%s", ruser->index_base,
					  name_hash(username));

	/* the lock comes first: who has it is not evicted */
	if (users_lock(ruser, t_strconcat(dir, ".users", NULL), error_r) < 0 ||
	    roost_index_budget_check(user->event, ruser->index_base,
				     lstat(dir, &st) < 0, error_r) < 0 ||
	    dir_make(dir, error_r) < 0)
		return -1;
	users_write_name(ruser, username);
	ruser->index_dir = dir;
	return 0;
}

static int list_dir_init(struct mail_namespace *ns, struct roost_user *ruser,
			 const char **dir_r, const char **error_r)
{
	if (ruser->index_dir == NULL &&
	    user_dir_init(ns->user, ruser, error_r) < 0)
		return -1;
	*dir_r = t_strdup_printf(
		"%s/%s", ruser->index_dir,
		name_hash(roost_index_path_mail_root(ns->list)));
	return dir_make(*dir_r, error_r);
}

void roost_index_dir_storage_added(struct mail_namespace *ns)
{
	struct roost_user *ruser = roost_mail_user(ns->user);
	struct roost_list *rlist;
	const char *dir, *error;

	if (ruser == NULL || ruser->index_base == NULL ||
	    ruser->session == NULL)
		return;
	rlist = roost_mail_list(ns->list);
	if (rlist == NULL || rlist->index_root != NULL || !is_eligible(ns))
		return;
	if (list_dir_init(ns, ruser, &dir, &error) < 0) {
		/* too late to refuse the user: refuse the mailboxes */
		ruser->error = p_strdup_printf(ns->user->pool,
					       "roost_index_root: %s", error);
		return;
	}
	rlist->index_root = p_strdup(ns->list->pool, dir);
	rlist->lock_path = p_strconcat(ns->list->pool, dir, ".lock", NULL);
	roost_index_path_move(ns->list, dir);
}
