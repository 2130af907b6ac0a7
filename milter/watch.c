/* SPDX-License-Identifier: MIT */
/* watch: tells when something in some directories may have changed. */
#include "milter/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define GATHER_MS 200
#define WATCHED                                                     \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | \
	 IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct roost_watch {
	int fd;
	struct event *readable, *gather, *poll;
	struct timeval poll_time;
	roost_watch_changed *changed;
	void *ctx;
	char *dirs[ROOST_WATCH_DIRS_MAX];
	size_t count;
};

static struct timeval to_timeval(int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
			      .tv_usec = (ms % 1000) * 1000 };

	return tv;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval tv = to_timeval(GATHER_MS);
	struct roost_watch *watch = arg;
	char events[4096];

	(void)what;
	/* which file it was does not matter: the directory is read anew */
	while (read(fd, events, sizeof(events)) > 0)
		;
	if (!event_pending(watch->gather, EV_TIMEOUT, NULL))
		(void)event_add(watch->gather, &tv);
}

static void on_gathered(evutil_socket_t fd, short what, void *arg)
{
	struct roost_watch *watch = arg;

	(void)fd;
	(void)what;
	watch->changed(watch->ctx);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct roost_watch *watch = arg;
	size_t i;

	(void)fd;
	(void)what;
	/* the same directory again changes nothing, one that was replaced
	   or has come is watched from now on */
	for (i = 0; i < watch->count; i++)
		(void)inotify_add_watch(watch->fd, watch->dirs[i], WATCHED);
	watch->changed(watch->ctx);
}

struct roost_watch *roost_watch_new(struct event_base *base, int64_t poll_ms,
				    roost_watch_changed *changed, void *ctx,
				    struct roost_err *err)
{
	struct roost_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL) {
		(void)roost_err_set(err, "out of memory");
		return NULL;
	}
	watch->changed = changed;
	watch->ctx = ctx;
	watch->poll_time = to_timeval(poll_ms);
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		(void)roost_err_set(err, "inotify: %s", strerror(errno));
		roost_watch_free(&watch);
		return NULL;
	}
	watch->readable = event_new(base, watch->fd, EV_READ | EV_PERSIST,
				    on_readable, watch);
	watch->gather = event_new(base, -1, 0, on_gathered, watch);
	watch->poll = event_new(base, -1, EV_PERSIST, on_poll, watch);
	if (watch->readable == NULL || watch->gather == NULL ||
	    watch->poll == NULL || event_add(watch->readable, NULL) < 0 ||
	    event_add(watch->poll, &watch->poll_time) < 0) {
		(void)roost_err_set(err, "out of memory");
		roost_watch_free(&watch);
	}
	return watch;
}

void roost_watch_add(struct roost_watch *watch, const char *dir)
{
	size_t i;

	for (i = 0; i < watch->count; i++) {
		if (strcmp(watch->dirs[i], dir) == 0)
			return;
	}
	if (watch->count == ROOST_WATCH_DIRS_MAX)
		return;
	watch->dirs[watch->count] = strdup(dir);
	if (watch->dirs[watch->count] == NULL)
		return;
	watch->count++;
	(void)inotify_add_watch(watch->fd, dir, WATCHED);
}

void roost_watch_add_file(struct roost_watch *watch, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;

	if (slash == NULL) {
		roost_watch_add(watch, ".");
		return;
	}
	dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir != NULL)
		roost_watch_add(watch, dir);
	free(dir);
}

void roost_watch_free(struct roost_watch **_watch)
{
	struct roost_watch *watch = *_watch;
	size_t i;

	*_watch = NULL;
	if (watch == NULL)
		return;
	if (watch->readable != NULL)
		event_free(watch->readable);
	if (watch->gather != NULL)
		event_free(watch->gather);
	if (watch->poll != NULL)
		event_free(watch->poll);
	if (watch->fd >= 0)
		(void)close(watch->fd);
	for (i = 0; i < watch->count; i++)
		free(watch->dirs[i]);
	free(watch);
}
