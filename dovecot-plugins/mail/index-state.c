/* SPDX-License-Identifier: MIT */
/* index-state: a small file in place, native byte order. */
#include "lib.h"
#include "dovecot-plugins/mail/index-state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define STATE_NAME "dovecot-roost.state"
#define STATE_MAGIC 0x54535452 /* "RTST" */
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
