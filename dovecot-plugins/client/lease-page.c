/* SPDX-License-Identifier: MIT */
/* lease-page: how the agent shows its node whether the lease holds. */
#include "dovecot-plugins/client/lease-page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint64_t roost_lease_page_now(void)
{
	struct timespec ts;

	/* cannot fail: the clock exists since Linux 2.6.39 */
	if (clock_gettime(CLOCK_BOOTTIME, &ts) < 0)
		return ROOST_LEASE_PAGE_FOREVER - 1; /* everything has ended */
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static void read_kernel_boot(char *id, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	memset(id, 0, size);
	if (f == NULL)
		return;
	if (fgets(id, (int)size, f) == NULL)
		id[0] = '\0';
	id[strcspn(id, "\n")] = '\0';
	(void)fclose(f);
}

static bool layout_is_ours(const struct roost_lease_page *page)
{
	return page->magic == ROOST_LEASE_PAGE_MAGIC &&
	       page->version == ROOST_LEASE_PAGE_VERSION &&
	       page->size == sizeof(*page);
}

static void page_reset(struct roost_lease_page *page, const char *node,
		       const char *kernel_boot)
{
	atomic_store(&page->deadline, 0);
	atomic_store(&page->boot, 0);
	memset(page->redis_id, 0, sizeof(page->redis_id));
	memset(page->node, 0, sizeof(page->node));
	(void)snprintf(page->node, sizeof(page->node), "%s", node);
	memcpy(page->kernel_boot, kernel_boot, sizeof(page->kernel_boot));
	page->version = ROOST_LEASE_PAGE_VERSION;
	page->size = sizeof(*page);
	page->magic = ROOST_LEASE_PAGE_MAGIC;
}

/* A file of another size belongs to another release: readers of that one
   keep their mapping of the old file, so it is replaced, not cut. */
static int page_open_fd(const char *path, struct roost_err *err)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(path, flags, 0644);
	struct stat st;

	if (fd < 0)
		return roost_err_set(err, "open(%s): %s", path,
				     strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size != 0 &&
	    st.st_size != sizeof(struct roost_lease_page)) {
		(void)close(fd);
		if (unlink(path) < 0)
			return roost_err_set(err, "unlink(%s): %s", path,
					     strerror(errno));
		fd = open(path, flags | O_EXCL, 0644);
		if (fd < 0)
			return roost_err_set(err, "open(%s): %s", path,
					     strerror(errno));
	}
	if (ftruncate(fd, sizeof(struct roost_lease_page)) < 0 ||
	    fchmod(fd, 0644) < 0) {
		roost_err_set(err, "%s: %s", path, strerror(errno));
		(void)close(fd);
		return -1;
	}
	return fd;
}

struct roost_lease_page *roost_lease_page_create(const char *path,
						 const char *node,
						 struct roost_err *err)
{
	char kernel_boot[sizeof(((struct roost_lease_page *)0)->kernel_boot)];
	struct roost_lease_page *page;
	int fd = page_open_fd(path, err);

	if (fd < 0)
		return NULL;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (page == MAP_FAILED) {
		roost_err_set(err, "mmap(%s): %s", path, strerror(errno));
		(void)close(fd);
		return NULL;
	}
	(void)close(fd);
	read_kernel_boot(kernel_boot, sizeof(kernel_boot));
	page->node[sizeof(page->node) - 1] = '\0';
	if (!layout_is_ours(page) || kernel_boot[0] == '\0' ||
	    memcmp(page->kernel_boot, kernel_boot, sizeof(kernel_boot)) != 0 ||
	    strcmp(page->node, node) != 0)
		page_reset(page, node, kernel_boot);
	page->redis_id[sizeof(page->redis_id) - 1] = '\0';
	return page;
}

void roost_lease_page_publish(struct roost_lease_page *page, uint64_t boot,
			      uint64_t deadline)
{
	/* boots never come back: a reader that sees its own boot before and
	   after the deadline has read a deadline of that boot, or 0 */
	if (atomic_load(&page->boot) != boot) {
		atomic_store(&page->deadline, 0);
		atomic_store(&page->boot, boot);
	}
	atomic_store(&page->deadline, deadline);
}

const struct roost_lease_page *roost_lease_page_open(const char *path,
						     struct roost_err *err)
{
	const struct roost_lease_page *page = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0) {
		roost_err_set(err, "open(%s): %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) < 0) {
		roost_err_set(err, "fstat(%s): %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || st.st_size != sizeof(*page)) {
		roost_err_set(err, "%s is not the lease page of this release",
			      path);
	} else {
		page = mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, fd, 0);
		if (page == MAP_FAILED) {
			roost_err_set(err, "mmap(%s): %s", path,
				      strerror(errno));
			page = NULL;
		}
	}
	(void)close(fd);
	if (page != NULL && !layout_is_ours(page)) {
		roost_err_set(err, "%s is not the lease page of this release",
			      path);
		roost_lease_page_close(page);
		page = NULL;
	}
	return page;
}

uint64_t roost_lease_page_deadline(const struct roost_lease_page *page,
				   uint64_t boot)
{
	uint64_t deadline;

	if (boot == 0 || atomic_load(&page->boot) != boot)
		return 0;
	deadline = atomic_load(&page->deadline);
	return atomic_load(&page->boot) == boot ? deadline : 0;
}

bool roost_lease_page_valid(const struct roost_lease_page *page, uint64_t boot)
{
	uint64_t deadline = roost_lease_page_deadline(page, boot);

	return deadline != 0 && roost_lease_page_now() < deadline;
}

void roost_lease_page_close(const struct roost_lease_page *page)
{
	union {
		const void *in;
		void *out;
	} map = { .in = page }; /* munmap() takes no const */

	if (page != NULL)
		(void)munmap(map.out, sizeof(*page));
}
