// SPDX-License-Identifier: GPL-3.0-or-later
// melody.c: top line and bass line by skyline (melody.h). Both are found as highest notes: for the
// bass, pitches are counted from above.
#include "data/music/melody.h"

enum { PITCHES = 128 };

typedef struct skyline {
    const midi_song *song;
    bool low;
    double until[PITCHES]; // the latest release of each height so far, seconds
    midi_note *line;
    size_t n;
} skyline;

static int height(const skyline *k, const midi_note *n)
{
    return k->low ? PITCHES - 1 - n->pitch : n->pitch;
}

static bool is_drum(const skyline *k, const midi_note *n)
{
    return k->song->instruments[n->instrument].is_drum;
}

static bool below_held(const skyline *k, const midi_note *n)
{
    for (int h = height(k, n) + 1; h < PITCHES; h++)
        if (k->until[h] > n->start)
            return true;
    return false;
}

static void enter(skyline *k, const midi_note *n)
{
    midi_note *last = k->n ? &k->line[k->n - 1] : NULL;
    if (last && last->end > n->start)
        last->end = n->start, last->end_tick = n->start_tick;
    k->line[k->n++] = *n;
}

// The chord that begins at notes[i]; what comes behind it.
static size_t take_chord(skyline *k, size_t i)
{
    const midi_note *notes = k->song->notes, *best = &notes[i];
    size_t past = i + 1;
    for (; past < k->song->n_notes && notes[past].start <= notes[i].start + MELODY_TOGETHER;
         past++) {
        const midi_note *n = &notes[past];
        if (is_drum(k, n))
            continue;
        int above = height(k, n) - height(k, best);
        if (above > 0 || (!above && n->velocity > best->velocity))
            best = n;
    }
    if (!below_held(k, best))
        enter(k, best);
    for (; i < past; i++)
        if (!is_drum(k, &notes[i]) && notes[i].end > k->until[height(k, &notes[i])])
            k->until[height(k, &notes[i])] = notes[i].end;
    return past;
}

static midi_note *draw(arena *a, const midi_song *s, bool low, size_t *n)
{
    skyline k = {.song = s, .low = low, .line = NEW(a, midi_note, s->n_notes)};
    for (size_t i = 0; i < s->n_notes;)
        i = is_drum(&k, &s->notes[i]) ? i + 1 : take_chord(&k, i);
    *n = k.n;
    return k.line;
}

midi_note *melody_top(arena *a, const midi_song *s, size_t *n)
{
    return draw(a, s, false, n);
}

midi_note *melody_bass(arena *a, const midi_song *s, size_t *n)
{
    return draw(a, s, true, n);
}
