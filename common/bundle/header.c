/* SPDX-License-Identifier: MIT */
/* bundle header: 256 bytes, little-endian, with its own SHA-256 at the end
   (docs/bundle-format.md). */
#include "common/bundle/bundle.h"

#include <string.h>
#include <openssl/evp.h>

#define FLAG_CLEAN 0x1U

/* offsets */
enum {
	AT_MAGIC = 0,
	AT_VERSION = 8,
	AT_HEADER_SIZE = 12,
	AT_GUID = 16,
	AT_UID_VALIDITY = 32,
	AT_UID_NEXT = 36,
	AT_MESSAGES = 40,
	AT_CACHED = 44,
	AT_MODSEQ = 48,
	AT_EPOCH = 56,
	AT_CREATED = 64,
	AT_FLAGS = 72,
	AT_FILES = 76,
	AT_SIZES = 80,
	AT_PACKED_SIZE = 120,
	AT_NODE = 128,
	AT_PAYLOAD_DIGEST = 192,
	AT_HEADER_DIGEST = 224
};

static const char magic[8] = { 'R', 'O', 'O', 'S', 'T', 'I', 'D', 'X' };

static void put(uint8_t *p, uint64_t value, unsigned int bytes)
{
	for (; bytes > 0; bytes--, value >>= 8)
		*p++ = (uint8_t)value;
}

static uint64_t get(const uint8_t *p, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | p[bytes];
	return value;
}

const char *roost_bundle_file_name(enum roost_bundle_file file)
{
	static const char *const names[ROOST_BUNDLE_FILES] = {
		[ROOST_BUNDLE_CACHE] = "dovecot.index.cache",
		[ROOST_BUNDLE_THREAD] = "dovecot.index.thread",
		[ROOST_BUNDLE_LOG2] = "dovecot.index.log.2",
		[ROOST_BUNDLE_INDEX] = "dovecot.index",
		[ROOST_BUNDLE_LOG] = "dovecot.index.log",
	};

	return names[file];
}

uint64_t roost_bundle_total(const struct roost_bundle_info *info)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < ROOST_BUNDLE_FILES; i++) {
		if (info->size[i] > UINT64_MAX - total)
			return UINT64_MAX;
		total += info->size[i];
	}
	return total;
}

/* Printable ASCII, then NULs to the end: one spelling for each name. */
static bool node_is_valid(const char node[ROOST_BUNDLE_NODE_MAX + 1])
{
	size_t i, len;

	if (node[ROOST_BUNDLE_NODE_MAX] != '\0')
		return false;
	len = strlen(node);
	for (i = 0; i < len; i++) {
		if (node[i] <= ' ' || node[i] > '~')
			return false;
	}
	for (; i <= ROOST_BUNDLE_NODE_MAX; i++) {
		if (node[i] != '\0')
			return false;
	}
	return true;
}

static int check(const struct roost_bundle_info *info, struct roost_err *err)
{
	if (info->uid_validity == 0)
		return roost_err_set(err, "bundle header: no UIDVALIDITY");
	if (info->uid_next == 0 || info->messages >= info->uid_next)
		return roost_err_set(err,
				     "bundle header: %u messages, UIDNEXT %u",
				     info->messages, info->uid_next);
	if (info->cached > info->messages)
		return roost_err_set(err,
				     "bundle header: %u of %u messages cached",
				     info->cached, info->messages);
	if (!node_is_valid(info->node))
		return roost_err_set(err, "bundle header: bad node name");
	/* each alone first, so that the sum cannot overflow */
	if (roost_bundle_total(info) > ROOST_BUNDLE_MAX_SIZE)
		return roost_err_set(err, "bundle header: files too large");
	if (info->packed_size > ROOST_BUNDLE_MAX_SIZE)
		return roost_err_set(err, "bundle header: payload too large");
	if (info->size[ROOST_BUNDLE_LOG] == 0)
		return roost_err_set(err, "bundle header: no index log");
	return 0;
}

static int digest(const uint8_t *data, size_t size, uint8_t out[32],
		  struct roost_err *err)
{
	if (EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL) != 1)
		return roost_err_set(err, "SHA-256 is not available");
	return 0;
}

static int check_frame(const uint8_t *data, size_t size, struct roost_err *err)
{
	uint8_t sum[32];
	uint64_t version;

	if (size < AT_HEADER_SIZE)
		return roost_err_set(err, "bundle: too short (%zu bytes)",
				     size);
	if (memcmp(data, magic, sizeof(magic)) != 0)
		return roost_err_set(err, "bundle: not a bundle (bad magic)");
	version = get(data + AT_VERSION, 4);
	if (version != ROOST_BUNDLE_VERSION)
		return roost_err_set(
			err,
			"bundle: format version %u, this Roost reads only %u",
			(unsigned int)version, ROOST_BUNDLE_VERSION);
	if (size < ROOST_BUNDLE_HEADER_SIZE)
		return roost_err_set(err, "bundle: too short (%zu bytes)",
				     size);
	if (digest(data, AT_HEADER_DIGEST, sum, err) < 0)
		return -1;
	if (memcmp(sum, data + AT_HEADER_DIGEST, sizeof(sum)) != 0)
		return roost_err_set(err, "bundle header: wrong checksum");
	return 0;
}

int roost_bundle_header_parse(const uint8_t *data, size_t size,
			      struct roost_bundle_info *info,
			      uint8_t payload_digest[32], struct roost_err *err)
{
	uint64_t flags;
	unsigned int i;

	if (check_frame(data, size, err) < 0)
		return -1;
	flags = get(data + AT_FLAGS, 4);
	if (get(data + AT_HEADER_SIZE, 4) != ROOST_BUNDLE_HEADER_SIZE ||
	    get(data + AT_FILES, 4) != ROOST_BUNDLE_FILES ||
	    (flags & ~(uint64_t)FLAG_CLEAN) != 0)
		return roost_err_set(err, "bundle header: unknown layout");

	memset(info, 0, sizeof(*info));
	memcpy(info->guid, data + AT_GUID, sizeof(info->guid));
	info->uid_validity = (uint32_t)get(data + AT_UID_VALIDITY, 4);
	info->uid_next = (uint32_t)get(data + AT_UID_NEXT, 4);
	info->messages = (uint32_t)get(data + AT_MESSAGES, 4);
	info->cached = (uint32_t)get(data + AT_CACHED, 4);
	info->highest_modseq = get(data + AT_MODSEQ, 8);
	info->epoch = get(data + AT_EPOCH, 8);
	info->created_ms = get(data + AT_CREATED, 8);
	info->clean = (flags & FLAG_CLEAN) != 0;
	for (i = 0; i < ROOST_BUNDLE_FILES; i++)
		info->size[i] = get(data + AT_SIZES + 8 * i, 8);
	info->packed_size = get(data + AT_PACKED_SIZE, 8);
	memcpy(info->node, data + AT_NODE, sizeof(info->node));
	memcpy(payload_digest, data + AT_PAYLOAD_DIGEST, 32);
	return check(info, err);
}

int roost_bundle_header_format(const struct roost_bundle_info *info,
			       const uint8_t payload_digest[32],
			       uint8_t data[ROOST_BUNDLE_HEADER_SIZE],
			       struct roost_err *err)
{
	unsigned int i;

	if (check(info, err) < 0)
		return -1;
	memset(data, 0, ROOST_BUNDLE_HEADER_SIZE);
	memcpy(data + AT_MAGIC, magic, sizeof(magic));
	put(data + AT_VERSION, ROOST_BUNDLE_VERSION, 4);
	put(data + AT_HEADER_SIZE, ROOST_BUNDLE_HEADER_SIZE, 4);
	memcpy(data + AT_GUID, info->guid, sizeof(info->guid));
	put(data + AT_UID_VALIDITY, info->uid_validity, 4);
	put(data + AT_UID_NEXT, info->uid_next, 4);
	put(data + AT_MESSAGES, info->messages, 4);
	put(data + AT_CACHED, info->cached, 4);
	put(data + AT_MODSEQ, info->highest_modseq, 8);
	put(data + AT_EPOCH, info->epoch, 8);
	put(data + AT_CREATED, info->created_ms, 8);
	put(data + AT_FLAGS, info->clean ? FLAG_CLEAN : 0, 4);
	put(data + AT_FILES, ROOST_BUNDLE_FILES, 4);
	for (i = 0; i < ROOST_BUNDLE_FILES; i++)
		put(data + AT_SIZES + 8 * i, info->size[i], 8);
	put(data + AT_PACKED_SIZE, info->packed_size, 8);
	memcpy(data + AT_NODE, info->node, sizeof(info->node));
	memcpy(data + AT_PAYLOAD_DIGEST, payload_digest, 32);
	return digest(data, AT_HEADER_DIGEST, data + AT_HEADER_DIGEST, err);
}
