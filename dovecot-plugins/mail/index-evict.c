/* SPDX-License-Identifier: MIT */
/* index-evict: removing a user's indexes, under the lock of all. */
#include "lib.h"
#include "dovecot-plugins/mail/index-evict.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names of mailboxes nest at most this deep. */
#define DEPTH_MAX 64

/* Removes what is below an open folder, adds up its bytes and closes it.
   (unlink_directory() changes the working directory of the process.) */
static int empty_folder(int fd, unsigned int depth, uint64_t *bytes)
{
	DIR *dirp = fdopendir(fd);
	struct dirent *d;
	struct stat st;
	int ret = 0;

	if (dirp == NULL) {
		i_close_fd(&fd);
		return -1;
	}
	while (ret == 0 && (d = readdir(dirp)) != NULL) {
		const char *name = d->d_name;
		int flags = 0, sub;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		ret = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW);
		if (ret == 0 && S_ISDIR(st.st_mode)) {
			sub = depth == 0
				      ? -1
				      : openat(fd, name,
					       O_RDONLY | O_DIRECTORY |
						       O_NOFOLLOW | O_CLOEXEC);
			ret = sub == -1 ? -1
					: empty_folder(sub, depth - 1, bytes);
			flags = AT_REMOVEDIR;
		}
		if (ret == 0)
			ret = unlinkat(fd, name, flags);
		if (ret == 0)
			*bytes += (uint64_t)st.st_blocks * 512;
	}
	(void)closedir(dirp);
	return ret;
}

static int remove_folder(const char *dir, uint64_t *bytes, const char **error_r)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1 || empty_folder(fd, DEPTH_MAX, bytes) < 0 ||
	    rmdir(dir) < 0) {
		*error_r = t_strdup_printf("%s: %m", dir);
		return -1;
	}
	return 0;
}

/* Under another name first: a folder of which a part was removed would pass
   for an index. */
static int remove_whole(const char *dir, uint64_t *bytes, const char **error_r)
{
	const char *gone = t_strconcat(dir, ".evicted", NULL);

	/* left by one that was killed here */
	if (remove_folder(gone, bytes, error_r) < 0)
		return -1;
	if (rename(dir, gone) < 0) {
		if (errno == ENOENT)
			return 0;
		*error_r = t_strdup_printf("%s: rename: %m", dir);
		return -1;
	}
	return remove_folder(gone, bytes, error_r);
}

int roost_index_evict(int users_fd, const char *dir, uint64_t *bytes_r,
		      const char **error_r)
{
	int ret = 1;

	*bytes_r = 0;
	if (flock(users_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK) {
			*error_r = t_strdup_printf("%s.users: flock: %m", dir);
			return -1;
		}
		/* an upgrade that fails may have let go of what it had */
		(void)flock(users_fd, LOCK_SH | LOCK_NB);
		return 0;
	}
	if (remove_whole(dir, bytes_r, error_r) < 0)
		ret = -1;
	(void)flock(users_fd, LOCK_SH | LOCK_NB);
	return ret;
}
