// SPDX-License-Identifier: GPL-3.0-or-later
// selftest.c: one run on one thread at a small size.
#include "infer/selftest.h"

#include <math.h>
#include <string.h>

#include "base/larger.h"
#include "data/music/emotions.h"
#include "data/music/midi_stats.h"
#include "infer/listen.h"
#include "infer/painter.h"
#include "infer/session.h"

enum { FRAMES = 20, TOKENS = 4 };
#define DIGITS 1e6 // a hundredth of the smallest tolerance

static json *shape_json(const shape *s)
{
    json *j = json_array();
    for (int i = 0; i < s->rank; i++)
        json_push_int(j, s->d[i]);
    return j;
}

static json *input_json(const char *name, const shape *s, const char *value)
{
    json *j = json_object();
    json_set_str(j, "name", name);
    json_set(j, "shape", shape_json(s));
    json_set_str(j, "value", value);
    return j;
}

static json *output_json(const char *name, const shape *s, const float *values)
{
    json *j = json_object(), *list = json_array();
    for (int64_t i = 0; i < shape_count(*s) && i < SELFTEST_MOST; i++)
        json_push_num(list, round((double)values[i] * DIGITS) / DIGITS);
    json_set_str(j, "name", name);
    json_set(j, "shape", shape_json(s));
    json_set(j, "values", list);
    return j;
}

// f32 differs by its order alone. Filters with a norm in them are rounded behind it, not before;
// and a runtime may round what it multiplies with weights of 8 bits to as many (ONNX Runtime does,
// where it fuses DequantizeLinear and MatMul).
static double tolerance(const selftest_of *of, const float *y, int64_t n)
{
    static const double within[] = {
        [QUANTISE_F16] = 0.002, [QUANTISE_INT8] = 0.02, [QUANTISE_DYNAMIC] = 0.05};
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = larger(most, fabs((double)y[i]));
    return fmax(1e-4, within[of->form] * most);
}

// Takes both lists.
static void add_meta(model_meta *meta, json *inputs, json *outputs, double within)
{
    json *j = json_object();
    strbuf text = {0};
    json_set(j, "inputs", inputs);
    json_set(j, "outputs", outputs);
    json_set_num(j, "tolerance", within);
    json_dump(j, 0, &text);
    meta_set(meta, "selftest", text.s);
    strbuf_free(&text);
    json_free(j);
}

int64_t selftest_time(const model_def *m)
{
    bool tokens = false;
    for (int i = 0; i < m->n_inputs; i++)
        tokens |= m->inputs[i].type == DT_I32;
    return tokens ? TOKENS : FRAMES;
}

double selftest_wave(int64_t i)
{
    return sin(0.37 * (double)i);
}

double selftest_rising(int64_t i)
{
    return 0.5 * sin(1e-5 * (double)i * (double)i);
}

static void fill(const tensor *t, const port *q, void *data)
{
    for (int64_t i = 0; i < shape_count(t->shape); i++)
        if (t->type == DT_I32)
            ((int32_t *)data)[i] = (int32_t)(i % q->below);
        else
            ((float *)data)[i] = (float)selftest_wave(i);
}

// A past of length 0, with which the form that has one gives what the whole sequence gives.
static bool add_past(json *inputs, const trained *d, arena *a, err *e)
{
    const model_dims step = {.batch = 1, .time = 1, .form = FORM_STEP};
    const network *n = model_build(d->model, d->p, &step, a, e);
    for (int i = 0; n && i < n->n_states; i++) {
        const model_state *t = &n->state[i];
        if (!t->past)
            continue;
        shape empty = {.rank = 4, .d = {1, t->heads, 0, t->in->shape.d[2] / t->heads}};
        json_push(inputs, input_json(t->past, &empty, SELFTEST_WAVE));
    }
    return n != NULL;
}

// The network that has run on the example.
static session *run_example(const trained *d, const env *v, const selftest_of *of, arena *a, err *e)
{
    session_setup o = {.model = d->model,
                       .params = d->p,
                       .gives = SESSION_OUT | (of->probabilities ? SESSION_PROBABILITIES : 0),
                       .batch = of->batch,
                       .time = of->time ? of->time : selftest_time(d->model),
                       .classes = of->probabilities ? d->classes : 0,
                       .kit = v->kit};
    session *s = session_open(&o, a, e);
    for (int i = 0; s && i < d->model->n_inputs; i++)
        fill(s->net->in[i], &d->model->inputs[i], session_data(s, s->net->in[i]));
    if (s)
        session_go(s);
    return s;
}

static void add_input(json *list, const port *q, const tensor *t, arena *a)
{
    const char *value = q->type == DT_I32 ? arena_printf(a, "i mod %d", q->below) : SELFTEST_WAVE;
    json_push(list, input_json(q->name, &t->shape, value));
}

bool selftest_network(const trained *d, const env *v, const selftest_of *of, model_meta *meta,
                      err *e)
{
    arena a = {.name = "selftest"};
    session *s = run_example(d, v, of, &a, e);
    json *in = json_array(), *out = json_array();
    for (int i = 0; s && i < d->model->n_inputs; i++)
        add_input(in, &d->model->inputs[i], s->net->in[i], &a);
    bool ok = s && (!of->past || !model_caches(d->model) || add_past(in, d, &a, e));
    if (ok) {
        const tensor *y = s->net->out, *p = s->probabilities;
        json_push(out, output_json(d->model->output.name, &y->shape, session_data(s, y)));
        if (p)
            json_push(out, output_json("probabilities", &p->shape, session_data(s, p)));
        add_meta(meta, in, out, tolerance(of, session_data(s, y), shape_count(y->shape)));
    }
    session_close(s);
    arena_free(&a);
    return ok;
}

// ---- From the waveform on

// Half as long again as the window, so that several are heard; a second where that is unknown or
// long.
static int64_t example_samples(const trained *d)
{
    int64_t n = d->hear.window * d->mel->hop_length * 3 / 2;
    return n > d->mel->n_fft && n < 10 * (int64_t)d->mel->sample_rate ? n : d->mel->sample_rate;
}

// A tone that rises, at half of full scale.
static float *rising(int64_t n, arena *a)
{
    float *x = NEW(a, float, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)selftest_rising(i);
    return x;
}

static void waved(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)selftest_wave(i);
}

// The points [CLOUD_POINTS, CLOUD_WIDTH] of a network that draws clouds: an emotion and statistics
// of notes beside a second of sound.
static float *draw_example(const trained *d, const env *v, arena *a, err *e)
{
    float heart[EMOTION_SIZE], notes[MIDI_STATS],
        *points = NEW(a, float, (size_t)CLOUD_POINTS *CLOUD_WIDTH);
    int64_t n = d->mel->sample_rate;
    waved(heart, EMOTION_SIZE), waved(notes, MIDI_STATS);
    painter *p = painter_open(d, &(env){.kit = v->kit}, a, e);
    scene s = {.samples = rising(n, a), .n = n, .midi = notes, .emotion = heart};
    bool ok = p && painter_draw(p, &s, points, e);
    painter_close(p);
    return ok ? points : NULL;
}

static bool example_cloud(const trained *d, const env *v, const selftest_of *of, model_meta *meta,
                          arena *a, err *e)
{
    const shape in = shape_of(2, 1, d->mel->sample_rate), emotion = shape_of(2, 1, EMOTION_SIZE),
                midi = shape_of(2, 1, MIDI_STATS),
                cloud = shape_of(3, 1, CLOUD_POINTS, CLOUD_WIDTH);
    const float *points = draw_example(d, v, a, e);
    if (!points)
        return false;
    json *ins = json_array(), *outs = json_array();
    json_push(ins, input_json("waveform", &in, SELFTEST_RISING));
    json_push(ins, input_json("emotion", &emotion, SELFTEST_WAVE));
    json_push(ins, input_json("midi", &midi, SELFTEST_WAVE));
    json_push(outs, output_json(d->model->output.name, &cloud, points));
    add_meta(meta, ins, outs, tolerance(of, points, shape_count(cloud)));
    return true;
}

// What is heard lives as long as the listener, which the caller closes.
static listener *hear_example(const trained *d, const env *v, heard *h, arena *a, err *e)
{
    int64_t n = example_samples(d);
    listener *l = listener_open(d, &(env){.kit = v->kit}, a, e);
    if (l && listener_hear(l, rising(n, a), n, h, e))
        return l;
    listener_close(l);
    return NULL;
}

static bool example_heard(const trained *d, const env *v, const selftest_of *of, model_meta *meta,
                          arena *a, err *e)
{
    heard h;
    shape in = shape_of(2, 1, example_samples(d)),
          embedding = shape_of(2, 1, d->model->output.dim[1]),
          classes = shape_of(2, 1, d->classes ? d->classes : embedding.d[1]);
    listener *l = hear_example(d, v, &h, a, e);
    if (!l)
        return false;
    json *ins = json_array(), *outs = json_array();
    json_push(ins, input_json("waveform", &in, SELFTEST_RISING));
    json_push(outs, output_json(d->model->output.name, &embedding, h.embedding));
    if (of->probabilities)
        json_push(outs, output_json("probabilities", &classes, h.probabilities));
    add_meta(meta, ins, outs, tolerance(of, h.embedding, shape_count(embedding)));
    listener_close(l);
    return true;
}

bool selftest_front(const trained *d, const env *v, const selftest_of *of, model_meta *meta, err *e)
{
    arena a = {.name = "selftest"};
    bool ok = d->model->task == TASK_CLOUDS ? example_cloud(d, v, of, meta, &a, e)
                                            : example_heard(d, v, of, meta, &a, e);
    arena_free(&a);
    return ok;
}

// ---- The first output alone

static float *copy_of(const float *x, int64_t n, arena *a)
{
    float *y = NEW(a, float, (size_t)n);
    memcpy(y, x, (size_t)n * sizeof *y);
    return y;
}

bool selftest_values(const trained *d, const env *v, const selftest_of *of, arena *a,
                     float **values, int64_t *n, err *e)
{
    session *s = run_example(d, v, of, a, e);
    if (!s)
        return false;
    *n = shape_count(s->net->out->shape);
    *values = copy_of(session_data(s, s->net->out), *n, a);
    session_close(s);
    return true;
}

bool selftest_front_values(const trained *d, const env *v, arena *a, float **values, int64_t *n,
                           err *e)
{
    heard h;
    if (d->model->task == TASK_CLOUDS) {
        *n = (int64_t)CLOUD_POINTS * CLOUD_WIDTH;
        return (*values = draw_example(d, v, a, e)) != NULL;
    }
    listener *l = hear_example(d, v, &h, a, e);
    if (!l)
        return false;
    *n = d->model->output.dim[1];
    *values = copy_of(h.embedding, *n, a);
    listener_close(l);
    return true;
}
