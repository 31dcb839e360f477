// SPDX-License-Identifier: GPL-3.0-or-later
// corpus.c: see corpus.h.
#include "tests/train/corpus.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "data/shards/shard.h"
#include "data/shards/shard_write.h"
#include "tests/test.h"

enum { BANDS = 128, LABELS = 3 };

static void write_shard(const char *dir, const char *split, int items, uint32_t seed,
                        const char *last_label, const char *settings)
{
    const char *labels[LABELS] = {"calm", "grief", last_label};
    static float mel[64 * BANDS];
    char path[1100], name[64];
    err e = {0};
    shard_info info = {.dataset = "corpus",
                       .split = split,
                       .labels = labels,
                       .n_labels = LABELS,
                       .settings = settings,
                       .key = split,
                       .licence = "none",
                       .citation = "none",
                       .synthetic = true,
                       .n_mels = BANDS};
    snprintf(path, sizeof path, "%s/%s-00000.h5", dir, split);
    shard_writer *w = shard_create(path, &info, &e);
    EXPECT_OK(w != NULL, e);
    for (int i = 0; w && i < items; i++) {
        int label = i % LABELS, frames = 12 + (i * 7) % 29;
        for (int k = 0; k < frames * BANDS; k++)
            mel[k] = test_fill(seed + (uint32_t)i, (uint32_t)k, 1) +
                     ((k % BANDS) / 43 == label ? 0.5f : 0);
        snprintf(name, sizeof name, "%s-%02d.wav", split, i);
        shard_item item = {.mel = mel,
                           .frames = frames,
                           .label = label,
                           .path = name,
                           .group = name,
                           .label_source = "made"};
        EXPECT_OK(shard_add(w, &item, &e), e);
    }
    EXPECT_OK(w && shard_finish(w, &e), e);
}

const char *corpus_make(const char *dir)
{
    static char path[1100];
    char text[4000];
    err e = {0};
    EXPECT_OK(file_make_dirs(dir, &e), e);
    static const char settings[] = "{\"mel\":{\"hop_length\":320,\"n_mels\":128}}",
                      other[] = "{\"mel\":{\"hop_length\":160,\"n_mels\":128}}";
    write_shard(dir, "train", 26, 100, "joy", settings);
    write_shard(dir, "val", 9, 900, "joy", settings);
    write_shard(dir, "rage", 9, 900, "rage", settings);
    write_shard(dir, "hop", 9, 900, "joy", other);
    snprintf(path, sizeof path, "%s/config.yaml", dir);
    snprintf(text, sizeof text,
             "model: emotion_recognizer\n"
             "data: {train: '%s/train-*.h5', val: '%s/val-*.h5', window: 24, augment: {freq_masks: "
             "1, freq_width: 12}}\n"
             "optim: {lr: 1e-3}\n"
             "schedule: {name: cosine}\n"
             "train: {batch_size: 8, epochs: 4, seed: 11, label_smoothing: 0.1, threads: 1}\n"
             "logging: {every: 1}\n",
             dir, dir);
    EXPECT_OK(file_write(path, text, strlen(text), &e), e);
    return path;
}

const char *corpus_make_songs(const char *dir, const char *model)
{
    static char path[1100];
    char text[4000], folder[1000];
    const char *out;
    err e = {0};
    snprintf(folder, sizeof folder, "%s", dir);
    EXPECT_INT(test_shell(&out,
                          "%s prepare configs/data/synth.yaml --out %s "
                          "features=[tokens,midi_stats,melody,harmony,groove,dynamics] "
                          "synth.items=40 synth.seconds=20",
                          test_kmidi(), folder),
               0);
    snprintf(path, sizeof path, "%s/%s.yaml", folder, model);
    snprintf(text, sizeof text,
             "model: %s\n"
             "data: {train: '%s/train-*.h5', val: '%s/val-*.h5', window: 16}\n"
             "optim: {lr: 2e-3}\n"
             "train: {batch_size: 8, epochs: 2, seed: 11, threads: 1}\n"
             "logging: {every: 1}\n",
             model, folder, folder);
    EXPECT_OK(file_write(path, text, strlen(text), &e), e);
    return path;
}
