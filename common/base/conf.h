/* SPDX-License-Identifier: MIT */
/*
 * conf: the settings of a daemon, described by one table.
 *
 * A product keeps its settings in a struct and names each in a row: type,
 * place in the struct, default, documentation. Loading yields an immutable
 * snapshot: values come from the default, the file, the environment and the
 * command line, later ones winning; unknown names and bad values are errors
 * that name their place ("policy.conf:12: mode: ..."). Manual pages are tested
 * against the same table.
 *
 * File syntax is that of Postfix's main.cf: `name = value`; a line that starts
 * with white space continues the last one; lines whose first other character
 * is `#` and empty lines are skipped; `$name` and `${name}` stand for another
 * setting's value, `$$` for a dollar, and a dollar before a digit is left
 * alone (SQL parameters); lists are separated by commas or white space. A
 * setting given twice in one file is an error.
 *
 * Environment: <env_prefix><NAME>; for secrets also <env_prefix><NAME>_FILE,
 * the path of a file that holds the value. Secrets are not `$` expanded.
 */
#ifndef ROOST_BASE_CONF_H
#define ROOST_BASE_CONF_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/cidr.h"
#include "common/base/err.h"

#define ROOST_CONF_FILE_MAX (1024 * 1024) /* bytes in a settings file */
#define ROOST_CONF_VALUE_MAX 65536 /* bytes in a value, after expansion */
#define ROOST_CONF_WORDS_MAX 4096  /* words in a list */

enum roost_conf_type {
	ROOST_CONF_STRING, /* const char *; never NULL */
	ROOST_CONF_PATH,   /* const char *; absolute, or "" if the default is */
	ROOST_CONF_BOOL,   /* bool; 1/0/true/false/yes/no */
	ROOST_CONF_INT,	   /* int64_t; decimal, min..max */
	ROOST_CONF_MODE,   /* int64_t; octal file mode, at most 0777 */
	ROOST_CONF_DURATION, /* int64_t ms; 5, 5s (seconds), 20ms, 3m, 2h, 1d */
	ROOST_CONF_SIZE, /* int64_t bytes; 4096, 64k, 1M, 2G (powers of 1024) */
	ROOST_CONF_ENUM, /* int64_t; index into choices */
	ROOST_CONF_LIST, /* struct roost_conf_words */
	ROOST_CONF_CIDRS,  /* struct roost_cidr_set *; never NULL */
	ROOST_CONF_LISTEN, /* struct roost_conf_listen */
};

#define ROOST_CONF_SECRET 1U /* hidden in print, _FILE in the environment */

struct roost_conf_words {
	const char *const *word;
	size_t count;
};

/* Where to listen: `unix:/path` or `inet:host:port`; the host may be a name,
   `[v6]`, or `*` for every address. */
struct roost_conf_addr {
	const char *path; /* unix socket, or NULL: */
	const char *host; /* "" for every address */
	uint16_t port;	  /* 0: let the system choose */
	const char *text; /* as it was written */
};

struct roost_conf_listen {
	const struct roost_conf_addr *addr;
	size_t count;
};

struct roost_conf_row {
	const char *name; /* lower case, digits, '_' */
	enum roost_conf_type type;
	unsigned int flags;
	size_t offset;	  /* of the value in the settings struct */
	const char *def;  /* as it would be written in the file */
	int64_t min, max; /* INT, DURATION (ms), SIZE; min == max: no bound */
	const char *const *choices; /* ENUM, NULL-terminated */
	const char *doc;	    /* one paragraph of plain text */
};

/* A row whose name is that of the member: ROOST_CONF_ROW(policy_settings,
   mode, ENUM, "enforce", "What it is.", .choices = modes). */
#define ROOST_CONF_ROW(struct_, name_, type_, def_, doc_, ...)          \
	{                                                               \
		.name = #name_, .type = ROOST_CONF_##type_,             \
		.offset = offsetof(struct struct_, name_), .def = def_, \
		.doc = doc_, __VA_ARGS__                                \
	}

struct roost_conf_table {
	const char *env_prefix; /* "ROOST_POLICY_" */
	const struct roost_conf_row *rows;
	size_t count;
	size_t size; /* of the settings struct */
};

struct roost_conf_input {
	const char *path;	      /* settings file, or NULL: none */
	const char *const *env;	      /* environ, or NULL: none */
	const char *const *overrides; /* "name=value" of -o; the last wins */
	size_t override_count;
};

struct roost_conf;

/* Reads file, environment and overrides; NULL and a message on any error. */
struct roost_conf *roost_conf_load(const struct roost_conf_table *table,
				   const struct roost_conf_input *input,
				   struct roost_err *err);

/* The same with the text of the file at hand; `path` is for messages. */
struct roost_conf *roost_conf_parse(const struct roost_conf_table *table,
				    const struct roost_conf_input *input,
				    const char *text, size_t len,
				    struct roost_err *err);

/* The filled settings struct; lives as long as the conf. */
const void *roost_conf_settings(const struct roost_conf *conf);

/* Where the value of row i came from: "policy.conf:3", "ROOST_POLICY_MODE",
   "-o", or "default"; what the error of a later check should start with. */
const char *roost_conf_origin(const struct roost_conf *conf, size_t row);

/* The same for the row of that name (which must exist). */
const char *roost_conf_origin_of(const struct roost_conf *conf,
				 const char *name);

/* The effective value as text, expanded; secrets too: not for printing. */
const char *roost_conf_text(const struct roost_conf *conf, size_t row);

/* Prints `name = value` for each row in table order, secrets as (hidden). */
void roost_conf_print(const struct roost_conf *conf, FILE *out);

void roost_conf_free(struct roost_conf **conf);

#endif
