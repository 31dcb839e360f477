// SPDX-License-Identifier: GPL-3.0-or-later
// coreml_layers.c: what has weights, or windows.
#include "export/coreml_ops.h"

// [columns, rows], a constant of the model, as [rows, columns].
static coreml_value *turned(coreml_work *w, const coreml_value *v)
{
    int64_t rows = v->like.dim[1], columns = v->like.dim[0];
    coreml_value *y = coreml_fresh(w, v->name, 2, (const int64_t[]){rows, columns});
    float *to = NEW(w->arena, float, (size_t)(rows * columns));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++)
            to[i * columns + k] = v->floats[k * rows + i];
    y->floats = to;
    return y;
}

static coreml_value *zeros(coreml_work *w, int64_t n)
{
    coreml_value *v = coreml_fresh(w, "no_bias", 1, &n);
    v->floats = NEW(w->arena, float, (size_t)n);
    return v;
}

// x w^T + bias; weight [out, in] and bias constants, as `linear` wants them.
static void linear(coreml_work *w, const onnx_node *n, coreml_value *const xwb[3])
{
    mil_kind kind = coreml_kind_of(w, n);
    mil_call c = mil_begin(w->program, "linear");
    mil_put(&c, "x", coreml_say(w, xwb[0], kind));
    mil_put(&c, "weight", coreml_say(w, xwb[1], kind));
    mil_put(&c, "bias", coreml_say(w, xwb[2] ? xwb[2] : zeros(w, xwb[1]->like.dim[0]), kind));
    coreml_finish(w, &c, n);
}

static void product(coreml_work *w, const onnx_node *n, bool turn)
{
    mil_call c = mil_begin(w->program, "matmul");
    coreml_put(w, &c, "x", n, 0);
    coreml_put(w, &c, "y", n, 1);
    mil_put_bool(&c, "transpose_x", false);
    mil_put_bool(&c, "transpose_y", turn);
    coreml_finish(w, &c, n);
}

static void gemm(coreml_work *w, const onnx_node *n)
{
    coreml_value *xwb[] = {coreml_in(w, n, 0), coreml_in(w, n, 1),
                           coreml_has(n, 2) ? coreml_in(w, n, 2) : NULL};
    bool turn = onnx_attr_value(n, "transB", 0) != 0;
    if (coreml_fixed(xwb[1]) && (!xwb[2] || coreml_fixed(xwb[2]))) {
        xwb[1] = turn ? xwb[1] : turned(w, xwb[1]);
        linear(w, n, xwb);
    } else if (xwb[2])
        coreml_fail(w, "the weights of '%s' are computed; export as onnx", n->out[0]);
    else
        product(w, n, turn);
}

// A product with a matrix that is there, of a vector of numbers an item: `linear` has up to three
// axes.
static bool is_linear(const coreml_work *w, const onnx_node *n)
{
    const coreml_value *x = coreml_in(w, n, 0), *b = coreml_in(w, n, 1);
    return x->like.rank >= 2 && x->like.rank <= 3 && b->floats && b->like.rank == 2;
}

static void matmul(coreml_work *w, const onnx_node *n)
{
    if (is_linear(w, n))
        linear(w, n,
               (coreml_value *const[]){coreml_in(w, n, 0), turned(w, coreml_in(w, n, 1)), NULL});
    else
        product(w, n, false);
}

// A bias behind a product goes into it.
static void add(coreml_work *w, const onnx_node *n)
{
    coreml_value *x = coreml_in(w, n, 0), *b = coreml_in(w, n, 1);
    const onnx_node *from = x->from;
    bool said = false;
    for (int i = 0; i < COREML_KINDS; i++)
        said = said || x->said[i];
    if (!said && from && !strcmp(from->op, "MatMul") && is_linear(w, from) && b->floats &&
        b->like.rank == 1 && b->like.dim[0] == x->like.dim[x->like.rank - 1])
        linear(w, n,
               (coreml_value *const[]){coreml_in(w, from, 0), turned(w, coreml_in(w, from, 1)), b});
    else
        coreml_plain(w, n, "add");
}

static void layer_norm(coreml_work *w, const onnx_node *n)
{
    int64_t axis = coreml_axis(n, -1, coreml_in(w, n, 0)->like.rank);
    mil_call c = mil_begin(w->program, "layer_norm");
    coreml_put(w, &c, "x", n, 0);
    mil_put_ints(&c, "axes", 1, &axis);
    coreml_put(w, &c, "gamma", n, 1);
    coreml_put(w, &c, "beta", n, 2);
    mil_put_float(&c, "epsilon", coreml_kind_of(w, n), onnx_attr_find(n, "epsilon")->f);
    coreml_finish(w, &c, n);
}

// ---- Windows

// Of an ONNX node: begin and end of each axis, one behind the other, as Core ML has them.
static void put_windows(mil_call *c, const onnx_node *n)
{
    static const int64_t ones[] = {1, 1}, none[] = {0, 0, 0, 0};
    const onnx_attr *steps = onnx_attr_find(n, "strides"), *pads = onnx_attr_find(n, "pads");
    const int64_t *from = pads ? pads->ints : none, pad[] = {from[0], from[2], from[1], from[3]};
    mil_put_ints(c, "strides", 2, steps ? steps->ints : ones);
    mil_put_text(c, "pad_type", "custom");
    mil_put_ints(c, "pad", 4, pad);
}

static void conv(coreml_work *w, const onnx_node *n)
{
    static const int64_t ones[] = {1, 1};
    coreml_value *weight = coreml_in(w, n, 1), *bias = coreml_has(n, 2) ? coreml_in(w, n, 2) : NULL;
    if (!coreml_fixed(weight) || (bias && !coreml_fixed(bias))) {
        coreml_fail(w, "the filters of '%s' are computed; export as onnx", n->out[0]);
        return;
    }
    mil_call c = mil_begin(w->program, "conv");
    coreml_put(w, &c, "x", n, 0);
    coreml_put(w, &c, "weight", n, 1);
    mil_put(&c, "bias",
            coreml_say(w, bias ? bias : zeros(w, weight->like.dim[0]), coreml_kind_of(w, n)));
    put_windows(&c, n);
    mil_put_ints(&c, "dilations", 2, ones);
    mil_put_int(&c, "groups", 1);
    coreml_finish(w, &c, n);
}

static void pool(coreml_work *w, const onnx_node *n)
{
    mil_call c = mil_begin(w->program, "avg_pool");
    coreml_put(w, &c, "x", n, 0);
    mil_put_ints(&c, "kernel_sizes", 2, onnx_attr_find(n, "kernel_shape")->ints);
    put_windows(&c, n);
    mil_put_bool(&c, "exclude_padding_from_average", false);
    mil_put_bool(&c, "ceil_mode", false);
    coreml_finish(w, &c, n);
}

// ---- Recurrence

// Core ML orders the gates i, f, o, z, where ONNX has i, o, f, c.
static const int from_gate[] = {0, 2, 1, 3};

// [1, 4 H, width] -> [4 H, width]; of two biases [1, 8 H] their sum [4 H].
static coreml_value *gates(coreml_work *w, const coreml_value *v, bool biases)
{
    int64_t rows = biases ? v->like.dim[1] / 2 : v->like.dim[1],
            width = biases ? 1 : v->like.dim[2], gate = rows / 4 * width;
    coreml_value *y = coreml_fresh(w, v->name, biases ? 1 : 2, (const int64_t[]){rows, width});
    float *to = NEW(w->arena, float, (size_t)(4 * gate));
    for (int64_t i = 0; i < 4 * gate; i++) {
        const float *from = v->floats + from_gate[i / gate] * gate + i % gate;
        to[i] = biases ? from[0] + from[rows] : *from;
    }
    y->floats = to;
    return y;
}

static coreml_value *zero_state(coreml_work *w, const char *name, int64_t batch, int64_t hidden)
{
    coreml_value *v = coreml_fresh(w, name, 2, (const int64_t[]){batch, hidden});
    v->floats = NEW(w->arena, float, (size_t)(batch * hidden));
    return v;
}

// In f32 whatever the rest is in, as Apple's own converter has it: halves add up their error step
// by step.
static void lstm(coreml_work *w, const onnx_node *n)
{
    const coreml_value *x = coreml_in(w, n, 0);
    int64_t hidden = onnx_attr_value(n, "hidden_size", 0), steps = x->like.dim[0],
            batch = x->like.dim[1];
    for (int i = 1; i < 4; i++)
        if (!coreml_in(w, n, i)->floats) {
            coreml_fail(w, "the weights of '%s' are computed; export as onnx", n->out[0]);
            return;
        }
    coreml_value *y = coreml_fresh(w, n->out[0], 3, (const int64_t[]){steps, batch, hidden}),
                 *last = coreml_fresh(w, "lstm_h", 2, (const int64_t[]){batch, hidden}),
                 *cell = coreml_fresh(w, "lstm_c", 2, (const int64_t[]){batch, hidden});
    mil_call c = mil_begin(w->program, "lstm");
    mil_put(&c, "x", coreml_say(w, coreml_in(w, n, 0), MIL_F32));
    mil_put(&c, "initial_h", coreml_say(w, zero_state(w, "initial_h", batch, hidden), MIL_F32));
    mil_put(&c, "initial_c", coreml_say(w, zero_state(w, "initial_c", batch, hidden), MIL_F32));
    mil_put(&c, "weight_ih", coreml_say(w, gates(w, coreml_in(w, n, 1), false), MIL_F32));
    mil_put(&c, "weight_hh", coreml_say(w, gates(w, coreml_in(w, n, 2), false), MIL_F32));
    mil_put(&c, "bias", coreml_say(w, gates(w, coreml_in(w, n, 3), true), MIL_F32));
    mil_put_text(&c, "direction", "forward");
    mil_put_bool(&c, "output_sequence", true);
    mil_put_text(&c, "recurrent_activation", "sigmoid");
    mil_put_text(&c, "cell_activation", "tanh");
    mil_put_text(&c, "activation", "tanh");
    coreml_give(w, &c, y, MIL_F32);
    coreml_give(w, &c, last, MIL_F32);
    coreml_give(w, &c, cell, MIL_F32);
    if (!w->failed)
        mil_finish(&c);
    coreml_same(w, coreml_out(w, n, 0), y);
}

const coreml_rule coreml_layers[] = {
    {"Gemm", gemm}, {"MatMul", matmul},    {"Add", add},   {"LayerNormalization", layer_norm},
    {"Conv", conv}, {"AveragePool", pool}, {"LSTM", lstm}, {0},
};
