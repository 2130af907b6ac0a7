/* SPDX-License-Identifier: MIT */
/* epoch-record: one spelling only; what does not come out the same is
   damaged. */
#include "common/bundle/epoch-record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t roost_epoch_record_format(uint64_t epoch,
				 char data[ROOST_EPOCH_RECORD_SIZE])
{
	return (size_t)snprintf(data, ROOST_EPOCH_RECORD_SIZE,
				"roost-epoch %d %" PRIu64 " %" PRIu64 "\n",
				ROOST_EPOCH_RECORD_VERSION, epoch, ~epoch);
}

int roost_epoch_record_parse(const void *data, size_t size, uint64_t *epoch,
			     struct roost_err *err)
{
	char line[ROOST_EPOCH_RECORD_SIZE], again[ROOST_EPOCH_RECORD_SIZE];
	unsigned int version;

	if (size == 0 || size >= sizeof(line))
		return roost_err_set(err, "epoch record: %zu bytes", size);
	memcpy(line, data, size);
	line[size] = '\0';
	if (sscanf(line, "roost-epoch %9u %20" SCNu64 " ", &version, epoch) !=
	    2)
		return roost_err_set(err, "epoch record: not one");
	if (version != ROOST_EPOCH_RECORD_VERSION)
		return roost_err_set(
			err,
			"epoch record: version %u, this Roost reads only %d",
			version, ROOST_EPOCH_RECORD_VERSION);
	if (roost_epoch_record_format(*epoch, again) != size ||
	    memcmp(line, again, size) != 0)
		return roost_err_set(err, "epoch record: damaged");
	return 0;
}
