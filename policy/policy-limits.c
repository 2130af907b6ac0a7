/* SPDX-License-Identifier: MIT */
/* policy-limits: how much may be sent. */
#include "policy/policy-limits.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/redis.h"
#include "policy/policy-buckets.h"
#include "policy/policy-settings.h"

#define KEY_MAX 320 /* the rest of a longer name does not count */
#define KEY_PREFIX "roost:{limits}:"

/* GCRA over all keys, all or none, by the clock of Redis (as in
   common/rules/ratelimit). ARGV: cost, then interval and burst of each key in
   µs. Returns 0, or the number of the first key that has no more to give. */
static const char script[] =
	"local t = redis.call('TIME') "
	"local now = t[1] * 1000000 + t[2] "
	"local cost = tonumber(ARGV[1]) "
	"local tats = {} "
	"for i, key in ipairs(KEYS) do "
	"  local interval = tonumber(ARGV[2 * i]) "
	"  local burst = interval * tonumber(ARGV[2 * i + 1]) "
	"  local tat = tonumber(redis.call('GET', key) or 0) or 0 "
	"  if tat < now then tat = now end "
	"  if tat - now > burst then tat = now + burst end "
	"  tat = tat + cost * interval "
	"  if tat - now > burst then return i end "
	"  tats[i] = tat "
	"end "
	"for i, key in ipairs(KEYS) do "
	"  redis.call('SET', key, string.format('%.0f', tats[i]), "
	"    'PX', string.format('%.0f', (tats[i] - now) / 1000 + 1)) "
	"end "
	"return 0";

enum limit {
	LIMIT_USER,
	LIMIT_DOMAIN,
	LIMIT_CLIENT,
	LIMIT_RECIPIENT_DOMAIN,
	LIMIT_COUNT
};

static const char *const limit_rules[LIMIT_COUNT] = {
	"limit-user",
	"limit-domain",
	"limit-client",
	"limit-recipient-domain",
};

static const char *const limit_labels[LIMIT_COUNT] = {
	"limit=\"user\"",
	"limit=\"domain\"",
	"limit=\"client\"",
	"limit=\"recipient_domain\"",
};

enum notice { NOTICE_SENT, NOTICE_REFUSED, NOTICE_COUNT };

static const char *const notice_names[NOTICE_COUNT] = { "sent", "refused" };

struct roost_policy_limits {
	const struct roost_log *log;
	const struct roost_policy_settings *set;
	struct roost_ratelimit limit[LIMIT_COUNT], notice[NOTICE_COUNT];
	bool any;
	struct roost_redis *redis; /* NULL: not configured */
	struct roost_policy_buckets *buckets;
	struct roost_metric *limited[LIMIT_COUNT], *unusual[NOTICE_COUNT];
	struct roost_metric *local;
};

struct roost_policy_ask {
	struct roost_policy_limits *limits;
	struct roost_relay_result *result;
	roost_policy_limits_answer *callback; /* NULL: cancelled */
	void *ctx;
	int64_t cost;
	size_t count;
	enum limit kind[LIMIT_COUNT];
	struct roost_ratelimit limit[LIMIT_COUNT];
	char key[LIMIT_COUNT][KEY_MAX];
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	/* never 0, which stands for an unknown key */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + 1;
}

void roost_policy_limits_reload(struct roost_policy_limits *limits,
				const struct roost_conf *conf)
{
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	const char *text[LIMIT_COUNT] = {
		[LIMIT_USER] = set->limit_user,
		[LIMIT_DOMAIN] = set->limit_domain,
		[LIMIT_CLIENT] = set->limit_client,
		[LIMIT_RECIPIENT_DOMAIN] = set->limit_recipient_domain,
	};
	struct roost_err err;
	size_t i;

	limits->set = set;
	limits->any = false;
	/* roost_policy_settings_check() has seen that they are right */
	for (i = 0; i < LIMIT_COUNT; i++) {
		(void)roost_ratelimit_parse(text[i], &limits->limit[i], &err);
		if (limits->limit[i].interval != 0)
			limits->any = true;
	}
	(void)roost_ratelimit_parse(set->notice_sent,
				    &limits->notice[NOTICE_SENT], &err);
	(void)roost_ratelimit_parse(set->notice_refused,
				    &limits->notice[NOTICE_REFUSED], &err);
}

static void add_metrics(struct roost_policy_limits *limits,
			struct roost_metrics *metrics)
{
	static const char *const kinds[NOTICE_COUNT] = { "kind=\"sent\"",
							 "kind=\"refused\"" };
	size_t i;

	for (i = 0; i < LIMIT_COUNT; i++)
		limits->limited[i] = roost_metrics_add(
			metrics, ROOST_METRIC_COUNTER,
			"roost_policy_limited_total", limit_labels[i],
			"Requests over a limit, also in observe mode.");
	for (i = 0; i < NOTICE_COUNT; i++)
		limits->unusual[i] = roost_metrics_add(
			metrics, ROOST_METRIC_COUNTER,
			"roost_policy_user_unusual_total", kinds[i],
			"Users noticed who send or are refused much.");
	limits->local = roost_metrics_add(
		metrics, ROOST_METRIC_COUNTER,
		"roost_policy_limits_local_total", NULL,
		"Requests judged without Redis although it is set.");
}

int roost_policy_limits_new(struct roost_daemon *daemon,
			    struct roost_policy_limits **limits_r,
			    struct roost_err *err)
{
	const struct roost_conf *conf = roost_daemon_conf(daemon);
	const struct roost_policy_settings *set = roost_conf_settings(conf);
	struct roost_policy_limits *limits = calloc(1, sizeof(*limits));
	struct roost_redis_config config = {
		.server = set->redis,
		.password = set->redis_password,
		.script = script,
		.timeout_ms = (int)set->redis_timeout,
	};

	*limits_r = limits;
	if (limits == NULL)
		return roost_err_set(err, "out of memory");
	limits->log = roost_daemon_log(daemon);
	limits->buckets = roost_policy_buckets_new();
	if (limits->buckets == NULL)
		return roost_err_set(err, "out of memory");
	add_metrics(limits, roost_daemon_metrics(daemon));
	roost_policy_limits_reload(limits, conf);
	if (*set->redis == '\0')
		return 0;
	config.up = roost_metrics_add(roost_daemon_metrics(daemon),
				      ROOST_METRIC_GAUGE,
				      "roost_policy_redis_up", NULL,
				      "0 while the limits are kept without "
				      "Redis although it is set.");
	if (roost_redis_new(roost_daemon_base(daemon), limits->log, &config,
			    &limits->redis, err) < 0)
		return roost_err_prefix(err, "%s: redis",
					roost_conf_origin_of(conf, "redis"));
	return 0;
}

void roost_policy_limits_free(struct roost_policy_limits **limits)
{
	struct roost_policy_limits *l = *limits;

	if (l == NULL)
		return;
	*limits = NULL;
	roost_redis_free(&l->redis);
	roost_policy_buckets_free(&l->buckets);
	free(l);
}

static void add_key(struct roost_policy_ask *ask, enum limit kind,
		    const char *name)
{
	char *key = ask->key[ask->count];
	char *s;

	if (ask->limits->limit[kind].interval == 0 || name == NULL ||
	    *name == '\0')
		return;
	(void)snprintf(key, KEY_MAX, KEY_PREFIX "%s:%s",
		       limit_rules[kind] + strlen("limit-"), name);
	for (s = key + strlen(KEY_PREFIX); *s != '\0'; s++) {
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
	}
	ask->kind[ask->count] = kind;
	ask->limit[ask->count] = ask->limits->limit[kind];
	ask->count++;
}

static const char *domain_of(const char *address)
{
	const char *at = address == NULL ? NULL : strrchr(address, '@');

	return at == NULL ? NULL : at + 1;
}

/* One IPv6 client has a whole /64 to come from. */
static void add_client(struct roost_policy_ask *ask, const char *text)
{
	char name[ROOST_CIDR_TEXT_MAX];
	struct roost_addr addr;
	struct roost_cidr net;
	struct roost_err err;

	if (text == NULL || roost_addr_parse(text, &addr, &err) < 0)
		return;
	roost_cidr_around(&addr, addr.family == 4 ? 32 : 64, &net);
	add_key(ask, LIMIT_CLIENT, roost_cidr_format(&net, name));
}

static void add_keys(struct roost_policy_ask *ask,
		     const struct roost_policy_request *request, bool masked)
{
	const char *const *value = request->value;
	const char *user = value[ROOST_POLICY_SASL_USERNAME];
	bool login = strcmp(ask->result->rule, "authenticated") == 0;
	const char *domain = login ? domain_of(user) : NULL;

	if (login)
		add_key(ask, LIMIT_USER, user);
	if (domain == NULL)
		domain = domain_of(value[ROOST_POLICY_SENDER]);
	add_key(ask, LIMIT_DOMAIN, domain);
	if (!masked)
		add_client(ask, value[ROOST_POLICY_CLIENT_ADDRESS]);
	add_key(ask, LIMIT_RECIPIENT_DOMAIN,
		domain_of(value[ROOST_POLICY_RECIPIENT]));
}

/* What the request costs; 0: it is not the one that counts. */
static int64_t cost_of(const struct roost_policy_limits *limits,
		       const struct roost_policy_request *request)
{
	const char *state = request->value[ROOST_POLICY_PROTOCOL_STATE];
	const char *count = request->value[ROOST_POLICY_RECIPIENT_COUNT];

	if (limits->set->limit_state == ROOST_POLICY_LIMIT_RCPT)
		return strcmp(state, "RCPT") == 0 ? 1 : 0;
	if (strcmp(state, "END-OF-MESSAGE") != 0)
		return 0;
	return count == NULL || strtol(count, NULL, 10) < 1
		       ? 1
		       : strtol(count, NULL, 10) % INT32_MAX;
}

static void over(struct roost_policy_ask *ask, size_t i)
{
	ask->result->verdict = ROOST_RELAY_LIMITED;
	ask->result->rule = limit_rules[ask->kind[i]];
	roost_metric_add(ask->limits->limited[ask->kind[i]], 1);
}

/* Judges by what this process knows. */
static void ask_local(struct roost_policy_ask *ask)
{
	struct roost_policy_limits *limits = ask->limits;
	struct roost_policy_charge charges[LIMIT_COUNT];
	int64_t nodes = 1;
	size_t i;
	int hit;

	if (limits->redis != NULL) {
		roost_metric_add(limits->local, 1);
		nodes = limits->set->limit_nodes;
	}
	if (limits->redis != NULL &&
	    limits->set->limit_without_redis == ROOST_POLICY_LIMIT_REFUSE) {
		ask->result->verdict = ROOST_RELAY_TEMPFAIL;
		ask->result->rule = "limits-unknown";
		return;
	}
	for (i = 0; i < ask->count; i++) {
		charges[i].key = ask->key[i];
		charges[i].limit = roost_ratelimit_share(&ask->limit[i], nodes);
	}
	hit = roost_policy_buckets_take(limits->buckets, charges, ask->count,
					ask->cost, now_us());
	if (hit >= 0)
		over(ask, (size_t)hit);
}

static void redis_answered(void *ctx, const redisReply *reply)
{
	struct roost_policy_ask *ask = ctx;
	bool good = reply != NULL && reply->type == REDIS_REPLY_INTEGER &&
		    reply->integer >= 0 &&
		    reply->integer <= (long long)ask->count;

	if (!good)
		roost_redis_failed(ask->limits->redis, reply);
	if (ask->callback != NULL) {
		if (!good)
			ask_local(ask);
		else if (reply->integer > 0)
			over(ask, (size_t)reply->integer - 1);
		ask->callback(ask->ctx);
	}
	free(ask);
}

static int ask_redis(struct roost_policy_ask *ask)
{
	const char *args[ROOST_REDIS_ARGS_MAX];
	char numbers[2 * LIMIT_COUNT + 1][24];
	size_t i, n = 0, keys = ask->count;

	if (ask->limits->redis == NULL)
		return -1;
	(void)snprintf(numbers[0], sizeof(numbers[0]), "%lld",
		       (long long)ask->cost);
	for (i = 0; i < keys; i++) {
		(void)snprintf(numbers[2 * i + 1], sizeof(numbers[0]), "%lld",
			       (long long)ask->limit[i].interval);
		(void)snprintf(numbers[2 * i + 2], sizeof(numbers[0]), "%lld",
			       (long long)ask->limit[i].burst);
		args[n++] = ask->key[i];
	}
	for (i = 0; i < 2 * keys + 1; i++)
		args[n++] = numbers[i];
	return roost_redis_call(ask->limits->redis, keys, n, args,
				redis_answered, ask);
}

struct roost_policy_ask *
roost_policy_limits_ask(struct roost_policy_limits *limits,
			const struct roost_policy_request *request, bool masked,
			struct roost_relay_result *result,
			roost_policy_limits_answer *callback, void *ctx)
{
	struct roost_policy_ask *ask;
	int64_t cost;

	if (!limits->any || result->verdict != ROOST_RELAY_DUNNO)
		return NULL;
	cost = cost_of(limits, request);
	if (cost == 0)
		return NULL;
	ask = calloc(1, sizeof(*ask));
	if (ask == NULL) {
		result->verdict = ROOST_RELAY_TEMPFAIL;
		result->rule = "limits-unknown";
		return NULL;
	}
	ask->limits = limits;
	ask->result = result;
	ask->callback = callback;
	ask->ctx = ctx;
	ask->cost = cost;
	add_keys(ask, request, masked);
	if (ask->count > 0 && ask_redis(ask) == 0)
		return ask;
	if (ask->count > 0)
		ask_local(ask);
	free(ask);
	return NULL;
}

void roost_policy_limits_cancel(struct roost_policy_ask *ask)
{
	ask->callback = NULL;
}

/* A notice is a limit that hinders nobody: over it, an event is logged, for
   each user at most once in an hour. */
static void note(struct roost_policy_limits *limits, enum notice kind,
		 const char *user, int64_t cost)
{
	const struct roost_ratelimit hourly = { 3600LL * 1000000, 1 };
	char key[KEY_MAX], again[KEY_MAX + 16];
	struct roost_policy_charge charge = { key, limits->notice[kind] };
	struct roost_policy_charge once = { again, hourly };
	struct roost_log_line line;

	if (charge.limit.interval == 0)
		return;
	(void)snprintf(key, sizeof(key), "%s:%s", notice_names[kind], user);
	if (roost_policy_buckets_take(limits->buckets, &charge, 1, cost,
				      now_us()) < 0)
		return;
	(void)snprintf(again, sizeof(again), "noticed-%s", key);
	if (roost_policy_buckets_take(limits->buckets, &once, 1, 1, now_us()) >=
	    0)
		return;
	roost_metric_add(limits->unusual[kind], 1);
	roost_log_begin(&line, limits->log, ROOST_LOG_WARNING,
			"policy_user_unusual");
	roost_log_str(&line, "user", user);
	roost_log_str(&line, "kind", notice_names[kind]);
	roost_log_str(&line, "limit",
		      kind == NOTICE_SENT ? limits->set->notice_sent
					  : limits->set->notice_refused);
	roost_log_end(&line);
}

void roost_policy_limits_note(struct roost_policy_limits *limits,
			      const struct roost_policy_request *request,
			      const struct roost_relay_result *result)
{
	const char *user = request->value[ROOST_POLICY_SASL_USERNAME];
	int64_t cost;

	if (user == NULL || *user == '\0')
		return;
	cost = cost_of(limits, request);
	if (result->verdict == ROOST_RELAY_LIMITED ||
	    result->verdict == ROOST_RELAY_NOT_OWNER)
		note(limits, NOTICE_REFUSED, user, 1);
	else if (result->verdict == ROOST_RELAY_DUNNO && cost > 0)
		note(limits, NOTICE_SENT, user, cost);
}
