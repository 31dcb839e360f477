// SPDX-License-Identifier: GPL-3.0-or-later
// midi_cut.c: a part of a song (midi_cut.h). Every list of a song is ordered, so where the part
// begins is found by halving.
#include "data/midi/midi_cut.h"

#include <math.h>
#include <string.h>

#include "base/order.h"

// A part: [from, to) in ticks, of which `first` is tick 0 of the cut, and in seconds.
typedef struct part {
    const midi_song *s;
    double from, to, begin, end;
    uint32_t first;
} part;

static double moved(const part *p, double seconds)
{
    return fmin(fmax(seconds, p->begin), p->end) - p->begin;
}

static uint32_t moved_tick(const part *p, uint32_t tick)
{
    return tick >= p->to ? (uint32_t)ceil(p->to) - p->first : tick > p->first ? tick - p->first : 0;
}

// ---- Tempo, metre and key: what they have in common

typedef struct event {
    uint32_t tick;
    double seconds;
} event;
_Static_assert(offsetof(midi_tempo, seconds) == offsetof(event, seconds),
               "a tempo begins with when it is");
_Static_assert(offsetof(midi_metre, seconds) == offsetof(event, seconds),
               "a metre begins with when it is");
_Static_assert(offsetof(midi_key, seconds) == offsetof(event, seconds),
               "a key begins with when it is");

static uint32_t tick_of(const void *list, size_t i, size_t size)
{
    uint32_t tick;
    memcpy(&tick, (const char *)list + i * size, sizeof tick);
    return tick;
}

// The first of n elements, which begin with their tick, that lies at `tick` or behind it.
static size_t first_at(const void *list, size_t n, size_t size, double tick)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (tick_of(list, mid, size) < tick)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

// Those in the part, and the one that is in force when it begins.
static void *cut_events(arena *a, const part *p, const void *list, size_t n, size_t size,
                        size_t *kept)
{
    size_t i = first_at(list, n, size, p->from), end = first_at(list, n, size, p->to);
    i -= i > 0 && (i == end || tick_of(list, i, size) > p->from);
    *kept = end - i;
    char *out = arena_alloc(a, *kept, size);
    for (size_t k = 0; k < *kept; k++) {
        event x;
        memcpy(out + k * size, (const char *)list + (i + k) * size, size);
        memcpy(&x, out + k * size, sizeof x);
        x.tick = moved_tick(p, x.tick), x.seconds = moved(p, x.seconds);
        memcpy(out + k * size, &x, sizeof x);
    }
    return out;
}

// ---- Pedal and notes

static size_t first_down(const midi_pedal *p, size_t n, double seconds)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (p[mid].end <= seconds)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

// The spans of each instrument; what several share, each has by itself. Counts them, and writes
// where `out` has room.
static size_t cut_pedals(const part *p, midi_song *out)
{
    size_t n = 0;
    for (size_t i = 0; i < p->s->n_instruments; i++) {
        const midi_instrument *from = &p->s->instruments[i];
        const midi_pedal *list = p->s->pedals + from->first_pedal;
        size_t begin = n;
        for (size_t k = first_down(list, from->pedals, p->begin);
             k < from->pedals && list[k].start < p->end; k++, n++)
            if (out)
                out->pedals[n] = (midi_pedal){moved(p, list[k].start), moved(p, list[k].end)};
        if (out)
            out->instruments[i].first_pedal = (uint32_t)begin,
            out->instruments[i].pedals = (uint32_t)(n - begin);
    }
    return n;
}

static bool starts_below(const void *notes, size_t i, const void *tick)
{
    return ((const midi_note *)notes)[i].start_tick < *(const double *)tick;
}

static size_t first_note(const midi_song *s, double tick)
{
    return order_first(s->notes, s->n_notes, starts_below, &tick);
}

static void cut_notes(arena *a, const part *p, midi_song *out)
{
    size_t first = first_note(p->s, p->from);
    out->n_notes = first_note(p->s, p->to) - first;
    out->notes = NEW(a, midi_note, out->n_notes);
    for (size_t i = 0; i < out->n_notes; i++) {
        midi_note *x = &out->notes[i];
        *x = p->s->notes[first + i];
        x->start = moved(p, x->start), x->end = moved(p, x->end);
        x->start_tick = moved_tick(p, x->start_tick), x->end_tick = moved_tick(p, x->end_tick);
        out->instruments[x->instrument].notes++;
        out->seconds = fmax(out->seconds, x->end);
        out->last_tick = x->end_tick > out->last_tick ? x->end_tick : out->last_tick;
    }
    out->note_ons = (uint32_t)out->n_notes;
}

const midi_song *midi_cut(arena *a, const midi_song *s, double from, double to)
{
    CHECK(from >= 0 && from < to);
    part p = {.s = s,
              .from = from,
              .to = to,
              .first = (uint32_t)from,
              .begin = midi_seconds(s, from),
              .end = midi_seconds(s, to)};
    midi_song *out = NEW(a, midi_song, 1);
    *out = (midi_song){.format = s->format,
                       .tracks = s->tracks,
                       .ticks_per_quarter = s->ticks_per_quarter,
                       .smpte = s->smpte,
                       .n_instruments = s->n_instruments};
    out->tempos = cut_events(a, &p, s->tempos, s->n_tempos, sizeof *s->tempos, &out->n_tempos);
    out->metres = cut_events(a, &p, s->metres, s->n_metres, sizeof *s->metres, &out->n_metres);
    out->keys = cut_events(a, &p, s->keys, s->n_keys, sizeof *s->keys, &out->n_keys);
    out->instruments = NEW(a, midi_instrument, s->n_instruments);
    for (size_t i = 0; i < s->n_instruments; i++) {
        out->instruments[i] = s->instruments[i];
        out->instruments[i].notes = 0;
    }
    out->pedals = NEW(a, midi_pedal, out->n_pedals = cut_pedals(&p, NULL));
    cut_pedals(&p, out);
    cut_notes(a, &p, out);
    return out;
}
