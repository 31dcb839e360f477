// SPDX-License-Identifier: GPL-3.0-or-later
// conv2d_phases.h: the phases of conv2d_input's pixels, each a convolution of the gradient in steps
// of 1 by its own taps; and those convolutions by AMX (conv_bands.h), all over one band.
#ifndef KMIDI_AUTOGRAD_OPS_CONV2D_PHASES_H
#define KMIDI_AUTOGRAD_OPS_CONV2D_PHASES_H

#include "autograd/ops/conv.h"
#include "autograd/ops/conv_bands.h"
#include "autograd/ops/operand.h"

enum { IN_D, IN_F, INPUTS, GROUP = 16 };

static conv conv_at(const node *n)
{
    return conv_of(n->attrs, n->in[IN_D]->shape.d[0], n->in[IN_F]->shape);
}

// Along one axis: input pixels first, first + s, ..; `taps` of them, and those of the phases
// before it.
typedef struct axis_phase {
    int64_t first, count, taps, before, begin;
} axis_phase;

static axis_phase axis_phase_of(const conv *v, int64_t phase, int64_t size, int64_t kernel)
{
    int64_t s = v->stride, first = ((phase - v->padding) % s + s) % s;
    axis_phase a = {.first = first, .count = first < size ? (size - first + s - 1) / s : 0};
    for (int64_t k = 0; k < kernel; k++)
        a.taps += k % s == phase, a.before += k % s < phase;
    a.begin = (first + v->padding - phase) / s - (a.taps - 1);
    return a;
}

typedef struct phase {
    axis_phase y, x;
    windows w;    // over d
    int64_t taps; // where its filters begin, in taps
    int64_t rows; // of its matrix
} phase;

static phase phase_of(const conv *v, int64_t index)
{
    phase p = {.y = axis_phase_of(v, index / v->stride, v->h, v->kh),
               .x = axis_phase_of(v, index % v->stride, v->w, v->kw)};
    p.w = (windows){v->oh,     v->ow,     v->o, p.y.taps,  p.x.taps,
                    p.y.count, p.x.count, 1,    p.y.begin, p.x.begin};
    p.taps = p.y.before * v->kw + p.y.taps * p.x.before;
    p.rows = v->b * p.y.count * p.x.count;
    return p;
}

// Of tap (p, q) the place among those of its phase, from the last to the first.
static int64_t mirrored_tap(const conv *v, int64_t p, int64_t q)
{
    phase at = phase_of(v, p % v->stride * v->stride + q % v->stride);
    return at.taps + (at.y.taps - 1 - p / v->stride) * at.x.taps + at.x.taps - 1 - q / v->stride;
}

// ---- By AMX

static bool banded(const call *c, const conv *v)
{
    return operands_tiled(c) && v->o % AMX_DEEP == 0;
}

static bool pairs(const call *c)
{
    return c->n->in[IN_D]->type == DT_BF16X2;
}

// Windows that reach what those of all phases do.
static windows frame_of(const conv *v)
{
    windows f = phase_of(v, 0).w;
    for (int64_t i = 1; i < v->stride * v->stride; i++) {
        windows w = phase_of(v, i).w;
        int64_t bottom = f.top + f.kh, right = f.left + f.kw;
        bottom = w.top + w.kh > bottom ? w.top + w.kh : bottom;
        right = w.left + w.kw > right ? w.left + w.kw : right;
        f.top = w.top < f.top ? w.top : f.top, f.left = w.left < f.left ? w.left : f.left;
        f.kh = bottom - f.top, f.kw = right - f.left;
        f.down = w.down > f.down ? w.down : f.down;
        f.across = w.across > f.across ? w.across : f.across;
    }
    return f;
}

static bands bands_at_all(const call *c, const conv *v)
{
    windows f = frame_of(v);
    return bands_of(&f, v->b, v->kh * v->kw * v->o, v->c, pairs(c));
}

static size_t room_in_bands(const call *c, const conv *v)
{
    bands b = bands_at_all(c, v);
    return bands_filters(&b) + bands_room(&b) * (size_t)c->threads;
}

// Packed numbers of a tap of one panel, a whole number of pieces.
static int64_t tap_numbers(const call *c, const conv *v)
{
    return amx_packed(v->o, AMX_WIDE, pairs(c));
}

// Taps of panels, tap after tap: of a phase its panels, of each its taps from last to first.
static void pack(const call *c, int64_t lo, int64_t hi)
{
    conv v = conv_at(c->n);
    operand f = operand_of(c, IN_F);
    int64_t panels = (v.c + AMX_WIDE - 1) / AMX_WIDE;
    for (int64_t i = lo; i < hi; i++) {
        int64_t tap = i / panels, panel = i % panels, p = tap / v.kw, q = tap % v.kw,
                n = v.c - panel * AMX_WIDE;
        phase at = phase_of(&v, p % v.stride * v.stride + q % v.stride);
        int64_t count = at.y.taps * at.x.taps,
                place = at.taps * panels + panel * count + mirrored_tap(&v, p, q) - at.taps;
        amx_matrix of = {(const bf16 *)f.at + (tap * v.c + panel * AMX_WIDE) * v.o, v.o, f.low,
                         true};
        amx_pack(&of, v.o, n < AMX_WIDE ? n : AMX_WIDE,
                 (bf16 *)c->work + place * tap_numbers(c, &v));
    }
}

static void band_block(const call *c, float *work, int64_t item)
{
    conv v = conv_at(c->n);
    operand d = operand_of(c, IN_D);
    bands all = bands_at_all(c, &v);
    band_item at = bands_at(&all, item);
    band b = band_of(&all, &at, (const bf16 *)d.at, d.low, (bf16 *)work);
    float *picture = (float *)c->out[0] + at.picture * v.h * v.w * v.c;
    for (int64_t i = 0; i < v.stride * v.stride; i++) {
        phase p = phase_of(&v, i);
        taps t = {.w = p.w,
                  .f = (const bf16 *)c->work + p.taps * all.panels * tap_numbers(c, &v),
                  .columns = v.c,
                  .y = picture + (p.y.first * v.w + p.x.first) * v.c,
                  .row = v.stride * v.w * v.c,
                  .pixel = v.stride * v.c};
        band_multiply(&b, &t, &at);
    }
}

static void forward_in_bands(const call *c, const conv *v)
{
    bands b = bands_at_all(c, v);
    op_parallel(c, v->kh * v->kw * b.panels, 1, pack);
    jobs_run(c, band_block, bands_items(&b), (float *)c->work + bands_filters(&b), bands_room(&b));
}
#endif
