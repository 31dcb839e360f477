// SPDX-License-Identifier: GPL-3.0-or-later
// quantise.c: rounding weights where they stand, and writing the rounded ones in fewer bytes
// (quantise.h).
#include "export/quantise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bf16.h"
#include "base/f16.h"
#include "base/int8.h"
#include "export/onnx_rules.h"
#include "export/quantise_internal.h"

// The largest step from nought; why 64: quantise_dynamic.c.
static float levels_of(quantise_form f)
{
    return f == QUANTISE_DYNAMIC ? 64 : INT8_LEVELS;
}

const char *quantise_name(quantise_form f)
{
    static const char *const names[] = {"f32", "f16", "int8 per channel",
                                        "int8 per channel, products dynamic", "bf16"};
    return names[f];
}

// Weights with their channels along one axis: element (o, k, i) is o * n + k, times inner, plus i.
typedef struct channels {
    int64_t outer, n, inner;
} channels;

static channels channels_of(int rank, const int64_t *dim, int axis)
{
    channels c = {1, dim[axis], 1};
    for (int k = 0; k < rank; k++)
        *(k < axis ? &c.outer : &c.inner) *= k == axis ? 1 : dim[k];
    return c;
}

static bool worth_it(const channels *c)
{
    return int8_worth_it(c->n, c->outer * c->inner);
}

static float scale_of(const float *w, const channels *c, int64_t k, float levels)
{
    float most = 0;
    for (int64_t o = 0; o < c->outer; o++)
        for (int64_t i = 0; i < c->inner; i++)
            most = int8_larger(w[(o * c->n + k) * c->inner + i], most);
    return int8_scale(most, levels);
}

// ---- Where they stand

static void round_int8(float *w, const channels *c, float levels)
{
    for (int64_t k = 0; k < c->n; k++) {
        float scale = scale_of(w, c, k, levels);
        for (int64_t i = k * c->inner; i < (k + 1) * c->inner; i++)
            w[i] = (float)int8_step(w[i], scale, levels) * scale;
    }
}

static void round_bf16(float *w, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        w[i] = bf16_widen(bf16_round(w[i]));
}

static bool round_f16(float *w, int64_t n)
{
    bool fit = true;
    for (int64_t i = 0; i < n; i++) {
        w[i] = f16_widen(f16_round(w[i]));
        fit = fit && isfinite(w[i]);
    }
    return fit;
}

bool quantise_params(params *p, quantise_form f, err *e)
{
    for (int i = 0; f && i < p->n; i++) {
        const param *q = &p->list[i];
        channels c = q->shape.rank >= 2 && !q->buffer ? channels_of(q->shape.rank, q->shape.d, 0)
                                                      : (channels){0};
        if (!worth_it(&c))
            continue;
        if (f == QUANTISE_BF16)
            round_bf16(params_at(p, i), q->count);
        else if (f != QUANTISE_F16)
            round_int8(params_at(p, i), &c, levels_of(f));
        else if (!round_f16(params_at(p, i), q->count))
            return err_set(e, ERR_VALUE,
                           "'%s' holds a weight beyond +-%.0f, which f16 has not; export it as f32 "
                           "or int8",
                           q->name, (double)F16_MOST);
    }
    return true;
}

// ---- In a file

// Along which axis the operators that read weights have their output channels; Gemm: by transB.
static const struct {
    const char *op;
    int input, axis;
} readers[] = {{"MatMul", 1, 1}, {"Gemm", 1, 1}, {"Conv", 1, 0},
               {"LSTM", 1, 1},   {"LSTM", 2, 1}, {"Gather", 0, 0}};

static int axis_read(const onnx_node *n, int input)
{
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (readers[i].input == input && !strcmp(readers[i].op, n->op))
            return strcmp(n->op, "Gemm") || !onnx_attr_value(n, "transB", 0) ? readers[i].axis : 0;
    return -1;
}

// By its name, or since it was made of weights: gates in another order, filters with a norm in
// them.
static bool is_weight(const onnx_tensor *t, const params *p, const char *op)
{
    char own[256];
    snprintf(own, sizeof own, "%s", t->name);
    char *mark = strstr(own, ".transposed");
    if (mark)
        *mark = 0;
    return !strcmp(op, "LSTM") || !strcmp(op, "Conv") || params_find(p, own) >= 0;
}

// -1: no weight. It is one where every reader takes it as that.
static int axis_of(const onnx_model *m, const params *p, const onnx_tensor *t)
{
    int axis = -1;
    for (int i = 0; t->type == ONNX_FLOAT && t->rank >= 2 && i < m->n_nodes; i++)
        for (int k = 0; k < m->nodes[i].n_in; k++)
            if (!strcmp(m->nodes[i].in[k], t->name)) {
                int read = axis_read(&m->nodes[i], k);
                if (read < 0 || !is_weight(t, p, m->nodes[i].op))
                    return -1;
                axis = axis < 0 ? read : axis;
            }
    return axis;
}

static onnx_tensor beside(const onnx_tensor *t, const char *mark, int type, size_t bytes, arena *a)
{
    onnx_tensor new = *t;
    new.name = arena_printf(a, "%s.%s", t->name, mark);
    new.type = type;
    new.bytes = bytes;
    new.data = arena_alloc(a, 1, bytes + 1);
    return new;
}

static void read_back(onnx_model *m, const onnx_tensor *t, const char *op, int n_in,
                      const char **in, onnx_attr attr)
{
    onnx_value v = {.name = t->name, .type = ONNX_FLOAT, .rank = t->rank};
    memcpy(v.dim, t->dim, sizeof v.dim);
    onnx_add_info(m, v);
    onnx_add_node(m, &(onnx_node){.op = op,
                                  .name = t->name,
                                  .n_in = n_in,
                                  .in = in,
                                  .n_out = 1,
                                  .out = (const char *[]){t->name},
                                  .n_attr = 1,
                                  .attrs = &attr});
}

static onnx_attr attr_of(const char *name, int64_t value)
{
    return (onnx_attr){.name = name, .type = ONNX_ATTR_INT, .i = value};
}

static onnx_tensor as_f16(onnx_model *m, const onnx_tensor *t)
{
    size_t n = t->bytes / sizeof(float);
    onnx_tensor half = beside(t, "f16", ONNX_FLOAT16, n * sizeof(f16), m->arena);
    for (size_t i = 0; i < n; i++)
        ((f16 *)half.data)[i] = f16_round(((const float *)t->data)[i]);
    read_back(m, t, "Cast", 1, &half.name, attr_of("to", ONNX_FLOAT));
    return half;
}

// Steps [as t] and scales [n], both beside t.
static onnx_tensor steps_of(onnx_model *m, const onnx_tensor *t, const channels *c, float levels)
{
    const float *w = t->data;
    onnx_tensor q = beside(t, "int8", ONNX_INT8, t->bytes / sizeof(float), m->arena),
                s = beside(t, "scale", ONNX_FLOAT, (size_t)c->n * sizeof(float), m->arena);
    s.rank = 1, s.dim[0] = c->n;
    for (int64_t k = 0; k < c->n; k++) {
        float scale = ((float *)s.data)[k] = scale_of(w, c, k, levels);
        for (int64_t o = 0; o < c->outer; o++)
            for (int64_t i = 0; i < c->inner; i++) {
                int64_t at = (o * c->n + k) * c->inner + i;
                ((int8_t *)q.data)[at] = int8_step(w[at], scale, levels);
            }
    }
    onnx_add_tensor(m, &s);
    return q;
}

static onnx_tensor as_int8(onnx_model *m, const onnx_tensor *t, const channels *c, int axis,
                           float levels)
{
    onnx_tensor q = steps_of(m, t, c, levels);
    const char *scale = arena_printf(m->arena, "%s.scale", t->name);
    read_back(m, t, "DequantizeLinear", 2, (const char *[]){q.name, scale}, attr_of("axis", axis));
    return q;
}

// [out, in] of a Gemm as [in, out], as MatMulInteger reads it.
static onnx_tensor as_factor(onnx_model *m, const onnx_tensor *t, const channels *c, int axis,
                             float levels)
{
    onnx_tensor q = steps_of(m, t, c, levels), y = q;
    if (axis)
        return q;
    y.dim[0] = q.dim[1], y.dim[1] = q.dim[0];
    y.data = arena_alloc(m->arena, 1, q.bytes + 1);
    for (int64_t i = 0; i < q.dim[0]; i++)
        for (int64_t k = 0; k < q.dim[1]; k++)
            ((int8_t *)y.data)[k * q.dim[0] + i] = ((const int8_t *)q.data)[i * q.dim[1] + k];
    return y;
}

// Every reader is a product, whose second factor it is.
static bool is_factor(const onnx_model *m, const onnx_tensor *t)
{
    for (int i = 0; i < m->n_nodes; i++) {
        const onnx_node *n = &m->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if (!strcmp(n->in[k], t->name) &&
                (k != 1 || (strcmp(n->op, "MatMul") != 0 && strcmp(n->op, "Gemm") != 0)))
                return false;
    }
    return true;
}

static onnx_tensor in_fewer(onnx_model *m, const onnx_model *read, const onnx_tensor *t,
                            const channels *c, int axis, quantise_form f, name_set *factors)
{
    if (f == QUANTISE_F16)
        return as_f16(m, t);
    if (f == QUANTISE_INT8 || !is_factor(read, t))
        return as_int8(m, t, c, axis, levels_of(f));
    (void)name_set_add(factors, t->name);
    return as_factor(m, t, c, axis, levels_of(f));
}

void onnx_quantise(onnx_model *m, const params *p, quantise_form f)
{
    const onnx_model read = *m; // its nodes, as they were
    quantise_products q = {.model = m, .weights.arena = m->arena, .seen.arena = m->arena};
    if (!f)
        return;
    m->nodes = NULL, m->n_nodes = m->cap_nodes = 0;
    for (int i = 0; i < read.n_tensors; i++) {
        const onnx_tensor t = m->tensors[i];
        int axis = axis_of(&read, p, &t);
        channels c = axis < 0 ? (channels){0} : channels_of(t.rank, t.dim, axis);
        if (worth_it(&c)) {
            onnx_tensor fewer = in_fewer(m, &read, &t, &c, axis, f, &q.weights);
            m->tensors[i] = fewer;
        }
    }
    for (int i = 0; i < read.n_nodes; i++)
        if (!quantise_product(&q, &read.nodes[i]))
            onnx_add_node(m, &read.nodes[i]);
}
