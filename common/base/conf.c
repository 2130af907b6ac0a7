/* SPDX-License-Identifier: MIT */
/* conf: settings from defaults, file, environment and command line. */
#include "common/base/conf.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/conf-private.h"

struct roost_conf {
	const struct roost_conf_table *table;
	const char *path; /* while loading */
	struct conf_slot *slots;
	void *settings;
};

/* The index of a row, or table->count. */
static size_t table_find(const struct roost_conf_table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->count; i++) {
		if (strcmp(table->rows[i].name, name) == 0)
			break;
	}
	return i;
}

static struct roost_conf *conf_new(const struct roost_conf_table *table)
{
	struct roost_conf *conf = calloc(1, sizeof(*conf));
	bool ok = conf != NULL;
	size_t i;

	if (!ok)
		return NULL;
	conf->table = table;
	conf->slots = calloc(table->count, sizeof(*conf->slots));
	conf->settings = calloc(1, table->size);
	ok = conf->slots != NULL && conf->settings != NULL;
	for (i = 0; ok && i < table->count; i++) {
		conf->slots[i].text = strdup(table->rows[i].def);
		ok = conf->slots[i].text != NULL;
	}
	if (!ok)
		roost_conf_free(&conf);
	return conf;
}

/* Cuts white space off both ends, in place. */
static void trim(char *text)
{
	size_t lead = strspn(text, " \t\r\n"), len = strlen(text + lead);

	while (len > 0 && strchr(" \t\r\n", text[lead + len - 1]) != NULL)
		len--;
	memmove(text, text + lead, len);
	text[len] = '\0';
}

/* Line ends become blanks (an environment value may span lines), other
   control characters are refused. */
static bool clean(char *text)
{
	trim(text);
	for (; *text != '\0'; text++) {
		if (*text == '\n' || *text == '\r')
			*text = ' ';
		else if (iscntrl((unsigned char)*text) && *text != '\t')
			return false;
	}
	return true;
}

/* Sets the text of a row that a source names; a higher rank wins. */
static int conf_set(struct roost_conf *conf, size_t row, unsigned int rank,
		    const char *origin, const char *value,
		    struct roost_err *err)
{
	struct conf_slot *slot = &conf->slots[row];
	char *text;

	if (strlen(value) > ROOST_CONF_VALUE_MAX)
		return roost_err_set(err, "%s: %s: the value is too long",
				     origin, conf->table->rows[row].name);
	if (rank == slot->rank && rank != 3)
		return roost_err_set(err, "%s: %s is already set at %s", origin,
				     conf->table->rows[row].name, slot->origin);
	text = strdup(value);
	if (text != NULL && !clean(text)) {
		free(text);
		return roost_err_set(err,
				     "%s: %s: control character in the "
				     "value",
				     origin, conf->table->rows[row].name);
	}
	free(slot->text);
	free(slot->origin);
	slot->text = text;
	slot->origin = strdup(origin);
	slot->rank = rank;
	if (text == NULL || slot->origin == NULL)
		return roost_err_set(err, "out of memory");
	return 0;
}

static int set_from_file(void *ctx, const char *name, const char *value,
			 unsigned int line, struct roost_err *err)
{
	struct roost_conf *conf = ctx;
	size_t row = table_find(conf->table, name);
	char origin[ROOST_ERR_SIZE];

	snprintf(origin, sizeof(origin), "%.400s:%u", conf->path, line);
	if (row == conf->table->count)
		return roost_err_set(err, "%s: unknown setting '%s'", origin,
				     name);
	return conf_set(conf, row, 1, origin, value, err);
}

static int set_from_secret_file(struct roost_conf *conf, size_t row,
				const char *variable, const char *path,
				struct roost_err *err)
{
	char *text;
	size_t len;
	int ret;

	if (roost_conf_file_read(path, ROOST_CONF_VALUE_MAX, &text, &len, err) <
	    0)
		return roost_err_prefix(err, "%s", variable);
	if (memchr(text, '\0', len) != NULL)
		ret = roost_err_set(err, "%s: %s holds a NUL byte", variable,
				    path);
	else
		ret = conf_set(conf, row, 2, variable, text, err);
	free(text);
	return ret;
}

/* Kubernetes puts <SERVICE>_SERVICE_HOST, <SERVICE>_PORT_25_TCP_ADDR and so
   on into the environment: a service named roost-policy must not break us. */
static bool is_service_link(const char *name)
{
	return strncmp(name, "service_", 8) == 0 || strcmp(name, "port") == 0 ||
	       strncmp(name, "port_", 5) == 0;
}

static int set_from_env(struct roost_conf *conf, const char *entry,
			struct roost_err *err)
{
	size_t prefix = strlen(conf->table->env_prefix), row, i, len;
	const char *value = strchr(entry, '=');
	char variable[128], name[128];

	if (strncmp(entry, conf->table->env_prefix, prefix) != 0 ||
	    value == NULL)
		return 0;
	len = (size_t)(value - entry);
	if (len >= sizeof(variable))
		return roost_err_set(err, "%.60s...: unknown setting", entry);
	memcpy(variable, entry, len);
	variable[len] = '\0';
	for (i = prefix; i <= len; i++)
		name[i - prefix] = (char)tolower((unsigned char)variable[i]);
	len -= prefix;
	row = table_find(conf->table, name);
	if (row < conf->table->count)
		return conf_set(conf, row, 2, variable, value + 1, err);
	if (len > 5 && strcmp(name + len - 5, "_file") == 0) {
		name[len - 5] = '\0';
		row = table_find(conf->table, name);
		if (row < conf->table->count &&
		    (conf->table->rows[row].flags & ROOST_CONF_SECRET) != 0)
			return set_from_secret_file(conf, row, variable,
						    value + 1, err);
		name[len - 5] = '_';
	}
	if (is_service_link(name))
		return 0;
	return roost_err_set(err, "%s: unknown setting '%s'", variable, name);
}

static int set_from_override(struct roost_conf *conf, const char *override,
			     struct roost_err *err)
{
	const char *value = strchr(override, '=');
	char name[ROOST_CONF_NAME_MAX + 1] = "";
	size_t row;

	if (value == NULL)
		return roost_err_set(err, "-o %.60s: expected name=value",
				     override);
	snprintf(name, sizeof(name), "%.*s", (int)(value - override), override);
	trim(name);
	row = table_find(conf->table, name);
	if (row == conf->table->count)
		return roost_err_set(err, "-o: unknown setting '%s'", name);
	return conf_set(conf, row, 3, "-o", value + 1, err);
}

static int conf_expand(struct roost_conf *conf, size_t row,
		       struct roost_err *err);

/* Appends what stands for the name at *text (after the dollar) and moves on
   behind it. */
static int expand_name(struct roost_conf *conf, const char **text,
		       struct roost_buf *out, struct roost_err *err)
{
	char name[ROOST_CONF_NAME_MAX + 1];
	const char *s = *text, *start;
	bool braces = *s == '{';
	size_t row, len;

	start = braces ? ++s : s;
	while (islower((unsigned char)*s) || isdigit((unsigned char)*s) ||
	       *s == '_')
		s++;
	len = (size_t)(s - start);
	if (len == 0 || len > ROOST_CONF_NAME_MAX || (braces && *s != '}'))
		return roost_err_set(err, "'$' is not followed by a name; "
					  "a dollar sign is written $$");
	memcpy(name, start, len);
	name[len] = '\0';
	row = table_find(conf->table, name);
	if (row == conf->table->count)
		return roost_err_set(err, "$%s: unknown setting", name);
	if ((conf->table->rows[row].flags & ROOST_CONF_SECRET) != 0)
		return roost_err_set(err, "$%s: is a secret", name);
	if (conf_expand(conf, row, err) < 0)
		return -1;
	roost_buf_append_str(out, conf->slots[row].text);
	*text = s + (braces ? 1 : 0);
	return 0;
}

static int expand_text(struct roost_conf *conf, const char *text,
		       struct roost_buf *out, struct roost_err *err)
{
	while (*text != '\0') {
		size_t plain = strcspn(text, "$");

		roost_buf_append(out, text, plain);
		text += plain;
		if (*text == '\0')
			break;
		text++;
		if (*text == '$' || isdigit((unsigned char)*text)) {
			roost_buf_append_char(out, '$');
			text += *text == '$' ? 1 : 0;
		} else if (expand_name(conf, &text, out, err) < 0) {
			return -1;
		}
	}
	return 0;
}

/* Expands `$name` in the text of a row, and in those it names, once. */
static int conf_expand(struct roost_conf *conf, size_t row,
		       struct roost_err *err)
{
	struct roost_buf out = ROOST_BUF_INIT(ROOST_CONF_VALUE_MAX);
	const struct roost_conf_row *def = &conf->table->rows[row];
	struct conf_slot *slot = &conf->slots[row];
	int ret;

	if (slot->state == CONF_EXPANDED)
		return 0;
	if (slot->state == CONF_EXPANDING)
		return roost_err_set(err, "$%s: refers to itself", def->name);
	slot->state = CONF_EXPANDING;
	if ((def->flags & ROOST_CONF_SECRET) == 0 &&
	    strchr(slot->text, '$') != NULL) {
		ret = expand_text(conf, slot->text, &out, err);
		roost_buf_append(&out, "", 0);
		if (ret == 0 && out.failed)
			ret = roost_err_set(err, "the value is too long");
		if (ret < 0) {
			roost_buf_free(&out);
			return -1;
		}
		free(slot->text);
		slot->text = (char *)out.data;
		trim(slot->text);
	}
	slot->state = CONF_EXPANDED;
	return 0;
}

static int conf_fill(struct roost_conf *conf, struct roost_err *err)
{
	size_t i;

	for (i = 0; i < conf->table->count; i++) {
		const struct roost_conf_row *row = &conf->table->rows[i];

		if (conf_expand(conf, i, err) < 0 ||
		    roost_conf_value_parse(row, &conf->slots[i], conf->settings,
					   err) < 0)
			return roost_err_prefix(err, "%s: %s",
						roost_conf_origin(conf, i),
						row->name);
	}
	return 0;
}

static int conf_read_sources(struct roost_conf *conf,
			     const struct roost_conf_input *input,
			     const char *text, size_t len,
			     struct roost_err *err)
{
	size_t i;

	conf->path = input->path;
	if (text != NULL && roost_conf_file_parse(input->path, text, len,
						  set_from_file, conf, err) < 0)
		return -1;
	for (i = 0; input->env != NULL && input->env[i] != NULL; i++) {
		if (set_from_env(conf, input->env[i], err) < 0)
			return -1;
	}
	for (i = 0; i < input->override_count; i++) {
		if (set_from_override(conf, input->overrides[i], err) < 0)
			return -1;
	}
	return 0;
}

struct roost_conf *roost_conf_parse(const struct roost_conf_table *table,
				    const struct roost_conf_input *input,
				    const char *text, size_t len,
				    struct roost_err *err)
{
	struct roost_conf *conf = conf_new(table);

	if (conf == NULL) {
		roost_err_set(err, "out of memory");
		return NULL;
	}
	if (conf_read_sources(conf, input, text, len, err) < 0 ||
	    conf_fill(conf, err) < 0)
		roost_conf_free(&conf);
	return conf;
}

struct roost_conf *roost_conf_load(const struct roost_conf_table *table,
				   const struct roost_conf_input *input,
				   struct roost_err *err)
{
	struct roost_conf *conf;
	char *text = NULL;
	size_t len = 0;

	if (input->path != NULL &&
	    roost_conf_file_read(input->path, ROOST_CONF_FILE_MAX, &text, &len,
				 err) < 0)
		return NULL;
	conf = roost_conf_parse(table, input, text, len, err);
	free(text);
	return conf;
}

const void *roost_conf_settings(const struct roost_conf *conf)
{
	return conf->settings;
}

const char *roost_conf_origin(const struct roost_conf *conf, size_t row)
{
	const char *origin = conf->slots[row].origin;

	return origin == NULL ? "default" : origin;
}

const char *roost_conf_origin_of(const struct roost_conf *conf,
				 const char *name)
{
	return roost_conf_origin(conf, table_find(conf->table, name));
}

const char *roost_conf_text(const struct roost_conf *conf, size_t row)
{
	return conf->slots[row].text;
}

/* The text so that reading it again gives the same value. */
static void print_value(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '$' && !isdigit((unsigned char)text[1]))
			fputc('$', out);
		fputc(*text, out);
	}
}

void roost_conf_print(const struct roost_conf *conf, FILE *out)
{
	size_t i;

	for (i = 0; i < conf->table->count; i++) {
		const struct roost_conf_row *row = &conf->table->rows[i];
		const char *text = conf->slots[i].text;

		fprintf(out, "%s =%s", row->name, *text == '\0' ? "" : " ");
		if ((row->flags & ROOST_CONF_SECRET) != 0 && *text != '\0')
			fputs("(hidden)", out);
		else
			print_value(text, out);
		fputc('\n', out);
	}
}

void roost_conf_free(struct roost_conf **conf)
{
	size_t i;

	if (*conf == NULL)
		return;
	for (i = 0; (*conf)->slots != NULL && i < (*conf)->table->count; i++) {
		struct conf_slot *slot = &(*conf)->slots[i];

		free(slot->text);
		free(slot->origin);
		free(slot->strings);
		free(slot->array);
		roost_cidr_set_free(&slot->set);
	}
	free((*conf)->slots);
	free((*conf)->settings);
	free(*conf);
	*conf = NULL;
}
