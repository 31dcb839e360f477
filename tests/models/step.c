// SPDX-License-Identifier: GPL-3.0-or-later
// step.c: a training step of a model on made-up numbers.
#include "tests/models/step.h"

#include <string.h>

#include "autograd/passes/fuse.h"
#include "autograd/run.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

static void fill_input(const network *n, tensor *t, void *to)
{
    const model_def *m = n->model;
    for (int64_t k = 0; k < shape_count(t->shape); k++) {
        float u = test_fill((uint32_t)t->id, (uint32_t)k, 1);
        if (t->type == DT_I32)
            ((int32_t *)to)[k] =
                (int32_t)((u + 1) / 2 *
                          (t == n->target && (m->probe || m->n_groups) ? STEP_CLASSES : 32));
        else
            ((float *)to)[k] = t == n->weight ? 1 + u : t == n->scale ? 1.0f / STEP_BATCH : u;
    }
}

float step_model(const model_def *m, params *p, threads *pool, int count, precision how)
{
    arena a = {.name = "threads"};
    err e = {0};
    float loss = 0;
    network *n = model_build(
        m, p,
        &(model_dims){
            .batch = STEP_BATCH, .time = STEP_TIME, .classes = STEP_CLASSES, .training = true},
        &a, &e);
    if (!test_expect(n != NULL, __FILE__, __LINE__, "%s: %s", m->name, e.text))
        return 0;
    if (!p->weights) {
        EXPECT_OK(params_allocate(p, 0, &e), e);
        params_init(p, 5);
    }
    (void)precision_products(n->g, how, eval_kit(), NULL);
    if (how == PRECISION_BF16)
        precision_store(n->g);
    tensor **held = NEW(&a, tensor *, (size_t)p->n + 1);
    memcpy(held, n->grads, sizeof *held * (size_t)p->n);
    held[p->n] = n->loss;
    fuse_casts(n->g, held, p->n + 1);
    plan_options o = {
        .threads = count, .outputs = &n->loss, .n_outputs = 1, .params = p, .grads = n->grads};
    plan *pl = plan_make(n->g, &o, &a, &e);
    run *r = pl ? run_open(pl, p, pool, &a, &e) : NULL;
    if (test_expect(r != NULL, __FILE__, __LINE__, "%s: %s", m->name, e.text)) {
        for (int i = 0; i < graph_tensors(n->g); i++)
            if (graph_tensor(n->g, i)->kind == TENSOR_INPUT)
                fill_input(n, graph_tensor(n->g, i), run_data(r, graph_tensor(n->g, i)));
        run_step(r, 1, 1, true);
        loss = *(const float *)run_data(r, n->loss);
    }
    run_close(r);
    arena_free(&a);
    return loss;
}
