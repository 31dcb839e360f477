// SPDX-License-Identifier: GPL-3.0-or-later
// service.c: opened in the order in which each part needs the other: the address, which may be in
// use; the queue, whose threads make the workers from then on; the server, which hands it requests.
// Closed the queue first, since the server still takes its answers, then the server, the address.
#include "serve/http/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/hw.h"
#include "serve/http/web.h"

enum { JSON_MOST = 1 << 20, TOKEN_LEAST = 8, SWEEP = 5 };
#define TICK 0.05 // seconds

struct service {
    service_setup s;
    gate gate;
    house house;
    bench bench;
    pulse pulse;
    web *web;
    queue *queue;
};

static bool check(const service_setup *s, const gate *g, err *e)
{
    if (s->token && strlen(s->token) < TOKEN_LEAST)
        return err_set(e, ERR_USAGE,
                       "a token has %d characters or more; make one by: openssl rand "
                       "-hex 16",
                       TOKEN_LEAST);
    return g->loopback || s->token ||
           err_set(e, ERR_USAGE,
                   "'%s' can be reached from other machines, so a token is needed: --token TEXT, "
                   "which clients send as Authorization: Bearer TEXT",
                   s->listen);
}

static bool open_all(service *x, err *e)
{
    const service_setup *s = &x->s;
    if (!gate_open(&x->gate, s->listen, e) || !check(s, &x->gate, e))
        return false;
    x->house.kept = kept_open(e);
    x->house.counts = counts_open(route_count(), s->workers);
    web_setup w = {.gate = &x->gate,
                   .door = {.token = s->token,
                            .origin = s->origin,
                            .names = s->names,
                            .json_most = s->body < JSON_MOST ? (size_t)s->body : JSON_MOST,
                            .sound_most = (size_t)s->body},
                   .connections = s->connections,
                   .patience = s->patience,
                   .house = &x->house};
    queue_setup q = {.workers = s->workers,
                     .room = s->waiting,
                     .seconds = s->seconds,
                     .house = &x->house,
                     .done = web_done};
    return x->house.kept && (x->web = web_open(&w, e)) && (x->queue = queue_open(&q, e)) &&
           web_start(x->web, x->queue, e);
}

service *service_open(const service_setup *s, err *e)
{
    service *x = base_checked(calloc(1, sizeof *x), sizeof *x);
    x->s = *s;
    x->gate.fd = -1;
    x->house = (house){.models = s->models,
                       .language = s->language,
                       .folder = s->folder,
                       .production = s->production,
                       .env = s->env,
                       .bench = &x->bench,
                       .pulse = &x->pulse};
    if (open_all(x, e))
        return x;
    service_close(x);
    return NULL;
}

const char *service_url(const service *s)
{
    return s->gate.url;
}

static void tick(service *x, int *n)
{
    hw_sleep(TICK);
    if (++*n % SWEEP == 0)
        web_sweep(x->web);
}

// Requests that came are answered; one that is still coming has its patience.
static bool finish(service *x, err *e)
{
    double since = hw_seconds(), most = x->s.seconds + x->s.patience;
    int n = 0;
    web_quiesce(x->web);
    while (web_under_way(x->web) && hw_seconds() - since < most)
        tick(x, &n);
    return !web_under_way(x->web) ||
           err_set(e, ERR_TIMEOUT, "%d requests were not finished within %g s",
                   web_under_way(x->web), most);
}

bool service_run(service *x, err *e)
{
    int n = 0;
    while (!env_stop(x->s.env))
        tick(x, &n);
    return finish(x, e);
}

void service_close(service *x)
{
    if (!x)
        return;
    if (x->web)
        web_sweep(x->web);
    queue_close(x->queue);
    web_close(x->web);
    gate_close(&x->gate);
    counts_close(x->house.counts);
    kept_close(x->house.kept);
    arena_free(&x->bench.arena);
    free(x);
}
