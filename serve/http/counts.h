// SPDX-License-Identifier: GPL-3.0-or-later
// counts.h: what a service did so far, for /metrics and /health; from any thread.
#ifndef KMIDI_SERVE_HTTP_COUNTS_H
#define KMIDI_SERVE_HTTP_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

typedef struct counts counts;

counts *counts_open(int routes, int workers);
void counts_close(counts *c); // accepts NULL
// route -1: none was found.
void counts_request(counts *c, int route, int status, double seconds);

typedef enum counts_gauge {
    COUNTS_CONNECTIONS, // that are open
    COUNTS_WAITING,     // requests in the queue
    COUNTS_WORKING,     // requests that workers have
    COUNTS_READY,       // workers that have begun
    COUNTS_LOST,        // workers that were replaced, ever
    COUNTS_GAUGES
} counts_gauge;
void counts_add(counts *c, counts_gauge g, int by);
int64_t counts_of(const counts *c, counts_gauge g);
int counts_workers(const counts *c);
double counts_seconds(const counts *c); // since it was opened
bool counts_ready(const counts *c);     // all workers have begun

// Prometheus' text format 0.0.4; method(i) and path(i) are those of route i. Labels are of routes
// and statuses alone, so their number is bounded whatever is asked.
void counts_print(counts *c, const char *(*method)(int), const char *(*path)(int), strbuf *out);

#endif
