// SPDX-License-Identifier: GPL-3.0-or-later
// harmony.c: the chords of data/music/harmony.h as a feature: a row for each bar or beat in which
// something sounds, its context and then its chord (a whole number, chords.h). What
// harmony_predictor learns.
#include "data/music/harmony.h"
#include "base/variant.h"
#include "data/features/feature.h"

enum { WIDTH = HARMONY_CONTEXT + 1 };

typedef struct harmony_settings {
    int step; // harmony_step
} harmony_settings;

static const config_key table[] = {
    {"harmony.step", CONFIG_ENUM, KEY_AT(harmony_settings, step), .choices = "bars|beats",
     .help = "a chord each; without it: bars, as in a lead sheet"},
};
static const size_t table_n = sizeof table / sizeof *table;

static bool measure(const feature *f, const midi_song *s, arena *a, feature_rows *out, err *e)
{
    arena work = {.name = "harmony"};
    const harmony_settings *o = f->settings;
    song_harmony h = harmony_of(&work, s, (harmony_step)o->step);
    float *rows = NEW(a, float, h.n *WIDTH), *at = rows;
    (void)e;
    for (size_t i = 0; i < h.n; i++) {
        if (!h.spans[i].sounds)
            continue;
        for (int k = 0; k < HARMONY_CONTEXT; k++)
            *at++ = h.context[i * HARMONY_CONTEXT + (size_t)k];
        *at++ = (float)h.spans[i].chord;
    }
    arena_free(&work);
    *out = (feature_rows){rows, (at - rows) / WIDTH};
    return true;
}

const feature_def VARIANT(feature_harmony) = {
    .name = "harmony",
    .help = "Chords of a MIDI file and what is around them (docs/midi-features.md)",
    .source = FEATURE_SONG,
    .table = table,
    .table_n = &table_n,
    .settings_size = sizeof(harmony_settings),
    .rows = {.type = FEATURE_F32, .width = WIDTH, .below = CHORD_NONE + 1},
    .song = measure,
};
