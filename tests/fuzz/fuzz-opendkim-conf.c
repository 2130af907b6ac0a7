/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes milter/opendkim-conf: what is accepted has as many lines as the
 * original, and none that our own parser takes for a line of another kind; an
 * error names a line.
 */
#include "milter/milter-conf.h"
#include "milter/opendkim-conf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_lines(const void *data, size_t size)
{
	const char *p = data;
	size_t n = 0, i;

	for (i = 0; i < size; i++)
		n += p[i] == '\n';
	return n;
}

static void check_parse(const struct roost_buf *ours)
{
	const struct roost_conf_input input = { .path = "o" };
	struct roost_err err;
	struct roost_conf *conf =
		roost_conf_parse(&roost_milter_conf_table, &input,
				 roost_buf_str(ours), ours->len, &err);

	if (conf == NULL && (strstr(err.msg, "unknown") != NULL ||
			     strstr(err.msg, "name = value") != NULL))
		abort();
	roost_conf_free(&conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roost_buf out = ROOST_BUF_INIT(4 * size + 4096);
	struct roost_err err;
	size_t lines;

	if (roost_opendkim_conf_translate("o", (const char *)data, size, &out,
					  &err) == 0) {
		lines = count_lines(data, size);
		if (size > 0 && data[size - 1] != '\n')
			lines++;
		if (count_lines(out.data, out.len) != lines)
			abort();
		check_parse(&out);
	} else if (strncmp(err.msg, "o:", 2) != 0) {
		abort();
	}
	roost_buf_free(&out);
	return 0;
}
