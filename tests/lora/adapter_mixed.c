// SPDX-License-Identifier: GPL-3.0-or-later
// adapter_mixed.c (tests): adapters of one layer that one of them replaces: each counts with its
// difference from the base, whatever the others are, in the weights and beside them.
#include <math.h>
#include <string.h>

#include "base/larger.h"
#include "lora/adapter.h"
#include "tests/lora/adapter_net.h"
#include "tests/test.h"

// A folder with factors of `target` and with all of `whole`, by known numbers.
static const char *saved(const char *name, const model_def *m, const char *target,
                         const char *whole)
{
    const lora_config c = {.r = 2,
                           .alpha = 3,
                           .together = true,
                           .targets.names = {(const char *const[]){target}, 1},
                           .save = {(const char *const[]){whole}, 1}};
    arena a = {0};
    err e = {0};
    strbuf text = {0};
    model_meta meta = {.arena = &a};
    const adapters *sites = lora_match(&c, m, true, &a, &e);
    net f;
    if (!test_expect(sites != NULL, __FILE__, __LINE__, "%s", e.text) ||
        !net_open_of(&f, m, sites, false))
        return NULL;
    for (int i = 0; i < f.p->n; i++)
        for (int64_t k = 0; k < f.p->list[i].count; k++)
            params_at(f.p, i)[k] += test_fill(70 + (uint32_t)i, (uint32_t)k, 0.1f);
    EXPECT_OK(lora_config_write(&c, m, NULL, &text, &e) &&
                  lora_save(test_path(name), f.p, sites, text.s, &meta, &e),
              e);
    strbuf_free(&text);
    net_close(&f);
    arena_free(&a);
    return test_path(name);
}

// What the weights of the base become, as numbers of `a`.
static const double *changes(const model_def *m, const lora_use *uses, int n, arena *a)
{
    net f;
    err e = {0};
    if (!net_open(&f, m->name, NULL))
        return NULL;
    double *d = NEW(a, double, (size_t)f.p->weights_len);
    for (int64_t i = 0; i < f.p->weights_len; i++)
        d[i] = -(double)f.p->weights[i];
    EXPECT_OK(lora_apply(f.p, m, NULL, uses, n, &e), e);
    for (int64_t i = 0; i < f.p->weights_len; i++)
        d[i] += (double)f.p->weights[i];
    net_close(&f);
    return d;
}

TEST(adapters_of_a_layer_that_another_replaces_add_up)
{
    const model_def *m = model_find("groove_predictor");
    const char *dora = "tests/golden/lora_lengths", *whole = saved("whole", m, "fc1", "fc3");
    const lora_use both[2][2] = {{{dora, 0.75}, {whole, 0.5}}, {{whole, 0.5}, {dora, 0.75}}};
    arena a = {0};
    const double *one = changes(m, both[0], 1, &a), *other = changes(m, both[1], 1, &a);
    double worst = 0, most = 0;
    net f;
    if (!one || !other || !net_open(&f, m->name, NULL))
        return;
    const param *q = &f.p->list[params_find(f.p, "fc3.weight")];
    for (int order = 0; order < 2; order++) {
        const double *sum = changes(m, both[order], 2, &a);
        for (int64_t i = 0; i < f.p->weights_len; i++)
            worst = larger(worst, fabs(sum[i] - one[i] - other[i]));
    }
    EXPECT_BELOW(worst, 3e-7);
    for (int64_t i = 0; i < q->count; i++)
        most = larger(most, fmin(fabs(one[q->offset + i]), fabs(other[q->offset + i])));
    EXPECT(most > 0.01); // both of them change it
    net_close(&f);
    arena_free(&a);
}

static bool is_adapted(const adapters *l, const char *weight)
{
    for (int i = 0; i < l->n; i++)
        if (!strcmp(l->site[i].weight, weight))
            return true;
    return false;
}

// Beside the base's weights they compute what is merged.
static void check_beside(const model_def *m, const lora_use *uses, int n)
{
    arena a = {0};
    err e = {0};
    lora_adapter *opened[3];
    const lora_adapter *list[3];
    double weight[3];
    for (int i = 0; i < n; i++) {
        weight[i] = uses[i].weight;
        if (!test_expect((list[i] = opened[i] = lora_load(uses[i].folder, m, &a, &e)) != NULL,
                         __FILE__, __LINE__, "%s", e.text))
            return;
    }
    const adapters *sites = lora_unmerged(list, weight, n, &a);
    net base, merged, apart;
    if (!net_open_of(&base, m, NULL, false) || !net_open_of(&merged, m, NULL, false) ||
        !net_open_of(&apart, m, sites, false))
        return;
    EXPECT_OK(lora_apply(merged.p, m, NULL, uses, n, &e), e);
    for (int i = 0; i < merged.p->n; i++)
        if (!is_adapted(sites, merged.p->list[i].name))
            memcpy(params_at(apart.p, params_find(apart.p, merged.p->list[i].name)),
                   params_at(merged.p, i), sizeof(float) * (size_t)merged.p->list[i].count);
    lora_fill(apart.p, sites, list, n);
    run_step(base.r, 0, 0, false), run_step(merged.r, 0, 0, false), run_step(apart.r, 0, 0, false);
    size_t count = (size_t)shape_count(merged.n->out->shape);
    const float *y = run_data(merged.r, merged.n->out);
    EXPECT(test_distance(run_data(base.r, base.n->out), y, count) > 0.01);
    EXPECT_BELOW(test_distance(run_data(apart.r, apart.n->out), y, count), 1e-5);
    for (int i = 0; i < n; i++)
        lora_unload(opened[i]);
    net_close(&base), net_close(&merged), net_close(&apart);
    arena_free(&a);
}

// By DoRA, plainly and whole, of one layer.
TEST(adapters_of_a_layer_that_another_replaces_lie_beside_it)
{
    const model_def *m = model_find("groove_predictor");
    const lora_use uses[] = {{"tests/golden/lora_lengths", 0.75},
                             {saved("first", m, "fc1", "fc3"), 0.5},
                             {saved("last", m, "fc3", "fc1"), -0.25}};
    check_beside(m, uses, 3);
}

TEST(adapters_of_a_convolution_that_another_replaces_lie_beside_it)
{
    arena a = {0};
    err e = {0};
    const model_def *m =
        model_configure(model_find("instrument_recognizer"), "bands=32 frames=36 width=4", &a, &e);
    const lora_use uses[] = {{"tests/golden/lora_windows", 0.75},
                             {saved("first", m, "fc", "blocks.0.conv"), 0.5},
                             {saved("last", m, "blocks.0.conv", "blocks.2.conv"), -0.25}};
    check_beside(m, uses, 3);
    arena_free(&a);
}

TEST(adapters_of_an_lstm_that_another_replaces_lie_beside_it)
{
    const model_def *m = model_find("melody_transformer");
    const lora_use uses[] = {{saved("first", m, "lstm.weight_ih_l0", "fc3"), 0.75},
                             {saved("last", m, "fc3", "lstm"), 0.5}};
    check_beside(m, uses, 2);
}
