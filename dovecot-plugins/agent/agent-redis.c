/* SPDX-License-Identifier: MIT */
/*
 * agent-redis: the node's one connection to Redis.
 *
 * Redis answers in order, so one timer watches all requests: no answer for
 * timeout_msecs while some are open, and the connection is given up.
 */
#include "lib.h"
#include "array.h"
#include "hex-binary.h"
#include "ioloop.h"
#include "sha1.h"
#include "time-util.h"
#include "dovecot-plugins/agent/agent-hiredis.h"
#include "dovecot-plugins/agent/agent-redis.h"
#include "dovecot-plugins/agent/agent-scripts.h"

#define BACKOFF_MIN_MSECS 50
#define BACKOFF_MAX_MSECS 1000
#define AWAY_MSECS 2000
#define MAX_OPEN 100000
#define RUN_ID_MAX 40

struct roost_agent_redis {
	struct event *event;
	struct roost_agent_redis_settings set;
	redisAsyncContext *ac;
	struct timeout *to_connect; /* the next try */
	struct timeout *to_answer;  /* the answer, or the connection */
	const char *sha[ROOST_SCRIPTS];
	char run_id[RUN_ID_MAX + 1];
	unsigned int backoff_msecs, open;
	struct timeval down_since;
	char *last_error; /* logged once */
	bool connected, closing;
	pool_t pool;
};

struct request {
	struct roost_agent_redis *redis;
	struct timeout *to; /* fails without having been sent */
	roost_agent_redis_callback_t *callback;
	void *context;
	enum roost_agent_script script; /* ROOST_SCRIPTS: none */
	const char **eval;		/* EVAL for when EVALSHA is unknown */
	unsigned int eval_count;
	pool_t pool;
};

static const char *const scripts[ROOST_SCRIPTS] = {
	[ROOST_SCRIPT_NODE_RENEW] = script_node_renew,
	[ROOST_SCRIPT_NODE_GET] = script_node_get,
	[ROOST_SCRIPT_NODE_END] = script_node_end,
	[ROOST_SCRIPT_SHARD_GEN] = script_shard_gen,
	[ROOST_SCRIPT_USER_CLAIM] = script_user_claim,
	[ROOST_SCRIPT_USER_ASSERT] = script_user_assert,
	[ROOST_SCRIPT_USER_RELEASE] = script_user_release,
};

static void redis_connect(struct roost_agent_redis *redis);

/* ---- requests ----------------------------------------------------------- */

static void request_free(struct request *req)
{
	pool_t pool = req->pool;

	timeout_remove(&req->to);
	pool_unref(&pool);
}

static void request_fail(struct request *req, const char *error, bool away)
{
	struct roost_agent_redis_reply reply = { .error = error, .away = away };

	req->callback(&reply, req->context);
	request_free(req);
}

static void request_fail_later(struct request *req)
{
	request_fail(req, "there is no connection to Redis", TRUE);
}

static void redis_silent(struct roost_agent_redis *redis);

static void redis_watch(struct roost_agent_redis *redis)
{
	timeout_remove(&redis->to_answer);
	if (redis->open > 0)
		redis->to_answer = timeout_add_short(redis->set.timeout_msecs,
						     redis_silent, redis);
}

static int redis_send(struct roost_agent_redis *redis, struct request *req,
		      redisCallbackFn *callback, const char *const *args,
		      unsigned int count)
{
	const char **argv = t_new(const char *, count);

	memcpy(argv, args, count * sizeof(*argv));
	if (redis->ac == NULL || redis->open >= MAX_OPEN ||
	    redisAsyncCommandArgv(redis->ac, callback, req, (int)count, argv,
				  NULL) != REDIS_OK)
		return -1;
	if (redis->open++ == 0)
		redis_watch(redis);
	return 0;
}

static void request_answered(redisAsyncContext *ac, void *_reply, void *context)
{
	const redisReply *redis_reply = _reply;
	struct request *req = context;
	struct roost_agent_redis *redis = req->redis;
	struct roost_agent_redis_reply reply = { .error = NULL };
	const char *error = NULL;

	i_assert(redis->open > 0);
	redis->open--;
	if (redis_reply == NULL) {
		request_fail(req, "the connection to Redis broke", TRUE);
		return;
	}
	if (redis->ac == ac)
		redis_watch(redis);
	reply.values =
		roost_agent_hiredis_strings(redis_reply, &reply.count, &error);
	if (reply.values == NULL && req->script != ROOST_SCRIPTS &&
	    strncmp(error, "NOSCRIPT", 8) == 0) {
		req->script = ROOST_SCRIPTS;
		if (redis_send(redis, req, request_answered, req->eval,
			       req->eval_count) == 0)
			return;
	}
	if (reply.values == NULL)
		reply.error = error;
	req->callback(&reply, req->context);
	request_free(req);
}

static struct request *request_new(struct roost_agent_redis *redis,
				   roost_agent_redis_callback_t *callback,
				   void *context)
{
	pool_t pool = pool_alloconly_create("roost redis request", 512);
	struct request *req = p_new(pool, struct request, 1);

	req->pool = pool;
	req->redis = redis;
	req->callback = callback;
	req->context = context;
	req->script = ROOST_SCRIPTS;
	return req;
}

static void request_send(struct request *req, const char *const *args,
			 unsigned int count)
{
	if (!req->redis->connected ||
	    redis_send(req->redis, req, request_answered, args, count) < 0)
		req->to = timeout_add_short(0, request_fail_later, req);
}

void roost_agent_redis_command(struct roost_agent_redis *redis,
			       const char *const *args,
			       roost_agent_redis_callback_t *callback,
			       void *context)
{
	struct request *req = request_new(redis, callback, context);

	request_send(req, args, str_array_length(args));
}

void roost_agent_redis_script(struct roost_agent_redis *redis,
			      enum roost_agent_script script, unsigned int keys,
			      const char *const *args,
			      roost_agent_redis_callback_t *callback,
			      void *context)
{
	struct request *req = request_new(redis, callback, context);
	unsigned int i, count = str_array_length(args) + 3;
	const char **evalsha = t_new(const char *, count);

	req->script = script;
	req->eval_count = count;
	req->eval = p_new(req->pool, const char *, count);
	req->eval[0] = "EVAL";
	req->eval[1] = scripts[script];
	req->eval[2] = p_strdup_printf(req->pool, "%u", keys);
	for (i = 3; i < count; i++)
		req->eval[i] = p_strdup(req->pool, args[i - 3]);
	memcpy(evalsha, req->eval, count * sizeof(*evalsha));
	evalsha[0] = "EVALSHA";
	evalsha[1] = redis->sha[script];
	request_send(req, evalsha, count);
}

/* ---- the connection ----------------------------------------------------- */

static void redis_log_down(struct roost_agent_redis *redis, const char *error)
{
	/* each reason once, not at every try */
	if (redis->last_error != NULL && strcmp(redis->last_error, error) == 0)
		return;
	i_free(redis->last_error);
	redis->last_error = i_strdup(error);
	e_error(event_create_passthrough(redis->event)
			->set_name("roost_redis_down")
			->add_str("error", error)
			->event(),
		"Redis at %s is away: %s (users held here are served until "
		"the lease ends)",
		redis->set.server, error);
}

/* The connection is of no more use; tries again later. */
static void redis_drop(struct roost_agent_redis *redis, const char *error)
{
	redisAsyncContext *ac = redis->ac;
	bool was_connected = redis->connected;

	if (ac == NULL && redis->to_connect != NULL)
		return;
	redis->ac = NULL;
	redis->connected = FALSE;
	timeout_remove(&redis->to_answer);
	if (was_connected) {
		redis->down_since = ioloop_timeval;
		redis->backoff_msecs = BACKOFF_MIN_MSECS;
	}
	if (!redis->closing) {
		redis_log_down(redis, error);
		redis->to_connect = timeout_add_short(redis->backoff_msecs,
						      redis_connect, redis);
		redis->backoff_msecs =
			I_MIN(redis->backoff_msecs * 2, BACKOFF_MAX_MSECS);
	}
	if (ac != NULL) {
		ac->data = NULL;
		redisAsyncFree(ac); /* open requests fail now */
	}
	if (was_connected)
		redis->set.disconnected(redis->set.context);
}

static void redis_silent(struct roost_agent_redis *redis)
{
	redis_drop(redis, t_strdup_printf("no answer for %u ms",
					  redis->set.timeout_msecs));
}

static const char *info_value(const char *info, const char *key)
{
	const char *const *line = t_strsplit(info, "\n");
	size_t len = strlen(key);

	for (; *line != NULL; line++) {
		if (strncmp(*line, key, len) == 0 && (*line)[len] == ':')
			return t_strcut(*line + len + 1, '\r');
	}
	return "";
}

static void redis_greeted(struct roost_agent_redis *redis, const char *info)
{
	const char *run_id = info_value(info, "run_id");
	const char *policy = info_value(info, "maxmemory_policy");

	if (*run_id == '\0' || strlen(run_id) > RUN_ID_MAX) {
		redis_drop(redis, "its INFO names no run_id");
		return;
	}
	if (*policy != '\0' && strcmp(policy, "noeviction") != 0 &&
	    strncmp(policy, "volatile-", 9) != 0)
		e_warning(redis->event,
			  "Redis at %s may evict keys (maxmemory-policy %s): "
			  "set it to noeviction, or pins can be lost",
			  redis->set.server, policy);
	i_strocpy(redis->run_id, run_id, sizeof(redis->run_id));
	redis->connected = TRUE;
	redis->backoff_msecs = BACKOFF_MIN_MSECS;
	i_free(redis->last_error);
	e_info(event_create_passthrough(redis->event)
		       ->set_name("roost_redis_up")
		       ->add_str("run_id", run_id)
		       ->event(),
	       "Connected to Redis at %s", redis->set.server);
	redis->set.connected(redis->run_id, redis->set.context);
}

static void redis_auth_answered(redisAsyncContext *ac, void *_reply,
				void *context ATTR_UNUSED)
{
	struct roost_agent_redis *redis = ac->data;
	const redisReply *reply = _reply;

	if (redis == NULL || redis->ac != ac || reply == NULL)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		redis_drop(redis,
			   t_strdup_printf("it refuses the password of "
					   "roost_redis_password_file: %s",
					   reply->str));
}

static void redis_info_answered(redisAsyncContext *ac, void *_reply,
				void *context ATTR_UNUSED)
{
	struct roost_agent_redis *redis = ac->data;
	const redisReply *reply = _reply;
	const char **values, *error;
	unsigned int count;

	if (redis == NULL || redis->ac != ac || reply == NULL)
		return;
	timeout_remove(&redis->to_answer);
	values = roost_agent_hiredis_strings(reply, &count, &error);
	if (values == NULL)
		redis_drop(redis, t_strdup_printf("INFO: %s", error));
	else
		redis_greeted(redis, count > 0 ? values[0] : "");
}

static void redis_connected(const redisAsyncContext *ac, int status)
{
	struct roost_agent_redis *redis = ac->data;

	if (redis == NULL || redis->ac != ac)
		return;
	if (status != REDIS_OK) {
		redis->ac = NULL; /* hiredis frees it */
		redis_drop(redis, t_strdup(ac->errstr));
	}
}

static void redis_gone(const redisAsyncContext *ac, int status)
{
	struct roost_agent_redis *redis = ac->data;

	if (redis == NULL || redis->ac != ac)
		return;
	redis->ac = NULL; /* hiredis frees it */
	redis_drop(redis, status == REDIS_OK ? "the connection was closed"
					     : t_strdup(ac->errstr));
}

static void redis_connect(struct roost_agent_redis *redis)
{
	const char *error;

	timeout_remove(&redis->to_connect);
	redis->ac = roost_agent_hiredis_connect(
		redis->set.server, redis_connected, redis_gone, redis, &error);
	if (redis->ac == NULL) {
		redis_drop(redis, error);
		return;
	}
	redis->to_answer = timeout_add_short(redis->set.timeout_msecs,
					     redis_silent, redis);
	/* both are sent as soon as the connection stands */
	if (redis->set.password != NULL)
		redisAsyncCommand(redis->ac, redis_auth_answered, NULL,
				  "AUTH %s", redis->set.password);
	redisAsyncCommand(redis->ac, redis_info_answered, NULL, "INFO");
}

struct roost_agent_redis *
roost_agent_redis_init(struct event *parent,
		       const struct roost_agent_redis_settings *set)
{
	pool_t pool = pool_alloconly_create("roost redis", 2048);
	struct roost_agent_redis *redis =
		p_new(pool, struct roost_agent_redis, 1);
	unsigned char digest[SHA1_RESULTLEN];
	unsigned int i;

	redis->pool = pool;
	redis->event = event_create(parent);
	event_set_append_log_prefix(redis->event, "redis: ");
	redis->set = *set;
	redis->set.server = p_strdup(pool, set->server);
	redis->set.password = p_strdup(pool, set->password);
	for (i = 0; i < ROOST_SCRIPTS; i++) {
		sha1_get_digest(scripts[i], strlen(scripts[i]), digest);
		redis->sha[i] =
			p_strdup(pool, binary_to_hex(digest, sizeof(digest)));
	}
	redis->backoff_msecs = BACKOFF_MIN_MSECS;
	redis->down_since = ioloop_timeval;
	redis->to_connect = timeout_add_short(0, redis_connect, redis);
	return redis;
}

void roost_agent_redis_deinit(struct roost_agent_redis **_redis)
{
	struct roost_agent_redis *redis = *_redis;

	if (redis == NULL)
		return;
	redis->closing = TRUE;
	redis_drop(redis, ""); /* callbacks may still look at *_redis */
	*_redis = NULL;
	timeout_remove(&redis->to_connect);
	i_free(redis->last_error);
	event_unref(&redis->event);
	pool_unref(&redis->pool);
}

bool roost_agent_redis_is_connected(const struct roost_agent_redis *redis)
{
	return redis->connected;
}

bool roost_agent_redis_is_away(const struct roost_agent_redis *redis)
{
	return !redis->connected &&
	       timeval_diff_msecs(&ioloop_timeval, &redis->down_since) >
		       AWAY_MSECS;
}

const char *roost_agent_redis_run_id(const struct roost_agent_redis *redis)
{
	return redis->run_id;
}
