// SPDX-License-Identifier: GPL-3.0-or-later
// layer.c: torch.nn layers: parameters of the same names, shapes and initial distributions.
//
// torch.nn.Linear draws weight and bias from U(-k, k), k = 1 / sqrt(inputs) (kaiming_uniform with a
// = sqrt 5 comes to the same), torch.nn.Conv2d from the same with k = 1 / sqrt(inputs x kernel^2)
// (layer_picture.c); torch.nn.LSTM draws all four from U(-k, k), k = 1 / sqrt(hidden);
// torch.nn.LayerNorm begins with ones and zeros.
//
// What adapters change of them is in layer_adapter.c.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "models/layer_internal.h"

const char *layer_name(network *n, const char *fmt, ...)
{
    char text[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return arena_strdup(graph_arena(n->g), text);
}

tensor *layer_declare(network *n, const char *name, shape s, init how, bool adapter)
{
    err e = {0};
    int before = n->p->n, i = params_declare(n->p, name, s, how, &e);
    if (i < 0)
        return graph_fail(n->g, "%s", e.text);
    param *q = &n->p->list[i];
    if (i == before && adapter)
        q->adapter = true, q->counted = false;
    else if (i == before && n->dims.adapters) {
        const adapters *l = n->dims.adapters;
        q->trainable = false;
        for (int k = 0; k < l->n_whole; k++)
            q->trainable = q->trainable || !strcmp(l->whole[k], name);
    }
    return graph_param(n->g, name, i, s);
}

tensor *layer_buffer(network *n, const char *name, shape s, init how)
{
    err e = {0};
    int i = params_declare_buffer(n->p, name, s, how, &e);
    return i < 0 ? graph_fail(n->g, "%s", e.text) : graph_param(n->g, name, i, s);
}

void layer_keep(network *n, const tensor *buffer, tensor *value)
{
    if (n->dims.training && !n->dims.adapters)
        graph_write(n->g, buffer, value);
}

tensor *layer_declare_as(network *n, const char *layer, const char *leaf, shape s, init how)
{
    return layer_declare(n, layer_name(n, "%s.%s", layer, leaf), s, how, false);
}

tensor *layer_declare_uniform(network *n, const char *layer, const char *leaf, shape s, float k)
{
    return layer_declare_as(n, layer, leaf, s, (init){INIT_UNIFORM, k});
}

// A layer that is called twice is noted once.
layer_info *layer_note(network *n, layer_kind kind, const char *name, const tensor *w)
{
    for (int i = 0; i < n->n_layers; i++)
        if (!strcmp(n->layers[i].weight, w->name))
            return &n->layers[i];
    CHECK(n->n_layers < MODEL_LAYERS);
    layer_info *l = &n->layers[n->n_layers++];
    *l = (layer_info){.kind = kind,
                      .weight = w->name,
                      .out = w->shape.d[0],
                      .in = shape_count(w->shape) / w->shape.d[0]};
    l->name = arena_strdup(graph_arena(n->g), name);
    return l;
}

static tensor *call_linear(network *n, const char *name, tensor *x, tensor *w, tensor *b,
                           activation act)
{
    if (tensor_poisoned(w))
        return w;
    layer_info *l = layer_note(n, LAYER_LINEAR, name, w);
    return l->y = layer_adapted(n, x, w, NULL, &(layer_terms){b, NULL, act});
}

tensor *layer_linear(network *n, const char *name, tensor *x, int64_t out, activation act)
{
    if (tensor_poisoned(x))
        return x;
    int64_t in = layer_width(x);
    float k = 1.0f / sqrtf((float)in);
    tensor *w = layer_declare_uniform(n, name, "weight", shape_of(2, out, in), k);
    tensor *b = layer_declare_uniform(n, name, "bias", shape_of(1, out), k);
    return call_linear(n, name, x, w, b, act);
}

tensor *layer_product(network *n, const char *name, tensor *x, int64_t out)
{
    if (tensor_poisoned(x))
        return x;
    tensor *w = layer_declare_uniform(n, name, "weight", shape_of(2, out, layer_width(x)),
                                      1.0f / sqrtf((float)layer_width(x)));
    return call_linear(n, name, x, w, NULL, ACT_NONE);
}

tensor *layer_table(network *n, const char *name, int64_t rows, int64_t width, float deviation)
{
    return layer_parameter(n, layer_name(n, "%s.weight", name), shape_of(2, rows, width),
                           deviation);
}

tensor *layer_parameter(network *n, const char *name, shape s, float deviation)
{
    tensor *t = layer_declare(n, name, s, (init){INIT_NORMAL, deviation}, false);
    if (!tensor_poisoned(t))
        n->p->list[t->param].table = true;
    return t;
}

tensor *layer_layer_norm(network *n, const char *name, tensor *x)
{
    if (tensor_poisoned(x))
        return x;
    tensor *w =
        layer_declare_as(n, name, "weight", shape_of(1, layer_width(x)), (init){INIT_ONE, 0});
    tensor *b =
        layer_declare_as(n, name, "bias", shape_of(1, layer_width(x)), (init){INIT_ZERO, 0});
    return op_layer_norm(n->g, x, w, b);
}

typedef struct lstm_weights {
    tensor *w_ih, *w_hh, *b_ih, *b_hh;
} lstm_weights;

// torch.nn.LSTM's four parameters, the matrices as adapters leave them. False: one is poisoned.
static bool declare_lstm(network *n, const char *name, int64_t in, int64_t hidden, lstm_weights *w)
{
    float k = 1.0f / sqrtf((float)hidden);
    w->w_ih = layer_declare_uniform(n, name, "weight_ih_l0", shape_of(2, 4 * hidden, in), k);
    w->w_hh = layer_declare_uniform(n, name, "weight_hh_l0", shape_of(2, 4 * hidden, hidden), k);
    w->b_ih = layer_declare_uniform(n, name, "bias_ih_l0", shape_of(1, 4 * hidden), k);
    w->b_hh = layer_declare_uniform(n, name, "bias_hh_l0", shape_of(1, 4 * hidden), k);
    if (tensor_poisoned(w->w_ih) || tensor_poisoned(w->w_hh))
        return false;
    layer_note(n, LAYER_RECURRENT, w->w_ih->name, w->w_ih);
    layer_note(n, LAYER_RECURRENT, w->w_hh->name, w->w_hh);
    w->w_ih = layer_adapt_weight(n, w->w_ih);
    w->w_hh = layer_adapt_weight(n, w->w_hh);
    return true;
}

// ---- Steps

static model_state *add_state(network *n, state_kind kind, const char *name)
{
    CHECK(n->n_states < MODEL_STATES);
    model_state *t = &n->state[n->n_states++];
    *t = (model_state){.kind = kind, .name = arena_strdup(graph_arena(n->g), name)};
    return t;
}

model_state *layer_state(network *n, state_kind kind, const char *name, shape s)
{
    if (kind == STATE_GROWS && !n->length)
        n->length = graph_input(n->g, "length", DT_I32, shape_of(1, 1));
    model_state *t = add_state(n, kind, name);
    t->in = graph_input(n->g, t->name, kind == STATE_GROWS ? n->dims.row_type : DT_F32, s);
    return t;
}

tensor *layer_given(network *n, const char *name, shape s, tensor *made)
{
    if (n->dims.form != FORM_ONCE && n->dims.form != FORM_REST)
        return made;
    model_state *t = add_state(n, STATE_GIVEN, name);
    if (made)
        return t->out = made;
    return t->in = graph_input(n->g, t->name, DT_F32, s);
}

// x [B, I] and a state [B, H] -> h, which it leaves with c.
static tensor *lstm_cell(network *n, tensor *x, const lstm_weights *w, model_state *h,
                         model_state *c)
{
    int64_t hidden = layer_width(h->in);
    tensor *gates = op_add(n->g, op_linear(n->g, x, w->w_ih, w->b_ih, ACT_NONE),
                           op_linear(n->g, h->in, w->w_hh, w->b_hh, ACT_NONE)),
           *g[4];
    for (int i = 0; i < 4; i++)
        g[i] = op_act(n->g, op_slice(n->g, gates, 1, i * hidden, hidden),
                      i == 2 ? ACT_TANH : ACT_SIGMOID);
    c->out = op_add(n->g, op_mul(n->g, g[1], c->in), op_mul(n->g, g[0], g[2]));
    return h->out = op_mul(n->g, g[3], op_act(n->g, c->out, ACT_TANH));
}

// x [B, 1, I] -> [B, 1, H]
static tensor *lstm_step(network *n, const char *name, tensor *x, const lstm_weights *w,
                         int64_t hidden)
{
    int64_t batch = n->dims.batch;
    if (x->shape.rank != 3 || x->shape.d[1] != 1)
        return graph_fail(n->g, "a step of '%s' is one token long", name);
    shape s = shape_of(2, batch, hidden);
    model_state *h = layer_state(n, STATE_REPLACED, layer_name(n, "%s.h", name), s),
                *c = layer_state(n, STATE_REPLACED, layer_name(n, "%s.c", name), s);
    tensor *y = lstm_cell(n, op_reshape(n->g, x, shape_of(2, batch, layer_width(x))), w, h, c);
    return op_reshape(n->g, y, shape_of(3, batch, 1, hidden));
}

tensor *layer_lstm(network *n, const char *name, tensor *x, int64_t hidden)
{
    lstm_weights w;
    if (tensor_poisoned(x))
        return x;
    if (!declare_lstm(n, name, layer_width(x), hidden, &w))
        return w.w_ih;
    if (n->dims.form != FORM_WHOLE)
        return lstm_step(n, name, x, &w, hidden);
    return op_lstm(n->g, x, w.w_ih, w.w_hh, w.b_ih, w.b_hh);
}

tensor *layer_mlp3(network *n, tensor *x, int64_t a, int64_t b, int64_t c)
{
    tensor *h = layer_linear(n, "fc1", x, a, ACT_RELU);
    h = layer_linear(n, "fc2", h, b, ACT_RELU);
    return layer_linear(n, "fc3", h, c, ACT_NONE);
}
