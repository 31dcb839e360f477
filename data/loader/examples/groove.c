// SPDX-License-Identifier: GPL-3.0-or-later
// groove.c: a song's emotion and how it sits on its beat (groove.h).
//
//     "emotion"  f32 [B, 64]
//     "target"   f32 [B, 32]
//     "weight"   f32 [B]        1
#include "data/music/groove.h"

#include <string.h>

#include "data/loader/example.h"

enum { EMOTION, TARGET, WEIGHT };

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    (void)x;
    memcpy((float *)f[EMOTION].data + row * EXAMPLE_EMOTION, p->emotion,
           EXAMPLE_EMOTION * sizeof(float));
    memcpy((float *)f[TARGET].data + row * GROOVE, p->rows, GROOVE * sizeof(float));
    ((float *)f[WEIGHT].data)[row] = 1;
    return 1;
}

const example_def example_groove = {
    .name = "groove",
    .column = "groove",
    .told = true,
    .fields =
        (const batch_field[]){
            [EMOTION] = {"emotion", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_EMOTION}, NULL},
            [TARGET] = {"target", BATCH_F32, 2, {EXAMPLE_ROWS, GROOVE}, NULL},
            [WEIGHT] = {"weight", BATCH_F32, 1, {EXAMPLE_ROWS}, NULL},
            {0}},
    .fill = fill,
};
