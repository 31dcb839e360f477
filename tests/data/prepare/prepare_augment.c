// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_augment.c: copies stand behind their item, in the training split alone, the same whoever
// makes them.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/audio/clip.h"
#include "data/audio/mel.h"
#include "data/features/feature.h"
#include "data/loader/dataset.h"
#include "data/loader/example.h"
#include "data/prepare/prepare.h"
#include "data/shards/shard.h"
#include "tests/data/prepare/prepared.h"
#include "tests/test.h"

#define SETTINGS                                                                                   \
    "dataset: audio_manifest\nfeatures: [mel]\nshard_items: 3\n"                                   \
    "mel: {preset: librosa, sample_rate: 16000, n_fft: 1024, hop_length: 320, n_mels: 128}\n"

enum { RATE = 16000, SAMPLES = 16000, ITEMS = 5 };

static bool prepare_into(const char *out, const char *more, int jobs, int part, int parts,
                         prepare_report *r, err *e)
{
    arena a = {0};
    bool ok = prepared(out, arena_printf(&a, SETTINGS "root: %s\n%s", test_dir(), more), jobs, part,
                       parts, r, e);
    arena_free(&a);
    return ok;
}

// Tones of a second, a fourth apart from 300 Hz on; the last is for validation.
static void put_tones(void)
{
    static float x[SAMPLES];
    err e = {0};
    strbuf lines = {0};
    for (int k = 0; k < ITEMS; k++) {
        double hz = 300 * pow(4.0 / 3, k);
        for (int i = 0; i < SAMPLES; i++)
            x[i] = (float)(0.3 * sin(2 * M_PI * hz * i / RATE));
        char name[16];
        snprintf(name, sizeof name, "%d.wav", k);
        EXPECT_OK(clip_write_wav(test_path(name), x, SAMPLES, RATE, &e), e);
        strbuf_printf(
            &lines,
            "{\"path\": \"%s\", \"label\": \"%s\", \"speaker\": \"s%d\", \"split\": \"%s\"}\n",
            name, k % 2 ? "odd" : "even", k, k < ITEMS - 1 ? "train" : "valid");
    }
    EXPECT_OK(file_write(test_path("manifest.jsonl"), lines.s, lines.len, &e), e);
    strbuf_free(&lines);
}

static shard *open_shard(const char *name)
{
    err e = {0};
    shard *s = shard_open(test_path(name), &e);
    EXPECT_OK(s != NULL, e);
    return s;
}

static bool same_item(shard *a, int64_t i, shard *b, int64_t j)
{
    arena m = {0};
    err e = {0};
    int64_t n = a->offsets[i + 1] - a->offsets[i];
    size_t numbers = (size_t)(n * a->info.n_mels);
    float *x = NEW(&m, float, numbers), *y = NEW(&m, float, numbers);
    bool same = n == b->offsets[j + 1] - b->offsets[j];
    if (same)
        EXPECT_OK(shard_frames(a, i, 0, n, x, &e) && shard_frames(b, j, 0, n, y, &e), e);
    same = same && memcmp(x, y, numbers * sizeof *x) == 0;
    arena_free(&m);
    return same;
}

// The band that is loudest in the middle of item i.
static int loudest(shard *s, int64_t i, arena *a)
{
    err e = {0};
    int64_t n = s->offsets[i + 1] - s->offsets[i];
    float *mel = NEW(a, float, (size_t)(n * s->info.n_mels)),
          *middle = mel + n / 2 * s->info.n_mels;
    EXPECT_OK(shard_frames(s, i, 0, n, mel, &e), e);
    int best = 0;
    for (int b = 0; b < s->info.n_mels; b++)
        best = middle[b] > middle[best] ? b : best;
    return best;
}

static double band_hz(int b)
{
    double top = mel_from_hz(MEL_SLANEY, RATE / 2.0);
    return mel_to_hz(MEL_SLANEY, top * (b + 1) / 129);
}

// An octave up and a quarter longer: seen in the frames of the copies, beside the items as they
// were.
TEST(prepare_puts_copies_behind_their_item)
{
    arena a = {0};
    err e = {0};
    prepare_report r;
    put_tones();
    EXPECT_OK(prepare_into("plain", "", 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.copies, 0);
    EXPECT_OK(prepare_into("out",
                           "augment: {copies: 2, stretch: [1.25, 1.25], pitch_shift: [12, 12]}\n",
                           2, 1, 1, &r, &e),
              e);
    EXPECT_INT(r.prepared, ITEMS);
    EXPECT_INT(r.copies, 2 * (ITEMS - 1));
    EXPECT_INT(r.made, ITEMS);
    shard *s = open_shard("out/train-00000.h5"), *plain = open_shard("plain/train-00000.h5"),
          *valid = open_shard("out/valid-00000.h5");
    if (s && plain && valid) {
        EXPECT_INT(s->items, 9); // three of the index
        EXPECT_STR(s->paths[0], "0.wav");
        EXPECT_STR(s->paths[1], "0.wav#1");
        EXPECT_STR(s->paths[5], "1.wav#2");
        EXPECT_STR(s->groups[5], s->groups[3]);
        EXPECT_INT(s->label[5], s->label[3]);
        EXPECT_INT(s->label_count[0], 6);
        EXPECT_STR(s->info.settings, plain->info.settings);
        EXPECT(s->info.augment && strstr(s->info.augment, "\"pitch\"") && !plain->info.augment &&
               !valid->info.augment);
        EXPECT_INT(valid->items, 1);
        for (int64_t i = 0; i < 3; i++) {
            double hz = 300 * pow(4.0 / 3, (double)i);
            EXPECT(same_item(s, 3 * i, plain, i));
            EXPECT_INT(s->offsets[3 * i + 1] - s->offsets[3 * i], 51);
            EXPECT_INT(s->offsets[3 * i + 2] - s->offsets[3 * i + 1], 63);
            EXPECT_NEAR(band_hz(loudest(s, 3 * i, &a)), hz, 0.1 * hz);
            EXPECT_NEAR(band_hz(loudest(s, 3 * i + 2, &a)), 2 * hz, 0.1 * hz);
        }
    }
    shard_close(s), shard_close(plain), shard_close(valid);
    arena_free(&a);
}

static bool same_tree(const char *a, const char *b)
{
    const char *out;
    return test_shell(&out, "diff -r %s %s", test_path(a), test_path(b)) == 0;
}

#define ALL                                                                                        \
    "augment: {copies: 2, time_stretch: [0.9, 1.1], pitch: [-3, 3], tilt: 3, snr: [20, 40]}\n"

TEST(prepare_makes_the_same_copies_in_any_jobs_and_parts)
{
    err e = {0};
    prepare_report r;
    put_tones();
    EXPECT_OK(prepare_into("a", ALL, 1, 1, 1, &r, &e), e);
    EXPECT_OK(prepare_into("b", ALL, 3, 2, 2, &r, &e), e);
    EXPECT_OK(prepare_into("b", ALL, 2, 1, 2, &r, &e), e);
    EXPECT(same_tree("a", "b"));
    EXPECT_INT(r.copies, 2 * (ITEMS - 1));
    // The copies of an item differ, and so do those of another seed.
    shard *s = open_shard("a/train-00000.h5");
    // And those of one item from those of another: they are not as long.
    EXPECT(s && s->offsets[2] - s->offsets[1] != s->offsets[5] - s->offsets[4]);
    EXPECT(s && !same_item(s, 0, s, 1) && !same_item(s, 1, s, 2));
    EXPECT_OK(prepare_into("c",
                           "augment: {copies: 2, stretch: [0.9, 1.1], pitch: [-3, 3], tilt: 3, "
                           "noise: [20, 40], seed: 2}\n",
                           1, 1, 1, &r, &e),
              e);
    shard *c = open_shard("c/train-00000.h5");
    EXPECT(c && s && same_item(c, 0, s, 0) && !same_item(c, 1, s, 1));
    shard_close(s), shard_close(c);
}

// Other copies are other shards; validation stays as it is, and fits the training data.
TEST(prepare_makes_only_training_shards_anew_for_other_copies)
{
    err e = {0};
    prepare_report r;
    put_tones();
    EXPECT_OK(prepare_into("out", "", 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 3);
    EXPECT_OK(prepare_into("out", ALL, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 2);
    EXPECT_INT(r.shards_kept, 1);
    EXPECT_OK(prepare_into("out", ALL, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 0);
    EXPECT_INT(r.copies, 2 * (ITEMS - 1));
    const char *train = test_path("out/train-*.h5"), *valid = test_path("out/valid-*.h5");
    dataset *t = dataset_open(&train, 1, example_find("mel"), &e),
            *v = dataset_open(&valid, 1, example_find("mel"), &e);
    EXPECT_OK(t && v &&
                  dataset_expect(v, t->labels, t->n_labels, t->settings, "the training data", &e),
              e);
    dataset_close(t), dataset_close(v);
    EXPECT_OK(prepare_into("out", "augment: {copies: 0, pitch: [-3, 3]}\n", 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 2);
    EXPECT_INT(r.copies, 0);
}

TEST(prepare_names_what_is_wrong_with_augment)
{
    err e = {0};
    prepare_report r;
    put_tones();
    EXPECT_ERR(prepare_into("out", "augment: {stretch: [1.1, 0.9]}\n", 1, 1, 1, &r, &e), e,
               ERR_CONFIG, "[lowest, highest]");
    EXPECT_ERR(prepare_into("out", "augment: {pitch: 3}\n", 1, 1, 1, &r, &e), e, ERR_CONFIG,
               "augment.pitch");
    EXPECT_ERR(prepare_into("out", "augment: {copies: 33}\n", 1, 1, 1, &r, &e), e, ERR_CONFIG,
               "augment.copies");
    arena a = {0};
    env v = {0};
    const char *const cases[][2] = {
        {"dataset: synth\nmel: {preset: librosa, sample_rate: 4000}\naugment: {pitch: [-1, 1]}\n",
         "4000 Hz"},
        {"dataset: synth\nfeatures: [tokens]\naugment: {pitch: [-1, 1]}\n", "data.augment"}};
    for (size_t k = 0; k < 2; k++) {
        config *c = config_open(prepare_table(&a), &a);
        prepare_job job = {.out = test_path("none"), .jobs = 1, .part = 1, .parts = 1};
        EXPECT_OK(config_parse(c, cases[k][0], strlen(cases[k][0]), "test.yaml", &e) &&
                      config_finish(c, &e),
                  e);
        EXPECT_ERR(prepare_run(c, &job, &v, &r, &e), e, ERR_CONFIG, cases[k][1]);
    }
    arena_free(&a);
}

// Before the first item, not as a fault of each. What is opened has the library's name and nothing
// in it.
TEST(prepare_names_a_library_that_augment_lacks)
{
    static const char text[] = "dataset: synth\nroot: .\naugment: {pitch: [-1, 1]}\n";
    const char *out, *file = test_path("lacks.yaml"), *folder = test_path("empty");
    err e = {0};
    EXPECT_OK(file_write(file, text, strlen(text), &e), e);
    if (test_shell(&out,
                   "mkdir '%s' && echo 'int none;' | gcc -shared -x c - "
                   "-Wl,-soname,librubberband.so.2 -o '%s/librubberband.so.2'",
                   folder, folder)) {
        test_skip("needs gcc and an ELF system");
        return;
    }
    EXPECT(test_shell(&out, "LD_LIBRARY_PATH='%s' %s prepare '%s' --out '%s' 2>&1", folder,
                      test_kmidi(), file, test_path("lacks")) != 0);
    EXPECT_HAS(out, "Rubber Band has no rubberband_new");
    EXPECT(!strstr(out, "cannot be used"));
}

// A file that cannot be read is named once, and its copies are not there.
TEST(prepare_rejects_an_item_with_its_copies)
{
    arena a = {0};
    err e = {0};
    prepare_report r;
    size_t n;
    put_tones();
    EXPECT_OK(file_write(test_path("1.wav"), "nothing", 7, &e), e);
    EXPECT_OK(prepare_into("out", "max_reject_ratio: 0.5\n" ALL, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, ITEMS - 1);
    EXPECT_INT(r.rejected, 1);
    EXPECT_INT(r.copies, 2 * (ITEMS - 2));
    const char *text = file_read(&a, test_path("out/rejected.jsonl"), 1 << 20, &n, &e);
    EXPECT(text && strstr(text, "1.wav") && !strchr(strchr(text, '\n') + 1, '{'));
    arena_free(&a);
}
