/* SPDX-License-Identifier: MIT */
/* buf: a growable byte buffer with an upper bound. */
#include "common/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool buf_reserve(struct roost_buf *buf, size_t add)
{
	size_t need, cap;
	void *data;

	if (buf->failed)
		return false;
	if (buf->max < buf->len || add > buf->max - buf->len) {
		buf->failed = true;
		return false;
	}
	need = buf->len + add + 1;
	if (need <= buf->cap)
		return true;
	cap = buf->cap < 64 ? 64 : buf->cap;
	while (cap < need)
		cap *= 2;
	data = realloc(buf->data, cap);
	if (data == NULL) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->cap = cap;
	return true;
}

void roost_buf_append(struct roost_buf *buf, const void *data, size_t len)
{
	if (!buf_reserve(buf, len))
		return;
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void roost_buf_append_str(struct roost_buf *buf, const char *str)
{
	roost_buf_append(buf, str, strlen(str));
}

void roost_buf_append_char(struct roost_buf *buf, char c)
{
	roost_buf_append(buf, &c, 1);
}

void roost_buf_printf(struct roost_buf *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0) {
		buf->failed = true;
		return;
	}
	if (!buf_reserve(buf, (size_t)len))
		return;
	va_start(args, fmt);
	(void)vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, fmt,
			args);
	va_end(args);
	buf->len += (size_t)len;
}

const char *roost_buf_str(const struct roost_buf *buf)
{
	return buf->data == NULL ? "" : (const char *)buf->data;
}

void roost_buf_shift(struct roost_buf *buf, size_t n)
{
	if (n > buf->len)
		n = buf->len;
	if (n == 0)
		return;
	memmove(buf->data, buf->data + n, buf->len - n + 1);
	buf->len -= n;
}

void roost_buf_clear(struct roost_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

void roost_buf_free(struct roost_buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->len = buf->cap = 0;
	buf->failed = false;
}
