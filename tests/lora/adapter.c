// SPDX-License-Identifier: GPL-3.0-or-later
// adapter.c (tests): adapters that Hugging Face PEFT saved (tests/golden/lora.py) give PEFT's
// outputs and gradients here; what is written is read again; and what is wrong with a file is said.
#include "lora/adapter.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "autograd/run.h"
#include "base/file.h"
#include "data/music/tokens.h"
#include "export/safetensors.h"
#include "tests/test.h"

// ---- What PEFT saved

static void fill(float *out, uint32_t seed, int64_t n, float scale)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = test_fill(seed, (uint32_t)i, scale);
}

// The base of tests/golden/lora.py: parameter k of the model is fill(100 + k), by 1 / sqrt(inputs),
// of an LSTM by 1 / sqrt(hidden).
static void fill_base(params *p)
{
    for (int i = 0, k = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        if (!q->counted)
            continue;
        int w = params_find(p, "lstm.weight_hh_l0");
        int64_t fan = str_starts(q->name, "lstm") ? p->list[w].shape.d[1]
                      : q->shape.rank == 2        ? q->shape.d[1]
                                                  : 0;
        for (int j = 0; !fan && j < p->n; j++)
            if (p->list[j].shape.rank == 2 &&
                !strncmp(p->list[j].name, q->name, strcspn(q->name, ".") + 1))
                fan = p->list[j].counted ? p->list[j].shape.d[1] : 0;
        fill(params_at(p, i), 100 + (uint32_t)k++, q->count, (float)(1 / sqrt((double)fan)));
    }
}

typedef struct net {
    arena a;
    params *p;
    network *n;
    run *r;
    tensor **grads;
} net;

// The model with the filled base on the golden's inputs, its outputs' plain sum differentiated by
// the adapters.
static bool net_open(net *f, const char *model, const adapters *l)
{
    err e = {0};
    *f = (net){.a = {.name = "net"}};
    f->p = params_open(&f->a);
    f->n = model_build(model_find(model), f->p, &(model_dims){.batch = 3, .time = 5, .adapters = l},
                       &f->a, &e);
    if (!test_expect(f->n != NULL, __FILE__, __LINE__, "%s", e.text))
        return false;
    graph *g = f->n->g;
    f->grads = NEW(&f->a, tensor *, (size_t)f->p->n + 1);
    int axes = f->n->out->shape.rank;
    for (int i = 0, end = graph_tensors(g); l && i < end; i++) {
        tensor *t = graph_tensor(g, i);
        if (t->kind == TENSOR_PARAM && f->p->list[t->param].adapter)
            graph_gradient(g, op_sum(g, f->n->out, (1u << axes) - 1, false), &t, 1,
                           &f->grads[t->param]);
    }
    plan_options o = {
        .threads = 1, .outputs = &f->n->out, .n_outputs = 1, .params = f->p, .grads = f->grads};
    params_layout(f->p);
    plan *pl = plan_make(g, &o, &f->a, &e);
    if (!test_expect(pl && params_allocate(f->p, 0, &e) &&
                         (f->r = run_open(pl, f->p, NULL, &f->a, &e)),
                     __FILE__, __LINE__, "%s", e.text))
        return false;
    fill_base(f->p);
    for (int i = 0; i < f->n->model->n_inputs; i++) {
        int64_t n = shape_count(f->n->in[i]->shape);
        if (f->n->in[i]->type == DT_F32)
            fill(run_data(f->r, f->n->in[i]), 1001 + (uint32_t)i, n, 1);
        else
            for (int64_t k = 0; k < n; k++)
                ((int32_t *)run_data(f->r, f->n->in[i]))[k] =
                    k % 5 ? (int32_t)floor(test_fill_u32(1001 + (uint32_t)i, (uint32_t)k) /
                                           4294967296.0 * 128)
                          : -1;
    }
    return true;
}

static void net_close(net *f)
{
    run_close(f->r);
    params_release(f->p);
    arena_free(&f->a);
}

static double off(const net *f, const json *want)
{
    const float *got = run_data(f->r, f->n->out);
    double worst = 0, most = 0;
    EXPECT_INT(shape_count(f->n->out->shape), json_len(want));
    for (size_t i = 0; i < json_len(want); i++) {
        double v = json_num(json_at(want, i), NAN);
        worst = test_larger(worst, fabs((double)got[i] - v)), most = test_larger(most, fabs(v));
    }
    return worst / most;
}

static void check_gradients(const net *f, const lora_adapter *l, const adapters *sites,
                            const json *want)
{
    int seen = 0;
    for (size_t i = 0; i < json_len(want); i++) {
        const char *name = json_str(json_get(json_at(want, i), "name"), "");
        for (int k = 0; k < 2 * l->sites->n; k++) {
            if (strcmp(l->p->list[k].name + strlen("base_model.model."), name))
                continue;
            const adapter_site *s = &sites->site[k / 2];
            const param *q = &f->p->list[params_find(f->p, k % 2 ? s->b : s->a)];
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
    EXPECT_INT(seen, 2 * l->sites->n);
}

static void check_case(const json *c)
{
    arena a = {0};
    err e = {0};
    const char *model = json_str(json_get(c, "model"), ""),
               *folder =
                   arena_printf(&a, "tests/golden/lora_%s", json_str(json_get(c, "name"), ""));
    lora_adapter *l = lora_load(folder, model_find(model), &a, &e);
    if (!test_expect(l != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    const lora_adapter *list[] = {l};
    const adapters *apart = lora_unmerged(list, (const double[]){1}, 1, &a);
    net merged, unmerged;
    if (!net_open(&merged, model, NULL) || !net_open(&unmerged, model, apart))
        return;
    EXPECT(off(&merged, json_get(c, "output")) > 0.01);
    EXPECT_OK(lora_apply(merged.p, model_find(model), NULL, &(lora_use){folder, 1}, 1, &e), e);
    run_step(merged.r, 0, 0, false);
    EXPECT_BELOW(off(&merged, json_get(c, "output")), 1e-5);
    for (int i = 0; i < l->sites->n_whole; i++)
        memcpy(params_at(unmerged.p, params_find(unmerged.p, l->sites->whole[i])),
               params_at(l->p, 2 * l->sites->n + i),
               sizeof(float) * (size_t)l->p->list[2 * l->sites->n + i].count);
    lora_fill(unmerged.p, apart, list, 1);
    run_step(unmerged.r, 0, 0, false);
    EXPECT_BELOW(off(&unmerged, json_get(c, "output")), 1e-5);
    check_gradients(&unmerged, l, apart, json_get(c, "gradients"));
    lora_adapter *any = lora_load_any(folder, &a, &e);
    EXPECT_STR(any ? any->model->name : e.text, model);
    lora_unload(any);
    net_close(&merged), net_close(&unmerged);
    lora_unload(l);
    arena_free(&a);
}

TEST(adapter_of_peft_gives_its_outputs_and_gradients)
{
    json *g = test_golden("lora");
    EXPECT_INT(json_len(json_get(g, "cases")), 2);
    for (size_t i = 0; i < json_len(json_get(g, "cases")); i++)
        check_case(json_at(json_get(g, "cases"), i));
    json_free(g);
}

// ---- Several

TEST(adapters_add_up_with_their_weights)
{
    err e = {0};
    arena a = {0};
    net f;
    const model_def *m = model_find("dynamics_engine");
    if (!net_open(&f, m->name, NULL))
        return;
    float *base = NEW(&a, float, (size_t)f.p->weights_len);
    memcpy(base, f.p->weights, sizeof *base * (size_t)f.p->weights_len);
    lora_use half = lora_use_of("tests/golden/lora_dynamics:0.5", &a),
             other = lora_use_of("tests/golden/lora_dynamics:-2e-1", &a);
    EXPECT_STR(half.folder, "tests/golden/lora_dynamics");
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
        worst = test_larger(worst, fabs((double)part[i] - (double)base[i] -
                                        0.3 * ((double)f.p->weights[i] - (double)base[i])));
    EXPECT_BELOW(worst, 2e-7);
    net_close(&f);
    arena_free(&a);
}

// ---- Folders that are wrong

// PEFT's adapter for the dynamics model with one text of its configuration replaced.
static const char *copied(const char *name, const char *from, const char *to)
{
    const char *dir = test_path(name);
    EXPECT_INT(test_shell(NULL,
                          "mkdir -p '%s' && cp tests/golden/lora_dynamics/* '%s' && sed -i "
                          "'s/%s/%s/' '%s/adapter_config.json'",
                          dir, dir, from, to, dir),
               0);
    return dir;
}

static bool loads(const char *folder, const char *model, err *e)
{
    arena a = {0};
    lora_adapter *l = lora_load(folder, model_find(model), &a, e);
    bool ok = l != NULL;
    lora_unload(l);
    arena_free(&a);
    return ok;
}

// Its tensors again, with one left out (`drop`), or turned.
static void rewrite(const char *folder, const char *drop, const char *turn, const char *extra,
                    const char *meta_key, const char *meta_value)
{
    arena a = {0};
    err e = {0};
    safetensors *s =
        safetensors_open("tests/golden/lora_dynamics/adapter_model.safetensors", &a, &e);
    const safetensors_index *x = safetensors_listing(s);
    safetensors_source list[32];
    model_meta meta = {.arena = &a};
    int n = 0;
    for (int i = 0; i < x->n; i++) {
        const safetensors_entry *t = &x->list[i];
        float *data = NEW(&a, float, (size_t)t->count);
        EXPECT_OK(safetensors_read(s, i, data, &e), e);
        if (drop && strstr(t->name, drop))
            continue;
        list[n] = (safetensors_source){.name = t->name, .rank = t->rank, .data = data};
        for (int d = 0; d < t->rank; d++)
            list[n].dim[d] = t->dim[turn && strstr(t->name, turn) ? t->rank - 1 - d : d];
        n++;
    }
    if (extra)
        list[n] = list[0], list[n++].name = extra;
    if (meta_key)
        meta_set(&meta, meta_key, meta_value);
    EXPECT_OK(safetensors_write(arena_printf(&a, "%s/adapter_model.safetensors", folder), list, n,
                                &meta, &e),
              e);
    safetensors_close(s);
    arena_free(&a);
}

TEST(adapter_tensors_must_be_those_of_the_configuration)
{
    err e = {0};
    const char *d = copied("bad", "x", "x"), *m = "dynamics_engine";
    EXPECT_OK(loads(d, m, &e), e);
    rewrite(d, "fc2.lora_B", NULL, NULL, NULL, NULL);
    EXPECT_ERR(loads(d, m, &e), e, ERR_MISMATCH, "missing: base_model.model.fc2.lora_B.weight");
    rewrite(d, NULL, "fc2.lora_A", NULL, NULL, NULL);
    EXPECT_ERR(loads(d, m, &e), e, ERR_MISMATCH,
               "base_model.model.fc2.lora_A.weight (is [128, 2], must be [2, 128])");
    rewrite(d, NULL, NULL, "base_model.model.fc3.lora_A.weight", NULL, NULL);
    EXPECT_ERR(loads(d, m, &e), e, ERR_MISMATCH, "unexpected: base_model.model.fc3.lora_A.weight");
    EXPECT_ERR(loads("tests/golden/lora_dynamics", "groove_predictor", &e), e, ERR_MISMATCH,
               "wrong shape");
    EXPECT_ERR(loads("tests/golden/lora_dynamics", "melody_transformer", &e), e, ERR_MISMATCH,
               "wrong shape");
    EXPECT_ERR(loads("tests/golden", m, &e), e, ERR_MISSING,
               "is no adapter: a folder with adapter_config.json");
    EXPECT_ERR(loads(copied("other", "fc\\[12\\]", "q_proj"), m, &e), e, ERR_VALUE,
               "matches no layer of dynamics_engine");
    EXPECT_ERR(loads(copied("dora", "\"use_dora\": false", "\"use_dora\": true"), m, &e), e,
               ERR_MISMATCH, "DoRA");
    rewrite(copied("meant", "x", "x"), NULL, NULL, NULL, "model", "groove_predictor");
    EXPECT_ERR(loads(test_path("meant"), m, &e), e, ERR_MISMATCH,
               "adapts a groove_predictor, not a dynamics_engine");
    d = copied("outer/mine", "x", "x");
    EXPECT_ERR(loads(test_path("outer"), m, &e), e, ERR_MISSING,
               "it holds adapters by name, give one of them: '");
    EXPECT_HAS(e.text, "outer/mine'");
    EXPECT_OK(loads(d, m, &e), e);
    d = copied("pickle", "x", "x");
    EXPECT_INT(test_shell(NULL, "cd '%s' && mv adapter_model.safetensors adapter_model.bin", d), 0);
    EXPECT_ERR(loads(d, m, &e), e, ERR_FORMAT, "a pickle that could run anything");
}

// A header that lies, and gigabytes of nothing behind the name of one.
TEST(adapter_files_that_lie_are_refused_before_they_are_read)
{
    err e = {0};
    arena a = {0};
    const char *d = copied("lies", "x", "x"), *m = "dynamics_engine",
               *path = arena_printf(&a, "%s/adapter_model.safetensors", d);
    int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
    EXPECT(fd >= 0 && ftruncate(fd, (off_t)4 << 30) == 0);
    EXPECT_ERR(loads(d, m, &e), e, ERR_FORMAT, "no safetensors file");
    static const char header[] = "{\"base_model.model.fc1.lora_A.weight\":{\"dtype\":\"F32\","
                                 "\"shape\":[1073741816,1],\"data_offsets\":[0,4294967264]}}";
    uint64_t n = sizeof header - 1;
    EXPECT(pwrite(fd, &n, 8, 0) == 8 && pwrite(fd, header, n, 8) == (ssize_t)n &&
           ftruncate(fd, (off_t)(8 + n + 4294967264)) == 0);
    EXPECT_ERR(loads(d, m, &e), e, ERR_MISMATCH,
               "fc1.lora_A.weight (is [1073741816, 1], must be [2, 32])");
    static const char beyond[] = "{\"base_model.model.fc1.lora_A.weight\":{\"dtype\":\"F32\","
                                 "\"shape\":[2,32],\"data_offsets\":[4096,4352]}}";
    n = sizeof beyond - 1;
    EXPECT(pwrite(fd, &n, 8, 0) == 8 && pwrite(fd, beyond, n, 8) == (ssize_t)n &&
           ftruncate(fd, (off_t)(8 + n + 256)) == 0);
    EXPECT_ERR(loads(d, m, &e), e, ERR_DAMAGED, "lies outside the file's 256 bytes of data");
    close(fd);
    arena_free(&a);
}

TEST(adapter_of_another_base_or_dialect_is_refused)
{
    err e = {0};
    net f;
    const model_def *m = model_find("dynamics_engine");
    arena a = {0};
    char hex[65];
    if (!net_open(&f, m->name, NULL))
        return;
    params_fingerprint(f.p, hex);
    const char *d = copied("base", "x", "x");
    model_meta base = {.arena = &a};
    meta_set(&base, "settings", "{\"tokens\": {\"dialect\": \"note-seq-388\", \"bins\": 32}}");
    rewrite(d, NULL, NULL, NULL, "base_fingerprint", hex);
    EXPECT_OK(lora_apply(f.p, m, &base, &(lora_use){d, 0}, 1, &e), e);
    rewrite(d, NULL, NULL, NULL, "base_fingerprint",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    EXPECT_ERR(lora_apply(f.p, m, &base, &(lora_use){d, 1}, 1, &e), e, ERR_MISMATCH,
               "adapts another base: the weights with the fingerprint 0123456789ab");
    rewrite(d, NULL, NULL, NULL, "settings",
            "{\"tokens\": {\"bins\": 32, \"dialect\": \"note-seq-388\"}, \"mel\": {}}");
    EXPECT_OK(lora_apply(f.p, m, &base, &(lora_use){d, 0}, 1, &e), e);
    rewrite(d, NULL, NULL, NULL, "settings",
            "{\"tokens\": {\"bins\": 16, \"dialect\": \"note-seq-388\"}}");
    EXPECT_ERR(lora_apply(f.p, m, &base, &(lora_use){d, 1}, 1, &e), e, ERR_MISMATCH,
               "another dialect of tokens than the base");
    net_close(&f);
    arena_free(&a);
}

// A base that was imported says nothing of its tokens: a dialect that no model has is refused all
// the same, whoever wrote it.
TEST(adapter_of_a_dialect_that_is_not_there_is_refused)
{
    static const char
        type[] = "\"peft_type\"",
        other[] = "{\"tokens\": {\"dialect\": \"midi-neural-processor\", \"drums\": false}}";
    err e = {0};
    net f;
    const model_def *m = model_find("dynamics_engine");
    arena a = {0};
    if (!net_open(&f, m->name, NULL))
        return;
    EXPECT_STR(model_find("emotion_midi_transformer")->dialect, TOKENS_DIALECT);
    const char *d = copied("foreign", "x", "x");
    rewrite(d, NULL, NULL, NULL, "settings", other);
    EXPECT_ERR(lora_apply(f.p, m, NULL, &(lora_use){d, 1}, 1, &e), e, ERR_MISMATCH,
               "its adapter_model.safetensors says that its tokens are of the dialect "
               "'midi-neural-processor', and this kmidi has "
               "note-seq-388; train it anew");
    EXPECT_HAS(e.text, d);
    EXPECT_ERR(lora_load_any(d, &a, &e), e, ERR_MISMATCH, "midi-neural-processor");
    d = copied("known", type, "\"dialect\": \"note-seq-388\", \"peft_type\"");
    EXPECT_OK(lora_apply(f.p, m, NULL, &(lora_use){d, 0}, 1, &e), e);
    model_meta base = {.arena = &a};
    meta_set(&base, "settings", "{\"tokens\": {\"dialect\": \"another\"}}");
    EXPECT_ERR(lora_apply(f.p, m, &base, &(lora_use){d, 1}, 1, &e), e, ERR_MISMATCH,
               "another dialect of tokens than the base");
    d = copied("named", type, "\"dialect\": \"remi\", \"peft_type\"");
    EXPECT_ERR(loads(d, m->name, &e), e, ERR_MISMATCH,
               "its adapter_config.json says that its tokens are of the dialect 'remi'");
    d = copied("number", type, "\"dialect\": 388, \"peft_type\"");
    EXPECT_ERR(loads(d, m->name, &e), e, ERR_VALUE,
               "'dialect' is not the name of a dialect of tokens");
    net_close(&f);
    arena_free(&a);
}
