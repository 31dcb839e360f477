// SPDX-License-Identifier: GPL-3.0-or-later
// adapter_net.c: a model with the base weights of tests/golden/lora.py (adapter_net.h).
#include "tests/lora/adapter_net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "lora/adapter.h"
#include "tests/test.h"

static void fill(float *out, uint32_t seed, int64_t n, float scale)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = test_fill(seed, (uint32_t)i, scale);
}

static void fill_from(float *out, uint32_t seed, int64_t n, bool one)
{
    fill(out, seed, n, 0.25f);
    for (int64_t i = 0; one && i < n; i++)
        out[i] = 1 + out[i];
}

// The numbers that each output of a parameter's layer adds up; of an LSTM its hidden ones.
static int64_t fan_of(const params *p, const param *q)
{
    char weight[200];
    const char *dot = strrchr(q->name, '.');
    if (str_starts(q->name, "lstm"))
        return p->list[params_find(p, "lstm.weight_hh_l0")].shape.d[1];
    snprintf(weight, sizeof weight, "%.*s.weight", (int)(dot - q->name), q->name);
    q = &p->list[params_find(p, weight)];
    return q->count / q->shape.d[0];
}

// The base of tests/golden/lora.py: parameter k of the model is fill(100 + k), by 1 / sqrt(inputs).
static void fill_base(params *p)
{
    uint32_t k = 100, buffers = 300;
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        if (q->buffer && q->shape.rank)
            fill_from(params_at(p, i), buffers++, q->count, str_ends(q->name, "running_var"));
        else if (q->counted && strstr(q->name, ".norm."))
            fill_from(params_at(p, i), k++, q->count, str_ends(q->name, ".weight"));
        else if (q->counted)
            fill(params_at(p, i), k++, q->count, (float)(1 / sqrt((double)fan_of(p, q))));
    }
}

bool net_open(net *f, const char *model, const adapters *l)
{
    return net_open_of(f, model_find(model), l, false);
}

bool net_open_of(net *f, const model_def *m, const adapters *l, bool training)
{
    err e = {0};
    *f = (net){.a = {.name = "net"}};
    f->p = params_open(&f->a);
    model_dims d = {.batch = 3, .time = 5, .adapters = l, .training = training};
    f->n = model_build(m, f->p, &d, &f->a, &e);
    if (!test_expect(f->n != NULL, __FILE__, __LINE__, "%s", e.text))
        return false;
    graph *g = f->n->g;
    f->grads = NEW(&f->a, tensor *, (size_t)f->p->n + 1);
    int axes = f->n->out->shape.rank;
    for (int i = 0, end = graph_tensors(g); l && i < end; i++) {
        tensor *t = graph_tensor(g, i);
        if (t->kind == TENSOR_PARAM && f->p->list[t->param].adapter)
            graph_gradient(g, op_sum(g, f->n->out, (1u << axes) - 1, false), &t, 1,
                           &f->grads[t->param]);
    }
    plan_options o = {
        .threads = 1, .outputs = &f->n->out, .n_outputs = 1, .params = f->p, .grads = f->grads};
    params_layout(f->p);
    plan *pl = plan_make(g, &o, &f->a, &e);
    if (!test_expect(pl && params_allocate(f->p, 0, &e) &&
                         (f->r = run_open(pl, f->p, NULL, &f->a, &e)),
                     __FILE__, __LINE__, "%s", e.text))
        return false;
    fill_base(f->p);
    for (int i = 0; i < f->n->model->n_inputs; i++) {
        int64_t n = shape_count(f->n->in[i]->shape);
        if (f->n->in[i]->type == DT_F32)
            fill(run_data(f->r, f->n->in[i]), 1001 + (uint32_t)i, n, 1);
        else
            for (int64_t k = 0; k < n; k++)
                ((int32_t *)run_data(f->r, f->n->in[i]))[k] =
                    k % 5 ? (int32_t)floor(test_fill_u32(1001 + (uint32_t)i, (uint32_t)k) /
                                           4294967296.0 * 128)
                          : -1;
    }
    return true;
}

void net_close(net *f)
{
    run_close(f->r);
    params_release(f->p);
    arena_free(&f->a);
}
