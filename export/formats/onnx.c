// SPDX-License-Identifier: GPL-3.0-or-later
// onnx.c: export/onnx.h as a format of `kmidi export`: an example of its own and what the emotion
// vector means go with the network.
#include "export/formats/onnx.h"

#include "infer/selftest.h"

static bool write_network(export_task *t, onnx_options *o, model_meta *meta, err *e)
{
    trained *d = t->from;
    onnx_front front;
    const selftest_of of = {o->probabilities, o->past, o->form, 0, 0};
    if (!t->front_end)
        return selftest_network(d, t->env, &of, meta, e) &&
               onnx_export(t->out, d->model, d->p, o, e);
    o->front = &front;
    if (!trained_mel(d, e))
        return false;
    trained_front(d, &front);
    return selftest_front(d, t->env, &of, meta, e) && onnx_export(t->out, d->model, d->p, o, e);
}

bool export_onnx_as(export_task *t, quantise_form f, err *e)
{
    trained *d = t->from;
    model_meta meta = export_meta(t);
    export_put_emotion(d->model, &meta);
    if (f)
        meta_set(&meta, "weights", quantise_name(f));
    onnx_options o = {.classes = d->classes,
                      .probabilities = (d->classes > 0 || d->model->n_groups) && !t->no_probe,
                      .past = t->with_past,
                      .form = f,
                      .meta = &meta};
    return (!f || export_round(t, f, e)) && write_network(t, &o, &meta, e);
}

static bool write(export_task *t, err *e)
{
    return export_onnx_as(t, QUANTISE_NONE, e);
}

const export_def export_onnx = {.name = "onnx", .runs = true, .write = write};
