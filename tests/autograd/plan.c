// SPDX-License-Identifier: GPL-3.0-or-later
// plan.c: properties that every plan must have, on every model: nothing that is alive is written
// over, every input is computed before it is used, gradients lie in the flat buffer, what is frozen
// costs nothing.
#include "autograd/plan.h"

#include <string.h>

#include "autograd/op.h"
#include "models/model.h"
#include "tests/test.h"

static network *build(const model_def *m, params *p, arena *a)
{
    err e = {0};
    model_dims d = {.batch = 4, .time = 6, .classes = 5, .training = true};
    network *n = model_build(m, p, &d, a, &e);
    EXPECT_OK(n != NULL, e);
    return n;
}

static plan *make(network *n, grad_mode mode, arena *a)
{
    err e = {0};
    if (!n->p->weights)
        params_layout(n->p);
    plan_options o = {.threads = 2,
                      .outputs = &n->loss_sum,
                      .n_outputs = 1,
                      .params = n->p,
                      .grads = n->grads,
                      .grad_mode = mode};
    params_layout(n->p);
    plan *p = plan_make(n->g, &o, a, &e);
    EXPECT_OK(p != NULL, e);
    return p;
}

static uint64_t bytes_of(const tensor *t)
{
    return (uint64_t)shape_count(t->shape) * dtype_size(t->type);
}

static void check_no_overlap(const plan *p)
{
    int n = graph_tensors(p->graph);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            const place *a = &p->places[i], *b = &p->places[j];
            if (a->kind != PLACE_ARENA || b->kind != PLACE_ARENA || a->root != i || b->root != j)
                continue;
            bool together = a->first <= b->last && b->first <= a->last;
            bool apart = a->offset + bytes_of(graph_tensor(p->graph, i)) <= b->offset ||
                         b->offset + bytes_of(graph_tensor(p->graph, j)) <= a->offset;
            test_expect(!together || apart, __FILE__, __LINE__,
                        "tensors %d and %d share bytes while both live", i, j);
        }
}

static void check_alive(const plan *p)
{
    for (int s = 0; s < p->n_steps; s++) {
        const node *n = p->steps[s].node;
        for (int k = 0; n && k < n->n_in; k++) {
            if (!n->in[k])
                continue;
            const place *w = &p->places[n->in[k]->id];
            test_expect(w->kind != PLACE_NONE &&
                            (w->kind != PLACE_ARENA || (w->first <= s && s <= w->last)),
                        __FILE__, __LINE__, "step %d (%s) reads tensor %d outside its life", s,
                        n->op->name, n->in[k]->id);
        }
    }
}

TEST(plan_never_shares_living_bytes)
{
    for (int i = 0; i < model_count(); i++)
        for (int mode = GRAD_STORE; mode <= GRAD_ADD; mode++) {
            arena a = {.name = "plan"};
            params *pp = params_open(&a);
            plan *p = make(build(model_at(i), pp, &a), (grad_mode)mode, &a);
            check_no_overlap(p);
            check_alive(p);
            EXPECT(p->arena_bytes >= p->live_bytes);
            EXPECT_BELOW((double)p->arena_bytes, 1.1 * (double)p->live_bytes);
            arena_free(&a);
        }
}

TEST(plan_freezing_removes_gradients_moments_and_backward_work)
{
    arena a = {.name = "frozen"};
    err e = {0};
    params *all = params_open(&a), *part = params_open(&a);
    const model_def *m = model_find("melody_transformer");
    network *n = build(m, all, &a);
    EXPECT_OK(model_build(m, part, &(model_dims){.batch = 1, .time = 1}, &a, &e) != NULL, e);
    for (int i = 0; i < part->n; i++)
        part->list[i].trainable = !strncmp(part->list[i].name, "fc3", 3);
    network *f = build(m, part, &a);
    for (int i = 0; i < part->n; i++)
        EXPECT_INT(f->grads[i] != NULL, part->list[i].trainable);
    plan *big = make(n, GRAD_STORE, &a), *small = make(f, GRAD_STORE, &a);
    for (int s = 0; s < small->n_steps; s++)
        EXPECT(!small->steps[s].node || strcmp(small->steps[s].node->op->name, "lstm_back") != 0);
    EXPECT_BELOW(small->n_steps, big->n_steps);
    EXPECT_OK(params_allocate(part, 2, &e), e);
    EXPECT_INT(part->grads_len, 128 * 256 + 128);
    EXPECT_INT(params_bytes(part, 2), 4 * (part->weights_len + 3 * part->grads_len));
    params_release(part);
    arena_free(&a);
}

TEST(graph_errors_are_kept_until_asked_for)
{
    arena a = {.name = "graph"};
    err e = {0};
    graph *g = graph_open(&a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(2, 4, 128)),
           *w = graph_input(g, "w", DT_F32, shape_of(2, 64, 100));
    tensor *y = op_linear(g, x, w, NULL, ACT_NONE);
    EXPECT(tensor_poisoned(y));
    EXPECT(tensor_poisoned(op_act(g, y, ACT_RELU)));
    EXPECT_ERR(graph_ok(g, &e), e, ERR_SHAPE, "linear");
    EXPECT_HAS(e.text, "128");
    EXPECT_HAS(e.text, "100");
    arena_free(&a);
}

TEST(plan_prints_as_a_table)
{
    arena a = {.name = "print"};
    strbuf out = {0};
    plan_print(make(build(model_find("dynamics_engine"), params_open(&a), &a), GRAD_ADD, &a), &out);
    EXPECT_HAS(out.s, "linear");
    EXPECT_HAS(out.s, "(add gradient)");
    EXPECT_HAS(out.s, "bytes (");
    strbuf_free(&out);
    arena_free(&a);
}
