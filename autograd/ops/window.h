// SPDX-License-Identifier: GPL-3.0-or-later
// window.h: what window_attention and its way back have in common: which tokens of a map [B, H, W,
// C] a window holds, the table that is added to its scores, and who works on what.
//
// Windows are never copied out of the map as a tensor: a token of a window is an offset into it,
// and the cyclic shift is a modulo in that offset. A thread copies one head of one window into its
// workspace, where all that follows stays in the first cache. Scores lie with a key a row and the
// queries beside each other, so that the softmax over keys goes downwards, query by query in a
// lane, and nothing is ever summed across a register.
//
// N tokens of a window, P that rounded up to whole registers; d numbers of a head, D that rounded.
#ifndef KMIDI_AUTOGRAD_OPS_WINDOW_H
#define KMIDI_AUTOGRAD_OPS_WINDOW_H

#include <math.h>
#include <string.h>

#include "autograd/ops/kernel.h"

enum {
    WINDOW_MOST = 256, // tokens
    WINDOW_EDGES = 4,  // inside, at the lower edge, at the right one, at both
    WINDOW_GROUPS = 8, // of a batch, at most: each has a sum of its own for the bias' gradient
};
// What is added to scores of tokens that lie side by side by the shift alone.
static const float window_apart = -100;

typedef struct window_attrs {
    int heads;
    window_cut cut;
} window_attrs;

typedef struct window_dims {
    int64_t b, h, w, c, heads, d, high, wide, down, right;
    int64_t rows, columns; // of windows
    int64_t n, np, dp;     // N, P, D
    int64_t groups;        // of the batch
    float scale;           // 1 / sqrt(d)
} window_dims;

static inline int64_t window_padded(int64_t n)
{
    return (n + VLANES - 1) / VLANES * VLANES;
}

static inline window_dims window_of(const tensor *q, const void *attrs)
{
    const window_attrs *a = attrs;
    window_cut t = a->cut;
    const int64_t *x = q->shape.d;
    window_dims m = {.b = x[0], .h = x[1], .w = x[2], .c = x[3], .heads = a->heads};
    m.high = t.high, m.wide = t.wide, m.down = t.down, m.right = t.right;
    m.d = m.c / m.heads;
    m.rows = m.h / m.high, m.columns = m.w / m.wide;
    m.n = m.high * m.wide;
    m.np = window_padded(m.n), m.dp = window_padded(m.d);
    m.groups = m.b < WINDOW_GROUPS ? m.b : WINDOW_GROUPS;
    m.scale = 1.0f / sqrtf((float)m.d);
    return m;
}

// q, k, v [B, H, W, C]; bias [(2 high - 1) (2 wide - 1), heads].
static inline bool window_fits(const node *n, int q, int bias, err *e)
{
    char x[64], y[64], z[64];
    const window_attrs *a = n->attrs;
    window_cut w = a->cut;
    shape s = n->in[q]->shape, k = n->in[q + 1]->shape, v = n->in[q + 2]->shape,
          t = n->in[bias]->shape;
    if (s.rank != 4 || !shape_same(s, k) || !shape_same(s, v))
        return rule_fail(e, "queries %s, keys %s and values %s are not of one map",
                         shape_text(s, x), shape_text(k, y), shape_text(v, z));
    if (w.high < 1 || w.wide < 1 || s.d[1] % w.high || s.d[2] % w.wide ||
        (int64_t)w.high * w.wide > WINDOW_MOST)
        return rule_fail(e, "windows of %d x %d do not divide %s, or have more than %d tokens",
                         w.high, w.wide, shape_text(s, x), WINDOW_MOST);
    if (w.down < 0 || w.down >= w.high || w.right < 0 || w.right >= w.wide)
        return rule_fail(e, "a shift by %d and %d is none within windows of %d x %d", w.down,
                         w.right, w.high, w.wide);
    if (a->heads < 1 || s.d[3] % a->heads)
        return rule_fail(e, "%d heads do not divide %s", a->heads, shape_text(s, x));
    if (!shape_same(t, shape_of(2, (2 * w.high - 1) * (2 * w.wide - 1), a->heads)))
        return rule_fail(e, "a relative bias %s does not fit windows of %d x %d and %d heads",
                         shape_text(t, x), w.high, w.wide, a->heads);
    return true;
}

static inline double window_pairs(const window_dims *m)
{
    return (double)(m->b * m->h * m->w * m->heads) * (double)m->n;
}

// Which row of the bias' table query i and key j take.
static inline int64_t window_relative(const window_dims *m, int64_t i, int64_t j)
{
    return (i / m->wide - j / m->wide + m->high - 1) * (2 * m->wide - 1) + i % m->wide -
           j % m->wide + m->wide - 1;
}

// Windows at an edge of a shifted map hold what came from the other end of it: bit 0 of `edge`
// says so of rows, bit 1 of columns.
static inline int window_edge(const window_dims *m, int64_t window)
{
    return (m->down && window / m->columns == m->rows - 1) |
           (m->right && window % m->columns == m->columns - 1) << 1;
}

static inline bool window_parted(const window_dims *m, int edge, int64_t i, int64_t j)
{
    int64_t up = m->high - m->down, left = m->wide - m->right;
    return ((edge & 1) && (i / m->wide < up) != (j / m->wide < up)) ||
           ((edge & 2) && (i % m->wide < left) != (j % m->wide < left));
}

// to [edges][N][P]: what is added to the score of key j (row) and query i.
static inline void window_tables(const window_dims *m, const float *bias, int64_t head, float *to)
{
    for (int edge = 0; edge < WINDOW_EDGES; edge++)
        for (int64_t j = 0; j < m->n; j++, to += m->np) {
            bool used = !edge || (m->down && (edge & 1)) || (m->right && (edge & 2));
            for (int64_t i = 0; used && i < m->n; i++)
                to[i] = bias[window_relative(m, i, j) * m->heads + head] +
                        (window_parted(m, edge, i, j) ? window_apart : 0);
            for (int64_t i = used ? m->n : 0; i < m->np; i++)
                to[i] = 0;
        }
}

// ---- Work by threads: a head of a group of the batch is one thread's from its first window to its
// last.
typedef void window_fn(const call *c, const window_dims *m, float *work, int64_t head,
                       int64_t group);
typedef struct window_job {
    const call *c;
    window_fn *fn;
    window_dims m;
    size_t room; // floats of a thread
} window_job;

static inline void window_job_part(void *arg, int index, int64_t lo, int64_t hi)
{
    const window_job *j = arg;
    for (int64_t i = lo; i < hi; i++)
        j->fn(j->c, &j->m, (float *)j->c->work + (size_t)index * j->room, i / j->m.groups,
              i % j->m.groups);
}

static inline void window_jobs(const call *c, window_fn *fn, const window_dims *m, size_t room)
{
    window_job j = {c, fn, *m, room};
    threads_share(c->pool, c->threads, m->heads * m->groups, 1, window_job_part, &j);
}

// Items of a group: [lo, hi) of the batch.
static inline void window_group(const window_dims *m, int64_t group, int64_t *lo, int64_t *hi)
{
    *lo = m->b * group / m->groups, *hi = m->b * (group + 1) / m->groups;
}

#endif
