// SPDX-License-Identifier: GPL-3.0-or-later
// eval.c: the simplest interpreter of a graph.
#include "tests/autograd/eval.h"

#include <math.h>
#include <string.h>

#include "base/bf16.h"
#include "tests/test.h"

eval *eval_open(const graph *g, arena *a)
{
    eval *ev = NEW(a, eval, 1);
    *ev = (eval){g, NEW(a, void *, (size_t)graph_tensors(g) + 1), graph_tensors(g)};
    for (int i = 0; i < ev->n; i++) {
        const tensor *t = graph_tensor(g, i);
        size_t bytes = (size_t)shape_count(t->shape) * dtype_size(t->type);
        ev->data[i] = arena_alloc(a, 1, bytes + 64);
        if (t->kind == TENSOR_CONST)
            memcpy(ev->data[i], t->data, bytes);
    }
    return ev;
}

const kit *eval_kit(void)
{
    static kit k;
    err e = {0};
    EXPECT_OK(kit_choose(&k, &e), e);
    return &k;
}

static const op_def *of_width(const op_def *op, variant width)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (op_get((op_id)i) == op)
            return op_get_variant((op_id)i, width);
    return NULL;
}

// Nobody may count on zeros: NaN in every format.
static void *dirty(arena *a, size_t bytes)
{
    return memset(arena_alloc(a, 1, bytes + 64), 0xff, bytes + 64);
}

static void run_node(eval *ev, const node *n, const eval_how *how)
{
    const op_def *op = of_width(n->op, how->width);
    kit by = *eval_kit();
    call c = {.n = n,
              .kit = &by,
              .attrs = n->attrs,
              .pool = how->pool,
              .threads = how->threads,
              .seed = EVAL_SEED,
              .step = EVAL_STEP};
    arena scratch = {.name = "workspace"};
    by.width = how->width;
    c.training = !how->idle;
    for (int k = 0; k < n->n_in; k++)
        c.in[k] = n->in[k] ? ev->data[n->in[k]->id] : NULL;
    for (int k = 0; k < n->n_out; k++)
        c.out[k] = ev->data[n->out[k]->id];
    if (op->flags & OP_VIEW) {
        memcpy(c.out[0], c.in[0],
               (size_t)shape_count(n->out[0]->shape) * dtype_size(n->out[0]->type));
        return;
    }
    if (op->workspace)
        c.work = dirty(&scratch, op->workspace(&c));
    (how->reference && op->reference ? op->reference : op->forward)(&c);
    arena_free(&scratch);
}

void eval_run(eval *ev, const eval_how *how)
{
    for (int i = 0; i < graph_nodes(ev->g); i++)
        run_node(ev, graph_node(ev->g, i), how);
}

void eval_fill(void *to, const op_sample_input *in, dtype type, int index)
{
    int low = in->type == DT_I32 ? in->low : -1000, below = in->type == DT_I32 ? in->below : 1000;
    for (int64_t k = 0; k < shape_count(in->shape); k++) {
        float u = test_fill((uint32_t)(100 + index), (uint32_t)k, 1.0f);
        float x = in->offset + u * in->scale;
        if (type == DT_I32)
            ((int32_t *)to)[k] = low + (int32_t)floor((double)(u + 1) / 2 * (below - low));
        else if (type == DT_F32)
            ((float *)to)[k] = x;
        else if (type == DT_I8)
            ((int8_t *)to)[k] = (int8_t)(u * 127);
        else
            ((bf16 *)to)[k] = bf16_round(x);
        if (type == DT_BF16X2)
            ((bf16 *)to)[shape_count(in->shape) + k] = bf16_rest(x, bf16_round(x));
    }
}
