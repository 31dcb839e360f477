// SPDX-License-Identifier: GPL-3.0-or-later
// adapters.c (tests): from a base and a training run to an adapter's folder, back by merge, and of
// audio.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/larger.h"
#include "export/safetensors.h"
#include "tests/cmd/adapters_made.h"

TEST(adapters_go_out_and_come_back)
{
    const char *out, *dir = adapters_made("melody_transformer", &adapters_melody),
                     *k = test_kmidi();
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
    const char *out, *dir = adapters_made("melody_transformer", &adapters_both), *k = test_kmidi();
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

TEST(adapters_by_dora_go_out_and_come_back)
{
    static const char *const targets[] = {"fc1", "fc2", "fc3"};
    static const lora_config lora = {.r = 4,
                                     .alpha = 6,
                                     .dropout = 0.1,
                                     .dora = true,
                                     .rslora = true,
                                     .together = true,
                                     .targets.names = {targets, 3}};
    const char *out, *dir = adapters_made("melody_transformer", &lora), *k = test_kmidi();
    RUN(0, "%s inspect '%s/adapter' --json", k, dir);
    EXPECT_HAS(out, "\"dora\": true");
    RUN(0, "%s export '%s/run' --format safetensors -o '%s/run.safetensors'", k, dir, dir);
    RUN(0,
        "cd '%s' && for f in run merged; do tail -c 2566656 $f.safetensors | sha256sum; done | "
        "sort -u | wc -l",
        dir);
    EXPECT_STR(out, "1\n");
    RUN(0, "%s merge '%s/base' '%s/adapter:0.5' '%s/adapter:0.5' -o '%s/halves.h5' --json", k, dir,
        dir, dir, dir);
    EXPECT_HAS(out, "\"unmerged_difference\": ");
    // A layer that the one gives other lengths and the other replaces.
    adapters_made_beside("melody_transformer", &adapters_both, "both");
    RUN(0, "%s merge '%s/base' '%s/both' '%s/adapter:0.5' -o '%s/mixed.h5' --json", k, dir, dir,
        dir, dir);
    err e = {0};
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_BELOW(json_num(json_get(j, "unmerged_difference"), 1), 1e-5);
    json_free(j);
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
