/* SPDX-License-Identifier: MIT */
/* header-list: the header fields of one message, in order, with a bound. */
#include "common/dkim/header-list.h"

#include <stdlib.h>
#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool roost_header_name_equal(const char *a, size_t a_len, const char *b,
			     size_t b_len)
{
	size_t i;

	if (a_len != b_len)
		return false;
	for (i = 0; i < a_len; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

static int grow(struct roost_header_list *list)
{
	size_t alloc = list->alloc == 0 ? 32 : list->alloc * 2;
	struct roost_header *fields;

	if (list->count < list->alloc)
		return 0;
	fields = realloc(list->fields, alloc * sizeof(*fields));
	if (fields == NULL)
		return -1;
	list->fields = fields;
	list->alloc = alloc;
	return 0;
}

int roost_header_list_add(struct roost_header_list *list, const char *name,
			  size_t name_len, const char *value, size_t value_len)
{
	struct roost_header *field;
	char *text;

	if (list->count >= ROOST_HEADER_LIST_MAX_FIELDS ||
	    name_len > ROOST_HEADER_LIST_MAX_BYTES - list->bytes ||
	    value_len > ROOST_HEADER_LIST_MAX_BYTES - list->bytes - name_len ||
	    grow(list) < 0)
		return -1;
	text = malloc(name_len + value_len + 2);
	if (text == NULL)
		return -1;
	field = &list->fields[list->count++];
	field->name = text;
	field->name_len = name_len;
	field->value = text + name_len + 1;
	field->value_len = value_len;
	memcpy(field->name, name, name_len);
	field->name[name_len] = '\0';
	memcpy(field->value, value, value_len);
	field->value[value_len] = '\0';
	list->bytes += name_len + value_len;
	return 0;
}

size_t roost_header_list_count(const struct roost_header_list *list,
			       const char *name, size_t name_len)
{
	size_t i, count = 0;

	for (i = 0; i < list->count; i++) {
		if (roost_header_name_equal(list->fields[i].name,
					    list->fields[i].name_len, name,
					    name_len))
			count++;
	}
	return count;
}

const struct roost_header *
roost_header_list_from_bottom(const struct roost_header_list *list,
			      const char *name, size_t name_len, size_t n)
{
	size_t i;

	for (i = list->count; i-- > 0;) {
		if (roost_header_name_equal(list->fields[i].name,
					    list->fields[i].name_len, name,
					    name_len) &&
		    n-- == 0)
			return &list->fields[i];
	}
	return NULL;
}

void roost_header_list_clear(struct roost_header_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free(list->fields[i].name);
	free(list->fields);
	memset(list, 0, sizeof(*list));
}
