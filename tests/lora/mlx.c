// SPDX-License-Identifier: GPL-3.0-or-later
// mlx.c (tests): an adapter by DoRA as MLX has it, read again; and what is missing or wrong in such
// a folder is named.
#include "lora/mlx.h"

#include <math.h>
#include <string.h>

#include "export/safetensors.h"
#include "lora/adapter.h"
#include "tests/lora/adapter_net.h"
#include "tests/test.h"

static const char MODEL[] = "groove_predictor", GOLDEN[] = "tests/golden/lora_lengths";

static void put(params *p, const char *name, const params *from, int at)
{
    memcpy(params_at(p, params_find(p, name)), params_at(from, at),
           sizeof(float) * (size_t)from->list[at].count);
}

// PEFT's adapter by DoRA in a network of its base, with the alpha of `still` at 0 (NULL: of none),
// written for MLX. What its weights become by PEFT's folder is put into `want`.
static void write_folder(const char *folder, const char *still, float *want)
{
    static const double none = 0;
    arena a = {0};
    err e = {0};
    net f, merged;
    const model_def *m = model_find(MODEL);
    model_meta meta = {.arena = &a};
    lora_adapter *l = lora_load(GOLDEN, m, &a, &e);
    if (!test_expect(l != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    if (still)
        l->config.alphas = (lora_pattern){.keys = &still, .values = &none, .n = 1};
    EXPECT((l->sites = lora_match(&l->config, m, false, &a, &e)) != NULL);
    if (!net_open(&f, m->name, l->sites) || !net_open(&merged, m->name, NULL))
        return;
    for (int i = 0; i < l->sites->n; i++) {
        const adapter_site *s = &l->sites->site[i];
        put(f.p, s->a, l->p, 2 * i), put(f.p, s->b, l->p, 2 * i + 1);
        put(f.p, s->m, l->p, lora_length_at(l, i));
    }
    EXPECT_OK(lora_save_mlx(folder, f.p, l->sites, NULL, &meta, &e), e);
    EXPECT_OK(lora_add_whole(merged.p, l, &e), e);
    memcpy(want, merged.p->weights, sizeof *want * (size_t)merged.p->weights_len);
    lora_unload(l);
    net_close(&f), net_close(&merged);
    arena_free(&a);
}

// The base with the folder added is what PEFT's folder makes of it.
static void expect_back(const char *folder, const float *want)
{
    net f;
    err e = {0};
    if (!net_open(&f, MODEL, NULL))
        return;
    EXPECT_OK(lora_add_mlx(folder, f.p, &e), e);
    EXPECT_BELOW(test_distance(f.p->weights, want, (size_t)f.p->weights_len), 2e-7);
    net_close(&f);
}

static float want[32768];

TEST(mlx_adapter_by_dora_comes_back)
{
    write_folder(test_path("mlx"), NULL, want);
    expect_back(test_path("mlx"), want);
}

// An alpha of 0 leaves B A out; the other layers keep theirs, whichever comes first.
TEST(mlx_adapter_with_an_alpha_of_0_comes_back)
{
    static const char *const still[] = {"fc1", "fc2", "fc."};
    for (int i = 0; i < 3; i++) {
        const char *folder = test_path(still[i]);
        write_folder(folder, still[i], want);
        expect_back(folder, want);
    }
}

// The folder again, with fc2's magnitudes called `name` (NULL: left out), of `n` numbers.
static const char *with_lengths(const char *to, const char *name, int64_t n)
{
    arena a = {0};
    err e = {0};
    weights_source list[9];
    model_meta meta = {.arena = &a};
    int count = 0;
    const char *folder = test_path(to);
    write_folder(folder, NULL, want);
    const char *path = arena_printf(&a, "%s/adapters.safetensors", folder);
    safetensors *s = safetensors_open(path, &a, &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return folder;
    const weights_index *x = safetensors_listing(s);
    for (int i = 0; i < x->n; i++) {
        const weights_entry *t = &x->list[i];
        float *data = NEW(&a, float, (size_t)t->count);
        EXPECT_OK(safetensors_read(s, i, data, &e), e);
        bool is = !strcmp(t->name, "fc2.m");
        if (is && !name)
            continue;
        list[count] = (weights_source){.name = is ? name : t->name, .rank = t->rank, .data = data};
        memcpy(list[count].dim, t->dim, sizeof *t->dim * (size_t)t->rank);
        if (is)
            list[count].dim[0] = n;
        count++;
    }
    safetensors_close(s);
    EXPECT_OK(safetensors_write(path, list, count, &meta, &e), e);
    arena_free(&a);
    return folder;
}

TEST(mlx_adapter_by_dora_with_lengths_that_are_none)
{
    static const char missing[] = "there is no 'fc2.m' of 64 numbers in it";
    const char *const folder[] = {with_lengths("none", NULL, 0), with_lengths("other", "fc2.n", 64),
                                  with_lengths("short", "fc2.m", 63)};
    net f;
    err e = {0};
    if (!net_open(&f, MODEL, NULL))
        return;
    for (int i = 0; i < 3; i++) {
        EXPECT_ERR(lora_add_mlx(folder[i], f.p, &e), e, ERR_MISMATCH, missing);
        EXPECT_HAS(e.text, folder[i]);
    }
    EXPECT_OK(lora_add_mlx(with_lengths("whole", "fc2.m", 64), f.p, &e), e);
    net_close(&f);
}
