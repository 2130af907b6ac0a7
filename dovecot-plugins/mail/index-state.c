/* SPDX-License-Identifier: MIT */
/* index-state: a small file in place, native byte order. */
#include "lib.h"
#include "dovecot-plugins/mail/index-state.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATE_NAME "dovecot-roost.state"
#define STATE_MAGIC 0x54535452 /* "RTST" */
#define DEPTH_MAX 64	       /* of nested mailboxes */
#define LOCK_TRIES 6000
#define LOCK_WAIT_NSECS (5 * 1000 * 1000)

int roost_index_state_open(const char *index_dir)
{
	return open(t_strconcat(index_dir, "/" STATE_NAME, NULL),
		    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int roost_index_state_read(int fd, struct roost_index_state *state_r)
{
	ssize_t n = pread(fd, state_r, sizeof(*state_r), 0);

	if (n < 0)
		return -1;
	if (n != sizeof(*state_r) || state_r->magic != STATE_MAGIC ||
	    state_r->size != sizeof(*state_r))
		i_zero(state_r);
	return 0;
}

int roost_index_state_write(int fd, struct roost_index_state *state)
{
	ssize_t n;

	state->magic = STATE_MAGIC;
	state->size = sizeof(*state);
	n = pwrite(fd, state, sizeof(*state), 0);
	if (n >= 0 && n != sizeof(*state))
		errno = ENOSPC;
	return n == sizeof(*state) ? 0 : -1;
}

/* One mailbox. */
static bool is_packed(int dir_fd)
{
	struct roost_index_state state;
	struct stat log;
	uint64_t ms;
	int fd, ret;

	if (fstatat(dir_fd, "dovecot.index.log", &log, AT_SYMLINK_NOFOLLOW) < 0)
		return TRUE;
	fd = openat(dir_fd, STATE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return FALSE;
	ret = roost_index_state_read(fd, &state);
	i_close_fd(&fd);
	ms = (uint64_t)log.st_mtim.tv_sec * 1000 +
	     (uint64_t)log.st_mtim.tv_nsec / 1000000;
	return ret == 0 && ms <= state.packed_ms;
}

static bool all_packed(int dir_fd, unsigned int depth)
{
	DIR *dirp = fdopendir(dir_fd);
	struct dirent *d;
	bool packed = TRUE;
	int fd;

	if (dirp == NULL) {
		i_close_fd(&dir_fd);
		return FALSE;
	}
	packed = is_packed(dir_fd);
	while (packed && (d = readdir(dirp)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		fd = openat(dir_fd, d->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd == -1)
			continue; /* no folder */
		if (depth == 0)
			i_close_fd(&fd);
		packed = depth > 0 && all_packed(fd, depth - 1);
	}
	(void)closedir(dirp);
	return packed;
}

bool roost_index_state_packed(const char *index_dir)
{
	int fd = open(index_dir,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool packed = fd != -1 && is_packed(fd);

	i_close_fd(&fd);
	return packed;
}

bool roost_index_state_all_packed(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd != -1 && all_packed(fd, DEPTH_MAX);
}

uint64_t roost_index_state_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int lock_wait(int fd, int kind)
{
	const struct timespec wait = { .tv_nsec = LOCK_WAIT_NSECS };

	for (unsigned int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, kind | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		(void)nanosleep(&wait, NULL);
	}
	errno = ETIMEDOUT;
	return -1;
}

int roost_index_state_lock(int fd)
{
	return lock_wait(fd, LOCK_EX);
}

int roost_index_state_lock_shared(int fd)
{
	return lock_wait(fd, LOCK_SH);
}

void roost_index_state_unlock(int fd)
{
	(void)flock(fd, LOCK_UN);
}
