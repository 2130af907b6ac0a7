/* SPDX-License-Identifier: MIT */
/* redis: one asynchronous Redis connection that runs one script. */
#include "daemon/redis.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <hiredis/async.h>
#include <hiredis/adapters/libevent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000
#define TICK_MS 10 /* how exactly deadlines are kept */
#define SHA_SIZE 41

struct call {
	struct call *next;
	struct roost_redis *redis;
	int64_t deadline; /* ms */
	roost_redis_result *callback;
	void *ctx;
};

struct roost_redis {
	struct event_base *base;
	const struct roost_log *log;
	char *server, *password;
	const char *script;
	int timeout_ms, pause_ms;
	char sha[SHA_SIZE]; /* of the loaded script; "" while not up */
	struct roost_metric *up;
	bool failure_logged, closing;
	redisAsyncContext *ac;
	struct evdns_base *dns;
	struct evdns_getaddrinfo_request *lookup;
	struct event *retry, *tick;
	struct call *first, **last;
	size_t waiting;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_timer(struct event *timer, int ms)
{
	const struct timeval tv = {
		.tv_sec = ms / 1000,
		.tv_usec = (ms % 1000) * 1000,
	};

	(void)event_add(timer, &tv);
}

static void set_down(struct roost_redis *redis)
{
	redis->sha[0] = '\0';
	roost_metric_set(redis->up, 0);
}

/* The connection is of no use: says why, once, and tries again later. */
static void redis_lost(struct roost_redis *redis, const char *why)
{
	redisAsyncContext *ac = redis->ac;

	set_down(redis);
	redis->ac = NULL;
	if (redis->closing)
		return;
	if (!redis->failure_logged)
		roost_log_msg(redis->log, ROOST_LOG_ERROR, "redis_away", "%s",
			      why);
	redis->failure_logged = true;
	set_timer(redis->retry, redis->pause_ms);
	redis->pause_ms = redis->pause_ms * 2 > PAUSE_MAX_MS
				  ? PAUSE_MAX_MS
				  : redis->pause_ms * 2;
	/* the calls that wait get their answer: none */
	if (ac != NULL)
		redisAsyncFree(ac);
}

static void answered(redisAsyncContext *ac, void *data, void *arg)
{
	struct call *call = arg;
	struct roost_redis *redis = call->redis;
	const redisReply *reply = data;

	(void)ac;
	/* answers come in the order of the calls */
	redis->first = call->next;
	if (redis->first == NULL)
		redis->last = &redis->first;
	redis->waiting--;
	if (reply == NULL)
		set_down(redis);
	call->callback(call->ctx, reply);
	free(call);
}

static int send_call(struct roost_redis *redis, size_t argc, const char **argv,
		     roost_redis_result *callback, void *ctx)
{
	struct call *call;

	if (redis->ac == NULL || redis->waiting >= ROOST_REDIS_CALLS_MAX)
		return -1;
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return -1;
	call->redis = redis;
	call->callback = callback;
	call->ctx = ctx;
	call->deadline = now_ms() + redis->timeout_ms;
	if (redisAsyncCommandArgv(redis->ac, answered, call, (int)argc, argv,
				  NULL) != REDIS_OK) {
		free(call);
		return -1;
	}
	*redis->last = call;
	redis->last = &call->next;
	redis->waiting++;
	if (evtimer_pending(redis->tick, NULL) == 0)
		set_timer(redis->tick, TICK_MS);
	return 0;
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct roost_redis *redis = arg;

	(void)fd;
	(void)what;
	if (redis->first == NULL)
		return;
	if (now_ms() >= redis->first->deadline)
		redis_lost(redis, "no answer in time");
	else
		set_timer(redis->tick, TICK_MS);
}

static void script_loaded(void *ctx, const redisReply *reply)
{
	struct roost_redis *redis = ctx;

	if (reply == NULL)
		return; /* the loss of the connection says it */
	if (reply->type != REDIS_REPLY_STRING || reply->len != SHA_SIZE - 1) {
		redis_lost(redis, reply->type == REDIS_REPLY_ERROR
					  ? reply->str
					  : "unexpected answer");
		return;
	}
	memcpy(redis->sha, reply->str, SHA_SIZE);
	roost_metric_set(redis->up, 1);
	redis->pause_ms = PAUSE_MIN_MS;
	if (redis->failure_logged)
		roost_log_msg(redis->log, ROOST_LOG_INFO, "redis_back",
			      "connected again");
	redis->failure_logged = false;
}

static void authenticated(void *ctx, const redisReply *reply)
{
	/* an unset or wrong password: SCRIPT LOAD, sent right behind, is
	   refused and its message logged */
	(void)ctx;
	(void)reply;
}

static void load_script(struct roost_redis *redis)
{
	const char *load[] = { "SCRIPT", "LOAD", redis->script };

	set_down(redis);
	if (send_call(redis, 3, load, script_loaded, redis) < 0)
		redis_lost(redis, "cannot send");
}

static void connected(const redisAsyncContext *ac, int status)
{
	struct roost_redis *redis = ac->data;
	const char *auth[] = { "AUTH", redis->password };

	if (status != REDIS_OK) {
		redis->ac = NULL; /* hiredis frees it */
		redis_lost(redis, ac->errstr);
		return;
	}
	if (*redis->password != '\0')
		(void)send_call(redis, 2, auth, authenticated, redis);
	load_script(redis);
}

static void disconnected(const redisAsyncContext *ac, int status)
{
	struct roost_redis *redis = ac->data;

	/* else redis_lost() closed it, and has seen to the rest */
	if (redis->ac != ac)
		return;
	redis->ac = NULL; /* hiredis frees it */
	redis_lost(redis, status == REDIS_OK ? "closed" : ac->errstr);
}

/* Goes on with a connection that hiredis has begun. */
static void attach(struct roost_redis *redis, redisAsyncContext *ac)
{
	if (ac == NULL || ac->err != 0) {
		char why[128];

		(void)snprintf(why, sizeof(why), "%s",
			       ac == NULL ? "out of memory" : ac->errstr);
		if (ac != NULL)
			redisAsyncFree(ac);
		redis_lost(redis, why);
		return;
	}
	redis->ac = ac;
	ac->data = redis;
	if (redisLibeventAttach(ac, redis->base) != REDIS_OK ||
	    redisAsyncSetConnectCallback(ac, connected) != REDIS_OK ||
	    redisAsyncSetDisconnectCallback(ac, disconnected) != REDIS_OK)
		redis_lost(redis, "out of memory");
	else
		set_timer(redis->retry, 10 * redis->timeout_ms);
}

/* Cuts "host:port"; the port's text, or NULL. */
static const char *split_server(const char *server, char host[256])
{
	const char *colon = strrchr(server, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - server);

	if (len > 1 && server[0] == '[' && server[len - 1] == ']') {
		server++;
		len -= 2;
	}
	if (len == 0 || len >= 256 || strtol(colon + 1, NULL, 10) <= 0 ||
	    strtol(colon + 1, NULL, 10) > 65535 ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return NULL;
	memcpy(host, server, len);
	host[len] = '\0';
	return colon + 1;
}

static void looked_up(int result, struct evutil_addrinfo *list, void *arg)
{
	struct roost_redis *redis = arg;
	char host[256], text[INET6_ADDRSTRLEN] = "";
	const char *port = split_server(redis->server, host);

	redis->lookup = NULL;
	if (result == EVUTIL_EAI_CANCEL)
		return;
	if (result == 0 && list->ai_family == AF_INET)
		evutil_inet_ntop(AF_INET,
				 &((struct sockaddr_in *)(void *)list->ai_addr)
					  ->sin_addr,
				 text, sizeof(text));
	else if (result == 0)
		evutil_inet_ntop(AF_INET6,
				 &((struct sockaddr_in6 *)(void *)list->ai_addr)
					  ->sin6_addr,
				 text, sizeof(text));
	if (list != NULL)
		evutil_freeaddrinfo(list);
	if (*text == '\0')
		redis_lost(redis, evutil_gai_strerror(result));
	else
		attach(redis,
		       redisAsyncConnect(text, (int)strtol(port, NULL, 10)));
}

/* A name may stand for another address by now; and a blocking look-up would
   hold up every answer. */
static void look_up(struct roost_redis *redis, const char *host)
{
	const struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};

	if (redis->dns == NULL)
		redis->dns = evdns_base_new(
			redis->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
					     EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (redis->dns == NULL) {
		redis_lost(redis, "no usable /etc/resolv.conf");
		return;
	}
	redis->lookup = evdns_getaddrinfo(redis->dns, host, NULL, &hints,
					  looked_up, redis);
}

static void start(struct roost_redis *redis)
{
	unsigned char bytes[16];
	char host[256];
	const char *port;

	if (strncmp(redis->server, "unix:", 5) == 0) {
		attach(redis, redisAsyncConnectUnix(redis->server + 5));
		return;
	}
	port = split_server(redis->server, host);
	if (inet_pton(AF_INET, host, bytes) == 1 ||
	    inet_pton(AF_INET6, host, bytes) == 1)
		attach(redis,
		       redisAsyncConnect(host, (int)strtol(port, NULL, 10)));
	else
		look_up(redis, host);
}

/* Connects anew, or gives up on a connection that is not up yet. */
static void retry(evutil_socket_t fd, short what, void *arg)
{
	struct roost_redis *redis = arg;

	(void)fd;
	(void)what;
	if (redis->ac == NULL && redis->lookup == NULL)
		start(redis);
	else if (redis->ac != NULL && redis->sha[0] == '\0')
		redis_lost(redis, "no connection in time");
}

int roost_redis_new(struct event_base *base, const struct roost_log *log,
		    const struct roost_redis_config *config,
		    struct roost_redis **redis_r, struct roost_err *err)
{
	struct roost_redis *redis = calloc(1, sizeof(*redis));
	char host[256];

	*redis_r = redis;
	if (redis == NULL)
		return roost_err_set(err, "out of memory");
	redis->base = base;
	redis->log = log;
	redis->script = config->script;
	redis->timeout_ms = config->timeout_ms;
	redis->up = config->up;
	redis->pause_ms = PAUSE_MIN_MS;
	redis->last = &redis->first;
	redis->server = strdup(config->server);
	redis->password = strdup(config->password);
	redis->retry = evtimer_new(base, retry, redis);
	redis->tick = evtimer_new(base, tick, redis);
	if (redis->server == NULL || redis->password == NULL ||
	    redis->retry == NULL || redis->tick == NULL)
		return roost_err_set(err, "out of memory");
	if (strncmp(redis->server, "unix:/", 6) != 0 &&
	    split_server(redis->server, host) == NULL)
		return roost_err_set(err,
				     "'%.60s' is not host:port or "
				     "unix:/path",
				     redis->server);
	set_timer(redis->retry, 0);
	return 0;
}

int roost_redis_call(struct roost_redis *redis, size_t key_count,
		     size_t arg_count, const char *const *args,
		     roost_redis_result *callback, void *ctx)
{
	const char *argv[ROOST_REDIS_ARGS_MAX + 3] = { "EVALSHA", redis->sha };
	char keys[24];
	size_t i;

	if (redis->sha[0] == '\0' || arg_count > ROOST_REDIS_ARGS_MAX)
		return -1;
	(void)snprintf(keys, sizeof(keys), "%zu", key_count);
	argv[2] = keys;
	for (i = 0; i < arg_count; i++)
		argv[3 + i] = args[i];
	return send_call(redis, 3 + arg_count, argv, callback, ctx);
}

void roost_redis_failed(struct roost_redis *redis, const redisReply *reply)
{
	if (reply == NULL)
		return; /* the loss of the connection is dealt with */
	if (reply->type == REDIS_REPLY_ERROR &&
	    strncmp(reply->str, "NOSCRIPT", 8) == 0)
		load_script(redis);
	else
		redis_lost(redis, reply->type == REDIS_REPLY_ERROR
					  ? reply->str
					  : "unexpected answer");
}

bool roost_redis_is_up(const struct roost_redis *redis)
{
	return redis->sha[0] != '\0';
}

void roost_redis_free(struct roost_redis **redis)
{
	struct roost_redis *r = *redis;
	redisAsyncContext *ac;

	if (r == NULL)
		return;
	*redis = NULL;
	r->closing = true;
	ac = r->ac;
	r->ac = NULL;
	if (ac != NULL)
		redisAsyncFree(ac);
	if (r->lookup != NULL)
		evdns_getaddrinfo_cancel(r->lookup);
	if (r->dns != NULL)
		evdns_base_free(r->dns, 0);
	if (r->retry != NULL)
		event_free(r->retry);
	if (r->tick != NULL)
		event_free(r->tick);
	free(r->server);
	free(r->password);
	free(r);
}
