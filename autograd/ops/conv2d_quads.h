// SPDX-License-Identifier: GPL-3.0-or-later
// conv2d_quads.h: conv2d by squares of four outputs (conv_quads.h), QUADS of them at a time: what
// they need of the pictures stays in the second cache while all panels of filters go by.
#ifndef KMIDI_AUTOGRAD_OPS_CONV2D_QUADS_H
#define KMIDI_AUTOGRAD_OPS_CONV2D_QUADS_H

#include "autograd/ops/conv2d_forms.h"
#include "autograd/ops/conv_quads_shares.h"

enum { QUADS = 64 }; // of a block

// Floats of a thread: parts of pictures, a panel's sums, a patch at an edge, four outputs.
typedef struct quad_room {
    float *parts, *sums, *edge, *four;
} quad_room;

static size_t take_quads(float *work, const conv *v, quad_room *r)
{
    size_t at = 0;
    r->parts = workspace_take(work, &at, QUAD_SIDE * QUAD_SIDE * QUADS * v->c);
    r->sums = workspace_take(work, &at, QUAD_SUMS * QUAD_SUMS * QUADS * PANEL_WIDTH);
    r->edge = workspace_take(work, &at, QUAD_SIDE * QUAD_SIDE * v->c);
    r->four = workspace_take(work, &at, 2 * PANEL_WIDTH);
    return at;
}

static size_t room_in_quads(const call *c, const conv *v)
{
    quad_room r;
    return operands_room(c) + (kept_filters(c) ? 0 : quad_filters(v->c, v->o)) +
           take_quads(NULL, v, &r) * (size_t)c->threads;
}

static float *quad_room_filters(const call *c)
{
    return (float *)c->work + operands_room(c);
}

// Channels lo .. hi of all panels.
static void widen_filters(const call *c, int64_t lo, int64_t hi)
{
    conv v = conv_at(c->n);
    const float *f = (const float *)operand_of(c, IN_F).at;
    for (int64_t o = 0; o < v.o; o += VLANES) {
        float *to = quad_room_filters(c) + quad_column(o, v.c);
        for (int64_t k = lo; k < hi; k++)
            quad_filter(f + k * v.o + o, v.c * v.o, to + k * QUAD_WIDTH, v.c);
    }
}

// All sums of `rows` squares by a panel of n columns.
static void quad_panel(const conv *v, const quad_room *r, const float *panel, int64_t rows,
                       int64_t n)
{
    float *to = r->sums;
    for (int i = 0; i < QUAD_SUMS; i++)
        for (int j = 0; j < QUAD_SUMS; j++, to += QUADS * PANEL_WIDTH) {
            const struct quad_sum *down = quad_sums + i, *across = quad_sums + j;
            int64_t deep = across->n * v->c;
            quad_multiply(&(quad_product){.a = r->parts + quad_part(down->place, j, rows, v->c),
                                          .a_next = QUAD_SIDE * rows * v->c,
                                          .panel = panel + quad_tap(down->tap, across->tap, v->c),
                                          .panel_next = quad_tap(1, 0, v->c),
                                          .c = to,
                                          .rows = rows,
                                          .n = n,
                                          .deep = deep,
                                          .runs = down->n,
                                          .row = deep,
                                          .col = 1,
                                          .panel_row = QUAD_WIDTH});
        }
}

// Two outputs beside each other, in row `down` of a square, of its sums.
static void quad_outputs(const float *sums, int down, float *y0, float *y1, int64_t n)
{
    const int64_t next = QUADS * PANEL_WIDTH;
    for (int64_t k = 0; k < n; k += VLANES) {
        vf s[QUAD_SUMS];
        for (int j = 0; j < QUAD_SUMS; j++)
            s[j] = vf_load(sums + (down * QUAD_SUMS + j) * next + k) +
                   vf_load(sums + ((down + 1) * QUAD_SUMS + j) * next + k);
        *(vf *)(y0 + k) = s[0] + s[1], *(vf *)(y1 + k) = s[1] + s[2];
    }
}

// The outputs of a square, n from `from` on.
static void quad_finish(const call *c, const conv *v, const quad_room *r, const quads *q,
                        int64_t square, const float *sums, int64_t from, int64_t n)
{
    quad_place at = quad_at(q, square);
    for (int down = 0; down < 2 && 2 * at.i + down < v->oh; down++) {
        int64_t j = 2 * at.j, pixel = (at.picture * v->oh + 2 * at.i + down) * v->ow + j,
                count = j + 1 < v->ow ? 2 : 1, ld = writes_bf16(c) ? PANEL_WIDTH : v->o;
        float *y = writes_bf16(c) ? r->four : (float *)c->out[0] + pixel * v->o + from;
        quad_outputs(sums, down, y, count > 1 ? y + ld : r->four + PANEL_WIDTH, n);
        finish(c, y, ld, pixel, count, from, n);
    }
}

static void quad_block(const call *c, float *work, int64_t item)
{
    conv v = conv_at(c->n);
    quads q = quads_of_outputs(&v);
    quad_shares all = quad_shares_of(q.all, QUADS, v.o, c->threads);
    quad_share part = quad_share_at(&all, item);
    quad_room r;
    (void)take_quads(work, &v, &r);
    const float *x = (const float *)operand_of(c, IN_X).at;
    const float *f = kept_filters(c) ? c->in[IN_QUADS] : quad_room_filters(c);
    int64_t lo = part.block * QUADS, hi = lo + QUADS < q.all ? lo + QUADS : q.all;
    for (int64_t k = lo; k < hi; k++) {
        quad_place at = quad_at(&q, k);
        patch p = patch_of(x + at.picture * v.h * v.w * v.c, (int64_t[]){v.h, v.w, v.c},
                           4 * at.i - v.padding, 4 * at.j - v.padding, QUAD_SIDE, 0, v.c, r.edge);
        quad_pixels(p, v.c, k - lo, hi - lo, r.parts);
    }
    for (int64_t from = part.from; from < part.to; from += PANEL_WIDTH) {
        int64_t n = part.to - from < PANEL_WIDTH ? part.to - from : PANEL_WIDTH;
        quad_panel(&v, &r, f + quad_column(from, v.c), hi - lo, n);
        for (int64_t k = lo; k < hi; k++)
            quad_finish(c, &v, &r, &q, k, r.sums + (k - lo) * PANEL_WIDTH, from, n);
    }
}

static void forward_in_quads(const call *c, const conv *v)
{
    quad_room r;
    operands_ready(c);
    if (!kept_filters(c))
        op_parallel(c, v->c, 1, widen_filters);
    jobs_run(c, quad_block, quad_shares_of(quads_of_outputs(v).all, QUADS, v->o, c->threads).all,
             quad_room_filters(c) + (kept_filters(c) ? 0 : quad_filters(v->c, v->o)),
             take_quads(NULL, v, &r));
}

#endif
