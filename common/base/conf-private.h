/* SPDX-License-Identifier: MIT */
/* conf-private: what the three files of conf share. */
#ifndef ROOST_BASE_CONF_PRIVATE_H
#define ROOST_BASE_CONF_PRIVATE_H

#include "common/base/conf.h"

#define ROOST_CONF_NAME_MAX 64 /* length of a name */

enum conf_state { CONF_RAW, CONF_EXPANDING, CONF_EXPANDED };

/* The value of one row on its way from text to the settings struct. */
struct conf_slot {
	char *text;	   /* as it was set, then expanded */
	char *origin;	   /* NULL: the default */
	unsigned int rank; /* 0 default, 1 file, 2 environment, 3 -o */
	enum conf_state state;
	/* memory that the typed value points to */
	char *strings;
	void *array;
	struct roost_cidr_set *set;
};

/* Called for each `name = value` of a file; returns -1 to stop. */
typedef int roost_conf_file_set(void *ctx, const char *name, const char *value,
				unsigned int line, struct roost_err *err);

/* Splits the text of a settings file. Errors start with "path:line: ". */
int roost_conf_file_parse(const char *path, const char *text, size_t len,
			  roost_conf_file_set *set, void *ctx,
			  struct roost_err *err);

/* Reads a whole file of at most `max` bytes; *text_r is NUL-terminated and
   the caller's to free. */
int roost_conf_file_read(const char *path, size_t max, char **text_r,
			 size_t *len_r, struct roost_err *err);

/* Turns slot->text into the member of the settings struct. */
int roost_conf_value_parse(const struct roost_conf_row *row,
			   struct conf_slot *slot, void *settings,
			   struct roost_err *err);

#endif
