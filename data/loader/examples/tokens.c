// SPDX-License-Identifier: GPL-3.0-or-later
// tokens.c: performance events and at each place the one that comes next.
//
//     "tokens"   i32 [B, window]
//     "target"   i32 [B, window]    the token behind it, of the same song
//     "weight"   f32 [B, window]    1; 0 at a song's last token and where there is none
//     "emotion"  f32 [B, 64]
#include <string.h>

#include "data/loader/example.h"

enum { TOKENS, TARGET, WEIGHT, EMOTION };

// One token more than is shown, for the last target.
static void augment(const example *x, const midi_draw *d, example_piece *p, void *out)
{
    size_t left = (size_t)(p->of - p->first), most = (size_t)p->n + 1,
           raw = augment_tokens_raw(&x->midi, most);
    p->of = (int64_t)augment_tokens(d, p->rows, raw < left ? raw : left, out, most);
    p->rows = out, p->first = 0;
    p->n = p->of < p->n ? p->of : p->n;
}

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    int64_t place = row * x->window + p->at, known = p->of - p->first - 1;
    int32_t *tokens = (int32_t *)f[TOKENS].data + place,
            *target = (int32_t *)f[TARGET].data + place;
    float *weight = (float *)f[WEIGHT].data + place;
    const uint16_t *song = p->rows;
    if (known > p->n)
        known = p->n;
    for (int64_t t = 0; t < p->n; t++)
        tokens[t] = song[t];
    for (int64_t t = 0; t < known; t++)
        target[t] = song[t + 1], weight[t] = 1;
    memcpy((float *)f[EMOTION].data + row * EXAMPLE_EMOTION, p->emotion,
           EXAMPLE_EMOTION * sizeof(float));
    return (double)known;
}

const example_def example_tokens = {
    .name = "tokens",
    .column = "tokens",
    .told = true,
    .windows = true,
    .ahead = 1,
    .window = 1024,
    .fields =
        (const batch_field[]){
            [TOKENS] = {"tokens", BATCH_I32, 2, {EXAMPLE_ROWS, EXAMPLE_WINDOW}, NULL},
            [TARGET] = {"target", BATCH_I32, 2, {EXAMPLE_ROWS, EXAMPLE_WINDOW}, NULL},
            [WEIGHT] = {"weight", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_WINDOW}, NULL},
            [EMOTION] = {"emotion", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_EMOTION}, NULL},
            {0}},
    .augment = augment,
    .fill = fill,
};
