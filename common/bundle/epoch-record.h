/* SPDX-License-Identifier: MIT */
/*
 * epoch-record: the line "roost-epoch 1 <epoch> <complement>" of the epoch
 * file in a user's home. The complement shows damage.
 */
#ifndef ROOST_BUNDLE_EPOCH_RECORD_H
#define ROOST_BUNDLE_EPOCH_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define ROOST_EPOCH_RECORD_VERSION 1
/* of the buffer; a longer file is none of ours */
#define ROOST_EPOCH_RECORD_SIZE 80

/* Returns the size of the line, with its LF. */
size_t roost_epoch_record_format(uint64_t epoch,
				 char data[ROOST_EPOCH_RECORD_SIZE]);
/* 0, or -1 when it is damaged or of another version. */
int roost_epoch_record_parse(const void *data, size_t size, uint64_t *epoch,
			     struct roost_err *err);

#endif
