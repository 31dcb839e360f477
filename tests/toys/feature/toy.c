// SPDX-License-Identifier: GPL-3.0-or-later
// toy.c: how many notes a MIDI file has and how long it is, multiplied by a setting.
#include "base/variant.h"
#include "data/features/feature.h"

typedef struct toy_settings {
    int times; // 0: once
} toy_settings;

static const config_key table[] = {
    {"toy.times", CONFIG_INT, NULL, 1, 100, KEY_AT(toy_settings, times),
     .help = "both numbers are multiplied by it; without it: 1"},
};
static const size_t table_n = sizeof table / sizeof *table;

static bool resolve(void *settings, err *e)
{
    toy_settings *o = settings;
    (void)e;
    o->times = o->times ? o->times : 1;
    return true;
}

static bool measure(const feature *f, const midi_song *s, arena *a, feature_rows *out, err *e)
{
    const toy_settings *o = f->settings;
    float *x = NEW(a, float, 2);
    (void)e;
    x[0] = (float)((double)s->n_notes * o->times), x[1] = (float)(s->seconds * o->times);
    *out = (feature_rows){x, 1};
    return true;
}

const feature_def VARIANT(feature_toy) = {
    .name = "toy",
    .help = "A toy of a MIDI file",
    .source = FEATURE_SONG,
    .table = table,
    .table_n = &table_n,
    .settings_size = sizeof(toy_settings),
    .resolve = resolve,
    .rows = {.type = FEATURE_F32, .width = 2, .single = true, .least = 1},
    .song = measure,
};
