/* SPDX-License-Identifier: MIT */
/* Unit tests of common/bundle: floor, epoch-record and uidlist-head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/bundle/floor.h"
#include "common/bundle/epoch-record.h"
#include "common/bundle/uidlist-head.h"

static const struct roost_floor sample = {
	.guid = { 0xab, 0xcd, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
	.uid_validity = 1700000000,
	.reserved = 4196,
	.epoch = 17,
};

static void test_round_trip(void **state)
{
	struct roost_floor floor;
	char data[ROOST_FLOOR_MAX_SIZE];
	struct roost_err err;
	size_t size = roost_floor_format(&sample, data);

	(void)state;
	assert_memory_equal(data, "roost-floor 1 abcd0304", 22);
	assert_int_equal(roost_floor_parse(data, size, &floor, &err), 0);
	assert_memory_equal(floor.guid, sample.guid, sizeof(floor.guid));
	assert_int_equal(floor.uid_validity, sample.uid_validity);
	assert_int_equal(floor.reserved, sample.reserved);
	assert_int_equal(floor.epoch, sample.epoch);
}

static void test_every_damage(void **state)
{
	struct roost_floor floor;
	char data[ROOST_FLOOR_MAX_SIZE + 1];
	struct roost_err err;
	size_t size = roost_floor_format(&sample, data);

	(void)state;
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(roost_floor_parse(data, cut, &floor, &err),
				 -1);
	for (size_t bit = 0; bit < size * 8; bit++) {
		data[bit / 8] ^= (char)(1U << bit % 8);
		assert_int_equal(roost_floor_parse(data, size, &floor, &err),
				 -1);
		data[bit / 8] ^= (char)(1U << bit % 8);
	}
	data[size] = '\n';
	assert_int_equal(roost_floor_parse(data, size + 1, &floor, &err), -1);
	assert_int_equal(roost_floor_parse(data, size, &floor, &err), 0);
}

static void test_newer_version_is_named(void **state)
{
	static const char text[] = "roost-floor 2 whatever\n";
	struct roost_floor floor;
	struct roost_err err;

	(void)state;
	assert_int_equal(roost_floor_parse(text, strlen(text), &floor, &err),
			 -1);
	assert_string_equal(err.msg,
			    "floor record: version 2, this Roost reads only 1");
}

static void test_modseq_is_bounded(void **state)
{
	struct roost_floor floor = sample;
	char data[ROOST_FLOOR_MAX_SIZE];
	struct roost_err err;
	size_t size;

	(void)state;
	floor.reserved = ROOST_FLOOR_MODSEQ_MAX + 1;
	size = roost_floor_format(&floor, data);
	assert_int_equal(roost_floor_parse(data, size, &floor, &err), -1);
	assert_true(roost_floor_reserve(ROOST_FLOOR_MODSEQ_MAX) ==
		    ROOST_FLOOR_MODSEQ_MAX);
}

static void test_start(void **state)
{
	static const struct {
		const char *name;
		uint64_t reserved; /* 0: no record */
		uint64_t index_modseq;
		bool clean;
		uint64_t start;
	} cases[] = {
		{ "clean handover", 48, 48, true, 0 },
		{ "packed in the middle", 48, 48, false, 49 },
		{ "stale bundle", 4196, 48, true, 4197 },
		{ "bundle ahead of the record", 48, 60, true, 61 },
		{ "no bundle", 4196, 0, false, 4197 },
		{ "no record", 0, 48, true, 1700000000001 },
		{ "no record, no bundle", 0, 0, false, 1700000000001 },
		{ "no record, later clock in the bundle", 0, 1800000000000,
		  true, 1800000000001 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct roost_floor floor = { .reserved = cases[i].reserved };
		uint64_t start = roost_floor_start(
			cases[i].reserved == 0 ? NULL : &floor,
			cases[i].index_modseq, cases[i].clean, 1700000000000);

		if (start != cases[i].start)
			fail_msg("%s: %llu", cases[i].name,
				 (unsigned long long)start);
	}
}

static void test_uidlist(void **state)
{
#define GUID "0123456789abcdef0123456789ABCDEF"
	static const struct {
		const char *name, *text;
		int ret;
		bool unused;
	} cases[] = {
		{ "in use", "3 V17 N5 G" GUID "\n1 :a\n", 0, false },
		{ "empty now, used before", "3 V17 N5 G" GUID "\n", 0, false },
		{ "never used", "3 V17 N1 G" GUID "\n", 0, true },
		{ "old UIDNEXT, but records", "3 V17 N1 G" GUID "\n1 :a\n", 0,
		  false },
		{ "other keys", "3 V17 Xabc N5 G" GUID " Y\n", 0, false },
		{ "empty", "", -1, false },
		{ "no line end", "3 V17 N5 G" GUID, -1, false },
		{ "version 1", "1 17 5\n", -1, false },
		{ "no GUID", "3 V17 N5\n", -1, false },
		{ "no UIDVALIDITY", "3 N5 G" GUID "\n", -1, false },
		{ "zero UIDVALIDITY", "3 V0 N5 G" GUID "\n", -1, false },
		{ "too large", "3 V4294967296 N5 G" GUID "\n", -1, false },
		{ "not a number", "3 V1x N5 G" GUID "\n", -1, false },
		{ "short GUID", "3 V17 N5 G0123\n", -1, false },
		{ "bad GUID", "3 V17 N5 G0123456789abcdef0123456789abcdeg\n",
		  -1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct roost_uidlist_head head;
		struct roost_err err;
		int ret = roost_uidlist_head_parse(
			cases[i].text, strlen(cases[i].text), &head, &err);

		if (ret != cases[i].ret || head.unused != cases[i].unused)
			fail_msg("%s: %d", cases[i].name, ret);
		if (ret == 0) {
			assert_int_equal(head.uid_validity, 17);
			assert_int_equal(head.guid[15], 0xef);
		}
	}
}

static void test_epoch_record(void **state)
{
	static const uint64_t epochs[] = { 0, 1, 1795327823939376, UINT64_MAX };
	char data[ROOST_EPOCH_RECORD_SIZE];
	struct roost_err err;
	uint64_t epoch;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t size = roost_epoch_record_format(epochs[i], data);

		assert_int_equal(
			roost_epoch_record_parse(data, size, &epoch, &err), 0);
		assert_int_equal(epoch, epochs[i]);
		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(roost_epoch_record_parse(data, cut,
								  &epoch, &err),
					 -1);
		for (size_t bit = 0; bit < size * 8; bit++) {
			data[bit / 8] ^= (char)(1U << bit % 8);
			assert_int_equal(roost_epoch_record_parse(data, size,
								  &epoch, &err),
					 -1);
			data[bit / 8] ^= (char)(1U << bit % 8);
		}
	}
	assert_int_equal(
		roost_epoch_record_parse("roost-epoch 2 x\n", 16, &epoch, &err),
		-1);
	assert_string_equal(err.msg, "epoch record: not one");
	assert_int_equal(roost_epoch_record_parse("roost-epoch 2 5 x\n", 18,
						  &epoch, &err),
			 -1);
	assert_non_null(strstr(err.msg, "version 2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_epoch_record),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_damage),
		cmocka_unit_test(test_newer_version_is_named),
		cmocka_unit_test(test_modseq_is_bounded),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_uidlist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
