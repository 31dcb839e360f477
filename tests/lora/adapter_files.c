// SPDX-License-Identifier: GPL-3.0-or-later
// adapter_files.c: adapter folders that are not what they say are refused by name.
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/music/tokens.h"
#include "export/safetensors.h"
#include "lora/adapter.h"
#include "tests/lora/adapter_net.h"
#include "tests/test.h"

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
    const weights_index *x = safetensors_listing(s);
    weights_source list[32];
    model_meta meta = {.arena = &a};
    int n = 0;
    for (int i = 0; i < x->n; i++) {
        const weights_entry *t = &x->list[i];
        float *data = NEW(&a, float, (size_t)t->count);
        EXPECT_OK(safetensors_read(s, i, data, &e), e);
        if (drop && strstr(t->name, drop))
            continue;
        list[n] = (weights_source){.name = t->name, .rank = t->rank, .data = data};
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
               ERR_MISMATCH, "missing: base_model.model.fc1.lora_magnitude_vector");
    rewrite(copied("meant", "x", "x"), NULL, NULL, NULL, "model", "groove_predictor");
    EXPECT_ERR(loads(test_path("meant"), m, &e), e, ERR_MISMATCH,
               "adapts groove_predictor, not dynamics_engine");
    d = copied("outer/mine", "x", "x");
    EXPECT_ERR(loads(test_path("outer"), m, &e), e, ERR_MISSING,
               "it holds adapters by name, give one of them: '");
    EXPECT_HAS(e.text, "outer/mine'");
    EXPECT_OK(loads(d, m, &e), e);
    d = copied("pickle", "x", "x");
    EXPECT_INT(test_shell(NULL, "cd '%s' && mv adapter_model.safetensors adapter_model.bin", d), 0);
    EXPECT_ERR(loads(d, m, &e), e, ERR_FORMAT, "a pickle that could run anything");
}

// PEFT's adapter by DoRA with one number of a magnitude, or all of fc2's, changed; `wide`: as a
// matrix. `behind`: added to the names of magnitudes.
static const char *with_magnitude(const char *name, float value, bool all, bool wide,
                                  const char *behind)
{
    arena a = {0};
    err e = {0};
    const char *dir = test_path(name), *golden = "tests/golden/lora_lengths";
    EXPECT_INT(test_shell(NULL, "mkdir -p '%s' && cp %s/* '%s'", dir, golden, dir), 0);
    safetensors *s =
        safetensors_open(arena_printf(&a, "%s/adapter_model.safetensors", golden), &a, &e);
    const weights_index *x = safetensors_listing(s);
    weights_source list[9];
    model_meta meta = {.arena = &a};
    EXPECT_INT(x->n, 9);
    for (int i = 0; i < x->n; i++) {
        const weights_entry *t = &x->list[i];
        float *data = NEW(&a, float, (size_t)t->count);
        EXPECT_OK(safetensors_read(s, i, data, &e), e);
        list[i] = (weights_source){.name = t->name, .rank = t->rank, .data = data};
        memcpy(list[i].dim, t->dim, sizeof list[i].dim);
        if (strstr(t->name, "lora_magnitude"))
            list[i].name = arena_printf(&a, "%s%s", t->name, behind);
        if (strstr(t->name, "fc2.lora_magnitude")) {
            data[5] = value;
            for (int64_t k = 0; all && k < t->count; k++)
                data[k] = value;
            if (wide)
                list[i].rank = 2, list[i].dim[1] = list[i].dim[0], list[i].dim[0] = 1;
        }
    }
    EXPECT_OK(safetensors_write(arena_printf(&a, "%s/adapter_model.safetensors", dir), list, x->n,
                                &meta, &e),
              e);
    safetensors_close(s);
    arena_free(&a);
    return dir;
}

TEST(adapters_by_dora_with_lengths_that_are_none)
{
    err e = {0};
    const char *m = "groove_predictor";
    EXPECT_ERR(loads(with_magnitude("wide", 1, false, true, ""), m, &e), e, ERR_MISMATCH,
               "fc2.lora_magnitude_vector (is [1, 64], must be [64])");
    EXPECT_ERR(loads(with_magnitude("nan", NAN, false, false, ""), m, &e), e, ERR_VALUE,
               "element 5 of tensor 'base_model.model.fc2.lora_magnitude_vector' is no finite");
    EXPECT_ERR(loads(with_magnitude("inf", INFINITY, true, false, ""), m, &e), e, ERR_VALUE,
               "element 0 of tensor 'base_model.model.fc2.lora_magnitude_vector' is no finite");
    const char *plain = with_magnitude("plain", 1, false, false, "");
    EXPECT_INT(test_shell(NULL,
                          "sed -i 's/use_dora\": true/use_dora\": false/' '%s/adapter_config.json'",
                          plain),
               0);
    EXPECT_ERR(loads(plain, m, &e), e, ERR_MISMATCH,
               "unexpected: base_model.model.fc1.lora_magnitude_vector");
    // a length of 0 is one, and the row is then 0; a row that has none cannot be given one
    net f;
    const char *zero = with_magnitude("zero", 0, true, false, "");
    if (!net_open(&f, m, NULL))
        return;
    float *w = params_at(f.p, params_find(f.p, "fc2.weight"));
    EXPECT_OK(lora_apply(f.p, model_find(m), NULL, &(lora_use){zero, 1}, 1, &e), e);
    for (int64_t i = 0; i < f.p->list[params_find(f.p, "fc2.weight")].count; i++)
        EXPECT(w[i] == 0);
    arena a = {0};
    lora_adapter *l = lora_load(zero, model_find(m), &a, &e);
    memset(params_at(l->p, 3), 0, sizeof(float) * (size_t)l->p->list[3].count); // B of fc2
    EXPECT_ERR(
        lora_add_whole(f.p, l, &e), e, ERR_VALUE,
        "': with it row 0 of 'fc2.weight' has the length 0, and DoRA divides by it: give the "
        "base that it was trained on");
    EXPECT_HAS(e.text, zero);
    w[0] = INFINITY;
    EXPECT_ERR(lora_apply(f.p, model_find(m), NULL, &(lora_use){zero, 1}, 1, &e), e, ERR_VALUE,
               "': with it row 0 of 'fc2.weight' has the length inf");
    EXPECT_HAS(e.text, zero);
    w[0] = 0;
    EXPECT_ERR(
        lora_begin(f.p, lora_unmerged((const lora_adapter *const[]){l}, (double[]){1}, 1, &a), &e),
        e, ERR_VALUE,
        "row 0 of 'fc2.weight' has the length 0, and DoRA divides by it: leave that layer");
    lora_unload(l);
    net_close(&f);
    arena_free(&a);
}

TEST(adapters_by_dora_under_the_names_of_their_parameters)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find("groove_predictor");
    const char *inner = with_magnitude("inner", 1, false, false, ".weight");
    lora_adapter *x = lora_load(inner, m, &a, &e),
                 *y = lora_load(with_magnitude("outer", 1, false, false, ""), m, &a, &e);
    if (test_expect(x && y, __FILE__, __LINE__, "%s", e.text)) {
        EXPECT_INT(x->p->weights_len, y->p->weights_len);
        EXPECT(!memcmp(x->p->weights, y->p->weights, sizeof(float) * (size_t)y->p->weights_len));
    }
    EXPECT_ERR(loads(with_magnitude("odd", 1, false, false, ".bias"), m->name, &e), e, ERR_MISMATCH,
               "missing: base_model.model.fc1.lora_magnitude_vector");
    lora_unload(x), lora_unload(y);
    arena_free(&a);
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
    EXPECT_ERR(loads(d, m, &e), e, ERR_DAMAGED, "follows a hole in the data");
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
