// SPDX-License-Identifier: GPL-3.0-or-later
// band.c: patterns to notes (band.h).
#include "compose/band.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "compose/voicing.h"
#include "data/midi/midi_write.h"

enum { SIXTEENTHS = 4, TOUCH_CHORDS, TOUCH_BASS, TOUCH_DRUMS, LIVELY_PERCENT = 20, LANES = 8 };

// How loud a part is beside the melody.
#define CHORDS_LOUD 0.72
#define BASS_LOUD   0.82
#define DRUMS_LOUD  0.8

static const struct {
    const char *name;
    int pitch; // General MIDI
} drums[] = {{"kick", 36},  {"stick", 37}, {"snare", 38}, {"clap", 39},  {"hat", 42},
             {"pedal", 44}, {"tom", 45},   {"open", 46},  {"crash", 49}, {"ride", 51}};
enum { KICK = 36, SNARE = 38, LOW_TOM = 45, CRASH = 49 };

arrangement *band_open(arena *a, const song_plan *p, size_t melody_notes)
{
    const genre_def *g = genre_at(p->genre);
    arrange_style style = {
        .valence = p->valence, .arousal = p->arousal, .tempo = p->tempo, .seed = p->seed};
    // A bar's most: five tones and a bass on every sixteenth, and eight lanes of drums.
    size_t room =
        melody_notes + (size_t)(p->bars * p->beats * SIXTEENTHS) * (CHORD_VOICES + 1 + LANES);
    arrangement *r = arrange_blank(a, &style, p->bars, p->beats, BAND_PARTS, room);
    const int programs[] = {g->lead, g->keys, g->bass, 0};
    for (int i = 0; i < BAND_PARTS; i++)
        r->song->instruments[i].program = (uint8_t)programs[i];
    r->song->instruments[BAND_DRUMS].channel = MIDI_DRUMS;
    r->song->instruments[BAND_DRUMS].is_drum = true;
    r->song->keys = NEW(a, midi_key, 1);
    r->song->keys[0] = (midi_key){.sharps = key_sharps(p->root, p->mode),
                                  .minor = mode_at(p->mode)->family == FAMILY_MINOR};
    r->song->n_keys = 1;
    return r;
}

static double touch(const arrangement *r, rng dice, double loud, double quarter, uint32_t element)
{
    return arrange_velocity(&r->style) * loud +
           2 * rng_normal(dice, (uint64_t)lrint(quarter * SIXTEENTHS), element);
}

// What is held to the end of the piece ends just before its last bar line.
void band_melody(arrangement *r, const form *f, const int *pitches)
{
    rng dice = rng_stream(r->style.seed, "touch", BAND_MELODY);
    double held = arrange_articulation(&r->style);
    for (size_t i = 0; i < f->n; i++) {
        const form_slot *s = &f->slots[i];
        bool last = i + 1 == f->n;
        double length = last ? r->bars * r->beats - s->quarter - 0.1 : s->quarters * held;
        arrange_note(r, BAND_MELODY, s->quarter, length, pitches[i],
                     touch(r, dice, 1, s->quarter, 0));
    }
}

// ---- Patterns

// Sixteenths from i on that a dash holds.
static int held_for(const char *pattern, int i, int n)
{
    int k = 1;
    while (i + k < n && pattern[i + k] == '-')
        k++;
    return k;
}

typedef struct strum {
    arrangement *r;
    rng dice;
    const voicing *v;
    double held;
} strum;

static void strike_tones(const strum *s, double at, double quarters, int from, int to, double loud)
{
    for (int t = from; t < to; t++)
        arrange_note(s->r, BAND_CHORDS, at, quarters, voicing_tone(s->v, t),
                     touch(s->r, s->dice, loud, at, (uint32_t)t));
}

static void strike(const strum *s, char sign, double at, double quarters)
{
    if (sign >= '1' && sign <= '9')
        strike_tones(s, at, quarters, sign - '1', sign - '0', CHORDS_LOUD);
    else if (sign == 'C' || sign == 'c')
        strike_tones(s, at, quarters, 0, s->v->n, sign == 'C' ? CHORDS_LOUD : 0.8 * CHORDS_LOUD);
    else if (sign == 'T')
        strike_tones(s, at, quarters, s->v->n > 3 ? 1 : 0, s->v->n, CHORDS_LOUD);
}

static void play_chords(arrangement *r, const song_plan *p, const voicing *v)
{
    const genre_def *g = genre_at(p->genre);
    const char *pattern = g->chords[p->arousal * 100 > LIVELY_PERCENT ? GENRE_LIVELY : GENRE_CALM];
    int bar_length = p->beats * SIXTEENTHS, n = (int)strlen(pattern);
    strum s = {.r = r, .dice = rng_stream(p->seed, "touch", TOUCH_CHORDS)};
    s.held = fmin(1, arrange_articulation(&r->style) + 0.1);
    for (int bar = 0; bar + 1 < p->bars; bar++)
        for (int i = 0; i < bar_length; i++) {
            int at = (bar * bar_length + i) % n;
            s.v = &v[bar];
            // A hold ends with its bar, where the chord changes.
            int length = held_for(pattern, at, n);
            length = length < bar_length - i ? length : bar_length - i;
            strike(&s, pattern[at], bar * p->beats + i / (double)SIXTEENTHS,
                   length * s.held / SIXTEENTHS);
        }
    s.v = &v[p->bars - 1];
    strike(&s, 'C', (p->bars - 1) * p->beats, p->beats - 0.1);
}

// ---- Bass

// The semitone or tone that leads to the next root, from the side on which the bass is.
static int approach(const song_plan *p, int next, int last)
{
    uint16_t scale = mode_mask(p->root, p->mode);
    int side = last <= next ? -1 : 1;
    return mask_has(scale, next + 12 + side)       ? next + side
           : mask_has(scale, next + 12 + 2 * side) ? next + 2 * side
                                                   : next + side;
}

static int bass_pitch(const song_plan *p, const chord_symbol *chords, int bar, char sign, int last)
{
    chord_symbol c = chords[bar], then = chords[bar + 1 < p->bars ? bar + 1 : bar];
    int above[CHORD_VOICES], n = chord_steps(c, above), root = voicing_bass(c.bass, last);
    switch (sign) {
    case 'F':
        return voicing_bass((c.root + above[n > 2 ? 2 : n - 1]) % 12, root);
    case 'T':
        return voicing_bass((c.root + above[1]) % 12, root);
    case 'O':
        return root + 12 <= VOICING_BASS_MOST ? root + 12 : root;
    case 'A':
        return approach(p, voicing_bass(then.bass, last), last);
    default:
        return root;
    }
}

static void play_bass(arrangement *r, const song_plan *p, const chord_symbol *chords)
{
    const char *pattern = genre_at(p->genre)->low;
    int n = (int)strlen(pattern), bar_length = p->beats * SIXTEENTHS, last = 36;
    rng dice = rng_stream(p->seed, "touch", TOUCH_BASS);
    double held = fmin(0.98, arrange_articulation(&r->style) + 0.15);
    for (int bar = 0; bar + 1 < p->bars; bar++)
        for (int i = 0; i < bar_length; i++) {
            int at = i % n;
            if (pattern[at] == '-' || pattern[at] == '.')
                continue;
            double quarter = bar * p->beats + i / (double)SIXTEENTHS;
            last = bass_pitch(p, chords, bar, pattern[at], last);
            arrange_note(r, BAND_BASS, quarter, held_for(pattern, at, n) * held / SIXTEENTHS, last,
                         touch(r, dice, BASS_LOUD, quarter, 0));
        }
    double end = (p->bars - 1) * p->beats;
    arrange_note(r, BAND_BASS, end, p->beats - 0.1, bass_pitch(p, chords, p->bars - 1, 'R', last),
                 touch(r, dice, BASS_LOUD, end, 0));
}

// ---- Drums

static void hit(arrangement *r, rng dice, int pitch, double quarter, double loud)
{
    arrange_note(r, BAND_DRUMS, quarter, 0.2, pitch,
                 touch(r, dice, DRUMS_LOUD * loud, quarter, (uint32_t)pitch));
}

static int drum_pitch(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof drums / sizeof *drums; i++)
        if (strlen(drums[i].name) == n && !memcmp(drums[i].name, name, n))
            return drums[i].pitch;
    return -1;
}

// One instrument's "kick:x...x..." over the bars; silent in a fill's second half.
static void play_lane(arrangement *r, rng dice, const form *f, int pitch, const char *pattern,
                      int n)
{
    int bar_length = r->beats * SIXTEENTHS;
    for (int bar = 0; bar + 1 < r->bars; bar++)
        for (int i = 0; i < bar_length; i++) {
            char sign = pattern[(bar * bar_length + i) % n];
            if ((sign != 'x' && sign != 'X' && sign != 'o') ||
                (f->bars[bar].closes && i >= bar_length / 2))
                continue;
            hit(r, dice, pitch, bar * r->beats + i / (double)SIXTEENTHS,
                sign == 'X'   ? 1.15
                : sign == 'o' ? 0.55
                              : 0.9);
        }
}

// The half bar before a new section, and the crash that opens it.
static void play_fill(arrangement *r, rng dice, int bar)
{
    int half = r->beats * SIXTEENTHS / 2;
    for (int i = 0; i < half; i++) {
        double at = bar * r->beats + (half + i) / (double)SIXTEENTHS;
        bool strikes = i % 2 == 0 || rng_uniform(dice, (uint64_t)bar, (uint32_t)i) < 0.4f;
        if (strikes)
            hit(r, dice, i < half / 2 ? SNARE : LOW_TOM, at, 0.7 + 0.4 * i / half);
    }
    hit(r, dice, CRASH, (bar + 1) * r->beats, 1);
}

static void play_drums(arrangement *r, const song_plan *p, const form *f)
{
    rng dice = rng_stream(p->seed, "touch", TOUCH_DRUMS);
    for (const char *s = genre_at(p->genre)->drums; *s; s += strspn(s, " ")) {
        size_t name = strcspn(s, ":"), n = strcspn(s + name + 1, " ");
        int pitch = drum_pitch(s, name);
        CHECK(pitch >= 0);
        play_lane(r, dice, f, pitch, s + name + 1, (int)n);
        s += name + 1 + n;
    }
    if (!*genre_at(p->genre)->drums)
        return;
    for (int bar = 0; bar + 1 < p->bars; bar++)
        if (f->bars[bar].closes)
            play_fill(r, dice, bar);
    hit(r, dice, KICK, (p->bars - 1) * p->beats, 1.1);
    if (p->bars == 1 || !f->bars[p->bars - 2].closes)
        hit(r, dice, CRASH, (p->bars - 1) * p->beats, 1);
}

void band_accompany(arrangement *r, const song_plan *p, const form *f, const chord_symbol *chords)
{
    chords = chords ? chords : p->chords;
    voicing *v = NEW(r->arena, voicing, (size_t)p->bars);
    for (int bar = 0; bar < p->bars; bar++)
        v[bar] = voicing_of(chords[bar], bar ? &v[bar - 1] : NULL);
    play_chords(r, p, v);
    play_bass(r, p, chords);
    play_drums(r, p, f);
}
