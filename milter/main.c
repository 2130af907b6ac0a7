/* SPDX-License-Identifier: MIT */
/*
 * roost-milter: signs the mail of a site with DKIM (manual: roost-milter(8)).
 *
 * The main thread runs the event loop: settings, keys, signals, health.
 * libmilter runs in threads of its own and sees only immutable snapshots.
 */
#include "milter/callbacks.h"
#include "milter/keys.h"
#include "milter/milter-conf.h"
#include "milter/opendkim-conf.h"
#include "milter/server.h"
#include "milter/snapshot.h"

#include "daemon/daemon.h"

#include <string.h>

struct milter {
	struct roost_daemon *daemon;
	struct roost_snapshot_slot *slot;
	struct roost_signing *signing;
	struct roost_keys *keys;
	struct roost_server *server;
	struct roost_callbacks_env callbacks;
	struct roost_metric *source_up[ROOST_KEYS_SOURCES];
	struct roost_metric *source_keys[ROOST_KEYS_SOURCES];
	struct roost_metric *source_broken[ROOST_KEYS_SOURCES];
};

static void add_metrics(struct milter *milter, struct roost_metrics *metrics)
{
	static const char *const labels[ROOST_KEYS_SOURCES] = {
		"source=\"table\"", "source=\"directory\"",
		"source=\"postgres\""
	};
	struct roost_metric **metric;
	size_t i;

	roost_callbacks_add_metrics(&milter->callbacks, metrics);
	metric = milter->source_up;
	for (i = 0; i < ROOST_KEYS_SOURCES; i++)
		metric[i] = roost_metrics_add(
			metrics, ROOST_METRIC_GAUGE,
			"roost_milter_key_source_up", labels[i],
			"0: the last load of the keys of this source failed.");
	metric = milter->source_keys;
	for (i = 0; i < ROOST_KEYS_SOURCES; i++)
		metric[i] = roost_metrics_add(metrics, ROOST_METRIC_GAUGE,
					      "roost_milter_keys", labels[i],
					      "Keys in use.");
	metric = milter->source_broken;
	for (i = 0; i < ROOST_KEYS_SOURCES; i++)
		metric[i] = roost_metrics_add(
			metrics, ROOST_METRIC_GAUGE, "roost_milter_keys_broken",
			labels[i], "Authors with a key that cannot be used.");
}

static void set_metrics(struct milter *milter, const struct roost_keys *keys)
{
	const struct roost_keys_state *state;
	struct roost_key_set_counts counts;
	size_t i;

	for (i = 0; i < ROOST_KEYS_SOURCES; i++) {
		state = roost_keys_get(keys, i);
		memset(&counts, 0, sizeof(counts));
		if (state->set != NULL)
			counts = roost_key_set_counts(state->set);
		roost_metric_set(milter->source_up[i],
				 state->up || !state->wanted ? 1 : 0);
		roost_metric_set(milter->source_keys[i], (int64_t)counts.keys);
		roost_metric_set(milter->source_broken[i],
				 (int64_t)counts.broken);
	}
}

/* Makes what is known now the measure of the next message. */
static int publish(struct milter *milter, struct roost_signing *signing,
		   const struct roost_keys *keys, struct roost_err *err)
{
	struct roost_snapshot *snapshot = roost_keys_snapshot(keys, signing);

	if (snapshot == NULL)
		return roost_err_set(err, "out of memory");
	roost_snapshot_slot_put(milter->slot, snapshot);
	set_metrics(milter, keys);
	return 0;
}

static void on_keys_changed(void *ctx, const struct roost_keys *keys)
{
	struct milter *milter = ctx;
	struct roost_err err;

	if (publish(milter, milter->signing, keys, &err) < 0)
		roost_log_msg(roost_daemon_log(milter->daemon), ROOST_LOG_ERROR,
			      "keys_failed", "the old keys stay: %s", err.msg);
}

/* Builds all that depends on the settings, then takes it. */
static int take_settings(struct milter *milter,
			 const struct roost_milter_settings *settings,
			 struct roost_err *err)
{
	const struct roost_log *log = roost_daemon_log(milter->daemon);
	struct roost_signing *signing;
	struct roost_keys *keys;

	signing = roost_milter_conf_signing(settings, log, err);
	if (signing == NULL)
		return -1;
	keys = roost_keys_open(roost_daemon_base(milter->daemon), log, settings,
			       milter->keys, on_keys_changed, milter, err);
	if (keys == NULL || publish(milter, signing, keys, err) < 0) {
		roost_keys_close(&keys);
		roost_signing_unref(&signing);
		return -1;
	}
	roost_keys_close(&milter->keys);
	roost_signing_unref(&milter->signing);
	milter->keys = keys;
	milter->signing = signing;
	return 0;
}

static int milter_init(struct roost_daemon *daemon, void *ctx,
		       struct roost_err *err)
{
	struct milter *milter = ctx;

	milter->daemon = daemon;
	milter->slot = roost_snapshot_slot_new();
	if (milter->slot == NULL)
		return roost_err_set(err, "out of memory");
	milter->callbacks.slot = milter->slot;
	milter->callbacks.log = roost_daemon_log(daemon);
	add_metrics(milter, roost_daemon_metrics(daemon));
	return roost_server_open(roost_conf_settings(roost_daemon_conf(daemon)),
				 &milter->callbacks, &milter->server, err);
}

static void on_server_ended(void *ctx)
{
	struct milter *milter = ctx;

	roost_log_msg(roost_daemon_log(milter->daemon), ROOST_LOG_ERROR,
		      "listener_failed", "libmilter has ended by itself");
	roost_daemon_stop(milter->daemon, 1);
}

/* Keys are read with the privileges they will be read with again. */
static int milter_run(struct roost_daemon *daemon, void *ctx,
		      struct roost_err *err)
{
	const struct roost_milter_settings *settings =
		roost_conf_settings(roost_daemon_conf(daemon));
	struct milter *milter = ctx;
	struct roost_log_line line;

	if (take_settings(milter, settings, err) < 0)
		return -1;
	if (roost_server_start(milter->server, roost_daemon_base(daemon),
			       on_server_ended, milter, err) < 0)
		return -1;
	roost_log_begin(&line, roost_daemon_log(daemon), ROOST_LOG_INFO,
			"listening");
	roost_log_str(&line, "address", settings->listen.addr[0].text);
	roost_log_end(&line);
	return 0;
}

static int milter_reload(struct roost_daemon *daemon, void *ctx,
			 const struct roost_conf *conf, struct roost_err *err)
{
	const struct roost_milter_settings *old =
		roost_conf_settings(roost_daemon_conf(daemon));
	const struct roost_milter_settings *new = roost_conf_settings(conf);

	if (take_settings(ctx, new, err) < 0)
		return -1;
	if (strcmp(old->listen.addr[0].text, new->listen.addr[0].text) != 0 ||
	    strcmp(old->socket_owner, new->socket_owner) != 0 ||
	    old->socket_mode != new->socket_mode)
		roost_log_msg(roost_daemon_log(daemon), ROOST_LOG_WARNING,
			      "restart_needed",
			      "a change of listen, socket_owner or socket_mode "
			      "needs a restart");
	return 0;
}

static bool milter_ready(void *ctx, struct roost_buf *why)
{
	const struct milter *milter = ctx;
	const struct roost_keys_state *state;
	size_t i;

	for (i = 0; i < ROOST_KEYS_SOURCES; i++) {
		state = roost_keys_get(milter->keys, i);
		if (state->wanted && state->set == NULL) {
			roost_buf_printf(why, "no keys yet from: %s",
					 roost_keys_all[i]->name);
			return false;
		}
	}
	return true;
}

static void milter_deinit(struct roost_daemon *daemon, void *ctx)
{
	struct milter *milter = ctx;

	(void)daemon;
	roost_server_stop(&milter->server);
	roost_keys_close(&milter->keys);
	roost_signing_unref(&milter->signing);
	roost_snapshot_slot_free(&milter->slot);
}

int main(int argc, char *argv[])
{
	static const struct roost_daemon_ops ops = {
		.name = "roost-milter",
		.conf_path = "/etc/roost/milter.conf",
		.table = &roost_milter_conf_table,
		.import_option = "opendkim-conf",
		.import = roost_opendkim_conf_load,
		.check = roost_milter_conf_check,
		.init = milter_init,
		.run = milter_run,
		.reload = milter_reload,
		.ready = milter_ready,
		.deinit = milter_deinit,
	};
	/* static: libmilter's thread ends after main() */
	static struct milter milter;

	return roost_daemon_main(argc, argv, &ops, &milter);
}
