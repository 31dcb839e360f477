// SPDX-License-Identifier: GPL-3.0-or-later
// attention_step: causal attention of the newest T rows, q, k, v [B, T, H d], behind what a cache
// holds of those before: keys and values [B, C, H d], of which the first `length` rows (an i32)
// count. Queries and keys are turned by the table [T, d] (rope_table from position `length` on);
// the cache's keys were turned when they came. Query i sees the cache and the new rows up to
// itself.
//     -> [B, T, H d]; output 1: the new keys, turned, which belong into the cache behind `length`,
//     as v does.
// The op reads the cache, of f32 or of bf16, and leaves it as it is: whoever owns it puts the rows
// in. For generation:
// nothing is learnt through it. The rows are read where they lie, once each: with one query a copy
// into panels, as attention makes, would be most of the work. A head of a sequence belongs to one
// thread, so bits do not depend on how many there are.
#include "autograd/ops/attention.h"
#include "autograd/ops/attention_emit.h"
#include "autograd/ops/row_lanes.h"

enum { ROWS_AHEAD = 8, ROWS_AT_ONCE = 4 };

typedef struct step_dims {
    int64_t b, t, c, h, d, width, length;
    float scale;
} step_dims;

static step_dims dims_of(const node *n)
{
    step_dims m = {.b = n->in[0]->shape.d[0],
                   .t = n->in[0]->shape.d[1],
                   .c = n->in[3]->shape.d[1],
                   .width = n->in[0]->shape.d[2]};
    m.h = ((const attention_attrs *)n->attrs)->heads;
    m.d = m.width / m.h;
    m.length = m.c;
    m.scale = 1.0f / sqrtf((float)m.d);
    return m;
}

static step_dims dims_at(const call *c)
{
    step_dims m = dims_of(c->n);
    int32_t length = *(const int32_t *)c->in[5];
    m.length = length < 0 ? 0 : length > m.c ? m.c : length;
    return m;
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape q = n->in[0]->shape, keys = n->in[3]->shape;
    if (!attention_fits(n->in[0], n->in[1], n->in[2], n->in[6], n->attrs, e))
        return false;
    if (keys.rank != 3 || keys.d[0] != q.d[0] || keys.d[2] != q.d[2] ||
        !shape_same(keys, n->in[4]->shape) || n->in[3]->type != n->in[4]->type)
        return rule_fail(e, "cached keys %s and values %s do not fit", shape_text(keys, a),
                         shape_text(n->in[4]->shape, b));
    if (n->in[5]->type != DT_I32 || shape_count(n->in[5]->shape) != 1)
        return rule_fail(e, "the cache's length is one i32, not %s %s", dtype_name(n->in[5]->type),
                         shape_text(n->in[5]->shape, a));
    n->out[1]->type = DT_F32;
    n->out[1]->shape = n->in[1]->shape;
    return rule_same(n, e);
}

static int64_t room(const step_dims *m)
{
    return (m->c + m->t + 15) / 16 * 16; // scores of a query
}

static size_t workspace(const call *c)
{
    step_dims m = dims_of(c->n);
    return head_workspace(c, (size_t)room(&m));
}

static double cost(const call *c)
{
    step_dims m = dims_of(c->n);
    return (double)(m.b * m.t * m.h) * (double)(m.c + m.t) * ((double)m.d * 0.1 + 5);
}

static double flops(const node *n)
{
    step_dims m = dims_of(n);
    return 4 * (double)(m.b * m.t * m.h) * (double)(m.c + m.t) * (double)m.d;
}

// Rows of a head, m->width apart, in f32 or, of a cache, in bf16.
typedef struct rows_of {
    const void *x;
    int64_t at; // of the first number
    dtype type;
} rows_of;

ROW_INLINE void ask_ahead(rows_of r, int64_t row, const step_dims *m, dtype type)
{
    int64_t size = type == DT_BF16 ? 2 : 4;
    const char *x = (const char *)r.x + (r.at + (row + ROWS_AHEAD) * m->width) * size;
    for (int64_t i = 0; i < m->d * size; i += ROW_LINE)
        __builtin_prefetch(x + i);
}

// Query times rows j .. j + n: their lanes at once, as single_row.h has it.
ROW_INLINE void score_some(float *score, const float *q, rows_of r, int64_t j, int n,
                           const step_dims *m, dtype type)
{
    vf lane[ROWS_AT_ONCE][2] = {{{0}}}, sum[ROWS_AT_ONCE];
    float x[LANES], y[LANES];
    int64_t i = 0, at = r.at + j * m->width;
    for (; i + LANES <= m->d; i += LANES)
        ROW_EACH(s, n)
    ROW_EACH(v, 2)
    lane[s][v] +=
        vf_load(q + i + v * VLANES) * row_weights(r.x, at + s * m->width + i + v * VLANES, type);
    row_rest(x, q, i, m->d, DT_F32);
    for (int s = 0; s < n && i < m->d; s++) {
        row_rest(y, r.x, at + s * m->width + i, at + s * m->width + m->d, type);
        for (int v = 0; v < 2; v++)
            lane[s][v] += vf_load(x + v * VLANES) * vf_load(y + v * VLANES);
    }
    ROW_EACH(s, ROWS_AT_ONCE)
    sum[s] = lane[s][0] + lane[s][1];
    row_fold(sum, y);
    for (int s = 0; s < n; s++)
        score[j + s] = y[s];
}

ROW_INLINE void score_all(float *score, const float *q, rows_of r, int64_t n, const step_dims *m,
                          dtype type)
{
    int64_t j = 0;
    for (; j + ROWS_AT_ONCE <= n; j += ROWS_AT_ONCE) {
        ROW_EACH(s, ROWS_AT_ONCE)
        ask_ahead(r, j + s, m, type);
        score_some(score, q, r, j, ROWS_AT_ONCE, m, type);
    }
    for (; j < n; j++)
        score_some(score, q, r, j, 1, m, type);
}

static void score_rows(float *score, const float *q, rows_of r, int64_t n, const step_dims *m)
{
    if (r.type == DT_BF16)
        score_all(score, q, r, n, m, DT_BF16);
    else
        score_all(score, q, r, n, m, DT_F32);
}

// out += score[j .. j + n] times as many rows, n a constant: a part of `out` is read and written
// once for all of them.
ROW_INLINE void add_some(float *restrict out, const float *score, rows_of r, int64_t j, int n,
                         const step_dims *m, dtype type)
{
    int64_t at = r.at + j * m->width;
    for (int s = 0; s < n; s++)
        ask_ahead(r, j + s, m, type);
    for (int64_t i = 0; i < m->d; i++)
        for (int s = 0; s < n; s++)
            out[i] += score[j + s] * row_weight(r.x, at + s * m->width + i, type);
}

ROW_INLINE void add_all(float *restrict out, const float *score, rows_of r, int64_t n,
                        const step_dims *m, dtype type)
{
    int64_t j = 0;
    for (; j + ROWS_AT_ONCE <= n; j += ROWS_AT_ONCE)
        add_some(out, score, r, j, ROWS_AT_ONCE, m, type);
    for (; j < n; j++)
        add_some(out, score, r, j, 1, m, type);
}

static void add_rows(float *restrict out, const float *score, rows_of r, int64_t n,
                     const step_dims *m)
{
    if (r.type == DT_BF16)
        add_all(out, score, r, n, m, DT_BF16);
    else
        add_all(out, score, r, n, m, DT_F32);
}

static void head_forward(const call *c, float *score, int64_t item)
{
    step_dims m = dims_at(c);
    int64_t at = item / m.h * m.t * m.width + item % m.h * m.d,
            past = item / m.h * m.c * m.width + item % m.h * m.d;
    const float *table = c->in[6], *k = (const float *)c->in[1] + at;
    dtype cached = c->n->in[3]->type;
    rows_of keys = {c->in[3], past, cached}, values = {c->in[4], past, cached},
            new_keys = {c->out[1], at, DT_F32}, new_values = {c->in[2], at, DT_F32};
    float *turned = (float *)c->out[1] + at, q[HEAD_MOST], out[HEAD_MOST];
    for (int64_t t = 0; t < m.t; t++)
        head_turn(turned + t * m.width, k + t * m.width, table + t * m.d, m.d, 1, false);
    for (int64_t t = 0; t < m.t; t++) {
        int64_t n = m.length + t + 1;
        head_turn(q, (const float *)c->in[0] + at + t * m.width, table + t * m.d, m.d, m.scale,
                  false);
        score_rows(score, q, keys, m.length, &m);
        score_rows(score + m.length, q, new_keys, t + 1, &m);
        float top = lanes_max(score, n);
        for (int64_t j = 0; j < n; j++)
            score[j] = vm_exp(score[j] - top);
        memset(out, 0, (size_t)m.d * sizeof *out);
        add_rows(out, score, values, m.length, &m);
        add_rows(out, score + m.length, new_values, t + 1, &m);
        head_turn((float *)c->out[0] + at + t * m.width, out, NULL, m.d, 1 / lanes_sum(score, n),
                  false);
    }
}

static void forward(const call *c)
{
    step_dims m = dims_of(c->n);
    head_jobs(c, head_forward, m.b * m.h, workspace(c));
}

// Row j of what a query sees, of the cache (input `in`) or of the new rows, in f64.
static void row_of(double *to, const call *c, const step_dims *m, int in, const float *fresh,
                   int64_t item, int64_t j)
{
    int64_t b = item / m->h, at = item % m->h * m->d;
    for (int64_t i = 0; i < m->d; i++)
        to[i] = (double)(j < m->length ? row_weight(c->in[in], (b * m->c + j) * m->width + at + i,
                                                    c->n->in[in]->type)
                                       : fresh[(b * m->t + j - m->length) * m->width + at + i]);
}

static void reference_row(const call *c, const step_dims *m, int64_t item, int64_t t)
{
    const float *turned = c->out[1], *table = c->in[6];
    int64_t at = item / m->h * m->t * m->width + item % m->h * m->d + t * m->width,
            n = m->length + t + 1;
    double q[HEAD_MOST], row[HEAD_MOST], out[HEAD_MOST] = {0}, top = -INFINITY, total = 0;
    arena a = {.name = "scores"};
    double *score = NEW(&a, double, (size_t)n);
    head_exact(q, (const float *)c->in[0] + at, table + t * m->d, m->d);
    for (int64_t j = 0; j < n; j++) {
        row_of(row, c, m, 3, turned, item, j);
        for (int64_t x = 0; x < m->d; x++)
            score[j] += q[x] * row[x] / sqrt((double)m->d);
        top = score[j] > top ? score[j] : top;
    }
    for (int64_t j = 0; j < n; j++) {
        row_of(row, c, m, 4, c->in[2], item, j);
        total += exp(score[j] - top);
        for (int64_t x = 0; x < m->d; x++)
            out[x] += exp(score[j] - top) * row[x];
    }
    for (int64_t x = 0; x < m->d; x++)
        ((float *)c->out[0])[at + x] = (float)(out[x] / total);
    arena_free(&a);
}

static void reference(const call *c)
{
    step_dims m = dims_at(c);
    for (int64_t item = 0; item < m.b * m.h; item++) {
        int64_t at = item / m.h * m.t * m.width + item % m.h * m.d;
        for (int64_t t = 0; t < m.t; t++) {
            double k[HEAD_MOST];
            head_exact(k, (const float *)c->in[1] + at + t * m.width,
                       (const float *)c->in[6] + t * m.d, m.d);
            for (int64_t x = 0; x < m.d; x++)
                ((float *)c->out[1])[at + t * m.width + x] = (float)k[x];
        }
        for (int64_t t = 0; t < m.t; t++)
            reference_row(c, &m, item, t);
    }
}

// The first `length` rows of a cache, and the new ones behind them, as heads.
static const char *emit_behind(emitter *m, const char *cache, const char *length, const char *rows,
                               const step_dims *d)
{
    const int64_t zero = 0, one = 1;
    const char *kept = emit_fresh(m, "kept"), *both = emit_fresh(m, "keys");
    emit_node(m, "Slice", 4,
              (const char *[]){cache, emit_i64(m, 1, &zero), length, emit_i64(m, 1, &one)}, 1,
              &kept, 0, NULL);
    emit_node(m, "Concat", 2, (const char *[]){kept, rows}, 1, &both, 1,
              &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = 1});
    return emit_heads(m, both, d->h, d->d);
}

static void portable(const node *n, emitter *m)
{
    step_dims d = dims_of(n);
    const char *table = emit_in(m, n, 6), *turned = emit_out(m, n, 1),
               *length = emit_fresh(m, "length"), *past = emit_fresh(m, "length");
    emit_node(m, "Cast", 1, (const char *[]){emit_in(m, n, 5)}, 1, &length, 1,
              &(emit_attr){.name = "to", .kind = EMIT_INT, .i = 7});
    emit_node(m, "Squeeze", 1, &length, 1, &past, 0, NULL);
    emit_joined(m, emit_turned(m, emit_heads(m, emit_in(m, n, 1), d.h, d.d), table), d.width,
                turned);
    const char *qkv[] = {emit_turned(m, emit_heads(m, emit_in(m, n, 0), d.h, d.d), table),
                         emit_behind(m, emit_in(m, n, 3), length, turned, &d),
                         emit_behind(m, emit_in(m, n, 4), length, emit_in(m, n, 2), &d)};
    emit_attention(m, qkv, d.scale, emit_binary(m, "Add", past, emit_i64_scalar(m, 1)), d.width,
                   emit_out(m, n, 0));
}

static tensor *build(graph *g, tensor *const in[], int heads)
{
    tensor *table = op_rope_table(g, in[0], in[5], (int)(in[0]->shape.d[2] / heads));
    return op_attention_step(g, (tensor *[]){in[0], in[1], in[2], in[3], in[4]}, in[5], table,
                             heads, NULL);
}
static tensor *build_2(graph *g, tensor *const in[])
{
    return build(g, in, 2);
}
static tensor *build_1(graph *g, tensor *const in[])
{
    return build(g, in, 1);
}
static tensor *build_narrow(graph *g, tensor *const in[])
{
    return build(g,
                 (tensor *[]){in[0], in[1], in[2], op_cast(g, in[3], DT_BF16),
                              op_cast(g, in[4], DT_BF16), in[5]},
                 2);
}
#define NEW_ROWS(...)                                                                              \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(3, __VA_ARGS__), .scale = 1, .no_gradient = true             \
    }
#define LENGTH_OF(n)                                                                               \
    {                                                                                              \
        .type = DT_I32, .shape = DIMS(1, 1), .low = (n), .below = (n) + 1                          \
    }
#define ROWS(b, t, w)  NEW_ROWS(b, t, w), NEW_ROWS(b, t, w), NEW_ROWS(b, t, w)
#define CACHE(b, c, w) NEW_ROWS(b, c, w), NEW_ROWS(b, c, w)
static const op_sample samples[] = {
    {.what = "one row behind some",
     .n = 6,
     .in = {ROWS(2, 1, 12), CACHE(2, 20, 12), LENGTH_OF(13)},
     .build = build_2},
    {.what = "the first row",
     .n = 6,
     .in = {ROWS(1, 1, 80), CACHE(1, 5, 80), LENGTH_OF(0)},
     .build = build_1},
    {.what = "several rows, a full cache",
     .n = 6,
     .in = {ROWS(1, 7, 132), CACHE(1, 70, 132), LENGTH_OF(70)},
     .build = build_2},
    {.what = "a cache of bf16",
     .n = 6,
     .in = {ROWS(2, 1, 84), CACHE(2, 40, 84), LENGTH_OF(31)},
     .build = build_narrow,
     .unexported = true},
};

const op_def VARIANT(op_attention_step) = {
    .name = "attention_step",
    OP_F32(7, 2),
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    .forward = forward,
    .reference = reference,
    .no_gradient = "it serves generation, through which nothing is learnt",
    .portable = portable,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_attention_step(graph *g, tensor *const qkv_cache[5], tensor *length, tensor *table,
                          int heads, tensor **turned)
{
    attention_attrs a = {heads, true};
    tensor *in[7] = {qkv_cache[0], qkv_cache[1], qkv_cache[2], qkv_cache[3],
                     qkv_cache[4], length,       table};
    tensor *y = graph_add(g, OP_attention_step, &a, sizeof a, 7, in);
    if (turned)
        *turned = tensor_poisoned(y) ? y : y->from->out[1];
    return y;
}
#endif
