/* SPDX-License-Identifier: MIT */
/*
 * header-list: the header fields of one message, in order, with a bound.
 */
#ifndef ROOST_DKIM_HEADER_LIST_H
#define ROOST_DKIM_HEADER_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define ROOST_HEADER_LIST_MAX_FIELDS 1000
#define ROOST_HEADER_LIST_MAX_BYTES (1024 * 1024)

struct roost_header {
	char *name, *value; /* NUL-terminated; value: all behind the colon */
	size_t name_len, value_len;
};

struct roost_header_list {
	struct roost_header *fields;
	size_t count, alloc;
	size_t bytes;
};

/* Copies a field to the end of the list (a zeroed struct is an empty one);
   -1 when that would pass a bound or memory is out. */
int roost_header_list_add(struct roost_header_list *list, const char *name,
			  size_t name_len, const char *value, size_t value_len);

/* How many fields have that name, in any case. */
size_t roost_header_list_count(const struct roost_header_list *list,
			       const char *name, size_t name_len);

/* The n-th field of that name counted from the bottom (0: the last), as RFC
   6376 section 5.4.2 picks them; NULL when there is none. */
const struct roost_header *
roost_header_list_from_bottom(const struct roost_header_list *list,
			      const char *name, size_t name_len, size_t n);

/* Empties the list; it is usable again. */
void roost_header_list_clear(struct roost_header_list *list);

/* Whether two field names are the same (ASCII, in any case). */
bool roost_header_name_equal(const char *a, size_t a_len, const char *b,
			     size_t b_len);

#endif
