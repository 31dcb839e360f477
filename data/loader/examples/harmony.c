// SPDX-License-Identifier: GPL-3.0-or-later
// harmony.c: what is heard in a bar (harmony.h) and its chord.
//
//     "context"  f32 [B, 128]    the song's emotion, then the 64 numbers of the bar
//     "target"   i32 [B]         chord (chords.h)
//     "weight"   f32 [B]         1
#include <math.h>
#include <string.h>

#include "data/loader/example.h"
#include "data/music/harmony.h"

enum { CONTEXT, TARGET, WEIGHT };

static void augment(const example *x, const midi_draw *d, example_piece *p, void *out)
{
    p->rows = memcpy(out, p->rows, (size_t)x->width * sizeof(float));
    augment_harmony(d, out);
}

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    float *context = (float *)f[CONTEXT].data + row * (EXAMPLE_EMOTION + HARMONY_CONTEXT);
    const float *span = p->rows;
    (void)x;
    memcpy(context, p->emotion, EXAMPLE_EMOTION * sizeof *context);
    memcpy(context + EXAMPLE_EMOTION, span, HARMONY_CONTEXT * sizeof *context);
    ((int32_t *)f[TARGET].data)[row] = (int32_t)span[HARMONY_CONTEXT];
    ((float *)f[WEIGHT].data)[row] = 1;
    return 1;
}

// Whatever number stands there is not yet a chord.
static bool sound(const void *row)
{
    float chord = ((const float *)row)[HARMONY_CONTEXT];
    return chord >= 0 && chord <= CHORD_NONE && chord == floorf(chord);
}

const example_def example_harmony = {
    .name = "harmony",
    .column = "harmony",
    .told = true,
    .sound = sound,
    .fields = (const batch_field[]){[CONTEXT] = {"context",
                                                 BATCH_F32,
                                                 2,
                                                 {EXAMPLE_ROWS, EXAMPLE_EMOTION + HARMONY_CONTEXT},
                                                 NULL},
                                    [TARGET] = {"target", BATCH_I32, 1, {EXAMPLE_ROWS}, NULL},
                                    [WEIGHT] = {"weight", BATCH_F32, 1, {EXAMPLE_ROWS}, NULL},
                                    {0}},
    .augment = augment,
    .fill = fill,
};
