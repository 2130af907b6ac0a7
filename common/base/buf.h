/* SPDX-License-Identifier: MIT */
/*
 * buf: a growable byte buffer with an upper bound.
 *
 * Appending past `max` or out of memory sets `failed` and drops the bytes, so
 * that a sequence of appends needs one check at its end. A zeroed struct with
 * `max` set is a valid empty buffer.
 */
#ifndef ROOST_BASE_BUF_H
#define ROOST_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct roost_buf {
	unsigned char *data; /* len bytes, then a NUL that is not counted */
	size_t len, cap;
	size_t max; /* bound of len; set it before the first append */
	bool failed;
};

#define ROOST_BUF_INIT(max_)  \
	{                     \
		.max = (max_) \
	}

void roost_buf_append(struct roost_buf *buf, const void *data, size_t len);
void roost_buf_append_str(struct roost_buf *buf, const char *str);
void roost_buf_append_char(struct roost_buf *buf, char c);
void roost_buf_printf(struct roost_buf *buf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The content as a C string ("" when empty); valid until the next append. */
const char *roost_buf_str(const struct roost_buf *buf);

/* Removes n bytes (at most len) from the front. */
void roost_buf_shift(struct roost_buf *buf, size_t n);

/* Empties the buffer, keeps its memory, clears `failed`. */
void roost_buf_clear(struct roost_buf *buf);

/* Frees the memory; the buffer is empty and usable again. */
void roost_buf_free(struct roost_buf *buf);

#endif
