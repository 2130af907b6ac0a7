/* SPDX-License-Identifier: MIT */
/* Fuzzes the bundle reader. The first byte chooses: the file as it is, or
   with its checksums made right, which lets damage reach what lies behind
   them. What is accepted must format to the same header. */
#include "roost-config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <openssl/evp.h>

#include "common/bundle/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void repair(uint8_t *data, size_t size)
{
	uint64_t payload = size - ROOST_BUNDLE_HEADER_SIZE;

	for (unsigned int i = 0; i < 8; i++)
		data[120 + i] = (uint8_t)(payload >> 8 * i);
	(void)EVP_Digest(data + ROOST_BUNDLE_HEADER_SIZE, payload, data + 192,
			 NULL, EVP_sha256(), NULL);
	(void)EVP_Digest(data, 224, data + 224, NULL, EVP_sha256(), NULL);
}

static void read_back(const uint8_t *data, size_t size)
{
	static const int nowhere[ROOST_BUNDLE_FILES] = { -1, -1, -1, -1, -1 };
	uint8_t header[ROOST_BUNDLE_HEADER_SIZE], digest[32];
	struct roost_bundle_info info;
	struct roost_err err;
	int fd;

	if (roost_bundle_header_parse(data, size, &info, digest, &err) < 0)
		return;
	if (roost_bundle_header_format(&info, digest, header, &err) < 0 ||
	    memcmp(header, data, sizeof(header)) != 0)
		abort();
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (roost_bundle_read_info(fd, &info, &err) == 0 &&
	    roost_bundle_total(&info) < 16 * 1024 * 1024)
		(void)roost_bundle_unpack(fd, &info, nowhere, &err);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 2)
		return 0;
	copy = malloc(size - 1);
	if (copy == NULL)
		abort();
	memcpy(copy, data + 1, size - 1);
	if ((data[0] & 1) != 0 && size - 1 >= ROOST_BUNDLE_HEADER_SIZE)
		repair(copy, size - 1);
	read_back(copy, size - 1);
	free(copy);
	return 0;
}
