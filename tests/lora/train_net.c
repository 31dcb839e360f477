// SPDX-License-Identifier: GPL-3.0-or-later
// train_net.c: see train_net.h.
#include "tests/lora/train_net.h"

static const char *const melody_targets[] = {"fc1", "fc2", "fc3", "lstm.weight_ih_l0"};
const lora_config train_lora = {
    .r = 8, .alpha = 16, .dropout = 0.1, .together = true, .targets.names = {melody_targets, 4}};

// The same values whatever else there is in the table.
void train_net_fill(const params *p)
{
    for (int i = 0; i < p->n; i++)
        for (int64_t k = 0; p->list[i].adapter && k < p->list[i].count; k++)
            params_at(p, i)[k] = test_fill(40 + (uint32_t)i, (uint32_t)k, 0.05f);
}

void train_net_open(train_net *f, const char *model, const lora_config *c, bool training)
{
    err e = {0};
    *f = (train_net){.a = {.name = "net"}};
    model_dims d = {.batch = 3, .time = 5, .training = training};
    const model_def *m = model_find(model);
    EXPECT_OK(!c || (d.adapters = lora_match(c, m, true, &f->a, &e)), e);
    f->p = params_open(&f->a);
    f->n = model_build(m, f->p, &d, &f->a, &e);
    EXPECT_OK(f->n && params_allocate(f->p, 0, &e), e);
    tensor *outputs[] = {f->n->out, f->n->loss};
    plan_options o = {.threads = 1,
                      .outputs = outputs,
                      .n_outputs = training ? 2 : 1,
                      .params = f->p,
                      .grads = f->n->grads};
    plan *pl = plan_make(f->n->g, &o, &f->a, &e);
    f->r = pl ? run_open(pl, f->p, NULL, &f->a, &e) : NULL;
    EXPECT_OK(f->r != NULL, e);
    params_init(f->p, 7);
    batch *b = sample_batch(m, &d, 5, 0, &f->a);
    EXPECT_OK(feed_copy(f->n, f->r, b, &e), e);
    if (training)
        *(float *)run_input(f->r, "scale") = 1;
}

void train_net_close(train_net *f)
{
    run_close(f->r);
    params_release(f->p);
    arena_free(&f->a);
}
