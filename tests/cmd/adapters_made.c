// SPDX-License-Identifier: GPL-3.0-or-later
// adapters_made.c: see adapters_made.h.
#include "tests/cmd/adapters_made.h"

#include <stdio.h>

#include "train/folder.h"

// A run of a few steps in `dir`, whole or (with `base`) of adapters.
static void make_run(const char *model, const lora_config *lora, const char *base, const char *dir)
{
    small_run s;
    err e = {0};
    trainer_result r;
    small_open(&s, model, 4, 3);
    s.o.hyper.lr = base ? 0.02f : 1e-3f, s.o.epochs = 3, s.o.save_every = 0;
    if (lora)
        s.o.lora = *lora, s.o.lora_base = base;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    folder *f = t ? folder_create(dir, false, NULL, &s.a, &e) : NULL;
    EXPECT_OK(f && trainer_attach(t, f, &e) && trainer_run(t, &r, &e), e);
    trainer_close(t), folder_close(f);
    small_close(&s);
}

const char *adapters_made(const char *model, const lora_config *lora)
{
    const char *out, *k = test_kmidi();
    static char dir[512];
    snprintf(dir, sizeof dir, "%s", test_dir());
    make_run(model, NULL, NULL, test_path("base"));
    make_run(model, lora, test_path("base"), test_path("run"));
    RUN(0, "%s export '%s/run' --format adapter -o '%s/adapter' --json", k, dir, dir);
    EXPECT_HAS(out, "\"format\": \"adapter\"");
    RUN(0, "%s merge '%s/base' '%s/adapter' -o '%s/merged.h5' --json", k, dir, dir, dir);
    EXPECT_HAS(out, "\"unmerged_difference\": ");
    EXPECT_HAS(out, "\"largest_output_change\": ");
    RUN(0,
        "%s export '%s/base' --format safetensors -o '%s/base.safetensors' && %s export "
        "'%s/merged.h5' --format safetensors -o "
        "'%s/merged.safetensors'",
        k, dir, dir, k, dir, dir);
    return dir;
}

void adapters_made_beside(const char *model, const lora_config *lora, const char *name)
{
    const char *out, *dir = test_dir();
    char made[512];
    snprintf(made, sizeof made, "%s/run-%s", dir, name);
    make_run(model, lora, test_path("base"), made);
    RUN(0, "%s export '%s' --format adapter -o '%s/%s'", test_kmidi(), made, dir, name);
}

static const char *const melody[] = {"fc1", "fc2", "fc3", "lstm.weight_ih_l0"};
static const char *const both[] = {"fc2", "weight_hh_l0", "weight_ih_l0"}, *const saved[] = {"fc3"};
const lora_config adapters_melody = {.r = 8,
                                     .alpha = 16,
                                     .dropout = 0.1,
                                     .together = true,
                                     .targets.names = {melody, 4}},
                  adapters_both = {.r = 4,
                                   .alpha = 4,
                                   .rslora = true,
                                   .together = true,
                                   .targets.names = {both, 3},
                                   .save = {saved, 1},
                                   .ranks = {(const char *const[]){"fc2"}, (const double[]){2}, 1}};
