// SPDX-License-Identifier: GPL-3.0-or-later
// conv2d_input_quads.h: conv2d_input by squares of gradients (conv_quads_back.h), QUADS of them at
// a time: what is made of them stays in the second cache while all panels of filters go by.
#ifndef KMIDI_AUTOGRAD_OPS_CONV2D_INPUT_QUADS_H
#define KMIDI_AUTOGRAD_OPS_CONV2D_INPUT_QUADS_H

#include "autograd/ops/conv2d_phases.h"
#include "autograd/ops/conv_quads_back.h"
#include "autograd/ops/conv_quads_shares.h"

// Along one axis: the gradient d0 of the first square; squares.
static void back_axis(int64_t size, int64_t padding, int64_t *first, int64_t *count)
{
    *first = padding > 0 ? (padding - 1) / 2 : -1;
    *count = (size + padding - (2 * *first + 1) + 3) / 4;
}

typedef struct back_quads {
    quads of;
    int64_t top, left; // d0 of the first square
} back_quads;

static back_quads back_quads_of(const conv *v)
{
    back_quads q;
    int64_t down, across;
    back_axis(v->h, v->padding, &q.top, &down);
    back_axis(v->w, v->padding, &q.left, &across);
    q.of = quads_of(v->b, down, across);
    return q;
}

// Floats of a thread: parts of gradients, a panel's products, a patch at an edge, what lies
// outside.
typedef struct back_room {
    float *parts, *terms, *edge, *none;
} back_room;

static size_t take_back(float *work, const conv *v, back_room *r)
{
    size_t at = 0;
    r->parts = workspace_take(work, &at, BACK_PARTS * BACK_PARTS * QUADS * v->o);
    r->terms = workspace_take(work, &at, BACK_TERMS * BACK_TERMS * QUADS * PANEL_WIDTH);
    r->edge = workspace_take(work, &at, BACK_REACH * BACK_REACH * v->o);
    r->none = workspace_take(work, &at, PANEL_WIDTH);
    return at;
}

static float *back_panels(const call *c)
{
    return (float *)c->work + operands_room(c);
}

static size_t room_in_quads(const call *c, const conv *v)
{
    back_room r;
    return operands_room(c) + quad_filters(v->o, v->c) +
           take_back(NULL, v, &r) * (size_t)c->threads;
}

// Outputs lo .. hi of all panels, GROUP of them and VLANES channels at a time: turned round by way
// of a tile of each tap.
static void turn_group(const conv *v, const float *f, int64_t o0, int64_t n, int64_t k0, float *to)
{
    float tile[9][GROUP][VLANES];
    for (int64_t t = 0; t < 9; t++)
        for (int64_t k = 0; k < VLANES; k++)
            for (int64_t o = 0; o < n; o++)
                tile[t][o][k] = f[(t * v->c + k0 + k) * v->o + o0 + o];
    for (int64_t o = 0; o < n; o++)
        quad_filter(tile[0][o], GROUP * VLANES, to + (o0 + o) * QUAD_WIDTH, v->o);
}

static void widen_filters(const call *c, int64_t lo, int64_t hi)
{
    conv v = conv_at(c->n);
    const float *f = (const float *)operand_of(c, IN_F).at;
    for (int64_t k = 0; k < v.c; k += VLANES) {
        float *to = back_panels(c) + quad_column(k, v.o);
        for (int64_t o = lo; o < hi; o += GROUP)
            turn_group(&v, f, o, hi - o < GROUP ? hi - o : GROUP, k, to);
    }
}

static void back_panel(const conv *v, const back_room *r, const float *panel, int64_t rows,
                       int64_t n)
{
    float *to = r->terms;
    for (int i = 0; i < BACK_TERMS; i++)
        for (int j = 0; j < BACK_TERMS; j++, to += QUADS * PANEL_WIDTH)
            quad_multiply(&(quad_product){
                .a =
                    r->parts + (back_terms[i].part * BACK_PARTS + back_terms[j].part) * rows * v->o,
                .panel = panel + quad_tap(back_terms[i].tap, back_terms[j].tap, v->o),
                .c = to,
                .rows = rows,
                .n = n,
                .deep = v->o,
                .runs = 1,
                .row = v->o,
                .col = 1,
                .panel_row = QUAD_WIDTH});
}

// The 4 x 4 pixels of a square, as far as they lie in the picture, n channels from `from` on.
static void back_pixels(const call *c, const conv *v, const back_room *r, const back_quads *q,
                        int64_t square, const float *terms, int64_t from, int64_t n)
{
    quad_place at = quad_at(&q->of, square);
    int64_t y0 = 2 * (q->top + 2 * at.i) + 1 - v->padding,
            x0 = 2 * (q->left + 2 * at.j) + 1 - v->padding;
    PANEL_UNROLL for (int down = 0; down < 4; down++)
    {
        float *to[4], *row = (float *)c->out[0] + from;
        int64_t y = y0 + down;
        if (y < 0 || y >= v->h)
            continue;
        for (int64_t k = 0; k < 4; k++)
            to[k] = x0 + k < 0 || x0 + k >= v->w
                        ? r->none
                        : row + ((at.picture * v->h + y) * v->w + x0 + k) * v->c;
        back_row(terms, down, to, n);
    }
}

static void quad_block(const call *c, float *work, int64_t item)
{
    conv v = conv_at(c->n);
    back_quads q = back_quads_of(&v);
    quad_shares all = quad_shares_of(q.of.all, QUADS, v.c, c->threads);
    quad_share part = quad_share_at(&all, item);
    back_room r;
    (void)take_back(work, &v, &r);
    const float *d = (const float *)operand_of(c, IN_D).at;
    int64_t lo = part.block * QUADS, hi = lo + QUADS < q.of.all ? lo + QUADS : q.of.all;
    for (int64_t k = lo; k < hi; k++) {
        quad_place at = quad_at(&q.of, k);
        patch p = patch_of(d + at.picture * v.oh * v.ow * v.o, (int64_t[]){v.oh, v.ow, v.o},
                           q.top + 2 * at.i, q.left + 2 * at.j, BACK_REACH, 0, v.o, r.edge);
        back_parts(p, v.o, k - lo, hi - lo, r.parts);
    }
    for (int64_t from = part.from; from < part.to; from += PANEL_WIDTH) {
        int64_t n = part.to - from < PANEL_WIDTH ? part.to - from : PANEL_WIDTH;
        back_panel(&v, &r, back_panels(c) + quad_column(from, v.o), hi - lo, n);
        for (int64_t k = lo; k < hi; k++)
            back_pixels(c, &v, &r, &q, k, r.terms + (k - lo) * PANEL_WIDTH, from, n);
    }
}

static void forward_in_quads(const call *c, const conv *v)
{
    back_room r;
    operands_ready(c);
    op_parallel(c, v->o, GROUP, widen_filters);
    jobs_run(c, quad_block, quad_shares_of(back_quads_of(v).of.all, QUADS, v->c, c->threads).all,
             back_panels(c) + quad_filters(v->o, v->c), take_back(NULL, v, &r));
}

#endif
