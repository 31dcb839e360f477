// SPDX-License-Identifier: GPL-3.0-or-later
// cloud.c: a whole item as a picture, the statistics of its notes, its emotion, and the cloud that
// the three make (data/music/cloud.h).
//
//     "mel"      f32 [B, 1, bands, 64]   all its frames, standardised, varied and masked
//                                        (example_window.h), as 64 columns (loader_squeeze): the
//                                        cloud's 64 slices of time, whatever the item's length
//     "emotion"  f32 [B, 64]
//     "midi"     f32 [B, 32]             data/music/midi_stats.h
//     "target"   f32 [B, 1200, 10]
//     "weight"   f32 [B]                 1; 0 in padding rows
#include <string.h>

#include "data/loader/example_window.h"
#include "data/loader/loader.h"
#include "data/music/cloud.h"
#include "data/music/midi_stats.h"

enum { MEL, EMOTION, MIDI, TARGET, WEIGHT };
enum { BESIDE_MIDI, BESIDE_POINTS };

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    const int64_t cloud = CLOUD_POINTS * CLOUD_WIDTH;
    example own = *x;
    own.window = p->n;
    example_window(&own, p, x->scratch);
    loader_squeeze(x->scratch, p->n, x->width, CLOUD_SLICES,
                   (float *)f[MEL].data + row * CLOUD_SLICES * x->width);
    memcpy((float *)f[EMOTION].data + row * EXAMPLE_EMOTION, p->emotion,
           EXAMPLE_EMOTION * sizeof(float));
    memcpy((float *)f[MIDI].data + row * MIDI_STATS, p->beside[BESIDE_MIDI],
           MIDI_STATS * sizeof(float));
    memcpy((float *)f[TARGET].data + row * cloud, p->beside[BESIDE_POINTS],
           (size_t)cloud * sizeof(float));
    ((float *)f[WEIGHT].data)[row] = 1;
    return 1;
}

const example_def example_cloud = {
    .name = "cloud",
    .column = "mel",
    .told = true,
    .beside = {[BESIDE_MIDI] = "midi_stats", [BESIDE_POINTS] = "points"},
    .windows = true,
    .whole = true,
    .fields =
        (const batch_field[]){
            [MEL] = {"mel", BATCH_F32, 4, {EXAMPLE_ROWS, 1, EXAMPLE_WIDTH, CLOUD_SLICES}, NULL},
            [EMOTION] = {"emotion", BATCH_F32, 2, {EXAMPLE_ROWS, EXAMPLE_EMOTION}, NULL},
            [MIDI] = {"midi", BATCH_F32, 2, {EXAMPLE_ROWS, MIDI_STATS}, NULL},
            [TARGET] = {"target", BATCH_F32, 3, {EXAMPLE_ROWS, CLOUD_POINTS, CLOUD_WIDTH}, NULL},
            [WEIGHT] = {"weight", BATCH_F32, 1, {EXAMPLE_ROWS}, NULL},
            {0}},
    .fill = fill,
};
