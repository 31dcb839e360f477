// SPDX-License-Identifier: GPL-3.0-or-later
// melody.c: the notes of a song's top line, each with the one before it.
//
//     "emotion"    f32 [B, 64]
//     "prev_note"  i32 [B, window]    pitch of the note before; -1 before a song's first note (0
//                                     where there is none)
//     "target"     i32 [B, window]    pitch of the note
//     "weight"     f32 [B, window]    1; 0 where there is none
#include <string.h>

#include "data/loader/example.h"

enum { EMOTION, PREV_NOTE, TARGET, WEIGHT };

// With the note before it, which is shown first.
static void augment(const example *x, const midi_draw *d, example_piece *p, void *out)
{
    size_t before = p->first > 0, n = (size_t)p->n + before;
    uint16_t *notes = memcpy(out, (const uint16_t *)p->rows - before, n * sizeof *notes);
    (void)x;
    augment_melody(d, notes, n);
    p->rows = notes + before;
}

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    int64_t place = row * x->window + p->at;
    int32_t *before = (int32_t *)f[PREV_NOTE].data + place,
            *target = (int32_t *)f[TARGET].data + place;
    float *weight = (float *)f[WEIGHT].data + place;
    const uint16_t *notes = p->rows;
    before[0] = p->first ? notes[-1] : -1;
    for (int64_t t = 0; t < p->n; t++) {
        if (t > 0)
            before[t] = notes[t - 1];
        target[t] = notes[t];
        weight[t] = 1;
    }
    memcpy((float *)f[EMOTION].data + row * EXAMPLE_EMOTION, p->emotion,
           EXAMPLE_EMOTION * sizeof(float));
    return (double)p->n;
}

const example_def example_melody = {
    .name = "melody",
    .column = "melody",
    .told = true,
    .windows = true,
    .window = 128,
    .fields =
        (const batch_field[]){
            [EMOTION] = {"emotion", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_EMOTION}, NULL},
            [PREV_NOTE] = {"prev_note", BATCH_I32, 2, {EXAMPLE_ROWS, EXAMPLE_WINDOW}, NULL},
            [TARGET] = {"target", BATCH_I32, 2, {EXAMPLE_ROWS, EXAMPLE_WINDOW}, NULL},
            [WEIGHT] = {"weight", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_WINDOW}, NULL},
            {0}},
    .augment = augment,
    .fill = fill,
};
