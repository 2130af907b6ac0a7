/* SPDX-License-Identifier: MIT */
/* log: one line on standard error per event, `name=value` fields. */
#include "daemon/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* kept free for the closing quote and the newline */
#define TAIL 2

static const char *const level_names[] = {
	[ROOST_LOG_DEBUG] = "debug",
	[ROOST_LOG_INFO] = "info",
	[ROOST_LOG_WARNING] = "warning",
	[ROOST_LOG_ERROR] = "error",
};

static void put(struct roost_log_line *line, const char *text, size_t len)
{
	size_t room = sizeof(line->text) - TAIL - line->len;

	if (len > room)
		len = room;
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void put_str(struct roost_log_line *line, const char *text)
{
	put(line, text, strlen(text));
}

/* Writes the number with that many digits; returns what follows. */
static char *put_digits(char *at, long number, int digits)
{
	int i;

	for (i = digits - 1; i >= 0; i--) {
		at[i] = (char)('0' + number % 10);
		number /= 10;
	}
	return at + digits;
}

/* "ts=2026-01-31T12:00:00.123Z". By hand: it is a good part of the cost of a
   request. The calendar counts from 0000-03-01, so that leap days come last
   (era of 400 years, day and year of the era). */
static void put_time(struct roost_log_line *line, const struct timespec *now)
{
	long days = (long)(now->tv_sec / 86400) + 719468;
	long secs = (long)(now->tv_sec % 86400);
	long era = days / 146097, doe = days % 146097;
	long yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	long doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	long month = (5 * doy + 2) / 153;
	char text[] = "ts=0000-00-00T00:00:00.000Z", *at = text + 3;

	at = put_digits(at, yoe + era * 400 + (month >= 10 ? 1 : 0), 4) + 1;
	at = put_digits(at, month < 10 ? month + 3 : month - 9, 2) + 1;
	at = put_digits(at, doy - (153 * month + 2) / 5 + 1, 2) + 1;
	at = put_digits(at, secs / 3600, 2) + 1;
	at = put_digits(at, secs / 60 % 60, 2) + 1;
	at = put_digits(at, secs % 60, 2) + 1;
	(void)put_digits(at, now->tv_nsec / 1000000, 3);
	put(line, text, sizeof(text) - 1);
}

void roost_log_begin(struct roost_log_line *line, const struct roost_log *log,
		     enum roost_log_level level, const char *event)
{
	struct timespec now;

	line->log = (int)level < log->level ? NULL : log;
	line->len = 0;
	if (line->log == NULL)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	put_time(line, &now);
	put_str(line, " level=");
	put_str(line, level_names[level]);
	put_str(line, " event=");
	put_str(line, event);
}

/* Whether a byte can stand in a value without quotes. */
static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

/* The bytes between quotes, as far as there is room. */
static void put_quoted(struct roost_log_line *line, const unsigned char *s,
		       size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		char hex[8];

		if (is_plain(s[i]) || s[i] == ' ' || s[i] == '=')
			hex[0] = (char)s[i], hex[1] = '\0';
		else if (s[i] == '"' || s[i] == '\\')
			snprintf(hex, sizeof(hex), "\\%c", s[i]);
		else
			snprintf(hex, sizeof(hex), "\\x%02x", s[i]);
		/* never half an escape */
		if (line->len + strlen(hex) > sizeof(line->text) - TAIL)
			break;
		put_str(line, hex);
	}
	if (line->len < sizeof(line->text) - 1)
		line->text[line->len++] = '"';
}

void roost_log_bytes(struct roost_log_line *line, const char *name,
		     const void *value, size_t len)
{
	const unsigned char *s = value;
	bool quoted = len == 0;
	size_t i;

	if (line->log == NULL || value == NULL)
		return;
	for (i = 0; i < len && !quoted; i++)
		quoted = !is_plain(s[i]);
	put(line, " ", 1);
	put_str(line, name);
	put(line, "=\"", quoted ? 2 : 1);
	if (quoted)
		put_quoted(line, s, len);
	else
		put(line, value, len);
}

void roost_log_str(struct roost_log_line *line, const char *name,
		   const char *value)
{
	if (value != NULL)
		roost_log_bytes(line, name, value, strlen(value));
}

void roost_log_int(struct roost_log_line *line, const char *name, int64_t value)
{
	char text[24];

	if (line->log == NULL)
		return;
	snprintf(text, sizeof(text), "%" PRId64, value);
	roost_log_str(line, name, text);
}

/* There is nowhere to report that the log cannot be written. */
static void write_out(const struct roost_log *log, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0 && (n = write(log->fd, text, len)) > 0) {
		text += n;
		len -= (size_t)n;
	}
}

void roost_log_end(struct roost_log_line *line)
{
	if (line->log == NULL)
		return;
	line->text[line->len++] = '\n';
	write_out(line->log, line->text, line->len);
}

void roost_log_end_later(struct roost_log_line *line,
			 struct roost_log_batch *batch)
{
	if (line->log == NULL)
		return;
	line->text[line->len++] = '\n';
	if (line->len > sizeof(batch->text) - batch->len)
		roost_log_flush(batch);
	batch->log = line->log;
	memcpy(batch->text + batch->len, line->text, line->len);
	batch->len += line->len;
}

void roost_log_flush(struct roost_log_batch *batch)
{
	if (batch->len > 0)
		write_out(batch->log, batch->text, batch->len);
	batch->len = 0;
}

void roost_log_msg(const struct roost_log *log, enum roost_log_level level,
		   const char *event, const char *fmt, ...)
{
	struct roost_log_line line;
	char msg[ROOST_LOG_LINE_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	roost_log_begin(&line, log, level, event);
	roost_log_str(&line, "msg", msg);
	roost_log_end(&line);
}
