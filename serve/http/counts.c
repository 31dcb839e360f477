// SPDX-License-Identifier: GPL-3.0-or-later
// counts.c: see counts.h.
#include "serve/http/counts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hw.h"

static const int statuses[] = {200, 204, 400, 401, 403, 404, 405, 408, 409, 413,
                               415, 422, 429, 431, 499, 500, 501, 503, 504, 0}; // 0: another
static const double edges[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                               0.25,  0.5,    1,     2.5,  5,     10};
enum {
    STATUSES = sizeof statuses / sizeof *statuses,
    EDGES = sizeof edges / sizeof *edges,
};

typedef struct row {
    uint64_t by_status[STATUSES], by_edge[EDGES + 1], n;
    double seconds;
} row;

struct counts {
    pthread_mutex_t lock;
    row *rows; // [routes + 1], the last of what was not found
    int routes, workers;
    double since;
    atomic_int_fast64_t gauges[COUNTS_GAUGES];
};

counts *counts_open(int routes, int workers)
{
    size_t bytes = (size_t)(routes + 1) * sizeof(row);
    counts *c = base_checked(calloc(1, sizeof *c), sizeof *c);
    c->rows = base_checked(calloc(1, bytes), bytes);
    c->routes = routes, c->workers = workers, c->since = hw_seconds();
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void counts_close(counts *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c->rows);
    free(c);
}

void counts_request(counts *c, int route, int status, double seconds)
{
    row *r = &c->rows[route < 0 ? c->routes : route];
    int s = 0, k = 0;
    while (s < STATUSES - 1 && statuses[s] != status)
        s++;
    while (k < EDGES && seconds > edges[k])
        k++;
    pthread_mutex_lock(&c->lock);
    r->by_status[s]++, r->by_edge[k]++, r->n++, r->seconds += seconds;
    pthread_mutex_unlock(&c->lock);
}

void counts_add(counts *c, counts_gauge g, int by)
{
    atomic_fetch_add(&c->gauges[g], by);
}

int64_t counts_of(const counts *c, counts_gauge g)
{
    return atomic_load(&c->gauges[g]);
}

int counts_workers(const counts *c)
{
    return c->workers;
}

double counts_seconds(const counts *c)
{
    return hw_seconds() - c->since;
}

bool counts_ready(const counts *c)
{
    return counts_of(c, COUNTS_READY) >= c->workers;
}

// ---- Prometheus

static void head(const char *name, const char *type, const char *help, strbuf *out)
{
    strbuf_printf(out, "# HELP kmidi_api_%s %s\n# TYPE kmidi_api_%s %s\n", name, help, name, type);
}

static void print_requests(const row *r, const char *method, const char *path, strbuf *out)
{
    for (int s = 0; s < STATUSES; s++)
        if (r->by_status[s])
            strbuf_printf(out,
                          "kmidi_api_requests_total{method=\"%s\",path=\"%s\",status=\"%d\"} "
                          "%llu\n",
                          method, path, statuses[s], (unsigned long long)r->by_status[s]);
}

static void print_seconds(const row *r, const char *method, const char *path, strbuf *out)
{
    uint64_t sum = 0;
    char edge[16];
    for (int k = 0; r->n && k <= EDGES; k++) {
        sum += r->by_edge[k];
        snprintf(edge, sizeof edge, "%g", k < EDGES ? edges[k] : 0);
        strbuf_printf(out,
                      "kmidi_api_request_seconds_bucket{method=\"%s\",path=\"%s\",le=\"%s\"} "
                      "%llu\n",
                      method, path, k < EDGES ? edge : "+Inf", (unsigned long long)sum);
    }
    if (r->n)
        strbuf_printf(out,
                      "kmidi_api_request_seconds_sum{method=\"%s\",path=\"%s\"} %.6f\n"
                      "kmidi_api_request_seconds_count{method=\"%s\",path=\"%s\"} %llu\n",
                      method, path, r->seconds, method, path, (unsigned long long)r->n);
}

static void print_gauges(const counts *c, strbuf *out)
{
    static const struct {
        const char *name, *type, *help;
    } g[COUNTS_GAUGES] = {
        [COUNTS_CONNECTIONS] = {"connections", "gauge", "Connections that are open."},
        [COUNTS_WAITING] = {"waiting", "gauge", "Requests that wait for a worker."},
        [COUNTS_WORKING] = {"working", "gauge", "Requests that workers have."},
        [COUNTS_READY] = {"workers_ready", "gauge", "Workers that have begun."},
        [COUNTS_LOST] = {"workers_lost_total", "counter", "Workers that were replaced."}};
    for (int i = 0; i < COUNTS_GAUGES; i++) {
        head(g[i].name, g[i].type, g[i].help, out);
        strbuf_printf(out, "kmidi_api_%s %lld\n", g[i].name,
                      (long long)counts_of(c, (counts_gauge)i));
    }
    head("uptime_seconds", "gauge", "Since the service was opened.", out);
    strbuf_printf(out, "kmidi_api_uptime_seconds %.3f\n", counts_seconds(c));
    head("resident_bytes", "gauge", "Memory of the server's own process.", out);
    strbuf_printf(out, "kmidi_api_resident_bytes %llu\n", (unsigned long long)hw_rss());
}

void counts_print(counts *c, const char *(*method)(int), const char *(*path)(int), strbuf *out)
{
    pthread_mutex_lock(&c->lock);
    head("requests_total", "counter", "Requests by route and status.", out);
    for (int i = 0; i <= c->routes; i++)
        print_requests(&c->rows[i], i < c->routes ? method(i) : "any",
                       i < c->routes ? path(i) : "none", out);
    head("request_seconds", "histogram", "From the first byte to the answer.", out);
    for (int i = 0; i <= c->routes; i++)
        print_seconds(&c->rows[i], i < c->routes ? method(i) : "any",
                      i < c->routes ? path(i) : "none", out);
    pthread_mutex_unlock(&c->lock);
    print_gauges(c, out);
}
