// SPDX-License-Identifier: GPL-3.0-or-later
// synth.c: the synthetic corpus follows its own rules, and says what it is.
#include "data/music/synth.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/midi/midi_write.h"
#include "data/music/affect.h"
#include "data/music/midi_stats.h"
#include "tests/test.h"

enum { ITEMS = 400 };

typedef struct means {
    double tempo, pitch, loudness, fall, major;
    int n;
} means;

static double mean_pitch(const synth_piece *p)
{
    double sum = 0;
    for (int i = 0; i < p->n_notes; i++)
        sum += p->notes[i].pitch;
    return sum / p->n_notes;
}

// Of all clips of one label; labels take turns.
static means listen(int label)
{
    synth_options o = {.items = ITEMS, .seconds = SYNTH_SECONDS, .seed = 1};
    means m = {0};
    for (uint64_t i = (uint64_t)label; i < ITEMS; i += 4) {
        arena a = {0};
        synth_piece p;
        synth_compose(&o, i, &a, &p);
        EXPECT(p.n_notes > 2);
        m.tempo += p.tempo, m.pitch += mean_pitch(&p), m.loudness += p.loudness, m.major += p.major;
        m.fall += log(p.voice.amplitude[0] / p.voice.amplitude[1]) / log(2);
        m.n++;
        arena_free(&a);
    }
    m.tempo /= m.n, m.pitch /= m.n, m.loudness /= m.n, m.major /= m.n, m.fall /= m.n;
    return m;
}

TEST(synth_music_follows_the_emotion)
{
    means grief = listen(0), joy = listen(1), calm = listen(2), anger = listen(3);
    EXPECT_NEAR(grief.tempo, 96 - 46 * 0.6, 8);
    EXPECT_NEAR(anger.tempo, 96 + 46 * 0.9, 8);
    EXPECT(joy.major > 0.95 && anger.major < 0.05 && grief.major < 0.05 && calm.major > 0.8);
    EXPECT(grief.pitch < anger.pitch && anger.pitch < calm.pitch && calm.pitch < joy.pitch);
    EXPECT(grief.loudness < calm.loudness && calm.loudness < joy.loudness);
    EXPECT(grief.fall > calm.fall && calm.fall > anger.fall && anger.fall > joy.fall);
}

TEST(synth_clip_is_a_function_of_seed_and_number)
{
    synth_options o = {.items = 10, .seconds = 1, .seed = 3},
                  other = {.items = 10, .seconds = 1, .seed = 4};
    clip a, b, c;
    err e = {0};
    EXPECT_OK(synth_clip(&o, 7, &a, &e), e);
    EXPECT_OK(synth_clip(&o, 7, &b, &e), e);
    EXPECT_OK(synth_clip(&other, 7, &c, &e), e);
    EXPECT_INT(a.frames, SYNTH_RATE);
    EXPECT(memcmp(a.samples, b.samples, (size_t)a.frames * sizeof *a.samples) == 0);
    EXPECT(memcmp(a.samples, c.samples, (size_t)a.frames * sizeof *a.samples) != 0);
    float peak = 0;
    for (int64_t i = 0; i < a.frames; i++)
        peak = fabsf(a.samples[i]) > peak ? fabsf(a.samples[i]) : peak;
    EXPECT(peak > 0.02f && peak < 1);
    clip_free(&a);
    clip_free(&b);
    clip_free(&c);
}

TEST(synth_players_stay_in_one_split)
{
    synth_options o = {.items = ITEMS, .seconds = 1};
    const char *split[SYNTH_PLAYERS] = {NULL};
    int count[3] = {0};
    for (uint64_t i = 0; i < ITEMS; i++) {
        synth_piece p;
        synth_describe(&o, i, &p);
        if (!split[p.player])
            split[p.player] = p.split;
        EXPECT_STR(p.split, split[p.player]);
        count[!strcmp(p.split, "train") ? 0 : !strcmp(p.split, "val") ? 1 : 2]++;
    }
    EXPECT_INT(count[0], 280);
    EXPECT_INT(count[1], 60);
    EXPECT_INT(count[2], 60);
}

// ---- As MIDI

typedef struct heard {
    double tempo, pitch, velocity, articulation, valence, arousal;
    int n;
} heard;

// What is read back from the written bytes, of all pieces of one label.
static heard read_back(int label)
{
    synth_options o = {.items = ITEMS, .seconds = 20, .seed = 1};
    heard h = {0};
    for (uint64_t i = (uint64_t)label; i < ITEMS; i += 8) {
        arena a = {0};
        strbuf bytes = {0};
        err e = {0};
        synth_piece p;
        float stats[MIDI_STATS];
        synth_compose(&o, i, &a, &p);
        EXPECT_OK(midi_format(synth_song(&a, &p), &bytes, &e), e);
        const midi_song *s = midi_parse(&a, "synth", bytes.s, bytes.len, &e);
        if (s) {
            song_affect affect = affect_estimate(&a, s);
            midi_stats(&a, s, stats);
            EXPECT(s->keys[0].minor == !p.major);
            h.tempo += 60e6 / s->tempos[0].us_per_quarter, h.pitch += stats[MIDI_STATS_PITCH] * 127,
                h.velocity += stats[MIDI_STATS_VELOCITY] * 127;
            h.articulation += stats[MIDI_STATS_ARTICULATION], h.valence += affect.valence,
                h.arousal += affect.arousal, h.n++;
        }
        strbuf_free(&bytes);
        arena_free(&a);
    }
    h.tempo /= h.n, h.pitch /= h.n, h.velocity /= h.n, h.articulation /= h.n, h.valence /= h.n,
        h.arousal /= h.n;
    return h;
}

TEST(synth_midi_follows_the_emotion)
{
    heard grief = read_back(0), joy = read_back(1), calm = read_back(2), anger = read_back(3);
    EXPECT_NEAR(grief.tempo, 96 - 46 * 0.6, 8);
    EXPECT_NEAR(anger.tempo, 96 + 46 * 0.9, 8);
    EXPECT(grief.pitch < anger.pitch && anger.pitch < calm.pitch && calm.pitch < joy.pitch);
    EXPECT(grief.velocity + 8 < calm.velocity && calm.velocity + 8 < joy.velocity);
    EXPECT(anger.articulation < calm.articulation && calm.articulation < grief.articulation);
    // what the estimate makes of it, which knows nothing of how it was made
    EXPECT(joy.valence > anger.valence && calm.valence > grief.valence);
    EXPECT(joy.arousal > grief.arousal && anger.arousal > calm.arousal);
}

// The sound and the MIDI of one item are the same notes.
TEST(synth_midi_is_the_music_of_the_sound)
{
    synth_options o = {.items = 8, .seconds = 4, .seed = 5};
    for (uint64_t i = 0; i < 8; i++) {
        arena a = {0};
        synth_piece p;
        synth_compose(&o, i, &a, &p);
        const midi_song *s = synth_song(&a, &p);
        EXPECT_INT(s->n_notes, p.n_notes);
        for (size_t k = 0; k < s->n_notes; k++) {
            EXPECT_INT(s->notes[k].pitch, p.notes[k].pitch);
            EXPECT_NEAR(midi_seconds(s, s->notes[k].start_tick), p.notes[k].start, 0.001);
            EXPECT_NEAR(midi_seconds(s, s->notes[k].end_tick), p.notes[k].start + p.notes[k].length,
                        0.001);
        }
        arena_free(&a);
    }
}

TEST(synth_corpus_says_what_it_is)
{
    synth_options o = {.items = 12, .seconds = 0.5, .seed = 2};
    env v = {0};
    err e = {0};
    arena a = {0};
    size_t n;
    EXPECT_OK(synth_write(test_dir(), &o, &v, NULL, NULL, &e), e);
    char *text = file_read(&a, test_path("manifest.jsonl"), 1 << 20, &n, &e);
    int lines = 0;
    for (char *p = text, *end; p && *p; p = end + 1, lines++) {
        end = strchr(p, '\n');
        json *j = json_parse(p, (size_t)(end - p), &e);
        EXPECT(json_bool(json_get(j, "synthetic"), false));
        const char *path = arena_printf(&a, "%s/%s", test_dir(), json_str(json_get(j, "path"), ""));
        clip c;
        EXPECT_OK(clip_read(path, 0, 0, 0, &c, &e), e);
        EXPECT_INT(c.rate, 16000);
        EXPECT_INT(c.frames, 8000);
        clip_free(&c);
        json_free(j);
    }
    EXPECT_INT(lines, 12);
    // again into the same folder: fine; into one with somebody's own manifest: not
    EXPECT_OK(synth_write(test_dir(), &o, &v, NULL, NULL, &e), e);
    EXPECT_OK(file_write(test_path("manifest.jsonl"), "{\"path\": \"mine.wav\"}\n", 21, &e), e);
    EXPECT_ERR(synth_write(test_dir(), &o, &v, NULL, NULL, &e), e, ERR_IO, "another folder");
    o.items = 0;
    EXPECT_ERR(synth_write(test_dir(), &o, &v, NULL, NULL, &e), e, ERR_USAGE, "1 to");
    arena_free(&a);
}
