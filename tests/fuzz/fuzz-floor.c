/* SPDX-License-Identifier: MIT */
/* Fuzzes the floor record, the epoch record and the uidlist head; an accepted
   record must format to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bundle/epoch-record.h"
#include "common/bundle/floor.h"
#include "common/bundle/uidlist-head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char again[ROOST_FLOOR_MAX_SIZE];
	struct roost_uidlist_head head;
	struct roost_floor floor;
	char record[ROOST_EPOCH_RECORD_SIZE];
	struct roost_err err;
	uint64_t epoch;

	if (roost_floor_parse(data, size, &floor, &err) == 0 &&
	    (roost_floor_format(&floor, again) != size ||
	     memcmp(again, data, size) != 0))
		abort();
	if (roost_epoch_record_parse(data, size, &epoch, &err) == 0 &&
	    (roost_epoch_record_format(epoch, record) != size ||
	     memcmp(record, data, size) != 0))
		abort();
	if (roost_uidlist_head_parse(data, size, &head, &err) == 0 &&
	    head.uid_validity == 0)
		abort();
	return 0;
}
