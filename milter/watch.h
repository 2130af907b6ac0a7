/* SPDX-License-Identifier: MIT */
/*
 * watch: tells when something in some directories may have changed.
 *
 * inotify on the directories (a watch on a file dies with the first swap of a
 * Kubernetes Secret) and a timer besides (NFS and subPath mounts give no
 * events). Events are gathered for a moment, so that a file which is being
 * written is seen whole more often than not.
 */
#ifndef ROOST_MILTER_WATCH_H
#define ROOST_MILTER_WATCH_H

#include <stdint.h>

#include "common/base/err.h"

#define ROOST_WATCH_DIRS_MAX 64 /* further ones are left to the timer */

struct event_base;
struct roost_watch;

/* Look again: it may be a false alarm. From the event loop. */
typedef void roost_watch_changed(void *ctx);

struct roost_watch *roost_watch_new(struct event_base *base, int64_t poll_ms,
				    roost_watch_changed *changed, void *ctx,
				    struct roost_err *err);

/* Watches one more directory; one that does not exist yet is tried again with
   each tick of the timer. A directory named twice counts once. */
void roost_watch_add(struct roost_watch *watch, const char *dir);

/* Watches the directory that a file is in. */
void roost_watch_add_file(struct roost_watch *watch, const char *path);

void roost_watch_free(struct roost_watch **watch);

#endif
