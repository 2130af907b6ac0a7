/* SPDX-License-Identifier: MIT */
/*
 * keys: all key sources together.
 *
 * A source (key directory, OpenDKIM's tables, PostgreSQL) loads key sets
 * whenever what it watches changes; the last good set of each is kept. All
 * of this is main thread.
 */
#ifndef ROOST_MILTER_KEYS_H
#define ROOST_MILTER_KEYS_H

#include <stdbool.h>

#include "daemon/log.h"
#include "milter/key-set.h"
#include "milter/milter-conf.h"
#include "milter/snapshot.h"

#define ROOST_KEYS_SOURCES ROOST_SNAPSHOT_SETS

struct event_base;
struct roost_keys;
struct roost_keys_source;

/* What a source works with; lives longer than the source. */
struct roost_keys_env {
	struct event_base *base;
	const struct roost_log *log;
	const struct roost_milter_settings *settings;
	/* A set was loaded (the callee refs it), or could not be: the last one
	   stays, `why` tells the reason. */
	void (*loaded)(void *ctx, size_t source, struct roost_key_set *set);
	void (*failed)(void *ctx, size_t source, const char *why);
	void *ctx;
	size_t source; /* index to give to the callbacks */
};

struct roost_keys_ops {
	const char *name; /* in logs and metrics */
	bool (*wanted)(const struct roost_milter_settings *settings);
	/* Loads what can be loaded at once; a failure is for the admin to
	   see. `previous` (may be NULL): the last good set. */
	struct roost_keys_source *(*open)(const struct roost_keys_env *env,
					  struct roost_key_set *previous,
					  struct roost_err *err);
	void (*close)(struct roost_keys_source **source);
};

/* Tried in this order: the first that knows an author decides. */
extern const struct roost_keys_ops roost_keys_table_ops;
extern const struct roost_keys_ops roost_keys_dir_ops;
extern const struct roost_keys_ops roost_keys_pg_ops;
extern const struct roost_keys_ops *const roost_keys_all[ROOST_KEYS_SOURCES];

struct roost_keys_state {
	bool wanted;
	bool up, failed; /* how the last load went; neither: none yet */
	struct roost_key_set *set; /* the last good one; NULL: none yet */
};

/* After each change of a set or of `up`; not from inside open. */
typedef void roost_keys_changed(void *ctx, const struct roost_keys *keys);

/* Opens the sources that the settings name (they outlive the keys), which
   inherit the last good sets of `old` (may be NULL). NULL: err set, nothing
   has changed. */
struct roost_keys *roost_keys_open(struct event_base *base,
				   const struct roost_log *log,
				   const struct roost_milter_settings *settings,
				   const struct roost_keys *old,
				   roost_keys_changed *changed, void *ctx,
				   struct roost_err *err);
void roost_keys_close(struct roost_keys **keys);

/* What messages are to be judged by from now on; NULL: out of memory. */
struct roost_snapshot *roost_keys_snapshot(const struct roost_keys *keys,
					   struct roost_signing *signing);

const struct roost_keys_state *roost_keys_get(const struct roost_keys *keys,
					      size_t source);

#endif
