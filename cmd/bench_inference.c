// SPDX-License-Identifier: GPL-3.0-or-later
// bench_inference.c: how long a model's answer takes, of random weights on one random input in
// memory, call by call: the mean, the middle, and how late the latest were. What is waited for
// decides in real time, and that is the tail; it holds what the machine did beside it, too, so the
// processor's time of a call stands beside it.
#include "base/hw.h"
#include "cmd/bench.h"
#include "infer/session.h"
#include "train/products.h"
#include "train/sample.h"

enum { CALLS_MOST = 1 << 20, CALLS_LEAST = 20, WARM_UP_CALLS = 10 };
static const double WARM_UP_SECONDS = 0.2;

static void warm_up(session *s)
{
    double began = hw_seconds();
    for (int i = 0; i < WARM_UP_CALLS || hw_seconds() - began < WARM_UP_SECONDS; i++)
        session_go(s);
}

typedef struct calls {
    double *took; // [n], seconds
    int n;
    double cpu; // seconds a call
} calls;

static void measure(session *s, double seconds, calls *k)
{
    double cpu = bench_cpu_seconds(), began = hw_seconds(), last = began;
    while (k->n < CALLS_MOST && (k->n < CALLS_LEAST || last - began < seconds)) {
        session_go(s);
        double now = hw_seconds();
        k->took[k->n++] = now - last;
        last = now;
    }
    k->cpu = (bench_cpu_seconds() - cpu) / k->n;
}

static void report(cmd *c, const session *s, const calls *k)
{
    const session_setup *o = &s->setup;
    json *j = json_object();
    json_set_str(j, "model", o->model->name);
    json_set_int(j, "batch", o->batch);
    json_set_int(j, "length", o->time);
    json_set_int(j, "threads", threads_count(c->env.pool));
    bench_times t = bench_times_of(k->took, k->n);
    bench_times_json(j, &t);
    json_set_num(j, "cpu_ms", 1e3 * k->cpu);
    json_set_int(j, "peak_rss_mb", (int64_t)(hw_peak_rss() >> 20));
    cmd_json(c, j);
    cmd_print(c,
              "%s, batch %lld, length %lld, %d threads: %.3g ms in the middle of %d calls, mean "
              "%.3g, p90 %.3g, p99 %.3g, most %.3g; %.3g ms of processor time",
              o->model->name, (long long)o->batch, (long long)o->time, threads_count(c->env.pool),
              t.p50, k->n, t.mean, t.p90, t.p99, t.max, 1e3 * k->cpu);
}

static bool take_setup(cmd *c, session_setup *o, err *e)
{
    const model_def *m = model_named(c->args[0], e);
    *o = (session_setup){.gives = SESSION_OUT,
                         .stay = true,
                         .batch = option_int(c, "batch", 1),
                         .time = option_int(c, "length", 1)};
    if (o->batch < 1 || o->batch > 65536 || o->time < 1 || o->time > 65536)
        return err_set(e, ERR_USAGE, "--batch and --length take numbers from 1 to 65536");
    o->model = m ? model_configure(m, option_text(c, "sizes", NULL), c->arena, e) : NULL;
    if (!o->model || !cmd_threads(c, 0, e) || !products_open(&c->env, c->arena, e))
        return false;
    o->pool = c->env.pool, o->kit = c->env.kit;
    o->params = params_open(c->arena);
    return true;
}

static bool make_weights(const session_setup *o, arena *a, err *e)
{
    model_dims d = {.batch = 1, .time = 1};
    if (!model_build(o->model, o->params, &d, a, e) || !params_allocate(o->params, 0, e))
        return false;
    params_init(o->params, 1);
    return true;
}

bool bench_inference(cmd *c, err *e)
{
    session_setup o;
    if (!take_setup(c, &o, e))
        return false;
    session *s = make_weights(&o, c->arena, e) ? session_open(&o, c->arena, e) : NULL;
    model_dims d = {.batch = o.batch, .time = o.time};
    bool ok = s && feed_copy(s->net, s->run, sample_batch(o.model, &d, 1, 0, c->arena), e);
    if (ok) {
        calls k = {.took = NEW(c->arena, double, CALLS_MOST)};
        warm_up(s);
        measure(s, option_num(c, "seconds", 5), &k);
        report(c, s, &k);
    }
    session_close(s);
    params_release(o.params);
    return ok;
}
