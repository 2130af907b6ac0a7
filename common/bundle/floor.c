/* SPDX-License-Identifier: MIT */
/* floor: the modseq floor record, one checked text line. */
#include "common/bundle/floor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

static void to_hex(const uint8_t *data, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (; size > 0; size--, data++) {
		*out++ = digits[*data >> 4];
		*out++ = digits[*data & 15];
	}
	*out = '\0';
}

static int from_hex(const char *hex, size_t size, uint8_t *out)
{
	static const char digits[] = "0123456789abcdef";

	for (; size > 0; size--, out++) {
		const char *hi = memchr(digits, *hex++, 16);
		const char *lo = memchr(digits, *hex++, 16);

		if (hi == NULL || lo == NULL)
			return -1;
		*out = (uint8_t)((hi - digits) << 4 | (lo - digits));
	}
	return 0;
}

size_t roost_floor_format(const struct roost_floor *floor,
			  char data[ROOST_FLOOR_MAX_SIZE])
{
	char guid[2 * ROOST_BUNDLE_GUID_SIZE + 1], hex[65];
	uint8_t sum[32];
	int len;

	to_hex(floor->guid, sizeof(floor->guid), guid);
	len = snprintf(data, ROOST_FLOOR_MAX_SIZE,
		       "roost-floor %u %s %" PRIu32 " %" PRIu64 " %" PRIu64 " ",
		       ROOST_FLOOR_VERSION, guid, floor->uid_validity,
		       floor->reserved, floor->epoch);
	if (EVP_Digest(data, (size_t)len, sum, NULL, EVP_sha256(), NULL) != 1)
		return 0;
	to_hex(sum, sizeof(sum), hex);
	len += snprintf(data + len, ROOST_FLOOR_MAX_SIZE - (size_t)len, "%s\n",
			hex);
	return (size_t)len;
}

static int check_version(const char *line, struct roost_err *err)
{
	unsigned int version;

	if (sscanf(line, "roost-floor %9u ", &version) != 1)
		return roost_err_set(err, "floor record: not one");
	if (version != ROOST_FLOOR_VERSION)
		return roost_err_set(
			err,
			"floor record: version %u, this Roost reads only %u",
			version, ROOST_FLOOR_VERSION);
	return 0;
}

int roost_floor_parse(const void *data, size_t size, struct roost_floor *floor,
		      struct roost_err *err)
{
	char line[ROOST_FLOOR_MAX_SIZE], again[ROOST_FLOOR_MAX_SIZE];
	char guid[2 * ROOST_BUNDLE_GUID_SIZE + 1];

	if (size == 0 || size >= sizeof(line))
		return roost_err_set(err, "floor record: %zu bytes", size);
	memcpy(line, data, size);
	line[size] = '\0';
	if (check_version(line, err) < 0)
		return -1;
	if (sscanf(line,
		   "roost-floor %*9u %32s %10" SCNu32 " %20" SCNu64
		   " %20" SCNu64 " ",
		   guid, &floor->uid_validity, &floor->reserved,
		   &floor->epoch) != 4 ||
	    strlen(guid) != sizeof(guid) - 1 ||
	    from_hex(guid, sizeof(floor->guid), floor->guid) < 0)
		return roost_err_set(err, "floor record: malformed");
	/* one spelling only: what does not come out the same is damaged */
	if (roost_floor_format(floor, again) != size ||
	    memcmp(line, again, size) != 0)
		return roost_err_set(err, "floor record: wrong checksum");
	if (floor->reserved > ROOST_FLOOR_MODSEQ_MAX)
		return roost_err_set(err, "floor record: modseq too large");
	return 0;
}

static uint64_t bounded(uint64_t modseq)
{
	return modseq > ROOST_FLOOR_MODSEQ_MAX ? ROOST_FLOOR_MODSEQ_MAX
					       : modseq;
}

uint64_t roost_floor_start(const struct roost_floor *floor,
			   uint64_t index_modseq, bool clean, uint64_t now_us)
{
	uint64_t base;

	if (floor != NULL && clean && index_modseq == floor->reserved)
		return 0;
	/* microseconds: far above what any mailbox counted up to by itself, and
	   faster than blocks are used up, however often a node starts: so also
	   above what was shown since a record was lost before */
	base = floor != NULL ? floor->reserved : now_us;
	if (base < index_modseq)
		base = index_modseq;
	return bounded(base + 1);
}

uint64_t roost_floor_reserve(uint64_t modseq)
{
	return bounded(modseq + ROOST_FLOOR_BLOCK);
}
