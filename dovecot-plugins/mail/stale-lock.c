/* SPDX-License-Identifier: MIT */
/*
 * stale-lock: see stale-lock.h. A lock file holds "<pid>:<host>". Those of
 * this host are left to Dovecot, which looks whether the process is alive.
 *
 * Several processes of this node may come at once, and one of them may own
 * the next lock of that name already: who removes holds a flock on the file
 * and looks whether the name still stands for it. The open file keeps the
 * inode number from being used again meanwhile.
 */
#include "dovecot-plugins/mail/roost-mail.h"
#include "dovecot-plugins/mail/stale-lock.h"
#include "hostpid.h"
#include "str-sanitize.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* pid, colon, host name */
#define LOCK_MAX (20 + 1 + 255)

static const char *const lock_names[] = {
	"dovecot-uidlist.lock",
	"dovecot-keywords.lock",
};

/* The host that the lock names; NULL: none, or this one. */
static const char *foreign_host(int fd)
{
	char data[LOCK_MAX + 1];
	ssize_t size = read(fd, data, LOCK_MAX);
	const char *host;

	if (size <= 0)
		return NULL;
	data[size] = '\0';
	host = strchr(data, ':');
	if (host == NULL || host[1] == '\0' ||
	    strcmp(host + 1, my_hostname) == 0)
		return NULL;
	return t_strdup(host + 1);
}

static bool is_same_file(const char *path, int fd)
{
	struct stat named, opened;

	return lstat(path, &named) == 0 && fstat(fd, &opened) == 0 &&
	       named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

static void clear_one(struct mailbox *box, const char *path)
{
	const char *host;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		return;
	host = foreign_host(fd);
	if (host != NULL && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    is_same_file(path, fd) && unlink(path) == 0)
		e_info(event_create_passthrough(box->event)
			       ->set_name("roost_lock_removed")
			       ->add_str("host", host)
			       ->event(),
		       "roost_lock_removed: %s was left by host %s", path,
		       str_sanitize(host, 64));
	i_close_fd(&fd);
}

void roost_stale_lock_clear(struct mailbox *box)
{
	struct roost_user *ruser = roost_mail_box(box)->user;
	const char *dir;

	/* a cluster of one does not know who else is there */
	if (*ruser->set->roost_redis == '\0' ||
	    strcmp(box->storage->name, "maildir") != 0 ||
	    mailbox_get_path_to(box, MAILBOX_LIST_PATH_TYPE_CONTROL, &dir) <= 0)
		return;
	for (unsigned int i = 0; i < N_ELEMENTS(lock_names); i++)
		clear_one(box, t_strdup_printf("%s/%s", dir, lock_names[i]));
}
