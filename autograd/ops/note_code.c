// SPDX-License-Identifier: GPL-3.0-or-later
// note_code: the fixed sinusoidal code of a MIDI note number (pitch_code of reference/models.py,
// after Vaswani et al. 2017).
//     y[.., i] = sin(note f_i), y[.., half + i] = cos(note f_i),
//     f_i = 10000^(-i / half), half = dim / 2; note -1 -> zeros
// There are 129 notes, so the constructor tabulates them and the node is a row lookup, here and in
// ONNX. A number outside [-1, 127] takes the nearest row: it never reads outside the table.
#include <math.h>
#include <string.h>

#include "autograd/ops/kernel.h"

enum { NOTES = 129 };

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape s = n->in[0]->shape, table = n->in[1]->shape;
    if (n->in[0]->type != DT_I32 || s.rank >= RANK_MAX || table.rank != 2 || table.d[0] != NOTES)
        return rule_fail(
            e, "takes i32 notes of at most %d axes and a table [129, dim], not %s %s and %s",
            RANK_MAX - 1, dtype_name(n->in[0]->type), shape_text(s, a), shape_text(table, b));
    s.d[s.rank] = table.d[1];
    s.sym[s.rank++] = SYM_FIXED;
    n->out[0]->type = DT_F32;
    n->out[0]->shape = s;
    return true;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    const int32_t *note = c->in[0];
    const float *table = c->in[1];
    size_t dim = (size_t)c->n->in[1]->shape.d[1];
    for (int64_t i = lo; i < hi; i++) {
        int32_t k = note[i] < -1 ? -1 : note[i] > NOTES - 2 ? NOTES - 2 : note[i];
        memcpy((float *)c->out[0] + (size_t)i * dim, table + (size_t)(k + 1) * dim,
               dim * sizeof(float));
    }
}

static void forward(const call *c)
{
    op_parallel(c, shape_count(c->n->in[0]->shape), 16, part);
}

static void portable(const node *n, emitter *m)
{
    const char *wide = emit_fresh(m, "note"), *row = emit_fresh(m, "note");
    emit_attr to = {.name = "to", .kind = EMIT_INT, .i = 7}; // TensorProto.INT64
    emit_attr axis = {.name = "axis", .kind = EMIT_INT, .i = 0};
    emit_node(m, "Cast", 1, (const char *[]){emit_in(m, n, 0)}, 1, &wide, 1, &to);
    emit_node(m, "Add", 2, (const char *[]){wide, emit_i64_scalar(m, 1)}, 1, &row, 0, NULL);
    emit_node(m, "Gather", 2, (const char *[]){emit_in(m, n, 1), row}, 1,
              (const char *[]){emit_out(m, n, 0)}, 1, &axis);
}

static tensor *build_64(graph *g, tensor *const in[])
{
    return op_note_code(g, in[0], 64);
}
static tensor *build_6(graph *g, tensor *const in[])
{
    return op_note_code(g, in[0], 6);
}
#define NOTE_INPUT(r, ...)                                                                         \
    {                                                                                              \
        .type = DT_I32, .shape = DIMS(r, __VA_ARGS__), .low = -1, .below = 128                     \
    }
static const op_sample samples[] = {
    {.what = "a batch of melodies", .n = 1, .in = {NOTE_INPUT(2, 3, 19)}, .build = build_64},
    {.what = "a narrow code", .n = 1, .in = {NOTE_INPUT(1, 5)}, .build = build_6},
};

const op_def VARIANT(op_note_code) = {
    .name = "note_code",
    OP_F32(2, 1),
    .shape = rule,
    .forward = forward,
    .no_gradient = "its input is a whole number and its table is fixed",
    .portable = portable,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
// In single precision where PyTorch is: the frequencies and the angles.
static void fill_row(float *row, int note, int dim)
{
    int half = dim / 2;
    for (int i = 0; i < half; i++) {
        // ln 10000
        float f = expf(-9.2103403719761836f * (float)i / (float)half), angle = (float)note * f;
        row[i] = sinf(angle);
        row[half + i] = cosf(angle);
    }
}

tensor *op_note_code(graph *g, tensor *note, int dim)
{
    if (dim < 2 || dim % 2)
        return graph_fail(g, "note_code: the code's length %d must be even and positive", dim);
    float *table = NEW(graph_arena(g), float, (size_t)NOTES *(size_t)dim);
    for (int k = 0; k < NOTES - 1; k++)
        fill_row(table + (size_t)(k + 1) * (size_t)dim, k, dim);
    tensor *t = graph_const(g, DT_F32, shape_of(2, NOTES, dim), table);
    return graph_add(g, OP_note_code, NULL, 0, 2, (tensor *[]){note, t});
}
#endif
