// SPDX-License-Identifier: GPL-3.0-or-later
// plan.h: how a graph is computed: which nodes in which order, where every tensor lies, on how many
// threads, by kernels of which width and by which libraries (kit.h). A value: made once, printed as
// a table, executed by run.h any number of times. Two plans of one graph know nothing of each
// other.
//
// Memory: each computed tensor lives from its node to its last use; offsets in one arena are found
// greedily, largest first, so that tensors whose lives overlap do not touch (as TFLite's "greedy by
// size", Pisarchyk and Lee 2020). Views share their source's place; element-wise nodes take over
// the place of an input that dies there. Inputs, constants and outputs keep their places for the
// whole run.
#ifndef KMIDI_AUTOGRAD_PLAN_H
#define KMIDI_AUTOGRAD_PLAN_H

#include "autograd/graph.h"
#include "autograd/kit.h"
#include "autograd/params.h"
#include "base/str.h"

typedef enum place_kind {
    PLACE_NONE,
    PLACE_ARENA,
    PLACE_WEIGHTS,
    PLACE_GRADS,
    PLACE_CONST
} place_kind;
typedef struct place {
    place_kind kind;
    uint64_t offset; // bytes from the start of that buffer
    int first, last; // steps between which the bytes are alive (PLACE_ARENA)
    int root;        // id of the tensor whose bytes these are (itself unless a view or in place)
} place;

// Runs a node, or (node NULL) stores or adds a gradient that does not already lie in the flat
// buffer, or, behind all others, writes a buffer of the params (graph_write).
typedef struct plan_step {
    const node *node;
    const op_def *op;   // the node's, with kernels of the plan's width
    const tensor *grad; // or what is written
    int param;          // index into params of `grad`
    bool write;
    int threads;
    // another form of a weight, kept: left out by a run_pass of the same_weights (GRAD_ADD,
    // weights_stay)
    bool once;
    double cost_ns; // estimate on one thread
} plan_step;

// What a gradient does with its place in the flat gradient buffer. With STORE a gradient is
// computed right there; a copy is made only where one tensor is the gradient of two parameters.
typedef enum grad_mode { GRAD_STORE, GRAD_ADD } grad_mode;
typedef struct plan_options {
    const kit *kit;         // copied; NULL: kit_choose
    int threads;            // at most; 1 or more
    double share_ns;        // that a thread's part of a node takes at least; 0: 20 us
    tensor *const *outputs; // kept for the caller
    int n_outputs;
    const params *params; // may be NULL: a graph without parameters
    // gradient of params->list[i], NULL where it has none; bound to the flat gradient buffer
    tensor *const *grads;
    grad_mode grad_mode; // GRAD_ADD: each run adds to what is there (accumulation)
    // they are the same in every run but the first: other forms of them are kept
    bool weights_stay;
    bool no_inplace; // for tests: every tensor its own place
} plan_options;

typedef struct plan {
    const graph *graph;
    kit kit;
    plan_step *steps;
    int n_steps;
    place *places;        // by tensor id
    uint64_t arena_bytes; // the peak, to the byte
    uint64_t work_bytes;  // the largest workspace of a node
    uint64_t live_bytes;  // the most that is alive at once: no plan can be smaller
    plan_options options;
} plan;

// Owned by `a`, as is everything it points at.
plan *plan_make(const graph *g, const plan_options *o, arena *a, err *e) MUST_CHECK;
uint64_t plan_bytes(const plan *p); // arena + workspace
// [n_steps + 1] bytes of the arena that are alive in each step
uint64_t *plan_live(const plan *p, arena *a);
// one line a step: name, shapes, place, threads, estimate
void plan_print(const plan *p, strbuf *out);
// "(add gradient)": what a step without a node does
const char *plan_move_name(const plan *p, const plan_step *s);
// estimate in nanoseconds on one thread
double plan_node_cost(const node *n, const kit *by);
uint64_t plan_tensor_bytes(const tensor *t); // what it takes in the arena

#endif
