/* SPDX-License-Identifier: MIT */
/* internal-hosts: reads OpenDKIM's TrustedHosts (InternalHosts) file. */
#include "milter/internal-hosts.h"

#include "milter/key-file.h"
#include "milter/table-file.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_host_name(const char *text)
{
	bool letter = false;

	for (; *text != '\0'; text++) {
		bool alpha = (*text >= 'a' && *text <= 'z') ||
			     (*text >= 'A' && *text <= 'Z');

		letter = letter || alpha;
		if (!alpha && !(*text >= '0' && *text <= '9') &&
		    strchr(".-_*", *text) == NULL)
			return false;
	}
	return letter;
}

static int add_line(const struct roost_table_line *line,
		    struct roost_cidr_set *set, const struct roost_log *log,
		    struct roost_err *err)
{
	const char *host = line->key;

	if (*line->value != '\0')
		return roost_err_set(err, "%s: one host a line", line->place);
	if (strcasecmp(host, "localhost") == 0) {
		if (roost_cidr_set_add_text(set, "127.0.0.0/8", err) < 0 ||
		    roost_cidr_set_add_text(set, "::1", err) < 0)
			return -1;
		return 0;
	}
	if (is_host_name(host)) {
		roost_log_msg(log, ROOST_LOG_WARNING, "internal_host_skipped",
			      "%s: %s is a name; only addresses are trusted",
			      line->place, host);
		return 0;
	}
	if (roost_cidr_set_add_text(set, host, err) < 0)
		return roost_err_prefix(err, "%s", line->place);
	return 0;
}

int roost_internal_hosts_parse(const char *path, char *text,
			       struct roost_cidr_set *set,
			       const struct roost_log *log,
			       struct roost_err *err)
{
	struct roost_table_file file;
	struct roost_table_line line;
	int ret;

	roost_table_file_init(&file, path, text);
	while ((ret = roost_table_file_next(&file, &line, err)) > 0) {
		if (add_line(&line, set, log, err) < 0)
			return -1;
	}
	return ret;
}

int roost_internal_hosts_read(const char *path, struct roost_cidr_set *set,
			      const struct roost_log *log,
			      struct roost_err *err)
{
	struct roost_buf buf = ROOST_BUF_INIT(ROOST_TABLE_FILE_MAX);
	int ret = roost_table_file_read(path, &buf, err);

	if (ret == 0 && buf.len > 0)
		ret = roost_internal_hosts_parse(path, (char *)buf.data, set,
						 log, err);
	roost_buf_free(&buf);
	return ret;
}
