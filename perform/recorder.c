// SPDX-License-Identifier: GPL-3.0-or-later
// recorder.c: messages and bar lines as a song (recorder.h). The tempo of a bar is what it really
// lasted: one that began late makes the one before it longer.
#include "perform/recorder.h"

#include <math.h>
#include <stdlib.h>

#include "base/larger.h"
#include "data/midi/midi_write.h"

enum { CHANNELS = MIDI_CHANNELS, PITCHES = 128 };

struct recorder {
    score_event *events; // [n_events], room for room_events
    score_bar *bars;
    size_t n_events, n_bars, room_events, room_bars;
};

recorder *recorder_open(arena *a)
{
    return NEW(a, recorder, 1);
}

void recorder_close(recorder *r)
{
    if (r)
        free(r->events), free(r->bars);
}

static void *grow(void *list, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return list;
    *room = *room ? 2 * *room : 1024;
    return base_checked(realloc(list, *room * size), *room * size);
}

void recorder_take(recorder *r, score *s)
{
    for (const score_event *x; (x = ring_read(&s->kept_events)); ring_done(&s->kept_events)) {
        r->events = grow(r->events, r->n_events, &r->room_events, sizeof *r->events);
        r->events[r->n_events++] = *x;
    }
    for (const score_bar *b; (b = ring_read(&s->kept_bars)); ring_done(&s->kept_bars)) {
        r->bars = grow(r->bars, r->n_bars, &r->room_bars, sizeof *r->bars);
        r->bars[r->n_bars++] = *b;
    }
}

// ---- Time

typedef struct tape {
    const recorder *r;
    size_t bars;    // that begin before the end
    uint32_t *tick; // [bars] of each bar line
    midi_song *song;
    size_t bar; // of the moment that was asked about last
    double end;
} tape;

static double length_of(const tape *t, size_t i)
{
    const score_bar *b = &t->r->bars[i];
    double until = i + 1 < t->bars ? b[1].at : b->at + b->seconds;
    return until - b->at;
}

static void lay_bars(tape *t, arena *a)
{
    midi_song *s = t->song;
    s->tempos = NEW(a, midi_tempo, t->bars + 1), s->metres = NEW(a, midi_metre, t->bars + 1);
    s->n_tempos = s->n_metres = 0;
    for (size_t i = 0; i < t->bars; i++) {
        const score_bar *b = &t->r->bars[i];
        double quarter = 1e6 * length_of(t, i) / b->beats;
        t->tick[i] = i ? t->tick[i - 1] + (uint32_t)(b[-1].beats * s->ticks_per_quarter) : 0;
        if (!s->n_tempos || fabs(s->tempos[s->n_tempos - 1].us_per_quarter - quarter) > 0.5)
            s->tempos[s->n_tempos++] =
                (midi_tempo){.tick = t->tick[i], .seconds = b->at, .us_per_quarter = quarter};
        if (!s->n_metres || s->metres[s->n_metres - 1].numerator != b->beats)
            s->metres[s->n_metres++] = (midi_metre){
                .tick = t->tick[i], .seconds = b->at, .numerator = b->beats, .denominator = 4};
    }
}

// Moments are asked about in order.
static uint32_t tick_at(tape *t, double at)
{
    while (t->bar + 1 < t->bars && t->r->bars[t->bar + 1].at <= at)
        t->bar++;
    const score_bar *b = &t->r->bars[t->bar];
    double share = larger(0, at - b->at) / length_of(t, t->bar);
    return t->tick[t->bar] + (uint32_t)llrint(share * b->beats * t->song->ticks_per_quarter);
}

// ---- Notes

static uint16_t instrument_of(midi_song *s, int channel, int program)
{
    for (size_t i = 0; i < s->n_instruments; i++)
        if (s->instruments[i].channel == channel && s->instruments[i].program == program)
            return (uint16_t)i;
    s->instruments[s->n_instruments] = (midi_instrument){.program = (uint8_t)program,
                                                         .channel = (uint8_t)channel,
                                                         .is_drum = channel == MIDI_DRUMS,
                                                         .track = (uint16_t)s->n_instruments};
    return (uint16_t)s->n_instruments++;
}

static void end_note(midi_song *s, size_t *open, uint32_t tick, double at)
{
    if (!*open)
        return;
    midi_note *x = &s->notes[*open - 1];
    x->end_tick = tick > x->start_tick ? tick : x->start_tick + 1;
    x->end = larger(at, x->start + 1e-3);
    s->seconds = larger(s->seconds, x->end);
    s->last_tick = x->end_tick > s->last_tick ? x->end_tick : s->last_tick;
    *open = 0;
}

// open[channel][pitch]: 1 + the note that sounds. One that is struck again ends there.
static void lay_notes(tape *t)
{
    size_t open[CHANNELS * PITCHES] = {0};
    int program[CHANNELS] = {0};
    midi_song *s = t->song;
    for (size_t i = 0; i < t->r->n_events && t->r->events[i].at < t->end; i++) {
        const score_event *x = &t->r->events[i];
        int kind = x->bytes[0] & 0xf0, channel = x->bytes[0] & 15, pitch = x->bytes[1] & 127;
        uint32_t tick = tick_at(t, x->at);
        size_t *sounds = &open[channel * PITCHES + pitch];
        if (kind == MIDI_PROGRAM)
            program[channel] = pitch;
        if (kind == MIDI_NOTE_ON || kind == MIDI_NOTE_OFF)
            end_note(s, sounds, tick, x->at);
        if (kind != MIDI_NOTE_ON)
            continue;
        uint16_t who = instrument_of(s, channel, program[channel]);
        s->notes[s->n_notes] = (midi_note){.start = x->at,
                                           .start_tick = tick,
                                           .instrument = who,
                                           .pitch = (uint8_t)pitch,
                                           .velocity = x->bytes[2]};
        s->instruments[who].notes++;
        *sounds = ++s->n_notes;
    }
    uint32_t last = tick_at(t, t->end);
    for (int i = 0; i < CHANNELS * PITCHES; i++)
        end_note(s, &open[i], last, t->end);
}

midi_song *recorder_song(const recorder *r, double seconds, arena *a)
{
    tape t = {.r = r, .end = seconds};
    size_t programs = 0;
    for (size_t i = 0; i < r->n_events; i++)
        programs += (r->events[i].bytes[0] & 0xf0) == MIDI_PROGRAM;
    while (t.bars < r->n_bars && (t.bars == 0 || r->bars[t.bars].at < seconds))
        t.bars++;
    t.song = midi_blank(a, 120, 4, CHANNELS + programs + 1, r->n_events);
    t.song->n_instruments = 0;
    t.tick = NEW(a, uint32_t, t.bars + 1);
    if (t.bars) {
        lay_bars(&t, a);
        lay_notes(&t);
    }
    return t.song;
}
