/* SPDX-License-Identifier: MIT */
/*
 * ctl-dkim-test: what roost-milter would do with a message, and whether its
 * keys can be used: with the daemon's own settings, key sources and decisions.
 */
#include "roost-config.h"

#include "tools/ctl-dkim.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/privileges.h"
#include "milter/keys.h"
#include "milter/message.h"
#include "milter/opendkim-conf.h"
#include "tools/ctl-dkim-mail.h"

#define CONF_PATH "/etc/roost/milter.conf"
#define OVERRIDES_MAX 64

struct site {
	const char *path, *opendkim_path, *overrides[OVERRIDES_MAX];
	size_t override_count;
	struct roost_log log;
	struct roost_conf *conf;
	const struct roost_milter_settings *settings;
	struct event_base *base;
	struct roost_signing *signing;
	struct roost_keys *keys;
};

/* Options that both commands have; false for others. */
static bool take_option(struct site *site, int c)
{
	if (c == 'c')
		site->path = optarg;
	else if (c == 'O')
		site->opendkim_path = optarg;
	else if (c == 'o' && site->override_count < OVERRIDES_MAX)
		site->overrides[site->override_count++] = optarg;
	else
		return false;
	return true;
}

/* Each source answers or fails within its own timeout. */
static bool is_waiting(const struct roost_keys *keys)
{
	const struct roost_keys_state *state;
	size_t i;

	for (i = 0; i < ROOST_KEYS_SOURCES; i++) {
		state = roost_keys_get(keys, i);
		if (state->wanted && state->set == NULL && !state->failed)
			return true;
	}
	return false;
}

static void on_changed(void *ctx, const struct roost_keys *keys)
{
	const struct site *site = ctx;

	if (!is_waiting(keys))
		(void)event_base_loopbreak(site->base);
}

static void on_timeout(evutil_socket_t fd, short what, void *ctx)
{
	struct site *site = ctx;

	(void)fd;
	(void)what;
	(void)event_base_loopbreak(site->base);
}

static int wait_for_keys(struct site *site, struct roost_err *err)
{
	const struct timeval limit = {
		.tv_sec = site->settings->postgres_timeout / 1000 * 2 + 1
	};

	if (!is_waiting(site->keys))
		return 0;
	if (event_base_once(site->base, -1, EV_TIMEOUT, on_timeout, site,
			    &limit) < 0)
		return roost_err_set(err, "out of memory");
	(void)event_base_dispatch(site->base);
	return 0;
}

/* Reads settings and keys as the daemon does, and as its user. */
static int site_open(struct site *site, struct roost_err *err)
{
	struct roost_conf_input input = {
		.path = site->path,
		.env = (const char *const *)environ,
		.overrides = site->overrides,
		.override_count = site->override_count,
	};

	if (input.path == NULL && access(CONF_PATH, F_OK) == 0)
		input.path = CONF_PATH;
	if (site->opendkim_path != NULL)
		input.path = site->opendkim_path;
	site->log.level = ROOST_LOG_WARNING;
	site->log.fd = STDERR_FILENO;
	site->conf = site->opendkim_path != NULL
			     ? roost_opendkim_conf_load(&input, err)
			     : roost_conf_load(&roost_milter_conf_table, &input,
					       err);
	if (site->conf == NULL || roost_milter_conf_check(site->conf, err) < 0)
		return -1;
	site->settings = roost_conf_settings(site->conf);
	if (roost_privileges_drop(site->settings->daemon.user, err) < 0)
		return -1;
	site->base = event_base_new();
	if (site->base == NULL)
		return roost_err_set(err, "out of memory");
	site->signing =
		roost_milter_conf_signing(site->settings, &site->log, err);
	if (site->signing == NULL)
		return -1;
	site->keys = roost_keys_open(site->base, &site->log, site->settings,
				     NULL, on_changed, site, err);
	return site->keys == NULL ? -1 : wait_for_keys(site, err);
}

static void site_close(struct site *site)
{
	roost_keys_close(&site->keys);
	roost_signing_unref(&site->signing);
	if (site->base != NULL)
		event_base_free(site->base);
	roost_conf_free(&site->conf);
}

static int fail(const char *command, const struct roost_err *err)
{
	fprintf(stderr, "roostctl dkim %s: %s\n", command, err->msg);
	return 2;
}

int roost_ctl_dkim_check(int argc, char *argv[])
{
	struct site site = { 0 };
	struct roost_err err;
	int c, status = 0;
	size_t i;

	while ((c = getopt(argc, argv, "c:o:O:")) != -1) {
		if (!take_option(&site, c))
			return -1;
	}
	if (optind != argc)
		return -1;
	if (site_open(&site, &err) < 0) {
		site_close(&site);
		return fail("check", &err);
	}
	for (i = 0; i < ROOST_KEYS_SOURCES; i++) {
		const struct roost_keys_state *state =
			roost_keys_get(site.keys, i);
		struct roost_key_set_counts counts = { 0 };

		if (!state->wanted)
			continue;
		if (state->set != NULL)
			counts = roost_key_set_counts(state->set);
		printf("%-10s %s: %zu authors, %zu keys, %zu authors with a "
		       "broken key\n",
		       roost_keys_all[i]->name,
		       state->set == NULL ? "not read" : "read", counts.rules,
		       counts.keys, counts.broken);
		if (state->set == NULL || counts.broken > 0)
			status = 1;
	}
	site_close(&site);
	return status;
}

struct question {
	const char *address, *login;
	bool headers;
};

static void print_decision(const struct roost_message *message)
{
	const struct roost_message_decision *d =
		roost_message_decision(message);
	static const char *const actions[] = { "pass", "tempfail", "reject" };
	bool is_signed = d->outcome == ROOST_MESSAGE_SIGNED;

	if (d->domain != NULL)
		printf("domain     %s\n", d->domain);
	printf("outcome    %s\n", roost_message_outcome_name(d->outcome));
	printf("action     %s\n", actions[d->action]);
	if (d->reason != NULL)
		printf("reason     %s\n", d->reason);
	if (is_signed)
		printf("selectors  %s\n", d->selectors);
	if (d->longest_line > ROOST_MESSAGE_LINE_MAX)
		printf("warning    a line of %llu bytes, which mail servers "
		       "break\n",
		       (unsigned long long)d->longest_line);
}

static void print_headers(const struct roost_message *message)
{
	size_t i;

	for (i = 0; i < roost_message_signature_count(message); i++)
		printf("DKIM-Signature:%s\n",
		       roost_message_signature(message, i));
}

/* The way of a message through the milter. */
static int decide(const struct site *site, const struct roost_ctl_mail *mail,
		  const struct question *q, struct roost_err *err)
{
	struct roost_snapshot *snapshot =
		roost_keys_snapshot(site->keys, site->signing);
	struct roost_message *message = roost_message_new(err);
	size_t i;

	if (snapshot == NULL || message == NULL) {
		roost_snapshot_unref(&snapshot);
		roost_message_free(&message);
		return roost_err_set(err, "out of memory");
	}
	roost_message_start(message, snapshot);
	for (i = 0; i < mail->headers.count; i++)
		roost_message_header(message, mail->headers.fields[i].name,
				     mail->headers.fields[i].value, true);
	if (roost_message_end_headers(message) == ROOST_ACTION_CONTINUE) {
		roost_message_body(message, mail->body, mail->body_len);
		(void)roost_message_end(message, (uint64_t)time(NULL));
	}
	print_decision(message);
	if (q->headers)
		print_headers(message);
	roost_message_free(&message);
	return 0;
}

/* Whether the client's mail is signed at all. */
static bool print_client(const struct site *site, const struct question *q,
			 const struct roost_addr *addr)
{
	const char *why;
	bool is_ours = roost_signing_is_submission(site->signing, addr,
						   q->login != NULL);

	if (q->login != NULL)
		why = "has logged in";
	else if (is_ours)
		why = "is in an internal network";
	else if (roost_cidr_set_find(site->signing->ingress, addr, NULL))
		why = "is in an ingress network";
	else
		why = "has not logged in and is in no internal network";
	printf("client     %s %s\n", q->address, why);
	if (!is_ours)
		printf("outcome    not_submission\naction     pass\n");
	return is_ours;
}

static int test(struct site *site, const struct question *q,
		const char *mail_path, struct roost_err *err)
{
	struct roost_ctl_mail mail;
	struct roost_addr addr;
	int ret;

	if (roost_addr_parse(q->address, &addr, err) < 0)
		return -1;
	/* as the caller, before becoming the daemon's user */
	ret = roost_ctl_mail_read(&mail, mail_path, err);
	if (ret == 0)
		ret = site_open(site, err);
	if (ret == 0 && print_client(site, q, &addr))
		ret = decide(site, &mail, q, err);
	roost_ctl_mail_free(&mail);
	return ret;
}

int roost_ctl_dkim_test(int argc, char *argv[])
{
	struct question q = { .address = "127.0.0.1" };
	struct site site = { 0 };
	struct roost_err err;
	int c, ret;

	while ((c = getopt(argc, argv, "Ha:l:c:o:O:")) != -1) {
		if (c == 'H')
			q.headers = true;
		else if (c == 'a')
			q.address = optarg;
		else if (c == 'l')
			q.login = optarg;
		else if (!take_option(&site, c))
			return -1;
	}
	if (argc - optind > 1)
		return -1;
	ret = test(&site, &q, argv[optind], &err);
	site_close(&site);
	return ret < 0 ? fail("test", &err) : 0;
}
