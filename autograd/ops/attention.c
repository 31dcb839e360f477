// SPDX-License-Identifier: GPL-3.0-or-later
// attention: softmax(q k^T / sqrt(d)) v for each of H heads
// (torch.nn.functional.scaled_dot_product_attention), q [B, T, H d], k and v [B, S, H d] -> [B, T,
// H d]; `causal`: query i sees keys up to i + S - T. With a table (rope_table) queries and keys are
// turned first.
//     dq, dk, dv by attention_back.
// The T x S matrix is never there: a tile of queries meets a block of keys after another, with the
// softmax's maximum and sum so far, and what was gathered is scaled down when the maximum rises
// (Milakov and Gimelshein 2018; Dao et al. 2022, algorithm 1). Kept for the way back is log sum
// e^score of each row, output 1 [B, H, T]. Each head of each sequence belongs to one thread from
// its first to its last row, so bits do not depend on how many there are. A query alone, as in
// generation, meets keys and values where they lie.
#include "autograd/ops/attention.h"
#include "autograd/ops/attention_emit.h"
#include "autograd/ops/attention_sums.h"

static attention_dims dims_of(const node *n)
{
    return attention_of(n->in[0], n->in[1], n->attrs);
}

static bool rule(const node *n, err *e)
{
    shape q = n->in[0]->shape;
    if (!attention_fits(n->in[0], n->in[1], n->in[2], n->in[3], n->attrs, e))
        return false;
    n->out[1]->type = DT_F32;
    n->out[1]->shape = shape_of(3, q.d[0], ((const attention_attrs *)n->attrs)->heads, q.d[1]);
    return rule_same(n, e);
}

typedef struct buffers {
    float *keys, *values; // [S / W][d][W], [d / W][S][W]
    // of a tile: [rows, dp], [rows, keys], [rows, dp], [rows], [rows]
    float *q, *score, *out, *top, *total;
} buffers;

static size_t take_buffers(const attention_dims *m, float *base, buffers *w)
{
    size_t at = 0;
    w->keys = workspace_take(base, &at, m->sp * m->d);
    w->values = workspace_take(base, &at, m->s * m->dp);
    w->q = workspace_take(base, &at, TILE_ROWS * m->dp);
    w->score = workspace_take(base, &at, TILE_ROWS * SCORE_LD);
    w->out = workspace_take(base, &at, TILE_ROWS * m->dp);
    w->top = workspace_take(base, &at, TILE_ROWS);
    w->total = workspace_take(base, &at, TILE_ROWS);
    return at;
}

static size_t workspace(const call *c)
{
    attention_dims m = dims_of(c->n);
    return head_workspace(c, take_buffers(&m, NULL, &(buffers){0}));
}

static double cost(const call *c)
{
    attention_dims m = dims_of(c->n);
    return attention_cost(&m, 0.06);
}

// Scores and the sum over values.
static double flops(const node *n)
{
    attention_dims m = dims_of(n);
    return attention_flops(&m, 2);
}

// A row of scores of which the first n are seen becomes e^(score - top) over all `width`; what was
// gathered before is scaled down. Whole lanes are computed: what lies behind n is some score, too,
// and is cleared after.
static inline void row_softmax(float *s, int64_t n, int64_t width, float *top, float *total,
                               float *out, int64_t dp)
{
    if (n > 0) {
        float highest = lanes_max(s, n), old = *top;
        *top = highest > old ? highest : old;
        float now = *top, down = *total > 0 ? vm_exp(old - now) : 1.0f;
        for (int64_t i = 0; i < n; i += LANES)
            for (int k = 0; k < LANES; k++)
                s[i + k] = vm_exp(s[i + k] - now);
        *total = *total * down + lanes_sum(s, n);
        if (down != 1.0f)
            for (int64_t i = 0; i < dp; i++)
                out[i] *= down;
    }
    for (int64_t i = n > 0 ? n : 0; i < width; i++)
        s[i] = 0;
}

static void meet_keys(const attention_dims *m, const buffers *w, int64_t i0, int64_t rows,
                      int64_t j0, int64_t n)
{
    tile_scores(w->score, w->q, w->keys, m, i0, rows, j0, n);
    for (int64_t r = 0; r < rows; r++) {
        int64_t seen = attention_limit(m, i0 + r) - j0;
        row_softmax(w->score + r * SCORE_LD, seen < n ? seen : n, n, &w->top[r], &w->total[r],
                    w->out + r * m->dp, m->dp);
    }
    for (key_panel p = {0}; next_panel(&p, m, i0, rows, j0, n); p.at += p.n)
        for (int64_t x = 0; x < m->dp; x += PANEL_WIDTH)
            panel_product(w->out + p.first * m->dp + x, m->dp, w->score + p.first * SCORE_LD + p.at,
                          SCORE_LD, 1, w->values + x * m->s + (j0 + p.at) * PANEL_WIDTH, p.n,
                          p.rows, m->d - x, true);
}

static void head_forward(const call *c, float *work, int64_t item)
{
    attention_dims m = dims_of(c->n);
    buffers w;
    (void)take_buffers(&m, work, &w);
    int64_t at = attention_at(&m, item, m.t), of_keys = attention_at(&m, item, m.s);
    const float *table = c->in[3];
    float *lse = (float *)c->out[1] + item * m.t;
    head q = {(const float *)c->in[0] + at, m.width, m.d, m.dp, table, m.scale};
    head_pack(NULL, w.keys,
              &(head){(const float *)c->in[1] + of_keys, m.width, m.d, m.dp, table, 1}, m.s);
    head_pack(w.values, NULL,
              &(head){(const float *)c->in[2] + of_keys, m.width, m.d, m.dp, NULL, 1}, m.s);
    for (int64_t i0 = 0; i0 < m.t; i0 += TILE_ROWS) {
        int64_t rows = m.t - i0 < TILE_ROWS ? m.t - i0 : TILE_ROWS,
                end = attention_limit(&m, i0 + rows - 1);
        head_rows(w.q, &q, i0, rows);
        memset(w.out, 0, (size_t)(rows * m.dp) * sizeof *w.out);
        for (int64_t r = 0; r < rows; r++)
            w.top[r] = -INFINITY, w.total[r] = 0;
        for (int64_t j0 = 0; j0 < end; j0 += TILE_KEYS)
            meet_keys(&m, &w, i0, rows, j0, end - j0 < TILE_KEYS ? end - j0 : TILE_KEYS);
        for (int64_t r = 0; r < rows; r++) {
            head_turn((float *)c->out[0] + at + (i0 + r) * m.width, w.out + r * m.dp, NULL, m.d,
                      1 / w.total[r], false);
            lse[i0 + r] = w.top[r] + logf(w.total[r]);
        }
    }
}

// A query that is alone uses each key and value once: they are read where they lie, without panels.
static bool is_alone(const attention_dims *m, const call *c)
{
    return m->t == 1 && !c->in[3] && m->s <= TILE_ROWS * SCORE_LD;
}

static void head_alone(const call *c, float *work, int64_t item)
{
    attention_dims m = dims_of(c->n);
    buffers w;
    (void)take_buffers(&m, work, &w);
    int64_t at = attention_at(&m, item, 1), of_keys = attention_at(&m, item, m.s);
    head_rows_at keys = {c->in[1], of_keys, m.width, m.d, DT_F32},
                 values = {c->in[2], of_keys, m.width, m.d, DT_F32};
    head_turn(w.q, (const float *)c->in[0] + at, NULL, m.d, m.scale, false);
    rows_score(w.score, w.q, keys, 0, m.s);
    float top = rows_exp(w.score, m.s), total = lanes_sum(w.score, m.s);
    memset(w.out, 0, (size_t)m.d * sizeof *w.out);
    rows_sum(w.out, w.score, values, 0, m.s);
    head_turn((float *)c->out[0] + at, w.out, NULL, m.d, 1 / total, false);
    ((float *)c->out[1])[item] = top + logf(total);
}

static void forward(const call *c)
{
    attention_dims m = dims_of(c->n);
    head_jobs(c, is_alone(&m, c) ? head_alone : head_forward, m.b * m.h, workspace(c));
}

// One row of the T x S matrix at a time.
static void reference_row(const call *c, const attention_dims *m, int64_t item, int64_t i)
{
    const float *table = c->in[3];
    int64_t at = attention_at(m, item, m->t) + i * m->width, keys = attention_at(m, item, m->s),
            end = attention_limit(m, i);
    double q[HEAD_MOST], k[HEAD_MOST], out[HEAD_MOST] = {0}, top = -INFINITY, total = 0;
    arena a = {.name = "scores"};
    double *score = NEW(&a, double, (size_t)m->s);
    head_exact(q, (const float *)c->in[0] + at, table ? table + i * m->d : NULL, m->d);
    for (int64_t j = 0; j < end; j++) {
        head_exact(k, (const float *)c->in[1] + keys + j * m->width,
                   table ? table + j * m->d : NULL, m->d);
        for (int64_t x = 0; x < m->d; x++)
            score[j] += q[x] * k[x] / sqrt((double)m->d);
        top = score[j] > top ? score[j] : top;
    }
    for (int64_t j = 0; j < end; j++) {
        total += exp(score[j] - top);
        for (int64_t x = 0; x < m->d; x++)
            out[x] +=
                exp(score[j] - top) * (double)((const float *)c->in[2])[keys + j * m->width + x];
    }
    for (int64_t x = 0; x < m->d; x++)
        ((float *)c->out[0])[at + x] = (float)(out[x] / total);
    ((float *)c->out[1])[item * m->t + i] = (float)(top + log(total));
    arena_free(&a);
}

static void reference(const call *c)
{
    attention_dims m = dims_of(c->n);
    for (int64_t item = 0; item < m.b * m.h; item++)
        for (int64_t i = 0; i < m.t; i++)
            reference_row(c, &m, item, i);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    rule_take(op_attention_back(g, n, dout[0]), 3, din, want);
}

static void portable(const node *n, emitter *m)
{
    attention_dims d = dims_of(n);
    const char *table = n->in[3] ? emit_in(m, n, 3) : NULL;
    const char *qkv[] = {emit_turned(m, emit_heads(m, emit_in(m, n, 0), d.h, d.d), table),
                         emit_turned(m, emit_heads(m, emit_in(m, n, 1), d.h, d.d), table),
                         emit_heads(m, emit_in(m, n, 2), d.h, d.d)};
    const char *unseen =
        ((const attention_attrs *)n->attrs)->causal ? emit_i64_scalar(m, 1 + d.s - d.t) : NULL;
    emit_attention(m, qkv, d.scale, unseen, d.width, emit_out(m, n, 0));
}

static tensor *build_causal(graph *g, tensor *const in[])
{
    return op_attention(g, in[0], in[1], in[2], NULL, 2, true);
}
static tensor *build_cross(graph *g, tensor *const in[])
{
    return op_attention(g, in[0], in[1], in[2], NULL, 3, false);
}
static tensor *build_turned(graph *g, tensor *const in[])
{
    return op_attention(g, in[0], in[1], in[2], op_rope_table(g, in[0], NULL, 8), 2, true);
}
#define HEADS_OF(T, S, width) VALUES(3, 2, T, width), VALUES(3, 2, S, width), VALUES(3, 2, S, width)
static const op_sample samples[] = {
    {.what = "causal", .n = 3, .in = {HEADS_OF(7, 7, 8)}, .build = build_causal},
    {.what = "one token", .n = 3, .in = {HEADS_OF(1, 5, 6)}, .build = build_causal},
    {.what = "a query alone", .n = 3, .in = {HEADS_OF(1, 40, 66)}, .build = build_cross},
    {.what = "behind a cache", .n = 3, .in = {HEADS_OF(3, 9, 8)}, .build = build_causal},
    {.what = "cross, other length", .n = 3, .in = {HEADS_OF(5, 8, 27)}, .build = build_cross},
    {.what = "rotary positions", .n = 3, .in = {HEADS_OF(11, 11, 16)}, .build = build_turned},
    {.what = "several tiles of rows and keys",
     .n = 3,
     .in = {HEADS_OF(301, 301, 16)},
     .build = build_turned},
    {.what = "heads wider than a panel",
     .n = 3,
     .in = {HEADS_OF(50, 50, 140)},
     .build = build_causal},
    {.what = "large scores",
     .n = 3,
     .in = {{.type = DT_F32, .shape = DIMS(3, 1, 200, 8), .scale = 12, .no_gradient = true},
            {.type = DT_F32, .shape = DIMS(3, 1, 200, 8), .scale = 12, .no_gradient = true},
            VALUES(3, 1, 200, 8)},
     .build = build_causal},
};

const op_def VARIANT(op_attention) = {
    .name = "attention",
    OP_F32(4, 2),
    .optional = 1u << 3,
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_attention(graph *g, tensor *q, tensor *k, tensor *v, tensor *table, int heads,
                     bool causal)
{
    attention_attrs a = {heads, causal};
    return graph_add(g, OP_attention, &a, sizeof a, 4, (tensor *[]){q, k, v, table});
}
#endif
