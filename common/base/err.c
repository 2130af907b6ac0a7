/* SPDX-License-Identifier: MIT */
/* err: an error message on the caller's stack. */
#include "common/base/err.h"

#include <stdio.h>
#include <string.h>

int roost_err_vset(struct roost_err *err, const char *fmt, va_list args)
{
	char msg[ROOST_ERR_SIZE];

	/* by way of a copy: err->msg may be one of the arguments */
	(void)vsnprintf(msg, sizeof(msg), fmt, args);
	memcpy(err->msg, msg, sizeof(msg));
	return -1;
}

int roost_err_set(struct roost_err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)roost_err_vset(err, fmt, args);
	va_end(args);
	return -1;
}

int roost_err_prefix(struct roost_err *err, const char *fmt, ...)
{
	char prefix[ROOST_ERR_SIZE];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(prefix, sizeof(prefix), fmt, args);
	va_end(args);
	return roost_err_set(err, "%s: %s", prefix, err->msg);
}
