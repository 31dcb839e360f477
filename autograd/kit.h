// SPDX-License-Identifier: GPL-3.0-or-later
// kit.h: what a plan computes with: the vector width of its kernels, and what multiplies.
//
// A value that is chosen when a plan's options are made and that the plan then holds: two plans of
// one process, or of one graph, may differ in it (a real-time session beside a training run), and
// each makes the bits that it makes alone. KMIDI_ISA, KMIDI_GEMM, KMIDI_BF16 and KMIDI_INT8 are
// read when it is chosen and never again.
#ifndef KMIDI_AUTOGRAD_KIT_H
#define KMIDI_AUTOGRAD_KIT_H

#include "autograd/gemm/gemm.h"
#include "base/variant.h"

typedef struct kit {
    variant width;
    gemm_ways products;
} kit;

// What the environment asks for, else the best of this CPU; ERR_USAGE for a name that is none. With
// more that is known of this machine: products_open (train/products.h).
static inline bool kit_choose(kit *k, err *e)
{
    k->width = variant_best();
    return gemm_choose(&k->products, e);
}

#endif
