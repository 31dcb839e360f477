// SPDX-License-Identifier: GPL-3.0-or-later
// graph.h: what is to be computed. Tensors and the nodes between them, with static shapes.
//
// A graph is built once by calling op constructors (ops.h), extended by graph_gradient, and never
// changed after a plan was made from it. It computes nothing itself: plan.h decides order and
// memory, run.h executes.
//
//     graph *g = graph_open(&arena);
//     tensor *x = graph_input(g, "mel", DT_F32, shape_of(3, B, T, 128));
//     tensor *h = op_linear(g, x, w, b, ACT_RELU);
//     tensor *loss = ...;
//     graph_gradient(g, loss, params, n, grads);        // appends the backward nodes
//     if (!graph_ok(g, e)) return false;
//
// Errors are sticky: a constructor that is given shapes that do not fit records the first error and
// returns a poisoned tensor, so a network reads like its paper and is checked once at the end.
// Everything is owned by the graph's arena.
//
// Dimension letters: B batch, T time (frames or tokens), I and O a layer's inputs and outputs, H
// hidden, C classes, M N K a matrix product.
#ifndef KMIDI_AUTOGRAD_GRAPH_H
#define KMIDI_AUTOGRAD_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "autograd/shape.h"
#include "base/arena.h"
#include "base/err.h"

typedef struct op_def op_def;
typedef struct tensor tensor;
typedef struct node node;
typedef struct graph graph;

typedef enum tensor_kind {
    TENSOR_COMPUTED, // output of a node
    TENSOR_INPUT,    // filled by the caller before each run
    TENSOR_PARAM,    // in the flat weight buffer
    TENSOR_CONST     // bytes that the graph owns
} tensor_kind;

struct tensor {
    int id; // index into graph tensors
    tensor_kind kind;
    dtype type;
    shape shape;
    const char *name; // of inputs, params, outputs; NULL for what lies between
    node *from;       // the node that computes it, or NULL
    int param;        // TENSOR_PARAM: index into params (params.h)
    const void *data; // TENSOR_CONST
};

struct node {
    int id;
    const op_def *op;
    const void *attrs; // typed by the op's own file; NULL when it has none
    int n_in, n_out;
    tensor **in, **out; // in[k] is NULL where an optional input is left out (op.h)
    bool backward;      // appended by graph_gradient
    bool again;         // makes a second time what a forward node made (recompute.h)
};

graph *graph_open(arena *a);
arena *graph_arena(graph *g);
bool graph_ok(const graph *g, err *e) MUST_CHECK;
// For constructors: records the first failure, returns the poisoned tensor.
tensor *graph_fail(graph *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool tensor_poisoned(const tensor *t);

tensor *graph_input(graph *g, const char *name, dtype type, shape s);
tensor *graph_param(graph *g, const char *name, int index, shape s);
// Once all of a step is computed that counts (run.h), `value`, computed and of the same shape, is
// what `buffer` holds: a param of params.h' buffers. Until then nodes read what was there before.
void graph_write(graph *g, const tensor *buffer, tensor *value);
tensor *graph_const(graph *g, dtype type, shape s, const void *bytes); // copied
// Appends a node of `op` (an index of ops.h) with n inputs, as many as it declares, those that are
// optional and left out NULL; attrs (size bytes) are copied. Runs the op's shape rule. Returns its
// first output; the others are n->out[1..]. Used by constructors in ops/*.c, not by models.
tensor *graph_add(graph *g, int op, const void *attrs, size_t attrs_size, int n,
                  tensor *const in[]);

// For passes over a whole graph, gradients included, before a plan is made from it. Input k of a
// node of `g` becomes `t`.
void graph_rewire(graph *g, const node *n, int k, tensor *t);
// Node `n` computes its output as `like` does, a node that was just appended; `like` itself is to
// be left out by graph_order.
void graph_become(graph *g, const node *n, const node *like);
// A computed tensor of f32 is written as bf16 from here on, by a node that can
// (op_def.writes_bf16).
void graph_narrow(graph *g, const tensor *t);
// Whether nodes that are appended from here on belong to the backward pass.
void graph_append_to(graph *g, bool backward);
// The nodes in another order, which must be topological. Those left out are no longer of the graph.
void graph_order(graph *g, const node *const order[], int n);

// A second node like the one that computes `t`, on the same inputs: for gradients that would rather
// compute a cheap thing again than keep it.
tensor *graph_repeat(graph *g, const tensor *t);

// d(loss)/d(wrt[i]) as new nodes of the same graph, into grads[i] (NULL where loss does not depend
// on wrt[i]). `loss` must be a scalar. Only nodes between wrt and loss get a backward: what only
// frozen weights would need is never built.
void graph_gradient(graph *g, tensor *loss, tensor *const wrt[], int n, tensor *grads[]);
// The same from a given upstream gradient of the shape of `y` (for tests).
void graph_gradient_from(graph *g, tensor *y, tensor *dy, tensor *const wrt[], int n,
                         tensor *grads[]);

// For passes (recompute.h): another graph over the tensors of `g`, which it must not outlive,
// without nodes yet. A pass then goes through the nodes of `g` in order and appends each, on the
// inputs that it is to read now, and the second copies that it wants before it.
graph *graph_rewrite(const graph *g, arena *a);
// makes the tensors that n made
void graph_keep(graph *g, const node *n, tensor *const in[]);
const node *graph_again(graph *g, const node *n, tensor *const in[]); // makes others like them

typedef struct graph_written {
    const tensor *buffer;
    tensor *value;
} graph_written;
const graph_written *graph_writes(const graph *g, int *n);
int graph_nodes(const graph *g);
const node *graph_node(const graph *g, int i); // in topological order
int graph_tensors(const graph *g);
tensor *graph_tensor(const graph *g, int i);
tensor *graph_find_input(const graph *g, const char *name); // NULL when there is none
void graph_name(graph *g, tensor *t, const char *name);     // names an output

#endif
