/* SPDX-License-Identifier: MIT */
/* policy-socketmap: the connections of Postfix's socketmap clients. */
#include "policy/policy-socketmap.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_SECONDS 1000
#define INPUT_MAX (ROOST_SOCKETMAP_QUERY_MAX + 16)
#define OUTPUT_MAX 262144 /* unread answers, beyond which no more is read */

struct client {
	struct roost_policy_socketmap *all;
	struct client *prev, *next;
	struct bufferevent *bev;
	struct event *deadline; /* of a query that has begun */
};

struct roost_policy_socketmap {
	struct event_base *base;
	const struct roost_log *log;
	struct roost_policy_tables *tables;
	struct timeval timeout;
	struct client *first;
	unsigned int count;
	struct roost_metric *answers[3]; /* by status */
	struct roost_metric *refused, *malformed;
};

struct roost_policy_socketmap *
roost_policy_socketmap_new(struct roost_daemon *daemon,
			   struct roost_policy_tables *tables, int64_t timeout)
{
	static const char *const labels[] = {
		[ROOST_SOCKETMAP_OK] = "result=\"ok\"",
		[ROOST_SOCKETMAP_NOTFOUND] = "result=\"notfound\"",
		[ROOST_SOCKETMAP_TEMP] = "result=\"temp\"",
	};
	struct roost_metrics *metrics = roost_daemon_metrics(daemon);
	struct roost_policy_socketmap *socketmap =
		calloc(1, sizeof(*socketmap));
	size_t i;

	if (socketmap == NULL)
		return NULL;
	socketmap->base = roost_daemon_base(daemon);
	socketmap->log = roost_daemon_log(daemon);
	socketmap->tables = tables;
	socketmap->timeout.tv_sec = timeout / 1000;
	socketmap->timeout.tv_usec = timeout % 1000 * 1000;
	for (i = 0; i < 3; i++)
		socketmap->answers[i] = roost_metrics_add(
			metrics, ROOST_METRIC_COUNTER,
			"roost_socketmap_answers_total", labels[i],
			"Answers to socketmap queries.");
	socketmap->malformed = roost_metrics_add(
		metrics, ROOST_METRIC_COUNTER,
		"roost_socketmap_malformed_total", NULL,
		"Connections closed for a malformed or slow query.");
	socketmap->refused = roost_metrics_add(
		metrics, ROOST_METRIC_COUNTER, "roost_socketmap_refused_total",
		NULL, "Connections refused at their limit.");
	return socketmap;
}

static void client_close(struct client *client)
{
	if (client->prev != NULL)
		client->prev->next = client->next;
	else
		client->all->first = client->next;
	if (client->next != NULL)
		client->next->prev = client->prev;
	client->all->count--;
	if (client->bev != NULL)
		bufferevent_free(client->bev);
	if (client->deadline != NULL)
		event_free(client->deadline);
	free(client);
}

void roost_policy_socketmap_free(struct roost_policy_socketmap **socketmap)
{
	struct roost_policy_socketmap *s = *socketmap;

	if (s == NULL)
		return;
	*socketmap = NULL;
	while (s->first != NULL)
		client_close(s->first);
	free(s);
}

static int answer(struct client *client,
		  const struct roost_socketmap_query *query)
{
	struct roost_policy_socketmap *all = client->all;
	struct roost_buf out = ROOST_BUF_INIT(ROOST_SOCKETMAP_VALUE_MAX + 64);
	enum roost_socketmap_status status;
	const char *text;
	int ret = -1;

	status = roost_policy_tables_lookup(all->tables, query->name,
					    query->key, &text);
	roost_metric_add(all->answers[status], 1);
	roost_socketmap_answer(&out, status, text);
	if (!out.failed)
		ret = bufferevent_write(client->bev, out.data, out.len);
	roost_buf_free(&out);
	return ret;
}

/* Answers what is complete; -1: the connection is over. */
static int take_queries(struct client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);
	struct evbuffer *out = bufferevent_get_output(client->bev);
	struct roost_socketmap_query query;
	struct roost_err err;
	int ret = 0;

	while (evbuffer_get_length(in) > 0 &&
	       evbuffer_get_length(out) < OUTPUT_MAX) {
		unsigned char *data = evbuffer_pullup(in, -1);

		if (data == NULL)
			return -1;
		ret = roost_socketmap_parse(&query, (char *)data,
					    evbuffer_get_length(in), &err);
		if (ret > 0 && answer(client, &query) < 0)
			ret = -1;
		if (ret <= 0)
			break;
		(void)evbuffer_drain(in, query.size);
	}
	/* the time of a query runs from its first byte */
	if (evbuffer_get_length(in) == 0)
		(void)event_del(client->deadline);
	else if (ret > 0 || evtimer_pending(client->deadline, NULL) == 0)
		(void)event_add(client->deadline, &client->all->timeout);
	return ret < 0 ? -1 : 0;
}

static void progress(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (take_queries(client) < 0) {
		roost_metric_add(client->all->malformed, 1);
		client_close(client);
	}
}

static void ended(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	client_close(arg);
}

static void too_slow(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;

	(void)fd;
	(void)what;
	roost_metric_add(client->all->malformed, 1);
	client_close(client);
}

void roost_policy_socketmap_accept(void *ctx, int fd)
{
	const struct timeval idle = { .tv_sec = IDLE_SECONDS };
	struct roost_policy_socketmap *all = ctx;
	struct client *client = NULL;

	if (all->count < ROOST_POLICY_SOCKETMAP_MAX)
		client = calloc(1, sizeof(*client));
	if (client == NULL) {
		roost_metric_add(all->refused, 1);
		close(fd);
		return;
	}
	client->all = all;
	client->next = all->first;
	if (all->first != NULL)
		all->first->prev = client;
	all->first = client;
	all->count++;
	client->deadline = evtimer_new(all->base, too_slow, client);
	client->bev =
		bufferevent_socket_new(all->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->bev == NULL)
		close(fd);
	if (client->bev == NULL || client->deadline == NULL) {
		client_close(client);
		return;
	}
	bufferevent_setcb(client->bev, progress, progress, ended, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, INPUT_MAX);
	bufferevent_set_timeouts(client->bev, &idle, &all->timeout);
	if (bufferevent_enable(client->bev, EV_READ | EV_WRITE) < 0)
		client_close(client);
}
