// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_points.c (tests): clouds of sound and MIDI in a set: those of the rule, the same by any
// number of workers; sound that is played of the MIDI; what cannot make a cloud is refused.
#include <string.h>

#include "data/features/feature.h"
#include "data/music/cloud.h"
#include "data/music/midi_stats.h"
#include "data/shards/shard.h"
#include "data/shards/shard_write.h"
#include "tests/data/midi/midi_bytes.h"
#include "tests/data/prepare/sound_files.h"
#include "tests/test.h"

#define SYNTH                                                                                      \
    "dataset: synth\nsynth: {items: 6, seconds: 1}\nmel: {n_mels: 32, n_fft: 512}\n"               \
    "split: {val: 0, test: 0}\nmax_seconds: 30\n"

// The cloud of item i from its frames, of a song that is read anew.
static void expect_cloud(shard *s, int64_t i, const midi_song *song)
{
    err e = {0};
    arena a = {0};
    const feature_def *d = feature_find("mel", &e);
    void *settings = feature_settings(d, &a);
    json *all = json_parse(s->info.settings, strlen(s->info.settings), &e);
    EXPECT_OK(feature_from_json(d, settings, json_get(all, "mel"), &e), e);
    const mel_settings *m = settings;
    int64_t n = s->offsets[i + 1] - s->offsets[i];
    float *frames = NEW(&a, float, (size_t)(n * m->n_mels)),
          *want = NEW(&a, float, CLOUD_POINTS *CLOUD_WIDTH),
          *got = NEW(&a, float, CLOUD_POINTS *CLOUD_WIDTH);
    const float *v = s->emotion + i * SHARD_EMOTION;
    cloud_slice slices[CLOUD_SLICES];
    EXPECT_OK(shard_frames(s, i, 0, n, frames, &e), e);
    cloud_hear(m, frames, n, slices);
    cloud_read(song, (double)(n * m->hop_length) / m->sample_rate, slices);
    cloud_make(slices, &(cloud_emotion){(double)v[0], (double)v[1], (double)v[2]}, want);
    EXPECT_OK(shard_item_rows(s, shard_find_column(&s->info, "points"), i, got, &e), e);
    EXPECT(!memcmp(want, got, CLOUD_POINTS * CLOUD_WIDTH * sizeof *got));
    json_free(all);
    arena_free(&a);
}

#define MANIFEST                                                                                   \
    "dataset: audio_manifest\nmel: {n_mels: 32, n_fft: 512}\nsplit: {val: 0, test: 0}\n"           \
    "features: [mel, midi_stats, points]\n"

TEST(prepare_points_are_those_of_the_rule)
{
    err e = {0};
    arena a = {0};
    prepare_report r;
    smf f = {0};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, SMF_NOTE(72, 96));
    smf_write(&f, test_path("a.mid"));
    sounds_put_tone("a.wav", 440);
    sounds_put_manifest(
        "{\"path\": \"a.wav\", \"midi\": \"a.mid\", \"valence\": 0.5, \"arousal\": -0.5}\n"
        "{\"path\": \"a.wav\", \"midi\": \"a.mid\", \"offset\": 0.1}\n");
    EXPECT_OK(sounds_prepare_as("told", MANIFEST "max_reject_ratio: 1\n", 1, &r, &e), e);
    EXPECT_INT(r.prepared, 1);
    shard *s = shard_open(test_path("told/train-00000.h5"), &e);
    EXPECT_OK(s != NULL, e);
    if (s) {
        EXPECT_NEAR((double)s->emotion[0], 0.5, 1e-6);
        expect_cloud(s, 0, smf_song(&f, &a));
    }
    shard_close(s);
    arena_free(&a);
}

TEST(prepare_points_do_not_depend_on_workers)
{
    err e = {0};
    prepare_report r;
    EXPECT_OK(sounds_prepare_as("one", SYNTH "features: [mel, points]\n", 1, &r, &e), e);
    EXPECT_INT(r.prepared, 6);
    EXPECT_OK(sounds_prepare_as("more", SYNTH "features: [mel, points]\n", 3, &r, &e), e);
    EXPECT(prepared_alike("one", "more"));
}

// Rendered sound is not silent, and the pitch of a note is where it is heard.
TEST(prepare_plays_midi_where_it_is_to)
{
    err e = {0};
    prepare_report r;
    smf f = {0};
    SMF_TRACK(&f, 0, SMF_NOTE(69, 96));
    smf_write(&f, test_path("a.mid"));
    sounds_put_manifest("{\"path\": \"a.mid\", \"label\": \"joy\"}\n");
    EXPECT_OK(sounds_prepare_as(
                  "played",
                  "dataset: midi_emotion\nindex: manifest.jsonl\nrender: true\nsplit: {val: "
                  "0, test: 0}\nfeatures: [mel, midi_stats, points]\nmel: {sample_rate: "
                  "16000, n_mels: 32, n_fft: 1024, scale: htk}\n",
                  1, &r, &e),
              e);
    shard *s = shard_open(test_path("played/train-00000.h5"), &e);
    EXPECT_OK(s != NULL, e);
    if (s) {
        static float frames[512 * 32];
        int64_t n = s->offsets[1];
        EXPECT_OK(shard_frames(s, 0, 0, n, frames, &e), e);
        const float *middle = frames + n / 4 * 32;
        int loudest = 0;
        for (int b = 1; b < 32; b++)
            if (middle[b] > middle[loudest])
                loudest = b;
        double band = mel_to_hz(MEL_HTK, mel_from_hz(MEL_HTK, 8000) * (loudest + 1) / 33);
        EXPECT(band > 380 && band < 500); // 440 Hz in its band
    }
    shard_close(s);
}

TEST(prepare_refuses_points_without_sound_and_music)
{
    err e = {0};
    prepare_report r;
    EXPECT_ERR(sounds_prepare_as("a", SYNTH "features: [midi_stats, points]\n", 1, &r, &e), e,
               ERR_CONFIG,
               "points are made of sound and MIDI together; set features: [mel, midi_stats, "
               "points]");
    EXPECT_ERR(sounds_prepare_as("b", SYNTH "features: [mel]\nrender: true\n", 1, &r, &e), e,
               ERR_CONFIG, "the built-in synthesiser plays MIDI where sound is wanted beside it");
    EXPECT_ERR(sounds_prepare_as("c",
                                 "dataset: synth\nrender: true\nfeatures: [mel, points]\n"
                                 "mel: {normalise: item}\n",
                                 1, &r, &e),
               e, ERR_CONFIG, "leave mel.normalise, mel.chroma and mel.level out");
}

// A cloud of another length is not taken for one.
TEST(prepare_points_of_another_length_are_refused)
{
    err e = {0};
    shard_column points = {.name = "points", .width = 50, .single = true};
    shard_info info = {.dataset = "x",
                       .split = "train",
                       .settings = "{\"points\":{}}",
                       .key = "",
                       .licence = "",
                       .citation = "",
                       .columns = {points},
                       .n_columns = 1};
    static const float row[50];
    shard_item item = {.column = {{row, 1}}, .label = -1, .path = "a"};
    shard_writer *w = shard_create(test_path("short.h5"), &info, &e);
    EXPECT_OK(w && shard_add(w, &item, &e) && shard_finish(w, &e), e);
    EXPECT(!shard_open(test_path("short.h5"), &e));
    EXPECT_HAS(e.text, "short.h5");
    EXPECT_HAS(e.text,
               "column 'points' has the shape [1, 50], and its feature f32 [rows, 12000]; remove "
               "the file and run kmidi prepare again");
}
