/* SPDX-License-Identifier: MIT */
/* bundle copy: a file's content at this moment, kept in memory outside the
   address space (imap's vsz_limit is smaller than some indexes). */
#include "roost-config.h"

#include "common/bundle/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 30)

int roost_bundle_copy(const char *path, int *fd_r, uint64_t *size_r,
		      struct roost_err *err)
{
	int out, in = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = 1;

	*size_r = 0;
	*fd_r = -1;
	if (in == -1)
		return errno == ENOENT ? 0
				       : roost_err_set(err, "%s: %s", path,
						       strerror(errno));
	out = memfd_create("roost-bundle", MFD_CLOEXEC);
	while (out != -1 && *size_r <= ROOST_BUNDLE_MAX_SIZE) {
		n = sendfile(out, in, NULL, CHUNK);
		if (n <= 0)
			break;
		*size_r += (uint64_t)n;
	}
	if (out == -1 || n < 0)
		(void)roost_err_set(err, "%s: copy: %s", path, strerror(errno));
	(void)close(in);
	if (out != -1 && n < 0)
		(void)close(out);
	if (out == -1 || n < 0)
		return -1;
	*fd_r = out;
	return 1;
}

int roost_bundle_copy_out(int in, uint64_t size, int out, struct roost_err *err)
{
	off_t offset = 0;

	while ((uint64_t)offset < size) {
		uint64_t left = size - (uint64_t)offset;
		ssize_t n = sendfile(out, in, &offset,
				     left < CHUNK ? (size_t)left : CHUNK);

		if (n <= 0)
			return roost_err_set(err, "copy: %s",
					     n < 0 ? strerror(errno)
						   : "the source is too short");
	}
	return 0;
}
