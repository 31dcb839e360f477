// SPDX-License-Identifier: GPL-3.0-or-later
// op.h: what an operation is. One file in ops/ fills one op_def; tests, planner, run and export
// read it.
//
// How to add an op: write ops/X.c in the order of this struct (essay, attributes, shape rule,
// forward, gradient, portable form, samples, definition), add its line to ops.def. Tests then come
// by themselves: shapes, reference against forward, finite differences in several directions, one
// thread against many, in-place against not, ONNX round trip.
//
// Files in ops/ are compiled once for each vector width (base/variant.h): all is static but the
// definition, VARIANT(op_X), and the constructor, which stands under #ifdef KMIDI_VARIANT_base.
#ifndef KMIDI_AUTOGRAD_OP_H
#define KMIDI_AUTOGRAD_OP_H

#include "autograd/graph.h"
#include "autograd/kit.h"
#include "autograd/ops.h"
#include "autograd/portable.h"
#include "base/rng.h"
#include "base/threads.h"
#include "base/variant.h"

enum { OP_IN_MAX = 12, OP_OUT_MAX = 6, OP_SAMPLES = 16 };
// Products of a weight with at most so many rows are computed row by row (ops/few_rows.h).
enum { FEW_ROWS = 16 };

// What a kernel gets. Pointers are aligned to 64 bytes. `threads` was chosen by the planner; a
// kernel uses at most as many.
typedef struct call {
    const node *n;
    const void *attrs;
    // in[i] may equal out[0] where the planner used OP_INPLACE, and is NULL where the node's is
    void *in[OP_IN_MAX], *out[OP_OUT_MAX];
    void *work; // op->workspace bytes, not kept between calls
    threads *pool;
    int threads;
    const kit *kit;      // of the plan
    uint64_t seed, step; // of the run: dropout draws from (seed, stream, step, element)
    // of a large batch that is run in parts: elements are counted through all of them
    uint64_t part;
    bool training; // dropout is the identity where false
} call;

typedef enum op_flags {
    OP_VIEW = 1,        // output 0 is input 0's bytes with another shape: no kernel runs
    OP_INPLACE0 = 2,    // output 0 may take the place of input 0 (same size, element by element)
    OP_INPLACE1 = 4,    // ... of input 1
    OP_INPLACE_ANY = 8, // ... of any input of the output's size
    OP_RANDOM = 16,     // draws from seed and step
    // cheaper to compute again than to keep: gradients of what reads its output 0 use a second copy
    // of the node
    OP_AGAIN = 32,
    // neither what it reads nor what it makes is kept in fewer bits (precision.h)
    OP_EXACT = 64,
    // the same numbers in another form: of a weight it is made once for as long as that stays
    OP_FORM = 128
} op_flags;

// A small case for the tests: inputs are filled from (seed, scale), integers below `below`.
typedef struct op_sample_input {
    dtype type;
    shape shape;
    float scale, offset; // f32: offset + scale * u, u in [-1, 1)
    int below;           // i32: in [low, below)
    int low;
    bool no_gradient; // not differentiated here (targets, masks)
} op_sample_input;

typedef struct op_sample {
    const char *what; // "T 5, H not a multiple of 16"
    int n;
    op_sample_input in[OP_IN_MAX];
    // calls the constructor with this sample's attributes
    tensor *(*build)(graph *g, tensor *const in[]);
    bool unexported; // in number formats that training alone has
    // finite differences; 0: the harness's defaults (1e-2, 2e-3 relative)
    float step, tolerance;
} op_sample;

struct op_def {
    const char *name;
    // A node has n_in_max inputs; fewer, but n_in_min at least, where their number is free
    // (concat).
    int n_in_min, n_in_max, n_out;
    unsigned optional; // bit k: input k may be left out, NULL
    unsigned flags;
    unsigned types; // bit DT_x: dtypes of output 0 that the kernels take
    // of what is f32 by the rule (fuse.h): bit k: input k may be bf16; output 0 may, rounded
    unsigned reads_bf16;
    bool writes_bf16;
    // Fills out[i]->type and ->shape from inputs and attributes, or returns false with a sentence
    // that has the numbers in it.
    bool (*shape)(const node *n, err *e);
    // These two are asked by the planner, of a call without data: node, attrs, threads, kit.
    size_t (*workspace)(const call *c); // NULL: none
    double (*cost)(const call *c); // about the nanoseconds of one thread; NULL: from bytes moved
    // of its matrix products, 2 M N K each; NULL: it has none
    double (*flops)(const node *n);
    void (*forward)(const call *c); // NULL for OP_VIEW
    // plain loops, one thread, f64 sums; NULL: forward is plain already
    void (*reference)(const call *c);
    // Appends nodes for the gradients of inputs i with want[i] into din[i]; dout[j] is NULL where
    // output j does not matter.
    void (*gradient)(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[]);
    // The same product of inputs 0 and 1 in bf16 or bf16x2 (ops/bf16_matmul.c), or of a linear one
    // with the weight in panels and in[2] its scales (ops/panel_linear.c); NULL: it is none, or has
    // kernels of its own.
    tensor *(*narrow)(graph *g, const node *n, tensor *const in[], bool rounded);
    // This node as it computes where weights stay as they are, with a form of one of them to
    // multiply by (fuse.h); NULL, also as an answer: there is none.
    tensor *(*formed)(graph *g, const node *n);
    // This node with x, as large as its output 0, added to that (fuse.h); NULL, also as an answer:
    // it can't.
    tensor *(*added)(graph *g, const node *n, tensor *x);
    const char *no_gradient; // the reason, where gradient is NULL
    void (*portable)(const node *n, emitter *m);
    const char *no_portable; // the reason, where portable is NULL
    const op_sample *samples;
    int n_samples;
};

// What definitions have in common: how many inputs and outputs, and the same where output 0 is f32
// alone; what the planner asks; what each that is no gradient has; what stands in backward passes
// alone; samples.
#define OP_INPUTS(n, outputs)            .n_in_min = (n), .n_in_max = (n), .n_out = (outputs)
#define OP_F32(n, outputs)               OP_INPUTS(n, outputs), .types = 1u << DT_F32
#define OP_PLANNED(room, time, products) .workspace = (room), .cost = (time), .flops = (products)
#define OP_KERNELS(fast, plain, back, form)                                                        \
    .forward = (fast), .reference = (plain), .gradient = (back), .portable = (form)
#define OP_BACK_KERNELS(fast, plain)                                                               \
    .forward = (fast), .reference = (plain),                                                       \
    .no_gradient = "it stands in backward passes only; second derivatives are not taken",          \
    .no_portable = "it stands in backward passes only; gradients are not exported"
#define OP_SAMPLES(list) .samples = (list), .n_samples = sizeof(list) / sizeof *(list)

// For kernels: fn over parts of [0, n), on c->threads threads (threads_share: no bit may depend on
// where the parts are cut).
typedef void op_part_fn(const call *c, int64_t lo, int64_t hi);
void op_parallel(const call *c, int64_t n, int64_t grain, op_part_fn *fn);

#endif
