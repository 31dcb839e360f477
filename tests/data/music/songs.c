// SPDX-License-Identifier: GPL-3.0-or-later
// songs.c: songs written by hand (songs.h).
#include "tests/data/music/songs.h"

#include <math.h>
#include <stdlib.h>

#include "tests/test.h"

enum { EVENTS_MOST = 64 };

midi_song *song_new(arena *a)
{
    midi_song *s = NEW(a, midi_song, 1);
    *s = (midi_song){.ticks_per_quarter = SONG_TICKS,
                     .format = 1,
                     .tracks = 1,
                     .n_instruments = 3,
                     .n_tempos = 1};
    s->notes = NEW(a, midi_note, SONG_NOTES_MOST);
    s->instruments = NEW(a, midi_instrument, 3);
    s->instruments[SONG_DRUMS] = (midi_instrument){.channel = MIDI_DRUMS, .is_drum = true};
    s->instruments[SONG_FLUTE] = (midi_instrument){.program = 73, .channel = 1};
    s->pedals = NEW(a, midi_pedal, EVENTS_MOST);
    s->tempos = NEW(a, midi_tempo, EVENTS_MOST);
    s->tempos[0].us_per_quarter = 500000;
    s->metres = NEW(a, midi_metre, EVENTS_MOST);
    return s;
}

void song_play(midi_song *s, int instrument, double quarter, double quarters, int pitch,
               int velocity)
{
    midi_note *n = &s->notes[s->n_notes++];
    *n = (midi_note){
        .pitch = (uint8_t)pitch, .velocity = (uint8_t)velocity, .instrument = (uint16_t)instrument};
    n->start_tick = (uint32_t)lrint(quarter * s->ticks_per_quarter);
    n->end_tick = (uint32_t)lrint((quarter + quarters) * s->ticks_per_quarter);
    s->instruments[instrument].notes++;
}

void song_metre(midi_song *s, double quarter, int numerator, int denominator)
{
    s->metres[s->n_metres++] = (midi_metre){.tick = (uint32_t)(quarter * s->ticks_per_quarter),
                                            .numerator = numerator,
                                            .denominator = denominator};
}

void song_tempo_at(midi_song *s, double quarter, double quarters_a_minute)
{
    size_t i = quarter > 0 ? s->n_tempos++ : 0;
    s->tempos[i] = (midi_tempo){.tick = (uint32_t)(quarter * s->ticks_per_quarter),
                                .us_per_quarter = 60e6 / quarters_a_minute};
}

void song_pedal(midi_song *s, double start, double end)
{
    s->pedals[s->n_pedals++] = (midi_pedal){start, end};
}

static double seconds_at(const midi_song *s, double tick)
{
    size_t i = s->n_tempos - 1;
    while (i > 0 && s->tempos[i].tick > tick)
        i--;
    return s->tempos[i].seconds +
           (tick - s->tempos[i].tick) * s->tempos[i].us_per_quarter / 1e6 / s->ticks_per_quarter;
}

static int by_start(const void *a, const void *b)
{
    const midi_note *x = a, *y = b;
    return x->start_tick != y->start_tick ? (x->start_tick > y->start_tick ? 1 : -1)
                                          : x->pitch - y->pitch;
}

void song_done(midi_song *s)
{
    for (size_t i = 1; i < s->n_tempos; i++) {
        const midi_tempo *b = &s->tempos[i - 1];
        s->tempos[i].seconds = b->seconds + (s->tempos[i].tick - b->tick) * b->us_per_quarter /
                                                1e6 / s->ticks_per_quarter;
    }
    for (size_t i = 0; i < s->n_metres; i++)
        s->metres[i].seconds = seconds_at(s, s->metres[i].tick);
    qsort(s->notes, s->n_notes, sizeof *s->notes, by_start);
    for (size_t i = 0; i < s->n_notes; i++) {
        midi_note *n = &s->notes[i];
        n->start = seconds_at(s, n->start_tick), n->end = seconds_at(s, n->end_tick);
        s->seconds = fmax(s->seconds, n->end);
        s->last_tick = n->end_tick > s->last_tick ? n->end_tick : s->last_tick;
    }
    s->note_ons = (uint32_t)s->n_notes;
}

// ---- Pieces

midi_song *song_scale(arena *a)
{
    static const int pitches[] = {60, 62, 64, 65, 67, 69, 71, 72};
    midi_song *s = song_new(a);
    for (int i = 0; i < 8; i++)
        song_play(s, SONG_PIANO, i, 1, pitches[i], 80);
    song_done(s);
    return s;
}

midi_song *song_cadence(arena *a)
{
    static const int chords[4][4] = {
        {43, 59, 62, 67}, {48, 60, 64, 67}, {50, 57, 62, 66}, {43, 59, 62, 67}};
    midi_song *s = song_new(a);
    for (int bar = 0; bar < 4; bar++)
        for (int k = 0; k < 4; k++)
            song_play(s, SONG_PIANO, 4 * bar, 4, chords[bar][k], 64);
    song_done(s);
    return s;
}

midi_song *song_swing(arena *a)
{
    static const double ride[] = {0, 1, 5 / 3.0, 2, 3, 11 / 3.0};
    midi_song *s = song_new(a);
    for (int bar = 0; bar < 2; bar++)
        for (int i = 0; i < 6; i++)
            song_play(s, SONG_DRUMS, 4 * bar + ride[i], 0.25, 51, i == 1 || i == 4 ? 100 : 80);
    song_done(s);
    return s;
}

// Numbers drawn one after the other.
typedef struct dice {
    uint32_t seed, next;
} dice;

static uint32_t draw(dice *d, uint32_t below)
{
    return test_fill_u32(d->seed, d->next++) % below;
}

// Of any size up to 2^bits.
static uint32_t draw_size(dice *d, uint32_t bits)
{
    uint32_t size = draw(d, bits);
    return 1 + draw(d, 2u << size);
}

static void draw_events(midi_song *s, dice *d, uint32_t span)
{
    uint32_t tick = 0;
    s->tempos[0].us_per_quarter = draw_size(d, 24);
    for (uint32_t k = draw(d, 8); k > 0; k--) {
        tick += 1 + draw(d, span);
        s->tempos[s->n_tempos++] = (midi_tempo){.tick = tick, .us_per_quarter = draw_size(d, 24)};
    }
    tick = 0;
    for (uint32_t k = draw(d, 8); k > 0; k--) {
        tick += draw(d, span);
        s->metres[s->n_metres++] =
            (midi_metre){.tick = tick, .numerator = 1 + (int)draw(d, 255), .denominator = 1};
        s->metres[s->n_metres - 1].denominator <<= draw(d, 7);
    }
    for (uint32_t k = draw(d, 8); k > 0; k--) {
        double start = draw(d, 100);
        song_pedal(s, start, start + draw(d, 100));
    }
}

midi_song *song_random(arena *a, uint32_t seed)
{
    static const int resolutions[] = {1, 2, 24, 96, 480, 960, 15360, 32767};
    midi_song *s = song_new(a);
    dice d = {seed, 0};
    s->ticks_per_quarter = resolutions[draw(&d, 8)];
    uint32_t span = 2 + draw_size(&d, 26);
    draw_events(s, &d, span);
    for (uint32_t k = draw(&d, 10) ? draw(&d, 300) : 0; k > 0; k--) {
        midi_note *n = &s->notes[s->n_notes++];
        n->start_tick = draw(&d, span), n->end_tick = n->start_tick + draw_size(&d, 26);
        n->pitch = (uint8_t)draw(&d, 128), n->velocity = (uint8_t)(1 + draw(&d, 127)),
        n->instrument = (uint16_t)draw(&d, 3);
    }
    song_done(s);
    return s;
}

const midi_song *song_read(arena *a, const char *name)
{
    err e = {0};
    const midi_song *s = midi_read(a, test_path(name), &e);
    EXPECT_OK(s != NULL, e);
    return s ? s : NEW(a, midi_song, 1);
}
