/* SPDX-License-Identifier: MIT */
/* metrics: counters and gauges, rendered in Prometheus text format. */
#include "daemon/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct roost_metric {
	enum roost_metric_type type;
	const char *name, *labels, *help;
	_Atomic int64_t value;
};

struct roost_metrics {
	size_t count;
	struct roost_metric metric[ROOST_METRICS_MAX];
};

struct roost_metrics *roost_metrics_new(void)
{
	return calloc(1, sizeof(struct roost_metrics));
}

void roost_metrics_free(struct roost_metrics **metrics)
{
	free(*metrics);
	*metrics = NULL;
}

struct roost_metric *roost_metrics_add(struct roost_metrics *metrics,
				       enum roost_metric_type type,
				       const char *name, const char *labels,
				       const char *help)
{
	struct roost_metric *metric;

	if (metrics->count == ROOST_METRICS_MAX)
		abort();
	metric = &metrics->metric[metrics->count++];
	metric->type = type;
	metric->name = name;
	metric->labels = labels;
	metric->help = help;
	return metric;
}

void roost_metric_add(struct roost_metric *metric, int64_t n)
{
	atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}

void roost_metric_set(struct roost_metric *metric, int64_t value)
{
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

int64_t roost_metric_get(const struct roost_metric *metric)
{
	return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

void roost_metrics_render(const struct roost_metrics *metrics,
			  struct roost_buf *out)
{
	const char *last = "";
	size_t i;

	for (i = 0; i < metrics->count; i++) {
		const struct roost_metric *m = &metrics->metric[i];

		if (strcmp(last, m->name) != 0) {
			roost_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n",
					 m->name, m->help, m->name,
					 m->type == ROOST_METRIC_COUNTER
						 ? "counter"
						 : "gauge");
			last = m->name;
		}
		roost_buf_append_str(out, m->name);
		if (m->labels != NULL)
			roost_buf_printf(out, "{%s}", m->labels);
		roost_buf_printf(out, " %" PRId64 "\n", roost_metric_get(m));
	}
}
