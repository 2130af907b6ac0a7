/* SPDX-License-Identifier: MIT */
/* keys: all key sources together. */
#include "milter/keys.h"

#include <stdlib.h>

struct roost_keys {
	struct roost_keys_env env[ROOST_KEYS_SOURCES];
	struct roost_keys_source *source[ROOST_KEYS_SOURCES];
	struct roost_keys_state state[ROOST_KEYS_SOURCES];
	const struct roost_log *log;
	roost_keys_changed *changed;
	void *ctx;
	bool opening;
};

const struct roost_keys_ops *const roost_keys_all[ROOST_KEYS_SOURCES] = {
	&roost_keys_table_ops,
	&roost_keys_dir_ops,
	&roost_keys_pg_ops,
};

static void log_loaded(const struct roost_keys *keys, size_t i,
		       const struct roost_key_set *set)
{
	struct roost_key_set_counts counts = roost_key_set_counts(set);
	struct roost_log_line line;

	roost_log_begin(&line, keys->log, ROOST_LOG_INFO, "keys_loaded");
	roost_log_str(&line, "source", roost_keys_all[i]->name);
	roost_log_int(&line, "rules", (int64_t)counts.rules);
	roost_log_int(&line, "keys", (int64_t)counts.keys);
	roost_log_int(&line, "broken", (int64_t)counts.broken);
	roost_log_end(&line);
}

static void on_loaded(void *ctx, size_t i, struct roost_key_set *set)
{
	struct roost_keys *keys = ctx;
	struct roost_keys_state *state = &keys->state[i];

	roost_key_set_unref(&state->set);
	state->set = roost_key_set_ref(set);
	state->up = true;
	state->failed = false;
	log_loaded(keys, i, set);
	if (!keys->opening)
		keys->changed(keys->ctx, keys);
}

static void on_failed(void *ctx, size_t i, const char *why)
{
	struct roost_keys *keys = ctx;
	struct roost_keys_state *state = &keys->state[i];
	struct roost_log_line line;

	roost_log_begin(&line, keys->log, ROOST_LOG_ERROR, "keys_failed");
	roost_log_str(&line, "source", roost_keys_all[i]->name);
	roost_log_str(&line, "kept", state->set == NULL ? "none" : "last_good");
	roost_log_str(&line, "msg", why);
	roost_log_end(&line);
	state->up = false;
	state->failed = true;
	if (!keys->opening)
		keys->changed(keys->ctx, keys);
}

static int open_source(struct roost_keys *keys, size_t i,
		       struct event_base *base,
		       const struct roost_milter_settings *settings,
		       const struct roost_keys *old, struct roost_err *err)
{
	const struct roost_keys_ops *ops = roost_keys_all[i];
	struct roost_keys_state *state = &keys->state[i];
	struct roost_key_set *previous;

	state->wanted = ops->wanted(settings);
	if (!state->wanted)
		return 0;
	if (old != NULL && old->state[i].set != NULL)
		state->set = roost_key_set_ref(old->state[i].set);
	keys->env[i] = (struct roost_keys_env){
		.base = base,
		.log = keys->log,
		.settings = settings,
		.loaded = on_loaded,
		.failed = on_failed,
		.ctx = keys,
		.source = i,
	};
	previous = state->set == NULL ? NULL : roost_key_set_ref(state->set);
	keys->source[i] = ops->open(&keys->env[i], previous, err);
	roost_key_set_unref(&previous);
	return keys->source[i] == NULL ? -1 : 0;
}

struct roost_keys *roost_keys_open(struct event_base *base,
				   const struct roost_log *log,
				   const struct roost_milter_settings *settings,
				   const struct roost_keys *old,
				   roost_keys_changed *changed, void *ctx,
				   struct roost_err *err)
{
	struct roost_keys *keys = calloc(1, sizeof(*keys));
	size_t i;

	if (keys == NULL) {
		(void)roost_err_set(err, "out of memory");
		return NULL;
	}
	keys->log = log;
	keys->changed = changed;
	keys->ctx = ctx;
	keys->opening = true;
	for (i = 0; i < ROOST_KEYS_SOURCES; i++) {
		if (open_source(keys, i, base, settings, old, err) < 0) {
			roost_keys_close(&keys);
			return NULL;
		}
	}
	keys->opening = false;
	return keys;
}

void roost_keys_close(struct roost_keys **_keys)
{
	struct roost_keys *keys = *_keys;
	size_t i;

	*_keys = NULL;
	if (keys == NULL)
		return;
	keys->opening = true; /* no more callbacks to the owner */
	for (i = 0; i < ROOST_KEYS_SOURCES; i++) {
		if (keys->source[i] != NULL)
			roost_keys_all[i]->close(&keys->source[i]);
		roost_key_set_unref(&keys->state[i].set);
	}
	free(keys);
}

struct roost_snapshot *roost_keys_snapshot(const struct roost_keys *keys,
					   struct roost_signing *signing)
{
	struct roost_key_set *sets[ROOST_KEYS_SOURCES];
	bool incomplete = false;
	size_t i;

	for (i = 0; i < ROOST_KEYS_SOURCES; i++) {
		sets[i] = keys->state[i].set;
		if (keys->state[i].wanted && sets[i] == NULL)
			incomplete = true;
	}
	return roost_snapshot_new(signing, sets, incomplete);
}

const struct roost_keys_state *roost_keys_get(const struct roost_keys *keys,
					      size_t source)
{
	return &keys->state[source];
}
