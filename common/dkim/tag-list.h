/* SPDX-License-Identifier: MIT */
/*
 * tag-list: "name=value; name=value" (RFC 6376 section 3.2), the form of
 * signatures and of key records.
 *
 * Nothing is copied: tags point into the text that was parsed.
 */
#ifndef ROOST_DKIM_TAG_LIST_H
#define ROOST_DKIM_TAG_LIST_H

#include <stddef.h>

#include "common/base/err.h"

#define ROOST_TAG_LIST_MAX 32

struct roost_tag {
	const char *name, *value; /* not NUL-terminated */
	size_t name_len, value_len;
	size_t raw_start, raw_end; /* from behind "=" to ";" or the end */
};

struct roost_tag_list {
	struct roost_tag tags[ROOST_TAG_LIST_MAX];
	size_t count;
};

/* -1 (err names the tag) for bad syntax, a tag given twice or too many. An
   empty text is an empty list. */
int roost_tag_list_parse(struct roost_tag_list *list, const char *text,
			 size_t len, struct roost_err *err);

/* NULL when there is no such tag; names are case-sensitive. */
const struct roost_tag *roost_tag_list_find(const struct roost_tag_list *list,
					    const char *name);

/* Whether the tag's value is exactly this. */
int roost_tag_list_is(const struct roost_tag *tag, const char *value);

#endif
