// SPDX-License-Identifier: GPL-3.0-or-later
// window_scores.h: a head of a window in a thread's workspace: copied there and back, products of
// matrices as small as that, and the softmax of its scores.
//
// Panels (panel.h) are 64 columns wide where registers have 16 lanes; a window has 16 tokens and a
// head 32 numbers. So these products take their right side as it lies, in whole registers.
#ifndef KMIDI_AUTOGRAD_OPS_WINDOW_SCORES_H
#define KMIDI_AUTOGRAD_OPS_WINDOW_SCORES_H

#include "autograd/ops/panel.h"
#include "autograd/ops/window.h"
#include "base/vmath.h"

// Where the tokens of a head of a window begin in the map.
static inline void window_places(const window_dims *m, int64_t item, int64_t window, int64_t head,
                                 int64_t *at)
{
    int64_t y0 = window / m->columns * m->high + m->down,
            x0 = window % m->columns * m->wide + m->right;
    for (int64_t i = 0; i < m->n; i++) {
        int64_t y = (y0 + i / m->wide) % m->h, x = (x0 + i % m->wide) % m->w;
        at[i] = ((item * m->h + y) * m->w + x) * m->c + head * m->d;
    }
}

// to [N][D] = x [at[i]][d] * scale, zeros behind d
static inline void window_rows(const window_dims *m, const float *x, const int64_t *at, float scale,
                               float *to)
{
    for (int64_t i = 0; i < m->n; i++, to += m->dp) {
        for (int64_t k = 0; k < m->d; k++)
            to[k] = x[at[i] + k] * scale;
        for (int64_t k = m->d; k < m->dp; k++)
            to[k] = 0;
    }
}

// rows [N][D] -> to [d][P], zeros behind N
static inline void window_transpose(const window_dims *m, const float *rows, float *to)
{
    for (int64_t k = 0; k < m->d; k++, to += m->np) {
        for (int64_t i = 0; i < m->n; i++)
            to[i] = rows[i * m->dp + k];
        for (int64_t i = m->n; i < m->np; i++)
            to[i] = 0;
    }
}

static inline void window_back(const window_dims *m, const float *rows, const int64_t *at,
                               float scale, float *x)
{
    for (int64_t i = 0; i < m->n; i++)
        for (int64_t k = 0; k < m->d; k++)
            x[at[i] + k] = rows[i * m->dp + k] * scale;
}

// c [rows, columns] = a w, w [k, columns]; columns are whole registers, and a's element (r, i)
// lies at a[r * row + i * col]. Summed over k in ascending order.
typedef struct window_left {
    const float *a;
    int64_t row, col;
} window_left;

static inline __attribute__((always_inline)) void window_tile(float *restrict c, int64_t width,
                                                              window_left l,
                                                              const float *restrict w, int64_t k,
                                                              int mr, int nv)
{
    vf acc[PANEL_MR_MAX][PANEL_NV];
    PANEL_EACH(r, v, mr, nv)
    acc[r][v] = (vf){0};
    for (int64_t i = 0; i < k; i++, w += width) {
        PANEL_EACH(r, v, mr, nv)
        acc[r][v] += l.a[r * l.row + i * l.col] * *(const vf *)(w + v * VLANES);
    }
    PANEL_EACH(r, v, mr, nv)
    *(vf *)(c + r * width + v * VLANES) = acc[r][v];
}

static inline void window_product(float *c, window_left l, const float *w, int64_t k, int64_t rows,
                                  int64_t width)
{
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, c += 4 * width, l.a += 4 * l.row) {
        int64_t x = 0;
        for (; x + 2 * VLANES <= width; x += 2 * VLANES)
            window_tile(c + x, width, l, w + x, k, 4, 2);
        for (; x < width; x += VLANES)
            window_tile(c + x, width, l, w + x, k, 4, 1);
    }
    for (; r < rows; r++, c += width, l.a += l.row)
        for (int64_t x = 0; x < width; x += VLANES)
            window_tile(c + x, width, l, w + x, k, 1, 1);
}

// Scores [N][P], key by query, become the softmax's weights over keys. `q` [d][P] is scaled, `k`
// [N][D].
static inline void window_weights(const window_dims *m, const float *k, const float *q,
                                  const float *table, float *restrict s)
{
    float top[WINDOW_MOST + VLANES], total[WINDOW_MOST + VLANES];
    window_product(s, (window_left){k, m->dp, 1}, q, m->d, m->n, m->np);
    for (int64_t i = 0; i < m->np; i++)
        top[i] = -INFINITY, total[i] = 0;
    for (int64_t j = 0; j < m->n; j++)
        for (int64_t i = 0; i < m->np; i++) {
            float x = s[j * m->np + i] += table[j * m->np + i];
            top[i] = x > top[i] ? x : top[i];
        }
    for (int64_t j = 0; j < m->n; j++)
        for (int64_t i = 0; i < m->np; i++)
            total[i] += s[j * m->np + i] = vm_exp(s[j * m->np + i] - top[i]);
    for (int64_t i = 0; i < m->np; i++)
        total[i] = 1.0f / total[i];
    for (int64_t j = 0; j < m->n; j++)
        for (int64_t i = 0; i < m->np; i++)
            s[j * m->np + i] *= total[i];
}

#endif
