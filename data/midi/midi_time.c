// SPDX-License-Identifier: GPL-3.0-or-later
// midi_time.c: tempo, metre and key of a song, and the way from ticks to seconds and back.
//
// Times are those of pretty_midi to the last bit, since note-seq rounds them to steps of 10 ms: a
// tempo of u microseconds gives ticks of
//
//     60 / ((6e7 / u) ticks_per_quarter) seconds,
//     seconds(tick) = seconds(change) + scale (tick - change)
//
// a tempo at tick 0 replaces those before, and one that repeats the last is no change. Products are
// rounded before they are added (no fused operations). The difference: pretty_midi looks for tempo
// in the first track alone, this in all.
//
// The sequences of format 2 lie behind each other on one axis of ticks (midi_frame.begin), so that
// each has its own tempo and metre.
#include "base/order.h"
#include "data/midi/midi_internal.h"

#define TEMPO 500000.0 // microseconds a quarter, where nothing is said

// Ticks a quarter, or frames a second (as a negative byte) and ticks a frame.
bool midi_division(const char *name, uint32_t x, midi_frame *f, err *e)
{
    int frames = x & 0x8000 ? 256 - (int)(x >> 8) : 0, parts = (int)(x & 0xff);
    f->smpte = frames > 0;
    f->ticks = frames == 0 ? (int)x : (frames == 29 ? 30 : frames) * parts;
    if (f->ticks == 0)
        return err_set(
            e, ERR_FORMAT,
            "'%s': byte 12: a quarter note has 0 ticks, so nothing in it has a time; leave it out",
            name);
    if (f->smpte && frames != 24 && frames != 25 && frames != 29 && frames != 30)
        return err_set(e, ERR_FORMAT,
                       "'%s': byte 12: time code of %d frames a second, there are 24, 25, 29 and "
                       "30; leave it out",
                       name, frames);
    f->smpte_tick = f->smpte ? (frames == 29 ? 1.001 : 1.0) / f->ticks : 0;
    return true;
}

static double scale_of(const midi_song *s, const midi_tempo *t)
{
    return s->smpte ? t->us_per_quarter / 1e6 / s->ticks_per_quarter
                    : 60.0 / (6e7 / t->us_per_quarter * s->ticks_per_quarter);
}

static const midi_tempo *tempo_at_tick(const midi_song *s, double tick)
{
    size_t lo = 0, hi = s->n_tempos;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        *(s->tempos[mid].tick <= tick ? &lo : &hi) = mid;
    }
    return &s->tempos[lo];
}

double midi_seconds(const midi_song *s, double tick)
{
    const midi_tempo *t = tempo_at_tick(s, tick);
    // rounded here, not fused with the sum
    volatile double past = scale_of(s, t) * (tick - t->tick);
    return t->seconds + past;
}

double midi_ticks(const midi_song *s, double seconds)
{
    size_t lo = 0, hi = s->n_tempos;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        *(s->tempos[mid].seconds <= seconds ? &lo : &hi) = mid;
    }
    return s->tempos[lo].tick + (seconds - s->tempos[lo].seconds) / scale_of(s, &s->tempos[lo]);
}

static size_t count_meta(const midi_track *tracks, int n_tracks, uint8_t kind)
{
    size_t n = 0;
    for (int k = 0; k < n_tracks; k++)
        for (size_t i = 0; i < tracks[k].n; i++)
            n += tracks[k].events[i].byte[0] == 0xff && tracks[k].events[i].byte[1] == kind;
    return n;
}

// The meta events of a kind in all tracks by tick, those of one tick by track.
static const midi_event **gather(arena *work, const midi_frame *f, const midi_track *tracks,
                                 uint8_t kind, size_t *n)
{
    *n = count_meta(tracks, f->tracks, kind);
    const midi_event **found = NEW(work, const midi_event *, *n + 1),
                     **sorted = NEW(work, const midi_event *, *n + 1);
    order_item *items = NEW(work, order_item, 2 * *n + 1);
    uint32_t at = 0;
    for (int k = 0; k < f->tracks && at < *n; k++)
        for (size_t i = 0; i < tracks[k].n; i++) {
            const midi_event *ev = &tracks[k].events[i];
            if (ev->byte[0] != 0xff || ev->byte[1] != kind)
                continue;
            items[at] = (order_item){ev->tick, at};
            found[at++] = ev;
        }
    order_items(items, items + *n, *n);
    for (size_t i = 0; i < *n; i++)
        sorted[i] = found[items[i].index];
    return sorted;
}

static void add_tempo(midi_song *s, uint32_t tick, double us)
{
    midi_tempo *last = s->n_tempos ? &s->tempos[s->n_tempos - 1] : NULL;
    midi_tempo t = {tick, last ? midi_seconds(s, tick) : 0, us};
    if (last && last->tick == tick)
        *last = t;
    else if (!last || last->us_per_quarter != us)
        s->tempos[s->n_tempos++] = t;
}

static void add_metre(midi_song *s, uint32_t tick, int numerator, int denominator)
{
    s->metres[s->n_metres++] = (midi_metre){tick, midi_seconds(s, tick), numerator, denominator};
}

static size_t sequences(const midi_frame *f)
{
    return f->begin ? (size_t)f->tracks : 0;
}

static bool is_common(const midi_metre *m)
{
    return m->numerator == 4 && m->denominator == 4;
}

// What every sequence begins with, whatever was before it: 120 beats a minute and 4/4. Of all that
// begin before `ev` (NULL: all) and behind the first; events lie in one row, track by track.
static void begin_sequences(const midi_frame *f, const midi_track *tracks, const midi_event *ev,
                            int *next, midi_song *s, uint8_t kind)
{
    for (; f->begin && *next < f->tracks && (!ev || tracks[*next].events <= ev); ++*next) {
        uint32_t at = f->begin[*next];
        if (kind == META_TEMPO)
            add_tempo(s, at, TEMPO);
        else if (s->n_metres && !is_common(&s->metres[s->n_metres - 1]))
            add_metre(s, at, 4, 4);
    }
}

// A tempo of 0 says nothing and is passed over.
static void build_tempos(arena *out, arena *work, const midi_frame *f, const midi_track *tracks,
                         midi_song *s)
{
    size_t n;
    int next = 1;
    const midi_event **ev = gather(work, f, tracks, META_TEMPO, &n);
    s->tempos = NEW(out, midi_tempo, n + 1 + sequences(f));
    add_tempo(s, 0, s->smpte ? f->smpte_tick * s->ticks_per_quarter * 1e6 : TEMPO);
    for (size_t i = 0; i < n && !s->smpte; i++) {
        const uint8_t *d = ev[i]->byte + 2;
        uint32_t us = (uint32_t)d[0] << 16 | (uint32_t)d[1] << 8 | d[2];
        begin_sequences(f, tracks, ev[i], &next, s, META_TEMPO);
        if (us)
            add_tempo(s, ev[i]->tick, us);
    }
    if (!s->smpte)
        begin_sequences(f, tracks, NULL, &next, s, META_TEMPO);
}

// What no metre and no key can be is passed over: files have 18 flats and beats of 1/2^33.
static void build_metres(arena *out, arena *work, const midi_frame *f, const midi_track *tracks,
                         midi_song *s)
{
    size_t n;
    int next = 1;
    const midi_event **ev = gather(work, f, tracks, META_METRE, &n);
    s->metres = NEW(out, midi_metre, n + sequences(f));
    for (size_t i = 0; i < n; i++) {
        begin_sequences(f, tracks, ev[i], &next, s, META_METRE);
        if (ev[i]->byte[2] > 0 && ev[i]->byte[3] <= 6)
            add_metre(s, ev[i]->tick, ev[i]->byte[2], 1 << ev[i]->byte[3]);
    }
    begin_sequences(f, tracks, NULL, &next, s, META_METRE);
}

static void build_keys(arena *out, arena *work, const midi_frame *f, const midi_track *tracks,
                       midi_song *s)
{
    size_t n;
    const midi_event **ev = gather(work, f, tracks, META_KEY, &n);
    s->keys = NEW(out, midi_key, n);
    for (size_t i = 0; i < n; i++) {
        int sharps = (int8_t)ev[i]->byte[2];
        if (sharps >= -7 && sharps <= 7 && ev[i]->byte[3] <= 1)
            s->keys[s->n_keys++] =
                (midi_key){ev[i]->tick, midi_seconds(s, ev[i]->tick), sharps, ev[i]->byte[3] == 1};
    }
}

void midi_build_time(arena *out, const midi_frame *f, const midi_track *tracks, midi_song *s)
{
    arena work = {.name = "midi time"};
    build_tempos(out, &work, f, tracks, s);
    build_metres(out, &work, f, tracks, s);
    build_keys(out, &work, f, tracks, s);
    arena_free(&work);
}
