// SPDX-License-Identifier: GPL-3.0-or-later
// optim.c: optimisers, clip and moving average against PyTorch (tests/golden/optim.py), and the
// same bits for any number of threads.
#include "autograd/optim.h"

#include <math.h>
#include <string.h>

#include "tests/autograd/eval.h"
#include "tests/test.h"

// Two parameters share the golden's elements; a frozen one stands between them, so that the layouts
// of weights and gradients differ.
static params *three_params(arena *a, int64_t first, int64_t second)
{
    err e = {0};
    params *p = params_open(a);
    params_declare(p, "a", shape_of(1, first), (init){INIT_ZERO, 0}, &e);
    int frozen = params_declare(p, "frozen", shape_of(1, 100), (init){INIT_ONE, 0}, &e);
    params_declare(p, "b", shape_of(1, second), (init){INIT_ZERO, 0}, &e);
    p->list[frozen].trainable = false;
    EXPECT_OK(params_allocate(p, 2, &e), e);
    params_init(p, 0);
    return p;
}

static int64_t split(const params *p)
{
    return p->list[0].count;
}
static float *weight(params *p, int64_t i)
{
    return i < split(p) ? params_at(p, 0) + i : params_at(p, 2) + i - split(p);
}
static int64_t grad_at(const params *p, int64_t i)
{
    return i < split(p) ? p->list[0].goffset + i : p->list[2].goffset + i - split(p);
}

static optim_hyper hyper_of(const json *attrs)
{
    return (optim_hyper){.lr = (float)json_num(json_get(attrs, "lr"), 0),
                         .beta1 = (float)json_num(json_get(attrs, "beta1"), 0),
                         .beta2 = (float)json_num(json_get(attrs, "beta2"), 0),
                         .eps = (float)json_num(json_get(attrs, "eps"), 0),
                         .weight_decay = (float)json_num(json_get(attrs, "weight_decay"), 0),
                         .momentum = (float)json_num(json_get(attrs, "momentum"), 0),
                         .row_beta = (float)json_num(json_get(attrs, "row_beta"), 0),
                         .nesterov = json_bool(json_get(attrs, "nesterov"), false),
                         .grad_scale = 1};
}

static void check_values(const params *p, const float *flat, bool by_grad, const json *want)
{
    for (int64_t i = 0; i < (int64_t)json_len(want); i++) {
        float got = by_grad ? flat[grad_at(p, i)] : *weight((params *)(uintptr_t)p, i);
        EXPECT_NEAR(got, json_num(json_at(want, (size_t)i), NAN), 2e-6);
    }
}

static void check_case(const json *c, int64_t n)
{
    arena a = {.name = "optim"};
    params *p = three_params(&a, 17, n - 17);
    const optim_def *o = optim_find(json_str(json_get(c, "optimizer"), ""));
    optim_hyper h = hyper_of(json_get(c, "attrs"));
    double clip = json_num(json_get(c, "clip"), 0), ema = json_num(json_get(c, "ema"), 0);
    const json *steps = json_get(c, "steps");
    float *shadow = NEW(&a, float, (size_t)p->grads_len);
    for (int64_t i = 0; i < n; i++)
        *weight(p, i) = shadow[grad_at(p, i)] = test_fill(1, (uint32_t)i, 1);
    size_t shown = 0;
    for (uint64_t k = 1; k <= 20; k++) {
        for (int64_t i = 0; i < n; i++)
            p->grads[grad_at(p, i)] = test_fill(100 + (uint32_t)k, (uint32_t)i, 2);
        double norm = optim_grad_norm(p, eval_kit(), NULL, 1);
        if (clip > 0)
            EXPECT_NEAR(norm, json_num(json_at(json_get(c, "norms"), k - 1), NAN), 1e-5);
        h.step = k;
        h.grad_scale = optim_clip_factor(norm, clip);
        optim_step(o, &h, p, NULL, eval_kit(), NULL, 1);
        optim_ema(shadow, (float)ema, p, eval_kit(), NULL, 1);
        if ((uint64_t)json_int(json_at(steps, shown), 0) != k)
            continue;
        check_values(p, NULL, false, json_at(json_get(c, "values"), shown));
        if (ema > 0)
            check_values(p, shadow, true, json_at(json_get(c, "average"), shown));
        shown++;
    }
    EXPECT_INT(shown, 4);
    for (int i = 0; i < 100; i++)
        EXPECT(params_at(p, 1)[i] == 1);
    params_release(p);
    arena_free(&a);
}

TEST(optim_equals_pytorch)
{
    json *golden = test_golden("optim");
    const json *cases = json_get(golden, "cases");
    EXPECT(json_len(cases) > 0);
    for (size_t i = 0; i < json_len(cases); i++)
        check_case(json_at(cases, i), json_int(json_get(golden, "elements"), 0));
    json_free(golden);
}

// A matrix beside a vector and a table of the same shape, which muon leaves to AdamW.
static params *with_matrix(arena *a, int64_t rows, int64_t cols)
{
    err e = {0};
    params *p = params_open(a);
    params_declare(p, "bias", shape_of(1, 3), (init){INIT_ZERO, 0}, &e);
    params_declare(p, "matrix", shape_of(2, rows, cols), (init){INIT_ZERO, 0}, &e);
    p->list[params_declare(p, "table", shape_of(2, rows, cols), (init){INIT_ZERO, 0}, &e)].table =
        true;
    EXPECT_OK(params_allocate(p, 2, &e), e);
    return p;
}

static void fill_gradients(params *p, int64_t n, uint32_t k)
{
    for (int i = 1; i < 3; i++)
        for (int64_t j = 0; j < n; j++)
            p->grads[p->list[i].goffset + j] = test_fill(100 + k, (uint32_t)j, 2);
}

static void check_matrix(const json *c)
{
    arena a = {.name = "muon"};
    int64_t rows = json_int(json_get(c, "rows"), 0), cols = json_int(json_get(c, "cols"), 0),
            n = rows * cols;
    params *p = with_matrix(&a, rows, cols), *plain = with_matrix(&a, rows, cols);
    const optim_def *o = optim_find("muon");
    optim_hyper h = hyper_of(json_get(c, "attrs"));
    h.beta1 = 0.9f, h.beta2 = 0.999f, h.eps = 1e-8f;
    float *work = NEW(&a, float, (size_t)optim_work(o, p, 1));
    size_t shown = 0;
    for (int64_t j = 0; j < n; j++)
        params_at(p, 1)[j] = params_at(p, 2)[j] = params_at(plain, 2)[j] =
            test_fill(1, (uint32_t)j, 1);
    for (h.step = 1; h.step <= 20; h.step++) {
        fill_gradients(p, n, (uint32_t)h.step), fill_gradients(plain, n, (uint32_t)h.step);
        optim_step(o, &h, p, work, eval_kit(), NULL, 1);
        optim_step(optim_find("adamw"), &h, plain, NULL, eval_kit(), NULL, 1);
        if ((uint64_t)json_int(json_at(json_get(c, "steps"), shown), 0) != h.step)
            continue;
        for (int64_t j = 0; j < n; j++)
            EXPECT_NEAR(params_at(p, 1)[j],
                        json_num(json_at(json_at(json_get(c, "values"), shown), (size_t)j), NAN),
                        2e-5);
        shown++;
    }
    EXPECT_INT(shown, 4);
    EXPECT(!memcmp(params_at(p, 2), params_at(plain, 2), sizeof(float) * (size_t)n));
    params_release(p), params_release(plain), arena_free(&a);
}

TEST(optim_muon_equals_pytorch)
{
    json *golden = test_golden("optim");
    const json *cases = json_get(golden, "matrices");
    EXPECT(json_len(cases) == 7);
    for (size_t i = 0; i < json_len(cases); i++)
        check_matrix(json_at(cases, i));
    json_free(golden);
}

enum { SHORT = 24, LONG = 96 };

// Singular values that fall like 1 / k^2: momentum of a layer that has learnt most of what it will.
static void fill_uneven(double *x)
{
    for (int k = 0; k < SHORT; k++)
        for (int i = 0; i < SHORT; i++)
            for (int j = 0; j < LONG; j++)
                x[i * LONG + j] += test_fill(1, (uint32_t)(k * SHORT + i), 1) *
                                   test_fill(2, (uint32_t)(k * LONG + j), 1) / ((k + 1) * (k + 1));
}

// y = x z, [m, k] and [k, n]; z is read transposed where tz.
static void multiply(const double *x, const double *z, bool tz, double *y, int m, int n, int k)
{
    for (int i = 0; i < m * n; i++) {
        y[i] = 0;
        for (int c = 0; c < k; c++)
            y[i] += x[i / n * k + c] * (tz ? z[i % n * k + c] : z[c * n + i % n]);
    }
}

static void orthogonal_reference(double *x)
{
    double norm = 0, r[SHORT * SHORT], p[SHORT * SHORT], y[SHORT * LONG];
    for (int i = 0; i < SHORT * LONG; i++)
        norm += x[i] * x[i];
    for (int i = 0; i < SHORT * LONG; i++)
        x[i] /= sqrt(norm);
    for (int step = 0; step < 5; step++) {
        multiply(x, x, true, r, SHORT, SHORT, LONG);
        multiply(r, r, false, p, SHORT, SHORT, SHORT);
        for (int i = 0; i < SHORT * SHORT; i++)
            p[i] = (i % (SHORT + 1) ? 0 : 3.4445) - 4.7750 * r[i] + 2.0315 * p[i];
        multiply(p, x, false, y, SHORT, LONG, SHORT);
        memcpy(x, y, sizeof y);
    }
}

// The update of a gradient, over its size, against the iteration on the whole matrix in f64.
static void check_uneven(bool wide)
{
    arena a = {.name = "muon"};
    double *u = NEW(&a, double, SHORT *LONG), off = 0, norm = 0;
    params *p = with_matrix(&a, wide ? SHORT : LONG, wide ? LONG : SHORT);
    const optim_def *o = optim_find("muon");
    optim_hyper h = o->defaults;
    h.lr = 1, h.momentum = 0, h.weight_decay = 0;
    fill_uneven(u);
    for (int i = 0; i < SHORT; i++)
        for (int j = 0; j < LONG; j++)
            p->grads[p->list[1].goffset + (wide ? i * LONG + j : j * SHORT + i)] =
                (float)u[i * LONG + j];
    optim_step(o, &h, p, NEW(&a, float, (size_t)optim_work(o, p, 1)), eval_kit(), NULL, 1);
    orthogonal_reference(u);
    for (int i = 0; i < SHORT; i++)
        for (int j = 0; j < LONG; j++) {
            double got = -(double)params_at(p, 1)[wide ? i * LONG + j : j * SHORT + i] /
                         (0.2 * sqrt(LONG)),
                   want = u[i * LONG + j];
            off += (got - want) * (got - want), norm += want * want;
        }
    EXPECT_BELOW(sqrt(off / norm), 1e-3);
    params_release(p), arena_free(&a);
}

TEST(optim_muon_by_the_small_square_is_close_where_singular_values_are_uneven)
{
    check_uneven(true);
    check_uneven(false);
}

TEST(optim_table)
{
    for (int i = 0; optim_at(i); i++) {
        EXPECT(optim_find(optim_at(i)->name) == optim_at(i));
        EXPECT(optim_at(i)->moments <= PARAMS_MOMENTS && optim_at(i)->summary &&
               optim_at(i)->defaults.lr > 0);
    }
    EXPECT(optim_find("adamw") && optim_find("adam") && optim_find("sgd") && optim_find("muon"));
    EXPECT(optim_find("lion") == NULL);
}

// Three parameters, the middle one frozen, large enough for several threads.
static params *gapped(arena *a)
{
    static const char *const names[] = {"first", "frozen", "last"};
    err e = {0};
    params *p = params_open(a);
    for (int i = 0; i < 3; i++)
        EXPECT_INT(
            params_declare(p, names[i], shape_of(2, 211 + i, 301), (init){INIT_UNIFORM, 1}, &e), i);
    p->list[1].trainable = false;
    EXPECT_OK(params_allocate(p, 2, &e), e);
    params_init(p, 3);
    for (int i = 0; i < p->n; i++)
        for (int64_t k = 0; p->list[i].trainable && k < p->list[i].count; k++)
            p->grads[p->list[i].goffset + k] = test_fill((uint32_t)i, (uint32_t)k, 1);
    return p;
}

static void step_many(params *p, const optim_def *o, float *shadow, threads *pool, int count)
{
    arena a = {.name = "work"};
    float *work = NEW(&a, float, (size_t)optim_work(o, p, count) + 1);
    optim_hyper h = o->defaults;
    h.momentum = 0.9f, h.weight_decay = 0.1f, h.lr = 0.01f, h.row_beta = 0.95f;
    for (h.step = 1; h.step <= 3; h.step++) {
        optim_step(o, &h, p, work, eval_kit(), pool, count);
        optim_ema(shadow, 0.9f, p, eval_kit(), pool, count);
    }
    arena_free(&a);
}

TEST(optim_same_bits_for_any_thread_count)
{
    err e = {0};
    threads *pool = threads_open(3, &e);
    EXPECT_OK(pool != NULL, e);
    for (int i = 0; pool && optim_at(i); i++) {
        arena a = {.name = "optim"};
        params *one = gapped(&a), *many = gapped(&a);
        float *s1 = NEW(&a, float, (size_t)one->grads_len),
              *s3 = NEW(&a, float, (size_t)one->grads_len);
        step_many(one, optim_at(i), s1, pool, 1);
        step_many(many, optim_at(i), s3, pool, 3);
        EXPECT(!memcmp(one->weights, many->weights, sizeof(float) * (size_t)one->weights_len));
        EXPECT(!memcmp(s1, s3, sizeof(float) * (size_t)one->grads_len));
        EXPECT(optim_grad_norm(one, eval_kit(), pool, 1) ==
               optim_grad_norm(one, eval_kit(), pool, 3));
        EXPECT(optim_weight_norm(one, eval_kit(), pool, 1) ==
               optim_weight_norm(one, eval_kit(), pool, 3));
        double squares = 0;
        for (int k = 0; k < one->n; k++)
            for (int64_t j = 0; one->list[k].trainable && j < one->list[k].count; j++)
                squares += (double)params_at(one, k)[j] * (double)params_at(one, k)[j];
        EXPECT_NEAR(optim_weight_norm(one, eval_kit(), pool, 2), sqrt(squares),
                    1e-6 * sqrt(squares));
        params_release(one), params_release(many), arena_free(&a);
    }
    threads_close(pool);
}

TEST(optim_leaves_frozen_parameters_and_padding)
{
    for (int i = 0; optim_at(i); i++) {
        arena a = {.name = "optim"};
        params *p = gapped(&a), *before = gapped(&a);
        float *shadow = NEW(&a, float, (size_t)p->grads_len);
        step_many(p, optim_at(i), shadow, NULL, 1);
        for (int k = 0; k < p->n; k++) {
            const param *q = &p->list[k];
            bool same =
                !memcmp(params_at(p, k), params_at(before, k), sizeof(float) * (size_t)q->count);
            EXPECT_INT(same, !q->trainable);
            int64_t end = k + 1 < p->n ? p->list[k + 1].offset : p->weights_len;
            for (int64_t at = q->offset + q->count; at < end; at++)
                EXPECT(p->weights[at] == 0);
        }
        // (1 - 0.9^3) of weights that moved little
        EXPECT_NEAR(shadow[p->list[2].goffset + 5], 0.271 * (double)params_at(p, 2)[5], 0.03);
        params_release(p), params_release(before), arena_free(&a);
    }
}

TEST(optim_norm_and_clip)
{
    arena a = {.name = "optim"};
    params *p = three_params(&a, 20, 80);
    p->grads[3] = 3, p->grads[99] = 4;
    EXPECT_NEAR(optim_grad_norm(p, eval_kit(), NULL, 1), 5, 1e-12);
    p->grads[3] = 3e30f;
    EXPECT_NEAR(optim_grad_norm(p, eval_kit(), NULL, 1) / 3e30, 1, 1e-6);
    p->grads[7] = NAN;
    EXPECT(!isfinite(optim_grad_norm(p, eval_kit(), NULL, 1)));
    p->grads[7] = -INFINITY;
    EXPECT(!isfinite(optim_grad_norm(p, eval_kit(), NULL, 1)));
    EXPECT_NEAR((double)optim_clip_factor(4, 1), 0.25, 1e-6);
    EXPECT_NEAR((double)optim_clip_factor(0.5, 1), 1, 0);
    EXPECT_NEAR((double)optim_clip_factor(0, 1), 1, 0);
    params_release(p);
    arena_free(&a);
}
