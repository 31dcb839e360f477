// SPDX-License-Identifier: GPL-3.0-or-later
// groove.c: the groove of a song (groove.h). One pass sums by place of the bar, a second looks for
// swung beats.
//
// Within a place, sum (d - m)^2 = sum d^2 - n m^2 with m = sum d / n: |d| <= 0.5, so doubles lose
// nothing that matters.
#include "data/music/groove.h"

#include <math.h>
#include <string.h>

enum { BEHIND = BAR_SIXTEENTHS, PLACES = BAR_SIXTEENTHS + 1, EIGHTHS = 8 };

typedef struct place {
    double n, late, squares, velocity;
} place;

static void measure_places(const song_bars *b, const midi_song *s, place at[PLACES])
{
    bar_place p;
    for (size_t i = 0; i < s->n_notes; i++) {
        if (!bars_place(b, s->notes[i].start_tick, &p))
            continue;
        place *q = &at[p.nearest < BAR_SIXTEENTHS ? p.nearest : BEHIND];
        q->n++, q->late += p.late, q->squares += p.late * p.late,
            q->velocity += s->notes[i].velocity / 127.0;
    }
}

static void write_timing(const place at[PLACES], float *out)
{
    double n = 0, late = 0, spread = 0;
    for (int q = 0; q < PLACES; q++) {
        if (at[q].n == 0)
            continue;
        double mean = at[q].late / at[q].n;
        n += at[q].n, late += at[q].late, spread += fmax(0, at[q].squares - at[q].late * mean);
        if (q != BEHIND)
            out[GROOVE_DEVIATION + q] = (float)mean;
    }
    out[GROOVE_DISPLACEMENT] = n > 0 ? (float)(late / n) : 0;
    out[GROOVE_HUMANIZATION] = n > 0 ? (float)sqrt(spread / n) : 0;
}

static void write_accents(const place at[PLACES], const midi_song *s, float *out)
{
    double sum = 0, squares = 0, n = (double)s->n_notes;
    for (size_t i = 0; i < s->n_notes; i++)
        sum += s->notes[i].velocity / 127.0;
    for (size_t i = 0; i < s->n_notes; i++)
        squares +=
            (s->notes[i].velocity / 127.0 - sum / n) * (s->notes[i].velocity / 127.0 - sum / n);
    out[GROOVE_VELOCITY_VARIANCE] = (float)(squares / n);
    for (int k = 0; k < EIGHTHS; k++) {
        const place *a = &at[2 * k], *b = &at[2 * k + 1];
        if (a->n + b->n > 0)
            out[GROOVE_ACCENT + k] = (float)((a->velocity + b->velocity) / (a->n + b->n) - sum / n);
    }
}

// ---- Swing

// The moments of onset in one beat: places from -1/8 to 7/8 of it.
typedef struct beat {
    double tick, ticks; // where it is
    // of each moment, the place of its earliest onset; what comes behind the third is not kept
    double first[3];
    int n;
} beat;

typedef struct swing {
    double sum, pairs;
} swing;

static void close_beat(swing *w, beat *t)
{
    if (t->n == 2 && fabs(t->first[0]) <= 0.125 && t->first[1] >= 0.4 && t->first[1] <= 0.8) {
        double l = t->first[1] - t->first[0], whole = 1 - t->first[0];
        w->sum += 2 * l / whole - 1, w->pairs++;
    }
    t->n = 0;
}

static void add_onset(beat *t, double at)
{
    if (t->n == 3 || (t->n && at < t->first[t->n - 1] + 1.0 / 12))
        return;
    t->first[t->n++] = at;
}

// False where the beat of a tick is one of three, or no bar is there. A tick just before a beat
// belongs to it.
static bool beat_of(const song_bars *b, double tick, double *at, double *ticks)
{
    size_t i = bars_find(b, tick);
    if (i == b->n)
        return false;
    const song_bar *m = &b->list[i];
    *ticks = m->beat;
    *at = m->tick + floor((tick - m->tick) / m->beat + 0.125) * m->beat;
    *at = fmin(*at, m->tick + m->ticks); // the first of the next bar
    return !m->compound;
}

static double measure_swing(const song_bars *b, const midi_song *s)
{
    swing w = {0};
    beat t = {.tick = -1};
    for (size_t i = 0; i < s->n_notes; i++) {
        double at, ticks, tick = s->notes[i].start_tick;
        if (!beat_of(b, tick, &at, &ticks))
            continue;
        if (at != t.tick) {
            close_beat(&w, &t);
            t = (beat){.tick = at, .ticks = ticks};
        }
        add_onset(&t, (tick - at) / ticks);
    }
    close_beat(&w, &t);
    return w.pairs > 0 ? w.sum / w.pairs : 0;
}

void groove_measure(arena *scratch, const midi_song *s, float out[GROOVE])
{
    memset(out, 0, GROOVE * sizeof *out);
    if (!s->n_notes)
        return;
    arena_mark mark = arena_save(scratch);
    song_bars b = bars_of(scratch, s);
    place at[PLACES] = {0};
    song_tempo tempo = bars_tempo(s);
    measure_places(&b, s, at);
    write_timing(at, out);
    write_accents(at, s, out);
    double quarters = tempo.mean * s->seconds / 60; // that pass while the song lasts
    out[GROOVE_SWING] = (float)measure_swing(&b, s);
    out[GROOVE_NOTE_DENSITY] = quarters > 0 ? (float)fmin(1, (double)s->n_notes / quarters / 8) : 0;
    out[GROOVE_TEMPO] = (float)fmin(1, tempo.mean / 200);
    out[GROOVE_TEMPO_DEVIATION] = (float)fmin(1, tempo.deviation / 200);
    out[GROOVE_OFF_BEAT] = (float)bars_off_beat(&b, s);
    arena_rewind(scratch, mark);
}
