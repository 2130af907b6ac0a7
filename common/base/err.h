/* SPDX-License-Identifier: MIT */
/*
 * err: an error message on the caller's stack.
 *
 * A function that can fail takes a struct roost_err * last and returns -1 (or
 * NULL) after setting it; it never logs. The outermost caller logs, once.
 * Messages name the place (file:line, setting, client) and carry no secret.
 */
#ifndef ROOST_BASE_ERR_H
#define ROOST_BASE_ERR_H

#include <stdarg.h>

#define ROOST_ERR_SIZE 512

struct roost_err {
	char msg[ROOST_ERR_SIZE]; /* NUL-terminated, cut when too long */
};

/* Formats the message; returns -1, so that callers can return it. A previous
   message of the same err may be among the arguments. */
int roost_err_set(struct roost_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int roost_err_vset(struct roost_err *err, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Puts "fmt: " before the message that is there, as errors travel up. */
int roost_err_prefix(struct roost_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
