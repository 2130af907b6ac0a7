/* SPDX-License-Identifier: MIT */
/*
 * policy-source: one table and where it comes from.
 *
 *   hash:/path     a plain file, as postmap(1) reads it (no postmap needed)
 *   regexp:/path   a file of /pattern/ value lines
 *   pgsql:         the rows of a query, loaded whole
 *
 * A table that cannot be read leaves the last good one in force until that is
 * older than max_stale; then, and before the first one, there is none.
 */
#ifndef ROOST_POLICY_POLICY_SOURCE_H
#define ROOST_POLICY_POLICY_SOURCE_H

#include <libpq-fe.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "daemon/log.h"
#include "policy/policy-table.h"

#define ROOST_POLICY_SOURCE_FILE_MAX ((size_t)64 * 1024 * 1024)

enum roost_policy_source_kind {
	ROOST_POLICY_SOURCE_PLAIN,
	ROOST_POLICY_SOURCE_REGEXP,
	ROOST_POLICY_SOURCE_PGSQL,
};

struct roost_policy_source {
	enum roost_policy_source_kind kind;
	char *spec;	   /* as it was written */
	const char *path;  /* of a file; in spec */
	const char *query; /* of pgsql: */
	bool joins;	   /* rows of the same key are one list */
	struct roost_policy_table *table; /* the last good one, or NULL */
	int64_t checked; /* ms: when it was last known to be current */
	bool bad;	 /* the last attempt failed, and that is logged */
	/* of the file that was read */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

/* Fills a source from "kind:place"; free it also after a failure. */
int roost_policy_source_init(struct roost_policy_source *source,
			     const char *spec, const char *query,
			     struct roost_err *err);
void roost_policy_source_free(struct roost_policy_source *source);

/* Takes over the table of another source if both are the same. */
void roost_policy_source_inherit(struct roost_policy_source *source,
				 struct roost_policy_source *from);

/* Reads a file if it is another one than before. True: there is a new
   table. */
bool roost_policy_source_poll(struct roost_policy_source *source, int64_t now,
			      const struct roost_log *log);

/* Takes the rows of a query (one or two columns), or what went wrong. */
bool roost_policy_source_take(struct roost_policy_source *source,
			      const PGresult *rows, const char *error,
			      int64_t now, const struct roost_log *log);

/* The table to use now, or NULL. */
const struct roost_policy_table *
roost_policy_source_table(const struct roost_policy_source *source, int64_t now,
			  int64_t max_stale);

#endif
