// SPDX-License-Identifier: GPL-3.0-or-later
// bench_generate.c: how long a token takes, of a model with random weights: a prompt of --context
// tokens is heard, then tokens are drawn by the loop of `kmidi generate` with its sampler, on a
// context that grows by them, in --count lanes at once. A step reads the weights once for all of
// them, so with it goes the rate at which memory gave them.
#include <string.h>

#include "autograd/op.h"
#include "base/hw.h"
#include "base/rng.h"
#include "cmd/bench.h"
#include "infer/generate.h"
#include "train/products.h"

enum { SLICE_TOKENS = 64, WARM_UP = 4, CONTEXT = 512, CONTEXT_MOST = 65536 };
enum { TOKENS = WARM_UP + BENCH_SLICES * SLICE_TOKENS };

typedef struct clock_of {
    double at[TOKENS];  // when each token of the first lane was there
    double cpu[TOKENS]; // and the processor's seconds up to it
    int n;
} clock_of;

static bool look(void *user, const int *tokens, int n)
{
    clock_of *k = user;
    (void)tokens, (void)n;
    k->cpu[k->n] = bench_cpu_seconds();
    k->at[k->n++] = hw_seconds();
    return false;
}

// What is measured.
typedef struct subject {
    const model_def *m;
    params *p;
    precision precision;
    int context, lanes;
    int64_t bytes; // of weights that a step reads; known behind draw
} subject;

static generator *open_generator(cmd *c, const subject *s, err *e)
{
    float *emotion = NEW(c->arena, float, (size_t)s->lanes * 64);
    for (int k = 0; k < s->lanes; k++)
        memcpy(emotion + k * 64, (const float[]){0.5f, -0.5f, 0.7f}, 3 * sizeof *emotion);
    generator_setup how = {.emotion = emotion,
                           .lanes = s->lanes,
                           .context = s->context + TOKENS,
                           .precision = s->precision,
                           .pool = c->env.pool,
                           .kit = c->env.kit};
    return generator_open(s->m, s->p, &how, c->arena, e);
}

// The k-th lane's, of its own seed.
static generate_job job_of(cmd *c, const subject *s, const generator *g, int k, clock_of *clock)
{
    arena *a = c->arena;
    sampler_options o = {.temperature = 0.85, .top_k = 40, .top_p = 0.92, .penalty = 1};
    o.seed = (uint64_t)k;
    int *prompt = NEW(a, int, (size_t)s->context + 1);
    rng r = rng_stream((uint64_t)k + 1, "prompt", 0);
    for (int i = 0; i < s->context; i++)
        prompt[i] = (int)rng_below(r, 0, (uint32_t)i, (uint32_t)g->count);
    return (generate_job){.by = sampler_open(&o, g->count, a),
                          .prompt = prompt,
                          .n_prompt = s->context,
                          .tokens = NEW(a, int, (size_t)s->context + TOKENS),
                          .n = TOKENS,
                          .done = k ? NULL : look,
                          .user = clock};
}

static bool draw(cmd *c, subject *s, clock_of *k, err *e)
{
    generate_job jobs[FEW_ROWS];
    generator *g = open_generator(c, s, e);
    for (int i = 0; g && i < s->lanes; i++)
        jobs[i] = job_of(c, s, g, i, k);
    bool ok = g && generate(g, jobs, s->lanes, &c->env, e);
    s->bytes = g ? generator_weight_bytes(g) : 0;
    generator_close(g);
    return ok;
}

// Each step's own time.
static bench_times times_of(const clock_of *k)
{
    double took[TOKENS];
    int n = 0;
    for (int i = WARM_UP; i < k->n; i++)
        took[n++] = k->at[i] - k->at[i - 1];
    return bench_times_of(took, n);
}

static double steps_a_second(const clock_of *k)
{
    double rates[BENCH_SLICES];
    for (int i = 0; i < BENCH_SLICES; i++) {
        const double *from = k->at + WARM_UP - 1 + i * SLICE_TOKENS;
        rates[i] = SLICE_TOKENS / (from[SLICE_TOKENS] - from[0]);
    }
    return bench_median(rates, BENCH_SLICES);
}

static void report(cmd *c, const subject *s, double rate, const clock_of *k)
{
    bench_times t = times_of(k);
    double gb = (double)s->bytes * rate * 1e-9;
    json *j = json_object();
    json_set_str(j, "model", s->m->name);
    json_set_str(j, "precision", precision_name(s->precision));
    json_set_int(j, "context", s->context);
    json_set_int(j, "threads", threads_count(c->env.pool));
    json_set_int(j, "count", s->lanes);
    json_set_num(j, "tokens_per_s", rate * s->lanes);
    json_set_num(j, "ms_per_token", 1000 / rate / s->lanes);
    bench_times_json(j, &t);
    json_set_num(j, "cpu_ms",
                 1e3 * (k->cpu[k->n - 1] - k->cpu[WARM_UP - 1]) / (k->n - WARM_UP) / s->lanes);
    json_set_int(j, "weight_bytes", s->bytes);
    json_set_num(j, "weight_gb_per_s", gb);
    json_set_int(j, "peak_rss_mb", (int64_t)(hw_peak_rss() >> 20));
    cmd_json(c, j);
    cmd_print(
        c,
        "%s in %s, %d behind %d tokens, %d threads: %.4g tokens/s, %.3g ms a token (p99 of a step "
        "%.3g), %.3g GB/s of weights",
        s->m->name, precision_name(s->precision), s->lanes, s->context, threads_count(c->env.pool),
        rate * s->lanes, 1000 / rate / s->lanes, t.p99, gb);
}

static bool take_subject(cmd *c, subject *s, err *e)
{
    int64_t context = option_int(c, "context", CONTEXT), count = option_int(c, "count", 1);
    if (!(s->m = model_named(c->args[0], e)))
        return false;
    if (!generator_makes(s->m))
        return err_set(e, ERR_USAGE, "--generate: %s makes no music; %s do", s->m->name,
                       generator_models(" and ", c->arena));
    if (context < 0 || context > CONTEXT_MOST)
        return err_set(e, ERR_USAGE, "--context takes a number from 0 to %d, not %lld",
                       CONTEXT_MOST, (long long)context);
    if (count < 1 || count > FEW_ROWS)
        return err_set(e, ERR_USAGE, "--count takes a number from 1 to %d, not %lld", FEW_ROWS,
                       (long long)count);
    if (!cmd_narrow(c, "precision", true, &s->precision, e))
        return false;
    s->context = (int)context, s->lanes = (int)count;
    s->m = model_configure(s->m, option_text(c, "sizes", NULL), c->arena, e);
    return s->m != NULL;
}

bool bench_generate(cmd *c, err *e)
{
    subject s = {0};
    clock_of k = {.n = 0};
    if (!take_subject(c, &s, e) || !cmd_threads(c, 0, e) || !products_open(&c->env, c->arena, e))
        return false;
    params *p = s.p = params_open(c->arena);
    bool ok = model_build(s.m, p, &(model_dims){.batch = 1, .time = 1}, c->arena, e) &&
              params_allocate(p, 0, e);
    if (ok)
        params_init(p, 1);
    ok = ok && draw(c, &s, &k, e);
    if (ok)
        report(c, &s, steps_a_second(&k), &k);
    params_release(p);
    return ok;
}
