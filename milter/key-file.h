/* SPDX-License-Identifier: MIT */
/*
 * key-file: reads key files and tables, with care for who else may write or
 * read them. Nothing is ever chown'ed or chmod'ed: keys may sit on read-only
 * mounts.
 */
#ifndef ROOST_MILTER_KEY_FILE_H
#define ROOST_MILTER_KEY_FILE_H

#include "common/base/buf.h"
#include "common/base/err.h"

/* Reads a regular file of at most buf->max bytes; refuses one that everyone
   may write. -1: err set, naming the path. */
int roost_key_file_read(const char *path, struct roost_buf *buf,
			struct roost_err *err);

/* The same for a private key; *warning_r is NULL or what is unwise about its
   mode (a constant). */
int roost_key_file_read_private(const char *path, struct roost_buf *buf,
				const char **warning_r, struct roost_err *err);

/* Overwrites and frees the text of a private key. */
void roost_key_file_forget(struct roost_buf *buf);

/* Appends one line to `state` that changes when the file does, or when it
   comes or goes. */
void roost_key_file_state(const char *path, struct roost_buf *state);

#endif
