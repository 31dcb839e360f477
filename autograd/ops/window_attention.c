// SPDX-License-Identifier: GPL-3.0-or-later
// window_attention: attention within the windows of a map, as a Swin transformer has it (Liu et al.
// 2021): q, k, v [B, H, W, C] -> [B, H, W, C], for each head and each window of high x wide tokens
//     softmax(q k^T / sqrt(d) + bias[row i - row j, column i - column j] + mask) v
// The map is rolled up by `down` rows and left by `right` columns first, and rolled back behind;
// tokens that only this brought together have -100 added to their score (mask).
//     dq, dk, dv, dbias by window_attention_back.
// Cutting the map into windows, the roll and their inverses are offsets here (window.h): no tensor
// is copied for them, and the projections before and behind stay products over all tokens. Nothing
// is kept for the way back but q, k and v.
#include "autograd/ops/window_scores.h"
#include "autograd/portable.h"

static window_dims dims_of(const node *n)
{
    return window_of(n->in[0], n->attrs);
}

static bool rule(const node *n, err *e)
{
    return window_fits(n, 0, 3, e) && rule_same(n, e);
}

typedef struct buffers {
    float *table, *rows, *k, *v, *q, *s; // [edges][N][P], [N][D] thrice, [d][P], [N][P]
} buffers;

static size_t take_buffers(const window_dims *m, float *base, buffers *w)
{
    size_t at = 0;
    w->table = workspace_take(base, &at, WINDOW_EDGES * m->n * m->np);
    w->rows = workspace_take(base, &at, m->n * m->dp);
    w->k = workspace_take(base, &at, m->n * m->dp);
    w->v = workspace_take(base, &at, m->n * m->dp);
    w->q = workspace_take(base, &at, m->d * m->np);
    w->s = workspace_take(base, &at, m->n * m->np);
    return at;
}

static size_t workspace(const call *c)
{
    window_dims m = dims_of(c->n);
    return take_buffers(&m, NULL, &(buffers){0}) * sizeof(float) * (size_t)c->threads;
}

static double cost(const call *c)
{
    window_dims m = dims_of(c->n);
    return window_pairs(&m) * (0.2 * (double)m.d + 2);
}

static double flops(const node *n)
{
    window_dims m = dims_of(n);
    return 4 * window_pairs(&m) * (double)m.d;
}

static void group_forward(const call *c, const window_dims *m, float *work, int64_t head,
                          int64_t group)
{
    buffers w;
    int64_t at[WINDOW_MOST], lo, hi;
    (void)take_buffers(m, work, &w);
    window_group(m, group, &lo, &hi);
    window_tables(m, c->in[3], head, w.table);
    for (int64_t unit = lo * m->rows * m->columns; unit < hi * m->rows * m->columns; unit++) {
        int64_t window = unit % (m->rows * m->columns);
        window_places(m, unit / (m->rows * m->columns), window, head, at);
        window_rows(m, c->in[0], at, m->scale, w.rows);
        window_transpose(m, w.rows, w.q);
        window_rows(m, c->in[1], at, 1, w.k);
        window_rows(m, c->in[2], at, 1, w.v);
        window_weights(m, w.k, w.q, w.table + window_edge(m, window) * m->n * m->np, w.s);
        window_product(w.rows, (window_left){w.s, 1, m->np}, w.v, m->n, m->n, m->dp);
        window_back(m, w.rows, at, 1, c->out[0]);
    }
}

static void forward(const call *c)
{
    window_dims m = dims_of(c->n);
    window_jobs(c, group_forward, &m, take_buffers(&m, NULL, &(buffers){0}));
}

// One query of a window, in f64.
static void exact_query(const call *c, const window_dims *m, const int64_t *at, int edge,
                        int64_t head, int64_t i)
{
    const float *q = c->in[0], *k = c->in[1], *v = c->in[2], *bias = c->in[3];
    double score[WINDOW_MOST] = {0}, top = -INFINITY, total = 0;
    for (int64_t j = 0; j < m->n; j++) {
        for (int64_t x = 0; x < m->d; x++)
            score[j] += (double)q[at[i] + x] * (double)k[at[j] + x] / sqrt((double)m->d);
        score[j] += (double)bias[window_relative(m, i, j) * m->heads + head] +
                    (window_parted(m, edge, i, j) ? (double)window_apart : 0);
        top = score[j] > top ? score[j] : top;
    }
    for (int64_t j = 0; j < m->n; j++)
        total += score[j] = exp(score[j] - top);
    for (int64_t x = 0; x < m->d; x++) {
        double y = 0;
        for (int64_t j = 0; j < m->n; j++)
            y += score[j] / total * (double)v[at[j] + x];
        ((float *)c->out[0])[at[i] + x] = (float)y;
    }
}

static void reference(const call *c)
{
    window_dims m = dims_of(c->n);
    int64_t at[WINDOW_MOST], windows = m.rows * m.columns;
    for (int64_t unit = 0; unit < m.b * windows * m.heads; unit++) {
        int64_t head = unit % m.heads, window = unit / m.heads % windows;
        window_places(&m, unit / m.heads / windows, window, head, at);
        for (int64_t i = 0; i < m.n; i++)
            exact_query(c, &m, at, window_edge(&m, window), head, i);
    }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    rule_take(op_window_attention_back(g, n, dout[0]), 4, din, want);
}

// ---- In ONNX the windows are there as tensors. R rows and S columns of windows, M heads.

static const char *emit_shaped(emitter *m, const char *x, int n, const int64_t *dims)
{
    return emit_op(m, "Reshape", 2, (const char *[]){x, emit_i64(m, n, dims)}, 0, NULL);
}

static const char *emit_permuted(emitter *m, const char *x, int n, const int64_t *perm)
{
    return emit_op(m, "Transpose", 1, &x, 1,
                   &(emit_attr){.name = "perm", .kind = EMIT_INTS, .ints = perm, .n = n});
}

static const char *emit_part(emitter *m, const char *x, int64_t from, int64_t to, int64_t axis)
{
    return emit_op(
        m, "Slice", 4,
        (const char *[]){x, emit_i64(m, 1, &from), emit_i64(m, 1, &to), emit_i64(m, 1, &axis)}, 0,
        NULL);
}

// x [B, H, W, C] with row (axis 1) or column `by` first.
static const char *emit_rolled(emitter *m, const char *x, int64_t axis, int64_t by, int64_t size)
{
    if (by % size == 0)
        return x;
    const char *parts[] = {emit_part(m, x, by, size, axis), emit_part(m, x, 0, by, axis)};
    return emit_op(m, "Concat", 2, parts, 1,
                   &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = axis});
}

// [B, H, W, C] -> [B, R S, M, N, d]
static const char *emit_windows(emitter *m, const char *x, const window_dims *w)
{
    const int64_t cut[] = {0, w->rows, w->high, w->columns, w->wide, w->heads, w->d},
                  perm[] = {0, 1, 3, 5, 2, 4, 6},
                  join[] = {0, w->rows * w->columns, w->heads, w->n, w->d};
    x = emit_rolled(m, emit_rolled(m, x, 1, w->down, w->h), 2, w->right, w->w);
    return emit_shaped(m, emit_permuted(m, emit_shaped(m, x, 7, cut), 7, perm), 5, join);
}

// The inverse of it.
static const char *emit_map(emitter *m, const char *x, const window_dims *w)
{
    const int64_t cut[] = {0, w->rows, w->columns, w->heads, w->high, w->wide, w->d},
                  perm[] = {0, 1, 4, 2, 5, 3, 6}, join[] = {0, w->h, w->w, w->c};
    x = emit_shaped(m, emit_permuted(m, emit_shaped(m, x, 7, cut), 7, perm), 4, join);
    return emit_rolled(m, emit_rolled(m, x, 1, w->h - w->down, w->h), 2, w->w - w->right, w->w);
}

// The bias' table as [M, N, N].
static const char *emit_bias(emitter *m, const char *table, const window_dims *w)
{
    arena a = {.name = "indices"};
    int64_t *index = NEW(&a, int64_t, (size_t)(w->n * w->n));
    const int64_t perm[] = {1, 0}, square[] = {w->heads, w->n, w->n};
    for (int64_t k = 0; k < w->n * w->n; k++)
        index[k] = window_relative(w, k / w->n, k % w->n);
    const char *rows = emit_op(
        m, "Gather", 2, (const char *[]){table, emit_i64(m, (int)(w->n * w->n), index)}, 0, NULL);
    arena_free(&a);
    return emit_shaped(m, emit_permuted(m, rows, 2, perm), 3, square);
}

// [R S, 1, N, N]
static const char *emit_mask(emitter *m, const window_dims *w)
{
    arena a = {.name = "mask"};
    int64_t windows = w->rows * w->columns;
    float *x = NEW(&a, float, (size_t)(windows * w->n * w->n));
    for (int64_t k = 0; k < windows * w->n * w->n; k++)
        x[k] = window_parted(w, window_edge(w, k / (w->n * w->n)), k / w->n % w->n, k % w->n)
                   ? window_apart
                   : 0;
    const char *mask = emit_f32(m, 4, (const int64_t[]){windows, 1, w->n, w->n}, x);
    arena_free(&a);
    return mask;
}

static void portable(const node *n, emitter *m)
{
    window_dims w = dims_of(n);
    const int64_t swap[] = {0, 1, 2, 4, 3};
    const char *q = emit_windows(m, emit_in(m, n, 0), &w),
               *k = emit_windows(m, emit_in(m, n, 1), &w),
               *v = emit_windows(m, emit_in(m, n, 2), &w);
    q = emit_op(m, "Mul", 2, (const char *[]){q, emit_f32(m, 0, NULL, &w.scale)}, 0, NULL);
    const char *s =
        emit_op(m, "MatMul", 2, (const char *[]){q, emit_permuted(m, k, 5, swap)}, 0, NULL);
    s = emit_op(m, "Add", 2, (const char *[]){s, emit_bias(m, emit_in(m, n, 3), &w)}, 0, NULL);
    if (w.down || w.right)
        s = emit_op(m, "Add", 2, (const char *[]){s, emit_mask(m, &w)}, 0, NULL);
    s = emit_op(m, "Softmax", 1, &s, 1, &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = -1});
    const char *y = emit_map(m, emit_op(m, "MatMul", 2, (const char *[]){s, v}, 0, NULL), &w),
               *out = emit_out(m, n, 0);
    emit_node(m, "Identity", 1, &y, 1, &out, 0, NULL);
}

static tensor *build_whole(graph *g, tensor *const in[])
{
    return op_window_attention(g, in, 2, (window_cut){2, 3, 0, 0});
}
static tensor *build_shifted(graph *g, tensor *const in[])
{
    return op_window_attention(g, in, 2, (window_cut){2, 3, 1, 1});
}
static tensor *build_down(graph *g, tensor *const in[])
{
    return op_window_attention(g, in, 4, (window_cut){4, 2, 2, 0});
}
static tensor *build_large(graph *g, tensor *const in[])
{
    return op_window_attention(g, in, 1, (window_cut){5, 5, 2, 3});
}
#define MAPS_OF(b, h, w, c, bias, heads)                                                           \
    {                                                                                              \
        VALUES(4, b, h, w, c), VALUES(4, b, h, w, c), VALUES(4, b, h, w, c),                       \
            VALUES(2, bias, heads)                                                                 \
    }
static const op_sample samples[] = {
    {.what = "a map of six windows",
     .n = 4,
     .in = MAPS_OF(2, 4, 9, 6, 15, 2),
     .build = build_whole},
    {.what = "shifted both ways", .n = 4, .in = MAPS_OF(2, 4, 6, 8, 15, 2), .build = build_shifted},
    {.what = "shifted down, more items than groups",
     .n = 4,
     .in = MAPS_OF(11, 8, 2, 8, 21, 4),
     .build = build_down},
    {.what = "more tokens and numbers than a register",
     .n = 4,
     .in = MAPS_OF(1, 10, 10, 37, 81, 1),
     .build = build_large},
};

const op_def VARIANT(op_window_attention) = {
    .name = "window_attention",
    OP_F32(4, 1),
    .flags = OP_INPLACE0,
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_window_attention(graph *g, tensor *const qkv_bias[4], int heads, window_cut cut)
{
    window_attrs a = {heads, cut};
    return graph_add(g, OP_window_attention, &a, sizeof a, 4, qkv_bias);
}
#endif
