// SPDX-License-Identifier: GPL-3.0-or-later
// midi_stats.c: the 32 statistics of data/music/midi_stats.h as a feature: one row a song. It has
// no settings.
#include "data/music/midi_stats.h"
#include "base/variant.h"
#include "data/features/feature.h"

static bool measure(const feature *f, const midi_song *s, arena *a, feature_rows *out, err *e)
{
    arena work = {.name = "midi_stats"};
    float *x = NEW(a, float, MIDI_STATS);
    (void)f, (void)e;
    midi_stats(&work, s, x);
    arena_free(&work);
    *out = (feature_rows){x, 1};
    return true;
}

const feature_def VARIANT(feature_midi_stats) = {
    .name = "midi_stats",
    .help = "Statistics of a MIDI file (docs/midi-features.md)",
    .source = FEATURE_SONG,
    .rows = {.type = FEATURE_F32, .width = MIDI_STATS, .single = true, .least = 1},
    .song = measure,
};
