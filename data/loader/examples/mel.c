// SPDX-License-Identifier: GPL-3.0-or-later
// mel.c: frames of audio, standardised and masked (example_window.h), and the item's label.
//
//     "mel"      f32 [B, window, bands]   standardised; a shorter item stands at the end, zeros
//                                         (the mean) before it
//     "target"   i32 [B]                  label, 0 where there is none
//     "weight"   f32 [B]                  class weight (1 without); 0 without a label and in
//                                         padding rows
//     "other_target", "other_weight"      the same of the item that it is mixed with (loader.h),
//     else
//                                         0
//     "emotion"  f32 [B, 64]
//     "length"   i32 [B]                  frames of `mel` that are the item's, at the end of the
//                                         window
//     "more"     i32 [B]                  windows of the same item in the rows behind this one
//                                         (evaluation)
#include <string.h>

#include "data/loader/example_window.h"

enum { MEL, TARGET, WEIGHT, EMOTION, LENGTH, MORE, OTHER_TARGET, OTHER_WEIGHT };

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    example_window(x, p, (float *)f[MEL].data + row * x->window * x->width);
    memcpy((float *)f[EMOTION].data + row * EXAMPLE_EMOTION, p->emotion,
           EXAMPLE_EMOTION * sizeof(float));
    ((int32_t *)f[TARGET].data)[row] = p->label;
    ((int32_t *)f[LENGTH].data)[row] = (int32_t)p->n;
    ((int32_t *)f[MORE].data)[row] = (int32_t)p->more;
    ((float *)f[WEIGHT].data)[row] = p->weight;
    ((int32_t *)f[OTHER_TARGET].data)[row] = 0;
    ((float *)f[OTHER_WEIGHT].data)[row] = 0;
    return (double)p->weight;
}

const example_def example_mel = {
    .name = "mel",
    .column = "mel",
    .windows = true,
    .labelled = true,
    .fields =
        (const batch_field[]){
            [MEL] = {"mel", BATCH_F32, 3, {EXAMPLE_ROWS, EXAMPLE_WINDOW, EXAMPLE_WIDTH}, NULL},
            [TARGET] = {"target", BATCH_I32, 1, {EXAMPLE_ROWS}, NULL},
            [WEIGHT] = {"weight", BATCH_F32, 1, {EXAMPLE_ROWS}, NULL},
            [EMOTION] = {"emotion", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_EMOTION}, NULL},
            [LENGTH] = {"length", BATCH_I32, 1, {EXAMPLE_ROWS}, NULL},
            [MORE] = {"more", BATCH_I32, 1, {EXAMPLE_ROWS}, NULL},
            [OTHER_TARGET] = {"other_target", BATCH_I32, 1, {EXAMPLE_ROWS}, NULL},
            [OTHER_WEIGHT] = {"other_weight", BATCH_F32, 1, {EXAMPLE_ROWS}, NULL},
            {0}},
    .fill = fill,
};
