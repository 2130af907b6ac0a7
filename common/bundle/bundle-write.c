/* SPDX-License-Identifier: MIT */
/* bundle writer: header, then one zstd frame of all files, one after another.
 */
#include "common/bundle/bundle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <zstd.h>

#define LEVEL 3 /* measured: higher levels cost time and save nothing */
#define CHUNK ((size_t)128 * 1024)

struct packer {
	int out_fd;
	uint64_t written; /* payload bytes so far */
	EVP_MD_CTX *md;
	ZSTD_CCtx *zstd;
	uint8_t *in, *out; /* CHUNK bytes each */
};

static void packer_free(struct packer *p)
{
	EVP_MD_CTX_free(p->md);
	ZSTD_freeCCtx(p->zstd);
	free(p->in);
	free(p->out);
}

static int packer_init(struct packer *p, int out_fd, uint64_t total,
		       struct roost_err *err)
{
	memset(p, 0, sizeof(*p));
	p->out_fd = out_fd;
	p->md = EVP_MD_CTX_new();
	p->zstd = ZSTD_createCCtx();
	p->in = malloc(CHUNK);
	p->out = malloc(CHUNK);
	if (p->md == NULL || p->zstd == NULL || p->in == NULL ||
	    p->out == NULL ||
	    EVP_DigestInit_ex(p->md, EVP_sha256(), NULL) != 1 ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(
		    p->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(p->zstd, total))) {
		packer_free(p);
		return roost_err_set(err, "bundle: out of memory");
	}
	return 0;
}

static int write_at(int fd, const uint8_t *data, size_t size, uint64_t at,
		    struct roost_err *err)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, data, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return roost_err_set(err, "bundle: write: %s",
					     n < 0 ? strerror(errno) : "short");
		data += n;
		size -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

/* Compresses `size` bytes of p->in; ends the frame if `last`. */
static int packer_feed(struct packer *p, size_t size, bool last,
		       struct roost_err *err)
{
	ZSTD_inBuffer in = { p->in, size, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { p->out, CHUNK, 0 };

		left = ZSTD_compressStream2(p->zstd, &out, &in,
					    last ? ZSTD_e_end
						 : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return roost_err_set(err, "bundle: zstd: %s",
					     ZSTD_getErrorName(left));
		if (EVP_DigestUpdate(p->md, p->out, out.pos) != 1)
			return roost_err_set(err, "bundle: SHA-256 failed");
		if (write_at(p->out_fd, p->out, out.pos,
			     ROOST_BUNDLE_HEADER_SIZE + p->written, err) < 0)
			return -1;
		p->written += out.pos;
	} while (last ? left > 0 : in.pos < in.size);
	return 0;
}

static int pack_file(struct packer *p, int fd, uint64_t size, const char *name,
		     struct roost_err *err)
{
	uint64_t at = 0;

	while (at < size) {
		size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		ssize_t n = pread(fd, p->in, want, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return roost_err_set(err, "bundle: %s: %s", name,
					     n < 0 ? strerror(errno)
						   : "shorter than announced");
		if (packer_feed(p, (size_t)n, false, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return 0;
}

static int pack_files(struct packer *p, const struct roost_bundle_info *info,
		      const int fds[ROOST_BUNDLE_FILES], struct roost_err *err)
{
	unsigned int i;

	for (i = 0; i < ROOST_BUNDLE_FILES; i++) {
		if (pack_file(p, fds[i], info->size[i],
			      roost_bundle_file_name((enum roost_bundle_file)i),
			      err) < 0)
			return -1;
	}
	return packer_feed(p, 0, true, err);
}

int roost_bundle_write(int out_fd, struct roost_bundle_info *info,
		       const int fds[ROOST_BUNDLE_FILES], struct roost_err *err)
{
	uint8_t header[ROOST_BUNDLE_HEADER_SIZE], digest[32] = { 0 };
	struct packer p;
	int ret;

	/* what cannot be read back is refused before any work */
	info->packed_size = 0;
	if (roost_bundle_header_format(info, digest, header, err) < 0)
		return -1;
	if (packer_init(&p, out_fd, roost_bundle_total(info), err) < 0)
		return -1;
	ret = pack_files(&p, info, fds, err);
	if (ret == 0 && EVP_DigestFinal_ex(p.md, digest, NULL) != 1)
		ret = roost_err_set(err, "bundle: SHA-256 failed");
	info->packed_size = p.written;
	packer_free(&p);
	if (ret < 0 ||
	    roost_bundle_header_format(info, digest, header, err) < 0)
		return -1;
	return write_at(out_fd, header, sizeof(header), 0, err);
}
