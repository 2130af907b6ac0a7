/* SPDX-License-Identifier: MIT */
/* policy-watch: tells when an address or a route of this machine changes. */
#include "policy/policy-watch.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTLE_MS 100
#define AGAIN_MS 1000
#define MESSAGES_MAX 64 /* taken in one turn of the loop */

struct roost_policy_watch {
	roost_policy_watch_changed *changed;
	void *ctx;
	int fd;
	struct event *io, *timer;
};

static void set_timer(struct roost_policy_watch *watch, int ms)
{
	const struct timeval tv = {
		.tv_sec = ms / 1000,
		.tv_usec = (ms % 1000) * 1000,
	};

	/* the first change starts it: a stream of them cannot put it off */
	if (evtimer_pending(watch->timer, NULL) == 0)
		(void)event_add(watch->timer, &tv);
}

/* What the messages say does not matter: everything is looked up anew. */
static void watch_readable(evutil_socket_t fd, short what, void *arg)
{
	struct roost_policy_watch *watch = arg;
	char data[8192];
	int i;

	(void)what;
	for (i = 0; i < MESSAGES_MAX; i++) {
		if (recv(fd, data, sizeof(data), MSG_DONTWAIT) < 0 &&
		    errno != ENOBUFS)
			break;
	}
	set_timer(watch, SETTLE_MS);
}

static void watch_timer(evutil_socket_t fd, short what, void *arg)
{
	struct roost_policy_watch *watch = arg;

	(void)fd;
	(void)what;
	watch->changed(watch->ctx);
}

int roost_policy_watch_open(struct event_base *base,
			    roost_policy_watch_changed *changed, void *ctx,
			    struct roost_policy_watch **watch_r,
			    struct roost_err *err)
{
	struct roost_policy_watch *watch = calloc(1, sizeof(*watch));
	struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
			     RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
			     RTMGRP_IPV6_ROUTE,
	};

	*watch_r = watch;
	if (watch == NULL)
		return roost_err_set(err, "out of memory");
	watch->changed = changed;
	watch->ctx = ctx;
	watch->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			   NETLINK_ROUTE);
	if (watch->fd < 0 ||
	    bind(watch->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return roost_err_set(err, "detect_networks: netlink: %s",
				     strerror(errno));
	watch->timer = evtimer_new(base, watch_timer, watch);
	watch->io = event_new(base, watch->fd, EV_READ | EV_PERSIST,
			      watch_readable, watch);
	if (watch->timer == NULL || watch->io == NULL ||
	    event_add(watch->io, NULL) < 0)
		return roost_err_set(err, "out of memory");
	return 0;
}

void roost_policy_watch_again(struct roost_policy_watch *watch)
{
	set_timer(watch, AGAIN_MS);
}

void roost_policy_watch_close(struct roost_policy_watch **watch)
{
	struct roost_policy_watch *w = *watch;

	if (w == NULL)
		return;
	*watch = NULL;
	if (w->io != NULL)
		event_free(w->io);
	if (w->timer != NULL)
		event_free(w->timer);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}
