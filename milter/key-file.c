/* SPDX-License-Identifier: MIT */
/* key-file: reads key files and tables. */
#include "milter/key-file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, struct roost_buf *buf)
{
	char chunk[8192];
	ssize_t n;

	for (;;) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		roost_buf_append(buf, chunk, (size_t)n);
	}
	OPENSSL_cleanse(chunk, sizeof(chunk));
	return (int)n;
}

static int read_open(int fd, const char *path, struct roost_buf *buf,
		     struct stat *st, struct roost_err *err)
{
	if (fstat(fd, st) < 0)
		return roost_err_set(err, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st->st_mode))
		return roost_err_set(err, "%s: not a regular file", path);
	if ((st->st_mode & S_IWOTH) != 0)
		return roost_err_set(err,
				     "%s: everyone may write it (mode "
				     "%04o)",
				     path, (unsigned int)(st->st_mode & 07777));
	if (read_all(fd, buf) < 0)
		return roost_err_set(err, "%s: %s", path, strerror(errno));
	if (buf->failed)
		return roost_err_set(err, "%s: more than %zu bytes", path,
				     buf->max);
	return 0;
}

static int read_path(const char *path, struct roost_buf *buf, struct stat *st,
		     struct roost_err *err)
{
	/* non-blocking: a FIFO must not stop the daemon */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), ret;

	if (fd < 0)
		return roost_err_set(err, "%s: %s", path, strerror(errno));
	roost_buf_clear(buf);
	ret = read_open(fd, path, buf, st, err);
	(void)close(fd);
	return ret;
}

int roost_key_file_read(const char *path, struct roost_buf *buf,
			struct roost_err *err)
{
	struct stat st;

	return read_path(path, buf, &st, err);
}

int roost_key_file_read_private(const char *path, struct roost_buf *buf,
				const char **warning_r, struct roost_err *err)
{
	struct stat st;

	*warning_r = NULL;
	if (read_path(path, buf, &st, err) < 0)
		return -1;
	/* root's, for one group to read, is how secrets are mounted */
	if ((st.st_mode & S_IROTH) != 0)
		*warning_r = "everyone may read this private key";
	else if ((st.st_mode & S_IWGRP) != 0)
		*warning_r = "its group may write this private key";
	else if ((st.st_mode & S_IRGRP) != 0 && st.st_uid != 0)
		*warning_r = "its group may read this private key";
	return 0;
}

void roost_key_file_forget(struct roost_buf *buf)
{
	if (buf->data != NULL)
		OPENSSL_cleanse(buf->data, buf->cap);
	roost_buf_free(buf);
}

void roost_key_file_state(const char *path, struct roost_buf *state)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		roost_buf_printf(state, "%s %d\n", path, errno);
		return;
	}
	roost_buf_printf(state,
			 "%s %llu %llu %lld %lld.%ld %lld.%ld %o %u %u\n", path,
			 (unsigned long long)st.st_dev,
			 (unsigned long long)st.st_ino, (long long)st.st_size,
			 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			 (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
			 (unsigned int)st.st_mode, st.st_uid, st.st_gid);
}
