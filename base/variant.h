// SPDX-License-Identifier: GPL-3.0-or-later
// variant.h: one source, several vector widths.
//
// A file with VARIANT() in it (most of autograd/ops, autograd/optim and data/features) is compiled
// once for each width: v4 (AVX-512), v3 (AVX2 and FMA) and base (what every machine of the family
// has; the only one outside x86). Everything in such a file is static but for its definitions,
// whose names go through VARIANT():
//
//     const op_def VARIANT(op_act) = { ... };           // op_act_v4, op_act_v3, op_act_base
//
// The room's table (ops.c, optim.c, feature.c) lists all of them; a plan says which column it
// computes with (autograd/kit.h), a feature takes variant_best() when it is opened.
#ifndef KMIDI_BASE_VARIANT_H
#define KMIDI_BASE_VARIANT_H

#include <stdbool.h>

#define VARIANT_PASTE2(name, v) name##_##v
#define VARIANT_PASTE(name, v)  VARIANT_PASTE2(name, v)
#ifdef KMIDI_VARIANT
#define VARIANT(name) VARIANT_PASTE(name, KMIDI_VARIANT)
#endif

typedef enum variant { VARIANT_BASE, VARIANT_V3, VARIANT_V4, VARIANT_COUNT } variant;

variant variant_best(void);          // what this CPU has, or what KMIDI_ISA names
bool variant_lowered(void);          // KMIDI_ISA names less than this CPU has
const char *variant_name(variant v); // "base", "v3", "v4"

// For tables: VARIANT_ROW(op_relu) is {&op_relu_base, &op_relu_v3, &op_relu_v4}, as far as they
// were built.
#ifdef KMIDI_HAS_v4
#define VARIANT_EXTERN(T, name) extern const T name##_base, name##_v3, name##_v4;
#define VARIANT_ROW(name)                                                                          \
    {                                                                                              \
        &name##_base, &name##_v3, &name##_v4                                                       \
    }
#else
#define VARIANT_EXTERN(T, name) extern const T name##_base;
#define VARIANT_ROW(name)                                                                          \
    {                                                                                              \
        &name##_base, &name##_base, &name##_base                                                   \
    }
#endif

// How many f32 lanes a register has here, for kernels written with vector types.
#if defined(__AVX512F__)
enum { VLANES = 16 };
#elif defined(__AVX__)
enum { VLANES = 8 };
#else
enum { VLANES = 4 };
#endif
typedef float vf __attribute__((vector_size(VLANES * 4), aligned(4), may_alias));
typedef int vi __attribute__((vector_size(VLANES * 4), aligned(4), may_alias));
// A register of doubles, and as many floats.
enum { DLANES = VLANES / 2 };
typedef double vd __attribute__((vector_size(DLANES * 8), aligned(8), may_alias));
typedef float vh __attribute__((vector_size(DLANES * 4), aligned(4), may_alias));

#endif
