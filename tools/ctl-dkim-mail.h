/* SPDX-License-Identifier: MIT */
/* ctl-dkim-mail: a message in a file, taken apart. */
#ifndef ROOST_TOOLS_CTL_DKIM_MAIL_H
#define ROOST_TOOLS_CTL_DKIM_MAIL_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/dkim/header-list.h"

#define ROOST_CTL_MAIL_MAX (256 * 1024 * 1024)

struct roost_ctl_mail {
	struct roost_buf text;		  /* lines end with CRLF */
	struct roost_header_list headers; /* all; folds are a bare LF */
	const unsigned char *body;
	size_t body_len;
};

/* Reads a message, from standard input if `path` is NULL. Lines may end with
   LF; then every LF is a line end. Free it in either case. */
int roost_ctl_mail_read(struct roost_ctl_mail *mail_r, const char *path,
			struct roost_err *err);
void roost_ctl_mail_free(struct roost_ctl_mail *mail);

#endif
