/* SPDX-License-Identifier: MIT */
/* policy-tables: the tables of a configuration, kept current. */
#include "policy/policy-tables.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/pg.h"
#include "policy/policy-nexthop.h"
#include "policy/policy-settings.h"
#include "policy/policy-source.h"

#define NAME_MAX 64 /* of a map */
#define ADDRESS_MAX 512

/* All sources of a configuration: first those of local_domains, then those of
   sender_logins, then the maps, whose names are beside them. */
struct source_list {
	struct roost_policy_source *source;
	char (*name)[NAME_MAX];
	size_t count, domains, logins;
};

struct roost_policy_tables {
	struct roost_daemon *daemon;
	const struct roost_log *log;
	const struct roost_policy_settings *set;
	struct source_list list;
	struct roost_policy_nexthop *nexthop;
	struct roost_pg *pg; /* NULL: not configured */
	struct event *tick;
	int64_t refreshed; /* ms: when the queries were last sent */
	bool querying, restart;
	size_t next_query; /* the source whose rows come next */
	char text[ROOST_POLICY_NEXTHOP_MAX];
};

static const char *const preset_domains[] = {
	[ROOST_POLICY_PRESET_NONE] = "",
	[ROOST_POLICY_PRESET_MAILU] =
		"SELECT name FROM domain UNION SELECT name FROM alternative",
	[ROOST_POLICY_PRESET_POSTFIXADMIN] =
		"SELECT domain FROM domain WHERE active AND domain <> 'ALL' "
		"UNION SELECT alias_domain FROM alias_domain WHERE active",
};

static const char *const preset_logins[] = {
	[ROOST_POLICY_PRESET_NONE] = "",
	[ROOST_POLICY_PRESET_MAILU] =
		"SELECT email, destination FROM alias "
		"WHERE NOT wildcard AND NOT disabled "
		"UNION ALL SELECT split_part(u.email, '@', 1) || '@' || a.name,"
		" u.email FROM \"user\" u JOIN alternative a "
		"ON a.domain_name = split_part(u.email, '@', 2)",
	[ROOST_POLICY_PRESET_POSTFIXADMIN] =
		"SELECT address, goto FROM alias WHERE active "
		"UNION ALL SELECT split_part(m.username, '@', 1) || '@' || "
		"d.alias_domain, m.username FROM mailbox m JOIN alias_domain d "
		"ON d.target_domain = split_part(m.username, '@', 2) "
		"WHERE m.active AND d.active",
};

static void list_free(struct source_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		roost_policy_source_free(&list->source[i]);
	free(list->source);
	free(list->name);
	memset(list, 0, sizeof(*list));
}

static int add_source(struct source_list *list,
		      const struct roost_policy_settings *set, const char *spec,
		      const char *query, struct roost_err *err)
{
	struct roost_policy_source *source = &list->source[list->count++];

	if (roost_policy_source_init(source, spec, query, err) < 0)
		return -1;
	if (source->kind != ROOST_POLICY_SOURCE_PGSQL)
		return 0;
	if (*set->postgres == '\0')
		return roost_err_set(err, "pgsql: needs the setting postgres");
	if (*query == '\0')
		return roost_err_set(err, "pgsql: needs a query: a preset in "
					  "table_preset, or the setting of "
					  "that name with _query");
	return 0;
}

static int add_sources(struct source_list *list,
		       const struct roost_policy_settings *set,
		       const struct roost_conf_words *words, const char *query,
		       bool joins, struct roost_err *err)
{
	size_t i;

	for (i = 0; i < words->count; i++) {
		if (add_source(list, set, words->word[i], query, err) < 0)
			return -1;
		list->source[list->count - 1].joins = joins;
	}
	return 0;
}

/* Each word is name=source. */
static int add_maps(struct source_list *list,
		    const struct roost_policy_settings *set,
		    struct roost_err *err)
{
	const struct roost_conf_words *words = &set->socketmaps;
	size_t i, k;

	for (i = 0; i < words->count; i++) {
		const char *equals = strchr(words->word[i], '=');
		size_t len =
			equals == NULL ? 0 : (size_t)(equals - words->word[i]);
		char *name = list->name[list->count];

		if (len == 0 || len >= NAME_MAX)
			return roost_err_set(err,
					     "'%.100s' is not name=source (like"
					     " lists=hash:/path)",
					     words->word[i]);
		memcpy(name, words->word[i], len);
		name[len] = '\0';
		for (k = 0; k < list->count; k++) {
			if (strcmp(list->name[k], name) == 0)
				return roost_err_set(
					err, "the map '%s' is given twice",
					name);
		}
		if (add_source(list, set, equals + 1, set->socketmap_query,
			       err) < 0)
			return -1;
	}
	return 0;
}

static const char *query_or(const char *query, const char *preset)
{
	return *query != '\0' ? query : preset;
}

static int fill(struct source_list *list, const struct roost_conf *conf,
		struct roost_err *err)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	size_t max = set->local_domains.count + set->sender_logins.count +
		     set->socketmaps.count;
	const char *name = "local_domains";
	int ret;

	list->source = calloc(max + 1, sizeof(*list->source));
	list->name = calloc(max + 1, sizeof(*list->name));
	if (list->source == NULL || list->name == NULL)
		return roost_err_set(err, "out of memory");
	ret = add_sources(list, set, &set->local_domains,
			  query_or(set->local_domains_query,
				   preset_domains[set->table_preset]),
			  false, err);
	list->domains = list->count;
	if (ret == 0) {
		name = "sender_logins";
		ret = add_sources(list, set, &set->sender_logins,
				  query_or(set->sender_logins_query,
					   preset_logins[set->table_preset]),
				  true, err);
		list->logins = list->count - list->domains;
	}
	if (ret == 0) {
		name = "socketmaps";
		ret = add_maps(list, set, err);
	}
	if (ret < 0)
		return roost_err_prefix(err, "%s: %s",
					roost_conf_origin_of(conf, name), name);
	if (set->sender_login == ROOST_POLICY_SENDER_LOCAL &&
	    set->local_domains.count == 0)
		return roost_err_set(
			err,
			"%s: sender_login: local needs "
			"local_domains",
			roost_conf_origin_of(conf, "sender_login"));
	return 0;
}

int roost_policy_tables_check(const struct roost_conf *conf,
			      struct roost_err *err)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	struct roost_policy_nexthop *nexthop = NULL;
	struct source_list list = { .count = 0 };
	int ret = fill(&list, conf, err);

	if (ret == 0) {
		nexthop = roost_policy_nexthop_new(&set->socketmap_hosts, err);
		if (nexthop == NULL)
			ret = roost_err_prefix(
				err, "%s: socketmap_hosts",
				roost_conf_origin_of(conf, "socketmap_hosts"));
	}
	roost_policy_nexthop_free(&nexthop);
	list_free(&list);
	return ret;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Says so when a new map sends mail to no host. */
static void check_values(const struct roost_policy_tables *tables, size_t i)
{
	const struct roost_policy_source *source = &tables->list.source[i];
	struct roost_log_line line;
	char text[ROOST_POLICY_NEXTHOP_MAX];
	size_t k, bad = 0;

	if (i < tables->list.domains + tables->list.logins)
		return;
	for (k = 0; k < roost_policy_table_count(source->table); k++) {
		if (roost_policy_nexthop_rewrite(
			    tables->nexthop,
			    roost_policy_table_value(source->table, k),
			    text) < 0)
			bad++;
	}
	if (bad == 0)
		return;
	roost_log_begin(&line, tables->log, ROOST_LOG_ERROR, "nexthop_refused");
	roost_log_str(&line, "map", tables->list.name[i]);
	roost_log_int(&line, "rows", (int64_t)bad);
	roost_log_str(&line, "msg",
		      "0.0.0.0 is no destination: see socketmap_hosts in "
		      "roost-policyd(8)");
	roost_log_end(&line);
}

static void send_query(struct roost_policy_tables *tables);

static void rows_came(void *ctx, const PGresult *rows, const char *error)
{
	struct roost_policy_tables *tables = ctx;
	size_t i = tables->next_query;

	if (tables->restart) { /* the sources are other ones by now */
		tables->restart = tables->querying = false;
		return;
	}
	if (roost_policy_source_take(&tables->list.source[i], rows, error,
				     now_ms(), tables->log))
		check_values(tables, i);
	tables->next_query++;
	if (rows == NULL && !roost_pg_is_connected(tables->pg))
		tables->querying = false;
	else
		send_query(tables);
}

/* Sends the next query of this round; one at a time is under way. */
static void send_query(struct roost_policy_tables *tables)
{
	struct source_list *list = &tables->list;
	struct roost_err err;
	size_t i;

	for (i = tables->next_query; i < list->count; i++) {
		if (list->source[i].kind == ROOST_POLICY_SOURCE_PGSQL)
			break;
	}
	tables->next_query = i;
	tables->querying = i < list->count &&
			   roost_pg_query(tables->pg, list->source[i].query, 0,
					  NULL, rows_came, tables, &err) == 0;
}

/* Runs all queries from the first. */
static void query_all(struct roost_policy_tables *tables)
{
	tables->refreshed = now_ms();
	if (tables->querying || tables->pg == NULL)
		return;
	tables->next_query = 0;
	send_query(tables);
}

static void pg_connected(void *ctx, struct roost_pg *pg)
{
	(void)pg;
	query_all(ctx);
}

static void pg_notified(void *ctx, struct roost_pg *pg, const char *channel,
			const char *payload)
{
	struct roost_policy_tables *tables = ctx;

	(void)pg;
	(void)channel;
	(void)payload;
	/* the tick sends the queries: many notices, one round */
	tables->refreshed = INT64_MIN;
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct roost_policy_tables *tables = arg;
	int64_t now = now_ms();
	size_t i;

	(void)fd;
	(void)what;
	for (i = 0; i < tables->list.count; i++) {
		struct roost_policy_source *source = &tables->list.source[i];

		if (source->kind != ROOST_POLICY_SOURCE_PGSQL &&
		    roost_policy_source_poll(source, now, tables->log))
			check_values(tables, i);
	}
	if (tables->pg != NULL && !tables->querying &&
	    (tables->refreshed == INT64_MIN ||
	     now - tables->refreshed >= tables->set->table_refresh))
		query_all(tables);
}

static int connect_pg(struct roost_policy_tables *tables,
		      const struct roost_conf *conf, struct roost_err *err)
{
	static const struct roost_pg_ops ops = {
		.connected = pg_connected,
		.notified = pg_notified,
	};
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	const char *channels[] = { set->table_notify, NULL };
	const struct roost_pg_config config = {
		.conninfo = set->postgres,
		.channels = channels,
		.query_timeout_ms = 10000,
	};

	if (*set->postgres == '\0')
		return 0;
	if (roost_pg_new(roost_daemon_base(tables->daemon), tables->log,
			 &config, &ops, tables, &tables->pg, err) < 0)
		return roost_err_prefix(err, "%s: postgres",
					roost_conf_origin_of(conf, "postgres"));
	return 0;
}

int roost_policy_tables_new(struct roost_daemon *daemon,
			    struct roost_policy_tables **tables_r,
			    struct roost_err *err)
{
	const struct roost_conf *conf = roost_daemon_conf(daemon);
	const struct timeval second = { .tv_sec = 1 };
	struct roost_policy_tables *tables = calloc(1, sizeof(*tables));

	*tables_r = tables;
	if (tables == NULL)
		return roost_err_set(err, "out of memory");
	tables->daemon = daemon;
	tables->log = roost_daemon_log(daemon);
	if (roost_policy_tables_reload(tables, conf, err) < 0)
		return -1;
	tables->tick = event_new(roost_daemon_base(daemon), -1, EV_PERSIST,
				 tick, tables);
	if (tables->tick == NULL || event_add(tables->tick, &second) < 0)
		return roost_err_set(err, "out of memory");
	return connect_pg(tables, conf, err);
}

void roost_policy_tables_start(struct roost_policy_tables *tables)
{
	tick(-1, 0, tables);
}

int roost_policy_tables_reload(struct roost_policy_tables *tables,
			       const struct roost_conf *conf,
			       struct roost_err *err)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	struct roost_policy_nexthop *nexthop;
	struct source_list list = { .count = 0 };
	size_t i, k;

	nexthop = roost_policy_nexthop_new(&set->socketmap_hosts, err);
	if (nexthop == NULL || fill(&list, conf, err) < 0) {
		roost_policy_nexthop_free(&nexthop);
		list_free(&list);
		return -1;
	}
	for (i = 0; i < list.count; i++) {
		for (k = 0; k < tables->list.count; k++)
			roost_policy_source_inherit(&list.source[i],
						    &tables->list.source[k]);
	}
	list_free(&tables->list);
	roost_policy_nexthop_free(&tables->nexthop);
	tables->list = list;
	tables->nexthop = nexthop;
	tables->set = set;
	tables->refreshed = INT64_MIN;
	tables->restart = tables->querying;
	return 0;
}

void roost_policy_tables_free(struct roost_policy_tables **tables)
{
	struct roost_policy_tables *t = *tables;

	if (t == NULL)
		return;
	*tables = NULL;
	t->restart = true;
	roost_pg_free(&t->pg);
	if (t->tick != NULL)
		event_free(t->tick);
	roost_policy_nexthop_free(&t->nexthop);
	list_free(&t->list);
	free(t);
}

static const struct roost_policy_table *
get_table(const struct roost_policy_tables *tables, size_t i)
{
	return roost_policy_source_table(&tables->list.source[i], now_ms(),
					 tables->set->max_stale);
}

bool roost_policy_tables_ready(const struct roost_policy_tables *tables,
			       struct roost_buf *why)
{
	size_t i;

	for (i = 0; i < tables->list.count; i++) {
		if (get_table(tables, i) != NULL)
			continue;
		roost_buf_printf(why, "no table %s",
				 tables->list.source[i].spec);
		return false;
	}
	return true;
}

static bool list_has(const char *list, const char *word)
{
	size_t len, want = strlen(word);

	while (list != NULL && *(list += strspn(list, ", \t")) != '\0') {
		len = strcspn(list, ", \t");
		if (len == want && strncasecmp(list, word, len) == 0)
			return true;
		list += len;
	}
	return false;
}

/* Whether one of our domains is it; *missing_r: a table is not there. */
static bool is_ours(const struct roost_policy_tables *tables,
		    const char *domain, bool *missing_r)
{
	bool found = false;
	size_t i;

	for (i = 0; i < tables->list.domains && !found; i++) {
		const struct roost_policy_table *table = get_table(tables, i);

		if (table == NULL)
			*missing_r = true;
		else
			found = roost_policy_table_find(table, domain) != NULL;
	}
	return found;
}

/* Whether one of the tables of sender addresses gives it to the login. */
static bool is_given(const struct roost_policy_tables *tables,
		     const char *address, const char *login, bool *missing_r)
{
	const struct source_list *list = &tables->list;
	bool found = false;
	size_t i;

	for (i = list->domains; i < list->domains + list->logins && !found;
	     i++) {
		const struct roost_policy_table *table = get_table(tables, i);

		if (table == NULL)
			*missing_r = true;
		else
			found = list_has(
				roost_policy_table_find(table, address), login);
	}
	return found;
}

/* Without the extension: alice+lists@example.com is alice@example.com. */
static void base_address(const struct roost_policy_tables *tables,
			 const char *address, char base[ADDRESS_MAX])
{
	const char *delimiters = tables->set->sender_delimiter;
	const char *at = strrchr(address, '@');
	size_t len = strcspn(address, delimiters);

	if (*delimiters == '\0' || at == NULL || len == 0 ||
	    len >= (size_t)(at - address))
		len = at == NULL ? strlen(address) : (size_t)(at - address);
	(void)snprintf(base, ADDRESS_MAX, "%.*s%s", (int)len, address,
		       at == NULL ? "" : at);
}

enum roost_policy_owner
roost_policy_tables_owner(const struct roost_policy_tables *tables,
			  const char *login, const char *sender)
{
	char base[ADDRESS_MAX];
	bool missing = false;
	const char *at;

	if (tables->set->sender_login == ROOST_POLICY_SENDER_OFF ||
	    sender == NULL || *sender == '\0')
		return ROOST_POLICY_OWNER_YES;
	if (strlen(sender) >= ADDRESS_MAX)
		return ROOST_POLICY_OWNER_NO;
	base_address(tables, sender, base);
	if (strcasecmp(sender, login) == 0 || strcasecmp(base, login) == 0)
		return ROOST_POLICY_OWNER_YES;
	at = strrchr(sender, '@');
	if (tables->set->sender_login == ROOST_POLICY_SENDER_LOCAL &&
	    at != NULL && !is_ours(tables, at + 1, &missing))
		return missing ? ROOST_POLICY_OWNER_UNKNOWN
			       : ROOST_POLICY_OWNER_YES;
	missing = false;
	if (is_given(tables, sender, login, &missing) ||
	    is_given(tables, base, login, &missing) ||
	    (at != NULL && is_given(tables, at, login, &missing)))
		return ROOST_POLICY_OWNER_YES;
	return missing ? ROOST_POLICY_OWNER_UNKNOWN : ROOST_POLICY_OWNER_NO;
}

enum roost_socketmap_status
roost_policy_tables_lookup(struct roost_policy_tables *tables, const char *map,
			   const char *key, const char **text_r)
{
	const struct source_list *list = &tables->list;
	const struct roost_policy_table *table;
	const char *value;
	size_t i;

	for (i = list->domains + list->logins; i < list->count; i++) {
		if (strcmp(list->name[i], map) == 0)
			break;
	}
	*text_r = "there is no map of that name";
	if (i == list->count)
		return ROOST_SOCKETMAP_TEMP;
	*text_r = "the map could not be loaded";
	table = get_table(tables, i);
	if (table == NULL)
		return ROOST_SOCKETMAP_TEMP;
	value = roost_policy_table_find(table, key);
	if (value == NULL)
		return ROOST_SOCKETMAP_NOTFOUND;
	*text_r = "the destination is no host";
	if (roost_policy_nexthop_rewrite(tables->nexthop, value, tables->text) <
	    0)
		return ROOST_SOCKETMAP_TEMP;
	*text_r = tables->text;
	return ROOST_SOCKETMAP_OK;
}
