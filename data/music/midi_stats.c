// SPDX-License-Identifier: GPL-3.0-or-later
// midi_stats.c: the 32 statistics of a song (midi_stats.h). With n notes of start s, end e, pitch
// p, velocity v and T = the song's seconds:
//
//     shares[c] = sum over p mod 12 = c of (e - s) / sum (e - s)       mean x = sum x / n
//     deviation x = sqrt(mean (x - mean x)^2)
//     density = n / T
//     silence = 1 - |union of [s, e)| / T
//     articulation = mean min(1, (e - s) / (next onset of the instrument behind s - s)) over notes
//         that have a next
//
// One pass a group of numbers, and two sorts (ends of notes, pedals): n log n.
#include "data/music/midi_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/music/bars.h"
#include "data/music/key.h"

// Mean and deviation as numbers come (Welford, Technometrics 4, 1962): no cancellation.
typedef struct moments {
    double n, mean, squares;
} moments;

static void take(moments *m, double x)
{
    double before = x - m->mean;
    m->n++;
    m->mean += before / m->n;
    m->squares += before * (x - m->mean);
}

static double deviation(const moments *m)
{
    return m->n > 0 ? sqrt(m->squares / m->n) : 0;
}

static double cut(double x)
{
    return x < 1 ? x : 1;
}

static bool is_drum(const midi_song *s, const midi_note *n)
{
    return s->instruments[n->instrument].is_drum;
}

// ---- What sounds

static void measure_pitch(const midi_song *s, float *out)
{
    double w[PITCH_CLASSES], all = 0;
    key_weights(s, w);
    for (int c = 0; c < PITCH_CLASSES; c++)
        all += w[c];
    for (int c = 0; c < PITCH_CLASSES; c++)
        out[MIDI_STATS_PITCH_CLASS + c] = all > 0 ? (float)(w[c] / all) : 0;
    key_estimate k = key_find(w);
    out[MIDI_STATS_MAJOR] = (float)k.best_major;
    out[MIDI_STATS_MINOR] = (float)k.best_minor;
}

static void measure_notes(const midi_song *s, float *out)
{
    moments velocity = {0}, length = {0}, pitch = {0};
    int low = 127, high = 0;
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_note *n = &s->notes[i];
        take(&velocity, n->velocity);
        if (is_drum(s, n))
            continue;
        take(&length, n->end - n->start);
        take(&pitch, n->pitch);
        low = n->pitch < low ? n->pitch : low;
        high = n->pitch > high ? n->pitch : high;
    }
    out[MIDI_STATS_VELOCITY] = (float)(velocity.mean / 127);
    out[MIDI_STATS_VELOCITY_DEV] = (float)(deviation(&velocity) / 127);
    out[MIDI_STATS_DRUMS] = (float)(1 - pitch.n / velocity.n);
    out[MIDI_STATS_LENGTH] = (float)cut(length.mean / 5);
    out[MIDI_STATS_LENGTH_DEV] = (float)cut(deviation(&length) / 5);
    out[MIDI_STATS_RANGE] = pitch.n > 0 ? (float)(high - low) / 127 : 0;
    out[MIDI_STATS_PITCH] = (float)(pitch.mean / 127);
    out[MIDI_STATS_PITCH_DEV] = (float)(deviation(&pitch) / 48);
}

static void measure_players(arena *a, const midi_song *s, float *out)
{
    bool *plays = NEW(a, bool, s->n_instruments), program[128] = {false};
    int players = 0, programs = 0;
    for (size_t i = 0; i < s->n_notes; i++)
        plays[s->notes[i].instrument] = true;
    for (size_t i = 0; i < s->n_instruments; i++) {
        const midi_instrument *m = &s->instruments[i];
        bool first = plays[i] && !m->is_drum && !program[m->program & 127];
        players += plays[i], programs += first;
        if (first)
            program[m->program & 127] = true;
    }
    out[MIDI_STATS_INSTRUMENTS] = (float)cut(players / 8.0);
    out[MIDI_STATS_PROGRAMS] = (float)cut(programs / 16.0);
}

// ---- When it sounds

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Begins and ends, each sorted: between the i-th begin and the next, i + 1 notes have begun and
// those that ended by then are over.
static int most_together(arena *a, const midi_song *s)
{
    double *ends = NEW(a, double, s->n_notes);
    size_t n = 0, begun = 0, over = 0, most = 0;
    for (size_t i = 0; i < s->n_notes; i++)
        if (!is_drum(s, &s->notes[i]))
            ends[n++] = s->notes[i].end;
    qsort(ends, n, sizeof *ends, by_number);
    for (size_t i = 0; i < s->n_notes; i++) {
        if (is_drum(s, &s->notes[i]))
            continue;
        while (over < n && ends[over] <= s->notes[i].start)
            over++;
        begun++;
        most = begun - over > most ? begun - over : most;
    }
    return most < 16 ? (int)most : 16;
}

static double sounding_seconds(const midi_song *s)
{
    double until = 0, sum = 0;
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_note *n = &s->notes[i];
        double from = fmax(n->start, until);
        if (n->end > from)
            sum += n->end - from, until = n->end;
    }
    return sum;
}

static int by_start(const void *a, const void *b)
{
    return by_number(&((const midi_pedal *)a)->start, &((const midi_pedal *)b)->start);
}

static double pedal_seconds(arena *a, const midi_song *s)
{
    double until = 0, sum = 0;
    midi_pedal *p = NEW(a, midi_pedal, s->n_pedals);
    if (s->n_pedals)
        memcpy(p, s->pedals, s->n_pedals * sizeof *p);
    qsort(p, s->n_pedals, sizeof *p, by_start);
    for (size_t i = 0; i < s->n_pedals; i++) {
        double from = fmax(p[i].start, until), to = fmin(p[i].end, s->seconds);
        if (to > from)
            sum += to - from, until = to;
    }
    return sum;
}

static double interval_deviation(const midi_song *s)
{
    moments m = {0};
    for (size_t i = 1; i < s->n_notes; i++)
        if (s->notes[i].start > s->notes[i - 1].start)
            take(&m, s->notes[i].start - s->notes[i - 1].start);
    return deviation(&m);
}

static void measure_time(arena *a, const midi_song *s, float *out)
{
    song_bars b = bars_of(a, s);
    out[MIDI_STATS_DENSITY] = (float)cut((double)s->n_notes / s->seconds / 10);
    out[MIDI_STATS_TEMPO] = (float)cut(bars_tempo(s).mean / 200);
    out[MIDI_STATS_TOGETHER] = (float)most_together(a, s) / 16;
    out[MIDI_STATS_INTERVAL_DEV] = (float)cut(interval_deviation(s));
    out[MIDI_STATS_ARTICULATION] = (float)midi_articulation(a, s);
    out[MIDI_STATS_OFF_BEAT] = (float)bars_off_beat(&b, s);
    out[MIDI_STATS_PEDAL] = (float)cut(pedal_seconds(a, s) / s->seconds);
    out[MIDI_STATS_SILENCE] = (float)fmax(0, 1 - sounding_seconds(s) / s->seconds);
}

void midi_stats(arena *scratch, const midi_song *s, float out[MIDI_STATS])
{
    memset(out, 0, MIDI_STATS * sizeof *out);
    if (!s->n_notes)
        return;
    arena_mark m = arena_save(scratch);
    measure_pitch(s, out);
    measure_notes(s, out);
    measure_players(scratch, s, out);
    measure_time(scratch, s, out);
    arena_rewind(scratch, m);
}

// ---- Shared with other features

// Notes from the last to the first; of each instrument, its onset at hand and the one behind that.
double midi_articulation(arena *scratch, const midi_song *s)
{
    arena_mark mark = arena_save(scratch);
    double *here = NEW(scratch, double, s->n_instruments),
           *behind = NEW(scratch, double, s->n_instruments);
    moments m = {0};
    for (size_t i = 0; i < s->n_instruments; i++)
        here[i] = behind[i] = INFINITY;
    for (size_t i = s->n_notes; i-- > 0;) {
        const midi_note *n = &s->notes[i];
        if (is_drum(s, n))
            continue;
        if (n->start < here[n->instrument])
            behind[n->instrument] = here[n->instrument], here[n->instrument] = n->start;
        if (behind[n->instrument] < INFINITY)
            take(&m, cut((n->end - n->start) / (behind[n->instrument] - n->start)));
    }
    arena_rewind(scratch, mark);
    return m.mean;
}

size_t midi_onsets(const midi_song *s)
{
    size_t n = s->n_notes > 0;
    for (size_t i = 1; i < s->n_notes; i++)
        n += s->notes[i].start > s->notes[i - 1].start;
    return n;
}
