// SPDX-License-Identifier: GPL-3.0-or-later
// coreml.c: export/coreml.h as a format of `kmidi export`.
#include "export/coreml.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "export/formats/format.h"
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

// What rounding does to an example, and the weights as they were: halves are made when they are
// written, but those of an LSTM, which stay.
static bool measure(export_task *t, err *e)
{
    params *p = t->from->p;
    size_t bytes = sizeof *p->weights * (size_t)p->weights_len;
    float *exact = base_pages(bytes);
    if (!exact)
        return err_set(e, ERR_MEMORY, "no memory for a second copy of the weights");
    memcpy(exact, p->weights, bytes);
    bool ok = export_round(t, QUANTISE_F16, e);
    memcpy(p->weights, exact, bytes);
    base_pages_free(exact, bytes);
    return ok;
}

static bool write(export_task *t, err *e)
{
    trained *d = t->from;
    model_meta meta = export_meta(t);
    coreml_options o = {.batch = 1,
                        .classes = d->classes,
                        .probabilities = (d->classes > 0 || d->model->n_groups) && !t->no_probe,
                        .wide = t->wide,
                        .meta = &meta};
    export_put_emotion(d->model, &meta);
    return check_task(t, e) && read_shape(t->shape, &o, e) && choose_time(d, &o, e) &&
           selftest_network(d, t->env,
                            &(selftest_of){.batch = o.batch,
                                           .time = o.time,
                                           .probabilities = o.probabilities,
                                           .form = o.wide ? QUANTISE_NONE : QUANTISE_F16},
                            &meta, e) &&
           (o.wide || measure(t, e)) && coreml_export(t->out, d->model, d->p, &o, &t->bytes, e);
}

const export_def export_coreml = {
    .name = "coreml", .folder = true, .runs = true, .form = QUANTISE_F16, .write = write};
