// SPDX-License-Identifier: GPL-3.0-or-later
// adapters.c (tests): from a base and a training run to an adapter's folder, back by merge, and
// through Hugging Face PEFT.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/larger.h"
#include "export/safetensors.h"
#include "tests/train/small.h"
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

#define RUN(want, ...) EXPECT_INT(test_shell(&out, __VA_ARGS__), want)

// DIR/base, DIR/run, DIR/adapter, DIR/merged.h5 and the weights of both as safetensors.
static const char *make_all(const char *model, const lora_config *lora)
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

static const char *const melody[] = {"fc1", "fc2", "fc3", "lstm.weight_ih_l0"};
static const char *const both[] = {"fc2", "weight_hh_l0", "weight_ih_l0"}, *const saved[] = {"fc3"};
static const lora_config melody_lora = {.r = 8,
                                        .alpha = 16,
                                        .dropout = 0.1,
                                        .together = true,
                                        .targets.names = {melody, 4}},
                         both_lora = {
                             .r = 4,
                             .alpha = 4,
                             .rslora = true,
                             .together = true,
                             .targets.names = {both, 3},
                             .save = {saved, 1},
                             .ranks = {(const char *const[]){"fc2"}, (const double[]){2}, 1}};

TEST(adapters_go_out_and_come_back)
{
    const char *out, *dir = make_all("melody_transformer", &melody_lora), *k = test_kmidi();
    // The merged file holds the weights that the run's own checkpoint stands for.
    RUN(0, "%s export '%s/run' --format safetensors -o '%s/run.safetensors'", k, dir, dir);
    arena a = {0};
    err e = {0};
    size_t n, m;
    const char *x = file_read(&a, test_path("run.safetensors"), 1 << 24, &n, &e),
               *y = file_read(&a, test_path("merged.safetensors"), 1 << 24, &m, &e);
    EXPECT(x && y && n > 641664 * 4 && m > 641664 * 4 &&
           !memcmp(x + n - 641664 * 4, y + m - 641664 * 4, 641664 * 4));
    RUN(0, "%s inspect '%s/adapter' --json", k, dir);
    EXPECT_HAS(out, "\"parameters\": 19968, \"of\": 641664, \"r\": 8, \"alpha\": 16");
    EXPECT_HAS(out,
               "\"lstm.weight_ih_l0\": {\"rank\": 8, \"scale\": 2.0, \"in\": 256, \"out\": 1024}");
    RUN(0, "%s verify '%s/adapter' '%s/run/checkpoints/last.h5'", k, dir, dir);
    RUN(0, "cd '%s/adapter' && ls", dir);
    EXPECT_STR(out, "adapter_config.json\nadapter_model.safetensors\n");
    // Another base is refused, by its weights.
    RUN(1, "%s merge '%s/merged.h5' '%s/adapter' -o '%s/twice.h5'", k, dir, dir, dir);
    EXPECT_HAS(out, "adapts another base: the weights with the fingerprint");
    EXPECT(!file_exists(test_path("twice.h5")));
    RUN(1, "%s export '%s/base' --format adapter -o '%s/none'", k, dir, dir);
    EXPECT_HAS(out, "has no adapter");
    RUN(1, "%s merge '%s/base' '%s/run' -o '%s/x.h5'", k, dir, dir, dir);
    EXPECT_HAS(out, "is no adapter: a folder with adapter_config.json");
    arena_free(&a);
}

TEST(adapters_merge_with_weights)
{
    const char *out, *dir = make_all("melody_transformer", &both_lora), *k = test_kmidi();
    RUN(0, "%s merge '%s/base' '%s/adapter:0.5' '%s/adapter:0.5' -o '%s/halves.h5' --json", k, dir,
        dir, dir, dir);
    EXPECT_HAS(out, "\"fc3.bias\": ");
    // A sum that overflows is not called equal.
    RUN(1, "%s merge '%s/base' '%s/adapter:1e44' -o '%s/over.h5'", k, dir, dir, dir);
    EXPECT_HAS(out, "the adapter's values are too large for f32");
    EXPECT(!file_exists(test_path("over.h5")));
    RUN(0, "%s export '%s/halves.h5' --format safetensors -o '%s/halves.safetensors'", k, dir, dir);
    arena a = {0};
    err e = {0};
    params *p[2];
    static const char *const names[] = {"halves.safetensors", "merged.safetensors"};
    for (int i = 0; i < 2; i++) {
        p[i] = params_open(&a);
        EXPECT_OK(model_build(model_find("melody_transformer"), p[i],
                              &(model_dims){.batch = 1, .time = 1}, &a, &e) &&
                      params_allocate(p[i], 0, &e) &&
                      safetensors_load_params(test_path(names[i]), p[i], NULL, &e),
                  e);
    }
    EXPECT_BELOW(test_distance(p[0]->weights, p[1]->weights, (size_t)p[0]->weights_len), 1e-7);
    params_release(p[0]), params_release(p[1]);
    arena_free(&a);
}

// ---- MLX

// Entry `name` of a safetensors file, a matrix.
static const float *matrix(const char *file, const char *name, int64_t dim[2], arena *a)
{
    err e = {0};
    safetensors *s = safetensors_open(test_path(file), a, &e);
    int i = s ? safetensors_find(s, name) : -1;
    if (!test_expect(i >= 0, __FILE__, __LINE__, "%s has no %s %s", file, name, e.text))
        return NULL;
    const weights_entry *t = &safetensors_listing(s)->list[i];
    float *x = NEW(a, float, (size_t)t->count);
    EXPECT_OK(safetensors_read(s, i, x, &e), e);
    dim[0] = t->dim[0], dim[1] = t->dim[1];
    safetensors_close(s);
    return x;
}

// W + scale (lora_a lora_b)^T is the merged weight, as the formula of MLX has it.
static void expect_merged(const char *layer, int64_t rank, double scale)
{
    arena a = {0};
    int64_t d[2], da[2] = {0}, db[2] = {0};
    const char *weight = arena_printf(&a, "%s.weight", layer);
    const float *base = matrix("base.safetensors", weight, d, &a),
                *merged = matrix("merged.safetensors", weight, d, &a),
                *fa = matrix("mlx/adapters.safetensors", arena_printf(&a, "%s.lora_a", layer), da,
                             &a),
                *fb = matrix("mlx/adapters.safetensors", arena_printf(&a, "%s.lora_b", layer), db,
                             &a);
    double worst = 0, change = 0;
    EXPECT(da[0] == d[1] && da[1] == rank && db[0] == rank && db[1] == d[0]);
    for (int64_t o = 0; base && merged && fa && fb && o < d[0]; o++)
        for (int64_t i = 0; i < d[1]; i++) {
            double sum = 0;
            for (int64_t k = 0; k < rank; k++)
                sum += (double)fa[i * rank + k] * (double)fb[k * d[0] + o];
            double was = (double)base[o * d[1] + i], is = (double)merged[o * d[1] + i];
            worst = larger(worst, fabs(was + scale * sum - is));
            change = larger(change, fabs(is - was));
        }
    EXPECT(worst < 1e-6 && change > 1e-3);
    arena_free(&a);
}

static const char *const plain[] = {"fc1", "fc2", "fc3"};

TEST(adapters_of_mlx_are_its_formula)
{
    const lora_config lora = {.r = 4,
                              .alpha = 12,
                              .targets.names = {plain, 3},
                              .ranks = {(const char *const[]){"fc2"}, (const double[]){2}, 1},
                              .alphas = {(const char *const[]){"fc3"}, (const double[]){5}, 1}};
    arena a = {0};
    err e = {0};
    size_t n;
    const char *out, *dir = make_all("melody_transformer", &lora), *k = test_kmidi();
    RUN(0, "%s export '%s/run' --format mlx-adapter -o '%s/mlx' --json", k, dir, dir);
    json *told = json_parse(out, strlen(out), &e);
    EXPECT_BELOW(json_num(json_get(told, "max_difference"), 1), 1e-5);
    EXPECT(json_num(json_get(told, "output_max"), 0) > 0);
    EXPECT_HAS(json_str(json_get(told, "checked"), ""), "folder read again, added to the base");
    json_free(told);
    const char *text = file_read(&a, test_path("mlx/adapter_config.json"), 1 << 16, &n, &e);
    json *j = text ? json_parse(text, n, &e) : NULL;
    const json *o = json_get(j, "lora_parameters");
    EXPECT_STR(json_str(json_get(j, "fine_tune_type"), ""), "lora");
    EXPECT_INT(json_int(json_get(o, "rank"), 0), 4);
    EXPECT_NEAR(json_num(json_get(o, "scale"), 0), 3, 1e-7);
    EXPECT_INT(json_len(json_get(o, "keys")), 3);
    json_free(j);
    for (int i = 0; i < 3; i++)
        expect_merged(plain[i], 4, 3);
    arena_free(&a);
    if (!getenv("MLX_PYTHON")) {
        test_skip("MLX_PYTHON does not name a Python with mlx_lm");
        return;
    }
    int status = test_shell(&out, "\"$MLX_PYTHON\" tests/peers/mlx_check.py '%s'", dir);
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
}

TEST(adapters_that_mlx_lacks_are_refused)
{
    const char *out, *dir = make_all("melody_transformer", &melody_lora), *k = test_kmidi();
    RUN(1, "%s export '%s/run' --format mlx-adapter -o '%s/mlx'", k, dir, dir);
    EXPECT_HAS(out,
               "MLX adapts linear layers, and 'lstm.weight_ih_l0' is of none; export as adapter");
    EXPECT(!file_exists(test_path("mlx/adapter_config.json")));
    RUN(1, "%s export '%s/base' --format mlx-adapter -o '%s/mlx'", k, dir, dir);
    EXPECT_HAS(out, "has no adapter");
}

static void through_peft(const char *model, const lora_config *lora)
{
    const char *out, *dir = make_all(model, lora), *k = test_kmidi();
    int status =
        test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/peft_check.py %s '%s'", model, dir);
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    RUN(0,
        "%s merge '%s/base' '%s/back' -o '%s/back.h5' --json && %s export '%s/back.h5' --format "
        "safetensors -o '%s/back.safetensors'",
        k, dir, dir, dir, k, dir, dir);
    // of weights, no header among them
    long long bytes =
        4 * model_find(model)->params < 2000000 ? 4 * model_find(model)->params : 2000000;
    RUN(0,
        "for f in back merged; do tail -c %lld '%s/'$f.safetensors > '%s/'$f.tail; done; cmp "
        "'%s/back.tail' '%s/merged.tail'",
        bytes, dir, dir, dir, dir);
}

TEST(adapters_through_peft_and_back)
{
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("melody_transformer", &melody_lora);
}

TEST(adapters_of_several_matrices_through_peft_and_back)
{
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("melody_transformer", &both_lora);
}

TEST(adapters_of_audio_through_peft_and_back)
{
    static const lora_config lora = {
        .r = 4, .alpha = 8, .dropout = 0.1, .together = true, .targets.names = {melody, 4}};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("emotion_recognizer", &lora);
}

TEST(adapters_of_convolutions_through_peft_and_back)
{
    static const char *const names[] = {"conv", "technical.fc1"};
    static const lora_config lora = {
        .r = 4, .alpha = 8, .dropout = 0.1, .together = true, .targets.names = {names, 2}};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("instrument_recognizer", &lora);
}

TEST(adapters_of_the_transformer_through_peft_and_back)
{
    static const char *const names[] = {"q_proj", "v_proj"};
    static const lora_config lora = {
        .r = 8, .alpha = 16, .dropout = 0.1, .together = true, .targets.names = {names, 2}};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("emotion_midi_transformer", &lora);
}

// ---- Of audio

// Valence and arousal of a file, as `kmidi predict ARGS FILE --json` says them.
static void hear(const char *args, const char *file, double affect[2])
{
    const char *out;
    err e = {0};
    EXPECT_INT(test_shell(&out, "%s predict %s %s --json -q", test_kmidi(), args, file), 0);
    json *j = json_parse(out, strlen(out), &e);
    test_expect(j != NULL, __FILE__, __LINE__, "%s", out);
    affect[0] = json_num(json_get(j, "valence"), NAN),
    affect[1] = json_num(json_get(j, "arousal"), NAN);
    json_free(j);
}

static double apart(const double a[2], const double b[2])
{
    return fmax(fabs(a[0] - b[0]), fabs(a[1] - b[1]));
}

// As a person does it, from prepare to predict: a base of four emotions, an adapter from recordings
// of two of them, which are louder than the base's as a whole. The run that made the adapter, base
// and adapter, and the merged model must hear the same.
TEST(adapters_of_audio_hear_what_their_run_hears)
{
    const char *out, *k = test_kmidi(), *dir = test_dir();
    static const char few[] = "data.window=60 train.threads=1 --quiet";
    double base[2], own[2], adapted[2], merged[2], parts[2];
    RUN(0, "%s synth %s/all -n 24 -s 2 && %s synth %s/two -n 24 -s 2 --seed 5", k, dir, k, dir);
    RUN(0, "cd %s/two && grep -E '\"(joy|anger)\"' manifest.jsonl >some && mv some manifest.jsonl",
        dir);
    RUN(0,
        "for s in all two; do %s prepare configs/data/audio_manifest.yaml --out %s/shards-$s "
        "root=%s/$s || exit 1; done",
        k, dir, dir);
    RUN(0,
        "%s train configs/emotion_recognizer.yaml --run-dir %s/base "
        "data.train='%s/shards-all/train-*.h5' data.val=null train.epochs=2 %s",
        k, dir, dir, few);
    RUN(0,
        "%s train configs/lora_audio.yaml --run-dir %s/run data.train='%s/shards-two/train-*.h5' "
        "lora.base=%s/base optim.lr=1e-2 %s",
        k, dir, dir, dir, few);
    RUN(0, "%s export %s/run --format adapter -o %s/a && %s merge %s/base %s/a -o %s/merged.h5", k,
        dir, dir, k, dir, dir, dir);
    arena a = {0};
    const char *file = arena_printf(&a, "%s/two/wav/00001.wav", dir),
               *added = arena_printf(&a, "%s/base --adapter %s/a", dir, dir);
    hear(arena_printf(&a, "%s/base", dir), file, base);
    hear(arena_printf(&a, "%s/run", dir), file, own);
    hear(added, file, adapted);
    hear(arena_printf(&a, "%s/merged.h5", dir), file, merged);
    hear(arena_printf(&a, "%s:0.25 --adapter %s/a:0.75", added, dir), file, parts);
    EXPECT(apart(base, own) > 1e-2);
    EXPECT_BELOW(apart(adapted, own), 1e-5);
    EXPECT_BELOW(apart(merged, own), 1e-5);
    EXPECT_BELOW(apart(parts, own), 1e-5);
    RUN(0, "%s predict %s %s", k, added, file); // whose labels those are
    EXPECT_HAS(out, "a was trained on the labels [\"anger\", \"joy\"]; labels are said by the "
                    "base, [\"anger\", \"calm\"");
    arena_free(&a);
}
