// SPDX-License-Identifier: GPL-3.0-or-later
// emotions.c: all names that /generate knows, sorted: those of moods (compose/moods.def) and of
// places in the plane of valence and arousal (data/music/emotions.def). A bare list, as
// music_brain.api has it, or the object of api/main.py, as the setup says.
#include <stdlib.h>
#include <string.h>

#include "compose/mood.h"
#include "data/music/emotions.h"
#include "serve/http/route.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool run(asked *q, answer *a, err *e)
{
    size_t n = 0;
    const char **names = NEW(q->arena, const char *, mood_count() + emotion_count());
    (void)e;
    for (size_t i = 0; i < mood_count(); i++)
        names[n++] = mood_at((int)i)->name;
    for (size_t i = 0; i < emotion_count(); i++)
        if (mood_find(emotion_at(i)->name) < 0)
            names[n++] = emotion_at(i)->name;
    qsort(names, n, sizeof *names, by_name);
    json *list = json_array(), *all = json_object();
    for (size_t i = 0; i < n; i++)
        json_push_str(list, names[i]);
    json_set_int(all, "count", (int64_t)n);
    if (q->house->production)
        json_set(all, "emotions", list);
    answer_json(a, q->house->production ? all : list);
    if (!q->house->production)
        json_free(all);
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
