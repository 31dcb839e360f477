// SPDX-License-Identifier: GPL-3.0-or-later
// selftest.c: one run on one thread at a small size; numbers with as many digits as an f32 has.
#include "infer/selftest.h"

#include <math.h>

#include "autograd/run.h"
#include "infer/listen.h"

enum { FRAMES = 20 };

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
    for (int64_t i = 0; i < shape_count(*s); i++)
        json_push_num(list, round((double)values[i] * 1e7) / 1e7);
    json_set_str(j, "name", name);
    json_set(j, "shape", shape_json(s));
    json_set(j, "values", list);
    return j;
}

// Takes both lists.
static void add_meta(model_meta *meta, json *inputs, json *outputs)
{
    json *j = json_object();
    strbuf text = {0};
    json_set(j, "inputs", inputs);
    json_set(j, "outputs", outputs);
    json_set_num(j, "tolerance", 1e-4);
    json_dump(j, 0, &text);
    meta_set(meta, "selftest", text.s);
    strbuf_free(&text);
    json_free(j);
}

static double wave(int64_t i)
{
    return sin(0.37 * (double)i);
}

static void fill(const tensor *t, const port *q, void *data)
{
    for (int64_t i = 0; i < shape_count(t->shape); i++)
        if (t->type == DT_I32)
            ((int32_t *)data)[i] = (int32_t)(i % q->below);
        else
            ((float *)data)[i] = (float)wave(i);
}

// A past of length 0, with which the form that has one gives what the whole sequence gives.
static void add_past(json *inputs, const network *n, arena *a)
{
    int64_t heads = model_size(n, "heads");
    shape empty = {.rank = 4, .d = {1, heads, 0, model_size(n, "dim") / heads}};
    for (int i = 0; i < model_size(n, "layers"); i++) {
        json_push(inputs, input_json(arena_printf(a, "past_key_values.%d.key", i), &empty,
                                     "sin(0.37 * i)"));
        json_push(inputs, input_json(arena_printf(a, "past_key_values.%d.value", i), &empty,
                                     "sin(0.37 * i)"));
    }
}

bool selftest_network(const trained *d, const onnx_options *of, model_meta *meta, err *e)
{
    arena a = {.name = "selftest"};
    bool probabilities = of->probabilities;
    model_dims dims = {.batch = 1, .time = FRAMES, .classes = probabilities ? d->classes : 0};
    network *n = model_build(d->model, d->p, &dims, &a, e);
    tensor *outs[] = {n ? n->out : NULL, n && probabilities ? op_softmax(n->g, n->logits) : NULL};
    plan_options o = {
        .threads = 1, .outputs = outs, .n_outputs = 1 + probabilities, .params = d->p};
    plan *p = n ? plan_make(n->g, &o, &a, e) : NULL;
    run *r = p ? run_open(p, d->p, NULL, &a, e) : NULL;
    if (r) {
        json *in = json_array(), *out = json_array();
        for (int i = 0; i < d->model->n_inputs; i++) {
            const port *q = &d->model->inputs[i];
            fill(n->in[i], q, run_input(r, q->name));
            json_push(in, input_json(q->name, &n->in[i]->shape,
                                     q->type == DT_I32 ? arena_printf(&a, "i mod %d", q->below)
                                                       : "sin(0.37 * i)"));
        }
        if (of->past && d->model->step)
            add_past(in, n, &a);
        run_step(r, 0, 0, false);
        json_push(out, output_json(d->model->output.name, &n->out->shape, run_data(r, n->out)));
        if (probabilities)
            json_push(out, output_json("probabilities", &outs[1]->shape, run_data(r, outs[1])));
        add_meta(meta, in, out);
    }
    run_close(r);
    arena_free(&a);
    return r != NULL;
}

// Half as long again as the window, so that several are heard; a second where that is unknown or
// long.
static int64_t example_samples(const trained *d)
{
    int64_t n = d->hear.window * d->mel->hop_length * 3 / 2;
    return n > d->mel->n_fft && n < 10 * (int64_t)d->mel->sample_rate ? n : d->mel->sample_rate;
}

// A tone that rises, at half of full scale.
bool selftest_front(const trained *d, bool probabilities, model_meta *meta, err *e)
{
    arena a = {.name = "selftest"};
    heard h;
    int64_t n = example_samples(d);
    shape in = shape_of(2, 1, n), embedding = shape_of(2, 1, d->model->output.dim[1]),
          classes = shape_of(2, 1, d->classes);
    float *x = NEW(&a, float, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(0.5 * sin(1e-5 * (double)i * (double)i));
    listener *l = listener_open(d, NULL, &a, e);
    bool ok = l && listener_hear(l, x, n, &h, e);
    if (ok) {
        json *ins = json_array(), *outs = json_array();
        json_push(ins, input_json("waveform", &in, "0.5 * sin(1e-5 * i * i)"));
        json_push(outs, output_json(d->model->output.name, &embedding, h.embedding));
        if (probabilities)
            json_push(outs, output_json("probabilities", &classes, h.probabilities));
        add_meta(meta, ins, outs);
    }
    listener_close(l);
    arena_free(&a);
    return ok;
}
