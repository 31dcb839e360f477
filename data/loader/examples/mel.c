// SPDX-License-Identifier: GPL-3.0-or-later
// mel.c: frames of audio, standardised and masked, and the item's label. Masks: Park et al.,
// "SpecAugment" (2019), without time warping.
//
//     "mel"      f32 [B, window, bands]   standardised; a shorter item stands at the end, zeros
//                                         (the mean) before it
//     "target"   i32 [B]                  label, 0 where there is none
//     "weight"   f32 [B]                  class weight (1 without); 0 without a label and in
//                                         padding rows
//     "emotion"  f32 [B, 64]
//     "length"   i32 [B]                  frames of `mel` that are the item's, at the end of the
//                                         window
//     "more"     i32 [B]                  windows of the same item in the rows behind this one
//                                         (evaluation)
#include <string.h>

#include "data/loader/example.h"
#include "data/loader/loader.h"

enum { MEL, TARGET, WEIGHT, EMOTION, LENGTH, MORE };

// Where mask `r` lies on an axis of `size`: its width is uniform in 0..width, its place uniform in
// what remains.
static int64_t mask(rng r, const example_piece *p, int width, int64_t size, int64_t *n)
{
    uint32_t element = (uint32_t)p->position * 2;
    int64_t most = width < size ? width : size;
    *n = rng_below(r, p->epoch, element, (uint32_t)most + 1);
    return rng_below(r, p->epoch, element + 1, (uint32_t)(size - *n) + 1);
}

static void mask_row(const example *x, const example_piece *p, float *row)
{
    int64_t bands = x->width, n;
    for (int i = 0; i < x->freq_masks; i++) {
        int64_t from = mask(x->freq[i], p, x->freq_width, bands, &n);
        for (int64_t t = 0; t < x->window; t++)
            memset(row + t * bands + from, 0, (size_t)n * sizeof *row);
    }
    for (int i = 0; i < x->time_masks; i++) {
        int64_t from = mask(x->time[i], p, x->time_width, x->window, &n);
        memset(row + from * bands, 0, (size_t)(n * bands) * sizeof *row);
    }
}

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    float *mel = (float *)f[MEL].data + row * x->window * x->width;
    loader_row(p->rows, p->n, 0, x->window, x->width, x->mean, x->deviation, mel);
    augment_mel_row(&x->mel, x->louder, p->epoch, p->position, x->deviation, p->n, x->width,
                    mel + (x->window - p->n) * x->width);
    mask_row(x, p, mel);
    memcpy((float *)f[EMOTION].data + row * EXAMPLE_EMOTION, p->emotion,
           EXAMPLE_EMOTION * sizeof(float));
    ((int32_t *)f[TARGET].data)[row] = p->label;
    ((int32_t *)f[LENGTH].data)[row] = (int32_t)p->n;
    ((int32_t *)f[MORE].data)[row] = (int32_t)p->more;
    ((float *)f[WEIGHT].data)[row] = p->weight;
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
            {0}},
    .fill = fill,
};
