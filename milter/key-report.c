/* SPDX-License-Identifier: MIT */
/* key-report: what was wrong with the keys of one load. */
#include "milter/key-report.h"

#include "common/base/err.h"

#include <stdarg.h>
#include <string.h>

void roost_key_report_init(struct roost_key_report *report)
{
	memset(report, 0, sizeof(*report));
	report->text.max = ROOST_KEY_REPORT_MAX * (2 * ROOST_ERR_SIZE + 8);
}

void roost_key_report_add(struct roost_key_report *report,
			  enum roost_log_level level, const char *place,
			  const char *fmt, ...)
{
	struct roost_err msg;
	va_list args;
	char *p;

	if (report->count++ >= ROOST_KEY_REPORT_MAX)
		return;
	va_start(args, fmt);
	(void)roost_err_vset(&msg, fmt, args);
	va_end(args);
	for (p = msg.msg; *p != '\0'; p++) {
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	}
	roost_buf_printf(&report->text, "%d\t%.500s\t%s\n", (int)level, place,
			 msg.msg);
}

static void log_line(const char *start, const char *end,
		     const struct roost_log *log, const char *source)
{
	enum roost_log_level level = (enum roost_log_level)(*start - '0');
	const char *msg = end, *place = start + 2;
	struct roost_log_line line;

	while (msg[-1] != '\t')
		msg--;
	roost_log_begin(&line, log, level, "key_problem");
	roost_log_str(&line, "source", source);
	roost_log_bytes(&line, "place", place, (size_t)(msg - 1 - place));
	roost_log_bytes(&line, "msg", msg, (size_t)(end - msg));
	roost_log_end(&line);
}

static void log_all(const struct roost_key_report *report,
		    const struct roost_log *log, const char *source)
{
	const char *p = roost_buf_str(&report->text), *end;

	for (; (end = strchr(p, '\n')) != NULL; p = end + 1)
		log_line(p, end, log, source);
	if (report->count > ROOST_KEY_REPORT_MAX)
		roost_log_msg(log, ROOST_LOG_ERROR, "key_problem",
			      "%s: %zu more problems", source,
			      report->count - ROOST_KEY_REPORT_MAX);
}

void roost_key_report_publish(struct roost_key_report *report,
			      struct roost_key_report *last,
			      const struct roost_log *log, const char *source)
{
	if (report->count != last->count ||
	    strcmp(roost_buf_str(&report->text), roost_buf_str(&last->text)) !=
		    0)
		log_all(report, log, source);
	roost_key_report_free(last);
	*last = *report;
	roost_key_report_init(report);
}

void roost_key_report_free(struct roost_key_report *report)
{
	roost_buf_free(&report->text);
	report->count = 0;
}
