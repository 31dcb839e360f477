// SPDX-License-Identifier: GPL-3.0-or-later
// midi_write.c: notes to bytes (midi_write.h).
//
//     file    "MThd" 6, format 1, tracks, ticks a quarter;  tracks
//     track   "MTrk" bytes;  (time since the event before, event) ...
//
// Times are numbers of 7 bits a byte, the highest first, all but the last with the top bit set.
// Events of one tick stand in this order: notes end, the pedal moves, the program changes, notes
// begin.
#include "data/midi/midi_write.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/order.h"
#include "data/midi/midi_internal.h"

enum {
    MOST_TIME = 0x0fffffff,
    MOST_TICKS = 0x7fff,
    MOST_TEMPO = 0xffffff,
    MOST_PARTS = MIDI_TRACKS - 1
};
enum { AT_END, AT_PEDAL, AT_PROGRAM, AT_START }; // of one tick

typedef struct written { // an event of a track
    uint32_t tick;
    uint16_t part;
    uint8_t kind, n, byte[3];
} written;

typedef struct sheet {
    arena work;
    const midi_song *s;
    midi_note *notes; // [n_notes] by (instrument, pitch, start), none over another
    size_t n_notes;
    written *events; // [n_events]
    size_t n_events;
} sheet;

// ---- What MIDI can say

static bool check(const midi_song *s, err *e)
{
    if (s->ticks_per_quarter < 1 || s->ticks_per_quarter > MOST_TICKS)
        return err_set(e, ERR_VALUE, "a quarter of %d ticks cannot be written as MIDI; 1 to %d can",
                       s->ticks_per_quarter, MOST_TICKS);
    if (s->n_instruments > MOST_PARTS)
        return err_set(e, ERR_VALUE, "%zu instruments cannot be written as MIDI; %d can",
                       s->n_instruments, MOST_PARTS);
    for (size_t i = 0; i < s->n_instruments; i++)
        if (s->instruments[i].program > 127 || s->instruments[i].channel >= MIDI_CHANNELS)
            return err_set(e, ERR_VALUE,
                           "instrument %zu: program %d on channel %d cannot be written as MIDI", i,
                           s->instruments[i].program, s->instruments[i].channel);
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_note *n = &s->notes[i];
        if (n->pitch > 127 || n->velocity < 1 || n->velocity > 127 ||
            n->instrument >= s->n_instruments || n->start_tick >= n->end_tick)
            return err_set(
                e, ERR_VALUE,
                "note %zu (pitch %d, velocity %d, ticks %u to %u) cannot be written as MIDI", i,
                n->pitch, n->velocity, n->start_tick, n->end_tick);
    }
    for (size_t i = 0; i < s->n_tempos; i++)
        if (!(s->tempos[i].us_per_quarter >= 1 && s->tempos[i].us_per_quarter <= MOST_TEMPO))
            return err_set(e, ERR_VALUE,
                           "a quarter of %g microseconds cannot be written as MIDI; 1 to %d can",
                           s->tempos[i].us_per_quarter, MOST_TEMPO);
    return true;
}

// ---- Notes that do not cover each other

static void sort_notes(sheet *w)
{
    size_t n = w->s->n_notes;
    order_item *items = NEW(&w->work, order_item, n + 1), *spare = NEW(&w->work, order_item, n + 1);
    for (size_t i = 0; i < n; i++) {
        const midi_note *x = &w->s->notes[i];
        items[i] = (order_item){
            (uint64_t)x->instrument << 39 | (uint64_t)x->pitch << 32 | x->start_tick, (uint32_t)i};
    }
    order_items(items, spare, n);
    w->notes = NEW(&w->work, midi_note, n + 1);
    for (size_t i = 0; i < n; i++)
        w->notes[i] = w->s->notes[items[i].index];
}

static void part_notes(sheet *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->s->n_notes; i++) {
        const midi_note *x = &w->notes[i];
        midi_note *before = n ? &w->notes[n - 1] : NULL;
        bool same = before && before->instrument == x->instrument && before->pitch == x->pitch;
        if (same && before->start_tick == x->start_tick) {
            before->velocity = x->velocity > before->velocity ? x->velocity : before->velocity;
            before->end_tick = x->end_tick > before->end_tick ? x->end_tick : before->end_tick;
            continue;
        }
        if (same && before->end_tick > x->start_tick)
            before->end_tick = x->start_tick;
        w->notes[n++] = *x;
    }
    w->n_notes = n;
}

// ---- Events

static void put(sheet *w, size_t part, uint32_t tick, int kind, int status, int x, int y)
{
    uint8_t channel = w->s->instruments[part].channel;
    w->events[w->n_events++] =
        (written){.tick = tick,
                  .part = (uint16_t)part,
                  .kind = (uint8_t)kind,
                  .n = status == MIDI_PROGRAM ? 2 : 3,
                  .byte = {(uint8_t)(status | channel), (uint8_t)x, (uint8_t)y}};
}

static void put_notes(sheet *w)
{
    for (size_t i = 0; i < w->n_notes; i++) {
        const midi_note *n = &w->notes[i];
        put(w, n->instrument, n->start_tick, AT_START, MIDI_NOTE_ON, n->pitch, n->velocity);
        put(w, n->instrument, n->end_tick, AT_END, MIDI_NOTE_OFF, n->pitch, 64);
    }
}

static uint32_t tick_of(const midi_song *s, double seconds)
{
    double tick = midi_ticks(s, seconds);
    return tick > 0 ? (uint32_t)llrint(fmin(tick, UINT32_MAX)) : 0;
}

static void put_pedals(sheet *w)
{
    const midi_song *s = w->s;
    for (size_t i = 0; i < s->n_instruments; i++)
        for (uint32_t k = 0; k < s->instruments[i].pedals; k++) {
            const midi_pedal *p = &s->pedals[s->instruments[i].first_pedal + k];
            put(w, i, tick_of(s, p->start), AT_PEDAL, MIDI_CONTROL, CONTROL_PEDAL, 127);
            put(w, i, tick_of(s, p->end), AT_PEDAL, MIDI_CONTROL, CONTROL_PEDAL, 0);
        }
}

static void sort_events(sheet *w, bool by_part)
{
    size_t n = w->n_events;
    order_item *items = NEW(&w->work, order_item, n + 1), *spare = NEW(&w->work, order_item, n + 1);
    written *sorted = NEW(&w->work, written, n + 1);
    for (size_t i = 0; i < n; i++) {
        const written *x = &w->events[i];
        uint64_t in_part = (uint64_t)x->tick << 2 | x->kind,
                 in_time = (uint64_t)x->tick << 16 | x->part;
        items[i] = (order_item){by_part ? (uint64_t)x->part << 34 | in_part : in_time, (uint32_t)i};
    }
    order_items(items, spare, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = w->events[items[i].index];
    memcpy(w->events, sorted, n * sizeof *sorted);
}

// Before the first note of each part, and wherever its channel has another program by then. A
// player goes by tick, then by track.
static void put_programs(sheet *w)
{
    int in_force[MIDI_CHANNELS];
    size_t n = w->n_events;
    bool *told = NEW(&w->work, bool, w->s->n_instruments + 1);
    for (int c = 0; c < MIDI_CHANNELS; c++)
        in_force[c] = -1;
    sort_events(w, false);
    for (size_t i = 0; i < n; i++) {
        size_t part = w->events[i].part;
        const midi_instrument *m = &w->s->instruments[part];
        if (w->events[i].kind != AT_START || (told[part] && in_force[m->channel] == m->program))
            continue;
        put(w, part, w->events[i].tick, AT_PROGRAM, MIDI_PROGRAM, m->program, 0);
        told[part] = true;
        in_force[m->channel] = m->program;
    }
}

// ---- Bytes

static void add_number(strbuf *out, uint32_t x, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        strbuf_add(out, (char[]){(char)(x >> 8 * i)}, 1);
}

static void add_time(strbuf *out, uint32_t x)
{
    for (int shift = 21; shift > 0; shift -= 7)
        if (x >> shift)
            add_number(out, (x >> shift & 0x7f) | 0x80, 1);
    add_number(out, x & 0x7f, 1);
}

typedef struct track {
    strbuf *out;
    size_t begin; // behind the length
    uint32_t tick;
} track;

static track open_track(strbuf *out)
{
    strbuf_add(out, "MTrk\0\0\0\0", 8);
    return (track){out, out->len, 0};
}

static bool add_event(track *t, uint32_t tick, const uint8_t *bytes, size_t n, err *e)
{
    if (tick - t->tick > MOST_TIME)
        return err_set(e, ERR_VALUE,
                       "nothing happens from tick %u to %u, longer than MIDI can say (%d)", t->tick,
                       tick, MOST_TIME);
    add_time(t->out, tick - t->tick);
    strbuf_add(t->out, (const char *)bytes, n);
    t->tick = tick;
    return true;
}

static bool close_track(track *t, uint32_t tick, err *e)
{
    bool ok =
        add_event(t, tick > t->tick ? tick : t->tick, (const uint8_t[]){0xff, META_END, 0}, 3, e);
    size_t n = t->out->len - t->begin;
    for (int i = 0; i < 4; i++)
        t->out->s[t->begin - 4 + (size_t)i] = (char)(n >> (24 - 8 * i));
    return ok;
}

static int log2_of(int denominator)
{
    int x = 0;
    while (denominator > 1)
        denominator /= 2, x++;
    return x;
}

static bool add_tempo(track *t, const midi_tempo *x, err *e)
{
    uint32_t us = (uint32_t)llrint(x->us_per_quarter);
    const uint8_t meta[] = {0xff,       META_TEMPO, 3, (uint8_t)(us >> 16), (uint8_t)(us >> 8),
                            (uint8_t)us};
    return add_event(t, x->tick, meta, sizeof meta, e);
}

static bool add_metre(track *t, const midi_metre *x, err *e)
{
    int clocks = 96 / (x->denominator < 1 ? 4 : x->denominator);
    const uint8_t meta[] = {0xff,
                            META_METRE,
                            4,
                            (uint8_t)x->numerator,
                            (uint8_t)log2_of(x->denominator),
                            (uint8_t)(clocks ? clocks : 1),
                            8};
    return add_event(t, x->tick, meta, sizeof meta, e);
}

static bool add_key(track *t, const midi_key *x, err *e)
{
    const uint8_t meta[] = {0xff, META_KEY, 2, (uint8_t)x->sharps, x->minor};
    return add_event(t, x->tick, meta, sizeof meta, e);
}

// Tempo, metre and key, each list by tick: the earliest first, and of one tick in this order. It
// ends when the music does.
static bool add_conductor(const sheet *w, uint32_t end, strbuf *out, err *e)
{
    const midi_song *s = w->s;
    track t = open_track(out);
    bool ok = true;
    for (size_t i = 0, j = 0, k = 0; ok && (i < s->n_tempos || j < s->n_metres || k < s->n_keys);) {
        uint32_t a = i < s->n_tempos ? s->tempos[i].tick : UINT32_MAX,
                 b = j < s->n_metres ? s->metres[j].tick : UINT32_MAX;
        uint32_t c = k < s->n_keys ? s->keys[k].tick : UINT32_MAX;
        if (i < s->n_tempos && a <= b && a <= c)
            ok = add_tempo(&t, &s->tempos[i++], e);
        else if (j < s->n_metres && b <= c)
            ok = add_metre(&t, &s->metres[j++], e);
        else
            ok = add_key(&t, &s->keys[k++], e);
    }
    return ok && close_track(&t, end, e);
}

// The tracks of the instruments; `events` is by part.
static bool add_parts(const sheet *w, strbuf *out, err *e)
{
    bool ok = true;
    size_t at = 0;
    for (size_t part = 0; ok && part < w->s->n_instruments; part++) {
        track t = open_track(out);
        for (; ok && at < w->n_events && w->events[at].part == part; at++)
            ok = add_event(&t, w->events[at].tick, w->events[at].byte, w->events[at].n, e);
        ok = ok && close_track(&t, 0, e);
    }
    return ok;
}

static size_t count_events(const midi_song *s)
{
    size_t n = 3 * s->n_notes; // on, off and at most one program
    for (size_t i = 0; i < s->n_instruments; i++)
        n += 2 * (size_t)s->instruments[i].pedals;
    return n;
}

static bool add_file(sheet *w, strbuf *out, err *e)
{
    uint32_t end = 0;
    w->events = NEW(&w->work, written, count_events(w->s) + 1);
    sort_notes(w);
    part_notes(w);
    put_notes(w);
    put_pedals(w);
    put_programs(w);
    sort_events(w, true);
    for (size_t i = 0; i < w->n_events; i++)
        end = w->events[i].tick > end ? w->events[i].tick : end;
    strbuf_add(out, "MThd\0\0\0\6\0\1", 10);
    add_number(out, (uint32_t)w->s->n_instruments + 1, 2);
    add_number(out, (uint32_t)w->s->ticks_per_quarter, 2);
    return add_conductor(w, end, out, e) && add_parts(w, out, e);
}

midi_song *midi_blank(arena *a, double tempo, int beats, size_t room, size_t notes)
{
    midi_song *s = NEW(a, midi_song, 1);
    *s = (midi_song){.format = 1,
                     .ticks_per_quarter = MIDI_WRITE_TICKS,
                     .n_instruments = 1,
                     .n_tempos = 1,
                     .n_metres = 1};
    s->notes = NEW(a, midi_note, notes + 1);
    s->instruments = NEW(a, midi_instrument, room);
    s->tempos = NEW(a, midi_tempo, 1);
    s->tempos->us_per_quarter = 60e6 / tempo;
    s->metres = NEW(a, midi_metre, 1);
    *s->metres = (midi_metre){.numerator = (uint8_t)beats, .denominator = 4};
    return s;
}

bool midi_format(const midi_song *s, strbuf *out, err *e)
{
    sheet w = {.work = {.name = "midi write"}, .s = s};
    bool ok = check(s, e) && add_file(&w, out, e);
    arena_free(&w.work);
    return ok;
}

bool midi_write(const char *path, const midi_song *s, err *e)
{
    strbuf bytes = {0};
    bool ok = midi_format(s, &bytes, e) ? file_write(path, bytes.s, bytes.len, e)
                                        : err_trail(e, "'%s'", path);
    strbuf_free(&bytes);
    return ok;
}
