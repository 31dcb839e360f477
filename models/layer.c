// SPDX-License-Identifier: GPL-3.0-or-later
// layer.c: torch.nn layers: parameters of the same names, shapes and initial distributions.
//
// torch.nn.Linear draws weight and bias from U(-k, k), k = 1 / sqrt(inputs) (kaiming_uniform with a = sqrt 5 comes to the same);
// torch.nn.LSTM draws all four from U(-k, k), k = 1 / sqrt(hidden).
#include <math.h>

#include "models/model.h"

static tensor *declare(network *n, const char *layer, const char *leaf, shape s, float k)
{
    char *name = arena_printf(graph_arena(n->g), "%s.%s", layer, leaf);
    err e = {0};
    int i = params_declare(n->p, name, s, (init){INIT_UNIFORM, k}, &e);
    return i >= 0 ? graph_param(n->g, name, i, s) : graph_fail(n->g, "%s", e.text);
}

static int64_t last_dim(const tensor *x)
{
    return x->shape.rank ? x->shape.d[x->shape.rank - 1] : 1;
}

tensor *layer_linear(network *n, const char *name, tensor *x, int64_t out, activation act)
{
    if (tensor_poisoned(x))
        return x;
    int64_t in = last_dim(x);
    float k = 1.0f / sqrtf((float)in);
    tensor *w = declare(n, name, "weight", shape_of(2, out, in), k);
    tensor *b = declare(n, name, "bias", shape_of(1, out), k);
    return op_linear(n->g, x, w, b, act);
}

tensor *layer_lstm(network *n, const char *name, tensor *x, int64_t hidden)
{
    if (tensor_poisoned(x))
        return x;
    float k = 1.0f / sqrtf((float)hidden);
    tensor *w_ih = declare(n, name, "weight_ih_l0", shape_of(2, 4 * hidden, last_dim(x)), k);
    tensor *w_hh = declare(n, name, "weight_hh_l0", shape_of(2, 4 * hidden, hidden), k);
    tensor *b_ih = declare(n, name, "bias_ih_l0", shape_of(1, 4 * hidden), k);
    tensor *b_hh = declare(n, name, "bias_hh_l0", shape_of(1, 4 * hidden), k);
    return op_lstm(n->g, x, w_ih, w_hh, b_ih, b_hh);
}

tensor *layer_lstm_cell(network *n, const char *name, tensor *x, tensor *h, tensor *c, tensor **c_next)
{
    if (tensor_poisoned(x) || tensor_poisoned(h) || tensor_poisoned(c))
        return *c_next = x;
    int64_t hidden = last_dim(h);
    float k = 1.0f / sqrtf((float)hidden);
    tensor *w_ih = declare(n, name, "weight_ih_l0", shape_of(2, 4 * hidden, last_dim(x)), k);
    tensor *w_hh = declare(n, name, "weight_hh_l0", shape_of(2, 4 * hidden, hidden), k);
    tensor *b_ih = declare(n, name, "bias_ih_l0", shape_of(1, 4 * hidden), k);
    tensor *b_hh = declare(n, name, "bias_hh_l0", shape_of(1, 4 * hidden), k);
    tensor *gates = op_add(n->g, op_linear(n->g, x, w_ih, b_ih, ACT_NONE), op_linear(n->g, h, w_hh, b_hh, ACT_NONE)), *g[4];
    for (int i = 0; i < 4; i++)
        g[i] = op_act(n->g, op_slice(n->g, gates, 1, i * hidden, hidden), i == 2 ? ACT_TANH : ACT_SIGMOID);
    *c_next = op_add(n->g, op_mul(n->g, g[1], c), op_mul(n->g, g[0], g[2]));
    return op_mul(n->g, g[3], op_act(n->g, *c_next, ACT_TANH));
}

tensor *layer_mlp3(network *n, tensor *x, int64_t a, int64_t b, int64_t c)
{
    tensor *h = layer_linear(n, "fc1", x, a, ACT_RELU);
    h = layer_linear(n, "fc2", h, b, ACT_RELU);
    return layer_linear(n, "fc3", h, c, ACT_NONE);
}
