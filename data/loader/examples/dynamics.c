// SPDX-License-Identifier: GPL-3.0-or-later
// dynamics.c: the statistics of a phrase (midi_stats.h) and its curve of loudness (dynamics.h).
//
//     "midi_stats"  f32 [B, 32]
//     "target"      f32 [B, 16]
//     "weight"      f32 [B]        1
#include "data/music/dynamics.h"

#include <string.h>

#include "data/loader/example.h"
#include "data/music/midi_stats.h"

enum { STATS, TARGET, WEIGHT };

static void augment(const example *x, const midi_draw *d, example_piece *p, void *out)
{
    p->rows = memcpy(out, p->rows, (size_t)x->width * sizeof(float));
    augment_dynamics(d, out);
}

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    const float *phrase = p->rows;
    (void)x;
    memcpy((float *)f[STATS].data + row * MIDI_STATS, phrase, MIDI_STATS * sizeof(float));
    memcpy((float *)f[TARGET].data + row * DYNAMICS, phrase + MIDI_STATS, DYNAMICS * sizeof(float));
    ((float *)f[WEIGHT].data)[row] = 1;
    return 1;
}

const example_def example_dynamics = {
    .name = "dynamics",
    .column = "dynamics",
    .fields =
        (const batch_field[]){
            [STATS] = {"midi_stats", BATCH_F32, 2, {EXAMPLE_ROWS, MIDI_STATS}, NULL},
            [TARGET] = {"target", BATCH_F32, 2, {EXAMPLE_ROWS, DYNAMICS}, NULL},
            [WEIGHT] = {"weight", BATCH_F32, 1, {EXAMPLE_ROWS}, NULL},
            {0}},
    .augment = augment,
    .fill = fill,
};
