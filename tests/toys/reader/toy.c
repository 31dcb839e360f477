// SPDX-License-Identifier: GPL-3.0-or-later
// toy.c: a dataset of eight tones, high or low, that are made on the spot.
#include <math.h>
#include <stdlib.h>

#include "data/readers/reader.h"

enum { TONES = 8, RATE = 16000 };

static bool probe(const char *root)
{
    (void)root;
    return false;
}

static pull next(reader *r, reader_item *item, err *e)
{
    (void)e;
    if (r->entries == TONES)
        return PULL_END;
    item->path = arena_printf(&r->item, "tone-%d", (int)r->entries);
    item->label = r->entries % 2 ? "high" : "low";
    item->split = r->entries < 6 ? "train" : "val";
    return PULL_ONE;
}

static bool open_tones(reader *r, err *e)
{
    (void)r, (void)e;
    return true;
}

static void close_tones(reader *r)
{
    (void)r;
}

static bool make_clip(const reader_options *o, uint64_t number, clip *c, err *e)
{
    double hz = number % 2 ? 2000 : 200;
    (void)o, (void)e;
    *c = (clip){.samples = base_checked(malloc(RATE * sizeof(float)), RATE * sizeof(float)),
                .frames = RATE,
                .rate = RATE,
                .source_rate = RATE,
                .source_channels = 1,
                .seconds = 1,
                .peak = 0.5};
    for (int i = 0; i < RATE; i++)
        c->samples[i] = (float)(0.5 * sin(6.283185307179586 * hz * i / RATE));
    return true;
}

const reader_def reader_toy = {
    .name = "toy",
    .help = "eight tones",
    .licence = "CC0-1.0",
    .citation = "",
    .no_midi = true,
    .probe = probe,
    .open = open_tones,
    .next = next,
    .close = close_tones,
    .clip = make_clip,
};
