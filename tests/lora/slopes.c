// SPDX-License-Identifier: GPL-3.0-or-later
// slopes.c (tests): gradients of adapters are finite differences, and a network with adapters
// begins as its base.
#include <math.h>
#include <string.h>

#include "lora/adapter.h"
#include "tests/lora/train_net.h"

static double loss_at(train_net *f)
{
    run_step(f->r, 1, 2, true);
    return (double)*(const float *)run_data(f->r, f->n->loss);
}

// Along a random direction of one parameter, dropout's masks being those of the same step.
static void check_slope(train_net *f, int k)
{
    const param *q = &f->p->list[k];
    float *w = params_at(f->p, k), *keep = NEW(&f->a, float, (size_t)q->count), h = 1e-3f;
    double want = 0;
    loss_at(f);
    for (int64_t i = 0; i < q->count; i++) {
        keep[i] = w[i];
        want += (double)f->p->grads[q->goffset + i] * (double)test_fill(90, (uint32_t)i, 1);
    }
    double y[2];
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < q->count; i++)
            w[i] = keep[i] + (side ? -h : h) * test_fill(90, (uint32_t)i, 1);
        y[side] = loss_at(f);
    }
    memcpy(w, keep, sizeof *w * (size_t)q->count);
    test_expect(fabs((y[0] - y[1]) / (2 * (double)h) - want) < 1e-2 * fabs(want) + 1e-2, __FILE__,
                __LINE__, "%s: slope %g, gradient %g", q->name, (y[0] - y[1]) / (2 * (double)h),
                want);
}

TEST(lora_gradients_are_finite_differences)
{
    lora_config c = train_lora;
    const char *const all[] = {"fc1", "fc2", "fc3", "weight_ih_l0", "weight_hh_l0"};
    c.targets.names = (lora_names){all, 5}, c.dropout = 0.3, c.rslora = true;
    train_net f;
    train_net_open(&f, "melody_transformer", &c, true);
    train_net_fill(f.p);
    for (int k = 0; k < f.p->n; k++) // beyond the kinks of ReLU, where a difference is no slope
        for (int64_t i = 0; strstr(f.p->list[k].name, "fc") && strstr(f.p->list[k].name, ".bias") &&
                            i < f.p->list[k].count;
             i++)
            params_at(f.p, k)[i] = 3;
    int n = 0;
    for (int k = 0; k < f.p->n; k++)
        if (f.p->list[k].trainable)
            check_slope(&f, k), n++;
    EXPECT_INT(n, 10);
    train_net_close(&f);
}

// The norms are constants for the gradient, so that differences are those of the magnitudes alone;
// A and B have the gradients of PEFT (tests/lora/adapter.c).
TEST(lora_magnitudes_have_gradients_that_are_finite_differences)
{
    for (int dropped = 0; dropped < 2; dropped++) {
        lora_config c = train_lora;
        c.targets.names.n = 3, c.dora = true, c.dropout = dropped ? 0.3 : 0;
        train_net f;
        err e = {0};
        train_net_open(&f, "melody_transformer", &c, true);
        train_net_fill(f.p);
        EXPECT_OK(lora_begin(f.p, f.n->dims.adapters, &e), e);
        int n = 0;
        for (int k = 0; k < f.p->n; k++)
            if (strstr(f.p->list[k].name, "magnitude"))
                check_slope(&f, k), n++;
        EXPECT_INT(n, 3);
        train_net_close(&f);
    }
}

TEST(lora_begins_as_the_base)
{
    train_net base, adapted;
    train_net_open(&base, "melody_transformer", NULL, false),
        train_net_open(&adapted, "melody_transformer", &train_lora, false);
    run_step(base.r, 0, 0, false), run_step(adapted.r, 0, 0, false);
    size_t n = (size_t)shape_count(base.n->out->shape);
    const float *x = run_data(base.r, base.n->out), *y = run_data(adapted.r, adapted.n->out);
    for (size_t i = 0; i < n; i++)
        EXPECT(x[i] == y[i]);
    train_net_fill(adapted.p);
    run_step(adapted.r, 0, 0, false);
    EXPECT(test_distance(y, x, n) > 0.01);
    train_net_close(&adapted);
    lora_config c = train_lora;
    err e = {0};
    c.targets.names.n = 3, c.dora = true;
    train_net_open(&adapted, "melody_transformer", &c, false);
    EXPECT_OK(lora_begin(adapted.p, adapted.n->dims.adapters, &e), e);
    run_step(adapted.r, 0, 0, false);
    EXPECT_BELOW(test_distance(run_data(adapted.r, adapted.n->out), x, n), 1e-6);
    train_net_close(&base), train_net_close(&adapted);
}
