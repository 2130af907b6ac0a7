/* SPDX-License-Identifier: MIT */
/*
 * key-report: what was wrong with the keys of one load.
 *
 * Sources load again and again; a report is logged only when it differs from
 * the last one, so that a broken key is one line and not one each minute.
 */
#ifndef ROOST_MILTER_KEY_REPORT_H
#define ROOST_MILTER_KEY_REPORT_H

#include "common/base/buf.h"
#include "daemon/log.h"

#define ROOST_KEY_REPORT_MAX 200 /* lines; more are counted */

struct roost_key_report {
	struct roost_buf text; /* one "level\tplace\tmessage\n" per problem */
	size_t count;
};

void roost_key_report_init(struct roost_key_report *report);

/* `place`: a file, a file with its line, or what names a row. */
void roost_key_report_add(struct roost_key_report *report,
			  enum roost_log_level level, const char *place,
			  const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Logs the report as events "key_problem" unless `last` said the same; then
   it takes the place of `last` and is empty. */
void roost_key_report_publish(struct roost_key_report *report,
			      struct roost_key_report *last,
			      const struct roost_log *log, const char *source);

void roost_key_report_free(struct roost_key_report *report);

#endif
