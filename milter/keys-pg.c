/* SPDX-License-Identifier: MIT */
/*
 * keys-pg: keys in PostgreSQL.
 *
 * All active keys are read with one query: after each connect (what was
 * notified before is lost), on each NOTIFY, and now and then besides. While
 * the database is away the last set stays in use.
 */
#include "milter/keys.h"

#include "daemon/pg.h"
#include "milter/key-load.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 3

struct roost_keys_source {
	const struct roost_keys_env *env;
	struct roost_pg *pg;
	struct event *poll;
	struct roost_key_set *set;	       /* the last good one */
	unsigned char digest[ROOST_HASH_SIZE]; /* of the rows it came from */
	struct roost_key_report last;
	bool failed;
	bool busy;  /* a query is under way */
	bool again; /* and there has been a change since it was sent */
};

static void on_result(void *ctx, const PGresult *result, const char *error);

static void failed(struct roost_keys_source *source, const char *why)
{
	/* the same failure each poll is one line */
	if (!source->failed)
		source->env->failed(source->env->ctx, source->env->source, why);
	source->failed = true;
}

static void query(struct roost_keys_source *source)
{
	struct roost_err err;

	source->again = source->busy;
	if (source->busy || !roost_pg_is_connected(source->pg))
		return;
	if (roost_pg_query(source->pg, source->env->settings->postgres_query, 0,
			   NULL, on_result, source, &err) < 0)
		failed(source, err.msg);
	else
		source->busy = true;
}

static int load_row(const struct roost_key_load *load, const PGresult *result,
		    int row, struct roost_err *err)
{
	const char *domain = PQgetvalue(result, row, 0);
	const char *selector = PQgetvalue(result, row, 1);
	const char *why = roost_key_load_check_name(domain, selector);
	char place[400];
	const struct roost_key_load_name name = {
		.pattern = domain,
		.domain = domain,
		.selector = selector,
		.place = place,
	};

	(void)snprintf(place, sizeof(place), "row %d (%.200s)", row + 1,
		       domain);
	/* a row without a proper domain is nobody's: it only gets reported */
	if (why != NULL || strcmp(domain, "%") == 0) {
		roost_key_report_add(load->report, ROOST_LOG_ERROR, place, "%s",
				     why == NULL ? "bad domain name" : why);
		return 0;
	}
	if (PQgetisnull(result, row, 2))
		return roost_key_load_broken(load, &name, "the key is NULL",
					     err);
	return roost_key_load_text(load, &name, PQgetvalue(result, row, 2),
				   (size_t)PQgetlength(result, row, 2), err);
}

/* What the rows hold, to tell whether anything has changed. */
static int digest_rows(const PGresult *result,
		       unsigned char digest[ROOST_HASH_SIZE],
		       struct roost_err *err)
{
	struct roost_buf text = ROOST_BUF_INIT(256 * 1024 * 1024);
	int row, column, rows = PQntuples(result), ret;

	for (row = 0; row < rows; row++) {
		for (column = 0; column < COLUMNS; column++) {
			roost_buf_printf(
				&text, "%d:",
				PQgetisnull(result, row, column)
					? -1
					: PQgetlength(result, row, column));
			roost_buf_append(
				&text, PQgetvalue(result, row, column),
				(size_t)PQgetlength(result, row, column));
		}
	}
	ret = text.failed ? roost_err_set(err, "the keys take too much memory")
			  : roost_hash_once(roost_buf_str(&text), text.len,
					    digest, err);
	if (text.data != NULL)
		OPENSSL_cleanse(text.data, text.len);
	roost_buf_free(&text);
	return ret;
}

static int load_rows(struct roost_keys_source *source, const PGresult *result,
		     struct roost_err *err)
{
	struct roost_key_report report;
	struct roost_key_load load = {
		.set = roost_key_set_new(source->env->settings->subdomains
						 ? ROOST_KEY_MATCH_BELOW
						 : ROOST_KEY_MATCH_DOMAIN),
		.previous = source->set,
		.report = &report,
		.min_bits =
			(unsigned int)source->env->settings->minimum_key_bits,
	};
	int row, rows = PQntuples(result), ret = 0;

	roost_key_report_init(&report);
	if (load.set == NULL)
		ret = roost_err_set(err, "out of memory");
	for (row = 0; row < rows && ret == 0; row++)
		ret = load_row(&load, result, row, err);
	if (ret == 0)
		ret = roost_key_set_finish(load.set, source->set, err);
	if (ret == 0) {
		roost_key_set_unref(&source->set);
		source->set = roost_key_set_ref(load.set);
		roost_key_report_publish(&report, &source->last,
					 source->env->log,
					 roost_keys_pg_ops.name);
		source->env->loaded(source->env->ctx, source->env->source,
				    source->set);
	}
	roost_key_set_unref(&load.set);
	roost_key_report_free(&report);
	return ret;
}

static int take_result(struct roost_keys_source *source, const PGresult *result,
		       struct roost_err *err)
{
	unsigned char digest[ROOST_HASH_SIZE];

	if (PQresultStatus(result) != PGRES_TUPLES_OK ||
	    PQnfields(result) < COLUMNS)
		return roost_err_set(err,
				     "postgres_query gives %d columns, "
				     "not domain, selector, private_key",
				     PQnfields(result));
	if (digest_rows(result, digest, err) < 0)
		return -1;
	if (!source->failed && source->set != NULL &&
	    memcmp(digest, source->digest, sizeof(digest)) == 0)
		return 0;
	if (load_rows(source, result, err) < 0)
		return -1;
	memcpy(source->digest, digest, sizeof(digest));
	return 0;
}

static void on_result(void *ctx, const PGresult *result, const char *error)
{
	struct roost_keys_source *source = ctx;
	struct roost_err err;

	source->busy = false;
	if (result == NULL)
		failed(source, error);
	else if (take_result(source, result, &err) < 0)
		failed(source, err.msg);
	else
		source->failed = false;
	if (source->again)
		query(source);
}

static void on_connected(void *ctx, struct roost_pg *pg)
{
	(void)pg;
	query(ctx);
}

static void on_notified(void *ctx, struct roost_pg *pg, const char *channel,
			const char *payload)
{
	(void)pg;
	(void)channel;
	(void)payload;
	query(ctx);
}

static void on_lost(void *ctx, struct roost_pg *pg, const char *why)
{
	(void)pg;
	failed(ctx, why);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	query(arg);
}

static bool pg_wanted(const struct roost_milter_settings *settings)
{
	return *settings->postgres != '\0';
}

static void pg_close(struct roost_keys_source **_source)
{
	struct roost_keys_source *source = *_source;

	*_source = NULL;
	source->failed = true; /* queries that end now are no news */
	source->again = false;
	if (source->pg != NULL)
		roost_pg_free(&source->pg);
	if (source->poll != NULL)
		event_free(source->poll);
	roost_key_set_unref(&source->set);
	roost_key_report_free(&source->last);
	free(source);
}

static int pg_start(struct roost_keys_source *source, struct roost_err *err)
{
	static const struct roost_pg_ops ops = {
		.connected = on_connected,
		.notified = on_notified,
		.lost = on_lost,
	};
	const struct roost_keys_env *env = source->env;
	const struct roost_milter_settings *s = env->settings;
	const char *const channels[] = { s->postgres_channel, NULL };
	const struct roost_pg_config config = {
		.conninfo = s->postgres,
		.channels = channels,
		.query_timeout_ms = (int)s->postgres_timeout,
	};
	const struct timeval tv = {
		.tv_sec = s->key_poll_interval / 1000,
		.tv_usec = (s->key_poll_interval % 1000) * 1000,
	};

	source->poll = event_new(env->base, -1, EV_PERSIST, on_poll, source);
	if (source->poll == NULL || event_add(source->poll, &tv) < 0)
		return roost_err_set(err, "out of memory");
	if (roost_pg_new(env->base, env->log, &config, &ops, source,
			 &source->pg, err) < 0)
		return roost_err_prefix(err, "postgres");
	return 0;
}

static struct roost_keys_source *pg_open(const struct roost_keys_env *env,
					 struct roost_key_set *previous,
					 struct roost_err *err)
{
	struct roost_keys_source *source = calloc(1, sizeof(*source));

	if (source == NULL) {
		(void)roost_err_set(err, "out of memory");
		return NULL;
	}
	source->env = env;
	roost_key_report_init(&source->last);
	if (previous != NULL)
		source->set = roost_key_set_ref(previous);
	if (pg_start(source, err) < 0)
		pg_close(&source);
	return source;
}

const struct roost_keys_ops roost_keys_pg_ops = {
	.name = "postgres",
	.wanted = pg_wanted,
	.open = pg_open,
	.close = pg_close,
};
