// SPDX-License-Identifier: GPL-3.0-or-later
// threads.c: loss and gradients of every model have the same bits on one, two and three threads.
#include <string.h>

#include "autograd/run.h"
#include "tests/models/small_model.h"
#include "tests/test.h"

enum { BATCH = 130, TIME = 9, CLASSES = 4 }; // large enough that the planner shares work out

static void fill_input(const network *n, tensor *t, void *to)
{
    const model_def *m = n->model;
    for (int64_t k = 0; k < shape_count(t->shape); k++) {
        float u = test_fill((uint32_t)t->id, (uint32_t)k, 1);
        if (t->type == DT_I32)
            ((int32_t *)to)[k] = (int32_t)((u + 1) / 2 * (t == n->target && m->probe ? CLASSES : 32));
        else
            ((float *)to)[k] = t == n->weight ? 1 + u : t == n->scale ? 1.0f / BATCH : u;
    }
}

// One step on `count` threads; the gradients are left in `p`.
static float step(const model_def *m, params *p, threads *pool, int count)
{
    arena a = {.name = "threads"};
    err e = {0};
    float loss = 0;
    network *n = model_build(m, p, &(model_dims){.batch = BATCH, .time = TIME, .classes = CLASSES, .training = true}, &a, &e);
    if (!test_expect(n != NULL, __FILE__, __LINE__, "%s: %s", m->name, e.text))
        return 0;
    if (!p->weights) {
        EXPECT_OK(params_allocate(p, 0, &e), e);
        params_init(p, 5);
    }
    plan_options o = {.threads = count, .outputs = &n->loss, .n_outputs = 1, .params = p, .grads = n->grads};
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

TEST(models_do_not_depend_on_threads)
{
    err e = {0};
    threads *pool = threads_open(3, &e);
    EXPECT_OK(pool != NULL, e);
    for (int i = 0; pool && model_at(i); i++) {
        arena a = {.name = "threads"};
        params *p = params_open(&a);
        const model_def *m = small_model(i, &a);
        float loss = step(m, p, pool, 1);
        float *one = NEW(&a, float, (size_t)p->grads_len);
        memcpy(one, p->grads, sizeof *one * (size_t)p->grads_len);
        EXPECT(loss > 0);
        for (int count = 2; count <= 3; count++) {
            bool same = step(m, p, pool, count) == loss && !memcmp(one, p->grads, sizeof *one * (size_t)p->grads_len);
            test_expect(same, __FILE__, __LINE__, "%s has other bits on %d threads", m->name, count);
        }
        params_release(p);
        arena_free(&a);
    }
    threads_close(pool);
}
