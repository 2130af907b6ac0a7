/* SPDX-License-Identifier: MIT */
/* tag-list: "name=value; name=value" (RFC 6376 section 3.2). */
#include "common/dkim/tag-list.h"

#include <stdbool.h>
#include <string.h>

#define NAME_MAX_LEN 64

static bool is_fws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_char(char c)
{
	return is_alpha(c) || (c >= '0' && c <= '9') || c == '_';
}

/* VALCHAR, white space of folds, and the UTF-8 of RFC 8616 */
static bool is_value_char(char c)
{
	unsigned char u = (unsigned char)c;

	return is_fws(c) || (u > 0x20 && u != 0x7f && c != ';');
}

static int parse_tag(struct roost_tag *tag, const char *text, size_t start,
		     size_t end, struct roost_err *err)
{
	size_t i = start, name;

	while (i < end && is_fws(text[i]))
		i++;
	name = i;
	while (i < end && is_name_char(text[i]))
		i++;
	tag->name = text + name;
	tag->name_len = i - name;
	if (tag->name_len == 0 || !is_alpha(text[name]) ||
	    tag->name_len > NAME_MAX_LEN)
		return roost_err_set(err, "bad tag name at offset %zu", name);
	while (i < end && is_fws(text[i]))
		i++;
	if (i == end || text[i] != '=')
		return roost_err_set(err, "tag %.*s has no value",
				     (int)tag->name_len, tag->name);
	tag->raw_start = ++i;
	tag->raw_end = end;
	for (; i < end; i++) {
		if (!is_value_char(text[i]))
			return roost_err_set(err,
					     "tag %.*s has a bad character",
					     (int)tag->name_len, tag->name);
	}
	i = tag->raw_start;
	while (i < end && is_fws(text[i]))
		i++;
	while (end > i && is_fws(text[end - 1]))
		end--;
	tag->value = text + i;
	tag->value_len = end - i;
	return 0;
}

static bool is_blank(const char *text, size_t start, size_t end)
{
	while (start < end && is_fws(text[start]))
		start++;
	return start == end;
}

static bool is_known(const struct roost_tag_list *list,
		     const struct roost_tag *tag)
{
	size_t i;

	for (i = 0; i < list->count; i++) {
		if (list->tags[i].name_len == tag->name_len &&
		    memcmp(list->tags[i].name, tag->name, tag->name_len) == 0)
			return true;
	}
	return false;
}

int roost_tag_list_parse(struct roost_tag_list *list, const char *text,
			 size_t len, struct roost_err *err)
{
	struct roost_tag tag;
	const char *semicolon;
	size_t start = 0, end;

	list->count = 0;
	while (start < len) {
		semicolon = memchr(text + start, ';', len - start);
		end = semicolon == NULL ? len : (size_t)(semicolon - text);
		/* only the last ";" may have nothing behind it */
		if (end == len && is_blank(text, start, end))
			break;
		if (parse_tag(&tag, text, start, end, err) < 0)
			return -1;
		if (is_known(list, &tag))
			return roost_err_set(err, "tag %.*s is given twice",
					     (int)tag.name_len, tag.name);
		if (list->count == ROOST_TAG_LIST_MAX)
			return roost_err_set(err, "more than %d tags",
					     ROOST_TAG_LIST_MAX);
		list->tags[list->count++] = tag;
		start = end + 1;
	}
	return 0;
}

const struct roost_tag *roost_tag_list_find(const struct roost_tag_list *list,
					    const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < list->count; i++) {
		if (list->tags[i].name_len == len &&
		    memcmp(list->tags[i].name, name, len) == 0)
			return &list->tags[i];
	}
	return NULL;
}

int roost_tag_list_is(const struct roost_tag *tag, const char *value)
{
	return tag->value_len == strlen(value) &&
	       memcmp(tag->value, value, tag->value_len) == 0;
}
