/* SPDX-License-Identifier: MIT */
/* policy-table: a table of keys and values in memory. */
#include "policy/policy-table.h"

#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/buf.h"

#define SLOTS_MIN 64

struct row {
	char *key; /* NULL for a pattern */
	char *value;
	regex_t regex;
};

struct roost_policy_table {
	struct row *rows;
	size_t count, cap;
	uint32_t *slots; /* number of a row + 1, or 0 */
	size_t slot_count;
	size_t regexps;
};

struct roost_policy_table *roost_policy_table_new(void)
{
	return calloc(1, sizeof(struct roost_policy_table));
}

void roost_policy_table_free(struct roost_policy_table **table)
{
	struct roost_policy_table *t = *table;
	size_t i;

	if (t == NULL)
		return;
	*table = NULL;
	for (i = 0; i < t->count; i++) {
		if (t->rows[i].key == NULL)
			regfree(&t->rows[i].regex);
		free(t->rows[i].key);
		free(t->rows[i].value);
	}
	free(t->rows);
	free(t->slots);
	free(t);
}

static size_t hash_key(const char *key)
{
	uint64_t hash = 14695981039346656037ULL;

	for (; *key != '\0'; key++) {
		unsigned char c = (unsigned char)*key;

		if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c - 'A' + 'a');
		hash = (hash ^ c) * 1099511628211ULL;
	}
	return (size_t)(hash ^ (hash >> 32));
}

/* The slot that holds the key, or the free one where it belongs. */
static size_t find_slot(const struct roost_policy_table *table, const char *key)
{
	size_t i = hash_key(key) & (table->slot_count - 1);

	while (table->slots[i] != 0 &&
	       strcasecmp(table->rows[table->slots[i] - 1].key, key) != 0)
		i = (i + 1) & (table->slot_count - 1);
	return i;
}

static int grow_slots(struct roost_policy_table *table, struct roost_err *err)
{
	size_t count =
		table->slot_count == 0 ? SLOTS_MIN : table->slot_count * 2;
	uint32_t *slots = calloc(count, sizeof(*slots));
	size_t i;

	if (slots == NULL)
		return roost_err_set(err, "out of memory");
	free(table->slots);
	table->slots = slots;
	table->slot_count = count;
	for (i = 0; i < table->count; i++)
		table->slots[find_slot(table, table->rows[i].key)] =
			(uint32_t)i + 1;
	return 0;
}

static struct row *add_row(struct roost_policy_table *table, const char *value,
			   struct roost_err *err)
{
	struct row *row;

	if (table->count == ROOST_POLICY_TABLE_ROWS_MAX) {
		roost_err_set(err, "more than %d rows",
			      ROOST_POLICY_TABLE_ROWS_MAX);
		return NULL;
	}
	if (table->count == table->cap) {
		size_t cap = table->cap == 0 ? 16 : table->cap * 2;
		struct row *rows =
			reallocarray(table->rows, cap, sizeof(*rows));

		if (rows == NULL) {
			roost_err_set(err, "out of memory");
			return NULL;
		}
		table->rows = rows;
		table->cap = cap;
	}
	row = &table->rows[table->count];
	memset(row, 0, sizeof(*row));
	row->value = strdup(value);
	if (row->value == NULL) {
		roost_err_set(err, "out of memory");
		return NULL;
	}
	return row;
}

/* Joins another value to that of a row. */
static int join(struct row *row, const char *value, struct roost_err *err)
{
	size_t len = strlen(row->value), more = strlen(value);
	char *joined;

	if (len + more > ROOST_POLICY_TABLE_LINE_MAX)
		return roost_err_set(err, "too many values for '%.60s'",
				     row->key);
	joined = realloc(row->value, len + more + 2);
	if (joined == NULL)
		return roost_err_set(err, "out of memory");
	joined[len] = ',';
	memcpy(joined + len + 1, value, more + 1);
	row->value = joined;
	return 0;
}

int roost_policy_table_add(struct roost_policy_table *table, const char *key,
			   const char *value, bool joins, struct roost_err *err)
{
	struct row *row;
	size_t slot;

	if (table->count * 2 >= table->slot_count && grow_slots(table, err) < 0)
		return -1;
	slot = find_slot(table, key);
	if (table->slots[slot] != 0 && !joins)
		return 0;
	if (table->slots[slot] != 0)
		return join(&table->rows[table->slots[slot] - 1], value, err);
	row = add_row(table, value, err);
	if (row == NULL)
		return -1;
	row->key = strdup(key);
	if (row->key == NULL) {
		free(row->value);
		return roost_err_set(err, "out of memory");
	}
	table->slots[slot] = (uint32_t)++table->count;
	return 0;
}

/* Adds "/pattern/flags value", cut at the blanks already. */
static int add_regexp(struct roost_policy_table *table, char *pattern,
		      const char *value, struct roost_err *err)
{
	char *end = strrchr(pattern, '/');
	int flags = REG_EXTENDED | REG_NOSUB | REG_ICASE, ret;
	struct row *row;
	char why[128];

	if (*pattern != '/' || end == pattern)
		return roost_err_set(err, "'%.60s' is no /pattern/", pattern);
	if (strcmp(end + 1, "i") == 0)
		flags &= ~REG_ICASE; /* as Postfix: it toggles */
	else if (end[1] != '\0')
		return roost_err_set(err, "flags '%.20s' are not known",
				     end + 1);
	if (strchr(value, '$') != NULL)
		return roost_err_set(err, "substitution ($) is not supported");
	if (++table->regexps > ROOST_POLICY_TABLE_REGEXPS_MAX)
		return roost_err_set(err, "more than %d patterns",
				     ROOST_POLICY_TABLE_REGEXPS_MAX);
	*end = '\0';
	row = add_row(table, value, err);
	if (row == NULL)
		return -1;
	ret = regcomp(&row->regex, pattern + 1, flags);
	if (ret != 0) {
		(void)regerror(ret, &row->regex, why, sizeof(why));
		free(row->value);
		return roost_err_set(err, "/%.60s/: %s", pattern + 1, why);
	}
	table->count++;
	return 0;
}

static int add_line(struct roost_policy_table *table,
		    enum roost_policy_table_form form, char *line, size_t len,
		    struct roost_err *err)
{
	char *value;

	if (memchr(line, '\0', len) != NULL)
		return roost_err_set(err, "NUL byte");
	while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
		line[--len] = '\0';
	value = line + strcspn(line, " \t");
	if (*value == '\0')
		return roost_err_set(err, "'%.60s' has no value", line);
	*value++ = '\0';
	value += strspn(value, " \t");
	return form == ROOST_POLICY_TABLE_REGEXP
		       ? add_regexp(table, line, value, err)
		       : roost_policy_table_add(table, line, value, false, err);
}

/* Appends one physical line of text to the logical one; *text is moved on. */
static void take_line(const char **text, const char *end,
		      struct roost_buf *line)
{
	size_t left = (size_t)(end - *text);
	const char *newline = memchr(*text, '\n', left);
	size_t len = newline == NULL ? left : (size_t)(newline - *text);
	const char *s = *text;

	*text += len + (newline == NULL ? 0 : 1);
	while (len > 0 && strchr(" \t\r", *s) != NULL && *s != '\0') {
		s++;
		len--;
	}
	if (len == 0 || *s == '#')
		return;
	if (line->len > 0)
		roost_buf_append_char(line, ' ');
	roost_buf_append(line, s, len);
}

static int parse(struct roost_policy_table *table,
		 enum roost_policy_table_form form, const char *text,
		 size_t len, struct roost_buf *line, struct roost_err *err)
{
	const char *end = text + len;
	unsigned int number = 0, start;

	while (text < end) {
		roost_buf_clear(line);
		start = ++number;
		take_line(&text, end, line);
		/* comments and empty lines do not end a logical line */
		while (line->len > 0 && text < end &&
		       strchr(" \t\r\n#", *text) != NULL && *text != '\0') {
			number++;
			take_line(&text, end, line);
		}
		if (line->failed)
			roost_err_set(err, "longer than %d bytes",
				      ROOST_POLICY_TABLE_LINE_MAX);
		if (line->failed ||
		    (line->len > 0 && add_line(table, form, (char *)line->data,
					       line->len, err) < 0))
			return roost_err_prefix(err, "line %u", start);
	}
	return 0;
}

struct roost_policy_table *
roost_policy_table_parse(enum roost_policy_table_form form, const char *text,
			 size_t len, struct roost_err *err)
{
	struct roost_policy_table *table = roost_policy_table_new();
	struct roost_buf line = ROOST_BUF_INIT(ROOST_POLICY_TABLE_LINE_MAX);

	if (table == NULL)
		roost_err_set(err, "out of memory");
	else if (parse(table, form, text, len, &line, err) < 0)
		roost_policy_table_free(&table);
	roost_buf_free(&line);
	return table;
}

const char *roost_policy_table_find(const struct roost_policy_table *table,
				    const char *key)
{
	size_t i;

	if (table->slot_count > 0) {
		i = table->slots[find_slot(table, key)];
		return i == 0 ? NULL : table->rows[i - 1].value;
	}
	if (strlen(key) > ROOST_POLICY_TABLE_KEY_MAX)
		return NULL;
	for (i = 0; i < table->count; i++) {
		if (regexec(&table->rows[i].regex, key, 0, NULL, 0) == 0)
			return table->rows[i].value;
	}
	return NULL;
}

size_t roost_policy_table_count(const struct roost_policy_table *table)
{
	return table->count;
}

const char *roost_policy_table_value(const struct roost_policy_table *table,
				     size_t i)
{
	return table->rows[i].value;
}
