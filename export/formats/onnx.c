// SPDX-License-Identifier: GPL-3.0-or-later
// onnx.c: export/onnx.h as a format of `kmidi export`: an example of its own and what the emotion
// vector means go with the network.
#include "export/formats/onnx.h"

#include "export/formats/again.h"
#include "export/onnx_run.h"
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

// As the example has it: one item, so many frames.
static onnx_array input_of(const port *q, arena *a)
{
    int64_t dim[RANK_MAX];
    for (int i = 0; i < q->rank; i++)
        dim[i] = q->sym[i] == SYM_BATCH ? 1 : q->sym[i] == SYM_TIME ? SELFTEST_FRAMES : q->dim[i];
    onnx_array x = onnx_array_f32(q->rank, dim, NULL);
    float *f = NEW(a, float, (size_t)x.n + 1);
    int64_t *n = NEW(a, int64_t, (size_t)x.n + 1);
    for (int64_t i = 0; i < x.n; i++)
        f[i] = (float)selftest_wave(i), n[i] = i % (q->below > 0 ? q->below : 1);
    if (q->type == DT_I32)
        x.i = n;
    else
        x.f = f;
    return x;
}

// The file's output beside ours, which is there in f32.
static bool run_file(export_task *t, const onnx_model *file, arena *a, err *e)
{
    const model_def *m = t->from->model;
    onnx_array in[MODEL_PORTS], y;
    for (int i = 0; i < m->n_inputs; i++)
        in[i] = input_of(&m->inputs[i], a);
    if (!onnx_run(file, in, &y, a, e))
        return err_trail(e, "'%s'", t->out);
    if (!y.f || y.n != t->n_exact)
        return err_set(e, ERR_INTERNAL, "'%s' gives another output than the network", t->out);
    export_compare(t, y.f, t->exact, y.n);
    return true;
}

// With a front end or a past the inputs are others: those wait for ONNX Runtime, and so do
// operations that are not run here.
bool export_onnx_check(export_task *t, err *e)
{
    arena a = {.name = "onnx"};
    float *ours = NULL;
    const onnx_model *file = onnx_read(t->out, &a, e);
    bool ok = file && onnx_check(file, t->out, e);
    if (ok && !t->front_end && !t->with_past && onnx_run_has(file)) {
        ok = t->exact || selftest_values(t->from, t->env, t->arena, &ours, &t->n_exact, e);
        t->exact = ours ? ours : t->exact;
        ok = ok && run_file(t, file, &a, e);
    }
    arena_free(&a);
    return ok;
}

static bool write(export_task *t, err *e)
{
    return export_onnx_as(t, QUANTISE_NONE, e);
}

const export_def export_onnx = {
    .name = "onnx", .runs = true, .write = write, .check = export_onnx_check};
