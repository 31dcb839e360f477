// SPDX-License-Identifier: GPL-3.0-or-later
// midi_stats.c: the 32 statistics of data/midi_stats.h as a feature: one row a song. It has no settings.
#include "data/midi_stats.h"
#include "base/variant.h"
#include "data/feature.h"

static const size_t none = 0;

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

static bool open_stats(feature *f, err *e)
{
    (void)e;
    f->width = MIDI_STATS;
    f->type = FEATURE_F32;
    return true;
}

static bool set(void *settings, const char *name, const char *value, err *e)
{
    (void)settings, (void)value;
    return err_set(e, ERR_CONFIG, "there is no setting '%s'; midi_stats has none", name);
}

static bool resolve(void *settings, err *e)
{
    (void)settings, (void)e;
    return true;
}

const feature_def VARIANT(feature_midi_stats) = {
    .name = "midi_stats",
    .help = "Statistics of a MIDI file (docs/midi-features.md)",
    .source = FEATURE_SONG,
    .table_n = &none,
    .settings_size = 1,
    .set = set,
    .resolve = resolve,
    .open = open_stats,
    .song = measure,
};
