/* SPDX-License-Identifier: MIT */
/*
 * daemon: the life of roost-milter and roost-policyd.
 *
 * Command line (-c FILE, -o name=value, -n, -t, -v), settings, signals,
 * descriptor limit, privileges, health port, service manager. The process
 * stays in the foreground. The event loop runs in the main thread; a product
 * with threads of its own starts them in `run` and must leave SIGHUP, SIGINT
 * and SIGTERM to the main thread (they are blocked while `run` runs, so that
 * new threads inherit that).
 *
 * SIGHUP reads the settings anew: if they are wrong, the old ones stay, an
 * error is logged (event=reload_failed) and the metric roost_config_reload_ok
 * falls to 0. SIGTERM and SIGINT end the loop; then `deinit` is called.
 */
#ifndef ROOST_DAEMON_DAEMON_H
#define ROOST_DAEMON_DAEMON_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/conf.h"
#include "common/base/err.h"
#include "daemon/log.h"
#include "daemon/metrics.h"

struct event_base;
struct roost_daemon;

/* The settings that each daemon has; the first member of its settings struct,
   and its rows come from ROOST_DAEMON_CONF_ROWS. */
struct roost_daemon_settings {
	const char *user;
	struct roost_conf_listen http_listen;
	int64_t log_level; /* enum roost_log_level */
};

extern const char *const roost_daemon_log_levels[];

/* clang-format off */
#define ROOST_DAEMON_CONF_ROWS                                               \
	ROOST_CONF_ROW(roost_daemon_settings, user, STRING, "_roost",        \
		       "User to become once the sockets are open, with its " \
		       "groups. Without effect when not started as root.", ),\
	ROOST_CONF_ROW(roost_daemon_settings, http_listen, LISTEN, "",       \
		       "Where to serve /livez, /readyz and /metrics over "   \
		       "HTTP. Empty: nowhere.", ),                           \
	ROOST_CONF_ROW(roost_daemon_settings, log_level, ENUM, "info",       \
		       "Lowest level that is logged: debug, info, warning "  \
		       "or error.",                                          \
		       .choices = roost_daemon_log_levels)
/* clang-format on */

struct roost_daemon_ops {
	const char *name;      /* of the program */
	const char *conf_path; /* default of -c; may be absent then */
	const struct roost_conf_table *table;

	/* Optional: a long option whose argument is another program's settings
	   file to take in place of the own one, and how to load it
	   (input->path). */
	const char *import_option;
	struct roost_conf *(*import)(const struct roost_conf_input *input,
				     struct roost_err *err);
	/* Optional: what no single row can check; called for -t and before
	   each reload. Messages should start with roost_conf_origin_of(). */
	int (*check)(const struct roost_conf *conf, struct roost_err *err);
	/* Opens sockets and whatever needs the first privileges. */
	int (*init)(struct roost_daemon *daemon, void *ctx,
		    struct roost_err *err);
	/* Optional: privileges are dropped; start working. */
	int (*run)(struct roost_daemon *daemon, void *ctx,
		   struct roost_err *err);
	/* New settings: take them whole, or return -1 and keep the old. The
	   old conf is freed after a 0. Settings that cannot change while
	   running should be named in a warning. */
	int (*reload)(struct roost_daemon *daemon, void *ctx,
		      const struct roost_conf *conf, struct roost_err *err);
	/* Optional: after each turn of the loop, when all that was ready has
	   been served. */
	void (*turn)(void *ctx);
	/* Optional: for /readyz; false appends the reason to `why`. */
	bool (*ready)(void *ctx, struct roost_buf *why);
	/* Called once before the end if init was called, also when it failed.*/
	void (*deinit)(struct roost_daemon *daemon, void *ctx);
};

/* Runs the daemon; returns main's exit status: 0, 1 after a failure, 2 after
   a wrong command line. */
int roost_daemon_main(int argc, char *argv[],
		      const struct roost_daemon_ops *ops, void *ctx);

struct event_base *roost_daemon_base(struct roost_daemon *daemon);
const struct roost_log *roost_daemon_log(const struct roost_daemon *daemon);
struct roost_metrics *roost_daemon_metrics(struct roost_daemon *daemon);
/* The conf in force; changes at reload. */
const struct roost_conf *roost_daemon_conf(const struct roost_daemon *daemon);
/* Ends the loop as SIGTERM does; status is what the program exits with. From
   the main thread. */
void roost_daemon_stop(struct roost_daemon *daemon, int status);

#endif
