// SPDX-License-Identifier: GPL-3.0-or-later
// arrange.c: the rules of arrange.h, one function each.
#include "data/music/arrange.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/midi/midi_write.h"
#include "data/music/chords.h"
#include "data/music/groove.h"

enum { MELODY, CHORDS, PARTS, PHRASE = 4, SIXTEENTH = MIDI_WRITE_TICKS / 4 };
enum { BASS = 36, CLOSE = 48 }; // lowest pitches of a chord's root and of the chord

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

double arrange_tempo(const arrange_style *s)
{
    return s->tempo > 0 ? s->tempo : clamp(96 + 46 * s->arousal, 40, 220);
}

static double loudness(const arrange_style *s)
{
    return 0.4 + 0.25 * s->arousal;
}

double arrange_velocity(const arrange_style *s)
{
    return 127 * sqrt(0.8 * loudness(s));
}

double arrange_articulation(const arrange_style *s)
{
    return clamp(0.75 - 0.28 * s->arousal, 0.2, 1);
}

// ---- Rhythm

static void add_slot(arrangement *r, double quarter, double quarters)
{
    r->slots[r->n_slots++] = (arrange_slot){quarter, quarters};
}

// One bar, beat by beat. `rest`: it ends a phrase.
static void write_bar(arrangement *r, rng dice, int bar, bool rest)
{
    double a = r->style.arousal, eighths = clamp(0.35 + 0.3 * a, 0.05, 0.7),
           halves = clamp(0.2 - 0.2 * a, 0, 0.4);
    for (int beat = 0; beat < ARRANGE_BEATS;) {
        double at = bar * ARRANGE_BEATS + beat,
               u = (double)rng_uniform(dice, (uint64_t)bar, (uint32_t)beat);
        bool half =
            rest ? beat == 2 : u >= eighths && u < eighths + halves && beat + 2 <= ARRANGE_BEATS;
        if (!half && u < eighths) {
            add_slot(r, at, 0.5);
            add_slot(r, at + 0.5, 0.5);
        } else {
            add_slot(r, at, half ? 2 : 1);
        }
        beat += 1 + half;
    }
}

arrangement *arrange_blank(arena *a, const arrange_style *s, int bars, int beats, int parts,
                           size_t room)
{
    CHECK(bars >= 1 && bars <= ARRANGE_BARS && beats >= 1 && beats <= ARRANGE_BEATS);
    arrangement *r = NEW(a, arrangement, 1);
    *r = (arrangement){.arena = a, .style = *s, .bars = bars, .beats = beats, .room = room};
    r->song = midi_blank(a, arrange_tempo(s), beats, (size_t)parts, room);
    r->song->n_instruments = (size_t)parts;
    for (int i = 0; i < parts; i++)
        r->song->instruments[i] = (midi_instrument){.channel = (uint8_t)i, .track = (uint16_t)i};
    return r;
}

arrangement *arrange_open(arena *a, const arrange_style *s, int bars)
{
    rng dice = rng_stream(s->seed, "rhythm", 0);
    size_t slots = (size_t)bars * 2 * ARRANGE_BEATS;
    arrangement *r =
        arrange_blank(a, s, bars, ARRANGE_BEATS, PARTS, slots + (size_t)bars * 5 * ARRANGE_BEATS);
    r->song->instruments[MELODY].program = (uint8_t)s->program;
    r->song->instruments[CHORDS].program = (uint8_t)s->chord_program;
    r->song->n_instruments = CHORDS; // until there are chords
    r->slots = NEW(a, arrange_slot, slots);
    for (int bar = 0; bar < bars; bar++)
        write_bar(r, dice, bar, bar % PHRASE == PHRASE - 1 || bar == bars - 1);
    return r;
}

// ---- Notes

static int by_start(const void *a, const void *b)
{
    const midi_note *x = a, *y = b;
    if (x->start_tick != y->start_tick)
        return x->start_tick < y->start_tick ? -1 : 1;
    return x->pitch != y->pitch ? x->pitch - y->pitch : x->instrument - y->instrument;
}

void arrange_settle(arrangement *r)
{
    midi_song *s = r->song;
    qsort(s->notes, s->n_notes, sizeof *s->notes, by_start);
    s->seconds = 0;
    for (size_t i = 0; i < s->n_notes; i++) {
        midi_note *n = &s->notes[i];
        n->start = midi_seconds(s, n->start_tick), n->end = midi_seconds(s, n->end_tick);
        s->seconds = fmax(s->seconds, n->end);
        s->last_tick = n->end_tick > s->last_tick ? n->end_tick : s->last_tick;
    }
}

static int velocity_of(double x)
{
    return (int)clamp(floor(x + 0.5), 1, 127);
}

void arrange_note(arrangement *r, int part, double quarter, double quarters, int pitch,
                  double velocity)
{
    midi_song *s = r->song;
    uint32_t start = (uint32_t)lrint(quarter * MIDI_WRITE_TICKS),
             length = (uint32_t)lrint(quarters * MIDI_WRITE_TICKS);
    CHECK(s->n_notes < r->room && pitch >= 0 && pitch < 128);
    s->notes[s->n_notes++] = (midi_note){.start_tick = start,
                                         .end_tick = start + (length ? length : 1),
                                         .instrument = (uint16_t)part,
                                         .pitch = (uint8_t)pitch,
                                         .velocity = (uint8_t)velocity_of(velocity)};
    s->instruments[part].notes++;
}

static double accent(double quarter)
{
    double beat = fmod(quarter, ARRANGE_BEATS);
    return beat == 0 ? 6 : beat == 2 ? 3 : beat != floor(beat) ? -4 : 0;
}

void arrange_melody(arrangement *r, const int *pitches, size_t n)
{
    rng dice = rng_stream(r->style.seed, "touch", MELODY);
    double base = arrange_velocity(&r->style), held = arrange_articulation(&r->style);
    for (size_t i = 0; i < n && i < r->n_slots; i++) {
        const arrange_slot *at = &r->slots[i];
        arrange_note(r, MELODY, at->quarter, at->quarters * held, pitches[i],
                     base + accent(at->quarter) + 3 * rng_normal(dice, i, 0));
    }
    arrange_settle(r);
}

void arrange_chords(arrangement *r, const int *chords, int bars)
{
    rng dice = rng_stream(r->style.seed, "touch", CHORDS);
    int strikes = r->style.arousal > 0.5 ? 4 : r->style.arousal > 0 ? 2 : 1;
    double base = 127 * sqrt(0.45 * loudness(&r->style)), length = (double)ARRANGE_BEATS / strikes;
    double held = length * clamp(arrange_articulation(&r->style) + 0.1, 0, 1);
    r->song->n_instruments = PARTS;
    for (int bar = 0; bar < bars && bar < r->bars; bar++) {
        int above[CHORD_TONES], tones = chord_tones(chords[bar], above),
                                root = chords[bar] / CHORD_QUALITIES;
        for (int k = 0; k < strikes && tones; k++) {
            double at = bar * ARRANGE_BEATS + k * length;
            double v = base + accent(at) + 3 * rng_normal(dice, (uint64_t)bar, (uint32_t)k);
            arrange_note(r, CHORDS, at, held, BASS + root, v);
            for (int t = 0; t < tones; t++)
                arrange_note(r, CHORDS, at, held, CLOSE + (root + above[t]) % PITCH_CLASSES, v);
        }
    }
    arrange_settle(r);
}

// ---- Groove

// What accents leave of the variance of velocities / 127, as a deviation.
static double unexplained(const float *groove)
{
    double squares = 0;
    for (int k = 0; k < 8; k++)
        squares += (double)(groove[GROOVE_ACCENT + k] * groove[GROOVE_ACCENT + k]) / 8;
    return sqrt(clamp((double)groove[GROOVE_VELOCITY_VARIANCE] - squares, 0, 0.02));
}

static void move_note(midi_note *n, uint32_t bar, const float *groove, rng dice, double deviation)
{
    int place = (int)(n->start_tick % bar) / SIXTEENTH;
    uint64_t moment = n->start_tick; // what is struck together moves together
    double late = clamp((double)groove[GROOVE_DEVIATION + place], -0.5, 0.5);
    late += place % 4 == 2 ? 2 * clamp((double)groove[GROOVE_SWING], 0, 0.6) : 0;
    late += clamp((double)groove[GROOVE_HUMANIZATION], 0, 0.3) * rng_normal(dice, moment, 0);
    int64_t by = llrint(clamp(late, -0.9, 1.5) * SIXTEENTH), length = n->end_tick - n->start_tick;
    int64_t start = (int64_t)n->start_tick + by;
    n->start_tick = (uint32_t)(start < 0 ? 0 : start);
    n->end_tick = n->start_tick + (uint32_t)length;
    double v = 127 * (clamp((double)groove[GROOVE_ACCENT + place / 2], -0.3, 0.3) +
                      deviation * rng_normal(dice, moment, 1));
    n->velocity = (uint8_t)velocity_of(n->velocity + v);
}

void arrange_groove(arrangement *r, const float *groove)
{
    rng dice = rng_stream(r->style.seed, "groove", 0);
    uint32_t bar = (uint32_t)(r->beats * MIDI_WRITE_TICKS);
    double deviation = unexplained(groove);
    if (r->style.tempo <= 0)
        r->song->tempos->us_per_quarter = 60e6 / clamp(200 * (double)groove[GROOVE_TEMPO], 40, 220);
    for (size_t i = 0; i < r->song->n_notes; i++)
        move_note(&r->song->notes[i], bar, groove, dice, deviation);
    arrange_settle(r);
}

// ---- Dynamics

// Notes are by start: the first that begins at a tick or later.
static size_t first_from(const midi_song *s, double tick)
{
    size_t lo = 0, hi = s->n_notes;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->notes[mid].start_tick < tick)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void scale_span(midi_song *s, double from, double past, double want)
{
    double sum = 0;
    size_t first = first_from(s, from), end = first_from(s, past);
    for (size_t i = first; i < end; i++)
        sum += s->notes[i].velocity;
    for (size_t i = first; i < end; i++)
        s->notes[i].velocity =
            (uint8_t)velocity_of(s->notes[i].velocity * want * (double)(end - first) / sum);
}

void arrange_dynamics(arrangement *r, const dynamics_phrase *phrases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < DYNAMICS; k++) {
            double span = phrases[i].ticks / DYNAMICS, from = phrases[i].tick + k * span;
            scale_span(r->song, from, from + span,
                       127 * clamp((double)phrases[i].curve[k], 0.1, 1));
        }
}
