// SPDX-License-Identifier: GPL-3.0-or-later
// conv2d_bands.h: conv2d by AMX, a band by a group of panels at a time (conv_bands.h); and what is
// done to its outputs while they are near, by whatever way they came.
#ifndef KMIDI_AUTOGRAD_OPS_CONV2D_BANDS_H
#define KMIDI_AUTOGRAD_OPS_CONV2D_BANDS_H

#include "autograd/ops/activation.h"
#include "autograd/ops/conv.h"
#include "autograd/ops/conv_bands.h"
#include "autograd/ops/operand.h"

enum { IN_X, IN_F, IN_BIAS, IN_FACTOR, IN_QUADS, INPUTS }; // the last three: may be NULL

static conv conv_at(const node *n)
{
    return conv_of(n->attrs, n->in[IN_X]->shape.d[0], n->in[IN_F]->shape);
}

static bool is_bare(const conv *v)
{
    return v->kh == 1 && v->kw == 1 && v->stride == 1 && v->padding == 0;
}

// Whether the result is bf16, where casts are fused (fuse.h): sums lie in a thread's room before.
static bool writes_bf16(const call *c)
{
    return c->n->out[0]->type == DT_BF16;
}

// Outputs from .. from + n of so many pixels from `pixel` on, whose sums lie at y, rows of `ld`.
static void finish(const call *c, float *y, int64_t ld, int64_t pixel, int64_t rows, int64_t from,
                   int64_t n)
{
    const conv_attrs *t = c->attrs;
    const float *restrict factor = c->in[IN_FACTOR], *bias = c->in[IN_BIAS];
    int64_t channels = c->n->out[0]->shape.d[3];
    if (!factor && !bias && t->act == ACT_NONE && !writes_bf16(c) && !t->rounded)
        return;
    bf16 *restrict narrow = (bf16 *)c->out[0] + pixel * channels + from;
    for (int64_t r = 0; r < rows; r++, y += ld, narrow += channels) {
        for (int64_t i = 0; factor && i < n; i++)
            y[i] *= factor[from + i];
        if (bias || t->act != ACT_NONE)
            activate[t->act](y, y, bias ? bias + from : NULL, n);
        if (writes_bf16(c))
            for (int64_t i = 0; i < n; i++)
                narrow[i] = bf16_round(y[i]);
        else
            for (int64_t i = 0; t->rounded && i < n; i++)
                y[i] = bf16_widen(bf16_round(y[i]));
    }
}

static bool banded(const call *c, const conv *v)
{
    return operands_tiled(c) && v->c % AMX_DEEP == 0 && !is_bare(v);
}

static bool pairs(const call *c)
{
    return c->n->in[IN_X]->type == DT_BF16X2;
}

static bands bands_at_all(const call *c, const conv *v)
{
    windows w = windows_forward(v);
    return bands_of(&w, v->b, windows_width(&w), v->o, pairs(c));
}

// Floats of a thread's band and of its sums.
static size_t room_band(const call *c, const bands *b)
{
    size_t sums = (size_t)(b->rows * b->w.across * b->of_group * AMX_WIDE);
    return bands_room(b) + (writes_bf16(c) ? sums : 0);
}

static size_t room_in_bands(const call *c, const conv *v)
{
    bands b = bands_at_all(c, v);
    return bands_filters(&b) + room_band(c, &b) * (size_t)c->threads;
}

// Pieces lo .. hi of the filters.
static void pack(const call *c, int64_t lo, int64_t hi)
{
    conv v = conv_at(c->n);
    operand f = operand_of(c, IN_F);
    int64_t width = v.kh * v.kw * v.c;
    for (int64_t i = lo; i < hi; i++)
        amx_pack_piece(&(amx_matrix){(const bf16 *)f.at, v.o, f.low, false}, i, width, v.o, c->work,
                       amx_packed(width, AMX_WIDE, pairs(c)));
}

static void band_block(const call *c, float *work, int64_t item)
{
    conv v = conv_at(c->n);
    operand x = operand_of(c, IN_X);
    bands all = bands_at_all(c, &v);
    taps t = {.w = all.w, .f = c->work, .columns = v.o};
    band_item i = bands_at(&all, item);
    band b = band_of(&all, &i, (const bf16 *)x.at, x.low, (bf16 *)work);
    int64_t from = i.panels[0] * AMX_WIDE, to = i.panels[1] * AMX_WIDE,
            n = (to < v.o ? to : v.o) - from, ld = writes_bf16(c) ? n : v.o,
            pixel = (i.picture * v.oh + i.rows[0]) * v.ow;
    float *y = writes_bf16(c) ? work + bands_room(&all) : (float *)c->out[0] + pixel * v.o + from;
    t.row = v.ow * ld, t.pixel = ld, t.y = y - i.rows[0] * t.row - from;
    band_multiply(&b, &t, &i);
    finish(c, y, ld, pixel, (i.rows[1] - i.rows[0]) * v.ow, from, n);
}

static void forward_in_bands(const call *c, const conv *v)
{
    bands b = bands_at_all(c, v);
    op_parallel(c, v->kh * v->kw * v->c / AMX_DEEP, 1, pack);
    jobs_run(c, band_block, bands_items(&b), (float *)c->work + bands_filters(&b),
             room_band(c, &b));
}

#endif
