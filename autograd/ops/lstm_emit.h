// SPDX-License-Identifier: GPL-3.0-or-later
// lstm_emit.h: lstm in portable form: ONNX' LSTM, its gates in that order.
#ifndef KMIDI_AUTOGRAD_OPS_LSTM_EMIT_H
#define KMIDI_AUTOGRAD_OPS_LSTM_EMIT_H

#include <string.h>

#include "autograd/op.h"

// ONNX orders the gates i, o, f, c. A weight that is there becomes a rearranged initialiser...
static const int onnx_gate[] = {0, 3, 1, 2};

static inline void reorder(float *to, const float *from, int64_t gate)
{
    for (int g = 0; g < 4; g++)
        memcpy(to + g * gate, from + onnx_gate[g] * gate, sizeof *to * (size_t)gate);
}

// ... one that is computed (an adapter's) is split and joined. Both get the leading 1 of a single
// direction.
static inline const char *emit_reordered(emitter *m, const node *n, int input)
{
    int64_t zero = 0;
    const char *part[4], *joined = emit_fresh(m, "gates"), *out = emit_fresh(m, "gates");
    for (int g = 0; g < 4; g++)
        part[g] = emit_fresh(m, "gate");
    emit_node(m, "Split", 1, (const char *[]){emit_in(m, n, input)}, 4, part, 1,
              &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = 0});
    emit_node(m, "Concat", 4, (const char *[]){part[0], part[3], part[1], part[2]}, 1, &joined, 1,
              &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = 0});
    emit_node(m, "Unsqueeze", 2, (const char *[]){joined, emit_i64(m, 1, &zero)}, 1, &out, 0, NULL);
    return out;
}

static inline const char *emit_weight(emitter *m, const node *n, int input)
{
    const float *from = emit_param_values(m, n, input);
    if (!from)
        return emit_reordered(m, n, input);
    int64_t rows = n->in[input]->shape.d[0], width = n->in[input]->shape.d[1];
    arena a = {0};
    float *to = NEW(&a, float, (size_t)(rows * width));
    reorder(to, from, rows / 4 * width);
    const char *name = emit_f32(m, 3, (int64_t[]){1, rows, width}, to);
    arena_free(&a);
    return name;
}

static inline const char *emit_bias(emitter *m, const node *n)
{
    const float *b_ih = emit_param_values(m, n, 3), *b_hh = emit_param_values(m, n, 4);
    if (!b_ih || !b_hh) {
        const char *joined = emit_fresh(m, "bias");
        emit_node(m, "Concat", 2,
                  (const char *[]){emit_reordered(m, n, 3), emit_reordered(m, n, 4)}, 1, &joined, 1,
                  &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = 1});
        return joined;
    }
    int64_t rows = n->in[2]->shape.d[0];
    arena a = {0};
    float *to = NEW(&a, float, (size_t)(2 * rows));
    reorder(to, b_ih, rows / 4);
    reorder(to + rows, b_hh, rows / 4);
    const char *name = emit_f32(m, 2, (int64_t[]){1, 2 * rows}, to);
    arena_free(&a);
    return name;
}

// Layout 0 (time first) between two transposes: runtimes refuse or misread layout 1. Initial states
// left out are zeros.
static inline void lstm_portable(const node *n, emitter *m)
{
    static const int64_t time_first[] = {1, 0, 2};
    const emit_attr perm = {.name = "perm", .kind = EMIT_INTS, .ints = time_first, .n = 3};
    int64_t one = 1;
    const char *x = emit_fresh(m, "lstm_x"), *y = emit_fresh(m, "lstm_y"),
               *flat = emit_fresh(m, "lstm_y");
    emit_node(m, "Transpose", 1, (const char *[]){emit_in(m, n, 0)}, 1, &x, 1, &perm);
    emit_node(m, "LSTM", 4,
              (const char *[]){x, emit_weight(m, n, 1), emit_weight(m, n, 2), emit_bias(m, n)}, 1,
              &y, 1,
              &(emit_attr){.name = "hidden_size", .kind = EMIT_INT, .i = n->in[2]->shape.d[1]});
    emit_node(m, "Squeeze", 2, (const char *[]){y, emit_i64(m, 1, &one)}, 1, &flat, 0, NULL);
    emit_node(m, "Transpose", 1, &flat, 1, (const char *[]){emit_out(m, n, 0)}, 1, &perm);
}

#endif
