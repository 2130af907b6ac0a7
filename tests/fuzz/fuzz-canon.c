/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes common/dkim/canon. The packets a body comes in change nothing, a
 * canonical text is its own canonical text, and it never grows by more than
 * one line end.
 */
#include "common/dkim/canon.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void collect(void *ctx, const void *data, size_t len)
{
	if (len == 0)
		abort();
	roost_buf_append(ctx, data, len);
}

static void run(enum roost_canon_mode mode, const uint8_t *data, size_t size,
		size_t step, struct roost_buf *out)
{
	struct roost_canon_body body;
	size_t i, n;

	roost_buf_clear(out);
	roost_canon_body_init(&body, mode, collect, out);
	for (i = 0; i < size; i += n) {
		n = size - i < step ? size - i : step;
		roost_canon_body_update(&body, data + i, n);
	}
	roost_canon_body_final(&body);
}

static void same(const struct roost_buf *a, const struct roost_buf *b)
{
	if (a->failed || b->failed || a->len != b->len ||
	    (a->len > 0 && memcmp(a->data, b->data, a->len) != 0))
		abort();
}

static void check_body(enum roost_canon_mode mode, const uint8_t *data,
		       size_t size)
{
	struct roost_buf whole = ROOST_BUF_INIT(size + 2);
	struct roost_buf other = ROOST_BUF_INIT(size + 2);

	run(mode, data, size, size + 1, &whole);
	run(mode, data, size, 1, &other);
	same(&whole, &other);
	run(mode, data, size, 7, &other);
	same(&whole, &other);
	run(mode, whole.data, whole.len, whole.len + 1, &other);
	same(&whole, &other);
	roost_buf_free(&whole);
	roost_buf_free(&other);
}

static void check_header(const char *data, size_t size)
{
	struct roost_buf once = ROOST_BUF_INIT(2 * size + 16);
	struct roost_buf twice = ROOST_BUF_INIT(2 * size + 16);

	roost_canon_header(ROOST_CANON_RELAXED, "X-Name", 6, data, size, &once);
	if (once.failed || once.len > size + 7)
		abort();
	roost_canon_header(ROOST_CANON_RELAXED, "x-name", 6,
			   (const char *)once.data + 7, once.len - 7, &twice);
	same(&once, &twice);
	roost_buf_clear(&once);
	roost_canon_header(ROOST_CANON_SIMPLE, "X", 1, data, size, &once);
	roost_buf_clear(&twice);
	roost_canon_header(ROOST_CANON_SIMPLE, "X", 1,
			   (const char *)once.data + 2, once.len - 2, &twice);
	same(&once, &twice);
	roost_buf_free(&once);
	roost_buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_body(ROOST_CANON_SIMPLE, data, size);
	check_body(ROOST_CANON_RELAXED, data, size);
	check_header((const char *)data, size);
	return 0;
}
