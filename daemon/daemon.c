/* SPDX-License-Identifier: MIT */
/* daemon: the life of roost-milter and roost-policyd. */
#include "roost-config.h"

#include "daemon/daemon.h"

#include <event2/event.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/http.h"
#include "daemon/privileges.h"
#include "daemon/service.h"

#define OVERRIDES_MAX 256

const char *const roost_daemon_log_levels[] = { "debug", "info", "warning",
						"error", NULL };

struct options {
	const char *path; /* NULL: the default, which may be absent */
	const char *import_path;
	const char *overrides[OVERRIDES_MAX];
	size_t override_count;
	bool print, test, verbose;
};

struct roost_daemon {
	const struct roost_daemon_ops *ops;
	void *ctx;
	struct options options;
	struct roost_conf *conf;
	struct event_base *base;
	struct event *signals[3];
	struct roost_log log;
	struct roost_metrics *metrics;
	struct roost_metric *reload_ok, *reloads, *reload_failures;
	struct roost_http *http;
	bool init_called;
	int status;
};

static const int handled_signals[] = { SIGHUP, SIGINT, SIGTERM };

static void usage(const struct roost_daemon_ops *ops, FILE *out)
{
	const char *name = ops->name;

	fprintf(out,
		"usage: %s [-hntvV] [-c FILE] [-o name=value]...\n"
		"  -c FILE        settings file\n"
		"  -o name=value  set one setting, over file and environment\n"
		"  -n             print the effective settings and exit\n"
		"  -t             test the settings and exit\n"
		"  -v             log debugging events too\n"
		"  -V             print the version and exit\n",
		name);
	if (ops->import_option != NULL)
		fprintf(out,
			"  --%s FILE\n"
			"                 settings file of that kind, instead "
			"of "
			"-c\n",
			ops->import_option);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(struct options *o, int argc, char *argv[],
			 const struct roost_daemon_ops *ops)
{
	const struct option long_options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ ops->import_option, required_argument, NULL, 'i' },
		{ NULL, 0, NULL, 0 },
	};
	const char *name = ops->name;
	int c;

	while ((c = getopt_long(argc, argv, "c:o:ntvVh", long_options, NULL)) !=
	       -1) {
		switch (c) {
		case 'c':
			o->path = optarg;
			break;
		case 'o':
			if (o->override_count == OVERRIDES_MAX) {
				fprintf(stderr, "%s: more than %d -o\n", name,
					OVERRIDES_MAX);
				return 2;
			}
			o->overrides[o->override_count++] = optarg;
			break;
		case 'i':
			o->import_path = optarg;
			break;
		case 'n':
			o->print = true;
			break;
		case 't':
			o->test = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'V':
			printf("%s %s\n", name, PACKAGE_VERSION);
			return 0;
		case 'h':
			usage(ops, stdout);
			return 0;
		default:
			usage(ops, stderr);
			return 2;
		}
	}
	if (optind != argc || (o->import_path != NULL && o->path != NULL)) {
		usage(ops, stderr);
		return 2;
	}
	return -1;
}

static struct roost_conf *load_conf(const struct roost_daemon *daemon,
				    struct roost_err *err)
{
	struct roost_conf_input input = {
		.path = daemon->options.path,
		.env = (const char *const *)environ,
		.overrides = daemon->options.overrides,
		.override_count = daemon->options.override_count,
	};
	struct roost_conf *conf;

	if (daemon->options.import_path != NULL) {
		input.path = daemon->options.import_path;
		conf = daemon->ops->import(&input, err);
	} else {
		if (input.path == NULL &&
		    access(daemon->ops->conf_path, F_OK) == 0)
			input.path = daemon->ops->conf_path;
		conf = roost_conf_load(daemon->ops->table, &input, err);
	}
	if (conf != NULL && daemon->ops->check != NULL &&
	    daemon->ops->check(conf, err) < 0)
		roost_conf_free(&conf);
	return conf;
}

static void set_log_level(struct roost_daemon *daemon)
{
	const struct roost_daemon_settings *settings =
		roost_conf_settings(daemon->conf);

	daemon->log.level = daemon->options.verbose ? ROOST_LOG_DEBUG
						    : (int)settings->log_level;
}

static void add_metrics(struct roost_daemon *daemon)
{
	struct roost_metrics *m = daemon->metrics;
	struct roost_metric *metric;

	metric = roost_metrics_add(m, ROOST_METRIC_GAUGE, "roost_build_info",
				   "version=\"" PACKAGE_VERSION "\"",
				   "The version that runs.");
	roost_metric_set(metric, 1);
	metric = roost_metrics_add(m, ROOST_METRIC_GAUGE,
				   "roost_start_time_seconds", NULL,
				   "When the daemon started, Unix time.");
	roost_metric_set(metric, time(NULL));
	daemon->reload_ok = roost_metrics_add(
		m, ROOST_METRIC_GAUGE, "roost_config_reload_ok", NULL,
		"0 while the settings on disk could not be taken.");
	roost_metric_set(daemon->reload_ok, 1);
	daemon->reloads = roost_metrics_add(
		m, ROOST_METRIC_COUNTER, "roost_config_reloads_total",
		"result=\"ok\"", "Reloads of the settings.");
	daemon->reload_failures = roost_metrics_add(
		m, ROOST_METRIC_COUNTER, "roost_config_reloads_total",
		"result=\"failed\"", "Reloads of the settings.");
}

/* What only a restart can change. */
static void warn_fixed_settings(struct roost_daemon *daemon,
				const struct roost_conf *conf)
{
	static const char *const fixed[] = { "user", "http_listen" };
	const struct roost_conf_table *table = daemon->ops->table;
	size_t i, k;

	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		for (k = 0; k < table->count; k++) {
			if (strcmp(table->rows[k].name, fixed[i]) == 0 &&
			    strcmp(roost_conf_text(conf, k),
				   roost_conf_text(daemon->conf, k)) != 0)
				roost_log_msg(&daemon->log, ROOST_LOG_WARNING,
					      "restart_needed",
					      "a change of %s needs a restart",
					      fixed[i]);
		}
	}
}

static void reload(struct roost_daemon *daemon)
{
	struct roost_err err = { "" };
	struct roost_conf *conf;

	roost_service_reloading();
	conf = load_conf(daemon, &err);
	if (conf == NULL ||
	    daemon->ops->reload(daemon, daemon->ctx, conf, &err) < 0) {
		roost_log_msg(&daemon->log, ROOST_LOG_ERROR, "reload_failed",
			      "the old settings stay: %s", err.msg);
		roost_metric_set(daemon->reload_ok, 0);
		roost_metric_add(daemon->reload_failures, 1);
		roost_conf_free(&conf);
	} else {
		warn_fixed_settings(daemon, conf);
		roost_conf_free(&daemon->conf);
		daemon->conf = conf;
		set_log_level(daemon);
		roost_metric_set(daemon->reload_ok, 1);
		roost_metric_add(daemon->reloads, 1);
		roost_log_msg(&daemon->log, ROOST_LOG_INFO, "reloaded",
			      "the new settings are in force");
	}
	roost_service_ready();
}

static void signalled(evutil_socket_t signal_number, short what, void *arg)
{
	struct roost_daemon *daemon = arg;

	(void)what;
	if (signal_number == SIGHUP)
		reload(daemon);
	else
		roost_daemon_stop(daemon, 0);
}

static int add_signals(struct roost_daemon *daemon, struct roost_err *err)
{
	size_t i;

	for (i = 0; i < 3; i++) {
		daemon->signals[i] = evsignal_new(
			daemon->base, handled_signals[i], signalled, daemon);
		if (daemon->signals[i] == NULL ||
		    evsignal_add(daemon->signals[i], NULL) < 0)
			return roost_err_set(err, "cannot handle signals");
	}
	return 0;
}

static bool is_ready(void *ctx, struct roost_buf *why)
{
	struct roost_daemon *daemon = ctx;

	return daemon->ops->ready == NULL ||
	       daemon->ops->ready(daemon->ctx, why);
}

static int start(struct roost_daemon *daemon, struct roost_err *err)
{
	const struct roost_daemon_settings *settings =
		roost_conf_settings(daemon->conf);

	if (roost_privileges_check(settings->user, err) < 0 ||
	    add_signals(daemon, err) < 0)
		return -1;
	daemon->init_called = true;
	if (daemon->ops->init(daemon, daemon->ctx, err) < 0 ||
	    roost_http_open(daemon->base, &daemon->log, &settings->http_listen,
			    daemon->metrics, is_ready, daemon, &daemon->http,
			    err) < 0 ||
	    roost_privileges_drop(settings->user, err) < 0)
		return -1;
	if (daemon->ops->run != NULL &&
	    daemon->ops->run(daemon, daemon->ctx, err) < 0)
		return -1;
	return 0;
}

static void run_loop(struct roost_daemon *daemon)
{
	do {
		if (event_base_loop(daemon->base, EVLOOP_ONCE) != 0)
			break;
		if (daemon->ops->turn != NULL)
			daemon->ops->turn(daemon->ctx);
	} while (!event_base_got_break(daemon->base));
}

/* From a loaded configuration to the end. */
static int serve(struct roost_daemon *daemon)
{
	struct roost_err err = { "" };
	sigset_t set, before;
	size_t i;

	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (i = 0; i < 3; i++)
		sigaddset(&set, handled_signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	daemon->base = event_base_new();
	daemon->metrics = roost_metrics_new();
	if (daemon->base == NULL || daemon->metrics == NULL) {
		roost_log_msg(&daemon->log, ROOST_LOG_ERROR, "start_failed",
			      "out of memory");
		return 1;
	}
	add_metrics(daemon);
	if (start(daemon, &err) == 0) {
		/* started from a shell or service that blocks them: not us */
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		roost_log_msg(&daemon->log, ROOST_LOG_INFO, "started", "%s %s",
			      daemon->ops->name, PACKAGE_VERSION);
		roost_service_ready();
		run_loop(daemon);
		roost_service_stopping();
		roost_log_msg(&daemon->log, ROOST_LOG_INFO, "stopped", "%s",
			      daemon->ops->name);
	} else {
		roost_log_msg(&daemon->log, ROOST_LOG_ERROR, "start_failed",
			      "%s", err.msg);
		daemon->status = 1;
	}
	if (daemon->init_called)
		daemon->ops->deinit(daemon, daemon->ctx);
	return daemon->status;
}

static void daemon_free(struct roost_daemon *daemon)
{
	size_t i;

	roost_http_close(&daemon->http);
	for (i = 0; i < 3; i++) {
		if (daemon->signals[i] != NULL)
			event_free(daemon->signals[i]);
	}
	if (daemon->base != NULL)
		event_base_free(daemon->base);
	roost_metrics_free(&daemon->metrics);
	roost_conf_free(&daemon->conf);
	free(daemon);
}

int roost_daemon_main(int argc, char *argv[],
		      const struct roost_daemon_ops *ops, void *ctx)
{
	struct roost_daemon *daemon = calloc(1, sizeof(*daemon));
	struct roost_err err;
	int status;

	if (daemon == NULL)
		return 1;
	daemon->ops = ops;
	daemon->ctx = ctx;
	daemon->log.fd = STDERR_FILENO;
	status = parse_options(&daemon->options, argc, argv, ops);
	if (status >= 0) {
		daemon_free(daemon);
		return status;
	}
	daemon->conf = load_conf(daemon, &err);
	if (daemon->conf == NULL) {
		fprintf(stderr, "%s: %s\n", ops->name, err.msg);
		status = 1;
	} else if (daemon->options.print || daemon->options.test) {
		if (daemon->options.print)
			roost_conf_print(daemon->conf, stdout);
		status = fflush(stdout) == 0 ? 0 : 1;
	} else {
		set_log_level(daemon);
		(void)roost_privileges_raise_files();
		status = serve(daemon);
	}
	daemon_free(daemon);
	return status;
}

struct event_base *roost_daemon_base(struct roost_daemon *daemon)
{
	return daemon->base;
}

const struct roost_log *roost_daemon_log(const struct roost_daemon *daemon)
{
	return &daemon->log;
}

struct roost_metrics *roost_daemon_metrics(struct roost_daemon *daemon)
{
	return daemon->metrics;
}

const struct roost_conf *roost_daemon_conf(const struct roost_daemon *daemon)
{
	return daemon->conf;
}

void roost_daemon_stop(struct roost_daemon *daemon, int status)
{
	if (daemon->status == 0)
		daemon->status = status;
	(void)event_base_loopbreak(daemon->base);
}
