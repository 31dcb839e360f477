// SPDX-License-Identifier: GPL-3.0-or-later
// coreml.c: export/coreml.h as a format of `kmidi export`.
#include "export/coreml.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "export/formats/again.h"
#include "export/mil_run.h"
#include "infer/selftest.h"

enum { BATCH_MOST = 4096 };

// "batch=2,time=150", either of them, into o.
static bool read_shape(const char *text, coreml_options *o, err *e)
{
    static const char *const names[] = {"batch=", "time="};
    int64_t *const sizes[] = {&o->batch, &o->time};
    static const int64_t most[] = {BATCH_MOST, HEAR_WINDOW_MOST};
    for (const char *s = text; s;) {
        int k = !strncmp(s, names[1], strlen(names[1]));
        char *end = "";
        int64_t n =
            strncmp(s, names[k], strlen(names[k])) ? 0 : strtoll(s + strlen(names[k]), &end, 10);
        if (n < 1 || n > most[k] || (*end && *end != ','))
            return err_set(e, ERR_USAGE,
                           "--shape takes batch=N (to %d), time=N (to %d) or both with a comma, "
                           "not '%s'",
                           BATCH_MOST, HEAR_WINDOW_MOST, text);
        *sizes[k] = n;
        s = *end ? end + 1 : NULL;
    }
    return true;
}

static bool has_time(const model_def *m)
{
    for (int i = 0; i < m->n_inputs; i++)
        for (int k = 0; k < m->inputs[i].rank; k++)
            if (m->inputs[i].sym[k] == SYM_TIME)
                return true;
    return false;
}

// As long as the windows that it was trained on, where nothing is said.
static bool choose_time(const trained *d, coreml_options *o, err *e)
{
    if (!has_time(d->model))
        return !o->time || err_set(e, ERR_USAGE, "--shape: model %s has no time", d->model->name);
    if (!o->time)
        o->time = d->hear.window;
    return o->time > 0 ||
           err_set(e, ERR_USAGE,
                   "'%s' does not say how long its input is (imported weights); add --shape time=N",
                   d->path);
}

static bool check_task(const export_task *t, err *e)
{
    if (!str_ends(t->out, ".mlpackage"))
        return err_set(e, ERR_USAGE,
                       "--out: a package of Core ML ends in .mlpackage, '%s' does not", t->out);
    if (t->front_end)
        return err_set(e, ERR_USAGE,
                       "coreml has no operation for spectra; leave out --front-end, or export as "
                       "onnx");
    return !t->with_past || err_set(e, ERR_USAGE,
                                    "coreml has fixed shapes, and a past grows; leave out "
                                    "--with-past, or export as onnx");
}

// ---- The package again

// Runs it on the example that it carries, beside ours in f32.
static bool check(export_task *t, err *e)
{
    selftest_example *x = NEW(t->arena, selftest_example, 1);
    const mil_program *p = mil_read(t->out, t->arena, e);
    if (!p || !mil_check(p, t->out, e) || !selftest_read(&p->meta, t->out, t->arena, x, e))
        return false;
    const onnx_model *m = mil_portable(p, t->arena, e);
    onnx_named out = {.name = p->outputs[0].name};
    if (!m || !(t->runner = onnx_runner_open(m, t->env, t->arena, e)) ||
        !onnx_runner_go(t->runner, x->n_in, x->in, 1, &out, t->arena, e))
        return err_trail(e, "'%s'", t->out);
    if (!out.x.f || out.x.n != t->n_exact)
        return err_set(e, ERR_INTERNAL, "'%s' gives another output than the network", t->out);
    export_compare(t, out.x.f, t->exact, t->n_exact);
    t->network = p;
    return true;
}

// ---- Writing it

// Computed in halves where that stays near enough to f32 on the example; where it does not, as of a
// deep network, whose sums all are rounded, only weights are halves. Near enough is half of the
// 1e-3 that is asked: evaluators that round within norms and softmax, too, as coremltools' does,
// were up to 1.9 times as far off.
static bool write_form(export_task *t, coreml_options *o, err *e)
{
    static const double near_enough = 5e-4;
    static const char *const how[] = {
        "package read again and run, operation by operation, each value rounded to 16 bits where "
        "the program says so",
        "package read again and run, operation by operation: weights of 16 bits, computed in f32, "
        "since computed in 16 bits it was off by more than 5e-4 of the largest output",
        "package read again and run, operation by operation, in f32"};
    for (;; o->form++) {
        if (!coreml_export(t->out, t->from->model, t->from->p, o, &t->bytes, e) || !check(t, e))
            return false;
        t->checked = how[o->form];
        if (o->form != COREML_F16 || t->difference <= near_enough * t->most)
            return true;
        onnx_runner_close(t->runner);
    }
}

// The example at the sizes of the package, in f32.
static bool exact(export_task *t, const coreml_options *o, err *e)
{
    float *y;
    const selftest_of of = {.batch = o->batch, .time = o->time};
    if (!selftest_values(t->from, t->env, &of, t->arena, &y, &t->n_exact, e))
        return false;
    t->exact = y;
    return true;
}

static bool write(export_task *t, err *e)
{
    trained *d = t->from;
    model_meta meta = export_meta(t);
    coreml_options o = {.batch = 1,
                        .classes = d->classes,
                        .probabilities = (d->classes > 0 || d->model->n_groups) && !t->no_probe,
                        .form = t->wide ? COREML_F32 : COREML_F16,
                        .meta = &meta};
    export_put_emotion(d->model, &meta);
    return check_task(t, e) && read_shape(t->shape, &o, e) && choose_time(d, &o, e) &&
           selftest_network(d, t->env,
                            &(selftest_of){.batch = o.batch,
                                           .time = o.time,
                                           .probabilities = o.probabilities,
                                           .form = t->wide ? QUANTISE_NONE : QUANTISE_F16},
                            &meta, e) &&
           exact(t, &o, e) && write_form(t, &o, e);
}

// ---- Said to data

// As many rows of what the session hears, from `row` on, as the package takes.
static onnx_array part_of(session *s, const tensor *x, const mil_type *t, int64_t row, arena *a)
{
    int64_t each = shape_count(x->shape) / x->shape.d[0], n = mil_count(t);
    if (x->type == DT_F32)
        return onnx_array_f32(t->rank, t->dim, (const float *)session_data(s, x) + row * each);
    int64_t *wide = NEW(a, int64_t, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        wide[i] = ((const int32_t *)session_data(s, x))[row * each + i];
    return onnx_array_i64(t->rank, t->dim, wide);
}

static bool fits(const export_task *t, const network *net, err *e)
{
    const mil_program *p = t->network;
    for (int i = 0; i < net->model->n_inputs; i++) {
        const shape *s = &net->in[i]->shape;
        const mil_type *has = &p->inputs[i].type;
        bool same = has->rank == s->rank && s->d[0] % has->dim[0] == 0;
        for (int k = 1; same && k < s->rank; k++)
            same = has->dim[k] == s->d[k];
        if (!same)
            return err_set(e, ERR_SHAPE,
                           "the data have %lld rows of %lld a batch, and '%s' takes %lld of %lld; "
                           "for --data leave out --shape",
                           (long long)s->d[0], (long long)(s->rank > 1 ? s->d[1] : 1), t->out,
                           (long long)has->dim[0], (long long)(s->rank > 1 ? has->dim[1] : 1));
    }
    return true;
}

static bool say(export_task *t, session *s, err *e)
{
    arena a = {.name = "coreml"};
    const mil_program *p = t->network;
    const network *net = s->net;
    bool probed = net->logits != net->out && !t->no_probe, ok = fits(t, net, e);
    int64_t rows = net->in[0]->shape.d[0], at_once = ok ? p->inputs[0].type.dim[0] : 1,
            each = shape_count((probed ? net->logits : net->out)->shape) / rows;
    float *y = NEW(&a, float, (size_t)(rows * each) + 1);
    for (int64_t r = 0; ok && r < rows; r += at_once) {
        onnx_named in[MODEL_PORTS], out = {.name = p->outputs[probed ? 1 : 0].name};
        arena_mark m = arena_save(&a);
        for (int i = 0; i < net->model->n_inputs; i++)
            in[i] =
                (onnx_named){p->inputs[i].name, part_of(s, net->in[i], &p->inputs[i].type, r, &a)};
        ok = onnx_runner_go(t->runner, net->model->n_inputs, in, 1, &out, &a, e);
        if (ok)
            memcpy(y + r * each, out.x.f, sizeof *y * (size_t)(at_once * each));
        arena_rewind(&a, m);
    }
    ok = ok && export_answer(t, s, y, rows * each, probed, e);
    arena_free(&a);
    return ok;
}

const export_def export_coreml = {.name = "coreml",
                                  .folder = true,
                                  .runs = true,
                                  .form = QUANTISE_F16,
                                  .write = write,
                                  .say = say};
