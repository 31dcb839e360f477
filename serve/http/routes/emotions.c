// SPDX-License-Identifier: GPL-3.0-or-later
// emotions.c: all names that /generate knows, sorted: those of moods (compose/moods.def) and of
// places in the plane of valence and arousal (data/music/emotions.def). A bare list, as
// music_brain.api has it, or the object of api/main.py, as the setup says.
#include <stdlib.h>
#include <string.h>

#include "compose/song_plan.h"
#include "serve/http/route.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool run(asked *q, answer *a, err *e)
{
    const char *names[SONG_PLAN_EMOTIONS];
    size_t n = song_plan_emotions(names);
    (void)e;
    qsort(names, n, sizeof *names, by_name);
    json *list = json_array(), *all = q->house->production ? json_object() : list;
    for (size_t i = 0; i < n; i++)
        json_push_str(list, names[i]);
    if (all != list)
        json_set(all, "emotions", list), json_set_int(all, "count", (int64_t)n);
    answer_json(a, all);
    return true;
}

const route route_emotions = {
    .method = "GET",
    .path = "/emotions",
    .summary = "The names of emotions that are known",
    .gives = "{\"oneOf\":[{\"type\":\"array\",\"items\":{\"type\":\"string\"}},{\"type\":"
             "\"object\",\"properties\":{\"emotions\":{\"type\":\"array\"},\"count\":{\"type\":"
             "\"integer\"}}}]}",
    .run = run,
};
