// SPDX-License-Identifier: GPL-3.0-or-later
// bench_attention.c: causal attention by itself, forward and backward, on six heads of 64 as the
// transformer has them: passes a second, for bench/attention_peer.py to stand beside. No rotary
// positions: the peer's function has none.
//
// Of the two products forward and the five backward, half is seen: 7 B H T^2 d FLOP a pass.
#include "autograd/ops.h"
#include "autograd/run.h"
#include "base/hw.h"
#include "base/rng.h"
#include "cmd/bench.h"

enum { HEADS = 6, HEAD = 64, WARM_UP = 2, ELEMENTS_MOST = 1 << 28 };

typedef struct pass {
    graph *g;
    tensor *in[4]; // q, k, v and the gradient of what comes out: [B, T, H d]
    tensor *d[3];  // of q, k, v
} pass;

static pass build(int64_t batch, int64_t length, arena *a)
{
    static const char *const names[] = {"q", "k", "v", "dy"};
    pass p = {.g = graph_open(a)};
    for (int i = 0; i < 4; i++)
        p.in[i] = graph_input(p.g, names[i], DT_F32, shape_of(3, batch, length, HEADS * HEAD));
    tensor *y = op_attention(p.g, p.in[0], p.in[1], p.in[2], NULL, HEADS, true);
    graph_gradient_from(p.g, y, p.in[3], p.in, 3, p.d);
    return p;
}

static void fill(const pass *p, run *r)
{
    for (int i = 0; i < 4; i++) {
        float *x = run_data(r, p->in[i]);
        rng noise = rng_stream(1, "attention", (uint32_t)i);
        for (int64_t k = 0; k < shape_count(p->in[i]->shape); k++)
            x[k] = (float)rng_normal(noise, 0, (uint32_t)k);
    }
}

static double passes_a_second(run *r, double seconds)
{
    double rates[BENCH_SLICES];
    for (int i = 0; i < WARM_UP; i++)
        run_step(r, 0, 0, true);
    for (int i = 0; i < BENCH_SLICES; i++) {
        double began = hw_seconds(), took;
        int n = 0;
        do
            run_step(r, 0, 0, true), n++, took = hw_seconds() - began;
        while (took < seconds / BENCH_SLICES);
        rates[i] = n / took;
    }
    return bench_median(rates, BENCH_SLICES);
}

static void report(cmd *c, int64_t batch, int64_t length, const plan *pl, double rate)
{
    double gflops = 7.0 * (double)(batch * HEADS * length) * (double)(length * HEAD) * rate * 1e-9;
    json *j = json_object();
    json_set_str(j, "op", "attention");
    json_set_int(j, "batch", batch);
    json_set_int(j, "length", length);
    json_set_int(j, "threads", threads_count(c->env.pool));
    json_set_num(j, "passes_per_s", rate);
    json_set_num(j, "gflops", gflops);
    json_set_int(j, "plan_bytes", (int64_t)plan_bytes(pl));
    json_set_int(j, "peak_rss_mb", (int64_t)(hw_peak_rss() >> 20));
    cmd_json(c, j);
    cmd_print(c,
              "attention forward and backward, batch %lld, length %lld, %d threads: %.4g a second, "
              "%.4g GFLOP/s",
              (long long)batch, (long long)length, threads_count(c->env.pool), rate, gflops);
}

bool bench_attention(cmd *c, err *e)
{
    int64_t batch = option_int(c, "batch", 8), length = option_int(c, "length", 512);
    if (batch < 1 || length < 1 || batch > ELEMENTS_MOST ||
        length > ELEMENTS_MOST / batch / (HEADS * HEAD))
        return err_set(e, ERR_USAGE, "--batch and --length are 1 or more, and together at most %d",
                       ELEMENTS_MOST / (HEADS * HEAD));
    if (!cmd_threads(c, 0, e))
        return false;
    pass p = build(batch, length, c->arena);
    plan_options o = {
        .kit = c->env.kit, .threads = threads_count(c->env.pool), .outputs = p.d, .n_outputs = 3};
    plan *pl = graph_ok(p.g, e) ? plan_make(p.g, &o, c->arena, e) : NULL;
    run *r = pl ? run_open(pl, NULL, c->env.pool, c->arena, e) : NULL;
    if (r) {
        fill(&p, r);
        report(c, batch, length, pl, passes_a_second(r, option_num(c, "seconds", 5)));
    }
    run_close(r);
    return r != NULL;
}
