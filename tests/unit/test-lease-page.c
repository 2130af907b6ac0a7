/* SPDX-License-Identifier: MIT */
/* Unit tests of dovecot-plugins/client/lease-page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dovecot-plugins/client/lease-page.h"

static char dir[] = "/tmp/roost-lease-XXXXXX", path[64];

static int setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", dir, ROOST_LEASE_PAGE_NAME);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static void write_file(const void *data, size_t size)
{
	FILE *f;

	(void)unlink(path);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	fclose(f);
}

static void test_readers_see_the_lease(void **state)
{
	const struct roost_lease_page *reader;
	struct roost_lease_page *page;
	struct roost_err err;
	struct stat st;

	(void)state;
	(void)unlink(path);
	assert_null(roost_lease_page_open(path, &err));
	page = roost_lease_page_create(path, "n1", &err);
	assert_non_null(page);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	reader = roost_lease_page_open(path, &err);
	assert_non_null(reader);
	assert_false(roost_lease_page_valid(reader, 0));

	roost_lease_page_publish(page, 5,
				 roost_lease_page_now() + 60000000000ULL);
	assert_true(roost_lease_page_valid(reader, 5));
	assert_false(roost_lease_page_valid(reader, 4));
	assert_false(roost_lease_page_valid(reader, 0));
	roost_lease_page_publish(page, 5, roost_lease_page_now());
	assert_false(roost_lease_page_valid(reader, 5));
	roost_lease_page_publish(page, 6, ROOST_LEASE_PAGE_FOREVER);
	assert_true(roost_lease_page_valid(reader, 6));
	assert_false(roost_lease_page_valid(reader, 5));
	assert_true(roost_lease_page_deadline(reader, 6) ==
		    ROOST_LEASE_PAGE_FOREVER);
	roost_lease_page_publish(page, 6, 0);
	assert_false(roost_lease_page_valid(reader, 6));
	roost_lease_page_close(reader);
	roost_lease_page_close(page);
	roost_lease_page_close(NULL);
}

static void test_next_agent_finds_the_boot(void **state)
{
	struct roost_lease_page *page;
	struct roost_err err;

	(void)state;
	(void)unlink(path);
	page = roost_lease_page_create(path, "n1", &err);
	assert_non_null(page);
	roost_lease_page_publish(page, 77, 88);
	strcpy(page->redis_id, "server");
	roost_lease_page_close(page);

	page = roost_lease_page_create(path, "n1", &err);
	assert_non_null(page);
	assert_true(atomic_load(&page->boot) == 77);
	assert_true(atomic_load(&page->deadline) == 88);
	assert_string_equal(page->redis_id, "server");
	page->kernel_boot[0] ^= 1; /* as after a restart of the machine */
	roost_lease_page_close(page);

	page = roost_lease_page_create(path, "n1", &err);
	assert_non_null(page);
	assert_true(atomic_load(&page->boot) == 0);
	assert_true(atomic_load(&page->deadline) == 0);
	assert_string_equal(page->redis_id, "");
	roost_lease_page_publish(page, 78, 89);
	roost_lease_page_close(page);

	page = roost_lease_page_create(path, "n2", &err);
	assert_non_null(page);
	assert_true(atomic_load(&page->boot) == 0);
	roost_lease_page_close(page);
}

static void test_other_layouts_are_refused(void **state)
{
	struct roost_lease_page other = {
		.magic = ROOST_LEASE_PAGE_MAGIC,
		.version = ROOST_LEASE_PAGE_VERSION,
		.size = sizeof(other),
		.boot = 1,
		.deadline = ROOST_LEASE_PAGE_FOREVER,
	};
	const struct roost_lease_page *reader;
	struct roost_err err;
	int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		struct roost_lease_page file = other;
		size_t size = sizeof(file);

		switch (i) {
		case 1:
			file.magic++;
			break;
		case 2:
			file.version++;
			break;
		case 3:
			file.size--;
			break;
		case 4:
			size--;
			break;
		case 5:
			size = 0;
			break;
		}
		write_file(&file, size);
		reader = roost_lease_page_open(path, &err);
		if (i == 0)
			assert_non_null(reader);
		else
			assert_null(reader);
		roost_lease_page_close(reader);
	}
	(void)unlink(path);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_null(roost_lease_page_open(path, &err));
	assert_null(roost_lease_page_create(path, "n1", &err));
}

static void test_writer_replaces_other_layouts(void **state)
{
	struct roost_lease_page *page;
	struct roost_err err;

	(void)state;
	write_file("short", 5);
	page = roost_lease_page_create(path, "n1", &err);
	assert_non_null(page);
	assert_true(atomic_load(&page->boot) == 0);
	page->version++;
	atomic_store(&page->boot, 3);
	roost_lease_page_close(page);
	page = roost_lease_page_create(path, "n1", &err);
	assert_non_null(page);
	assert_true(atomic_load(&page->boot) == 0);
	roost_lease_page_close(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers_see_the_lease),
		cmocka_unit_test(test_next_agent_finds_the_boot),
		cmocka_unit_test(test_other_layouts_are_refused),
		cmocka_unit_test(test_writer_replaces_other_layouts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
