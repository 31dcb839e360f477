// SPDX-License-Identifier: GPL-3.0-or-later
// dynamics.c: the phrases of data/music/dynamics.h as a feature: a row for each, what it is like
// (midi_stats.h of the phrase alone), then its curve. What dynamics_engine learns.
//
// Where no note begins in a span, its curve is 0, which is not how loud it is: a phrase that is
// heard in fewer than half of its spans says too little and is left out.
#include "data/music/dynamics.h"

#include <string.h>

#include "base/variant.h"
#include "data/features/feature.h"
#include "data/midi/midi_cut.h"
#include "data/music/midi_stats.h"

enum { WIDTH = MIDI_STATS + DYNAMICS, HEARD_LEAST = DYNAMICS / 2 };

typedef struct dynamics_settings {
    int bars; // 0: DYNAMICS_BARS
} dynamics_settings;

static const config_key table[] = {
    {"dynamics.bars", CONFIG_INT, NULL, 1, 64, KEY_AT(dynamics_settings, bars),
     .help = "of a phrase; without it: 4"},
};
static const size_t table_n = sizeof table / sizeof *table;

static int spans_heard(const dynamics_phrase *p)
{
    int n = 0;
    for (int k = 0; k < DYNAMICS; k++)
        n += p->heard >> k & 1;
    return n;
}

static bool measure(const feature *f, const midi_song *s, arena *a, feature_rows *out, err *e)
{
    arena work = {.name = "dynamics"};
    const dynamics_settings *o = f->settings;
    song_dynamics d = dynamics_of(&work, s, o->bars);
    float *rows = NEW(a, float, d.n *WIDTH), *at = rows;
    (void)e;
    for (size_t i = 0; i < d.n; i++) {
        const dynamics_phrase *p = &d.phrases[i];
        if (spans_heard(p) < HEARD_LEAST)
            continue;
        arena_mark m = arena_save(&work);
        midi_stats(&work, midi_cut(&work, s, p->tick, p->tick + p->ticks), at);
        memcpy(at + MIDI_STATS, p->curve, sizeof p->curve);
        at += WIDTH;
        arena_rewind(&work, m);
    }
    arena_free(&work);
    *out = (feature_rows){rows, (at - rows) / WIDTH};
    return true;
}

static bool resolve(void *settings, err *e)
{
    dynamics_settings *o = settings;
    (void)e;
    o->bars = o->bars ? o->bars : DYNAMICS_BARS;
    return true;
}

const feature_def VARIANT(feature_dynamics) = {
    .name = "dynamics",
    .help = "Phrases of a MIDI file and how loudness goes in them (docs/midi-features.md)",
    .source = FEATURE_SONG,
    .table = table,
    .table_n = &table_n,
    .settings_size = sizeof(dynamics_settings),
    .resolve = resolve,
    .rows = {.type = FEATURE_F32, .width = WIDTH},
    .song = measure,
};
