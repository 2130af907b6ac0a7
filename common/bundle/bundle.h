/* SPDX-License-Identifier: MIT */
/*
 * bundle: the index files of one mailbox in one checked, compressed file
 * (docs/bundle-format.md). Works on file descriptors, decides nothing: whether
 * a good bundle belongs to a mailbox is the caller's question.
 */
#ifndef ROOST_BUNDLE_H
#define ROOST_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define ROOST_BUNDLE_VERSION 1
#define ROOST_BUNDLE_HEADER_SIZE 256
/* bound of all files together, unpacked; and of the packed payload */
#define ROOST_BUNDLE_MAX_SIZE (UINT64_C(4) << 30)
#define ROOST_BUNDLE_NODE_MAX 63
#define ROOST_BUNDLE_GUID_SIZE 16

/* In the order in which they are packed and must be published: the log last,
   because Dovecot takes an index without a log for a new one. */
enum roost_bundle_file {
	ROOST_BUNDLE_CACHE = 0,
	ROOST_BUNDLE_THREAD,
	ROOST_BUNDLE_LOG2,
	ROOST_BUNDLE_INDEX,
	ROOST_BUNDLE_LOG,
	ROOST_BUNDLE_FILES
};

struct roost_bundle_info {
	uint8_t guid[ROOST_BUNDLE_GUID_SIZE];
	uint32_t uid_validity, uid_next;
	uint32_t messages;
	uint32_t cached; /* messages that have a cache record */
	uint64_t highest_modseq;
	uint64_t epoch;	     /* of the lease it was written under */
	uint64_t created_ms; /* Unix time */
	bool clean;	     /* packed at the end of use, not in the middle */
	char node[ROOST_BUNDLE_NODE_MAX + 1]; /* printable ASCII */
	uint64_t size[ROOST_BUNDLE_FILES];    /* 0: there is no such file */
	uint64_t packed_size;		      /* of the payload */
};

/* "dovecot.index.cache" etc. */
const char *roost_bundle_file_name(enum roost_bundle_file file);
/* The sum of info->size, saturated. */
uint64_t roost_bundle_total(const struct roost_bundle_info *info);

/* Parses and checks the header. Nothing in info is to be used after -1. */
int roost_bundle_header_parse(const uint8_t *data, size_t size,
			      struct roost_bundle_info *info,
			      uint8_t payload_digest[32],
			      struct roost_err *err);
/* The reverse; refuses what the parser would refuse. */
int roost_bundle_header_format(const struct roost_bundle_info *info,
			       const uint8_t payload_digest[32],
			       uint8_t data[ROOST_BUNDLE_HEADER_SIZE],
			       struct roost_err *err);

/* Copies a file into memory, as a source for roost_bundle_write(). 1; 0 if
   there is no such file (size 0, fd -1); -1. */
int roost_bundle_copy(const char *path, int *fd_r, uint64_t *size_r,
		      struct roost_err *err);

/* The reverse: writes the first size bytes of `in` to the empty file `out`. */
int roost_bundle_copy_out(int in, uint64_t size, int out,
			  struct roost_err *err);

/* Packs the first info->size[i] bytes of each fds[i] into the empty regular
   file out_fd and sets info->packed_size. Nothing is synced. */
int roost_bundle_write(int out_fd, struct roost_bundle_info *info,
		       const int fds[ROOST_BUNDLE_FILES],
		       struct roost_err *err);

/* Reads the header from the start of fd and checks it against the size of
   the file. */
int roost_bundle_read_info(int fd, struct roost_bundle_info *info,
			   struct roost_err *err);
/* Reads all of fd, checks every byte of it, and writes the files to fds[]
   (-1: thrown away, so all -1 verifies). What was written is to be thrown
   away after -1. info is what roost_bundle_read_info() gave: -1 when the
   file is another one by now. */
int roost_bundle_unpack(int fd, const struct roost_bundle_info *info,
			const int fds[ROOST_BUNDLE_FILES],
			struct roost_err *err);

#endif
