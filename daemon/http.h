/* SPDX-License-Identifier: MIT */
/*
 * http: GET /livez, /readyz and /metrics for probes and Prometheus.
 *
 * A closed little HTTP/1.1 responder: at most 32 connections, 4 KiB of
 * request, 5 seconds in all, one answer per connection. (libevent's evhttp
 * can bound neither the connections nor the time of a trickled request.)
 */
#ifndef ROOST_DAEMON_HTTP_H
#define ROOST_DAEMON_HTTP_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/conf.h"
#include "common/base/err.h"
#include "daemon/log.h"
#include "daemon/metrics.h"

struct event_base;
struct roost_http;

/* False and the reason in `why` (one line) while not ready. */
typedef bool roost_http_ready(void *ctx, struct roost_buf *why);

int roost_http_open(struct event_base *base, const struct roost_log *log,
		    const struct roost_conf_listen *listen,
		    const struct roost_metrics *metrics,
		    roost_http_ready *ready, void *ctx,
		    struct roost_http **http_r, struct roost_err *err);
void roost_http_close(struct roost_http **http);

#endif
