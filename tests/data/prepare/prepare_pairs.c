// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_pairs.c (tests): sound and MIDI of the same music in one set: the rows are those of sets
// of one kind each, what lacks one of the two is refused, what does not belong together is told.
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/shards/shard.h"
#include "tests/data/midi/midi_bytes.h"
#include "tests/data/prepare/sound_files.h"
#include "tests/test.h"

#define SYNTH                                                                                      \
    "dataset: synth\nsynth: {items: 12, seconds: 1}\nmel: {n_mels: 32, n_fft: 512}\n"              \
    "shard_items: 5\nmax_seconds: 30\n"
#define MANIFEST                                                                                   \
    "dataset: audio_manifest\nmel: {n_mels: 32, n_fft: 512}\nsplit: {val: 0, test: 0}\n"           \
    "max_reject_ratio: 1\njobs: 2\n"

static shard *open_as(const char *path)
{
    err e = {0};
    shard *s = shard_open(test_path(path), &e);
    EXPECT_OK(s != NULL, e);
    return s;
}

// All rows of a column of both shards.
static void expect_same(shard *a, shard *b, const char *column)
{
    err e = {0};
    arena m = {0};
    int i = shard_find_column(&a->info, column), k = shard_find_column(&b->info, column);
    if (!test_expect(i >= 0 && k >= 0, __FILE__, __LINE__, "no column %s", column))
        return;
    const shard_column *x = &a->info.columns[i], *y = &b->info.columns[k];
    EXPECT_INT(x->rows, y->rows);
    EXPECT(x->rows > 0);
    size_t bytes = (size_t)x->rows * shard_row_bytes(x);
    char *left = NEW(&m, char, bytes), *right = NEW(&m, char, bytes);
    if (x->rows == y->rows && shard_row_bytes(x) == shard_row_bytes(y)) {
        EXPECT_OK(shard_rows(a, i, 0, x->rows, left, &e), e);
        EXPECT_OK(shard_rows(b, k, 0, x->rows, right, &e), e);
        test_expect(!memcmp(left, right, bytes), __FILE__, __LINE__, "%s has other rows", column);
    }
    arena_free(&m);
}

TEST(prepare_pairs_hold_what_sets_of_one_kind_hold)
{
    err e = {0};
    prepare_report r;
    EXPECT_OK(sounds_prepare_as("sound", SYNTH "features: [mel]\n", 1, &r, &e), e);
    EXPECT_OK(
        sounds_prepare_as("midi", SYNTH "features: [tokens, harmony, midi_stats]\n", 1, &r, &e), e);
    EXPECT_OK(sounds_prepare_as("both", SYNTH "features: [midi_stats, mel, tokens, harmony]\n", 1,
                                &r, &e),
              e);
    EXPECT_INT(r.prepared, 12);
    EXPECT_INT(r.rejected, 0);
    EXPECT_INT(r.outlasting, 0);
    shard *both = open_as("both/train-00000.h5"), *sound = open_as("sound/train-00000.h5"),
          *midi = open_as("midi/train-00000.h5");
    if (both && sound && midi) {
        EXPECT_INT(both->info.n_columns, 4);
        EXPECT_INT(both->items, sound->items);
        expect_same(both, sound, "mel");
        expect_same(both, midi, "tokens");
        expect_same(both, midi, "harmony");
        expect_same(both, midi, "midi_stats");
        for (int64_t i = 0; i < both->items; i++) {
            EXPECT_STR(both->paths[i], sound->paths[i]);
            EXPECT_STR(both->paths[i], midi->paths[i]);
            EXPECT_NEAR(both->seconds[i], midi->seconds[i], 0);
            EXPECT_INT(both->label[i], midi->label[i]);
        }
    }
    shard_close(both), shard_close(sound), shard_close(midi);
    EXPECT_OK(sounds_prepare_as("again", SYNTH "features: [midi_stats, mel, tokens, harmony]\n", 3,
                                &r, &e),
              e);
    EXPECT(prepared_alike("both", "again"));
}

// One quarter: half a second.
static void put_song(const char *name, int pitch)
{
    smf f = {0};
    SMF_TRACK(&f, 0, SMF_NOTE((uint8_t)pitch, 96));
    smf_write(&f, test_path(name));
}

// More than seven seconds.
static void put_long_song(const char *name)
{
    smf f = {0};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 127, SMF_NOTE(62, 127), 127, SMF_NOTE(64, 127), 127,
              SMF_NOTE(65, 127), 127, SMF_NOTE(67, 127), 127, SMF_NOTE(69, 127));
    smf_write(&f, test_path(name));
}

static void put_pairs(void)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "cp %s %s", test_path("a.wav"), test_path("g.wav")), 0);
    put_song("a.mid", 60), put_song("c.mid", 64), put_song("e.mid", 67);
    put_long_song("g.mid");
    sounds_put_manifest("{\"path\": \"a.wav\", \"midi\": \"a.mid\", \"label\": \"x\"}\n"
                        "{\"path\": \"b.wav\"}\n"                         // no MIDI
                        "{\"path\": \"none.wav\", \"midi\": \"c.mid\"}\n" // no sound
                        "{\"path\": \"d.wav\", \"midi\": \"manifest.jsonl\"}\n"
                        "{\"path\": \"e.wav\", \"midi\": \"e.mid\", \"offset\": 0.1}\n"
                        "{\"path\": \"f.wav\", \"midi\": \"../f.mid\"}\n"
                        "{\"path\": \"g.wav\", \"midi_filepath\": \"g.mid\"}\n");
}

TEST(prepare_pairs_of_a_manifest_are_whole_or_refused)
{
    static const char *const names[] = {"a.wav", "b.wav", "d.wav", "e.wav", "f.wav"};
    err e = {0};
    arena a = {0};
    prepare_report r;
    for (int i = 0; i < 5; i++)
        sounds_put_tone(names[i], 220 + 30 * i);
    put_pairs();
    EXPECT_OK(sounds_prepare_as("out", MANIFEST "features: [mel, midi_stats]\n", 2, &r, &e), e);
    EXPECT_INT(r.prepared, 2);
    EXPECT_INT(r.rejected, 5);
    EXPECT_INT(r.outlasting, 1);
    const char *report = prepared_rejects(&a, "out");
    EXPECT_HAS(report, "'b.wav' has no MIDI");
    EXPECT_HAS(report, "none.wav");
    EXPECT_HAS(report, "manifest.jsonl");
    EXPECT_HAS(report, "'e.wav' is a part");
    EXPECT_HAS(report, "../f.mid");
    shard *s = open_as("out/train-00000.h5");
    if (s) {
        EXPECT_STR(s->paths[0], "a.wav");
        EXPECT_STR(s->paths[1], "g.wav");
        EXPECT_NEAR(s->seconds[0], 0.5, 1e-9);
        EXPECT(s->frames > 0 && shard_find_column(&s->info, "midi_stats") >= 0);
    }
    shard_close(s);
    // Another sound makes another shard, though its MIDI stayed; the same again makes none.
    EXPECT_OK(sounds_prepare_as("out", MANIFEST "features: [mel, midi_stats]\n", 2, &r, &e), e);
    EXPECT_INT(r.shards_made, 0);
    sounds_put_tone("a.wav", 1000);
    EXPECT_OK(sounds_prepare_as("out", MANIFEST "features: [mel, midi_stats]\n", 2, &r, &e), e);
    EXPECT_INT(r.shards_made, 1);
    // Who asks for sound alone is not asked for MIDI, right or wrong.
    EXPECT_OK(sounds_prepare_as("mel", MANIFEST "features: [mel]\n", 2, &r, &e), e);
    EXPECT_INT(r.prepared, 6);
    EXPECT_INT(r.rejected, 1);
    arena_free(&a);
}

// Two recordings of the same notes are one thing to the splits.
TEST(prepare_pairs_are_compared_by_their_notes)
{
    err e = {0};
    arena a = {0};
    prepare_report r;
    sounds_put_tone("a.wav", 220), sounds_put_tone("b.wav", 440), sounds_put_tone("c.wav", 330);
    put_song("a.mid", 60), put_song("b.mid", 60), put_song("c.mid", 62);
    sounds_put_manifest("{\"path\": \"a.wav\", \"midi\": \"a.mid\", \"split\": \"train\"}\n"
                        "{\"path\": \"b.wav\", \"midi\": \"b.mid\", \"split\": \"test\"}\n"
                        "{\"path\": \"c.wav\", \"midi\": \"c.mid\", \"split\": \"train\"}\n");
    EXPECT_OK(sounds_prepare_as("out", MANIFEST "features: [mel, tokens]\n", 1, &r, &e), e);
    EXPECT_INT(r.duplicates, 1);
    EXPECT_INT(r.prepared, 2);
    EXPECT_HAS(prepared_rejects(&a, "out"), "\"path\": \"a.wav\"");
    arena_free(&a);
}

TEST(prepare_pairs_refuse_what_cannot_belong_together)
{
    err e = {0};
    prepare_report r;
    sounds_put_tone("a.wav", 220);
    EXPECT_ERR(sounds_prepare_as("out", "dataset: folder\nfeatures: [mel, tokens]\n", 1, &r, &e), e,
               ERR_CONFIG, "which files belong together");
    EXPECT_ERR(sounds_prepare_as("out",
                                 SYNTH "features: [mel, tokens]\naugment: {stretch: [0.9, 1.1]}\n",
                                 1, &r, &e),
               e, ERR_CONFIG, "tilt and noise");
    EXPECT_ERR(sounds_prepare_as("out", "dataset: lakh\nfeatures: [mel, tokens]\n", 1, &r, &e), e,
               ERR_CONFIG, "no audio to make mel");
    EXPECT_ERR(sounds_prepare_as("out", "dataset: nsynth\nfeatures: [mel, tokens]\n", 1, &r, &e), e,
               ERR_CONFIG, "no MIDI to make tokens");
    EXPECT_OK(sounds_prepare_as("out",
                                SYNTH "features: [mel, tokens]\naugment: {tilt: 3, copies: 2}\n", 2,
                                &r, &e),
              e);
    shard *s = open_as("out/train-00000.h5");
    if (s) {
        int tokens = shard_find_column(&s->info, "tokens");
        EXPECT_STR(s->paths[1] + strlen(s->paths[0]), "#1");
        EXPECT_INT(shard_item_count(s, tokens, 1), shard_item_count(s, tokens, 0));
    }
    shard_close(s);
}

// The one performance of which there is sound here, 2 seconds of 11 minutes.
TEST(prepare_pairs_of_the_real_maestro)
{
    static const char *const root = "../shared/data/maestro-v3.0.0";
    err e = {0};
    arena a = {0};
    prepare_report r;
    if (!file_exists(root)) {
        test_skip("../shared/data is not here");
        return;
    }
    const char *out;
    const char *copy = "mkdir %s && cp %s/2018/MIDI-Unprocessed_Chamber3_MID--AUDIO_10_R3_2018* %s";
    EXPECT_INT(test_shell(&out, copy, test_path("2018"), root, test_path("2018")), 0);
    EXPECT_INT(test_shell(&out, "head -2 %s/maestro-v3.0.0.csv >%s", root,
                          test_path("maestro-v3.0.0.csv")),
               0);
    EXPECT_OK(sounds_prepare_as("out",
                                "dataset: maestro\nfeatures: [mel, midi_stats]\nmax_seconds: 1h\n"
                                "mel: {sample_rate: 16000, n_mels: 128, hop_length: 320}\n",
                                1, &r, &e),
              e);
    EXPECT_INT(r.prepared, 1);
    EXPECT_INT(r.outlasting, 1);
    shard *s = open_as("out/train-00000.h5");
    if (s) {
        EXPECT_INT(s->items, 1);
        EXPECT(s->frames > 95 && s->frames < 105);
        EXPECT_NEAR(s->seconds[0], 698.66, 0.01);
    }
    shard_close(s);
    arena_free(&a);
}
