/* SPDX-License-Identifier: MIT */
/* store-file: tmp → fdatasync → rename → fsync(folder), under the lease. */
#include "lib.h"
#include "write-full.h"
#include "dovecot-plugins/mail/store-file.h"
#include "dovecot-plugins/mail/roost-guard.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int set_errno(struct roost_err *err, const char *path, const char *what)
{
	return roost_err_set(err, "%s: %s: %s", path, what, strerror(errno));
}

int roost_store_file_open(const char *dir, const char *name, int *fd_r,
			  struct roost_err *err)
{
	const char *path = t_strdup_printf("%s/%s", dir, name);
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return set_errno(err, path, "open");
	}
	if (fstat(fd, &st) < 0) {
		(void)set_errno(err, path, "fstat");
	} else if (!S_ISREG(st.st_mode)) {
		(void)roost_err_set(err, "%s: not a regular file", path);
	} else if (st.st_uid != geteuid()) {
		(void)roost_err_set(err, "%s: belongs to uid %s, not %s", path,
				    dec2str(st.st_uid), dec2str(geteuid()));
	} else {
		*fd_r = fd;
		return 1;
	}
	i_close_fd(&fd);
	return -1;
}

/* Reads the start of a file. 1, 0 if there is none, -1. */
static int read_start(const char *dir, const char *name, void *data,
		      size_t size, size_t *size_r, struct roost_err *err)
{
	ssize_t n;
	int fd, ret;

	ret = roost_store_file_open(dir, name, &fd, err);
	if (ret <= 0)
		return ret;
	n = pread(fd, data, size, 0);
	if (n < 0)
		ret = set_errno(err, t_strdup_printf("%s/%s", dir, name),
				"read");
	i_close_fd(&fd);
	*size_r = n < 0 ? 0 : (size_t)n;
	return ret;
}

int roost_store_file_uidlist(const char *dir, struct roost_uidlist_head *head_r,
			     struct roost_err *err)
{
	char data[ROOST_UIDLIST_HEAD_MAX];
	size_t size;
	int ret;

	ret = read_start(dir, "dovecot-uidlist", data, sizeof(data), &size,
			 err);
	if (ret <= 0)
		return ret;
	if (roost_uidlist_head_parse(data, size, head_r, err) < 0)
		return roost_err_prefix(err, "%s", dir);
	return 1;
}

int roost_store_file_floor(const char *dir, struct roost_floor *floor_r,
			   struct roost_err *err)
{
	char data[ROOST_FLOOR_MAX_SIZE];
	size_t size;
	int ret;

	ret = read_start(dir, ROOST_STORE_FLOOR, data, sizeof(data), &size,
			 err);
	if (ret <= 0)
		return ret;
	if (roost_floor_parse(data, size, floor_r, err) < 0)
		return roost_err_prefix(err, "%s/" ROOST_STORE_FLOOR, dir);
	return 1;
}

int roost_store_file_create(const char *dir, const char *name, const char *node,
			    const char **tmp_path_r, int *fd_r,
			    struct roost_err *err)
{
	const char *path = t_strdup_printf("%s/%s.tmp.%s", dir, name, node);

	/* one that is there was left by a killed process */
	(void)unlink(path);
	*fd_r = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (*fd_r == -1)
		return set_errno(err, path, "open");
	*tmp_path_r = path;
	return 0;
}

static int sync_dir(const char *dir, struct roost_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = 0;

	if (fd == -1)
		return set_errno(err, dir, "open");
	if (fsync(fd) < 0)
		ret = set_errno(err, dir, "fsync");
	i_close_fd(&fd);
	return ret;
}

int roost_store_file_publish(const char *dir, const char *name,
			     const char *tmp_path, int *fd,
			     const struct roost_session *session,
			     struct roost_err *err)
{
	const char *path = t_strdup_printf("%s/%s", dir, name);
	int ret = 0;

	if (fdatasync(*fd) < 0)
		ret = set_errno(err, tmp_path, "fdatasync");
	/* some file systems report a failed write only here */
	if (close(*fd) < 0 && ret == 0)
		ret = set_errno(err, tmp_path, "close");
	*fd = -1;
	if (ret == 0 && !roost_guard_enter(session)) {
		ret = roost_err_set(err, "%s: not written: the lease is over",
				    path);
	} else if (ret == 0) {
		if (rename(tmp_path, path) < 0)
			ret = set_errno(err, path, "rename");
		else
			ret = sync_dir(dir, err);
		roost_guard_leave();
	}
	if (ret < 0)
		(void)unlink(tmp_path);
	return ret;
}

int roost_store_file_write_floor(const char *dir, const char *node,
				 const struct roost_floor *floor,
				 const struct roost_session *session,
				 struct roost_err *err)
{
	char data[ROOST_FLOOR_MAX_SIZE];
	struct roost_floor old;
	const char *tmp_path = NULL;
	size_t size;
	int fd;

	/* a bad record is replaced, a later owner's is not */
	if (roost_store_file_floor(dir, &old, err) > 0 &&
	    old.epoch > floor->epoch)
		return roost_err_set(err,
				     "%s/" ROOST_STORE_FLOOR
				     ": written under a later lease",
				     dir);
	size = roost_floor_format(floor, data);
	if (size == 0)
		return roost_err_set(err, "SHA-256 is not available");
	if (roost_store_file_create(dir, ROOST_STORE_FLOOR, node, &tmp_path,
				    &fd, err) < 0)
		return -1;
	if (write_full(fd, data, size) < 0) {
		(void)set_errno(err, tmp_path, "write");
		i_close_fd(&fd);
		(void)unlink(tmp_path);
		return -1;
	}
	return roost_store_file_publish(dir, ROOST_STORE_FLOOR, tmp_path, &fd,
					session, err);
}
