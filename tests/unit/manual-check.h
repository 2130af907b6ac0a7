/* SPDX-License-Identifier: MIT */
/*
 * manual-check: whether a manual page has an entry for each row of a settings
 * table, in table order, with its default and its documentation:
 *     .It Ic name No = default
 *     Documentation, broken into lines as mdoc likes it.
 */
#ifndef ROOST_TESTS_MANUAL_CHECK_H
#define ROOST_TESTS_MANUAL_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/conf.h"

/* The file with every run of white space as one blank. */
static inline char *manual_read(const char *name)
{
	const char *srcdir = getenv("srcdir");
	struct roost_buf buf = ROOST_BUF_INIT(1 << 20);
	char path[4096];
	FILE *f;
	int c, last = ' ';

	snprintf(path, sizeof(path), "%s/docs/man/%s",
		 srcdir == NULL ? "." : srcdir, name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s cannot be read", path);
	while ((c = getc(f)) != EOF) {
		if (c == '\n' || c == '\t')
			c = ' ';
		if (c != ' ' || last != ' ')
			roost_buf_append_char(&buf, (char)c);
		last = c;
	}
	fclose(f);
	assert_false(buf.failed);
	return (char *)buf.data;
}

static inline void manual_check(const char *name,
				const struct roost_conf_table *table)
{
	char *manual = manual_read(name);
	const char *at = strstr(manual, ".Ss Settings");
	size_t i;

	assert_non_null(at);
	for (i = 0; i < table->count; i++) {
		const struct roost_conf_row *row = &table->rows[i];
		char entry[2048];

		snprintf(entry, sizeof(entry), " .It Ic %s No =%s%s %s .",
			 row->name, *row->def == '\0' ? "" : " ", row->def,
			 row->doc);
		at = strstr(at, entry);
		if (at == NULL)
			fail_msg("%s has not, in its place: %s", name, entry);
	}
	free(manual);
}

#endif
