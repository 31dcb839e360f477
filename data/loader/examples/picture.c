// SPDX-License-Identifier: GPL-3.0-or-later
// picture.c: frames of audio as a picture, bands by frames, as convolutions take it, and the item's
// classes of several groups (data/labels/labels.h), in the order of the model's.
//
//     "mel"      f32 [B, 1, bands, window]   standardised and masked (example_window.h); a shorter
//                                            item stands at the end, zeros (the mean) before it
//     "target"   i32 [B, groups]             class, -1 where there is none
//     "weight"   f32 [B, groups]             1 with a class; 0 without and in padding rows; of an
//                                            item that is heard in several windows parts of it
//     "emotion", "length", "more"            as of mel.c
//     "other_target", "other_weight"         the same of the item that it is mixed with (loader.h),
//                                            else 0
#include <string.h>

#include "data/loader/example_window.h"
#include "data/loader/loader.h"

enum { MEL, TARGET, WEIGHT, EMOTION, LENGTH, MORE, OTHER_TARGET, OTHER_WEIGHT };

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    int64_t size = x->window * x->width;
    example_window(x, p, x->scratch);
    loader_turn(x->scratch, x->window, x->width, (float *)f[MEL].data + row * size);
    memcpy((float *)f[EMOTION].data + row * EXAMPLE_EMOTION, p->emotion,
           EXAMPLE_EMOTION * sizeof(float));
    ((int32_t *)f[LENGTH].data)[row] = (int32_t)p->n;
    ((int32_t *)f[MORE].data)[row] = (int32_t)p->more;
    double most = 0;
    for (int64_t k = 0, at = row * x->groups; k < x->groups; k++, at++) {
        bool told = p->classes[k] >= 0;
        most = told ? (double)p->weight : most;
        ((int32_t *)f[TARGET].data)[at] = p->classes[k];
        ((float *)f[WEIGHT].data)[at] = told ? p->weight : 0;
        ((int32_t *)f[OTHER_TARGET].data)[at] = 0;
        ((float *)f[OTHER_WEIGHT].data)[at] = 0;
    }
    return most;
}

const example_def example_picture = {
    .name = "picture",
    .column = "mel",
    .windows = true,
    .labelled = true,
    .grouped = true,
    .fields =
        (const batch_field[]){
            [MEL] = {"mel", BATCH_F32, 4, {EXAMPLE_ROWS, 1, EXAMPLE_WIDTH, EXAMPLE_WINDOW}, NULL},
            [TARGET] = {"target", BATCH_I32, 2, {EXAMPLE_ROWS, EXAMPLE_GROUPS}, NULL},
            [WEIGHT] = {"weight", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_GROUPS}, NULL},
            [EMOTION] = {"emotion", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_EMOTION}, NULL},
            [LENGTH] = {"length", BATCH_I32, 1, {EXAMPLE_ROWS}, NULL},
            [MORE] = {"more", BATCH_I32, 1, {EXAMPLE_ROWS}, NULL},
            [OTHER_TARGET] = {"other_target", BATCH_I32, 2, {EXAMPLE_ROWS, EXAMPLE_GROUPS}, NULL},
            [OTHER_WEIGHT] = {"other_weight", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_GROUPS}, NULL},
            {0}},
    .fill = fill,
};
