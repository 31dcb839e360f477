// SPDX-License-Identifier: GPL-3.0-or-later
// harmony.c: chords and their context, span by span (harmony.h).
//
// How long each pitch class sounds in each span costs one step a note, however long notes are: a
// note's parts in its first and last span are added as they are, and between them only the number
// of notes that cover whole spans is kept, as +1 where that begins and -1 where it ends. A running
// sum turns those into ticks.
#include "data/music/harmony.h"

#include "data/music/melody.h"

typedef double pitch_classes[PITCH_CLASSES];

typedef enum part { PART_TOP, PART_ALL, PART_BEFORE, PART_BASS, PARTS } part;

// ---- Time of pitch classes

typedef struct tally {
    const harmony_span *spans;
    size_t n;
    pitch_classes *ticks; // [n + 1]
    pitch_classes *cover; // [n + 1] changes of the number of notes that sound for whole spans
} tally;

static size_t span_at(const tally *t, double tick)
{
    size_t lo = 0, hi = t->n;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (t->spans[mid].tick <= tick)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static void count_note(tally *t, const midi_note *n)
{
    const harmony_span *last = &t->spans[t->n - 1];
    double from = n->start_tick, to = n->end_tick, end = last->tick + last->ticks;
    to = to < end ? to : end;
    if (from >= to)
        return;
    size_t i = span_at(t, from), k = span_at(t, to);
    int p = n->pitch % PITCH_CLASSES;
    if (i == k) {
        t->ticks[i][p] += to - from;
        return;
    }
    t->ticks[i][p] += t->spans[i].tick + t->spans[i].ticks - from;
    t->ticks[k][p] += to - t->spans[k].tick;
    t->cover[i + 1][p] += 1;
    t->cover[k][p] -= 1;
}

// [n] for each span. `skip_drums` may be NULL: then all notes count.
static pitch_classes *tally_notes(arena *a, const harmony_span *spans, size_t n,
                                  const midi_note *notes, size_t n_notes,
                                  const midi_song *skip_drums)
{
    tally t = {spans, n, NEW(a, pitch_classes, n + 1), NEW(a, pitch_classes, n + 1)};
    for (size_t i = 0; n && i < n_notes; i++)
        if (!skip_drums || !skip_drums->instruments[notes[i].instrument].is_drum)
            count_note(&t, &notes[i]);
    pitch_classes whole = {0};
    for (size_t i = 0; i < n; i++)
        for (int p = 0; p < PITCH_CLASSES; p++) {
            whole[p] += t.cover[i][p];
            t.ticks[i][p] += whole[p] * spans[i].ticks;
        }
    return t.ticks;
}

// ---- Spans

static size_t lay_spans(const song_bars *b, harmony_step step, harmony_span *out)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        const song_bar *m = &b->list[i];
        double each = step == HARMONY_BEATS ? m->beat : m->ticks, end = m->tick + m->ticks;
        for (int k = 0; n < HARMONY_SPANS_MOST && m->tick + k * each < end - 1e-6; k++, n++) {
            double at = m->tick + k * each, to = at + each < end - 1e-6 ? at + each : end;
            if (out)
                out[n] =
                    (harmony_span){.tick = at, .ticks = to - at, .bar = i, .chord = CHORD_NONE};
        }
    }
    return n;
}

static harmony_span *spans_of(arena *a, const song_bars *b, harmony_step step, size_t *n)
{
    *n = lay_spans(b, step, NULL);
    harmony_span *spans = NEW(a, harmony_span, *n);
    lay_spans(b, step, spans);
    return spans;
}

// ---- Context

static void write_shares(const double *ticks, float *out)
{
    double sum = 0;
    for (int p = 0; p < PITCH_CLASSES; p++)
        sum += ticks[p];
    for (int p = 0; p < PITCH_CLASSES; p++)
        out[p] = sum > 0 ? (float)(ticks[p] / sum) : 0;
}

static void write_context(const song_bars *b, pitch_classes *const parts[PARTS],
                          const harmony_span *s, float *out)
{
    int at = (int)((s->tick - b->list[s->bar].tick) / b->sixteenth + 0.5);
    for (part k = 0; k < PARTS; k++)
        if (k != PART_BEFORE)
            write_shares(parts[k][s->bar], out + k * PITCH_CLASSES);
        else if (s->bar)
            write_shares(parts[PART_ALL][s->bar - 1], out + k * PITCH_CLASSES);
    out[PARTS * PITCH_CLASSES + (at < BAR_SIXTEENTHS ? at : BAR_SIXTEENTHS - 1)] = 1;
}

static void name_chord(harmony_span *s, const double *all, const double *bass)
{
    double score;
    s->chord = chord_match(all, bass, &score);
    s->score = (float)score;
    s->sounds = score > 0;
}

song_harmony harmony_of(arena *a, const midi_song *s, harmony_step step)
{
    song_harmony h = {0};
    song_bars b = bars_of(a, s);
    size_t n_bars, n_top, n_bass;
    const harmony_span *whole = spans_of(a, &b, HARMONY_BARS, &n_bars);
    const midi_note *top = melody_top(a, s, &n_top), *low = melody_bass(a, s, &n_bass);
    pitch_classes *const parts[PARTS] = {
        [PART_TOP] = tally_notes(a, whole, n_bars, top, n_top, NULL),
        [PART_ALL] = tally_notes(a, whole, n_bars, s->notes, s->n_notes, s),
        [PART_BASS] = tally_notes(a, whole, n_bars, low, n_bass, NULL),
    };
    h.spans = spans_of(a, &b, step, &h.n);
    h.context = NEW(a, float, h.n *HARMONY_CONTEXT);
    pitch_classes *all = tally_notes(a, h.spans, h.n, s->notes, s->n_notes, s);
    pitch_classes *bass = tally_notes(a, h.spans, h.n, low, n_bass, NULL);
    for (size_t i = 0; i < h.n; i++) {
        name_chord(&h.spans[i], all[i], bass[i]);
        write_context(&b, parts, &h.spans[i], h.context + i * HARMONY_CONTEXT);
    }
    return h;
}
