// SPDX-License-Identifier: GPL-3.0-or-later
// performance.c: a little state, a little grammar, and the way from seconds to ticks
// (performance.h).
#include "data/music/performance.h"

#include <math.h>

#include "data/midi/midi_write.h"

enum { BEATS = 4 };

void performance_take(performance *p, int token)
{
    p->last = token;
    p->crowded++;
    if (token >= TOKENS_VELOCITY)
        p->velocity = token;
    else if (token >= TOKENS_SHIFT)
        p->step += token - TOKENS_SHIFT + 1, p->crowded = 0;
    else if (token >= TOKENS_OFF)
        p->sounds[token - TOKENS_OFF] = false;
    else
        p->sounds[token] = true, p->since[token] = p->step;
}

// Steps until a note has sounded as long as it may; at most TOKENS_STEPS.
static int64_t steps_left(const performance *p)
{
    int64_t left = TOKENS_STEPS;
    for (int pitch = 0; pitch < 128 && p->longest; pitch++)
        if (p->sounds[pitch] && p->since[pitch] + p->longest - p->step < left)
            left = p->since[pitch] + p->longest - p->step;
    return left > 0 ? left : 0;
}

static bool may_end(const performance *p, int pitch, bool full, bool due)
{
    int64_t lasts = p->step - p->since[pitch];
    return p->sounds[pitch] && (due ? lasts >= p->longest : !full && lasts > 0);
}

void performance_forbid(const performance *p, float *logits)
{
    int64_t left = steps_left(p);
    bool full = p->crowded >= PERFORMANCE_MOMENT, loud = p->last >= TOKENS_VELOCITY,
         due = left == 0;
    for (int pitch = 0; pitch < 128; pitch++) {
        if (full || due || p->sounds[pitch])
            logits[TOKENS_ON + pitch] = -INFINITY;
        if (!may_end(p, pitch, full, due))
            logits[TOKENS_OFF + pitch] = -INFINITY;
    }
    for (int64_t i = left; i < TOKENS_STEPS; i++)
        logits[TOKENS_SHIFT + i] = -INFINITY;
    for (int i = TOKENS_VELOCITY; i < TOKENS_COUNT; i++)
        if (full || due || loud || i == p->velocity)
            logits[i] = -INFINITY;
}

static uint32_t tick_of(const midi_song *s, double seconds)
{
    return (uint32_t)llrint(seconds * 1e6 / s->tempos->us_per_quarter * s->ticks_per_quarter);
}

midi_song *performance_song(arena *a, const uint16_t *tokens, size_t n, const performance_style *o,
                            err *e)
{
    tokens_note *notes;
    size_t n_notes;
    if (!tokens_decode(tokens, n, a, &notes, &n_notes, e))
        return NULL;
    midi_song *s = midi_blank(a, o->tempo, BEATS, 1, n_notes);
    s->instruments->program = (uint8_t)o->program;
    for (size_t i = 0; i < n_notes && notes[i].start < o->seconds; i++) {
        uint32_t start = tick_of(s, notes[i].start),
                 end = tick_of(s, fmin(notes[i].end, o->seconds));
        midi_note *x = &s->notes[s->n_notes++];
        *x = (midi_note){.start_tick = start,
                         .end_tick = end > start ? end : start + 1,
                         .pitch = notes[i].pitch,
                         .velocity = notes[i].velocity};
        x->start = midi_seconds(s, x->start_tick), x->end = midi_seconds(s, x->end_tick);
        s->seconds = fmax(s->seconds, x->end);
        s->last_tick = x->end_tick > s->last_tick ? x->end_tick : s->last_tick;
    }
    s->instruments->notes = (uint32_t)s->n_notes;
    return s;
}
