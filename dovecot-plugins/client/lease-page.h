/* SPDX-License-Identifier: MIT */
/*
 * lease-page: base_dir/roost-lease, the small file by which the agent shows
 * every process of its node whether the node's lease holds. The agent maps it
 * for writing, the others for reading. Plain POSIX: no Dovecot in it.
 */
#ifndef ROOST_LEASE_PAGE_H
#define ROOST_LEASE_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

#define ROOST_LEASE_PAGE_NAME "roost-lease"
#define ROOST_LEASE_PAGE_MAGIC 0x31455341454c5452ULL /* "RTLEASE1" */
#define ROOST_LEASE_PAGE_VERSION 1
#define ROOST_LEASE_PAGE_FOREVER UINT64_MAX /* cluster of one */

/* The file, in host byte order: it never leaves the machine. */
struct roost_lease_page {
	uint64_t magic;
	uint32_t version, size;	   /* size of this struct */
	_Atomic uint64_t boot;	   /* 0: none yet */
	_Atomic uint64_t deadline; /* CLOCK_BOOTTIME ns; 0: no lease */
	/* for the next agent process of this node alone: the kernel's boot
	   (deadlines of another one mean nothing) and the Redis server */
	char kernel_boot[40], redis_id[48];
	char node[256];		    /* the node the boot belongs to */
	_Atomic uint64_t agent_pid; /* who writes; 0: it gave the lease back */
	uint64_t reserved[7];
};
_Static_assert(sizeof(_Atomic uint64_t) == 8, "layout of the lease page");

/* Agent: opens or creates the file (0644, never through a symlink) and maps
   it for writing. A file of another layout or of an earlier boot of the
   kernel, or of another node, is replaced or zeroed: boot 0. NULL on error. */
struct roost_lease_page *roost_lease_page_create(const char *path,
						 const char *node,
						 struct roost_err *err);
/* Agent: shows a lease. Readers never see a boot with another's deadline. */
void roost_lease_page_publish(struct roost_lease_page *page, uint64_t boot,
			      uint64_t deadline);

/* Readers: NULL unless the file is one of this layout. */
const struct roost_lease_page *roost_lease_page_open(const char *path,
						     struct roost_err *err);
/* The deadline while the page shows that boot, else 0. */
uint64_t roost_lease_page_deadline(const struct roost_lease_page *page,
				   uint64_t boot);
/* Whether the page shows that boot and its deadline is still ahead. */
bool roost_lease_page_valid(const struct roost_lease_page *page, uint64_t boot);

/* Unmaps; NULL is allowed. */
void roost_lease_page_close(const struct roost_lease_page *page);

/* CLOCK_BOOTTIME in ns. */
uint64_t roost_lease_page_now(void);

#endif
