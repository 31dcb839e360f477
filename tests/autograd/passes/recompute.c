// SPDX-License-Identifier: GPL-3.0-or-later
// recompute.c (tests): what is computed again has the same bits, and takes less memory.
#include "autograd/passes/recompute.h"

#include <string.h>

#include "autograd/op.h"
#include "autograd/run.h"
#include "models/model.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"
#include "train/sample.h"

typedef struct made {
    arena a;
    params *p;
    network *n;
    segments s;
} made;

static void make(made *m, const char *name, const adapters *lora)
{
    err e = {0};
    *m = (made){.a = {.name = "recompute"}};
    m->p = params_open(&m->a);
    model_dims d = {.batch = 3, .time = 24, .classes = 5, .training = true, .adapters = lora};
    m->n = model_build(model_find(name), m->p, &d, &m->a, &e);
    EXPECT_OK(m->n && params_allocate(m->p, 0, &e), e);
    params_init(m->p, 7);
    m->s = recompute_segments(m->n->g, eval_kit(), &m->a);
}

static plan *plan_of(made *m, const bool *chosen)
{
    err e = {0};
    tensor **outputs = NEW(&m->a, tensor *, 1);
    outputs[0] = m->n->loss_sum;
    plan_options o = {
        .threads = 1, .outputs = outputs, .n_outputs = 1, .params = m->p, .grads = m->n->grads};
    plan *p =
        plan_make(chosen ? recompute_graph(m->n->g, &m->s, chosen, &m->a) : m->n->g, &o, &m->a, &e);
    EXPECT_OK(p != NULL, e);
    return p;
}

// Gradients of one step on random values; the copy is the arena's.
static float *gradients(made *m, const plan *p, float *loss)
{
    err e = {0};
    run *r = run_open(p, m->p, NULL, &m->a, &e);
    EXPECT_OK(r && feed_copy(m->n, r, sample_batch(m->n->model, &m->n->dims, 5, 0, &m->a), &e), e);
    *(float *)run_input(r, "scale") = 0.25f;
    memset(m->p->grads, 0, sizeof(float) * (size_t)m->p->grads_len);
    run_step(r, 11, 3, true);
    *loss = *(const float *)run_data(r, m->n->loss_sum);
    run_close(r);
    float *copy = NEW(&m->a, float, (size_t)m->p->grads_len + 1);
    return memcpy(copy, m->p->grads, sizeof(float) * (size_t)m->p->grads_len);
}

static int copies(const plan *p)
{
    int n = 0;
    for (int s = 0; s < p->n_steps; s++)
        n += p->steps[s].node && p->steps[s].node->again;
    return n;
}

static void check_bits(made *m)
{
    float loss, again;
    bool *chosen = NEW(&m->a, bool, (size_t)m->s.n + 1);
    const float *kept = gradients(m, plan_of(m, NULL), &loss);
    for (int n = 1; n <= m->s.n; n++) {
        chosen[n - 1] = true;
        plan *p = plan_of(m, chosen);
        EXPECT(copies(p) > 0);
        const float *made_again = gradients(m, p, &again);
        EXPECT(loss == again);
        EXPECT(!memcmp(kept, made_again, sizeof(float) * (size_t)m->p->grads_len));
    }
}

static void close(made *m)
{
    params_release(m->p);
    arena_free(&m->a);
}

TEST(recompute_keeps_every_bit_of_the_gradient)
{
    for (int i = 0; i < model_count(); i++) {
        made m;
        make(&m, model_at(i)->name, NULL);
        check_bits(&m);
        close(&m);
    }
}

TEST(recompute_draws_the_same_dropout)
{
    static const adapter_site sites[] = {{.weight = "layers.0.gate_proj.weight",
                                          .a = "a0",
                                          .b = "b0",
                                          .rank = 4,
                                          .scale = 2,
                                          .dropout = 0.3f},
                                         {.weight = "layers.1.self_attn.q_proj.weight",
                                          .a = "a1",
                                          .b = "b1",
                                          .rank = 4,
                                          .scale = 2,
                                          .dropout = 0.5f}};
    made m;
    make(&m, "emotion_midi_transformer", &(adapters){.site = sites, .n = 2});
    for (int i = 0; i < m.p->n; i++) // B begins at zero, which no gradient of A passes
        for (int64_t k = 0; m.p->list[i].adapter && k < m.p->list[i].count; k++)
            params_at(m.p, i)[k] += 0.01f;
    EXPECT(m.s.n > 0);
    check_bits(&m);
    close(&m);
}

TEST(recompute_cuts_a_transformer_between_its_sublayers)
{
    made m;
    make(&m, "emotion_midi_transformer", NULL);
    EXPECT(m.s.n >= 8 + 4 + 8); // attention, to the emotion, feed-forward
    bool *chosen = NEW(&m.a, bool, (size_t)m.s.n);
    memset(chosen, true, (size_t)m.s.n);
    plan *kept = plan_of(&m, NULL), *again = plan_of(&m, chosen);
    EXPECT_BELOW((double)again->arena_bytes, (double)kept->arena_bytes / 2.0);
    EXPECT_BELOW((double)again->arena_bytes, 1.1 * (double)again->live_bytes);
    const int *order = recompute_order(&m.s, &m.a);
    for (int i = 1; i < m.s.n; i++) {
        const segment *x = &m.s.list[order[i - 1]], *y = &m.s.list[order[i]];
        EXPECT((double)x->bytes / x->cost_ns >= 0.999 * (double)y->bytes / y->cost_ns);
    }
    close(&m);
}
