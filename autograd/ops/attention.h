// SPDX-License-Identifier: GPL-3.0-or-later
// attention.h: what attention and attention_back have in common: attributes, sizes, and how heads
// come from and go to [B, T, H d].
//
// Heads are never transposed in memory. A thread takes one head of one sequence, copies its keys
// and values into panels (panel.h) that stay in the second cache, and walks over the queries in
// tiles of TILE_ROWS rows, TILE_KEYS keys at a time. Rotary positions and the factor 1 / sqrt(d)
// are applied in that copy; rows are padded to whole panels with zeros.
#ifndef KMIDI_AUTOGRAD_OPS_ATTENTION_H
#define KMIDI_AUTOGRAD_OPS_ATTENTION_H

#include <math.h>
#include <string.h>

#include "autograd/gemm/gemm.h"
#include "autograd/ops/head.h"
#include "autograd/ops/head_jobs.h"
#include "autograd/ops/kernel.h"
#include "autograd/ops/panel.h"
#include "base/vmath.h"

enum { TILE_ROWS = 48, TILE_KEYS = 4 * PANEL_WIDTH > 256 ? 2 * PANEL_WIDTH : 4 * PANEL_WIDTH };
// A row of scores is a cache line longer than it need be: at 1 KiB their columns, read for dk and
// dv, would all fall into four sets of the first cache.
enum { SCORE_LD = TILE_KEYS + 16 };

typedef struct attention_attrs {
    int heads;
    bool causal;
} attention_attrs;

typedef struct attention_dims {
    int64_t b, t, s, h, d, width; // batch, queries, keys, heads, of a head, h d
    int64_t dp, sp;               // d and s padded to whole panels
    int64_t behind;               // causal: query i sees keys up to i + behind; else s
    float scale;
} attention_dims;

static inline attention_dims attention_of(const tensor *q, const tensor *k, const void *attrs)
{
    const attention_attrs *a = attrs;
    attention_dims m = {.b = q->shape.d[0],
                        .t = q->shape.d[1],
                        .s = k->shape.d[1],
                        .h = a->heads,
                        .width = q->shape.d[2]};
    m.d = m.width / m.h;
    m.dp = panel_count(m.d, PANEL_WIDTH) * PANEL_WIDTH;
    m.sp = panel_count(m.s, PANEL_WIDTH) * PANEL_WIDTH;
    m.behind = a->causal ? m.s - m.t : m.s;
    m.scale = 1.0f / sqrtf((float)m.d);
    return m;
}

// Pairs of a query and a key that it sees, over all heads.
static inline double attention_pairs(const attention_dims *m)
{
    double seen = m->behind < m->s ? (double)m->behind + 0.5 * (double)(m->t + 1) : (double)m->s;
    return (double)(m->b * m->h) * (double)m->t * seen;
}

// What the planner asks of both directions: nanoseconds, where a number of a pair takes `each` on
// the way to being seen; multiplications and additions of so many products.
static inline double attention_cost(const attention_dims *m, double each)
{
    return attention_pairs(m) * ((double)m->d * each + 1);
}

static inline double attention_flops(const attention_dims *m, int products)
{
    return products * 2 * attention_pairs(m) * (double)m->d;
}

// q [B, T, H d], k and v [B, S, H d]; a table of angles (or NULL) [T, d] turns both queries and
// keys, so S = T.
static inline bool attention_fits(const tensor *q, const tensor *k, const tensor *v,
                                  const tensor *table, const void *attrs, err *e)
{
    char a[64], b[64], c[64];
    const attention_attrs *o = attrs;
    shape sq = q->shape, sk = k->shape;
    bool fits = sq.rank == 3 && sk.rank == 3 && shape_same(sk, v->shape) && sq.d[0] == sk.d[0] &&
                sq.d[2] == sk.d[2];
    if (!fits)
        return rule_fail(e, "queries %s, keys %s and values %s do not fit", shape_text(sq, a),
                         shape_text(sk, b), shape_text(v->shape, c));
    if (o->heads < 1 || sq.d[2] % o->heads || sq.d[2] / o->heads > HEAD_MOST)
        return rule_fail(e, "%d heads do not divide %s into at most %d numbers each", o->heads,
                         shape_text(sq, a), HEAD_MOST);
    if (o->causal && sk.d[1] < sq.d[1])
        return rule_fail(e, "causal queries %s need as many keys, not %s", shape_text(sq, a),
                         shape_text(sk, b));
    if (table && (table->shape.rank != 2 || table->shape.d[0] != sq.d[1] || sk.d[1] != sq.d[1] ||
                  table->shape.d[1] * o->heads != sq.d[2]))
        return rule_fail(e, "angles %s do not fit queries %s of %d heads and keys %s",
                         shape_text(table->shape, a), shape_text(sq, b), o->heads,
                         shape_text(sk, c));
    return true;
}

// What one thread works on: a head of a sequence.
static inline int64_t attention_at(const attention_dims *m, int64_t item, int64_t length)
{
    return item / m->h * length * m->width + item % m->h * m->d; // of row 0
}

// The last key, excluded, that query i sees.
static inline int64_t attention_limit(const attention_dims *m, int64_t i)
{
    return i + 1 + m->behind < m->s ? i + 1 + m->behind : m->s;
}

// A tile of queries beside a block of keys, taken a panel of keys at a time: queries before the
// first that sees any of them are left out.
typedef struct key_panel {
    int64_t at, n;       // keys of the block
    int64_t first, rows; // queries of the tile
} key_panel;

// Queries i0 .. i0 + rows, keys j0 .. j0 + n. for (key_panel p = {0}; next_panel(&p, m, i0, rows,
// j0, n); p.at += p.n)
static inline bool next_panel(key_panel *p, const attention_dims *m, int64_t i0, int64_t rows,
                              int64_t j0, int64_t n)
{
    int64_t unseen = j0 + p->at - m->behind - i0;
    p->n = n - p->at < PANEL_WIDTH ? n - p->at : PANEL_WIDTH;
    p->first = unseen < 0 ? 0 : unseen;
    p->rows = rows - p->first;
    return p->n > 0 && p->rows > 0;
}

// c [rows, keys] = a [rows, dp] times the transposed panels of keys j0 .. j0 + n; rows that see
// nothing of a panel are left as they are.
static inline void tile_scores(float *c, const float *a, const float *transposed,
                               const attention_dims *m, int64_t i0, int64_t rows, int64_t j0,
                               int64_t n)
{
    for (key_panel p = {0}; next_panel(&p, m, i0, rows, j0, n); p.at += p.n)
        panel_product(c + p.first * SCORE_LD + p.at, SCORE_LD, a + p.first * m->dp, m->dp, 1,
                      transposed + (j0 + p.at) * m->d, m->d, p.rows, p.n, false);
}

#endif
