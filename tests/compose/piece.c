// SPDX-License-Identifier: GPL-3.0-or-later
// piece.c: what is played is what was planned: so many bars, in the scale, over the chords, without
// a note that hangs; and it has the form that the rules promise.
#include <math.h>
#include <string.h>

#include "compose/band.h"
#include "compose/compose.h"
#include "compose/melody.h"
#include "data/midi/midi_write.h"
#include "data/music/affect.h"
#include "data/music/key.h"
#include "tests/test.h"

static const env alone = {0};

static composition composed(arena *a, song_plan *p, song_plan_wish w)
{
    err e = {0};
    EXPECT_OK(song_plan_make(&w, a, p, &e), e);
    composition c = {.arena = a, .env = &alone, .plan = p};
    EXPECT_OK(compose(&c, &e), e);
    return c;
}

// Every genre, calm and wild, at lengths that do and do not make whole phrases.
TEST(compose_bars_are_as_asked_and_notes_are_sound)
{
    static const int lengths[] = {1, 2, 7, 8, 24};
    for (int g = 0; g < genre_count(); g++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            arena a = {0};
            song_plan p;
            composition c = composed(&a, &p,
                                     (song_plan_wish){.emotion = k % 2 ? "anger" : "sadness",
                                                      .genre = genre_at(g)->name,
                                                      .bars = lengths[k],
                                                      .seed = k});
            const midi_song *s = c.song;
            uint32_t beat = MIDI_WRITE_TICKS, end = 0, asked = (uint32_t)(p.bars * p.beats) * beat;
            int64_t parts[BAND_PARTS] = {0};
            for (size_t i = 0; i < s->n_notes; i++) {
                const midi_note *n = &s->notes[i];
                EXPECT(n->pitch <= 127 && n->velocity >= 1 && n->velocity <= 127);
                EXPECT(n->end_tick > n->start_tick);
                end = n->end_tick > end ? n->end_tick : end;
                parts[n->instrument]++;
            }
            EXPECT(end <= asked + beat && end + beat >= asked);
            EXPECT(parts[BAND_MELODY] > 0 && parts[BAND_CHORDS] > 0 && parts[BAND_BASS] > 0);
            EXPECT((parts[BAND_DRUMS] > 0) == (genre_at(g)->drums[0] != 0));
            EXPECT_INT(s->metres[0].numerator, p.beats);
            EXPECT_NEAR(60e6 / s->tempos[0].us_per_quarter, p.tempo, 1e-9);
            arena_free(&a);
        }
}

// The melody keeps to mode and chords, ends its phrases on the chord and the piece on the tonic,
// moves mostly by step, and its second phrase begins as the first.
TEST(compose_melody_by_rule_is_a_melody)
{
    int steps = 0, moves = 0, on_chord = 0, stressed = 0, recalled = 0, twins = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        arena a = {0};
        err e = {0};
        song_plan p;
        song_plan_wish w = {.emotion = "joy", .genre = "pop", .key = "D", .bars = 16, .seed = seed};
        EXPECT_OK(song_plan_make(&w, &a, &p, &e), e);
        form f = form_of(&a, &p);
        melody_setting m = {&p, &f, melody_scales(&a, &p)};
        int *pitches = NEW(&a, int, f.n);
        melody_draw(&m, &a, pitches);
        for (size_t i = 0; i < f.n; i++) {
            const form_slot *s = &f.slots[i];
            bool chord = mask_has(chord_mask(p.chords[s->bar]), pitches[i]);
            EXPECT(mask_has(m.scale[s->bar], pitches[i]));
            EXPECT(!s->ends || chord);
            on_chord += s->stress == 1 && chord, stressed += s->stress == 1;
            if (i)
                steps += pitches[i] - pitches[i - 1] >= -2 && pitches[i] - pitches[i - 1] <= 2,
                    moves++;
            if (s->twin >= 0)
                twins++, recalled += pitches[i] == pitches[s->twin];
        }
        EXPECT_INT(pitches[f.n - 1] % 12, 2);
        arena_free(&a);
    }
    EXPECT(steps > 0.5 * moves && steps < 0.95 * moves);
    EXPECT(on_chord > 0.85 * stressed);
    EXPECT(recalled > 0.6 * twins && twins > 0);
}

TEST(compose_form_is_a_period_and_sections_come_back)
{
    arena a = {0};
    err e = {0};
    song_plan p;
    song_plan_wish w = {.emotion = "calm", .bars = 34};
    EXPECT_OK(song_plan_make(&w, &a, &p, &e), e);
    form f = form_of(&a, &p);
    static const char sections[] = "AAAAAAAAAAAAAAAABBBBBBBBAAAAAAAACC";
    for (int i = 0; i < 34; i++)
        EXPECT_INT(f.bars[i].section, sections[i]);
    EXPECT_INT(f.bars[4].twin, 0);
    EXPECT_INT(f.bars[5].twin, 1);
    EXPECT_INT(f.bars[6].twin, -1);
    EXPECT_INT(f.bars[8].twin, 0);
    EXPECT_INT(f.bars[31].twin, 7);
    EXPECT_INT(f.bars[16].twin, -1);
    EXPECT(f.bars[3].ends && !f.bars[3].closes && f.bars[7].closes && f.bars[33].closes);
    EXPECT(f.bars[4].rhythm == f.bars[0].rhythm && f.bars[24].rhythm == f.bars[0].rhythm);
    arena_free(&a);
}

// In the key that was asked for, as an ear hears it (data/music/key.h), and felt as it was meant
// (data/music/affect.h).
TEST(compose_is_heard_as_it_was_meant)
{
    int keys = 0;
    double valence[2] = {0}, arousal[2] = {0};
    for (uint64_t seed = 0; seed < 8; seed++)
        for (int k = 0; k < 2; k++) {
            arena a = {0};
            song_plan p;
            double w[PITCH_CLASSES];
            composition c = composed(&a, &p,
                                     (song_plan_wish){.emotion = k ? "joy" : "grief",
                                                      .key = k ? "G" : "Fm",
                                                      .genre = "ballad",
                                                      .bars = 16,
                                                      .seed = seed});
            key_weights(c.song, w);
            key_estimate heard = key_find(w);
            keys += heard.tonic == p.root && heard.minor == !k;
            song_affect felt = affect_estimate(&a, c.song);
            valence[k] += felt.valence / 8, arousal[k] += felt.arousal / 8;
            arena_free(&a);
        }
    EXPECT(keys >= 12);
    EXPECT(valence[1] > valence[0] + 0.5);
    EXPECT(arousal[1] > arousal[0] + 0.5);
}

TEST(compose_the_same_plan_and_seed_give_the_same_bytes)
{
    strbuf bytes[3] = {{0}};
    for (int k = 0; k < 3; k++) {
        arena a = {0};
        err e = {0};
        song_plan p;
        song_plan_wish w = {.text = "a rainy night", .genre = "lofi", .bars = 12, .seed = k == 2};
        composition c = composed(&a, &p, w);
        EXPECT_OK(midi_format(c.song, &bytes[k], &e), e);
        arena_free(&a);
    }
    EXPECT(bytes[0].len == bytes[1].len && !memcmp(bytes[0].s, bytes[1].s, bytes[0].len));
    EXPECT(bytes[0].len != bytes[2].len || memcmp(bytes[0].s, bytes[2].s, bytes[0].len));
    for (int k = 0; k < 3; k++)
        strbuf_free(&bytes[k]);
}
