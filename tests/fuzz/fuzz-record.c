/* SPDX-License-Identifier: MIT */
/* Fuzzes common/dkim/record: what is read, printed as a line of a zone file
   and read again is the same. */
#include "common/dkim/record.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roost_buf record = ROOST_BUF_INIT(2 * ROOST_RECORD_MAX);
	struct roost_buf again = ROOST_BUF_INIT(2 * ROOST_RECORD_MAX);
	struct roost_buf zone = ROOST_BUF_INIT(8 * ROOST_RECORD_MAX);
	struct roost_err err;

	if (roost_record_read((const char *)data, size, &record, &err) == 0) {
		roost_record_zone("s._domainkey.example.org",
				  roost_buf_str(&record), &zone);
		if (roost_record_read(roost_buf_str(&zone), zone.len, &again,
				      &err) < 0) {
			/* a string of its own may begin with the tag now */
			if (strcmp(err.msg, "more than one record") != 0)
				abort();
		} else if (strcmp(roost_buf_str(&record),
				  roost_buf_str(&again)) != 0) {
			abort();
		}
	}
	roost_buf_free(&record);
	roost_buf_free(&again);
	roost_buf_free(&zone);
	return 0;
}
