// SPDX-License-Identifier: GPL-3.0-or-later
// intent.c: fuzz target (`make fuzz`): any bytes as what a language model answers. It is one
// sentence, or an intent of which a plan can be made.
#include "compose/intent.h"

#include <string.h>

#include "compose/mood.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    song_intent t;
    song_plan p;
    char *text = NEW(&a, char, n + 1);
    memcpy(text, bytes, n);
    json *j = ollama_unwrap(text, &e);
    if (j && intent_read(j, &a, &t, &e)) {
        CHECK(t.primary >= 0 && t.primary < (int)mood_count() && t.n_themes <= INTENT_THEMES);
        t.by = "fuzz";
        CHECK(song_plan_make(&(song_plan_wish){.text = text, .intent = &t}, &a, &p, &e));
    } else {
        CHECK(e.code != ERR_NONE && e.text[0]);
    }
    json_free(j);
    arena_free(&a);
    return 0;
}
