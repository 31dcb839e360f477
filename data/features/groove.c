// SPDX-License-Identifier: GPL-3.0-or-later
// groove.c: the 32 numbers of data/music/groove.h as a feature: one row a song. What
// groove_predictor learns.
#include "data/music/groove.h"
#include "base/variant.h"
#include "data/features/feature.h"

static bool measure(const feature *f, const midi_song *s, arena *a, feature_rows *out, err *e)
{
    arena work = {.name = "groove"};
    float *x = NEW(a, float, GROOVE);
    (void)f, (void)e;
    groove_measure(&work, s, x);
    arena_free(&work);
    *out = (feature_rows){x, 1};
    return true;
}

const feature_def VARIANT(feature_groove) = {
    .name = "groove",
    .help = "How a MIDI file sits on its beat (docs/midi-features.md)",
    .source = FEATURE_SONG,
    .rows = {.type = FEATURE_F32, .width = GROOVE, .single = true, .least = 1},
    .song = measure,
};
