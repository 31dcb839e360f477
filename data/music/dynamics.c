// SPDX-License-Identifier: GPL-3.0-or-later
// dynamics.c: velocity curves of phrases (dynamics.h). Notes come by start, so each falls into the
// phrase at hand or begins the next.
#include "data/music/dynamics.h"

static dynamics_phrase phrase_at(const song_bars *b, size_t first, size_t each)
{
    dynamics_phrase p = {.bar = first, .tick = b->list[first].tick};
    for (size_t i = first; i < first + each; i++)
        p.ticks += b->list[i < b->n ? i : b->n - 1].ticks;
    return p;
}

// Velocities of the notes from i on that begin in the phrase; what comes behind them.
static size_t fill(const midi_song *s, size_t i, dynamics_phrase *p)
{
    double n[DYNAMICS] = {0}, sum[DYNAMICS] = {0};
    for (; i < s->n_notes && s->notes[i].start_tick < p->tick + p->ticks; i++) {
        int k = (int)((s->notes[i].start_tick - p->tick) / p->ticks * DYNAMICS);
        k = k < 0 ? 0 : k < DYNAMICS ? k : DYNAMICS - 1;
        n[k]++, sum[k] += s->notes[i].velocity / 127.0;
    }
    for (int k = 0; k < DYNAMICS; k++)
        if (n[k] > 0)
            p->curve[k] = (float)(sum[k] / n[k]), p->heard |= 1u << k;
    return i;
}

song_dynamics dynamics_of(arena *a, const midi_song *s, int bars_each)
{
    song_bars b = bars_of(a, s);
    size_t each = (size_t)bars_each,
           first = s->n_notes ? bars_find(&b, s->notes[0].start_tick) : b.n;
    song_dynamics d = {.phrases = NEW(a, dynamics_phrase, (b.n - first) / each + 1)};
    for (size_t i = 0; i < s->n_notes;) {
        size_t bar = bars_find(&b, s->notes[i].start_tick);
        if (bar == b.n)
            break;
        d.phrases[d.n] = phrase_at(&b, bar - (bar - first) % each, each);
        i = fill(s, i, &d.phrases[d.n++]);
    }
    return d;
}
