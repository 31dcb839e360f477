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

static bool make(piece *p, err *e)
{
    const trained *t = p->by;
    if (t->model->makes == MAKES_NOTES)
        return piece_of_notes(p, e);
    if (t->model->makes == MAKES_EVENTS)
        return piece_of_events(p, e);
    return err_set(e, ERR_MISMATCH, "'%s' is a %s, which makes no music; give a checkpoint of %s",
                   t->path, t->model->name, generator_models(" or ", p->arena));
}

bool piece_make(piece *p, err *e)
{
    if (!make(p, e))
        return false;
    if (p->longest > 0)
        cut_notes(p->song, p->longest);
    return true;
}
