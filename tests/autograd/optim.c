// SPDX-License-Identifier: GPL-3.0-or-later
// optim.c: optimisers, clip and moving average against PyTorch (tests/golden/optim.py), and the same bits for any number of threads.
#include "autograd/optim.h"

#include <math.h>
#include <string.h>

#include "tests/test.h"

// Two parameters share the golden's elements; a frozen one stands between them, so that the layouts of weights and gradients differ.
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
        double norm = optim_grad_norm(p, NULL, 1);
        if (clip > 0)
            EXPECT_NEAR(norm, json_num(json_at(json_get(c, "norms"), k - 1), NAN), 1e-5);
        h.step = k;
        h.grad_scale = optim_clip_factor(norm, clip);
        optim_step(o, &h, p, NULL, 1);
        optim_ema(shadow, (float)ema, p, NULL, 1);
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

TEST(optim_threads_do_not_change_a_bit)
{
    arena a = {.name = "optim"};
    err e = {0};
    threads *pool = threads_open(2, &e);
    params *p[2];
    double norm[2];
    for (int k = 0; k < 2; k++) {
        p[k] = three_params(&a, 70001, 123457);
        for (int64_t i = 0; i < p[k]->grads_len; i++)
            p[k]->grads[i] = test_fill(9, (uint32_t)i, 1);
        norm[k] = optim_grad_norm(p[k], pool, k + 1);
        optim_hyper h = optim_find("adamw")->defaults;
        h.step = 1;
        optim_step(optim_find("adamw"), &h, p[k], pool, k + 1);
    }
    EXPECT(norm[0] == norm[1]);
    EXPECT(memcmp(p[0]->weights, p[1]->weights, sizeof(float) * (size_t)p[0]->weights_len) == 0);
    params_release(p[0]), params_release(p[1]);
    threads_close(pool);
    arena_free(&a);
}

TEST(optim_norm_tells_what_is_not_finite)
{
    arena a = {.name = "optim"};
    params *p = three_params(&a, 20, 20);
    p->grads[p->list[2].goffset + 3] = NAN;
    EXPECT(isnan(optim_grad_norm(p, NULL, 1)));
    p->grads[p->list[2].goffset + 3] = INFINITY;
    EXPECT(isinf(optim_grad_norm(p, NULL, 1)));
    params_release(p);
    arena_free(&a);
}
