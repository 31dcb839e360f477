// SPDX-License-Identifier: GPL-3.0-or-later
// metrics.c: the counts for Prometheus.
#include "serve/http/route.h"

static const char *method_of(int i)
{
    return route_at(i)->method;
}

static const char *path_of(int i)
{
    return route_at(i)->path;
}

static bool run(asked *q, answer *a, err *e)
{
    strbuf out = {0};
    (void)e;
    counts_print(q->house->counts, method_of, path_of, &out);
    answer_file(a, "text/plain; version=0.0.4; charset=utf-8", &out);
    return true;
}

const route route_metrics = {
    .method = "GET",
    .path = "/metrics",
    .summary = "Counts of requests, their times and workers, for Prometheus",
    .run = run,
};
