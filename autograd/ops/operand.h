// SPDX-License-Identifier: GPL-3.0-or-later
// operand.h: inputs 0 and 1 of a node, in f32, bf16 or bf16x2, as the factors of products that are
// made of pieces of them (convolutions). Where bf16 is widened (gemm_bf16.h) both are, once and as
// a whole, and what follows is f32.
#ifndef KMIDI_AUTOGRAD_OPS_OPERAND_H
#define KMIDI_AUTOGRAD_OPS_OPERAND_H

#include "autograd/gemm/gemm_bf16.h"
#include "autograd/ops/jobs.h"
#include "autograd/ops/kernel.h"

typedef struct operand {
    const char *at;
    dtype type;
    int64_t low; // bf16x2: how many numbers behind the high halves the low ones are; else 0
    bool padded; // as gemm_bf16's
} operand;

// Bytes of a number in `at`: a half of a pair.
static inline size_t operand_size(const operand *o)
{
    return o->type == DT_F32 ? sizeof(float) : sizeof(bf16);
}

static inline operand operand_add(const operand *o, int64_t numbers)
{
    return (operand){o->at + numbers * (int64_t)operand_size(o), o->type, o->low, o->padded};
}

// Floats of a workspace for n numbers of the type.
static inline int64_t operand_room(dtype type, int64_t n)
{
    return (n * (int64_t)dtype_size(type) + 3) / 4;
}

// Floats of a workspace for n numbers of bf16 that begin on a cache line.
static inline size_t operand_lines(int64_t n)
{
    return (size_t)(n + 31) / 32 * 16;
}

static inline bool operands_widened(const call *c)
{
    return c->n->in[0]->type != DT_F32 && c->kit->products.bf16 == GEMM_BF16_WIDEN;
}

// Whether tiles of AMX read pieces of both where they lie (conv_bands.h).
static inline bool operands_tiled(const call *c)
{
    return c->n->in[0]->type != DT_F32 && c->kit->products.bf16 == GEMM_BF16_AMX;
}

// Both of f32, of bf16 or of bf16x2.
static inline bool operands_fit(const node *n, err *e)
{
    dtype a = n->in[0]->type, b = n->in[1]->type;
    return (a == b && a != DT_I32) ||
           rule_fail(e, "%s and %s are not f32, bf16 or bf16x2 both", dtype_name(a), dtype_name(b));
}

static inline dtype operands_type(const call *c)
{
    return operands_widened(c) ? DT_F32 : c->n->in[0]->type;
}

static inline int64_t operands_count(const node *n, int i)
{
    return i ? operands_count(n, 0) + shape_count(n->in[1]->shape)
             : (shape_count(n->in[0]->shape) + 15) / 16 * 16;
}

// Numbers lo .. hi of both inputs, one behind the other, in f32.
static inline void operands_widen_part(const call *c, int64_t lo, int64_t hi)
{
    float *restrict to = c->work;
    for (int k = 0; k < 2; k++) {
        int64_t n = shape_count(c->n->in[k]->shape), first = k ? operands_count(c->n, 0) : 0;
        const bf16 *restrict from = c->in[k];
        bool two = c->n->in[k]->type == DT_BF16X2;
        for (int64_t i = lo > first ? lo : first; i < hi && i < first + n; i++)
            to[i] = bf16_widen(from[i - first]) + (two ? bf16_widen(from[n + i - first]) : 0.0f);
    }
}

// Floats that operands_ready fills, at the beginning of the workspace.
static inline size_t operands_room(const call *c)
{
    return operands_widened(c) ? (size_t)(operands_count(c->n, 1) + 15) / 16 * 16 : 0;
}

static inline void operands_ready(const call *c)
{
    if (operands_widened(c))
        op_parallel(c, operands_count(c->n, 1), GRAIN, operands_widen_part);
}

static inline operand operand_of(const call *c, int i)
{
    if (operands_widened(c))
        return (operand){(const char *)((float *)c->work + (i ? operands_count(c->n, 0) : 0)),
                         DT_F32, 0, false};
    dtype type = c->n->in[i]->type;
    return (operand){c->in[i], type, type == DT_BF16X2 ? shape_count(c->n->in[i]->shape) : 0,
                     false};
}

// `p` of a and b, whose pointers it leaves out.
static inline void operands_multiply(const call *c, const gemm *p, const operand *a,
                                     const operand *b)
{
    gemm q = *p;
    q.a = (const float *)a->at, q.b = (const float *)b->at;
    if (a->type == DT_F32)
        gemm_serial(&c->kit->products, &q);
    else
        gemm_bf16_serial(&c->kit->products, &(gemm_bf16){.ta = q.ta,
                                                         .tb = q.tb,
                                                         .m = q.m,
                                                         .n = q.n,
                                                         .k = q.k,
                                                         .a = (const bf16 *)a->at,
                                                         .b = (const bf16 *)b->at,
                                                         .lda = q.lda,
                                                         .ldb = q.ldb,
                                                         .a_low = a->low,
                                                         .b_low = b->low,
                                                         .beta = q.beta,
                                                         .c = q.c,
                                                         .ldc = q.ldc,
                                                         .padded = a->padded});
}

// Number i of an input in f64, for reference kernels.
static inline double operand_number(const call *c, int k, int64_t i)
{
    const bf16 *narrow = c->in[k];
    dtype type = c->n->in[k]->type;
    if (type == DT_F32)
        return (double)((const float *)c->in[k])[i];
    return (double)bf16_widen(narrow[i]) +
           (type == DT_BF16X2 ? (double)bf16_widen(narrow[shape_count(c->n->in[k]->shape) + i])
                              : 0);
}
#endif
