// SPDX-License-Identifier: GPL-3.0-or-later
// case.c: one run of our own, for others to compare with (case.h).
#include "tests/export/case.h"

#include "autograd/run.h"
#include "export/safetensors.h"
#include "tests/export/filled.h"
#include "tests/test.h"

// The source of one named array for the peer: integers travel as f32.
static weights_source as_source(arena *a, const char *name, const tensor *t, const void *data)
{
    int64_t n = shape_count(t->shape);
    float *copy = NEW(a, float, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        copy[i] = t->type == DT_I32 ? (float)((const int32_t *)data)[i] : ((const float *)data)[i];
    weights_source s = {.name = name, .rank = t->shape.rank, .data = copy};
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = t->shape.d[i];
    return s;
}

static void fill_input(const port *q, const tensor *t, uint32_t seed, void *data)
{
    int64_t n = shape_count(t->shape);
    for (int64_t i = 0; i < n; i++) {
        float u = test_fill(seed, (uint32_t)i, 1);
        if (t->type == DT_I32)
            ((int32_t *)data)[i] =
                q->low + (int32_t)((u + 1) / 2 * (float)(q->below - q->low) * 0.999f);
        else
            ((float *)data)[i] = u;
    }
}

void case_write(const model_def *m, params *p, int64_t batch, int64_t time, const char *path)
{
    arena a = {0};
    err e = {0};
    network *n = model_build(
        m, p, &(model_dims){.batch = batch, .time = time, .classes = m->probe ? FILLED_CLASSES : 0},
        &a, &e);
    tensor *outs[2] = {n ? n->out : NULL};
    int n_outs = 1, n_list = 0;
    if (n && m->probe)
        outs[n_outs++] = op_softmax(n->g, n->logits);
    plan *pl = n ? plan_make(n->g,
                             &(plan_options){
                                 .threads = 1, .outputs = outs, .n_outputs = n_outs, .params = p},
                             &a, &e)
                 : NULL;
    run *r = pl ? run_open(pl, p, NULL, &a, &e) : NULL;
    if (!test_expect(r != NULL, __FILE__, __LINE__, "%s: %s", m->name, e.text))
        return;
    weights_source list[MODEL_PORTS + 2];
    for (int i = 0; i < m->n_inputs; i++) {
        fill_input(&m->inputs[i], n->in[i], 1001 + (uint32_t)i, run_input(r, m->inputs[i].name));
        list[n_list++] =
            as_source(&a, m->inputs[i].name, n->in[i], run_input(r, m->inputs[i].name));
    }
    run_step(r, 1, 1, false);
    list[n_list++] = as_source(&a, m->output.name, n->out, run_data(r, n->out));
    if (n_outs > 1)
        list[n_list++] = as_source(&a, "probabilities", outs[1], run_data(r, outs[1]));
    EXPECT_OK(safetensors_write(path, list, n_list, NULL, &e), e);
    run_close(r);
    arena_free(&a);
}
