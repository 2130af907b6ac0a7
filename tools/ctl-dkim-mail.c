/* SPDX-License-Identifier: MIT */
/* ctl-dkim-mail: a message in a file, taken apart. */
#include "roost-config.h"

#include "tools/ctl-dkim-mail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_stream(FILE *in, struct roost_buf *raw)
{
	char chunk[65536];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0 && !raw->failed)
		roost_buf_append(raw, chunk, n);
	return ferror(in) ? -1 : 0;
}

static int read_raw(const char *path, struct roost_buf *raw,
		    struct roost_err *err)
{
	FILE *in = path == NULL ? stdin : fopen(path, "rb");
	const char *name = path == NULL ? "standard input" : path;
	int ret;

	if (in == NULL)
		return roost_err_set(err, "%s: %s", name, strerror(errno));
	ret = read_stream(in, raw);
	if (ret < 0)
		(void)roost_err_set(err, "%s: %s", name, strerror(errno));
	else if (raw->failed)
		ret = roost_err_set(err, "%s: more than %d bytes", name,
				    ROOST_CTL_MAIL_MAX);
	if (in != stdin)
		(void)fclose(in);
	return ret;
}

/* The first line tells how lines end. */
static void take_lines(const struct roost_buf *raw, struct roost_buf *text)
{
	const char *p = roost_buf_str(raw), *end = p + raw->len, *lf;

	lf = memchr(p, '\n', raw->len);
	if (lf == NULL || (lf > p && lf[-1] == '\r')) {
		roost_buf_append(text, p, raw->len);
		return;
	}
	for (; (lf = memchr(p, '\n', (size_t)(end - p))) != NULL; p = lf + 1) {
		roost_buf_append(text, p, (size_t)(lf - p));
		roost_buf_append(text, "\r\n", 2);
	}
	roost_buf_append(text, p, (size_t)(end - p));
}

/* The CRLF that ends the field which starts at p, or `end`. */
static const char *field_end(const char *p, const char *end)
{
	const char *crlf;

	while ((crlf = memmem(p, (size_t)(end - p), "\r\n", 2)) != NULL) {
		p = crlf + 2;
		if (p == end || (*p != ' ' && *p != '\t'))
			return crlf;
	}
	return end;
}

static int add_field(struct roost_ctl_mail *mail, const char *p,
		     const char *end, struct roost_err *err)
{
	const char *colon = memchr(p, ':', (size_t)(end - p)), *q;
	struct roost_buf value = ROOST_BUF_INIT(ROOST_HEADER_LIST_MAX_BYTES);
	int ret = -1;

	if (colon == NULL || colon == p ||
	    memchr(p, '\0', (size_t)(end - p)) != NULL)
		return roost_err_set(err, "header field %zu is none",
				     mail->headers.count + 1);
	for (q = colon + 1; q < end; q++) {
		if (*q != '\r' || q + 1 == end || q[1] != '\n')
			roost_buf_append_char(&value, *q);
	}
	if (!value.failed)
		ret = roost_header_list_add(&mail->headers, p,
					    (size_t)(colon - p),
					    roost_buf_str(&value), value.len);
	roost_buf_free(&value);
	return ret == 0 ? 0 : roost_err_set(err, "too many header fields");
}

static int take_apart(struct roost_ctl_mail *mail, struct roost_err *err)
{
	const char *p = roost_buf_str(&mail->text), *end = p + mail->text.len;
	const char *stop;

	/* the line that a mailbox file puts in front */
	if (mail->text.len > 5 && memcmp(p, "From ", 5) == 0) {
		stop = memmem(p, (size_t)(end - p), "\r\n", 2);
		p = stop == NULL ? end : stop + 2;
	}
	while (p < end && !(end - p >= 2 && memcmp(p, "\r\n", 2) == 0)) {
		stop = field_end(p, end);
		if (add_field(mail, p, stop, err) < 0)
			return -1;
		p = stop == end ? end : stop + 2;
	}
	p = p < end ? p + 2 : end;
	mail->body = (const unsigned char *)p;
	mail->body_len = (size_t)(end - p);
	return 0;
}

int roost_ctl_mail_read(struct roost_ctl_mail *mail, const char *path,
			struct roost_err *err)
{
	struct roost_buf raw = ROOST_BUF_INIT(ROOST_CTL_MAIL_MAX);
	int ret;

	memset(mail, 0, sizeof(*mail));
	mail->text.max = 2 * (size_t)ROOST_CTL_MAIL_MAX;
	ret = read_raw(path, &raw, err);
	if (ret == 0) {
		take_lines(&raw, &mail->text);
		ret = mail->text.failed ? roost_err_set(err, "out of memory")
					: take_apart(mail, err);
	}
	roost_buf_free(&raw);
	return ret;
}

void roost_ctl_mail_free(struct roost_ctl_mail *mail)
{
	roost_header_list_clear(&mail->headers);
	roost_buf_free(&mail->text);
}
