// SPDX-License-Identifier: GPL-3.0-or-later
// song_plan.c: fuzz target (`make fuzz`): any JSON as a plan of a piece. It is one sentence, or a
// plan that is the same when it is written and read again, and that can be played.
#include "compose/song_plan.h"

#include <string.h>

#include "compose/compose.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(const song_plan *p, arena *a)
{
    err e = {0};
    song_plan again;
    json *out = song_plan_json(p);
    CHECK(song_plan_from_json(out, a, &again, &e));
    CHECK(again.bars == p->bars && again.tempo == p->tempo && again.genre == p->genre &&
          !memcmp(again.chords, p->chords, (size_t)p->bars * sizeof *p->chords));
    json_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    song_plan p;
    json *j = json_parse((const char *)bytes, n, &e);
    if (j && song_plan_from_json(j, &a, &p, &e)) {
        check(&p, &a);
        composition c = {.arena = &a, .env = &(env){0}, .plan = &p};
        p.bars = p.bars < 16 ? p.bars : 16;
        CHECK(compose(&c, &e) && c.song->n_notes > 0);
    } else {
        CHECK(e.code != ERR_NONE && e.text[0]);
    }
    json_free(j);
    arena_free(&a);
    return 0;
}
