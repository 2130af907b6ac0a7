/* SPDX-License-Identifier: MIT */
/* Unit tests of common/bundle/bundle: nothing damaged may come out. */
#include "roost-config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bundle/bundle.h"

#define N ROOST_BUNDLE_FILES

static int mem_fd(const void *data, size_t size)
{
	int fd = memfd_create("test", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	return fd;
}

static size_t slurp(int fd, uint8_t *data, size_t max)
{
	ssize_t n = pread(fd, data, max, 0);

	assert_true(n >= 0 && (size_t)n < max);
	return (size_t)n;
}

static void close_all(int fds[N])
{
	for (unsigned int i = 0; i < N; i++) {
		if (fds[i] != -1)
			close(fds[i]);
		fds[i] = -1;
	}
}

static const struct roost_bundle_info sample = {
	.guid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
	.uid_validity = 1700000000,
	.uid_next = 5,
	.messages = 3,
	.cached = 2,
	.highest_modseq = 1234567890123,
	.epoch = 1700000000000001,
	.created_ms = 1700000000123,
	.clean = true,
	.node = "node-1",
};

static const char *const contents[N] = { "the cache\n", "", "old log",
					 "the index", "the log" };

/* Packs `contents` into a new memory file. */
static int pack(struct roost_bundle_info *info)
{
	struct roost_err err = { "" };
	int fds[N], fd = memfd_create("bundle", 0);

	*info = sample;
	for (unsigned int i = 0; i < N; i++) {
		fds[i] = mem_fd(contents[i], strlen(contents[i]));
		info->size[i] = strlen(contents[i]);
	}
	assert_int_equal(roost_bundle_write(fd, info, fds, &err), 0);
	close_all(fds);
	return fd;
}

/* Reads a bundle as the plugin does; 0 if it would be trusted. */
static int unpack(int fd, struct roost_bundle_info *info, int fds[N],
		  struct roost_err *err)
{
	if (roost_bundle_read_info(fd, info, err) < 0)
		return -1;
	return roost_bundle_unpack(fd, info, fds, err);
}

static int verify_bytes(const uint8_t *data, size_t size, struct roost_err *err)
{
	int fds[N] = { -1, -1, -1, -1, -1 };
	struct roost_bundle_info info;
	int ret, fd = mem_fd(data, size);

	ret = unpack(fd, &info, fds, err);
	close(fd);
	return ret;
}

static void test_round_trip(void **state)
{
	struct roost_bundle_info packed, info;
	struct roost_err err = { "" };
	int fds[N], fd = pack(&packed);
	uint8_t data[64];

	(void)state;
	for (unsigned int i = 0; i < N; i++)
		fds[i] = memfd_create("out", 0);
	assert_int_equal(unpack(fd, &info, fds, &err), 0);
	assert_memory_equal(&info, &packed, sizeof(info));
	for (unsigned int i = 0; i < N; i++) {
		assert_int_equal(slurp(fds[i], data, sizeof(data)),
				 strlen(contents[i]));
		assert_memory_equal(data, contents[i], strlen(contents[i]));
	}
	close_all(fds);
	close(fd);
}

static void test_large_files(void **state)
{
	const size_t size = 3 * 1024 * 1024 + 17;
	uint8_t *data = malloc(size), *back = malloc(size + 1);
	int out[N] = { -1, -1, -1, -1, -1 };
	int in[N], fd = memfd_create("bundle", 0);
	struct roost_bundle_info info = sample;
	struct roost_err err = { "" };

	(void)state;
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * i >> (i % 7));
	for (unsigned int i = 0; i < N; i++) {
		in[i] = mem_fd(data, size - i);
		info.size[i] = size - i;
	}
	assert_int_equal(roost_bundle_write(fd, &info, in, &err), 0);
	out[ROOST_BUNDLE_LOG] = memfd_create("out", 0);
	assert_int_equal(unpack(fd, &info, out, &err), 0);
	assert_int_equal(slurp(out[ROOST_BUNDLE_LOG], back, size + 1),
			 size - ROOST_BUNDLE_LOG);
	assert_memory_equal(back, data, size - ROOST_BUNDLE_LOG);
	close_all(in);
	close_all(out);
	close(fd);
	free(data);
	free(back);
}

static void test_every_truncation(void **state)
{
	struct roost_bundle_info info;
	struct roost_err err;
	uint8_t data[1024];
	int fd = pack(&info);
	size_t size = slurp(fd, data, sizeof(data) - 1);

	(void)state;
	assert_int_equal(verify_bytes(data, size, &err), 0);
	for (size_t cut = 0; cut < size; cut++) {
		err.msg[0] = '\0';
		assert_int_equal(verify_bytes(data, cut, &err), -1);
		assert_string_not_equal(err.msg, "");
	}
	data[size] = 'x';
	assert_int_equal(verify_bytes(data, size + 1, &err), -1);
	close(fd);
}

static void test_every_bit_flip(void **state)
{
	struct roost_bundle_info info;
	struct roost_err err;
	uint8_t data[1024];
	int fd = pack(&info);
	size_t size = slurp(fd, data, sizeof(data));

	(void)state;
	for (size_t bit = 0; bit < size * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(verify_bytes(data, size, &err), -1);
		data[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_int_equal(verify_bytes(data, size, &err), 0);
	close(fd);
}

static void test_newer_version_is_named(void **state)
{
	struct roost_bundle_info info;
	struct roost_err err;
	uint8_t data[1024];
	int fd = pack(&info);
	size_t size = slurp(fd, data, sizeof(data));

	(void)state;
	data[8] = 2;
	assert_int_equal(verify_bytes(data, size, &err), -1);
	assert_string_equal(
		err.msg, "bundle: format version 2, this Roost reads only 1");
	close(fd);
}

/* Headers with a right checksum and a wrong content: what a hostile or buggy
   writer could leave. Nothing is allocated from what they say. */
static void test_bad_headers(void **state)
{
	static const struct {
		const char *name;
		size_t offset;
		uint64_t value;
	} cases[] = {
		{ "huge file", offsetof(struct roost_bundle_info, size[3]),
		  UINT64_MAX },
		{ "sum overflows", offsetof(struct roost_bundle_info, size[4]),
		  UINT64_MAX - 5 },
		{ "payload too large",
		  offsetof(struct roost_bundle_info, packed_size),
		  ROOST_BUNDLE_MAX_SIZE + 1 },
		{ "no log", offsetof(struct roost_bundle_info, size[4]), 0 },
		{ "blank in node", offsetof(struct roost_bundle_info, node),
		  0x2020202020202020 },
	};
	uint8_t data[ROOST_BUNDLE_HEADER_SIZE], digest[32] = { 0 };
	struct roost_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct roost_bundle_info info = sample;

		info.size[3] = 1;
		info.size[4] = 8;
		memcpy((char *)&info + cases[i].offset, &cases[i].value, 8);
		if (roost_bundle_header_format(&info, digest, data, &err) == 0)
			fail_msg("accepted: %s", cases[i].name);
	}
}

static void test_counts_are_checked(void **state)
{
	uint8_t data[ROOST_BUNDLE_HEADER_SIZE], digest[32] = { 0 };
	struct roost_bundle_info info;
	struct roost_err err;

	(void)state;
	info = sample;
	info.size[ROOST_BUNDLE_LOG] = 1;
	assert_int_equal(roost_bundle_header_format(&info, digest, data, &err),
			 0);
	info.cached = info.messages + 1;
	assert_int_equal(roost_bundle_header_format(&info, digest, data, &err),
			 -1);
	info.cached = 0;
	info.messages = info.uid_next;
	assert_int_equal(roost_bundle_header_format(&info, digest, data, &err),
			 -1);
	info.messages = 0;
	info.uid_validity = 0;
	assert_int_equal(roost_bundle_header_format(&info, digest, data, &err),
			 -1);
}

/* The announced sizes are the bound of what is written, whatever is inside. */
static void test_payload_does_not_fit(void **state)
{
	static const int shifts[] = { 1, -1 };
	int out[N] = { -1, -1, -1, -1, -1 };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct roost_bundle_info info, other;
		uint8_t header[ROOST_BUNDLE_HEADER_SIZE], digest[32];
		struct roost_err err;
		int fd = pack(&info);

		assert_int_equal(pread(fd, header, sizeof(header), 0),
				 sizeof(header));
		assert_int_equal(
			roost_bundle_header_parse(header, sizeof(header),
						  &other, digest, &err),
			0);
		other.size[ROOST_BUNDLE_LOG] += (uint64_t)shifts[i];
		assert_int_equal(roost_bundle_header_format(&other, digest,
							    header, &err),
				 0);
		assert_int_equal(pwrite(fd, header, sizeof(header), 0),
				 sizeof(header));
		assert_int_equal(unpack(fd, &info, out, &err), -1);
		assert_non_null(strstr(err.msg, "than announced"));
		close(fd);
	}
}

static void test_source_shrinks(void **state)
{
	struct roost_bundle_info info = sample;
	int fd = memfd_create("bundle", 0);
	int fds[N] = { -1, -1, -1, -1, mem_fd("log", 3) };
	struct roost_err err;

	(void)state;
	info.size[ROOST_BUNDLE_LOG] = 4;
	assert_int_equal(roost_bundle_write(fd, &info, fds, &err), -1);
	assert_non_null(strstr(err.msg, "dovecot.index.log"));
	close_all(fds);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_large_files),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_bit_flip),
		cmocka_unit_test(test_newer_version_is_named),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_counts_are_checked),
		cmocka_unit_test(test_payload_does_not_fit),
		cmocka_unit_test(test_source_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
