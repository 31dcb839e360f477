// SPDX-License-Identifier: GPL-3.0-or-later
// midi.c: any bytes as a MIDI file, in this process: what our own check lets through, libsmf
// neither misreads nor aborts over, and the song that is built is sound (midi_unpack says so).
#include <math.h>
#include <stdlib.h>

#include "data/features/feature.h"
#include "data/music/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_tokens(const midi_song *s, arena *a)
{
    err e = {0};
    feature_rows rows;
    tokens_note *notes;
    size_t count;
    const feature_def *d = feature_find("tokens", &e);
    feature *f = feature_open(d, feature_settings(d, a), &e);
    CHECK(f && feature_song(f, s, a, &rows, &e));
    CHECK(tokens_decode(rows.data, (size_t)rows.n, a, &notes, &count, &e) && count <= s->n_notes);
    feature_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    const midi_song *s = midi_parse(&a, "fuzz", bytes, n, &e);
    if (s) {
        strbuf packed = {0};
        midi_pack(s, &packed);
        CHECK(midi_unpack(&a, "fuzz", packed.s, packed.len, &e) != NULL);
        CHECK(s->n_notes + s->dropped == s->note_ons);
        strbuf_free(&packed);
        check_tokens(s, &a);
    } else {
        CHECK(e.code != ERR_NONE && e.text[0] && e.code != ERR_MEMORY);
    }
    arena_free(&a);
    return 0;
}
