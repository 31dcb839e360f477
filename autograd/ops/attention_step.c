// SPDX-License-Identifier: GPL-3.0-or-later
// attention_step: causal attention of the newest T rows, q, k, v [B, T, H d], behind what a cache
// holds of those before: keys and values [B, C, H d], of which the first `length` rows (an i32)
// count. Queries and keys are turned by the table [T, d] (rope_table from position `length` on);
// the cache's keys were turned when they came. Query i sees the cache and the new rows up to
// itself.
//     -> [B, T, H d]; output 1: the new keys, turned, which belong into the cache behind `length`,
//     as v does.
// The op reads the cache, of f32 or of bf16, and leaves it as it is: whoever owns it puts the rows
// in. For generation: nothing is learnt through it. The rows are read where they lie, once each
// (attention_rows.h), in the order in which they lie: all heads of a few before the next, so that
// memory is asked for what follows. A head of a sequence belongs to one thread, so bits do not
// depend on how many there are.
#include "autograd/ops/attention.h"
#include "autograd/ops/attention_emit.h"
#include "autograd/ops/attention_sums.h"

enum { ROWS_NEAR = 16 }; // whose heads are all done before the next rows come

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

// Floats of a thread: scores, queries and sums of all heads.
static size_t job_room(const step_dims *m)
{
    return (size_t)(m->h * room(m) + (3 * m->width + 15) / 16 * 16);
}

static size_t workspace(const call *c)
{
    step_dims m = dims_of(c->n);
    return head_workspace(c, job_room(&m));
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

// The queries of a sequence b, and its heads lo .. hi.
typedef struct step_job {
    const call *c;
    step_dims m;
    int64_t b, lo, hi;
    float *score; // [heads][room]
    float *query; // [2][heads][d]: as rows of f32 come, and as those of the cache
    float *out;   // [heads][d]
} step_job;

static step_job job_of(const call *c, float *work, int64_t b, int64_t lo, int64_t hi)
{
    step_job j = {c, dims_at(c), b, lo, hi, work, NULL, NULL};
    j.query = work + j.m.h * room(&j.m), j.out = j.query + 2 * j.m.width;
    return j;
}

// Head h of the cached rows of input `in`, or of new rows.
static head_rows_at cached(const step_job *j, int in, int64_t h)
{
    const step_dims *m = &j->m;
    return (head_rows_at){j->c->in[in], j->b * m->c * m->width + h * m->d, m->width, m->d,
                          j->c->n->in[in]->type};
}

static head_rows_at fresh(const step_job *j, const void *x, int64_t h)
{
    const step_dims *m = &j->m;
    return (head_rows_at){x, j->b * m->t * m->width + h * m->d, m->width, m->d, DT_F32};
}

static void turn_query(const step_job *j, int64_t t)
{
    const step_dims *m = &j->m;
    const float *q = (const float *)j->c->in[0] + (j->b * m->t + t) * m->width,
                *table = (const float *)j->c->in[6] + t * m->d;
    for (int64_t h = j->lo; h < j->hi; h++) {
        head_turn(j->query + h * m->d, q + h * m->d, table, m->d, m->scale, false);
        rows_query(j->query + m->width + h * m->d, j->query + h * m->d, m->d, j->c->n->in[3]->type);
    }
}

// All heads of some rows before the next: so the cache is read as it lies.
static void score_all(const step_job *j, int64_t t)
{
    const step_dims *m = &j->m;
    for (int64_t row = 0; row < m->length; row += ROWS_NEAR)
        for (int64_t h = j->lo; h < j->hi; h++)
            rows_score(j->score + h * room(m), j->query + m->width + h * m->d, cached(j, 3, h), row,
                       row + ROWS_NEAR < m->length ? row + ROWS_NEAR : m->length);
    for (int64_t h = j->lo; h < j->hi; h++)
        rows_score(j->score + h * room(m) + m->length, j->query + h * m->d,
                   fresh(j, j->c->out[1], h), 0, t + 1);
}

static void sum_all(const step_job *j, int64_t t)
{
    const step_dims *m = &j->m;
    memset(j->out + j->lo * m->d, 0, (size_t)((j->hi - j->lo) * m->d) * sizeof *j->out);
    for (int64_t row = 0; row < m->length; row += ROWS_NEAR)
        for (int64_t h = j->lo; h < j->hi; h++)
            rows_sum(j->out + h * m->d, j->score + h * room(m), cached(j, 4, h), row,
                     row + ROWS_NEAR < m->length ? row + ROWS_NEAR : m->length);
    for (int64_t h = j->lo; h < j->hi; h++)
        rows_sum(j->out + h * m->d, j->score + h * room(m) + m->length, fresh(j, j->c->in[2], h), 0,
                 t + 1);
}

static void attend(const step_job *j, int64_t t)
{
    const step_dims *m = &j->m;
    int64_t n = m->length + t + 1;
    float *y = (float *)j->c->out[0] + (j->b * m->t + t) * m->width;
    turn_query(j, t);
    score_all(j, t);
    for (int64_t h = j->lo; h < j->hi; h++)
        rows_exp(j->score + h * room(m), n);
    sum_all(j, t);
    for (int64_t h = j->lo; h < j->hi; h++)
        head_turn(y + h * m->d, j->out + h * m->d, NULL, m->d,
                  1 / lanes_sum(j->score + h * room(m), n), false);
}

static void turn_keys(const step_job *j)
{
    const step_dims *m = &j->m;
    for (int64_t t = 0; t < m->t; t++)
        for (int64_t h = j->lo; h < j->hi; h++) {
            int64_t at = (j->b * m->t + t) * m->width + h * m->d;
            head_turn((float *)j->c->out[1] + at, (const float *)j->c->in[1] + at,
                      (const float *)j->c->in[6] + t * m->d, m->d, 1, false);
        }
}

// Items are the heads of all sequences, one behind the other.
static void part(void *arg, int index, int64_t lo, int64_t hi)
{
    const call *c = arg;
    step_dims m = dims_of(c->n);
    float *work = (float *)c->work + (size_t)index * job_room(&m);
    for (int64_t b = lo / m.h; lo < hi; b++, lo = b * m.h) {
        int64_t end = (b + 1) * m.h < hi ? m.h : hi - b * m.h;
        step_job j = job_of(c, work, b, lo - b * m.h, end);
        turn_keys(&j);
        for (int64_t t = 0; t < m.t; t++)
            attend(&j, t);
    }
}

static void forward(const call *c)
{
    step_dims m = dims_of(c->n);
    int64_t each = m.b % c->threads ? (m.h + c->threads - 1) / c->threads : m.h;
    threads_share(c->pool, c->threads, m.b * m.h, each, part, (void *)c);
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
