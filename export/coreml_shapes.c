// SPDX-License-Identifier: GPL-3.0-or-later
// coreml_shapes.c: what moves numbers and leaves them as they are.
#include "export/coreml_ops.h"

static void same(coreml_work *w, const onnx_node *n)
{
    coreml_same(w, coreml_out(w, n, 0), coreml_in(w, n, 0));
}

static void cast(coreml_work *w, const onnx_node *n)
{
    coreml_value *x = coreml_in(w, n, 0), *y = coreml_out(w, n, 0);
    if (x->whole == y->whole) {
        same(w, n);
        return;
    }
    mil_call c = mil_begin(w->program, "cast");
    mil_put(&c, "x", coreml_say(w, x, coreml_kind(w, x)));
    mil_put_text(&c, "dtype", y->whole ? "int32" : coreml_kind(w, y) == MIL_F16 ? "fp16" : "fp32");
    coreml_finish(w, &c, n);
}

// A transposition in the fewest parts: axes of one number are left out, those that stay side by
// side are one.
typedef struct moves {
    int n;
    int64_t size[ONNX_RANK]; // of the input's parts
    int64_t perm[ONNX_RANK];
} moves;

static moves moves_of(const onnx_known *x, const int64_t *perm)
{
    moves m = {0};
    int64_t axis[ONNX_RANK] = {0}, order[ONNX_RANK] = {0}, part[ONNX_RANK] = {0};
    bool begins[ONNX_RANK] = {0};
    int n = 0, parts = 0;
    for (int k = 0; k < x->rank; k++)
        if (x->dim[k] != 1)
            part[k] = n, axis[n++] = k;
    for (int k = 0, at = 0; k < x->rank; k++)
        if (x->dim[perm[k]] != 1)
            order[at++] = part[perm[k]];
    for (int k = 0; k < n; k++)
        begins[order[k]] = k == 0 || order[k] != order[k - 1] + 1;
    for (int k = 0; k < n; k++) {
        parts += begins[k];
        m.size[parts - 1] = (begins[k] ? 1 : m.size[parts - 1]) * x->dim[axis[k]];
        part[k] = parts - 1;
    }
    for (int k = 0; k < n; k++)
        if (begins[order[k]])
            m.perm[m.n++] = part[order[k]];
    return m;
}

// One transposition of at most MIL_RANK axes -> what it makes.
static coreml_value *say_moved(coreml_work *w, coreml_value *x, const char *name, int rank,
                               const int64_t *size, const int64_t *perm)
{
    int64_t dim[ONNX_RANK];
    mil_kind kind = coreml_kind(w, x);
    for (int k = 0; k < rank; k++)
        dim[k] = size[perm[k]];
    coreml_value *y = coreml_fresh(w, name, rank, dim);
    y->whole = x->whole, y->wide = x->wide;
    mil_call c = mil_begin(w->program, "transpose");
    mil_put(&c, "x", coreml_say_as(w, x, kind, rank, size));
    mil_put_ints(&c, "perm", rank, perm);
    coreml_give(w, &c, y, kind);
    if (!w->failed)
        mil_finish(&c);
    return y;
}

// Part `from` of the moves put before part `to`: [before, between, it, behind] with two exchanged.
static coreml_value *say_move(coreml_work *w, coreml_value *x, const char *name, moves *m, int to,
                              int from)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    int64_t size[] = {1, 1, m->size[from], 1}, moved = m->size[from];
    for (int k = 0; k < m->n; k++)
        if (k != from)
            size[k < to ? 0 : k < from ? 1 : 3] *= m->size[k];
    for (int k = from; k > to; k--)
        m->size[k] = m->size[k - 1];
    m->size[to] = moved;
    return say_moved(w, x, name, 4, size, perm);
}

// Core ML has five axes at most: where more move, one is put into its place after the other.
static void transpose(coreml_work *w, const onnx_node *n)
{
    coreml_value *x = coreml_in(w, n, 0);
    moves m = moves_of(&x->like, onnx_attr_find(n, "perm")->ints);
    int64_t at[ONNX_RANK]; // which part stands where
    if (m.n <= 1) {
        same(w, n);
        return;
    }
    if (m.n <= MIL_RANK) {
        coreml_same(w, coreml_out(w, n, 0), say_moved(w, x, n->out[0], m.n, m.size, m.perm));
        return;
    }
    for (int k = 0; k < m.n; k++)
        at[k] = k;
    for (int to = 0; to < m.n && !w->failed; to++) {
        int from = to;
        while (at[from] != m.perm[to])
            from++;
        if (from == to)
            continue;
        x = say_move(w, x, n->out[0], &m, to, from);
        for (int k = from; k > to; k--)
            at[k] = at[k - 1];
        at[to] = m.perm[to];
    }
    coreml_same(w, coreml_out(w, n, 0), x);
}

static void slice(coreml_work *w, const onnx_node *n)
{
    const coreml_value *x = coreml_in(w, n, 0), *from = coreml_in(w, n, 1),
                       *axes = coreml_in(w, n, 3);
    int64_t begin[ONNX_RANK] = {0};
    if (!from->ints || !axes->ints) {
        coreml_fail(w, "a part of '%s' lies where the model finds out; export as onnx", n->in[0]);
        return;
    }
    for (int k = 0; k < axes->like.n; k++) {
        int64_t axis = axes->ints[k] + (axes->ints[k] < 0 ? x->like.rank : 0);
        begin[axis] = from->ints[k] + (from->ints[k] < 0 ? x->like.dim[axis] : 0);
    }
    mil_call c = mil_begin(w->program, "slice_by_size");
    coreml_put(w, &c, "x", n, 0);
    mil_put_ints(&c, "begin", x->like.rank, begin);
    mil_put_ints(&c, "size", x->like.rank, coreml_out(w, n, 0)->like.dim);
    coreml_finish(w, &c, n);
}

static void concat(coreml_work *w, const onnx_node *n)
{
    const char *parts[RULE_IN];
    for (int i = 0; i < n->n_in; i++)
        parts[i] = coreml_say(w, coreml_in(w, n, i), coreml_kind_of(w, n));
    mil_call c = mil_begin(w->program, "concat");
    mil_put_tuple(&c, "values", n->n_in, parts);
    mil_put_int(&c, "axis", coreml_axis(n, 0, coreml_out(w, n, 0)->like.rank));
    mil_put_bool(&c, "interleave", false);
    coreml_finish(w, &c, n);
}

static void split(coreml_work *w, const onnx_node *n)
{
    mil_call c = mil_begin(w->program, "split");
    coreml_put(w, &c, "x", n, 0);
    mil_put_int(&c, "num_splits", n->n_out);
    mil_put_int(&c, "axis", coreml_axis(n, 0, coreml_in(w, n, 0)->like.rank));
    for (int i = 0; i < n->n_out; i++)
        coreml_give(w, &c, coreml_out(w, n, i), coreml_kind(w, coreml_out(w, n, i)));
    if (!w->failed)
        mil_finish(&c);
}

static void gather(coreml_work *w, const onnx_node *n)
{
    mil_call c = mil_begin(w->program, "gather");
    coreml_put(w, &c, "x", n, 0);
    coreml_put(w, &c, "indices", n, 1);
    mil_put_int(&c, "axis", coreml_axis(n, 0, coreml_in(w, n, 0)->like.rank));
    mil_put_int(&c, "batch_dims", 0);
    coreml_finish(w, &c, n);
}

static void expand(coreml_work *w, const onnx_node *n)
{
    const coreml_value *y = coreml_out(w, n, 0);
    coreml_value *x = coreml_in(w, n, 0);
    int64_t dim[ONNX_RANK], reps[ONNX_RANK];
    for (int k = 0; k < y->like.rank; k++) {
        int own = k - (y->like.rank - x->like.rank);
        dim[k] = own < 0 ? 1 : x->like.dim[own];
        reps[k] = y->like.dim[k] / dim[k];
    }
    mil_call c = mil_begin(w->program, "tile");
    mil_put(&c, "x", coreml_say_as(w, x, coreml_kind(w, y), y->like.rank, dim));
    mil_put_ints(&c, "reps", y->like.rank, reps);
    coreml_finish(w, &c, n);
}

const coreml_rule coreml_shapes[] = {
    {"Reshape", same}, {"Squeeze", same},        {"Unsqueeze", same}, {"Identity", same},
    {"Cast", cast},    {"Transpose", transpose}, {"Slice", slice},    {"Concat", concat},
    {"Split", split},  {"Gather", gather},       {"Expand", expand},  {0},
};
