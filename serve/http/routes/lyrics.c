// SPDX-License-Identifier: GPL-3.0-or-later
// lyrics.c: the lyrics that a person gave (lyrics_set.c), as KmiDi's clients read them.
#include "serve/http/route.h"

static bool run(asked *q, answer *a, err *e)
{
    char text[KEPT_LYRICS + 1];
    json *j = json_object();
    (void)e;
    kept_lyrics(q->house->kept, text);
    json_set_str(j, "lyrics", text);
    json_set_str(j, "source", *text ? "user" : "none");
    json_set(j, "generated", NULL);
    answer_json(a, j);
    return true;
}

const route route_lyrics = {
    .method = "GET",
    .path = "/lyrics",
    .summary = "The lyrics that were given",
    .gives = "{\"type\":\"object\",\"properties\":{\"lyrics\":{\"type\":\"string\"},\"source\":{"
             "\"type\":\"string\"},\"generated\":{\"type\":[\"string\",\"null\"]}}}",
    .run = run,
};
