// SPDX-License-Identifier: GPL-3.0-or-later
// points.c: the cloud of data/music/cloud.h as a feature of both: one row of 1200 x 10 numbers an
// item, made of its mel frames, its notes and its emotion. It has no settings.
#include "base/variant.h"
#include "data/features/feature.h"
#include "data/music/cloud.h"

static bool measure(const feature *f, const feature_both *x, arena *a, feature_rows *out, err *e)
{
    cloud_slice slices[CLOUD_SLICES];
    const cloud_emotion emotion = {x->valence, x->arousal, x->intensity};
    float *points = NEW(a, float, CLOUD_POINTS *CLOUD_WIDTH);
    (void)f, (void)e;
    cloud_hear(x->heard->settings, x->frames, x->n, slices);
    cloud_read(x->song, (double)(x->n * x->heard->hop) / x->heard->rate, slices);
    cloud_make(slices, &emotion, points);
    *out = (feature_rows){points, 1};
    return true;
}

const feature_def VARIANT(feature_points) = {
    .name = "points",
    .help = "A cloud of points made of sound, MIDI and emotion (docs/spectocloud.md)",
    .source = FEATURE_BOTH,
    .rows = {.type = FEATURE_F32, .width = CLOUD_POINTS * CLOUD_WIDTH, .single = true, .least = 1},
    .both = measure,
};
