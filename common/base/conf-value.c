/* SPDX-License-Identifier: MIT */
/* conf-value: the types of settings, from text to C. */
#include "common/base/conf-private.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

/* sun_path, with its NUL */
#define UNIX_PATH_MAX_BYTES 108

struct unit {
	const char *name;
	int64_t factor;
};

/* the first one is the unit of a bare number */
static const struct unit duration_units[] = {
	{ "s", 1000 },	   { "ms", 1 },	       { "m", 60000 }, { "h", 3600000 },
	{ "d", 86400000 }, { "w", 604800000 }, { NULL, 0 },
};
static const struct unit size_units[] = {
	{ "", 1 },	  { "k", 1024 },       { "K", 1024 },
	{ "M", 1048576 }, { "G", 1073741824 }, { NULL, 0 },
};

/* Decimal digits, then a unit. */
static int parse_number(const char *text, const struct unit *units,
			int64_t *value_r)
{
	const struct unit *unit = units;
	int64_t value = 0;

	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (value > (INT64_MAX - 9) / 10)
			return -1;
		value = value * 10 + (*text - '0');
	}
	if (*text != '\0') {
		while (unit->name != NULL && strcmp(unit->name, text) != 0)
			unit++;
		if (unit->name == NULL)
			return -1;
	}
	if (value > INT64_MAX / unit->factor)
		return -1;
	*value_r = value * unit->factor;
	return 0;
}

static int value_number(const struct roost_conf_row *row, const char *text,
			int64_t *value_r, struct roost_err *err)
{
	static const struct unit plain[] = { { "", 1 }, { NULL, 0 } };
	static const char *const what[] = {
		[ROOST_CONF_INT] = "a whole number",
		[ROOST_CONF_DURATION] = "a time (like 500ms, 30s, 5m, 2h, 1d)",
		[ROOST_CONF_SIZE] = "a size (like 4096, 64k, 1M, 2G)",
	};
	const struct unit *units = row->type == ROOST_CONF_DURATION
					   ? duration_units
				   : row->type == ROOST_CONF_SIZE ? size_units
								  : plain;
	bool negative = row->type == ROOST_CONF_INT && text[0] == '-';

	if (parse_number(text + (negative ? 1 : 0), units, value_r) < 0)
		return roost_err_set(err, "'%.60s' is not %s", text,
				     what[row->type]);
	if (negative)
		*value_r = -*value_r;
	if (row->min != row->max &&
	    (*value_r < row->min || *value_r > row->max))
		return roost_err_set(err,
				     "'%.60s' is out of range (%" PRId64
				     " to %" PRId64 "%s)",
				     text, row->min, row->max,
				     row->type == ROOST_CONF_DURATION ? " ms"
								      : "");
	return 0;
}

static int value_mode(const char *text, int64_t *value_r, struct roost_err *err)
{
	int64_t value = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '7' && value <= 0777; i++)
		value = value * 8 + (text[i] - '0');
	if (i == 0 || text[i] != '\0' || value > 0777)
		return roost_err_set(
			err, "'%.60s' is not a file mode (like 0660)", text);
	*value_r = value;
	return 0;
}

static int value_bool(const char *text, bool *value_r, struct roost_err *err)
{
	static const char *const words[] = { "0",   "1",     "no",
					     "yes", "false", "true" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) == 0) {
			*value_r = i % 2 == 1;
			return 0;
		}
	}
	return roost_err_set(err,
			     "'%.60s' is neither yes, true, 1 nor no, "
			     "false, 0",
			     text);
}

static int value_enum(const struct roost_conf_row *row, const char *text,
		      int64_t *value_r, struct roost_err *err)
{
	struct roost_buf all = ROOST_BUF_INIT(256);
	int64_t i;

	for (i = 0; row->choices[i] != NULL; i++) {
		if (strcmp(text, row->choices[i]) == 0) {
			roost_buf_free(&all);
			*value_r = i;
			return 0;
		}
		roost_buf_printf(&all, "%s%s", i == 0 ? "" : ", ",
				 row->choices[i]);
	}
	roost_err_set(err, "'%.60s' is none of: %s", text, roost_buf_str(&all));
	roost_buf_free(&all);
	return -1;
}

/* Splits at commas and blanks; the words live in slot->strings. */
static int value_words(struct conf_slot *slot, struct roost_conf_words *words_r,
		       struct roost_err *err)
{
	const char **word = NULL;
	size_t count = 0;
	char *save, *s;

	slot->strings = strdup(slot->text);
	if (slot->strings == NULL)
		return roost_err_set(err, "out of memory");
	for (s = strtok_r(slot->strings, ", \t", &save); s != NULL;
	     s = strtok_r(NULL, ", \t", &save)) {
		if (count % 16 == 0) {
			void *more =
				realloc(word, (count + 16) * sizeof(*word));

			if (more == NULL || count >= ROOST_CONF_WORDS_MAX) {
				slot->array = more == NULL ? word : more;
				return roost_err_set(err,
						     "too many words in the "
						     "list (at most %d)",
						     ROOST_CONF_WORDS_MAX);
			}
			word = more;
		}
		word[count++] = s;
	}
	slot->array = word;
	words_r->word = word;
	words_r->count = count;
	return 0;
}

static int value_cidrs(struct conf_slot *slot, struct roost_err *err)
{
	struct roost_conf_words words;
	size_t i;

	slot->set = roost_cidr_set_new();
	if (slot->set == NULL)
		return roost_err_set(err, "out of memory");
	if (value_words(slot, &words, err) < 0)
		return -1;
	for (i = 0; i < words.count; i++) {
		if (roost_cidr_set_add_text(slot->set, words.word[i], err) < 0)
			return -1;
	}
	return 0;
}

/* Cuts "host:port" of the mutable string into its parts. */
static int split_host_port(char *text, struct roost_conf_addr *addr)
{
	char *colon = strrchr(text, ':'), *end;
	char *host = text;
	unsigned long port;
	size_t len;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return -1;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || end - colon > 6 || port > 65535)
		return -1;
	*colon = '\0';
	len = strlen(host);
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		struct roost_addr ip;
		struct roost_err ignored;

		host[len - 1] = '\0';
		host++;
		if (strchr(host, ':') == NULL ||
		    roost_addr_parse(host, &ip, &ignored) < 0)
			return -1;
	} else if (strcmp(host, "*") == 0) {
		host = colon;
	} else if (len == 0 || len > 255 ||
		   strspn(host, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789.-_") != len) {
		return -1;
	}
	addr->host = host;
	addr->port = (uint16_t)port;
	return 0;
}

static int value_listen(struct conf_slot *slot,
			struct roost_conf_listen *listen_r,
			struct roost_err *err)
{
	struct roost_conf_addr *addrs;
	struct roost_conf_words words;
	char *texts = NULL, *next;
	void *word_array;
	size_t i;

	if (value_words(slot, &words, err) < 0)
		return -1;
	word_array = slot->array;
	addrs = calloc(words.count + 1, sizeof(*addrs));
	slot->array = addrs;
	/* every word twice: as written, and to be cut into parts */
	next = texts = malloc(2 * strlen(slot->text) + 2 * words.count + 1);
	for (i = 0; addrs != NULL && texts != NULL && i < words.count; i++) {
		size_t size = strlen(words.word[i]) + 1;
		char *parts = next + size;

		addrs[i].text = memcpy(next, words.word[i], size);
		memcpy(parts, words.word[i], size);
		next += 2 * size;
		if (strncmp(parts, "unix:/", 6) == 0 &&
		    size - 5 <= UNIX_PATH_MAX_BYTES)
			addrs[i].path = parts + 5;
		else if (strncmp(parts, "inet:", 5) != 0 ||
			 split_host_port(parts + 5, &addrs[i]) < 0)
			break;
	}
	free(slot->strings);
	slot->strings = texts;
	listen_r->addr = addrs;
	listen_r->count = words.count;
	if (addrs == NULL || texts == NULL)
		roost_err_set(err, "out of memory");
	else if (i < words.count)
		roost_err_set(err,
			      "'%.60s' is neither unix:/path (at most %d "
			      "bytes) nor inet:host:port",
			      addrs[i].text, UNIX_PATH_MAX_BYTES - 1);
	else
		i = SIZE_MAX;
	free(word_array);
	return i == SIZE_MAX ? 0 : -1;
}

static int value_path(const struct roost_conf_row *row, const char *text,
		      struct roost_err *err)
{
	if (text[0] == '/' || (text[0] == '\0' && row->def[0] == '\0'))
		return 0;
	return roost_err_set(err, "'%.60s' is not an absolute path", text);
}

int roost_conf_value_parse(const struct roost_conf_row *row,
			   struct conf_slot *slot, void *settings,
			   struct roost_err *err)
{
	void *member = (char *)settings + row->offset;
	const char *text = slot->text;

	switch (row->type) {
	case ROOST_CONF_STRING:
		memcpy(member, &text, sizeof(text));
		return 0;
	case ROOST_CONF_PATH:
		memcpy(member, &text, sizeof(text));
		return value_path(row, text, err);
	case ROOST_CONF_BOOL:
		return value_bool(text, member, err);
	case ROOST_CONF_MODE:
		return value_mode(text, member, err);
	case ROOST_CONF_INT:
	case ROOST_CONF_DURATION:
	case ROOST_CONF_SIZE:
		return value_number(row, text, member, err);
	case ROOST_CONF_ENUM:
		return value_enum(row, text, member, err);
	case ROOST_CONF_LIST:
		return value_words(slot, member, err);
	case ROOST_CONF_CIDRS:
		if (value_cidrs(slot, err) < 0)
			return -1;
		memcpy(member, &slot->set, sizeof(slot->set));
		return 0;
	case ROOST_CONF_LISTEN:
		return value_listen(slot, member, err);
	}
	return roost_err_set(err, "type %d is unknown", (int)row->type);
}
