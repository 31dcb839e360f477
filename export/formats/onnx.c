// SPDX-License-Identifier: GPL-3.0-or-later
// onnx.c: export/onnx.h as a format of `kmidi export`: an example of its own and what the emotion
// vector means go with the network.
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/larger.h"
#include "base/str.h"
#include "data/music/emotions.h"
#include "export/formats/onnx.h"
#include "infer/selftest.h"

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

// What the 64 numbers mean to who has nothing but the file.
static void put_emotion(const model_def *m, model_meta *meta)
{
    const char *place = emotion_place(m, meta->arena);
    if (!place)
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
    json_set_str(o, "place", place);
    json_set(o, "elements", elements);
    json_set(o, "presets", presets);
    strbuf text = {0};
    json_dump(o, 0, &text);
    meta_set(meta, "emotion_vector", text.s);
    strbuf_free(&text);
    json_free(o);
}

// Rounds the weights, and says what that does to the output of an example.
static bool round_weights(export_task *t, quantise_form f, err *e)
{
    float *exact, *rounded;
    int64_t n;
    if (!selftest_values(t->from, t->env, t->arena, &exact, &n, e) ||
        !quantise_params(t->from->p, f, e) ||
        !selftest_values(t->from, t->env, t->arena, &rounded, &n, e))
        return false;
    for (int64_t i = 0; i < n; i++) {
        t->difference = larger(t->difference, fabs((double)rounded[i] - (double)exact[i]));
        t->most = larger(t->most, fabs((double)exact[i]));
    }
    return true;
}

static bool write_network(export_task *t, onnx_options *o, model_meta *meta, err *e)
{
    trained *d = t->from;
    onnx_front front;
    if (!t->front_end)
        return selftest_network(d, t->env, o, meta, e) && onnx_export(t->out, d->model, d->p, o, e);
    o->front = &front;
    if (!trained_mel(d, e))
        return false;
    trained_front(d, &front);
    return selftest_front(d, t->env, o, meta, e) && onnx_export(t->out, d->model, d->p, o, e);
}

bool export_onnx_as(export_task *t, quantise_form f, err *e)
{
    trained *d = t->from;
    model_meta meta = export_meta(t);
    put_emotion(d->model, &meta);
    if (f)
        meta_set(&meta, "weights", quantise_name(f));
    onnx_options o = {.classes = d->classes,
                      .probabilities = (d->classes > 0 || d->model->n_groups) && !t->no_probe,
                      .past = t->with_past,
                      .form = f,
                      .meta = &meta};
    return (!f || round_weights(t, f, e)) && write_network(t, &o, &meta, e);
}

static bool write(export_task *t, err *e)
{
    return export_onnx_as(t, QUANTISE_NONE, e);
}

const export_def export_onnx = {.name = "onnx", .runs = true, .write = write};
