/* SPDX-License-Identifier: MIT */
/*
 * metrics: counters and gauges, rendered in Prometheus text format 0.0.4.
 *
 * Register all before threads start; changing and rendering are atomic and
 * may happen in any thread. Metrics of the same name with different labels
 * are registered one after the other and share the first one's help.
 */
#ifndef ROOST_DAEMON_METRICS_H
#define ROOST_DAEMON_METRICS_H

#include <stdint.h>

#include "common/base/buf.h"

#define ROOST_METRICS_MAX 512

enum roost_metric_type { ROOST_METRIC_COUNTER, ROOST_METRIC_GAUGE };

struct roost_metrics;
struct roost_metric;

struct roost_metrics *roost_metrics_new(void); /* NULL: out of memory */
void roost_metrics_free(struct roost_metrics **metrics);

/* `labels` is the text between the braces (`verdict="dunno"`), or NULL.
   Strings must outlive the metrics. Aborts past ROOST_METRICS_MAX: a bug. */
struct roost_metric *roost_metrics_add(struct roost_metrics *metrics,
				       enum roost_metric_type type,
				       const char *name, const char *labels,
				       const char *help);

void roost_metric_add(struct roost_metric *metric, int64_t n);
void roost_metric_set(struct roost_metric *metric, int64_t value);
int64_t roost_metric_get(const struct roost_metric *metric);

void roost_metrics_render(const struct roost_metrics *metrics,
			  struct roost_buf *out);

#endif
