// SPDX-License-Identifier: GPL-3.0-or-later
// adapter.c (tests): adapters that Hugging Face PEFT saved (tests/golden/lora.py) give PEFT's
// outputs and gradients here; what is written is read again; and what is wrong with a file is said.
#include "lora/adapter.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "autograd/run.h"
#include "base/file.h"
#include "data/music/tokens.h"
#include "export/safetensors.h"
#include "lora/merge.h"
#include "tests/lora/adapter_net.h"
#include "tests/test.h"

// ---- What PEFT saved

static double off(const net *f, const json *want)
{
    const float *got = run_data(f->r, f->n->out);
    double worst = 0, most = 0;
    EXPECT_INT(shape_count(f->n->out->shape), json_len(want));
    for (size_t i = 0; i < json_len(want); i++) {
        double v = json_num(json_at(want, i), NAN);
        worst = larger(worst, fabs((double)got[i] - v)), most = larger(most, fabs(v));
    }
    return worst / most;
}

static void check_gradients(const net *f, const lora_adapter *l, const adapters *sites,
                            const json *want)
{
    int seen = 0, n = l->sites->n;
    for (size_t i = 0; i < json_len(want); i++) {
        const char *name = json_str(json_get(json_at(want, i), "name"), "");
        for (int k = 0; k < lora_whole_at(l, 0); k++) {
            if (strcmp(l->p->list[k].name + strlen("base_model.model."), name))
                continue;
            int m = k - lora_length_at(l, 0);
            const adapter_site *s = &sites->site[m < 0 ? k / 2 : m];
            const param *q = &f->p->list[params_find(f->p, m >= 0 ? s->m : k % 2 ? s->b : s->a)];
            double norm = 0, sum = 0;
            for (int64_t j = 0; j < q->count; j++) {
                double d = (double)f->p->grads[q->goffset + j];
                norm += d * d, sum += d;
            }
            double want_norm = json_num(json_get(json_at(want, i), "norm"), 0);
            EXPECT_NEAR(sqrt(norm), want_norm, 1e-5 * want_norm);
            EXPECT_NEAR(sum, json_num(json_get(json_at(want, i), "sum"), 0), 1e-4 * want_norm);
            seen++;
        }
    }
    EXPECT_INT(seen, (l->config.dora ? 3 : 2) * n);
}

static const char *folder_of(const json *c, arena *a)
{
    return arena_printf(a, "tests/golden/lora_%s", json_str(json_get(c, "name"), ""));
}

static const model_def *model_of(const json *c, arena *a)
{
    err e = {0};
    const model_def *m = model_find(json_str(json_get(c, "model"), ""));
    const char *sizes = json_str(json_get(c, "sizes"), NULL);
    return sizes ? model_configure(m, sizes, a, &e) : m;
}

static void check_case(const json *c)
{
    arena a = {0};
    err e = {0};
    const char *folder = folder_of(c, &a);
    const model_def *m = model_of(c, &a);
    lora_adapter *l = lora_load(folder, m, &a, &e);
    if (!test_expect(l != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    const lora_adapter *list[] = {l};
    const adapters *apart = lora_unmerged(list, (const double[]){1}, 1, &a);
    net merged, unmerged;
    if (!net_open_of(&merged, m, NULL, false) || !net_open_of(&unmerged, m, apart, false))
        return;
    EXPECT(off(&merged, json_get(c, "output")) > 0.01);
    EXPECT_OK(lora_apply(merged.p, m, NULL, &(lora_use){folder, 1}, 1, &e), e);
    run_step(merged.r, 0, 0, false);
    EXPECT_BELOW(off(&merged, json_get(c, "output")), 1e-5);
    for (int i = 0; i < l->sites->n_whole; i++)
        memcpy(params_at(unmerged.p, params_find(unmerged.p, l->sites->whole[i])),
               params_at(l->p, lora_whole_at(l, i)),
               sizeof(float) * (size_t)l->p->list[lora_whole_at(l, i)].count);
    lora_fill(unmerged.p, apart, list, 1);
    run_step(unmerged.r, 0, 0, false);
    EXPECT_BELOW(off(&unmerged, json_get(c, "output")), 1e-5);
    check_gradients(&unmerged, l, apart, json_get(c, "gradients"));
    if (!json_get(c, "sizes")) { // which PEFT does not write down
        lora_adapter *any = lora_load_any(folder, &a, &e);
        EXPECT_STR(any ? any->model->name : e.text, m->name);
        lora_unload(any);
    }
    net_close(&merged), net_close(&unmerged);
    lora_unload(l);
    arena_free(&a);
}

TEST(adapter_of_peft_gives_its_outputs_and_gradients)
{
    json *g = test_golden("lora");
    EXPECT_INT(json_len(json_get(g, "cases")), 4);
    for (size_t i = 0; i < json_len(json_get(g, "cases")); i++)
        check_case(json_at(json_get(g, "cases"), i));
    json_free(g);
}

// By DoRA the layer's own product hears what is dropped out, too.
TEST(adapter_of_peft_gives_its_gradients_with_dropout)
{
    json *g = test_golden("lora");
    const json *c = json_get(g, "dropped");
    arena a = {0};
    err e = {0};
    const model_def *m = model_of(c, &a);
    lora_adapter *l = lora_load(folder_of(c, &a), m, &a, &e);
    if (!test_expect(l != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    l->config.dropout = json_num(json_get(c, "dropout"), 0);
    EXPECT((l->sites = lora_match(&l->config, m, false, &a, &e)) != NULL);
    const lora_adapter *list[] = {l};
    const adapters *apart = lora_unmerged(list, (const double[]){1}, 1, &a);
    net f;
    if (!net_open_of(&f, m, apart, true))
        return;
    lora_fill(f.p, apart, list, 1);
    run_step(f.r, (uint64_t)json_int(json_get(c, "seed"), 0),
             (uint64_t)json_int(json_get(c, "step"), 0), true);
    EXPECT_BELOW(off(&f, json_get(c, "output")), 1e-5);
    check_gradients(&f, l, apart, json_get(c, "gradients"));
    run_step(f.r, 12, 3, true); // of other masks
    EXPECT(off(&f, json_get(c, "output")) > 0.01);
    net_close(&f);
    lora_unload(l);
    arena_free(&a);
    json_free(g);
}

// ---- Several

// What two parts of an adapter change is three tenths of what all of it does; by DoRA, too.
static void check_parts(const char *model, const char *folder)
{
    err e = {0};
    arena a = {0};
    net f;
    const model_def *m = model_find(model);
    if (!net_open(&f, m->name, NULL))
        return;
    float *base = NEW(&a, float, (size_t)f.p->weights_len);
    memcpy(base, f.p->weights, sizeof *base * (size_t)f.p->weights_len);
    lora_use half = lora_use_of(arena_printf(&a, "%s:0.5", folder), &a),
             other = lora_use_of(arena_printf(&a, "%s:-2e-1", folder), &a);
    EXPECT_STR(half.folder, folder);
    EXPECT_NEAR(half.weight, 0.5, 0);
    EXPECT_STR(lora_use_of("a:b", &a).folder, "a:b");
    lora_use both[] = {half, other}, whole[] = {{half.folder, 1}};
    EXPECT_OK(lora_apply(f.p, m, NULL, both, 2, &e), e);
    float *part = NEW(&a, float, (size_t)f.p->weights_len);
    memcpy(part, f.p->weights, sizeof *part * (size_t)f.p->weights_len);
    memcpy(f.p->weights, base, sizeof *base * (size_t)f.p->weights_len);
    EXPECT_OK(lora_apply(f.p, m, NULL, whole, 1, &e), e);
    double worst = 0;
    for (int64_t i = 0; i < f.p->weights_len; i++)
        worst = larger(worst, fabs((double)part[i] - (double)base[i] -
                                   0.3 * ((double)f.p->weights[i] - (double)base[i])));
    EXPECT_BELOW(worst, 2e-7);
    net_close(&f);
    arena_free(&a);
}

TEST(adapters_add_up_with_their_weights)
{
    check_parts("dynamics_engine", "tests/golden/lora_dynamics");
    check_parts("groove_predictor", "tests/golden/lora_lengths");
}

// Beside the weights, too: two adapters of one layer, one of them by DoRA, each a part of itself.
TEST(adapters_of_both_methods_lie_beside_each_other)
{
    arena a = {0};
    err e = {0};
    net merged, apart;
    const model_def *m = model_find("groove_predictor");
    const char *folder = "tests/golden/lora_lengths";
    lora_adapter *l = lora_load(folder, m, &a, &e), *plain = lora_load(folder, m, &a, &e);
    if (!test_expect(l && plain, __FILE__, __LINE__, "%s", e.text))
        return;
    plain->config.dora = false;
    EXPECT((plain->sites = lora_match(&plain->config, m, false, &a, &e)) != NULL);
    const lora_adapter *list[] = {l, plain, l};
    const double weight[] = {0.7, -0.4, 0.5};
    const adapters *sites = lora_unmerged(list, weight, 3, &a);
    if (!net_open(&merged, m->name, NULL) || !net_open(&apart, m->name, sites))
        return;
    for (int i = 0; i < merged.p->n; i++) {
        lora_factors f[3];
        int n = 0;
        for (int k = 0; k < 9; k++) {
            const lora_adapter *from = list[k / 3];
            const adapter_site *s = &from->sites->site[k % 3];
            if (!strcmp(s->weight, merged.p->list[i].name))
                f[n++] = (lora_factors){.a = params_at(from->p, 2 * (k % 3)),
                                        .b = params_at(from->p, 2 * (k % 3) + 1),
                                        .m = s->m ? params_at(from->p, lora_length_at(from, k % 3))
                                                  : NULL,
                                        .rank = s->rank,
                                        .scale = (double)s->scale,
                                        .weight = weight[k / 3]};
        }
        EXPECT_OK(!n || lora_add(lora_matrix_of(merged.p, i), f, n, &e), e);
    }
    lora_fill(apart.p, sites, list, 3);
    run_step(merged.r, 0, 0, false), run_step(apart.r, 0, 0, false);
    size_t n = (size_t)shape_count(merged.n->out->shape);
    EXPECT_BELOW(
        test_distance(run_data(apart.r, apart.n->out), run_data(merged.r, merged.n->out), n), 1e-5);
    net_close(&merged), net_close(&apart);
    lora_unload(l), lora_unload(plain);
    arena_free(&a);
}
