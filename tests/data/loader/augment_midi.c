// SPDX-License-Identifier: GPL-3.0-or-later
// augment_midi.c: what transposing, stretching, scaling and dropping do to notes, heard through the
// decoder.
#include "data/loader/augment_midi.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/larger.h"
#include "data/features/feature.h"
#include "data/music/tokens.h"
#include "tests/data/music/songs.h"
#include "tests/test.h"

enum { NOTES = 1500, SHORTEST = 4 }; // of the piece: notes; steps

// ---- A piece, and what is heard of tokens

// Twelve voices: notes overlap, on one pitch too where voices `meet`, rests of up to three seconds,
// all velocities.
static midi_song *piece(arena *a, bool meet)
{
    midi_song *s = song_new(a);
    double at[12] = {0};
    for (uint32_t i = 0; i < NOTES; i++) {
        uint32_t v = i % 12, x = test_fill_u32(7, i);
        double length = (SHORTEST + x % 150) / 50.0;
        int pitch = (int)(meet ? 36 + x / 1000 % 60 : 36 + v + x / 1000 % 5 * 12);
        song_play(s, SONG_PIANO, at[v], length, pitch, (int)(1 + x / 100000 % 127));
        at[v] += length + (x % 7 == 0 ? x / 50 % 300 : x % 3) / 50.0;
    }
    song_done(s);
    return s;
}

static feature_rows tokens_of(const midi_song *s, arena *a)
{
    err e = {0};
    feature_rows rows = {0};
    const feature_def *def = feature_find("tokens", &e);
    void *settings = feature_settings(def, a);
    EXPECT_OK(feature_resolve(def, settings, &e), e);
    feature *f = feature_open(def, settings, &e);
    EXPECT_OK(f && feature_song(f, s, a, &rows, &e), e);
    feature_close(f);
    return rows;
}

typedef struct heard {
    tokens_note *notes;
    size_t n;
} heard;

static heard hear(const uint16_t *tokens, size_t n, arena *a)
{
    err e = {0};
    heard h = {0};
    EXPECT_OK(tokens_decode(tokens, n, a, &h.notes, &h.n, &e), e);
    return h;
}

static int by_start(const void *a, const void *b)
{
    const tokens_note *x = a, *y = b;
    double d = x->start != y->start   ? x->start - y->start
               : x->pitch != y->pitch ? x->pitch - y->pitch
                                      : x->end - y->end;
    return d < 0 ? -1 : d > 0;
}

static void expect_notes(heard got, heard want, const char *what)
{
    qsort(got.notes, got.n, sizeof *got.notes, by_start);
    qsort(want.notes, want.n, sizeof *want.notes, by_start);
    test_expect(got.n == want.n, __FILE__, __LINE__, "%s: %zu notes, expected %zu", what, got.n,
                want.n);
    for (size_t i = 0; i < got.n && i < want.n; i++) {
        tokens_note g = got.notes[i], w = want.notes[i];
        if (!test_expect(
                fabs(g.start - w.start) < 1e-9 && fabs(g.end - w.end) < 1e-9 &&
                    g.pitch == w.pitch && g.velocity == w.velocity,
                __FILE__, __LINE__,
                "%s: note %zu is %d at %.2f to %.2f, %d loud, expected %d at %.2f to %.2f, %d loud",
                what, i, g.pitch, g.start, g.end, g.velocity, w.pitch, w.start, w.end, w.velocity))
            return;
    }
}

static midi_draw draw(int transpose, double stretch, double velocity, double drop)
{
    augment_midi s = {{transpose, transpose}, {stretch, stretch}, {velocity, velocity}, drop};
    return augment_midi_draw(&s, 3, 1, 4);
}

typedef struct made {
    uint16_t *tokens;
    size_t n;
} made;

static made augmented(midi_draw d, feature_rows in, arena *a)
{
    size_t room = 2 * (size_t)in.n + 100;
    made m = {NEW(a, uint16_t, room), 0};
    m.n = augment_tokens(&d, in.data, (size_t)in.n, m.tokens, room);
    EXPECT(m.n < room);
    return m;
}

// As the encoder writes: time in whole seconds while more than one is left, no velocity twice, none
// without a note behind it.
static void expect_canonical(made m)
{
    for (size_t i = 0; i < m.n; i++) {
        bool shift = m.tokens[i] >= TOKENS_SHIFT && m.tokens[i] < TOKENS_VELOCITY,
             velocity = m.tokens[i] >= TOKENS_VELOCITY;
        uint16_t next = i + 1 < m.n ? m.tokens[i + 1] : 0;
        if (shift && next >= TOKENS_SHIFT && next < TOKENS_VELOCITY)
            EXPECT_INT(m.tokens[i], TOKENS_SHIFT + TOKENS_STEPS - 1);
        if (velocity)
            EXPECT(next < TOKENS_OFF);
        if (shift || velocity)
            EXPECT(i + 1 < m.n);
    }
}

// ---- Draws

TEST(augment_midi_draws_are_a_function_of_seed_epoch_and_position)
{
    augment_midi s = {{-5, 6}, {0.95, 1.05}, {0.9, 1.1}, 0.05};
    int count[12] = {0};
    double stretch = 0, low = 9, high = 0, velocity = 0;
    for (uint64_t p = 0; p < 12000; p++) {
        midi_draw d = augment_midi_draw(&s, 1, p / 4000, p % 4000),
                  again = augment_midi_draw(&s, 1, p / 4000, p % 4000);
        EXPECT(d.transpose == again.transpose && d.stretch == again.stretch &&
               d.velocity == again.velocity);
        EXPECT(d.transpose >= -5 && d.transpose <= 6 && d.drop == 0.05f && d.velocity >= 0.9f &&
               d.velocity <= 1.1f);
        count[d.transpose + 5]++;
        stretch += (double)d.stretch / 12000, velocity += (double)d.velocity / 12000;
        low = fmin(low, (double)d.stretch), high = larger(high, (double)d.stretch);
    }
    for (int i = 0; i < 12; i++)
        EXPECT_NEAR(count[i], 1000, 120); // 4 deviations
    EXPECT_NEAR(stretch, 1, 0.002);
    EXPECT_NEAR(velocity, 1, 0.004);
    EXPECT(low >= 0.95 && low < 0.951 && high <= 1.05 && high > 1.049);
    midi_draw a = augment_midi_draw(&s, 1, 0, 7), b = augment_midi_draw(&s, 2, 0, 7),
              c = augment_midi_draw(&s, 1, 1, 7);
    EXPECT(a.stretch != b.stretch && a.stretch != c.stretch);
}

TEST(augment_midi_asks_for_nothing_by_default)
{
    augment_midi none = {0}, ones = {.stretch = {1, 1}, .velocity = {1, 1}}, some = {.drop = 0.1};
    midi_draw d = augment_midi_draw(&none, 1, 2, 3);
    EXPECT(!augment_midi_asked(&none) && !augment_midi_asked(&ones) && augment_midi_asked(&some));
    EXPECT(d.transpose == 0 && d.stretch == 1 && d.velocity == 1 && d.drop == 0);
    EXPECT_INT(augment_tokens_raw(&none, 513), 513);
    EXPECT_INT(augment_tokens_raw(&(augment_midi){.transpose = {-3, 3}}, 513), 513);
    EXPECT(augment_tokens_raw(&some, 513) > 513);
}

// ---- Tokens

TEST(augment_tokens_transposes_notes)
{
    arena a = {0};
    feature_rows in = tokens_of(piece(&a, true), &a);
    for (int by = -5; by <= 6; by++) {
        heard want = hear(in.data, (size_t)in.n, &a);
        made m = augmented(draw(by, 1, 1, 0), in, &a);
        for (size_t i = 0; i < want.n; i++)
            want.notes[i].pitch = (uint8_t)(want.notes[i].pitch + by);
        EXPECT_INT(m.n, in.n);
        expect_notes(hear(m.tokens, m.n, &a), want, "transposed");
        expect_canonical(m);
    }
    arena_free(&a);
}

// No note leaves the 128 pitches, and none is lost: the slice goes as far as it can.
TEST(augment_tokens_transposes_only_as_far_as_all_fits)
{
    arena a = {0};
    uint16_t in[] = {356, 2, 125, 256, 128 + 2, 128 + 125}, out[6];
    midi_draw up = draw(6, 1, 1, 0), down = draw(-5, 1, 1, 0), longer = draw(6, 1.5, 1, 0);
    EXPECT_INT(augment_tokens(&up, in, 6, out, 6), 6);
    EXPECT(out[0] == 356 && out[1] == 4 && out[2] == 127 && out[3] == 256 && out[4] == 132 &&
           out[5] == 255);
    EXPECT_INT(augment_tokens(&down, in, 6, out, 6), 6);
    EXPECT(out[1] == 0 && out[2] == 123 && out[4] == 128 && out[5] == 128 + 123);
    EXPECT_INT(augment_tokens(&longer, in, 6, out, 6), 6);
    EXPECT(out[1] == 4 && out[2] == 127 && out[3] == 257);
    EXPECT_INT(augment_tokens(&up, in, 0, out, 6), 0);
    arena_free(&a);
}

static double stretched(double seconds, float by)
{
    return (double)lround((double)lround(seconds * TOKENS_STEPS) * (double)by) / TOKENS_STEPS;
}

// Every start and end is at round(step * stretch), after minutes too: rounding does not add up.
TEST(augment_tokens_stretches_without_drift)
{
    static const double stretches[] = {0.9, 0.95, 1.05, 1.1, 1.5};
    arena a = {0};
    feature_rows in = tokens_of(piece(&a, false), &a);
    for (size_t k = 0; k < 5; k++) {
        midi_draw d = draw(0, stretches[k], 1, 0);
        heard want = hear(in.data, (size_t)in.n, &a);
        made m = augmented(d, in, &a);
        EXPECT(want.notes[want.n - 1].start > 60);
        for (size_t i = 0; i < want.n; i++) {
            want.notes[i].start = stretched(want.notes[i].start, d.stretch);
            want.notes[i].end = stretched(want.notes[i].end, d.stretch);
        }
        expect_notes(hear(m.tokens, m.n, &a), want, "stretched");
        expect_canonical(m);
    }
    arena_free(&a);
}

// A run of notes of one step each, one behind the other: made shorter, none vanishes, and what
// follows is in time again.
TEST(augment_tokens_keeps_the_shortest_notes)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    for (int i = 0; i < 50; i++)
        song_play(s, SONG_PIANO, 0.02 * i, 0.02, 60 + i % 2, 64);
    song_play(s, SONG_PIANO, 10, 1, 72, 64);
    song_done(s);
    made m = augmented(draw(0, 0.5, 1, 0), tokens_of(s, &a), &a);
    heard h = hear(m.tokens, m.n, &a);
    EXPECT_INT(h.n, 51);
    for (size_t i = 0; i < h.n; i++)
        EXPECT(h.notes[i].end - h.notes[i].start >= 0.01 - 1e-9);
    EXPECT_NEAR(h.notes[h.n - 1].start, 2.5, 1e-9);
    EXPECT_NEAR(h.notes[h.n - 1].end, 2.75, 1e-9);
    arena_free(&a);
}

TEST(augment_tokens_scales_bins_of_velocity)
{
    // v: 1 + 4 (bin - 1) + 1.5, the middle of the bin
    static const struct {
        int bin;
        double by;
        int want;
    } cases[] = {{1, 1.1, 1},   {16, 1.1, 18}, {16, 0.9, 14}, {10, 2, 20},
                 {32, 1.1, 32}, {30, 1.1, 32}, {1, 0.1, 1},   {20, 0.01, 1}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        uint16_t in[] = {(uint16_t)(TOKENS_VELOCITY + cases[k].bin - 1), 60, 300, 188}, out[4];
        midi_draw d = draw(0, 1, cases[k].by, 0);
        EXPECT_INT(augment_tokens(&d, in, 4, out, 4), 4);
        EXPECT_INT(out[0], TOKENS_VELOCITY + cases[k].want - 1);
        EXPECT(out[1] == 60 && out[2] == 300 && out[3] == 188);
    }
    // Two bins that become one: the velocity is written once.
    uint16_t in[] = {386, 60, 387, 64, 300, 188, 192}, out[7];
    midi_draw d = draw(0, 1, 1.2, 0);
    EXPECT_INT(augment_tokens(&d, in, 7, out, 7), 6);
    EXPECT(out[0] == 387 && out[1] == 60 && out[2] == 64 && out[3] == 300 && out[4] == 188);
}

// A velocity of 1 that is not quite 1 as a float goes the long way round and must come back to the
// same.
TEST(augment_tokens_the_long_way_round_is_the_same)
{
    arena a = {0};
    feature_rows in = tokens_of(piece(&a, true), &a);
    midi_draw d = draw(0, 1, 1, 0);
    d.velocity = nextafterf(1, 2);
    made m = augmented(d, in, &a);
    EXPECT_INT(m.n, in.n);
    EXPECT(memcmp(m.tokens, in.data, m.n * sizeof *m.tokens) == 0);
    arena_free(&a);
}

static size_t find(heard all, const tokens_note *x, size_t from)
{
    for (size_t i = from; i < all.n; i++)
        if (all.notes[i].start == x->start && all.notes[i].end == x->end &&
            all.notes[i].pitch == x->pitch && all.notes[i].velocity == x->velocity)
            return i;
    return SIZE_MAX;
}

static int dangling(const uint16_t *tokens, size_t n)
{
    int open[128] = {0}, count = 0;
    for (size_t i = 0; i < n; i++) {
        if (tokens[i] < TOKENS_OFF)
            open[tokens[i]]++;
        else if (tokens[i] < TOKENS_SHIFT && open[tokens[i] - TOKENS_OFF]-- == 0)
            count++, open[tokens[i] - TOKENS_OFF] = 0;
    }
    for (int p = 0; p < 128; p++)
        count += open[p];
    return count;
}

// What is left are notes of the piece, in time, as loud as before, and every one of them ends.
TEST(augment_tokens_drops_whole_notes)
{
    arena a = {0};
    feature_rows in = tokens_of(piece(&a, true), &a);
    heard all = hear(in.data, (size_t)in.n, &a);
    augment_midi s = {.drop = 0.2};
    double left = 0;
    for (uint64_t p = 0; p < 50; p++) {
        made m = augmented(augment_midi_draw(&s, 1, 0, p), in, &a);
        heard h = hear(m.tokens, m.n, &a);
        EXPECT_INT(dangling(m.tokens, m.n), 0);
        expect_canonical(m);
        for (size_t i = 0; i < h.n; i++)
            EXPECT(find(all, &h.notes[i], 0) != SIZE_MAX);
        left += (double)h.n / 50 / (double)all.n;
    }
    EXPECT_NEAR(left, 0.8, 0.01);
    arena_free(&a);
}

// In the middle of a piece there are ends of notes that began before it. They stay, and nothing
// else is left over.
TEST(augment_tokens_of_a_slice_end_what_began_before)
{
    arena a = {0};
    feature_rows in = tokens_of(piece(&a, true), &a);
    const uint16_t *slice = (const uint16_t *)in.data + 700;
    size_t n = 300, ends = 0, open[128] = {0};
    for (size_t i = 0; i < n; i++) {
        if (slice[i] < TOKENS_OFF)
            open[slice[i]]++;
        else if (slice[i] < TOKENS_SHIFT) {
            size_t *o = &open[slice[i] - TOKENS_OFF];
            ends += *o == 0;
            *o -= *o > 0;
        }
    }
    EXPECT(ends > 3);
    midi_draw d = draw(0, 1, 1, 0.9999999);
    uint16_t out[300];
    size_t left = augment_tokens(&d, slice, n, out, n), offs = 0;
    for (size_t i = 0; i < left; i++) {
        EXPECT(out[i] >= TOKENS_OFF && out[i] < TOKENS_VELOCITY);
        offs += out[i] < TOKENS_SHIFT;
    }
    EXPECT_INT(offs, ends);
    arena_free(&a);
}

// As many tokens as the window wants come out of a slice of augment_tokens_raw, and never more.
TEST(augment_tokens_fill_the_window)
{
    arena a = {0};
    feature_rows in = tokens_of(piece(&a, true), &a);
    augment_midi s = {{-5, 6}, {0.9, 1.1}, {0.9, 1.1}, 0.1};
    uint16_t out[258];
    size_t raw = augment_tokens_raw(&s, 257), short_of = 0, tried = 0;
    EXPECT(raw < 257 * 3 / 2);
    for (size_t at = 0; at + raw < (size_t)in.n; at += 13, tried++) {
        midi_draw d = augment_midi_draw(&s, 9, 0, at);
        out[257] = 999;
        size_t n = augment_tokens(&d, (const uint16_t *)in.data + at, raw, out, 257);
        short_of += n < 257;
        EXPECT(n <= 257 && out[257] == 999);
        for (size_t i = 0; i < n; i++)
            EXPECT(out[i] < TOKENS_COUNT);
    }
    EXPECT(tried > 80);
    EXPECT(short_of * 20 < tried);
    arena_free(&a);
}
