/* SPDX-License-Identifier: MIT */
/* bundle reader: checks the header, then unpacks the one zstd frame into at
   most the announced bytes; memory use does not depend on the input. */
#include "common/bundle/bundle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <zstd.h>

#define CHUNK ((size_t)128 * 1024)
#define WINDOW_LOG_MAX 23 /* level 3 uses 21 */

struct unpacker {
	const struct roost_bundle_info *info;
	const int *fds;
	unsigned int file; /* the one being written, ROOST_BUNDLE_FILES: all
			      are complete */
	uint64_t done;	   /* bytes of it */
	EVP_MD_CTX *md;
	ZSTD_DCtx *zstd;
	size_t zstd_hint;  /* 0: the frame is complete */
	uint8_t *in, *out; /* CHUNK bytes each */
};

/* Reads up to size bytes at an offset: fewer only at the end of the file. */
static ssize_t read_at(int fd, uint8_t *data, size_t size, uint64_t at,
		       struct roost_err *err)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n =
			pread(fd, data + done, size - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return roost_err_set(err, "bundle: read: %s",
					     strerror(errno));
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int read_header(int fd, struct roost_bundle_info *info,
		       uint8_t digest[32], struct roost_err *err)
{
	uint8_t header[ROOST_BUNDLE_HEADER_SIZE];
	ssize_t n = read_at(fd, header, sizeof(header), 0, err);

	if (n < 0)
		return -1;
	return roost_bundle_header_parse(header, (size_t)n, info, digest, err);
}

int roost_bundle_read_info(int fd, struct roost_bundle_info *info,
			   struct roost_err *err)
{
	uint8_t digest[32];
	struct stat st;

	if (read_header(fd, info, digest, err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return roost_err_set(err, "bundle: fstat: %s", strerror(errno));
	if ((uint64_t)st.st_size !=
	    ROOST_BUNDLE_HEADER_SIZE + info->packed_size)
		return roost_err_set(
			err, "bundle: %llu bytes, the header announces %llu",
			(unsigned long long)st.st_size,
			(unsigned long long)(ROOST_BUNDLE_HEADER_SIZE +
					     info->packed_size));
	return 0;
}

static void unpacker_free(struct unpacker *u)
{
	EVP_MD_CTX_free(u->md);
	ZSTD_freeDCtx(u->zstd);
	free(u->in);
	free(u->out);
}

static int unpacker_init(struct unpacker *u, struct roost_err *err)
{
	u->md = EVP_MD_CTX_new();
	u->zstd = ZSTD_createDCtx();
	u->in = malloc(CHUNK);
	u->out = malloc(CHUNK);
	if (u->md == NULL || u->zstd == NULL || u->in == NULL ||
	    u->out == NULL ||
	    EVP_DigestInit_ex(u->md, EVP_sha256(), NULL) != 1 ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax,
						WINDOW_LOG_MAX))) {
		unpacker_free(u);
		return roost_err_set(err, "bundle: out of memory");
	}
	return 0;
}

static int write_all(int fd, const uint8_t *data, size_t size,
		     struct roost_err *err)
{
	while (fd != -1 && size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return roost_err_set(err, "bundle: write: %s",
					     n < 0 ? strerror(errno) : "short");
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static void skip_complete_files(struct unpacker *u)
{
	while (u->file < ROOST_BUNDLE_FILES &&
	       u->done == u->info->size[u->file]) {
		u->file++;
		u->done = 0;
	}
}

/* Deals unpacked bytes out to the files. */
static int unpacker_emit(struct unpacker *u, const uint8_t *data, size_t size,
			 struct roost_err *err)
{
	while (size > 0) {
		uint64_t room;
		size_t n;

		skip_complete_files(u);
		if (u->file == ROOST_BUNDLE_FILES)
			return roost_err_set(
				err, "bundle: more data than announced");
		room = u->info->size[u->file] - u->done;
		n = room < size ? (size_t)room : size;
		if (write_all(u->fds[u->file], data, n, err) < 0)
			return -1;
		u->done += n;
		data += n;
		size -= n;
	}
	return 0;
}

static int unpacker_feed(struct unpacker *u, size_t size, struct roost_err *err)
{
	ZSTD_inBuffer in = { u->in, size, 0 };
	bool full;

	if (EVP_DigestUpdate(u->md, u->in, size) != 1)
		return roost_err_set(err, "bundle: SHA-256 failed");
	do {
		ZSTD_outBuffer out = { u->out, CHUNK, 0 };

		if (u->zstd_hint == 0)
			return roost_err_set(err, "bundle: data after the end");
		u->zstd_hint = ZSTD_decompressStream(u->zstd, &out, &in);
		if (ZSTD_isError(u->zstd_hint))
			return roost_err_set(err, "bundle: zstd: %s",
					     ZSTD_getErrorName(u->zstd_hint));
		if (unpacker_emit(u, u->out, out.pos, err) < 0)
			return -1;
		full = out.pos == out.size;
	} while (in.pos < in.size || (full && u->zstd_hint != 0));
	return 0;
}

static int unpack_payload(struct unpacker *u, int fd, struct roost_err *err)
{
	uint64_t at = 0;

	while (at < u->info->packed_size) {
		uint64_t left = u->info->packed_size - at;
		ssize_t n =
			read_at(fd, u->in, left < CHUNK ? (size_t)left : CHUNK,
				ROOST_BUNDLE_HEADER_SIZE + at, err);

		if (n < 0)
			return -1;
		if (n == 0)
			return roost_err_set(err, "bundle: cut short");
		if (unpacker_feed(u, (size_t)n, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	skip_complete_files(u);
	if (u->zstd_hint != 0 || u->file != ROOST_BUNDLE_FILES)
		return roost_err_set(err, "bundle: less data than announced");
	return 0;
}

int roost_bundle_unpack(int fd, const struct roost_bundle_info *info,
			const int fds[ROOST_BUNDLE_FILES],
			struct roost_err *err)
{
	struct unpacker u = { .info = info, .fds = fds, .zstd_hint = 1 };
	struct roost_bundle_info now;
	uint8_t want[32], got[32];
	int ret;

	if (read_header(fd, &now, want, err) < 0)
		return -1;
	if (memcmp(&now, info, sizeof(now)) != 0)
		return roost_err_set(err, "bundle: replaced while reading");
	if (unpacker_init(&u, err) < 0)
		return -1;
	ret = unpack_payload(&u, fd, err);
	if (ret == 0 && EVP_DigestFinal_ex(u.md, got, NULL) != 1)
		ret = roost_err_set(err, "bundle: SHA-256 failed");
	unpacker_free(&u);
	if (ret == 0 && memcmp(want, got, sizeof(got)) != 0)
		ret = roost_err_set(err, "bundle: wrong checksum");
	return ret;
}
