// SPDX-License-Identifier: GPL-3.0-or-later
// sum: over the axes whose bit is set (torch.sum with dim and keepdim).
//     dx = d broadcast back over those axes.
// Neighbouring axes of one kind are joined (the constructor sums axes that lie apart one group
// after another), which leaves three patterns:
//     [r]         all to a scalar: partial sums of fixed blocks, then those in order
//     [k, r]      rows, each in lanes
//     [k, r, k]   columns (bias gradients): threads share out columns, never rows, eight rows at a
//                 time so that the total is read and written once for eight numbers
// The order of additions never depends on the thread count. Blocks of rows go to a total in f64:
// the error does not grow with B T.
#include <string.h>

#include "autograd/ops/broadcast.h"
#include "autograd/ops/kernel.h"

enum { BLOCK = 8192, ROWS = 8, COLUMNS = 256, BLOCK_ROWS = 256 };

typedef struct sum_attrs {
    unsigned axes;
    bool keep;
} sum_attrs;

static bool rule(const node *n, err *e)
{
    const sum_attrs *a = n->attrs;
    char text[64];
    shape s = n->in[0]->shape, y = {0};
    if (a->axes >> s.rank || !a->axes)
        return rule_fail(e, "%s has no axes for mask %#x", shape_text(s, text), a->axes);
    for (int k = 0; k < s.rank; k++) {
        bool gone = a->axes >> k & 1;
        if (gone && !a->keep)
            continue;
        y.d[y.rank] = gone ? 1 : s.d[k];
        y.sym[y.rank++] = gone ? SYM_FIXED : s.sym[k];
    }
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = y;
    return true;
}

// The input as [outer, reduced, inner].
typedef struct span {
    int64_t outer, reduced, inner;
} span;

static span span_of(const node *n)
{
    shape s = n->in[0]->shape;
    unsigned axes = ((const sum_attrs *)n->attrs)->axes;
    span v = {1, 1, 1};
    for (int k = 0; k < s.rank; k++)
        *(axes >> k & 1 ? &v.reduced : axes >> k ? &v.outer : &v.inner) *= s.d[k];
    return v;
}

static size_t workspace(const call *c)
{
    span v = span_of(c->n);
    return (size_t)((v.reduced + BLOCK - 1) / BLOCK) * sizeof(double);
}

static void part_blocks(const call *c, int64_t lo, int64_t hi)
{
    int64_t n = shape_count(c->n->in[0]->shape);
    for (int64_t b = lo; b < hi; b++)
        ((double *)c->work)[b] = (double)lanes_sum((const float *)c->in[0] + b * BLOCK,
                                                   n - b * BLOCK < BLOCK ? n - b * BLOCK : BLOCK);
}

static void sum_all(const call *c, int64_t n)
{
    int64_t blocks = (n + BLOCK - 1) / BLOCK;
    double total = 0;
    op_parallel(c, blocks, 1, part_blocks);
    for (int64_t b = 0; b < blocks; b++)
        total += ((const double *)c->work)[b];
    *(float *)c->out[0] = (float)total;
}

static void part_rows(const call *c, int64_t lo, int64_t hi)
{
    int64_t n = span_of(c->n).reduced;
    for (int64_t r = lo; r < hi; r++) {
        double total = 0;
        for (int64_t i = 0; i < n; i += BLOCK)
            total += (double)lanes_sum((const float *)c->in[0] + r * n + i,
                                       n - i < BLOCK ? n - i : BLOCK);
        ((float *)c->out[0])[r] = (float)total;
    }
}

// acc[0..cols) = sums of `rows` rows, `step` apart.
static void add_rows(const float *x, int64_t step, int64_t rows, int64_t cols, float *restrict acc)
{
    int64_t r = 0;
    for (int64_t j = 0; j < cols; j++)
        acc[j] = 0;
    for (; r + ROWS <= rows; r += ROWS) {
        const float *a = x + r * step, *b = a + 4 * step;
        for (int64_t j = 0; j < cols; j++)
            acc[j] += ((a[j] + a[j + step]) + (a[j + 2 * step] + a[j + 3 * step])) +
                      ((b[j] + b[j + step]) + (b[j + 2 * step] + b[j + 3 * step]));
    }
    for (; r < rows; r++)
        for (int64_t j = 0; j < cols; j++)
            acc[j] += x[r * step + j];
}

static void columns(const float *x, int64_t step, int64_t rows, int64_t cols, float *y)
{
    float acc[COLUMNS];
    double total[COLUMNS] = {0};
    for (int64_t r = 0; r < rows; r += BLOCK_ROWS) {
        add_rows(x + r * step, step, rows - r < BLOCK_ROWS ? rows - r : BLOCK_ROWS, cols, acc);
        for (int64_t j = 0; j < cols; j++)
            total[j] += (double)acc[j];
    }
    for (int64_t j = 0; j < cols; j++)
        y[j] = (float)total[j];
}

// over outer * inner in parts of LANES
static void part_columns(const call *c, int64_t lo, int64_t hi)
{
    span v = span_of(c->n);
    for (int64_t i = lo; i < hi;) {
        int64_t o = i / v.inner, j = i % v.inner, n = hi - i < v.inner - j ? hi - i : v.inner - j;
        n = n < COLUMNS ? n : COLUMNS;
        columns((const float *)c->in[0] + o * v.reduced * v.inner + j, v.inner, v.reduced, n,
                (float *)c->out[0] + i);
        i += n;
    }
}

// The index of the output that element i of the input goes to.
static int64_t target_of(const node *n, int64_t i)
{
    shape s = n->in[0]->shape;
    int64_t at = 0, step = 1;
    for (int k = s.rank - 1; k >= 0; k--) {
        if (!(((const sum_attrs *)n->attrs)->axes >> k & 1)) {
            at += i % s.d[k] * step;
            step *= s.d[k];
        }
        i /= s.d[k];
    }
    return at;
}

static void reference(const call *c)
{
    int64_t n_out = shape_count(c->n->out[0]->shape), n_in = shape_count(c->n->in[0]->shape);
    for (int64_t o = 0; o < n_out; o++) {
        double total = 0;
        for (int64_t i = 0; i < n_in; i++)
            if (target_of(c->n, i) == o)
                total += (double)((const float *)c->in[0])[i];
        ((float *)c->out[0])[o] = (float)total;
    }
}

static void forward(const call *c)
{
    span v = span_of(c->n);
    if (v.outer * v.inner == 1)
        sum_all(c, v.reduced);
    else if (v.inner == 1)
        op_parallel(c, v.outer, 1, part_rows);
    else
        op_parallel(c, v.outer * v.inner, LANES, part_columns);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    shape kept = n->in[0]->shape;
    (void)want;
    for (int k = 0; k < kept.rank && k < RANK_MAX; k++)
        if (((const sum_attrs *)n->attrs)->axes >> k & 1)
            kept.d[k] = 1, kept.sym[k] = SYM_FIXED;
    din[0] = op_broadcast(g, op_reshape(g, dout[0], kept), n->in[0]->shape);
}

static void portable(const node *n, emitter *m)
{
    const sum_attrs *a = n->attrs;
    int64_t axes[RANK_MAX];
    int count = 0;
    for (int k = 0; k < n->in[0]->shape.rank; k++)
        if (a->axes >> k & 1)
            axes[count++] = k;
    emit_attr keep = {.name = "keepdims", .kind = EMIT_INT, .i = a->keep};
    emit_node(m, "ReduceSum", 2, (const char *[]){emit_in(m, n, 0), emit_i64(m, count, axes)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 1, &keep);
}

static tensor *build_all(graph *g, tensor *const in[])
{
    return op_sum(g, in[0], (1u << in[0]->shape.rank) - 1, false);
}
static tensor *build_first(graph *g, tensor *const in[])
{
    return op_sum(g, in[0], 1, false);
}
static tensor *build_middle_kept(graph *g, tensor *const in[])
{
    return op_sum(g, in[0], 2, true);
}
static tensor *build_last(graph *g, tensor *const in[])
{
    return op_sum(g, in[0], 4, false);
}
static tensor *build_leading(graph *g, tensor *const in[])
{
    return op_sum(g, in[0], 3, false);
}
static tensor *build_ends(graph *g, tensor *const in[])
{
    return op_sum(g, in[0], 5, true);
}
static tensor *build_but_second(graph *g, tensor *const in[])
{
    return op_sum(g, in[0], 1 | 4 | 8 | 16, false);
}
static tensor *build_every_other(graph *g, tensor *const in[])
{
    return op_sum(g, in[0], 2 | 8 | 32, true);
}
static const op_sample samples[] = {
    {.what = "all", .n = 1, .in = {VALUES(3, 2, 3, 4)}, .build = build_all},
    {.what = "all, several blocks",
     .n = 1,
     .in = {{.type = DT_F32, .shape = DIMS(2, 131, 191), .scale = 1, .offset = 0.5f}},
     .build = build_all},
    {.what = "the first axis", .n = 1, .in = {VALUES(3, 2, 3, 4)}, .build = build_first},
    {.what = "a middle axis, kept",
     .n = 1,
     .in = {VALUES(3, 3, 19, 5)},
     .build = build_middle_kept},
    {.what = "the last axis", .n = 1, .in = {VALUES(3, 2, 3, 77)}, .build = build_last},
    {.what = "a bias gradient", .n = 1, .in = {VALUES(3, 3, 111, 67)}, .build = build_leading},
    {.what = "channels of pictures",
     .n = 1,
     .in = {VALUES(5, 2, 3, 4, 2, 5)},
     .build = build_but_second},
    {.what = "every other of six axes",
     .n = 1,
     .in = {VALUES(6, 2, 3, 2, 3, 2, 5)},
     .build = build_every_other},
    {.what = "axes apart", .n = 1, .in = {VALUES(3, 3, 4, 5)}, .build = build_ends},
};

// --- The way back, and an op of its own
//
// broadcast: x repeated to a larger shape by NumPy's rules (torch.broadcast_to, made contiguous).
//     dx = d summed over the repeated axes.

typedef struct broadcast_attrs {
    shape to;
} broadcast_attrs;

static bool broadcast_rule(const node *n, err *e)
{
    char a[64], b[64];
    shape to = ((const broadcast_attrs *)n->attrs)->to, s;
    if (!shape_broadcast(to, n->in[0]->shape, &s) || !shape_same(s, to))
        return rule_fail(e, "%s does not broadcast to %s", shape_text(n->in[0]->shape, a),
                         shape_text(to, b));
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = s;
    return true;
}

static void broadcast_part(const call *c, int64_t lo, int64_t hi)
{
    loops l = loops_of(c->n->in[0]->shape, c->n->out[0]->shape, c->n->out[0]->shape);
    const float *x = c->in[0];
    float *y = c->out[0];
    int64_t inner = l.d[l.rank - 1], step = l.sa[l.rank - 1];
    for (int64_t i = lo; i < hi;) {
        int64_t col = i % inner, n = inner - col < hi - i ? inner - col : hi - i, at, same;
        loops_row(&l, i / inner, &at, &same);
        at += col * step;
        if (step)
            memcpy(y + i, x + at, (size_t)n * sizeof *y);
        else
            for (int64_t k = 0; k < n; k++)
                y[i + k] = x[at];
        i += n;
    }
}

static void broadcast_forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, broadcast_part);
}

static void broadcast_reference(const call *c)
{
    shape x = c->n->in[0]->shape, y = c->n->out[0]->shape;
    for (int64_t i = 0; i < shape_count(y); i++)
        ((float *)c->out[0])[i] = ((const float *)c->in[0])[broadcast_index(x, y, i)];
}

static void broadcast_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                               const bool want[])
{
    (void)want;
    din[0] = rule_unbroadcast(g, dout[0], n->in[0]->shape);
}

// Expand broadcasts both ways, so 1 keeps what the input has there; only repeated axes are written,
// and those are fixed.
static void broadcast_portable(const node *n, emitter *m)
{
    shape x = n->in[0]->shape, y = n->out[0]->shape;
    int64_t dims[RANK_MAX];
    for (int k = 0; k < y.rank; k++) {
        int own = k - (y.rank - x.rank);
        dims[k] = own >= 0 && (x.d[own] == y.d[k]) ? 1 : y.d[k];
    }
    emit_node(m, "Expand", 2, (const char *[]){emit_in(m, n, 0), emit_i64(m, y.rank, dims)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static tensor *broadcast_build(graph *g, tensor *const in[])
{
    return op_broadcast(g, in[0], shape_of(3, 4, 3, 37));
}
static tensor *broadcast_build_six(graph *g, tensor *const in[])
{
    return op_broadcast(g, in[0], shape_of(6, 2, 3, 2, 4, 3, 5));
}
static const op_sample broadcast_samples[] = {
    {.what = "a scalar", .n = 1, .in = {VALUES(0, 0)}, .build = broadcast_build},
    {.what = "a row", .n = 1, .in = {VALUES(1, 37)}, .build = broadcast_build},
    {.what = "a column", .n = 1, .in = {VALUES(2, 3, 1)}, .build = broadcast_build},
    {.what = "a middle axis", .n = 1, .in = {VALUES(3, 4, 1, 37)}, .build = broadcast_build},
    {.what = "six axes of five",
     .n = 1,
     .in = {VALUES(5, 3, 1, 4, 1, 5)},
     .build = broadcast_build_six},
    {.what = "six axes", .n = 1, .in = {VALUES(6, 2, 1, 2, 1, 3, 1)}, .build = broadcast_build_six},
    {.what = "nothing to repeat", .n = 1, .in = {VALUES(3, 4, 3, 37)}, .build = broadcast_build},
};

const op_def VARIANT(op_sum) = {
    .name = "sum",
    OP_F32(1, 1),
    .shape = rule,
    .workspace = workspace,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_broadcast) = {
    .name = "broadcast",
    OP_F32(1, 1),
    .shape = broadcast_rule,
    OP_KERNELS(broadcast_forward, broadcast_reference, broadcast_gradient, broadcast_portable),
    OP_SAMPLES(broadcast_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_sum(graph *g, tensor *x, unsigned axes, bool keep)
{
    while (axes) { // the last group of neighbours first: the axes before it keep their numbers
        unsigned group = 1u << (31 - __builtin_clz(axes));
        for (unsigned next = group >> 1; axes & next; next >>= 1)
            group |= next;
        x = graph_add(g, OP_sum, &(sum_attrs){group, keep}, sizeof(sum_attrs), 1, (tensor *[]){x});
        axes &= ~group;
    }
    return x;
}
tensor *op_broadcast(graph *g, tensor *x, shape s)
{
    return graph_add(g, OP_broadcast, &(broadcast_attrs){s}, sizeof(broadcast_attrs), 1,
                     (tensor *[]){x});
}
#endif
