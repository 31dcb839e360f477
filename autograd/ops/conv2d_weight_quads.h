// SPDX-License-Identifier: GPL-3.0-or-later
// conv2d_weight_quads.h: conv2d_weight by squares of gradients (conv_quads_weight.h). A tile is
// some channels by some outputs and goes through all squares, a block at a time, so that its sums
// stay in the second cache; tiles depend on the shapes alone.
#ifndef KMIDI_AUTOGRAD_OPS_CONV2D_WEIGHT_QUADS_H
#define KMIDI_AUTOGRAD_OPS_CONV2D_WEIGHT_QUADS_H

#include "autograd/ops/conv_quads_weight.h"

enum { IN_X, IN_D, INPUTS };

typedef struct weight_attrs {
    conv_attrs conv;
    int64_t kh, kw;
} weight_attrs;

static conv conv_at(const node *n)
{
    const weight_attrs *t = n->attrs;
    shape x = n->in[IN_X]->shape, d = n->in[IN_D]->shape;
    return conv_of(&t->conv, x.d[0], shape_of(4, t->kh, t->kw, x.d[3], d.d[3]));
}

enum { QUADS = 96, TILE_CHANNELS = 32, TILE_OUTPUTS = 2 * PANEL_WIDTH };

typedef struct quad_tiling {
    int64_t across, all; // of outputs; of all
} quad_tiling;

static quad_tiling quad_tiling_of(const conv *v)
{
    int64_t across = panel_count(v->o, TILE_OUTPUTS);
    return (quad_tiling){across, across * panel_count(v->c, TILE_CHANNELS)};
}

// Floats of a thread: parts of pictures; of gradients, panels of each sum; what is added up, panels
// of each tap; a patch at an edge.
typedef struct quad_room {
    float *parts, *outputs, *taps, *edge;
} quad_room;

static size_t take_quads(float *work, quad_room *r)
{
    size_t at = 0;
    r->parts = workspace_take(work, &at, QUAD_SIDE * QUAD_SIDE * QUADS * TILE_CHANNELS);
    r->outputs = workspace_take(work, &at, QUAD_SUMS * QUAD_SUMS * QUADS * TILE_OUTPUTS);
    r->taps = workspace_take(work, &at, QUAD_TAPS * QUAD_TAPS * TILE_CHANNELS * TILE_OUTPUTS);
    r->edge = workspace_take(work, &at, QUAD_SIDE * QUAD_SIDE * TILE_OUTPUTS);
    return at;
}

static size_t room_in_quads(const call *c)
{
    quad_room r;
    return operands_room(c) + take_quads(NULL, &r) * (size_t)c->threads;
}

// Adds up all products of one panel; the first block begins.
static void quad_panel(const quad_room *r, const float *outputs, float *taps, int64_t rows,
                       int64_t channels, int64_t n, bool begin)
{
    bool begun[QUAD_TAPS * QUAD_TAPS] = {false};
    for (int i = 0; i < QUAD_SUMS; i++)
        for (int j = 0; j < QUAD_SUMS; j++, outputs += rows * PANEL_WIDTH)
            for (int k = 0; k < quad_sums[i].n * quad_sums[j].n; k++) {
                const struct quad_sum *down = quad_sums + i, *across = quad_sums + j;
                int p = k / across->n, q = k % across->n,
                    tap = (down->tap + p) * QUAD_TAPS + across->tap + q;
                quad_multiply(&(quad_product){
                    .a = r->parts + quad_part(down->place + p, j, rows, channels) + q * channels,
                    .panel = outputs,
                    .c = taps + tap * TILE_CHANNELS * PANEL_WIDTH,
                    .rows = channels,
                    .n = n,
                    .deep = rows,
                    .runs = 1,
                    .row = 1,
                    .col = across->n * channels,
                    .panel_row = PANEL_WIDTH,
                    .add = !begin || begun[tap]});
                begun[tap] = true;
            }
}

static void quad_block(const call *c, const conv *v, const quad_room *r, int64_t lo, int64_t hi,
                       const int64_t at[4])
{
    quads q = quads_of_outputs(v);
    const float *x = (const float *)operand_of(c, IN_X).at,
                *d = (const float *)operand_of(c, IN_D).at;
    for (int64_t k = lo; k < hi; k++) {
        quad_place s = quad_at(&q, k);
        patch p =
            patch_of(x + s.picture * v->h * v->w * v->c, (int64_t[]){v->h, v->w, v->c},
                     4 * s.i - v->padding, 4 * s.j - v->padding, QUAD_SIDE, at[0], at[1], r->edge);
        quad_pixels(p, at[1], k - lo, hi - lo, r->parts);
        p = patch_of(d + s.picture * v->oh * v->ow * v->o, (int64_t[]){v->oh, v->ow, v->o}, 2 * s.i,
                     2 * s.j, 2, at[2], at[3], r->edge);
        quad_gradients(p, at[3], k - lo, hi - lo, r->outputs);
    }
}

static void quad_tile_of(const call *c, float *work, int64_t item)
{
    conv v = conv_at(c->n);
    quad_tiling t = quad_tiling_of(&v);
    int64_t c0 = item / t.across * TILE_CHANNELS, o0 = item % t.across * TILE_OUTPUTS,
            channels = v.c - c0 < TILE_CHANNELS ? v.c - c0 : TILE_CHANNELS,
            n = v.o - o0 < TILE_OUTPUTS ? v.o - o0 : TILE_OUTPUTS, all = quads_of_outputs(&v).all;
    quad_room r;
    (void)take_quads(work, &r);
    for (int64_t lo = 0; lo < all; lo += QUADS) {
        int64_t hi = lo + QUADS < all ? lo + QUADS : all, rows = hi - lo;
        quad_block(c, &v, &r, lo, hi, (int64_t[]){c0, channels, o0, n});
        for (int64_t o = 0; o < n; o += PANEL_WIDTH)
            quad_panel(&r, r.outputs + o * QUAD_SUMS * QUAD_SUMS * rows,
                       r.taps + o * QUAD_TAPS * QUAD_TAPS * TILE_CHANNELS, rows, channels,
                       n - o < PANEL_WIDTH ? n - o : PANEL_WIDTH, lo == 0);
    }
    for (int64_t o = 0; o < n; o += PANEL_WIDTH)
        quad_end(&v, r.taps + o * QUAD_TAPS * QUAD_TAPS * TILE_CHANNELS,
                 TILE_CHANNELS * PANEL_WIDTH, channels, n - o < PANEL_WIDTH ? n - o : PANEL_WIDTH,
                 (float *)c->out[0] + c0 * v.o + o0 + o);
}

static void forward_in_quads(const call *c, const conv *v)
{
    quad_room r;
    operands_ready(c);
    jobs_run(c, quad_tile_of, quad_tiling_of(v).all, (float *)c->work + operands_room(c),
             take_quads(NULL, &r));
}

#endif
