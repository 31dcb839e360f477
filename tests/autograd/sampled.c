// SPDX-License-Identifier: GPL-3.0-or-later
// sampled.c: a sample's graph, and its numbers (sampled.h).
#include "tests/autograd/sampled.h"

#include <math.h>
#include <stdio.h>

#include "tests/test.h"

static dtype type_of(const sampled *s, int i)
{
    return s->sample->in[i].type == DT_F32 ? s->type : s->sample->in[i].type;
}

static void build_gradient(sampled *s)
{
    s->d = graph_input(s->g, "d", DT_F32, s->y->shape);
    for (int i = 0; i < s->sample->n; i++)
        if (type_of(s, i) == DT_F32 && !s->sample->in[i].no_gradient) {
            s->wrt_index[s->n_wrt] = i;
            s->wrt[s->n_wrt++] = s->x[i];
        }
    graph_gradient_from(s->g, s->y, s->d, s->wrt, s->n_wrt, s->grad);
}

bool sampled_build(sampled *s, const op_def *op, const op_sample *sample, dtype type)
{
    tensor *copy[OP_IN_MAX];
    err e = {0};
    *s = (sampled){.op = op, .sample = sample, .type = type, .arena = {.name = "sample"}};
    s->g = graph_open(&s->arena);
    for (int i = 0; i < sample->n; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        s->x[i] = copy[i] = graph_input(s->g, name, type_of(s, i), sample->in[i].shape);
        if (type_of(s, i) == DT_F32)
            copy[i] = op_scale(s->g, s->x[i], 1.0f);
    }
    s->y = sample->build(s->g, copy);
    s->forward_nodes = graph_nodes(s->g);
    if (op->gradient && type == DT_F32 && graph_ok(s->g, &e))
        build_gradient(s);
    return test_expect(graph_ok(s->g, &e), __FILE__, __LINE__, "%s, %s: %s", op->name, sample->what,
                       e.text);
}

void sampled_fill(const sampled *s, eval *ev)
{
    for (int i = 0; i < s->sample->n; i++)
        eval_fill(ev->data[s->x[i]->id], &s->sample->in[i], type_of(s, i), i);
    if (s->d)
        for (int64_t k = 0; k < shape_count(s->d->shape); k++)
            ((float *)ev->data[s->d->id])[k] = test_fill(99, (uint32_t)k, 1.0f);
}

eval *sampled_eval(sampled *s, eval_how how)
{
    eval *ev = eval_open(s->g, &s->arena);
    sampled_fill(s, ev);
    eval_run(ev, &how);
    return ev;
}

void sampled_all(sampled_fn *check)
{
    err e = {0};
    threads *pool = threads_open(3, &e);
    EXPECT_OK(pool != NULL, e);
    for (int i = 0; pool && i < OP_COUNT; i++) {
        const op_def *op = op_get((op_id)i);
        for (int k = 0; k < op->n_samples; k++)
            for (int t = 0; t < DT_COUNT; t++) {
                sampled s;
                if ((op->types >> t & 1) && sampled_build(&s, op, &op->samples[k], (dtype)t))
                    check(&s, pool);
                if (op->types >> t & 1)
                    arena_free(&s.arena);
            }
    }
    threads_close(pool);
}

double sampled_distance(const float *a, const float *b, int64_t n)
{
    double most = 0, top = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return INFINITY;
        most = d > most ? d : most;
        top = fabs((double)b[i]) > top ? fabs((double)b[i]) : top;
    }
    return most / top;
}
