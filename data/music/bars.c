// SPDX-License-Identifier: GPL-3.0-or-later
// bars.c: bar lines, places in bars and mean tempo (bars.h).
//
// With tempo b[i] in force for d[i] seconds of the song (60e6 / microseconds a quarter = quarters a
// minute):
//
//     mean = sum d b / sum d         deviation = sqrt(sum d (b - mean)^2 / sum d)
//
// The mean is also all quarters that pass over the minutes in which they do.
#include "data/music/bars.h"

#include <math.h>

static bool is_compound(const midi_metre *m)
{
    return m->denominator >= 8 && m->numerator > 3 && m->numerator % 3 == 0;
}

static bool same_metre(const midi_metre *a, const midi_metre *b)
{
    return a->numerator == b->numerator && a->denominator == b->denominator;
}

// Where the next metre begins that differs from the one in force. *i is then the first that lies
// behind `tick`.
static double next_change(const midi_song *s, const midi_metre **now, size_t *i, double tick)
{
    while (*i < s->n_metres && s->metres[*i].tick <= tick)
        *now = &s->metres[(*i)++];
    for (size_t k = *i; k < s->n_metres; k++)
        if (!same_metre(&s->metres[k], *now))
            return s->metres[k].tick;
    return INFINITY;
}

static double song_ticks(const midi_song *s)
{
    double end = 0;
    for (size_t i = 0; i < s->n_notes; i++)
        end = fmax(end, s->notes[i].end_tick);
    return end;
}

// Counts bars, and writes them where `out` is given.
static size_t lay(const midi_song *s, double end, song_bar *out)
{
    static const midi_metre common = {.numerator = 4, .denominator = 4};
    const midi_metre *m = &common;
    size_t n = 0, i = 0;
    double change = next_change(s, &m, &i, 0);
    for (double at = 0; at < end && n < BARS_MOST; n++) {
        if (at >= change)
            change = next_change(s, &m, &i, at);
        double whole = 4.0 * s->ticks_per_quarter, to = at + whole * m->numerator / m->denominator;
        to = to > change - 0.5 ? change : to;
        if (out)
            out[n] = (song_bar){at,
                                to - at,
                                whole * (is_compound(m) ? 3 : 1) / m->denominator,
                                is_compound(m),
                                m->numerator,
                                m->denominator};
        at = to;
    }
    return n;
}

song_bars bars_of(arena *a, const midi_song *s)
{
    double end = song_ticks(s);
    song_bars b = {.n = lay(s, end, NULL), .sixteenth = s->ticks_per_quarter / 4.0};
    b.list = NEW(a, song_bar, b.n);
    lay(s, end, b.list);
    return b;
}

size_t bars_find(const song_bars *b, double tick)
{
    size_t lo = 0, hi = b->n;
    if (!b->n || tick < 0 || tick >= b->list[b->n - 1].tick + b->list[b->n - 1].ticks)
        return b->n;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (b->list[mid].tick <= tick)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

bool bars_place(const song_bars *b, double tick, bar_place *out)
{
    size_t i = bars_find(b, tick);
    if (i == b->n)
        return false;
    double at = (tick - b->list[i].tick) / b->sixteenth,
           left = b->list[i].ticks / b->sixteenth - at;
    *out = (bar_place){.bar = i, .nearest = (int)floor(at + 0.5)};
    out->late = at - out->nearest;
    if (left <= 0.5) // the next bar line is as near
        *out = (bar_place){.bar = i + 1, .nearest = 0, .late = -left};
    double beats = out->nearest * b->sixteenth / b->list[i].beat;
    out->on_beat = fabs(beats - floor(beats + 0.5)) < 1e-6;
    return true;
}

double bars_off_beat(const song_bars *b, const midi_song *s)
{
    size_t off = 0, n = 0;
    bar_place at;
    for (size_t i = 0; i < s->n_notes; i++)
        if (bars_place(b, s->notes[i].start_tick, &at))
            n++, off += !at.on_beat;
    return n ? (double)off / (double)n : 0;
}

song_tempo bars_tempo(const midi_song *s)
{
    double time = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < s->n_tempos; i++) {
        double to = i + 1 < s->n_tempos ? fmin(s->tempos[i + 1].seconds, s->seconds) : s->seconds;
        double lasts = to - s->tempos[i].seconds, speed = 60e6 / s->tempos[i].us_per_quarter;
        if (!(lasts > 0) || !(s->tempos[i].us_per_quarter > 0))
            continue;
        time += lasts, sum += lasts * speed, squares += lasts * speed * speed;
    }
    if (!(time > 0) || !s->n_notes)
        return (song_tempo){0, 0};
    double mean = sum / time;
    return (song_tempo){mean, sqrt(fmax(0, squares / time - mean * mean))};
}
