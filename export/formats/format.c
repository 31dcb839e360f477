// SPDX-License-Identifier: GPL-3.0-or-later
// format.c: what the formats of `kmidi export` have in common (format.h).
#include "export/formats/again.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "data/music/emotions.h"
#include "infer/selftest.h"

// What a run goes on by, and what eval holds a network against.
static bool is_of_training(const char *key)
{
    static const char *const keys[] = {"bf16x3", "products", "baseline"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i]))
            return true;
    return false;
}

model_meta export_meta(const export_task *t)
{
    const model_meta *from = &t->from->file->meta;
    model_meta meta = {.arena = t->arena};
    for (int i = 0; i < from->n; i++)
        if (!is_of_training(from->keys[i]))
            meta_set(&meta, from->keys[i], from->values[i]);
    return meta;
}

model_meta export_weights_meta(const export_task *t)
{
    model_meta meta = export_meta(t);
    const char *baseline = meta_get(&t->from->file->meta, "baseline");
    char hex[65];
    if (baseline) // eval of what is imported again wants it
        meta_set(&meta, "baseline", baseline);
    params_fingerprint(t->from->p, hex);
    meta_set(&meta, "model", t->from->model->name);
    meta_set(&meta, "fingerprint", hex);
    return meta;
}

// Where the vector of an emotion goes in or comes out; NULL: nowhere.
static const char *emotion_place(const model_def *m, arena *a)
{
    for (int i = 0; i < m->n_inputs; i++)
        if (!strcmp(m->inputs[i].name, "emotion"))
            return "input emotion, all 64 elements";
    if (m->makes == MAKES_CHORDS)
        return "input context, its first 64 elements";
    return m->affect ? arena_printf(a, "output %s, elements 0 and 1", m->output.name) : NULL;
}

void export_put_emotion(const model_def *m, model_meta *meta)
{
    const char *where = emotion_place(m, meta->arena);
    if (!where)
        return;
    json *o = json_object(), *elements = json_array(), *presets = json_object();
    json_push_str(elements, "valence, -1 to 1");
    json_push_str(elements, "arousal, -1 to 1");
    json_push_str(
        elements,
        "intensity, 0 to 1: sqrt((valence^2 + arousal^2) / 2) where nothing else is known");
    json_push_str(elements, "the rest: zero, or what the emotion recogniser's embedding has there");
    for (size_t i = 0; i < emotion_count(); i++) {
        json *point = json_array();
        json_push_num(point, emotion_at(i)->valence);
        json_push_num(point, emotion_at(i)->arousal);
        json_set(presets, emotion_at(i)->name, point);
    }
    json_set_str(o, "place", where);
    json_set(o, "elements", elements);
    json_set(o, "presets", presets);
    strbuf text = {0};
    json_dump(o, 0, &text);
    meta_set(meta, "emotion_vector", text.s);
    strbuf_free(&text);
    json_free(o);
}

static bool example_of(export_task *t, float **values, int64_t *n, err *e)
{
    return t->front_end
               ? selftest_front_values(t->from, t->env, t->arena, values, n, e)
               : selftest_values(t->from, t->env, &(selftest_of){0}, t->arena, values, n, e);
}

bool export_exact(export_task *t, err *e)
{
    float *exact;
    if (!example_of(t, &exact, &t->n_exact, e))
        return false;
    t->exact = exact;
    return true;
}

bool export_round(export_task *t, quantise_form f, err *e)
{
    float *rounded;
    int64_t n;
    if (!export_exact(t, e) || !quantise_params(t->from->p, f, e) ||
        !example_of(t, &rounded, &n, e))
        return false;
    export_compare(t, rounded, t->exact, n);
    return true;
}
