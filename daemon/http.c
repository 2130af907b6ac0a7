/* SPDX-License-Identifier: MIT */
/* http: GET /livez, /readyz and /metrics for probes and Prometheus. */
#include "daemon/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/listener.h"

#define CLIENTS_MAX 32
#define REQUEST_MAX 4096
#define DEADLINE_SECONDS 5
#define BODY_MAX (1024 * 1024)

struct client {
	struct roost_http *http;
	struct bufferevent *bev; /* NULL: the place is free */
	struct event *deadline;
	bool answered;
	bool half_closed; /* the other side sends no more */
};

struct roost_http {
	struct event_base *base;
	const struct roost_metrics *metrics;
	roost_http_ready *ready;
	void *ctx;
	struct roost_listener **listener;
	size_t listener_count;
	struct client client[CLIENTS_MAX];
};

static void client_close(struct client *client)
{
	if (client->deadline != NULL)
		event_free(client->deadline);
	if (client->bev != NULL)
		bufferevent_free(client->bev);
	client->deadline = NULL;
	client->bev = NULL;
}

static void client_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_close(arg);
}

static void client_answer(struct client *client, const char *status,
			  const struct roost_buf *body, bool with_body)
{
	struct evbuffer *out = bufferevent_get_output(client->bev);
	int ret;

	ret = evbuffer_add_printf(
		out,
		"HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; "
		"charset=utf-8\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\n\r\n",
		status, body->len);
	if (ret >= 0 && with_body)
		ret = evbuffer_add(out, body->data, body->len);
	client->answered = true;
	if (ret < 0)
		client_close(client);
}

/* "/readyz" of "GET /readyz?x HTTP/1.1"; NULL if that is no request. */
static char *request_path(char *line)
{
	char *path = strchr(line, ' '), *end;

	if (path == NULL || path[1] != '/')
		return NULL;
	*path++ = '\0';
	end = strchr(path, ' ');
	if (end == NULL || strncmp(end, " HTTP/1.", 8) != 0)
		return NULL;
	*end = '\0';
	path[strcspn(path, "?")] = '\0';
	return path;
}

static const char *route(struct roost_http *http, const char *path,
			 struct roost_buf *body)
{
	if (strcmp(path, "/livez") == 0) {
		roost_buf_append_str(body, "alive\n");
	} else if (strcmp(path, "/readyz") == 0) {
		if (!http->ready(http->ctx, body)) {
			roost_buf_append_char(body, '\n');
			return "503 Service Unavailable";
		}
		roost_buf_append_str(body, "ready\n");
	} else if (strcmp(path, "/metrics") == 0) {
		roost_metrics_render(http->metrics, body);
	} else {
		roost_buf_append_str(body, "not found\n");
		return "404 Not Found";
	}
	return body->failed ? "500 Internal Server Error" : "200 OK";
}

static void client_request(struct client *client, char *line)
{
	struct roost_buf body = ROOST_BUF_INIT(BODY_MAX);
	char *path = request_path(line);
	bool head = strcmp(line, "HEAD") == 0;
	const char *status;

	if (path == NULL)
		status = "400 Bad Request";
	else if (!head && strcmp(line, "GET") != 0)
		status = "405 Method Not Allowed";
	else
		status = route(client->http, path, &body);
	client_answer(client, status, &body, !head);
	roost_buf_free(&body);
}

static void client_read(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer_ptr end;
	char *line;

	if (client->answered) {
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (end.pos < 0 && evbuffer_get_length(in) >= REQUEST_MAX) {
		struct roost_buf none = ROOST_BUF_INIT(0);

		client_answer(client, "431 Request Header Fields Too Large",
			      &none, false);
		return;
	}
	if (end.pos < 0)
		return;
	line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);
	evbuffer_drain(in, evbuffer_get_length(in));
	if (line == NULL)
		client_close(client);
	else
		client_request(client, line);
	free(line);
}

/* All is sent: says so and waits for the other side, until the deadline, as
   closing now might destroy the answer on its way. */
static void client_written(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	if (client->half_closed)
		client_close(client);
	else if (client->answered)
		(void)shutdown(bufferevent_getfd(bev), SHUT_WR);
}

static void client_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	if ((what & BEV_EVENT_EOF) != 0 &&
	    evbuffer_get_length(bufferevent_get_output(bev)) > 0)
		client->half_closed = true;
	else
		client_close(client);
}

static void http_accept(void *ctx, int fd)
{
	const struct timeval deadline = { .tv_sec = DEADLINE_SECONDS };
	struct roost_http *http = ctx;
	struct client *client = http->client;

	while (client < http->client + CLIENTS_MAX && client->bev != NULL)
		client++;
	if (client == http->client + CLIENTS_MAX) {
		close(fd);
		return;
	}
	client->http = http;
	client->answered = client->half_closed = false;
	client->bev =
		bufferevent_socket_new(http->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->bev == NULL) {
		close(fd);
		return;
	}
	client->deadline = evtimer_new(http->base, client_deadline, client);
	if (client->deadline == NULL ||
	    evtimer_add(client->deadline, &deadline) < 0) {
		client_close(client);
		return;
	}
	bufferevent_setcb(client->bev, client_read, client_written,
			  client_event, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, REQUEST_MAX);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

int roost_http_open(struct event_base *base, const struct roost_log *log,
		    const struct roost_conf_listen *listen,
		    const struct roost_metrics *metrics,
		    roost_http_ready *ready, void *ctx,
		    struct roost_http **http_r, struct roost_err *err)
{
	const struct roost_listener_owner owner = {
		.mode = 0666,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};
	struct roost_http *http = calloc(1, sizeof(*http));
	size_t i;

	if (http != NULL)
		http->listener =
			calloc(listen->count + 1, sizeof(*http->listener));
	if (http == NULL || http->listener == NULL) {
		free(http);
		return roost_err_set(err, "out of memory");
	}
	http->base = base;
	http->metrics = metrics;
	http->ready = ready;
	http->ctx = ctx;
	for (i = 0; i < listen->count; i++) {
		if (roost_listener_open(base, log, &listen->addr[i], &owner,
					http_accept, http, &http->listener[i],
					err) < 0) {
			roost_http_close(&http);
			return -1;
		}
		http->listener_count++;
	}
	*http_r = http;
	return 0;
}

void roost_http_close(struct roost_http **http)
{
	struct roost_http *h = *http;
	size_t i;

	if (h == NULL)
		return;
	*http = NULL;
	for (i = 0; i < h->listener_count; i++)
		roost_listener_close(&h->listener[i]);
	for (i = 0; i < CLIENTS_MAX; i++)
		client_close(&h->client[i]);
	free(h->listener);
	free(h);
}
