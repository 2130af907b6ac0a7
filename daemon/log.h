/* SPDX-License-Identifier: MIT */
/*
 * log: one line on standard error per event, `name=value` fields.
 *
 *   ts=2026-01-31T12:00:00.123Z level=info event=listening address=inet:...
 *
 * Values are quoted when they hold blanks, quotes or `=`, control characters
 * and bytes that are no printable ASCII are written as \xHH, so that no input
 * can forge a line. A line is one write(2), cut at ROOST_LOG_LINE_MAX; safe
 * from any thread. docs/events.md lists the events.
 */
#ifndef ROOST_DAEMON_LOG_H
#define ROOST_DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROOST_LOG_LINE_MAX 2048

enum roost_log_level {
	ROOST_LOG_DEBUG,
	ROOST_LOG_INFO,
	ROOST_LOG_WARNING,
	ROOST_LOG_ERROR, /* needs the admin */
};

struct roost_log {
	/* lower ones are dropped; a reload changes it under other threads */
	_Atomic int level;
	int fd;
};

struct roost_log_line {
	const struct roost_log *log; /* NULL: the line is dropped */
	size_t len;
	char text[ROOST_LOG_LINE_MAX];
};

/* Starts a line; then its fields; then end, which writes it. A NULL value is
   left out. */
void roost_log_begin(struct roost_log_line *line, const struct roost_log *log,
		     enum roost_log_level level, const char *event);
void roost_log_str(struct roost_log_line *line, const char *name,
		   const char *value);
void roost_log_bytes(struct roost_log_line *line, const char *name,
		     const void *value, size_t len);
void roost_log_int(struct roost_log_line *line, const char *name,
		   int64_t value);
void roost_log_end(struct roost_log_line *line);

/* Lines that wait to be written together: one per owner and thread, for what
   is logged with each request. Other lines may overtake them; their `ts` tells
   the order. */
#define ROOST_LOG_BATCH_SIZE 32768

struct roost_log_batch {
	const struct roost_log *log;
	size_t len;
	char text[ROOST_LOG_BATCH_SIZE];
};

/* Ends a line, too, and keeps it for the next flush, or writes all when there
   is no room. */
void roost_log_end_later(struct roost_log_line *line,
			 struct roost_log_batch *batch);
void roost_log_flush(struct roost_log_batch *batch);

/* A line with the one field `msg`. */
void roost_log_msg(const struct roost_log *log, enum roost_log_level level,
		   const char *event, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
