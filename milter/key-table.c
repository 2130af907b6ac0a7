/* SPDX-License-Identifier: MIT */
/* key-table: parses OpenDKIM's KeyTable and SigningTable. */
#include "roost-config.h"

#include "milter/key-table.h"

#include "milter/key-load.h"
#include "milter/table-file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *roost_key_table_path(const char *setting)
{
	if (strncmp(setting, "refile:", 7) == 0)
		return setting + 7;
	return strncmp(setting, "file:", 5) == 0 ? setting + 5 : setting;
}

static int check_setting(const char *name, const char *setting,
			 struct roost_err *err)
{
	const char *path = roost_key_table_path(setting);

	if (path[0] == '/')
		return 0;
	return roost_err_set(err,
			     "%s: %s: only /path, file:/path and "
			     "refile:/path are understood",
			     name, setting);
}

/* Room for one more element. */
static void *grow(void *array, size_t count, size_t *alloc, size_t size)
{
	size_t more = *alloc == 0 ? 32 : *alloc * 2;
	void *grown;

	if (count < *alloc)
		return array;
	grown = realloc(array, more * size);
	if (grown != NULL)
		*alloc = more;
	return grown;
}

/* A relative path is taken from the folder of the table. */
static char *resolve(const char *table, const char *path)
{
	const char *slash = strrchr(table, '/');
	char *full = NULL;

	if (*path == '/' || slash == NULL)
		return strdup(path);
	if (asprintf(&full, "%.*s/%s", (int)(slash - table), table, path) < 0)
		return NULL;
	return full;
}

static bool is_path(const char *text)
{
	return *text == '/' || strncmp(text, "./", 2) == 0 ||
	       strncmp(text, "../", 3) == 0;
}

static int parse_key(struct roost_key_table *table,
		     const struct roost_table_line *line,
		     struct roost_key_table_key *key, struct roost_err *err)
{
	char *selector = strchr(line->value, ':'), *text = NULL;
	const char *why;

	if (selector != NULL) {
		*selector++ = '\0';
		text = strchr(selector, ':');
	}
	if (text == NULL)
		return roost_err_set(err,
				     "%s: \"name domain:selector:path\" "
				     "is needed",
				     line->place);
	*text++ = '\0';
	key->name = line->key;
	key->domain = line->value;
	key->selector = selector;
	key->text = text;
	why = roost_key_load_check_name(key->domain, key->selector);
	if (why != NULL)
		return roost_err_set(err, "%s: %s", line->place, why);
	if (*text == '\0')
		return roost_err_set(err, "%s: no key", line->place);
	if (!is_path(text))
		return 0;
	if (strchr(text, '%') != NULL)
		return roost_err_set(err,
				     "%s: \"%%\" in the path: keys are "
				     "read before the mail comes, name each "
				     "file",
				     line->place);
	key->path = resolve(table->key_path, text);
	return key->path == NULL ? roost_err_set(err, "out of memory") : 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct roost_key_table_key *ka = a, *kb = b;

	return strcmp(ka->name, kb->name);
}

static int check_names(const struct roost_key_table *table,
		       struct roost_err *err)
{
	size_t i;

	for (i = 1; i < table->key_count; i++) {
		if (strcmp(table->keys[i - 1].name, table->keys[i].name) == 0)
			return roost_err_set(err,
					     "%s: name %s is also in line "
					     "%u",
					     table->keys[i].place,
					     table->keys[i].name,
					     table->keys[i - 1].line);
	}
	return 0;
}

static int parse_keys(struct roost_key_table *table, struct roost_err *err)
{
	struct roost_key_table_key *key, *keys;
	struct roost_table_file file;
	struct roost_table_line line;
	int ret;

	roost_table_file_init(&file, table->key_path,
			      (char *)table->key_text.data);
	while ((ret = roost_table_file_next(&file, &line, err)) > 0) {
		keys = grow(table->keys, table->key_count, &table->key_alloc,
			    sizeof(*keys));
		if (keys == NULL)
			return roost_err_set(err, "out of memory");
		table->keys = keys;
		key = &keys[table->key_count++];
		memset(key, 0, sizeof(*key));
		key->line = file.line;
		key->place = strdup(line.place);
		if (key->place == NULL)
			return roost_err_set(err, "out of memory");
		if (parse_key(table, &line, key, err) < 0)
			return -1;
	}
	if (ret < 0)
		return -1;
	if (table->key_count > 0)
		qsort(table->keys, table->key_count, sizeof(*table->keys),
		      compare_keys);
	return check_names(table, err);
}

static int add_line(struct roost_key_table *table,
		    const struct roost_table_line *line, const char *name,
		    const char *identity, struct roost_err *err)
{
	const struct roost_key_table_key wanted = { .name = name };
	struct roost_key_table_line *lines;

	lines = grow(table->lines, table->line_count, &table->line_alloc,
		     sizeof(*lines));
	if (lines == NULL)
		return roost_err_set(err, "out of memory");
	table->lines = lines;
	lines += table->line_count;
	lines->pattern = line->key;
	lines->identity = identity;
	lines->key = table->key_count == 0
			     ? NULL
			     : bsearch(&wanted, table->keys, table->key_count,
				       sizeof(*table->keys), compare_keys);
	if (lines->key == NULL)
		return roost_err_set(err, "%s: no key named %s in %s",
				     line->place, name, table->key_path);
	table->line_count++;
	return 0;
}

static int check_pattern(const struct roost_key_table *table,
			 const struct roost_table_line *line,
			 struct roost_err *err)
{
	if (strlen(line->key) > 512)
		return roost_err_set(err, "%s: pattern too long", line->place);
	if (strcmp(line->key, "%") == 0)
		return roost_err_set(err,
				     "%s: the pattern \"%%\" is not "
				     "understood: write \"*\"",
				     line->place);
	if (table->glob && strchr(line->key, '*') == NULL &&
	    strchr(line->key, '@') == NULL)
		return roost_err_set(err,
				     "%s: %s matches no address: write "
				     "*@%s",
				     line->place, line->key, line->key);
	return 0;
}

static int parse_line(struct roost_key_table *table,
		      const struct roost_table_line *line,
		      struct roost_err *err)
{
	char *name = line->value, *identity = name + strcspn(name, " \t");

	if (check_pattern(table, line, err) < 0)
		return -1;
	if (*identity != '\0')
		*identity++ = '\0';
	identity += strspn(identity, " \t");
	if (*name == '\0' || strpbrk(identity, " \t;") != NULL)
		return roost_err_set(err,
				     "%s: \"pattern name [identity]\" is "
				     "needed",
				     line->place);
	return add_line(table, line, name, identity, err);
}

int roost_key_table_parse(struct roost_key_table *table, struct roost_err *err)
{
	struct roost_table_file file;
	struct roost_table_line line;
	int ret;

	/* so that an empty file has a text, too */
	roost_buf_append(&table->key_text, "", 0);
	roost_buf_append(&table->signing_text, "", 0);
	if (table->key_text.data == NULL || table->signing_text.data == NULL)
		return roost_err_set(err, "out of memory");
	if (parse_keys(table, err) < 0)
		return -1;
	roost_table_file_init(&file, table->signing_path,
			      (char *)table->signing_text.data);
	while ((ret = roost_table_file_next(&file, &line, err)) > 0) {
		if (parse_line(table, &line, err) < 0)
			return -1;
	}
	return ret;
}

int roost_key_table_read(const char *key_table, const char *signing_table,
			 struct roost_key_table *table, struct roost_err *err)
{
	memset(table, 0, sizeof(*table));
	table->key_text.max = table->signing_text.max = ROOST_TABLE_FILE_MAX;
	table->key_path = roost_key_table_path(key_table);
	table->signing_path = roost_key_table_path(signing_table);
	table->glob = strncmp(signing_table, "refile:", 7) == 0;
	if (strncmp(key_table, "refile:", 7) == 0)
		return roost_err_set(err, "key_table: refile: is for the "
					  "signing_table");
	if (check_setting("key_table", key_table, err) < 0 ||
	    check_setting("signing_table", signing_table, err) < 0 ||
	    roost_table_file_read(table->key_path, &table->key_text, err) < 0 ||
	    roost_table_file_read(table->signing_path, &table->signing_text,
				  err) < 0)
		return -1;
	return roost_key_table_parse(table, err);
}

void roost_key_table_free(struct roost_key_table *table)
{
	size_t i;

	for (i = 0; i < table->key_count; i++) {
		free(table->keys[i].path);
		free(table->keys[i].place);
	}
	free(table->keys);
	free(table->lines);
	if (table->key_text.data != NULL)
		memset(table->key_text.data, 0, table->key_text.len);
	roost_buf_free(&table->key_text);
	roost_buf_free(&table->signing_text);
}
