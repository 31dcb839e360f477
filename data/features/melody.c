// SPDX-License-Identifier: GPL-3.0-or-later
// melody.c: the top line of data/music/melody.h as a feature: the pitch of each of its notes, in
// order. What melody_transformer learns.
#include "data/music/melody.h"
#include "base/variant.h"
#include "data/features/feature.h"

static bool measure(const feature *f, const midi_song *s, arena *a, feature_rows *out, err *e)
{
    arena work = {.name = "melody"};
    size_t n;
    const midi_note *top = melody_top(&work, s, &n);
    uint16_t *pitch = NEW(a, uint16_t, n);
    (void)f, (void)e;
    for (size_t i = 0; i < n; i++)
        pitch[i] = top[i].pitch;
    arena_free(&work);
    *out = (feature_rows){pitch, (int64_t)n};
    return true;
}

const feature_def VARIANT(feature_melody) = {
    .name = "melody",
    .help = "The top line of a MIDI file: the pitch of each of its notes (docs/midi-features.md)",
    .source = FEATURE_SONG,
    .rows = {.type = FEATURE_U16, .width = 1, .below = 128},
    .song = measure,
};
