// SPDX-License-Identifier: GPL-3.0-or-later
// conv.h: what conv2d and its two ways back have in common: windows of pictures as the rows of a
// matrix, and products of a block of those rows.
//
// Pictures have their channels last, [B, H, W, C], so that a row of a window, KW pixels, is one
// piece of memory, and a bias or a norm's factors are vectors along it. The matrix of all windows
// (im2col, Chellapilla et al. 2006) is KH KW times as large as what it is made of: only blocks of
// its rows ever exist, one a thread, small enough for the second cache.
//
//     forward    a window for each output pixel, steps of `stride`
//     input      windows over the gradient d: an input pixel is reached from every stride-th tap,
//                so that pixels fall into stride x stride phases, each a convolution of d in steps
//                of 1 by its own taps, mirrored
//     weight     the same windows as forward, transposed, times d
//
// In f32, windows of 3 x 3 in steps of two go by squares of outputs (conv_quads.h).
//
// bf16 and bf16x2 go the same way, in the bytes that they have; where they are widened to f32
// (gemm_bf16.h) the whole operands are, before all else.
#ifndef KMIDI_AUTOGRAD_OPS_CONV_H
#define KMIDI_AUTOGRAD_OPS_CONV_H

#include <string.h>

#include "autograd/gemm/gemm.h"
#include "autograd/ops/conv_windows.h"
#include "autograd/ops/kernel.h"

typedef struct conv_attrs {
    int64_t stride, padding, h, w; // of the input's pictures
    activation act;
    bool rounded; // bf16: the result is one of its numbers
} conv_attrs;

static inline conv_attrs conv_attrs_of(shape x, int64_t stride, int64_t padding)
{
    conv_attrs t;
    memset(&t, 0, sizeof t); // compared byte by byte
    t.stride = stride, t.padding = padding;
    if (x.rank == 4)
        t.h = x.d[1], t.w = x.d[2];
    return t;
}

typedef struct conv {
    int64_t b, h, w, c; // x [B, H, W, C]
    int64_t kh, kw;     // filters [KH, KW, C, O]
    int64_t oh, ow, o;  // y [B, OH, OW, O]
    int64_t stride, padding;
} conv;

static inline int64_t conv_windows(int64_t n, int64_t kernel, const conv_attrs *t)
{
    int64_t room = n + 2 * t->padding - kernel;
    return room < 0 || t->stride < 1 ? 0 : room / t->stride + 1;
}

// Of pictures as `t` says (h and w are read from it) and filters `f`.
static inline conv conv_of(const conv_attrs *t, int64_t batch, shape f)
{
    return (conv){.b = batch,
                  .h = t->h,
                  .w = t->w,
                  .c = f.d[2],
                  .kh = f.d[0],
                  .kw = f.d[1],
                  .oh = conv_windows(t->h, f.d[0], t),
                  .ow = conv_windows(t->w, f.d[1], t),
                  .o = f.d[3],
                  .stride = t->stride,
                  .padding = t->padding};
}

static inline double conv_flops(const conv *v)
{
    return gemm_flops(v->b * v->oh * v->ow, v->o, v->kh * v->kw * v->c);
}

static inline windows windows_forward(const conv *v)
{
    return (windows){v->h,  v->w,  v->c,      v->kh,       v->kw,
                     v->oh, v->ow, v->stride, -v->padding, -v->padding};
}

#endif
