// SPDX-License-Identifier: GPL-3.0-or-later
// onnx.c: export/onnx.h as a format of `kmidi export`: an example of its own and what the emotion
// vector means go with the network.
#include "export/formats/onnx.h"

#include <string.h>

#include "base/larger.h"
#include "export/formats/again.h"
#include "export/onnx_run.h"
#include "infer/selftest.h"

static bool write_network(export_task *t, onnx_options *o, model_meta *meta, err *e)
{
    trained *d = t->from;
    onnx_front *front = NEW(t->arena, onnx_front, 1); // `o` is the caller's
    const selftest_of of = {o->probabilities, o->past, o->form, 0, 0};
    if (!t->front_end)
        return selftest_network(d, t->env, &of, meta, e) &&
               onnx_export(t->out, d->model, d->p, o, e);
    o->front = front;
    trained_front(d, front);
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
    return (!t->front_end || trained_mel(d, e)) &&
           (f ? export_round(t, f, e) : export_exact(t, e)) && write_network(t, &o, &meta, e);
}

// ---- The file again

// Runs it on the example that it carries; out[0], its first output, beside ours in f32.
static bool run_example(export_task *t, const onnx_model *file, const selftest_example *x,
                        onnx_named *out, err *e)
{
    *out = (onnx_named){.name = file->n_outputs ? file->outputs[0].name : ""};
    if (!onnx_runner_go(t->runner, x->n_in, x->in, 1, out, t->arena, e))
        return err_trail(e, "'%s'", t->out);
    if (!out->x.f || out->x.n != t->n_exact)
        return err_set(e, ERR_INTERNAL, "'%s' gives another output than the network", t->out);
    export_compare(t, out->x.f, t->exact, t->n_exact);
    return true;
}

// The part [from, to) along axis 1 of an input [1, time, ..], without copying.
static onnx_array part_of(const onnx_array *x, int64_t from, int64_t to)
{
    onnx_array y = *x;
    int64_t each = x->n / x->dim[1];
    y.dim[1] = to - from, y.n = each * y.dim[1];
    y.f = x->f ? x->f + from * each : NULL;
    y.i = x->i ? x->i + from * each : NULL;
    return y;
}

// The inputs of the example from token `from` to `to`, and the past that `out` made: its second
// output and all behind it, in the order of the past's inputs.
static int inputs_of_step(const selftest_example *x, const onnx_named *out, int64_t from,
                          int64_t to, onnx_named *in)
{
    for (int i = 0, past = 0; i < x->n_in; i++) {
        bool keeps = x->in[i].x.rank == 4, goes_on = !strcmp(x->in[i].name, "tokens");
        in[i] = x->in[i];
        if (keeps && out)
            in[i].x = out[1 + past++].x;
        else if (goes_on)
            in[i].x = part_of(&x->in[i].x, from, to);
    }
    return x->n_in;
}

// The same tokens in two steps, the second behind the past that the first made.
static bool run_steps(export_task *t, const onnx_model *file, const selftest_example *x,
                      const onnx_named *whole, err *e)
{
    const int64_t all = selftest_time(t->from->model), first = all / 2;
    onnx_named in[SELFTEST_PORTS], out[2][SELFTEST_PORTS];
    CHECK(file->n_outputs <= SELFTEST_PORTS);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < file->n_outputs; i++)
            out[k][i] = (onnx_named){.name = file->outputs[i].name};
        int n = inputs_of_step(x, k ? out[0] : NULL, k ? first : 0, k ? all : first, in);
        if (!onnx_runner_go(t->runner, n, in, file->n_outputs, out[k], t->arena, e))
            return err_trail(e, "'%s', step %d", t->out, k + 1);
    }
    float *steps = NEW(t->arena, float, (size_t)whole->x.n);
    int64_t n_first = whole->x.n * first / all;
    if (out[0][0].x.n != n_first || out[1][0].x.n != whole->x.n - n_first)
        return err_set(e, ERR_INTERNAL, "'%s' gives another output in steps", t->out);
    memcpy(steps, out[0][0].x.f, sizeof *steps * (size_t)n_first);
    memcpy(steps + n_first, out[1][0].x.f, sizeof *steps * (size_t)(whole->x.n - n_first));
    double apart = t->difference;
    export_compare(t, steps, t->exact, t->n_exact);
    t->difference = larger(t->difference, apart);
    return true;
}

bool export_onnx_check(export_task *t, err *e)
{
    onnx_named out;
    selftest_example *x = NEW(t->arena, selftest_example, 1);
    const onnx_model *file = onnx_read(t->out, t->arena, e);
    if (!file || !onnx_check(file, t->out, e) ||
        !selftest_read(&file->meta, t->out, t->arena, x, e) ||
        !(t->runner = onnx_runner_open(file, t->env, t->arena, e)) ||
        !run_example(t, file, x, &out, e) || (t->with_past && !run_steps(t, file, x, &out, e)))
        return false;
    t->network = x;
    t->checked = t->with_past ? "file read again and run, operation by operation, in one step and "
                                "in two"
                              : "file read again and run, operation by operation";
    return true;
}

// ---- Said to data

static onnx_array array_of(session *s, const tensor *x, arena *a)
{
    int64_t dim[RANK_MAX], n = shape_count(x->shape);
    for (int k = 0; k < x->shape.rank; k++)
        dim[k] = x->shape.d[k];
    if (x->type == DT_F32)
        return onnx_array_f32(x->shape.rank, dim, session_data(s, x));
    int64_t *wide = NEW(a, int64_t, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        wide[i] = ((const int32_t *)session_data(s, x))[i];
    return onnx_array_i64(x->shape.rank, dim, wide);
}

// What the session hears, under the names of the file: the frames of a front end, one window for
// each item; and of a past nothing.
static int inputs_of(const export_task *t, session *s, onnx_named *in, arena *a)
{
    static const int64_t one = 1;
    const selftest_example *x = t->network;
    const network *net = s->net;
    int n = 0;
    for (int i = 0; i < net->model->n_inputs; i++)
        in[n++] = (onnx_named){t->front_end && i == 0 ? ONNX_FRAMES : net->model->inputs[i].name,
                               array_of(s, net->in[i], a)};
    for (int i = 0; t->with_past && i < x->n_in; i++)
        if (x->in[i].x.n == 0) {
            in[n] = x->in[i];
            in[n++].x.dim[0] = net->in[0]->shape.d[0];
        }
    if (t->front_end && onnx_runner_find(t->runner, ONNX_COUNT))
        in[n++] = (onnx_named){ONNX_COUNT, onnx_array_i64(1, &one, &one)};
    return n;
}

bool export_onnx_say(export_task *t, session *s, err *e)
{
    arena a = {.name = "onnx"};
    onnx_named in[SELFTEST_PORTS], out = {.name = t->from->model->output.name};
    bool probed = s->net->logits != s->net->out && !t->no_probe;
    if (probed)
        out.name = "probabilities";
    bool ok = onnx_runner_go(t->runner, inputs_of(t, s, in, &a), in, 1, &out, &a, e) &&
              export_answer(t, s, out.x.f, out.x.n, probed, e);
    arena_free(&a);
    return ok || err_trail(e, "'%s'", t->out);
}

static bool write(export_task *t, err *e)
{
    return export_onnx_as(t, QUANTISE_NONE, e);
}

const export_def export_onnx = {.name = "onnx",
                                .runs = true,
                                .write = write,
                                .check = export_onnx_check,
                                .say = export_onnx_say};
