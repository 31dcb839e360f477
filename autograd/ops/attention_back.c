// SPDX-License-Identifier: GPL-3.0-or-later
// attention_back: the gradients of attention (Dao et al. 2022, algorithm 4). With P = e^(S - lse),
// S = q k^T / sqrt(d):
//     dv = P^T d        dP = d v^T        dS = P o (dP - rowsum(d o out))
//     dq = dS k / sqrt(d)        dk = dS^T q / sqrt(d)
// S and P are computed again, tile by tile, from q, k and the kept log sum of each row; nothing of
// size T x S is ever there. Turned queries and keys are turned back at the end.
// Inputs: d, q, k, v, out, lse[, table]; outputs dq, dk, dv. A head's keys, values and their
// gradients stay in one thread's workspace.
#include "autograd/ops/attention.h"

enum { IN_D, IN_Q, IN_K, IN_V, IN_OUT, IN_LSE, IN_TABLE, INPUTS };

static attention_dims dims_of(const node *n)
{
    return attention_of(n->in[IN_Q], n->in[IN_K], n->attrs);
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape d = n->in[IN_D]->shape, lse = n->in[IN_LSE]->shape;
    if (!attention_fits(n->in[IN_Q], n->in[IN_K], n->in[IN_V], n->in[IN_TABLE], n->attrs, e))
        return false;
    attention_dims m = dims_of(n);
    if (!shape_same(d, n->in[IN_Q]->shape) || !shape_same(d, n->in[IN_OUT]->shape) ||
        !shape_same(lse, shape_of(3, m.b, m.h, m.t)))
        return rule_fail(e, "gradient %s and log sums %s do not fit", shape_text(d, a),
                         shape_text(lse, b));
    for (int i = 1; i < 3; i++)
        n->out[i]->type = DT_F32, n->out[i]->shape = n->in[IN_K]->shape;
    return rule_same(n, e);
}

typedef struct buffers {
    float *keys_transposed, *values_transposed, *keys; // [S / W][d][W] twice, [d / W][S][W]
    float *dk, *dv;                                    // [S, dp]
    // of a tile: [rows, dp] twice, [dp / W][TILE_ROWS][W] twice, [rows, dp]
    float *q, *d, *q_panels, *d_panels, *dq;
    float *p, *ds, *inner; // [rows, keys] twice, [rows]: rowsum(d o out)
} buffers;

static size_t take_buffers(const attention_dims *m, float *base, buffers *w)
{
    size_t at = 0;
    float **tiles[] = {&w->q, &w->d, &w->q_panels, &w->d_panels, &w->dq};
    w->keys_transposed = workspace_take(base, &at, m->sp * m->d);
    w->values_transposed = workspace_take(base, &at, m->sp * m->d);
    w->keys = workspace_take(base, &at, m->s * m->dp);
    w->dk = workspace_take(base, &at, m->s * m->dp);
    w->dv = workspace_take(base, &at, m->s * m->dp);
    for (int i = 0; i < LENGTH(tiles); i++)
        *tiles[i] = workspace_take(base, &at, TILE_ROWS * m->dp);
    w->p = workspace_take(base, &at, TILE_ROWS * SCORE_LD);
    w->ds = workspace_take(base, &at, TILE_ROWS * SCORE_LD);
    w->inner = workspace_take(base, &at, TILE_ROWS);
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
    return attention_cost(&m, 0.15);
}

// Scores again, d v^T, dq, dk, dv.
static double flops(const node *n)
{
    attention_dims m = dims_of(n);
    return attention_flops(&m, 5);
}

// p, ds [n] from scores and d v^T of one row, of which the first `seen` are seen. Whole lanes are
// computed, and cleared behind those.
static inline void row_slopes(float *restrict p, float *restrict ds, int64_t seen, int64_t n,
                              float lse, float inner)
{
    for (int64_t i = 0; i < seen; i += LANES)
        for (int k = 0; k < LANES; k++) {
            float v = vm_exp(p[i + k] - lse);
            p[i + k] = v;
            ds[i + k] = v * (ds[i + k] - inner);
        }
    for (int64_t i = seen > 0 ? seen : 0; i < n; i++)
        p[i] = ds[i] = 0;
}

// dv, dk of a panel of keys from j on, and what it gives to dq.
static void panel_back(const attention_dims *m, const buffers *w, const key_panel *k, int64_t j)
{
    const float *p = w->p + k->first * SCORE_LD + k->at, *ds = w->ds + k->first * SCORE_LD + k->at;
    for (int64_t x = 0; x < m->dp; x += PANEL_WIDTH) {
        int64_t of_rows = x * TILE_ROWS + k->first * PANEL_WIDTH;
        panel_product(w->dv + j * m->dp + x, m->dp, p, 1, SCORE_LD, w->d_panels + of_rows, k->rows,
                      k->n, m->d - x, true);
        panel_product(w->dk + j * m->dp + x, m->dp, ds, 1, SCORE_LD, w->q_panels + of_rows, k->rows,
                      k->n, m->d - x, true);
        panel_product(w->dq + k->first * m->dp + x, m->dp, ds, SCORE_LD, 1,
                      w->keys + x * m->s + j * PANEL_WIDTH, k->n, k->rows, m->d - x, true);
    }
}

static void meet_keys(const attention_dims *m, const buffers *w, const float *lse, int64_t i0,
                      int64_t rows, int64_t j0, int64_t n)
{
    tile_scores(w->p, w->q, w->keys_transposed, m, i0, rows, j0, n);
    tile_scores(w->ds, w->d, w->values_transposed, m, i0, rows, j0, n);
    for (int64_t r = 0; r < rows; r++) {
        int64_t seen = attention_limit(m, i0 + r) - j0;
        row_slopes(w->p + r * SCORE_LD, w->ds + r * SCORE_LD, seen < n ? seen : n, n, lse[r],
                   w->inner[r]);
    }
    for (key_panel p = {0}; next_panel(&p, m, i0, rows, j0, n); p.at += p.n)
        panel_back(m, w, &p, j0 + p.at);
}

static void load_tile(const call *c, const attention_dims *m, const buffers *w, int64_t at,
                      int64_t i0, int64_t rows)
{
    const float *table = c->in[IN_TABLE];
    head_rows(w->q,
              &(head){(const float *)c->in[IN_Q] + at, m->width, m->d, m->dp, table, m->scale}, i0,
              rows);
    head_rows(w->d, &(head){(const float *)c->in[IN_D] + at, m->width, m->d, m->dp, NULL, 1}, i0,
              rows);
    panels_of_columns(w->q_panels, w->q, rows, m->dp, TILE_ROWS);
    panels_of_columns(w->d_panels, w->d, rows, m->dp, TILE_ROWS);
    memset(w->dq, 0, (size_t)(rows * m->dp) * sizeof *w->dq);
    for (int64_t r = 0; r < rows; r++) {
        const float *out = (const float *)c->in[IN_OUT] + at + (i0 + r) * m->width;
        float both[HEAD_MOST];
        for (int64_t i = 0; i < m->d; i++)
            both[i] = w->d[r * m->dp + i] * out[i];
        w->inner[r] = lanes_sum(both, m->d);
    }
}

static void store_rows(float *to, const float *rows, const attention_dims *m, const float *table,
                       int64_t n, float scale)
{
    for (int64_t r = 0; r < n; r++)
        head_turn(to + r * m->width, rows + r * m->dp, table ? table + r * m->d : NULL, m->d, scale,
                  true);
}

static void head_back(const call *c, float *work, int64_t item)
{
    attention_dims m = dims_of(c->n);
    buffers w;
    (void)take_buffers(&m, work, &w);
    int64_t at = attention_at(&m, item, m.t), of_keys = attention_at(&m, item, m.s);
    const float *table = c->in[IN_TABLE], *lse = (const float *)c->in[IN_LSE] + item * m.t;
    head_pack(w.keys, w.keys_transposed,
              &(head){(const float *)c->in[IN_K] + of_keys, m.width, m.d, m.dp, table, 1}, m.s);
    head_pack(NULL, w.values_transposed,
              &(head){(const float *)c->in[IN_V] + of_keys, m.width, m.d, m.dp, NULL, 1}, m.s);
    memset(w.dk, 0, (size_t)(m.s * m.dp) * sizeof *w.dk);
    memset(w.dv, 0, (size_t)(m.s * m.dp) * sizeof *w.dv);
    for (int64_t i0 = 0; i0 < m.t; i0 += TILE_ROWS) {
        int64_t rows = m.t - i0 < TILE_ROWS ? m.t - i0 : TILE_ROWS,
                end = attention_limit(&m, i0 + rows - 1);
        load_tile(c, &m, &w, at, i0, rows);
        for (int64_t j0 = 0; j0 < end; j0 += TILE_KEYS)
            meet_keys(&m, &w, lse + i0, i0, rows, j0, end - j0 < TILE_KEYS ? end - j0 : TILE_KEYS);
        store_rows((float *)c->out[0] + at + i0 * m.width, w.dq, &m,
                   table ? table + i0 * m.d : NULL, rows, m.scale);
    }
    store_rows((float *)c->out[1] + of_keys, w.dk, &m, table, m.s, 1);
    store_rows((float *)c->out[2] + of_keys, w.dv, &m, NULL, m.s, 1);
}

static void forward(const call *c)
{
    attention_dims m = dims_of(c->n);
    head_jobs(c, head_back, m.b * m.h, workspace(c));
}

// S and P of one row at a time, in f64; dk and dv are gathered over all rows.
static void exact_row(const call *c, const attention_dims *m, int64_t at, int64_t of_keys,
                      int64_t i, double *dk, double *dv)
{
    const float *table = c->in[IN_TABLE], *angle = table ? table + i * m->d : NULL;
    const float *d = (const float *)c->in[IN_D] + at, *out = (const float *)c->in[IN_OUT] + at;
    double inner = 0, q[HEAD_MOST], k[HEAD_MOST], dq[HEAD_MOST] = {0},
           scale = 1 / sqrt((double)m->d);
    head_exact(q, (const float *)c->in[IN_Q] + at, angle, m->d);
    for (int64_t x = 0; x < m->d; x++)
        inner += (double)d[x] * (double)out[x];
    for (int64_t j = 0; j < attention_limit(m, i); j++) {
        const float *v = (const float *)c->in[IN_V] + of_keys + j * m->width;
        double s = 0, dp = 0;
        head_exact(k, (const float *)c->in[IN_K] + of_keys + j * m->width,
                   table ? table + j * m->d : NULL, m->d);
        for (int64_t x = 0; x < m->d; x++)
            s += q[x] * k[x] * scale, dp += (double)d[x] * (double)v[x];
        double p =
            exp(s - (double)((const float *)c->in[IN_LSE])[at / (m->t * m->width) * m->h * m->t +
                                                           at % m->width / m->d * m->t + i]);
        for (int64_t x = 0; x < m->d; x++) {
            dv[j * m->d + x] += p * (double)d[x];
            dk[j * m->d + x] += p * (dp - inner) * scale * q[x];
            dq[x] += p * (dp - inner) * scale * k[x];
        }
    }
    head_exact_back((float *)c->out[0] + at, dq, angle, m->d);
}

static void reference(const call *c)
{
    attention_dims m = dims_of(c->n);
    const float *table = c->in[IN_TABLE];
    for (int64_t item = 0; item < m.b * m.h; item++) {
        int64_t at = attention_at(&m, item, m.t), of_keys = attention_at(&m, item, m.s);
        arena a = {.name = "gradients"};
        double *dk = NEW(&a, double, (size_t)(m.s * m.d)),
               *dv = NEW(&a, double, (size_t)(m.s * m.d));
        for (int64_t i = 0; i < m.t; i++)
            exact_row(c, &m, at + i * m.width, of_keys, i, dk, dv);
        for (int64_t j = 0; j < m.s; j++) {
            head_exact_back((float *)c->out[1] + of_keys + j * m.width, dk + j * m.d,
                            table ? table + j * m.d : NULL, m.d);
            head_exact_back((float *)c->out[2] + of_keys + j * m.width, dv + j * m.d, NULL, m.d);
        }
        arena_free(&a);
    }
}

static tensor *build_causal(graph *g, tensor *const in[])
{
    tensor *o = op_attention(g, in[1], in[2], in[3], NULL, 2, true);
    return op_attention_back(g, o->from, in[0]);
}
static tensor *build_cross(graph *g, tensor *const in[])
{
    tensor *o = op_attention(g, in[1], in[2], in[3], NULL, 3, false);
    return op_attention_back(g, o->from, in[0]);
}
static tensor *build_turned(graph *g, tensor *const in[])
{
    tensor *o = op_attention(g, in[1], in[2], in[3], op_rope_table(g, in[1], NULL, 8), 2, true);
    return op_attention_back(g, o->from, in[0]);
}
#define HEADS_OF(T, S, width)                                                                      \
    VALUES(3, 2, T, width), VALUES(3, 2, T, width), VALUES(3, 2, S, width), VALUES(3, 2, S, width)
static const op_sample samples[] = {
    {.what = "causal", .n = 4, .in = {HEADS_OF(7, 7, 8)}, .build = build_causal},
    {.what = "cross, other length", .n = 4, .in = {HEADS_OF(5, 8, 27)}, .build = build_cross},
    {.what = "several tiles, rotary positions",
     .n = 4,
     .in = {HEADS_OF(140, 140, 16)},
     .build = build_turned},
};

const op_def VARIANT(op_attention_back) = {
    .name = "attention_back",
    OP_F32(INPUTS, 3),
    .optional = 1u << IN_TABLE,
    .flags = OP_INPLACE0 | OP_INPLACE1,
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    OP_BACK_KERNELS(forward, reference),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_attention_back(graph *g, const node *attention, tensor *d)
{
    const node *n = attention;
    tensor *in[INPUTS] = {d, n->in[0], n->in[1], n->in[2], n->out[0], n->out[1], n->in[3]};
    return graph_add(g, OP_attention_back, n->attrs, sizeof(attention_attrs), INPUTS, in);
}
#endif
