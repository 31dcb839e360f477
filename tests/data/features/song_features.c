// SPDX-License-Identifier: GPL-3.0-or-later
// song_features.c: the rows that go into shards, of pieces whose melody, chords, groove and
// dynamics one knows.
#include <math.h>
#include <string.h>

#include "data/features/feature.h"
#include "data/music/chords.h"
#include "data/music/dynamics.h"
#include "data/music/groove.h"
#include "data/music/midi_stats.h"
#include "tests/data/music/songs.h"
#include "tests/test.h"

enum { HARMONY = 65, DYNAMIC = MIDI_STATS + DYNAMICS };

// The rows of a feature with one setting, or none where it is NULL.
static feature_rows rows_of(arena *a, const char *name, const char *setting, const char *value,
                            const midi_song *s)
{
    err e = {0};
    feature_rows rows = {0};
    const feature_def *d = feature_find(name, &e);
    void *settings = d ? feature_settings(d, a) : NULL;
    bool ok = d && (!setting || feature_set(d, settings, setting, value, &e)) &&
              feature_resolve(d, settings, &e);
    feature *f = ok ? feature_open(d, settings, &e) : NULL;
    EXPECT_OK(f && feature_song(f, s, a, &rows, &e), e);
    EXPECT(f && f->width == d->rows.width && feature_fits(&d->rows, rows.data, rows.n));
    feature_close(f);
    return rows;
}

static void expect_melody(const midi_song *s, const uint16_t *want, int64_t n, int line)
{
    arena a = {0};
    feature_rows rows = rows_of(&a, "melody", NULL, NULL, s);
    test_expect(rows.n == n && !memcmp(rows.data, want, (size_t)n * sizeof *want), __FILE__, line,
                "another melody");
    arena_free(&a);
}

TEST(song_features_melody)
{
    static const uint16_t scale[] = {60, 62, 64, 65, 67, 69, 71, 72}, cadence[] = {67, 67, 66, 67};
    arena a = {0};
    expect_melody(song_scale(&a), scale, 8, __LINE__);
    expect_melody(song_cadence(&a), cadence, 4, __LINE__);
    EXPECT_INT(rows_of(&a, "melody", NULL, NULL, song_swing(&a)).n, 0); // drums alone
    arena_free(&a);
}

static void expect_chords(feature_rows rows, const char *names)
{
    strbuf all = {0};
    char name[8];
    for (int64_t i = 0; i < rows.n; i++)
        strbuf_printf(&all, "%s%s", i ? " " : "",
                      chord_name((int)((const float *)rows.data)[i * HARMONY + HARMONY - 1], name));
    EXPECT_STR(all.s ? all.s : "", names);
    strbuf_free(&all);
}

TEST(song_features_harmony)
{
    arena a = {0};
    feature_rows rows = rows_of(&a, "harmony", NULL, NULL, song_cadence(&a));
    const float *second = (const float *)rows.data + HARMONY;
    expect_chords(rows, "G C D G");
    EXPECT_NEAR(second[7], 1, 0);        // G on top
    EXPECT_NEAR(second[24 + 7], 0.5, 0); // in the bar before, two of four notes
    EXPECT_NEAR(second[48], 1, 0);
    expect_chords(rows_of(&a, "harmony", "step", "beats", song_cadence(&a)),
                  "G G G G C C C C D D D D G G G G");
    EXPECT_INT(rows_of(&a, "harmony", NULL, NULL, song_swing(&a)).n, 0);
    // a bar of rest between two chords, and at last a note that is no chord
    midi_song *s = song_new(&a);
    for (int k = 0; k < 3; k++)
        song_play(s, SONG_PIANO, 0, 4, 57 + (const int[]){0, 3, 7}[k], 80),
            song_play(s, SONG_PIANO, 8, 4, 64 + (const int[]){0, 4, 7}[k], 80);
    song_play(s, SONG_PIANO, 12, 4, 60, 80);
    song_done(s);
    expect_chords(rows_of(&a, "harmony", NULL, NULL, s), "Am E N.C.");
    arena_free(&a);
}

TEST(song_features_groove)
{
    arena a = {0};
    feature_rows rows = rows_of(&a, "groove", NULL, NULL, song_swing(&a));
    const float *x = rows.data;
    EXPECT_INT(rows.n, 1);
    EXPECT_NEAR(x[GROOVE_SWING], 1 / 3.0, 1e-3);
    EXPECT_NEAR(x[GROOVE_TEMPO], 0.6, 1e-6);
    EXPECT_NEAR(x[GROOVE_OFF_BEAT], 1 / 3.0, 1e-6);
    arena_free(&a);
}

// Four bars of eighths that grow louder at 120, four bars of quarters that fall at 60 under the
// pedal, then two notes.
static midi_song *two_phrases(arena *a)
{
    midi_song *s = song_new(a);
    song_tempo_at(s, 16, 60);
    for (int i = 0; i < 32; i++)
        song_play(s, SONG_PIANO, i / 2.0, 0.5, 60, 32 + 2 * (i / 2));
    for (int q = 0; q < 16; q++)
        song_play(s, SONG_FLUTE, 16 + q, 0.5, 72, 100 - q);
    song_play(s, SONG_PIANO, 33, 1, 60, 80), song_play(s, SONG_PIANO, 40, 1, 60, 80);
    song_pedal(s, 8, 40);
    s->instruments[SONG_FLUTE].pedals = 1;
    song_done(s);
    return s;
}

TEST(song_features_dynamics)
{
    arena a = {0};
    feature_rows rows = rows_of(&a, "dynamics", NULL, NULL, two_phrases(&a));
    const float *x = rows.data, *y = x + DYNAMIC;
    EXPECT_INT(rows.n, 2); // the third phrase is heard in two spans of sixteen
    for (int k = 0; k < DYNAMICS; k++) {
        EXPECT_NEAR(x[MIDI_STATS + k], (32 + 2 * k) / 127.0, 1e-6);
        EXPECT_NEAR(y[MIDI_STATS + k], (100 - k) / 127.0, 1e-6);
    }
    // each has the statistics of itself alone
    EXPECT_NEAR(x[MIDI_STATS_VELOCITY], 47 / 127.0, 1e-6);
    EXPECT_NEAR(y[MIDI_STATS_VELOCITY], 92.5 / 127, 1e-6);
    EXPECT_NEAR(x[MIDI_STATS_TEMPO], 0.6, 1e-6);
    EXPECT_NEAR(y[MIDI_STATS_TEMPO], 0.3, 1e-6);
    EXPECT_NEAR(x[MIDI_STATS_DENSITY], 0.4, 1e-6);
    EXPECT_NEAR(y[MIDI_STATS_DENSITY], 16 / 15.5 / 10, 1e-6);
    EXPECT_NEAR(x[MIDI_STATS_ARTICULATION], 1, 1e-6);
    EXPECT_NEAR(y[MIDI_STATS_ARTICULATION], 0.5, 1e-6);
    EXPECT_NEAR(x[MIDI_STATS_PEDAL], 0, 0);
    EXPECT_NEAR(y[MIDI_STATS_PEDAL], 1, 1e-6);
    EXPECT_NEAR(x[MIDI_STATS_OFF_BEAT], 0.5, 1e-6);
    EXPECT_NEAR(y[MIDI_STATS_OFF_BEAT], 0, 0);
    EXPECT_NEAR(y[MIDI_STATS_INSTRUMENTS], 1 / 8.0, 1e-6);
    EXPECT_INT(rows_of(&a, "dynamics", "bars", "8", two_phrases(&a)).n, 1);
    EXPECT_INT(rows_of(&a, "dynamics", "bars", "1", two_phrases(&a)).n,
               4); // eight eighths in sixteen spans are half of them, four quarters less
    arena_free(&a);
}

// A song of one phrase: what is said of the phrase is what is said of the song.
TEST(song_features_dynamics_of_one_phrase)
{
    arena a = {0};
    float want[MIDI_STATS];
    midi_song *s = song_new(&a);
    for (int q = 0; q < 16; q++)
        song_play(s, q % 2 ? SONG_PIANO : SONG_DRUMS, q, 1, 40 + 3 * q, 20 + 5 * q);
    song_done(s);
    midi_stats(&a, s, want);
    feature_rows rows = rows_of(&a, "dynamics", NULL, NULL, s);
    EXPECT_INT(rows.n, 1);
    EXPECT(rows.n == 1 && !memcmp(rows.data, want, sizeof want));
    arena_free(&a);
}

TEST(song_features_settings)
{
    arena a = {0};
    err e = {0};
    const feature_def *d = feature_find("groove", &e);
    EXPECT_ERR(feature_set(d, feature_settings(d, &a), "swing", "1", &e), e, ERR_CONFIG,
               "groove has none");
    d = feature_find("dynamics", &e);
    EXPECT_ERR(feature_set(d, feature_settings(d, &a), "bars", "0", &e), e, ERR_CONFIG, "bars");
    d = feature_find("harmony", &e);
    EXPECT_ERR(feature_set(d, feature_settings(d, &a), "step", "bar", &e), e, ERR_CONFIG, "bars");
    arena_free(&a);
}

TEST(song_features_of_random_songs_fit)
{
    static const char *const names[] = {"melody", "harmony", "groove", "dynamics", "midi_stats"};
    for (uint32_t seed = 0; seed < 60; seed++) {
        arena a = {0};
        midi_song *s = song_random(&a, seed);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            rows_of(&a, names[i], NULL, NULL, s);
        arena_free(&a);
    }
}

TEST(song_features_that_are_none_do_not_fit)
{
    float chord[HARMONY] = {0}, groove[GROOVE] = {0};
    uint16_t pitch = 127;
    const feature_shape *h = &feature_find("harmony", NULL)->rows,
                        *m = &feature_find("melody", NULL)->rows;
    chord[HARMONY - 1] = 60;
    EXPECT(feature_fits(h, chord, 1) && feature_fits(m, &pitch, 1));
    for (int k = 0; k < 4; k++) {
        chord[HARMONY - 1] = (const float[]){61, -1, 0.5F, NAN}[k];
        EXPECT(!feature_fits(h, chord, 1));
    }
    pitch = 128, groove[7] = INFINITY;
    EXPECT(!feature_fits(m, &pitch, 1) &&
           !feature_fits(&feature_find("groove", NULL)->rows, groove, 1));
}
