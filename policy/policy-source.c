/* SPDX-License-Identifier: MIT */
/* policy-source: one table and where it comes from. */
#include "policy/policy-source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int roost_policy_source_init(struct roost_policy_source *source,
			     const char *spec, const char *query,
			     struct roost_err *err)
{
	const char *path = strchr(spec, ':');

	memset(source, 0, sizeof(*source));
	source->query = query;
	source->spec = strdup(spec);
	if (source->spec == NULL)
		return roost_err_set(err, "out of memory");
	if (strcmp(spec, "pgsql:") == 0) {
		source->kind = ROOST_POLICY_SOURCE_PGSQL;
		return 0;
	}
	if (strncmp(spec, "hash:/", 6) == 0)
		source->kind = ROOST_POLICY_SOURCE_PLAIN;
	else if (strncmp(spec, "regexp:/", 8) == 0)
		source->kind = ROOST_POLICY_SOURCE_REGEXP;
	else
		return roost_err_set(err,
				     "'%.100s' is not hash:/path, "
				     "regexp:/path or pgsql:",
				     spec);
	source->path = source->spec + (path + 1 - spec);
	return 0;
}

void roost_policy_source_free(struct roost_policy_source *source)
{
	free(source->spec);
	source->spec = NULL;
	roost_policy_table_free(&source->table);
}

void roost_policy_source_inherit(struct roost_policy_source *source,
				 struct roost_policy_source *from)
{
	struct roost_policy_source old = *from;

	if (strcmp(source->spec, from->spec) != 0 || from->table == NULL ||
	    source->table != NULL ||
	    (source->kind == ROOST_POLICY_SOURCE_PGSQL &&
	     strcmp(source->query, from->query) != 0))
		return;
	from->table = NULL;
	old.spec = source->spec;
	old.path = source->path;
	old.query = source->query;
	old.joins = source->joins;
	*source = old;
}

static void log_problem(struct roost_policy_source *source, const char *reason,
			const struct roost_log *log)
{
	struct roost_log_line line;

	if (source->bad)
		return;
	source->bad = true;
	roost_log_begin(&line, log, ROOST_LOG_ERROR, "table_problem");
	roost_log_str(&line, "table", source->spec);
	roost_log_str(&line, "reason", reason);
	roost_log_str(&line, "msg",
		      source->table != NULL ? "the last good table stays"
					    : "there is no table yet");
	roost_log_end(&line);
}

static void put_in_force(struct roost_policy_source *source,
			 struct roost_policy_table *table, int64_t now,
			 const struct roost_log *log)
{
	struct roost_log_line line;
	/* a query runs again and again */
	bool news = source->table == NULL || source->bad ||
		    source->kind != ROOST_POLICY_SOURCE_PGSQL ||
		    roost_policy_table_count(table) !=
			    roost_policy_table_count(source->table);

	roost_policy_table_free(&source->table);
	source->table = table;
	source->checked = now;
	source->bad = false;
	roost_log_begin(&line, log, news ? ROOST_LOG_INFO : ROOST_LOG_DEBUG,
			"table_loaded");
	roost_log_str(&line, "table", source->spec);
	roost_log_int(&line, "rows", (int64_t)roost_policy_table_count(table));
	roost_log_end(&line);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_unchanged(const struct roost_policy_source *source,
			 const struct stat *st)
{
	return source->device == st->st_dev && source->inode == st->st_ino &&
	       source->size == st->st_size &&
	       same_time(&source->modified, &st->st_mtim) &&
	       same_time(&source->changed, &st->st_ctim);
}

static void remember(struct roost_policy_source *source, const struct stat *st)
{
	source->device = st->st_dev;
	source->inode = st->st_ino;
	source->size = st->st_size;
	source->modified = st->st_mtim;
	source->changed = st->st_ctim;
}

/* Reads the whole file; *st_r tells which. */
static char *read_file(const char *path, size_t *len_r, struct stat *st_r,
		       struct roost_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	ssize_t n = 0;

	*len_r = 0;
	if (fd < 0 || fstat(fd, st_r) < 0) {
		roost_err_set(err, "%s", strerror(errno));
	} else if (!S_ISREG(st_r->st_mode)) {
		roost_err_set(err, "not a regular file");
	} else if (st_r->st_size > (off_t)ROOST_POLICY_SOURCE_FILE_MAX) {
		roost_err_set(err, "larger than 64 MiB");
	} else if ((text = malloc((size_t)st_r->st_size + 1)) == NULL) {
		roost_err_set(err, "out of memory");
	} else {
		while (*len_r < (size_t)st_r->st_size &&
		       (n = read(fd, text + *len_r,
				 (size_t)st_r->st_size - *len_r)) > 0)
			*len_r += (size_t)n;
		if (n < 0) {
			roost_err_set(err, "%s", strerror(errno));
			free(text);
			text = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

bool roost_policy_source_poll(struct roost_policy_source *source, int64_t now,
			      const struct roost_log *log)
{
	struct roost_policy_table *table;
	struct roost_err err = { "" };
	struct stat st;
	size_t len;
	char *text;

	/* a file with the same faults is not worth reading again; whether it
	   can be opened may change without a trace in its times */
	if (stat(source->path, &st) == 0 && is_unchanged(source, &st) &&
	    access(source->path, R_OK) == 0) {
		if (!source->bad)
			source->checked = now;
		return false;
	}
	text = read_file(source->path, &len, &st, &err);
	if (text == NULL) {
		memset(&source->modified, 0, sizeof(source->modified));
		log_problem(source, err.msg, log);
		return false;
	}
	if (!is_unchanged(source, &st))
		source->bad = false; /* other faults are news */
	remember(source, &st);
	table = roost_policy_table_parse(
		source->kind == ROOST_POLICY_SOURCE_REGEXP
			? ROOST_POLICY_TABLE_REGEXP
			: ROOST_POLICY_TABLE_PLAIN,
		text, len, &err);
	free(text);
	if (table == NULL)
		log_problem(source, err.msg, log);
	else
		put_in_force(source, table, now, log);
	return table != NULL;
}

static int add_rows(struct roost_policy_table *table, const PGresult *rows,
		    bool joins, struct roost_err *err)
{
	int i, columns = PQnfields(rows);

	if (columns != 1 && columns != 2)
		return roost_err_set(err,
				     "the query has %d columns, not 1 "
				     "or 2",
				     columns);
	for (i = 0; i < PQntuples(rows); i++) {
		/* a NULL is no key, and no value */
		if (PQgetisnull(rows, i, 0) != 0 ||
		    PQgetisnull(rows, i, columns - 1) != 0)
			continue;
		if (roost_policy_table_add(table, PQgetvalue(rows, i, 0),
					   PQgetvalue(rows, i, columns - 1),
					   joins, err) < 0)
			return -1;
	}
	return 0;
}

bool roost_policy_source_take(struct roost_policy_source *source,
			      const PGresult *rows, const char *error,
			      int64_t now, const struct roost_log *log)
{
	struct roost_policy_table *table;
	struct roost_err err;

	if (rows == NULL) {
		log_problem(source, error, log);
		return false;
	}
	table = roost_policy_table_new();
	if (table == NULL || add_rows(table, rows, source->joins, &err) < 0) {
		log_problem(source, table == NULL ? "out of memory" : err.msg,
			    log);
		roost_policy_table_free(&table);
		return false;
	}
	put_in_force(source, table, now, log);
	return true;
}

const struct roost_policy_table *
roost_policy_source_table(const struct roost_policy_source *source, int64_t now,
			  int64_t max_stale)
{
	if (source->table == NULL || now - source->checked > max_stale)
		return NULL;
	return source->table;
}
