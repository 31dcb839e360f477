// SPDX-License-Identifier: GPL-3.0-or-later
// options.c (tests): budgets of profiles, what the table alone cannot refuse, and that every
// configuration in configs/ is understood.
#include <string.h>

#include "base/file.h"
#include "tests/test.h"
#include "train/options.h"

#include <stdio.h>

static arena mem;

static bool read_text(const char *text, uint64_t machine, train_options *o, err *e)
{
    arena_free(&mem);
    config *c = config_open(&train_table, &mem);
    return config_parse(c, text, strlen(text), "x.yaml", e) && config_finish(c, e) &&
           train_options_read(c, machine, o, &mem, e);
}

#define BASE   "model: emotion_recognizer\ndata: {train: a.h5, val: b.h5}\n"
#define GIB(n) ((uint64_t)(n) << 30)

TEST(options_budgets_of_profiles)
{
    static const struct {
        const char *memory;
        uint64_t machine, budget;
    } cases[] = {
        {"", GIB(64), GIB(40)},
        {"memory: {beside_llm: true}\n", GIB(64), GIB(2)},
        {"", GIB(24) - GIB(1), GIB(18)},
        {"", GIB(15), GIB(12)},
        {"", GIB(8), GIB(6)},
        {"memory: {profile: 16gb}\n", GIB(64), GIB(12)},
        {"memory: {profile: 24gb, beside_llm: true}\n", GIB(24) - GIB(1), GIB(7)},
        {"memory: {profile: 48gb}\n", GIB(47), GIB(40)},
        {"memory: {profile: 48gb, budget: 40GiB}\n", GIB(4), GIB(40)},
        {"memory: {profile: 16gb, budget: 6GiB}\n", GIB(64), GIB(6)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400] = BASE;
        train_options o;
        err e = {0};
        EXPECT_OK(read_text(strcat(text, cases[i].memory), cases[i].machine, &o, &e), e);
        EXPECT_INT(o.budget, cases[i].budget);
    }
}

TEST(options_refuse_profiles_beyond_the_machine)
{
    train_options o;
    err e = {0};
    EXPECT_ERR(read_text(BASE "memory: {profile: 48gb}\n", GIB(23), &o, &e), e, ERR_CONFIG,
               "x.yaml:3:10: memory.profile=48gb is for a machine of 48 GB, and this process may "
               "use 23.0 GiB; take memory.profile=auto, or "
               "set what it may use itself: memory.budget=40GiB");
    EXPECT_ERR(read_text(BASE "memory: {profile: 24gb, beside_llm: true}\n", GIB(16), &o, &e), e,
               ERR_CONFIG, "memory.budget=7GiB");
    EXPECT_OK(read_text(BASE "memory: {profile: 16gb, beside_llm: true}\n", GIB(16), &o, &e), e);
    EXPECT_STR(o.budget_from, "16gb less 8.5 GB of a language model");
}

TEST(options_keep_a_batch_whole_where_norms_need_it)
{
    train_options o;
    err e = {0};
#define NORMS "model: instrument_recognizer\ndata: {train: a.h5, val: b.h5}\n"
    EXPECT_ERR(read_text(NORMS "train: {batch_size: 1}\n", GIB(16), &o, &e), e, ERR_CONFIG,
               "x.yaml:3:9: 'train.batch_size' is 1, and instrument_recognizer takes means");
    EXPECT_ERR(
        read_text(NORMS "train: {batch_size: 8}\nmemory: {micro_batch: 4}\n", GIB(16), &o, &e), e,
        ERR_CONFIG, "x.yaml:4:10: 'memory.micro_batch' is 4");
    EXPECT_OK(
        read_text(NORMS "train: {batch_size: 8}\nmemory: {micro_batch: 8}\n", GIB(16), &o, &e), e);
    EXPECT(train_bound(&o));
    EXPECT_OK(read_text(BASE "train: {batch_size: 1}\n", GIB(16), &o, &e), e);
    EXPECT(!train_bound(&o));
}

TEST(options_refuse_what_contradicts)
{
    train_options o;
    err e = {0};
    EXPECT_ERR(read_text(BASE "schedule: {warmup_steps: 5, warmup_epochs: 1}\n", GIB(16), &o, &e),
               e, ERR_CONFIG, "x.yaml:3:12: 'schedule.warmup_steps' and");
    EXPECT_ERR(read_text(BASE "optim: {name: sgd, nesterov: true}\n", GIB(16), &o, &e), e,
               ERR_CONFIG, "needs an 'optim.momentum' above 0");
    EXPECT_ERR(read_text(BASE "run_name: ../up\n", GIB(16), &o, &e), e, ERR_CONFIG,
               "must be a plain name");
    EXPECT_ERR(read_text("model: x\n", GIB(16), &o, &e), e, ERR_CONFIG, "'data.train' is not set");
    EXPECT_ERR(
        read_text(
            "model: emotion_recognizer\ndata: {train: [a.h5], augment: {stretch: [1.1, 0.9]}}\n",
            GIB(16), &o, &e),
        e, ERR_CONFIG, "is [lowest, highest]");
    EXPECT_ERR(
        read_text(
            "model: emotion_recognizer\ndata: {train: [a.h5], augment: {transpose: [-1.5, 2]}}\n",
            GIB(16), &o, &e),
        e, ERR_CONFIG, "whole semitones");
    EXPECT_OK(read_text(BASE "optim: {name: sgd}\n", GIB(16), &o, &e), e);
    EXPECT_NEAR(o.hyper.weight_decay, 0, 0);
    EXPECT_OK(read_text(BASE, GIB(16), &o, &e), e);
    EXPECT_NEAR(o.hyper.weight_decay, 0.01, 1e-9);
    arena_free(&mem);
}

TEST(options_of_augmentation)
{
    train_options o;
    err e = {0};
    EXPECT_OK(read_text(BASE, GIB(16), &o, &e), e);
    EXPECT(!augment_midi_asked(&o.data.midi));
    const char *text = "model: emotion_recognizer\ndata:\n  train: [a.h5]\n"
                       "  augment: {transpose: [-5, 6], stretch: [0.95, 1.05], velocity: [0.9, "
                       "1.1], drop: 0.05}\n";
    EXPECT_OK(read_text(text, GIB(16), &o, &e), e);
    EXPECT(o.data.midi.transpose[0] == -5 && o.data.midi.transpose[1] == 6 &&
           o.data.midi.stretch[0] == 0.95);
    EXPECT(o.data.midi.stretch[1] == 1.05 && o.data.midi.velocity[0] == 0.9 &&
           o.data.midi.velocity[1] == 1.1 && o.data.midi.drop == 0.05);
    arena_free(&mem);
}

TEST(options_of_conditions)
{
    train_options o;
    err e = {0};
    EXPECT_OK(read_text(BASE, GIB(16), &o, &e), e);
    EXPECT_NEAR(o.condition_dropout, 0, 0);
    EXPECT_OK(read_text(BASE "train: {condition_dropout: 0.15}\n", GIB(16), &o, &e), e);
    EXPECT_NEAR(o.condition_dropout, 0.15, 0);
    EXPECT_ERR(read_text(BASE "train: {condition_dropout: 1}\n", GIB(16), &o, &e), e, ERR_CONFIG,
               "from 0 to 0.999");
    arena_free(&mem);
}

TEST(options_of_the_transformers_sizes)
{
    static const char head[] = "model: emotion_midi_transformer\ndata: {train: x.h5}\n";
    train_options o;
    err e = {0};
    char text[400];
    EXPECT_OK(read_text(head, GIB(16), &o, &e), e);
    EXPECT(o.model == model_find("emotion_midi_transformer") && !o.sized);
    snprintf(text, sizeof text,
             "%stransformer: {layers: 4, dim: 128, heads: 4, ffn: 512, cross: [0]}\n", head);
    EXPECT_OK(read_text(text, GIB(16), &o, &e), e);
    EXPECT_INT(o.model->params, 1309312);
    EXPECT(o.sized);
    snprintf(text, sizeof text, "%stransformer: {heads: 5}\n", head);
    EXPECT_ERR(read_text(text, GIB(16), &o, &e), e, ERR_CONFIG, "5 heads");
    snprintf(text, sizeof text, "%stransformer: {cross: [0.5]}\n", head);
    EXPECT_ERR(read_text(text, GIB(16), &o, &e), e, ERR_CONFIG, "'cross=0.5' is not a size");
    arena_free(&mem);
}

TEST(options_of_all_shipped_configurations)
{
    static const char *const patterns[] = {"configs/*.yaml", "configs/profiles/*.yaml"};
    for (int k = 0; k < 2; k++) {
        arena a = {0};
        err e = {0};
        size_t n = 0;
        char **list = file_glob(&a, patterns[k], &n, &e);
        EXPECT_OK(list != NULL, e);
        for (size_t i = 0; list && i < n; i++) {
            config *c = config_open(&train_table, &a);
            train_options o;
            EXPECT_OK(config_load(c, list[i], &e), e);
            if (k == 0)
                EXPECT_OK(config_finish(c, &e) && train_options_read(c, GIB(16), &o, &a, &e), e);
        }
        arena_free(&a);
    }
}

static bool refuses(const char *lora, const char *part)
{
    err e = {0};
    char text[600];
    snprintf(
        text, sizeof text,
        "model: melody_transformer\ndata: {train: a.h5, val: b.h5}\nlora:\n  base: base.h5\n%s",
        lora);
    train_options o;
    bool ok = !read_text(text, GIB(8), &o, &e) && e.code == ERR_CONFIG && strstr(e.text, part);
    if (!ok)
        printf("%s instead of %s\n", e.text, part);
    return ok;
}

TEST(options_of_other_adapters_are_refused_by_name)
{
    EXPECT(refuses("  target_modules: [fc1]\n  use_qalora: true\n",
                   "x.yaml:6:3: 'lora.use_qalora' is no key here: QALoRA is a method that kmidi"));
    EXPECT(refuses("  target_modules: [fc1, lstm.weight_ih_l0]\n  use_dora: true\n",
                   "'lstm.weight_ih_l0' is adapted as a parameter, and DoRA is of linear layers"));
    EXPECT(refuses("  target_modules: [fc1]\n  bias: lora_only\n",
                   "'lora.bias' is no key here: biases stay as they are"));
    EXPECT(refuses("  target_modules: [fc1]\n  loftq_config: {bits: 4}\n",
                   "'lora.loftq_config' is no key here: LoftQ is a method"));
    EXPECT(refuses("  target_modules: [fc1]\n  target_parameters: [lstm.weight_ih_l0]\n",
                   "are named in lora.target_modules"));
    EXPECT(refuses("  target_modules: [fc1]\n  use_rsloraa: true\n",
                   "unknown key 'lora.use_rsloraa'; did you mean"));
    EXPECT(refuses("  target_modules: fc[12]\n  layers_to_transform: [0]\n",
                   "x.yaml:5:3: lora: layers_to_transform counts for a list"));
    EXPECT(refuses("  target_modules: [fc1]\n  layers_pattern: blocks\n",
                   "'lora.layers_pattern' says nothing without"));
    EXPECT(refuses("  target_modules: [fc1]\n  rank_pattern: {fc4: 2}\n",
                   "rank_pattern: 'fc4' matches none of the targets"));
    EXPECT(refuses("  target_modules: [fc1]\n  exclude_modules: [fc5]\n",
                   "exclude_modules: 'fc5' matches no layer"));
}
