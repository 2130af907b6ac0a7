/* SPDX-License-Identifier: MIT */
/*
 * floor: the modseq floor record of one mailbox, and what follows from it.
 *
 * The record lies on the shared store beside the mails. Its promise: no
 * client was ever shown a modification sequence above `reserved`. It is made
 * durable before a higher one is shown, in blocks, and lowered to the exact
 * value when a bundle with everything in it has been published; so
 * `reserved == bundle's highest modseq` says that nothing is missing from the
 * bundle, and anything else that modseqs must continue above `reserved`
 * (RFC 7162: HIGHESTMODSEQ never decreases).
 *
 * One text line, readable by admins, checksum at its end:
 *   roost-floor 1 GUID UIDVALIDITY RESERVED EPOCH SHA256\n
 */
#ifndef ROOST_BUNDLE_FLOOR_H
#define ROOST_BUNDLE_FLOOR_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/bundle/bundle.h"

#define ROOST_FLOOR_VERSION 1
#define ROOST_FLOOR_BLOCK 4096
#define ROOST_FLOOR_MAX_SIZE 256
/* Above this a JavaScript client cannot count. */
#define ROOST_FLOOR_MODSEQ_MAX ((UINT64_C(1) << 53) - 1)

struct roost_floor {
	uint8_t guid[ROOST_BUNDLE_GUID_SIZE];
	uint32_t uid_validity;
	uint64_t reserved;
	uint64_t epoch; /* of the lease it was written under */
};

int roost_floor_parse(const void *data, size_t size, struct roost_floor *floor,
		      struct roost_err *err);
/* Returns the length, 0 only if SHA-256 is not available. */
size_t roost_floor_format(const struct roost_floor *floor,
			  char data[ROOST_FLOOR_MAX_SIZE]);

/* The lowest modseq that an index about to be opened must start at, 0 if it
   may continue where it is. floor: the record, NULL if there is none that can
   be trusted. index_modseq: the highest modseq in the index restored, 0 if
   there is none; clean: whether that index is a bundle packed at the end of
   use. Both belong to this very mailbox. */
uint64_t roost_floor_start(const struct roost_floor *floor,
			   uint64_t index_modseq, bool clean, uint64_t now_us);

/* What to reserve when `modseq` is about to be shown. */
uint64_t roost_floor_reserve(uint64_t modseq);

#endif
