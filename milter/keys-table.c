/* SPDX-License-Identifier: MIT */
/*
 * keys-table: OpenDKIM's KeyTable and SigningTable, read unchanged
 * (opendkim.conf(5)). Of the table kinds: plain files and refile.
 *
 * One signing line decides: the first that matches, and with it the lines of
 * the very same pattern, so that an RSA and an Ed25519 key can sign together.
 */
#include "milter/keys.h"

#include "milter/key-file.h"
#include "milter/key-load.h"
#include "milter/key-table.h"
#include "milter/watch.h"

#include <stdlib.h>
#include <string.h>

struct roost_keys_source {
	const struct roost_keys_env *env;
	struct roost_watch *watch;
	struct roost_key_set *set; /* the last good one */
	struct roost_key_report last;
	struct roost_buf state;
	bool failed;
};

static void take_state(const struct roost_keys_source *source,
		       const struct roost_key_table *table,
		       struct roost_buf *state)
{
	size_t i;

	roost_key_file_state(table->key_path, state);
	roost_key_file_state(table->signing_path, state);
	for (i = 0; i < table->key_count; i++) {
		const struct roost_key_table_key *key = &table->keys[i];

		if (key->path == NULL)
			continue;
		roost_key_file_state(key->path, state);
		roost_watch_add_file(source->watch, key->path);
	}
}

/* The key of the line, taken into the set under the line's pattern. */
static int load_line(const struct roost_key_load *load,
		     const struct roost_key_table_line *line,
		     struct roost_err *err)
{
	const struct roost_key_table_key *key = line->key;
	const struct roost_key_load_name name = {
		.pattern = line->pattern,
		.domain = key->domain,
		.selector = key->selector,
		.identity = line->identity,
		.place = key->place,
	};

	if (key->path != NULL)
		return roost_key_load_file(load, &name, key->path, err);
	return roost_key_load_text(load, &name, key->text, strlen(key->text),
				   err);
}

static int load_table(struct roost_keys_source *source,
		      const struct roost_key_table *table,
		      struct roost_err *err)
{
	struct roost_key_report report;
	struct roost_key_load load = {
		.set = roost_key_set_new(table->glob ? ROOST_KEY_MATCH_GLOB
						     : ROOST_KEY_MATCH_TABLE),
		.previous = source->set,
		.report = &report,
		.min_bits =
			(unsigned int)source->env->settings->minimum_key_bits,
	};
	int ret = 0;
	size_t i;

	roost_key_report_init(&report);
	if (load.set == NULL)
		ret = roost_err_set(err, "out of memory");
	for (i = 0; i < table->line_count && ret == 0; i++)
		ret = load_line(&load, &table->lines[i], err);
	if (ret == 0)
		ret = roost_key_set_finish(load.set, source->set, err);
	if (ret == 0) {
		roost_key_set_unref(&source->set);
		source->set = roost_key_set_ref(load.set);
		roost_key_report_publish(&report, &source->last,
					 source->env->log,
					 roost_keys_table_ops.name);
		source->env->loaded(source->env->ctx, source->env->source,
				    source->set);
	}
	roost_key_set_unref(&load.set);
	roost_key_report_free(&report);
	return ret;
}

static int load(struct roost_keys_source *source, struct roost_err *err)
{
	const struct roost_milter_settings *s = source->env->settings;
	struct roost_buf state = ROOST_BUF_INIT(64 * 1024 * 1024);
	struct roost_key_table table;
	int ret;

	ret = roost_key_table_read(s->key_table, s->signing_table, &table, err);
	if (ret == 0) {
		take_state(source, &table, &state);
		if (source->failed ||
		    strcmp(roost_buf_str(&state),
			   roost_buf_str(&source->state)) != 0)
			ret = load_table(source, &table, err);
	}
	if (ret == 0) {
		roost_buf_free(&source->state);
		source->state = state;
	} else {
		roost_buf_free(&state);
	}
	roost_key_table_free(&table);
	return ret;
}

static void on_changed(void *ctx)
{
	struct roost_keys_source *source = ctx;
	struct roost_err err;

	if (load(source, &err) == 0) {
		source->failed = false;
		return;
	}
	if (!source->failed)
		source->env->failed(source->env->ctx, source->env->source,
				    err.msg);
	source->failed = true;
}

static bool table_wanted(const struct roost_milter_settings *settings)
{
	return *settings->key_table != '\0';
}

static void table_close(struct roost_keys_source **_source)
{
	struct roost_keys_source *source = *_source;

	*_source = NULL;
	roost_watch_free(&source->watch);
	roost_key_set_unref(&source->set);
	roost_key_report_free(&source->last);
	roost_buf_free(&source->state);
	free(source);
}

static struct roost_keys_source *table_open(const struct roost_keys_env *env,
					    struct roost_key_set *previous,
					    struct roost_err *err)
{
	struct roost_keys_source *source = calloc(1, sizeof(*source));
	const struct roost_milter_settings *s = env->settings;

	if (source == NULL) {
		(void)roost_err_set(err, "out of memory");
		return NULL;
	}
	source->env = env;
	roost_key_report_init(&source->last);
	if (previous != NULL)
		source->set = roost_key_set_ref(previous);
	source->watch = roost_watch_new(env->base, s->key_poll_interval,
					on_changed, source, err);
	if (source->watch != NULL) {
		roost_watch_add_file(source->watch,
				     roost_key_table_path(s->key_table));
		roost_watch_add_file(source->watch,
				     roost_key_table_path(s->signing_table));
		if (load(source, err) == 0)
			return source;
	}
	table_close(&source);
	return NULL;
}

const struct roost_keys_ops roost_keys_table_ops = {
	.name = "table",
	.wanted = table_wanted,
	.open = table_open,
	.close = table_close,
};
