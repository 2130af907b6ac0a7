/* SPDX-License-Identifier: MIT */
/* nudge: keeps libmilter's pool of threads from leaving connections alone. */
#include "milter/nudge.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERVAL_S 1
#define AT_LEAST 4
#define AT_MOST 64

struct roost_nudge {
	struct event *timer;
	int listen_fd;
	const struct roost_metric *connections;
	int fds[AT_MOST]; /* of the last time */
	size_t count;
};

static void close_all(struct roost_nudge *nudge)
{
	while (nudge->count > 0)
		(void)close(nudge->fds[--nudge->count]);
}

static void on_timer(evutil_socket_t unused, short what, void *arg)
{
	struct roost_nudge *nudge = arg;
	size_t wanted = AT_LEAST;
	int64_t more = roost_metric_get(nudge->connections) / 2;
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int fd;

	(void)unused;
	(void)what;
	close_all(nudge);
	if (getsockname(nudge->listen_fd, (struct sockaddr *)&addr, &len) < 0)
		return;
	if (more > 0)
		wanted += more > AT_MOST ? AT_MOST : (size_t)more;
	while (nudge->count < wanted && nudge->count < AT_MOST) {
		fd = socket(addr.ss_family,
			    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return;
		(void)connect(fd, (struct sockaddr *)&addr, len);
		(void)shutdown(fd, SHUT_WR); /* nothing is going to be said */
		nudge->fds[nudge->count++] = fd;
	}
}

struct roost_nudge *roost_nudge_new(struct event_base *base, int listen_fd,
				    const struct roost_metric *connections)
{
	const struct timeval tv = { .tv_sec = INTERVAL_S };
	struct roost_nudge *nudge = calloc(1, sizeof(*nudge));

	if (nudge == NULL)
		return NULL;
	nudge->listen_fd = listen_fd;
	nudge->connections = connections;
	nudge->timer = event_new(base, -1, EV_PERSIST, on_timer, nudge);
	if (nudge->timer == NULL || event_add(nudge->timer, &tv) < 0)
		roost_nudge_free(&nudge);
	return nudge;
}

void roost_nudge_free(struct roost_nudge **nudge)
{
	if (*nudge == NULL)
		return;
	if ((*nudge)->timer != NULL)
		event_free((*nudge)->timer);
	close_all(*nudge);
	free(*nudge);
	*nudge = NULL;
}
