// SPDX-License-Identifier: GPL-3.0-or-later
// attention_bytes: attention_step of one row of each sequence, q, k, v [B, 1, H d], behind a cache
// of whole numbers of 8 bits with a scale for each head of a row (cache_bytes.h): half the bytes
// of bf16, which are most of what several sequences read. Panels of keys are weights of 16 outputs
// to a row, so scores are a product of few_panels.h, exact in any order, with the query in 14 bits
// (int8_rows.h). What is added up of values is such a product, too: a row's scale goes into its
// e^score, and those become whole numbers of 14 bits. The new row counts as it is, in f32.
//     keys, values (i8), their scales (f32), length (i32, of rows that count), table [1, d]
//     -> [B, 1, H d]; output 1: the new keys, turned, which belong into the cache as v does
// A head of a sequence belongs to one thread, so bits do not depend on how many there are.
#include "autograd/cache_bytes.h"
#include "autograd/ops/attention.h"
#include "autograd/ops/attention_rows.h"
#include "autograd/ops/few_product.h"

enum {
    IN_Q,
    IN_K,
    IN_V,
    IN_KEYS,
    IN_VALUES,
    IN_KEY_SCALES,
    IN_VALUE_SCALES,
    IN_LENGTH,
    IN_TABLE,
    INPUTS
};

// Bytes of a cache that are asked for before they are read: panels are short, and what lies behind
// the rows that are there is asked for in vain.
enum { BYTES_AHEAD = 512 };

typedef struct bytes_attrs {
    attention_attrs a; // first, as attention_fits has it
    int64_t rows;      // of the cache
} bytes_attrs;

typedef struct bytes_dims {
    int64_t b, h, d, width, rows, length;
    int64_t keys, values; // inputs of their panels
} bytes_dims;

static bytes_dims dims_of(const node *n)
{
    const bytes_attrs *a = n->attrs;
    bytes_dims m = {.b = n->in[IN_Q]->shape.d[0], .width = n->in[IN_Q]->shape.d[2]};
    m.h = a->a.heads, m.d = m.width / m.h, m.rows = m.length = a->rows;
    m.keys = few_inputs(m.d, DT_I8), m.values = few_inputs(m.rows, DT_I8);
    return m;
}

static bytes_dims dims_at(const call *c)
{
    bytes_dims m = dims_of(c->n);
    int32_t length = *(const int32_t *)c->in[IN_LENGTH];
    m.length = length < 0 ? 0 : length > m.rows ? m.rows : length;
    return m;
}

static bool fits(const node *n, int in, dtype type, int64_t each)
{
    const bytes_dims m = dims_of(n);
    return n->in[in]->type == type && shape_count(n->in[in]->shape) == m.b * m.h * each;
}

static bool rule(const node *n, err *e)
{
    char a[64];
    const bytes_attrs *o = n->attrs;
    if (!attention_fits(n->in[IN_Q], n->in[IN_K], n->in[IN_V], n->in[IN_TABLE], n->attrs, e))
        return false;
    bytes_dims m = dims_of(n);
    if (n->in[IN_Q]->shape.d[1] != 1 || o->rows < 1)
        return rule_fail(e, "%s is not one row of each sequence before a cache of some",
                         shape_text(n->in[IN_Q]->shape, a));
    if (!fits(n, IN_KEYS, DT_I8, cache_key_bytes(m.rows, m.d)) ||
        !fits(n, IN_VALUES, DT_I8, cache_value_bytes(m.rows, m.d)) ||
        !fits(n, IN_KEY_SCALES, DT_F32, m.rows) || !fits(n, IN_VALUE_SCALES, DT_F32, m.rows))
        return rule_fail(e, "the cache does not fit %lld rows of %lld heads of %lld",
                         (long long)m.rows, (long long)m.h, (long long)m.d);
    if (n->in[IN_LENGTH]->type != DT_I32 || shape_count(n->in[IN_LENGTH]->shape) != 1)
        return rule_fail(e, "the cache's length is one i32, not %s %s",
                         dtype_name(n->in[IN_LENGTH]->type),
                         shape_text(n->in[IN_LENGTH]->shape, a));
    n->out[1]->type = DT_F32;
    n->out[1]->shape = n->in[IN_K]->shape;
    return rule_same(n, e);
}

// What a thread has: scores, those times scales, a query, a sum, and rows of whole numbers.
typedef struct bytes_work {
    float *score, *weight, *query, *out;
    int8_rows steps;
} bytes_work;

static size_t take_work(const bytes_dims *m, char *base, bytes_work *w)
{
    int64_t room = m->values + FEW_WIDTH, dims = m->keys, at = 0;
    float **to[] = {&w->score, &w->weight, &w->query, &w->out};
    const int64_t floats[] = {room, room, dims, dims};
    for (int i = 0; i < LENGTH(to); at += floats[i++] * (int64_t)sizeof(float))
        *to[i] = base ? (float *)(base + at) : NULL;
    return (size_t)at + int8_rows_take(&w->steps, base ? base + at : NULL, 1,
                                       m->keys > m->values ? m->keys : m->values);
}

static size_t work_floats(const bytes_dims *m)
{
    return (take_work(m, NULL, &(bytes_work){0}) + 63) / 64 * LINE;
}

static size_t workspace(const call *c)
{
    bytes_dims m = dims_of(c->n);
    return head_workspace(c, work_floats(&m));
}

static double cost(const call *c)
{
    bytes_dims m = dims_of(c->n);
    return (double)(m.b * m.h) * (double)(m.rows + 1) * ((double)m.d * 0.05 + 5);
}

static double flops(const node *n)
{
    bytes_dims m = dims_of(n);
    return 4 * (double)(m.b * m.h) * (double)(m.rows + 1) * (double)m.d;
}

static const float *ones(void)
{
    static const float one[HEAD_MOST] = {
#define ONES_8  1, 1, 1, 1, 1, 1, 1, 1
#define ONES_64 ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8
        ONES_64, ONES_64, ONES_64, ONES_64, ONES_64, ONES_64, ONES_64, ONES_64};
    return one;
}

// e^(scores - the largest) of the cache's rows and, behind them, of the new one.
static void score(const call *c, const bytes_dims *m, bytes_work *w, int64_t item, const float *k)
{
    few_panels p = {.m = 1, .n = m->length, .k = m->keys, .deep = m->keys, .y = w->score};
    p.ahead = BYTES_AHEAD;
    p.w = (const int8_t *)c->in[IN_KEYS] + item * cache_key_bytes(m->rows, m->d);
    p.scale = (const float *)c->in[IN_KEY_SCALES] + item * m->rows, p.steps = &w->steps;
    few_int8_row(c->kit->products.int8, &p, w->query, m->d);
    w->score[m->length] = lanes_dot(w->query, k, m->d);
    rows_exp(w->score, m->length + 1);
}

// out = what the cache's values come to.
static void add_up(const call *c, const bytes_dims *m, bytes_work *w, int64_t item)
{
    const float *scale = (const float *)c->in[IN_VALUE_SCALES] + item * m->rows;
    few_panels p = {.m = 1, .n = m->d, .k = few_inputs(m->length, DT_I8), .deep = m->values};
    p.w = (const int8_t *)c->in[IN_VALUES] + item * cache_value_bytes(m->rows, m->d);
    p.y = w->out, p.scale = ones(), p.steps = &w->steps, p.ahead = BYTES_AHEAD;
    for (int64_t j = 0; j < m->length; j++)
        w->weight[j] = w->score[j] * scale[j];
    few_int8_row(c->kit->products.int8, &p, w->weight, m->length);
}

static void attend(const call *c, float *work, int64_t item)
{
    bytes_dims m = dims_at(c);
    bytes_work w;
    int64_t at = item * m.d;
    const float *v = (const float *)c->in[IN_V] + at, *table = c->in[IN_TABLE];
    float *y = (float *)c->out[0] + at, *k = (float *)c->out[1] + at;
    (void)take_work(&m, (char *)work, &w);
    head_turn(k, (const float *)c->in[IN_K] + at, table, m.d, 1, false);
    head_turn(w.query, (const float *)c->in[IN_Q] + at, table, m.d, 1.0f / sqrtf((float)m.d),
              false);
    score(c, &m, &w, item, k);
    add_up(c, &m, &w, item);
    float total = 1 / lanes_sum(w.score, m.length + 1), last = w.score[m.length];
    for (int64_t i = 0; i < m.d; i++)
        y[i] = (w.out[i] + last * v[i]) * total;
}

static void forward(const call *c)
{
    bytes_dims m = dims_of(c->n);
    jobs_run(c, attend, m.b * m.h, c->work, work_floats(&m));
}

// x as whole numbers of 14 bits have it.
static void round_row(double *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fabs(x[i]) > most ? fabs(x[i]) : most;
    double step = most > 0 ? exp2(floor(log2(most)) - INT8_ROW_BITS) : 1;
    for (int64_t i = 0; i < n; i++)
        x[i] = rint(x[i] / step) * step;
}

// The numbers of a head, from rows that are rounded as the kernel's.
static void reference_head(const call *c, const bytes_dims *m, int64_t item, double *p)
{
    const int8_t *keys = (const int8_t *)c->in[IN_KEYS] + item * cache_key_bytes(m->rows, m->d),
                 *values =
                     (const int8_t *)c->in[IN_VALUES] + item * cache_value_bytes(m->rows, m->d);
    const float *table = c->in[IN_TABLE], *v = (const float *)c->in[IN_V] + item * m->d,
                *scale = (const float *)c->in[IN_KEY_SCALES] + item * m->rows,
                *by = (const float *)c->in[IN_VALUE_SCALES] + item * m->rows;
    double q[HEAD_MOST], k[HEAD_MOST], last = 0, top, total = 0;
    head_exact(q, (const float *)c->in[IN_Q] + item * m->d, table, m->d);
    head_exact(k, (const float *)c->in[IN_K] + item * m->d, table, m->d);
    for (int64_t i = 0; i < m->d; i++) {
        last += q[i] * k[i] / sqrt((double)m->d), q[i] /= sqrt((double)m->d);
        ((float *)c->out[1])[item * m->d + i] = (float)k[i];
    }
    round_row(q, m->d);
    top = last;
    for (int64_t j = 0; j < m->length; j++) {
        p[j] = 0;
        for (int64_t i = 0; i < m->d; i++)
            p[j] += q[i] * keys[cache_key_at(j, i, m->d)] * (double)scale[j];
        top = p[j] > top ? p[j] : top;
    }
    for (int64_t j = 0; j < m->length; j++)
        total += p[j] = exp(p[j] - top), p[j] *= (double)by[j];
    last = exp(last - top), total += last;
    round_row(p, m->length);
    for (int64_t i = 0; i < m->d; i++) {
        double y = last * (double)v[i];
        for (int64_t j = 0; j < m->length; j++)
            y += p[j] * values[cache_value_at(j, i, m->rows)];
        ((float *)c->out[0])[item * m->d + i] = (float)(y / total);
    }
}

static void reference(const call *c)
{
    bytes_dims m = dims_at(c);
    arena a = {.name = "scores"};
    double *p = NEW(&a, double, (size_t)m.rows);
    for (int64_t item = 0; item < m.b * m.h; item++)
        reference_head(c, &m, item, p);
    arena_free(&a);
}

static tensor *build(graph *g, tensor *const in[], int heads, int64_t rows)
{
    tensor *table = op_rope_table(g, in[0], in[7], (int)(in[0]->shape.d[2] / heads));
    return op_attention_bytes(g, in, in[7], table, heads, rows, NULL);
}
static tensor *build_2(graph *g, tensor *const in[])
{
    return build(g, in, 2, 40);
}
static tensor *build_1(graph *g, tensor *const in[])
{
    return build(g, in, 1, 70);
}
// Of small queries, so that a score that is rounded the other way does not matter.
#define NEW_ROW(small, b, w)                                                                       \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(3, b, 1, w), .scale = (small), .no_gradient = true           \
    }
#define BYTES(n)                                                                                   \
    {                                                                                              \
        .type = DT_I8, .shape = DIMS(1, n)                                                         \
    }
#define SCALES(n)                                                                                  \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(1, n), .scale = 0.01f, .no_gradient = true                   \
    }
#define LENGTH_OF(n)                                                                               \
    {                                                                                              \
        .type = DT_I32, .shape = DIMS(1, 1), .low = (n), .below = (n) + 1                          \
    }
#define SAMPLE(name, built, b, h, d, rows, length)                                                 \
    {                                                                                              \
        .what = name, .n = 8, .build = built, .unexported = true,                                  \
        .in = {NEW_ROW(0.02f, b, (h) * (d)),                                                       \
               NEW_ROW(1, b, (h) * (d)),                                                           \
               NEW_ROW(1, b, (h) * (d)),                                                           \
               BYTES((b) * (h) * (((rows) + 15) / 16 * 16) * (((d) + 63) / 64 * 64)),              \
               BYTES((b) * (h) * (((rows) + 63) / 64 * 64) * (((d) + 15) / 16 * 16)),              \
               SCALES((b) * (h) * (rows)),                                                         \
               SCALES((b) * (h) * (rows)),                                                         \
               LENGTH_OF(length)},                                                                 \
    }
static const op_sample samples[] = {
    SAMPLE("behind some rows", build_2, 2, 2, 6, 40, 31),
    SAMPLE("the first row", build_1, 1, 1, 64, 70, 0),
    SAMPLE("a full cache", build_1, 3, 1, 66, 70, 70),
};

const op_def VARIANT(op_attention_bytes) = {
    .name = "attention_bytes",
    OP_F32(INPUTS, 2),
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    .forward = forward,
    .reference = reference,
    .no_gradient = "it serves generation, through which nothing is learnt",
    .no_portable = "made for generation alone; exports have caches of f32",
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_attention_bytes(graph *g, tensor *const qkv_cache[7], tensor *length, tensor *table,
                           int heads, int64_t rows, tensor **turned)
{
    bytes_attrs a = {{heads, true}, rows};
    tensor *in[INPUTS] = {qkv_cache[0], qkv_cache[1], qkv_cache[2], qkv_cache[3], qkv_cache[4],
                          qkv_cache[5], qkv_cache[6], length,       table};
    tensor *y = graph_add(g, OP_attention_bytes, &a, sizeof a, INPUTS, in);
    if (turned)
        *turned = tensor_poisoned(y) ? y : y->from->out[1];
    return y;
}
#endif
