// SPDX-License-Identifier: GPL-3.0-or-later
// piece.c: whose piece it is, and no note longer than is asked.
#include "infer/piece.h"

#include <math.h>

#include "infer/generate.h"

double piece_longest_note(const midi_song *s)
{
    double most = 0;
    for (size_t i = 0; i < s->n_notes; i++)
        most = fmax(most, s->notes[i].end - s->notes[i].start);
    return most;
}

// Ends notes that last longer than `most` seconds.
static void cut_notes(midi_song *s, double most)
{
    double seconds = 0;
    for (size_t i = 0; i < s->n_notes; i++) {
        midi_note *x = &s->notes[i];
        if (x->end - x->start > most) {
            double tick = floor(midi_ticks(s, x->start + most) + 1e-6);
            x->end_tick = tick > x->start_tick ? (uint32_t)tick : x->start_tick + 1;
            x->end = midi_seconds(s, x->end_tick);
        }
        seconds = fmax(seconds, x->end);
    }
    s->seconds = seconds;
}

static bool make(piece *p, int n, err *e)
{
    const trained *t = p->by;
    bool ok = true;
    if (t->model->makes == MAKES_EVENTS)
        return piece_of_events(p, n, e);
    if (t->model->makes != MAKES_NOTES)
        return err_set(e, ERR_MISMATCH,
                       "'%s' is of %s, which makes no music; give a checkpoint of %s", t->path,
                       t->model->name, generator_models(" or ", p->arena));
    for (int k = 0; ok && k < n; k++)
        ok = piece_of_notes(&p[k], e);
    return ok;
}

bool piece_make(piece *p, int n, err *e)
{
    if (!make(p, n, e))
        return false;
    for (int k = 0; k < n; k++)
        if (p[k].longest > 0)
            cut_notes(p[k].song, p[k].longest);
    return true;
}

int piece_lanes(const trained *by)
{
    return by->model->makes == MAKES_EVENTS ? GENERATOR_LANES : 1;
}
