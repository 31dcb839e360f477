// SPDX-License-Identifier: GPL-3.0-or-later
// synth.c: the synthetic corpus of data/music/synth.h as a dataset that needs no files: each clip
// or song is made when it is asked for.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "data/midi/midi_write.h"
#include "data/music/synth.h"
#include "data/readers/reader.h"

#define FOLDER "synth/"

static synth_options options_of(const reader_options *o)
{
    return (synth_options){.items = o->items ? o->items : SYNTH_ITEMS,
                           .seconds = o->seconds > 0 ? o->seconds : SYNTH_SECONDS,
                           .seed = o->seed};
}

// There is no folder to recognise it by.
static bool probe(const char *root)
{
    (void)root;
    return false;
}

static bool open_corpus(reader *r, err *e)
{
    synth_options o = options_of(&r->options);
    return synth_check(&o, e) || err_trail(e, "dataset synth");
}

static pull next(reader *r, reader_item *item, err *e)
{
    synth_options o = options_of(&r->options);
    synth_piece p;
    (void)e;
    if (r->entries >= (uint64_t)o.items)
        return PULL_END;
    synth_compose(&o, r->entries, &r->item, &p);
    item->path = item->midi = arena_printf(&r->item, FOLDER "%05" PRIu64, r->entries);
    item->label = p.label;
    item->group = arena_printf(&r->item, "player-%02d", p.player);
    item->split = p.split;
    item->valence = p.valence, item->arousal = p.arousal;
    item->synthetic = true;
    return PULL_ONE;
}

static void close_corpus(reader *r)
{
    (void)r;
}

static bool make_clip(const reader_options *o, uint64_t number, clip *c, err *e)
{
    synth_options s = options_of(o);
    return synth_clip(&s, number, c, e);
}

static bool make_song(const reader_options *o, const char *midi, strbuf *file, err *e)
{
    arena a = {.name = "synth"};
    synth_options s = options_of(o);
    synth_piece p;
    synth_compose(&s, strtoull(midi + strlen(FOLDER), NULL, 10), &a, &p);
    bool ok = midi_format(synth_song(&a, &p), file, e);
    arena_free(&a);
    return ok;
}

const reader_def reader_synth = {
    .name = "synth",
    .help = "a synthetic corpus of four emotions, made on the spot (synth.items, synth.seconds, "
            "synth.seed)",
    .licence = "CC0-1.0",
    .citation = "synthetic music made by kmidi",
    .synthetic = true,
    .probe = probe,
    .open = open_corpus,
    .next = next,
    .close = close_corpus,
    .clip = make_clip,
    .song = make_song,
};
