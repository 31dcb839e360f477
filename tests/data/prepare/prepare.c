// SPDX-License-Identifier: GPL-3.0-or-later
// prepare.c: the same shards whoever makes them, and a name and a reason for everything that is not
// in them.
#include "data/prepare/prepare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/audio/mel.h"
#include "data/features/feature.h"
#include "data/loader/dataset.h"
#include "data/music/synth.h"
#include "data/shards/shard.h"
#include "tests/data/audio/clip_files.h"
#include "tests/data/prepare/sound_files.h"
#include "tests/test.h"

TEST(prepare_stores_the_mel_of_each_file)
{
    err e = {0};
    prepare_report r;
    arena a = {0};
    sounds_put_corpus(80);
    EXPECT_OK(sounds_prepare("out", "shard_items: 30\n", 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 80);
    EXPECT_INT(r.rejected, 0);
    EXPECT_INT(r.labels, 4);
    EXPECT_INT(r.shards, 4); // 56 to train in two, 12 to val, 12 to test
    shard *s = shard_open(test_path("out/train-00001.h5"), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(s->items, 26);
    EXPECT(s->info.synthetic);
    EXPECT_STR(s->info.labels[0], "anger");
    EXPECT_STR(s->info.split, "train");
    EXPECT_STR(s->sources[0], "given");
    clip c;
    EXPECT_OK(clip_read(arena_printf(&a, "%s/%s", test_dir(), s->paths[7]), 16000, 0, 0, &c, &e),
              e);
    const feature_def *d = feature_find("mel", &e);
    void *settings = feature_settings(d, &a);
    EXPECT_OK(feature_set(d, settings, "n_mels", "32", &e) &&
                  feature_set(d, settings, "n_fft", "512", &e) &&
                  feature_set(d, settings, "hop_length", "320", &e) &&
                  feature_resolve(d, settings, &e),
              e);
    feature *f = feature_open(d, settings, &e);
    int64_t n = feature_frames(f, c.frames);
    float *want = NEW(&a, float, (size_t)n * 32), *have = NEW(&a, float, (size_t)n * 32);
    EXPECT_OK(feature_compute(f, c.samples, c.frames, want, NULL, &e), e);
    EXPECT_INT(s->offsets[8] - s->offsets[7], n);
    EXPECT_OK(shard_frames(s, 7, 0, n, have, &e), e);
    EXPECT(memcmp(want, have, (size_t)n * 32 * sizeof *want) == 0);
    feature_close(f);
    clip_free(&c);
    shard_close(s);
    arena_free(&a);
}

TEST(prepare_gives_the_same_bytes_for_any_jobs_and_parts)
{
    err e = {0};
    prepare_report r;
    sounds_put_corpus(80);
    EXPECT_OK(sounds_prepare("one", "shard_items: 7\n", 1, 1, 1, &r, &e), e);
    EXPECT_OK(sounds_prepare("three", "shard_items: 7\n", 3, 1, 1, &r, &e), e);
    EXPECT(prepared_alike("one", "three"));
    uint64_t made = 0;
    for (int part = 3; part >= 1; part--) {
        EXPECT_OK(sounds_prepare("parts", "shard_items: 7\n", 2, part, 3, &r, &e), e);
        made += r.shards_made;
    }
    EXPECT_INT(made, r.shards);
    EXPECT_INT(r.shards_missing, 0);
    EXPECT_INT(r.prepared, 80);
    EXPECT(prepared_alike("one", "parts"));
}

TEST(prepare_keeps_what_is_there_and_remakes_what_changed)
{
    err e = {0};
    prepare_report r;
    sounds_put_corpus(40);
    EXPECT_OK(sounds_prepare("out", "shard_items: 7\n", 2, 1, 1, &r, &e), e);
    uint64_t all = r.shards;
    EXPECT_OK(sounds_prepare("out", "shard_items: 7\n", 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 0);
    EXPECT_INT(r.shards_kept, all);
    EXPECT_INT(r.prepared, 40);
    sounds_put_tone("wav/00000.wav", 440);
    EXPECT_OK(sounds_prepare("out", "shard_items: 7\n", 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 1);
    EXPECT_OK(sounds_prepare("out", "shard_items: 20\n", 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_kept, 0);
    EXPECT_INT(r.shards_removed, all - r.shards);
    // names of other things, and of shards beyond this set
    const char *out, *one = test_path("out/train-00000.h5");
    EXPECT_INT(test_shell(&out,
                          "cd %s; for n in train-00009.h5 other-00000.h5 train-123456.h5 "
                          "train-1.h5 train.h5; do cp %s $n; done",
                          test_path("out"), one),
               0);
    EXPECT_OK(sounds_prepare("out", "shard_items: 20\n", 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_removed, 3);
    EXPECT_INT(test_shell(&out,
                          "cd %s; ls train-1.h5 train.h5 && ls other* train-00009.h5 train-1?*",
                          test_path("out")),
               2);
    EXPECT_OK(sounds_prepare("out", "shard_items: 20\nmax_seconds: 5\n", 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, r.shards);
}

TEST(prepare_names_every_file_that_it_cannot_use)
{
    static const struct {
        const char *path, *reason;
    } bad[] = {{"gone.wav", "missing"}, {"empty.wav", "empty"}, {"text.wav", "format"},
               {"cut.wav", "damaged"},  {"nan.wav", "value"},   {"long.wav", "value"},
               {"folder.wav", "format"}};
    err e = {0};
    prepare_report r;
    arena a = {0};
    float x[16000] = {0}, nan[800] = {0};
    const char *out;
    nan[400] = NAN;
    for (int i = 0; i < 16000; i++)
        x[i] = (float)(i % 100) / 200;
    strbuf text = {0};
    for (int i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "ok%d.wav", i);
        sounds_put_tone(name, 200 + 50 * i);
        strbuf_printf(
            &text,
            "{\"path\": \"%s\", \"label\": \"fine\"}\n{\"path\": \"%s\", \"label\": \"fine\"}\n",
            name, bad[i].path);
    }
    strbuf_printf(&text, "not json\n");
    sounds_put_manifest(text.s);
    EXPECT_OK(file_write(test_path("empty.wav"), "", 0, &e), e);
    EXPECT_OK(
        file_write(test_path("text.wav"), "hello, this is no audio at all, just a line", 43, &e),
        e);
    EXPECT_OK(clip_write_wav(test_path("long.wav"), x, 16000, 16000, &e), e);
    clip_file_write_float(test_path("nan.wav"), nan, 800, 16000);
    test_shell(&out, "mkdir %s; head -c 9000 %s > %s", test_path("folder.wav"),
               test_path("ok0.wav"), test_path("cut.wav"));
    EXPECT(!sounds_prepare("out", "split: {val: 0, test: 0}\nmax_seconds: 0.7\n", 2, 1, 1, &r, &e));
    EXPECT_INT(e.code, ERR_VALUE);
    EXPECT_HAS(e.text, "max_reject_ratio = 0.1");
    EXPECT_HAS(e.text, "rejected.jsonl");
    EXPECT_INT(r.prepared, 7);
    EXPECT_INT(r.rejected, 8);
    EXPECT_INT(r.reasons[ERR_FORMAT], 3);
    EXPECT_INT(r.reasons[ERR_VALUE], 2);
    EXPECT_INT(r.reasons[ERR_MISSING] + r.reasons[ERR_EMPTY] + r.reasons[ERR_DAMAGED], 3);
    const char *report = prepared_rejects(&a, "out");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_HAS(report, arena_printf(&a, "{\"path\": \"%s\", \"line\": %zu, \"reason\": \"%s\"",
                                        bad[i].path, 2 * i + 2, bad[i].reason));
    }
    EXPECT_HAS(report, "\"line\": 15, \"reason\": \"format\"");
    // with a higher limit it is a success, from the shards that are there
    EXPECT_OK(sounds_prepare("out",
                             "split: {val: 0, test: 0}\nmax_seconds: 0.7\nmax_reject_ratio: 0.6\n",
                             2, 1, 1, &r, &e),
              e);
    EXPECT_INT(r.shards_made, 0);
    EXPECT_INT(r.rejected, 8);
    strbuf_free(&text);
    arena_free(&a);
}

// Which split holds `path`, from the shards.
static const char *split_of(const char *out, const char *path)
{
    static const char *const splits[] = {"train", "val", "test"};
    const char *found = "none";
    for (int k = 0; k < 3; k++) {
        char name[64];
        snprintf(name, sizeof name, "%s/%s-00000.h5", out, splits[k]);
        shard *s = file_exists(test_path(name)) ? shard_open(test_path(name), NULL) : NULL;
        for (int64_t i = 0; s && i < s->items; i++)
            if (!strcmp(s->paths[i], path))
                found = splits[k];
        shard_close(s);
    }
    return found;
}

TEST(prepare_never_parts_a_group_nor_equal_files)
{
    err e = {0};
    prepare_report r;
    strbuf text = {0};
    const char *out;
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%02d.wav", i);
        sounds_put_tone(name, 200 + 10 * i);
        strbuf_printf(&text, "{\"path\": \"%s\", \"label\": \"l%d\", \"speaker\": \"s%d\"}\n", name,
                      i % 2, i / 4);
    }
    // speakers 0 and 9 share a recording
    test_shell(&out, "cp %s %s", test_path("t00.wav"), test_path("t39.wav"));
    sounds_put_manifest(text.s);
    EXPECT_OK(sounds_prepare("out", "split: {val: 0.2, test: 0.2, seed: 3}\n", 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 40);
    EXPECT_INT(r.duplicates, 0);
    int count[3] = {0};
    for (int i = 0; i < 40; i++) {
        char name[32], first[32];
        snprintf(name, sizeof name, "t%02d.wav", i);
        snprintf(first, sizeof first, "t%02d.wav", i / 4 == 9 ? 0 : i / 4 * 4);
        const char *split = split_of("out", name);
        EXPECT_STR(split, split_of("out", first));
        count[!strcmp(split, "train") ? 0 : !strcmp(split, "val") ? 1 : 2]++;
    }
    EXPECT_INT(count[0] + count[1] + count[2], 40);
    EXPECT(count[1] >= 4 && count[1] <= 12 && count[2] >= 4 && count[2] <= 12);
    strbuf_free(&text);
}

TEST(prepare_keeps_equal_files_out_of_training)
{
    err e = {0};
    prepare_report r;
    arena a = {0};
    sounds_put_tone("a.wav", 300);
    sounds_put_tone("b.wav", 300);
    sounds_put_tone("c.wav", 400);
    sounds_put_tone("d.wav", 500);
    sounds_put_manifest("{\"path\": \"a.wav\", \"label\": \"x\", \"split\": \"train\"}\n{\"path\": "
                        "\"b.wav\", \"label\": \"x\", \"split\": \"test\"}\n"
                        "{\"path\": \"c.wav\", \"label\": \"y\", \"split\": \"train\"}\n{\"path\": "
                        "\"d.wav\", \"label\": \"x\", \"split\": \"val\"}\n");
    EXPECT_OK(sounds_prepare("out", "", 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.duplicates, 1);
    EXPECT_INT(r.prepared, 3);
    EXPECT_STR(split_of("out", "a.wav"), "none");
    EXPECT_STR(split_of("out", "b.wav"), "test");
    EXPECT_HAS(prepared_rejects(&a, "out"),
               "{\"path\": \"a.wav\", \"line\": 1, \"reason\": \"duplicate\"");
    arena_free(&a);
}

// Neither of two labels is to be trusted; the same file twice with one label, or two parts of it
// with two, are nobody's mistake.
TEST(prepare_refuses_two_labels_for_one_file)
{
    err e = {0};
    prepare_report r;
    arena a = {0};
    for (int i = 0; i < 4; i++) {
        char name[24];
        snprintf(name, sizeof name, "t%d.wav", i);
        sounds_put_tone(name, 200 + 50 * i);
    }
    sounds_put_manifest(
        "{\"path\": \"t0.wav\", \"label\": \"a\", \"split\": \"train\"}\n{\"path\": "
        "\"t1.wav\", \"label\": \"a\"}\n"
        "{\"path\": \"t0.wav\", \"label\": \"b\", \"split\": \"test\"}\n{\"path\": "
        "\"t1.wav\", \"label\": \"a\"}\n"
        "{\"path\": \"t2.wav\", \"label\": \"a\", \"duration\": 0.2}\n"
        "{\"path\": \"t2.wav\", \"label\": \"b\", \"offset\": 0.2, \"duration\": "
        "0.1}\n{\"path\": \"t3.wav\"}\n");
    EXPECT_OK(sounds_prepare("out", "max_reject_ratio: 0.5\n", 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 5);
    EXPECT_INT(r.rejected, 2);
    EXPECT_INT(r.reasons[ERR_VALUE], 2);
    EXPECT_INT(r.duplicates, 0);
    EXPECT_HAS(prepared_rejects(&a, "out"), "'t0.wav' has two labels, 'a' here");
    EXPECT_HAS(prepared_rejects(&a, "out"), "'t0.wav' has two labels, 'b' here");
    arena_free(&a);
}

TEST(prepare_limits_labels)
{
    err e = {0};
    prepare_report r;
    arena a = {0};
    sounds_put_tone("a.wav", 300);
    sounds_put_tone("b.wav", 400);
    sounds_put_manifest(
        "{\"path\": \"a.wav\", \"label\": \"joy\", \"split\": \"train\"}\n{\"path\": "
        "\"b.wav\", \"label\": \"rage\", \"split\": "
        "\"train\"}\n");
    EXPECT_OK(
        sounds_prepare("out", "labels: [grief, joy]\nmax_reject_ratio: 0.5\n", 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 1);
    EXPECT_HAS(prepared_rejects(&a, "out"), "label 'rage'");
    shard *s = shard_open(test_path("out/train-00000.h5"), &e);
    EXPECT_INT(s->info.n_labels, 2);
    EXPECT_INT(s->label[0], 1);
    EXPECT_NEAR(s->emotion[0], 0.9, 1e-6); // joy, by its name
    EXPECT_STR(s->sources[0], "name");
    shard_close(s);
    char *more =
        arena_printf(&a, "labels_from: %s\nmax_reject_ratio: 0.5\n", test_path("out/train-*.h5"));
    EXPECT_OK(sounds_prepare("again", more, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.labels, 2);
    arena_free(&a);
}
