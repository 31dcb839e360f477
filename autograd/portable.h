// SPDX-License-Identifier: GPL-3.0-or-later
// portable.h: how an op says itself to other programs: in nodes of ONNX (opset 17), without knowing
// protobuf or any other file.
//
// An emitter knows the names of a node's inputs; an op writes standard nodes that lead to its
// outputs:
//
//     static void portable(const node *n, emitter *m)
//     {
//         const char *x = emit_in(m, n, 0), *y = emit_out(m, n, 0);
//         emit_node(m, "Relu", 1, &x, 1, &y, 0, NULL);
//     }
//
// Where the nodes go is the exporter's affair, which fills a struct of functions (emitter.h): all
// of them draw from these forms.
//
// Free dimensions: never write the size of a SYM_BATCH or SYM_TIME dimension into an attribute or
// constant; use 0 and -1 of Reshape, negative indices of Slice, Shape + Gather where it must be
// known.
#ifndef KMIDI_AUTOGRAD_PORTABLE_H
#define KMIDI_AUTOGRAD_PORTABLE_H

#include "autograd/graph.h"

typedef struct emitter emitter;

typedef enum emit_kind { EMIT_INT, EMIT_FLOAT, EMIT_INTS, EMIT_STRING } emit_kind;
typedef struct emit_attr {
    const char *name;
    emit_kind kind;
    int64_t i;
    float f;
    const int64_t *ints;
    int n;
    const char *s;
} emit_attr;

const char *emit_in(emitter *m, const node *n, int i);  // name of input i's value; "": none
const char *emit_out(emitter *m, const node *n, int i); // name that output i must get
const char *emit_fresh(emitter *m, const char *hint);   // a name for a value in between
void emit_node(emitter *m, const char *op, int n_in, const char *const in[], int n_out,
               const char *const out[], int n_attr,
               const emit_attr *attrs); // an input name "" is an optional input left out
// The same with one output, which gets the fresh name that is returned.
const char *emit_op(emitter *m, const char *op, int n_in, const char *const in[], int n_attr,
                    const emit_attr *attrs);
// Constants: return their name. A parameter's name is its own; emit_transposed gives a rearranged
// copy of it.
const char *emit_i64(emitter *m, int n, const int64_t *values); // 1-D
const char *emit_i64_scalar(emitter *m, int64_t value);
const char *emit_f32(emitter *m, int rank, const int64_t *dims, const float *values);
// The transpose of input i, a matrix: of a parameter or constant a copy that was transposed when
// the file was made (tools that quantise look for a product's second factor among the constants),
// else by a node.
const char *emit_transposed(emitter *m, const node *n, int i);
// What only some readers of a node want in nodes of its own, because others can do without: `say`
// is called when the first asks for an output by emit_in.
typedef void emit_fn(const node *n, emitter *m);
void emit_later(emitter *m, const node *n, emit_fn *say);
// Output 0 is a Transpose of `from` (NULL: of input 0), said like that. emit_in_permuted: input i
// with axes `perm`; what it was made of where that is what its maker put off, else by a node. For
// pictures, whose channels stand last here and second in ONNX.
void emit_out_permuted(emitter *m, const node *n, const char *from, int rank, const int64_t perm[]);
const char *emit_in_permuted(emitter *m, const node *n, int i, int rank, const int64_t perm[]);
// bytes of input i when it is a parameter or constant, else NULL
const float *emit_param_values(emitter *m, const node *n, int i);

#endif
