/* SPDX-License-Identifier: MIT */
/* canon: the canonical forms of headers and bodies (RFC 6376 section 3.4). */
#include "common/dkim/canon.h"

#include <string.h>

static bool is_wsp(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static void flush(struct roost_canon_body *body)
{
	if (body->out_len > 0)
		body->sink(body->sink_ctx, body->out, body->out_len);
	body->out_len = 0;
}

static void emit(struct roost_canon_body *body, const void *data, size_t len)
{
	body->any = true;
	if (len > sizeof(body->out) - body->out_len) {
		flush(body);
		if (len >= sizeof(body->out)) {
			body->sink(body->sink_ctx, data, len);
			return;
		}
	}
	memcpy(body->out + body->out_len, data, len);
	body->out_len += len;
}

/* Text follows: what was held back in front of it counts after all. */
static void emit_held(struct roost_canon_body *body)
{
	for (; body->newlines > 0; body->newlines--)
		emit(body, "\r\n", 2);
	if (body->wsp)
		emit(body, " ", 1);
	body->wsp = false;
}

/*
 * Whether relaxing changes nothing in the text: no HTAB, no two SP in a row,
 * none at the ends. Eight bytes at a time: most lines of real mail are so.
 */
static bool is_relaxed(const unsigned char *p, size_t len)
{
	const uint64_t ones = 0x0101010101010101ULL, low = 0x7f * ones;
	uint64_t carry = 0, word, sp, tab;
	size_t i;

	if (is_wsp(p[0]) || is_wsp(p[len - 1]))
		return false;
	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, p + i, 8);
		sp = word ^ (' ' * ones);
		sp = ~(((sp & low) + low) | sp | low); /* 0x80 at each SP */
		tab = word ^ ('\t' * ones);
		tab = ~(((tab & low) + low) | tab | low);
		/* the neighbour may sit on either side: both byte orders */
		if (tab != 0 || (sp & (sp << 8)) != 0 ||
		    (carry != 0 && is_wsp(p[i])))
			return false;
		carry = is_wsp(p[i + 7]);
	}
	for (; i < len; i++) {
		if (p[i] == '\t' || (p[i] == ' ' && is_wsp(p[i - 1])))
			return false;
	}
	return true;
}

static void put_relaxed(struct roost_canon_body *body, const unsigned char *p,
			size_t len)
{
	const unsigned char *end = p + len, *start;

	if (is_relaxed(p, len)) {
		emit_held(body);
		emit(body, p, len);
		return;
	}
	while (p < end) {
		if (is_wsp(*p)) {
			body->wsp = true;
			p++;
			continue;
		}
		for (start = p; p < end && !is_wsp(*p); p++)
			;
		emit_held(body);
		emit(body, start, (size_t)(p - start));
	}
}

/* Text of one line; it may be a part of the line, it holds no CRLF. */
static void put_text(struct roost_canon_body *body, const unsigned char *p,
		     size_t len)
{
	body->line += len;
	if (body->line > body->longest)
		body->longest = body->line;
	if (body->mode == ROOST_CANON_RELAXED) {
		put_relaxed(body, p, len);
	} else {
		emit_held(body);
		emit(body, p, len);
	}
}

static void end_line(struct roost_canon_body *body)
{
	body->wsp = false;
	body->newlines++;
	body->line = 0;
}

void roost_canon_body_init(struct roost_canon_body *body,
			   enum roost_canon_mode mode, roost_canon_sink *sink,
			   void *sink_ctx)
{
	memset(body, 0, offsetof(struct roost_canon_body, out));
	body->mode = mode;
	body->sink = sink;
	body->sink_ctx = sink_ctx;
}

void roost_canon_body_update(struct roost_canon_body *body, const void *data,
			     size_t len)
{
	const unsigned char *p = data, *end = p + len, *cr;

	while (p < end) {
		if (body->cr) {
			body->cr = false;
			if (*p == '\n') {
				end_line(body);
				p++;
				continue;
			}
			put_text(body, (const unsigned char *)"\r", 1);
		}
		cr = memchr(p, '\r', (size_t)(end - p));
		if (cr == NULL)
			cr = end;
		if (cr > p)
			put_text(body, p, (size_t)(cr - p));
		body->cr = cr < end;
		p = body->cr ? cr + 1 : end;
	}
}

void roost_canon_body_final(struct roost_canon_body *body)
{
	if (body->cr)
		put_text(body, (const unsigned char *)"\r", 1);
	body->cr = false;
	/* one line end, whether there were many or none; but an empty relaxed
	   body stays empty */
	if (body->any || body->mode == ROOST_CANON_SIMPLE)
		emit(body, "\r\n", 2);
	flush(body);
}

static void append_lower(struct roost_buf *out, const char *str, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		char c = str[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		roost_buf_append_char(out, c);
	}
}

/* The end of the fold (CRLF or LF) that starts at i, or i when none does. */
static size_t skip_fold(const char *value, size_t len, size_t i)
{
	if (value[i] == '\r' && i + 1 < len && value[i + 1] == '\n')
		return i + 2;
	return value[i] == '\n' ? i + 1 : i;
}

static void append_simple(struct roost_buf *out, const char *value, size_t len)
{
	size_t start = 0, i = 0, next;

	while (i < len) {
		next = skip_fold(value, len, i);
		if (next == i) {
			i++;
			continue;
		}
		roost_buf_append(out, value + start, i - start);
		roost_buf_append(out, "\r\n", 2);
		start = i = next;
	}
	roost_buf_append(out, value + start, len - start);
}

static void append_relaxed(struct roost_buf *out, const char *value, size_t len)
{
	bool wsp = false, any = false;
	size_t i = 0, start, next;

	while (i < len) {
		next = skip_fold(value, len, i);
		if (next == i && is_wsp((unsigned char)value[i])) {
			wsp = true;
			next = i + 1;
		}
		if (next > i) {
			i = next;
			continue;
		}
		for (start = i; i < len && !is_wsp((unsigned char)value[i]) &&
				skip_fold(value, len, i) == i;
		     i++)
			;
		if (wsp && any)
			roost_buf_append_char(out, ' ');
		roost_buf_append(out, value + start, i - start);
		wsp = false;
		any = true;
	}
}

void roost_canon_header(enum roost_canon_mode mode, const char *name,
			size_t name_len, const char *value, size_t value_len,
			struct roost_buf *out)
{
	if (mode == ROOST_CANON_SIMPLE) {
		roost_buf_append(out, name, name_len);
		roost_buf_append_char(out, ':');
		append_simple(out, value, value_len);
		return;
	}
	while (name_len > 0 && is_wsp((unsigned char)name[name_len - 1]))
		name_len--;
	append_lower(out, name, name_len);
	roost_buf_append_char(out, ':');
	append_relaxed(out, value, value_len);
}

const char *roost_canon_name(enum roost_canon_mode mode)
{
	return mode == ROOST_CANON_SIMPLE ? "simple" : "relaxed";
}

int roost_canon_parse(const char *name, size_t len,
		      enum roost_canon_mode *mode_r)
{
	if (len == 6 && memcmp(name, "simple", 6) == 0)
		*mode_r = ROOST_CANON_SIMPLE;
	else if (len == 7 && memcmp(name, "relaxed", 7) == 0)
		*mode_r = ROOST_CANON_RELAXED;
	else
		return -1;
	return 0;
}
