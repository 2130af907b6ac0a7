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

void roost_log_begin(struct roost_log_line *line, const struct roost_log *log,
		     enum roost_log_level level, const char *event)
{
	struct timespec now;
	struct tm tm;
	char text[64];
	size_t len;

	line->log = (int)level < log->level ? NULL : log;
	line->len = 0;
	if (line->log == NULL)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(text, sizeof(text), "ts=%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof(text) - len,
		 ".%03dZ level=", (int)(now.tv_nsec / 1000000));
	put_str(line, text);
	put_str(line, level_names[level]);
	put_str(line, " event=");
	put_str(line, event);
}

/* Whether a byte can stand in a value without quotes. */
static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
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
	if (quoted && line->len < sizeof(line->text) - 1)
		line->text[line->len++] = '"';
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

void roost_log_end(struct roost_log_line *line)
{
	if (line->log == NULL)
		return;
	line->text[line->len++] = '\n';
	/* nowhere to report that the log cannot be written */
	if (write(line->log->fd, line->text, line->len) < 0)
		return;
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
